//! Clusters, node pools and instances: long operations, their failures, and the ways to reach what they make.

use pipectl_provider::{Effect, Found};
use pipectl_sim_oci::{COMPARTMENT, Fault, WorkRequestFailure};
use serde_json::json;

use super::bed::{Bed, clock, first, looked, network, text, words};

#[tokio::test]
async fn a_cluster_lives() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let of = |name: &str| std::sync::Arc::clone(&kinds.resources[name]);
    let (vcn, subnet) = network(&bed, of).await;
    let options = looked(
        &bed,
        &*kinds.data_sources["oci_containerengine_node_pool_option"],
        json!({ "node_pool_option_id": "all" }),
    )
    .await;
    let versions: Vec<String> = options
        .attribute("kubernetes_versions")
        .unwrap()
        .as_slice()
        .unwrap()
        .iter()
        .map(|version| version.as_str().unwrap().to_owned())
        .collect();
    let version = versions[0].clone();
    let domains = looked(
        &bed,
        &*kinds.data_sources["oci_identity_availability_domains"],
        json!({ "compartment_id": COMPARTMENT }),
    )
    .await;
    let (clusters, pools) = (of("oci_containerengine_cluster"), of("oci_containerengine_node_pool"));
    let given = json!({ "compartment_id": COMPARTMENT, "name": "training", "vcn_id": vcn, "kubernetes_version": version,
        "endpoint_config": { "subnet_id": subnet, "is_public_ip_enabled": true },
        "cluster_pod_network_options": [{ "cni_type": "FLANNEL_OVERLAY" }] });
    // One that fails says why.
    let failure = WorkRequestFailure::next("CLUSTER_CREATE", "LimitExceeded", "No clusters are left.");
    bed.server.change(|settings| settings.work_request_failures = vec![failure]);
    let outcome = bed.create(&*clusters, &given, "c0").await;
    assert!(
        words(&outcome.diagnostics).contains("No clusters are left (LimitExceeded)"),
        "{}",
        words(&outcome.diagnostics)
    );

    let cluster = bed.made(&*clusters, &given, "c1").await;
    assert_eq!(text(&cluster, "state"), "ACTIVE");
    assert!(text(&cluster, "kubeconfig").contains("apiVersion: v1"));
    let kubeconfig = looked(
        &bed,
        &*kinds.data_sources["oci_containerengine_cluster_kube_config"],
        json!({ "cluster_id": text(&cluster, "id") }),
    )
    .await;
    assert!(kubeconfig.attribute("content").unwrap().as_str().unwrap().contains("apiVersion: v1"));

    let mut pool = json!({ "compartment_id": COMPARTMENT, "cluster_id": text(&cluster, "id"), "name": "cpu", "node_shape": "VM.Standard.E4.Flex",
        "kubernetes_version": version, "node_shape_config": { "ocpus": 2, "memory_in_gbs": 16 },
        "node_source_details": { "source_type": "IMAGE", "image_id": first(&options, "sources", "image_id") },
        "node_config_details": { "size": 1, "placement_configs": [{ "availability_domain": first(&domains, "availability_domains", "name"), "subnet_id": subnet }] } });
    let made = bed.made(&*pools, &pool, "p1").await;
    // Its id is known while it is made: a run that is killed then is gone on with.
    assert_eq!(bed.recorded.lock().unwrap()["id"], json!(text(&made, "id")));
    // One that was killed before it knew the id finds the pool, because it was not there before.
    let began = clock() - std::time::Duration::from_secs(30);
    let mut intent = bed.intent(&*pools, &pool, "p1", began).await;
    intent.recorded = json!({ "before": [] });
    let again = bed.kinds().await;
    let found = again.resources["oci_containerengine_node_pool"].find(&bed.cx("p1"), &intent).await;
    match found.unwrap_or_else(|found| panic!("{}", words(&found))) {
        Found::One(found) => assert_eq!(text(&found, "id"), text(&made, "id")),
        other => panic!("{other:?}"),
    }
    intent.recorded = json!({ "before": [text(&made, "id")] });
    let found = again.resources["oci_containerengine_node_pool"].find(&bed.cx("p1"), &intent).await;
    assert!(matches!(found.unwrap_or_else(|found| panic!("{}", words(&found))), Found::None), "it was there before");
    // A change whose answer is lost is waited for.
    bed.server
        .change(|settings| settings.faults = vec![Fault::next("update_node_pool", pipectl_sim_oci::Effect::DropAfter)]);
    pool["node_config_details"]["size"] = json!(3);
    let made = bed.changed(&*pools, &pool, &made, "p2").await;
    assert_eq!(made.attributes.attribute("nodes").unwrap().as_slice().unwrap().len(), 3);
    bed.removed(&*pools, &made).await;
    bed.removed(&*clusters, &cluster).await;
}

#[tokio::test]
async fn an_interrupted_cluster_is_found_by_its_work_request() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let of = |name: &str| std::sync::Arc::clone(&kinds.resources[name]);
    let (vcn, _) = network(&bed, of).await;
    let clusters = of("oci_containerengine_cluster");
    let options = looked(
        &bed,
        &*kinds.data_sources["oci_containerengine_node_pool_option"],
        json!({ "node_pool_option_id": "all" }),
    )
    .await;
    let version = options.attribute("kubernetes_versions").unwrap().as_slice().unwrap()[0].as_str().unwrap().to_owned();
    let given =
        json!({ "compartment_id": COMPARTMENT, "name": "training", "vcn_id": vcn, "kubernetes_version": version });
    bed.server.change(|settings| settings.cluster_ms = 2000);
    let began = clock();
    // Killed when the work request is known and the cluster is not.
    let cx = bed.cx("c1");
    let response = bed.plan(&*clusters, &given, None).await;
    let new = super::bed::planned(&*clusters, response);
    tokio::select! {
        outcome = clusters.create(&cx, &new) => panic!("{outcome:?}"),
        () = async { while !bed.recorded.lock().unwrap().to_string().contains("cluster") { tokio::time::sleep(std::time::Duration::from_millis(10)).await; } } => {}
    }
    // Another process, which knows nothing of the call but what was recorded.
    let kinds = bed.kinds().await;
    let clusters = std::sync::Arc::clone(&kinds.resources["oci_containerengine_cluster"]);
    let intent = bed.intent(&*clusters, &given, "c1", began).await;
    let found = clusters.find(&bed.cx("c1"), &intent).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    let Found::One(found) = found else { panic!("{found:?}") };
    let response = bed.plan(&*clusters, &given, Some(&found)).await;
    assert_eq!(response.effect, Effect::Update, "it is brought to an end: {:?}", response.reasons);
    let whole =
        super::bed::done(clusters.update(&bed.cx("c2"), &found, &super::bed::planned(&*clusters, response)).await);
    let seen = super::bed::read(&*clusters, &bed.cx("read"), &whole).await.unwrap();
    let response = bed.plan(&*clusters, &given, Some(&seen)).await;
    assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
    assert_eq!(bed.server.requests().get("create_cluster"), Some(&1), "{:?}", bed.server.requests());
}

#[tokio::test]
async fn an_instance_lives() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let of = |name: &str| std::sync::Arc::clone(&kinds.resources[name]);
    let (_, subnet) = network(&bed, of).await;
    let domains = looked(
        &bed,
        &*kinds.data_sources["oci_identity_availability_domains"],
        json!({ "compartment_id": COMPARTMENT }),
    )
    .await;
    let images = looked(&bed, &*kinds.data_sources["oci_core_images"], json!({ "compartment_id": COMPARTMENT })).await;
    let instances = of("oci_core_instance");
    let mut given = json!({ "compartment_id": COMPARTMENT, "availability_domain": first(&domains, "availability_domains", "name"), "display_name": "a",
        "shape": "VM.Standard.E4.Flex", "shape_config": { "ocpus": 1, "memory_in_gbs": 8 },
        "source_details": { "source_type": "image", "source_id": first(&images, "images", "id") },
        "create_vnic_details": { "subnet_id": subnet, "assign_public_ip": false } });
    let made = bed.made(&*instances, &given, "i1").await;
    assert!(text(&made, "private_ip").starts_with("10.0.1."));
    given["display_name"] = json!("b");
    given["state"] = json!("STOPPED");
    let made = bed.changed(&*instances, &given, &made, "i2").await;
    assert_eq!(text(&made, "state"), "STOPPED");
    // More cores, without a word on threads, which OCI does not take beside them.
    given["shape_config"]["ocpus"] = json!(2);
    let response = bed.plan(&*instances, &given, Some(&made)).await;
    let planned = response.planned.attribute("shape_config").unwrap().as_slice().unwrap()[0].clone();
    assert!(!planned.attribute("vcpus").unwrap().is_known());
    let made = bed.changed(&*instances, &given, &made, "i3").await;
    // What is only for a new one neither removes the server nor is dropped in silence.
    let mut other = given.clone();
    other["create_vnic_details"]["assign_public_ip"] = json!(true);
    let response = bed.plan(&*instances, &other, Some(&made)).await;
    assert_eq!(response.effect, Effect::Update, "{:?}", response.reasons);
    let outcome = instances.update(&bed.cx("i4"), &made, &super::bed::planned(&*instances, response)).await;
    assert!(words(&outcome.diagnostics).contains("Not changed in place"), "{}", words(&outcome.diagnostics));
    given["metadata"] = json!({ "user_data": "IyE=" });
    assert_eq!(bed.plan(&*instances, &given, Some(&made)).await.effect, Effect::Replace);
    bed.removed(&*instances, &made).await;
}
