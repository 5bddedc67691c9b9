//! `openstack_networking_router_interface_v2`: a router in a subnet. What it is made of is a port, whose id it has.

use async_trait::async_trait;
use pipectl_cloud::{Fields, Times};
use pipectl_core::{Attribute, Diagnostics, Type, Value};
use pipectl_http::{Method, Repeat, StatusCode};
use pipectl_provider::arguments::{flag, text};
use pipectl_provider::rules::{at_least_one_of, conflicts};
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, More, Place, act};

pub(crate) struct RouterInterface;

#[async_trait]
impl Kind for RouterInterface {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_networking_router_interface_v2";
    const NOUN: &'static str = "router interface";
    const SERVICE: Service = Service::Network;
    const COLLECTION: &'static str = "ports";
    const ENVELOPE: Option<&'static str> = Some("port");

    fn fields() -> Fields {
        let either = |description| Attribute::optional_computed(Type::String, description).forces_replacement();
        Fields::new("A router in a subnet.")
            .in_region()
            .named(
                "router_id",
                "device_id",
                Attribute::required(Type::String, "The `id` of the router.").forces_replacement(),
            )
            .apart("subnet_id", either("The `id` of the subnet. The router gets its gateway address there."))
            .named("port_id", "id", either("The `id` of a port to use instead."))
            .apart(
                "force_destroy",
                Attribute::optional(Type::Bool, "Whether routes of the router are removed with it."),
            )
            .default("force_destroy", false)
            .times(Times::minutes(10, 0, 10))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_least_one_of(config, &["subnet_id", "port_id"]);
        found.extend(conflicts(config, "subnet_id", &["port_id"]));
        found
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let router = text(planned, "router_id").unwrap_or_default();
        let body = match text(planned, "port_id") {
            Some(port) => json!({ "port_id": port }),
            None => json!({ "subnet_id": text(planned, "subnet_id") }),
        };
        let call = at.endpoint.call(Method::PUT, &["routers", router, "add_router_interface"], &[]).json(&body);
        // A second time is refused, whatever became of the first.
        let added: Json = at.endpoint.send(&call.repeat(Repeat::Unsafe)).await?.json()?;
        let port = added.get("port_id").and_then(Json::as_str).unwrap_or_default();
        let seen = Self::look(at, port, planned).await;
        // The interface is there, whatever becomes of this look at it.
        Ok(seen.ok().flatten().unwrap_or_else(|| json!({ "id": port, "device_id": router })))
    }

    fn condition(object: &Json) -> Condition {
        super::condition(object)
    }

    async fn more(_at: &Place<'_>, object: &Json, _known: &Value) -> Result<More, Fault> {
        let fixed = object.get("fixed_ips").and_then(|fixed| fixed.get(0)).and_then(|first| first.get("subnet_id"));
        let subnet = fixed.and_then(Json::as_str).map(Value::from);
        Ok(subnet.map(|subnet| ("subnet_id".to_owned(), subnet)).into_iter().collect())
    }

    async fn update(_at: &Place<'_>, _id: &str, _prior: &Value, _planned: &Value) -> Result<bool, Fault> {
        // `force_destroy` counts when it is removed.
        Ok(false)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let router = text(prior, "router_id").unwrap_or_default();
        let removed = async {
            if flag(prior, "force_destroy") == Some(true) {
                act(at, Method::PUT, &["routers", router], &json!({ "router": { "routes": [] } })).await?;
            }
            act(at, Method::PUT, &["routers", router, "remove_router_interface"], &json!({ "port_id": id })).await
        };
        // It goes with its router.
        match removed.await {
            Err(fault) if fault.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            other => other,
        }
    }

    /// A port that is given is older than its place in the router.
    fn is_named(arguments: &Json) -> bool {
        arguments.get("port_id").is_some_and(Json::is_string)
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let Some(router) = arguments.get("router_id").and_then(Json::as_str) else { return Ok(Vec::new()) };
        let list = at.endpoint.list(&["ports"], &[("device_id", router)]).await?;
        let subnet = arguments.get("subnet_id").filter(|subnet| !subnet.is_null());
        let is_there = |port: &&Json| {
            let mut fixed = port.get("fixed_ips").and_then(Json::as_array).into_iter().flatten();
            subnet.is_none() || fixed.any(|fixed| fixed.get("subnet_id") == subnet)
        };
        Ok(list.get("ports").and_then(Json::as_array).into_iter().flatten().filter(is_there).cloned().collect())
    }
}
