//! `oci_core_instance`

use async_trait::async_trait;
use pipectl_cloud::settling::settled;
use pipectl_cloud::{Cloud as _, Fields, Group, Times};
use pipectl_core::{Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::{Service, retry_token};
use pipectl_provider::Reason;
use pipectl_provider::arguments::{blocks, flag, map_of_text, text as given, text_map};
use pipectl_provider::rules::{at_most_one_block, one_of};
use serde_json::{Map, Value as Json, json};

use crate::cloud::{Cloud, removed};
use crate::endpoint::ETAG;
use crate::kind::{Fault, Kind, More, NOT_IN_PLACE, Place, either, named, needed, option, text, told};

/// What an instance is told once, when it starts for the first time.
const ONCE: [&str; 2] = ["ssh_authorized_keys", "user_data"];
/// Arguments of the network interface that can be changed.
const INTERFACE: [&str; 4] = ["displayName", "hostnameLabel", "nsgIds", "skipSourceDestCheck"];
const VNIC: &str = "create_vnic_details";

pub(crate) struct Instance;

#[async_trait]
impl Kind for Instance {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_instance";
    const NOUN: &'static str = "instance";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "instances";

    fn fields() -> Fields {
        let fixed = |ty, description| either(ty, description).forces_replacement();
        named("A server.")
            .without("state")
            .named(
                "availability_domain",
                "availabilityDomain",
                needed("The availability domain that it is in.").forces_replacement(),
            )
            .named("shape", "shape", either(Type::String, "Its shape: `VM.Standard.E5.Flex`. Another one restarts it."))
            .named("fault_domain", "faultDomain", either(Type::String, "The fault domain that it is in."))
            .named(
                "metadata",
                "metadata",
                either(map_of_text(), "What it is told: `ssh_authorized_keys`, `user_data` (in base64), and more."),
            )
            .named(
                "dedicated_vm_host_id",
                "dedicatedVmHostId",
                either(Type::String, "The host of one's own that it runs on."),
            )
            .named(
                "capacity_reservation_id",
                "capacityReservationId",
                either(Type::String, "The reservation that it is of."),
            )
            .named("compute_cluster_id", "computeClusterId", fixed(Type::String, "The compute cluster that it is in."))
            .named("ipxe_script", "ipxeScript", fixed(Type::String, "How it starts over the network."))
            .named(
                "is_pv_encryption_in_transit_enabled",
                "isPvEncryptionInTransitEnabled",
                either(Type::Bool, "Whether data on the way to its disk are encrypted.").forces_replacement(),
            )
            .apart(
                "preserve_boot_volume",
                option(Type::Bool, "Whether its disk stays when it is removed. Default false."),
            )
            .apart("state", either(Type::String, "`RUNNING` or `STOPPED`."))
            .named("launch_mode", "launchMode", told(Type::String, "How it meets its hardware."))
            .named("region", "region", told(Type::String, "The region that it is in."))
            .apart("private_ip", told(Type::String, "Its address."))
            .apart("public_ip", told(Type::String, "Its public address."))
            .group("shape_config", shape())
            .group("source_details", source())
            .group(VNIC, interface())
            .group("agent_config", agent())
            .group("availability_config", availability())
            .group("instance_options", options())
            .any_case(["availability_domain", "fault_domain"])
            .moving_with("shape", ["shape_config"])
            .times(Times::minutes(45, 45, 75))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = one_of(config, "state", &["RUNNING", "STOPPED"]);
        for block in ["shape_config", "source_details", VNIC, "agent_config", "availability_config", "instance_options"]
        {
            found.extend(at_most_one_block(config, block));
        }
        found
    }

    fn replaces(prior: &Value, planned: &Value) -> Option<Reason> {
        let (before, now) = (text_map(prior, "metadata"), text_map(planned, "metadata"));
        let name = ONCE.iter().find(|name| before.get(**name) != now.get(**name))?;
        let why = format!("`{name}` in argument `metadata` forces replacement");
        Some(Reason::on(&Path::of("metadata"), why))
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        if let Some(Json::Object(source)) = body.get_mut("sourceDetails")
            && let Some(id) = source.remove("sourceId")
        {
            let kind = source.get("sourceType").and_then(Json::as_str);
            let member = if kind == Some("bootVolume") { "bootVolumeId" } else { "imageId" };
            source.insert(member.to_owned(), id);
        }
        body
    }

    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        let mut changes = fields.changes(prior, planned);
        // These have calls of their own, or none.
        for member in ["createVnicDetails", "sourceDetails"] {
            changes.remove(member);
        }
        changes
    }

    fn leaves(planned: &Value) -> bool {
        given(planned, "state") == Some("STOPPED")
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        power(at, id, planned).await
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        let mut found = Cloud::look::<Self>(at, id, known).await?;
        if let Some(source) = found.as_mut().and_then(|instance| instance.get_mut("sourceDetails")) {
            let id = source.get("imageId").or_else(|| source.get("bootVolumeId")).cloned().unwrap_or_default();
            source["sourceId"] = id;
        }
        Ok(found)
    }

    async fn more(at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let mut more = More::new();
        let state = text(object, "lifecycleState").filter(|state| ["RUNNING", "STOPPED"].contains(&state.as_str()));
        more.extend(state.map(|state| ("state".to_owned(), state.into())));
        let Some(vnic) = vnic(at, object).await? else { return Ok(more) };
        let address = |name: &str| text(&vnic, name).map_or_else(|| Value::null_of(Type::String), Value::from);
        more.insert("private_ip".to_owned(), address("privateIp"));
        more.insert("public_ip".to_owned(), address("publicIp"));
        let mut details = vnic.clone();
        // A reserved address may have come later: what was given stays.
        let has_address = || vnic.get("publicIp").is_some_and(|address| !address.is_null());
        let given = blocks(known, VNIC).first().and_then(|interface| flag(interface, "assign_public_ip"));
        details["assignPublicIp"] = given.unwrap_or_else(has_address).into();
        more.insert(VNIC.to_owned(), interface().seen(&details));
        Ok(more)
    }

    fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
        let Some(prior) = prior else { return planned };
        let one = |value: &Value, name: &str| {
            blocks(value, "shape_config").first().and_then(|shape| shape.set_attribute(name)).cloned()
        };
        let is_other = |name: &str| one(prior, name) != one(&planned, name);
        // Cores and threads are two words for the same, of which OCI takes one.
        let open = [("ocpus", "vcpus"), ("vcpus", "ocpus")];
        let open = open.into_iter().find(|(given, other)| is_other(given) && one(config, other).is_none());
        let (Some((_, name)), [shape]) = (open, blocks(&planned, "shape_config")) else { return planned };
        let shape = shape.with_attribute(name, Value::unknown(Type::Number));
        planned.with_attribute("shape_config", Value::tuple([shape]))
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        fixed(id, prior, planned)?;
        let before = Self::look(at, id, planned).await?;
        if Cloud::update::<Self>(at, id, prior, planned).await? {
            settled::<Self>(at, id, planned, at.fields.limit("update", planned), before.as_ref()).await?;
        }
        let of = |value: &Value| value.attribute(VNIC).and_then(|blocks| interface().told(blocks)).unwrap_or_default();
        let (before, now) = (of(prior), of(planned));
        let is_other = |member: &&&str| now.get(**member).is_some() && before.get(**member) != now.get(**member);
        let changes: Map<String, Json> =
            INTERFACE.iter().filter(is_other).map(|member| ((*member).to_owned(), now[*member].clone())).collect();
        if !changes.is_empty()
            && let Some(vnic) =
                vnic(at, &json!({ "id": id, "compartmentId": given(planned, "compartment_id") })).await?
        {
            let path = ["vnics", &text(&vnic, "id").unwrap_or_default()];
            at.endpoint.change(Method::PUT, &path, &Json::Object(changes), text(&vnic, ETAG).as_deref()).await?;
        }
        if given(prior, "state") != given(planned, "state") {
            power(at, id, planned).await?;
        }
        // Each change has been waited for.
        Ok(false)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let keeps = flag(prior, "preserve_boot_volume") == Some(true);
        let query = [("preserveBootVolume", if keeps { "true" } else { "false" })];
        removed::<Self>(at, id, prior, &[Self::COLLECTION, id], &query).await?;
        Ok(())
    }
}

/// What is neither changed here nor worth a new server.
fn fixed(id: &str, prior: &Value, planned: &Value) -> Result<(), Diagnostic> {
    let cases = [
        (VNIC, "assign_public_ip", "oci network public-ip --help".to_owned()),
        ("source_details", "boot_volume_size_in_gbs", "oci bv boot-volume update --help".to_owned()),
        ("source_details", "boot_volume_vpus_per_gb", "oci bv boot-volume update --help".to_owned()),
        ("source_details", "kms_key_id", "oci bv boot-volume-kms-key update --help".to_owned()),
    ];
    for (block, name, hint) in cases {
        let of = |value: &Value| blocks(value, block).first().and_then(|inside| inside.set_attribute(name)).cloned();
        let (before, now) = (of(prior), of(planned));
        let is_other = now
            .as_ref()
            .is_some_and(|now| now.is_known() && before.as_ref().is_none_or(|before| !before.equal_content(now)));
        // What was never told may be what is given now.
        if is_other && before.is_some() {
            let detail =
                format!("`{name}` of the instance `{id}` is only for a new one, and a server is not made anew for it.");
            return Err(Diagnostic::error(NOT_IN_PLACE, detail).on(Path::of(block).index(0).name(name)).hint(hint));
        }
    }
    Ok(())
}

/// Starts or stops an instance, and waits until it is so.
async fn power(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    let (action, state) = match given(planned, "state") {
        Some("STOPPED") => ("STOP", "STOPPED"),
        Some("RUNNING") => ("START", "RUNNING"),
        _ => return Ok(()),
    };
    let limit = at.fields.limit("update", planned);
    let now = settled::<Instance>(at, id, planned, limit, None).await?;
    if text(&now, "lifecycleState").as_deref() == Some(state) {
        return Ok(());
    }
    let path = [Instance::COLLECTION, id];
    let call = at.endpoint.call(Method::POST, &path, &[("action", action)]);
    let token = retry_token(&format!("{} {action} {id}", at.cx.token), &[]);
    at.endpoint.send(&at.endpoint.0.once(call, &token)).await?;
    settled::<Instance>(at, id, planned, limit, Some(&now)).await?;
    Ok(())
}

/// The first network interface of an instance.
async fn vnic(at: &Place<'_>, instance: &Json) -> Result<Option<Json>, Fault> {
    let (Some(id), Some(compartment)) = (text(instance, "id"), text(instance, "compartmentId")) else {
        return Ok(None);
    };
    let query = [("compartmentId", compartment.as_str()), ("instanceId", id.as_str())];
    let attachments = at.endpoint.list(&["vnicAttachments"], &query).await?;
    for attachment in attachments.iter().filter(|one| text(one, "lifecycleState").as_deref() == Some("ATTACHED")) {
        let Some(id) = text(attachment, "vnicId") else { continue };
        let vnic = at.endpoint.look(&["vnics", &id], &[]).await?;
        if let Some(vnic) = vnic.filter(|vnic| vnic.get("isPrimary") != Some(&Json::Bool(false))) {
            return Ok(Some(vnic));
        }
    }
    Ok(None)
}

fn shape() -> Group {
    Group::one("shapeConfig", "Its size, where its shape leaves it open.")
        .computed()
        .with("ocpus", "ocpus", either(Type::Number, "Cores."))
        .with("memory_in_gbs", "memoryInGBs", either(Type::Number, "Memory, in GB."))
        .with(
            "baseline_ocpu_utilization",
            "baselineOcpuUtilization",
            either(Type::String, "The share of its cores that it always has."),
        )
        .with("nvmes", "nvmes", either(Type::Number, "Disks of its own."))
        .with("vcpus", "vcpus", either(Type::Number, "Threads."))
        .with("gpus", "gpus", told(Type::Number, "GPUs."))
        .with("gpu_description", "gpuDescription", told(Type::String, "What they are."))
        .with("processor_description", "processorDescription", told(Type::String, "What its processors are."))
}

fn source() -> Group {
    Group::one("sourceDetails", "What it starts from.")
        .computed()
        .with("source_type", "sourceType", needed("`image` or `bootVolume`.").forces_replacement())
        .with(
            "source_id",
            "sourceId",
            either(Type::String, "The OCID of the image or of the disk.").forces_replacement(),
        )
        .with("boot_volume_size_in_gbs", "bootVolumeSizeInGBs", either(Type::Number, "The size of its disk, in GB."))
        .with("boot_volume_vpus_per_gb", "bootVolumeVpusPerGB", either(Type::Number, "How fast its disk is."))
        .with("kms_key_id", "kmsKeyId", either(Type::String, "The key that its disk is encrypted with."))
        .any_case(["source_type"])
}

fn interface() -> Group {
    Group::one("createVnicDetails", "Its place in a network.")
        .computed()
        .with("subnet_id", "subnetId", either(Type::String, "The OCID of the subnet.").forces_replacement())
        .with(
            "assign_public_ip",
            "assignPublicIp",
            either(Type::Bool, "Whether it gets a public address when it is made."),
        )
        .with("display_name", "displayName", either(Type::String, "The name of the interface."))
        .with("hostname_label", "hostnameLabel", either(Type::String, "Its name in host names."))
        .with("nsg_ids", "nsgIds", either(Type::set(Type::String), "Its network security groups."))
        .with("private_ip", "privateIp", either(Type::String, "Its address.").forces_replacement())
        .with("skip_source_dest_check", "skipSourceDestCheck", either(Type::Bool, "Whether it may forward packets."))
        .any_case(["hostname_label"])
}

fn agent() -> Group {
    let flag = |description: &str| either(Type::Bool, description);
    let plugin = Group::many("pluginsConfig", "What else Oracle's agent does on it.")
        .computed()
        .with("name", "name", needed("The name of a plugin."))
        .with("desired_state", "desiredState", needed("`ENABLED` or `DISABLED`."));
    Group::one("agentConfig", "What Oracle's agent does on it.")
        .computed()
        .with("are_all_plugins_disabled", "areAllPluginsDisabled", flag("Whether it does nothing."))
        .with("is_management_disabled", "isManagementDisabled", flag("Whether it manages nothing."))
        .with("is_monitoring_disabled", "isMonitoringDisabled", flag("Whether it watches nothing."))
        .group("plugins_config", plugin)
}

fn availability() -> Group {
    Group::one("availabilityConfig", "What becomes of it when its host is maintained.")
        .computed()
        .with(
            "is_live_migration_preferred",
            "isLiveMigrationPreferred",
            either(Type::Bool, "Whether it moves while it runs."),
        )
        .with("recovery_action", "recoveryAction", either(Type::String, "`RESTORE_INSTANCE` or `STOP_INSTANCE`."))
        .any_case(["recovery_action"])
}

fn options() -> Group {
    Group::one("instanceOptions", "More on it.").computed().with(
        "are_legacy_imds_endpoints_disabled",
        "areLegacyImdsEndpointsDisabled",
        either(Type::Bool, "Whether its metadata are read by version 2 alone."),
    )
}
