//! The documents of `show -json`: a plan and a state as Terraform's JSON describes them, with what is ours besides.
//!
//! What is sensitive is null here and marked `true` in `sensitive_values`, `before_sensitive` and `after_sensitive`: unlike Terraform's, these
//! documents may be stored anywhere.

use pipectl_core::{Address, AddressKind, InstanceKey, Kind, Marks, Path, Step, Value, json};
use pipectl_engine::{Action, CheckStatus, OutputAction, Plan, ResourceChange};
use pipectl_provider::Registry;
use pipectl_state::{ObjectState, State};
use serde_json::{Map, Value as Json, json};

use super::events::provider;
use super::state::attributes;
use crate::operation::outputs_of;

/// Version of the plan document.
const PLAN_FORMAT: &str = "1.2";
/// Version of the state document.
const STATE_FORMAT: &str = "1.0";

/// A plan.
pub fn plan(plan: &Plan) -> Json {
    let variables: Map<String, Json> =
        plan.variables.iter().map(|(name, value)| (name.clone(), json!({ "value": known(value) }))).collect();
    let outputs: Map<String, Json> = plan
        .outputs
        .iter()
        .map(|output| {
            let null = Value::null();
            let masked = |value: Option<&Value>| {
                let value = value.unwrap_or(&null).clone();
                if output.sensitive { value.marked(Marks::SENSITIVE) } else { value }
            };
            let (before, after) = (masked(output.before.as_ref()), masked(output.after.as_ref()));
            let actions = match output.action {
                OutputAction::NoOp => "no-op",
                OutputAction::Create => "create",
                OutputAction::Update => "update",
                OutputAction::Delete => "delete",
            };
            (output.name.clone(), change(&[actions], &before, &after))
        })
        .collect();
    let checks: Vec<Json> = plan
        .checks
        .iter()
        .map(|check| {
            let status = match check.status {
                CheckStatus::Pass => "pass",
                CheckStatus::Fail => "fail",
                CheckStatus::Unknown => "unknown",
                CheckStatus::Error => "error",
            };
            json!({
                "address": { "kind": "check", "name": check.check, "to_display": format!("check.{}", check.check) },
                "assertion": check.assertion,
                "status": status,
                "message": check.message,
            })
        })
        .collect();
    let drift: Vec<Json> = plan
        .drift
        .iter()
        .map(|drift| {
            let mut json = named(&drift.address);
            json["notes"] = json!(drift.notes);
            json
        })
        .collect();
    json!({
        "format_version": PLAN_FORMAT,
        "pipectl_version": env!("CARGO_PKG_VERSION"),
        "variables": variables,
        "resource_changes": plan.changes.iter().map(resource_change).collect::<Vec<_>>(),
        "resource_drift": drift,
        "output_changes": outputs,
        "checks": checks,
        "applyable": plan.has_changes(),
        "summary": plan.summary(),
    })
}

fn resource_change(planned: &ResourceChange) -> Json {
    let null = Value::null();
    let actions: &[&str] = match planned.action {
        Action::NoOp => &["no-op"],
        Action::Create => &["create"],
        Action::Update => &["update"],
        Action::Replace { create_before_destroy: false } => &["delete", "create"],
        Action::Replace { create_before_destroy: true } => &["create", "delete"],
        Action::Delete => &["delete"],
        Action::Run => &["run"],
        Action::RunIfChanged => &["run-if-changed"],
        Action::Read => &["read"],
    };
    let mut json = named(&planned.address);
    let (before, after) = (planned.before.as_ref().unwrap_or(&null), planned.after.as_ref().unwrap_or(&null));
    json["change"] = change(actions, before, after);
    if !planned.requires_replace.is_empty() {
        json["change"]["replace_paths"] = planned.requires_replace.iter().map(path).collect();
    }
    if let Some(key) = &planned.deposed {
        json["deposed"] = json!(key);
    }
    json["reasons"] = json!(planned.reasons);
    json
}

fn change(actions: &[&str], before: &Value, after: &Value) -> Json {
    json!({
        "actions": actions,
        "before": known(before),
        "after": known(after),
        "after_unknown": unknown(after).unwrap_or(json!(false)),
        "before_sensitive": sensitive(before).unwrap_or(json!(false)),
        "after_sensitive": sensitive(after).unwrap_or(json!(false)),
    })
}

/// A state.
pub fn state(registry: &Registry, state: &State) -> Json {
    if state.resources.is_empty() && state.outputs.is_empty() {
        return json!({ "format_version": STATE_FORMAT });
    }
    let resources: Vec<Json> =
        state.objects().map(|(address, deposed, stored)| resource(registry, address, deposed, stored)).collect();
    let outputs: Map<String, Json> = outputs_of(state)
        .into_iter()
        .map(|(name, output)| {
            let value = if output.sensitive { output.value.marked(Marks::SENSITIVE) } else { output.value };
            let entry = json!({
                "sensitive": output.sensitive,
                "type": json::type_to_json(&value.ty()),
                "value": known(&value),
            });
            (name, entry)
        })
        .collect();
    json!({
        "format_version": STATE_FORMAT,
        "pipectl_version": env!("CARGO_PKG_VERSION"),
        "serial": state.serial,
        "lineage": state.lineage,
        "values": { "outputs": outputs, "root_module": { "resources": resources } },
    })
}

fn resource(registry: &Registry, address: &Address, deposed: Option<&str>, stored: &ObjectState) -> Json {
    let value = attributes(registry, address, stored);
    let mut json = named(address);
    json["schema_version"] = json!(stored.schema_version);
    json["values"] = known(&value);
    json["sensitive_values"] = sensitive(&value).unwrap_or(json!({}));
    if !stored.dependencies.is_empty() {
        json["depends_on"] = stored.dependencies.iter().map(Address::to_string).collect();
    }
    if stored.tainted {
        json["tainted"] = json!(true);
    }
    if let Some(key) = deposed {
        json["deposed_key"] = json!(key);
    }
    json
}

fn named(address: &Address) -> Json {
    let mode = match address.kind {
        AddressKind::Resource => "managed",
        AddressKind::Data => "data",
        AddressKind::Stage => "stage",
    };
    let mut json = json!({
        "address": address.to_string(),
        "mode": mode,
        "type": address.type_name,
        "name": address.name,
        "provider_name": provider(address),
    });
    match &address.key {
        None => {}
        Some(InstanceKey::Index(index)) => json["index"] = json!(index),
        Some(InstanceKey::Name(name)) => json["index"] = json!(name),
    }
    json
}

/// What is known and may be shown; unknown attributes are left out, unknown elements are null, secrets are null.
fn known(value: &Value) -> Json {
    if value.is_sensitive() {
        return Json::Null;
    }
    match value.kind() {
        Kind::Unknown(_) => Json::Null,
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            elements.iter().map(known).collect()
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => attributes
            .iter()
            .filter(|(_, value)| value.is_known() || value.is_sensitive())
            .map(|(name, value)| (name.clone(), known(value)))
            .collect::<Map<_, _>>()
            .into(),
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => json::to_json(value).unwrap_or(Json::Null),
    }
}

/// `true` where something is known after apply, in the shape of the value; `None` where all is known.
fn unknown(value: &Value) -> Option<Json> {
    tree(value, &|value| !value.is_known())
}

/// `true` where something must not be shown, in the shape of the value; `None` where all may be.
fn sensitive(value: &Value) -> Option<Json> {
    tree(value, &Value::is_sensitive)
}

fn tree(value: &Value, is: &impl Fn(&Value) -> bool) -> Option<Json> {
    if is(value) {
        return Some(json!(true));
    }
    match value.kind() {
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            let inside: Vec<Option<Json>> = elements.iter().map(|element| tree(element, is)).collect();
            inside
                .iter()
                .any(Option::is_some)
                .then(|| inside.into_iter().map(|one| one.unwrap_or(json!(false))).collect())
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            let inside: Map<String, Json> =
                attributes.iter().filter_map(|(name, value)| Some((name.clone(), tree(value, is)?))).collect();
            (!inside.is_empty()).then(|| inside.into())
        }
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => None,
    }
}

fn path(path: &Path) -> Json {
    let step = |step: &Step| match step {
        Step::Name(name) => json!(name),
        Step::Index(index) => json!(index),
    };
    path.0.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use pipectl_core::Type;

    use super::*;

    #[test]
    fn unknown_and_sensitive_values_have_their_own_trees() {
        let value = Value::object([
            ("id", Value::unknown(Type::String)),
            ("name", Value::from("a")),
            ("list", Value::tuple([Value::from(1), Value::unknown(Type::Number)])),
            ("password", Value::from("hunter2").marked(Marks::SENSITIVE)),
        ]);
        assert_eq!(known(&value), json!({ "name": "a", "list": [1, null], "password": null }));
        assert_eq!(unknown(&value), Some(json!({ "id": true, "list": [false, true] })));
        assert_eq!(sensitive(&value), Some(json!({ "password": true })));
        assert_eq!(unknown(&Value::from(1)), None);
    }
}
