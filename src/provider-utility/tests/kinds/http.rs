//! The data source `http` against a server of the test's own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pipectl_provider::Stop;
use serde_json::json;

use crate::bed::{Bed, config, integer, text, words};

/// Answers each connection with the next of some answers, and keeps what was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = request(&mut stream);
                seen.lock().unwrap().push(request);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A request's head and body.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend(&buffer[..count]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const ABSENT: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone";

#[tokio::test]
async fn an_answer_has_a_body_and_headers() {
    let bed = Bed::new();
    let server = Server::new(&[OK, ABSENT]);
    let read = bed.data("http", &json!({ "url": server.url("/a?b=c") })).await.unwrap();
    assert_eq!(
        (integer(&read, "status_code"), text(&read, "response_body"), text(&read, "body")),
        (200, "hello", "hello")
    );
    assert_eq!(text(&read, "response_body_base64"), "aGVsbG8=");
    assert_eq!(text(&read, "id"), server.url("/a?b=c"));
    let headers = read.attribute("response_headers").unwrap();
    assert_eq!((text(headers, "X-Two"), text(headers, "Content-Type")), ("a, b", "text/plain"));
    assert!(server.asked()[0].starts_with("GET /a?b=c HTTP/1.1\r\n"), "{}", server.asked()[0]);
    // A status is an answer, whatever it is: what is asked may be just that.
    let read = bed.data("http", &json!({ "url": server.url("/") })).await.unwrap();
    assert_eq!((integer(&read, "status_code"), text(&read, "response_body")), (404, "none"));
}

#[tokio::test]
async fn a_request_is_as_configured() {
    let bed = Bed::new();
    let server = Server::new(&[OK]);
    let given = json!({
        "url": server.url("/search"),
        "method": "POST",
        "request_body": "query",
        "request_headers": { "Accept": "text/plain", "Host": "example.com" },
        "request_timeout_ms": 60000,
        "retry": {},
    });
    bed.data("http", &given).await.unwrap();
    let asked = server.asked()[0].to_lowercase();
    assert!(asked.starts_with("post /search http/1.1\r\n") && asked.ends_with("\r\n\r\nquery"), "{asked}");
    for line in ["accept: text/plain\r\n", "host: example.com\r\n", "user-agent: pipectl/"] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
}

#[tokio::test]
async fn passing_failures_are_tried_again_where_that_is_asked_for() {
    let bed = Bed::new();
    let server = Server::new(&[BUSY, BUSY, OK]);
    let retry = json!({ "attempts": 2, "min_delay_ms": 1, "max_delay_ms": 2 });
    let read = bed.data("http", &json!({ "url": server.url("/"), "retry": retry })).await.unwrap();
    assert_eq!((integer(&read, "status_code"), server.asked().len()), (200, 3));

    let server = Server::new(&[BUSY, BUSY, OK]);
    let retry = json!({ "attempts": 1, "min_delay_ms": 1, "max_delay_ms": 2 });
    let url = server.url("/a?token=hunter2");
    let problems = words(&bed.data("http", &json!({ "url": url, "retry": retry })).await.unwrap_err());
    assert!(problems.contains("/a gave up after 2 attempt(s): the status of the last answer was 503"), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");

    let server = Server::new(&[BUSY]);
    let problems = words(&bed.data("http", &json!({ "url": server.url("/") })).await.unwrap_err());
    assert!(problems.contains("gave up after 1 attempt(s)"), "{problems}");
    // That nobody listens is such a failure too.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let retry = json!({ "attempts": 1, "min_delay_ms": 1, "max_delay_ms": 1 });
    let url = format!("http://anna:hunter2@{closed}/");
    let problems = words(&bed.data("http", &json!({ "url": url, "retry": retry })).await.unwrap_err());
    assert!(problems.contains("Error making request") && !problems.contains("hunter2"), "{problems}");
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_without_end() {
    let bed = Bed::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let problems = words(&bed.data("http", &json!({ "url": url, "request_timeout_ms": 20 })).await.unwrap_err());
    assert!(problems.contains("request exceeded the specified timeout: 20 ms"), "{problems}");
    let kind = bed.data_source("http");
    let cx = bed.cx("data.http.x");
    cx.cancel.request(Stop::Gentle);
    let problems = words(&kind.read(&cx, &config(kind.schema(), &json!({ "url": url }))).await.unwrap_err());
    assert!(problems.contains("The request was interrupted"), "{problems}");
}

#[tokio::test]
async fn what_is_no_text_is_told() {
    let bed = Bed::new();
    let server = Server::new(&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\u{fffd}"]);
    let read = bed.data("http", &json!({ "url": server.url("/") })).await.unwrap();
    assert_eq!(text(&read, "response_body"), "\u{fffd}");
    assert_eq!(text(&read, "response_body_base64"), "778=", "two of the three bytes");
    assert_eq!(bed.warnings().len(), 1);
}

#[tokio::test]
async fn a_proxy_is_that_of_the_calls_environment() {
    let bed = Bed::new();
    let server = Server::new(&[OK, OK]);
    bed.set("http_proxy", &server.url(""));
    bed.set("NO_PROXY", "127.0.0.1");
    bed.data("http", &json!({ "url": "http://absent.invalid/x" })).await.unwrap();
    assert!(server.asked()[0].starts_with("GET http://absent.invalid/x HTTP/1.1\r\n"), "{}", server.asked()[0]);
    bed.data("http", &json!({ "url": server.url("/direct") })).await.unwrap();
    assert!(server.asked()[1].starts_with("GET /direct HTTP/1.1\r\n"), "{}", server.asked()[1]);
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    for (given, expected) in [
        (json!({ "url": "ftp://example.com" }), "must begin with `http://` or `https://`"),
        (json!({ "method": "DELETE" }), "must be one of: [\"GET\" \"POST\" \"HEAD\"], got: \"DELETE\""),
        (json!({ "request_timeout_ms": 0 }), "must be at least 1, got: 0"),
        (
            json!({ "insecure": true, "ca_cert_pem": "x" }),
            "Attribute \"insecure\" cannot be specified when \"ca_cert_pem\"",
        ),
        (json!({ "client_cert_pem": "x" }), "Attribute \"client_key_pem\" must be specified when \"client_cert_pem\""),
        (json!({ "retry": { "attempts": -1 } }), "must be at least 0, got: -1"),
        (json!({ "retry": { "min_delay_ms": 5, "max_delay_ms": 4 } }), "must be at least sum of min_delay_ms, got: 4"),
        (json!({ "ca_cert_pem": "no PEM" }), "Only PEM encoded certificates are supported"),
        (json!({ "client_cert_pem": "x", "client_key_pem": "hunter2" }), "both must be PEM"),
        (json!({ "request_headers": { "A b": "hunter2" } }), "The header field \"A b\" has a name or a value"),
    ] {
        let given = crate::bed::with(&json!({ "url": "http://127.0.0.1:9/" }), &given);
        let found = words(&bed.data("http", &given).await.unwrap_err());
        assert!(found.contains(expected) && !found.contains("hunter2"), "{given}: {found}");
    }
}
