//! The plan that follows from a schema alone: what most kinds of resource need.

use pipectl_core::{Block, Kind, Nesting, Path, Schema, Type, Value};
use serde_json::Value as Json;

use crate::{Effect, PlanRequest, PlanResponse, Reason};

/// Compares arguments with the prior instance attribute by attribute.
///
/// An argument that is given counts; one that is absent keeps the prior value if the provider computed it, else becomes null.
/// A change to an attribute that forces replacement replaces, in a block, too, and so does another number of blocks with such an attribute; on create and replace, computed attributes are unknown; on update, they stay,
/// because only the kind knows which of them an update changes (it overrides `plan` to say so).
pub fn plan_by_schema(schema: &Schema, request: &PlanRequest<'_>) -> PlanResponse {
    let private = request.prior.map_or(Json::Null, |prior| prior.private.clone());
    // What is never stored cannot be compared with what it was.
    let config = &without_write_only(schema, request.config.clone());
    let Some(prior) = request.prior else {
        return PlanResponse {
            effect: Effect::Create,
            planned: with_unknown_computed(schema, config),
            private,
            reasons: vec![Reason::new("it does not exist")],
            requires_replace: Vec::new(),
        };
    };
    let mut planned = config.clone();
    let mut reasons = Vec::new();
    let mut requires_replace = Vec::new();
    for (name, attribute) in &schema.attributes {
        let null = Value::null();
        let configured = config.attribute(name).unwrap_or(&null);
        let before = prior.attributes.attribute(name).unwrap_or(&null);
        if configured.is_null() && attribute.computed {
            planned = planned.with_attribute(name, before.clone());
            continue;
        }
        if same(configured, before) {
            continue;
        }
        let path = Path::of(name);
        if attribute.forces_replacement {
            reasons.push(Reason::on(&path, format!("argument `{name}` forces replacement")));
            requires_replace.push(path);
        } else {
            reasons.push(Reason::on(&path, format!("argument `{name}` changed")));
        }
    }
    for (name, block) in &schema.blocks {
        let null = Value::null();
        let configured = config.attribute(name).unwrap_or(&null);
        let before = prior.attributes.attribute(name).unwrap_or(&null);
        let configured = &with_blocks_before(block, configured, before);
        planned = planned.with_attribute(name, configured.clone());
        if same(configured, before) {
            continue;
        }
        let path = Path::of(name);
        if forces_replacement(block, configured, before) {
            reasons.push(Reason::on(&path, format!("block `{name}` forces replacement")));
            requires_replace.push(path);
        } else {
            reasons.push(Reason::on(&path, format!("block `{name}` changed")));
        }
    }
    if request.replace {
        reasons.insert(0, Reason::asked_for());
    }
    let effect = match (request.replace || !requires_replace.is_empty(), reasons.is_empty()) {
        (true, _) => Effect::Replace,
        (false, true) => Effect::NoOp,
        (false, false) => Effect::Update,
    };
    if effect == Effect::Replace {
        planned = with_unknown_computed(schema, config);
    }
    PlanResponse { effect, planned, private, reasons, requires_replace }
}

/// Whether blocks of a type that are not what they were replace the object: where there are as many, one of the arguments that changed does.
fn forces_replacement(block: &Block, configured: &Value, before: &Value) -> bool {
    let (Some(configured), Some(before)) = (bodies(block, configured), bodies(block, before)) else {
        return block.has_attribute(|inside| inside.forces_replacement);
    };
    if configured.len() != before.len() {
        return block.has_attribute(|inside| inside.forces_replacement);
    }
    configured.iter().zip(before).any(|(configured, before)| {
        let of = |body: &Value| block.body_of(|label| body.attribute(label).and_then(Value::as_str)).cloned();
        let (Some(schema), Some(earlier)) = (of(configured), of(before)) else { return true };
        !same(configured, before) && (schema != earlier || body_forces_replacement(&schema, configured, before))
    })
}

fn body_forces_replacement(schema: &Schema, configured: &Value, before: &Value) -> bool {
    let null = Value::null();
    let differs = |name: &str| {
        let of = |body: &Value| body.attribute(name).unwrap_or(&null).clone();
        let (configured, before) = (of(configured), of(before));
        (!same(&configured, &before)).then_some((configured, before))
    };
    schema.attributes.iter().any(|(name, attribute)| attribute.forces_replacement && differs(name).is_some())
        || schema.blocks.iter().any(|(name, block)| {
            differs(name).is_some_and(|(configured, before)| forces_replacement(block, &configured, &before))
        })
}

/// The bodies of blocks of a type, where they are known.
fn bodies<'a>(block: &Block, value: &'a Value) -> Option<&'a [Value]> {
    match (block.nesting, value.kind()) {
        (_, Kind::Null(_)) => Some(&[]),
        (Nesting::Single { .. }, Kind::Object(_)) => Some(std::slice::from_ref(value)),
        (Nesting::List { .. }, Kind::Tuple(bodies)) => Some(bodies),
        _ => None,
    }
}

/// The arguments with everything unknown that is not given and that the provider decides, in nested blocks, too.
pub fn with_unknown_computed(schema: &Schema, config: &Value) -> Value {
    let decided = schema.attributes.iter().filter(|(_, attribute)| attribute.is_decided_for(config));
    let planned = decided.fold(config.clone(), |planned, (name, attribute)| match planned.set_attribute(name) {
        Some(_) => planned,
        None => planned.with_attribute(name, Value::unknown(attribute.ty.clone())),
    });
    let open = schema.blocks.iter().filter(|(_, block)| is_decided_in(block));
    open.fold(planned, |planned, (name, block)| {
        let given = planned.attribute(name).cloned().unwrap_or_else(Value::null);
        let value = match block.computed && block.is_absent(&given) {
            true => Value::unknown(Type::Any),
            false => each_body(block, &given, |schema, _, body| with_unknown_computed(schema, body)),
        };
        planned.with_attribute(name, value)
    })
}

/// Whether a provider decides something in a block, or which there are.
fn is_decided_in(block: &Block) -> bool {
    block.computed || block.has_attribute(|inside| inside.computed)
}

/// Blocks as they are given, with what the provider has decided before in the place of what is not given. What it will decide is unknown.
fn with_blocks_before(block: &Block, configured: &Value, before: &Value) -> Value {
    if !is_decided_in(block) {
        return configured.clone();
    }
    if block.computed && block.is_absent(configured) {
        return before.clone();
    }
    each_body(block, configured, |schema, index, body| {
        let before = match block.nesting {
            Nesting::Single { .. } => Some(before),
            Nesting::List { .. } => before.as_slice().and_then(|before| before.get(index)),
        };
        let before = before.filter(|before| !before.is_null());
        let Some(before) = before else { return with_unknown_computed(schema, body) };
        let decided = schema
            .attributes
            .iter()
            .filter(|(name, attribute)| attribute.is_decided_for(body) && body.set_attribute(name).is_none());
        let known = decided.fold(body.clone(), |body, (name, _)| {
            body.with_attribute(name, before.attribute(name).cloned().unwrap_or_else(Value::null))
        });
        schema.blocks.iter().fold(known, |known, (name, block)| {
            let null = Value::null();
            let of = |value: &Value| value.attribute(name).unwrap_or(&null).clone();
            let inside = with_blocks_before(block, &of(&known), &of(before));
            known.with_attribute(name, inside)
        })
    })
}

/// The blocks of a type with another body in the place of each. What are no blocks (null, unknown) stays.
fn each_body(block: &Block, value: &Value, change: impl Fn(&Schema, usize, &Value) -> Value) -> Value {
    let one =
        |(index, body): (usize, &Value)| match block.body_of(|label| body.attribute(label).and_then(Value::as_str)) {
            Some(schema) => change(schema, index, body),
            None => body.clone(),
        };
    let changed = match value.kind() {
        Kind::Tuple(bodies) => Value::tuple(bodies.iter().enumerate().map(one)),
        Kind::Object(_) => one((0, value)),
        _ => return value.clone(),
    };
    changed.marked(value.marks())
}

/// A value without what its schema says must not be stored: null in its place.
pub fn without_write_only(schema: &Schema, value: Value) -> Value {
    let write_only = schema.attributes.iter().filter(|(_, attribute)| attribute.write_only);
    let mut value = write_only.fold(value, |value, (name, attribute)| match value.set_attribute(name) {
        Some(_) => value.with_attribute(name, Value::null_of(attribute.ty.without_optional())),
        None => value,
    });
    for (name, block) in schema.blocks.iter().filter(|(_, block)| block.has_attribute(|inside| inside.write_only)) {
        let Some(inside) = value.attribute(name) else { continue };
        let each = |value: &Value| match block.body_of(|label| value.attribute(label).and_then(Value::as_str)) {
            Some(schema) => without_write_only(schema, value.clone()),
            None => value.clone(),
        };
        let stripped = match inside.kind() {
            Kind::Tuple(elements) => Value::tuple(elements.iter().map(each)),
            Kind::Object(_) => each(inside),
            _ => continue,
        };
        let marks = inside.marks();
        value = value.with_attribute(name, stripped.marked(marks));
    }
    value
}

/// A planned value with what must not be stored as the configuration gives it: what a call is given.
pub fn with_write_only(schema: &Schema, planned: Value, config: &Value) -> Value {
    let attributes = schema.attributes.iter().filter(|(_, attribute)| attribute.write_only).map(|(name, _)| name);
    // Blocks stand in plans as they are written, so that those of the configuration can take their place.
    let blocks = schema.blocks.iter().filter(|(_, block)| block.has_attribute(|inside| inside.write_only));
    attributes.chain(blocks.map(|(name, _)| name)).fold(planned, |planned, name| match config.attribute(name) {
        Some(given) => planned.with_attribute(name, given.clone()),
        None => planned,
    })
}

/// Whether two values hold the same: a tuple as a list, an object as a map, nulls of any type, marks aside.
fn same(a: &Value, b: &Value) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Null(_), Kind::Null(_)) => true,
        (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => false,
        _ => a.is_wholly_known() && b.is_wholly_known() && a.equal_content(b),
    }
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Address, Attribute};

    use super::*;
    use crate::Instance;

    /// A server: a network card is given or not, and the cloud decides its address; it is told one key or makes one.
    fn schema() -> Schema {
        let card = Schema::of([
            ("network", Attribute::optional_computed(Type::String, "Its network.").forces_replacement()),
            ("address", Attribute::computed(Type::String, "Its address.")),
        ]);
        Schema::of([
            ("public", Attribute::optional(Type::String, "A key.")),
            ("private", Attribute::computed(Type::String, "Its other half.").unless_given("public")),
        ])
        .block("card", Block::list(card, "A card.").computed())
    }

    fn card(network: Value, address: Value) -> Value {
        Value::object([("network", network), ("address", address)])
    }

    fn object(public: Value, private: Value, cards: Vec<Value>) -> Value {
        Value::object([("public", public), ("private", private), ("card", Value::tuple(cards))])
    }

    fn plan(config: &Value, prior: Option<&Value>) -> (Effect, Value) {
        let address: Address = "sim_server.x".parse().expect("an address");
        let prior = prior.map(|attributes| Instance::new(attributes.clone()));
        let request = PlanRequest { address: &address, config, prior: prior.as_ref(), drift: &[], replace: false };
        let response = plan_by_schema(&schema(), &request);
        (response.effect, response.planned)
    }

    #[test]
    fn what_is_decided_in_blocks_is_unknown_until_it_is_made_and_stays_then() {
        let null = || Value::null_of(Type::String);
        let unknown = || Value::unknown(Type::String);
        let given = object("k".into(), null(), vec![card("a".into(), null())]);
        let (effect, planned) = plan(&given, None);
        assert_eq!(effect, Effect::Create);
        assert_eq!(planned, object("k".into(), null(), vec![card("a".into(), unknown())]));

        let made = object("k".into(), null(), vec![card("a".into(), "10.0.0.2".into())]);
        assert_eq!(plan(&given, Some(&made)), (Effect::NoOp, made.clone()));

        let moved = object("k".into(), null(), vec![card("b".into(), null())]);
        let (effect, planned) = plan(&moved, Some(&made));
        assert_eq!((effect, planned), (Effect::Replace, object("k".into(), null(), vec![card("b".into(), unknown())])));
    }

    #[test]
    fn a_block_replaces_by_what_changed_in_it() {
        let card = Schema::of([
            ("network", Attribute::required(Type::String, "Its network.").forces_replacement()),
            ("is_main", Attribute::optional(Type::Bool, "Whether it is the main one.")),
        ]);
        let outer = Schema::of([("speed", Attribute::optional(Type::Number, "Its speed."))])
            .block("card", Block::list(card, "A card."));
        let schema = Schema::default().block("hub", Block::list(outer, "A hub."));
        let hub = |cards: &[(&str, bool)]| {
            let cards = cards.iter().map(|(network, is_main)| {
                Value::object([("network", Value::from(*network)), ("is_main", (*is_main).into())])
            });
            let hub = Value::object([("speed", Value::null_of(Type::Number)), ("card", Value::tuple(cards))]);
            Value::object([("hub", Value::tuple([hub]))])
        };
        let address: Address = "sim_server.x".parse().expect("an address");
        let prior = Instance::new(hub(&[("a", false)]));
        for (config, expected) in [
            (hub(&[("a", false)]), Effect::NoOp),
            (hub(&[("a", true)]), Effect::Update),
            (hub(&[("b", false)]), Effect::Replace),
            (hub(&[("a", false), ("a", false)]), Effect::Replace),
            (hub(&[]), Effect::Replace),
        ] {
            let request =
                PlanRequest { address: &address, config: &config, prior: Some(&prior), drift: &[], replace: false };
            assert_eq!(plan_by_schema(&schema, &request).effect, expected, "{config}");
        }
    }

    #[test]
    fn blocks_that_are_not_given_are_the_providers() {
        let null = || Value::null_of(Type::String);
        let open = object(null(), null(), Vec::new());
        let (effect, planned) = plan(&open, None);
        assert_eq!(effect, Effect::Create);
        let whole = Value::object([
            ("public", null()),
            ("private", Value::unknown(Type::String)),
            ("card", Value::unknown(Type::Any)),
        ]);
        assert_eq!(planned, whole);
        let made = object(null(), "p".into(), vec![card("a".into(), "10.0.0.2".into())]);
        assert_eq!(plan(&open, Some(&made)), (Effect::NoOp, made));
    }
}
