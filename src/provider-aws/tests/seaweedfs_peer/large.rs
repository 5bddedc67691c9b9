//! Files that are sent in parts.

use std::time::Duration;

use md5::{Digest as _, Md5};
use pipectl_provider::{Effect, Found};
use serde_json::json;

use super::bed::{Bed, clock, planned, read, text, words};

/// Not a multiple of a part, which has 16 MiB.
const BYTES: usize = (40 << 20) + 12_345;

fn content(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut content = Vec::with_capacity(BYTES + 8);
    while content.len() < BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(BYTES);
    content
}

fn digest(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_large_file_bears_its_digest() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    let (first, second) = (content(1), content(2));
    std::fs::write(bed.root.join("file"), &first).expect("there is room for a file");
    let mut given = json!({ "bucket": bucket, "key": "a", "source": "file", "etag": digest(&first) });
    let object = bed.made(objects, &given, "t1").await;
    assert!(bed.get(&bucket, "a").await.as_deref() == Some(&first[..]));
    let tag = bed.client.head_object().bucket(&bucket).key("a").send().await.expect("it is there").e_tag;
    assert!(tag.is_some_and(|tag| tag.contains('-')), "it was sent in parts");

    // The file has changed since it was planned.
    std::fs::write(bed.root.join("file"), &second).expect("there is room for a file");
    given["tags"] = json!({ "team": "physics" });
    given["content_type"] = json!("application/x-hdf5");
    let response = bed.plan(objects, &given, Some(&object)).await;
    let outcome = objects.update(&bed.cx("t2"), &object, &planned(objects, response)).await;
    assert!(words(&outcome.diagnostics).contains("Other content than planned"), "{}", words(&outcome.diagnostics));
    assert!(bed.get(&bucket, "a").await.as_deref() == Some(&first[..]));
    given["etag"] = json!(digest(&second));
    let object = bed.changed(objects, &given, &object, "t3").await;
    assert!(bed.get(&bucket, "a").await.as_deref() == Some(&second[..]));

    // A run that was killed before it heard of it.
    let intent = bed.intent(objects, &given, "t3", clock()).await;
    let Ok(Found::One(found)) = objects.find(&bed.cx("t3"), &intent).await else { panic!("it is there") };
    assert_eq!(text(&found, "etag"), digest(&second));
    // What others put there is not the file.
    bed.put(&bucket, "a", b"theirs").await;
    let seen = read(objects, &bed.cx("r"), &object).await.expect("it is there");
    let given = json!({ "bucket": bucket, "key": "a", "source": "file" });
    let response = bed.plan(objects, &given, Some(&seen)).await;
    assert_eq!(response.effect, Effect::Update, "{:?}", response.reasons);
    bed.removed(objects, &object).await;
    assert_eq!(bed.uploads(&bucket).await, 0);
}

#[tokio::test]
async fn a_large_file_does_not_write_over_what_is_there() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    std::fs::write(bed.root.join("file"), content(1)).expect("there is room for a file");
    bed.put(&bucket, "a", b"theirs").await;
    let given = json!({ "bucket": bucket, "key": "a", "source": "file" });
    let said = words(&bed.create(objects, &given, "t1").await.diagnostics);
    assert!(said.contains("Object already there"), "{said}");
    assert_eq!(bed.get(&bucket, "a").await.as_deref(), Some(&b"theirs"[..]));
    assert_eq!(bed.uploads(&bucket).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cancelled_leaves_no_parts() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    std::fs::write(bed.root.join("file"), content(1)).expect("there is room for a file");
    let given = json!({ "bucket": bucket, "key": "a", "source": "file" });
    let response = bed.plan(objects, &given, None).await;
    let (cx, wanted) = (bed.cx("t1"), planned(objects, response));
    let mut seen = 0;
    tokio::select! {
        outcome = objects.create(&cx, &wanted) => panic!("it was made too fast: {}", words(&outcome.diagnostics)),
        () = async {
            while seen == 0 {
                seen = bed.uploads(&bucket).await;
            }
        } => {}
    }
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while bed.uploads(&bucket).await > 0 {
        assert!(std::time::Instant::now() < end, "its parts are still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bed.get(&bucket, "a").await, None);
}

#[tokio::test]
async fn an_upload_of_a_run_that_was_killed_is_given_up_by_the_next() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    std::fs::write(bed.root.join("file"), content(1)).expect("there is room for a file");
    let begin = async |key: &str| {
        let begun = bed.client.create_multipart_upload().bucket(&bucket).key(key).send().await;
        let id = begun.expect("the bucket is there").upload_id.expect("it has one");
        let part = bed.client.upload_part().bucket(&bucket).key(key).upload_id(&id).part_number(1);
        part.body(vec![7; 5 << 20].into()).send().await.expect("it was begun");
        id
    };
    let (ours, _theirs) = (begin("a").await, begin("ab").await);
    let given = json!({ "bucket": bucket, "key": "a", "source": "file" });
    bed.cx("t1").record(json!({ "before": { "upload": ours } }));
    let intent = bed.intent(objects, &given, "t1", clock()).await;
    assert!(matches!(objects.find(&bed.cx("t1"), &intent).await, Ok(Found::None)));
    assert_eq!(bed.uploads(&bucket).await, 1, "that of another object is somebody else's");
    let object = bed.made(objects, &given, "t1").await;
    begin("a").await;
    bed.removed(objects, &object).await;
    assert_eq!(bed.uploads(&bucket).await, 1);
}
