//! A network between a writer and an object store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{MemoryObjects, Random};
use crate::clock::Clock;
use crate::{Object, ObjectError, ObjectStore, Put, Tag};

/// How often something goes wrong, in percent of all requests.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The connection is reset before the request arrives.
    pub reset: u8,
    /// The request is carried out, and its answer is lost.
    pub lost_answer: u8,
    /// The request arrives twice; the answer is that of the second.
    pub duplicate: u8,
    /// A write is answered with an error now, and arrives later, after requests of others, perhaps when its sender is gone.
    pub late: u8,
    /// A listing is one of some time ago.
    pub stale_listing: u8,
    /// The store says "slow down" and does nothing.
    pub throttle: u8,
    /// Requests and answers take up to this long, evenly spread.
    pub latency: Duration,
    /// The store does not tell the age of objects.
    pub hides_age: bool,
    /// All requests fail from this one on, counted from 0: the network, or the process, is gone.
    pub dead_from: Option<u64>,
}

impl Faults {
    /// None, at no latency.
    pub fn none() -> Self {
        Self::default()
    }

    /// A bad day: one request in four goes wrong in one way or another.
    pub fn many() -> Self {
        Self {
            reset: 5,
            lost_answer: 7,
            duplicate: 5,
            late: 4,
            stale_listing: 50,
            throttle: 3,
            latency: Duration::from_millis(80),
            hides_age: false,
            dead_from: None,
        }
    }
}

/// One client's way to an object store.
#[derive(Debug)]
pub struct Network {
    objects: MemoryObjects,
    clock: Arc<dyn Clock>,
    faults: Faults,
    /// Shared by all clients of the store, so that what is late arrives though its sender is gone.
    air: Arc<Air>,
    client: Mutex<Client>,
}

#[derive(Debug)]
struct Client {
    random: Random,
    requests: u64,
}

/// What is on its way, and what listings were.
#[derive(Debug, Default)]
struct Air {
    late: Mutex<Vec<Write>>,
    listings: Mutex<Vec<Vec<String>>>,
}

/// A write.
#[derive(Clone, Debug)]
enum Write {
    Create(String, Vec<u8>),
    Replace(String, Vec<u8>, Tag),
    Delete(String),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    Reset,
    LostAnswer,
    Duplicate,
    Late,
    Throttled,
}

impl Network {
    /// The way of a first client.
    pub fn new(objects: MemoryObjects, clock: Arc<dyn Clock>, faults: Faults, seed: u64) -> Self {
        let client = Mutex::new(Client { random: Random::new(seed), requests: 0 });
        Self { objects, clock, faults, air: Arc::default(), client }
    }

    /// The way of another client to the same store.
    #[must_use]
    pub fn another(&self, clock: Arc<dyn Clock>, faults: Faults, seed: u64) -> Self {
        let client = Mutex::new(Client { random: Random::new(seed), requests: 0 });
        Self { objects: self.objects.clone(), clock, faults, air: Arc::clone(&self.air), client }
    }

    /// Lets everything arrive that is still on its way.
    pub fn settle(&self) {
        let late = std::mem::take(&mut *lock(&self.air.late));
        for write in late {
            let _ = self.carry_out(&write);
        }
    }

    /// How many requests this client has made.
    pub fn requests(&self) -> u64 {
        lock(&self.client).requests
    }

    fn carry_out(&self, write: &Write) -> Result<Put, ObjectError> {
        let keys = self.objects.keys();
        let mut listings = lock(&self.air.listings);
        listings.push(keys);
        if listings.len() > 64 {
            listings.remove(0);
        }
        drop(listings);
        match write {
            Write::Create(key, bytes) => self.objects.put_if_absent(key, bytes),
            Write::Replace(key, bytes, tag) => self.objects.put_if_match(key, bytes, tag),
            Write::Delete(key) => self.objects.delete(key).map(|()| Put::Refused),
        }
    }

    fn fate(&self) -> Fate {
        let mut client = lock(&self.client);
        let number = client.requests;
        client.requests += 1;
        if self.faults.dead_from.is_some_and(|dead| number >= dead) {
            return Fate::Reset;
        }
        let Faults { reset, lost_answer, duplicate, late, throttle, .. } = self.faults;
        let mut draw = client.random.below(100);
        for (percent, fate) in [
            (reset, Fate::Reset),
            (lost_answer, Fate::LostAnswer),
            (duplicate, Fate::Duplicate),
            (late, Fate::Late),
            (throttle, Fate::Throttled),
        ] {
            match draw.checked_sub(u64::from(percent)) {
                None => return fate,
                Some(rest) => draw = rest,
            }
        }
        Fate::Fine
    }

    /// One way takes so long. Something that is late may arrive meanwhile.
    fn travel(&self) {
        let (time, arrives) = {
            let mut client = lock(&self.client);
            let most = self.faults.latency.as_micros() as u64;
            let time = if most == 0 { 0 } else { client.random.below(most) };
            (Duration::from_micros(time), client.random.next())
        };
        if !time.is_zero() {
            self.clock.sleep(time);
        }
        let arrived = {
            let mut late = lock(&self.air.late);
            let is_due = !late.is_empty() && arrives.is_multiple_of(4);
            is_due.then(|| {
                let index = (arrives / 4) as usize % late.len();
                late.swap_remove(index)
            })
        };
        if let Some(write) = arrived {
            let _ = self.carry_out(&write);
        }
    }

    fn read<T>(&self, read: impl Fn() -> Result<T, ObjectError>) -> Result<T, ObjectError> {
        let fate = self.fate();
        self.travel();
        match fate {
            Fate::Fine | Fate::Duplicate => {
                let answer = read();
                self.travel();
                answer
            }
            fate => Err(error(fate)),
        }
    }

    fn write(&self, write: &Write) -> Result<Put, ObjectError> {
        let fate = self.fate();
        self.travel();
        match fate {
            Fate::Reset | Fate::Throttled => return Err(error(fate)),
            Fate::Late => {
                lock(&self.air.late).push(write.clone());
                return Err(error(fate));
            }
            Fate::Fine | Fate::LostAnswer | Fate::Duplicate => {}
        }
        let mut answer = self.carry_out(write);
        if fate == Fate::Duplicate {
            answer = self.carry_out(write);
        }
        self.travel();
        if fate == Fate::LostAnswer { Err(error(fate)) } else { answer }
    }
}

fn error(fate: Fate) -> ObjectError {
    let message = match fate {
        Fate::Reset => "connection reset",
        Fate::Throttled => "503 Slow Down",
        Fate::Fine | Fate::LostAnswer | Fate::Duplicate | Fate::Late => "timed out",
    };
    ObjectError::Uncertain(message.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ObjectStore for Network {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let object = self.read(|| self.objects.get(key))?;
        Ok(object.map(|object| match self.faults.hides_age {
            true => Object { age: None, ..object },
            false => object,
        }))
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.write(&Write::Create(key.to_owned(), bytes.to_vec()))
    }

    fn put_if_match(&self, key: &str, bytes: &[u8], tag: &Tag) -> Result<Put, ObjectError> {
        self.write(&Write::Replace(key.to_owned(), bytes.to_vec(), tag.clone()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let (is_stale, draw) = {
            let mut client = lock(&self.client);
            (client.random.happens(self.faults.stale_listing), client.random.next())
        };
        let listing = self.read(|| self.objects.list(prefix))?;
        let listings = lock(&self.air.listings);
        if !is_stale || listings.is_empty() {
            return Ok(listing);
        }
        let earlier = &listings[draw as usize % listings.len()];
        Ok(earlier.iter().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.write(&Write::Delete(key.to_owned())).map(drop)
    }
}
