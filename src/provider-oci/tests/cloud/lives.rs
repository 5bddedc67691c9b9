//! Networks, instances and buckets: made, seen, changed, moved, removed.

use pipectl_provider::Effect;
use pipectl_sim_oci::{COMPARTMENT, NAMESPACE, OTHER_COMPARTMENT};
use serde_json::json;

use super::bed::{Bed, config, done, read, text, words};

#[tokio::test]
async fn a_network_lives() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let of = |name: &str| &*kinds.resources[name];
    let vcns = of("oci_core_vcn");
    let mut given = json!({ "compartment_id": COMPARTMENT, "cidr_blocks": ["10.0.0.0/16"], "display_name": "a", "dns_label": "a", "freeform_tags": { "team": "physics" } });
    let vcn = bed.made(vcns, &given, "t1").await;
    assert_eq!((text(&vcn, "state"), text(&vcn, "cidr_block")), ("AVAILABLE", "10.0.0.0/16"));
    given["cidr_blocks"] = json!(["10.0.0.0/16", "10.1.0.0/16"]);
    given["display_name"] = json!("b");
    given["compartment_id"] = json!(OTHER_COMPARTMENT);
    let vcn = bed.changed(vcns, &given, &vcn, "t2").await;
    assert_eq!(text(&vcn, "display_name"), "b");
    let again = vcns.import(&bed.cx("import"), text(&vcn, "id")).await.unwrap().unwrap();
    assert_eq!(text(&again, "compartment_id"), OTHER_COMPARTMENT);
    given["dns_label"] = json!("c");
    assert_eq!(bed.plan(vcns, &given, Some(&vcn)).await.effect, Effect::Replace);
    let (vcn_id, c) = (text(&vcn, "id"), COMPARTMENT);

    let services = kinds.data_sources["oci_core_services"].as_ref();
    let filter = json!({ "filter": [{ "name": "name", "values": ["All .* Services.*"], "regex": true }] });
    let found = services.read(&bed.cx("d"), &config(services.schema(), &filter)).await.unwrap();
    let found = found.attribute("services").unwrap().as_slice().unwrap().to_vec();
    let service = found[0].attribute("id").unwrap().as_str().unwrap();

    let igw = bed.made(of("oci_core_internet_gateway"), &json!({ "compartment_id": c, "vcn_id": vcn_id }), "i1").await;
    let closed = json!({ "compartment_id": c, "vcn_id": vcn_id, "enabled": false });
    let igw = bed.changed(of("oci_core_internet_gateway"), &closed, &igw, "i2").await;
    let nat = bed
        .made(of("oci_core_nat_gateway"), &json!({ "compartment_id": c, "vcn_id": vcn_id, "display_name": "n" }), "n1")
        .await;
    let gateway = json!({ "compartment_id": c, "vcn_id": vcn_id, "services": [{ "service_id": service }] });
    let sgw = bed.made(of("oci_core_service_gateway"), &gateway, "s1").await;

    let rule = |destination: &str, to: &str| json!({ "destination": destination, "destination_type": "CIDR_BLOCK", "network_entity_id": to });
    let tables = of("oci_core_route_table");
    let (nat_id, igw_id) = (text(&nat, "id"), text(&igw, "id"));
    let mut routes = json!({ "compartment_id": c, "vcn_id": vcn_id, "route_rules": [rule("0.0.0.0/0", nat_id)] });
    let table = bed.made(tables, &routes, "r1").await;
    routes["route_rules"] = json!([rule("192.0.2.0/24", igw_id), rule("0.0.0.0/0", nat_id)]);
    let table = bed.changed(tables, &routes, &table, "r2").await;
    routes["route_rules"] = json!([rule("0.0.0.0/0", nat_id), rule("192.0.2.0/24", igw_id)]);
    assert_eq!(bed.plan(tables, &routes, Some(&table)).await.effect, Effect::NoOp, "their order says nothing");

    let lists = of("oci_core_security_list");
    let security = json!({ "compartment_id": c, "vcn_id": vcn_id,
        "egress_security_rules": [{ "destination": "0.0.0.0/0", "protocol": "all" }],
        "ingress_security_rules": [
            { "source": "10.0.0.0/16", "protocol": "6", "tcp_options": { "min": 22, "max": 22 } },
            { "source": "10.0.0.0/16", "protocol": "1", "icmp_options": { "type": 3, "code": 4 } },
        ] });
    let list = bed.made(lists, &security, "l1").await;

    let subnets = of("oci_core_subnet");
    let subnet = json!({ "compartment_id": c, "vcn_id": vcn_id, "cidr_block": "10.0.1.0/24", "dns_label": "s",
        "route_table_id": text(&table, "id"), "security_list_ids": [text(&list, "id")] });
    let subnet = bed.made(subnets, &subnet, "u1").await;

    let groups = of("oci_core_network_security_group");
    let group = bed.made(groups, &json!({ "compartment_id": c, "vcn_id": vcn_id, "display_name": "g" }), "g1").await;
    let rules = of("oci_core_network_security_group_security_rule");
    let mut given = json!({ "network_security_group_id": text(&group, "id"), "direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16",
        "source_type": "CIDR_BLOCK", "tcp_options": { "destination_port_range": { "min": 443, "max": 443 } } });
    let rule = bed.made(rules, &given, "h1").await;
    given["description"] = json!("the API");
    let rule = bed.changed(rules, &given, &rule, "h2").await;
    let id = format!("networkSecurityGroups/{}/securityRules/{}", text(&group, "id"), text(&rule, "id"));
    let again = rules.import(&bed.cx("import"), &id).await.unwrap().unwrap();
    assert_eq!(text(&again, "description"), "the API");

    // What still needs something keeps it.
    let short = json!({ "compartment_id": OTHER_COMPARTMENT, "cidr_blocks": ["10.0.0.0/16", "10.1.0.0/16"], "display_name": "b", "dns_label": "a",
        "freeform_tags": { "team": "physics" }, "timeouts": { "delete": "1s" } });
    let held = bed.plan(vcns, &short, Some(&vcn)).await;
    let held = done(vcns.update(&bed.cx("t3"), &vcn, &super::bed::planned(vcns, held)).await);
    let outcome = vcns.delete(&bed.cx("t4"), &held).await;
    assert!(words(&outcome.diagnostics).contains("still in use"), "{}", words(&outcome.diagnostics));

    for (kind, instance) in [
        (rules, &rule),
        (groups, &group),
        (subnets, &subnet),
        (lists, &list),
        (tables, &table),
        (of("oci_core_service_gateway"), &sgw),
        (of("oci_core_nat_gateway"), &nat),
        (of("oci_core_internet_gateway"), &igw),
        (vcns, &vcn),
    ] {
        bed.removed(kind, instance).await;
    }
}

#[tokio::test]
async fn buckets_hold_objects() {
    let bed = Bed::new();
    let kinds = bed.kinds().await;
    let source = kinds.data_sources["oci_objectstorage_namespace"].as_ref();
    let found = source.read(&bed.cx("d"), &config(source.schema(), &json!({}))).await.unwrap();
    assert_eq!(found.attribute("namespace").unwrap().as_str(), Some(NAMESPACE));
    let (buckets, objects) =
        (&*kinds.resources["oci_objectstorage_bucket"], &*kinds.resources["oci_objectstorage_object"]);
    let mut given =
        json!({ "compartment_id": COMPARTMENT, "namespace": NAMESPACE, "name": "data", "metadata": { "a": "b" } });
    let bucket = bed.made(buckets, &given, "b1").await;
    assert_eq!(text(&bucket, "id"), format!("n/{NAMESPACE}/b/data"));
    given["versioning"] = json!("Enabled");
    given["metadata"] = json!({ "c": "d" });
    let bucket = bed.changed(buckets, &given, &bucket, "b2").await;
    let file = json!({ "namespace": NAMESPACE, "bucket": "data", "object": "dir/a b.csv", "content": "x,y\n", "content_type": "text/csv", "metadata": { "rows": "0" } });
    let object = bed.made(objects, &file, "o1").await;
    assert_eq!((text(&object, "content_length"), text(&object, "content_type")), ("4", "text/csv"));
    let again = objects.import(&bed.cx("import"), text(&object, "id")).await.unwrap().unwrap();
    assert_eq!(text(&again, "content_md5"), text(&object, "content_md5"));
    bed.removed(objects, &object).await;
    assert!(read(buckets, &bed.cx("r"), &bucket).await.is_some());
}
