//! Writing a state file of Terraform.

use std::collections::BTreeMap;

use pipectl_core::json::{from_json, type_from_json, type_to_json};
use pipectl_core::{Address, AddressKind, InstanceKey, ProviderAddress, ProviderSource, Type, implied_name};
use serde_json::{Map, Value as Json, json};

use super::numbers::Meant;
use super::read::{configuration_of, object_of_instance};
use super::{CHECK_RESULTS, OurRest, Ours, TerraformRest, VERSION, has_open_type, numbers, split_module};
use crate::{AttributePath, ObjectState, OutputState, PathStep, State};

/// The Terraform whose files these are.
const TERRAFORM: &str = "1.11.4";

/// The state as a file of Terraform, version 4, with two spaces of indentation and a line feed at the end.
///
/// Its serial is higher than that of the file that the state came from.
pub fn write(state: &State) -> String {
    let nothing = TerraformRest::default();
    let rest = state.terraform.as_deref().unwrap_or(&nothing);
    let mut top = Vec::new();
    top.push(("version", json!(VERSION)));
    let version = if rest.version.is_empty() { TERRAFORM } else { &rest.version };
    top.push(("terraform_version", json!(version)));
    top.push(("serial", json!(super::serial(state))));
    top.push(("lineage", json!(state.lineage)));
    let outputs = state.outputs.iter().map(|(name, output)| (name.clone(), output_json(output)));
    top.push(("outputs", Json::Object(outputs.collect())));
    let providers = providers(state, rest);
    top.push(("resources", Json::Array(resources(state, rest, &providers))));
    top.push((CHECK_RESULTS, rest.other.get(CHECK_RESULTS).cloned().unwrap_or(Json::Null)));
    for (name, value) in rest.other.iter().filter(|(name, _)| *name != CHECK_RESULTS) {
        top.push((name, value.clone()));
    }
    if let Some(ours) = ours(state, &providers) {
        top.push(("pipectl", ours));
    }
    let mut out = String::from("{\n");
    for (index, (name, value)) in top.iter().enumerate() {
        out.push_str(if index == 0 { "  " } else { ",\n  " });
        text(&mut out, name);
        out.push_str(": ");
        pretty(&mut out, value, 1);
    }
    out.push_str("\n}\n");
    out
}

/// What Terraform has no place for.
fn ours(state: &State, providers: &BTreeMap<Address, String>) -> Option<Json> {
    let mut ours = Ours { root: state.root.clone(), intents: state.intents.clone(), ..Ours::default() };
    for (address, resource) in &state.resources {
        if address.kind == AddressKind::Stage {
            ours.resources.insert(address.clone(), resource.clone());
            continue;
        }
        let current = resource.current.iter().map(|object| ("", object));
        let deposed = resource.deposed.iter().map(|(key, object)| (key.as_str(), object));
        for (key, object) in current.chain(deposed) {
            let rest = state.terraform.as_ref().and_then(|rest| rest.objects.get(address)?.get(key));
            let written = instance(address, None, object, rest);
            let told = match (written.get("attributes"), &written) {
                (Some(Json::Object(attributes)), Json::Object(members)) => {
                    let provider = providers.get(&address.block());
                    let provider = provider.and_then(|text| configuration_of(&address.type_name, text));
                    ObjectState { provider, ..object_of_instance(address, attributes, members) } == *object
                }
                _ => false,
            };
            if !told {
                ours.objects.entry(address.clone()).or_default().insert(key.to_owned(), OurRest::of(object));
            }
        }
    }
    let is_needed =
        !ours.resources.is_empty() || !ours.objects.is_empty() || !ours.intents.is_empty() || !ours.root.is_empty();
    is_needed.then(|| numbers::escaped(serde_json::to_value(ours).expect("a state is plain data")))
}

fn resources(state: &State, rest: &TerraformRest, providers: &BTreeMap<Address, String>) -> Vec<Json> {
    let mut blocks: BTreeMap<(String, String, String), Vec<Json>> = BTreeMap::new();
    let mut provider_of = BTreeMap::new();
    for (address, resource) in &state.resources {
        if address.kind != AddressKind::Resource {
            continue;
        }
        let (module, inside) = split_module(address);
        let block = (module, inside.type_name, inside.name);
        provider_of.entry(block.clone()).or_insert_with(|| providers.get(&address.block()).cloned());
        let of_address = rest.objects.get(address);
        let rest_of = |key: &str| of_address.and_then(|objects| objects.get(key));
        let instances = blocks.entry(block).or_default();
        instances.extend(resource.current.iter().map(|object| instance(address, None, object, rest_of(""))));
        let deposed = resource.deposed.iter();
        instances.extend(deposed.map(|(key, object)| instance(address, Some(key), object, rest_of(key))));
    }
    let carried = blocks.into_iter().map(|(block, instances)| {
        let provider = provider_of.remove(&block).flatten();
        let (module, type_name, name) = block;
        let mut members = Map::new();
        if !module.is_empty() {
            members.insert("module".to_owned(), module.into());
        }
        members.insert("mode".to_owned(), "managed".into());
        members.insert("type".to_owned(), type_name.into());
        members.insert("name".to_owned(), name.into());
        members.insert("provider".to_owned(), provider.into());
        members.insert("instances".to_owned(), instances.into());
        Json::Object(members)
    });
    // What could not be carried stands beside the rest of its block, if that was carried: Terraform reads both.
    let mut all: Vec<Json> = carried.collect();
    for resource in &rest.resources {
        merge(&mut all, resource);
    }
    all
}

/// Puts a resource that could not be carried back in place.
fn merge(all: &mut Vec<Json>, resource: &Json) {
    let names = ["module", "mode", "type", "name"];
    let same = |other: &&mut Json| names.iter().all(|name| other.get(name) == resource.get(name));
    let instances = resource.get("instances").and_then(Json::as_array);
    match all.iter_mut().find(same).and_then(|other| other.get_mut("instances")?.as_array_mut()) {
        Some(carried) => carried.extend(instances.into_iter().flatten().cloned()),
        None => all.push(resource.clone()),
    }
}

/// The provider configurations of objects, by block: a file has one for all instances of a block, without the key of a configuration.
fn providers(state: &State, rest: &TerraformRest) -> BTreeMap<Address, String> {
    let mut providers = BTreeMap::new();
    for (address, _, object) in state.objects() {
        providers.entry(address.block()).or_insert_with(|| match &object.provider {
            Some(provider) => ProviderAddress { key: None, ..provider.clone() }.to_string(),
            None => {
                let type_name = &address.type_name;
                // It may have been made with another configuration since.
                let known =
                    rest.providers.get(&address.block()).filter(|text| configuration_of(type_name, text).is_none());
                let implied =
                    || ProviderAddress::default_of(ProviderSource::implied(implied_name(type_name))).to_string();
                known.cloned().unwrap_or_else(implied)
            }
        });
    }
    providers
}

fn instance(
    address: &Address,
    deposed: Option<&String>,
    object: &ObjectState,
    rest: Option<&Map<String, Json>>,
) -> Json {
    let mut members = Map::new();
    match &address.key {
        None => {}
        Some(InstanceKey::Index(index)) => {
            members.insert("index_key".to_owned(), json!(index));
        }
        Some(InstanceKey::Name(name)) => {
            members.insert("index_key".to_owned(), numbers::escaped(json!(name)));
        }
    }
    if object.tainted {
        members.insert("status".to_owned(), "tainted".into());
    }
    if let Some(key) = deposed {
        members.insert("deposed".to_owned(), json!(key));
    }
    members.insert("schema_version".to_owned(), json!(object.schema_version));
    members.insert("attributes".to_owned(), attributes(address, object));
    let sensitive: Vec<Json> = object.sensitive.iter().map(|path| path_json(address, object, path)).collect();
    members.insert("sensitive_attributes".to_owned(), sensitive.into());
    let mut dependencies: Vec<String> = object
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != AddressKind::Stage)
        .map(|dependency| dependency.block().to_string())
        .collect();
    dependencies.sort();
    dependencies.dedup();
    if !dependencies.is_empty() {
        members.insert("dependencies".to_owned(), dependencies.into());
    }
    // What stood in the file says the same, and more: it is there only as long as the object is unchanged.
    members.extend(rest.cloned().into_iter().flatten());
    if object.create_before_destroy {
        members.insert("create_before_destroy".to_owned(), true.into());
    }
    Json::Object(members)
}

fn attributes(address: &Address, object: &ObjectState) -> Json {
    let Json::Object(attributes) = &object.attributes else { return object.attributes.clone() };
    let each = attributes.iter().map(|(name, value)| {
        let ty = object.types.get(name);
        let is_open = has_open_type(&address.type_name, name);
        let written = match ty.and_then(type_from_json) {
            Some(ty) => with_numbers(value, &ty),
            None => numbers::escaped(value.clone()),
        };
        let written = match written {
            Json::Null => Json::Null,
            written if is_open => {
                let ty = ty.cloned().unwrap_or_else(|| type_to_json(&from_json(value).ty()));
                json!({ "value": written, "type": ty })
            }
            written => written,
        };
        (name.clone(), written)
    });
    Json::Object(each.collect())
}

/// A value with every number marked that is kept as a string, because a double does not hold it.
fn with_numbers(value: &Json, ty: &Type) -> Json {
    match (value, ty) {
        (Json::String(text), Type::Number) => numbers::number(text),
        (Json::Array(elements), Type::List(element) | Type::Set(element)) => {
            elements.iter().map(|value| with_numbers(value, element)).collect()
        }
        (Json::Array(elements), Type::Tuple(types)) => {
            let types = types.iter().chain(std::iter::repeat(&Type::Any));
            elements.iter().zip(types).map(|(value, ty)| with_numbers(value, ty)).collect()
        }
        (Json::Object(members), Type::Map(element)) => {
            members.iter().map(|(name, value)| (name.clone(), with_numbers(value, element))).collect()
        }
        (Json::Object(members), Type::Object(fields)) => {
            let each = members.iter().map(|(name, value)| {
                let value = with_numbers(value, fields.get(name).map_or(&Type::Any, |field| &field.ty));
                (name.clone(), value)
            });
            each.collect()
        }
        (value, _) => numbers::escaped(value.clone()),
    }
}

fn output_json(output: &OutputState) -> Json {
    let value = match type_from_json(&output.ty) {
        Some(ty) => with_numbers(&output.value, &ty),
        None => numbers::escaped(output.value.clone()),
    };
    let mut members = Map::new();
    members.insert("value".to_owned(), value);
    members.insert("type".to_owned(), output.ty.clone());
    if output.sensitive {
        members.insert("sensitive".to_owned(), true.into());
    }
    Json::Object(members)
}

/// A path as Terraform writes it. A step into a map is an index there; the type tells, where it is known.
fn path_json(address: &Address, object: &ObjectState, path: &AttributePath) -> Json {
    let mut ty = Type::Any;
    let steps = path.0.iter().enumerate().map(|(depth, step)| match step {
        PathStep::Name(name) => {
            let is_map = matches!(ty, Type::Map(_));
            ty = match &ty {
                Type::Map(element) => (**element).clone(),
                Type::Object(fields) => fields.get(name).map_or(Type::Any, |field| field.ty.clone()),
                _ if depth == 0 => open_type(address, object, name),
                _ => Type::Any,
            };
            match is_map {
                true => {
                    json!({ "type": "index", "value": { "value": numbers::escaped(json!(name)), "type": "string" } })
                }
                false => json!({ "type": "get_attr", "value": numbers::escaped(json!(name)) }),
            }
        }
        PathStep::Index(index) => {
            ty = match &ty {
                Type::List(element) | Type::Set(element) => (**element).clone(),
                Type::Tuple(types) => types.get(*index).cloned().unwrap_or(Type::Any),
                _ => Type::Any,
            };
            json!({ "type": "index", "value": { "value": index, "type": "number" } })
        }
    });
    Json::Array(steps.collect())
}

/// The type of an attribute whose schema leaves it open.
fn open_type(address: &Address, object: &ObjectState, name: &str) -> Type {
    let stored = object.types.get(name).and_then(type_from_json);
    let implied = || {
        let is_open = has_open_type(&address.type_name, name);
        is_open.then(|| object.attributes.get(name).map(|value| from_json(value).ty())).flatten()
    };
    stored.or_else(implied).unwrap_or(Type::Any)
}

fn pretty(out: &mut String, json: &Json, depth: usize) {
    match json {
        Json::Array(elements) if elements.is_empty() => out.push_str("[]"),
        Json::Object(members) if members.is_empty() => out.push_str("{}"),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                line(out, index, depth + 1);
                pretty(out, element, depth + 1);
            }
            indent(out, depth);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                line(out, index, depth + 1);
                text(out, name);
                out.push_str(": ");
                pretty(out, value, depth + 1);
            }
            indent(out, depth);
            out.push('}');
        }
        Json::String(string) => match numbers::meant(string) {
            Meant::Number(digits) => out.push_str(digits),
            Meant::Text(plain) => text(out, plain),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&json.to_string()),
    }
}

fn line(out: &mut String, index: usize, depth: usize) {
    if index > 0 {
        out.push(',');
    }
    indent(out, depth);
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn text(out: &mut String, string: &str) {
    out.push_str(&serde_json::to_string(string).expect("a string is plain data"));
}
