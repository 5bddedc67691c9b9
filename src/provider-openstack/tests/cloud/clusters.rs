//! Clusters and node groups: what is asked for begins later.

use pipectl_core::Value;
use pipectl_provider::{Effect, Instance};
use serde_json::{Value as Json, json};

use super::bed::{self, Steps, done, kept, planned, words};
use super::server::Server;

const CLUSTER: &str = "openstack_containerinfra_cluster_v1";
const GROUP: &str = "openstack_containerinfra_nodegroup_v1";

fn clusters() -> (Server, Steps) {
    let server = Server::new();
    server.set(|state| {
        state.services = vec!["container-infra"];
        state.delay = 2;
        let cluster = json!({ "uuid": "c", "status": "CREATE_COMPLETE", "workers": 1, "cluster_template_id": "old", "name": "c" });
        state.put("clusters", "c", cluster);
        let group = json!({ "uuid": "g", "cluster_id": "c", "status": "CREATE_COMPLETE", "node_count": 1, "max_node_count": 3, "name": "g" });
        state.put("nodegroups", "g", group);
    });
    let bed = bed::of(&server.address);
    (server, bed)
}

async fn changed(bed: &Steps, name: &str, before: &Json, after: &Json, id: &str) -> Instance {
    let kind = bed.kind(name).await;
    let prior = kept(bed.plan(&*kind, before, None).await, &[("id", Value::from(id))]);
    let response = bed.plan(&*kind, after, Some(&prior)).await;
    assert_eq!(response.effect, Effect::Update, "{:?}", response.reasons);
    done(kind.update(&bed.cx("t"), &prior, &planned(&*kind, response)).await)
}

#[tokio::test]
async fn each_of_two_changes_of_a_cluster_is_waited_for() {
    let (server, bed) = clusters();
    let before = json!({ "cluster_template_id": "old", "name": "c" });
    let after = json!({ "cluster_template_id": "new", "name": "c", "node_count": 5 });
    changed(&bed, CLUSTER, &before, &after, "c").await;
    let now = server.get(|state| state.objects["clusters"]["c"].clone());
    assert_eq!((&now["cluster_template_id"], &now["workers"]), (&json!("new"), &json!(5)), "{now}");
}

#[tokio::test]
async fn each_of_two_changes_of_a_node_group_is_waited_for() {
    let (server, bed) = clusters();
    let before = json!({ "cluster_id": "c", "name": "g", "max_node_count": 3 });
    let after = json!({ "cluster_id": "c", "name": "g", "node_count": 5, "max_node_count": 9 });
    changed(&bed, GROUP, &before, &after, "c/g").await;
    let now = server.get(|state| state.objects["nodegroups"]["g"].clone());
    assert_eq!((&now["max_node_count"], &now["node_count"]), (&json!(9), &json!(5)), "{now}");
}

#[tokio::test]
async fn a_node_group_goes_with_its_cluster() {
    let (server, bed) = clusters();
    let kind = bed.kind(GROUP).await;
    let given = json!({ "cluster_id": "c", "name": "g", "timeouts": { "delete": "2s" } });
    let there = kept(bed.plan(&*kind, &given, None).await, &[("id", "c/g".into())]);
    server.set(|state| state.objects.clear());
    let outcome = kind.delete(&bed.cx("t"), &there).await;
    assert!(outcome.diagnostics.is_empty(), "{}", words(&outcome.diagnostics));
}
