//! The server: listeners on loopback, a thread a connection, and what tests see of it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::answer::{Answer, Body, Outcome, Refusal};
use crate::authority;
use crate::connection::Connection;
use crate::contract::{Contract, Match, Operation, Type};
use crate::credentials::{self, Profile};
use crate::request::{Call, Request};
use crate::service::Service;
use crate::settings::{Effect, Settings};
use crate::signature::{self, Covers};
use crate::world::{USER, World};
use crate::{control, judge, metadata};

/// A simulated OCI. It ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    /// Of all services, and of each alone.
    port: u16,
    ports: BTreeMap<Service, u16>,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// As `create_vcn`; `unknown` where the contract has none.
    pub operation: String,
    /// `POST /20160918/vcns`
    pub request: String,
    /// What was answered. Zero: the connection was closed instead.
    pub status: u16,
}

struct Shared {
    world: Mutex<World>,
    log: Mutex<Vec<Logged>>,
    requests: AtomicU64,
    is_closing: AtomicBool,
    opened: AtomicU64,
    /// Those that are open, by number, to be closed at the end.
    connections: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Server {
    /// Starts on free ports of 127.0.0.1.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Settings::default(), 0)
    }

    /// Starts with settings. `port` is where all services are together; 0 takes a free one.
    pub fn start_with(settings: Settings, port: u16) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(settings)),
            log: Mutex::default(),
            requests: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            opened: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let port = listen(&shared, port, None)?;
        let mut ports = BTreeMap::new();
        for service in Service::ALL {
            ports.insert(service, listen(&shared, 0, Some(service))?);
        }
        Ok(Self { shared, port, ports })
    }

    /// Where all services are together: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where one service is alone: it answers 404 to what belongs to another.
    pub fn endpoint_of(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.ports[&service])
    }

    /// What `OCI_METADATA_BASE_URL` is set to on an instance of this cloud.
    pub fn instance_metadata(&self) -> String {
        format!("{}/opc/v2", self.endpoint())
    }

    /// A user with a key that is accepted.
    pub fn profile(&self) -> Profile {
        Profile::of_process().clone()
    }

    /// Accepts another key: `<tenancy>/<user>/<fingerprint>`, and the public key in PEM. False: it cannot be read.
    pub fn accept_key(&self, key_id: &str, public_key: &str) -> bool {
        let Some(key) = credentials::public_key(public_key) else { return false };
        self.shared.world().keys.add(key_id, key, None);
        true
    }

    /// A session token for a public key in PEM, good for so many seconds. Requests name it as `ST$<token>`.
    pub fn issue_session_token(&self, public_key: &str, seconds: i64) -> Option<String> {
        let key = credentials::public_key(public_key)?;
        let mut world = self.shared.world();
        let now = world.seconds();
        Some(world.keys.issue(key, USER, now, seconds))
    }

    /// The knobs as they are: faults that were used up are no longer in them.
    pub fn settings(&self) -> Settings {
        self.shared.world().settings.clone()
    }

    /// Turns knobs.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.world().settings);
    }

    /// How often each operation was asked for.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for logged in self.shared.log().iter() {
            *counts.entry(logged.operation.clone()).or_default() += 1;
        }
        counts
    }

    /// All requests, in the order in which they were answered.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.log().clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.log().clear();
    }

    /// What exists and is not gone: `kind`, `id`, `name`, `state` of each, buckets and their objects too.
    pub fn objects(&self) -> Vec<Json> {
        let mut world = self.shared.world();
        world.settle();
        world.objects()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::SeqCst);
        for port in self.ports.values().chain([&self.port]) {
            // Wakes the listener, which then sees that it is over.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, *port));
        }
        for stream in self.shared.connections().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn listen(shared: &Arc<Shared>, port: u16, service: Option<Service>) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let port = listener.local_addr()?.port();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if shared.is_closing.load(Ordering::SeqCst) {
                return;
            }
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let number = shared.opened.fetch_add(1, Ordering::SeqCst);
                if let Ok(copy) = stream.try_clone() {
                    shared.connections().insert(number, copy);
                }
                serve(&shared, stream, service);
                shared.connections().remove(&number);
            });
        }
    });
    Ok(port)
}

fn serve(shared: &Shared, stream: TcpStream, service: Option<Service>) {
    let Ok(end) = stream.try_clone() else { return };
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.read() {
        let closes = request.field("connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
        let Some(answer) = shared.answer(&request, service) else { break };
        if connection.write(&answer).is_err() || closes {
            break;
        }
    }
    let _ = end.shutdown(Shutdown::Both);
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        // Who panicked has lost its own request only.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Vec<Logged>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request. `None`: the connection is to be closed.
    fn answer(&self, request: &Request, service: Option<Service>) -> Option<Answer> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        if let Some(path) = request.path().strip_prefix("/_sim") {
            let mut world = self.world();
            world.settle();
            return Some(
                control::handle(&mut world, request, path, self.counts()).unwrap_or_else(Refusal::into_answer),
            );
        }
        if let Some(path) = request.path().strip_prefix("/opc/v2") {
            return Some(metadata::handle(&self.world(), request, path).unwrap_or_else(Refusal::into_answer));
        }
        let found = Contract::get().find(service.map(Service::name), &request.method, request.path());
        let is_federation = request.method == "POST"
            && request.path() == "/v1/x509"
            && service.is_none_or(|service| service == Service::Auth);
        let name = match &found {
            Some(found) => found.operation.name.as_str(),
            None if is_federation => "federate_x509",
            None => "unknown",
        };
        let (effect, latency) = {
            let mut world = self.world();
            let world = &mut *world;
            let now = world.now();
            let effect = world.faults.draw(&mut world.settings, name, &request.target, now);
            (effect, world.settings.latency_ms)
        };
        let latency = if let Some(Effect::Delay(more)) = effect { latency + more } else { latency };
        if latency > 0 {
            thread::sleep(Duration::from_millis(latency));
        }
        let answer = match effect {
            Some(Effect::DropBefore) => None,
            Some(Effect::Throttle) => {
                let seconds = self.world().settings.retry_after_seconds;
                Some(Refusal::throttled(seconds).into_answer())
            }
            Some(Effect::Refuse { status, code, message }) => Some(Refusal::new(status, &code, message).into_answer()),
            Some(Effect::DropAfter) => {
                self.act(request, found.as_ref(), is_federation, number);
                None
            }
            Some(Effect::Delay(_)) | None => Some(self.act(request, found.as_ref(), is_federation, number)),
        };
        self.log().push(Logged {
            operation: name.to_owned(),
            request: format!("{} {}", request.method, request.target),
            status: answer.as_ref().map_or(0, |answer| answer.status),
        });
        let mut answer = answer?;
        if request.method == "HEAD"
            && let Body::Json(_) = answer.body
        {
            answer.body = Body::Absent(0);
        }
        let id = request.field("opc-request-id").map(|id| format!("{id}/")).unwrap_or_default();
        Some(answer.field("opc-request-id", format!("{id}{:032X}", number)).field("date", self.date()))
    }

    fn date(&self) -> String {
        httpdate::fmt_http_date(self.world().clock())
    }

    fn act(&self, request: &Request, found: Option<&Match<'_>>, is_federation: bool, number: u64) -> Answer {
        let mut world = self.world();
        world.settle();
        let act = || match (is_federation, found) {
            (true, _) => authority::federate(&mut world, request),
            (false, found) => handle(&mut world, request, found, number),
        };
        // A bug of the simulator must not look like a broken connection, which is one of its faults.
        let outcome = catch_unwind(AssertUnwindSafe(act))
            .unwrap_or_else(|_| Err(Refusal::new(500, "SimulatorFault", "a handler has panicked")));
        world.remember();
        outcome.unwrap_or_else(Refusal::into_answer)
    }

    fn counts(&self) -> Json {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for logged in self.log().iter() {
            *counts.entry(logged.operation.clone()).or_default() += 1;
        }
        json!({"total": counts.values().sum::<u64>(), "operations": counts})
    }
}

fn handle(world: &mut World, request: &Request, found: Option<&Match<'_>>, number: u64) -> Outcome {
    let covers = match found {
        Some(found) if found.operation.body_unsigned => Covers::NoBody,
        _ => Covers::All,
    };
    let signed = signature::read(request, covers, world.clock())?;
    let verified = world.keys.verify(&signed.key_id, &signed.text, &signed.signature, world.seconds());
    let user = verified.map_err(Refusal::unauthenticated)?;
    let found = found.ok_or_else(Refusal::not_found)?;
    let operation: &Operation = found.operation;
    let is_chunked = request.field("content-length").is_none() && request.field("transfer-encoding").is_some();
    if is_chunked && matches!(operation.body, Some(Type::Stream)) {
        return Err(Refusal::new(411, "LengthRequired", "The Content-Length header is required"));
    }
    let query = request.query();
    judge::query(operation, &query)?;
    let body = judge::body(operation, request)?;
    let replica = number % world.settings.replicas.max(1);
    let call = Call { operation, path: found.path.clone(), query, request, body, user, replica };
    let answer = world.handle(&call)?;
    match judge::answer(operation, &answer) {
        Ok(()) => Ok(answer),
        Err(why) => Err(Refusal::new(500, "SimulatorFault", format!("{}: {why}", operation.name))),
    }
}
