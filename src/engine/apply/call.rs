//! Calls that change the world: announced before, bounded in time, repeated where allowed, and never lost.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipectl_core::{Address, Diagnostic, Diagnostics, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::planning::without_write_only;
use pipectl_provider::{ApplyOutcome, Cancel, Cx, Found, Instance, Intent, Resource, Stop};
use pipectl_state::{Change, IntentState, Operation};
use serde_json::Value as Json;

use super::makings::Claim;
use super::object::{keeping, key_for};
use super::{Run, child};
use crate::ResourceChange;
use crate::instance::instance_of;
use crate::intents;
use crate::limits::{Limits, Retry};
use crate::planner::context;
use crate::secrets::{for_provider, told};
use crate::values::seconds;

/// How long a call may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(30);

/// What came of a call.
pub(super) struct Called {
    pub(super) outcome: ApplyOutcome,
    /// Whether it is known what the call did. If not, its intent stays in the state and the next plan finds out.
    pub(super) is_settled: bool,
    /// Whether the state holds an intent for it.
    pub(super) had_intent: bool,
}

/// One announced call.
struct Announced {
    intent: Arc<Mutex<IntentState>>,
    is_stored: Arc<Mutex<bool>>,
    /// Held until the id of what is made is known.
    claim: Arc<Mutex<Option<Claim>>>,
    cx: Cx,
}

impl Announced {
    /// The context of one attempt: what was asked of an attempt before is not asked of this one.
    fn context(&self, run: &Run) -> Cx {
        Cx { cancel: child(&run.engine.cancel), ..self.cx.clone() }
    }

    fn question(&self, known: BTreeSet<String>) -> Intent {
        intents::question(&self.intent.lock().unwrap_or_else(PoisonError::into_inner), known)
    }

    fn hold(&self, claim: Claim) {
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
    }

    /// The call has ended, with this object.
    fn release(&self, instance: Option<&Instance>) {
        let claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(claim), Some(id)) = (claim, instance.and_then(|instance| intents::id(&instance.attributes))) {
            claim.is(id);
        }
    }

    fn is_stored(&self) -> bool {
        *self.is_stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the intent of a call into the state, where the kind has effects elsewhere, and makes the call's context.
///
/// # Errors
/// When the intent is not durable: then the call must not be made.
async fn announce(
    run: &Arc<Run>,
    address: &Address,
    token: &str,
    kind: &dyn Resource,
    operation: Operation,
    planned: Option<&Value>,
) -> Result<Announced, Diagnostics> {
    let keeping = keeping(run, address, false);
    let intent = IntentState {
        operation,
        token: token.to_owned(),
        arguments: planned.map_or(Json::Null, Intent::known_arguments),
        secrets: planned.map_or_else(Vec::new, |planned| run.secrets.of_object(address, planned)),
        recorded: Json::Null,
        began: u64::try_from(seconds(&*run.engine.environment)).ok(),
        dependencies: keeping.dependencies,
        create_before_destroy: keeping.create_before_destroy,
        provider: keeping.provider,
    };
    let announcing = kind.has_remote_effect().then(|| {
        let announcement = key_for(run, &intent.secrets)
            .into_iter()
            .chain([Change::SetIntent { address: address.clone(), intent: intent.clone() }]);
        run.open_calls.announce(address, (operation, token), || run.committer.commit(announcement.collect()))
    });
    let is_stored = match announcing.flatten() {
        None => false,
        Some(durable) => {
            if !durable.await {
                let detail = format!("The state could not be written, so {address} was left as it is.");
                return Err(Diagnostic::error("Call not announced", detail).about(address).into());
            }
            true
        }
    };
    let intent = Arc::new(Mutex::new(intent));
    let is_stored = Arc::new(Mutex::new(is_stored));
    let claim = Arc::new(Mutex::new(None::<Claim>));
    let recorder = {
        let (intent, is_stored, claim) = (Arc::clone(&intent), Arc::clone(&is_stored), Arc::clone(&claim));
        let (run, address) = (Arc::clone(run), address.clone());
        Recorder::new(move |recorded| {
            let mut intent = intent.lock().unwrap_or_else(PoisonError::into_inner);
            intent.recorded = recorded;
            let change = Change::SetIntent { address: address.clone(), intent: intent.clone() };
            let send = || run.committer.commit_blocking(vec![change]);
            if let Some(wait) = run.open_calls.announce(&address, (operation, &intent.token), send) {
                *is_stored.lock().unwrap_or_else(PoisonError::into_inner) = true;
                // Should this fail, no further call is begun; this one can only go on.
                wait();
            }
            // Whoever asks is told of it from now on.
            if let Some(id) = intent.recorded.get("id").and_then(Json::as_str)
                && let Some(claim) = claim.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                claim.is(id);
            }
        })
    };
    let cx = context(&run.engine, address, token.to_owned(), child(&run.engine.cancel), recorder);
    let cx = Cx { fingerprints: run.secrets.fingerprints(), ..cx };
    Ok(Announced { intent, is_stored, claim, cx })
}

/// How a call ended.
enum Ended {
    /// It came back.
    Back(ApplyOutcome),
    /// It was given up: nobody knows what it did.
    GivenUp(Diagnostic),
}

/// Runs a call until it comes back. A stop of the run, and the end of its time, are handed on to it; if it does not end then, it is given up.
async fn bounded(
    run: &Run,
    address: &Address,
    cancel: &Cancel,
    timeout: Option<Duration>,
    call: impl Future<Output = ApplyOutcome>,
) -> Ended {
    let parent = &run.engine.cancel;
    let mut call = std::pin::pin!(call);
    let time = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let mut time = std::pin::pin!(time);
    let timed_out = loop {
        let wanted = if cancel.state() == Stop::No { Stop::Gentle } else { Stop::Now };
        tokio::select! {
            outcome = &mut call => return Ended::Back(outcome),
            () = parent.reached(wanted) => {
                cancel.request(parent.state());
                if parent.state() == Stop::Now {
                    break false;
                }
            }
            () = &mut time => {
                cancel.request(Stop::Now);
                break true;
            }
        }
    };
    let reason = match timeout {
        Some(timeout) if timed_out => {
            Diagnostic::error("Timed out", format!("{address} was not done within {} seconds.", timeout.as_secs_f64()))
        }
        _ => Diagnostic::error(
            "Cancelled",
            format!("The call for {address} was cancelled. The next plan finds out what it did."),
        ),
    };
    let reason = reason.about(address);
    match tokio::time::timeout(GRACE, call).await {
        Ok(mut outcome) => {
            if timed_out && outcome.diagnostics.has_errors() {
                outcome.diagnostics.push(reason);
            }
            Ended::Back(outcome)
        }
        Err(_) => Ended::GivenUp(reason),
    }
}

/// Makes, changes or runs an object.
pub(super) async fn make(
    run: &Arc<Run>,
    change: &ResourceChange,
    limits: &Limits,
    kind: &Arc<dyn Resource>,
    planned: &Instance,
    prior: Option<&Instance>,
) -> Called {
    let address = &change.address;
    let operation = if prior.is_some() { Operation::Update } else { Operation::Create };
    let stored = without_write_only(kind.schema(), planned.attributes.clone());
    let mut claim = None;
    if prior.is_none() {
        let Some(begun) = begin(run, address).await else {
            let problem = Diagnostic::error("Cancelled", format!("{address} was not begun.")).about(address);
            return Called { outcome: ApplyOutcome::failed(None, problem), is_settled: true, had_intent: false };
        };
        claim = Some(begun);
    }
    let announced = match announce(run, address, &change.token, kind.as_ref(), operation, Some(&stored)).await {
        Ok(announced) => announced,
        Err(problems) => {
            return Called { outcome: ApplyOutcome::failed(None, problems), is_settled: false, had_intent: false };
        }
    };
    let mut prior = prior.map(for_provider);
    let mut attempt = 1;
    loop {
        let cx = &announced.context(run);
        let ended = match &prior {
            None => {
                announced.hold(match claim.take() {
                    Some(claim) => claim,
                    None => run.makings.begin(address).await,
                });
                let ended = bounded(run, address, &cx.cancel, limits.timeout, kind.create(cx, planned)).await;
                announced.release(match &ended {
                    Ended::Back(outcome) => outcome.instance.as_ref(),
                    Ended::GivenUp(_) => None,
                });
                ended
            }
            Some(prior) => bounded(run, address, &cx.cancel, limits.timeout, kind.update(cx, prior, planned)).await,
        };
        let (outcome, came_back) = match ended {
            Ended::Back(outcome) => {
                let outcome = redacted_outcome(outcome, &planned.attributes, address);
                // What it was may be quoted, too.
                let before = prior.as_ref().map(|prior| &prior.attributes);
                (before.into_iter().fold(outcome, |outcome, before| redacted_outcome(outcome, before, address)), true)
            }
            Ended::GivenUp(problem) => (ApplyOutcome::failed(None, problem), false),
        };
        let had_intent = announced.is_stored();
        let failed = outcome.diagnostics.has_errors();
        let outcome = match (prior.is_none(), outcome.instance.is_some()) {
            // A new object that came half way is there: repeating the call would make a second one.
            (true, true) => return Called { outcome, is_settled: true, had_intent },
            (true, false) if failed && had_intent => {
                match ask(run, kind.as_ref(), &announced, (outcome, limits.timeout), address).await {
                    Asked::Settled(outcome) => return Called { outcome, is_settled: true, had_intent },
                    Asked::Open(outcome) => outcome,
                }
            }
            _ if !failed => return Called { outcome, is_settled: true, had_intent },
            _ => outcome,
        };
        if !goes_on(run, &limits.retry, address, attempt, &outcome.diagnostics).await {
            // Without an object nobody knows whether a new one is about to come to light; an update's object is there to be read.
            let is_settled = prior.is_some() && came_back || !kind.has_remote_effect();
            let kept = if prior.is_some() && outcome.instance.is_none() {
                ApplyOutcome { instance: prior, ..outcome }
            } else {
                outcome
            };
            return Called { outcome: kept, is_settled, had_intent };
        }
        prior = prior.map(|prior| outcome.instance.unwrap_or(prior));
        attempt += 1;
    }
}

/// Begins a call that makes an object, unless the run stops before it may.
async fn begin(run: &Run, address: &Address) -> Option<Claim> {
    let claim = tokio::select! {
        biased;
        () = run.engine.cancel.reached(Stop::Gentle) => return None,
        claim = run.makings.begin(address) => claim,
    };
    // A state that cannot be written is told of when the call is announced.
    (run.engine.cancel.state() == Stop::No).then_some(claim)
}

/// Waits for an answer that changes nothing. A stop of the run is handed on; what does not end then, or not in time, is not waited for.
async fn heard<T>(run: &Run, cancel: &Cancel, timeout: Option<Duration>, call: impl Future<Output = T>) -> Option<T> {
    let parent = &run.engine.cancel;
    let mut call = std::pin::pin!(call);
    let mut time = std::pin::pin!(tokio::time::sleep(timeout.unwrap_or(Duration::MAX)));
    loop {
        let wanted = if cancel.state() == Stop::No { Stop::Gentle } else { Stop::Now };
        tokio::select! {
            answer = &mut call => return Some(answer),
            () = parent.reached(wanted) => {
                cancel.request(parent.state());
                if parent.state() == Stop::Now {
                    break;
                }
            }
            () = &mut time => {
                cancel.request(Stop::Now);
                break;
            }
        }
    }
    tokio::time::timeout(GRACE, call).await.ok()
}

/// Before anything else sees it.
fn redacted_outcome(outcome: ApplyOutcome, given: &Value, address: &Address) -> ApplyOutcome {
    ApplyOutcome { diagnostics: told(outcome.diagnostics, given, address), ..outcome }
}

/// Whether a call that failed so is made once more, when it has been waited for. Without a state to write to, none is.
async fn goes_on(run: &Run, retry: &Retry, address: &Address, attempt: u32, problems: &Diagnostics) -> bool {
    !run.is_stopping() && retry.goes_on(&run.engine, address, attempt, problems).await && !run.is_stopping()
}

/// What asking the provider told about a call that failed without leaving an object.
enum Asked {
    Settled(ApplyOutcome),
    Open(ApplyOutcome),
}

/// The answer of a call may have been lost on its way: asks whether the object is there.
async fn ask(
    run: &Run,
    kind: &dyn Resource,
    announced: &Announced,
    (outcome, timeout): (ApplyOutcome, Option<Duration>),
    address: &Address,
) -> Asked {
    let before = run.before.object(address).and_then(|object| instance_of(address, object, kind).ok());
    // Others of its type that this run has made are not what this call has made.
    let asking = run.makings.ask(address).await;
    let question = announced.question(asking.known(run.committer.known_ids(address).await));
    announced.hold(asking);
    let cx = announced.context(run);
    let found = heard(run, &cx.cancel, timeout, kind.find(&cx, &question)).await.unwrap_or(Ok(Found::None));
    announced.release(match &found {
        Ok(Found::One(instance)) if !before.as_ref().is_some_and(|before| intents::is_same(before, instance)) => {
            Some(instance)
        }
        Ok(Found::One(_) | Found::None | Found::Ambiguous(_)) | Err(_) => None,
    });
    match found {
        // A kind that looks for names has found what is to be replaced.
        Ok(Found::One(instance)) if before.is_some_and(|before| intents::is_same(&before, &instance)) => {
            Asked::Open(outcome)
        }
        Ok(Found::One(instance)) => {
            let why = outcome.diagnostics.iter().map(|problem| problem.detail.clone()).collect::<Vec<_>>().join(" ");
            let warning = Diagnostic::warning(
                "Answer lost",
                format!("{address} was made, but the call for it failed: {why} It has been found by its token."),
            );
            Asked::Settled(ApplyOutcome { instance: Some(*instance), diagnostics: warning.about(address).into() })
        }
        // The object may not have come to light yet. The intent stays, and the next plan asks again.
        Ok(Found::None) | Err(_) => Asked::Open(outcome),
        Ok(Found::Ambiguous(candidates)) => {
            let mut outcome = outcome;
            outcome.diagnostics.push(intents::ambiguous(address, &candidates));
            Asked::Open(outcome)
        }
    }
}

/// Removes an object.
pub(super) async fn remove(
    run: &Arc<Run>,
    change: &ResourceChange,
    Limits { retry, timeout, .. }: &Limits,
    kind: &Arc<dyn Resource>,
    prior: &Instance,
) -> Called {
    let address = &change.address;
    let announced = match announce(run, address, &change.token, kind.as_ref(), Operation::Delete, None).await {
        Ok(announced) => announced,
        Err(problems) => {
            return Called {
                outcome: ApplyOutcome::failed(Some(prior.clone()), problems),
                is_settled: false,
                had_intent: false,
            };
        }
    };
    let mut attempt = 1;
    loop {
        let cx = &announced.context(run);
        let (outcome, came_back) = match bounded(run, address, &cx.cancel, *timeout, kind.delete(cx, prior)).await {
            Ended::Back(outcome) => (redacted_outcome(outcome, &prior.attributes, address), true),
            Ended::GivenUp(problem) => (ApplyOutcome::failed(None, problem), false),
        };
        let had_intent = announced.is_stored();
        let failed = outcome.diagnostics.has_errors();
        if !failed || !goes_on(run, retry, address, attempt, &outcome.diagnostics).await {
            return Called { outcome, is_settled: came_back, had_intent };
        }
        attempt += 1;
    }
}
