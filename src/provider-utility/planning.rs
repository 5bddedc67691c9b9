//! Plans of kinds with default values, and with maps of which an element without a value counts as absent.

use std::collections::BTreeMap;

use pipectl_core::{Path, Schema, Value};
use pipectl_provider::planning::plan_by_schema;
use pipectl_provider::{Effect, Instance, PlanRequest, PlanResponse, Reason};

/// Default values by argument.
pub(crate) type Defaults = Vec<(&'static str, Value)>;

/// The arguments with the default in the place of each that is absent.
pub(crate) fn with_defaults(config: &Value, defaults: &Defaults) -> Value {
    defaults.iter().fold(config.clone(), |config, (name, default)| match config.set_attribute(name) {
        Some(_) => config,
        None => config.with_attribute(name, default.clone()),
    })
}

/// The plan that follows from the schema, where absent arguments have their defaults.
pub(crate) fn plan(schema: &Schema, defaults: &Defaults, request: PlanRequest<'_>) -> PlanResponse {
    let config = with_defaults(request.config, defaults);
    plan_by_schema(schema, &PlanRequest { config: &config, ..request })
}

/// The same for a kind with a map that forces replacement (`keepers`, `triggers`), unless all that changes is elements without a value.
///
/// Such elements are kept apart because Terraform's older plug-in kit did not store them: taking them in replaces nothing.
pub(crate) fn plan_with_map(
    schema: &Schema,
    defaults: &Defaults,
    request: PlanRequest<'_>,
    name: &str,
) -> PlanResponse {
    let Some(prior) = request.prior else { return plan(schema, defaults, request) };
    let now = request.config.attribute(name);
    let before = prior.attributes.attribute(name);
    if now == before || !differs_in_nulls_only(before, now) {
        return plan(schema, defaults, request);
    }
    let map = now.cloned().unwrap_or_else(Value::null);
    let as_now = Instance { attributes: prior.attributes.with_attribute(name, map), ..prior.clone() };
    let mut response = plan(schema, defaults, PlanRequest { prior: Some(&as_now), ..request });
    if response.effect == Effect::NoOp {
        response.effect = Effect::Update;
        response.reasons.push(Reason::on(&Path::of(name), format!("argument `{name}` changed")));
    }
    response
}

fn differs_in_nulls_only(before: Option<&Value>, now: Option<&Value>) -> bool {
    let none = BTreeMap::new();
    let Some(now) = now else { return false };
    if !now.is_wholly_known() {
        return false;
    }
    let Some(now) = now.as_object() else { return false };
    let before = before.and_then(Value::as_object).unwrap_or(&none);
    now.iter().all(|(key, value)| match before.get(key) {
        Some(before) => before.equal_content(value),
        None => value.is_null(),
    }) && before.keys().all(|key| now.contains_key(key))
}

/// Makes a plan a replacement for one more reason. Computed attributes become unknown, unless the plan creates or replaces anyway.
pub(crate) fn replaced(
    schema: &Schema,
    defaults: &Defaults,
    request: PlanRequest<'_>,
    response: PlanResponse,
    reasons: Vec<Reason>,
    path: Option<Path>,
) -> PlanResponse {
    if matches!(response.effect, Effect::Create) || reasons.is_empty() {
        return response;
    }
    let mut response = match response.effect {
        Effect::Replace => response,
        _ => {
            let mut all = response.reasons;
            let mut replacement = plan(schema, defaults, PlanRequest { replace: true, ..request });
            replacement.reasons.clear();
            replacement.reasons.append(&mut all);
            replacement
        }
    };
    response.reasons.extend(reasons);
    response.requires_replace.extend(path);
    response
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Address, Attribute, Type};

    use super::*;

    fn effect(before: Option<Value>, now: Value) -> (Effect, Vec<String>) {
        let schema = Schema::of([
            ("keepers", Attribute::optional(Type::map(Type::String), "Map.").forces_replacement()),
            ("size", Attribute::optional_computed(Type::Number, "Size.").forces_replacement()),
        ]);
        let before = before.unwrap_or_else(|| Value::null_of(Type::map(Type::String)));
        let prior = Instance::new(Value::object([("keepers", before), ("size", 2.into())]));
        let config = Value::object([("keepers", now), ("size", Value::null_of(Type::Number))]);
        let address: Address = "random_pet.x".parse().expect("an address");
        let request =
            PlanRequest { address: &address, config: &config, prior: Some(&prior), drift: &[], replace: false };
        let response = plan_with_map(&schema, &vec![("size", 2.into())], request, "keepers");
        (response.effect, response.reasons.into_iter().map(|reason| reason.text).collect())
    }

    fn map(elements: &[(&str, Option<&str>)]) -> Value {
        let value = |text: &Option<&str>| text.map_or_else(|| Value::null_of(Type::String), Value::from);
        Value::map(Type::String, elements.iter().map(|(key, text)| (*key, value(text))))
    }

    #[test]
    fn elements_without_a_value_replace_nothing() {
        let a = [("a", Some("1"))];
        for (before, now, expected) in [
            (Some(map(&a)), map(&a), Effect::NoOp),
            (None, map(&[("a", None)]), Effect::Update),
            (None, map(&[]), Effect::Update),
            (None, map(&a), Effect::Replace),
            (Some(map(&a)), map(&[("a", Some("1")), ("b", None)]), Effect::Update),
            (Some(map(&a)), map(&[("a", None)]), Effect::Replace),
            (Some(map(&a)), map(&[]), Effect::Replace),
            (Some(map(&a)), Value::null_of(Type::map(Type::String)), Effect::Replace),
            (Some(map(&a)), Value::unknown(Type::map(Type::String)), Effect::Replace),
        ] {
            assert_eq!(effect(before.clone(), now.clone()).0, expected, "{before:?} -> {now}");
        }
        assert_eq!(effect(Some(map(&a)), map(&[])).1, ["argument `keepers` forces replacement"]);
    }
}
