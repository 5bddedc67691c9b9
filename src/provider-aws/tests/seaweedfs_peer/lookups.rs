//! What is there and was made by others.

use serde_json::json;

use super::bed::{Bed, words};

#[tokio::test]
async fn what_others_made_is_looked_up() {
    let (bed, bucket) = Bed::with_bucket().await;
    let of = |value: &pipectl_core::Value, name: &str| {
        value.attribute(name).and_then(|text| text.as_str()).map(str::to_owned)
    };
    let found = bed.told("aws_s3_bucket", &json!({ "bucket": bucket })).await;
    let found = found.unwrap_or_else(|found| panic!("{}", words(&found)));
    assert_eq!(of(&found, "arn"), Some(format!("arn:aws:s3:::{bucket}")));
    assert_eq!(of(&found, "region").as_deref(), Some("us-east-1"));

    let put = bed.client.put_object().bucket(&bucket).key("a").content_type("text/plain; charset=utf-8");
    put.metadata("rows", "1").body("größe\n".as_bytes().to_vec().into()).send().await.expect("it is there");
    let found = bed.told("aws_s3_object", &json!({ "bucket": bucket, "key": "a" })).await;
    let found = found.unwrap_or_else(|found| panic!("{}", words(&found)));
    assert_eq!(of(&found, "body").as_deref(), Some("größe\n"));
    assert_eq!(found.attribute("content_length").and_then(|length| length.as_number()?.to_i64()), Some(8));
    assert!(of(&found, "last_modified").is_some_and(|time| time.ends_with("GMT")));
    let metadata = found.attribute("metadata").expect("it has some");
    assert_eq!(of(metadata, "rows").as_deref(), Some("1"));
    let part = bed.told("aws_s3_object", &json!({ "bucket": bucket, "key": "a", "range": "bytes=0-1" })).await;
    assert_eq!(of(&part.unwrap_or_else(|found| panic!("{}", words(&found))), "body").as_deref(), Some("gr"));
    // What is no text is not read.
    bed.put(&bucket, "b", b"x").await;
    let found = bed.told("aws_s3_object", &json!({ "bucket": bucket, "key": "b" })).await;
    assert_eq!(of(&found.unwrap_or_else(|found| panic!("{}", words(&found))), "body"), None);

    for (name, given) in [
        ("aws_s3_bucket", json!({ "bucket": "nobody-has-this" })),
        ("aws_s3_object", json!({ "bucket": bucket, "key": "c" })),
        ("aws_s3_object", json!({ "bucket": "nobody-has-this", "key": "c" })),
    ] {
        let said = words(&bed.told(name, &given).await.expect_err("it is not there"));
        assert!(said.contains("Nothing found"), "{said}");
    }
}
