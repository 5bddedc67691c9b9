//! Which kinds there are: filled by the composition root, read by the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{AddressKind, Diagnostics, Schema, Value};

use crate::{DataSource, Ephemeral, Resource};

/// A block that is a value: a model, an executor.
pub struct ValueBlock {
    /// Its arguments.
    pub schema: Schema,
    /// Judges the evaluated block and may add attributes (a model's `parameters`). Diagnostics carry paths into the value.
    pub finish: FinishBlock,
}

/// Judges an evaluated block: the value to use from then on, and what was found.
pub type FinishBlock = Box<dyn Fn(Value) -> (Value, Diagnostics) + Send + Sync>;

/// All kinds that this program knows.
#[derive(Default)]
pub struct Registry {
    /// `resource` types.
    pub resources: BTreeMap<String, Arc<dyn Resource>>,
    /// `data` types.
    pub data_sources: BTreeMap<String, Arc<dyn DataSource>>,
    /// `ephemeral` types.
    pub ephemerals: BTreeMap<String, Arc<dyn Ephemeral>>,
    /// `stage` kinds.
    pub stages: BTreeMap<String, Arc<dyn Resource>>,
    /// `executor` kinds.
    pub executors: BTreeMap<String, ValueBlock>,
    /// The `model` block, where the program has models.
    pub model: Option<ValueBlock>,
}

impl Registry {
    /// The resource or stage kind of an address.
    pub fn resource(&self, kind: AddressKind, type_name: &str) -> Option<&Arc<dyn Resource>> {
        match kind {
            AddressKind::Resource => self.resources.get(type_name),
            AddressKind::Stage => self.stages.get(type_name),
            AddressKind::Data | AddressKind::Ephemeral => None,
        }
    }

    /// The schema of what an address names.
    pub fn schema(&self, kind: AddressKind, type_name: &str) -> Option<&Schema> {
        match kind {
            AddressKind::Resource | AddressKind::Stage => self.resource(kind, type_name).map(|kind| kind.schema()),
            AddressKind::Data => self.data_sources.get(type_name).map(|kind| kind.schema()),
            AddressKind::Ephemeral => self.ephemerals.get(type_name).map(|kind| kind.schema()),
        }
    }
}
