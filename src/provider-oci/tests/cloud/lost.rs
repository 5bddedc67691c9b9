//! Who asks, and answers that were lost: nothing is made twice.

use pipectl_provider::Found;
use pipectl_sim_oci::{COMPARTMENT, Effect, Fault};
use serde_json::json;

use super::bed::{Bed, clock, done, text, words};

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16", "display_name": "a" });
    bed.server.change(|settings| settings.faults = vec![Fault::next("create_vcn", Effect::DropAfter)]);
    let made = done(bed.create(vcns, &given, "t1").await);
    assert_eq!(
        bed.server.objects().iter().filter(|object| object.to_string().contains("ocid1.vcn.")).count(),
        1,
        "{:?}",
        bed.server.objects()
    );
    // A run that was killed before it heard of it finds it.
    let began = clock() - std::time::Duration::from_secs(30);
    let intent = bed.intent(vcns, &given, "t1", began).await;
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    match vcns.find(&bed.cx("t1"), &intent).await.unwrap() {
        Found::One(found) => assert_eq!(text(&found, "id"), text(&made, "id")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_wrong_with_who_asks_is_told() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    bed.server.change(|settings| settings.clock_offset_seconds = 3600);
    let said = words(&bed.create(&*kinds.resources["oci_core_vcn"], &given, "t1").await.diagnostics);
    assert!(said.contains("Clock is wrong") && said.contains("minutes behind OCI's"), "{said}");
    bed.server.change(|settings| settings.clock_offset_seconds = 0);

    let other = json!({ "fingerprint": "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff" });
    let kinds = bed.configure(other).await.unwrap();
    let said = words(&bed.create(&*kinds.resources["oci_core_vcn"], &given, "t2").await.diagnostics);
    assert!(said.contains("(NotAuthenticated)") && said.contains("openssl rsa -pubout"), "{said}");

    for (block, expected) in [
        (json!({ "auth": "Magic" }), "Unknown kind of credentials"),
        (json!({ "config_file_profile": "nobody" }), "has no profile `nobody`; it has: DEFAULT"),
        (json!({ "private_key_path": "missing.pem" }), "Unreadable private key"),
        (json!({ "private_key": "nothing" }), "Invalid private key"),
        (json!({ "auth": "SecurityToken" }), "no `security_token_file`"),
        (json!({ "auth": "OKEWorkloadIdentity" }), "KUBERNETES_SERVICE_HOST is not set"),
        (json!({ "auth": "ResourcePrincipal" }), "OCI_RESOURCE_PRINCIPAL_VERSION is not set"),
    ] {
        let said = words(&bed.configure(block).await.err().unwrap());
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn an_instance_of_oci_asks_for_itself() {
    let mut bed = Bed::new();
    let metadata = bed.server.instance_metadata();
    bed.variables.insert("OCI_METADATA_BASE_URL".to_owned(), metadata);
    let kinds =
        bed.configure(json!({ "auth": "InstancePrincipal" })).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    done(bed.create(&*kinds.resources["oci_core_vcn"], &given, "t1").await);
}
