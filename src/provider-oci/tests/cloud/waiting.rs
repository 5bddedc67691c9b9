//! Waiting: for what is in the way, for what is not to be seen yet, and for nobody else.

use std::time::{Duration, Instant};

use pipectl_sim_oci::{COMPARTMENT, Effect, Fault, NAMESPACE};
use serde_json::json;

use super::bed::{Bed, done, planned, text, words};

/// For as long as replicas may not know of it.
const LAG: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn what_was_made_a_moment_ago_is_waited_for_where_it_is_not_known_yet() {
    let bed = Bed::new();
    bed.server.change(|settings| settings.visible_after_ms = 2500);
    let kinds = bed.kinds().await;
    let of = |name: &str| &*kinds.resources[name];
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let network = done(bed.create(of("oci_core_vcn"), &given, "v").await);
    let began = Instant::now();
    for number in 0..3 {
        let given = json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&network, "id"), "cidr_block": format!("10.0.{number}.0/24") });
        done(bed.create(of("oci_core_subnet"), &given, &format!("s{number}")).await);
    }
    assert!(began.elapsed() > LAG / 2, "a replica that does not know the network has answered");
    let given = json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&network, "id"), "display_name": "g" });
    let group = done(bed.create(of("oci_core_network_security_group"), &given, "g").await);
    let given = json!({ "network_security_group_id": text(&group, "id"), "direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16" });
    done(bed.create(of("oci_core_network_security_group_security_rule"), &given, "r").await);
    let given = json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data" });
    done(bed.create(of("oci_objectstorage_bucket"), &given, "b").await);
    let given = json!({ "namespace": NAMESPACE, "bucket": "data", "object": "a", "content": "x" });
    done(bed.create(of("oci_objectstorage_object"), &given, "o").await);
}

#[tokio::test]
async fn what_is_in_the_way_may_leave_another_version_behind() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    let mut given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16", "display_name": "a" });
    let network = bed.made(vcns, &given, "v").await;
    given["display_name"] = json!("b");
    let response = bed.plan(vcns, &given, Some(&network)).await;
    let conflict =
        Effect::Refuse { status: 409, code: "Conflict".to_owned(), message: "It is being modified.".to_owned() };
    bed.server.change(|settings| settings.faults = vec![Fault::next("update_vcn", conflict)]);
    let (cx, wanted) = (bed.cx("u"), planned(vcns, response));
    let others = async {
        while !bed.server.settings().faults.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The operation that is in the way changes it, too.
        let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16", "display_name": "a", "freeform_tags": { "by": "other" } });
        let response = bed.plan(vcns, &given, Some(&network)).await;
        done(vcns.update(&bed.cx("o"), &network, &planned(vcns, response)).await)
    };
    let (changed, _) = tokio::join!(vcns.update(&cx, &network, &wanted), others);
    assert_eq!(text(&done(changed), "display_name"), "b");
}

#[tokio::test]
async fn what_is_not_there_at_all_is_told_at_once() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let of = |name: &str| &*kinds.resources[name];
    // What was made a moment ago is something else.
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let network = bed.made(of("oci_core_vcn"), &given, "v").await;
    let refused = |operation: &str| {
        let log = bed.server.log();
        log.iter().filter(|logged| logged.operation == operation && logged.status == 404).count()
    };
    let subnet = |vcn: &str| json!({ "compartment_id": COMPARTMENT, "vcn_id": vcn, "cidr_block": "10.0.0.0/24" });
    let outcome = bed.create(of("oci_core_subnet"), &subnet("ocid1.vcn.oc1..none"), "s").await;
    assert!(words(&outcome.diagnostics).contains("NotAuthorizedOrNotFound"), "{}", words(&outcome.diagnostics));
    assert_eq!(refused("create_subnet"), 1, "it is asked for once");
    let given = json!({ "namespace": NAMESPACE, "bucket": "none", "object": "a", "content": "x" });
    let outcome = bed.create(of("oci_objectstorage_object"), &given, "o").await;
    assert!(words(&outcome.diagnostics).contains("BucketNotFound"), "{}", words(&outcome.diagnostics));
    assert_eq!(refused("put_object"), 1, "it is asked for once");
    let given = json!({ "network_security_group_id": "ocid1.networksecuritygroup.oc1..none", "direction": "INGRESS", "protocol": "6",
        "source": "10.0.0.0/16" });
    let outcome = bed.create(of("oci_core_network_security_group_security_rule"), &given, "r").await;
    assert!(words(&outcome.diagnostics).contains("NotAuthorizedOrNotFound"), "{}", words(&outcome.diagnostics));
    let log = bed.server.log();
    let asked = log.iter().filter(|logged| logged.operation.starts_with("add_network_security_group"));
    assert_eq!(asked.count(), 1, "it is asked for once");

    // What was made here a moment ago is waited for, where a service does not know it yet.
    let refusal = Effect::Refuse {
        status: 404,
        code: "NotAuthorizedOrNotFound".to_owned(),
        message: "It is not there.".to_owned(),
    };
    bed.server.change(|settings| settings.faults = vec![Fault::next("create_subnet", refusal)]);
    done(bed.create(of("oci_core_subnet"), &subnet(text(&network, "id")), "s2").await);
    assert_eq!(refused("create_subnet"), 2);
}
