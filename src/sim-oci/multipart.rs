//! Uploads in parts.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::listing;
use crate::objects::{Version, check, check_digest, current, kept, store};
use crate::request::Call;
use crate::world::World;

/// An upload that is not committed.
pub(crate) struct Upload {
    body: Json,
    object: String,
    fields: Vec<(String, String)>,
    parts: BTreeMap<u32, Part>,
}

#[derive(Clone)]
struct Part {
    bytes: Vec<u8>,
    etag: String,
    md5: String,
}

pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Option<Outcome> {
    Some(match call.operation.name.as_str() {
        "create_multipart_upload" => create(world, call),
        "upload_part" => upload(world, call),
        "commit_multipart_upload" => commit(world, call),
        "abort_multipart_upload" => abort(world, call),
        "list_multipart_uploads" => {
            let uploads = world
                .buckets
                .find(call)
                .map(|bucket| bucket.uploads.values().map(|upload| upload.body.clone()).collect());
            uploads.and_then(|uploads| listing::page(world, call, uploads))
        }
        "list_multipart_upload_parts" => list_parts(world, call),
        _ => return None,
    })
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let object = call.text("object").unwrap_or_default().to_owned();
    check(call, current(world.buckets.find(call)?, &object))?;
    let id = world.unique();
    let tier = call.text("storageTier").unwrap_or("Standard");
    let body = json!({
        "namespace": call.part("namespaceName"), "bucket": call.part("bucketName"), "object": object, "uploadId": id,
        "timeCreated": world.time(), "storageTier": tier,
    });
    let named = [
        ("contentType", "content-type"),
        ("contentLanguage", "content-language"),
        ("contentEncoding", "content-encoding"),
        ("contentDisposition", "content-disposition"),
        ("cacheControl", "cache-control"),
    ];
    let mut fields: Vec<(String, String)> =
        named.iter().filter_map(|(member, field)| Some(((*field).to_owned(), call.text(member)?.to_owned()))).collect();
    for (name, text) in call.body.get("metadata").and_then(Json::as_object).into_iter().flatten() {
        // The CLI puts the prefix of the header before the name, the SDK need not.
        let name = name.strip_prefix("opc-meta-").unwrap_or(name);
        fields.push((format!("opc-meta-{name}"), text.as_str().unwrap_or_default().to_owned()));
    }
    let upload = Upload { body: body.clone(), object, fields: kept(&fields), parts: BTreeMap::new() };
    world.buckets.find(call)?.uploads.insert(id, upload);
    Ok(Answer::json(body))
}

fn find<'a>(world: &'a mut World, call: &Call<'_>) -> Result<&'a mut Upload, Refusal> {
    let id = call.asked("uploadId").unwrap_or_default();
    let missing = || Refusal::new(404, "NoSuchUpload", format!("The upload ID '{id}' was not found"));
    let upload = world.buckets.find(call)?.uploads.get_mut(id).ok_or_else(missing)?;
    if upload.object == call.part("objectName") { Ok(upload) } else { Err(missing()) }
}

fn upload(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = call.asked("uploadPartNum").and_then(|number| number.parse().ok()).unwrap_or(0);
    if !(1..=10_000).contains(&number) {
        return Err(Refusal::new(400, "InvalidUploadPart", "uploadPartNum must be between 1 and 10000"));
    }
    let md5 = check_digest(call)?;
    let etag = world.unique();
    let part = Part { bytes: call.request.body.clone(), etag: etag.clone(), md5: md5.clone() };
    find(world, call)?.parts.insert(number, part);
    Ok(Answer::empty(200).field("etag", etag).field("opc-content-md5", md5))
}

fn commit(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.part("objectName").to_owned();
    let upload = find(world, call)?;
    let wrong = |text: String| Refusal::new(400, "InvalidUploadPart", text);
    let mut parts = Vec::new();
    let mut last = 0;
    for named in call.body["partsToCommit"].as_array().into_iter().flatten() {
        let number = named["partNum"].as_u64().unwrap_or_default() as u32;
        if number <= last {
            return Err(Refusal::new(400, "InvalidUploadPartOrder", "partsToCommit is not in ascending order"));
        }
        last = number;
        let part = upload.parts.get(&number).ok_or_else(|| wrong(format!("Part {number} was not uploaded")))?;
        if named["etag"] != part.etag.as_str() {
            return Err(wrong(format!("Part {number} does not have the etag {}", named["etag"])));
        }
        parts.push((number, part.clone()));
    }
    let excluded: Vec<u64> = call
        .body
        .get("partsToExclude")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_u64)
        .collect();
    let is_named =
        |number: &u32| parts.iter().any(|(named, _)| named == number) || excluded.contains(&u64::from(*number));
    if let Some(number) = upload.parts.keys().find(|number| !is_named(number)) {
        return Err(wrong(format!("Part {number} was uploaded, but is neither to be committed nor excluded")));
    }
    if parts.is_empty() {
        return Err(wrong("partsToCommit is empty".to_owned()));
    }
    let (fields, tier) = (upload.fields.clone(), upload.body["storageTier"].as_str().unwrap_or("Standard").to_owned());
    let bytes: Vec<u8> = parts.iter().flat_map(|(_, part)| part.bytes.iter().copied()).collect();
    let mut digests = Md5::new();
    for (_, part) in &parts {
        digests.update(STANDARD.decode(&part.md5).unwrap_or_default());
    }
    check(call, current(world.buckets.find(call)?, &name))?;
    let mut version = Version::new(world, bytes, fields, &tier);
    version.md5 = format!("{}-{}", STANDARD.encode(digests.finalize()), parts.len());
    let answer = Answer::empty(200)
        .field("etag", &version.etag)
        .field("opc-multipart-md5", &version.md5)
        .field("version-id", &version.id);
    let bucket = world.buckets.find(call)?;
    bucket.uploads.remove(call.asked("uploadId").unwrap_or_default());
    store(bucket, &name, version);
    Ok(answer)
}

fn abort(world: &mut World, call: &Call<'_>) -> Outcome {
    find(world, call)?;
    world.buckets.find(call)?.uploads.remove(call.asked("uploadId").unwrap_or_default());
    Ok(Answer::empty(204))
}

fn list_parts(world: &mut World, call: &Call<'_>) -> Outcome {
    let shown = |(number, part): (&u32, &Part)| json!({"partNumber": number, "etag": part.etag, "md5": part.md5, "size": part.bytes.len()});
    let parts = find(world, call)?.parts.iter().map(shown).collect();
    listing::page(world, call, parts)
}
