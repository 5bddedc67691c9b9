//! States and artifacts in a real S3 server, SeaweedFS, which `tests/servers/seaweedfs up` starts. `S3_ENDPOINT` is its URL.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

#[path = "seaweedfs_peer/artifacts.rs"]
mod artifacts;
#[path = "seaweedfs_peer/bad_network.rs"]
mod bad_network;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, Region};
use pipectl_backend_s3::{S3, S3Objects, Settings};
use pipectl_core::Value;
use pipectl_state::conformance::{check_all, holder};
use pipectl_state::{
    Backend, BackendKind as _, Change, Cost, Encryption, ObjectStore as _, OutputState, Passphrase, Put, RemoteOptions,
    RemoteStore, StateError, StateStore, Tag,
};

use bad_network::BadNetwork;

/// The only user of the server that the script starts.
const KEYS: (&str, &str) = ("pipectl-tests", "not-a-secret-of-anybody");

fn endpoint() -> String {
    std::env::var("S3_ENDPOINT").expect("S3_ENDPOINT names the server that `tests/servers/seaweedfs up` has started")
}

/// A bucket that nobody else has, on the server.
fn bucket() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let name = format!("states-{since}-{}-{number}", std::process::id());
    let client = client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.create_bucket().bucket(&name).send()).unwrap();
    name
}

/// A client that is not the backend's.
fn client() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint())
        .force_path_style(true)
        .credentials_provider(Credentials::new(KEYS.0, KEYS.1, None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn settings(bucket: &str) -> Settings {
    Settings {
        bucket: bucket.to_owned(),
        key: "hep".to_owned(),
        workspace_prefix: "env:".to_owned(),
        server: pipectl_s3_client::Settings {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(endpoint()),
            is_path_style: true,
            credentials: Some((KEYS.0.to_owned(), KEYS.1.to_owned(), None)),
            ..pipectl_s3_client::Settings::default()
        },
        ..Settings::default()
    }
}

/// A new place for each store that a suite asks for.
struct Places {
    bucket: String,
    number: AtomicU64,
}

impl Places {
    fn new() -> Self {
        Self { bucket: bucket(), number: AtomicU64::new(0) }
    }

    fn next(&self, change: impl Fn(&mut Settings)) -> Arc<S3Objects> {
        let mut settings = settings(&self.bucket);
        change(&mut settings);
        settings.key = format!("state-{}", self.number.fetch_add(1, Ordering::Relaxed));
        Arc::new(S3Objects::open(settings))
    }
}

fn options() -> RemoteOptions {
    RemoteOptions { smallest_compaction: 20_000, poll: Duration::from_millis(200), ..RemoteOptions::default() }
}

#[test]
fn the_suite_of_all_stores() {
    let places = Places::new();
    check_all(&|| Arc::new(RemoteStore::new(places.next(|_| {}), options())));
}

#[test]
fn the_suite_of_all_stores_encrypted() {
    let places = Places::new();
    let passphrase = Passphrase::new("correct horse battery staple").unwrap();
    let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let encryption = Encryption::with_cost(passphrase, cost).unwrap().refusing_clear();
    check_all(&|| Arc::new(RemoteStore::new(places.next(|_| {}), options()).encrypted(encryption.clone())));
}

#[test]
fn the_suite_of_all_stores_on_a_network_that_dies() {
    let places = Places::new();
    let network = BadNetwork::before(&endpoint());
    check_all(&|| {
        let objects = places.next(|settings| settings.server.endpoint = Some(network.url()));
        Arc::new(RemoteStore::new(objects, options()))
    });
    let cut = network.cut();
    assert!(cut > 50, "{cut} connections were cut");
}

fn output(name: &str) -> Change {
    let output = OutputState { value: serde_json::json!(name), ty: serde_json::json!("string"), sensitive: false };
    Change::SetOutput { name: name.to_owned(), output }
}

#[test]
fn twelve_writers_lose_nothing_and_nobody_writes_twice() {
    let places = Places::new();
    let objects = places.next(|_| {});
    let store = RemoteStore::new(objects, options());
    store.lock(&holder("first"), Duration::ZERO).unwrap().begin("lineage", ".").unwrap();
    std::thread::scope(|scope| {
        for writer in 0..12 {
            let store = store.clone();
            scope.spawn(move || {
                for turn in 0..3 {
                    let mut held = store.lock(&holder("writer"), Duration::from_secs(240)).unwrap();
                    held.commit(vec![output(&format!("{writer}-{turn}"))]).unwrap();
                }
            });
        }
    });
    let state = store.read().unwrap().unwrap();
    assert_eq!(state.serial, 36);
    assert_eq!(state.outputs.len(), 36);
}

#[test]
fn a_lease_whose_holder_was_killed_is_taken_over_and_the_holder_fenced_off() {
    let places = Places::new();
    let objects = places.next(|_| {});
    let short = RemoteOptions { lease: Duration::from_secs(4), beats_by_itself: false, ..options() };
    let store = RemoteStore::new(objects, short);
    let mut killed = store.lock(&holder("killed"), Duration::ZERO).unwrap();
    killed.begin("lineage", ".").unwrap();
    killed.commit(vec![output("before")]).unwrap();
    let refused = store.lock(&holder("next"), Duration::ZERO).map(drop).unwrap_err();
    let StateError::Locked { holder: Some(by), lease: Some(_), .. } = refused else { panic!("{refused}") };
    assert_eq!(by.who, "killed");
    let began = Instant::now();
    let mut next = store.lock(&holder("next"), Duration::from_secs(60)).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(2), "taken over after {:?}", began.elapsed());
    next.commit(vec![output("after")]).unwrap();
    // It was not killed after all: it comes back and goes on.
    let lost = killed.commit(vec![output("late")]).unwrap_err();
    assert!(matches!(lost, StateError::Lost(_)), "{lost}");
    drop((next, killed));
    let names: Vec<String> = store.read().unwrap().unwrap().outputs.into_keys().collect();
    assert_eq!(names, ["after", "before"]);
}

#[test]
fn only_one_of_many_makes_an_object_and_only_the_last_version_is_replaced() {
    let places = Places::new();
    let objects = places.next(|_| {});
    for round in 0..10 {
        let key = format!("log/{round}");
        let wins: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..12_u8)
                .map(|writer| {
                    let (objects, key) = (objects.clone(), key.clone());
                    scope.spawn(move || {
                        loop {
                            // 409 and 503 say to try again.
                            match objects.put_if_absent(&key, &[writer; 64]) {
                                Ok(Put::Done(_)) => return 1,
                                Ok(Put::Refused) => return 0,
                                Err(error) => assert!(error.is_uncertain(), "{error}"),
                            }
                        }
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(wins, 1, "{key}");
    }
    let Put::Done(first) = objects.put_if_absent("lease", b"1").unwrap() else { panic!("it was there") };
    let Put::Done(second) = objects.put_if_match("lease", b"2", &first).unwrap() else { panic!("it was refused") };
    assert_eq!(objects.put_if_match("lease", b"3", &first).unwrap(), Put::Refused);
    let found = objects.get("lease").unwrap().unwrap();
    assert_eq!((found.bytes.as_slice(), &found.tag), (b"2".as_slice(), &second));
    assert!(found.age.is_some_and(|age| age < Duration::from_secs(60)), "{:?}", found.age);
    objects.delete("lease").unwrap();
    objects.delete("lease").unwrap();
    assert_eq!(objects.get("lease").unwrap(), None);
    assert_eq!(objects.put_if_match("lease", b"4", &second).unwrap(), Put::Refused);
    let mut keys = objects.list("log/").unwrap();
    keys.sort();
    assert_eq!(keys, (0..10).map(|round| format!("log/{round}")).collect::<Vec<_>>());
    let many: Vec<String> = (0..10).map(|round| format!("log/{round}")).chain(["log/none".to_owned()]).collect();
    let found = objects.get_many(&many);
    assert_eq!(found.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(), 10);
    assert_eq!(found.last().unwrap().as_ref().unwrap(), &None);
    let unknown = Tag("\"00000000000000000000000000000000\"".to_owned());
    assert_eq!(objects.put_if_match("log/0", b"5", &unknown).unwrap(), Put::Refused);
}

fn block(arguments: &[(&str, Value)]) -> Box<dyn Backend> {
    let given: BTreeMap<String, Value> =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    S3.open(&Value::object(given), Path::new("")).unwrap()
}

#[test]
fn workspaces_lie_as_terraform_lays_them() {
    let bucket = bucket();
    let endpoints = Value::object([("s3", Value::from(endpoint()))]);
    let backend = block(&[
        ("bucket", Value::from(bucket.as_str())),
        ("key", Value::from("net/terraform.tfstate")),
        ("region", Value::from("us-east-1")),
        ("endpoints", endpoints),
        ("use_path_style", Value::from(true)),
        ("access_key", Value::from(KEYS.0)),
        ("secret_key", Value::from(KEYS.1)),
    ]);
    assert_eq!(backend.workspaces().unwrap(), Vec::<String>::new());
    assert_eq!(backend.shown("default"), format!("s3://{bucket}/net/terraform.pipectl"));
    for workspace in ["default", "dev", "a-b"] {
        let store = backend.store(workspace, Encryption::none());
        assert_eq!(store.read().unwrap(), None);
        store.lock(&holder("first"), Duration::ZERO).unwrap().begin(workspace, ".").unwrap();
    }
    assert_eq!(backend.workspaces().unwrap(), ["a-b", "default", "dev"]);
    assert_eq!(backend.store("dev", Encryption::none()).read().unwrap().unwrap().lineage, "dev");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listed = runtime.block_on(client().list_objects_v2().bucket(&bucket).send()).unwrap();
    let keys: Vec<String> = listed.contents.unwrap().into_iter().map(|object| object.key.unwrap()).collect();
    for key in ["net/terraform.pipectl/header", "env:/dev/net/terraform.pipectl/header"] {
        assert!(keys.iter().any(|found| found == key), "{keys:?}");
    }
}

#[test]
fn what_the_server_refuses_is_told_at_once_and_without_keys() {
    let bucket = bucket();
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(&bucket);
        change(&mut settings);
        let began = Instant::now();
        let error = S3Objects::open(settings).get("header").unwrap_err();
        assert!(!error.is_uncertain(), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10));
        error.to_string()
    };
    let told =
        refused(&|settings| settings.server.credentials = Some((KEYS.0.to_owned(), "wrong-hunter2".to_owned(), None)));
    assert!(told.contains("403 SignatureDoesNotMatch") && !told.contains("hunter2"), "{told}");
    let told = refused(&|settings| {
        settings.server.credentials = Some(("nobody".to_owned(), "wrong-hunter2".to_owned(), None))
    });
    assert!(told.contains("403 InvalidAccessKeyId") && !told.contains("hunter2"), "{told}");
    let told = refused(&|settings| "no-such-bucket".clone_into(&mut settings.bucket));
    assert!(told.contains("404 NoSuchBucket"), "{told}");
    let mut settings = settings(&bucket);
    // Nobody listens there.
    settings.server.endpoint = Some("http://127.0.0.1:9".to_owned());
    let error = S3Objects::open(settings).get("header").unwrap_err();
    assert!(error.is_uncertain(), "{error}");
}

#[test]
fn a_workspace_that_was_deleted_is_gone() {
    let bucket = bucket();
    let endpoints = Value::object([("s3", Value::from(endpoint()))]);
    let backend = block(&[
        ("bucket", Value::from(bucket.as_str())),
        ("key", Value::from("net")),
        ("region", Value::from("us-east-1")),
        ("endpoints", endpoints),
        ("use_path_style", Value::from(true)),
        ("access_key", Value::from(KEYS.0)),
        ("secret_key", Value::from(KEYS.1)),
    ]);
    let store = backend.store("dev", Encryption::none());
    store.lock(&holder("first"), Duration::ZERO).unwrap().begin("dev", ".").unwrap();
    assert_eq!(backend.workspaces().unwrap(), ["dev"]);
    store.lock(&holder("second"), Duration::ZERO).unwrap().remove().unwrap();
    assert_eq!(backend.workspaces().unwrap(), Vec::<String>::new());
    assert_eq!(store.read().unwrap(), None);
}
