//! `terraform_data`: holds a value, and is replaced when another one changes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Digest, Kind, Path, Refinement, Schema, Type, Value};
use pipectl_provider::{ApplyOutcome, Cx, Effect, Instance, PlanRequest, PlanResponse, ReadOutcome, Reason, Resource};
use serde_json::Value as Json;

/// `resource "terraform_data" "<name>"`.
///
/// `output` is `input` as it was at the last apply: known after apply when `input` changes, and as it is when it does not. A change of
/// `triggers_replace`, or of its type, replaces the object. Semantics: Terraform's `internal/builtin/providers/terraform/resource_data.go`.
#[derive(Debug)]
pub struct TerraformData {
    schema: Schema,
}

impl Default for TerraformData {
    fn default() -> Self {
        Self::new()
    }
}

impl TerraformData {
    /// The type's name in a `resource` block.
    pub const TYPE_NAME: &'static str = "terraform_data";

    /// The resource kind.
    pub fn new() -> Self {
        let schema = Schema::of([
            ("input", Attribute::optional(Type::Any, "A value to hold.")),
            ("output", Attribute::computed(Type::Any, "`input` as of the last apply.")),
            (
                "triggers_replace",
                Attribute::optional(Type::Any, "A value whose change replaces the object.").forces_replacement(),
            ),
            ("id", Attribute::computed(Type::String, "A UUID, drawn when the object is made.")),
        ])
        .described("Holds a value; replaced when another one changes.");
        Self { schema }
    }
}

#[async_trait]
impl Resource for TerraformData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let given = ["id", "output"].into_iter().filter(|name| config.set_attribute(name).is_some());
        given
            .map(|name| {
                let detail = format!("The attribute `{name}` is decided by pipectl: it cannot be an argument.");
                Diagnostic::error("Read-only attribute", detail).on(Path::of(name))
            })
            .collect()
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        // Nothing but the state holds it, so it is what the state says.
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn plan(&self, _cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let null = Value::null();
        let argument = |name: &str| request.config.attribute(name).unwrap_or(&null);
        let respond = |effect, planned, reasons, requires_replace| PlanResponse {
            effect,
            planned,
            private: Json::Null,
            reasons,
            requires_replace,
        };
        let (input, triggers) = (argument("input"), argument("triggers_replace"));
        let fresh = || {
            let refinement = Refinement { not_null: true, ..Refinement::default() };
            let output = if input.is_null() { input.clone() } else { output_of(input) };
            request
                .config
                .with_attribute("id", Value::refined(Type::String, refinement))
                .with_attribute("output", output)
        };
        let Some(prior) = request.prior else {
            return Ok(respond(Effect::Create, fresh(), vec![Reason::new("it does not exist")], Vec::new()));
        };
        let before = |name: &str| prior.attributes.attribute(name).unwrap_or(&null);
        let mut reasons = Vec::new();
        let mut requires_replace = Vec::new();
        if request.replace {
            reasons.push(Reason::asked_for());
        }
        if !same(before("triggers_replace"), triggers) {
            let path = Path::of("triggers_replace");
            reasons.push(Reason::on(&path, "argument `triggers_replace` forces replacement"));
            requires_replace.push(path);
        }
        let input_changed = !same(before("input"), input);
        if input_changed {
            reasons.push(Reason::on(&Path::of("input"), "argument `input` changed"));
        }
        if request.replace || !requires_replace.is_empty() {
            return Ok(respond(Effect::Replace, fresh(), reasons, requires_replace));
        }
        let kept = request.config.with_attribute("id", before("id").clone());
        Ok(match input_changed {
            true => respond(Effect::Update, kept.with_attribute("output", output_of(input)), reasons, Vec::new()),
            // The same content, with the marks of now: a value may have become secret since.
            false => respond(Effect::NoOp, kept.with_attribute("output", input.clone()), reasons, Vec::new()),
        })
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        finish(cx, planned)
    }

    async fn update(&self, cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        finish(cx, planned)
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }

    async fn import(&self, _cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let attributes = ["input", "output", "triggers_replace"].map(|name| (name, Value::null()));
        let attributes = attributes.into_iter().chain([("id", Value::from(id))]);
        Ok(Some(Instance::new(Value::object(attributes))))
    }
}

/// The output that a changed input will have: known after apply, of the same type, and as secret. Where only some elements are secret, it has
/// elements of its own, so that the others can be used like any value.
fn output_of(input: &Value) -> Value {
    let marks = input.marks();
    let each = |elements: &[Value]| elements.iter().map(element_of).collect::<Vec<_>>();
    let named = |elements: &BTreeMap<String, Value>| {
        elements.iter().map(|(name, element)| (name.clone(), element_of(element))).collect::<Vec<_>>()
    };
    let output = match input.kind() {
        _ if marks.contains(input.marks_deep()) => Value::unknown(input.ty()),
        Kind::Object(elements) => Value::object(named(elements)),
        Kind::Map(ty, elements) => Value::map(ty.clone(), named(elements)),
        Kind::Tuple(elements) => Value::tuple(each(elements)),
        Kind::List(ty, elements) => Value::list(ty.clone(), each(elements)),
        // Elements of a set have no places of their own.
        _ => return Value::unknown(input.ty()).marked(input.marks_deep()),
    };
    output.marked(marks)
}

fn element_of(element: &Value) -> Value {
    if element.is_null() { element.clone() } else { output_of(element) }
}

/// Fills what was known after apply.
fn finish(cx: &Cx, planned: &Instance) -> ApplyOutcome {
    let mut attributes = planned.attributes.clone();
    let unknown = |name: &str| attributes.attribute(name).is_none_or(|value| !value.is_wholly_known());
    let (output, id) = (unknown("output"), unknown("id"));
    if output {
        let input = attributes.attribute("input").cloned().unwrap_or_else(Value::null);
        attributes = attributes.with_attribute("output", input);
    }
    if id {
        attributes = attributes.with_attribute("id", Value::from(uuid(&cx.address, &cx.token)));
    }
    ApplyOutcome::done(Instance { attributes, private: Json::Null, schema_version: planned.schema_version })
}

/// Whether a value did not change: also its type counts, as it does for Terraform; marks do not, and no null differs from another.
fn same(before: &Value, now: &Value) -> bool {
    before.is_null() && now.is_null() || before.is_wholly_known() && now.is_wholly_known() && before.same_content(now)
}

/// A UUID (RFC 9562, version 8) that a repeated call makes again.
fn uuid(address: &str, token: &str) -> String {
    let digits = Digest::of(format!("{address}\n{token}").as_bytes()).hex();
    // The variant is the top two bits of a digit: one of 8, 9, a, b.
    let variant = ["8", "9", "a", "b"][usize::from(digits.as_bytes()[16] % 4)];
    format!("{}-{}-8{}-{variant}{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..32])
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Address, Marks};
    use pipectl_sim::context;

    use super::*;

    fn config(input: Value, triggers: Value) -> Value {
        let null = ("output", Value::null());
        Value::object([("input", input), ("triggers_replace", triggers), null, ("id", Value::null())])
    }

    async fn plan(config: &Value, prior: Option<&Instance>, replace: bool) -> PlanResponse {
        let address: Address = "terraform_data.x".parse().unwrap();
        let request = PlanRequest { address: &address, config, prior, drift: &[], replace };
        TerraformData::new().plan(&context("terraform_data.x", "plan"), request).await.unwrap()
    }

    async fn apply(config: &Value, prior: Option<&Instance>, token: &str) -> Instance {
        let planned = Instance::new(plan(config, prior, false).await.planned);
        let cx = context("terraform_data.x", token);
        let outcome = match prior {
            None => TerraformData::new().create(&cx, &planned).await,
            Some(prior) => TerraformData::new().update(&cx, prior, &planned).await,
        };
        assert!(outcome.diagnostics.is_empty());
        outcome.instance.unwrap()
    }

    fn text(instance: &Instance, name: &str) -> String {
        instance.attributes.attribute(name).unwrap().to_string()
    }

    #[tokio::test]
    async fn holds_its_input() {
        let first = config("a".into(), Value::null());
        let response = plan(&first, None, false).await;
        assert_eq!(response.effect, Effect::Create);
        assert_eq!(response.planned.attribute("output").unwrap().ty(), Type::String);
        assert!(!response.planned.attribute("id").unwrap().is_known());
        let made = apply(&first, None, "t1").await;
        assert_eq!(text(&made, "output"), "\"a\"");
        assert_eq!(apply(&first, None, "t1").await, made, "a repeated call makes the same object");
        assert_ne!(text(&apply(&first, None, "t2").await, "id"), text(&made, "id"));

        let again = plan(&first, Some(&made), false).await;
        assert_eq!((again.effect, again.reasons.len()), (Effect::NoOp, 0));
        assert_eq!(again.planned, made.attributes);
    }

    #[tokio::test]
    async fn only_a_changed_input_makes_the_output_unknown() {
        let made = apply(&config("a".into(), 1.into()), None, "t").await;
        let changed = config(Value::tuple([1.into()]), 1.into());
        let response = plan(&changed, Some(&made), false).await;
        assert_eq!(response.effect, Effect::Update);
        assert_eq!(response.planned.attribute("id"), made.attributes.attribute("id"));
        assert_eq!(response.planned.attribute("output").unwrap().ty(), Type::Tuple(vec![Type::Number]));
        let updated = apply(&changed, Some(&made), "u").await;
        assert_eq!((text(&updated, "output"), text(&updated, "id")), ("[1]".to_owned(), text(&made, "id")));
        let removed = apply(&config(Value::null(), 1.into()), Some(&updated), "v").await;
        assert!(removed.attributes.attribute("output").unwrap().is_null());
    }

    #[tokio::test]
    async fn a_changed_trigger_replaces() {
        let made = apply(&config("a".into(), 1.into()), None, "t").await;
        let elements = || ["x"].map(Value::from);
        for (triggers, expected) in [
            (1.into(), Effect::NoOp),
            (Value::from("1"), Effect::Replace),
            (Value::null(), Effect::Replace),
            (Value::unknown(Type::Any), Effect::Replace),
            (Value::tuple(elements()), Effect::Replace),
        ] {
            let response = plan(&config("a".into(), triggers.clone()), Some(&made), false).await;
            assert_eq!(response.effect, expected, "{triggers}");
            let paths = if expected == Effect::Replace { vec![Path::of("triggers_replace")] } else { Vec::new() };
            assert_eq!(response.requires_replace, paths);
            assert_eq!(response.planned.attribute("id").unwrap().is_known(), expected == Effect::NoOp);
        }
        // As for Terraform, a list is no tuple.
        let listed = apply(&config(Value::null(), Value::list(Type::String, elements())), None, "l").await;
        let response = plan(&config(Value::null(), Value::tuple(elements())), Some(&listed), false).await;
        assert_eq!(response.effect, Effect::Replace);
        assert!(response.planned.attribute("output").unwrap().is_null(), "no input, no output, known at once");
    }

    #[tokio::test]
    async fn an_asked_for_replacement_draws_another_id() {
        let config = config("a".into(), Value::null());
        let made = apply(&config, None, "t").await;
        let response = plan(&config, Some(&made), true).await;
        assert_eq!(response.effect, Effect::Replace);
        assert!(!response.planned.attribute("id").unwrap().is_known());
        assert!(!response.planned.attribute("output").unwrap().is_known());
    }

    #[tokio::test]
    async fn an_unknown_input_counts_as_changed() {
        let made = apply(&config("a".into(), Value::null()), None, "t").await;
        let response = plan(&config(Value::unknown(Type::String), Value::null()), Some(&made), false).await;
        assert_eq!(response.effect, Effect::Update);
        assert_eq!(response.planned.attribute("output"), Some(&Value::unknown(Type::String)));
    }

    #[tokio::test]
    async fn the_output_of_a_secret_is_a_secret() {
        let config = config(Value::from("hunter2").marked(Marks::SENSITIVE), Value::null());
        let response = plan(&config, None, false).await;
        assert!(response.planned.attribute("output").unwrap().is_sensitive());
        assert_eq!(text(&apply(&config, None, "t").await, "output"), "(sensitive value)");
    }

    #[tokio::test]
    async fn only_secret_elements_of_the_output_are_secret() {
        let secret = Value::from("hunter2").marked(Marks::SENSITIVE);
        let input = Value::object([
            ("plain", Value::from("x")),
            ("none", Value::null()),
            ("list", Value::tuple([1.into(), secret.clone()])),
            ("set", Value::tuple([Value::set(Type::String, ["a".into()])])),
            ("secret", secret),
        ]);
        let config = config(input.clone(), Value::null());
        let response = plan(&config, None, false).await;
        let output = response.planned.attribute("output").unwrap();
        assert_eq!(output.paths_marked(Marks::SENSITIVE), input.paths_marked(Marks::SENSITIVE));
        assert_eq!(output.attribute("plain"), Some(&Value::unknown(Type::String)));
        assert_eq!(output.ty(), input.ty());
        let made = apply(&config, None, "t").await;
        assert_eq!(made.attributes.attribute("output"), Some(&input));
    }

    #[tokio::test]
    async fn its_own_attributes_are_not_arguments() {
        let config = config(Value::null(), Value::null()).with_attribute("id", "mine".into());
        let found = TerraformData::new().validate(&config);
        assert_eq!(found.iter().map(|found| found.path.clone()).collect::<Vec<_>>(), [Some(Path::of("id"))]);
        assert!(TerraformData::new().validate(&Value::object([("input", Value::from("a"))])).is_empty());
    }

    #[tokio::test]
    async fn reads_imports_and_goes() {
        let (data, cx) = (TerraformData::new(), context("terraform_data.x", "t"));
        let imported = data.import(&cx, "an-id").await.unwrap().unwrap();
        assert_eq!(text(&imported, "id"), "\"an-id\"");
        match data.read(&cx, &imported).await.unwrap() {
            ReadOutcome::Present { instance, drift } => assert_eq!((*instance, drift.len()), (imported.clone(), 0)),
            ReadOutcome::Gone => panic!("what only the state holds cannot be gone"),
        }
        assert!(data.delete(&cx, &imported).await.instance.is_none());
        assert!(!data.has_remote_effect());
    }

    #[test]
    fn ids_are_uuids() {
        for token in 0..50 {
            let id = uuid("terraform_data.x", &token.to_string());
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "8");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
