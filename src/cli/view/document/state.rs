//! A state as Terraform's state representation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipectl_core::{Address, Marks, Value, json};
use pipectl_engine::attributes;
use pipectl_provider::Registry;
use pipectl_state::{ObjectState, State};
use serde_json::{Map, Value as Json, json};

use super::module_tree::root_module;
use super::trees::{known, sensitive};
use super::{TERRAFORM_VERSION, named};
use crate::operation::outputs_of;
use crate::view::outputs::Output;

/// Version of the state document.
const FORMAT: &str = "1.0";

/// A state.
pub fn state(registry: &Registry, state: &State) -> Json {
    let mut document = with_outputs(registry, state, &outputs_of(state));
    if document.get("values").is_some() {
        document["pipectl_version"] = json!(env!("CARGO_PKG_VERSION"));
        document["serial"] = json!(state.serial);
        document["lineage"] = json!(state.lineage);
    }
    document
}

/// The same with other outputs: a plan knows some of them already.
pub(super) fn with_outputs(registry: &Registry, state: &State, outputs: &BTreeMap<String, Output>) -> Json {
    if state.resources.is_empty() && outputs.is_empty() {
        return json!({ "format_version": FORMAT });
    }
    let mut needs = Needs::of(state);
    let objects = state.objects().map(|(address, deposed, stored)| {
        let mut json = resource(registry, address, stored);
        if let Some(key) = deposed {
            json["deposed_key"] = json!(key);
        }
        let needed = needs.all(stored);
        if !needed.is_empty() {
            json["depends_on"] = needed.into();
        }
        (address, json)
    });
    let mut values = json!({ "root_module": root_module(objects) });
    if !outputs.is_empty() {
        let each = |(name, output): (&String, &Output)| {
            let marks = if output.sensitive { Marks::SENSITIVE } else { Marks::NONE };
            let value = output.value.clone().marked(marks);
            (name.clone(), output_value(&value))
        };
        values["outputs"] = outputs.iter().map(each).collect::<Map<_, _>>().into();
    }
    json!({ "format_version": FORMAT, "terraform_version": TERRAFORM_VERSION, "values": values })
}

/// An output whose value is known.
pub(super) fn output_value(value: &Value) -> Json {
    json!({ "sensitive": value.is_sensitive(), "type": json::type_to_json(&value.ty()), "value": known(value) })
}

fn resource(registry: &Registry, address: &Address, stored: &ObjectState) -> Json {
    let value = attributes(registry, address, stored);
    let mut json = object(address, &value, stored.schema_version);
    if stored.tainted {
        json["tainted"] = json!(true);
    }
    json
}

/// An object with these attributes.
pub(super) fn object(address: &Address, value: &Value, schema_version: u32) -> Json {
    let mut json = named(address);
    json["schema_version"] = json!(schema_version);
    json["values"] = known(value);
    json["sensitive_values"] = sensitive(value);
    json
}

/// What blocks need: the state keeps what each object refers to, Terraform's document lists all that it needs. That is as much text as there are
/// pairs of objects of which one needs the other, so that nothing else may cost as much: addresses are numbers here, in the order of their texts.
struct Needs {
    numbers: BTreeMap<Address, usize>,
    texts: Vec<String>,
    /// By number: the numbers that its block refers to.
    direct: Vec<Arc<Vec<usize>>>,
    /// By number: the last object that it was found for.
    found_for: Vec<usize>,
    objects: usize,
}

impl Needs {
    fn of(state: &State) -> Self {
        let named: BTreeSet<&Address> = state.objects().flat_map(|(_, _, object)| &object.dependencies).collect();
        let named: BTreeMap<String, &Address> =
            named.into_iter().map(|address| (address.to_string(), address)).collect();
        let numbers: BTreeMap<Address, usize> =
            named.values().enumerate().map(|(number, address)| ((*address).clone(), number)).collect();
        let mut blocks: BTreeMap<Address, BTreeSet<usize>> = BTreeMap::new();
        for (address, _, object) in state.objects() {
            let own = object.dependencies.iter().map(|dependency| numbers[dependency]);
            blocks.entry(address.block()).or_default().extend(own);
        }
        let blocks: BTreeMap<Address, Arc<Vec<usize>>> =
            blocks.into_iter().map(|(block, needs)| (block, Arc::new(needs.into_iter().collect()))).collect();
        Self {
            direct: named.values().map(|address| blocks.get(&address.block()).cloned().unwrap_or_default()).collect(),
            found_for: vec![0; named.len()],
            texts: named.into_keys().collect(),
            numbers,
            objects: 0,
        }
    }

    /// Everything that an object of the state needs, however far away.
    fn all(&mut self, object: &ObjectState) -> Vec<&str> {
        self.objects += 1;
        let mut open: Vec<usize> = object.dependencies.iter().map(|address| self.numbers[address]).collect();
        let mut found = Vec::new();
        while let Some(number) = open.pop() {
            if self.found_for[number] != self.objects {
                self.found_for[number] = self.objects;
                found.push(number);
                open.extend(self.direct[number].iter());
            }
        }
        found.sort_unstable();
        found.into_iter().map(|number| self.texts[number].as_str()).collect()
    }
}
