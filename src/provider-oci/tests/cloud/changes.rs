//! Changes: what is spelled or told in another way is none, what is only for a new object is refused, and what goes on is waited for.

use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{Schema, Value};
use pipectl_provider::{Effect as Effects, Found, Instance, Kinds, Resource};
use pipectl_sim_oci::{COMPARTMENT, Effect, Fault};
use serde_json::{Value as Json, json};

use super::bed::{Bed, clock, config, done, first, looked, network, planned, text, words};

/// Plans a change, which is refused when it is made.
async fn refused(bed: &Bed, kind: &dyn Resource, given: &Json, prior: &Instance) -> String {
    let response = bed.plan(kind, given, Some(prior)).await;
    assert_eq!(response.effect, Effects::Update, "nothing is removed for it: {:?}", response.reasons);
    words(&kind.update(&bed.cx("refused"), prior, &planned(kind, response)).await.diagnostics)
}

async fn is_no_change(bed: &Bed, kind: &dyn Resource, given: &Json, prior: &Instance) {
    let response = bed.plan(kind, given, Some(prior)).await;
    assert_eq!(response.effect, Effects::NoOp, "{:?}", response.reasons);
}

async fn domain(bed: &Bed, kinds: &Kinds) -> String {
    let source = &*kinds.data_sources["oci_identity_availability_domains"];
    first(&looked(bed, source, json!({ "compartment_id": COMPARTMENT })).await, "availability_domains", "name")
}

/// The arguments of a server.
async fn server(bed: &Bed, kinds: &Kinds) -> Json {
    let (_, subnet) = network(bed, |name| Arc::clone(&kinds.resources[name])).await;
    let images = looked(bed, &*kinds.data_sources["oci_core_images"], json!({ "compartment_id": COMPARTMENT })).await;
    json!({ "compartment_id": COMPARTMENT, "availability_domain": domain(bed, kinds).await, "shape": "VM.Standard.E4.Flex",
        "shape_config": { "ocpus": 1, "memory_in_gbs": 8 },
        "source_details": { "source_type": "image", "source_id": first(&images, "images", "id") },
        "create_vnic_details": { "subnet_id": subnet } })
}

async fn cluster(bed: &Bed, kinds: &Kinds) -> (Json, Instance, String) {
    let (vcn, subnet) = network(bed, |name| Arc::clone(&kinds.resources[name])).await;
    let given = json!({ "compartment_id": COMPARTMENT, "name": "a", "vcn_id": vcn, "kubernetes_version": "v1.33.1",
        "endpoint_config": { "subnet_id": subnet },
        "options": { "add_ons": { "is_kubernetes_dashboard_enabled": false } } });
    let made = bed.made(&*kinds.resources["oci_containerengine_cluster"], &given, "cluster").await;
    (given, made, subnet)
}

#[tokio::test]
async fn a_disk_that_is_not_told_is_as_it_was_given() {
    let bed = Bed::new();
    bed.server.change(|settings| settings.hides_disks = true);
    let kinds = bed.kinds().await;
    let instances = &*kinds.resources["oci_core_instance"];
    let mut given = server(&bed, &kinds).await;
    for (name, value) in [
        ("boot_volume_size_in_gbs", json!(100)),
        ("boot_volume_vpus_per_gb", json!(20)),
        ("kms_key_id", json!("ocid1.key.oc1..mine")),
    ] {
        given["source_details"][name] = value;
    }
    let made = bed.made(instances, &given, "i").await;
    for (name, other) in [("boot_volume_size_in_gbs", json!(200)), ("kms_key_id", json!("ocid1.key.oc1..other"))] {
        let mut given = given.clone();
        given["source_details"][name] = other;
        let said = refused(&bed, instances, &given, &made).await;
        assert!(said.contains("Not changed in place") && said.contains("oci bv boot-volume"), "{said}");
    }
}

#[tokio::test]
async fn capitals_say_nothing() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let vcns = &*kinds.resources["oci_core_vcn"];
    let mut given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16", "dns_label": "main" });
    let made = bed.made(vcns, &given, "v").await;
    given["dns_label"] = json!("Main");
    is_no_change(&bed, vcns, &given, &made).await;

    let instances = &*kinds.resources["oci_core_instance"];
    let mut given = server(&bed, &kinds).await;
    let made = bed.made(instances, &given, "i").await;
    given["availability_domain"] = json!(text(&made, "availability_domain").to_uppercase());
    given["fault_domain"] = json!(text(&made, "fault_domain").to_lowercase());
    given["source_details"]["source_type"] = json!("IMAGE");
    is_no_change(&bed, instances, &given, &made).await;
}

#[tokio::test]
async fn add_ons_of_a_cluster_are_for_a_new_one() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (mut given, made, _) = cluster(&bed, &kinds).await;
    given["options"]["add_ons"]["is_kubernetes_dashboard_enabled"] = json!(true);
    let said = refused(&bed, &*kinds.resources["oci_containerengine_cluster"], &given, &made).await;
    assert!(said.contains("Not changed in place") && said.contains("install-addon"), "{said}");
}

#[tokio::test]
async fn blocks_of_a_subnet_are_for_a_new_one() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let vcn = bed.made(&*kinds.resources["oci_core_vcn"], &given, "v").await;
    let subnets = &*kinds.resources["oci_core_subnet"];
    let mut given =
        json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&vcn, "id"), "ipv4cidr_blocks": ["10.0.1.0/24"] });
    let made = bed.made(subnets, &given, "s").await;
    given["ipv4cidr_blocks"] = json!(["10.0.1.0/24", "10.0.2.0/24"]);
    let said = refused(&bed, subnets, &given, &made).await;
    assert!(said.contains("Not changed in place") && said.contains("add-ipv4-subnet-cidr"), "{said}");
}

#[tokio::test]
async fn all_codes_of_icmp_are_not_code_zero() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let given = json!({ "compartment_id": COMPARTMENT, "cidr_block": "10.0.0.0/16" });
    let vcn = bed.made(&*kinds.resources["oci_core_vcn"], &given, "v").await;
    let lists = &*kinds.resources["oci_core_security_list"];
    let of = |code: Json| {
        let rule = json!({ "source": "10.0.0.0/16", "protocol": "1", "icmp_options": { "type": 3, "code": code } });
        json!({ "compartment_id": COMPARTMENT, "vcn_id": text(&vcn, "id"), "ingress_security_rules": [rule] })
    };
    let all = bed.made(lists, &of(json!(-1)), "l1").await;
    is_no_change(&bed, lists, &of(Json::Null), &all).await;
    let zero = bed.changed(lists, &of(json!(0)), &all, "l2").await;
    assert_eq!(bed.plan(lists, &of(Json::Null), Some(&zero)).await.effect, Effects::Update);
    bed.changed(lists, &of(Json::Null), &zero, "l3").await;
}

#[tokio::test]
async fn a_kubeconfig_that_may_not_be_read_is_not_nothing() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (_, made, _) = cluster(&bed, &kinds).await;
    let hidden = Effect::Refuse { status: 404, code: "NotAuthorizedOrNotFound".to_owned(), message: "No.".to_owned() };
    let always = Fault { times: 100, ..Fault::next("create_kubeconfig", hidden) };
    bed.server.change(|settings| settings.faults = vec![always]);
    let clusters = &*kinds.resources["oci_containerengine_cluster"];
    let said = words(&clusters.read(&bed.cx("read"), &made).await.expect_err("it is there, and has a kubeconfig"));
    assert!(said.contains("NotAuthorizedOrNotFound"), "{said}");
}

#[tokio::test]
async fn a_filter_names_what_there_is() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let services = &*kinds.data_sources["oci_core_services"];
    let said = |name: &str| {
        let schema: &Schema = services.schema();
        let given = json!({ "filter": [{ "name": name, "values": ["x"] }] });
        words(&services.validate(&config(schema, &given)))
    };
    assert_eq!(said("name"), "");
    assert!(said("nane").contains("Elements of `services` have no attribute `nane`"), "{}", said("nane"));
}

#[tokio::test]
async fn a_resize_is_over_when_the_server_runs_again() {
    let bed = Bed::new();
    bed.server.change(|settings| settings.instance_ms = 1000);
    let kinds = bed.kinds().await;
    let instances = &*kinds.resources["oci_core_instance"];
    let mut given = server(&bed, &kinds).await;
    let made = bed.made(instances, &given, "i1").await;
    // Others than the first machine of the service know of a change later. All of them know the server itself by then.
    bed.server.change(|settings| settings.visible_after_ms = 700);
    tokio::time::sleep(Duration::from_millis(1000)).await;
    given["shape_config"]["ocpus"] = json!(2);
    let response = bed.plan(instances, &given, Some(&made)).await;
    done(instances.update(&bed.cx("i2"), &made, &planned(instances, response)).await);
    let objects = bed.server.objects();
    let instance = objects.iter().find(|object| object["kind"] == "instance").expect("it is there");
    assert_eq!(instance["state"], "RUNNING", "{objects:?}");
}

/// What a killed run has recorded is asked about by one whose arguments are others.
#[tokio::test]
async fn an_operation_that_does_not_tell_yet_what_it_makes_is_waited_for() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (vcn, _) = network(&bed, |name| Arc::clone(&kinds.resources[name])).await;
    bed.server.change(|settings| (settings.cluster_ms, settings.hides_resources) = (3000, true));
    let clusters = &*kinds.resources["oci_containerengine_cluster"];
    let given = |name: &str| json!({ "compartment_id": COMPARTMENT, "name": name, "vcn_id": vcn, "kubernetes_version": "v1.33.1" });
    let (cx, began) = (bed.cx("c1"), clock());
    let new = planned(clusters, bed.plan(clusters, &given("a"), None).await);
    let is_recorded = || bed.recorded.lock().is_ok_and(|recorded| recorded.get("work_request").is_some());
    tokio::select! {
        outcome = clusters.create(&cx, &new) => panic!("{outcome:?}"),
        () = async { while !is_recorded() { tokio::time::sleep(Duration::from_millis(10)).await; } } => {}
    }
    let kinds = bed.kinds().await;
    let clusters = &*kinds.resources["oci_containerengine_cluster"];
    let intent = bed.intent(clusters, &given("b"), "c1", began).await;
    let found = clusters.find(&bed.cx("c1"), &intent).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    let Found::One(found) = found else { panic!("{found:?}") };
    assert_eq!(found.attributes.attribute("name").and_then(Value::as_str), Some("a"));
}

#[tokio::test]
async fn an_operation_that_is_given_up_was_not_refused() {
    let bed = Bed::new();
    let kinds = bed.configure(json!({ "disable_auto_retries": true })).await;
    let kinds = kinds.unwrap_or_else(|found| panic!("{}", words(&found)));
    let (vcn, _) = network(&bed, |name| Arc::clone(&kinds.resources[name])).await;
    let clusters = &*kinds.resources["oci_containerengine_cluster"];
    let given = json!({ "compartment_id": COMPARTMENT, "name": "a", "vcn_id": vcn, "kubernetes_version": "v1.33.1" });
    let broken = Effect::Refuse { status: 500, code: "InternalError".to_owned(), message: "It is broken.".to_owned() };
    // The call looks once whether the operation is an old one, and then for what it makes.
    bed.server.change(|settings| settings.faults = vec![Fault { skip: 1, ..Fault::next("get_work_request", broken) }]);
    let began = clock();
    let outcome = bed.create(clusters, &given, "c1").await;
    assert!(words(&outcome.diagnostics).contains("It is broken"), "{}", words(&outcome.diagnostics));
    let intent = bed.intent(clusters, &given, "c1", began).await;
    let found = clusters.find(&bed.cx("c1"), &intent).await.unwrap_or_else(|found| panic!("{}", words(&found)));
    assert!(matches!(found, Found::One(_)), "{found:?}");
    assert_eq!(bed.server.requests().get("create_cluster"), Some(&1));
}

#[tokio::test]
async fn pools_of_a_cluster_are_made_at_the_same_time() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let (_, made, subnet) = cluster(&bed, &kinds).await;
    let option = &*kinds.data_sources["oci_containerengine_node_pool_option"];
    let options = looked(&bed, option, json!({ "node_pool_option_id": "all" })).await;
    let domain = domain(&bed, &kinds).await;
    let pools = &*kinds.resources["oci_containerengine_node_pool"];
    let given = |name: &str| {
        json!({ "compartment_id": COMPARTMENT, "cluster_id": text(&made, "id"), "name": name, "node_shape": "VM.Standard.E4.Flex",
            "kubernetes_version": "v1.33.1", "node_shape_config": { "ocpus": 2, "memory_in_gbs": 16 },
            "node_source_details": { "source_type": "IMAGE", "image_id": first(&options, "sources", "image_id") },
            "node_config_details": { "size": 1, "placement_configs": [{ "availability_domain": domain, "subnet_id": subnet }] } })
    };
    bed.server.change(|settings| settings.node_pool_ms = 3000);
    let (one, two) = (given("one"), given("two"));
    let together = async {
        let are_made = || {
            let objects = bed.server.objects();
            objects.iter().filter(|object| object["kind"] == "nodepool" && object["state"] == "CREATING").count() == 2
        };
        while !are_made() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let both = async { tokio::join!(bed.create(pools, &one, "p1"), bed.create(pools, &two, "p2")) };
    tokio::pin!(both);
    tokio::select! {
        () = together => {}
        (one, two) = &mut both => panic!("one after the other: {one:?}, {two:?}"),
    }
    let (one, two) = both.await;
    done(one);
    done(two);
}
