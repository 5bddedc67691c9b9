//! A plan as Terraform's plan representation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use pipectl_core::{Address, AddressKind, Marks, Value};
use pipectl_engine::{Action, DeferredChange, OutputAction, OutputChange, Plan, ResourceChange, attributes};
use pipectl_lang::Configuration;
use pipectl_provider::Registry;
use pipectl_state::{Change, State};
use serde_json::{Map, Value as Json, json};

use super::module_tree::root_module;
use super::relevant::relevant_attributes;
use super::trees::{known, path, sensitive, unknown};
use super::{TERRAFORM_VERSION, checks, configuration, named_in_module, state};
use crate::clock::rfc3339_seconds;
use crate::operation::outputs_of;
use crate::view::action_reason::action_reason;
use crate::view::outputs::Output;

/// Version of the plan document.
const FORMAT: &str = "1.2";

/// A plan with what it takes to describe it.
pub struct PlanView<'a> {
    /// The kinds of objects.
    pub registry: &'a Registry,
    /// The plan.
    pub plan: &'a Plan,
    /// The configuration it was made from.
    pub configuration: &'a Configuration,
    /// The state it was made for, where that is still there.
    pub state: Option<&'a State>,
}

/// The document of a plan.
pub fn plan(view: &PlanView<'_>) -> Json {
    let plan = view.plan;
    let prior = match (view.state, &plan.base) {
        (Some(state), _) => Some(plan.prior_state(state)),
        // There was none: what is imported is all that there is before.
        (None, None) => Some(plan.prior_state(&State::default())),
        (None, Some(_)) => None,
    };
    let planned = view.planned_objects(prior.as_ref().unwrap_or(&State::default()));
    let mut outputs: BTreeMap<String, Output> = prior.as_ref().map(outputs_of).unwrap_or_default();
    for output in &plan.outputs {
        // As in Terraform's: what the plan knows already of an output is told with the state before.
        let is_told = |after: &&Value| after.is_wholly_known() && !after.is_null();
        if let Some(value) = output.after.as_ref().filter(is_told) {
            outputs.insert(output.name.clone(), Output { value: value.clone(), sensitive: output.sensitive });
        }
    }
    let mut document = json!({
        "format_version": FORMAT,
        "terraform_version": TERRAFORM_VERSION,
        "pipectl_version": env!("CARGO_PKG_VERSION"),
        "planned_values": view.planned_values(&planned),
        "configuration": configuration::configuration(view.registry, view.configuration),
        "applyable": plan.has_changes() || !plan.observed.is_empty(),
        "complete": plan.targets.is_empty() && plan.excludes.is_empty(),
        "errored": false,
        "summary": plan.summary(),
    });
    let mut add = |name: &str, value: Json| {
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty && !value.is_null() {
            document[name] = value;
        }
    };
    let variables = plan.variables.iter().filter(|(_, value)| !value.marks().contains(Marks::EPHEMERAL));
    add("variables", variables.map(|(name, value)| (name.clone(), json!({ "value": known(value) }))).collect());
    let mut changes: Vec<&ResourceChange> = plan.changes.iter().filter(|change| !is_silent(change)).collect();
    changes.sort_by_key(|change| terraforms_order(&change.address));
    add("resource_changes", changes.into_iter().map(|change| view.resource_change(change, prior.as_ref())).collect());
    add("resource_drift", view.drift());
    add("deferred_changes", plan.deferred.iter().map(|deferred| view.deferred_change(deferred)).collect());
    add(
        "output_changes",
        plan.outputs.iter().map(|output| (output.name.clone(), view.output_change(output))).collect(),
    );
    let prior = prior.unwrap_or_default();
    if !(prior.resources.is_empty() && outputs.is_empty()) {
        add("prior_state", state::with_outputs(view.registry, &prior, &outputs));
    }
    add("relevant_attributes", relevant_attributes(plan, view.configuration).into());
    add("checks", checks::checks(plan, view.configuration).into());
    let made = UNIX_EPOCH + Duration::from_secs(u64::try_from(plan.made).unwrap_or_default());
    add("timestamp", json!(rfc3339_seconds(made)));
    document
}

/// A data source that was read while planning is no change.
fn is_silent(change: &ResourceChange) -> bool {
    change.action.is_no_op() && change.address.kind == AddressKind::Data
}

/// Where the change of an object stands among others: those of outer modules first, and in each module data sources first.
fn terraforms_order(address: &Address) -> impl Ord + use<'_> {
    let is_data = address.kind == AddressKind::Data;
    (address.module.steps().len(), &address.module, !is_data, address)
}

impl PlanView<'_> {
    /// The objects that the plan speaks of as it leaves them: as in Terraform's, none that it leaves out, and none where it only looks.
    fn planned_objects(&self, prior: &State) -> BTreeMap<Address, Value> {
        let mut planned = self.plan.objects_after(self.registry, prior);
        let told: BTreeSet<&Address> = (self.plan.changes.iter().map(|change| &change.address))
            .chain(self.plan.deferred.iter().map(|deferred| deferred.address.address()))
            .collect();
        planned.retain(|address, _| told.contains(address));
        planned
    }

    fn planned_values(&self, planned: &BTreeMap<Address, Value>) -> Json {
        let mut planned: Vec<(&Address, &Value)> = planned.iter().collect();
        // These, unlike the changes, stand in the order of their texts: a[10] before a[2].
        planned.sort_by_cached_key(|(address, _)| address.to_string());
        let objects = planned.into_iter().map(|(address, value)| {
            let kind = self.registry.resource(address.kind, &address.type_name);
            (address, state::object(address, value, kind.map_or(0, |kind| kind.schema().version)))
        });
        let mut values = json!({ "root_module": root_module(objects) });
        let outputs = self.plan.outputs.iter().filter(|output| output.action != OutputAction::Delete);
        let each = |output: &OutputChange| {
            let json = match &output.after {
                Some(after) if after.is_wholly_known() => state::output_value(&masked(output, after)),
                _ => json!({ "sensitive": output.sensitive }),
            };
            (output.name.clone(), json)
        };
        let outputs: Map<String, Json> = outputs.map(each).collect();
        if !outputs.is_empty() {
            values["outputs"] = outputs.into();
        }
        values
    }

    fn resource_change(&self, change: &ResourceChange, prior: Option<&State>) -> Json {
        let actions: &[&str] = match change.action {
            Action::NoOp => &["no-op"],
            Action::Create => &["create"],
            Action::Update => &["update"],
            Action::Replace { create_before_destroy: false } => &["delete", "create"],
            Action::Replace { create_before_destroy: true } => &["create", "delete"],
            Action::Delete => &["delete"],
            Action::Forget => &["forget"],
            // Readers know no runs: the first one makes what a stage makes, a later one changes it.
            Action::Run | Action::RunIfChanged if change.before.is_some() => &["update"],
            Action::Run | Action::RunIfChanged => &["create"],
            Action::Read => &["read"],
        };
        let mut json = named_in_module(&change.address);
        if let Some(previous) = &change.previous {
            json["previous_address"] = json!(previous.to_string());
        }
        if let Some(key) = &change.deposed {
            json["deposed"] = json!(key);
        }
        let kept = self.unchanged(change, prior);
        let (before, after) = match &kept {
            Some(value) => (Some(value), Some(value)),
            None => (change.before.as_ref(), change.after.as_ref()),
        };
        json["change"] = delta(actions, before, after);
        json["change"]["after_unknown"] = match after {
            // As Terraform's: where all is known, nothing is said of its parts.
            Some(after) if !after.is_wholly_known() => unknown(after),
            Some(_) | None => json!({}),
        };
        if let Some(id) = &change.importing {
            json["change"]["importing"] = json!({ "id": id });
        }
        if !change.requires_replace.is_empty() {
            json["change"]["replace_paths"] = change.requires_replace.iter().map(path).collect();
        }
        if let Some(reason) = action_reason(change) {
            json["action_reason"] = json!(reason.in_plan());
        }
        if matches!(change.action, Action::Run | Action::RunIfChanged) {
            json["stage_action"] = json!(change.action.name());
        }
        if !change.reasons.is_empty() {
            json["reasons"] = json!(change.reasons);
        }
        json
    }

    /// As in Terraform's documents; and the address patterns are the same, too.
    fn deferred_change(&self, deferred: &DeferredChange) -> Json {
        let change = ResourceChange {
            address: deferred.address.address().clone(),
            deposed: None,
            previous: None,
            importing: None,
            action: deferred.action,
            before: deferred.before.clone(),
            after: deferred.after.clone(),
            requires_replace: Vec::new(),
            cause: None,
            reasons: deferred.reasons.clone(),
            private: Json::Null,
            decided: false,
            forced: false,
            token: String::new(),
        };
        let mut json = self.resource_change(&change, None);
        json["address"] = json!(deferred.address.to_string());
        if deferred.address.has_open_key() {
            json["index_unknown"] = json!(true);
        }
        if let Some((module, _)) = deferred
            .address
            .to_string()
            .rsplit_once(&format!(".{}", deferred.address.address().inside_module().block()))
        {
            json["module_address"] = json!(module);
        }
        json!({ "reason": deferred.why.name(), "resource_change": json })
    }

    /// The attributes of an object that stays as it is and that a saved plan does not repeat.
    fn unchanged(&self, change: &ResourceChange, prior: Option<&State>) -> Option<Value> {
        if !change.action.is_no_op() || change.after.is_some() {
            return None;
        }
        let object = prior?.object(&change.address)?;
        Some(attributes(self.registry, &change.address, object))
    }

    fn output_change(&self, output: &OutputChange) -> Json {
        let actions: &[&str] = match output.action {
            OutputAction::NoOp => &["no-op"],
            OutputAction::Create => &["create"],
            OutputAction::Update => &["update"],
            OutputAction::Delete => &["delete"],
        };
        let (before, after) = (output.before.as_ref(), output.after.as_ref());
        let before = before.map(|value| masked(output, value));
        let after = after.map(|value| masked(output, value));
        let mut json = delta(actions, before.as_ref(), after.as_ref());
        json["before_sensitive"] = json!(output.sensitive);
        json["after_sensitive"] = json!(output.sensitive);
        json["after_unknown"] = json!(false);
        if output.action != OutputAction::Delete && !output.after.as_ref().is_some_and(Value::is_wholly_known) {
            json["after_unknown"] = after.as_ref().map_or(json!(true), unknown);
            if after.as_ref().is_none_or(|after| !after.is_known())
                && let Some(members) = json.as_object_mut()
            {
                members.remove("after");
            }
        }
        json
    }

    /// What refresh saw changed, as changes of objects; in words where the state before is not at hand.
    fn drift(&self) -> Json {
        let each = self.plan.drift.iter().map(|drift| {
            let mut json = named_in_module(&drift.address);
            let previous = self.plan.previous_address(&drift.address);
            let before = self.state.and_then(|state| state.object(previous.unwrap_or(&drift.address)));
            let before = before.map(|object| attributes(self.registry, &drift.address, object));
            let observed = self.plan.observed.iter().rev().find_map(|change| match change {
                Change::SetObject { address, object } if *address == drift.address => {
                    Some(Some(attributes(self.registry, address, object)))
                }
                Change::RemoveObject { address } if *address == drift.address => Some(None),
                _ => None,
            });
            let actions = if matches!(observed, Some(None)) { "delete" } else { "update" };
            let after = observed.flatten();
            json["change"] = delta(&[actions], before.as_ref(), after.as_ref());
            json["change"]["after_unknown"] = after.as_ref().map_or(json!({}), unknown);
            json["notes"] = json!(drift.notes);
            if let Some(previous) = previous {
                json["previous_address"] = json!(previous.to_string());
            }
            json
        });
        let moved = self.plan.only_moved().map(|moved| {
            let mut json = named_in_module(&moved.to);
            let object = self.state.and_then(|state| state.object(&moved.from));
            let value = object.map(|object| attributes(self.registry, &moved.to, object));
            json["change"] = delta(&["no-op"], value.as_ref(), value.as_ref());
            json["change"]["after_unknown"] = json!({});
            json["previous_address"] = json!(moved.from.to_string());
            json
        });
        each.chain(moved).collect()
    }
}

fn masked(output: &OutputChange, value: &Value) -> Value {
    if output.sensitive { value.clone().marked(Marks::SENSITIVE) } else { value.clone() }
}

/// What is common to changes of objects and outputs.
fn delta(actions: &[&str], before: Option<&Value>, after: Option<&Value>) -> Json {
    let null = Value::null();
    json!({
        "actions": actions,
        "before": known(before.unwrap_or(&null)),
        "after": known(after.unwrap_or(&null)),
        "before_sensitive": before.map_or(json!(false), sensitive),
        "after_sensitive": after.map_or(json!(false), sensitive),
    })
}
