//! Objects of buckets: what is there is what is given, whoever put it there and however its digest is written.

use std::sync::Arc;

use pipectl_provider::{Effect, Found, PlanRequest, Resource};
use pipectl_sim_oci::{COMPARTMENT, Effect as Effects, Fault, NAMESPACE};
use serde_json::{Value as Json, json};

use super::bed::{Bed, clock, config, done, read, text, words};

/// A bucket, and the kind of what is in it.
async fn bucket(bed: &Bed) -> Arc<dyn Resource> {
    let kinds = bed.kinds().await;
    let given = json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data" });
    bed.made(&*kinds.resources["oci_objectstorage_bucket"], &given, "bucket").await;
    Arc::clone(&kinds.resources["oci_objectstorage_object"])
}

fn object(name: &str, more: Json) -> Json {
    let mut given = json!({ "namespace": NAMESPACE, "bucket": "data", "object": name });
    let (Json::Object(members), Json::Object(more)) = (&mut given, more) else { panic!("both are objects") };
    members.extend(more);
    given
}

#[tokio::test]
async fn a_file_that_has_changed_is_sent_again() {
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    let given = object("rows.csv", json!({ "source": "rows.csv" }));
    bed.write("rows.csv", "a,b\n");
    let made = bed.made(&*objects, &given, "o1").await;
    // The same in another file is the same.
    bed.write("copy.csv", "a,b\n");
    let copy = object("rows.csv", json!({ "source": "copy.csv" }));
    assert_eq!(bed.plan(&*objects, &copy, Some(&made)).await.effect, Effect::NoOp);

    bed.write("rows.csv", "a,b\n1,2\n");
    let response = bed.plan(&*objects, &given, Some(&made)).await;
    assert_eq!(response.effect, Effect::Replace);
    assert!(response.reasons.iter().any(|reason| reason.text.contains("`source`")), "{:?}", response.reasons);
    assert_eq!(text(&bed.made(&*objects, &given, "o2").await, "content_length"), "8");
}

#[tokio::test]
async fn what_another_has_put_there_is_seen() {
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    let given = object("a", json!({ "content": "mine" }));
    let made = bed.made(&*objects, &given, "o1").await;
    done(bed.create(&*objects, &object("a", json!({ "content": "other" })), "o2").await);
    let seen = read(&*objects, &bed.cx("read"), &made).await.expect("it is there");
    let response = bed.plan(&*objects, &given, Some(&seen)).await;
    assert_eq!(response.effect, Effect::Replace);
    assert!(response.reasons.iter().any(|reason| reason.text.contains("`content`")), "{:?}", response.reasons);
}

#[tokio::test]
async fn what_is_imported_is_not_sent_again_and_never_emptied() {
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    bed.write("rows.csv", "a,b\n");
    let made = bed.made(&*objects, &object("dir/a b.csv", json!({ "source": "rows.csv" })), "o1").await;
    // Terraform's provider escapes the parts of an id, and so may who imports here.
    for id in [text(&made, "id"), &format!("n/{NAMESPACE}/b/data/o/dir%2Fa%20b.csv")] {
        let imported = objects.import(&bed.cx("import"), id).await.unwrap_or_else(|found| panic!("{}", words(&found)));
        let imported = imported.unwrap_or_else(|| panic!("{id} is there"));
        assert_eq!(text(&imported, "object"), "dir/a b.csv");
        for same in [json!({ "content": "a,b\n" }), json!({ "source": "rows.csv" })] {
            let response = bed.plan(&*objects, &object("dir/a b.csv", same), Some(&imported)).await;
            assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
        }
        // Nobody has its content, so that it cannot be made anew.
        let given = config(objects.schema(), &object("dir/a b.csv", json!({ "storage_tier": "InfrequentAccess" })));
        let address = bed.address.parse().expect("it is an address");
        let request =
            PlanRequest { address: &address, config: &given, prior: Some(&imported), drift: &[], replace: false };
        let refused = objects.plan(&bed.cx("plan"), request).await.expect_err("it would be empty then");
        assert!(words(&refused).contains("`dir/a b.csv` would be made anew"), "{}", words(&refused));
    }
    // A name that has a slash stands for itself.
    let made = bed.made(&*objects, &object("50%25/a", json!({ "content": "x" })), "o2").await;
    let imported = objects.import(&bed.cx("import"), text(&made, "id")).await.expect("it can be looked at");
    assert_eq!(text(&imported.expect("it is there"), "object"), "50%25/a");
}

#[tokio::test]
async fn a_digest_is_written_in_either_way() {
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    // Of `x`, as `md5` and as `base64` of its bytes gives it.
    for digest in ["9dd4e461268c8034f5c8564e155c67a6", "ndTkYSaMgDT1yFZOFVxnpg=="] {
        let given = object("a", json!({ "content": "x", "content_md5": digest }));
        let made = bed.made(&*objects, &given, digest).await;
        bed.removed(&*objects, &made).await;
    }
    let wrong = object("a", json!({ "content": "y", "content_md5": "9dd4e461268c8034f5c8564e155c67a6" }));
    let outcome = bed.create(&*objects, &wrong, "wrong").await;
    assert!(outcome.instance.is_none());
    assert!(words(&outcome.diagnostics).contains("UnmatchedContentMD5"), "{}", words(&outcome.diagnostics));
}

/// A file of two whole parts and a little, whose bytes repeat in no part.
fn large() -> String {
    let line = |number: usize| format!("{number:015}\n");
    (0..(2 << 20) + 1).map(line).collect()
}

fn uploads(bed: &Bed) -> usize {
    bed.server.objects().iter().filter(|object| object["kind"] == "upload").count()
}

#[tokio::test]
async fn a_large_file_is_sent_in_parts_whatever_answers_are_lost() {
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    bed.write("large", &large());
    let given = object("large", json!({ "source": "large", "metadata": { "rows": "2" }, "content_type": "text/csv" }));
    let lost = [("upload_part", 1), ("commit_multipart_upload", 0)].map(|(operation, skip)| Fault {
        operation: operation.to_owned(),
        skip,
        times: 1,
        effect: Effects::DropAfter,
    });
    bed.server.change(|settings| settings.faults = lost.to_vec());
    let made = bed.made(&*objects, &given, "o1").await;
    assert!(bed.server.settings().faults.is_empty(), "both answers were lost");
    let requests = bed.server.requests();
    assert_eq!(requests["upload_part"], 4, "three parts, one of them twice");
    assert_eq!((text(&made, "content_length"), uploads(&bed)), ("33554448", 0));
    assert_eq!(text(&made, "content_type"), "text/csv");
    let again =
        bed.plan(&*objects, &given, Some(&read(&*objects, &bed.cx("r"), &made).await.expect("it is there"))).await;
    assert_eq!(again.effect, Effect::NoOp, "{:?}", again.reasons);
    // The digest that it bears is that of the whole: an upload of the same bytes elsewhere is the same.
    bed.write("copy", &large());
    let copy = object("large", json!({ "source": "copy", "metadata": { "rows": "2" }, "content_type": "text/csv" }));
    assert_eq!(bed.plan(&*objects, &copy, Some(&made)).await.effect, Effect::NoOp);
    bed.write("large", &large().replacen("0001", "0002", 1));
    assert_eq!(bed.plan(&*objects, &given, Some(&made)).await.effect, Effect::Replace);
    bed.removed(&*objects, &made).await;
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_parts() {
    let refuse = |operation: &str| {
        let effect = Effects::Refuse { status: 403, code: "NotAllowed".to_owned(), message: "No.".to_owned() };
        Fault::next(operation, effect)
    };
    let bed = Bed::new();
    let objects = bucket(&bed).await;
    bed.write("large", &large());
    let given = object("large", json!({ "source": "large" }));
    bed.server.change(|settings| settings.faults = vec![refuse("upload_part")]);
    let outcome = bed.create(&*objects, &given, "o1").await;
    assert!(outcome.instance.is_none() && words(&outcome.diagnostics).contains("NotAllowed"));
    assert_eq!((bed.server.requests()["create_multipart_upload"], uploads(&bed)), (1, 0));

    // One that could not be cleared away, as if the run had been killed: the next run finds it by what was recorded.
    bed.server.change(|settings| settings.faults = vec![refuse("upload_part"), refuse("abort_multipart_upload")]);
    bed.create(&*objects, &given, "o2").await;
    assert_eq!(uploads(&bed), 1);
    let intent = bed.intent(&*objects, &given, "o2", clock()).await;
    let kinds = bed.kinds().await;
    let objects = &*kinds.resources["oci_objectstorage_object"];
    let found = objects.find(&bed.cx("o2"), &intent).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    assert!(matches!(found, Found::None), "{found:?}");
    assert_eq!(uploads(&bed), 0, "its parts are gone");

    // What is not what was meant is not sent at all.
    let wrong = object("large", json!({ "source": "large", "content_md5": "9dd4e461268c8034f5c8564e155c67a6" }));
    let before = bed.server.requests()["create_multipart_upload"];
    let outcome = bed.create(objects, &wrong, "o3").await;
    assert!(words(&outcome.diagnostics).contains("`content_md5` says"), "{}", words(&outcome.diagnostics));
    assert_eq!(bed.server.requests()["create_multipart_upload"], before);
    // A bucket that is not there is told at once.
    let nowhere = json!({ "namespace": NAMESPACE, "bucket": "none", "object": "large", "source": "large" });
    let outcome = bed.create(objects, &nowhere, "o4").await;
    assert!(words(&outcome.diagnostics).contains("BucketNotFound"), "{}", words(&outcome.diagnostics));
    assert_eq!(bed.server.requests()["create_multipart_upload"], before + 1);
}
