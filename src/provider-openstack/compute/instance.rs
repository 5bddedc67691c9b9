//! `openstack_compute_instance_v2`: a server.

mod change;
mod networks;
mod request;
mod sizes;

use async_trait::async_trait;
use pipectl_cloud::{Fields, Times};
use pipectl_core::Diagnostic;
use pipectl_core::{Attribute, Block, Diagnostics, Path, Schema, Type, Value};
use pipectl_http::Method;
use pipectl_provider::arguments::{blocks, flag, is_given, map_of_text, text as given, text_map, texts};
use pipectl_provider::rules::{at_most_one_block, conflicts, one_of};
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, Service};
use crate::kind::{Condition, Fault, Kind, More, Place, act, text, unwrap, with_reason};

/// The zone of a server as a member of it.
const ZONE: &str = "OS-EXT-AZ:availability_zone";

pub(crate) struct Instance;

#[async_trait]
impl Kind for Instance {
    type Cloud = Cloud;

    const TYPE: &'static str = "openstack_compute_instance_v2";
    const NOUN: &'static str = "instance";
    const SERVICE: Service = Service::Compute;
    const COLLECTION: &'static str = "servers";
    const ENVELOPE: Option<&'static str> = Some("server");
    const IS_SLOW: bool = true;

    fn fields() -> Fields {
        let option = |ty, description| Attribute::optional(ty, description);
        let fixed = |ty, description| Attribute::optional(ty, description).forces_replacement();
        let either = |ty, description| Attribute::optional_computed(ty, description);
        let told = |ty, description| Attribute::computed(ty, description);
        Fields::new("A server.")
            .in_region()
            .with("name", Attribute::required(Type::String, "Its name."))
            .apart("image_id", either(Type::String, "The id of its image. Another one builds it anew."))
            .apart("image_name", either(Type::String, "The name of its image."))
            .apart("flavor_id", either(Type::String, "The id of its flavor. Another one resizes it."))
            .apart("flavor_name", either(Type::String, "The name of its flavor."))
            .apart("user_data", fixed(Type::String, "What it is told when it starts for the first time."))
            .apart(
                "security_groups",
                either(Type::set(Type::String), "The names of its security groups. Default: `default`."),
            )
            .apart(
                "availability_zone_hints",
                fixed(Type::String, "The zone to make it in, and not to look at any more."),
            )
            .named("availability_zone", ZONE, either(Type::String, "Its zone.").forces_replacement())
            .apart("network_mode", fixed(Type::String, "`auto` or `none`, in the place of `network` blocks."))
            .named(
                "hypervisor_hostname",
                "OS-EXT-SRV-ATTR:hypervisor_hostname",
                either(Type::String, "The host to make it on, for administrators.").forces_replacement(),
            )
            .apart("metadata", option(map_of_text(), "What is said of it."))
            .apart("all_metadata", told(map_of_text(), "All that is said of it."))
            .apart("config_drive", fixed(Type::Bool, "Whether it is told what to do by a disk."))
            .apart("admin_pass", option(Type::String, "The password of its administrator.").sensitive())
            .named("access_ip_v4", "accessIPv4", told(Type::String, "The address to reach it at."))
            .named("access_ip_v6", "accessIPv6", told(Type::String, "The same of IPv6."))
            .named("key_pair", "key_name", fixed(Type::String, "The name of the key pair to log in to it with."))
            .apart("stop_before_destroy", option(Type::Bool, "Whether it is stopped before it is removed."))
            .default("stop_before_destroy", false)
            .apart(
                "force_delete",
                option(Type::Bool, "Whether it is removed at once where the cloud keeps what is removed."),
            )
            .default("force_delete", false)
            .apart("power_state", option(Type::String, "`active`, `shutoff`, `paused`, `shelved_offloaded`."))
            .default("power_state", "active")
            .apart("tags", option(Type::set(Type::String), "Words that it is marked with."))
            .apart("all_tags", told(Type::set(Type::String), "All words that it is marked with."))
            .with("created", told(Type::String, "When it was made."))
            .with("updated", told(Type::String, "When it was changed."))
            .group("network", networks::network())
            .group("block_device", request::device())
            .group("scheduler_hints", request::hints())
            .block("personality", Block::list(request::file_schema(), "A file that it is made with."))
            .block("vendor_options", Block::list(vendor_schema(), "What some clouds need."))
            .equivalent("availability_zone", |given, now| {
                given.as_str().zip(now.as_str()).is_some_and(|(given, now)| given.split(':').next() == Some(now))
            })
            .moving(["updated", "all_metadata", "all_tags"])
            .times(Times::minutes(30, 30, 30))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "power_state", &["active", "shutoff", "paused", "shelved_offloaded"]);
        found.extend(one_of(config, "network_mode", &["auto", "none"]));
        found.extend(conflicts(config, "availability_zone", &["availability_zone_hints"]));
        found.extend(at_most_one_block(config, "vendor_options"));
        found.extend(at_most_one_block(config, "scheduler_hints"));
        let missing = |one: &str, other: &str| !is_given(config, one) && !is_given(config, other);
        if missing("flavor_id", "flavor_name") {
            let detail = "A server has a flavor: give `flavor_id` or `flavor_name`.";
            found.push(Diagnostic::error("Missing argument", detail).on(Path::of("flavor_id")));
        }
        if missing("image_id", "image_name") && blocks(config, "block_device").is_empty() {
            let detail = "A server starts from something: give `image_id`, `image_name` or a `block_device`.";
            found.push(Diagnostic::error("Missing argument", detail).on(Path::of("image_id")));
        }
        found.extend(request::validate(config));
        if !blocks(config, "network").is_empty() {
            found.extend(conflicts(config, "network_mode", &["network"]));
        }
        found
    }

    fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
        sizes::refine(planned, config, prior)
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let body = request::body(at, planned).await?;
        let call = at
            .endpoint
            .call_at(request::microversion(planned), Method::POST, &[Self::COLLECTION])
            .json(&body)
            .private();
        Ok(unwrap::<Self>(at.endpoint.send(&call).await?.json()?))
    }

    fn leaves(planned: &Value) -> bool {
        !texts(planned, "tags").is_empty() || given(planned, "power_state").is_some_and(|state| state != "active")
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        let tags = texts(planned, "tags");
        if !tags.is_empty() {
            act(at, Method::PUT, &[Self::COLLECTION, id, "tags"], &json!({ "tags": tags })).await?;
        }
        change::power(at, id, planned).await
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        let found = at.endpoint.look(&[Self::COLLECTION, id]).await?.map(unwrap::<Self>);
        // Some clouds keep what was removed for a while.
        Ok(found.filter(|server| !matches!(text(server, "status").as_deref(), Some("DELETED" | "SOFT_DELETED"))))
    }

    fn condition(object: &Json) -> Condition {
        let Some(status) = text(object, "status") else { return Condition::Busy("accepted".to_owned()) };
        let task = object.get("OS-EXT-STS:task_state").and_then(Json::as_str);
        match (status.as_str(), task) {
            ("ERROR", _) => {
                let reason = object.get("fault").and_then(|fault| fault.get("message")?.as_str());
                Condition::Failed(with_reason("in status ERROR", reason))
            }
            ("BUILD" | "REBUILD" | "RESIZE" | "REBOOT" | "HARD_REBOOT" | "MIGRATING" | "PASSWORD", _) => {
                Condition::Busy(status)
            }
            (_, Some(task)) => Condition::Busy(format!("{status} ({task})")),
            _ => Condition::Ready,
        }
    }

    /// Nova removes by a task, which is over.
    fn stays(object: &Json) -> Option<String> {
        let has_task = object.get("OS-EXT-STS:task_state").is_some_and(|task| !task.is_null());
        match Self::condition(object) {
            Condition::Failed(reason) if !has_task => Some(reason),
            Condition::Failed(_) | Condition::Ready | Condition::Busy(_) => None,
        }
    }

    async fn more(at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = sizes::observed(at, object, known).await?;
        let id = Self::id(object).unwrap_or_default();
        let networks = networks::observed(at, &id, object, known).await?;
        if text(object, "accessIPv4").is_none_or(|address| address.is_empty()) {
            more.extend(networks.access("fixed_ip_v4").map(|address| ("access_ip_v4".to_owned(), address)));
        }
        if text(object, "accessIPv6").is_none_or(|address| address.is_empty()) {
            more.extend(networks.access("fixed_ip_v6").map(|address| ("access_ip_v6".to_owned(), address)));
        }
        more.insert("network".to_owned(), networks.blocks);
        let groups = object.get("security_groups").and_then(Json::as_array).into_iter().flatten();
        let groups = groups.filter_map(|group| text(group, "name")).map(Value::from);
        more.insert("security_groups".to_owned(), Value::set(Type::String, groups));
        let metadata = object.get("metadata").and_then(Json::as_object).into_iter().flatten();
        let all: Vec<(String, Value)> =
            metadata.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.into()))).collect();
        let own = text_map(known, "metadata");
        let kept = all.iter().filter(|(name, _)| own.contains_key(name)).cloned();
        more.insert("metadata".to_owned(), Value::map(Type::String, kept.collect::<Vec<_>>()));
        more.insert("all_metadata".to_owned(), Value::map(Type::String, all));
        let tags: Vec<&str> =
            object.get("tags").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        let own = texts(known, "tags").into_iter().filter(|tag| tags.contains(tag)).map(Value::from);
        more.insert("tags".to_owned(), Value::set(Type::String, own));
        more.insert("all_tags".to_owned(), Value::set(Type::String, tags.iter().copied().map(Value::from)));
        if let Some(state) = text(object, "status").map(|status| status.to_lowercase())
            && ["active", "shutoff", "paused", "shelved_offloaded"].contains(&state.as_str())
        {
            more.insert("power_state".to_owned(), state.into());
        }
        Ok(more)
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        change::all(at, id, prior, planned).await?;
        // Each change has been waited for.
        Ok(false)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        if flag(prior, "stop_before_destroy") == Some(true) {
            change::stop(at, id, prior).await?;
        }
        if request::has_option(prior, "detach_ports_before_destroy") {
            change::detach(at, id, prior).await?;
        }
        match flag(prior, "force_delete") {
            Some(true) => change::ask(at, id, json!({ "forceDelete": null })).await,
            _ => Ok(at.endpoint.delete(&[Self::COLLECTION, id]).await?),
        }
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        let name = arguments.get("name").and_then(Json::as_str).unwrap_or_default();
        // Nova takes the name for a pattern.
        let list = at.endpoint.list(&[Self::COLLECTION], &[("name", &format!("^{}$", regex::escape(name)))]).await?;
        Ok(list.get("servers").and_then(Json::as_array).cloned().unwrap_or_default())
    }
}

fn vendor_schema() -> Schema {
    let flag = |description| Attribute::optional(Type::Bool, description);
    Schema::of([
        ("ignore_resize_confirmation", flag("Whether the cloud confirms resizes itself. Default false.")),
        ("detach_ports_before_destroy", flag("Whether ports are taken off before it is removed. Default false.")),
    ])
}
