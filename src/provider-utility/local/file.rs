//! The resources `local_file` and `local_sensitive_file`.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path as FilePath;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, Instance, PlanRequest, PlanResponse, ReadOutcome, Reason};

use super::{file_error, path_of};
use crate::digests::{Digests, sha1_hex, with_digests};
use crate::kept::Kept;
use crate::planning::{Defaults, plan, replaced};
use pipectl_provider::arguments::{is_given, text};
use pipectl_provider::rules::exactly_one_of;

pub(super) struct LocalFile;

impl Kept for LocalFile {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let sensitive = Attribute::optional(Type::String, "Like `content`, and not shown; use `local_sensitive_file`.");
        schema(false)
            .attribute("sensitive_content", sensitive.sensitive().forces_replacement())
            .described("A file with given content.")
    }

    fn defaults() -> Defaults {
        permissions("0777")
    }

    fn validate(config: &Value) -> Diagnostics {
        validate(config, &["content", "sensitive_content", "content_base64", "source"])
    }

    fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        read(cx, prior)
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_drift(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        make(cx, planned)
    }

    fn remove(cx: &Cx, prior: &Value) -> Result<(), Diagnostics> {
        remove(cx, prior)
    }
}

pub(super) struct LocalSensitiveFile;

impl Kept for LocalSensitiveFile {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        schema(true).described("A file with given content that is not shown.")
    }

    fn defaults() -> Defaults {
        permissions("0700")
    }

    fn validate(config: &Value) -> Diagnostics {
        validate(config, &["content", "content_base64", "source"])
    }

    fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        read(cx, prior)
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_drift(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        make(cx, planned)
    }

    fn remove(cx: &Cx, prior: &Value) -> Result<(), Diagnostics> {
        remove(cx, prior)
    }
}

fn schema(sensitive: bool) -> Schema {
    let mode = if sensitive { "0700" } else { "0777" };
    let content = |description: &str| {
        let attribute = Attribute::optional(Type::String, description).forces_replacement();
        if sensitive { attribute.sensitive() } else { attribute }
    };
    let permission = |what: &str| {
        let description = format!("Mode of {what}, in octal and before the umask. Default: `{mode}`.");
        Attribute::optional_computed(Type::String, &description).forces_replacement()
    };
    let schema = Schema::of([
        ("filename", Attribute::required(Type::String, "The file's path.").forces_replacement()),
        ("content", content("The content, as text.")),
        ("content_base64", content("The content, in base64.")),
        ("source", Attribute::optional(Type::String, "A file to copy.").forces_replacement()),
        ("file_permission", permission("the file")),
        ("directory_permission", permission("folders that are made for it")),
    ]);
    with_digests(schema, "content", "sha1", "content")
}

fn permissions(mode: &'static str) -> Defaults {
    vec![("file_permission", mode.into()), ("directory_permission", mode.into())]
}

fn validate(config: &Value, contents: &[&str]) -> Diagnostics {
    let mut found = exactly_one_of(config, contents);
    for name in ["file_permission", "directory_permission"] {
        found.extend(text(config, name).and_then(|given| mode_problem(name, given)));
    }
    if text(config, "content_base64").is_some_and(|content| STANDARD.decode(content).is_err()) {
        // Without the decoder's message: it names a character of the content, which may be secret.
        let detail = "The value of `content_base64` is not base64 in its standard alphabet, with padding.";
        found.push(Diagnostic::error("Invalid Base64", detail).on(Path::of("content_base64")));
    }
    found
}

fn mode_problem(name: &str, given: &str) -> Option<Diagnostic> {
    let detail = if !(3..=4).contains(&given.len()) {
        format!("bad mode permission: string length should be 3 or 4 digits: {given}")
    } else if mode(given).is_none() {
        format!("bad mode permission: string must be expressed in octal numeric notation: {given}")
    } else {
        return None;
    };
    Some(Diagnostic::error("Invalid File Permission String Value", detail).on(Path::of(name)))
}

fn mode(text: &str) -> Option<u32> {
    let is_octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
}

fn read(cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
    let shown = text(&prior.attributes, "filename").unwrap_or_default();
    let content = match fs::read(path_of(cx, &prior.attributes, "filename")) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ReadOutcome::Gone),
        Err(error) => return Err(file_error("Read local file error", "read", shown, &error)),
    };
    let is_as_written = text(&prior.attributes, "id") == Some(&sha1_hex(&content));
    let drift =
        if is_as_written { Vec::new() } else { vec![format!("the content of `{shown}` is not what was written")] };
    Ok(ReadOutcome::Present { instance: Box::new(prior.clone()), drift })
}

fn plan_with_drift(schema: &Schema, defaults: &Defaults, request: PlanRequest<'_>) -> PlanResponse {
    let response = plan(schema, defaults, request);
    let reasons = request.drift.iter().map(Reason::new).collect();
    replaced(schema, defaults, request, response, reasons, None)
}

fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
    const SUMMARY: &str = "Create local file error";
    let content = content(cx, planned)?;
    let shown = text(planned, "filename").unwrap_or_default();
    let path = path_of(cx, planned, "filename");
    let permission = |name: &str| text(planned, name).and_then(mode).unwrap_or(0o777);
    if let Some(folder) = path.parent() {
        make_folders(folder, permission("directory_permission"))
            .map_err(|error| file_error(SUMMARY, "make the folder of", shown, &error))?;
    }
    write(&path, &content, permission("file_permission"))
        .map_err(|error| file_error(SUMMARY, "write", shown, &error))?;
    let digests = Digests::of(&content).attributes("content", "sha1");
    Ok(digests.into_iter().fold(planned.clone(), |planned, (name, value)| planned.with_attribute(&name, value)))
}

fn content(cx: &Cx, planned: &Value) -> Result<Vec<u8>, Diagnostics> {
    if let Some(content) = text(planned, "sensitive_content").or_else(|| text(planned, "content")) {
        return Ok(content.as_bytes().to_vec());
    }
    if let Some(content) = text(planned, "content_base64") {
        let detail = "The value of `content_base64` is not base64.";
        return STANDARD.decode(content).map_err(|_| Diagnostic::error("Invalid Base64", detail).into());
    }
    if !is_given(planned, "source") {
        return Ok(Vec::new());
    }
    let shown = text(planned, "source").unwrap_or_default();
    fs::read(path_of(cx, planned, "source"))
        .map_err(|error| file_error("Create local file error", "read", shown, &error))
}

#[cfg(unix)]
fn make_folders(folder: &FilePath, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder)
}

#[cfg(not(unix))]
fn make_folders(folder: &FilePath, _mode: u32) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

/// Writes a file. The mode counts for a file that is made here; one that was there keeps its own, as in HashiCorp's provider.
/// Half of a file that was made here does not stay: nobody would know whose it is.
fn write(path: &FilePath, content: &[u8], mode: u32) -> std::io::Result<()> {
    let was_there = path.symlink_metadata().is_ok();
    let written = write_over(path, content, mode);
    if written.is_err() && !was_there {
        let _ = fs::remove_file(path);
    }
    written
}

fn write_over(path: &FilePath, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)?.write_all(content)
}

fn remove(cx: &Cx, prior: &Value) -> Result<(), Diagnostics> {
    let shown = text(prior, "filename").unwrap_or_default();
    match fs::remove_file(path_of(cx, prior, "filename")) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(file_error("Delete local file error", "remove", shown, &error)),
    }
}
