//! A training's infrastructure: made, changed, replaced, repaired, removed.

use pipectl_sim_oci::WorkRequestFailure;

use super::bed::Bed;

#[test]
fn an_infrastructure_lives() {
    let mut bed = Bed::new();
    bed.apply();
    assert_eq!(["vcn", "cluster", "nodepool"].map(|kind| bed.count(kind)), [1, 1, 1], "{:?}", bed.server.objects());
    bed.has_no_changes();
    assert!(bed.apply().contains("0 added, 0 changed, 0 destroyed"));

    // More nodes, in their place.
    let (cluster, pool) = (bed.output("cluster"), bed.output("pool"));
    bed.set("nodes", "3");
    bed.apply();
    assert_eq!((bed.output("nodes").as_str(), bed.output("pool")), ("3", pool));
    bed.has_no_changes();

    // What cannot be changed is made anew, with all that stands on it.
    bed.set("label", "other");
    let planned = bed.plans();
    assert!(planned.contains("`dns_label`") && planned.contains("must be replaced"), "{planned}");
    bed.apply();
    assert_ne!(bed.output("cluster"), cluster);
    assert_eq!(["vcn", "cluster", "nodepool"].map(|kind| bed.count(kind)), [1, 1, 1], "{:?}", bed.server.objects());
    bed.has_no_changes();
    bed.destroy();
}

#[test]
fn what_another_has_changed_is_seen_and_repaired() {
    let bed = Bed::new();
    bed.apply();
    // Another root with the same cloud, whose state is a copy, does what it likes.
    let mut other = bed.twin();
    other.set("nodes", "2");
    other.set("content", "z\n");
    other.apply();
    let planned = bed.plans();
    assert!(planned.contains("oci_containerengine_node_pool.cpu"), "{planned}");
    bed.apply();
    assert_eq!(bed.output("nodes"), "1");
    bed.has_no_changes();
    bed.destroy();
}

#[test]
fn a_cluster_that_fails_says_why() {
    let bed = Bed::new();
    let failure = WorkRequestFailure::next("CLUSTER_CREATE", "LimitExceeded", "The limit of clusters is reached.");
    bed.server.change(|settings| settings.work_request_failures = vec![failure]);
    let said = bed.fails_to_apply();
    assert!(said.contains("The limit of clusters is reached (LimitExceeded)"), "{said}");
    // The next run makes it anew.
    bed.apply();
    assert_eq!(bed.count("cluster"), 1, "{:?}", bed.server.objects());
    bed.has_no_changes();
    bed.destroy();
}
