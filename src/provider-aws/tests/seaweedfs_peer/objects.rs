//! Objects: made, seen, changed by others, removed.

use pipectl_provider::{Effect, Found};
use serde_json::json;

use super::bed::{Bed, clock, read, text, words};

#[tokio::test]
async fn an_object_lives() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    let mut given = json!({ "bucket": bucket, "key": "dir/a b+ö.csv", "content": "x,y\n", "content_type": "text/csv",
        "cache_control": "no-store", "metadata": { "rows": "0" }, "tags": { "team": "physics" } });
    let object = bed.made(objects, &given, "t1").await;
    // printf 'x,y\n' | md5sum
    assert_eq!(text(&object, "etag"), "043212bb9834e334677e9c9659294bd4");
    assert_eq!(bed.get(&bucket, "dir/a b+ö.csv").await.as_deref(), Some(&b"x,y\n"[..]));
    let head = bed.client.head_object().bucket(&bucket).key("dir/a b+ö.csv").send().await.expect("it is there");
    assert_eq!((head.content_type(), head.cache_control()), (Some("text/csv"), Some("no-store")));
    assert_eq!(head.metadata().map(|metadata| metadata.len()), Some(1), "nothing is said of it but what was given");

    given["tags"] = json!({ "team": "computing" });
    let object = bed.changed(objects, &given, &object, "t2").await;
    given["content"] = json!("x,y\n1,2\n");
    given["metadata"] = json!({ "rows": "1" });
    let object = bed.changed(objects, &given, &object, "t3").await;
    let tags = bed.client.get_object_tagging().bucket(&bucket).key("dir/a b+ö.csv").send().await.expect("it has some");
    assert_eq!(tags.tag_set()[0].value(), "computing");

    for id in [format!("{bucket}/dir/a b+ö.csv"), format!("s3://{bucket}/dir/a b+ö.csv")] {
        let again = objects.import(&bed.cx("import"), &id).await.expect("it can be").expect("it is there");
        assert_eq!((text(&again, "key"), text(&again, "etag")), ("dir/a b+ö.csv", text(&object, "etag")));
    }
    given["key"] = json!("b");
    assert_eq!(bed.plan(objects, &given, Some(&object)).await.effect, Effect::Replace);
    bed.removed(objects, &object).await;
}

#[tokio::test]
async fn what_others_put_there_is_shown_and_put_back() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    for (argument, content, theirs) in [("content", "ours", "theirs"), ("content_base64", "b3Vycw==", "dGhlaXJz")] {
        let given = json!({ "bucket": bucket, "key": argument, argument: content });
        let object = bed.made(objects, &given, "t1").await;
        bed.put(&bucket, argument, b"theirs").await;
        let seen = read(objects, &bed.cx("r"), &object).await.expect("it is there");
        assert_eq!(text(&seen, argument), theirs);
        bed.changed(objects, &given, &seen, "t2").await;
        assert_eq!(bed.get(&bucket, argument).await.as_deref(), Some(&b"ours"[..]));
    }
    // The same content, written by others, is what was put there.
    let given =
        json!({ "bucket": bucket, "key": "same", "content": "ours", "content_type": "application/octet-stream" });
    let object = bed.made(objects, &given, "t3").await;
    let put = bed.client.put_object().bucket(&bucket).key("same").content_type("application/octet-stream");
    put.body(b"ours".to_vec().into()).send().await.expect("the bucket is there");
    let seen = read(objects, &bed.cx("r"), &object).await.expect("it is there");
    assert_eq!(bed.plan(objects, &given, Some(&seen)).await.effect, Effect::NoOp);
    bed.client.delete_object().bucket(&bucket).key("same").send().await.expect("it is there");
    assert!(read(objects, &bed.cx("r"), &seen).await.is_none());
}

#[tokio::test]
async fn what_is_there_is_not_written_over() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    bed.put(&bucket, "a", b"theirs").await;
    let given = json!({ "bucket": bucket, "key": "a", "content": "ours" });
    let said = words(&bed.create(objects, &given, "t1").await.diagnostics);
    assert!(said.contains("Object already there") && said.contains("pipectl import"), "{said}");
    assert_eq!(bed.get(&bucket, "a").await.as_deref(), Some(&b"theirs"[..]));
    // What has the same content is no loss: the answer to an earlier call was lost.
    let given = json!({ "bucket": bucket, "key": "a", "content": "theirs", "content_type": "text/plain" });
    bed.made(objects, &given, "t2").await;
}

#[tokio::test]
async fn an_answer_that_was_lost_makes_nothing_twice() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    let given = json!({ "bucket": bucket, "key": "a", "content": "ours", "tags": { "team": "physics" } });
    let object = bed.made(objects, &given, "t1").await;
    let intent = bed.intent(objects, &given, "t1", clock()).await;
    let Ok(Found::One(found)) = objects.find(&bed.cx("t1"), &intent).await else { panic!("it is there") };
    assert_eq!(text(&found, "etag"), text(&object, "etag"));
    bed.put(&bucket, "a", b"theirs").await;
    let found = objects.find(&bed.cx("t1"), &intent).await;
    assert!(matches!(found, Ok(Found::None)), "what others have put there is theirs");
}

#[tokio::test]
async fn an_etag_that_is_not_of_the_content_is_refused() {
    let (bed, bucket) = Bed::with_bucket().await;
    let objects = bed.kind("aws_s3_object");
    let given = json!({ "bucket": bucket, "key": "a", "content": "x,y\n", "etag": "043212bb9834e334677e9c9659294bd4" });
    bed.made(objects, &given, "t1").await;
    let given = json!({ "bucket": bucket, "key": "b", "content": "x,z\n", "etag": "043212bb9834e334677e9c9659294bd4" });
    let said = words(&bed.create(objects, &given, "t2").await.diagnostics);
    assert!(said.contains("Other content than planned"), "{said}");
    assert_eq!(bed.get(&bucket, "b").await, None);
}
