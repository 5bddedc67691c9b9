//! A server on loopback that answers by a script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipectl_http::Url;

/// What is done with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        fields: Vec<(&'static str, &'static str)>,
        body: &'static str,
        after: Duration,
    },
    /// The connection is closed where an answer should come.
    Break,
    /// Nothing comes.
    Silence,
}

impl Reply {
    pub fn answer(status: u16, body: &'static str) -> Self {
        Reply::Answer { status, fields: Vec::new(), body, after: Duration::ZERO }
    }

    pub fn field(mut self, name: &'static str, text: &'static str) -> Self {
        if let Reply::Answer { fields, .. } = &mut self {
            fields.push((name, text));
        }
        self
    }

    pub fn after(mut self, wait: Duration) -> Self {
        if let Reply::Answer { after, .. } = &mut self {
            *after = wait;
        }
        self
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    head: Vec<String>,
}

impl Request {
    /// A header field.
    pub fn field(&self, name: &str) -> &str {
        let is_meant = |line: &&String| line.split(':').next().is_some_and(|field| field.eq_ignore_ascii_case(name));
        let line = self.head.iter().find(is_meant).unwrap();
        line.split_once(':').unwrap().1.trim()
    }
}

/// A server that does with each request in turn what the script says, and listens no more when the script has ended.
pub struct Server {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Server {
    pub fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        let script: Vec<_> = script.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let server = Self { address, shared: Arc::clone(&shared) };
        if !script.is_empty() {
            std::thread::spawn(move || {
                for reply in script {
                    let (stream, _) = listener.accept().unwrap();
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || shared.serve(stream, reply));
                }
            });
        }
        server
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream, reply: Reply) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let request = Request { head };
        let has_body = request.head.iter().any(|line| line.to_ascii_lowercase().starts_with("content-length:"));
        if has_body {
            let mut body = vec![0; request.field("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
        }
        self.requests.lock().unwrap().push(request);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        match reply {
            Reply::Answer { status, fields, body, after } => {
                std::thread::sleep(after);
                let fields: String = fields.iter().map(|(name, text)| format!("{name}: {text}\r\n")).collect();
                let length = body.len();
                self.running.fetch_sub(1, Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{fields}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
            Reply::Break => {}
            Reply::Silence => std::thread::sleep(Duration::from_secs(2)),
        }
    }
}
