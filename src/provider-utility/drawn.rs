//! Ephemeral resources that draw what a resource of the same name draws, and keep nothing.

use std::marker::PhantomData;

use async_trait::async_trait;
use pipectl_core::{Diagnostics, Schema, Value};
use pipectl_provider::{Cx, Ephemeral, Opened};

use crate::kept::{Kept, make};
use crate::planning::Defaults;
use pipectl_provider::arguments::is_given;

/// A [`Kept`] kind as an ephemeral one: another value each time.
pub(crate) struct Drawn<K> {
    schema: Schema,
    defaults: Defaults,
    kind: PhantomData<K>,
}

impl<K: Kept> Drawn<K> {
    /// The ephemeral kind without some of the attributes, and with more defaults than the resource has for itself.
    pub(crate) fn new(left_out: &[&str], more_defaults: Defaults) -> Self {
        let mut schema = K::schema();
        schema.version = 0;
        schema.attributes.retain(|name, _| !left_out.contains(&name.as_str()));
        for attribute in schema.attributes.values_mut() {
            attribute.forces_replacement = false;
        }
        let defaults = K::defaults().into_iter().chain(more_defaults).collect();
        Self { schema, defaults, kind: PhantomData }
    }
}

#[async_trait]
impl<K: Kept> Ephemeral for Drawn<K> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        K::validate(config)
    }

    async fn open(&self, cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        let absent = self.defaults.iter().filter(|(name, _)| !is_given(config, name));
        let planned = absent.fold(config.clone(), |planned, (name, value)| planned.with_attribute(name, value.clone()));
        let made = make::<K>(cx, &planned).await?;
        let attributes = self.schema.attributes.keys().map(|name| {
            let value = made.attribute(name).cloned().unwrap_or_else(Value::null);
            (name.clone(), value)
        });
        Ok(Opened::lasting(Value::object(attributes)))
    }
}
