//! `oci_core_network_security_group_security_rule`: something that is let through. Rules are elements of their group, which is asked for them.

use async_trait::async_trait;
use pipectl_cloud::Fields;
use pipectl_core::{Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{is_given, text as given};
use pipectl_provider::rules::one_of;
use serde_json::{Map, Value as Json, json};

use super::ports::{icmp, nested};
use crate::cloud::{Cloud, is_missing};
use crate::kind::{Fault, Kind, Known, Place, USUAL, either, needed, option, told};

const GROUPS: &str = "networkSecurityGroups";
const RULES: &str = "securityRules";

pub(crate) struct SecurityRule;

#[async_trait]
impl Kind for SecurityRule {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_network_security_group_security_rule";
    const NOUN: &'static str = "security rule";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = RULES;
    const REPEATS: bool = false;

    fn fields() -> Fields {
        let ports = |member, name| nested(member, name);
        Fields::new("A rule of a network security group: something that is let through.")
            .apart("network_security_group_id", needed("The OCID of its group.").forces_replacement())
            .named("direction", "direction", needed("`INGRESS` or `EGRESS`."))
            .named(
                "protocol",
                "protocol",
                needed("The number of the protocol (6 is TCP, 17 is UDP, 1 is ICMP), or `all`."),
            )
            .named("description", "description", either(Type::String, "What it is for."))
            .named("destination", "destination", either(Type::String, "Where what is let through goes, for `EGRESS`."))
            .named(
                "destination_type",
                "destinationType",
                either(Type::String, "`CIDR_BLOCK`, `SERVICE_CIDR_BLOCK` or `NETWORK_SECURITY_GROUP`."),
            )
            .named("source", "source", option(Type::String, "Where what is let through comes from, for `INGRESS`."))
            .named(
                "source_type",
                "sourceType",
                either(Type::String, "`CIDR_BLOCK`, `SERVICE_CIDR_BLOCK` or `NETWORK_SECURITY_GROUP`."),
            )
            .named("stateless", "isStateless", either(Type::Bool, "Whether answers need a rule of their own."))
            .group("icmp_options", icmp())
            .group("tcp_options", ports("tcpOptions", "The ports of TCP that it is about."))
            .group("udp_options", ports("udpOptions", "The ports of UDP that it is about."))
            .named("is_valid", "isValid", told(Type::Bool, "Whether what it names is there."))
            .named("time_created", "timeCreated", told(Type::String, "When it was made."))
            .moving(["is_valid"])
            .times(USUAL)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "direction", &["INGRESS", "EGRESS"]);
        let side = match given(config, "direction") {
            Some("INGRESS") => Some("source"),
            Some("EGRESS") => Some("destination"),
            _ => None,
        };
        if let Some(side) = side.filter(|side| !is_given(config, side)) {
            let detail = format!("A rule of this direction says the other side with `{side}`.");
            found.push(Diagnostic::error("Missing argument", detail).on(Path::of(side)));
        }
        found
    }

    fn alone(attributes: &Value, _id: Option<&str>) -> Option<String> {
        given(attributes, "network_security_group_id").map(str::to_owned)
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let rule = Self::body(at.fields, planned);
        let path = [GROUPS, group(planned), "actions", "addSecurityRules"];
        let body = json!({ RULES: [rule] });
        let call = at.endpoint.call(Method::POST, &path, &[]).json(&body);
        let answer = at.endpoint.send_new(&call, &format!("{} {body}", path.join("/"))).await?;
        let answer: Json = answer.json()?;
        Ok(answer.get(RULES).and_then(|rules| rules.get(0)).cloned().unwrap_or_default())
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        let rules = listed(at, group(known)).await?;
        Ok(rules.into_iter().find(|rule| rule.get("id").and_then(Json::as_str) == Some(id)))
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        if Self::changes(at.fields, prior, planned).is_empty() {
            return Ok(false);
        }
        // A rule is written anew as a whole.
        let mut rule: Map<String, Json> = Self::body(at.fields, planned);
        rule.insert("id".to_owned(), id.into());
        let path = [GROUPS, group(prior), "actions", "updateSecurityRules"];
        at.endpoint.send(&at.endpoint.call(Method::POST, &path, &[]).json(&json!({ RULES: [rule] }))).await?;
        Ok(true)
    }

    fn is_changed(before: &Json, now: &Json) -> bool {
        let _ = (before, now);
        true
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        if Self::look(at, id, prior).await?.is_none() {
            return Ok(());
        }
        let path = [GROUPS, group(prior), "actions", "removeSecurityRules"];
        let body = json!({ "securityRuleIds": [id] });
        at.endpoint.send(&at.endpoint.call(Method::POST, &path, &[]).json(&body)).await?;
        Ok(())
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        listed(at, arguments.get("network_security_group_id").and_then(Json::as_str).unwrap_or_default()).await
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        match id.split('/').collect::<Vec<_>>().as_slice() {
            [GROUPS, group, RULES, rule] => {
                Ok(((*rule).to_owned(), vec![("network_security_group_id", (*group).into())]))
            }
            _ => {
                let detail = format!("The id of a rule is `{GROUPS}/GROUP_ID/{RULES}/RULE_ID`, and not `{id}`.");
                Err(Diagnostic::error("Invalid id", detail).into())
            }
        }
    }
}

fn group(attributes: &Value) -> &str {
    given(attributes, "network_security_group_id").unwrap_or_default()
}

/// The rules of a group; none, where the group is not there.
async fn listed(at: &Place<'_>, group: &str) -> Result<Vec<Json>, Fault> {
    match at.endpoint.list(&[GROUPS, group, RULES], &[]).await {
        Err(fault) if is_missing(&fault) => Ok(Vec::new()),
        listed => listed,
    }
}
