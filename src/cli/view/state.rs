//! Objects of the state for people.

use pipectl_core::{Address, AddressKind, Value, json};
use pipectl_engine::stored_attributes;
use pipectl_provider::Registry;
use pipectl_state::ObjectState;

use super::value::{self, Detail};
use crate::console::{Color, Paint};

/// One object: its address and its attributes, in the language's own syntax. What is sensitive is not shown.
pub fn object(registry: &Registry, address: &Address, deposed: Option<&str>, object: &ObjectState, paint: Paint) -> String {
    let word = match address.kind {
        AddressKind::Resource => "resource",
        AddressKind::Data => "data",
        AddressKind::Stage => "stage",
    };
    let mut notes = String::new();
    if let Some(key) = deposed {
        notes.push_str(&format!(" (deposed object {key})"));
    }
    if object.tainted {
        notes.push_str(" (tainted: it is replaced by the next apply)");
    }
    let attributes = attributes(registry, address, object);
    let headline = paint.on(Color::Bold, &format!("# {address}:{notes}"));
    let body = value::render(&attributes, 0, Detail::Short);
    format!("{headline}\n{word} \"{}\" \"{}\" {body}\n", address.type_name, address.name)
}

/// The attributes of a stored object, marked where they must not be shown.
///
/// Of a kind that this program does not know, or no longer understands, the stored JSON is shown, with what was sensitive left out.
pub fn attributes(registry: &Registry, address: &Address, object: &ObjectState) -> Value {
    let kind = registry.resource(address.kind, &address.type_name);
    let known = kind.and_then(|kind| stored_attributes(address, object, kind.as_ref()).ok());
    known.unwrap_or_else(|| plain(object))
}

fn plain(object: &ObjectState) -> Value {
    let value = json::from_json(&object.attributes);
    object.sensitive.iter().fold(value, |value, path| {
        let path = pipectl_core::Path::from(path);
        value.mark_at(&path.0, pipectl_core::Marks::SENSITIVE)
    })
}
