//! How fast a large artifact travels to a bucket and back, beside boto3 and the AWS CLI on the same server, in one run.
//!
//! ```sh
//! tests/servers/seaweedfs up /tmp/weed
//! S3_ENDPOINT=http://127.0.0.1:18333 PEERS_PYTHON=python3 cargo bench -p pipectl-backend-s3 --bench transfer
//! ```
//!
//! `PEERS_PYTHON` is a Python with boto3 and awscli; `MIB` is the object's size in MiB (default: 2048). All sign the bytes that they send; none
//! holds what it has read against a digest.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pipectl_backend_s3::{S3Artifacts, Settings};
use pipectl_provider::SharedObjects as _;

const KEYS: (&str, &str) = ("pipectl-tests", "not-a-secret-of-anybody");

const BOTO3: &str = "
import boto3, os, sys, time
s3 = boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT'], region_name='us-east-1')
verb, bucket, key, path = sys.argv[1:]
if verb == 'bucket':
    s3.create_bucket(Bucket=bucket)
started = time.monotonic()
if verb == 'up':
    s3.upload_file(path, bucket, key)
if verb == 'down':
    s3.download_file(bucket, key, path)
print(time.monotonic() - started)
";

const AWS: &str = "
import sys, time
from awscli.clidriver import main
sys.argv = ['aws', '--endpoint-url', *sys.argv[1:]]
started = time.monotonic()
status = main()
print(time.monotonic() - started)
sys.exit(status)
";

fn main() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(endpoint) = variable("S3_ENDPOINT") else {
        println!("S3_ENDPOINT names no server: nothing is measured");
        return;
    };
    let mebibytes: u64 = variable("MIB").map_or(2048, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fill(&from, mebibytes);
    let bucket = format!("transfer-{}", std::process::id());
    peer(BOTO3, &["bucket", &bucket, "", ""]).unwrap();
    let settings = Settings {
        bucket: bucket.clone(),
        key: "ours".to_owned(),
        server: pipectl_s3_client::Settings {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(endpoint.clone()),
            is_path_style: true,
            credentials: Some((KEYS.0.to_owned(), KEYS.1.to_owned(), None)),
            ..pipectl_s3_client::Settings::default()
        },
        ..Settings::default()
    };
    let ours = S3Artifacts::open(settings);
    let path = from.to_str().unwrap();
    let url = |key: &str| format!("s3://{bucket}/{key}");
    println!("{mebibytes} MiB, {}", endpoint);
    println!("{:<12} {:>14} {:>14}", "", "up MB/s", "down MB/s");
    for round in 1..=2 {
        let to = |who: &str| folder.path().join(format!("{who}-{round}"));
        let started = Instant::now();
        ours.upload(&format!("{round}"), &from, mebibytes << 20).unwrap();
        let up = started.elapsed();
        let started = Instant::now();
        assert!(ours.download(&format!("{round}"), &to("ours"), mebibytes << 20).unwrap());
        told("pipectl", mebibytes, up, started.elapsed());
        std::fs::remove_file(to("ours")).unwrap();
        let key = format!("boto3/{round}");
        let up = peer(BOTO3, &["up", &bucket, &key, path]).unwrap();
        let down = peer(BOTO3, &["down", &bucket, &key, to("boto3").to_str().unwrap()]).unwrap();
        told("boto3", mebibytes, up, down);
        std::fs::remove_file(to("boto3")).unwrap();
        let key = format!("aws/{round}");
        let copy = |from: &str, to: &str| peer(AWS, &[&endpoint, "s3", "cp", "--quiet", from, to]);
        if let Some(up) = copy(path, &url(&key)) {
            told("aws s3 cp", mebibytes, up, copy(&url(&key), to("aws").to_str().unwrap()).unwrap());
            std::fs::remove_file(to("aws")).unwrap();
        }
    }
}

fn told(who: &str, mebibytes: u64, up: Duration, down: Duration) {
    let rate = |time: Duration| (mebibytes << 20) as f64 / 1e6 / time.as_secs_f64();
    println!("{who:<12} {:>14.0} {:>14.0}", rate(up), rate(down));
}

/// Bytes that cannot be made smaller.
fn fill(path: &Path, mebibytes: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..mebibytes << 17 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// Runs a script of a peer's and gives the time that it measured itself, without that of its own beginning; `None` where the peer is not
/// installed.
fn peer(script: &str, arguments: &[&str]) -> Option<Duration> {
    let python = std::env::var("PEERS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .args(["-c", script])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ModuleNotFoundError") {
        println!("{}", said.lines().last().unwrap_or_default());
        return None;
    }
    assert!(output.status.success(), "{said}");
    let seconds = String::from_utf8(output.stdout).unwrap();
    Some(Duration::from_secs_f64(seconds.lines().last().unwrap().trim().parse().unwrap()))
}
