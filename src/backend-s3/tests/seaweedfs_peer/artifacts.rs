//! Large objects in parts, on a good network and on a bad one.

use std::fs;
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use pipectl_backend_s3::{S3Artifacts, Settings};
use pipectl_core::Digest;
use pipectl_provider::SharedObjects as _;

use super::bad_network::BadNetwork;
use super::{bucket, client, endpoint, settings};

/// Not a multiple of a part, which has 16 MiB.
const BYTES: usize = (40 << 20) + 12_345;

/// Bytes that are not the same anywhere.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

fn artifacts(bucket: &str, change: impl Fn(&mut Settings)) -> S3Artifacts {
    let mut settings = settings(bucket);
    change(&mut settings);
    S3Artifacts::open(settings)
}

fn there_and_back(artifacts: &S3Artifacts, folder: &Path, key: &str, content: &[u8]) {
    let (from, to) = (folder.join("from"), folder.join("to"));
    fs::write(&from, content).unwrap();
    let bytes = content.len() as u64;
    artifacts.upload(key, &from, bytes).unwrap();
    assert_eq!(artifacts.sizes(&[key.to_owned(), "none".to_owned()]).unwrap(), [Some(bytes), None]);
    assert!(artifacts.download(key, &to, bytes).unwrap());
    assert_eq!(Digest::of(&fs::read(&to).unwrap()), Digest::of(content), "{key}");
    fs::remove_file(to).unwrap();
}

#[test]
fn objects_of_any_size_go_there_and_back() {
    let (bucket, folder) = (bucket(), tempfile::tempdir().unwrap());
    let artifacts = artifacts(&bucket, |_| {});
    for bytes in [0, 1, 100_000, 16 << 20, (16 << 20) + 1, BYTES] {
        there_and_back(&artifacts, folder.path(), &format!("blobs/{bytes}"), &content(bytes));
    }
    assert_eq!(artifacts.get("blobs/1").unwrap(), Some(content(1)));
    assert_eq!(artifacts.get("blobs/none").unwrap(), None);
    assert!(!artifacts.download("blobs/none", &folder.path().join("none"), 5).unwrap());
    assert!(!folder.path().join("none").exists());
    artifacts.put("actions/a", b"one").unwrap();
    artifacts.put("actions/a", b"two").unwrap();
    assert_eq!(artifacts.get("actions/a").unwrap().unwrap(), b"two");
    // An object of another size is not what its name says, and none of it is fetched.
    assert!(artifacts.download("blobs/1", &folder.path().join("odd"), 5).unwrap());
    assert_eq!(fs::read(folder.path().join("odd")).unwrap(), b"");
}

#[test]
fn a_network_that_dies_costs_time_only() {
    let (bucket, folder) = (bucket(), tempfile::tempdir().unwrap());
    let (content, from, to) = (content(BYTES), folder.path().join("from"), folder.path().join("to"));
    fs::write(&from, &content).unwrap();
    // Parts have 16 MiB: none gets through a connection that carries nine.
    let networks = [BadNetwork::carrying(&endpoint(), 9 << 20), BadNetwork::carrying(&endpoint(), 9 << 20)];
    let through = |network: &BadNetwork| artifacts(&bucket, |settings| settings.server.endpoint = Some(network.url()));
    through(&networks[0]).upload("blobs/a", &from, BYTES as u64).unwrap();
    assert!(through(&networks[1]).download("blobs/a", &to, BYTES as u64).unwrap());
    assert_eq!(Digest::of(&fs::read(&to).unwrap()), Digest::of(&content));
    for network in &networks {
        assert!(network.cut() >= 2, "{} connections were cut", network.cut());
    }
}

#[test]
fn an_upload_that_was_interrupted_is_gone_on_with() {
    let (bucket, folder) = (bucket(), tempfile::tempdir().unwrap());
    let (content, key) = (content(BYTES), "hep/blobs/a");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Whoever began it wrote another first part: so it can be told whose it is.
    let begun = runtime.block_on(client().create_multipart_upload().bucket(&bucket).key(key).send()).unwrap();
    let other = vec![7_u8; 16 << 20];
    let part = client().upload_part().bucket(&bucket).key(key).upload_id(begun.upload_id.unwrap());
    runtime.block_on(part.part_number(1).body(ByteStream::from(other.clone())).send()).unwrap();
    let from = folder.path().join("from");
    fs::write(&from, &content).unwrap();
    artifacts(&bucket, |_| {}).upload("blobs/a", &from, BYTES as u64).unwrap();
    let read = runtime.block_on(async {
        let object = client().get_object().bucket(&bucket).key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    });
    assert_eq!(read.len(), BYTES);
    assert!(read[..16 << 20] == other && read[16 << 20..] == content[16 << 20..], "the first part was written again");
    let open = runtime.block_on(client().list_multipart_uploads().bucket(&bucket).send()).unwrap();
    assert_eq!(open.uploads.unwrap_or_default().len(), 0);
}

#[test]
fn several_may_write_the_same_large_object_at_once() {
    let (bucket, folder) = (bucket(), tempfile::tempdir().unwrap());
    let content = content(BYTES);
    let from = folder.path().join("from");
    fs::write(&from, &content).unwrap();
    for round in 0..3 {
        let key = format!("blobs/{round}");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| artifacts(&bucket, |_| {}).upload(&key, &from, BYTES as u64).unwrap());
            }
        });
        there_and_back(&artifacts(&bucket, |_| {}), folder.path(), &key, &content);
    }
}
