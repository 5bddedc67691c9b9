//! What data sources have in common: arguments to search with, and the attributes of what was found.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, Schema, Value};
use pipectl_provider::Cx;
use pipectl_provider::arguments::{optional_text, text};
use serde_json::Value as Json;

use crate::resource::not_configured;
use crate::{Cloud, Fields, Place};

/// A way to look something up.
pub struct Lookup<C> {
    cloud: Option<Arc<C>>,
    fields: Fields,
}

impl<C: Cloud> Lookup<C> {
    /// A look-up of what these fields tell; of a cloud, or of none while nothing is configured.
    pub fn new(cloud: Option<Arc<C>>, fields: Fields) -> Self {
        Self { cloud, fields }
    }

    /// A look-up of what a resource makes, by some of its arguments, which must be given.
    pub fn like(cloud: Option<Arc<C>>, mut fields: Fields, arguments: &[&str]) -> Self {
        fields.schema.blocks.clear();
        for (name, attribute) in &mut fields.schema.attributes {
            let is_argument = arguments.contains(&name.as_str());
            attribute.required = is_argument;
            attribute.optional = name == "region";
            attribute.computed = !is_argument;
            attribute.forces_replacement = false;
        }
        Self { cloud, fields }
    }

    /// Its arguments and attributes.
    pub fn schema(&self) -> &Schema {
        &self.fields.schema
    }

    /// Where to look.
    ///
    /// # Errors
    /// When the cloud has no such service, or none is configured.
    pub async fn place<'a>(
        &'a self,
        cx: &'a Cx,
        service: C::Service,
        config: &Value,
    ) -> Result<Place<'a, C>, Diagnostics> {
        let cloud = self.cloud.as_deref().ok_or_else(not_configured::<C>)?;
        Place::of(cloud, service, &self.fields, cx, text(config, "region")).await
    }

    /// What was found, with the arguments that it was searched with.
    ///
    /// # Errors
    /// When a member is of another type than it should be.
    pub fn value(&self, at: &Place<'_, C>, id: &str, object: &Json, config: &Value) -> Result<Value, Diagnostics> {
        let mut observed = self.fields.observed(object)?;
        observed.insert("id".to_owned(), id.into());
        if self.fields.has_region() {
            observed.insert("region".to_owned(), optional_text(at.region.as_deref()));
        }
        let is_given = |name: &str, value: &Value| match self.fields.schema.blocks.get(name) {
            Some(block) => !block.is_absent(value),
            None => !value.is_null(),
        };
        let given = config.as_object().into_iter().flatten().filter(|(name, value)| is_given(name, value));
        // An argument stays as it was written.
        let names: BTreeSet<String> = given.map(|(name, _)| name.clone()).collect();
        observed.retain(|name, _| !names.contains(name));
        Ok(self.fields.seen(config, &observed))
    }
}

/// The only one of what was found.
///
/// # Errors
/// When there is none, or several.
pub fn one(noun: &str, mut found: Vec<Json>, called: impl Fn(&Json) -> String) -> Result<Json, Diagnostics> {
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(Diagnostic::error("Nothing found", format!("There is no {noun} like this.")).into()),
        (Some(last), _) => {
            const SHOWN: usize = 5;
            let names: Vec<String> = found.iter().chain([&last]).map(called).collect();
            let more = names.len().saturating_sub(SHOWN);
            let list = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let detail =
                format!("There is more than one {noun} like this: {list}{more}. Say more of the one that is meant.");
            Err(Diagnostic::error("Several found", detail).into())
        }
    }
}
