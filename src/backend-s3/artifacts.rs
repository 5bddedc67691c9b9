//! Artifacts in a bucket: large objects in parts, several at the same time.
//!
//! A part that breaks off is repeated alone. An upload that was interrupted is found again and gone on with, by whoever writes the same content: the
//! key names it. Parts of uploads that nobody goes on with cost space until a rule of the bucket removes them (`AbortIncompleteMultipartUpload`).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{SharedObjects, SharedObjectsKind};
use pipectl_s3_client::{Fault, Repeat};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Encrypted;
use crate::bucket::Bucket;
use crate::settings::{Settings, schema};

/// Objects of more bytes than this are carried in parts of so many: 16 MiB.
const PART: u64 = 16 << 20;
/// A server takes no more parts than this.
const MOST_PARTS: u64 = 10_000;
/// How many parts of one object are carried at the same time.
const PARTS_AT_ONCE: usize = 8;
/// And of all objects together.
const PARTS_OF_ALL: usize = 16;
/// How often a part that breaks off is asked for again, from where it broke off.
const ATTEMPTS: u32 = 5;
/// How many questions are asked at the same time.
const QUESTIONS_AT_ONCE: usize = 32;

/// `artifact_store "s3" { ... }`.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3Shared;

impl SharedObjectsKind for S3Shared {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn schema(&self) -> Schema {
        let mut schema = schema();
        for name in ["dynamodb_table", "use_lockfile", "workspace_key_prefix"] {
            schema.attributes.remove(name);
        }
        let description = "What the names of the artifacts' objects begin with. Several pipelines may share it.";
        schema
            .attribute("key", Attribute::required(Type::String, description))
            .described("Artifacts in a bucket, which several machines share.")
    }

    fn check(&self, arguments: &Value) -> Diagnostics {
        Settings::read(arguments, Path::new("")).1
    }

    fn open(&self, arguments: &Value, root: &Path) -> Result<Arc<dyn SharedObjects>, Diagnostics> {
        let settings = Settings::usable(arguments, root)?;
        Ok(Arc::new(S3Artifacts::open(settings)))
    }
}

/// The artifacts below one key of a bucket.
#[derive(Clone, Debug)]
pub struct S3Artifacts {
    bucket: Arc<Bucket>,
    /// What their keys begin with, with a `/` at the end.
    prefix: String,
    /// How many parts may still be on their way, of all objects together.
    parts: Arc<Semaphore>,
}

impl S3Artifacts {
    /// The artifacts below the key of these settings. Nothing is asked for yet.
    pub fn open(settings: Settings) -> Self {
        let prefix = format!("{}/", settings.key);
        let parts = Arc::new(Semaphore::new(PARTS_OF_ALL));
        Self { bucket: Arc::new(Bucket::new(settings, Repeat::Calls)), prefix, parts }
    }

    /// Where an object is, to be carried somewhere else.
    fn at(&self, key: &str) -> Result<At, String> {
        let client = self.bucket.client().map_err(|error| error.to_string())?;
        let settings = self.bucket.settings();
        Ok(At {
            client,
            bucket: settings.bucket.clone(),
            key: format!("{}{key}", self.prefix),
            encrypted: settings.encrypted.clone(),
            parts: Arc::clone(&self.parts),
        })
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<T, String> {
        self.bucket.call(call).map_err(|error| error.to_string())?
    }
}

impl SharedObjects for S3Artifacts {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.settings().bucket, self.prefix.trim_end_matches('/'))
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let at = self.at(key)?;
        self.call(async move { at.get().await })
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), String> {
        let (at, body) = (self.at(key)?, ByteStream::from(bytes.to_vec()));
        self.call(async move { at.put(body).await })
    }

    fn sizes(&self, keys: &[String]) -> Result<Vec<Option<u64>>, String> {
        let places = keys.iter().map(|key| self.at(key)).collect::<Result<Vec<_>, _>>()?;
        self.call(async move {
            let mut sizes = Vec::with_capacity(places.len());
            for window in places.chunks(QUESTIONS_AT_ONCE) {
                let asked: Vec<_> =
                    window.iter().cloned().map(|at| tokio::spawn(async move { at.size().await })).collect();
                for answer in asked {
                    sizes.push(answer.await.map_err(|error| error.to_string())??);
                }
            }
            Ok(sizes)
        })
    }

    fn upload(&self, key: &str, from: &Path, bytes: u64) -> Result<(), String> {
        let (at, from) = (self.at(key)?, from.to_owned());
        self.call(async move {
            if bytes > PART {
                return at.upload_in_parts(from, bytes).await;
            }
            let body = ByteStream::from_path(&from).await.map_err(|error| unreadable(&from, &error))?;
            at.put(body).await
        })
    }

    fn download(&self, key: &str, to: &Path, bytes: u64) -> Result<bool, String> {
        let (at, to) = (self.at(key)?, to.to_owned());
        self.call(async move { at.download(&to, bytes).await })
    }
}

/// One object of a bucket.
#[derive(Clone, Debug)]
struct At {
    client: Client,
    bucket: String,
    key: String,
    encrypted: Encrypted,
    parts: Arc<Semaphore>,
}

fn said(fault: impl Into<Fault>) -> String {
    fault.into().text
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}` cannot be read: {error}", path.display())
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}` cannot be written: {error}", path.display())
}

impl At {
    async fn get(&self) -> Result<Option<Vec<u8>>, String> {
        let answer =
            match self.client.get_object().bucket(&self.bucket).key(&self.key).send().await.map_err(Fault::from) {
                Ok(answer) => answer,
                Err(fault) if fault.is_missing() => return Ok(None),
                Err(fault) => return Err(said(fault)),
            };
        let bytes = answer.body.collect().await.map_err(|error| format!("the answer broke off: {error}"))?;
        Ok(Some(bytes.to_vec()))
    }

    async fn put(&self, body: ByteStream) -> Result<(), String> {
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).body(body);
        let put = self.encrypted.of_put(put);
        put.send().await.map(|_| ()).map_err(said)
    }

    async fn size(&self) -> Result<Option<u64>, String> {
        match self.client.head_object().bucket(&self.bucket).key(&self.key).send().await.map_err(Fault::from) {
            Ok(head) => Ok(head.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(said(fault)),
        }
    }

    async fn upload_in_parts(&self, from: PathBuf, bytes: u64) -> Result<(), String> {
        let unfinished = self.unfinished(part_size(bytes), bytes).await.map_err(said)?;
        let Err(fault) = self.carry(&from, bytes, unfinished).await else { return Ok(()) };
        // An upload that others work at as well ends under our hands, or gets parts that are not ours.
        let is_shared = fault.status == Some(404) || fault.code.as_deref() == Some("InvalidPart");
        match is_shared {
            true if self.size().await? == Some(bytes) => Ok(()),
            true => self.carry(&from, bytes, None).await.map_err(said),
            false => Err(said(fault)),
        }
    }

    /// Carries all parts that are not there yet, of an upload that was begun or of a new one.
    async fn carry(&self, from: &Path, bytes: u64, unfinished: Option<Unfinished>) -> Result<(), Fault> {
        let Unfinished { id, mut done } = match unfinished {
            Some(unfinished) => unfinished,
            None => Unfinished { id: self.begin_upload().await?, done: BTreeMap::new() },
        };
        let missing = parts(bytes, part_size(bytes)).filter(|part| !done.contains_key(&part.number));
        let mut carried = JoinSet::new();
        for part in missing.collect::<Vec<_>>() {
            if carried.len() >= PARTS_AT_ONCE {
                take(&mut carried, &mut done).await?;
            }
            let (at, id, from) = (self.clone(), id.clone(), from.to_owned());
            carried.spawn(async move { at.upload_part(&id, &from, part).await.map(|tag| (part.number, tag)) });
        }
        while !carried.is_empty() {
            take(&mut carried, &mut done).await?;
        }
        let parts =
            done.into_iter().map(|(number, tag)| CompletedPart::builder().part_number(number).e_tag(tag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        complete.upload_id(id).multipart_upload(parts).send().await?;
        Ok(())
    }

    async fn begin_upload(&self) -> Result<String, Fault> {
        let begin = self.client.create_multipart_upload().bucket(&self.bucket).key(&self.key);
        let begin = self.encrypted.of_upload(begin);
        let begun = begin.send().await?;
        begun.upload_id.ok_or_else(|| Fault::here("the server has begun an upload without an id".to_owned()))
    }

    /// An upload of this object that was interrupted: its id, and the tags of its parts by number.
    async fn unfinished(&self, size: u64, bytes: u64) -> Result<Option<Unfinished>, Fault> {
        let list = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(&self.key);
        let uploads = match list.send().await.map_err(Fault::from) {
            Ok(listed) => listed.uploads.unwrap_or_default(),
            // Who may write objects need not be allowed to list uploads.
            Err(fault) if matches!(fault.status, Some(403 | 404 | 501)) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let Some(id) = uploads
            .into_iter()
            .find(|upload| upload.key.as_ref() == Some(&self.key))
            .and_then(|upload| upload.upload_id)
        else {
            return Ok(None);
        };
        let expected: BTreeMap<i32, u64> = parts(bytes, size).map(|part| (part.number, part.bytes)).collect();
        let mut done = BTreeMap::new();
        let list = self.client.list_parts().bucket(&self.bucket).key(&self.key).upload_id(&id);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(Fault::from) {
                Ok(page) => page,
                // It has come to an end meanwhile.
                Err(fault) if fault.status == Some(404) => return Ok(None),
                Err(fault) => return Err(fault),
            };
            for part in page.parts.unwrap_or_default() {
                let (Some(number), Some(length), Some(tag)) = (part.part_number, part.size, part.e_tag) else {
                    continue;
                };
                if expected.get(&number).is_some_and(|bytes| i64::try_from(*bytes) == Ok(length)) {
                    done.insert(number, tag);
                }
            }
        }
        Ok(Some(Unfinished { id, done }))
    }

    async fn upload_part(&self, id: &str, from: &Path, part: Part) -> Result<String, Fault> {
        let _turn = self.parts.acquire().await.expect("nobody closes it");
        let body =
            ByteStream::read_from().path(from).offset(part.offset).length(Length::Exact(part.bytes)).build().await;
        let body = body.map_err(|error| Fault::here(unreadable(from, &error)))?;
        let upload = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(id);
        let sent = upload.part_number(part.number).body(body).send().await?;
        sent.e_tag.ok_or_else(|| Fault::here("the server has not said which version of a part it wrote".to_owned()))
    }

    async fn download(&self, to: &Path, bytes: u64) -> Result<bool, String> {
        let Some(found) = self.size().await? else { return Ok(false) };
        let file = File::create_new(to).map_err(|error| unwritable(to, &error))?;
        if found != bytes {
            // Whatever it is, it is not what its name says: whoever looks at the file sees that.
            return Ok(true);
        }
        file.set_len(bytes).map_err(|error| unwritable(to, &error))?;
        let file = Arc::new(file);
        let mut carried = JoinSet::new();
        for part in parts(bytes, PART).collect::<Vec<_>>() {
            if carried.len() >= PARTS_AT_ONCE {
                carried.join_next().await.expect("some are on their way").map_err(|error| error.to_string())??;
            }
            let (at, file, to) = (self.clone(), Arc::clone(&file), to.to_owned());
            carried.spawn(async move { at.download_part(&file, &to, part).await });
        }
        while let Some(ended) = carried.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        Ok(true)
    }

    /// Reads a part to its end, from where it broke off where it does.
    async fn download_part(&self, file: &File, to: &Path, part: Part) -> Result<(), String> {
        let _turn = self.parts.acquire().await.expect("nobody closes it");
        let end = part.offset + part.bytes;
        let mut at = part.offset;
        let mut attempts = 0;
        while at < end {
            attempts += 1;
            let range = format!("bytes={at}-{}", end - 1);
            let get = self.client.get_object().bucket(&self.bucket).key(&self.key).range(range);
            let mut body = get.send().await.map_err(said)?.body;
            let broken = loop {
                match body.next().await {
                    Some(Ok(chunk)) => {
                        // A server that ignores the range would write over what comes after it.
                        let chunk = &chunk[..chunk.len().min(usize::try_from(end - at).unwrap_or(usize::MAX))];
                        file.write_all_at(chunk, at).map_err(|error| unwritable(to, &error))?;
                        at += chunk.len() as u64;
                    }
                    Some(Err(error)) => break error.to_string(),
                    None => break "it is too short".to_owned(),
                }
                if at == end {
                    return Ok(());
                }
            };
            if attempts == ATTEMPTS {
                return Err(format!("the answer broke off: {broken}"));
            }
            tokio::time::sleep(Duration::from_millis(200 << attempts)).await;
        }
        Ok(())
    }
}

/// Takes one part in that was carried.
async fn take(
    carried: &mut JoinSet<Result<(i32, String), Fault>>,
    done: &mut BTreeMap<i32, String>,
) -> Result<(), Fault> {
    if let Some(ended) = carried.join_next().await {
        let (number, tag) = ended.map_err(|error| Fault::here(error.to_string()))??;
        done.insert(number, tag);
    }
    Ok(())
}

/// An upload that was begun: its id, and the tags of the parts that are there, by number.
struct Unfinished {
    id: String,
    done: BTreeMap<i32, String>,
}

/// A piece of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 1 on.
    number: i32,
    offset: u64,
    bytes: u64,
}

/// How large the parts of an object of so many bytes are.
fn part_size(bytes: u64) -> u64 {
    PART.max(bytes.div_ceil(MOST_PARTS))
}

fn parts(bytes: u64, size: u64) -> impl Iterator<Item = Part> {
    (1..).zip((0..bytes).step_by(usize::try_from(size).unwrap_or(usize::MAX))).map(move |(number, offset)| Part {
        number,
        offset,
        bytes: size.min(bytes - offset),
    })
}

#[cfg(test)]
mod tests {
    use super::{MOST_PARTS, PART, Part, part_size, parts};

    #[test]
    fn parts_cover_an_object_and_are_not_too_many() {
        for bytes in [1, PART - 1, PART, PART + 1, 2 * PART, 5 * PART + 3] {
            let all: Vec<Part> = parts(bytes, part_size(bytes)).collect();
            assert_eq!(all.iter().map(|part| part.bytes).sum::<u64>(), bytes);
            assert!(all.windows(2).all(|pair| pair[0].offset + pair[0].bytes == pair[1].offset));
            assert_eq!(all.first().map(|part| part.number), Some(1));
        }
        // Five tebibytes, the largest object that there is.
        let bytes = 5_u64 << 40;
        assert!(bytes.div_ceil(part_size(bytes)) <= MOST_PARTS);
    }
}
