//! Keystone and the networks of Neutron as far as the tests need them. Other services are beside it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use pipectl_sim::steps::clock;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::services;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    /// The microversion that was asked for.
    pub version: Option<String>,
    pub body: Json,
}

/// How the server behaves.
#[derive(Default)]
pub struct State {
    pub requests: Vec<Request>,
    /// How long tokens hold, in seconds.
    pub lifetime: u64,
    tokens: Vec<String>,
    pub networks: BTreeMap<String, Json>,
    made: usize,
    /// Answers of so many calls that make something are lost, when it is made.
    pub lose: usize,
    /// Deletions that are refused because of what is still in use.
    pub in_use: usize,
    /// How often a new network is looked at until it is there.
    pub builds: usize,
    /// How much the server's clock is ahead, in seconds.
    pub ahead: i64,
    /// The tokens that count no longer, whatever they said.
    pub revoked: Vec<String>,
    /// Services beside that of networks.
    pub services: Vec<&'static str>,
    /// Calls by method and end of path that are answered so and do nothing.
    pub refused: Vec<(&'static str, String, u16, Json)>,
    /// How often networks are listed without any.
    pub hidden: usize,
    /// Objects of other kinds, by collection and id.
    pub objects: BTreeMap<&'static str, BTreeMap<String, Json>>,
    /// How often an object is looked at until what was asked for begins, and until it is over.
    pub delay: usize,
    /// What is done with clusters and node groups: when it begins, when it ends, and what comes of it.
    pub jobs: Vec<Job>,
    /// Ports of servers.
    pub cards: Vec<Json>,
}

pub struct Job {
    pub id: String,
    pub left: usize,
    pub change: Json,
}

impl State {
    pub fn object(&mut self, collection: &'static str, id: &str) -> Option<&mut Json> {
        self.objects.entry(collection).or_default().get_mut(id)
    }

    pub fn put(&mut self, collection: &'static str, id: &str, object: Json) {
        self.objects.entry(collection).or_default().insert(id.to_owned(), object);
    }

    /// A number that nothing else has.
    pub fn next(&mut self) -> usize {
        self.made += 1;
        self.made
    }
}

pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { lifetime: 3600, ..State::default() }));
        let (of_thread, own) = (Arc::clone(&state), address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, address) = (Arc::clone(&of_thread), own.clone());
                std::thread::spawn(move || serve(stream, &state, &address));
            }
        });
        Self { address, state }
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub fn get<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.state.lock().unwrap())
    }

    /// What was asked of a path that begins so, with a method.
    pub fn asked(&self, method: &str, path: &str) -> Vec<Request> {
        let is_meant = |request: &&Request| request.method == method && request.path.starts_with(path);
        self.get(|state| state.requests.iter().filter(is_meant).cloned().collect())
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, address: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(first) = head.first() else { return };
    let field = |name: &str| {
        let line = head.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let request = Request {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        token: field("x-auth-token"),
        version: field("openstack-api-version"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut state = state.lock().unwrap();
    state.requests.push(request.clone());
    let Some((status, token, body)) = answer(&mut state, &request, address) else { return };
    let now = clock();
    let now = if state.ahead < 0 {
        now - Duration::from_secs(state.ahead.unsigned_abs())
    } else {
        now + Duration::from_secs(state.ahead.unsigned_abs())
    };
    let date = httpdate::fmt_http_date(now);
    drop(state);
    let token = token.map(|token| format!("x-subject-token: {token}\r\n")).unwrap_or_default();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let moved = if (300..400).contains(&status) { "location: https://login.cern.ch/?next=1\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 {status} X\r\ndate: {date}\r\n{token}{moved}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).unwrap();
}

type Answer = (u16, Option<String>, Json);

/// The answer; `None`: the connection breaks.
fn answer(state: &mut State, request: &Request, address: &str) -> Option<Answer> {
    if request.path == "/v3/auth/tokens" {
        return Some(authenticate(state, &request.body, address));
    }
    if request.path.starts_with("/elsewhere") {
        return Some((404, None, json!({ "message": "no such place" })));
    }
    let is_valid =
        request.token.as_ref().is_some_and(|token| state.tokens.contains(token) && !state.revoked.contains(token));
    if !is_valid {
        return Some((
            401,
            None,
            json!({ "error": { "message": "The request you have made requires authentication." } }),
        ));
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let refused =
        state.refused.iter().position(|(method, end, ..)| request.method == *method && path.ends_with(end.as_str()));
    if let Some(index) = refused {
        let (_, _, status, body) = state.refused.remove(index);
        return Some((status, None, body));
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let other = services::answer(state, request, &parts);
    if let Some((status, body)) = other {
        return Some((status, None, body));
    }
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v2.0", "networks"]) if state.hidden > 0 => {
            state.hidden -= 1;
            Some((200, None, json!({ "networks": [] })))
        }
        ("GET", ["v2.0", "networks"]) => {
            Some((200, None, json!({ "networks": state.networks.values().collect::<Vec<_>>() })))
        }
        ("POST", ["v2.0", "networks"]) => {
            let network = make(state, &request.body["network"]);
            if state.lose > 0 {
                state.lose -= 1;
                return None;
            }
            Some((201, None, json!({ "network": network })))
        }
        ("GET", ["v2.0", "networks", id]) => match state.networks.get_mut(*id) {
            None => Some((404, None, json!({ "NeutronError": { "message": "Network could not be found." } }))),
            Some(network) => {
                match state.builds {
                    0 => network["status"] = "ACTIVE".into(),
                    _ => state.builds -= 1,
                }
                Some((200, None, json!({ "network": network })))
            }
        },
        ("PUT", ["v2.0", "networks", id]) => {
            let network = state.networks.get_mut(*id).unwrap();
            network.as_object_mut().unwrap().extend(request.body["network"].as_object().unwrap().clone());
            Some((200, None, json!({ "network": network })))
        }
        ("PUT", ["v2.0", "networks", id, "tags"]) => {
            state.networks.get_mut(*id).unwrap()["tags"] = request.body["tags"].clone();
            Some((200, None, json!({ "tags": [] })))
        }
        ("DELETE", ["v2.0", "networks", id]) => {
            if state.in_use > 0 {
                state.in_use -= 1;
                let message = "Unable to complete operation on network: there are one or more ports still in use.";
                return Some((409, None, json!({ "NeutronError": { "message": message } })));
            }
            let status = if state.networks.remove(*id).is_some() { 204 } else { 404 };
            Some((status, None, Json::Null))
        }
        _ => Some((404, None, json!({ "message": "no such place" }))),
    }
}

fn make(state: &mut State, asked: &Json) -> Json {
    state.made += 1;
    let id = format!("net-{}", state.made);
    let now = OffsetDateTime::from(clock()) + time::Duration::seconds(state.ahead);
    let mut network = json!({
        "id": id, "name": "", "description": "", "admin_state_up": true, "shared": false, "router:external": false, "mtu": 1450,
        "tenant_id": "project-1", "status": if state.builds > 0 { "BUILD" } else { "ACTIVE" }, "tags": [],
        "created_at": now.format(&Rfc3339).unwrap(),
    });
    network.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
    state.networks.insert(id, network.clone());
    network
}

fn authenticate(state: &mut State, body: &Json, address: &str) -> Answer {
    if body.to_string().contains("wrong") {
        let message = "The request you have made requires authentication.";
        return (401, None, json!({ "error": { "code": 401, "message": message } }));
    }
    let token = format!("token-{}", state.tokens.len() + 1);
    state.tokens.push(token.clone());
    let expires = OffsetDateTime::from(clock()) + Duration::from_secs(state.lifetime);
    let endpoint = |region: &str| json!({ "interface": "public", "region": region, "region_id": region, "url": format!("http://{address}") });
    let mut catalog = vec![json!({ "type": "network", "endpoints": [endpoint("cern"), endpoint("pdc")] })];
    catalog.extend(state.services.iter().map(|kind| json!({ "type": kind, "endpoints": [endpoint("cern")] })));
    let answer = json!({ "token": {
        "expires_at": expires.format(&Rfc3339).unwrap(),
        "user": { "id": "user-1" },
        "project": { "id": "project-1" },
        "catalog": catalog,
    } });
    (201, Some(token), answer)
}
