//! `archive_file`, as a resource and as a data source.
//!
//! The data source writes the file when it is read, that is while planning, because Terraform's does: what depends on the digests is then
//! known in the plan. The resource only looks while planning, and writes when the plan is applied.

use std::fs;

use async_trait::async_trait;
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, DataSource, Effect, PlanRequest, PlanResponse, Reason};

use super::entries::{entries, file_mode};
use super::{ArchiveError, tar, zip};
use crate::digests::{Digests, with_digests};
use crate::kept::Kept;
use crate::local::{file_error, path_of};
use crate::planning::plan;
use pipectl_provider::arguments::{blocks, filled, is_unknown, text};
use pipectl_provider::rules::conflicts;

const SOURCES: [&str; 5] = ["source", "source_content", "source_content_filename", "source_dir", "source_file"];
/// What follows from the archive's bytes.
const OUTPUTS: [&str; 7] =
    ["id", "output_md5", "output_sha", "output_sha256", "output_base64sha256", "output_sha512", "output_base64sha512"];

pub(super) struct ArchiveFile;

impl Kept for ArchiveFile {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        schema(true).described("Files packed into one, when the plan is applied.")
    }

    fn validate(config: &Value) -> Diagnostics {
        validate(config)
    }

    fn plan(cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let mut response = plan(schema, &Self::defaults(), request);
        let Some(prior) = request.prior else { return Ok(response) };
        if !matches!(response.effect, Effect::NoOp | Effect::Update) {
            return Ok(response);
        }
        response.reasons.extend(stale(cx, request.config, &prior.attributes));
        if !response.reasons.is_empty() {
            response.effect = Effect::Update;
            let later = OUTPUTS.map(|name| (name, Value::unknown(Type::String)));
            let later = later.into_iter().chain([("output_size", Value::unknown(Type::Number))]);
            response.planned = filled(&response.planned, later);
        }
        Ok(response)
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        write(cx, planned)
    }

    fn change(cx: &Cx, _prior: &Value, planned: &Value) -> Result<Value, Diagnostics> {
        write(cx, planned)
    }
}

/// Why the archive that was made is not what the sources make now.
fn stale(cx: &Cx, config: &Value, prior: &Value) -> Option<Reason> {
    let shown = text(prior, "output_path").unwrap_or_default();
    let before = text(prior, "output_sha256");
    if SOURCES.iter().any(|name| is_unknown(config, name)) {
        return None;
    }
    match pack(cx, config) {
        Ok(bytes) if before != Some(&Digests::of(&bytes).sha256) => {
            return Some(Reason::new("the files that it packs have changed"));
        }
        Ok(_) => {}
        // Applying tells what is wrong, unless the source has come back by then.
        Err(ArchiveError(problem)) => return Some(Reason::new(problem)),
    }
    match fs::read(path_of(cx, prior, "output_path")) {
        Ok(bytes) if before == Some(&Digests::of(&bytes).sha256) => None,
        Ok(_) => Some(Reason::new(format!("the content of `{shown}` is not what was written"))),
        Err(_) => Some(Reason::new(format!("`{shown}` is gone"))),
    }
}

pub(super) struct ArchiveData {
    schema: Schema,
}

impl ArchiveData {
    pub(super) fn new() -> Self {
        Self { schema: schema(false).described("Files packed into one, when the plan is made.") }
    }
}

#[async_trait]
impl DataSource for ArchiveData {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let (cx, config) = (cx.clone(), config.clone());
        let written = tokio::task::spawn_blocking(move || write(&cx, &config)).await;
        written.unwrap_or_else(|_| Err(failed("the archiver stopped unexpectedly, which is a mistake in pipectl")))
    }
}

fn schema(is_resource: bool) -> Schema {
    let forced = |attribute: Attribute| if is_resource { attribute.forces_replacement() } else { attribute };
    let required = |description: &str| forced(Attribute::required(Type::String, description));
    let optional = |ty: Type, description: &str| forced(Attribute::optional(ty, description));
    let source = Schema::of([
        ("content", required("The file's content.")),
        ("filename", required("The file's path in the archive.")),
    ]);
    let schema = Schema::of([
        ("type", required("The format: `zip` or `tar.gz`.")),
        ("output_path", required("The archive's path.")),
        (
            "source_content",
            optional(Type::String, "Content of the only file, whose name is `source_content_filename`."),
        ),
        ("source_content_filename", optional(Type::String, "Name of the only file.")),
        ("source_file", optional(Type::String, "A file to pack.")),
        ("source_dir", optional(Type::String, "A folder to pack, with everything below it.")),
        (
            "excludes",
            optional(Type::set(Type::String), "Patterns of paths in `source_dir` to leave out; `**` reaches over `/`."),
        ),
        (
            "exclude_symlink_directories",
            Attribute::optional(Type::Bool, "Whether to leave out folders behind links. Default: false."),
        ),
        ("output_file_mode", optional(Type::String, "Mode of all packed files, in octal: `0644`. Default: their own.")),
        ("output_size", Attribute::computed(Type::Number, "Bytes of the archive.")),
    ])
    .block("source", Block::list(source, "A file with given content."));
    with_digests(schema, "output", "sha", "archive")
}

fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let has_blocks = !blocks(config, "source").is_empty() || is_unknown(config, "source");
    let arguments = ["source_content_filename", "source_file", "source_dir"];
    if !has_blocks && arguments.iter().all(|name| config.set_attribute(name).is_none()) {
        let detail = "At least one of these attributes must be configured: [source,source_content_filename,source_file,source_dir].";
        found.push(Diagnostic::error("Missing Attribute Configuration", detail));
    }
    if has_blocks {
        for name in SOURCES.iter().skip(1).filter(|name| config.set_attribute(name).is_some()) {
            let detail = format!("Attribute {name:?} cannot be specified when \"source\" is specified.");
            found.push(Diagnostic::error("Invalid Attribute Combination", detail).on(Path::of("source")));
        }
    }
    for (name, others) in [
        ("source_content", &["source_file", "source_dir"][..]),
        ("source_content_filename", &["source_file", "source_dir"]),
        ("source_file", &["source_dir"]),
        ("excludes", &["source_file", "source_content", "source_content_filename"]),
    ] {
        found.extend(conflicts(config, name, others));
    }
    if let Some(given) = text(config, "type")
        && !["zip", "tar.gz"].contains(&given)
    {
        let detail = format!("error creating archive: archive type not supported: {given}");
        found.push(Diagnostic::error("Archive creation error", detail).on(Path::of("type")));
    }
    if let Some(given) =
        text(config, "output_file_mode").filter(|given| !given.is_empty() && file_mode(given).is_none())
    {
        let detail = format!("error parsing output_file_mode value: {given}");
        found.push(Diagnostic::error("Archive creation error", detail).on(Path::of("output_file_mode")));
    }
    found
}

fn pack(cx: &Cx, config: &Value) -> Result<Vec<u8>, ArchiveError> {
    let entries = entries(cx, config)?;
    match text(config, "type").unwrap_or_default() {
        "zip" => zip::pack(&entries),
        "tar.gz" => tar::pack(&entries),
        other => Err(ArchiveError::new(format!("archive type not supported: {other}"))),
    }
}

fn failed(problem: &str) -> Diagnostics {
    Diagnostic::error("Archive creation error", format!("error creating archive: {problem}")).into()
}

/// Makes the archive's file, and the attributes that follow from it.
fn write(cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
    let bytes = pack(cx, config).map_err(|ArchiveError(problem)| failed(&problem))?;
    let shown = text(config, "output_path").unwrap_or_default();
    let path = path_of(cx, config, "output_path");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| file_error("Output path error", "make the folder of", shown, &error))?;
    }
    // A file that is right already keeps its time, so that nothing that watches it starts.
    if fs::read(&path).ok().as_deref() != Some(&bytes) {
        fs::write(&path, &bytes).map_err(|error| file_error("Archive output error", "write", shown, &error))?;
    }
    let length = i64::try_from(bytes.len()).expect("a file in memory is shorter than 2^63");
    let digests = Digests::of(&bytes).attributes("output", "sha");
    let made = config.with_attribute("output_size", length.into());
    Ok(digests.into_iter().fold(made, |made, (name, value)| made.with_attribute(&name, value)))
}
