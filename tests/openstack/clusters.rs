//! Clusters of Magnum: made, scaled, failed, interrupted, removed.

use super::bed::{Bed, PUBLIC_KEY, listed, openstack, seen};

/// Labels of clusters that the driver of the test servers understands: how long things take, and what is to fail.
fn text(prefix: &str) -> String {
    format!(
        r#"
variable "nodes" {{
  default = 2
}}

variable "gpus" {{
  default = 1
}}

variable "labels" {{
  type    = map(string)
  default = {{}}
}}

resource "openstack_compute_keypair_v2" "key" {{
  name       = "{prefix}-key"
  public_key = "{PUBLIC_KEY}"
}}

resource "openstack_containerinfra_clustertemplate_v1" "kubernetes" {{
  name                = "{prefix}-template"
  image               = "fedora-coreos-test"
  coe                 = "kubernetes"
  flavor              = "m2.small"
  master_flavor       = "m2.medium"
  external_network_id = "external"
  keypair_id          = openstack_compute_keypair_v2.key.name
  network_driver      = "calico"
  labels = {{
    kube_tag = "v1.25.3"
  }}
}}

resource "openstack_containerinfra_cluster_v1" "cluster" {{
  name                = "{prefix}-cluster"
  cluster_template_id = openstack_containerinfra_clustertemplate_v1.kubernetes.id
  node_count          = var.nodes
  keypair             = openstack_compute_keypair_v2.key.name
  merge_labels        = true
  labels              = merge({{ test_delay = "3" }}, var.labels)
}}
"#
    )
}

const GROUPS: &str = r#"
resource "openstack_containerinfra_nodegroup_v1" "gpu" {
  name       = "gpu"
  cluster_id = openstack_containerinfra_cluster_v1.cluster.id
  flavor_id  = "g1.xlarge"
  node_count = var.gpus
}

resource "openstack_containerinfra_nodegroup_v1" "large" {
  name       = "large"
  cluster_id = openstack_containerinfra_cluster_v1.cluster.id
  flavor_id  = "m2.large"
}

data "openstack_containerinfra_clustertemplate_v1" "same" {
  name       = openstack_containerinfra_clustertemplate_v1.kubernetes.name
  depends_on = [openstack_containerinfra_clustertemplate_v1.kubernetes]
}

output "is_same" {
  value = data.openstack_containerinfra_clustertemplate_v1.same.id == openstack_containerinfra_clustertemplate_v1.kubernetes.id
}

output "authority" {
  value     = openstack_containerinfra_cluster_v1.cluster.kubeconfig["cluster_ca_certificate"]
  sensitive = true
}

output "certificate" {
  value     = openstack_containerinfra_cluster_v1.cluster.kubeconfig["client_certificate"]
  sensitive = true
}

output "kubeconfig" {
  value     = openstack_containerinfra_cluster_v1.cluster.kubeconfig["raw_config"]
  sensitive = true
}
"#;

fn nothing_is_left(prefix: &str) {
    for list in [&["coe", "cluster", "list"][..], &["coe", "cluster", "template", "list"], &["keypair", "list"]] {
        assert_eq!(listed(list, prefix), Vec::<String>::new(), "{list:?}");
    }
}

#[test]
fn a_cluster_from_the_first_apply_to_nothing() {
    let mut bed = Bed::new(&format!("{}{GROUPS}", text("cycle")));
    let applied = bed.apply();
    assert!(applied.contains("CREATE_IN_PROGRESS"), "it tells what goes on: {applied}");
    bed.has_no_changes();
    assert_eq!(bed.output("is_same"), "true");

    // The certificate is the authority's, and that of an administrator.
    for name in ["authority", "certificate"] {
        std::fs::write(bed.path(name), bed.output(name)).unwrap();
    }
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).current_dir(bed.path("")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(openssl(&["verify", "-CAfile", "authority", "certificate"]).contains("certificate: OK"));
    let subject = openssl(&["x509", "-in", "certificate", "-noout", "-subject"]);
    assert!(subject.contains("system:masters") && subject.contains("admin"), "{subject}");
    assert!(bed.output("kubeconfig").contains("client-key-data:"));

    // More nodes: of those that the cluster was made with, and of another group.
    bed.set("nodes", "3");
    bed.set("gpus", "2");
    bed.apply();
    bed.has_no_changes();
    let groups = seen(&["coe", "nodegroup", "list", "cycle-cluster"]);
    let count = |name: &str| {
        groups.as_array().unwrap().iter().find(|group| group["name"] == name).unwrap()["node_count"].clone()
    };
    assert_eq!((count("default-worker"), count("gpu"), count("large")), (3.into(), 2.into(), 1.into()));

    // Somebody else scales it.
    openstack(&["coe", "cluster", "resize", "cycle-cluster", "1"]);
    std::thread::sleep(std::time::Duration::from_secs(6));
    let planned = bed.plans();
    assert!(planned.contains("node_count"), "{planned}");
    bed.apply();
    bed.has_no_changes();

    bed.destroy();
    nothing_is_left("cycle");
}

#[test]
fn a_cluster_that_fails_says_why_and_is_replaced() {
    let mut bed = Bed::new(&text("failing"));
    bed.set("labels", "{ test_fail = \"create\" }");
    let said = bed.fails_to_apply();
    assert!(said.contains("CREATE_FAILED: test_fail label"), "{said}");
    bed.set("labels", "{}");
    bed.apply();
    bed.has_no_changes();
    assert_eq!(listed(&["coe", "cluster", "list"], "failing").len(), 1);
    bed.destroy();
    nothing_is_left("failing");
}

#[test]
fn a_cluster_outlives_the_run_that_made_it() {
    let mut bed = Bed::new(&text("killed"));
    bed.set("labels", "{ test_delay = \"12\" }");
    bed.killed_at("CREATE_IN_PROGRESS");
    let planned = bed.plans();
    assert!(planned.contains("its creation was interrupted"), "{planned}");
    bed.apply();
    bed.has_no_changes();
    assert_eq!(listed(&["coe", "cluster", "list"], "killed").len(), 1);

    // So does a removal.
    let mut command = bed.command_for("destroy");
    let mut child = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(5));
    child.kill().unwrap();
    child.wait().unwrap();
    bed.destroy();
    nothing_is_left("killed");
}
