//! When tokens are asked for anew, and what is told when none is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pipectl_http::{Call, Client, Retry, Settings, Url};
use pipectl_oci_client::{Credential, InstanceMetadata, Signer, Workload};
use serde_json::json;

use super::credentials::certificate;
use super::keys::{PEM, key};
use super::server::{Reply, Server, clock, ok, token};

/// A clock that the test turns.
#[derive(Clone)]
struct Turned(Arc<AtomicU64>);

impl Turned {
    fn new() -> Self {
        let now = clock().duration_since(SystemTime::UNIX_EPOCH).expect("the clock tells a time after 1970");
        Self(Arc::new(now.as_secs().into()))
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn wait(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A token that is given now and holds for some seconds.
    fn token(&self, number: usize, seconds: u64) -> String {
        let now = self.0.load(Ordering::SeqCst);
        let claims = json!({ "iat": now, "exp": now + seconds, "number": number });
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }
}

/// A client that tries three times.
fn patient(clock: &Turned) -> Client {
    let retry = Retry { times: 2, first_wait: Duration::from_millis(1), longest_wait: Duration::from_millis(5) };
    let clock = clock.clone();
    Client::new(&Settings { retry, ..Settings::default() }, move || clock.now()).expect("the settings are usual ones")
}

fn signing(credential: Credential, clock: &Turned) -> Client {
    let of_signer = clock.clone();
    patient(clock).signing_with(Arc::new(Signer::new(credential, move || of_signer.now())))
}

/// Whom a service takes a call for, or why it was not sent.
async fn who(client: &Client, service: &Server) -> Result<String, String> {
    let url = Url::parse(&service.address).expect("servers have an address");
    client.send(&Call::get(url)).await.map_err(|error| error.to_string())?;
    let asked = service.asked().pop().expect("the service was asked");
    let authorization = asked.header("authorization");
    let token = authorization.split("keyId=\"ST$").nth(1).and_then(|rest| rest.split('"').next());
    let claims = token.and_then(|token| token.split('.').nth(1)).expect("it was asked with a token");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("claims are base64");
    Ok(String::from_utf8(claims)
        .expect("claims are text")
        .split("number\":")
        .nth(1)
        .unwrap_or_default()
        .replace('}', ""))
}

/// A cluster that gives tokens of a length to pods, or refuses.
fn pod(clock: &Turned, seconds: u64) -> (Server, Arc<AtomicUsize>, Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "account").expect("files can be written");
    let (given, of_cluster) = (Arc::new(AtomicUsize::new(0)), clock.clone());
    let count = Arc::clone(&given);
    let cluster = Server::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        REFUSES.. => (403, Vec::new(), String::new()),
        number => {
            let json = json!({ "token": of_cluster.token(number, seconds) }).to_string();
            ok(STANDARD.encode(json))
        }
    });
    let url = Url::parse(&cluster.address).expect("servers have an address");
    let workload = Workload { client: patient(clock), url, token_file: file };
    (cluster, given, signing(Credential::Workload(workload), clock), folder)
}

/// From how many tokens on the cluster refuses.
const REFUSES: usize = 100;

#[tokio::test]
async fn a_pod_asks_again_when_half_of_the_life_is_over() {
    let clock = Turned::new();
    let service = Server::new(|_| ok(""));
    let (_cluster, given, client, _folder) = pod(&clock, 1_000);
    for (wait, number) in [(0, "0"), (499, "0"), (2, "1"), (498, "1"), (3, "2")] {
        clock.wait(wait);
        assert_eq!(who(&client, &service).await.as_deref(), Ok(number), "after {wait} more seconds");
    }
    assert_eq!(given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_is_used_to_its_end_when_there_is_no_new_one() {
    let clock = Turned::new();
    let service = Server::new(|_| ok(""));
    let (_cluster, given, client, _folder) = pod(&clock, 1_000);
    assert_eq!(who(&client, &service).await.as_deref(), Ok("0"));
    given.store(REFUSES, Ordering::SeqCst);
    clock.wait(600);
    for (wait, asked) in [(0, 1), (1, 1), (8, 1), (2, 2), (300, 3)] {
        clock.wait(wait);
        assert_eq!(who(&client, &service).await.as_deref(), Ok("0"), "after {wait} more seconds");
        assert_eq!(given.load(Ordering::SeqCst) - REFUSES, asked, "it is asked for again after a while");
    }
    // The service is there again.
    given.store(7, Ordering::SeqCst);
    clock.wait(20);
    assert_eq!(who(&client, &service).await.as_deref(), Ok("7"));
    // It has ended.
    given.store(REFUSES, Ordering::SeqCst);
    clock.wait(1_000);
    let refused = who(&client, &service).await.expect_err("nothing is left to sign with");
    assert!(refused.contains("the cluster gave no token to the pod"), "{refused}");
}

#[tokio::test]
async fn a_token_that_does_not_say_when_it_ends_is_refused() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let service = Server::new(|_| ok(""));
    for (claims, expected) in [
        (json!({ "sub": "anna" }), "the token does not say when it ends (`exp`)"),
        (json!({ "exp": "tomorrow" }), "the token does not say when it ends (`exp`)"),
    ] {
        let token_file = folder.path().join("token");
        let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        std::fs::write(&token_file, text).expect("files can be written");
        let client = signing(Credential::Session { token_file, key: key() }, &Turned::new());
        let refused = who(&client, &service).await.expect_err("it may have ended long ago");
        assert!(refused.contains(expected), "{refused}");
    }
    assert!(service.asked().is_empty());
}

/// An instance whose authority answers as the test says.
fn instance(clock: &Turned, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Server, Server, Client) {
    let leaf = certificate("ocid1.tenancy.oc1..a");
    let metadata = Server::new(move |asked| match asked.path.as_str() {
        "/opc/v2/identity/key.pem" => ok(PEM),
        _ => ok(leaf.clone()),
    });
    let (count, of_authority) = (AtomicUsize::new(0), clock.clone());
    let authority = Server::new(move |_| {
        // Each attempt takes its time.
        of_authority.wait(40);
        answer(count.fetch_add(1, Ordering::SeqCst))
    });
    let url = |text: String| Url::parse(&text).expect("servers have an address");
    let credential = Credential::Instance(InstanceMetadata {
        direct: patient(clock),
        client: patient(clock),
        base: url(format!("{}/opc/v2", metadata.address)),
        authority: Some(url(authority.address.clone())),
        environment: Arc::new(|_: &str| None),
    });
    (metadata, authority, signing(credential, clock))
}

#[tokio::test]
async fn an_instance_signs_each_attempt_with_the_time_that_it_is() {
    let clock = Turned::new();
    let (_metadata, authority, client) = instance(&clock, |number| match number {
        0 | 1 => (503, Vec::new(), String::new()),
        _ => ok(json!({ "token": token("instance", 3600) }).to_string()),
    });
    let service = Server::new(|_| ok(""));
    who(&client, &service).await.expect("the third attempt is answered");
    let mut dates: Vec<_> = authority.asked().iter().map(|asked| asked.header("date").to_owned()).collect();
    assert_eq!(dates.len(), 3);
    dates.dedup();
    assert_eq!(dates.len(), 3, "{dates:?}");
    let mut signatures: Vec<_> =
        authority.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    signatures.dedup();
    assert_eq!(signatures.len(), 3);
}

#[tokio::test]
async fn a_wrong_clock_of_an_instance_is_told_as_such() {
    let clock = Turned::new();
    let there = clock.now() - Duration::from_secs(1_800);
    let date = httpdate::fmt_http_date(there);
    let refusal = json!({ "code": "NotAuthenticated", "message": "The required information is missing." }).to_string();
    let (_metadata, _authority, client) =
        instance(&clock, move |_| (401, vec![("date", date.clone())], refusal.clone()));
    let refused = who(&client, &Server::new(|_| ok(""))).await.expect_err("no signature counts");
    assert!(refused.contains("the clock is wrong") && refused.contains("30 minutes ahead of OCI's"), "{refused}");
    for time in [there, there + Duration::from_secs(1_840)] {
        assert!(refused.contains(&httpdate::fmt_http_date(time)), "{refused}");
    }
    // A clock that is right has another reason.
    let date = clock.clone();
    let refusal = json!({ "code": "NotAuthenticated", "message": "no dynamic group" }).to_string();
    let answer = move |_| (401, vec![("date", httpdate::fmt_http_date(date.now()))], refusal.clone());
    let (_metadata, _authority, client) = instance(&clock, answer);
    let refused = who(&client, &Server::new(|_| ok(""))).await.expect_err("it is refused");
    assert!(refused.contains("no dynamic group") && !refused.contains("clock"), "{refused}");
}
