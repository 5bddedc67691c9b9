//! The request that makes a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_cloud::Group;
use pipectl_core::json::to_json;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{blocks, flag, map_of_text, text as given, texts};
use serde_json::{Map, Value as Json, json};

use super::{networks, sizes};
use crate::kind::{Fault, Place};

/// A disk. What is asked for is a list beside the server's other members.
pub(super) fn device() -> Group {
    let fixed = |ty, description| Attribute::optional(ty, description).forces_replacement();
    let source = Attribute::required(Type::String, "`blank`, `image`, `volume`, `snapshot`.").forces_replacement();
    Group::many("", "A disk.")
        .with("source_type", "source_type", source)
        .with("uuid", "uuid", fixed(Type::String, "The id of that."))
        .with("volume_size", "volume_size", fixed(Type::Number, "Its size, in GB."))
        .with("destination_type", "destination_type", fixed(Type::String, "`local` or `volume`."))
        .with("boot_index", "boot_index", fixed(Type::Number, "0 for the disk to start from."))
        .with(
            "delete_on_termination",
            "delete_on_termination",
            fixed(Type::Bool, "Whether it goes with the server. Default false."),
        )
        .with("guest_format", "guest_format", fixed(Type::String, "Its file system."))
        .with("volume_type", "volume_type", fixed(Type::String, "The type of its volume."))
        .with("device_type", "device_type", fixed(Type::String, "`disk`, `cdrom`."))
        .with("disk_bus", "disk_bus", fixed(Type::String, "`virtio`, `scsi`."))
        .with("multiattach", "", fixed(Type::Bool, "Whether several servers may have it. Default false."))
        .default("delete_on_termination", false)
        .default("multiattach", false)
}

/// Where to make it.
pub(super) fn hints() -> Group {
    let text = |description| Attribute::optional(Type::String, description).forces_replacement();
    let list = |description| Attribute::optional(Type::list(Type::String), description).forces_replacement();
    Group::many("", "Where to make it.")
        .with("group", "group", text("The id of a group of servers."))
        .with("different_host", "different_host", list("Servers not to be on one host with."))
        .with("same_host", "same_host", list("Servers to be on one host with."))
        .with("query", "query", list("A condition for hosts."))
        .with("target_cell", "target_cell", text("The cell."))
        .with("different_cell", "different_cell", list("Cells not to be in."))
        .with("build_near_host_ip", "build_near_host_ip", text("Addresses of hosts to be near."))
        .with("additional_properties", "", Attribute::optional(map_of_text(), "Other hints.").forces_replacement())
}

pub(super) fn file_schema() -> Schema {
    Schema::of([
        ("file", Attribute::required(Type::String, "Its path.")),
        ("content", Attribute::required(Type::String, "Its content.")),
    ])
}

pub(super) async fn body(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
    let mut server = Map::new();
    let mut put = |name: &str, value: Option<Json>| {
        server.extend(value.map(|value| (name.to_owned(), value)));
    };
    let argument = |name: &str| planned.set_attribute(name).and_then(to_json);
    put("name", argument("name"));
    put("flavorRef", Some(sizes::flavor(at, planned).await?.into()));
    put("imageRef", sizes::image(at, planned).await?.map(Json::from));
    put("networks", Some(networks::asked(at, planned).await?));
    put("user_data", given(planned, "user_data").map(|data| encoded(data).into()));
    put("config_drive", argument("config_drive"));
    put("metadata", argument("metadata"));
    put("adminPass", argument("admin_pass"));
    put("key_name", argument("key_pair"));
    put("hypervisor_hostname", argument("hypervisor_hostname"));
    put("availability_zone", argument("availability_zone_hints").or_else(|| argument("availability_zone")));
    let groups: Vec<Json> = texts(planned, "security_groups").into_iter().map(|name| json!({ "name": name })).collect();
    put("security_groups", (!groups.is_empty()).then(|| groups.into()));
    let devices = devices(planned);
    put("block_device_mapping_v2", (!devices.is_empty()).then(|| devices.into()));
    let files = files(planned);
    put("personality", (!files.is_empty()).then(|| files.into()));
    let mut body = json!({ "server": server });
    let mut hints = blocks(planned, "scheduler_hints").first().map(|block| hints().object(block)).unwrap_or_default();
    for block in blocks(planned, "scheduler_hints") {
        if let Some(Json::Object(more)) = block.set_attribute("additional_properties").and_then(to_json) {
            hints.extend(more);
        }
    }
    if !hints.is_empty() {
        body["os:scheduler_hints"] = hints.into();
    }
    Ok(body)
}

/// The microversion that has all that is asked for, where that is a later one than is spoken else.
pub(super) fn microversion(planned: &Value) -> Option<&'static str> {
    let has = |name: &str| blocks(planned, "block_device").iter().any(|device| is_asked(device, name));
    if given(planned, "hypervisor_hostname").is_some() {
        return Some("compute 2.74");
    }
    if has("volume_type") {
        return Some("compute 2.67");
    }
    // It is no member of the request: volumes of several servers are taken from this one on.
    has("multiattach").then_some("compute 2.60")
}

/// What no one microversion has: files went with 2.57.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let is_late = microversion(config).is_some();
    if !is_late || blocks(config, "personality").is_empty() {
        return Diagnostics::new();
    }
    let detail = "Nova takes no files (`personality`) of a server with a `hypervisor_hostname`, or with a `block_device` that has a `volume_type` or \
                  `multiattach`: these came when files had gone. Write files with `user_data`.";
    Diagnostic::error("Invalid combination of arguments", detail).on(Path::of("personality")).into()
}

fn is_asked(device: &Value, name: &str) -> bool {
    given(device, name).is_some_and(|text| !text.is_empty()) || flag(device, name) == Some(true)
}

fn devices(planned: &Value) -> Vec<Json> {
    blocks(planned, "block_device").iter().map(|block| Json::Object(device().object(block))).collect()
}

pub(super) fn files(planned: &Value) -> Vec<Json> {
    let file = |block: &Value| {
        let content = STANDARD.encode(given(block, "content").unwrap_or_default());
        json!({ "path": given(block, "file"), "contents": content })
    };
    blocks(planned, "personality").iter().map(file).collect()
}

/// What is Base64 already stays as it is, as with Terraform.
fn encoded(data: &str) -> String {
    match STANDARD.decode(data) {
        Ok(_) if !data.is_empty() => data.to_owned(),
        _ => STANDARD.encode(data),
    }
}

/// Whether resizes are confirmed by the cloud.
pub(super) fn confirms_itself(planned: &Value) -> bool {
    has_option(planned, "ignore_resize_confirmation")
}

pub(super) fn has_option(planned: &Value, name: &str) -> bool {
    blocks(planned, "vendor_options").iter().any(|options| flag(options, name) == Some(true))
}
