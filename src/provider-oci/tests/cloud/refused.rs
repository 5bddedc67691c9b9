//! Calls that OCI refuses, or whose answer is lost: what was done is done once, and what is there is not forgotten.

use std::time::Duration;

use pipectl_provider::{Effect as Effects, Found, Instance, Intent, Resource};
use pipectl_sim_oci::{COMPARTMENT, Effect, Fault, NAMESPACE, WorkRequestFailure};
use serde_json::{Value as Json, json};

use super::bed::{Bed, clock, config, done, planned, read, text, words};

fn refuse(operation: &str, status: u16, code: &str) -> Fault {
    Fault::next(operation, Effect::Refuse { status, code: code.to_owned(), message: "It is refused.".to_owned() })
}

async fn found(bed: &Bed, kind: &dyn Resource, intent: &Intent) -> Found {
    kind.find(&bed.cx(&intent.token), intent).await.unwrap_or_else(|found| panic!("{}", words(&found)))
}

async fn vcn(bed: &Bed, kind: &dyn Resource) -> Instance {
    bed.made(kind, &json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" }), "network").await
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_not_somebody_elses() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (vcns, buckets) = (&*kinds.resources["oci_core_vcn"], &*kinds.resources["oci_objectstorage_bucket"]);
    let mut given = json!({ "compartment_id": COMPARTMENT, "cidr_blocks": ["10.0.0.0/16"], "display_name": "a" });
    let network = bed.made(vcns, &given, "t1").await;
    given["display_name"] = json!("b");
    given["cidr_blocks"] = json!(["10.1.0.0/16", "10.0.0.0/16"]);
    let lost = ["update_vcn", "add_vcn_cidr"].map(|operation| Fault::next(operation, Effect::DropAfter));
    bed.server.change(|settings| settings.faults = lost.to_vec());
    let network = bed.changed(vcns, &given, &network, "t2").await;
    assert!(bed.server.settings().faults.is_empty(), "both answers were lost");
    assert_eq!(text(&network, "display_name"), "b");

    let mut bucket = json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data" });
    let made = bed.made(buckets, &bucket, "b1").await;
    bucket["metadata"] = json!({ "a": "b" });
    bed.server.change(|settings| settings.faults = vec![Fault::next("update_bucket", Effect::DropAfter)]);
    bed.changed(buckets, &bucket, &made, "b2").await;
    assert!(bed.server.settings().faults.is_empty());

    // What somebody else has changed is told as that.
    given["display_name"] = json!("c");
    bed.server.change(|settings| settings.faults = vec![refuse("update_vcn", 412, "NoEtagMatch")]);
    let response = bed.plan(vcns, &given, Some(&network)).await;
    let outcome = vcns.update(&bed.cx("t3"), &network, &planned(vcns, response)).await;
    assert!(words(&outcome.diagnostics).contains("Somebody else has changed it"), "{}", words(&outcome.diagnostics));
}

#[tokio::test]
async fn an_object_with_other_rules_is_not_the_one_of_a_lost_call() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let network = vcn(&bed, &*kinds.resources["oci_core_vcn"]).await;
    let lists = &*kinds.resources["oci_core_security_list"];
    let open = |ports: &[u16]| {
        let rules: Vec<Json> = ports
            .iter()
            .map(
                |port| json!({ "source": "10.0.0.0/16", "protocol": "6", "tcp_options": { "min": port, "max": port } }),
            )
            .collect();
        json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&network, "id"), "display_name": "a", "ingress_security_rules": rules })
    };
    let began = clock() - Duration::from_secs(5);
    done(bed.create(lists, &open(&[22]), "l1").await);
    let mut intent = bed.intent(lists, &open(&[443, 80]), "l2", began).await;
    intent.recorded = Json::Null;
    // A process that knows nothing of the calls.
    let kinds = bed.kinds().await;
    let lists = &*kinds.resources["oci_core_security_list"];
    assert!(matches!(found(&bed, lists, &intent).await, Found::None), "it has other rules");
    let made = done(bed.create(lists, &open(&[80, 443]), "l3").await);
    match found(&bed, lists, &intent).await {
        Found::One(found) => assert_eq!(text(&found, "id"), text(&made, "id"), "whatever the order of rules"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn options_that_are_given_no_more_are_taken_away() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let network = vcn(&bed, &*kinds.resources["oci_core_vcn"]).await;
    let group = json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&network, "id") });
    let group = bed.made(&*kinds.resources["oci_core_network_security_group"], &group, "g1").await;
    let rules = &*kinds.resources["oci_core_network_security_group_security_rule"];
    let mut given = json!({ "network_security_group_id": text(&group, "id"), "direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16",
        "tcp_options": { "destination_port_range": { "min": 443, "max": 443 } } });
    let rule = bed.made(rules, &given, "h1").await;
    given["tcp_options"] = json!([]);
    let rule = bed.changed(rules, &given, &rule, "h2").await;
    assert_eq!(rule.attributes.attribute("tcp_options").and_then(|blocks| blocks.as_slice()).map(<[_]>::len), Some(0));
}

#[tokio::test]
async fn an_upload_that_was_lost_is_not_what_was_there_before() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let bucket = json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data" });
    bed.made(&*kinds.resources["oci_objectstorage_bucket"], &bucket, "b1").await;
    let objects = &*kinds.resources["oci_objectstorage_object"];
    let file =
        |content: &str| json!({ "namespace": NAMESPACE, "bucket": "data", "object": "a.csv", "content": content });
    bed.made(objects, &file("old"), "o1").await;
    let intent = bed.intent(objects, &file("new"), "o2", clock()).await;
    assert!(matches!(found(&bed, objects, &intent).await, Found::None), "the old content is there");
    let made = bed.made(objects, &file("new"), "o2").await;
    match found(&bed, objects, &intent).await {
        Found::One(found) => assert_eq!(text(&found, "content_md5"), text(&made, "content_md5")),
        other => panic!("{other:?}"),
    }
    // An upload is sent again until it has come through.
    let kinds = bed.configure(json!({ "disable_auto_retries": true })).await;
    let kinds = kinds.unwrap_or_else(|found| panic!("{}", words(&found)));
    let objects = &*kinds.resources["oci_objectstorage_object"];
    bed.server.change(|settings| settings.faults = vec![Fault::next("put_object", Effect::DropAfter)]);
    assert!(bed.create(objects, &file("newer"), "o3").await.instance.is_none());
    bed.made(objects, &file("newer"), "o3").await;
}

#[tokio::test]
async fn names_and_metadata_that_cannot_be_kept_are_refused() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (buckets, objects) =
        (&*kinds.resources["oci_objectstorage_bucket"], &*kinds.resources["oci_objectstorage_object"]);
    for (name, metadata, expected) in [
        (".", json!({}), Some("Invalid name")),
        ("..", json!({}), Some("Invalid name")),
        ("", json!({}), Some("Invalid name")),
        ("...", json!({}), None),
        ("a/../b", json!({ "rows": "1" }), None),
        ("a", json!({ "Rows": "1" }), Some("small letters")),
        ("a", json!({ "rows": "\u{e4}" }), Some("ASCII")),
    ] {
        let given = json!({ "namespace": NAMESPACE, "bucket": "data", "object": name, "metadata": metadata });
        let said = words(&objects.validate(&config(objects.schema(), &given)));
        assert!(expected.map_or(said.is_empty(), |expected| said.contains(expected)), "{name}: {said}");
    }
    let given =
        json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "..", "defined_tags": { "a": "b" } });
    let said = words(&buckets.validate(&config(buckets.schema(), &given)));
    assert!(said.contains("Invalid name") && said.contains("`a` has no namespace"), "{said}");
}

#[tokio::test]
async fn what_may_not_be_removed_is_not_gone() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (vcns, buckets) = (&*kinds.resources["oci_core_vcn"], &*kinds.resources["oci_objectstorage_bucket"]);
    let network = vcn(&bed, vcns).await;
    let bucket = json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data" });
    let bucket = bed.made(buckets, &bucket, "b1").await;
    let objects = &*kinds.resources["oci_objectstorage_object"];
    let file = json!({ "namespace": NAMESPACE, "bucket": "data", "object": "a", "content": "x" });
    let object = bed.made(objects, &file, "o1").await;
    for (kind, instance, operation) in
        [(vcns, &network, "delete_vcn"), (buckets, &bucket, "delete_bucket"), (objects, &object, "delete_object")]
    {
        bed.server.change(|settings| settings.faults = vec![refuse(operation, 404, "NotAuthorizedOrNotFound")]);
        let outcome = kind.delete(&bed.cx("d1"), instance).await;
        assert!(outcome.instance.is_some(), "{operation}: it is still there");
        assert!(words(&outcome.diagnostics).contains("policies"), "{}", words(&outcome.diagnostics));
        assert!(read(kind, &bed.cx("r1"), instance).await.is_some());
    }
    // What does not pass by itself is not waited for.
    let outcome = buckets.delete(&bed.cx("d2"), &bucket).await;
    assert!(words(&outcome.diagnostics).contains("bulk-delete-versions"), "{}", words(&outcome.diagnostics));
    bed.removed(objects, &object).await;
    bed.removed(buckets, &bucket).await;
    bed.removed(vcns, &network).await;
}

#[tokio::test]
async fn what_is_gone_is_made_anew_by_the_same_call() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let first = bed.made(vcns, &given, "t1").await;
    bed.removed(vcns, &first).await;
    let second = bed.made(vcns, &given, "t1").await;
    assert_ne!(text(&first, "id"), text(&second, "id"));
    // As often as it is sent now, it is this one.
    assert_eq!(text(&done(bed.create(vcns, &given, "t1").await), "id"), text(&second, "id"));

    let clusters = &*kinds.resources["oci_containerengine_cluster"];
    let given = json!({ "compartment_id": COMPARTMENT, "name": "a", "vcn_id": text(&second, "id"), "kubernetes_version": "v1.33.1" });
    let first = bed.made(clusters, &given, "c1").await;
    // Why it stays is told.
    let failure = WorkRequestFailure::next("CLUSTER_DELETE", "Busy", "A load balancer is left.");
    bed.server.change(|settings| settings.work_request_failures = vec![failure]);
    let outcome = clusters.delete(&bed.cx("d1"), &first).await;
    assert!(words(&outcome.diagnostics).contains("A load balancer is left"), "{}", words(&outcome.diagnostics));
    bed.removed(clusters, &first).await;
    let second = bed.made(clusters, &given, "c1").await;
    assert_ne!(text(&first, "id"), text(&second, "id"));
}

#[tokio::test]
async fn a_default_that_is_spelled_out_changes_nothing() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    let mut given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let network = bed.made(vcns, &given, "t1").await;
    given["is_ipv6enabled"] = json!(false);
    given["is_oracle_gua_allocation_enabled"] = json!(false);
    given["defined_tags"] = json!({});
    let response = bed.plan(vcns, &given, Some(&network)).await;
    assert_eq!(response.effect, Effects::NoOp, "{:?}", response.reasons);
    given["is_ipv6enabled"] = json!(true);
    let response = bed.plan(vcns, &given, Some(&network)).await;
    assert_eq!(response.effect, Effects::Update, "a network is not removed for it");
    let outcome = vcns.update(&bed.cx("t2"), &network, &planned(vcns, response)).await;
    assert!(words(&outcome.diagnostics).contains("add-ipv6-vcn-cidr"), "{}", words(&outcome.diagnostics));
}
