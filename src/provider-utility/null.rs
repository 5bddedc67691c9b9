//! The provider `null`: a resource and a data source that do nothing.

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource, PlainProvider, PlanRequest, PlanResponse};

use crate::draw::Draw;
use crate::kept::{Kept, KeptResource};
use crate::planning::plan_with_map;
use pipectl_provider::arguments::{filled, map_of_text};

/// The provider: `null_resource` and the data source `null_data_source`.
pub fn provider() -> PlainProvider {
    PlainProvider::new("null")
        .resource("null_resource", KeptResource::<NullResource>::new())
        .data_source("null_data_source", NullDataSource::new())
}

struct NullResource;

impl Kept for NullResource {
    fn schema() -> Schema {
        Schema::of([
            (
                "triggers",
                Attribute::optional(map_of_text(), "Values whose change replaces the object.").forces_replacement(),
            ),
            ("id", Attribute::computed(Type::String, "A random number.")),
        ])
        .described("Does nothing; replaced when `triggers` change.")
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_map(schema, &Self::defaults(), request, "triggers"))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        Ok(filled(planned, [("id", number(&mut Draw::of_call(cx)?).into())]))
    }
}

/// A number as Go's `rand.Int` draws them: of 63 bits.
fn number(draw: &mut Draw) -> String {
    draw.below(1 << 63).to_string()
}

struct NullDataSource {
    schema: Schema,
}

impl NullDataSource {
    fn new() -> Self {
        let schema = Schema::of([
            ("inputs", Attribute::optional(map_of_text(), "Values to hand on.")),
            ("outputs", Attribute::computed(map_of_text(), "The same as `inputs`.")),
            ("random", Attribute::computed(Type::String, "A random number, another one at each read.")),
            ("has_computed_default", Attribute::optional_computed(Type::String, "Any text. Default: `default`.")),
            ("id", Attribute::computed(Type::String, "Always `static`.")),
        ])
        .described("Hands its inputs on; `locals` do the same.");
        Self { schema }
    }
}

#[async_trait]
impl DataSource for NullDataSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let inputs = config.attribute("inputs").cloned().unwrap_or_else(|| Value::null_of(map_of_text()));
        let default = config.set_attribute("has_computed_default").cloned().unwrap_or_else(|| "default".into());
        let random = number(&mut Draw::secret()?);
        let attributes = [
            ("outputs", inputs),
            ("random", random.into()),
            ("has_computed_default", default),
            ("id", "static".into()),
        ];
        Ok(filled(config, attributes))
    }
}
