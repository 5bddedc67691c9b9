//! The world: what exists, what was asked of it, and how it fails.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipectl_core::{Diagnostic, Value};
use pipectl_provider::{Cancel, Stop};

use crate::draw;
use crate::fault::{Fault, Operation, Rates};
use crate::journal::Journal;
use crate::kind::{CLUSTER, Kind};
use crate::provider::SimProvider;

/// How a world behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides every delay and every chance.
    pub seed: u64,
    /// How long calls take. Default: no time, though every call still lets other tasks run.
    pub latency: RangeInclusive<Duration>,
    /// How often calls fail by chance. Default: never. Scripted faults come first.
    pub rates: BTreeMap<Operation, Rates>,
    /// After a creation, up to this many looks (a seeded number) still say that the object is not there. Default 0.
    pub stale_reads: u32,
    /// Whether creation waits until the object can be seen, as careful providers do. Default true. If false, reads of new objects may say
    /// "gone".
    pub wait_until_visible: bool,
    /// Whether the cloud knows the tokens of creations: a repeated one makes nothing new, and an announced one can be found exactly.
    /// Default true. If false, an announced creation is looked for by its name, which may be ambiguous.
    pub tokens: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            latency: Duration::ZERO..=Duration::ZERO,
            rates: BTreeMap::new(),
            stale_reads: 0,
            wait_until_visible: true,
            tokens: true,
        }
    }
}

/// An object that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What the cloud calls it: `sim_network-<name>-<number>`, the number counting objects of that name from 1.
    pub id: String,
    /// Its type: `sim_network`.
    pub kind: &'static str,
    /// Its argument `name`.
    pub name: String,
    /// Where it is: the name of a region, or the id of the cluster that it lives in.
    pub place: String,
    /// Token of the call that made it.
    pub token: String,
    /// All attributes, unmarked: an object.
    pub attributes: Value,
    /// How often it was written, from 1. Instances carry it as private data.
    pub revision: u64,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it was to do.
    pub operation: Operation,
    /// The type of the object.
    pub kind: &'static str,
    /// The object's name; for imports, the id asked for.
    pub name: String,
    /// How it was made to fail.
    pub fault: Option<Fault>,
}

/// A simulated cloud. Clones are the same world.
#[derive(Clone, Debug)]
pub struct World {
    settings: Arc<Settings>,
    inner: Arc<Mutex<Inner>>,
}

/// What changes. Only ever touched under the lock.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    objects: BTreeMap<String, Object>,
    /// Looks that still say "not there", by id.
    hidden: BTreeMap<String, u32>,
    /// How many objects of a kind and name were ever made.
    made: BTreeMap<(&'static str, String), u64>,
    scripts: Vec<(Operation, String, Fault)>,
    calls: Vec<Call>,
    configured: Vec<String>,
    failures: BTreeMap<(Operation, String), u32>,
    running: usize,
    most_running: usize,
    /// Where every change is noted, for a world that outlives its process.
    journal: Option<Journal>,
}

/// Why the provider cannot be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No cluster has this endpoint.
    Nobody,
    /// The cluster has another token.
    Unauthorized,
}

/// What came of a call.
pub(crate) enum Answer<T> {
    /// It worked.
    Done(T),
    /// It had its effect and failed.
    DoneAndFailed(T, Diagnostic),
    /// It had its effect and nobody was told.
    Lost(Diagnostic),
    /// It had no effect.
    Refused(Diagnostic),
}

impl World {
    /// An empty world.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), inner: Arc::default() }
    }

    /// A world that outlives the process: its objects are those of the journal at `path`, and every change is noted there before its call is
    /// answered. Calls, counts and scripted faults are not kept, and what was hidden can be seen.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is no journal.
    pub fn kept_in(path: &Path, settings: Settings) -> io::Result<Self> {
        let (journal, past) = Journal::open(path)?;
        let inner = Inner { objects: past.objects, made: past.made, journal: Some(journal), ..Inner::default() };
        Ok(Self { settings: Arc::new(settings), inner: Arc::new(Mutex::new(inner)) })
    }

    /// The same objects, calls and counts under other settings: the cloud recovers, or gets worse.
    #[must_use]
    pub fn with_settings(&self, settings: Settings) -> Self {
        Self { settings: Arc::new(settings), inner: self.inner.clone() }
    }

    /// The provider of this world.
    pub fn provider(&self) -> SimProvider {
        SimProvider::new(self.clone())
    }

    /// The places that the provider was configured for, in order: names of regions, ids of clusters.
    pub fn configured(&self) -> Vec<String> {
        self.lock().configured.clone()
    }

    /// Notes that the provider was configured for a place, if that is one: a cluster must answer at its endpoint, and know the token.
    pub(crate) fn configure(&self, region: &str, cluster: Option<(&str, &str)>) -> Result<String, Refusal> {
        let mut inner = self.lock();
        let place = match cluster {
            None => region.to_owned(),
            Some((endpoint, token)) => {
                let is_there = |object: &&Object| text(object, "endpoint") == endpoint;
                let found = inner.objects.values().find(is_there).ok_or(Refusal::Nobody)?;
                if text(found, "token") != token {
                    return Err(Refusal::Unauthorized);
                }
                found.id.clone()
            }
        };
        inner.configured.push(place.clone());
        Ok(place)
    }

    /// Makes the next call of `operation` on an object called `name` fail. Several queue up.
    pub fn inject(&self, operation: Operation, name: &str, fault: Fault) {
        self.lock().scripts.push((operation, name.to_owned(), fault));
    }

    /// Everything that exists, by id; also what cannot be seen yet.
    pub fn objects(&self) -> Vec<Object> {
        self.lock().objects.values().cloned().collect()
    }

    /// Every call so far, in the order in which they began.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// How many calls of an operation were made.
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// How many calls ran at the same time at most.
    pub fn most_concurrent(&self) -> usize {
        self.lock().most_running
    }

    /// Forgets calls and counts, not objects.
    pub fn forget_calls(&self) {
        let mut inner = self.lock();
        inner.calls.clear();
        inner.configured.clear();
        inner.most_running = inner.running;
    }

    /// Changes an attribute behind everyone's back. Whether there is such an object.
    pub fn edit(&self, id: &str, attribute: &str, value: Value) -> bool {
        let change = |object: &mut Object| object.attributes = object.attributes.with_attribute(attribute, value);
        self.lock().change(id, change).is_some()
    }

    /// Removes an object behind everyone's back. Whether there was one.
    pub fn remove(&self, id: &str) -> bool {
        self.lock().take(id)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One call: waits, fails as it must, and does `act` under the lock in between.
    pub(crate) async fn call<T>(
        &self,
        cancel: &Cancel,
        operation: Operation,
        kind: Kind,
        name: &str,
        act: impl FnOnce(&mut Inner) -> Result<T, Diagnostic>,
    ) -> Answer<T> {
        let (running, fault, mut delay) = self.begin(operation, kind, name);
        if let Some(Fault::Slow(more)) = fault {
            delay += more;
        }
        tokio::select! {
            biased;
            () = cancel.reached(Stop::Now) => return Answer::Refused(stopped(operation)),
            () = pause(delay) => {}
        }
        let failure = |summary: &str, detail: &str| {
            Diagnostic::error(
                summary,
                format!("The simulated cloud was asked to {} `{name}`: {detail}", operation.name()),
            )
        };
        let answer = match fault {
            Some(Fault::FailBefore) => Err(failure("Request refused", "it refused.")),
            Some(Fault::FailAfter | Fault::LostAnswer | Fault::Slow(_) | Fault::Hang) | None => act(&mut self.lock()),
        };
        let answer = match (answer, fault) {
            (Err(refused), _) => Answer::Refused(refused),
            (Ok(made), Some(Fault::FailAfter)) => {
                Answer::DoneAndFailed(made, failure("Request failed", "it did so, and reported a failure."))
            }
            (Ok(_), Some(Fault::LostAnswer)) => Answer::Lost(failure("Connection lost", "no answer came.")),
            (Ok(_), Some(Fault::Hang)) => {
                cancel.reached(Stop::Now).await;
                Answer::Lost(failure("Connection lost", "no answer came before the call was stopped."))
            }
            (Ok(made), Some(Fault::FailBefore | Fault::Slow(_)) | None) => Answer::Done(made),
        };
        drop(running);
        answer
    }

    /// Looks until the object can be seen; at most as often as looks may lag behind.
    pub(crate) async fn await_visible(&self, id: &str) {
        for look in 0..=self.settings.stale_reads {
            if self.lock().look(id).is_some() {
                return;
            }
            pause(draw::duration(self.settings.seed, &format!("look\n{id}\n{look}"), &self.settings.latency)).await;
        }
    }

    /// Notes the call and decides how it goes.
    fn begin(&self, operation: Operation, kind: Kind, name: &str) -> (Running, Option<Fault>, Duration) {
        let mut inner = self.lock();
        let same = |call: &&Call| call.operation == operation && call.name == name && call.kind == kind.type_name();
        let number = inner.calls.iter().filter(same).count();
        let key = format!("{}\n{}\n{name}\n{number}", operation.name(), kind.type_name());
        let script = inner.scripts.iter().position(|(of, on, _)| *of == operation && on == name);
        let fault = match script {
            Some(position) => Some(inner.scripts.remove(position).2),
            None => self.chance(&mut inner, operation, name, &key),
        };
        inner.calls.push(Call { operation, kind: kind.type_name(), name: name.to_owned(), fault });
        inner.running += 1;
        inner.most_running = inner.most_running.max(inner.running);
        let delay = draw::duration(self.settings.seed, &key, &self.settings.latency);
        (Running(self.inner.clone()), fault, delay)
    }

    fn chance(&self, inner: &mut Inner, operation: Operation, name: &str, key: &str) -> Option<Fault> {
        let rates = self.settings.rates.get(&operation)?;
        let failures = inner.failures.entry((operation, name.to_owned())).or_default();
        if rates.limit.is_some_and(|limit| *failures >= limit) {
            return None;
        }
        let fault = rates.fault(draw::fraction(self.settings.seed, "fault", key))?;
        *failures += 1;
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The object, if it can be seen yet. Looking brings the time nearer when it can.
    pub(crate) fn look(&mut self, id: &str) -> Option<Object> {
        if let Some(looks) = self.hidden.get_mut(id).filter(|looks| **looks > 0) {
            *looks -= 1;
            return None;
        }
        self.objects.get(id).cloned()
    }

    /// Writes an object, seen or not, and gives it as it is then; `None` when there is none.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Object)) -> Option<Object> {
        let object = self.objects.get_mut(id)?;
        change(object);
        object.revision += 1;
        self.journal.iter_mut().for_each(|journal| journal.set(object));
        Some(object.clone())
    }

    /// Objects of a kind that `wanted` picks, seen or not.
    pub(crate) fn select(&self, kind: Kind, wanted: impl Fn(&Object) -> bool) -> Vec<Object> {
        self.objects.values().filter(|object| object.kind == kind.type_name() && wanted(object)).cloned().collect()
    }

    /// Puts a new object there. `attributes` makes its attributes from its id and from how many of the kind were made before.
    pub(crate) fn insert(
        &mut self,
        settings: &Settings,
        (kind, place): (Kind, &str),
        name: &str,
        token: &str,
        attributes: impl FnOnce(&str, u64) -> Value,
    ) -> Object {
        let of_kind = self.made.iter().filter(|((made, _), _)| *made == kind.type_name()).map(|(_, count)| count).sum();
        let count = self.made.entry((kind.type_name(), name.to_owned())).or_default();
        *count += 1;
        let id = format!("{}-{name}-{count}", kind.type_name());
        let object = Object {
            attributes: attributes(&id, of_kind),
            kind: kind.type_name(),
            name: name.to_owned(),
            place: place.to_owned(),
            token: token.to_owned(),
            revision: 1,
            id: id.clone(),
        };
        self.hidden.insert(id.clone(), draw::up_to(settings.seed, "stale", &id, settings.stale_reads));
        self.journal.iter_mut().for_each(|journal| journal.set(&object));
        self.objects.insert(id, object.clone());
        object
    }

    /// Whether a place is still there: a region always is.
    pub(crate) fn has_place(&self, place: &str) -> bool {
        !place.starts_with(CLUSTER) || self.objects.contains_key(place)
    }

    /// What is in a place.
    pub(crate) fn inside(&self, place: &str) -> Vec<Object> {
        self.objects.values().filter(|object| object.place == place).cloned().collect()
    }

    /// Takes an object away, and what lives in it; whether there was one.
    pub(crate) fn take(&mut self, id: &str) -> bool {
        let was_there = self.objects.remove(id).is_some();
        if was_there {
            self.journal.iter_mut().for_each(|journal| journal.remove(id));
            for inside in self.inside(id) {
                self.take(&inside.id);
            }
        }
        was_there
    }
}

/// The text of an attribute; empty where it is none.
pub(crate) fn text(object: &Object, name: &str) -> String {
    object.attributes.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A call that has not ended; also a dropped one ends.
struct Running(Arc<Mutex<Inner>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
    }
}

/// Lets others run, for at least `delay`.
async fn pause(delay: Duration) {
    match delay.is_zero() {
        true => tokio::task::yield_now().await,
        false => tokio::time::sleep(delay).await,
    }
}

fn stopped(operation: Operation) -> Diagnostic {
    let detail = format!("The call to {} the object was given up before it had an effect.", operation.name());
    Diagnostic::error("Stopped", detail)
}
