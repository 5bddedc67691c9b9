//! Objects of the state for people.

use pipectl_core::{Address, BlockBody, Schema, Value};
use pipectl_engine::attributes;
use pipectl_provider::Registry;
use pipectl_state::ObjectState;

use super::value::{self, Detail};
use crate::console::{Color, Paint};

/// One object: its address and its attributes, in the language's own syntax. What is sensitive is not shown.
pub fn object(
    registry: &Registry,
    address: &Address,
    deposed: Option<&str>,
    object: &ObjectState,
    paint: Paint,
) -> String {
    let word = address.kind.block_type();
    let mut notes = String::new();
    if let Some(key) = deposed {
        notes.push_str(&format!(" (deposed object {key})"));
    }
    if object.tainted {
        notes.push_str(" (tainted: it is replaced by the next apply)");
    }
    let attributes = attributes(registry, address, object);
    let schema = registry.resource(address.kind, &address.type_name).map(|kind| kind.schema());
    let headline = paint.on(Color::Bold, &format!("# {address}:{notes}"));
    let body = body(&attributes, schema, 4, &[]);
    format!("{headline}\n{word} \"{}\" \"{}\" {{\n{body}}}\n", address.type_name, address.name)
}

/// Attributes and then nested blocks, indented by `indent`. What is null is left out, and so are the block's own labels.
fn body(object: &Value, schema: Option<&Schema>, indent: usize, labels: &[String]) -> String {
    let margin = " ".repeat(indent);
    let block = |name: &str| schema.and_then(|schema| schema.blocks.get(name));
    let members: Vec<(&String, &Value)> = object.as_object().into_iter().flatten().collect();
    let shown = members.iter().filter(|(name, value)| !value.is_null() && !labels.contains(name));
    let (attributes, blocks): (Vec<_>, Vec<_>) = shown.partition(|(name, _)| block(name).is_none());
    let width = attributes.iter().map(|(name, _)| value::key(name).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in attributes {
        let key = value::key(name);
        text.push_str(&format!("{margin}{key:width$} = {}\n", value::render(value, indent, Detail::Short)));
    }
    for (name, nested) in blocks {
        let Some(block) = block(name) else { continue };
        let whole = [(*nested).clone()];
        for one in nested.as_slice().unwrap_or(&whole) {
            let names: Vec<&str> = block.labels.iter().filter_map(|label| one.attribute(label)?.as_str()).collect();
            let header: String = names.iter().map(|label| format!(" {}", value::quoted(label))).collect();
            let inner = match &block.body {
                BlockBody::Uniform(schema) => Some(schema),
                BlockBody::ByLabel(schemas) => names.first().and_then(|label| schemas.get(*label)),
            };
            let inside = body(one, inner, indent + 4, &block.labels);
            text.push_str(&format!("\n{margin}{name}{header} {{\n{inside}{margin}}}\n"));
        }
    }
    text
}
