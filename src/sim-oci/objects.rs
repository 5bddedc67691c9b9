//! Objects of Object Storage: put, get by ranges, conditions, lists by prefix and delimiter, versions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value as Json, json};

use crate::answer::{Answer, Body, Outcome, Refusal};
use crate::buckets::{self, Bucket, Versioning};
use crate::listing;
use crate::multipart;
use crate::request::Call;
use crate::world::{NAMESPACE, World};

/// Fields of a put that a get gives back.
const KEPT: [&str; 5] =
    ["content-type", "content-language", "content-encoding", "content-disposition", "cache-control"];
const LONGEST_NAME: usize = 1_024;

/// A version of an object.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
    pub(crate) time: String,
    /// Of its bytes, or of the digests of its parts with their number behind.
    pub(crate) md5: String,
    pub(crate) tier: String,
    /// `content-type` and the like, and `opc-meta-*`.
    pub(crate) fields: Vec<(String, String)>,
    /// It says that the object was deleted.
    pub(crate) is_marker: bool,
}

impl Version {
    /// A new version with fresh etag and id.
    pub(crate) fn new(world: &mut World, bytes: Vec<u8>, fields: Vec<(String, String)>, tier: &str) -> Self {
        let md5 = STANDARD.encode(Md5::digest(&bytes));
        Self {
            id: world.unique(),
            bytes,
            etag: world.unique(),
            time: world.time(),
            md5,
            tier: tier.to_owned(),
            fields,
            is_marker: false,
        }
    }

    fn modified(&self) -> String {
        let format = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(&self.time, format)
            .map(|time| httpdate::fmt_http_date(time.into()))
            .unwrap_or_default()
    }
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    if let namespace @ ("" | NAMESPACE) = call.part("namespaceName") {
        if call.operation.name == "get_namespace" && namespace.is_empty() {
            return Some(Ok(Answer::json(json!(NAMESPACE))));
        }
    } else {
        let text = format!(
            "You do not have authorization to perform this request, or the requested resource could not be found in '{}'",
            call.part("namespaceName")
        );
        return Some(Err(Refusal::new(404, "NamespaceNotFound", text)));
    }
    let outcome = [buckets::handle, multipart::handle, objects].into_iter().find_map(|handle| handle(world, call))?;
    // The service gives the client's id of the request back.
    Some(match (outcome, call.field("opc-client-request-id")) {
        (Ok(answer), Some(id)) => Ok(answer.field("opc-client-request-id", id)),
        (outcome, _) => outcome,
    })
}

fn objects(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "put_object" => put(world, call),
        "get_object" | "head_object" => get(world, call),
        "delete_object" => delete(world, call),
        "rename_object" => rename(world, call),
        "list_objects" => list(world, call),
        "list_object_versions" => list_versions(world, call),
        _ => return None,
    })
}

/// The conditions of a write. `current` is the object as it is now.
pub(crate) fn check(call: &Call<'_>, current: Option<&Version>) -> Result<(), Refusal> {
    let failed = |code: &str, name: &str| Err(Refusal::new(412, code, format!("The {name} condition is not met")));
    match (call.field("if-match"), current) {
        (Some(etag), Some(current)) if etag == current.etag || etag == "*" => {}
        (Some(_), _) => return failed("IfMatchFailed", "If-Match"),
        (None, _) => {}
    }
    match (call.field("if-none-match"), current) {
        (Some("*"), Some(_)) => failed("IfNoneMatchFailed", "If-None-Match"),
        (Some(etag), _) if etag != "*" => {
            Err(Refusal::invalid(format!("If-None-Match can only be * here, not {etag}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a body whose digest is not what was said.
pub(crate) fn check_digest(call: &Call<'_>) -> Result<String, Refusal> {
    let md5 = STANDARD.encode(Md5::digest(&call.request.body));
    match call.field("content-md5") {
        Some(said) if said != md5 => Err(Refusal::new(
            400,
            "UnmatchedContentMD5",
            format!("The computed MD5 of the request body ({md5}) does not match the Content-MD5 header ({said})"),
        )),
        _ => Ok(md5),
    }
}

/// The object of a call, as it is now.
pub(crate) fn current<'a>(bucket: &'a Bucket, name: &str) -> Option<&'a Version> {
    bucket.objects.get(name).and_then(|versions| versions.last()).filter(|last| !last.is_marker)
}

/// Makes a version the current one.
pub(crate) fn store(bucket: &mut Bucket, name: &str, version: Version) {
    let versioning = bucket.versioning();
    let versions = bucket.objects.entry(name.to_owned()).or_default();
    match versioning {
        Versioning::Disabled => versions.clear(),
        Versioning::Enabled => {}
        Versioning::Suspended => drop(versions.pop()),
    }
    versions.push(version);
}

/// What is kept of the fields of a request.
pub(crate) fn kept(fields: &[(String, String)]) -> Vec<(String, String)> {
    fields.iter().filter(|(name, _)| KEPT.contains(&name.as_str()) || name.starts_with("opc-meta-")).cloned().collect()
}

fn put(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.part("objectName");
    if name.len() > LONGEST_NAME {
        return Err(Refusal::new(400, "InvalidObjectName", format!("The name is longer than {LONGEST_NAME} bytes")));
    }
    check(call, current(world.buckets.find(call)?, name))?;
    let md5 = check_digest(call)?;
    let tier = call.field("storage-tier").unwrap_or("Standard");
    let version = Version::new(world, call.request.body.clone(), kept(&call.request.fields), tier);
    let answer = Answer::empty(200)
        .field("etag", &version.etag)
        .field("opc-content-md5", md5)
        .field("last-modified", version.modified())
        .field("version-id", &version.id);
    store(world.buckets.find(call)?, name, version);
    Ok(answer)
}

/// The version that a call names, or the current one.
fn chosen<'a>(bucket: &'a Bucket, call: &Call<'_>) -> Result<&'a Version, Refusal> {
    let name = call.part("objectName");
    let found = match call.asked("versionId") {
        Some(id) => {
            bucket.objects.get(name).into_iter().flatten().find(|version| version.id == id && !version.is_marker)
        }
        None => current(bucket, name),
    };
    found.ok_or_else(|| {
        let text = format!("The object '{name}' was not found in the bucket '{}'", call.part("bucketName"));
        Refusal::new(404, "ObjectNotFound", text)
    })
}

fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let version = chosen(world.buckets.find(call)?, call)?;
    match call.field("if-match") {
        Some(etag) if etag != version.etag && etag != "*" => {
            return Err(Refusal::new(412, "IfMatchFailed", "The If-Match condition is not met"));
        }
        _ => {}
    }
    if call.field("if-none-match").is_some_and(|etag| etag == "*" || etag == version.etag) {
        let mut answer = Answer::empty(304).field("etag", &version.etag);
        if call.operation.name == "head_object" {
            answer.body = Body::Absent(0);
        }
        return Ok(answer);
    }
    let size = version.bytes.len() as u64;
    let range = call
        .field("range")
        .filter(|_| call.operation.name == "get_object")
        .map(|text| range(text, size))
        .transpose()?;
    let (start, end) = range.unwrap_or((0, size));
    let mut answer = match call.operation.name.as_str() {
        "head_object" => Answer { body: Body::Absent(size), ..Answer::empty(200) },
        _ => Answer::bytes(200, version.bytes[start as usize..end as usize].to_vec()),
    };
    if range.is_some() {
        answer.status = 206;
        answer = answer.field("content-range", format!("bytes {start}-{}/{size}", end - 1));
    }
    let digest = if version.md5.contains('-') { "opc-multipart-md5" } else { "content-md5" };
    answer = answer
        .field("etag", &version.etag)
        .field(digest, &version.md5)
        .field("last-modified", version.modified())
        .field("accept-ranges", "bytes")
        .field("storage-tier", &version.tier)
        .field("version-id", &version.id);
    answer.fields.extend(version.fields.iter().cloned());
    if !version.fields.iter().any(|(name, _)| name == "content-type") {
        answer = answer.field("content-type", "application/octet-stream");
    }
    Ok(answer)
}

/// `bytes=1-5`, `bytes=1-`, `bytes=-5`: from where to where, the end excluded.
fn range(text: &str, size: u64) -> Result<(u64, u64), Refusal> {
    let wrong =
        || Refusal::new(416, "InvalidRange", format!("The range {text} is not valid for an object of {size} bytes"));
    let (first, last) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')).ok_or_else(wrong)?;
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => (first, (last + 1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(last)) if first.is_empty() => (size.saturating_sub(last), size),
        _ => return Err(wrong()),
    };
    if start < end { Ok((start, end)) } else { Err(wrong()) }
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.part("objectName").to_owned();
    let marker = Version { is_marker: true, ..Version::new(world, Vec::new(), Vec::new(), "Standard") };
    let bucket = world.buckets.find(call)?;
    let found = chosen(bucket, call);
    if let (Ok(version), Some(etag)) = (&found, call.field("if-match"))
        && etag != version.etag
    {
        return Err(Refusal::new(412, "IfMatchFailed", "The If-Match condition is not met"));
    }
    let (time, versioning) = (marker.time.clone(), bucket.versioning());
    // Without a marker, an older version would be the current one again.
    let has_older = bucket.objects.get(&name).is_some_and(|versions| versions.len() > 1);
    match call.asked("versionId") {
        // Markers can be deleted too.
        Some(id) => {
            let versions = bucket.objects.get_mut(&name).ok_or_else(Refusal::not_found)?;
            let before = versions.len();
            versions.retain(|version| version.id != id);
            if versions.len() == before {
                return Err(Refusal::new(404, "ObjectNotFound", format!("The object '{name}' has no version '{id}'")));
            }
            if versions.is_empty() {
                bucket.objects.remove(&name);
            }
        }
        None if versioning == Versioning::Enabled || versioning == Versioning::Suspended && has_older => {
            found?;
            store(bucket, &name, marker);
        }
        None => {
            found?;
            bucket.objects.remove(&name);
        }
    }
    Ok(Answer::empty(204).field("last-modified", time))
}

fn rename(world: &mut World, call: &Call<'_>) -> Outcome {
    let (from, to) = (call.text("sourceName").unwrap_or_default(), call.text("newName").unwrap_or_default());
    let etag = world.unique();
    let bucket = world.buckets.find(call)?;
    let missing = || Refusal::new(404, "ObjectNotFound", format!("The object '{from}' was not found"));
    let source = current(bucket, from).ok_or_else(missing)?.clone();
    let target = current(bucket, to).map(|target| target.etag.clone());
    let differs = |asked: Option<&str>, is: Option<&str>| asked.is_some_and(|asked| Some(asked) != is);
    if differs(call.text("srcObjIfMatchETag"), Some(&source.etag))
        || differs(call.text("newObjIfMatchETag"), target.as_deref())
    {
        return Err(Refusal::new(412, "IfMatchFailed", "The If-Match condition is not met"));
    }
    if target.is_some() && call.text("newObjIfNoneMatchETag") == Some("*") {
        return Err(Refusal::new(412, "IfNoneMatchFailed", "The If-None-Match condition is not met"));
    }
    bucket.objects.remove(from);
    let moved = Version { etag, ..source };
    let answer = Answer::empty(200).field("etag", &moved.etag).field("last-modified", moved.modified());
    store(bucket, to, moved);
    Ok(answer)
}

/// The names that a list shows, in order: those between the bounds, with those below a delimiter folded into prefixes.
fn walk<'a>(bucket: &'a Bucket, call: &Call<'_>) -> Result<(Vec<&'a str>, Vec<String>), Refusal> {
    let prefix = call.asked("prefix").unwrap_or_default();
    if call.asked("delimiter").is_some_and(|delimiter| delimiter != "/") {
        return Err(Refusal::invalid("The delimiter can only be /"));
    }
    let is_meant = |name: &&str| {
        name.starts_with(prefix)
            && call.asked("start").is_none_or(|start| *name >= start)
            && call.asked("startAfter").is_none_or(|after| *name > after)
            && call.asked("end").is_none_or(|end| *name < end)
    };
    let (mut names, mut prefixes) = (Vec::new(), Vec::new());
    for name in bucket.objects.keys().map(String::as_str).filter(is_meant) {
        match name[prefix.len()..].find('/').filter(|_| call.asked("delimiter").is_some()) {
            Some(at) => prefixes.push(name[..prefix.len() + at + 1].to_owned()),
            None => names.push(name),
        }
    }
    prefixes.dedup();
    Ok((names, prefixes))
}

/// The fields of an entry that were asked for. Its name always is.
fn fields(call: &Call<'_>, name: &str, version: &Version) -> Map<String, Json> {
    let asked = |field: &str| call.asked("fields").is_some_and(|fields| fields.split(',').any(|other| other == field));
    let all = [
        ("size", json!(version.bytes.len())),
        ("etag", json!(version.etag)),
        ("md5", json!(version.md5)),
        ("timeCreated", json!(version.time)),
        ("timeModified", json!(version.time)),
        ("storageTier", json!(version.tier)),
    ];
    let mut shown = Map::from_iter([("name".to_owned(), json!(name))]);
    shown.extend(all.into_iter().filter(|(field, _)| asked(field)).map(|(field, value)| (field.to_owned(), value)));
    shown
}

fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let most = world.settings.page_size;
    let bucket = world.buckets.find(call)?;
    let (names, prefixes) = walk(bucket, call)?;
    let current: Vec<(&str, &Version)> =
        names.iter().filter_map(|name| Some((*name, current(bucket, name)?))).collect();
    let limit = call.asked("limit").and_then(|limit| limit.parse().ok()).unwrap_or(1_000).min(most);
    let shown: Vec<Json> =
        current.iter().take(limit).map(|(name, version)| Json::Object(fields(call, name, version))).collect();
    let mut body = json!({"objects": shown});
    if call.asked("delimiter").is_some() {
        body["prefixes"] = json!(prefixes);
    }
    if let Some((next, _)) = current.get(limit) {
        body["nextStartWith"] = json!(next);
    }
    Ok(Answer::json(body))
}

fn list_versions(world: &mut World, call: &Call<'_>) -> Outcome {
    let bucket = world.buckets.find(call)?;
    let (names, prefixes) = walk(bucket, call)?;
    let mut items = Vec::new();
    for name in names {
        for version in bucket.objects.get(name).into_iter().flatten().rev() {
            let mut shown = fields(call, name, version);
            shown.insert("versionId".to_owned(), json!(version.id));
            shown.insert("isDeleteMarker".to_owned(), json!(version.is_marker));
            shown.insert("timeModified".to_owned(), json!(version.time));
            items.push(Json::Object(shown));
        }
    }
    let (items, next) = listing::cut(world, call, items)?;
    let answer = Answer::json(json!({"items": items, "prefixes": prefixes}));
    Ok(match next {
        Some(token) => answer.field("opc-next-page", token),
        None => answer,
    })
}
