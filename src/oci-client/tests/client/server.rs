//! A server for a test: it answers as the test says, and keeps what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pipectl_http::{Client, Retry, Settings};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::Verifier;
use serde_json::{Value as Json, json};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the request was signed with a key, and by whom.
    pub fn signed_by(&self, public: &RsaPublicKey) -> Option<String> {
        let authorization = self.header("authorization").strip_prefix("Signature ")?;
        let part = |name: &str| authorization.split(&format!("{name}=\"")).nth(1)?.split('"').next();
        let line = |name: &str| match name {
            "(request-target)" => format!("{name}: {} {}", self.method.to_lowercase(), self.path),
            name => format!("{name}: {}", self.header(name)),
        };
        let lines: Vec<String> = part("headers")?.split(' ').map(line).collect();
        let signature = STANDARD.decode(part("signature")?).ok()?;
        let key = VerifyingKey::<Sha256>::new(public.clone());
        key.verify(lines.join("\n").as_bytes(), &Signature::try_from(signature.as_slice()).ok()?).ok()?;
        part("keyId").map(str::to_owned)
    }
}

/// A status, header fields, and a body.
pub type Reply = (u16, Vec<(&'static str, String)>, String);

pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &kept, answer.as_ref()));
            }
        });
        Self { address, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(first) = head.first() else { return };
    let headers: BTreeMap<String, String> = head[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let asked = Asked { method: words.next().unwrap(), path: words.next().unwrap(), headers, body };
    kept.lock().unwrap().push(asked.clone());
    let (status, headers, body) = answer(&asked);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let reply = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).unwrap();
}

pub fn ok(body: impl Into<String>) -> Reply {
    (200, Vec::new(), body.into())
}

/// The time of the real clock, by which tokens end.
#[expect(clippy::disallowed_methods, reason = "tokens of the tests hold until a time of the real clock")]
pub fn clock() -> SystemTime {
    SystemTime::now()
}

/// A client that tries once.
pub fn client() -> Client {
    Client::new(&Settings { retry: Retry::never(), ..Settings::default() }, clock).unwrap()
}

/// A token that holds for some seconds from now on.
pub fn token(name: &str, seconds: i64) -> String {
    let now = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims =
        json!({ "exp": now.saturating_add_signed(seconds), "name": name, "res_tenant": "ocid1.tenancy.oc1..res" });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}
