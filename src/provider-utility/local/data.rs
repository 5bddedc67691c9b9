//! The data sources `local_file` and `local_sensitive_file`.

use std::fs;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource};

use super::{file_error, path_of};
use crate::digests::{Digests, with_digests};
use pipectl_provider::arguments::{filled, text};

pub(super) struct FileContent {
    schema: Schema,
}

impl FileContent {
    pub(super) fn plain() -> Self {
        Self { schema: schema(false).described("The content of a file.") }
    }

    pub(super) fn sensitive() -> Self {
        Self { schema: schema(true).described("The content of a file, which is not shown.") }
    }
}

fn schema(sensitive: bool) -> Schema {
    let content = |description: &str| {
        let attribute = Attribute::computed(Type::String, description);
        if sensitive { attribute.sensitive() } else { attribute }
    };
    let schema = Schema::of([
        ("filename", Attribute::required(Type::String, "The file's path.")),
        ("content", content("The content as text; what is not UTF-8 is replaced by U+FFFD.")),
        ("content_base64", content("The content in base64.")),
    ]);
    with_digests(schema, "content", "sha1", "content")
}

#[async_trait]
impl DataSource for FileContent {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let shown = text(config, "filename").unwrap_or_default();
        let content = fs::read(path_of(cx, config, "filename"))
            .map_err(|error| file_error("Read local file data source error", "read", shown, &error))?;
        let texts = [
            ("content", String::from_utf8_lossy(&content).as_ref().into()),
            ("content_base64", STANDARD.encode(&content).into()),
        ];
        let digests = Digests::of(&content).attributes("content", "sha1");
        let read = filled(config, texts);
        Ok(digests.into_iter().fold(read, |read, (name, value)| read.with_attribute(&name, value)))
    }
}
