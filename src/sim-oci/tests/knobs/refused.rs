//! What the real services refuse, and what they do not know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_sim_oci::{COMPARTMENT, NAMESPACE, Server, TENANCY, WorkRequestFailure};
use serde_json::{Value as Json, json};
use sha1::{Digest, Sha1};

use super::client::{Client, Reply};

/// A server where nothing takes any time.
fn start() -> (Server, Client) {
    let server = Server::start().expect("a port of loopback is free");
    server.change(|settings| {
        settings.network_ms = 0;
        settings.instance_ms = 0;
        settings.cluster_ms = 0;
        settings.node_pool_ms = 0;
    });
    let client = Client::of(&server);
    (server, client)
}

fn id(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["id"].as_str().expect("what was made has an id").to_owned()
}

/// The message of a refusal of a status.
fn message(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    reply.json["message"].as_str().expect("a refusal says why").to_owned()
}

fn subnet(client: &Client, vcn: &str, block: &str) -> String {
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlock": block, "vcnId": vcn});
    id(&client.post("/20160918/subnets", &body))
}

fn group(client: &Client, vcn: &str) -> String {
    let body = json!({"compartmentId": COMPARTMENT, "vcnId": vcn});
    id(&client.post("/20160918/networkSecurityGroups", &body))
}

fn image(client: &Client, wanted: &str) -> String {
    let images = client.get(&format!("/20160918/images?compartmentId={COMPARTMENT}")).json;
    let mut images = images.as_array().expect("images are a list").iter();
    let found = images.find(|image| image["displayName"].as_str().is_some_and(|name| name.contains(wanted)));
    found.and_then(|image| image["id"].as_str()).expect("there is such an image").to_owned()
}

fn domain(client: &Client) -> Json {
    client.get(&format!("/20160918/availabilityDomains?compartmentId={COMPARTMENT}")).json[0]["name"].clone()
}

fn instance(client: &Client, subnet: &str, more: &Json) -> Json {
    let mut body = json!({
        "compartmentId": COMPARTMENT, "availabilityDomain": domain(client), "shape": "VM.Standard.E4.Flex",
        "shapeConfig": {"ocpus": 1, "memoryInGBs": 8},
        "sourceDetails": {"sourceType": "image", "imageId": image(client, "Ubuntu")},
        "createVnicDetails": {"subnetId": subnet},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(members) => members.iter().for_each(|(member, value)| body[name][member] = value.clone()),
            None => body[name] = value.clone(),
        }
    }
    body
}

/// The object of the newest accepted call.
fn accepted(client: &Client, reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{reply:?}");
    let request = reply.field("opc-work-request-id").expect("a long call has a work request");
    let work = client.get(&format!("/20180222/workRequests/{request}")).json;
    work["resources"][0]["identifier"].as_str().expect("it works on something").to_owned()
}

fn cluster(client: &Client, vcn: &str, endpoint: Json) -> String {
    let body = json!({
        "name": "c", "compartmentId": COMPARTMENT, "vcnId": vcn, "kubernetesVersion": "v1.33.1", "endpointConfig": endpoint,
    });
    accepted(client, &client.post("/20180222/clusters", &body))
}

fn pool(client: &Client, cluster: &str, subnet: &str, size: u32) -> Json {
    json!({
        "compartmentId": COMPARTMENT, "clusterId": cluster, "name": "p", "nodeShape": "VM.Standard.E4.Flex",
        "nodeShapeConfig": {"ocpus": 2, "memoryInGBs": 16},
        "nodeSourceDetails": {"sourceType": "IMAGE", "imageId": image(client, "08.31-0-OKE-1.33.1")},
        "nodeConfigDetails": {"size": size, "placementConfigs": [{"availabilityDomain": domain(client), "subnetId": subnet}]},
    })
}

#[test]
fn a_retry_token_says_nothing_where_the_operation_has_none() {
    let (_server, client) = start();
    let vcn = client.make_vcn();
    let group = group(&client, &vcn);
    let path = format!("/20160918/networkSecurityGroups/{group}");
    let rule =
        json!({"securityRules": [{"direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0"}]}).to_string();
    for _ in 0..2 {
        let token = [("opc-retry-token", "t")];
        let added = client.send("POST", &format!("{path}/actions/addSecurityRules"), Some(&rule), &token);
        assert_eq!(added.status, 200, "{added:?}");
    }
    let rules = client.get(&format!("{path}/securityRules")).json;
    assert_eq!(rules.as_array().map(Vec::len), Some(2), "they were added twice: {rules}");
    // An update of an instance has one, although it is no POST.
    let subnet = subnet(&client, &vcn, "10.0.0.0/24");
    let made = id(&client.post("/20160918/instances", &instance(&client, &subnet, &Json::Null)));
    let rename = |name: &str| {
        let body = json!({"displayName": name}).to_string();
        client.send("PUT", &format!("/20160918/instances/{made}"), Some(&body), &[("opc-retry-token", "t")])
    };
    assert_eq!(rename("a").status, 200);
    assert_eq!(rename("b").code(), (409, "InvalidatedRetryToken"));
}

#[test]
fn an_upload_says_how_long_it_is() {
    let (_server, client) = start();
    let buckets = format!("/n/{NAMESPACE}/b");
    let made = client.post(&buckets, &json!({"compartmentId": COMPARTMENT, "name": "data"}));
    assert_eq!(made.status, 200, "{made:?}");
    let target = format!("{buckets}/data/o/a");
    message(&client.put_chunked(&target, "x,y"), 411);
    assert_eq!(client.get(&target).status, 404);
    assert_eq!(client.send("PUT", &target, Some("x,y"), &[]).status, 200);
}

#[test]
fn what_is_set_at_launch_stays() {
    let (_server, client) = start();
    let vcn = client.make_vcn();
    let subnet = subnet(&client, &vcn, "10.0.0.0/24");
    let metadata = json!({"metadata": {"user_data": "IyE=", "team": "physics"}});
    let made = id(&client.post("/20160918/instances", &instance(&client, &subnet, &metadata)));
    let path = format!("/20160918/instances/{made}");
    let update = |body: &Json| client.send("PUT", &path, Some(&body.to_string()), &[]);
    for wrong in [
        json!({"metadata": {"user_data": "IyEK", "team": "physics"}}),
        json!({"metadata": {"team": "physics"}}),
        json!({"metadata": {"user_data": "IyE=", "ssh_authorized_keys": "ssh-ed25519 AAAA"}}),
    ] {
        assert!(message(&update(&wrong), 400).contains("cannot be changed after"), "{wrong}");
    }
    let twice = json!({"extendedMetadata": {"team": {"name": "chemistry"}}});
    assert!(message(&update(&twice), 400).contains("both have the key team"));
    let large = json!({"metadata": {"user_data": "IyE=", "notes": "x".repeat(32_000)}});
    assert!(message(&update(&large), 400).contains("32000 bytes"));
    let right = update(&json!({"metadata": {"user_data": "IyE=", "team": "chemistry"}}));
    assert_eq!((right.status, &right.json["metadata"]["team"]), (200, &json!("chemistry")));
}

#[test]
fn an_address_is_one_of_its_subnet_that_nobody_has() {
    let (_server, client) = start();
    let vcn = client.make_vcn();
    let net = subnet(&client, &vcn, "10.0.0.0/24");
    let launch = |address: &str| {
        let body = instance(&client, &net, &json!({"createVnicDetails": {"privateIp": address}}));
        client.post("/20160918/instances", &body)
    };
    for outside in ["10.0.1.5", "10.0.0.0", "10.0.0.1", "10.0.0.255", "nothing"] {
        assert!(message(&launch(outside), 400).contains("not one for hosts"), "{outside}");
    }
    assert_eq!(launch("10.0.0.9").status, 200);
    assert!(message(&launch("10.0.0.9"), 409).contains("in use"));
    // A node has an address, too.
    let cluster = cluster(&client, &vcn, json!({}));
    accepted(&client, &client.post("/20180222/nodePools", &pool(&client, &cluster, &net, 1)));
    let pools = client.get(&format!("/20180222/nodePools?compartmentId={COMPARTMENT}")).json;
    let made = client.get(&format!("/20180222/nodePools/{}", pools[0]["id"].as_str().expect("there is a pool"))).json;
    let address = made["nodes"][0]["privateIp"].as_str().expect("a node has an address");
    assert!(message(&launch(address), 409).contains("in use"));
}

#[test]
fn a_node_is_as_large_as_its_shape_can_be() {
    let (server, client) = start();
    let vcn = client.make_vcn();
    let net = subnet(&client, &vcn, "10.0.0.0/24");
    let cluster = cluster(&client, &vcn, json!({}));
    let sized = |ocpus: f64, memory: f64| {
        let mut body = pool(&client, &cluster, &net, 1);
        body["nodeShapeConfig"] = json!({"ocpus": ocpus, "memoryInGBs": memory});
        client.post("/20180222/nodePools", &body)
    };
    for (ocpus, memory) in [(65.0, 128.0), (0.5, 8.0), (4.0, 2.0), (1.0, 65.0), (64.0, 2048.0)] {
        assert!(message(&sized(ocpus, memory), 400).contains("out of range"), "{ocpus} {memory}");
    }
    let made = accepted(&client, &sized(64.0, 1024.0));
    let update = |body: Json| client.send("PUT", &format!("/20180222/nodePools/{made}"), Some(&body.to_string()), &[]);
    assert!(message(&update(json!({"nodeShapeConfig": {"ocpus": 100}})), 400).contains("out of range"));
    assert_eq!(update(json!({"nodeShapeConfig": {"ocpus": 4, "memoryInGBs": 32}})).status, 202);
    server.change(|settings| settings.node_pool_ms = 0);
    let shown = client.get(&format!("/20180222/nodePools/{made}")).json;
    assert_eq!(shown["nodeShapeConfig"], json!({"ocpus": 4.0, "memoryInGBs": 32.0}));
}

#[test]
fn a_node_pool_that_is_refused_leaves_nothing() {
    let (server, client) = start();
    let vcn = client.make_vcn();
    // Room for five hosts.
    let small = subnet(&client, &vcn, "10.0.0.0/29");
    let cluster = cluster(&client, &vcn, json!({}));
    let refused = client.post("/20180222/nodePools", &pool(&client, &cluster, &small, 6));
    assert!(message(&refused, 409).contains("no free private IP"));
    let left = server.objects().iter().filter(|object| object["kind"] == "nodepool").count();
    assert_eq!(left, 0, "{:?}", server.objects());
    let made = accepted(&client, &client.post("/20180222/nodePools", &pool(&client, &cluster, &small, 2)));
    let path = format!("/20180222/nodePools/{made}");
    let before = client.get(&path).json;
    let body = json!({"nodeConfigDetails": {"size": 6}}).to_string();
    message(&client.send("PUT", &path, Some(&body), &[]), 409);
    assert_eq!(client.get(&path).json, before, "what was refused has changed nothing");
}

#[test]
fn a_cluster_takes_node_pools_that_need_attention_with_it() {
    let (server, client) = start();
    let vcn = client.make_vcn();
    let net = subnet(&client, &vcn, "10.0.0.0/24");
    let cluster = cluster(&client, &vcn, json!({}));
    let made = accepted(&client, &client.post("/20180222/nodePools", &pool(&client, &cluster, &net, 1)));
    let failure = WorkRequestFailure::next("NODEPOOL_UPDATE", "LimitExceeded", "no node is left");
    server.change(|settings| settings.work_request_failures = vec![failure]);
    let path = format!("/20180222/nodePools/{made}");
    assert_eq!(client.send("PUT", &path, Some("{\"name\":\"q\"}"), &[]).status, 202);
    assert_eq!(client.get(&path).json["lifecycleState"], "NEEDS_ATTENTION");
    assert_eq!(client.send("DELETE", &format!("/20180222/clusters/{cluster}"), None, &[]).status, 202);
    assert_eq!(client.get(&path).json["lifecycleState"], "DELETED");
}

#[test]
fn what_a_cluster_uses_stays() {
    let (_server, client) = start();
    let vcn = client.make_vcn();
    let [endpoint, nodes, pods] =
        ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"].map(|block| subnet(&client, &vcn, block));
    let [of_endpoint, of_nodes, of_pods] = [(); 3].map(|()| group(&client, &vcn));
    let cluster = cluster(&client, &vcn, json!({"subnetId": endpoint, "nsgIds": [of_endpoint]}));
    let mut body = pool(&client, &cluster, &nodes, 1);
    body["nodeConfigDetails"]["nsgIds"] = json!([of_nodes]);
    body["nodeConfigDetails"]["nodePoolPodNetworkOptionDetails"] =
        json!({"cniType": "OCI_VCN_IP_NATIVE", "podSubnetIds": [pods], "podNsgIds": [of_pods]});
    let pool = accepted(&client, &client.post("/20180222/nodePools", &body));
    let used: Vec<String> = [&of_endpoint, &of_nodes, &of_pods]
        .map(|id| format!("/20160918/networkSecurityGroups/{id}"))
        .into_iter()
        .chain([&endpoint, &nodes, &pods].map(|id| format!("/20160918/subnets/{id}")))
        .collect();
    for path in &used {
        assert!(message(&client.send("DELETE", path, None, &[]), 409).contains("You must remove the reference"));
    }
    assert_eq!(client.send("DELETE", &format!("/20180222/nodePools/{pool}"), None, &[]).status, 202);
    assert_eq!(client.send("DELETE", &format!("/20180222/clusters/{cluster}"), None, &[]).status, 202);
    for path in &used {
        assert_eq!(client.send("DELETE", path, None, &[]).status, 204, "{path}");
    }
}

#[test]
fn suspended_versions_stay_and_no_bucket_forgets_that_it_had_some() {
    let (_server, client) = start();
    let path = format!("/n/{NAMESPACE}/b/data");
    let body = json!({"compartmentId": COMPARTMENT, "name": "data", "versioning": "Enabled"});
    assert_eq!(client.post(&format!("/n/{NAMESPACE}/b"), &body).status, 200);
    let put = |text: &str| assert_eq!(client.send("PUT", &format!("{path}/o/a"), Some(text), &[]).status, 200);
    let versions = || client.get(&format!("{path}/objectversions")).json["items"].as_array().map_or(0, Vec::len);
    put("first");
    put("second");
    assert_eq!(versions(), 2);
    let versioning = |to: &str| client.post(&path, &json!({"versioning": to}));
    assert_eq!(versioning("Disabled").status, 400);
    assert_eq!(versioning("Suspended").json["versioning"], "Suspended");
    put("third");
    put("fourth");
    assert_eq!(versions(), 2, "the first stays, and only the newest is written");
    assert_eq!(client.send("DELETE", &format!("{path}/o/a"), None, &[]).status, 204);
    assert_eq!(client.get(&format!("{path}/o/a")).status, 404, "the first does not come back");
    assert_eq!(versions(), 2, "the first, and that it was deleted");
    assert_eq!(client.send("DELETE", &path, None, &[]).code(), (409, "BucketNotEmpty"));
    assert_eq!(versioning("Disabled").status, 400);
}

#[test]
fn a_token_needs_the_whole_chain_of_the_certificate() {
    let (server, mut client) = start();
    let metadata = |name: &str| {
        let pem = client.metadata(&format!("/opc/v2/identity/{name}.pem"));
        pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let (leaf, between) = (metadata("cert"), metadata("intermediate"));
    assert_ne!(leaf, between);
    let der = STANDARD.decode(&leaf).expect("a certificate is base64");
    let digest: Vec<String> = Sha1::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    client.key_id = format!("{TENANCY}/fed-x509/{}", digest.join(":"));
    let public = Client::public_key(&server);
    let ask = |between: Json| {
        let mut body = json!({"certificate": leaf, "publicKey": public});
        body["intermediateCertificates"] = between;
        client.post("/v1/x509", &body)
    };
    for wrong in [Json::Null, json!([]), json!([leaf]), json!([between, leaf])] {
        assert_eq!(ask(wrong.clone()).code(), (401, "NotAuthenticated"), "{wrong}");
    }
    assert!(ask(json!([between])).json["token"].is_string());
}
