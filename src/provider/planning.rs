//! The plan that follows from a schema alone: what most kinds of resource need.

use pipectl_core::{Block, BlockBody, Kind, Path, Schema, Value};
use serde_json::Value as Json;

use crate::{Effect, PlanRequest, PlanResponse, Reason};

/// Compares arguments with the prior instance attribute by attribute.
///
/// An argument that is given counts; one that is absent keeps the prior value if the provider computed it, else becomes null.
/// A change to an attribute that forces replacement replaces, and so does one to a block with such an attribute in it; on create and replace, computed attributes are unknown; on update, they stay,
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
        if same(configured, before) {
            continue;
        }
        let path = Path::of(name);
        if forces_replacement(block) {
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

/// Whether a change of a block replaces the object: an argument in it, however deep, does.
fn forces_replacement(block: &Block) -> bool {
    let inside = |schema: &Schema| {
        schema.attributes.values().any(|attribute| attribute.forces_replacement)
            || schema.blocks.values().any(forces_replacement)
    };
    match &block.body {
        BlockBody::Uniform(schema) => inside(schema),
        BlockBody::ByLabel(schemas) => schemas.values().any(inside),
    }
}

/// The arguments with every computed attribute that is not given unknown.
pub fn with_unknown_computed(schema: &Schema, config: &Value) -> Value {
    schema.attributes.iter().filter(|(_, attribute)| attribute.computed).fold(
        config.clone(),
        |planned, (name, attribute)| match planned.set_attribute(name) {
            Some(_) => planned,
            None => planned.with_attribute(name, Value::unknown(attribute.ty.clone())),
        },
    )
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
