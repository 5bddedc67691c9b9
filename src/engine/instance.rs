//! Instances in the state: between the JSON that is stored and the values that providers see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::json::{from_json, from_json_as, to_json, type_from_json, type_to_json};
use pipectl_core::{
    Address, Attribute, Block, Diagnostic, Diagnostics, Kind, Marks, Nesting, Path, ProviderAddress, Schema, Type,
    Value,
};
use pipectl_lang::Configuration;
use pipectl_provider::planning::without_write_only;
use pipectl_provider::{Instance, Resource};
use pipectl_state::{AttributePath, ObjectState, OutputState, PathStep, StoredSecret};
use serde_json::{Map, Value as Json};

use crate::Engine;
use crate::graph::Graph;
use crate::secrets::{self, told};

/// What the state keeps beside an instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    /// Blocks that it refers to.
    pub(crate) dependencies: Vec<Address>,
    /// Whether it is marked as tainted.
    pub(crate) tainted: bool,
    /// Whether a replacement is made before it is removed.
    pub(crate) create_before_destroy: bool,
    /// The provider configuration that it was made with, where that is not the default one.
    pub(crate) provider: Option<ProviderAddress>,
    /// The fingerprints of its secrets.
    pub(crate) secrets: Vec<StoredSecret>,
}

impl Keeping {
    /// Of an object that is whole: what its block refers to, however far away, must outlive it. `needed` is [`Graph::objects_needed`].
    pub(crate) fn of(
        configuration: &Configuration,
        graph: &Graph,
        needed: &[Arc<BTreeSet<Address>>],
        address: &Address,
        provider: Option<ProviderAddress>,
    ) -> Self {
        let node = graph.find_object(address);
        let block = configuration.object(address);
        Self {
            dependencies: node.map_or_else(Vec::new, |node| graph.dependencies(needed, node)),
            tainted: false,
            create_before_destroy: block.is_some_and(|block| block.meta.lifecycle.create_before_destroy),
            provider,
            secrets: Vec::new(),
        }
    }
}

/// The stored object as an instance of the kind's present schema, with what is sensitive marked. What is not stored because it can be read again
/// is unknown.
///
/// # Errors
/// When the stored form is of a version that the kind does not know, or does not fit the schema.
pub(crate) fn instance_of(
    address: &Address,
    object: &ObjectState,
    kind: &dyn Resource,
) -> Result<Instance, Diagnostics> {
    let schema = kind.schema();
    let upgraded;
    let (json, types) = if object.schema_version == schema.version {
        (&object.attributes, &object.types)
    } else {
        upgraded = kind
            .upgrade(object.schema_version, object.attributes.clone())
            .map_err(|problems| told(problems, &plain(object), address))?;
        (&upgraded, &object.types)
    };
    let attributes = attributes_of(schema, json, types).map_err(|(path, message)| {
        Diagnostics::from(
            Diagnostic::error(
                "Stored object not readable",
                format!("The state's {address} does not fit the schema of its kind: attribute `{path}`: {message}."),
            )
            .about(address),
        )
    })?;
    let attributes =
        object.sensitive.iter().fold(attributes, |value, path| value.mark_at(&Path::from(path).0, Marks::SENSITIVE));
    let attributes = secrets::marked(attributes, &object.secrets);
    let attributes = secrets::not_read_yet(schema, attributes, &object.secrets);
    Ok(Instance {
        attributes: mark_by_schema(schema, attributes),
        private: object.private.clone(),
        schema_version: schema.version,
    })
}

/// The attributes of a stored object as JSON has them, with what is sensitive marked.
pub(crate) fn plain(object: &ObjectState) -> Value {
    let mark = |value: Value, path| value.mark_at(&Path::from(path).0, Marks::SENSITIVE);
    object.sensitive.iter().fold(from_json(&object.attributes), mark)
}

/// The instance as the state keeps it, without secrets. `None` when something inside is unknown.
pub(crate) fn object_of(schema: &Schema, instance: &Instance, keeping: Keeping) -> Option<ObjectState> {
    let stored = without_write_only(schema, instance.attributes.clone());
    let (plain, _) = secrets::withheld(&stored).unmark_deep();
    let attributes = to_json(&plain)?;
    let mut types = BTreeMap::new();
    for (name, value) in plain.as_object().into_iter().flatten() {
        let is_open = schema.attributes.get(name).is_none_or(|attribute| attribute.ty.contains_any());
        let json = attributes.get(name).unwrap_or(&Json::Null);
        if is_open && attribute_of(schema, name, json, None).as_ref() != Ok(value) {
            types.insert(name.clone(), type_to_json(&value.ty()));
        }
    }
    Some(ObjectState {
        schema_version: schema.version,
        attributes,
        types,
        sensitive: instance.attributes.paths_marked(Marks::SENSITIVE).iter().map(AttributePath::from).collect(),
        secrets: keeping.secrets,
        private: instance.private.clone(),
        dependencies: keeping.dependencies,
        tainted: keeping.tainted,
        create_before_destroy: keeping.create_before_destroy,
        provider: keeping.provider,
    })
}

/// The `id` attribute of a stored object, if it has one that may be shown: what people know it by.
pub(crate) fn shown_id(object: &ObjectState) -> Option<String> {
    let is_id = |path: &AttributePath| matches!(path.0.first(), Some(PathStep::Name(name)) if name == "id");
    let id = object.attributes.get("id")?.as_str()?;
    (!object.sensitive.iter().any(is_id)).then(|| id.to_owned())
}

/// An output as the state keeps it. `None` when something inside is unknown.
pub(crate) fn output_of(value: &Value, sensitive: bool) -> Option<OutputState> {
    let (plain, _) = value.unmark_deep();
    Some(OutputState { value: to_json(&plain)?, ty: type_to_json(&plain.ty()), sensitive })
}

/// The value of a stored output.
pub(crate) fn output_value(output: &OutputState) -> Value {
    let ty = type_from_json(&output.ty).unwrap_or(Type::Any);
    let value = from_json_as(&output.value, &ty).unwrap_or_else(|_| from_json(&output.value));
    value.marked(if output.sensitive { Marks::SENSITIVE } else { Marks::NONE })
}

impl Engine {
    /// A value with everything marked that the schema says must not be shown, and as a secret what a state that is not encrypted does not keep.
    /// What an encrypted one keeps is none, even if its fingerprint is all that was kept until now.
    pub(crate) fn mark(&self, schema: &Schema, value: Value) -> Value {
        let value = mark_by_schema(schema, value);
        match self.is_encrypted {
            true => change_where(schema, value, kept_by_encryption, &free),
            false => mark_as_secret(schema, value),
        }
    }
}

/// A value with everything marked that the schema says must not be shown.
pub(crate) fn mark_by_schema(schema: &Schema, value: Value) -> Value {
    change_where(schema, value, |attribute| attribute.sensitive, &|value| value.marked(Marks::SENSITIVE))
}

/// A value with everything marked as a secret that only an encrypted state keeps, because it can be read again.
pub(crate) fn mark_as_secret(schema: &Schema, value: Value) -> Value {
    change_where(schema, value, Attribute::is_read_again, &|value| value.marked(Marks::SECRET))
}

/// Whether an encrypted state keeps what is here. What may be given may be what `secret` gives: that is never kept.
fn kept_by_encryption(attribute: &Attribute) -> bool {
    attribute.is_read_again() && !attribute.optional
}

/// A value that is no secret, once it is known.
fn free(value: Value) -> Value {
    let each = |value: Value| {
        let (value, marks) = value.unmark();
        value.marked(marks.without(Marks::SECRET))
    };
    // Until it has been read it is as good as withheld.
    let is_one = value.marks_deep().contains(Marks::SECRET) && value.is_wholly_known();
    if is_one { value.map_deep(&each) } else { value }
}

/// An object with some of its attributes changed.
fn change_where(
    schema: &Schema,
    value: Value,
    is_meant: fn(&Attribute) -> bool,
    change: &impl Fn(Value) -> Value,
) -> Value {
    let attributes = schema.attributes.iter().filter(|(_, attribute)| is_meant(attribute));
    let mut value = attributes.fold(value, |value, (name, _)| match value.attribute(name) {
        Some(attribute) => value.with_attribute(name, change(attribute.clone())),
        None => value,
    });
    for (name, block) in &schema.blocks {
        let Some(inside) = value.attribute(name).filter(|_| block.has_attribute(is_meant)) else { continue };
        let in_block = |value: &Value| {
            let schema = block.body_of(|label| value.attribute(label).and_then(Value::as_str));
            schema.map_or_else(|| value.clone(), |schema| change_where(schema, value.clone(), is_meant, change))
        };
        let marked = match inside.kind() {
            Kind::Tuple(elements) => Value::tuple(elements.iter().map(in_block)),
            Kind::Object(_) => in_block(inside),
            _ => continue,
        };
        let marks = inside.marks();
        value = value.with_attribute(name, marked.marked(marks));
    }
    value
}

/// The place at a path in stored attributes.
pub(crate) fn at<'a>(attributes: &'a Json, path: &Path) -> Option<&'a Json> {
    AttributePath::from(path).0.iter().try_fold(attributes, |json, step| match step {
        PathStep::Name(name) => json.get(name),
        PathStep::Index(index) => json.get(index),
    })
}

/// The same, to be changed.
pub(crate) fn at_mut<'a>(attributes: &'a mut Json, path: &Path) -> Option<&'a mut Json> {
    AttributePath::from(path).0.iter().try_fold(attributes, |json, step| match step {
        PathStep::Name(name) => json.get_mut(name),
        PathStep::Index(index) => json.get_mut(index),
    })
}

type Misfit = (String, String);

fn attributes_of(schema: &Schema, json: &Json, types: &BTreeMap<String, Json>) -> Result<Value, Misfit> {
    let members = json.as_object().ok_or_else(|| (String::new(), "an object is required".to_owned()))?;
    let mut attributes = Vec::with_capacity(schema.attributes.len() + schema.blocks.len());
    for name in schema.attributes.keys().chain(schema.blocks.keys()) {
        let json = members.get(name).unwrap_or(&Json::Null);
        attributes.push((name.clone(), attribute_of(schema, name, json, types.get(name))?));
    }
    Ok(Value::object(attributes))
}

fn attribute_of(schema: &Schema, name: &str, json: &Json, stored_type: Option<&Json>) -> Result<Value, Misfit> {
    let misfit = |error: pipectl_core::convert::ConvertError| (name.to_owned(), error.to_string());
    if let Some(ty) = stored_type.and_then(type_from_json) {
        return from_json_as(json, &ty).map_err(misfit);
    }
    if let Some(attribute) = schema.attributes.get(name) {
        return match attribute.ty {
            Type::Any => Ok(from_json(json)),
            ref ty => from_json_as(json, ty).map_err(misfit),
        };
    }
    match schema.blocks.get(name) {
        None => Ok(from_json(json)),
        Some(block) => block_of(block, json).map_err(|(path, message)| (format!("{name}.{path}"), message)),
    }
}

fn block_of(block: &Block, json: &Json) -> Result<Value, Misfit> {
    let one = |json: &Json| {
        let members = json.as_object().cloned().unwrap_or_else(Map::new);
        let Some(schema) = block.body_of(|label| members.get(label).and_then(Json::as_str)) else {
            return Ok(from_json(json));
        };
        let mut value = attributes_of(schema, json, &BTreeMap::new())?;
        for label in &block.labels {
            value = value.with_attribute(label, from_json(members.get(label).unwrap_or(&Json::Null)));
        }
        Ok(value)
    };
    match (block.nesting, json) {
        (_, Json::Null) => Ok(Value::null()),
        (Nesting::List { .. }, Json::Array(elements)) => {
            Ok(Value::tuple(elements.iter().map(one).collect::<Result<Vec<_>, _>>()?))
        }
        (Nesting::Single { .. } | Nesting::List { .. }, json) => one(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use pipectl_core::Attribute;
    use pipectl_provider::{ApplyOutcome, Cx, Intent, ReadOutcome};

    struct Fixed(Schema);

    #[async_trait]
    impl Resource for Fixed {
        fn schema(&self) -> &Schema {
            &self.0
        }
        async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
            Ok(ReadOutcome::unchanged(prior))
        }
        async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
            ApplyOutcome::done(planned.clone())
        }
        async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
            ApplyOutcome::done(planned.clone())
        }
        async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
            ApplyOutcome::gone()
        }
    }

    #[test]
    fn what_is_stored_comes_back() {
        let inside = Schema::of([
            ("units", Attribute::optional(Type::list(Type::Number), "")),
            ("key", Attribute::optional(Type::String, "").sensitive()),
        ]);
        let schema = Schema::of([
            ("open", Attribute::optional(Type::Any, "")),
            ("plain", Attribute::optional(Type::Any, "")),
            ("tags", Attribute::optional(Type::map(Type::String), "")),
            ("password", Attribute::optional(Type::String, "").sensitive()),
        ])
        .block("layer", Block::list(inside.clone(), "").labelled(["kind"]).by_label([("gru", inside)]));
        let kind = Fixed(schema);
        let secret = Value::from("hunter2").marked(Marks::SENSITIVE);
        let attributes = Value::object([
            ("open", Value::set(Type::String, ["a".into()])),
            ("plain", Value::tuple([Value::from(1)])),
            ("tags", Value::map(Type::String, [("a.b", secret.clone()), ("c", "d".into())])),
            ("password", secret.clone()),
            (
                "layer",
                Value::tuple([Value::object([
                    ("kind", Value::from("gru")),
                    ("units", Value::list(Type::Number, [Value::from(3)])),
                    ("key", secret),
                ])]),
            ),
        ]);
        let instance = Instance { attributes, private: serde_json::json!({ "a": 1 }), schema_version: 0 };
        let stored = object_of(&kind.0, &instance, Keeping::default()).unwrap();
        assert_eq!(stored.types.keys().collect::<Vec<_>>(), ["open"], "only where JSON does not tell");
        let address = Address::new(pipectl_core::AddressKind::Resource, "x", "y");
        let read: ObjectState = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        assert_eq!(instance_of(&address, &read, &kind).unwrap(), instance);
        assert_eq!(
            Intent::known_arguments(&instance.attributes),
            serde_json::json!({
                "open": ["a"], "plain": [1], "tags": { "c": "d" }, "layer": [{ "kind": "gru", "units": [3] }]
            })
        );
    }
}
