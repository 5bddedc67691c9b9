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
async fn what_is_not_there_at_all_is_waited_for_in_vain() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let given = json!({ "compartment_id": COMPARTMENT, "vcn_id": "ocid1.vcn.oc1..none", "cidr_block": "10.0.0.0/24" });
    let began = Instant::now();
    let outcome = bed.create(&*kinds.resources["oci_core_subnet"], &given, "s").await;
    assert!(words(&outcome.diagnostics).contains("NotAuthorizedOrNotFound"), "{}", words(&outcome.diagnostics));
    assert!(began.elapsed() < Duration::from_secs(40), "not for ever");
}
