//! As much of an S3 server as a state needs, in memory. It checks no signatures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How the server compares ETags.
#[derive(Clone, Copy, Debug)]
pub enum Tags {
    /// As they are given out, with quotes.
    Quoted,
    /// As Ceph does: what is given out has quotes, and what it is compared with must have none.
    Bare,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub method: String,
    pub target: String,
    /// Names are in small letters.
    pub headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    versions: u64,
    requests: usize,
    last: Received,
    next: Option<(u16, String)>,
}

pub struct Server {
    port: u16,
    inner: Arc<Mutex<Inner>>,
}

impl Server {
    pub fn start(tags: Tags) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, tags, &shared));
            }
        });
        Self { port, inner }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> usize {
        self.inner.lock().unwrap().requests
    }

    pub fn last(&self) -> Received {
        self.inner.lock().unwrap().last.clone()
    }

    /// Answers the next request so, and does nothing.
    pub fn answer_next(&self, status: u16, body: &str) {
        self.inner.lock().unwrap().next = Some((status, body.to_owned()));
    }
}

fn serve(stream: TcpStream, tags: Tags, inner: &Mutex<Inner>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = receive(&mut reader) {
        let (status, headers, body) = answer(request, tags, inner);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\nDate: Mon, 23 Nov 2026 12:00:05 GMT\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

fn receive(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Received { method: words.next()?, target: words.next()?, ..Received::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn answer(request: Received, tags: Tags, inner: &Mutex<Inner>) -> (u16, String, Vec<u8>) {
    let mut inner = inner.lock().unwrap();
    inner.requests += 1;
    inner.last = request.clone();
    if let Some((status, body)) = inner.next.take() {
        return (status, String::new(), body.into_bytes());
    }
    let error =
        |status, code: &str| (status, String::new(), format!("<Error><Code>{code}</Code></Error>").into_bytes());
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let tag = |version: u64| format!("ETag: \"{version:032}\"\r\nLast-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n");
    match request.method.as_str() {
        "GET" if query.contains("list-type=2") => {
            let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
            let prefix = prefix.replace("%2F", "/").replace("%3A", ":");
            let keys = inner.objects.keys().filter(|key| key.starts_with(&prefix));
            let keys: String = keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
            (200, String::new(), format!("<ListBucketResult>{keys}</ListBucketResult>").into_bytes())
        }
        "GET" => match inner.objects.get(&key) {
            Some((version, bytes)) => (200, tag(*version), bytes.clone()),
            None => error(404, "NoSuchKey"),
        },
        "PUT" => {
            let found = inner.objects.get(&key).map(|(version, _)| match tags {
                Tags::Quoted => format!("\"{version:032}\""),
                Tags::Bare => format!("{version:032}"),
            });
            if request.header("if-none-match") == Some("*") && found.is_some() {
                return error(412, "PreconditionFailed");
            }
            if let Some(wanted) = request.header("if-match") {
                match found {
                    None => return error(404, "NoSuchKey"),
                    Some(found) if found != wanted => return error(412, "PreconditionFailed"),
                    Some(_) => {}
                }
            }
            inner.versions += 1;
            let version = inner.versions;
            inner.objects.insert(key, (version, request.body));
            (200, tag(version), Vec::new())
        }
        "DELETE" => {
            inner.objects.remove(&key);
            (204, String::new(), Vec::new())
        }
        _ => error(405, "MethodNotAllowed"),
    }
}
