//! What servers other than Amazon's do differently, and answers that no real server gives on request: against a server of our own.

#![allow(clippy::unwrap_used)]

#[path = "quirks/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipectl_backend_s3::{S3Objects, Settings};
use pipectl_s3_client::Encrypted;
use pipectl_state::conformance::check_all;
use pipectl_state::{ObjectStore as _, Put, RemoteOptions, RemoteStore};

use server::{Server, Tags};

fn settings(server: &Server) -> Settings {
    Settings {
        bucket: "states".to_owned(),
        key: "hep".to_owned(),
        server: pipectl_s3_client::Settings {
            endpoint: Some(server.url()),
            is_path_style: true,
            credentials: Some(("key".to_owned(), "secret-hunter2".to_owned(), None)),
            is_metadata_api_skipped: true,
            ..pipectl_s3_client::Settings::default()
        },
        ..Settings::default()
    }
}

fn objects(server: &Server) -> S3Objects {
    S3Objects::open(settings(server))
}

#[test]
fn ceph_wants_etags_without_quotes() {
    let server = Server::start(Tags::Bare);
    let objects = objects(&server);
    let Put::Done(mut tag) = objects.put_if_absent("lease", b"0").unwrap() else { panic!("it was there") };
    let before = server.requests();
    for round in 1..=5_u8 {
        let Put::Done(next) = objects.put_if_match("lease", &[round], &tag).unwrap() else {
            panic!("{round}: refused")
        };
        tag = next;
    }
    // Found out once: refused, read, written again. The others are one request each.
    assert_eq!(server.requests() - before, 3 + 4);
    let stale = tag.clone();
    let Put::Done(_) = objects.put_if_match("lease", b"x", &tag).unwrap() else { panic!("refused") };
    assert_eq!(objects.put_if_match("lease", b"y", &stale).unwrap(), Put::Refused);
}

#[test]
fn the_suite_of_all_stores_with_either_kind_of_tags() {
    for tags in [Tags::Quoted, Tags::Bare] {
        let server = Server::start(tags);
        let options = RemoteOptions { poll: Duration::from_millis(20), ..RemoteOptions::default() };
        let number = std::sync::atomic::AtomicU64::new(0);
        check_all(&|| {
            let mut settings = settings(&server);
            settings.key = format!("state-{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            Arc::new(RemoteStore::new(Arc::new(S3Objects::open(settings)), options.clone()))
        });
    }
}

#[test]
fn requests_are_such_as_oracle_and_ceph_take() {
    let server = Server::start(Tags::Quoted);
    let mut settings = settings(&server);
    settings.encrypted = Encrypted::With("key-1".to_owned());
    let objects = S3Objects::open(settings);
    let Put::Done(tag) = objects.put_if_absent("header", b"{}").unwrap() else { panic!("it was there") };
    let put = server.last();
    // A trailer with a checksum is refused there: the digest of the body stands in the head.
    let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(put.header("x-amz-content-sha256"), Some(digest));
    assert_eq!(put.header("if-none-match"), Some("*"));
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(put.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("key-1"));
    assert!(put.headers.iter().all(|(name, _)| !name.contains("checksum") && !name.contains("trailer")), "{put:?}");
    assert!(put.header("authorization").unwrap().contains("/us-east-1/s3/aws4_request"), "{put:?}");
    assert_eq!(put.target.split('?').next(), Some("/states/hep/header"));
    assert!(matches!(objects.put_if_match("header", b"{ }", &tag).unwrap(), Put::Done(_)));
    assert_eq!(server.last().header("if-match"), Some(tag.0.as_str()));
    assert!(objects.get("header").unwrap().is_some_and(|object| object.age == Some(Duration::from_secs(5))));
}

#[test]
fn what_may_be_tried_again_is_told_from_what_may_not() {
    let server = Server::start(Tags::Quoted);
    let objects = objects(&server);
    let answers = [
        (503, "SlowDown", true),
        (500, "InternalError", true),
        (409, "ConditionalRequestConflict", true),
        (400, "RequestTimeout", true),
        (429, "TooManyRequests", true),
        (501, "NotImplemented", false),
        (403, "AccessDenied", false),
        (400, "InvalidArgument", false),
    ];
    for (status, code, is_uncertain) in answers {
        let before = server.requests();
        server.answer_next(status, &format!("<Error><Code>{code}</Code><Message></Message></Error>"));
        let error = objects.put_if_absent("header", b"{}").unwrap_err();
        assert_eq!(error.is_uncertain(), is_uncertain, "{status} {code}: {error}");
        assert!(error.to_string().starts_with(&format!("the server answered {status} {code}")), "{error}");
        // The server of states repeats calls, and nobody else does.
        assert_eq!(server.requests() - before, 1, "{status} {code}");
    }
    server.answer_next(502, "<html>a proxy's page</html>");
    let error = objects.get("header").unwrap_err();
    assert!(error.is_uncertain(), "{error}");
    server.answer_next(404, "<html>no such page here</html>");
    let error = objects.get("header").unwrap_err();
    assert!(error.to_string().contains("404"), "somebody else's page is no answer: {error}");
    server.answer_next(404, "<Error><Code>NoSuchBucket</Code></Error>");
    let error = objects.get("header").unwrap_err();
    assert!(!error.is_uncertain() && error.to_string().contains("NoSuchBucket"), "{error}");
    assert_eq!(objects.get("header").unwrap(), None, "nothing was written meanwhile");
}

#[test]
fn without_keys_it_is_told_at_once() {
    let server = Server::start(Tags::Quoted);
    let mut settings = settings(&server);
    settings.server.credentials = None;
    // A profile of that name is in no file.
    settings.server.profile = Some("nobody-has-this".to_owned());
    let began = Instant::now();
    let error = S3Objects::open(settings).get("header").unwrap_err();
    assert!(!error.is_uncertain() && error.to_string().contains("credentials"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(server.requests(), 0);
}
