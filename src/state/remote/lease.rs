//! The lease of a state in an object store: one object, replaced only on the condition that it is still the version last seen.
//!
//! It says who holds it, and the holder writes it again at every heartbeat. Whoever wants it takes it over when it was released, when it was
//! broken (`force-unlock`), or when it has not changed for as long as it says. How long it has not changed is the store's word (`age`), or what the
//! waiting one has seen itself, by its own clock: no two clocks are ever compared.
//!
//! The lease decides who may try to commit. It does not decide whose record counts: the log does, see [`super`]. So a wrong clock, a paused
//! process or a network that delivers late can let two writers believe that they hold the lease, and still only one of them can commit.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RemoteOptions;
use super::link::{Link, Written};
use crate::{FORMAT, Holder, Object, ObjectError, Put, StateError, Tag};

/// The lease's key.
pub(super) const LEASE: &str = "lease";
/// Clocks of stores count whole seconds, and two of them are compared.
const RESOLUTION: Duration = Duration::from_secs(2);
/// How long the end of a run waits for the store to take the lease back. It expires by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// A lease that somebody else holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Its id: what `force-unlock` takes.
    pub id: String,
    /// How long it lasts without a heartbeat.
    pub length: Duration,
    /// How long ago the last heartbeat was, where the store says so.
    pub silent: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Somebody writes, or has died.
    Held,
    /// Nobody writes, and nothing is on its way any more.
    Released,
    /// Whoever held it may still have a record on its way: the next one has to fence it off.
    Broken,
}

/// The lease's object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// One more for each that holds it.
    epoch: u64,
    /// Drawn by whoever holds it.
    token: String,
    /// One more at each heartbeat.
    beat: u64,
    /// How long it lasts without a heartbeat.
    seconds: u64,
    status: Status,
    holder: Holder,
}

impl Stored {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a lease is plain data");
        bytes.push(b'\n');
        bytes
    }

    fn parse(link: &Link, object: &Object) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let path = link.path(LEASE);
        let unreadable =
            |error: serde_json::Error| StateError::damaged(&path, 0, format!("the lease is not readable: {error}"));
        let versioned: Versioned = serde_json::from_slice(&object.bytes).map_err(unreadable)?;
        if versioned.format > FORMAT {
            return Err(StateError::NewerFormat { path, found: versioned.format });
        }
        serde_json::from_slice(&object.bytes).map_err(unreadable)
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// A lease that is held here, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    heart: Option<JoinHandle<()>>,
    /// Whether records of whoever held it before may still be on their way.
    pub(super) must_fence: bool,
    /// Whether a record of ours may still be on its way.
    pub(super) is_uncertain: bool,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    heartbeat: Duration,
    token: String,
    length: Duration,
    version: Mutex<Version>,
    validity: Mutex<Validity>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

/// The version that was written last.
#[derive(Debug)]
struct Version {
    stored: Stored,
    tag: Tag,
}

#[derive(Debug)]
struct Validity {
    /// When the last heartbeat was sent that got through.
    renewed: Duration,
    /// Why it is not held any more.
    lost: Option<String>,
}

impl Lease {
    /// Waits up to `timeout` until nobody else holds the lease, and takes it.
    pub(super) fn acquire(
        link: &Link,
        options: &RemoteOptions,
        holder: &Holder,
        timeout: Duration,
    ) -> Result<Self, StateError> {
        let token: [u8; 16] = crate::encryption::random().map_err(StateError::encryption(&link.path(LEASE)))?;
        let token = crate::encryption::hexadecimal(&token);
        let start = link.clock.now();
        let mut watched: Option<(Tag, Duration)> = None;
        loop {
            let mut stored = Stored {
                format: FORMAT,
                epoch: 1,
                token: token.clone(),
                beat: 0,
                seconds: options.lease.as_secs().max(1),
                status: Status::Held,
                holder: holder.clone(),
            };
            let sent = link.clock.now();
            let Some(object) = link.get(LEASE)? else {
                if let Written::Ours(tag) = link.create(LEASE, &stored.bytes())? {
                    // Somebody may have deleted a lease: that says nothing of who wrote under it.
                    return Self::begin(link, options, Version { stored, tag }, sent, true);
                }
                continue;
            };
            let found = Stored::parse(link, &object)?;
            let seen = link.clock.now();
            let since = match &watched {
                Some((tag, since)) if *tag == object.tag => *since,
                _ => watched.insert((object.tag.clone(), seen)).1,
            };
            let is_silent = seen.saturating_sub(since) >= found.length()
                || object.age.is_some_and(|age| age >= found.length() + RESOLUTION);
            let must_fence = match found.status {
                Status::Released => false,
                Status::Broken => true,
                Status::Held if is_silent => true,
                Status::Held => {
                    let left = timeout.saturating_sub(seen.saturating_sub(start));
                    if left.is_zero() {
                        let lease = LeaseSeen { id: found.token.clone(), length: found.length(), silent: object.age };
                        return Err(StateError::Locked {
                            path: link.path(LEASE),
                            holder: Some(Box::new(found.holder)),
                            lease: Some(lease),
                        });
                    }
                    link.clock.sleep(left.min(options.poll));
                    continue;
                }
            };
            stored.epoch = found.epoch + 1;
            let sent = link.clock.now();
            if let Written::Ours(tag) = link.replace(LEASE, &stored.bytes(), &object.tag)? {
                return Self::begin(link, options, Version { stored, tag }, sent, must_fence);
            }
        }
    }

    fn begin(
        link: &Link,
        options: &RemoteOptions,
        version: Version,
        renewed: Duration,
        must_fence: bool,
    ) -> Result<Self, StateError> {
        let shared = Arc::new(Shared {
            link: link.clone(),
            heartbeat: options.heartbeat,
            token: version.stored.token.clone(),
            length: version.stored.length(),
            version: Mutex::new(version),
            validity: Mutex::new(Validity { renewed, lost: None }),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        let mut lease = Self { shared: Arc::clone(&shared), heart: None, must_fence, is_uncertain: false };
        if options.beats_by_itself {
            let heart = std::thread::Builder::new().name("lease".to_owned()).spawn(move || shared.beat());
            lease.heart = Some(heart.map_err(StateError::io("start the heartbeat of", &link.path(LEASE)))?);
        }
        Ok(lease)
    }

    pub(super) fn token(&self) -> &str {
        &self.shared.token
    }

    /// Sends a heartbeat.
    ///
    /// # Errors
    /// When somebody else holds the lease by now, or the store does not answer.
    pub(super) fn renew(&self) -> Result<(), StateError> {
        self.shared.renew(&self.shared.link)
    }

    /// Makes sure that nobody else can have taken the lease over, as far as this clock tells.
    ///
    /// # Errors
    /// As [`renew`](Self::renew).
    pub(super) fn check(&self) -> Result<(), StateError> {
        let (renewed, lost) = {
            let validity = self.shared.validity();
            (validity.renewed, validity.lost.clone())
        };
        if let Some(why) = lost {
            return Err(StateError::Lost(why));
        }
        let age = self.shared.link.clock.now().saturating_sub(renewed);
        if age > self.shared.length * 3 / 4 { self.renew() } else { Ok(()) }
    }

    /// Makes sure that the store keeps to conditions: without them neither a lease nor a log is worth anything. A store that does not has overwritten
    /// the lease by then.
    ///
    /// # Errors
    /// When it does not, or does not answer.
    pub(super) fn check_conditions(&self) -> Result<(), StateError> {
        let stale = self.shared.version().tag.clone();
        self.renew()?;
        let version = self.shared.version();
        let (objects, bytes) = (&self.shared.link.objects, version.stored.bytes());
        // What does not answer now has ignored nothing.
        let has_written = |put: Result<Put, ObjectError>| matches!(put, Ok(Put::Done(_)));
        let (ignored, told) = if has_written(objects.put_if_absent(LEASE, &bytes)) {
            ("If-None-Match: *", "to make an object only where there is none")
        } else if has_written(objects.put_if_match(LEASE, &bytes, &stale)) {
            ("If-Match", "to replace an object only if it is still the one that was read")
        } else {
            return Ok(());
        };
        let why = format!(
            "it was told {told}, and wrote over another one that is there ({ignored}): a state would not be safe in such a store"
        );
        Err(StateError::Remote { doing: "begin", name: objects.name(), source: ObjectError::Refused(why) })
    }

    pub(super) fn is_lost(&self) -> bool {
        self.shared.validity().lost.is_some()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stop.notify_all();
        if let Some(heart) = self.heart.take() {
            // A heartbeat that panicked has nothing left to do.
            let _ = heart.join();
        }
        if !self.is_lost() {
            let status = if self.must_fence || self.is_uncertain { Status::Broken } else { Status::Released };
            // What is not given back expires.
            let _ = self.shared.write(&self.shared.link.patient_for(FAREWELL), status);
        }
    }
}

impl Shared {
    fn validity(&self) -> MutexGuard<'_, Validity> {
        self.validity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self) -> MutexGuard<'_, Version> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self) {
        let link = self.link.patient_for(self.heartbeat);
        loop {
            let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.stop.wait_timeout_while(stopped, self.heartbeat, |stopped| !*stopped);
            let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *stopped {
                return;
            }
            drop(stopped);
            if self.renew(&link).is_err() && self.validity().lost.is_some() {
                return;
            }
        }
    }

    fn renew(&self, link: &Link) -> Result<(), StateError> {
        let sent = self.write(link, Status::Held)?;
        self.validity().renewed = sent;
        Ok(())
    }

    /// Writes the lease once more; when it was sent.
    fn write(&self, link: &Link, status: Status) -> Result<Duration, StateError> {
        let mut version = self.version();
        loop {
            let stored = Stored { beat: version.stored.beat + 1, status, ..version.stored.clone() };
            let sent = link.clock.now();
            let found = match link.replace(LEASE, &stored.bytes(), &version.tag)? {
                Written::Ours(tag) => {
                    *version = Version { stored, tag };
                    return Ok(sent);
                }
                Written::Theirs(object) => Some(object),
                Written::Missing => None,
            };
            let other = found.as_ref().map(|object| Stored::parse(link, object)).transpose()?;
            match (other, found) {
                // An earlier heartbeat of ours, whose answer was lost, or that came late.
                (Some(other), Some(object)) if other.token == self.token && other.status == Status::Held => {
                    version.stored.beat = version.stored.beat.max(other.beat);
                    version.tag = object.tag;
                }
                (other, _) => {
                    let why = match other {
                        None => "its lease was deleted".to_owned(),
                        Some(other) if other.token == self.token => "its lease was broken by force-unlock".to_owned(),
                        Some(other) => format!("its lease was taken over by {}", other.holder),
                    };
                    self.validity().lost = Some(why.clone());
                    return Err(StateError::Lost(why));
                }
            }
        }
    }
}

/// Breaks the lease with this token, whoever holds it.
pub(super) fn break_lease(link: &Link, id: &str) -> Result<Holder, StateError> {
    loop {
        let missing = |found: Option<String>| StateError::NoSuchLock { id: id.to_owned(), found };
        let object = link.get(LEASE)?.ok_or_else(|| missing(None))?;
        let found = Stored::parse(link, &object)?;
        match found.status {
            Status::Released => return Err(missing(None)),
            Status::Held | Status::Broken if found.token != id => return Err(missing(Some(found.token))),
            Status::Broken => return Ok(found.holder),
            Status::Held => {}
        }
        let broken = Stored { status: Status::Broken, ..found };
        if let Written::Ours(_) = link.replace(LEASE, &broken.bytes(), &object.tag)? {
            return Ok(broken.holder);
        }
    }
}
