//! How the conditions of a configuration stand: `checks`.

use pipectl_core::{Address, InstanceKey, Kind, Type, Value, convert};
use pipectl_engine::{CheckStatus, Mode, Plan};
use pipectl_lang::{Configuration, ObjectBlock, Reference, Rule, Scope, evaluate};
use serde_json::{Value as Json, json};

use super::mode;
use crate::world::World;

/// How something stands, better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Pass,
    Unknown,
    Fail,
    Error,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Unknown => "unknown",
            Status::Fail => "fail",
            Status::Error => "error",
        }
    }
}

/// Everything with conditions, in the order of what it is called. A plan that removes everything judges nothing.
pub(super) fn checks(plan: &Plan, configuration: &Configuration, world: &World<'_>) -> Vec<Json> {
    let blocks = configuration.checks.keys().map(|name| (format!("check.{name}"), check(plan, name)));
    let outputs = configuration.outputs.values().filter(|block| !block.preconditions.is_empty()).map(|block| {
        let status = match plan.mode {
            Mode::Destroy => Status::Unknown,
            Mode::Normal | Mode::RefreshOnly => all(&block.preconditions, &scope(world, &block.preconditions)),
        };
        let shown = format!("output.{}", block.name);
        let address = json!({ "kind": "output_value", "name": block.name, "to_display": shown });
        let instance = json!({ "address": { "to_display": shown }, "status": status.name() });
        (shown, json!({ "address": address, "status": status.name(), "instances": [instance] }))
    });
    let objects = configuration.objects.iter().filter_map(|(address, block)| object(address, block, world));
    let mut found: Vec<(String, Json)> = blocks.chain(outputs).chain(objects).collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.into_iter().map(|(_, json)| json).collect()
}

/// A `check` block: the plan has judged it.
fn check(plan: &Plan, name: &str) -> Json {
    let results = || plan.checks.iter().filter(|result| result.check == name);
    let status = results().map(|result| match result.status {
        CheckStatus::Pass => Status::Pass,
        CheckStatus::Fail => Status::Fail,
        CheckStatus::Unknown => Status::Unknown,
        CheckStatus::Error => Status::Error,
    });
    let status = status.max().unwrap_or(Status::Unknown).name();
    let shown = format!("check.{name}");
    let mut instance = json!({ "address": { "to_display": shown }, "status": status });
    let problems: Vec<Json> =
        results().filter_map(|result| Some(json!({ "message": result.message.as_ref()? }))).collect();
    if !problems.is_empty() {
        instance["problems"] = problems.into();
    }
    let address = json!({ "kind": "check", "name": name, "to_display": shown });
    let mut json = json!({ "address": address, "status": status });
    if results().next().is_some() {
        json["instances"] = json!([instance]);
    }
    json
}

/// The conditions of a block with its instances; `None` where it has no conditions.
fn object(address: &Address, block: &ObjectBlock, world: &World<'_>) -> Option<(String, Json)> {
    let lifecycle = &block.meta.lifecycle;
    if lifecycle.preconditions.is_empty() && lifecycle.postconditions.is_empty() {
        return None;
    }
    let mut worst = Status::Pass;
    let mut instances = Vec::new();
    for (key, value) in world.instances(address) {
        let judged = |rules: &[Rule]| {
            let mut scope = scope(world, rules)?;
            scope.set(&Reference::SelfObject, value.clone());
            instance_names(&mut scope, block, key.as_ref(), world);
            Ok(scope)
        };
        let status =
            [&lifecycle.preconditions, &lifecycle.postconditions].map(|rules| all(rules, &judged(rules))).into_iter();
        let status = status.max().unwrap_or(Status::Pass);
        worst = worst.max(status);
        let mut named = json!({ "to_display": address.with_key(key.clone()).to_string() });
        match key {
            None => {}
            Some(InstanceKey::Index(index)) => named["instance_key"] = json!(index),
            Some(InstanceKey::Name(name)) => named["instance_key"] = json!(name),
        }
        instances.push(json!({ "address": named, "status": status.name() }));
    }
    if instances.is_empty() {
        worst = Status::Unknown;
    }
    let shown = address.to_string();
    let named = json!({
        "kind": "resource", "mode": mode(address), "type": address.type_name, "name": address.name, "to_display": shown,
    });
    let mut json = json!({ "address": named, "status": worst.name() });
    if !instances.is_empty() {
        json["instances"] = instances.into();
    }
    Some((shown, json))
}

/// What rules see; `Err` when something that they refer to cannot be evaluated.
fn scope(world: &World<'_>, rules: &[Rule]) -> Result<Scope, ()> {
    world.scope(rules.iter().flat_map(Rule::references).collect()).map_err(drop)
}

/// Sets `each` and `count` as the instance has them.
fn instance_names(scope: &mut Scope, block: &ObjectBlock, key: Option<&InstanceKey>, world: &World<'_>) {
    match key {
        None => {}
        Some(InstanceKey::Index(index)) => {
            let index = Value::from(i64::try_from(*index).unwrap_or(i64::MAX));
            scope.set(&Reference::Count, Value::object([("index", index)]));
        }
        Some(InstanceKey::Name(name)) => {
            let all = block.meta.for_each.as_ref().and_then(|for_each| world.evaluate(for_each).ok());
            let value = all.and_then(|all| match all.kind() {
                Kind::Set(..) => Some(Value::from(name.as_str())),
                _ => all.attribute(name).cloned(),
            });
            let value = value.unwrap_or_else(|| Value::unknown(Type::Any));
            scope.set(&Reference::Each, Value::object([("key", Value::from(name.as_str())), ("value", value)]));
        }
    }
}

fn all(rules: &[Rule], scope: &Result<Scope, ()>) -> Status {
    let Ok(scope) = scope else { return Status::Error };
    rules.iter().map(|rule| one(rule, scope)).max().unwrap_or(Status::Pass)
}

fn one(rule: &Rule, scope: &Scope) -> Status {
    let value = evaluate(&rule.condition, scope).ok().and_then(|value| convert::convert(&value, &Type::Bool).ok());
    match value.as_ref().map(Value::kind) {
        Some(Kind::Bool(true)) => Status::Pass,
        Some(Kind::Bool(false)) => Status::Fail,
        Some(Kind::Unknown(_)) => Status::Unknown,
        _ => Status::Error,
    }
}
