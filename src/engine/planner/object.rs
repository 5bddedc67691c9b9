//! Planning the instances of one block.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use petgraph::graph::NodeIndex;
use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Marks, ModulePath, Path, Severity, Type, Value,
};
use pipectl_lang::{Dependency, ObjectBlock, Reference, Scope, decode};
use pipectl_provider::planning::{with_unknown_computed, without_write_only};
use pipectl_provider::{Effect, PlanResponse, ReadOutcome, Reason, Resource};
use serde_json::Value as Json;

use super::import::{self, Imported};
use super::refresh::{Prior, prior_value};
use super::{Planning, Run, reading, trigger};
use crate::conditions::Conditions;
use crate::data::read;
use crate::evaluation::{extend_once, located};
use crate::expansion::Expansion;
use crate::intents;
use crate::lifecycle::{ignore_changes, prevent_destroy};
use crate::limits::{Concurrency, Limits};
use crate::proposal::{Proposal, Question};
use crate::providers::configured::{shown, unknown_kind};
use crate::providers::locate::remembered;
use crate::providers::{Bound, Choice};
use crate::secrets::{for_provider, redacted};
use crate::sensitive_in_clear::refuse_in_clear;
use crate::walk::each;
use crate::{Action, Cause, CheckResult, CheckStatus, Checked, Mode, ResourceChange};

/// Plans all instances of a block, in all instances of its module, and sets the block's values. Whether it worked.
pub(super) async fn plan_block(run: &Arc<Run>, node: NodeIndex, declaration: &Address) -> bool {
    let modules = run.values.instances(run.graph.module_of(node));
    let (Some(block), Some(modules)) = (run.configuration.object(declaration), modules) else { return false };
    let mut expansions = Vec::with_capacity(modules.len());
    let mut instances = Vec::new();
    let mut problems = Diagnostics::new();
    for (module, path) in modules.paths().iter().enumerate() {
        let scope = Arc::new(run.values.scope(&run.graph, node, module));
        match Expansion::of_or_open(block, &scope) {
            Ok(expansion) => {
                if expansion.len() == 0 {
                    extend_once(&mut problems, Limits::of_block(block, &scope, &expansion).err().unwrap_or_default());
                }
                let address = declaration.in_module(path);
                let is_open = expansion.is_open();
                let each = |key: Option<InstanceKey>| {
                    let scope = expansion.scope(&scope, key.as_ref());
                    Instance { node, address: address.with_key(key), is_open, scope, imported: None }
                };
                instances.extend(expansion.keys().into_iter().map(each));
                expansions.push((address, expansion));
            }
            Err(found) => extend_once(&mut problems, found),
        }
    }
    if problems.has_errors() {
        run.report(problems);
        return false;
    }
    if let Err(problems) = import(run, declaration, &mut instances).await {
        run.report(problems);
        return false;
    }
    // One instance needs no task of its own.
    let planned = if instances.len() <= 1 {
        let mut planned = Vec::with_capacity(1);
        for instance in instances {
            let permit = Arc::clone(&run.permits).acquire_owned().await;
            planned.push(plan_instance(run, instance).await);
            drop(permit);
        }
        planned
    } else {
        let call = |instance: Instance| {
            let run = Arc::clone(run);
            async move { plan_instance(&run, instance).await }
        };
        each(instances, &run.permits, call).await
    };
    let mut values = Vec::with_capacity(planned.len());
    let mut worked = true;
    let mut found = run.found();
    for (value, planning, diagnostics) in planned {
        worked &= !diagnostics.has_errors();
        found.diagnostics.extend(diagnostics);
        if matches!(planning, Some(Planning::Deferred(_))) {
            run.after_deferred[node.index()].store(true, Ordering::Relaxed);
        }
        planning.into_iter().for_each(|planning| found.add(planning));
        values.push(value);
    }
    let mut values = values.into_iter();
    let assemble =
        |(_, expansion): &(Address, Expansion)| expansion.assemble(values.by_ref().take(expansion.len()).collect());
    run.values.set(node, expansions.iter().map(assemble).collect());
    found.expansions.extend(expansions);
    worked
}

/// Takes over what `import` blocks want for a block; nothing to do in almost all.
async fn import(run: &Run, declaration: &Address, instances: &mut [Instance]) -> Result<(), Diagnostics> {
    if run.options.mode != Mode::Normal || !run.imports.contains_key(declaration) {
        return Ok(());
    }
    let targets = instances.iter().map(|instance| (&instance.address, &instance.scope)).collect();
    let mut imported = import::take(run, declaration, &targets).await?;
    let changes = imported.iter().map(|(address, imported)| (address.clone(), imported.change.clone()));
    run.found().imported.extend(changes);
    for instance in instances {
        instance.imported = imported.remove(&instance.address);
    }
    Ok(())
}

/// An instance to plan.
struct Instance {
    node: NodeIndex,
    address: Address,
    /// Whether it stands for all of its block, because nobody knows yet which there are.
    is_open: bool,
    scope: Arc<Scope>,
    /// The object that is taken over for it.
    imported: Option<Imported>,
}

type Outcome = (Value, Option<Planning>, Diagnostics);

async fn plan_instance(run: &Arc<Run>, instance: Instance) -> Outcome {
    let Instance { node, address, is_open, scope, imported } = &instance;
    let left_out = || prior_value(&run.observations, address).cloned().unwrap_or_else(|| Value::unknown(Type::Any));
    if !run.selection.has(address) {
        return (left_out(), None, Diagnostics::new());
    }
    if run.options.mode == Mode::RefreshOnly && address.kind != AddressKind::Data {
        let value = left_out();
        let warnings = warn_of_conditions(run, address, scope, &value);
        return (value, None, warnings);
    }
    let mut diagnostics = Diagnostics::new();
    let imported = imported.as_ref();
    let mut planned = Planned { run, node: *node, address, scope, imported, warnings: &mut diagnostics };
    match planned.plan(*is_open).await {
        Ok((value, planning)) => {
            // A refresh reads what its checks need, and nothing is left to be read by an apply.
            let is_read = matches!(&planning, Planning::Change(change) if change.action == Action::Read);
            let is_left = run.options.mode != Mode::RefreshOnly || !is_read;
            (value, is_left.then_some(planning), diagnostics)
        }
        Err(problems) => {
            diagnostics.extend(problems);
            (Value::unknown(Type::Any), None, diagnostics)
        }
    }
}

/// Judges the conditions of an object that stays as it is: what does not hold is no reason to refuse what refresh saw.
fn warn_of_conditions(run: &Run, address: &Address, scope: &Arc<Scope>, value: &Value) -> Diagnostics {
    let Some(block) = run.configuration.object(address) else { return Diagnostics::new() };
    let mut inside = Scope::inside(scope);
    inside.set(&Reference::SelfObject, value.clone());
    let (before, after) = (Conditions::before(block, address), Conditions::after(block, address));
    let mut warnings = Diagnostics::new();
    for judged in [before.judge(scope), after.judge(&inside)] {
        run.judged(judged.results);
        warnings.extend(judged.problems);
    }
    as_warnings(warnings)
}

/// The evaluated and judged arguments of an instance.
pub(crate) struct Arguments {
    pub(crate) config: Value,
    pub(crate) warnings: Diagnostics,
}

/// Evaluates the arguments of an instance and has its kind judge them.
pub(crate) fn arguments(
    block: &ObjectBlock,
    address: &Address,
    schema: &pipectl_core::Schema,
    validate: impl Fn(&Value) -> Diagnostics,
    scope: &Scope,
) -> Result<Arguments, Diagnostics> {
    let (config, diagnostics) = decode(&block.body, schema, scope);
    let name = address.to_string();
    let span_of = |path: &Path| block.body.span_of(path);
    let mut diagnostics = located(diagnostics, span_of, &block.span, &name);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    diagnostics.extend(located(redacted(validate(&config), &config), span_of, &block.span, &name));
    if address.kind != AddressKind::Ephemeral {
        diagnostics.extend(stored_ephemerals(block, address, schema, &config));
    }
    // What a stage keeps of its arguments is the stage's own.
    if address.kind == AddressKind::Stage
        && config.marks_deep().contains(Marks::SECRET)
        && let Some(path) = without_write_only(schema, config.clone()).paths_marked(Marks::SECRET).into_iter().next()
    {
        let detail = format!(
            "The argument `{path}` holds a secret. The arguments of a stage are kept with it, and its workers get them in a file, so it takes none. \
             A stage works on files: what a secret is needed for, such as fetching them, is done by what comes before it."
        );
        let problem = Diagnostic::error("Secret value not allowed", detail);
        let problem = problem.hint("source = local_file.NAME.filename, with what data \"http\" has fetched");
        diagnostics.push(problem.at(span_of(&path).unwrap_or_else(|| block.span.clone())).about(address));
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(Arguments { config, warnings: diagnostics }) }
}

/// An error for each argument that is stored and holds something ephemeral.
fn stored_ephemerals(
    block: &ObjectBlock,
    address: &Address,
    schema: &pipectl_core::Schema,
    config: &Value,
) -> Diagnostics {
    if !config.marks_deep().contains(Marks::EPHEMERAL) {
        return Diagnostics::new();
    }
    let stored = without_write_only(schema, config.clone());
    let mut told = std::collections::BTreeSet::new();
    let mut problems = Diagnostics::new();
    for path in stored.paths_marked(Marks::EPHEMERAL) {
        // One error an argument, as Terraform has it.
        let name = Path(path.0.iter().take(1).cloned().collect());
        if !told.insert(name.to_string()) {
            continue;
        }
        let detail = format!(
            "Ephemeral values are not valid for `{name}`: it is no write-only argument, and would be stored in the state."
        );
        let span = block.body.span_of(&path).unwrap_or_else(|| block.span.clone());
        problems.push(Diagnostic::error("Invalid use of ephemeral value", detail).at(span).about(address));
    }
    problems
}

/// An instance that is being planned.
pub(super) struct Planned<'a> {
    pub(super) run: &'a Arc<Run>,
    pub(super) node: NodeIndex,
    pub(super) address: &'a Address,
    pub(super) scope: &'a Arc<Scope>,
    pub(super) imported: Option<&'a Imported>,
    pub(super) warnings: &'a mut Diagnostics,
}

/// What an instance will be, and what is to be done with it.
pub(super) type Answer = Result<(Value, Planning), Diagnostics>;

impl Planned<'_> {
    async fn plan(&mut self, is_open: bool) -> Answer {
        let (run, address) = (self.run, self.address);
        let block = run.configuration.object(address).expect("the graph has the blocks of its configuration");
        let judged = Conditions::before(block, address).judge(self.scope);
        run.judged(judged.results);
        if judged.problems.has_errors() {
            return Err(judged.problems);
        }
        let limits = Limits::of(&block.meta, self.scope)?;
        one_limit_for_a_group(run, address, block, limits.concurrency.as_ref())?;
        let pattern = self.pattern(is_open);
        let (value, planning) = if pattern.is_open() {
            self.defer_all(block, pattern)?
        } else if address.kind == AddressKind::Data {
            self.plan_data(block, &limits).await?
        } else {
            self.plan_resource(block).await?
        };
        let mut inside = Scope::inside(self.scope);
        inside.set(&Reference::SelfObject, value.clone());
        let judged = Conditions::after(block, address).judge(&inside);
        run.judged(judged.results);
        if judged.problems.has_errors() { Err(judged.problems) } else { Ok((value, planning)) }
    }

    /// The provider configuration that serves the instance; `None` where there is nothing to choose.
    fn choice(&self, block: &ObjectBlock) -> Result<Bound<Option<Choice>>, Diagnostics> {
        self.run.choice(self.address, block, self.scope)
    }

    async fn plan_data(&mut self, block: &ObjectBlock, limits: &Limits) -> Answer {
        let (run, address) = (self.run, self.address);
        let plain = run.engine.registry.data_sources.get(&address.type_name).ok_or_else(|| unknown_kind(address))?;
        let schema = plain.schema();
        let Arguments { config, warnings } =
            arguments(block, address, schema, |config| plain.validate(config), self.scope)?;
        self.warnings.extend(warnings);
        let change = |action, after: Value, cause: Option<Cause>| {
            Planning::Change(Box::new(ResourceChange {
                address: address.clone(),
                deposed: None,
                previous: None,
                importing: None,
                action,
                before: None,
                after: Some(after),
                requires_replace: Vec::new(),
                reasons: cause.iter().map(|cause| Reason::new(cause.to_string())).collect(),
                cause,
                private: Json::Null,
                decided: false,
                forced: false,
                token: String::new(),
            }))
        };
        let bound = match self.choice(block)? {
            Bound::NotYet(why) => Bound::NotYet(why),
            Bound::Ready(choice) => run.providers.data_source(address, choice.as_ref()).await?,
        };
        let kind = match (waits_for(run, block, address), bound) {
            (None, Bound::Ready(kind)) if config.is_wholly_known() => kind,
            (waits, bound) => {
                let cause = match (waits, bound) {
                    _ if !config.is_wholly_known() => Cause::ArgumentsUnknown,
                    (Some(reference), _) => Cause::DependencyPending(reference.to_string()),
                    (None, Bound::NotYet(why)) => Cause::ProviderUnknown(why),
                    (None, Bound::Ready(_)) => Cause::ArgumentsUnknown,
                };
                let after = run.engine.mark(schema, with_unknown_computed(schema, &config));
                return Ok((after.clone(), change(Action::Read, after, Some(cause))));
            }
        };
        let value = read(&run.engine, address, kind.as_ref(), &config, limits).await;
        let value = value
            .map_err(|problems| located(problems, |path| block.body.span_of(path), &block.span, &address.to_string()));
        let value = match (value, &block.check) {
            (Err(problems), Some(check)) => {
                run.judged([failed_read(run, address, check, &problems)]);
                run.found().unread.insert((address.module.clone(), check.clone()));
                self.warnings.extend(as_warnings(problems));
                with_unknown_computed(schema, &config)
            }
            (value, _) => with_marks_of(&config, value?),
        };
        let value = run.engine.mark(schema, value);
        let change = match &block.check {
            Some(check) => change(Action::Read, value.clone(), Some(Cause::InCheck(check.clone()))),
            None => change(Action::NoOp, value.clone(), None),
        };
        Ok((value, change))
    }

    async fn plan_resource(&mut self, block: &ObjectBlock) -> Answer {
        let (run, address, scope, imported) = (self.run, self.address, self.scope, self.imported);
        let plain = run.engine.registry.resource(address.kind, &address.type_name);
        let plain = Arc::clone(plain.ok_or_else(|| unknown_kind(address))?);
        let schema = plain.schema();
        let Arguments { mut config, warnings } =
            arguments(block, address, schema, |config| plain.validate(config), scope)?;
        self.warnings.extend(warnings);
        if !run.engine.is_encrypted
            && let Some(refused) = refuse_in_clear(schema, address, &config)
        {
            return Err(refused.at(block.span.clone()).into());
        }
        let mut prior = run.observations.priors.get(address).or_else(|| imported.map(|imported| &imported.prior));
        let recalled;
        if let Some(known) = prior.filter(|known| !known.secrets.is_empty()) {
            let instance = run.secrets.recall(address, &known.secrets, &config, known.instance.clone());
            recalled = Prior { instance, ..known.clone() };
            prior = Some(&recalled);
        }
        let whole = config.clone();
        if let Some(prior) = prior {
            config = ignore_changes(&block.meta.lifecycle.ignore_changes, schema, &config, &prior.instance.attributes);
        }
        let given = config;
        let choice = match self.choice(block)? {
            Bound::NotYet(why) => return self.defer(block, &plain, &given, prior, why),
            Bound::Ready(choice) => choice,
        };
        let kind = match run.providers.resource(address, choice.as_ref()).await? {
            Bound::Ready(kind) => kind,
            Bound::NotYet(why) => return self.defer(block, &plain, &given, prior, why),
        };
        let mut forced = match prior {
            Some(prior) => why_replace(run, block, address, prior, scope)?,
            None => None,
        };
        if let (Some(prior), None, None) = (prior, &forced, imported) {
            forced = self.why_elsewhere(block, choice.as_ref(), &kind, prior).await?;
        }
        let is_forced = forced.is_some();
        let question = Question::about(&run.engine, &run.secrets, address, block, kind.as_ref())
            .after(prior.map(|prior| &prior.instance), prior.map_or(&[], |prior| &prior.drift));
        let named = |given: &Value| Ok(token(run, address, &without_write_only(schema, given.clone())));
        let Proposal { response, given, token } = question.ask(given, &whole, is_forced, named).await?;
        let config = without_write_only(schema, given.clone());
        if let Some(prior) = prior.filter(|_| !is_forced && self.may_not_be_needed(&config, &response)) {
            return Ok(self.defer_replacement(prior, response.planned));
        }
        let action = action_of(run, address, &response);
        if !action.is_no_op() && run.observations.unasked.contains_key(address) && imported.is_none() {
            return Ok(self.defer_until_asked(prior, response.planned));
        }
        if matches!(action, Action::Replace { .. }) {
            let refused = prevent_destroy(block, scope, address, "the plan calls for it to be replaced");
            if refused.has_errors() {
                return Err(refused);
            }
            if let Some(problems) = run.observations.unbound(address, None) {
                return Err(problems.clone());
            }
        }
        if action.is_no_op() && prior.is_some() && imported.is_none() {
            self.keep_provider(choice.as_ref());
        }
        let cause = match (action, forced) {
            (Action::NoOp, _) => None,
            (_, Some(forced)) => Some(forced),
            (Action::Replace { .. }, None) if !response.requires_replace.is_empty() => Some(Cause::CannotUpdate),
            (_, None) => None,
        };
        let mut reasons = reasons(action, response.reasons, cause.as_ref(), prior);
        if prior.is_none() && run.observations.gone.contains(address) {
            reasons = vec![Reason::new("it was removed outside")];
        }
        let change = ResourceChange {
            address: address.clone(),
            deposed: None,
            previous: run.previous.get(address).cloned(),
            importing: imported.map(|imported| imported.id.clone()),
            action,
            before: prior.map(|prior| prior.instance.attributes.clone()),
            after: Some(response.planned.clone()),
            requires_replace: response.requires_replace,
            cause,
            reasons,
            private: response.private,
            decided: given.is_wholly_known(),
            forced: is_forced,
            token,
        };
        Ok((response.planned, Planning::Change(Box::new(change))))
    }

    /// An object that stays as it is lives on with the provider configuration that its block means now: the one before may go.
    fn keep_provider(&self, choice: Option<&Choice>) {
        let (run, address) = (self.run, self.address);
        let provider = choice.and_then(|choice| remembered(choice, address));
        if run.observations.made_with.get(address) != provider.as_ref() {
            run.found().rebound.insert(address.clone(), provider);
        }
    }

    /// Why an object is to be made anew because it was made with another provider configuration: it is not where the one of now looks.
    async fn why_elsewhere(
        &self,
        block: &ObjectBlock,
        choice: Option<&Choice>,
        kind: &Arc<dyn Resource>,
        prior: &Prior,
    ) -> Result<Option<Cause>, Diagnostics> {
        let (run, address) = (self.run, self.address);
        let Some(choice) = choice else { return Ok(None) };
        let made_with = run.observations.made_with.get(address);
        let before = run.before.choice(run.ground(), address, made_with).ok().flatten();
        let Some(before) = before.filter(|before| before.address != choice.address) else { return Ok(None) };
        if run.providers.is_same(&before, choice) || run.observations.unbound(address, None).is_some() {
            return Ok(None);
        }
        let prior = for_provider(&prior.instance);
        let read = kind.read(&reading(&run.engine, address, String::new()), &prior).await;
        let read = read.map_err(|problems| {
            let problems = redacted(problems, &prior.attributes);
            located(problems, |path| block.body.span_of(path), &block.span, &address.to_string())
        });
        match read? {
            ReadOutcome::Present { .. } => Ok(None),
            ReadOutcome::Gone => {
                Ok(Some(Cause::ProviderChanged { now: shown(&choice.address), was: shown(&before.address) }))
            }
        }
    }
}

/// An error when another block has given the same group another limit.
fn one_limit_for_a_group(
    run: &Run,
    address: &Address,
    block: &ObjectBlock,
    concurrency: Option<&Concurrency>,
) -> Result<(), Diagnostics> {
    let Some(Concurrency { group: Some(group), limit }) = concurrency else { return Ok(()) };
    let mut found = run.found();
    let (first, known) = found.groups.entry(group.clone()).or_insert_with(|| (address.declaration(), *limit)).clone();
    if known == *limit {
        return Ok(());
    }
    let detail = format!(
        "The concurrency of the group {group:?} is {limit} here and {known} in {first}. All blocks of a group must give the same limit; a local \
         value can hold it."
    );
    let span = block.meta.concurrency.as_ref().map_or_else(|| block.span.clone(), |written| written.span());
    Err(Diagnostic::error("Inconsistent concurrency", detail).at(span).about(address).into())
}

/// That a check could not read its data source: it counts as a condition after its assertions.
fn failed_read(run: &Run, address: &Address, check: &str, problems: &Diagnostics) -> CheckResult {
    let own = run.configuration.module(&address.module);
    let assertions = own.and_then(|own| own.checks.get(check)).map_or(0, |check| check.assertions.len());
    let error = problems.iter().find(|problem| problem.severity == Severity::Error);
    CheckResult {
        module: address.module.clone(),
        subject: Checked::Check(check.to_owned()),
        condition: assertions,
        status: CheckStatus::Fail,
        message: error.map(|error| format!("{}: {}", error.summary, error.detail)),
        values: Vec::new(),
    }
}

/// Problems that stop nothing.
pub(crate) fn as_warnings(mut problems: Diagnostics) -> Diagnostics {
    problems.iter_mut().for_each(|problem| problem.severity = Severity::Warning);
    problems
}

/// What a data source or an ephemeral resource must wait for, by its own `depends_on` or that of a module around it. One inside of a check waits for
/// all that it names.
pub(super) fn waits_for(run: &Run, block: &ObjectBlock, address: &Address) -> Option<Reference> {
    let pending = |depends_on: &[Dependency], module: &ModulePath| {
        let mut references = depends_on.iter().map(|dependency| &dependency.reference);
        references.find(|reference| is_pending(run, module, reference)).cloned()
    };
    let mut module = address.module.clone();
    let mut waits = pending(&block.meta.depends_on, &module);
    if waits.is_none() && block.check.is_some() {
        let mut named = block.body.references().into_iter().map(|(reference, _)| reference);
        waits = named.find(|reference| is_pending(run, &module, reference));
    }
    while waits.is_none()
        && let Some((outer, _)) = module.parent()
    {
        let call = run.configuration.module_block(&module);
        waits = call.and_then(|call| pending(&call.depends_on, &outer));
        module = outer;
    }
    waits
}

/// Whether something that was planned before has something to be done: an object of a module, or anything in a module inside.
fn is_pending(run: &Run, module: &ModulePath, reference: &Reference) -> bool {
    match reference {
        Reference::Object(address) => run.found().pending.contains_key(&address.block().in_module(module)),
        Reference::Module(name) | Reference::ModuleOutput { module: name, .. } => {
            run.found().pending_modules.contains(&module.declaration().child(name, None))
        }
        _ => false,
    }
}

/// The token of the call for an object.
pub(super) fn token(run: &Run, address: &Address, config: &Value) -> String {
    intents::token(run.options.seed, address, run.observations.unanswered.get(address), config)
}

/// Why an object is to be replaced whatever its arguments.
pub(super) fn why_replace(
    run: &Run,
    block: &ObjectBlock,
    address: &Address,
    prior: &Prior,
    scope: &Scope,
) -> Result<Option<Cause>, Diagnostics> {
    if run.options.replace.contains(address) {
        return Ok(Some(Cause::Requested(address.clone())));
    }
    if prior.tainted {
        return Ok(Some(Cause::Tainted));
    }
    trigger::pulled(run, block, address, scope).map(|trigger| trigger.map(Cause::Triggered))
}

fn action_of(run: &Run, address: &Address, response: &PlanResponse) -> Action {
    match response.effect {
        Effect::NoOp => Action::NoOp,
        Effect::Create => Action::Create,
        Effect::Update => Action::Update,
        Effect::Replace => {
            Action::Replace { create_before_destroy: run.creates_first.contains(&address.declaration()) }
        }
        Effect::Run => Action::Run,
        Effect::RunIfChanged => Action::RunIfChanged,
    }
}

/// The engine's own reason before those of the provider, and none where there is nothing to do.
fn reasons(action: Action, mut reasons: Vec<Reason>, cause: Option<&Cause>, prior: Option<&Prior>) -> Vec<Reason> {
    if action.is_no_op() {
        return Vec::new();
    }
    match cause {
        // The provider has said which argument.
        None | Some(Cause::CannotUpdate) => {}
        Some(cause) => {
            reasons.retain(|reason| *reason != Reason::asked_for());
            reasons.insert(0, Reason::new(cause.to_string()));
        }
    }
    for note in prior.into_iter().flat_map(|prior| &prior.drift) {
        if !reasons.iter().any(|reason| reason.text == *note) {
            reasons.push(Reason::new(format!("changed outside: {note}")));
        }
    }
    reasons
}

/// A planned value with the marks that its arguments have.
pub(crate) fn with_marks_of(config: &Value, planned: Value) -> Value {
    [Marks::SENSITIVE, Marks::EPHEMERAL, Marks::SECRET].into_iter().fold(planned, |planned, mark| {
        config.paths_marked(mark).iter().fold(planned, |planned, path| planned.mark_at(&path.0, mark))
    })
}

/// The error for a provider that does not do what it must.
pub(crate) fn provider_mistake(address: &Address, what: &str) -> Diagnostics {
    Diagnostic::error(
        "Provider produced inconsistent result",
        format!("The provider of {address} {what}. This is a mistake in the provider."),
    )
    .about(address)
    .into()
}
