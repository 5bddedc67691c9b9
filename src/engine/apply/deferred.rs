//! What the plan has deferred: decided now, and done as far as the plan allows.
//!
//! To create, to update, to run and to read is allowed. To replace or to destroy is not, unless the plan says so: a person has to see that first. Nor
//! is anything at an address that fits none of the plan's patterns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use petgraph::graph::NodeIndex;
use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, Value};
use pipectl_lang::{ObjectBlock, Scope};
use pipectl_provider::context::Recorder;
use pipectl_provider::planning::without_write_only;
use pipectl_provider::{Effect, Found, Instance, ReadOutcome, Reason, Resource};
use pipectl_state::{Change, IntentState, ObjectState, Operation, State};
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::object::{Settled, carry_out, key_for, known, not_recorded, read_data, record, remember};
use super::removal::remove_object;
use super::{Block, Run, not_configured, part};
use crate::conditions::Conditions;
use crate::evaluation::about;
use crate::graph::Node;
use crate::instance::instance_of;
use crate::intents::{self, FOUND_AGAIN, FoundAgain};
use crate::lifecycle::{ignore_changes, prevent_destroy};
use crate::planner::{Arguments, arguments, context, drop_words_on_secrets, new_action, with_marks_of};
use crate::proposal::{Proposal, Question};
use crate::providers::locate::{made_with, remembered};
use crate::providers::{Bound, Choice};
use crate::secrets::{for_provider, told};
use crate::walk::each;
use crate::{Action, ApplyEnd, Cause, DeferredChange, Event, Plan, ResourceChange};

/// What deciding has to look up, for each block with deferred instances. Empty where nothing is deferred.
#[derive(Default)]
pub(super) struct Later {
    /// By declaration: where its patterns stand in [`Plan::deferred`].
    deferred: BTreeMap<Address, Vec<usize>>,
    /// Objects that the plan removes.
    removed: BTreeSet<Address>,
    /// By declaration: objects of the state that the plan has no change for.
    unplanned: BTreeMap<Address, Vec<Address>>,
}

impl Later {
    pub(super) fn of(plan: &Plan, before: &State) -> Self {
        let mut later = Self::default();
        if plan.deferred.is_empty() {
            return later;
        }
        for (position, deferred) in plan.deferred.iter().enumerate() {
            later.deferred.entry(deferred.address.address().declaration()).or_default().push(position);
        }
        let is_removed = |change: &&ResourceChange| change.action == Action::Delete && change.deposed.is_none();
        later.removed = plan.changes.iter().filter(is_removed).map(|change| change.address.clone()).collect();
        // What a replacement has left over is none of the object that is there.
        let current = plan.changes.iter().filter(|change| change.deposed.is_none());
        let planned: BTreeSet<&Address> = current.map(|change| &change.address).collect();
        for (address, resource) in &before.resources {
            let declaration = address.declaration();
            if resource.current.is_some() && !planned.contains(address) && later.deferred.contains_key(&declaration) {
                later.unplanned.entry(declaration).or_default().push(address.clone());
            }
        }
        later
    }
}

/// Decides on the instances of a block that the plan has deferred. Whether it worked.
pub(super) async fn apply(run: &Arc<Run>, node: NodeIndex) -> bool {
    let modules = run.values.instances(run.graph.module_of(node));
    let (Node::Object(declaration), Some(blocks), Some(modules)) =
        (run.graph.node(node), run.blocks[node.index()].get(), modules)
    else {
        return false;
    };
    let own: Vec<_> = deferred_of(run, declaration).map(|deferred| &deferred.address).collect();
    let exact: BTreeSet<&Address> =
        own.iter().filter(|pattern| !pattern.is_open()).map(|pattern| pattern.address()).collect();
    let fits = |address: &Address| {
        exact.contains(address) || own.iter().any(|pattern| pattern.is_open() && pattern.fits(address))
    };
    let mut work = Vec::new();
    let mut problems = Diagnostics::new();
    for (block, path) in blocks.iter().zip(modules.paths()) {
        let address = declaration.in_module(path);
        for key in block.expansion.keys() {
            let instance = address.with_key(key);
            if run.changes.contains_key(&instance) || !run.selection.has(&instance) {
                continue;
            }
            match fits(&instance) {
                true => work.push(instance),
                false => problems.extend(outside(run, &instance)),
            }
        }
    }
    let worked = !problems.has_errors();
    run.report(problems);
    if declaration.kind != AddressKind::Data {
        run.total.fetch_add(work.len(), Ordering::Relaxed);
    }
    // Where the block bounds its calls, this step counts as one of them.
    let is_bounded = blocks.iter().any(|block| block.limits.concurrency.is_some());
    let one = Arc::new(Semaphore::new(1));
    let results = each(work, if is_bounded { &one } else { &run.permits }, |address| {
        let run = Arc::clone(run);
        async move {
            let Err(problems) = decide(&run, &address).await else { return true };
            run.report(problems);
            false
        }
    });
    results.await.into_iter().all(|worked| worked) && worked
}

/// Tells that the instances of a block were not decided, as far as it is known which there are.
pub(super) fn skipped(run: &Run, node: NodeIndex, end: ApplyEnd) {
    let Node::Object(declaration) = run.graph.node(node) else { return };
    let known = deferred_of(run, declaration).filter(|deferred| !deferred.address.is_open());
    for deferred in known.filter(|deferred| deferred.action != Action::Read) {
        run.total.fetch_add(1, Ordering::Relaxed);
        run.end(deferred.address.address(), deferred.action, end, None, None);
    }
}

/// What the plan has deferred of a block.
fn deferred_of<'a>(run: &'a Run, declaration: &Address) -> impl Iterator<Item = &'a DeferredChange> {
    let positions = run.later.deferred.get(declaration).into_iter().flatten();
    positions.map(|position| &run.plan().deferred[*position])
}

fn outside(run: &Run, address: &Address) -> Diagnostics {
    let detail = format!(
        "The plan has nothing for {address}: it has turned out to be declared only now. Nothing was done with it; the next plan shows it."
    );
    Diagnostic::error("Address not in the plan", detail)
        .about(address)
        .hint(run.engine.folders.command("plan", ""))
        .into()
}

/// What is there at the address of an object.
#[derive(Default)]
struct Seen {
    now: Option<Now>,
    /// A call that was announced and has left nothing: the same one may be made again.
    unanswered: Option<IntentState>,
}

/// An object as it is now.
struct Now {
    instance: Instance,
    /// The same as the state has it.
    object: ObjectState,
    /// How it differs from what the state said.
    drift: Vec<String>,
    /// The kind that it can be removed with, where it does not live where it should.
    elsewhere: Option<Arc<dyn Resource>>,
}

/// What was decided on an instance.
enum Decided {
    /// It was read, or stays as it is: its value.
    Value(Value),
    Work(Box<Work>),
}

struct Work {
    change: ResourceChange,
    settled: Settled,
    kind: Arc<dyn Resource>,
    now: Option<Now>,
}

/// Decides on one instance, and does it.
async fn decide(run: &Arc<Run>, address: &Address) -> Result<(), Diagnostics> {
    // What is read is not counted.
    let has_ended = |action, end| {
        if address.kind != AddressKind::Data {
            run.end(address, action, end, None, None);
        }
    };
    if run.is_stopping() {
        has_ended(likely(run, address), ApplyEnd::NotStarted);
        let detail = format!("The run was asked to stop before {address} was decided.");
        return Err(Diagnostic::error("Stopped", detail).about(address).into());
    }
    let (Some(begun), Some(block)) = (run.begun(address), run.planned.configuration.object(address)) else {
        has_ended(likely(run, address), ApplyEnd::Failed);
        return Err(outside(run, address));
    };
    let decided = decision(run, address, begun, block).await;
    let Work { change, settled, kind, now } = match decided {
        Ok(Decided::Value(value)) => {
            run.results().instances.insert(address.clone(), value);
            return Ok(());
        }
        Ok(Decided::Work(work)) => *work,
        Err(problems) => {
            has_ended(likely(run, address), ApplyEnd::Failed);
            return Err(problems);
        }
    };
    run.engine.events.observe(Event::PlannedChange {
        address: address.clone(),
        deposed: None,
        action: change.action,
        reasons: change.reasons.clone(),
    });
    if let (Action::Replace { .. }, Some(now)) = (change.action, &now) {
        let with = now.elsewhere.as_ref().unwrap_or(&kind);
        if let Err(problems) = removed(run, &change, &now.object, with).await {
            has_ended(part(change.action, false), ApplyEnd::Failed);
            return Err(problems);
        }
    }
    carry_out(run, &change, (begun, block), &kind, settled, now.as_ref().map(|now| &now.instance)).await
}

/// What was to be done with an instance, as far as the state tells.
fn likely(run: &Run, address: &Address) -> Action {
    match run.before.object(address) {
        Some(_) => Action::Update,
        None => new_action(address),
    }
}

async fn decision(
    run: &Arc<Run>,
    address: &Address,
    begun: &Block,
    block: &ObjectBlock,
) -> Result<Decided, Diagnostics> {
    let scope = begun.expansion.scope(&begun.scope, address.key.as_ref());
    let failed = Conditions::before(block, address).problems(&scope);
    if failed.has_errors() {
        return Err(failed);
    }
    let choice = run.choice(address, block, &scope)?;
    if address.kind == AddressKind::Data {
        return read_data(run, address, (begun, block), &scope, choice.as_ref()).await.map(Decided::Value);
    }
    let kind = match run.providers.resource(address, choice.as_ref()).await? {
        Bound::Ready(kind) => kind,
        Bound::NotYet(why) => return Err(not_configured(run, address, &why)),
    };
    let Seen { mut now, unanswered } = look(run, address, choice.as_ref(), &kind).await?;
    let (change, settled) = settle(run, address, block, &scope, &kind, (now.as_mut(), unanswered.as_ref())).await?;
    if settled.action.is_no_op() {
        remember(run, address, &settled.planned, &settled.private, now.as_ref().map(|now| &now.object));
        run.end(address, Action::Update, ApplyEnd::Unchanged, None, Some(&settled.planned));
        return Ok(Decided::Value(settled.planned));
    }
    Ok(Decided::Work(Box::new(Work { change, settled, kind, now })))
}

/// Whether an object that was found is the one that the state has.
fn is_there(
    address: &Address,
    stored: Option<&ObjectState>,
    kind: &Arc<dyn Resource>,
    found: &Instance,
) -> Result<bool, Diagnostics> {
    let Some(stored) = stored else { return Ok(false) };
    Ok(intents::is_same(&instance_of(address, stored, kind.as_ref())?, found))
}

/// Looks at an object, now that its provider can be asked. What the state says wrongly is corrected in it.
async fn look(
    run: &Run,
    address: &Address,
    choice: Option<&Choice>,
    kind: &Arc<dyn Resource>,
) -> Result<Seen, Diagnostics> {
    // What lived in something that is replaced has been removed: it is made anew. A call that was announced for it is another matter.
    let stored = run.before.object(address).filter(|_| !run.later.removed.contains(address));
    let cx = context(&run.engine, address, String::new(), run.engine.cancel.clone(), Recorder::none());
    // Nobody could ask what became of this call when the plan was made.
    let intent = run.before.intents.get(address).filter(|intent| intent.operation == Operation::Create);
    let mut unanswered = intent.cloned();
    if let Some(intent) = intent {
        let other = announced_with(run, address, choice, intent).await?;
        let asked = other.as_ref().unwrap_or(kind);
        let asking = run.makings.ask(address).await;
        let known = asking.known(run.committer.known_ids(address).await);
        let found = asked.find(&cx, &intents::question(intent, known)).await;
        match found.map_err(|problems| about(problems, address))? {
            // With another configuration it would be another call.
            Found::None if other.is_some() => unanswered = None,
            Found::None => {}
            // Nothing was made: a kind that looks for names has found what was there before.
            Found::One(instance) if is_there(address, stored, kind, &instance)? => {
                commit(run, address, Some(intent), Vec::new()).await?;
                unanswered = None;
            }
            Found::One(instance) => {
                intents::id(&instance.attributes).into_iter().for_each(|id| asking.is(id));
                let keeping = (&run.engine, &run.secrets);
                let found = FoundAgain::of(keeping, asked.as_ref(), address, intent, *instance, stored.is_some())?;
                let key = key_for(run, &found.object.secrets);
                commit(run, address, Some(intent), key.into_iter().chain(found.changes(address)).collect()).await?;
                let FoundAgain { instance, object, .. } = found;
                let elsewhere = match other {
                    Some(other) => {
                        let read = kind.read(&cx, &instance).await;
                        let read = read.map_err(|problems| told(problems, &instance.attributes, address))?;
                        matches!(read, ReadOutcome::Gone).then_some(other)
                    }
                    None => None,
                };
                let now = Now { instance, object, drift: vec![FOUND_AGAIN.to_owned()], elsewhere };
                return Ok(Seen { now: Some(now), unanswered: None });
            }
            Found::Ambiguous(candidates) => return Err(intents::ambiguous(address, &candidates).into()),
        }
    }
    let Some(object) = stored else { return Ok(Seen { now: None, unanswered }) };
    let stored = instance_of(address, object, kind.as_ref())?;
    let here = |instance, drift| Some(Now { instance, object: object.clone(), drift, elsewhere: None });
    let read =
        kind.read(&cx, &for_provider(&stored)).await.map_err(|problems| told(problems, &stored.attributes, address));
    let now = match read? {
        ReadOutcome::Present { instance, mut drift } => {
            drop_words_on_secrets(&mut drift, &object.secrets);
            let attributes = with_marks_of(&stored.attributes, instance.attributes.clone());
            let attributes = run.engine.mark(kind.schema(), attributes);
            here(Instance { attributes, ..*instance }, drift)
        }
        ReadOutcome::Gone if object.tainted => here(stored, Vec::new()),
        ReadOutcome::Gone => match former(run, address, object, &stored).await {
            Some(former) => here(stored, Vec::new()).map(|now| Now { elsewhere: Some(former), ..now }),
            None => {
                commit(run, address, None, vec![Change::RemoveObject { address: address.clone() }]).await?;
                None
            }
        },
    };
    Ok(Seen { now, unanswered })
}

/// The kind as an announced call was made with it, where the block means another configuration now.
///
/// # Errors
/// When nobody can be asked about that call: another one would take its place in the state, and what it has made would be lost.
async fn announced_with(
    run: &Run,
    address: &Address,
    choice: Option<&Choice>,
    intent: &IntentState,
) -> Result<Option<Arc<dyn Resource>>, Diagnostics> {
    let recorded = intent.provider.as_ref();
    if choice.and_then(|choice| remembered(choice, address)).as_ref() == recorded {
        return Ok(None);
    }
    let made_with = made_with(&run.planned.configuration, address, recorded);
    if let Some(choice) = run.chooser().recorded(&made_with)
        && let Bound::Ready(kind) = run.providers.resource(address, Some(&choice)).await?
    {
        return Ok(Some(kind));
    }
    match run.providers_before.resource(run.ground(), address, recorded).await? {
        Bound::Ready(kind) => Ok(Some(kind)),
        Bound::NotYet(why) => {
            let detail = format!(
                "An interrupted run may have made {address} elsewhere, and nobody can be asked about that: {why}. Nothing was done with it, so that \
                 nothing is made twice. Plan again: what was not known then may be known now."
            );
            let problem = Diagnostic::error("Interrupted call not settled", detail).about(address);
            Err(problem.hint(run.engine.folders.command("plan", "")).into())
        }
    }
}

/// The kind as it was configured before, where the object still is.
async fn former(run: &Run, address: &Address, object: &ObjectState, stored: &Instance) -> Option<Arc<dyn Resource>> {
    let former = run.providers_before.resource(run.ground(), address, object.provider.as_ref()).await;
    let Ok(Bound::Ready(former)) = former else { return None };
    let cx = context(&run.engine, address, String::new(), run.engine.cancel.clone(), Recorder::none());
    match former.read(&cx, &for_provider(stored)).await {
        Ok(ReadOutcome::Present { .. }) => Some(former),
        Ok(ReadOutcome::Gone) | Err(_) => None,
    }
}

/// Commits what has been seen of an object, and that this has settled a call.
async fn commit(
    run: &Run,
    address: &Address,
    settled: Option<&IntentState>,
    changes: Vec<Change>,
) -> Result<(), Diagnostics> {
    let token = settled.map(|intent| intent.token.as_str());
    match record(run, address, token, changes, false).await {
        true => Ok(()),
        false => Err(not_recorded(address).into()),
    }
}

/// Decides what is to be done, as a plan would, and refuses what the plan does not allow.
async fn settle(
    run: &Run,
    address: &Address,
    block: &ObjectBlock,
    scope: &Scope,
    kind: &Arc<dyn Resource>,
    (mut now, unanswered): (Option<&mut Now>, Option<&IntentState>),
) -> Result<(ResourceChange, Settled), Diagnostics> {
    let schema = kind.schema();
    let Arguments { mut config, .. } = arguments(block, address, schema, |config| kind.validate(config), scope)?;
    let whole = config.clone();
    if let Some(now) = &mut now {
        // The state does not hold its secrets.
        now.instance = run.secrets.recall(address, &now.object.secrets, &config, now.instance.clone());
        config = ignore_changes(&block.meta.lifecycle.ignore_changes, schema, &config, &now.instance.attributes);
    }
    let now = now.as_deref();
    let (is_elsewhere, is_tainted) = now.map_or((false, false), |now| (now.elsewhere.is_some(), now.object.tainted));
    let question = Question::about(&run.engine, &run.secrets, address, block, kind.as_ref())
        .after(now.map(|now| &now.instance), now.map_or(&[], |now| &now.drift));
    let named = |given: &Value| {
        known(given, block, address)?;
        let stored = without_write_only(schema, given.clone());
        Ok(intents::token(run.plan().seed, address, unanswered, &stored))
    };
    let Proposal { response, given: config, token } =
        question.ask(config, &whole, is_elsewhere || is_tainted, named).await?;
    let planned = response.planned;
    let action = match response.effect {
        Effect::NoOp => Action::NoOp,
        Effect::Create => Action::Create,
        Effect::Update => Action::Update,
        Effect::Run | Effect::RunIfChanged => Action::Run,
        Effect::Replace => Action::Replace { create_before_destroy: false },
    };
    let cause = match action {
        Action::Replace { .. } if is_tainted => Some(Cause::Tainted),
        Action::Replace { .. } if !response.requires_replace.is_empty() => Some(Cause::CannotUpdate),
        _ => None,
    };
    let mut reasons = response.reasons;
    if is_elsewhere {
        reasons.insert(0, Reason::new("it does not exist where its provider is configured to look now"));
    }
    if matches!(action, Action::Replace { .. }) {
        if !run.plan().allow_deferred_destroy {
            return Err(refused(run, address, "replaced", &reasons));
        }
        let forbidden = prevent_destroy(block, scope, address, "it has turned out that it must be replaced");
        if forbidden.has_errors() {
            return Err(forbidden);
        }
    }
    let change = ResourceChange {
        address: address.clone(),
        deposed: None,
        previous: None,
        importing: None,
        action,
        before: now.map(|now| now.instance.attributes.clone()),
        after: Some(planned.clone()),
        requires_replace: response.requires_replace,
        cause,
        reasons,
        private: Json::Null,
        decided: true,
        forced: false,
        token,
    };
    Ok((change, Settled { planned, config, private: response.private, action }))
}

/// The error for something that only a person may decide.
fn refused(run: &Run, address: &Address, what: &str, reasons: &[Reason]) -> Diagnostics {
    let why: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
    let detail = format!(
        "It has turned out only now that {address} must be {what}{why}. The plan did not show that, so nothing was done with it. Plan again: what was \
         not known then is known now."
    );
    let problem = Diagnostic::error("Deferred destroy not allowed", detail).about(address);
    let command = |verb: &str, rest: &str| run.engine.folders.command(verb, rest);
    problem.hint(command("plan", "")).hint(command("apply", "-allow-deferred-destroy")).into()
}

/// Removes an object of the state: one that is replaced, or that is no longer declared.
async fn removed(
    run: &Arc<Run>,
    change: &ResourceChange,
    object: &ObjectState,
    kind: &Arc<dyn Resource>,
) -> Result<(), Diagnostics> {
    run.total.fetch_add(1, Ordering::Relaxed);
    let watch = run.begin(&change.address, Action::Delete, Some(object));
    let token = run.plan().seed.draw(&format!("remove {}", change.address));
    let removal = ResourceChange { action: Action::Delete, token, ..change.clone() };
    let problems = remove_object(run, &removal, (object, None), kind).await;
    let end = if problems.has_errors() { ApplyEnd::Failed } else { ApplyEnd::Done };
    run.end(&change.address, Action::Delete, end, Some(watch), None);
    if problems.has_errors() {
        return Err(problems);
    }
    run.report(problems);
    Ok(())
}

/// Removes objects of a block with deferred instances that have turned out to be no longer declared. Whether it worked.
pub(super) async fn remove(run: &Arc<Run>, node: NodeIndex) -> bool {
    let Node::Object(declaration) = run.graph.node(node) else { return true };
    let is_declared =
        |address: &Address| run.begun(address).is_some_and(|begun| begun.expansion.contains(address.key.as_ref()));
    let stored = run.later.unplanned.get(declaration).into_iter().flatten();
    let gone: Vec<Address> =
        stored.filter(|address| !is_declared(address) && run.selection.has(address)).cloned().collect();
    let mut worked = true;
    for address in gone {
        if let Err(problems) = remove_one(run, &address).await {
            run.report(problems);
            worked = false;
        }
    }
    worked
}

async fn remove_one(run: &Arc<Run>, address: &Address) -> Result<(), Diagnostics> {
    let Some(object) = run.before.object(address) else { return Ok(()) };
    let cause = match run.begun(address) {
        Some(begun) => begun.expansion.why_not(address.key.as_ref()),
        None => run.values.why_no_module(&run.graph, &address.module).unwrap_or(Cause::NotConfigured),
    };
    let reasons = vec![Reason::new(cause.to_string())];
    if !run.plan().allow_deferred_destroy {
        return Err(refused(run, address, "destroyed", &reasons));
    }
    if let (Some(block), Some(begun)) = (run.planned.configuration.object(address), run.begun(address)) {
        let forbidden = prevent_destroy(block, &begun.scope, address, "it has turned out that it must be destroyed");
        if forbidden.has_errors() {
            return Err(forbidden);
        }
    }
    let kind = match run.providers_before.resource(run.ground(), address, object.provider.as_ref()).await? {
        Bound::Ready(kind) => kind,
        Bound::NotYet(why) => return Err(not_configured(run, address, &why)),
    };
    let before: Value = instance_of(address, object, kind.as_ref())?.attributes;
    let change = ResourceChange {
        address: address.clone(),
        deposed: None,
        previous: None,
        importing: None,
        action: Action::Delete,
        before: Some(before),
        after: None,
        requires_replace: Vec::new(),
        reasons,
        cause: Some(cause),
        private: Json::Null,
        decided: true,
        forced: false,
        token: String::new(),
    };
    run.engine.events.observe(Event::PlannedChange {
        address: address.clone(),
        deposed: None,
        action: Action::Delete,
        reasons: change.reasons.clone(),
    });
    let _turn = run.turn().await;
    removed(run, &change, object, &kind).await
}
