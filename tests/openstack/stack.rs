//! `stacks/cern-openstack` with the modules that it is made of: made, scaled, removed, as the `openstack` command sees it.

use super::bed::{Bed, PUBLIC_KEY, listed, seen};

/// What somebody else has made at CERN: a template, and a key pair.
const GIVEN: &str = r#"
resource "openstack_containerinfra_clustertemplate_v1" "kubernetes" {
  name                = "stack-template"
  image               = "fedora-coreos-test"
  coe                 = "kubernetes"
  flavor              = "m2.small"
  master_flavor       = "m2.medium"
  external_network_id = "external"
  network_driver      = "calico"
  labels = {
    kube_tag   = "v1.25.3"
    test_delay = "1"
  }
}
"#;

#[test]
fn the_stack_lives() {
    let key = format!(
        "resource \"openstack_compute_keypair_v2\" \"key\" {{\n  name       = \"stack-key\"\n  public_key = \"{PUBLIC_KEY}\"\n}}\n"
    );
    let given = Bed::new(&format!("{GIVEN}\n{key}"));
    given.apply();
    let mut bed = Bed::of_stack();
    for (name, value) in
        [("name", "stack-training"), ("template", "stack-template"), ("keypair", "stack-key"), ("flavor", "m2.small")]
    {
        bed.set(name, value);
    }
    bed.set("pools", "{ cpu = { flavor = \"m2.large\", size = 2 } }");
    bed.apply();
    bed.has_no_changes();
    assert!(bed.output("kubeconfig").contains("client-key-data:"));
    let cluster = bed.output("cluster_id");
    assert_eq!(groups(), [("cpu".to_owned(), 2), ("default-worker".to_owned(), 1)]);

    // A pool of GPUs joins, and the other shrinks.
    bed.set("pools", "{ cpu = { flavor = \"m2.large\", size = 1 }, gpu = { flavor = \"g1.xlarge\", size = 1 } }");
    bed.apply();
    bed.has_no_changes();
    assert_eq!(groups(), [("cpu".to_owned(), 1), ("default-worker".to_owned(), 1), ("gpu".to_owned(), 1)]);
    assert_eq!(bed.output("cluster_id"), cluster);
    bed.destroy();
    assert_eq!(listed(&["coe", "cluster", "list"], "stack"), Vec::<String>::new());
    given.destroy();
}

/// The groups of workers, and how many each has.
fn groups() -> Vec<(String, i64)> {
    let found = seen(&["coe", "nodegroup", "list", "stack-training"]);
    let each = found.as_array().expect("it is a list").iter();
    let mut groups: Vec<(String, i64)> = each
        .filter_map(|group| Some((group["name"].as_str()?.to_owned(), group["node_count"].as_i64()?)))
        .filter(|(name, _)| name != "default-master")
        .collect();
    groups.sort();
    groups
}
