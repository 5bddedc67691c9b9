//! Making and changing one object.

use std::sync::Arc;

use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, Marks, Path, Value};
use pipectl_lang::{ObjectBlock, Reference, Scope};
use pipectl_provider::planning::{with_unknown_computed, with_write_only, without_write_only};
use pipectl_provider::{Effect, Instance, Resource};
use pipectl_state::{Change, ObjectState, StoredSecret};
use serde_json::Value as Json;

use super::call::{self, Called};
use super::{Block, Run, existing, not_configured, part};
use crate::conditions::Conditions;
use crate::consistency::{broken_promise, ignored_argument};
use crate::data;
use crate::evaluation::located;
use crate::instance::{Keeping, instance_of, object_of};
use crate::lifecycle::{ignore_changes, is_ignored};
use crate::planner::{Arguments, arguments, as_warnings, provider_mistake, with_marks_of};
use crate::proposal::{Proposal, Question};
use crate::providers::{Bound, Choice};
use crate::secrets::{for_provider, with_what_was_read};
use crate::{Action, ApplyEnd, ResourceChange};

/// Applies a change that makes, changes, runs or reads. Whether it worked.
pub(super) async fn apply(run: &Arc<Run>, index: usize) -> bool {
    match try_apply(run, index).await {
        Ok(()) => true,
        Err(problems) => {
            run.report(problems);
            false
        }
    }
}

/// An object on its way: everything that is known of it before its provider is called.
pub(super) struct Settled {
    pub(super) planned: Value,
    /// The arguments, with those that are never stored.
    pub(super) config: Value,
    pub(super) private: Json,
    pub(super) action: Action,
}

async fn try_apply(run: &Arc<Run>, index: usize) -> Result<(), Diagnostics> {
    let change = &run.plan().changes[index];
    let address = &change.address;
    let (Some(begun), Some(block)) = (run.begun(address), run.planned.configuration.object(address)) else {
        return Err(Diagnostic::error(
            "Block not found",
            format!("The plan has {address}, and its configuration has not."),
        )
        .about(address)
        .into());
    };
    let prepared = prepare(run, change, block, begun).await;
    let (settled, kind, prior) = match prepared {
        Ok(Prepared::Data(value)) => {
            run.results().instances.insert(address.clone(), value);
            return Ok(());
        }
        Ok(Prepared::Resource(resource)) => *resource,
        Err(problems) => {
            if change.action != Action::Read {
                run.end(address, part(change.action, false), ApplyEnd::Failed, None, None);
            }
            return Err(problems);
        }
    };
    if settled.action.is_no_op() {
        if prior.as_ref().is_none_or(|prior| prior.attributes != settled.planned) {
            remember(run, address, &settled.planned, &settled.private, None);
        }
        run.end(address, change.action, ApplyEnd::Unchanged, None, Some(&settled.planned));
        run.results().instances.insert(address.clone(), settled.planned);
        return Ok(());
    }
    carry_out(run, change, (begun, block), &kind, settled, prior.as_ref()).await
}

/// Makes or changes an object, and judges what has come of it.
pub(super) async fn carry_out(
    run: &Arc<Run>,
    change: &ResourceChange,
    (begun, block): (&Block, &ObjectBlock),
    kind: &Arc<dyn Resource>,
    settled: Settled,
    prior: Option<&Instance>,
) -> Result<(), Diagnostics> {
    let address = &change.address;
    let action = part(settled.action, false);
    let existing = run.before.object(address).filter(|_| action != Action::Create);
    let watch = run.begin(address, action, existing);
    let result = perform(run, change, begun, kind, settled, prior).await;
    let (value, mut problems) = result;
    if let Some(value) = &value
        && !problems.has_errors()
    {
        let mut about_itself = Scope::inside(&begun.expansion.scope(&begun.scope, address.key.as_ref()));
        about_itself.set(&Reference::SelfObject, value.clone());
        problems.extend(Conditions::after(block, address).problems(&about_itself));
    }
    let end = if problems.has_errors() { ApplyEnd::Failed } else { ApplyEnd::Done };
    run.end(address, action, end, Some(watch), value.as_ref());
    if let Some(value) = value {
        run.results().instances.insert(address.clone(), value);
    }
    if problems.has_errors() {
        return Err(problems);
    }
    run.report(problems);
    Ok(())
}

enum Prepared {
    Data(Value),
    Resource(Box<(Settled, Arc<dyn Resource>, Option<Instance>)>),
}

/// Evaluates the arguments with what is known now, and comes to the same decision as the plan, or to doing nothing.
async fn prepare(
    run: &Arc<Run>,
    change: &ResourceChange,
    block: &ObjectBlock,
    begun: &Block,
) -> Result<Prepared, Diagnostics> {
    let address = &change.address;
    let key = address.key.as_ref();
    if !begun.expansion.contains(key) {
        let detail = format!("When the plan was made there was to be {address}; now {}.", begun.expansion.why_not(key));
        return Err(changed_since(run, address, detail));
    }
    let scope = begun.expansion.scope(&begun.scope, key);
    let failed = Conditions::before(block, address).problems(&scope);
    if failed.has_errors() {
        return Err(failed);
    }
    let choice = run.choice(address, block, &scope)?;
    if address.kind == AddressKind::Data {
        return read_data(run, address, (begun, block), &scope, choice.as_ref()).await.map(Prepared::Data);
    }
    let kind = match run.providers.resource(address, choice.as_ref()).await? {
        Bound::Ready(kind) => kind,
        Bound::NotYet(why) => return Err(not_configured(run, address, &why)),
    };
    let Arguments { mut config, .. } =
        arguments(block, address, kind.schema(), |config| kind.validate(config), &scope)?;
    let planned = run.plan().secrets.get(address).map_or(&[][..], Vec::as_slice);
    same_secrets(run, block, (address, planned), kind.as_ref(), &config)?;
    let prior = match run.before.object(address) {
        Some(object) => {
            let stored = instance_of(address, object, kind.as_ref())?;
            Some(run.secrets.recall(address, &object.secrets, &config, stored))
        }
        None => None,
    };
    // What is left alone of an object is not carried over to the one that takes its place.
    if let Some(prior) = prior.as_ref().filter(|_| !matches!(change.action, Action::Replace { .. })) {
        config = ignore_changes(&block.meta.lifecycle.ignore_changes, kind.schema(), &config, &prior.attributes);
    }
    known(&config, block, address)?;
    let settled = match &change.after {
        Some(after) if change.decided => {
            let stored = without_write_only(kind.schema(), config.clone());
            if let Some(broken) = ignored_argument(kind.schema(), &stored, after) {
                return Err(changed_since(run, address, format!("{broken} now.")));
            }
            Settled { planned: after.clone(), config, private: change.private.clone(), action: change.action }
        }
        _ => plan_again(run, change, block, kind.as_ref(), &config, prior.as_ref()).await?,
    };
    Ok(Prepared::Resource(Box::new((settled, kind, prior))))
}

/// An error when an argument is not the secret that the plan was made with.
fn same_secrets(
    run: &Run,
    block: &ObjectBlock,
    (address, planned): (&Address, &[StoredSecret]),
    kind: &dyn Resource,
    config: &Value,
) -> Result<(), Diagnostics> {
    run.secrets.check(kind.schema(), address, planned, config).map_err(|problem| {
        let problem = problem.hint(run.engine.folders.command("plan", ""));
        located(problem.into(), |path| block.body.span_of(path), &block.span, &address.to_string())
    })
}

/// The value of an object that stays as it is, with the secrets that neither the state nor a saved plan holds.
pub(super) fn with_secrets_back(
    run: &Run,
    begun: &Block,
    address: &Address,
    value: Value,
) -> Result<Value, Diagnostics> {
    let kind = run.engine.registry.resource(address.kind, &address.type_name);
    let (Some(block), Some(kind)) = (run.planned.configuration.object(address), kind) else { return Ok(value) };
    if !value.marks_deep().contains(Marks::SECRET) {
        return Ok(value);
    }
    let scope = begun.expansion.scope(&begun.scope, address.key.as_ref());
    let Arguments { config, .. } = arguments(block, address, kind.schema(), |_| Diagnostics::new(), &scope)?;
    // What is left alone may be another secret in the configuration by now: nothing is done with it.
    let ignored = &block.meta.lifecycle.ignore_changes;
    let planned = run.plan().secrets.get(address).into_iter().flatten();
    let planned: Vec<StoredSecret> =
        planned.filter(|secret| !is_ignored(ignored, &Path::from(&secret.path))).cloned().collect();
    same_secrets(run, block, (address, &planned), kind.as_ref(), &config)?;
    let stored = run.before.object(address).map_or(&[][..], |object| &object.secrets);
    let Instance { attributes, .. } = run.secrets.recall(address, stored, &config, Instance::new(value));
    match existing(run, address)? {
        Some(read) => Ok(with_what_was_read(attributes, stored, &read)),
        None => Ok(attributes),
    }
}

fn changed_since(run: &Run, address: &Address, detail: String) -> Diagnostics {
    Diagnostic::error(
        "Values changed since the plan",
        format!("{detail} Something outside the configuration has changed, such as a file that it reads."),
    )
    .about(address)
    .hint(run.engine.folders.command("plan", ""))
    .into()
}

/// An error when an argument is still unknown.
pub(super) fn known(config: &Value, block: &ObjectBlock, address: &Address) -> Result<(), Diagnostics> {
    let Some((name, _)) = config.as_object().into_iter().flatten().find(|(_, value)| !value.is_wholly_known()) else {
        return Ok(());
    };
    let detail =
        format!("The argument `{name}` depends on an object that was left out of the plan and does not exist.");
    let span = block.body.span_of(&Path::of(name)).unwrap_or_else(|| block.span.clone());
    Err(Diagnostic::error("Value not known", detail).at(span).about(address).into())
}

/// Reads a data source with what is known now.
pub(super) async fn read_data(
    run: &Run,
    address: &Address,
    (begun, block): (&Block, &ObjectBlock),
    scope: &Scope,
    choice: Option<&Choice>,
) -> Result<Value, Diagnostics> {
    let kind = match run.providers.data_source(address, choice).await? {
        Bound::Ready(kind) => kind,
        Bound::NotYet(why) => return Err(not_configured(run, address, &why)),
    };
    let Arguments { config, .. } = arguments(block, address, kind.schema(), |config| kind.validate(config), scope)?;
    known(&config, block, address)?;
    let read = data::read(&run.engine, address, kind.as_ref(), &config, &begun.limits).await;
    let read =
        read.map_err(|problems| located(problems, |path| block.body.span_of(path), &block.span, &address.to_string()));
    let value = match read {
        // What a check cannot read warns, and its assertions stay open.
        Err(problems) if block.check.is_some() => {
            run.report(as_warnings(problems));
            with_unknown_computed(kind.schema(), &config)
        }
        read => with_marks_of(&config, read?),
    };
    let value = run.engine.mark(kind.schema(), value);
    let mut about_itself = Scope::inside(&Arc::new(scope.clone()));
    about_itself.set(&Reference::SelfObject, value.clone());
    let failed = Conditions::after(block, address).problems(&about_itself);
    if failed.has_errors() { Err(failed) } else { Ok(value) }
}

/// Asks the provider once more, now that everything is known. The answer must be within what the plan has shown.
async fn plan_again(
    run: &Run,
    change: &ResourceChange,
    block: &ObjectBlock,
    kind: &dyn Resource,
    config: &Value,
    prior: Option<&Instance>,
) -> Result<Settled, Diagnostics> {
    let address = &change.address;
    let is_replacement = matches!(change.action, Action::Replace { .. });
    let drift = run.drift.get(address).map_or(&[][..], Vec::as_slice);
    let prior = prior.filter(|_| change.action != Action::Create);
    let question = Question::about(&run.engine, &run.secrets, address, block, kind).after(prior, drift);
    // What a replacement leaves alone was decided by the plan.
    let named = |_: &Value| Ok(change.token.clone());
    let Proposal { response, .. } =
        question.ask(config.clone(), config, change.forced || is_replacement, named).await?;
    let action = match (change.action, response.effect) {
        (Action::Create, Effect::Create)
        | (Action::Update, Effect::Update)
        | (Action::Replace { .. }, Effect::Replace)
        | (Action::Run, Effect::Run) => change.action,
        (Action::RunIfChanged, Effect::Run) => Action::Run,
        (Action::Update | Action::Run | Action::RunIfChanged, Effect::NoOp) => Action::NoOp,
        (planned, now) => {
            return Err(provider_mistake(
                address,
                &format!("planned to {}, and now that all arguments are known wants {now:?}", planned.name()),
            ));
        }
    };
    let planned = response.planned;
    if let Some(broken) = change.after.as_ref().and_then(|after| broken_promise(after, &planned)) {
        return Err(provider_mistake(
            address,
            &format!("plans another value now that all arguments are known: {broken}"),
        ));
    }
    Ok(Settled { planned, config: config.clone(), private: response.private, action })
}

/// Calls the provider and commits what comes of it. The value that others see, if there is an object.
async fn perform(
    run: &Arc<Run>,
    change: &ResourceChange,
    begun: &Block,
    kind: &Arc<dyn Resource>,
    settled: Settled,
    prior: Option<&Instance>,
) -> (Option<Value>, Diagnostics) {
    let address = &change.address;
    let schema = kind.schema();
    let given = with_write_only(schema, settled.planned.clone(), &settled.config);
    let given = Instance { attributes: given, private: settled.private, schema_version: schema.version };
    // A replacement makes a new object; everything else goes on with the one there is.
    let prior = prior.filter(|_| !matches!(settled.action, Action::Create | Action::Replace { .. }));
    let Called { outcome, is_settled, had_intent } = call::make(run, change, &begun.limits, kind, &given, prior).await;
    let mut problems = outcome.diagnostics;
    let failed = problems.has_errors();
    let mut changes = Vec::new();
    let mut value = None;
    match outcome.instance {
        None if !failed => {
            problems.extend(provider_mistake(address, "reported success and left no object"));
        }
        None => {}
        Some(mut instance) => {
            instance.schema_version = schema.version;
            let stored = without_write_only(schema, instance.attributes);
            instance.attributes = run.engine.mark(schema, with_marks_of(&settled.planned, stored));
            if !failed {
                problems.extend(judge_result(address, &settled.planned, &instance.attributes));
            }
            let is_new = prior.is_none();
            // An update that failed leaves an object that is whole, only not as it should be.
            let tainted = is_new && failed;
            if let Action::Replace { create_before_destroy: true } = change.action {
                changes.push(Change::Depose { address: address.clone(), key: deposed_key(change) });
            }
            let object = store(run, kind.as_ref(), address, &mut instance, tainted);
            changes.extend(key_for(run, &object.secrets));
            changes.push(Change::SetObject { address: address.clone(), object });
            value = Some(instance.attributes);
        }
    }
    // What cost nothing need not be waited for: it would be made again.
    let is_cheap = !kind.has_remote_effect() && !matches!(settled.action, Action::Run);
    let call = (had_intent && is_settled).then_some(change.token.as_str());
    if !record(run, address, call, changes, is_cheap).await {
        problems.push(not_recorded(address));
    }
    (value, problems)
}

/// Commits what came of a call, and that this is known where the call was announced under `token`. Whether it is durable, or need not be.
pub(super) async fn record(
    run: &Run,
    address: &Address,
    token: Option<&str>,
    mut changes: Vec<Change>,
    is_cheap: bool,
) -> bool {
    let committing = run.open_calls.settle(address, token, |settled| {
        changes.extend(settled);
        match (changes.is_empty(), is_cheap) {
            (true, _) => None,
            (false, true) => {
                run.committer.commit_soon(changes);
                None
            }
            (false, false) => Some(run.committer.commit(changes)),
        }
    });
    match committing {
        Some(durable) => durable.await,
        None => true,
    }
}

pub(super) fn not_recorded(address: &Address) -> Diagnostic {
    Diagnostic::error(
        "Result not recorded",
        format!(
            "The state could not be written, so what was done with {address} is not in it. The next plan looks for it."
        ),
    )
    .about(address)
}

/// The key of the object that a replacement puts aside.
pub(super) fn deposed_key(change: &ResourceChange) -> String {
    change.token.chars().take(8).collect()
}

/// A result must be known and keep what was planned.
fn judge_result(address: &Address, planned: &Value, result: &Value) -> Diagnostics {
    if !result.is_wholly_known() {
        let unknown = result.as_object().into_iter().flatten().find(|(_, value)| !value.is_wholly_known());
        let name = unknown.map_or("?", |(name, _)| name.as_str());
        return provider_mistake(address, &format!("left attribute `{name}` unknown after apply"));
    }
    match broken_promise(planned, result) {
        Some(broken) => provider_mistake(address, &format!("made something else than it planned: {broken}")),
        None => Diagnostics::new(),
    }
}

/// The object as the state keeps it. What a provider wrongly left unknown is null there.
fn store(run: &Run, kind: &dyn Resource, address: &Address, instance: &mut Instance, tainted: bool) -> ObjectState {
    *instance = for_provider(instance);
    let keeping = with_secrets(run, address, &instance.attributes, keeping(run, address, tainted));
    object_of(kind.schema(), instance, keeping).expect("nothing is unknown any more")
}

fn with_secrets(run: &Run, address: &Address, attributes: &Value, keeping: Keeping) -> Keeping {
    Keeping { secrets: run.secrets.of_object(address, attributes), ..keeping }
}

/// What gives the state a key, where it has none and fingerprints need one: the plan may not have known yet that they would.
pub(super) fn key_for(run: &Run, secrets: &[StoredSecret]) -> Option<Change> {
    let is_needed = (!secrets.is_empty() || run.secrets.has_made_some()) && run.plan().secrets.is_empty();
    run.secrets.key_for(&run.before).filter(|_| is_needed)
}

/// What the state keeps beside the attributes of an object.
pub(super) fn keeping(run: &Run, address: &Address, tainted: bool) -> Keeping {
    let provider = run.provider_of(address);
    Keeping { tainted, ..Keeping::of(&run.planned.configuration, &run.graph, &run.needed, address, provider) }
}

/// Commits new attributes of an object that nothing was done with. `known` is what the state says of it; nothing where the caller knows better.
pub(super) fn remember(run: &Run, address: &Address, attributes: &Value, private: &Json, known: Option<&ObjectState>) {
    let Some(kind) = run.engine.registry.resource(address.kind, &address.type_name) else { return };
    let instance =
        Instance { attributes: attributes.clone(), private: private.clone(), schema_version: kind.schema().version };
    let mut keeping = with_secrets(run, address, attributes, keeping(run, address, false));
    // A secret that is left alone is not there to be told by a fingerprint: the one that the state has still tells it.
    let left_alone = |secret: &&StoredSecret| {
        let value = attributes.at(&Path::from(&secret.path));
        value.is_some_and(|value| value.is_null() && value.marks().contains(Marks::SECRET))
    };
    let stored = run.before.object(address).map_or(&[][..], |object| &object.secrets);
    keeping.secrets.extend(stored.iter().filter(left_alone).cloned());
    if let Some(object) = object_of(kind.schema(), &instance, keeping).filter(|object| known != Some(object)) {
        let key = key_for(run, &object.secrets);
        let change = Change::SetObject { address: address.clone(), object };
        run.committer.commit_soon(key.into_iter().chain([change]).collect());
    }
}
