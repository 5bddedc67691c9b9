//! What the cloud offers: availability domains, shapes, images, versions of Kubernetes, services.

use serde_json::{Value as Json, json};

use crate::answer::Refusal;
use crate::store::digest;
use crate::world::REGION;

/// The availability domains.
pub(crate) const DOMAINS: [&str; 3] =
    ["SIMx:EU-FRANKFURT-1-AD-1", "SIMx:EU-FRANKFURT-1-AD-2", "SIMx:EU-FRANKFURT-1-AD-3"];
/// The fault domains of each.
pub(crate) const FAULT_DOMAINS: [&str; 3] = ["FAULT-DOMAIN-1", "FAULT-DOMAIN-2", "FAULT-DOMAIN-3"];
/// The versions of Kubernetes, oldest first.
pub(crate) const VERSIONS: [&str; 4] = ["v1.31.10", "v1.32.1", "v1.33.1", "v1.34.1"];

/// The ranges of flexible shapes: OCPUs, memory in GB, memory for each OCPU.
pub(crate) const MOST_OCPUS: f64 = 64.0;
pub(crate) const MOST_MEMORY: f64 = 1024.0;
pub(crate) const MOST_MEMORY_PER_OCPU: f64 = 64.0;

/// A shape of instances.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Zero: as asked.
    pub(crate) ocpus: f64,
    pub(crate) memory: f64,
    pub(crate) gpus: u32,
    pub(crate) processor: &'static str,
    pub(crate) is_arm: bool,
}

impl Shape {
    pub(crate) fn is_flexible(&self) -> bool {
        self.ocpus == 0.0
    }
}

/// An image.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    system: &'static str,
    version: &'static str,
    pub(crate) is_arm: bool,
}

impl Image {
    pub(crate) fn id(&self) -> String {
        format!("ocid1.image.oc1.{REGION}.aaaaaaaa{}", &digest(self.name)[..52])
    }

    /// An image of nodes names the version of Kubernetes.
    pub(crate) fn kubernetes(&self) -> Option<&'static str> {
        self.name.split_once("-OKE-").and_then(|(_, rest)| rest.split('-').next())
    }
}

const fn shape(name: &'static str, ocpus: f64, memory: f64, gpus: u32, processor: &'static str, is_arm: bool) -> Shape {
    Shape { name, ocpus, memory, gpus, processor, is_arm }
}

pub(crate) const SHAPES: [Shape; 9] = [
    shape("VM.Standard.E4.Flex", 0.0, 0.0, 0, "2.55 GHz AMD EPYC 7J13 (Milan)", false),
    shape("VM.Standard.E5.Flex", 0.0, 0.0, 0, "2.4 GHz AMD EPYC 9J14 (Genoa)", false),
    shape("VM.Standard3.Flex", 0.0, 0.0, 0, "2.6 GHz Intel Xeon Platinum 8358 (Ice Lake)", false),
    shape("VM.Standard.A1.Flex", 0.0, 0.0, 0, "3.0 GHz Ampere Altra", true),
    shape("VM.Standard2.1", 1.0, 15.0, 0, "2.0 GHz Intel Xeon Platinum 8167M (Skylake)", false),
    shape("VM.Standard2.16", 16.0, 240.0, 0, "2.0 GHz Intel Xeon Platinum 8167M (Skylake)", false),
    shape("VM.GPU2.1", 12.0, 72.0, 1, "2.0 GHz Intel Xeon Platinum 8167M (Skylake)", false),
    shape("VM.GPU3.1", 6.0, 90.0, 1, "2.0 GHz Intel Xeon Platinum 8167M (Skylake)", false),
    shape("VM.GPU.A10.1", 15.0, 240.0, 1, "2.6 GHz Intel Xeon Platinum 8358 (Ice Lake)", false),
];

const fn image(name: &'static str, system: &'static str, version: &'static str, is_arm: bool) -> Image {
    Image { name, system, version, is_arm }
}

pub(crate) const IMAGES: [Image; 9] = [
    image("Oracle-Linux-8.10-2026.08.31-0", "Oracle Linux", "8", false),
    image("Oracle-Linux-9.6-2026.08.31-0", "Oracle Linux", "9", false),
    image("Oracle-Linux-9.6-aarch64-2026.08.31-0", "Oracle Linux", "9", true),
    image("Canonical-Ubuntu-24.04-2026.08.20-0", "Canonical Ubuntu", "24.04", false),
    image("Oracle-Linux-8.10-2026.08.31-0-OKE-1.32.1-1210", "Oracle Linux", "8", false),
    image("Oracle-Linux-8.10-2026.08.31-0-OKE-1.33.1-1210", "Oracle Linux", "8", false),
    image("Oracle-Linux-8.10-2026.08.31-0-OKE-1.34.1-1210", "Oracle Linux", "8", false),
    image("Oracle-Linux-8.10-Gen2-GPU-2026.08.31-0-OKE-1.33.1-1210", "Oracle Linux", "8", false),
    image("Oracle-Linux-8.10-aarch64-2026.08.31-0-OKE-1.33.1-1210", "Oracle Linux", "8", true),
];

pub(crate) fn find_shape(name: &str) -> Result<&'static Shape, Refusal> {
    SHAPES.iter().find(|shape| shape.name == name).ok_or_else(|| Refusal::invalid(format!("There is no shape {name}")))
}

pub(crate) fn find_image(id: &str) -> Result<&'static Image, Refusal> {
    IMAGES.iter().find(|image| image.id() == id).ok_or_else(Refusal::not_found)
}

pub(crate) fn check_domain(name: &str) -> Result<(), Refusal> {
    match DOMAINS.contains(&name) {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("There is no availability domain {name}"))),
    }
}

/// The place of a version of Kubernetes among all.
pub(crate) fn version(name: &str) -> Result<usize, Refusal> {
    VERSIONS.iter().position(|version| *version == name).ok_or_else(|| {
        Refusal::invalid(format!("Invalid kubernetesVersion: {name}. Supported: {}", VERSIONS.join(", ")))
    })
}

/// The services that a service gateway can reach.
pub(crate) fn services() -> Vec<Json> {
    let service = |name: &str, block: &str| {
        json!({
            "id": format!("ocid1.service.oc1.{REGION}.aaaaaaaa{}", &digest(name)[..52]),
            "name": name, "description": name, "cidrBlock": block,
        })
    };
    vec![
        service("OCI FRA Object Storage", "oci-fra-objectstorage"),
        service("All FRA Services In Oracle Services Network", "all-fra-services-in-oracle-services-network"),
    ]
}

/// A shape as `ListShapes` shows it.
pub(crate) fn shown_shape(shape: &Shape) -> Json {
    let (ocpus, memory) = if shape.is_flexible() { (1.0, 16.0) } else { (shape.ocpus, shape.memory) };
    let mut shown = json!({
        "shape": shape.name, "processorDescription": shape.processor, "ocpus": ocpus, "memoryInGBs": memory,
        "networkingBandwidthInGbps": 1.0, "maxVnicAttachments": 2, "gpus": shape.gpus, "localDisks": 0,
        "isFlexible": shape.is_flexible(), "billingType": "PAID",
    });
    if shape.is_flexible() {
        shown["ocpuOptions"] = json!({"min": 1.0, "max": MOST_OCPUS});
        shown["memoryOptions"] = json!({
            "minInGBs": 1.0, "maxInGBs": MOST_MEMORY, "defaultPerOcpuInGBs": 16.0, "minPerOcpuInGBs": 1.0,
            "maxPerOcpuInGBs": MOST_MEMORY_PER_OCPU,
        });
    }
    shown
}

/// An image as answers show it.
pub(crate) fn shown_image(image: &Image, tenancy: &str) -> Json {
    json!({
        "id": image.id(), "displayName": image.name, "compartmentId": tenancy, "createImageAllowed": true,
        "operatingSystem": image.system, "operatingSystemVersion": image.version, "lifecycleState": "AVAILABLE",
        "launchMode": "PARAVIRTUALIZED", "sizeInMBs": 47_694, "billableSizeInGBs": 12, "listingType": "NONE",
        "timeCreated": "2026-09-01T08:00:00Z", "freeformTags": {}, "definedTags": {},
    })
}
