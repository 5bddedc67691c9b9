//! The client against a server that does what a script says: answers, refuses, breaks off, keeps silent.

#![allow(clippy::unwrap_used)]

#[path = "client/log.rs"]
mod log;
#[path = "client/server.rs"]
mod server;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{Authorize, Call, Client, Denied, Failure, Pace, Repeat, Request, Retry, Settings, StatusCode, Url};
use serde_json::{Value as Json, json};
use server::{Reply, Server};

fn settings() -> Settings {
    let retry = Retry { times: 3, first_wait: Duration::from_millis(1), longest_wait: Duration::from_millis(20) };
    Settings { retry, timeout: Some(Duration::from_millis(300)), ..Settings::default() }
}

fn client() -> Client {
    Client::new(&settings(), || SystemTime::UNIX_EPOCH).unwrap()
}

fn ok() -> Reply {
    Reply::answer(200, r#"{"id":"7c"}"#)
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let busy = || Reply::answer(503, "").field("retry-after", "0");
    let server = Server::new([busy(), Reply::answer(500, ""), Reply::answer(429, ""), ok()]);
    let answer = client().send(&Call::get(server.url("/a"))).await.unwrap();
    assert_eq!((answer.attempts, answer.json::<Json>().unwrap()), (4, json!({ "id": "7c" })));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    for reply in [Reply::answer(500, ""), Reply::answer(503, ""), Reply::Break, Reply::Silence] {
        let server = Server::new([reply.clone(), ok()]);
        let error = client().send(&Call::post(server.url("/a")).json(&json!({}))).await.unwrap_err();
        assert!(error.may_have_acted() && error.attempts() == 1, "{reply:?}: {error}");

        let server = Server::new([reply.clone(), ok()]);
        let call = Call::post(server.url("/a")).json(&json!({})).repeat(Repeat::Safe);
        assert_eq!(client().send(&call).await.unwrap().attempts, 2, "{reply:?}");
    }
}

#[tokio::test]
async fn who_was_turned_away_comes_again_with_anything() {
    let server = Server::new([Reply::answer(429, "").field("retry-after", "0"), ok()]);
    assert_eq!(client().send(&Call::post(server.url("/a"))).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn nobody_there_is_told_with_what_can_be_done() {
    let url = Server::new([]).url("/v3/secret?password=hunter2");
    let error = client().send(&Call::post(url)).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Unreachable(_)) && !error.may_have_acted());
    let diagnostic = error.diagnostic("Error creating network", None);
    assert!(
        diagnostic.detail.contains("Connection refused") && diagnostic.detail.contains("4 times"),
        "{diagnostic:?}"
    );
    assert!(!diagnostic.detail.contains("hunter2") && diagnostic.hints[0].contains("HTTPS_PROXY"), "{diagnostic:?}");
}

#[tokio::test]
async fn an_error_keeps_what_was_said_and_the_id_of_the_request() {
    let refusal = Reply::answer(409, r#"{"code":"Conflict","token":"hunter2"}"#).field("opc-request-id", "req-1");
    let server = Server::new([refusal]);
    let error = client().send(&Call::get(server.url("/a"))).await.unwrap_err();
    assert_eq!((error.status(), error.request_id()), (Some(StatusCode::CONFLICT), Some("req-1")));
    assert_eq!(error.body(), br#"{"code":"Conflict","token":"hunter2"}"#);
    let said = error.diagnostic("Error creating network", None).detail;
    assert!(said.contains("409 Conflict") && said.contains("req-1") && !said.contains("hunter2"), "{said}");
    let said = error.diagnostic("Error creating network", Some("It is there already".to_owned())).detail;
    assert!(said.contains("It said: It is there already."), "{said}");
}

#[tokio::test]
async fn what_is_somewhere_else_is_not_done() {
    for status in [301, 302, 304, 307] {
        let moved = || Reply::answer(status, "").field("location", "/v3/b?token=hunter2");
        let server = Server::new([moved(), moved()]);
        let error = client().send(&Call::delete(server.url("/a"))).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Elsewhere { .. }), "{error:?}");
        assert_eq!(error.may_have_acted(), status == 302);
        let diagnostic = error.diagnostic("Removal failed", None);
        let there = format!("redirected to {}.", server.url("/v3/b"));
        assert!(diagnostic.detail.contains(&there) && !diagnostic.detail.contains("hunter2"), "{diagnostic:?}");
        assert!(diagnostic.hints[0].contains("https://"), "{diagnostic:?}");
        assert!(client().look(&Call::delete(server.url("/a"))).await.is_err());
    }
}

#[tokio::test]
async fn nothing_secret_is_printed_for_those_who_search_mistakes() {
    let body = r#"{"id":"7c","adminPass":"hunter2"}"#;
    let server = Server::new([Reply::answer(200, body), Reply::answer(409, body), Reply::answer(409, body)]);
    let call = Call::post(server.url("/a?token=hunter2"))
        .header(HeaderName::from_static("x-auth-token"), HeaderValue::from_static("hunter2"))
        .json(&json!({ "name": "node-1", "password": "hunter2" }));
    let answer = client().send(&call).await.unwrap();
    let error = client().send(&call).await.unwrap_err();
    for (told, kept) in [(format!("{call:?}"), "node-1"), (format!("{answer:?}"), "7c"), (format!("{error:?}"), "7c")] {
        assert!(told.contains(kept) && !told.contains("hunter2"), "{told}");
    }
    let private = call.private();
    let error = client().send(&private).await.unwrap_err();
    for told in [format!("{private:?}"), format!("{error:?}")] {
        assert!(told.contains("(private)") && !told.contains("7c") && !told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_no_error_where_it_is_looked_for() {
    let server = Server::new([Reply::answer(404, ""), ok()]);
    assert!(client().look(&Call::get(server.url("/a"))).await.unwrap().is_none());
    assert!(client().look(&Call::get(server.url("/a"))).await.unwrap().is_some());
}

#[tokio::test]
async fn json_of_another_shape_is_told_without_its_text() {
    let server = Server::new([Reply::answer(200, r#"{"id":"anna"}"#), Reply::answer(200, "anna")]);
    for told in ["another shape", "no JSON"] {
        let answer = client().send(&Call::get(server.url("/a"))).await.unwrap();
        let error = answer.json::<Vec<u32>>().unwrap_err();
        assert!(error.to_string().contains(told) && !error.to_string().contains("anna"), "{error}");
    }
}

/// Signs with a number that grows with every renewal.
#[derive(Default)]
struct Numbered(AtomicU32);

#[async_trait]
impl Authorize for Numbered {
    async fn authorize(&self, request: &mut Request) -> Result<(), Denied> {
        let number = self.0.load(Ordering::SeqCst).to_string();
        request.headers_mut().insert(HeaderName::from_static("x-auth-token"), HeaderValue::try_from(number).unwrap());
        Ok(())
    }

    async fn renew(&self, _refused: &Request) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst);
        true
    }
}

#[tokio::test]
async fn a_token_that_has_run_out_is_renewed_once() {
    let signing = client().signing_with(Arc::new(Numbered::default()));
    let server = Server::new([Reply::answer(401, ""), ok()]);
    // Nothing was done, so that this holds for calls that must not be repeated, too.
    signing.send(&Call::post(server.url("/a"))).await.unwrap();
    let tokens: Vec<_> = server.requests().iter().map(|request| request.field("x-auth-token").to_owned()).collect();
    assert_eq!(tokens, ["0", "1"]);

    let server = Server::new([Reply::answer(401, ""), Reply::answer(401, ""), ok()]);
    let error = signing.send(&Call::get(server.url("/a"))).await.unwrap_err();
    assert_eq!((error.status(), server.requests().len()), (Some(StatusCode::UNAUTHORIZED), 2));
}

#[tokio::test]
async fn pace_holds_for_all_clones_and_for_what_runs_at_once() {
    let pace = Pace::unlimited().at_once(NonZeroU32::new(2).unwrap()).per_second(NonZeroU32::new(50).unwrap());
    let client = Client::new(&Settings { pace, ..settings() }, || SystemTime::UNIX_EPOCH).unwrap();
    let server = Server::new(std::iter::repeat_n(ok().after(Duration::from_millis(5)), 60));
    let began = Instant::now();
    let calls: Vec<_> = (0..60)
        .map(|_| {
            let (client, call) = (client.clone(), Call::get(server.url("/a")));
            tokio::spawn(async move { client.send(&call).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(server.most_at_once() <= 2, "{}", server.most_at_once());
    // Fifty at once, and ten more at fifty a second.
    assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_log_tells_what_happened_and_no_secret() {
    let lines = log::record();
    let denied = Reply::answer(403, r#"{"password":"hunter2","reason":"of the rules"}"#).field("set-cookie", "hunter2");
    let server = Server::new([denied, Reply::answer(200, "apiVersion: v1\ntoken: hunter2")]);
    let token = |call: Call| {
        call.header(HeaderName::from_static("x-auth-token"), HeaderValue::from_static("hunter2"))
            .json(&json!({ "name": "node-1", "admin_pass": "hunter2" }))
    };
    let url = || Url::parse(&server.url("/a?token=hunter2").to_string().replace("//", "//anna:hunter2@")).unwrap();
    client().send(&token(Call::post(url()))).await.unwrap_err();
    client().send(&token(Call::post(url())).private()).await.unwrap();
    let told = lines.text();
    assert!(!told.contains("hunter2") && !told.contains("aHVudGVyMg"), "{told}");
    for kept in
        ["POST http://127.0.0.1", "-> 403", "of the rules", "node-1", "(private)", "x-auth-token: (sensitive value)"]
    {
        assert!(told.contains(kept), "{kept} in {told}");
    }
}

/// A server that reads so much and then waits, again and again, and answers at the end; with `None` it reads nothing.
fn slow_reader(bytes: usize, pace: Option<(usize, Duration)>) -> Url {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of loopback is free");
    let url = format!("http://{}/a", listener.local_addr().expect("it has an address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let Some((piece, wait)) = pace else {
            std::thread::sleep(Duration::from_secs(5));
            return;
        };
        let (mut buffer, mut head, mut left) = (vec![0; piece], Vec::new(), bytes);
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("there is a head");
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.contains(&format!("content-length: {bytes}\r\n")), "{head}");
        while left > 0 {
            left -= stream.read(&mut buffer).expect("the body comes");
            std::thread::sleep(wait);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("somebody waits for it");
    });
    Url::parse(&url).expect("it is a URL")
}

#[tokio::test]
async fn a_slow_line_is_not_cut_and_a_dead_one_is() {
    const BYTES: usize = 64 << 20;
    let idle = Duration::from_millis(1500);
    let call = |url: Url| Call::new(pipectl_http::Method::PUT, url).body(vec![7; BYTES]).idle_timeout(idle);
    let began = Instant::now();
    let url = slow_reader(BYTES, Some((256 << 10, Duration::from_millis(12))));
    client().send(&call(url)).await.expect("it moves all the time");
    assert!(began.elapsed() > idle, "it took longer than nothing may move: {:?}", began.elapsed());

    let began = Instant::now();
    let error = client().send(&call(slow_reader(BYTES, None)).repeat(Repeat::Unsafe)).await.expect_err("nothing moves");
    assert!(matches!(error.failure(), Failure::TimedOut), "{error}");
    assert!(began.elapsed() >= idle, "{:?}", began.elapsed());
}
