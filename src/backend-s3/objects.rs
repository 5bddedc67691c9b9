//! The objects of one state, as the state's store asks for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use pipectl_s3_client::{Fault, Repeat};
use pipectl_state::{Object, ObjectError, ObjectStore, Put, Tag};

use crate::Settings;
use crate::bucket::{Bucket, failed};
use crate::settings::DEFAULT;

/// How many objects are read at the same time.
const READ_AT_ONCE: usize = 32;

/// The objects below one key of a bucket.
#[derive(Clone, Debug)]
pub struct S3Objects {
    bucket: Arc<Bucket>,
    /// What their keys begin with, with a `/` at the end.
    prefix: String,
}

impl S3Objects {
    /// The objects of the workspace `default`. Nothing is asked for yet.
    pub fn open(settings: Settings) -> Self {
        let prefix = settings.place(DEFAULT);
        Self::new(Arc::new(Bucket::new(settings, Repeat::Nothing)), &prefix)
    }

    /// The objects whose keys begin with `prefix` and a `/`.
    pub(crate) fn new(bucket: Arc<Bucket>, prefix: &str) -> Self {
        Self { bucket, prefix: format!("{prefix}/") }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn write(&self, key: &str, bytes: &[u8], condition: Condition<'_>) -> Result<Put, ObjectError> {
        let client = self.bucket.client()?;
        let settings = self.bucket.settings();
        let body = ByteStream::from(bytes.to_vec());
        let put = client.put_object().bucket(&settings.bucket).key(self.key(key)).body(body);
        let put = settings.encrypted.of_put(put);
        let put = match condition {
            Condition::Absent => put.if_none_match("*"),
            Condition::Match(tag) => put.if_match(tag),
        };
        let sent = self.bucket.call(async move { put.send().await.map_err(Fault::from) })?;
        match sent {
            Ok(done) => match done.e_tag {
                Some(tag) => Ok(Put::Done(Tag(tag))),
                // It was written. The store reads it when the write is repeated and refused.
                None => Err(ObjectError::Uncertain("the server has not said which version it wrote".to_owned())),
            },
            Err(fault) if fault.is_refused_condition() => Ok(Put::Refused),
            // What is to be replaced is gone.
            Err(fault) if fault.is_missing() && matches!(condition, Condition::Match(_)) => Ok(Put::Refused),
            Err(fault) => Err(failed(fault)),
        }
    }
}

#[derive(Clone, Copy)]
enum Condition<'a> {
    Absent,
    Match(&'a str),
}

impl ObjectStore for S3Objects {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.settings().bucket, self.prefix.trim_end_matches('/'))
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        self.bucket.get(self.key(key))
    }

    fn get_many(&self, keys: &[String]) -> Vec<Result<Option<Object>, ObjectError>> {
        let client = match self.bucket.client() {
            Ok(client) => client,
            Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut answers = Vec::with_capacity(keys.len());
        for window in keys.chunks(READ_AT_ONCE) {
            let reads: Vec<_> = window
                .iter()
                .map(|key| read(client.clone(), self.bucket.settings().bucket.clone(), self.key(key)))
                .collect();
            let read = self.bucket.call(async move {
                let tasks: Vec<_> = reads.into_iter().map(tokio::spawn).collect();
                let mut answers = Vec::with_capacity(tasks.len());
                for task in tasks {
                    answers.push(task.await.unwrap_or_else(|error| Err(ObjectError::Uncertain(error.to_string()))));
                }
                answers
            });
            answers.extend(read.unwrap_or_else(|error| window.iter().map(|_| Err(error.clone())).collect()));
        }
        answers
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.write(key, bytes, Condition::Absent)
    }

    fn put_if_match(&self, key: &str, bytes: &[u8], tag: &Tag) -> Result<Put, ObjectError> {
        let bare = tag.0.trim_matches('"');
        if self.bucket.connection.wants_bare_tags() {
            return self.write(key, bytes, Condition::Match(bare));
        }
        let quoted = format!("\"{bare}\"");
        let put = self.write(key, bytes, Condition::Match(&quoted))?;
        // Refused although the object is this very version: the server compares with the quotes.
        if put == Put::Refused && self.get(key)?.is_some_and(|object| object.tag.0.trim_matches('"') == bare) {
            let put = self.write(key, bytes, Condition::Match(bare))?;
            if matches!(put, Put::Done(_)) {
                self.bucket.connection.remember_bare_tags();
            }
            return Ok(put);
        }
        Ok(put)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let keys = self.bucket.list(&self.key(prefix))?;
        Ok(keys.into_iter().filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)).collect())
    }

    fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let client = self.bucket.client()?;
        let delete = client.delete_object().bucket(&self.bucket.settings().bucket).key(self.key(key));
        match self.bucket.call(async move { delete.send().await.map_err(Fault::from) })? {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_missing() => Ok(()),
            Err(fault) => Err(failed(fault)),
        }
    }
}

/// Reads an object to its end.
pub(crate) async fn read(client: Client, bucket: String, key: String) -> Result<Option<Object>, ObjectError> {
    let clock = ServerClock::default();
    let get = client.get_object().bucket(bucket).key(key).customize().interceptor(clock.clone());
    let answer = match get.send().await.map_err(Fault::from) {
        Ok(answer) => answer,
        Err(fault) if fault.is_missing() => return Ok(None),
        Err(fault) => return Err(failed(fault)),
    };
    let age = clock.age(&answer);
    let tag = answer
        .e_tag
        .clone()
        .ok_or_else(|| ObjectError::Refused("the server does not say which version an object is (ETag)".to_owned()))?;
    let bytes = answer.body.collect().await;
    let bytes = bytes.map_err(|error| ObjectError::Uncertain(format!("the answer broke off: {error}")))?;
    Ok(Some(Object { bytes: bytes.to_vec(), tag: Tag(tag), age }))
}

/// What the server's clock said when it answered.
#[derive(Clone, Debug, Default)]
struct ServerClock(Arc<Mutex<Option<SystemTime>>>);

impl ServerClock {
    /// How long ago an object was written, by that clock alone.
    fn age(&self, answer: &GetObjectOutput) -> Option<Duration> {
        let now = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let written = SystemTime::try_from(*answer.last_modified()?).ok()?;
        Some(now.duration_since(written).unwrap_or_default())
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            date.and_then(|date| httpdate::parse_http_date(date).ok());
        Ok(())
    }
}
