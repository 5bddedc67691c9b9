//! `stacks/oci` with the modules that it is made of: made, scaled, removed.

use super::bed::Bed;

const KINDS: [&str; 5] = ["vcn", "cluster", "nodepool", "bucket", "subnet"];

#[test]
fn the_stack_lives() {
    let mut bed = Bed::of_stack();
    bed.apply();
    assert_eq!(KINDS.map(|kind| bed.count(kind)), [1, 1, 2, 1, 2], "{:?}", bed.server.objects());
    assert_eq!(bed.output_json("nodes"), serde_json::json!({"cpu": 2, "gpu": 0}));
    assert!(bed.output("endpoint").starts_with("https://10.0."));
    assert!(bed.output("kubeconfig").contains("clusters:"));
    bed.has_no_changes();

    // A GPU is asked for, and the endpoint is opened to somebody.
    let cluster = bed.output("cluster_id");
    let cpu = r#"cpu = { shape = "VM.Standard.E4.Flex", size = 1, ocpus = 16, memory_in_gbs = 128 }"#;
    bed.set("pools", &format!(r#"{{ {cpu}, gpu = {{ shape = "VM.GPU.A10.1", size = 1 }} }}"#));
    bed.apply();
    assert_eq!(bed.output_json("nodes"), serde_json::json!({"cpu": 1, "gpu": 1}));
    assert_eq!(bed.output("cluster_id"), cluster);
    bed.has_no_changes();
    bed.destroy();
}

#[test]
fn a_version_without_an_image_is_told_before_anything_is_made() {
    let mut bed = Bed::of_stack();
    bed.set("pools", r#"{ gpu = { shape = "VM.GPU.A10.1", size = 1 } }"#);
    bed.set("kubernetes_version", "v1.34.1");
    let said = bed.fails_to_apply();
    assert!(said.contains("OKE has no image of v1.34.1 for nodes of the shape VM.GPU.A10.1."), "{said}");
    assert_eq!(bed.count("cluster"), 0, "{:?}", bed.server.objects());
}

#[test]
fn an_endpoint_that_somebody_may_reach_has_a_way_to_it() {
    let mut bed = Bed::of_stack();
    bed.set("allowed", r#"["192.0.2.0/24"]"#);
    bed.set("pools", "{}");
    bed.apply();
    let endpoint = bed.output("endpoint");
    assert!(endpoint.starts_with("https://") && !endpoint.starts_with("https://10.0."), "{endpoint}");
    bed.has_no_changes();
    bed.destroy();
}
