//! One object of a bucket: small in one piece, large in parts, several of which are on their way at the same time.
//!
//! A part that breaks off is repeated alone. What becomes of an upload that does not come to its end is for whoever asks for it to say
//! ([`Interrupted`]): parts that nobody goes on with cost space until a rule of the bucket removes them (`AbortIncompleteMultipartUpload`).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use md5::{Digest as _, Md5};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{Fault, Properties};

/// Objects of more bytes than this are carried in parts of so many: 16 MiB.
pub const PART: u64 = 16 << 20;
/// A server takes no more parts than this.
const MOST_PARTS: u64 = 10_000;
/// How many parts of one object are carried at the same time.
const PARTS_AT_ONCE: usize = 8;
/// And of all objects together.
const PARTS_OF_ALL: usize = 16;
/// How often a part that breaks off is asked for again, from where it broke off.
const ATTEMPTS: u32 = 5;

/// How many parts may still be on their way, of all objects together.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PARTS_OF_ALL)))
    }
}

/// What becomes of an upload in parts that is interrupted.
#[derive(Clone, Copy)]
pub enum Interrupted<'a> {
    /// Whoever writes the object goes on with it: its key names its content.
    GoneOnWith,
    /// It is given up, and its parts are removed: the next one may be an upload of something else. The id is told before the first part is sent, for
    /// whoever is killed meanwhile.
    GivenUp(&'a (dyn Fn(&str) + Sync)),
}

/// One object of a bucket.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its server.
    pub client: Client,
    /// Its bucket.
    pub bucket: String,
    /// Its name there.
    pub key: String,
    /// What is said of it when it is written.
    pub properties: Properties,
    /// Whether it is written only where there is none. Servers that do not know this condition write.
    pub only_new: bool,
    /// How many parts may still be on their way.
    pub turns: Turns,
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::here(format!("`{}` cannot be read: {error}", path.display()))
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::here(format!("`{}` cannot be written: {error}", path.display()))
}

fn broken(why: &dyn std::fmt::Display) -> Fault {
    Fault::on_the_way(format!("the answer broke off: {why}"))
}

impl Object {
    /// What is in it, where that is little; `None` where it is not there.
    ///
    /// # Errors
    /// When the server refuses or does not answer; here and below.
    pub async fn get(&self) -> Result<Option<Vec<u8>>, Fault> {
        let answer =
            match self.client.get_object().bucket(&self.bucket).key(&self.key).send().await.map_err(Fault::from) {
                Ok(answer) => answer,
                Err(fault) if fault.is_missing() => return Ok(None),
                Err(fault) => return Err(fault),
            };
        let bytes = answer.body.collect().await.map_err(|error| broken(&error))?;
        Ok(Some(bytes.to_vec()))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// As above.
    pub async fn put(&self, body: ByteStream) -> Result<(), Fault> {
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).body(body);
        self.properties.of_put(put).set_if_none_match(self.condition()).send().await?;
        Ok(())
    }

    fn condition(&self) -> Option<String> {
        self.only_new.then(|| "*".to_owned())
    }

    /// Writes a file, as large as it is: in one piece, if it is small.
    ///
    /// # Errors
    /// As above; when the file cannot be read.
    pub async fn upload(&self, from: &Path, bytes: u64, interrupted: Interrupted<'_>) -> Result<(), Fault> {
        match (bytes > PART, interrupted) {
            (true, Interrupted::GoneOnWith) => self.upload_going_on(from, bytes).await,
            (true, Interrupted::GivenUp(begun)) => self.upload_anew(from, bytes, begun).await,
            (false, _) => {
                let body = ByteStream::from_path(from).await.map_err(|error| unreadable(from, &error))?;
                self.put(body).await
            }
        }
    }

    /// How many bytes it has; `None` where it is not there.
    ///
    /// # Errors
    /// As above.
    pub async fn size(&self) -> Result<Option<u64>, Fault> {
        match self.client.head_object().bucket(&self.bucket).key(&self.key).send().await.map_err(Fault::from) {
            Ok(head) => Ok(head.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn upload_going_on(&self, from: &Path, bytes: u64) -> Result<(), Fault> {
        let unfinished = match self.unfinished(part_size(bytes), bytes).await? {
            Some(unfinished) => unfinished,
            None => self.begin_upload().await?,
        };
        let Err(fault) = self.carry(from, bytes, unfinished).await else { return Ok(()) };
        // An upload that others work at as well ends under our hands, or gets parts that are not ours.
        let is_shared = fault.status == Some(404) || fault.code.as_deref() == Some("InvalidPart");
        match is_shared {
            true if self.size().await? == Some(bytes) => Ok(()),
            true => self.carry(from, bytes, self.begin_upload().await?).await,
            false => Err(fault),
        }
    }

    /// An upload of its own. What is left of one that does not come to its end is removed.
    async fn upload_anew(&self, from: &Path, bytes: u64, begun: &(dyn Fn(&str) + Sync)) -> Result<(), Fault> {
        // In a task: whoever does not wait for the answer any longer does not leave an upload behind of which nobody knows.
        let object = self.clone();
        let begin = tokio::spawn(async move {
            let upload = object.begin_upload().await?;
            Ok::<_, Fault>((Open { id: Some(upload.id.clone()), object }, upload))
        });
        let (mut open, upload) = begin.await.map_err(|error| Fault::here(error.to_string()))??;
        begun(&upload.id);
        let carried = self.carry(from, bytes, upload).await;
        let id = open.id.take();
        if let (Err(_), Some(id)) = (&carried, id) {
            self.clear(&id).await;
        }
        carried
    }

    /// Gives an upload up of which parts may be on their way: those that come too late are removed, too. Why it failed is told elsewhere, and not
    /// that it could not be cleared away.
    async fn clear(&self, id: &str) {
        const LATE: Duration = Duration::from_millis(500);
        let _ = self.give_up(id).await;
        tokio::time::sleep(LATE).await;
        let _ = self.give_up(id).await;
    }

    /// Gives an upload up, and removes its parts. One that is gone is no fault.
    ///
    /// # Errors
    /// As above.
    pub async fn give_up(&self, id: &str) -> Result<(), Fault> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(id);
        match abort.send().await.map_err(Fault::from) {
            Ok(_) => Ok(()),
            Err(fault) if fault.status == Some(404) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Gives up all uploads of this object that did not come to their end, as far as that is allowed.
    ///
    /// # Errors
    /// As above.
    pub async fn give_up_all(&self) -> Result<(), Fault> {
        for id in self.uploads().await? {
            self.give_up(&id).await?;
        }
        Ok(())
    }

    /// Carries all parts that are not there yet.
    async fn carry(&self, from: &Path, bytes: u64, upload: Unfinished) -> Result<(), Fault> {
        let Unfinished { id, mut done } = upload;
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
        let whole = tag_of_parts(done.values());
        let parts =
            done.into_iter().map(|(number, tag)| CompletedPart::builder().part_number(number).e_tag(tag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let complete = complete.upload_id(id).multipart_upload(parts).set_if_none_match(self.condition());
        match complete.send().await.map_err(Fault::from) {
            Ok(_) => Ok(()),
            // The SDK has asked twice, and the answer to the first was lost.
            Err(fault) if fault.status == Some(404) && whole.is_some() && self.tag().await? == whole => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Its ETag, without quotes; `None` where it is not there.
    async fn tag(&self) -> Result<Option<String>, Fault> {
        match self.client.head_object().bucket(&self.bucket).key(&self.key).send().await.map_err(Fault::from) {
            Ok(head) => Ok(head.e_tag.map(|tag| tag.trim_matches('"').to_owned())),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn begin_upload(&self) -> Result<Unfinished, Fault> {
        let begin = self.client.create_multipart_upload().bucket(&self.bucket).key(&self.key);
        let begun = self.properties.of_upload(begin).send().await?;
        let id =
            begun.upload_id.ok_or_else(|| Fault::here("the server has begun an upload without an id".to_owned()))?;
        Ok(Unfinished { id, done: BTreeMap::new() })
    }

    /// The ids of the uploads of this object that did not come to their end. None where nobody may ask.
    async fn uploads(&self) -> Result<Vec<String>, Fault> {
        let list = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(&self.key);
        let uploads = match list.send().await.map_err(Fault::from) {
            Ok(listed) => listed.uploads.unwrap_or_default(),
            // Who may write objects need not be allowed to list uploads.
            Err(fault) if matches!(fault.status, Some(403 | 404 | 501)) => return Ok(Vec::new()),
            Err(fault) => return Err(fault),
        };
        let own = uploads.into_iter().filter(|upload| upload.key.as_ref() == Some(&self.key));
        Ok(own.filter_map(|upload| upload.upload_id).collect())
    }

    /// An upload of this object that was interrupted: its id, and the tags of its parts by number.
    async fn unfinished(&self, size: u64, bytes: u64) -> Result<Option<Unfinished>, Fault> {
        let Some(id) = self.uploads().await?.into_iter().next() else { return Ok(None) };
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
        let _turn = self.turns.0.acquire().await.expect("nobody closes it");
        let body =
            ByteStream::read_from().path(from).offset(part.offset).length(Length::Exact(part.bytes)).build().await;
        let body = body.map_err(|error| unreadable(from, &error))?;
        let upload = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(id);
        let sent = upload.part_number(part.number).body(body).send().await?;
        sent.e_tag.ok_or_else(|| Fault::here("the server has not said which version of a part it wrote".to_owned()))
    }

    /// Reads it into a new file. `false`: it is not there.
    ///
    /// # Errors
    /// As above; when the file cannot be written.
    pub async fn download(&self, to: &Path, bytes: u64) -> Result<bool, Fault> {
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
                carried
                    .join_next()
                    .await
                    .expect("some are on their way")
                    .map_err(|error| Fault::here(error.to_string()))??;
            }
            let (at, file, to) = (self.clone(), Arc::clone(&file), to.to_owned());
            carried.spawn(async move { at.download_part(&file, &to, part).await });
        }
        while let Some(ended) = carried.join_next().await {
            ended.map_err(|error| Fault::here(error.to_string()))??;
        }
        Ok(true)
    }

    /// Reads a part to its end, from where it broke off where it does.
    async fn download_part(&self, file: &File, to: &Path, part: Part) -> Result<(), Fault> {
        let _turn = self.turns.0.acquire().await.expect("nobody closes it");
        let end = part.offset + part.bytes;
        let mut at = part.offset;
        let mut attempts = 0;
        while at < end {
            attempts += 1;
            let range = format!("bytes={at}-{}", end - 1);
            let get = self.client.get_object().bucket(&self.bucket).key(&self.key).range(range);
            let mut body = get.send().await?.body;
            let why = loop {
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
                return Err(broken(&why));
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

/// An upload that is to come to its end. Where nobody waits for that any longer it is given up.
struct Open {
    object: Object,
    id: Option<String>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), Handle::try_current()) {
            let object = self.object.clone();
            runtime.spawn(async move { object.clear(&id).await });
        }
    }
}

/// A piece of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 1 on.
    number: i32,
    offset: u64,
    bytes: u64,
}

/// The ETag of an object in parts with these tags, without quotes; `None` where they are no MD5s.
fn tag_of_parts<'a>(tags: impl ExactSizeIterator<Item = &'a String>) -> Option<String> {
    let (count, mut whole) = (tags.len(), Md5::new());
    for tag in tags {
        let digits = tag.trim_matches('"');
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
        whole.update(<[u8; 16]>::try_from(bytes).ok()?);
    }
    let digits: String = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{digits}-{count}"))
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
    use super::{MOST_PARTS, PART, Part, part_size, parts, tag_of_parts};

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

    #[test]
    fn the_tag_of_a_whole_is_made_of_those_of_its_parts() {
        let tags = ["\"5d41402abc4b2a76b9719d911017c592\"".to_owned(), "7d793037a0760186574b0282f2f435e7".to_owned()];
        // printf '5d41402abc4b2a76b9719d911017c5927d793037a0760186574b0282f2f435e7' | xxd -r -p | md5sum
        assert_eq!(tag_of_parts(tags.iter()).as_deref(), Some("065947336a2f2a95ba8899f3675c3be6-2"));
        for odd in ["", "5d4", "no digits at all, but 32 bytes..", "5d41402abc4b2a76b9719d911017c592-3"] {
            assert_eq!(tag_of_parts([odd.to_owned()].iter()), None, "{odd}");
        }
    }
}
