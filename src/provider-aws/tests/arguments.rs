//! What is wrong with arguments is said before anybody is asked.

use pipectl_provider::Provider as _;
use pipectl_provider_aws::Aws;
use pipectl_sim::steps::{Steps, config, words};
use serde_json::{Value as Json, json};

fn judged(kind: &str, given: &Json) -> String {
    let provider = Aws::new();
    let kind = &provider.kinds().resources[kind];
    words(&kind.validate(&config(kind.schema(), given)))
}

#[test]
fn arguments_are_judged() {
    let key = |more: Json| {
        let mut given = json!({ "bucket": "b", "key": "a" });
        given.as_object_mut().expect("it is one").extend(more.as_object().expect("it is one").clone());
        given
    };
    let rules = |rule: Json| json!({ "bucket": "b", "rule": [rule] });
    for (kind, given, expected) in [
        ("aws_s3_bucket", json!({ "bucket": "a/b" }), "cannot name a bucket"),
        ("aws_s3_bucket", json!({ "bucket": "a", "bucket_prefix": "b" }), "cannot be specified"),
        ("aws_s3_object", key(json!({ "content": "a", "source": "b" })), "cannot be specified"),
        ("aws_s3_object", key(json!({ "content_base64": "?" })), "Invalid base64"),
        ("aws_s3_object", key(json!({ "metadata": { "Rows": "1" } })), "small letters"),
        ("aws_s3_object", key(json!({ "metadata": { "pipectl-md5": "1" } })), "cannot be given"),
        ("aws_s3_object", key(json!({ "server_side_encryption": "rot13" })), "must be one of"),
        ("aws_s3_object", json!({ "bucket": "b", "key": "" }), "Invalid key"),
        ("aws_s3_bucket_versioning", json!({ "bucket": "b" }), "Missing block"),
        (
            "aws_s3_bucket_versioning",
            json!({ "bucket": "b", "versioning_configuration": [{ "status": "On" }] }),
            "must be one of",
        ),
        ("aws_s3_bucket_lifecycle_configuration", json!({ "bucket": "b" }), "Missing block"),
        (
            "aws_s3_bucket_lifecycle_configuration",
            rules(json!({ "id": "a", "status": "Enabled" })),
            "Rule without effect",
        ),
        (
            "aws_s3_bucket_lifecycle_configuration",
            rules(json!({ "id": "a", "status": "On", "expiration": [{ "days": 1 }] })),
            "must be one of",
        ),
    ] {
        let said = judged(kind, &given);
        assert!(said.contains(expected), "{kind} {given}: {said}");
    }
    assert_eq!(judged("aws_s3_bucket", &json!({ "bucket": "data.cern-1" })), "");
    assert_eq!(judged("aws_s3_object", &key(json!({}))), "");
}

#[tokio::test]
async fn settings_are_judged() {
    let steps = Steps::new(Aws::new(), "aws_s3_bucket.x");
    steps.write("empty", "");
    let nobody = json!({ "region": "eu-west-1", "profile": "nobody", "shared_credentials_files": ["empty"], "shared_config_files": ["empty"] });
    for (block, expected) in [
        (json!({ "access_key": "a" }), "they go together"),
        (json!({ "endpoints": { "s3": "localhost:8333" } }), "Invalid endpoint"),
        (json!({ "region": "eu-west-1", "custom_ca_bundle": "missing.pem" }), "Invalid certificates"),
        (nobody, "Missing credentials"),
    ] {
        let said = words(&steps.configure(&block).await.err().expect("it is wrong"));
        assert!(said.contains(expected), "{block}: {said}");
    }
}
