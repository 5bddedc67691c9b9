//! Who asks, and what is said to those who may not.

use serde_json::json;

use super::bed::{Bed, KEYS, block, words};

#[tokio::test]
async fn who_may_not_is_told_so_without_secrets() {
    let (bed, bucket) = Bed::with_bucket().await;
    let mut other = block();
    other["secret_key"] = json!("a-secret-that-is-wrong");
    let kinds = bed.configure(&other).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    let object = json!({ "bucket": bucket, "key": "a", "content": "x" });
    let said = words(&bed.create(&*kinds.resources["aws_s3_object"], &object, "t1").await.diagnostics);
    assert!(said.contains("S3 has refused") && said.contains("403"), "{said}");
    assert!(!said.contains("a-secret-that-is-wrong"), "{said}");
}

#[tokio::test]
async fn keys_come_from_the_environment_or_a_profile() {
    let (mut bed, bucket) = Bed::with_bucket().await;
    let mut bare = block();
    for name in ["access_key", "secret_key", "region", "endpoints"] {
        bare.as_object_mut().expect("it is one").remove(name);
    }
    let object = json!({ "bucket": bucket, "key": "a", "content": "x" });
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", KEYS.0),
        ("AWS_SECRET_ACCESS_KEY", KEYS.1),
        ("AWS_ENDPOINT_URL_S3", &super::bed::endpoint()),
    ] {
        bed.set(name, value);
    }
    let kinds = bed.configure(&bare).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    let made = bed.made(&*kinds.resources["aws_s3_object"], &object, "t1").await;
    bed.removed(&*kinds.resources["aws_s3_object"], &made).await;

    let profile = format!("[tests]\naws_access_key_id = {}\naws_secret_access_key = {}\n", KEYS.0, KEYS.1);
    bed.write("keys", &profile);
    bed.set("AWS_SECRET_ACCESS_KEY", "wrong");
    bare["profile"] = json!("tests");
    bare["shared_credentials_files"] = json!(["keys"]);
    let kinds = bed.configure(&bare).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    bed.made(&*kinds.resources["aws_s3_object"], &object, "t2").await;
}
