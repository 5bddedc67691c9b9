//! Buckets, and what they are told to do.

use aws_sdk_s3::types::{BucketVersioningStatus, Tag, Tagging, VersioningConfiguration};
use pipectl_provider::{Effect, Found};
use serde_json::json;

use super::bed::{Bed, clock, name, read, text, words};

#[tokio::test]
async fn a_bucket_lives() {
    let bed = Bed::new().await;
    let (buckets, name) = (bed.kind("aws_s3_bucket"), name());
    let mut given = json!({ "bucket": name, "tags": { "team": "physics" } });
    let bucket = bed.made(buckets, &given, "t1").await;
    assert_eq!((text(&bucket, "id"), text(&bucket, "arn")), (name.as_str(), format!("arn:aws:s3:::{name}").as_str()));
    assert_eq!(text(&bucket, "region"), "us-east-1");
    given["tags"] = json!({ "team": "computing", "cost": "7" });
    let bucket = bed.changed(buckets, &given, &bucket, "t2").await;

    // What somebody else has changed is seen, and changed back.
    let tag = Tag::builder().key("team").value("nobody").build().expect("it is whole");
    let tagging = Tagging::builder().tag_set(tag).build().expect("it is whole");
    bed.client.put_bucket_tagging().bucket(&name).tagging(tagging).send().await.expect("it is there");
    let seen = read(buckets, &bed.cx("r"), &bucket).await.expect("it is there");
    let bucket = bed.changed(buckets, &given, &seen, "t3").await;
    let tags = bed.client.get_bucket_tagging().bucket(&name).send().await.expect("it has some").tag_set;
    assert_eq!(tags.len(), 2, "{tags:?}");
    given = json!({ "bucket": name });
    let bucket = bed.changed(buckets, &given, &bucket, "t4").await;

    let again = buckets.import(&bed.cx("import"), &name).await.expect("it can be").expect("it is there");
    assert_eq!(bed.plan(buckets, &given, Some(&again)).await.effect, Effect::NoOp);
    given["bucket"] = json!(format!("{name}-b"));
    assert_eq!(bed.plan(buckets, &given, Some(&bucket)).await.effect, Effect::Replace);
    bed.removed(buckets, &bucket).await;
}

#[tokio::test]
async fn a_bucket_without_a_name_gets_one_and_is_found_again() {
    let bed = Bed::new().await;
    let buckets = bed.kind("aws_s3_bucket");
    let given = json!({ "bucket_prefix": "data-" });
    let bucket = bed.made(buckets, &given, "t1").await;
    assert!(text(&bucket, "bucket").starts_with("data-"));
    // A run that was killed before it heard of it.
    let intent = bed.intent(buckets, &given, "t1", clock()).await;
    let Ok(Found::One(found)) = buckets.find(&bed.cx("t1"), &intent).await else { panic!("it is there") };
    assert_eq!(text(&found, "bucket"), text(&bucket, "bucket"));
    bed.removed(buckets, &bucket).await;
}

#[tokio::test]
async fn a_bucket_that_is_there_is_not_taken() {
    let (bed, name) = Bed::with_bucket().await;
    let buckets = bed.kind("aws_s3_bucket");
    let said = words(&bed.create(buckets, &json!({ "bucket": name }), "t1").await.diagnostics);
    assert!(said.contains("Bucket already there") && said.contains("pipectl import"), "{said}");
}

#[tokio::test]
async fn a_bucket_goes_with_what_is_in_it_only_if_that_is_said() {
    let bed = Bed::new().await;
    let (buckets, name) = (bed.kind("aws_s3_bucket"), name());
    let mut given = json!({ "bucket": name });
    let bucket = bed.made(buckets, &given, "t1").await;
    for key in ["a", "b/c", "d"] {
        bed.put(&name, key, b"x").await;
    }
    let said = words(&buckets.delete(&bed.cx("t2"), &bucket).await.diagnostics);
    assert!(said.contains("Bucket not empty") && said.contains("`b/c`") && said.contains("force_destroy"), "{said}");
    given["force_destroy"] = json!(true);
    let bucket = bed.changed(buckets, &given, &bucket, "t3").await;
    bed.client.create_multipart_upload().bucket(&name).key("half").send().await.expect("it is there");
    bed.removed(buckets, &bucket).await;
}

#[tokio::test]
async fn versions_are_kept_and_go_with_their_object() {
    let bed = Bed::new().await;
    let (buckets, versionings, objects) =
        (bed.kind("aws_s3_bucket"), bed.kind("aws_s3_bucket_versioning"), bed.kind("aws_s3_object"));
    let name = name();
    let bucket = bed.made(buckets, &json!({ "bucket": name, "force_destroy": true }), "b").await;
    let mut given = json!({ "bucket": name, "versioning_configuration": [{ "status": "Enabled" }] });
    let versioning = bed.made(versionings, &given, "v1").await;
    let status = async || {
        let told = bed.client.get_bucket_versioning().bucket(&name).send().await;
        told.expect("it is there").status.map(|status| status.to_string())
    };
    assert_eq!(status().await.as_deref(), Some("Enabled"));

    let mut file = json!({ "bucket": name, "key": "a", "content": "one" });
    let object = bed.made(objects, &file, "o1").await;
    let first = text(&object, "version_id").to_owned();
    file["content"] = json!("two");
    let object = bed.changed(objects, &file, &object, "o2").await;
    assert_ne!(text(&object, "version_id"), first);
    assert_eq!(bed.versions(&name).await, (2, 0));
    bed.removed(objects, &object).await;
    assert_eq!(bed.versions(&name).await, (0, 0));

    // What somebody else has changed is seen, and changed back.
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let put = bed.client.put_bucket_versioning().bucket(&name).versioning_configuration(suspended);
    put.send().await.expect("it is there");
    let seen = read(versionings, &bed.cx("r"), &versioning).await.expect("it is there");
    let versioning = bed.changed(versionings, &given, &seen, "v2").await;
    assert_eq!(status().await.as_deref(), Some("Enabled"));
    given["versioning_configuration"] = json!([{ "status": "Disabled" }]);
    let response = bed.plan(versionings, &given, Some(&versioning)).await;
    assert_eq!(response.effect, Effect::Replace, "it can only be suspended");
    let again = versionings.import(&bed.cx("import"), &name).await.expect("it can be").expect("it is there");
    assert_eq!(text(&again, "bucket"), name);
    let outcome = versionings.delete(&bed.cx("v3"), &versioning).await;
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
    assert_eq!(status().await.as_deref(), Some("Suspended"));
    bed.put(&name, "left", b"behind").await;
    bed.removed(buckets, &bucket).await;
}

#[tokio::test]
async fn rules_say_what_becomes_of_objects() {
    let (bed, name) = Bed::with_bucket().await;
    let lifecycles = bed.kind("aws_s3_bucket_lifecycle_configuration");
    let rule = |days: u32| json!({ "id": "old", "status": "Enabled", "filter": [{ "prefix": "tmp/" }], "expiration": [{ "days": days }] });
    let mut given = json!({ "bucket": name, "rule": [rule(7)] });
    let lifecycle = bed.made(lifecycles, &given, "t1").await;
    given["rule"] = json!([rule(14)]);
    let lifecycle = bed.changed(lifecycles, &given, &lifecycle, "t2").await;
    let told = bed.client.get_bucket_lifecycle_configuration().bucket(&name).send().await.expect("it has some");
    assert_eq!(told.rules()[0].expiration().and_then(|expiration| expiration.days()), Some(14));

    let said = words(&bed.create(lifecycles, &given, "t3").await.diagnostics);
    assert!(said.contains("Lifecycle already there") && said.contains("pipectl import"), "{said}");
    let again = lifecycles.import(&bed.cx("import"), &name).await.expect("it can be").expect("it is there");
    assert_eq!(bed.plan(lifecycles, &given, Some(&again)).await.effect, Effect::NoOp);
    // What somebody else has removed is made again.
    bed.client.delete_bucket_lifecycle().bucket(&name).send().await.expect("it is there");
    assert!(read(lifecycles, &bed.cx("r"), &lifecycle).await.is_none());
    let lifecycle = bed.made(lifecycles, &given, "t4").await;
    bed.removed(lifecycles, &lifecycle).await;
}

#[tokio::test]
async fn a_rule_without_a_filter_is_for_all() {
    let (bed, name) = Bed::with_bucket().await;
    let lifecycles = bed.kind("aws_s3_bucket_lifecycle_configuration");
    let given = json!({ "bucket": name, "rule": [{ "id": "parts", "status": "Enabled", "abort_incomplete_multipart_upload": [{ "days_after_initiation": 3 }] }] });
    bed.made(lifecycles, &given, "t1").await;
}

#[tokio::test]
async fn rules_for_some_objects_stay_as_they_were_given() {
    let (bed, name) = Bed::with_bucket().await;
    let lifecycles = bed.kind("aws_s3_bucket_lifecycle_configuration");
    let given = json!({ "bucket": name, "rule": [
        { "id": "marked", "status": "Enabled", "filter": [{ "tag": [{ "key": "keep", "value": "no" }] }], "expiration": [{ "days": 1 }] },
        { "id": "large", "status": "Enabled", "filter": [{ "and": [{ "prefix": "tmp/", "object_size_greater_than": 1000 }] }], "expiration": [{ "days": 2 }] },
        { "id": "old", "status": "Disabled", "filter": [{ "prefix": "a/" }],
          "noncurrent_version_expiration": [{ "noncurrent_days": 30, "newer_noncurrent_versions": 2 }] },
    ] });
    let lifecycle = bed.made(lifecycles, &given, "t1").await;
    bed.removed(lifecycles, &lifecycle).await;
}
