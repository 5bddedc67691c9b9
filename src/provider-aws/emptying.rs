//! Emptying a bucket: all versions of all objects, a thousand in a call, and uploads that were begun.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use pipectl_core::Diagnostic;
use pipectl_provider::{Event, Progress};
use pipectl_s3_client::Fault as Refusal;

use crate::fault::{failed, is_unknown_there, odd};
use crate::kind::{Fault, Place};

/// So many are listed, and removed, in one call.
const BATCH: i32 = 1000;
/// So many are named where a bucket is not empty.
const NAMED: usize = 5;

/// A version of an object; without one, what bears the name.
type Version = (String, Option<String>);

/// Removes all that is in a bucket. `is_lockable`: also what is only kept from removal by its rules.
pub(crate) async fn empty(at: &Place<'_>, bucket: &str, is_lockable: bool) -> Result<(), Fault> {
    remove(at, bucket, None, is_lockable).await?;
    let list = at.endpoint.list_multipart_uploads().bucket(bucket);
    let uploads = match list.send().await.map_err(Refusal::from) {
        Ok(listed) => listed.uploads.unwrap_or_default(),
        Err(refusal) if is_unknown_there(&refusal) => Vec::new(),
        Err(refusal) => return Err(failed(&format!("The uploads to the bucket `{bucket}` cannot be listed"), refusal)),
    };
    for upload in uploads {
        let abort = at.endpoint.abort_multipart_upload().bucket(bucket);
        let abort = abort.set_key(upload.key.clone()).set_upload_id(upload.upload_id);
        match abort.send().await.map_err(Refusal::from) {
            Ok(_) => {}
            Err(refusal) if refusal.status == Some(404) => {}
            Err(refusal) => {
                let key = upload.key.unwrap_or_default();
                return Err(failed(&format!("An upload of `{key}` cannot be given up"), refusal));
            }
        }
    }
    Ok(())
}

/// Removes all versions of one object, or of all.
pub(crate) async fn remove(at: &Place<'_>, bucket: &str, key: Option<&str>, is_lockable: bool) -> Result<(), Fault> {
    let mut removed = 0;
    let mut before = Vec::new();
    loop {
        let found = versions(at, bucket, key).await?;
        if found.is_empty() {
            return Ok(());
        }
        if found == before {
            let detail = format!("The server has removed objects of the bucket `{bucket}`, and they are still there.");
            return Err(Diagnostic::error("Objects not removed", detail).into());
        }
        removed += found.len();
        before.clone_from(&found);
        remove_batch(at, bucket, found, is_lockable).await?;
        let progress = Progress {
            phase: "emptying".to_owned(),
            done: removed as u64,
            unit: "objects".to_owned(),
            ..Progress::default()
        };
        at.cx.emit(Event::Progress(progress));
    }
}

/// The first versions that are there, those that say that an object was removed among them.
async fn versions(at: &Place<'_>, bucket: &str, key: Option<&str>) -> Result<Vec<Version>, Fault> {
    let prefix = key.map(str::to_owned);
    let is_wanted = |(found, _): &Version| key.is_none_or(|key| key == found);
    let list = at.endpoint.list_object_versions().bucket(bucket).set_prefix(prefix.clone()).max_keys(BATCH);
    let found: Vec<Version> = match list.send().await.map_err(Refusal::from) {
        Ok(listed) => {
            let versions = listed.versions.unwrap_or_default().into_iter();
            let versions = versions.filter_map(|version| Some((version.key?, version.version_id)));
            let markers = listed.delete_markers.unwrap_or_default().into_iter();
            versions.chain(markers.filter_map(|marker| Some((marker.key?, marker.version_id)))).collect()
        }
        Err(refusal) if is_unknown_there(&refusal) => {
            let list = at.endpoint.list_objects_v2().bucket(bucket).set_prefix(prefix).max_keys(BATCH);
            let listed = list.send().await.map_err(Refusal::from);
            let listed = listed.map_err(|refusal| failed(&unlisted(bucket), refusal))?;
            listed.contents.unwrap_or_default().into_iter().filter_map(|object| Some((object.key?, None))).collect()
        }
        Err(refusal) if refusal.status == Some(404) => Vec::new(),
        Err(refusal) => return Err(failed(&unlisted(bucket), refusal)),
    };
    Ok(found.into_iter().filter(is_wanted).collect())
}

fn unlisted(bucket: &str) -> String {
    format!("What is in the bucket `{bucket}` cannot be listed")
}

async fn remove_batch(at: &Place<'_>, bucket: &str, batch: Vec<Version>, is_lockable: bool) -> Result<(), Fault> {
    let mut objects = Vec::with_capacity(batch.len());
    for (key, version) in &batch {
        let object = ObjectIdentifier::builder().key(key).set_version_id(version.clone()).build();
        objects.push(object.map_err(|error| odd(&error))?);
    }
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(|error| odd(&error))?;
    let call = at.endpoint.delete_objects().bucket(bucket).delete(delete);
    let call = call.set_bypass_governance_retention(is_lockable.then_some(true));
    let errors = match call.send().await.map_err(Refusal::from) {
        Ok(answer) => answer.errors.unwrap_or_default(),
        Err(refusal) if is_unknown_there(&refusal) => return remove_each(at, bucket, batch).await,
        Err(refusal) => {
            return Err(failed(&format!("What is in the bucket `{bucket}` cannot be removed"), refusal));
        }
    };
    let Some(first) = errors.first() else { return Ok(()) };
    let (key, code) = (first.key().unwrap_or_default(), first.code().unwrap_or("no reason"));
    let message = first.message().map(|message| format!(": {}", message.trim_end_matches('.'))).unwrap_or_default();
    let detail =
        format!("{} objects of the bucket `{bucket}` stay, among them `{key}` ({code}{message}).", errors.len());
    Err(Diagnostic::error("Objects not removed", detail).into())
}

/// The same one by one, where a server knows no other way.
async fn remove_each(at: &Place<'_>, bucket: &str, batch: Vec<Version>) -> Result<(), Fault> {
    for (key, version) in batch {
        let delete = at.endpoint.delete_object().bucket(bucket).key(&key).set_version_id(version);
        let deleted = delete.send().await.map_err(Refusal::from);
        deleted.map_err(|refusal| failed(&format!("`{key}` in the bucket `{bucket}` cannot be removed"), refusal))?;
    }
    Ok(())
}

/// The error for a bucket that is not to be emptied, where it is not empty.
pub(crate) async fn not_empty(at: &Place<'_>, bucket: &str) -> Result<Option<Diagnostic>, Fault> {
    let found = versions(at, bucket, None).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = found.iter().take(NAMED).map(|(key, _)| format!("`{key}`")).collect();
    let more = if found.len() > NAMED { " and more" } else { "" };
    let detail = format!(
        "The bucket `{bucket}` still holds {}{more}. A bucket that is not empty is not removed.",
        names.join(", ")
    );
    let hint = "To remove it with all that is in it: force_destroy = true, then pipectl apply, then remove it.";
    Ok(Some(Diagnostic::error("Bucket not empty", detail).hint(hint)))
}
