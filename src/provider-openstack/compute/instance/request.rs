//! The request that makes a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_cloud::blocks::to_objects;
use pipectl_core::json::to_json;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{blocks, flag, map_of_text, text as given, texts};
use serde_json::{Map, Value as Json, json};

use super::{networks, sizes};
use crate::kind::{Fault, Place};

/// Members of a disk, by argument.
const DEVICE: [(&str, &str); 10] = [
    ("source_type", "source_type"),
    ("uuid", "uuid"),
    ("volume_size", "volume_size"),
    ("destination_type", "destination_type"),
    ("boot_index", "boot_index"),
    ("delete_on_termination", "delete_on_termination"),
    ("guest_format", "guest_format"),
    ("volume_type", "volume_type"),
    ("device_type", "device_type"),
    ("disk_bus", "disk_bus"),
];
const HINTS: [(&str, &str); 7] = [
    ("group", "group"),
    ("different_host", "different_host"),
    ("same_host", "same_host"),
    ("query", "query"),
    ("target_cell", "target_cell"),
    ("different_cell", "different_cell"),
    ("build_near_host_ip", "build_near_host_ip"),
];

pub(super) fn device_schema() -> Schema {
    let fixed = |ty, description| Attribute::optional(ty, description).forces_replacement();
    Schema::of([
        (
            "source_type",
            Attribute::required(Type::String, "`blank`, `image`, `volume`, `snapshot`.").forces_replacement(),
        ),
        ("uuid", fixed(Type::String, "The id of that.")),
        ("volume_size", fixed(Type::Number, "Its size, in GB.")),
        ("destination_type", fixed(Type::String, "`local` or `volume`.")),
        ("boot_index", fixed(Type::Number, "0 for the disk to start from.")),
        ("delete_on_termination", fixed(Type::Bool, "Whether it goes with the server. Default false.")),
        ("guest_format", fixed(Type::String, "Its file system.")),
        ("volume_type", fixed(Type::String, "The type of its volume.")),
        ("device_type", fixed(Type::String, "`disk`, `cdrom`.")),
        ("disk_bus", fixed(Type::String, "`virtio`, `scsi`.")),
        ("multiattach", fixed(Type::Bool, "Whether several servers may have it. Default false.")),
    ])
}

pub(super) fn hints_schema() -> Schema {
    let text = |description| Attribute::optional(Type::String, description).forces_replacement();
    let list = |description| Attribute::optional(Type::list(Type::String), description).forces_replacement();
    Schema::of([
        ("group", text("The id of a group of servers.")),
        ("different_host", list("Servers not to be on one host with.")),
        ("same_host", list("Servers to be on one host with.")),
        ("query", list("A condition for hosts.")),
        ("target_cell", text("The cell.")),
        ("different_cell", list("Cells not to be in.")),
        ("build_near_host_ip", text("Addresses of hosts to be near.")),
        ("additional_properties", Attribute::optional(map_of_text(), "Other hints.").forces_replacement()),
    ])
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
    let mut hints = to_objects(blocks(planned, "scheduler_hints"), &HINTS).into_iter().next().unwrap_or_default();
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
    let devices = to_objects(blocks(planned, "block_device"), &DEVICE);
    devices.into_iter().map(Json::Object).collect()
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
