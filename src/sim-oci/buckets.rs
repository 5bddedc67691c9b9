//! Buckets of Object Storage. What they hold is in `objects.rs` and `multipart.rs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::contract::Contract;
use crate::listing;
use crate::multipart::Upload;
use crate::objects::Version;
use crate::request::Call;
use crate::world::{NAMESPACE, World};

/// All buckets, by name.
#[derive(Default)]
pub(crate) struct Buckets {
    pub(crate) all: BTreeMap<String, Bucket>,
}

/// A bucket.
pub(crate) struct Bucket {
    pub(crate) body: Map<String, Json>,
    /// The versions of each object, newest last.
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
    pub(crate) uploads: BTreeMap<String, Upload>,
}

/// What becomes of an object that is overwritten or deleted.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Versioning {
    /// It is gone. No bucket comes back to this.
    Disabled,
    /// It stays as a previous version.
    Enabled,
    /// It is gone, and versions from before stay.
    Suspended,
}

impl Bucket {
    fn etag(&self) -> &str {
        self.body["etag"].as_str().unwrap_or_default()
    }

    pub(crate) fn versioning(&self) -> Versioning {
        match self.body["versioning"].as_str() {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => Versioning::Disabled,
        }
    }
}

impl Buckets {
    /// The bucket of a call.
    pub(crate) fn find(&mut self, call: &Call<'_>) -> Result<&mut Bucket, Refusal> {
        let name = call.part("bucketName");
        let missing = || {
            let text = format!(
                "Either the bucket named '{name}' does not exist in the namespace '{NAMESPACE}' or you are not authorized to access it"
            );
            Refusal::new(404, "BucketNotFound", text)
        };
        self.all.get_mut(name).ok_or_else(missing)
    }

    /// All that is there, for whoever looks for orphans.
    pub(crate) fn shown(&self) -> Vec<Json> {
        let mut shown = Vec::new();
        for (name, bucket) in &self.all {
            shown.push(json!({"kind": "bucket", "id": bucket.body["id"], "name": name, "state": "ACTIVE"}));
            let current =
                bucket.objects.iter().filter(|(_, versions)| versions.last().is_some_and(|last| !last.is_marker));
            shown.extend(current.map(|(object, _)| json!({"kind": "object", "id": format!("{name}/{object}"), "name": object, "state": "ACTIVE"})));
            shown.extend(
                bucket.uploads.keys().map(|id| json!({"kind": "upload", "id": id, "name": id, "state": "ACTIVE"})),
            );
        }
        shown
    }
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "create_bucket" => create(world, call),
        "get_bucket" => get(world, call),
        "head_bucket" => {
            let bucket = world.buckets.find(call);
            bucket.map(|bucket| Answer::empty(200).field("etag", bucket.etag()))
        }
        "update_bucket" => update(world, call),
        "delete_bucket" => delete(world, call),
        "list_buckets" => list(world, call),
        _ => return None,
    })
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("name").unwrap_or_default().to_owned();
    let is_right = (1..=256).contains(&name.len())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    if !is_right {
        return Err(Refusal::new(400, "InvalidBucketName", format!("The bucket name '{name}' is invalid")));
    }
    if world.buckets.all.contains_key(&name) {
        let text = format!(
            "Either the bucket '{name}' in namespace '{NAMESPACE}' already exists or you are not authorized to create it"
        );
        return Err(Refusal::new(409, "BucketAlreadyExists", text));
    }
    let mut body = call.body.clone();
    let (id, etag) = (world.ocid("bucket"), world.unique());
    let own = [
        ("id", json!(id)),
        ("namespace", json!(NAMESPACE)),
        ("createdBy", json!(call.user)),
        ("timeCreated", json!(world.time())),
        ("etag", json!(etag)),
        ("replicationEnabled", json!(false)),
        ("isReadOnly", json!(false)),
    ];
    body.extend(own.map(|(member, value)| (member.to_owned(), value)));
    let defaults = [
        ("metadata", json!({})),
        ("publicAccessType", json!("NoPublicAccess")),
        ("storageTier", json!("Standard")),
        ("objectEventsEnabled", json!(false)),
        ("versioning", json!("Disabled")),
        ("autoTiering", json!("Disabled")),
        ("freeformTags", json!({})),
        ("definedTags", json!({})),
    ];
    for (member, value) in defaults {
        body.entry(member).or_insert(value);
    }
    let bucket = Bucket { body, objects: BTreeMap::new(), uploads: BTreeMap::new() };
    let answer = show(&bucket, &["autoTiering"]);
    world.buckets.all.insert(name, bucket);
    Ok(answer)
}

/// A bucket, with the members that are only shown when asked for.
fn show(bucket: &Bucket, asked: &[&str]) -> Answer {
    let mut shown = Contract::get().pick("objectstorage.Bucket", &bucket.body);
    let current: Vec<&Version> =
        bucket.objects.values().filter_map(|versions| versions.last()).filter(|last| !last.is_marker).collect();
    if asked.contains(&"approximateCount") {
        shown["approximateCount"] = json!(current.len());
    }
    if asked.contains(&"approximateSize") {
        shown["approximateSize"] = json!(current.iter().map(|object| object.bytes.len()).sum::<usize>());
    }
    if let Some(members) = shown.as_object_mut().filter(|_| !asked.contains(&"autoTiering")) {
        members.remove("autoTiering");
    }
    Answer::json(shown).field("etag", bucket.etag())
}

fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let bucket = world.buckets.find(call)?;
    matches(bucket, call)?;
    if call.field("if-none-match") == Some(bucket.etag()) {
        return Ok(Answer::empty(304).field("etag", bucket.etag()));
    }
    let asked: Vec<&str> =
        call.query.iter().filter(|(name, _)| name == "fields").flat_map(|(_, text)| text.split(',')).collect();
    Ok(show(bucket, &asked))
}

fn matches(bucket: &Bucket, call: &Call<'_>) -> Result<(), Refusal> {
    match call.field("if-match") {
        Some(etag) if etag != bucket.etag() => {
            Err(Refusal::new(412, "IfMatchFailed", "The If-Match condition is not met"))
        }
        _ => Ok(()),
    }
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let etag = world.unique();
    let bucket = world.buckets.find(call)?;
    matches(bucket, call)?;
    let mut changes = call.body.clone();
    for (member, is) in [("name", call.part("bucketName")), ("namespace", NAMESPACE)] {
        if call.text(member).is_some_and(|text| text != is) {
            return Err(Refusal::invalid(format!("{member} cannot be changed")));
        }
        changes.remove(member);
    }
    bucket.body.extend(changes);
    bucket.body.insert("etag".to_owned(), json!(etag));
    Ok(show(bucket, &["autoTiering"]))
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let bucket = world.buckets.find(call)?;
    matches(bucket, call)?;
    let name = call.part("bucketName");
    let full =
        |what: &str| Err(Refusal::new(409, "BucketNotEmpty", format!("Bucket named '{name}' is not empty. {what}")));
    if !bucket.objects.is_empty() {
        return full("Delete all object versions first.");
    }
    if !bucket.uploads.is_empty() {
        return full("There are uncommitted multipart uploads.");
    }
    world.buckets.all.remove(name);
    Ok(Answer::empty(204))
}

fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let compartment = call.asked("compartmentId").unwrap_or_default();
    let tags = call.query.iter().any(|(name, text)| name == "fields" && text.split(',').any(|field| field == "tags"));
    let shown = |bucket: &Bucket| {
        let mut shown = Contract::get().pick("objectstorage.BucketSummary", &bucket.body);
        if let Some(members) = shown.as_object_mut().filter(|_| !tags) {
            members.remove("freeformTags");
            members.remove("definedTags");
        }
        shown
    };
    let found =
        world.buckets.all.values().filter(|bucket| bucket.body["compartmentId"] == compartment).map(shown).collect();
    listing::page(world, call, found)
}
