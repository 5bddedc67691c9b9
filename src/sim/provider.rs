//! The provider of the simulated cloud: configured for a region, or for a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource, Ephemeral, Kinds, Opened, Provider};

use crate::kind::{CLUSTER, HOME, Kind, TOKEN};
use crate::resource::SimResource;
use crate::world::{Refusal, World, text};

/// `provider "sim"`: with `region`, or with `endpoint` and `token` of a `sim_cluster`.
pub struct SimProvider {
    world: World,
    schema: Schema,
    kinds: Kinds,
}

impl SimProvider {
    pub(crate) fn new(world: World) -> Self {
        let schema = Schema::of([
            ("region", Attribute::optional(Type::String, "Where objects are. Default: home.")),
            (
                "endpoint",
                Attribute::optional(
                    Type::String,
                    "The endpoint of a cluster that objects live in, instead of a region.",
                ),
            ),
            ("token", Attribute::optional(Type::String, "What the cluster asks for.").sensitive()),
        ])
        .described("A simulated cloud.");
        let kinds = kinds(&world, None);
        Self { world, schema, kinds }
    }
}

fn kinds(world: &World, place: Option<&str>) -> Kinds {
    let mut kinds = Kinds::default();
    for kind in Kind::ALL {
        let resource = SimResource::new(world.clone(), kind, place.map(str::to_owned));
        kinds.resources.insert(kind.type_name().to_owned(), Arc::new(resource));
    }
    let cluster = ClusterData { world: world.clone(), place: place.map(str::to_owned), schema: ClusterData::schema() };
    kinds.data_sources.insert(CLUSTER.to_owned(), Arc::new(cluster));
    let token = ClusterToken { world: world.clone(), place: place.map(str::to_owned), schema: ClusterToken::schema() };
    kinds.ephemerals.insert(TOKEN.to_owned(), Arc::new(token));
    kinds
}

#[async_trait]
impl Provider for SimProvider {
    fn name(&self) -> &str {
        "sim"
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match (config.set_attribute("region"), config.set_attribute("endpoint")) {
            (Some(_), Some(_)) => {
                let detail =
                    "A provider works in a region or in a cluster: either `region` or `endpoint` may be given.";
                Diagnostic::error("Invalid combination of arguments", detail).on(Path::of("endpoint")).into()
            }
            _ => Diagnostics::new(),
        }
    }

    async fn configure(&self, _cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        let given = |name: &str| config.set_attribute(name).and_then(Value::as_str);
        let token = given("token").unwrap_or_default();
        let cluster = given("endpoint").map(|endpoint| (endpoint, token));
        let place =
            self.world.configure(given("region").unwrap_or(HOME), cluster).map_err(|refusal| match refusal {
                Refusal::Nobody => {
                    Diagnostic::error("Connection refused", "Nobody answers at the endpoint.").on(Path::of("endpoint"))
                }
                Refusal::Unauthorized => {
                    Diagnostic::error("Unauthorized", "The cluster knows another token.").on(Path::of("token"))
                }
            })?;
        Ok(Arc::new(kinds(&self.world, Some(&place))))
    }
}

/// `data "sim_cluster"`: the cluster of a name.
struct ClusterData {
    world: World,
    place: Option<String>,
    schema: Schema,
}

impl ClusterData {
    fn schema() -> Schema {
        Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("endpoint", Attribute::computed(Type::String, "Where it answers.")),
            ("token", Attribute::computed(Type::String, "What it asks for.").sensitive().readable_again()),
        ])
        .described("A simulated cluster that exists.")
    }
}

#[async_trait]
impl DataSource for ClusterData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let name = config.attribute("name").and_then(Value::as_str).unwrap_or_default();
        let objects = self.world.objects();
        let is_meant =
            |kind: &str, at: &str, called: &str| kind == CLUSTER && Some(at) == self.place.as_deref() && called == name;
        let found = objects.iter().find(|object| is_meant(object.kind, &object.place, &object.name));
        let cluster = found.ok_or_else(|| {
            Diagnostic::error("Cluster not found", format!("There is no cluster `{name}`.")).on(Path::of("name"))
        })?;
        let attributes = ["endpoint", "token"].map(|name| (name, Value::from(text(cluster, name))));
        Ok(attributes
            .into_iter()
            .fold(config.clone(), |value, (name, attribute)| value.with_attribute(name, attribute)))
    }
}

/// `ephemeral "sim_token"`: what a cluster asks for, which no state has to keep.
struct ClusterToken {
    world: World,
    place: Option<String>,
    schema: Schema,
}

impl ClusterToken {
    fn schema() -> Schema {
        Schema::of([
            ("cluster", Attribute::required(Type::String, "The id of the cluster.")),
            ("token", Attribute::computed(Type::String, "What it asks for.").sensitive()),
        ])
        .described("A token of a simulated cluster.")
    }
}

#[async_trait]
impl Ephemeral for ClusterToken {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn open(&self, _cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        let id = config.attribute("cluster").and_then(Value::as_str).unwrap_or_default();
        let objects = self.world.objects();
        let found =
            objects.iter().find(|object| object.id == id && Some(object.place.as_str()) == self.place.as_deref());
        let cluster = found.ok_or_else(|| {
            let detail = format!("There is no cluster `{id}` to get a token of.");
            Diagnostic::error("Cluster not found", detail).on(Path::of("cluster"))
        })?;
        Ok(Opened::lasting(config.with_attribute("token", text(cluster, "token").into())))
    }
}
