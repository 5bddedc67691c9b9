//! The kinds of one provider, by the names of their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{DataSource, Ephemeral, Resource};

/// The kinds of one provider.
#[derive(Clone, Default)]
pub struct Kinds {
    /// `resource` types.
    pub resources: BTreeMap<String, Arc<dyn Resource>>,
    /// `data` types.
    pub data_sources: BTreeMap<String, Arc<dyn DataSource>>,
    /// `ephemeral` types.
    pub ephemerals: BTreeMap<String, Arc<dyn Ephemeral>>,
}
