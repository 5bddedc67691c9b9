//! The kubeconfig of a cluster, as the real service writes it: its user asks the `oci` program for a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::answer::{Answer, Outcome, Refusal};
use crate::request::Call;
use crate::world::{REGION, World};

pub(crate) fn create(world: &World, call: &Call<'_>) -> Outcome {
    let cluster = world.find(call, "cluster", call.id())?;
    if cluster.is_gone() {
        return Err(Refusal::not_found());
    }
    cluster.needs(&["ACTIVE", "UPDATING"])?;
    if call.text("tokenVersion").is_some_and(|version| version != "2.0.0") {
        return Err(Refusal::invalid("invalid token version."));
    }
    let endpoints = cluster.value("endpoints");
    let (which, address) = match call.text("endpoint") {
        Some("PUBLIC_ENDPOINT") => ("public", &endpoints["publicEndpoint"]),
        Some("PRIVATE_ENDPOINT") => ("private", &endpoints["privateEndpoint"]),
        Some("VCN_HOSTNAME") => ("VCN hostname", &endpoints["vcnHostnameEndpoint"]),
        _ => ("Kubernetes", &endpoints["kubernetes"]),
    };
    let address = Json::as_str(address)
        .ok_or_else(|| Refusal::invalid(format!("The cluster {} has no {which} endpoint", cluster.id)))?;
    let (id, unique) = (&cluster.id, &cluster.id[cluster.id.len() - 11..]);
    let authority = STANDARD.encode(&world.authority.root);
    let text = format!(
        "---
apiVersion: v1
kind: \"\"
clusters:
- name: cluster-{unique}
  cluster:
    server: https://{address}
    certificate-authority-data: {authority}
users:
- name: user-{unique}
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: oci
      args:
      - ce
      - cluster
      - generate-token
      - --cluster-id
      - {id}
      - --region
      - {REGION}
      env: []
contexts:
- name: context-{unique}
  context:
    cluster: cluster-{unique}
    user: user-{unique}
current-context: context-{unique}
"
    );
    Ok(Answer::bytes(200, text.into_bytes()).field("content-type", "application/x-yaml"))
}
