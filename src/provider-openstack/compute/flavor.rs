//! `data "openstack_compute_flavor_v2"`

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Lookup, one};
use pipectl_core::Diagnostic;
use pipectl_core::{Attribute, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{flag, map_of_text, text as given};
use pipectl_provider::rules::at_least_one_of;
use pipectl_provider::{Cx, DataSource};
use serde_json::Value as Json;

use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Place, text};

/// Arguments that a flavor has to equal, and their members.
const EQUAL: [(&str, &str); 5] =
    [("ram", "ram"), ("vcpus", "vcpus"), ("disk", "disk"), ("swap", "swap"), ("rx_tx_factor", "rxtx_factor")];
const AT_LEAST: [(&str, &str); 2] = [("min_ram", "ram"), ("min_disk", "disk")];

/// `data "openstack_compute_flavor_v2"`: the size of a server, by its name or by what it has.
pub(crate) struct FlavorData {
    lookup: Lookup<Cloud>,
}

impl FlavorData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let number = |description| Attribute::optional_computed(Type::Number, description);
        let fields = Fields::new("A size of servers.")
            .in_region()
            .with("name", Attribute::optional_computed(Type::String, "Its name."))
            .named("flavor_id", "id", Attribute::optional_computed(Type::String, "Its id."))
            .with("ram", number("Its memory, in MB."))
            .with("vcpus", number("Its cores."))
            .with("disk", number("Its disk, in GB."))
            .with("swap", number("Its swap, in MB."))
            .named("rx_tx_factor", "rxtx_factor", number("Its share of the network."))
            .named(
                "is_public",
                "os-flavor-access:is_public",
                Attribute::optional_computed(Type::Bool, "Whether all projects see it."),
            )
            .apart("min_ram", Attribute::optional(Type::Number, "The least memory, in MB."))
            .apart("min_disk", Attribute::optional(Type::Number, "The least disk, in GB."))
            .with("description", Attribute::computed(Type::String, "What it is for."))
            .apart("extra_specs", Attribute::computed(map_of_text(), "What else it has."));
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for FlavorData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let ways = ["flavor_id", "name", "ram", "vcpus", "disk", "swap", "rx_tx_factor", "min_ram", "min_disk"];
        let mut found = at_least_one_of(config, &ways);
        if let Some(other) = ways[1..].iter().find(|other| config.set_attribute(other).is_some())
            && config.set_attribute("flavor_id").is_some()
        {
            let detail = format!("A flavor is looked up by its id or by `{other}`, and not by both.");
            found.push(Diagnostic::error("Invalid combination of arguments", detail).on(Path::of(other)));
        }
        found
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::Compute, config).await?;
        let told = |fault: Fault| fault.told(READING_FAILED);
        let mut flavor = match given(config, "flavor_id") {
            Some(id) => {
                let found = at.endpoint.look(&["flavors", id]).await.map_err(|error| told(error.into()))?;
                let found = found.and_then(|body| body.get("flavor").cloned());
                one("flavor", found.into_iter().collect(), called)?
            }
            None => {
                let fitting = listed(&at, config).await.map_err(told)?;
                one("flavor", fitting, called)?
            }
        };
        // Nova tells no swap as a text.
        if flavor.get("swap").and_then(Json::as_str) == Some("") {
            flavor["swap"] = 0.into();
        }
        let id = text(&flavor, "id").unwrap_or_default();
        let specs = at.endpoint.look(&["flavors", &id, "os-extra_specs"]).await.map_err(|error| told(error.into()))?;
        let specs = specs.and_then(|specs| specs.get("extra_specs").cloned()).unwrap_or_default();
        let specs =
            pipectl_core::json::from_json_as(&specs, &map_of_text()).unwrap_or_else(|_| Value::null_of(map_of_text()));
        Ok(self.lookup.value(&at, &id, &flavor, config)?.with_attribute("extra_specs", specs))
    }
}

fn called(flavor: &Json) -> String {
    let name = |member| text(flavor, member).unwrap_or_default();
    format!("{} ({})", name("name"), name("id"))
}

async fn listed(at: &Place<'_>, config: &Value) -> Result<Vec<Json>, Fault> {
    let query = match flag(config, "is_public") {
        Some(true) => vec![("is_public", "true")],
        Some(false) => vec![("is_public", "false")],
        None => Vec::new(),
    };
    let list = at.endpoint.list(&["flavors", "detail"], &query).await?;
    let number = |flavor: &Json, member: &str| flavor.get(member).and_then(Json::as_f64).unwrap_or_default();
    let fits = |flavor: &&Json| {
        let wanted = |name: &str| config.attribute(name).and_then(Value::as_number).map(|wanted| wanted.to_f64());
        given(config, "name").is_none_or(|name| flavor.get("name").and_then(Json::as_str) == Some(name))
            && EQUAL.iter().all(|(name, member)| wanted(name).is_none_or(|wanted| number(flavor, member) == wanted))
            && AT_LEAST.iter().all(|(name, member)| wanted(name).is_none_or(|wanted| number(flavor, member) >= wanted))
    };
    Ok(list.get("flavors").and_then(Json::as_array).into_iter().flatten().filter(fits).cloned().collect())
}
