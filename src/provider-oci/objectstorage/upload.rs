//! What is put into an object: small things in one piece, larger files in parts, of which several are on their way at the same time.
//!
//! A file is never whole in memory: its parts are read one after the other, where no other call is held up, and no more of them than there is room
//! for. Each part goes out with its digest and is sent again alone. An object of parts has no MD5 of its own: it bears it in its metadata.
//! An upload that fails is given up, and so is one whose run was killed: its id is recorded before the first part is sent.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipectl_core::{Diagnostic, Diagnostics, Path};
use pipectl_http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use pipectl_http::{Call, Method, Repeat, StatusCode};
use pipectl_oci_client::Endpoint;
use pipectl_provider::{Cx, Event, Progress};
use serde_json::{Map, Value as Json, json};
use tokio::task::JoinSet;

use super::object::META;
use crate::endpoint::fault;
use crate::kind::{Fault, Place, text};

/// Where an object that was sent in parts bears the MD5 of its content.
pub(super) const DIGEST: &str = "pipectl-md5";

/// What is recorded of an upload in parts: its id.
pub(super) const UPLOAD: &str = "upload";

/// For how long nothing of an upload may move. What was sent last may still be on a slow line when nothing is left to send.
pub(super) const IDLE: Duration = Duration::from_secs(120);

/// Files of more bytes than this are sent in parts of so many.
const PART: u64 = 16 << 20;

/// OCI takes no more parts than this.
const MOST_PARTS: u64 = 10_000;

/// How many parts of one object are on their way at the same time.
const PARTS_AT_ONCE: usize = 4;

/// How many MiB of files may be in memory, of all objects together. A part that is larger goes alone.
pub(crate) const ROOM: usize = 128;

/// How long the service may take to put the parts together.
const JOINS_WITHIN: Duration = Duration::from_secs(600);

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What is put into an object.
pub(super) enum Content {
    /// Little enough for one piece.
    Small(Vec<u8>),
    /// A file for parts.
    Large(LargeFile),
}

/// A file that is sent in parts.
pub(super) struct LargeFile {
    path: PathBuf,
    bytes: u64,
}

impl Content {
    /// What these arguments say.
    pub(super) async fn of(cx: &Cx, source: Option<&str>, content: Option<&str>) -> Result<Self, Diagnostics> {
        let Some(source) = source else {
            return Ok(Content::Small(content.unwrap_or_default().as_bytes().to_vec()));
        };
        let path = cx.root.join(source);
        let bytes = tokio::fs::metadata(&path).await.map_err(|error| unreadable(&path, &error))?.len();
        if bytes > PART {
            return Ok(Content::Large(LargeFile { path, bytes }));
        }
        Ok(Content::Small(tokio::fs::read(&path).await.map_err(|error| unreadable(&path, &error))?))
    }
}

/// The MD5 of what is put there, in base64. Files may be large: others have their turn meanwhile.
pub(super) async fn digest(cx: &Cx, source: Option<&str>, content: Option<&str>) -> std::io::Result<String> {
    match source {
        Some(source) => digest_of(cx.root.join(source)).await,
        None => Ok(STANDARD.encode(Md5::digest(content.unwrap_or_default()))),
    }
}

async fn digest_of(path: PathBuf) -> std::io::Result<String> {
    let read = move || {
        let mut digest = Md5::new();
        std::io::copy(&mut std::fs::File::open(path)?, &mut digest)?;
        Ok(STANDARD.encode(digest.finalize()))
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.into()))
}

/// What is in memory, with its digest.
pub(super) async fn digested(body: Vec<u8>) -> Result<(Vec<u8>, String), Diagnostics> {
    let digest = move || {
        let digest = STANDARD.encode(Md5::digest(&body));
        (body, digest)
    };
    tokio::task::spawn_blocking(digest).await.map_err(|error| {
        let detail = format!("The digest of what is put there was not made: {error}.");
        Diagnostic::error("Digest not made", detail).into()
    })
}

/// Sends a file in parts to where the path of an object leads. `about` is what is said of it, `wanted` the digest that is given for it.
pub(super) async fn in_parts(
    at: &Place<'_>,
    object: &[&str; 6],
    mut about: Map<String, Json>,
    file: &LargeFile,
    wanted: Option<String>,
) -> Result<(), Fault> {
    let digest = digest_of(file.path.clone()).await.map_err(|error| unreadable(&file.path, &error))?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != digest) {
        let detail = format!(
            "`{}` has the MD5 {digest}, and `content_md5` says {wanted}. Nothing was sent.",
            file.path.display()
        );
        return Err(Diagnostic::error("Other content than given", detail).on(Path::of("content_md5")).into());
    }
    about.insert("object".to_owned(), object[5].into());
    if let Some(Json::Object(metadata)) = about.get_mut("metadata") {
        metadata.insert(format!("{META}{DIGEST}"), digest.as_str().into());
    }
    let uploads = [&object[..4], &["u"]].concat();
    let begin = at.endpoint.call(Method::POST, &uploads, &[]).json(&about);
    let begun: Json = at.endpoint.send_new(&begin, &uploads.join("/")).await?.json()?;
    let id = text(&begun, "uploadId").ok_or_else(|| {
        Fault::from(Diagnostic::error("Unexpected answer", "The service has begun an upload and did not tell its id."))
    })?;
    // Before the first part: whoever is killed now leaves nothing that nobody knows of.
    at.cx.record(json!({ "before": { UPLOAD: id } }));
    let upload = Upload { endpoint: at.endpoint.0.clone(), object: object.map(str::to_owned), id };
    let sent = upload.send(at, file, &digest).await;
    if sent.is_err() {
        // Why it failed is told, and not that it could not be cleared away.
        let _ = give_up(&upload.endpoint, object, &upload.id).await;
    }
    sent
}

/// Gives an upload up, and removes its parts. One that is gone is no fault.
pub(super) async fn give_up(endpoint: &Endpoint, object: &[&str], id: &str) -> Result<(), Fault> {
    match endpoint.send(&call(endpoint, Method::DELETE, object, &[("uploadId", id)])).await.map_err(fault) {
        Ok(_) => Ok(()),
        Err(fault) if fault.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// A call about an upload of the object that a path leads to.
fn call(endpoint: &Endpoint, method: Method, object: &[&str], query: &[(&str, &str)]) -> Call {
    let name = object.last().copied().unwrap_or_default();
    let path: Vec<&str> = object.iter().take(4).copied().chain(["u", name]).collect();
    endpoint.call(method, &path, query)
}

/// An upload that was begun.
#[derive(Clone)]
struct Upload {
    endpoint: Endpoint,
    object: [String; 6],
    id: String,
}

/// A file that is read to its end, part by part.
struct Reading {
    file: std::fs::File,
    whole: Md5,
}

/// A part that was sent.
struct Sent {
    number: u64,
    tag: String,
    bytes: u64,
}

impl Upload {
    async fn send(&self, at: &Place<'_>, file: &LargeFile, digest: &str) -> Result<(), Fault> {
        let path = file.path.clone();
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(path)).await;
        let opened = opened.unwrap_or_else(|error| Err(error.into()));
        let opened = opened.map_err(|error| unreadable(&file.path, &error))?;
        let mut reading = Reading { file: opened, whole: Md5::new() };
        let (mut sending, mut tags, mut done) = (JoinSet::new(), BTreeMap::new(), 0);
        let mut take = |sent: Sent| {
            tags.insert(sent.number, sent.tag);
            done += sent.bytes;
            at.cx.emit(progress(done, file.bytes));
        };
        let size = part_size(file.bytes);
        for number in 1..=file.bytes.div_ceil(size) {
            if sending.len() >= PARTS_AT_ONCE
                && let Some(ended) = sending.join_next().await
            {
                take(ended.map_err(broken_off)??);
            }
            let bytes = size.min(file.bytes - (number - 1) * size);
            let room = bytes.div_ceil(1 << 20).clamp(1, ROOM as u64) as u32;
            let room = Arc::clone(&at.cloud.room).acquire_many_owned(room).await.map_err(broken_off)?;
            let read = tokio::task::spawn_blocking(move || reading.part(bytes)).await.map_err(broken_off)?;
            let (after, part, md5) = read.map_err(|error| unreadable(&file.path, &error))?;
            reading = after;
            let upload = self.clone();
            sending.spawn(async move {
                let tag = upload.send_part(number, part, &md5).await?;
                drop(room);
                Ok::<_, Fault>(Sent { number, tag, bytes })
            });
        }
        while let Some(ended) = sending.join_next().await {
            take(ended.map_err(broken_off)??);
        }
        if STANDARD.encode(reading.whole.finalize()) != digest {
            let detail = format!("`{}` was written while it was sent. Nothing was put there.", file.path.display());
            return Err(Diagnostic::error("File changed meanwhile", detail).on(Path::of("source")).into());
        }
        self.commit(at, &tags, digest).await
    }

    /// Sends a part, as often as it takes: its tag.
    async fn send_part(&self, number: u64, part: Vec<u8>, md5: &str) -> Result<String, Fault> {
        let md5 = HeaderValue::try_from(md5).map_err(broken_off)?;
        let number = number.to_string();
        let query = [("uploadId", self.id.as_str()), ("uploadPartNum", number.as_str())];
        let call = self.call(Method::PUT, &query).header(CONTENT_MD5, md5).repeat(Repeat::Safe).idle_timeout(IDLE);
        let call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")).body(part);
        let answer = self.endpoint.send(&call).await.map_err(fault)?;
        answer.header("etag").map(str::to_owned).ok_or_else(|| {
            let detail = "The service has taken a part of an upload and did not tell its tag.";
            Diagnostic::error("Unexpected answer", detail).into()
        })
    }

    /// Has the parts put together.
    async fn commit(&self, at: &Place<'_>, tags: &BTreeMap<u64, String>, digest: &str) -> Result<(), Fault> {
        let parts: Vec<Json> = tags.iter().map(|(number, tag)| json!({ "partNum": number, "etag": tag })).collect();
        let call =
            self.call(Method::POST, &[("uploadId", self.id.as_str())]).repeat(Repeat::Safe).timeout(JOINS_WITHIN);
        let refused = match at.endpoint.send(&call.json(&json!({ "partsToCommit": parts }))).await {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        // Of an upload that was put together by an earlier try, whose answer was lost, nothing is left.
        if refused.status() != Some(StatusCode::NOT_FOUND) || !refused.may_have_acted() {
            return Err(refused);
        }
        let object: Vec<&str> = self.object.iter().map(String::as_str).collect();
        let seen = at.endpoint.send(&at.endpoint.call(Method::HEAD, &object, &[])).await?;
        match seen.header(&format!("{META}{DIGEST}")) == Some(digest) {
            true => Ok(()),
            false => Err(refused),
        }
    }

    fn call(&self, method: Method, query: &[(&str, &str)]) -> Call {
        let object: Vec<&str> = self.object.iter().map(String::as_str).collect();
        call(&self.endpoint, method, &object, query)
    }
}

impl Reading {
    /// The next part, with its digest.
    fn part(mut self, bytes: u64) -> std::io::Result<(Self, Vec<u8>, String)> {
        let mut part = Vec::new();
        (&mut self.file).take(bytes).read_to_end(&mut part)?;
        self.whole.update(&part);
        let md5 = STANDARD.encode(Md5::digest(&part));
        Ok((self, part, md5))
    }
}

/// Of how many bytes the parts of a file are, but the last one.
fn part_size(bytes: u64) -> u64 {
    PART.max(bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

fn progress(done: u64, total: u64) -> Event {
    let (phase, unit) = ("uploading".to_owned(), "bytes".to_owned());
    Event::Progress(Progress { phase, done, total: Some(total), unit, ..Progress::default() })
}

fn broken_off(why: impl std::fmt::Display) -> Fault {
    Diagnostic::error("Upload broken off", format!("A part of an upload was not sent: {why}.")).into()
}

fn unreadable(path: &FilePath, error: &std::io::Error) -> Diagnostics {
    let detail = format!("`{}` cannot be read: {error}.", path.display());
    Diagnostic::error("Unreadable file", detail).on(Path::of("source")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_more_parts_than_are_taken() {
        assert_eq!(part_size(PART + 1), PART);
        assert_eq!(part_size(PART * MOST_PARTS), PART);
        for bytes in [PART * MOST_PARTS + 1, 10 << 40] {
            let size = part_size(bytes);
            assert!(
                bytes.div_ceil(size) <= MOST_PARTS && size.is_multiple_of(1 << 20) && size <= 50 << 30,
                "{bytes}: {size}"
            );
        }
    }
}
