//! Compute: instances, shapes, images.

use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::catalogue::{self, FAULT_DOMAINS, IMAGES, MOST_MEMORY, MOST_MEMORY_PER_OCPU, MOST_OCPUS, SHAPES, Shape};
use crate::listing;
use crate::network::{change_compartment, parent};
use crate::request::Call;
use crate::store::Object;
use crate::vnics::{self, Wanted};
use crate::world::{REGION, TENANCY, World, born};

const MODEL: &str = "core.Instance";

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "launch_instance" => launch(world, call),
        "get_instance" => world.find(call, "instance", call.id()).map(|object| world.show(MODEL, object)),
        "update_instance" => update(world, call),
        "terminate_instance" => terminate(world, call),
        "list_instances" => listing::kind(world, call, "instance", MODEL),
        "instance_action" => act(world, call),
        "change_instance_compartment" => change_compartment(world, call, "instance"),
        "list_boot_volume_attachments" => {
            listing::kind(world, call, "bootvolumeattachment", "core.BootVolumeAttachment")
        }
        "list_shapes" => list_shapes(world, call),
        "list_images" => list_images(world, call),
        "get_image" => {
            catalogue::find_image(call.id()).map(|image| Answer::json(catalogue::shown_image(image, TENANCY)))
        }
        _ => return None,
    })
}

fn launch(world: &mut World, call: &Call<'_>) -> Outcome {
    let time = world.time();
    let mut body = born(call, &time, "instance");
    let domain = call.text("availabilityDomain").unwrap_or_default().to_owned();
    catalogue::check_domain(&domain)?;
    let shape = catalogue::find_shape(call.text("shape").ok_or_else(|| Refusal::missing("shape"))?)?;
    let source = body.get("sourceDetails").and_then(|source| source["imageId"].as_str());
    let image =
        source.or_else(|| call.text("imageId")).ok_or_else(|| Refusal::missing("sourceDetails.imageId"))?.to_owned();
    if catalogue::find_image(&image)?.is_arm != shape.is_arm {
        return Err(Refusal::invalid(format!("Shape {} is not valid for image {image}.", shape.name)));
    }
    let config = shape_config(shape, body.get("shapeConfig"))?;
    let domain_of_faults = call.text("faultDomain").unwrap_or(FAULT_DOMAINS[0]).to_owned();
    if !FAULT_DOMAINS.contains(&domain_of_faults.as_str()) {
        return Err(Refusal::invalid(format!("There is no fault domain {domain_of_faults}")));
    }
    let vnic = body.remove("createVnicDetails").unwrap_or_else(|| json!({}));
    let subnet =
        vnic["subnetId"].as_str().or_else(|| call.text("subnetId")).ok_or_else(|| Refusal::missing("subnetId"))?;
    parent(world, call, "subnet", subnet)?;
    let subnet = subnet.to_owned();
    let label = vnic["hostnameLabel"].as_str().or_else(|| call.text("hostnameLabel")).map(str::to_owned);
    let wanted = Wanted { subnet: &subnet, domain: &domain, label, details: &vnic, name: body["displayName"].clone() };
    let planned = vnics::plan(world, call, &wanted)?;

    let id = world.ocid("instance");
    let volume = world.ocid("bootvolume");
    let given = [
        ("faultDomain", json!(domain_of_faults)),
        ("imageId", json!(image)),
        ("region", json!(REGION)),
        ("shapeConfig", config),
        ("launchMode", json!("PARAVIRTUALIZED")),
        ("bootVolumeId", json!(volume)),
    ];
    body.extend(given.map(|(name, value)| (name.to_owned(), value)));
    let source = body.entry("sourceDetails").or_insert_with(|| json!({"sourceType": "image", "imageId": image}));
    if let (true, Some(source)) = (world.settings.hides_disks, source.as_object_mut()) {
        source.retain(|name, _| ["sourceType", "imageId"].contains(&name.as_str()));
    }
    body.entry("metadata").or_insert_with(|| json!({}));
    body.entry("extendedMetadata").or_insert_with(|| json!({}));
    check_metadata(&body["metadata"], &body["extendedMetadata"])?;
    let firmware = json!({
        "bootVolumeType": "PARAVIRTUALIZED", "firmware": "UEFI_64", "networkType": "PARAVIRTUALIZED",
        "remoteDataVolumeType": "PARAVIRTUALIZED", "isPvEncryptionInTransitEnabled": false, "isConsistentVolumeNamingEnabled": true,
    });
    fill(&mut body, "launchOptions", firmware);
    fill(&mut body, "instanceOptions", json!({"areLegacyImdsEndpointsDisabled": false}));
    fill(&mut body, "availabilityConfig", json!({"recoveryAction": "RESTORE_INSTANCE"}));
    fill(
        &mut body,
        "agentConfig",
        json!({"isMonitoringDisabled": false, "isManagementDisabled": false, "areAllPluginsDisabled": false}),
    );
    for hidden in
        ["subnetId", "hostnameLabel", "isPvEncryptionInTransitEnabled", "launchVolumeAttachments", "computeClusterId"]
    {
        body.remove(hidden);
    }
    let (now, takes) = (world.now(), world.settings.instance_ms);
    let compartment = body["compartmentId"].clone();
    world.store.insert(
        "instance",
        id.clone(),
        body,
        now,
        "PROVISIONING",
        &[(takes, "STARTING"), (2 * takes, "RUNNING")],
    );
    vnics::attach(world, &id, &compartment, &time, takes, planned);
    let attachment = Map::from_iter([
        ("availabilityDomain".to_owned(), json!(domain)),
        ("bootVolumeId".to_owned(), json!(volume)),
        ("compartmentId".to_owned(), compartment),
        ("displayName".to_owned(), json!("Remote boot attachment for instance")),
        ("instanceId".to_owned(), json!(id)),
        ("timeCreated".to_owned(), json!(time)),
    ]);
    // The real attachment has the id of its instance.
    let volume_attachment = id.replacen(".instance.", ".bootvolumeattachment.", 1);
    world.store.insert("bootvolumeattachment", volume_attachment, attachment, now, "ATTACHING", &[(takes, "ATTACHED")]);
    let instance = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show(MODEL, instance))
}

/// Gives a block of settings the defaults that the request left out.
fn fill(body: &mut Map<String, Json>, member: &str, defaults: Json) {
    let given = body.entry(member).or_insert_with(|| json!({}));
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if given[name].is_null() {
            given[name] = value.clone();
        }
    }
}

/// Metadata that only a launch can set.
const RESERVED: [&str; 2] = ["user_data", "ssh_authorized_keys"];
/// In bytes, of both kinds together.
const MOST_METADATA: usize = 32_000;

/// Refuses metadata that is too large, or has a key twice.
fn check_metadata(plain: &Json, extended: &Json) -> Result<(), Refusal> {
    let mut keys = plain.as_object().into_iter().flatten().map(|(key, _)| key);
    if let Some(key) = keys.find(|key| !extended[key.as_str()].is_null()) {
        return Err(Refusal::invalid(format!("metadata and extendedMetadata both have the key {key}")));
    }
    match plain.to_string().len() + extended.to_string().len() > MOST_METADATA {
        true => Err(Refusal::invalid(format!("metadata and extendedMetadata have more than {MOST_METADATA} bytes"))),
        false => Ok(()),
    }
}

/// Refuses a change of what was set at launch and can only be set there.
fn keeps_reserved(instance: &Object, changes: &Map<String, Json>) -> Result<(), Refusal> {
    let after = |member: &str| changes.get(member).unwrap_or(instance.value(member)).clone();
    let (plain, extended) = (after("metadata"), after("extendedMetadata"));
    let of = |plain: &Json, extended: &Json, key: &str| match plain[key].is_null() {
        true => extended[key].clone(),
        false => plain[key].clone(),
    };
    for key in RESERVED {
        let before = of(instance.value("metadata"), instance.value("extendedMetadata"), key);
        if before != of(&plain, &extended, key) {
            return Err(Refusal::invalid(format!("metadata: {key} cannot be changed after the instance was launched")));
        }
    }
    check_metadata(&plain, &extended)
}

/// The size of what runs on a shape, with what was left out.
pub(crate) fn shape_config(shape: &Shape, given: Option<&Json>) -> Result<Json, Refusal> {
    let asked = |name: &str| given.and_then(|given| given[name].as_f64());
    let (ocpus, memory) = match (shape.is_flexible(), asked("ocpus")) {
        (true, None) => {
            return Err(Refusal::invalid(format!(
                "shapeConfig.ocpus is required for the flexible shape {}",
                shape.name
            )));
        }
        (true, Some(ocpus)) => (ocpus, asked("memoryInGBs").unwrap_or(ocpus * 16.0)),
        (false, asked_ocpus) => {
            if asked_ocpus.is_some_and(|ocpus| ocpus != shape.ocpus) {
                return Err(Refusal::invalid(format!(
                    "shapeConfig cannot be given for the fixed shape {}",
                    shape.name
                )));
            }
            (shape.ocpus, shape.memory)
        }
    };
    let is_right = (1.0..=MOST_OCPUS).contains(&ocpus)
        && (ocpus..=ocpus * MOST_MEMORY_PER_OCPU).contains(&memory)
        && memory <= MOST_MEMORY;
    if shape.is_flexible() && !is_right {
        return Err(Refusal::invalid(format!("shapeConfig: {ocpus} OCPUs with {memory} GB are out of range")));
    }
    let vcpus = if shape.is_arm { ocpus } else { ocpus * 2.0 };
    Ok(json!({
        "ocpus": ocpus, "vcpus": vcpus as u64, "memoryInGBs": memory, "processorDescription": shape.processor,
        "networkingBandwidthInGbps": ocpus, "maxVnicAttachments": 2, "gpus": shape.gpus, "localDisks": 0,
    }))
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let takes = world.settings.instance_ms;
    let now = world.now();
    let instance = world.find_to_change(call, "instance")?;
    instance.needs(&["RUNNING", "STOPPED"])?;
    let mut changes = call.body.clone();
    for hidden in ["updateOperationConstraint", "sourceDetails"] {
        changes.remove(hidden);
    }
    if ["metadata", "extendedMetadata"].iter().any(|member| changes.contains_key(*member)) {
        keeps_reserved(instance, &changes)?;
    }
    let resized = changes.contains_key("shape") || changes.contains_key("shapeConfig");
    if resized {
        let shape = catalogue::find_shape(call.text("shape").unwrap_or(instance.text("shape")))?;
        let mut wanted = changes.get("shapeConfig").cloned().unwrap_or_else(|| json!({}));
        if wanted["ocpus"].is_null() && shape.is_flexible() {
            wanted["ocpus"] = instance.value("shapeConfig")["ocpus"].clone();
        }
        changes.insert("shapeConfig".to_owned(), shape_config(shape, Some(&wanted))?);
    }
    for block in ["agentConfig", "instanceOptions", "availabilityConfig", "launchOptions"] {
        if let Some(change) = changes.get_mut(block) {
            let before = instance.value(block).clone();
            for (name, value) in before.as_object().into_iter().flatten() {
                if change[name].is_null() {
                    change[name] = value.clone();
                }
            }
        }
    }
    let was_running = instance.state() == "RUNNING";
    instance.change(changes);
    if resized && was_running {
        // A running instance is restarted with its new size.
        instance.go(now, "STOPPING", &[(takes, "STARTING"), (2 * takes, "RUNNING")]);
    }
    let id = instance.id.clone();
    let instance = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show(MODEL, instance))
}

fn act(world: &mut World, call: &Call<'_>) -> Outcome {
    let takes = world.settings.instance_ms;
    let now = world.now();
    let instance = world.find_to_change(call, "instance")?;
    let action = call.asked("action").unwrap_or_default();
    match action {
        "START" => {
            instance.needs(&["STOPPED"])?;
            instance.go(now, "STARTING", &[(takes, "RUNNING")]);
        }
        "STOP" | "SOFTSTOP" => {
            instance.needs(&["RUNNING"])?;
            instance.go(now, "STOPPING", &[(takes, "STOPPED")]);
        }
        "RESET" | "SOFTRESET" | "DIAGNOSTICREBOOT" | "REBOOTMIGRATE" => {
            instance.needs(&["RUNNING"])?;
            instance.go(now, "STOPPING", &[(takes, "STARTING"), (2 * takes, "RUNNING")]);
        }
        _ => instance.needs(&["RUNNING"])?,
    }
    let id = instance.id.clone();
    let instance = world.store.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(world.show(MODEL, instance))
}

fn terminate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, takes, seen) = (world.now(), world.settings.instance_ms, world.settings.terminated_ms);
    let instance = world.find_to_change(call, "instance")?;
    if instance.state() == "TERMINATING" {
        return Err(Refusal::conflict(format!(
            "instance {} is currently being modified, try again later",
            instance.id
        )));
    }
    instance.leave(now, ["TERMINATING", "TERMINATED"], takes, seen);
    let id = instance.id.clone();
    vnics::detach(world, &id);
    Ok(Answer::empty(204))
}

fn list_shapes(world: &mut World, call: &Call<'_>) -> Outcome {
    if let Some(domain) = call.asked("availabilityDomain") {
        catalogue::check_domain(domain)?;
    }
    let image = call.asked("imageId").map(catalogue::find_image).transpose()?;
    let fits = |shape: &&Shape| {
        image.is_none_or(|image| image.is_arm == shape.is_arm)
            && call.asked("shape").is_none_or(|name| shape.name == name)
    };
    let shown = SHAPES.iter().filter(fits).map(catalogue::shown_shape).collect();
    listing::page(world, call, shown)
}

fn list_images(world: &mut World, call: &Call<'_>) -> Outcome {
    let shape = call.asked("shape").map(catalogue::find_shape).transpose()?;
    let fits = |image: &&catalogue::Image| shape.is_none_or(|shape| shape.is_arm == image.is_arm);
    // Images of the platform are seen from every compartment.
    let compartment = call.asked("compartmentId").unwrap_or(TENANCY);
    let images = IMAGES.iter().filter(fits).map(|image| catalogue::shown_image(image, compartment));
    let mut shown: Vec<Json> =
        images.filter(|image| image.as_object().is_some_and(|image| listing::matches(call, image))).collect();
    for image in &mut shown {
        image["compartmentId"] = json!(TENANCY);
    }
    if call.asked("sortOrder") == Some("DESC") {
        shown.reverse();
    }
    listing::page(world, call, shown)
}
