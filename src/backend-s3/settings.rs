//! The arguments of `backend "s3" { ... }`: those of Terraform's backend of that name, as far as they have a meaning here.

use std::path::Path as FilePath;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_s3_client::{Encrypted, Settings as Server};

/// Where states lie in a bucket, and how to get there.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The bucket. It must be there.
    pub bucket: String,
    /// What the names of objects begin with, without a `/` at the end; of a state, for the workspace `default`. A state whose key ends in `.tfstate`,
    /// which is the name of Terraform's object, has `.pipectl` in place of that.
    pub key: String,
    /// What stands before the workspace and the key for all other workspaces: `env:`.
    pub workspace_prefix: String,
    /// Who signs, and which server is asked.
    pub server: Server,
    /// What encryption the server is asked for.
    pub encrypted: Encrypted,
}

/// Workspaces other than `default` lie below this, unless `workspace_key_prefix` says otherwise: as with Terraform.
const WORKSPACES: &str = "env:";

pub(crate) fn schema() -> Schema {
    let text = |name: &'static str, what: &str| (name, Attribute::optional(Type::String, what));
    let flag = |name: &'static str, what: &str| (name, Attribute::optional(Type::Bool, what));
    let endpoints = Type::Map(Box::new(Type::String));
    let mut schema = Schema::of([
        ("bucket", Attribute::required(Type::String, "The bucket, which must be there.")),
        (
            "key",
            Attribute::required(
                Type::String,
                "What the names of the state's objects begin with. A name that ends in `.tfstate`, as Terraform has it, gets `.pipectl` in place \
                 of that, so that both lie beside each other.",
            ),
        ),
        ("endpoints", Attribute::optional(endpoints, "`{ s3 = \"https://..\" }`: a server other than Amazon's.")),
        text("endpoint", "Deprecated: `endpoints = { s3 = .. }`."),
        flag("use_path_style", "The bucket stands in the URL's path. Servers other than Amazon's mostly need that."),
        flag("force_path_style", "Deprecated: `use_path_style`."),
        text("workspace_key_prefix", "What stands before the names of other workspaces. Default: `env:`."),
        flag("encrypt", "Ask the server to encrypt what it stores, with keys of its own."),
        text("kms_key_id", "With `encrypt`: with this key of its key service."),
        text("dynamodb_table", "Has no effect: a state is always locked, by an object beside it."),
        flag("use_lockfile", "Has no effect: a state is always locked, by an object beside it."),
        flag("skip_s3_checksum", "Has no effect: no checksums are sent that a server might not know."),
    ]);
    schema.attributes.extend(Server::schema().attributes);
    schema.described("States in a bucket of Amazon S3, Ceph, SeaweedFS, or whoever else speaks S3.")
}

impl Settings {
    /// What the block says, where nothing is wrong with it. Paths of files begin at `root`.
    pub(crate) fn usable(arguments: &Value, root: &FilePath) -> Result<Self, Diagnostics> {
        match Self::read(arguments, root) {
            (_, problems) if problems.has_errors() => Err(problems),
            (settings, _) => Ok(settings),
        }
    }

    /// What the block says, and what is wrong with it. Paths of files begin at `root`.
    pub(crate) fn read(arguments: &Value, root: &FilePath) -> (Self, Diagnostics) {
        let mut problems = Diagnostics::new();
        let text = |name: &str| {
            let text = arguments.attribute(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let flag = |name: &str| arguments.attribute(name).and_then(Value::as_bool).unwrap_or(false);
        for (old, new) in [("endpoint", "endpoints = { s3 = .. }"), ("force_path_style", "use_path_style = true")] {
            if arguments.attribute(old).is_some_and(|value| !value.is_null()) {
                let detail = format!("The argument `{old}` is deprecated.");
                problems.push(Diagnostic::warning("Deprecated argument", detail).on(Path::of(old)).hint(new));
            }
        }
        if text("dynamodb_table").is_some() {
            let detail = "The argument `dynamodb_table` has no effect: the state is locked by an object beside it, and needs no table.";
            problems.push(Diagnostic::warning("Argument without effect", detail).on(Path::of("dynamodb_table")));
        }
        let bucket = required(&text, "bucket", &mut problems);
        let key = required(&text, "key", &mut problems);
        if key.starts_with('/') || key.ends_with('/') {
            let detail = "The argument `key` must not begin or end with a slash.";
            problems.push(Diagnostic::error("Invalid key", detail).on(Path::of("key")));
        }
        let workspace_prefix = text("workspace_key_prefix").unwrap_or_else(|| WORKSPACES.to_owned());
        if workspace_prefix.starts_with('/') || workspace_prefix.ends_with('/') {
            let detail = "The argument `workspace_key_prefix` must not begin or end with a slash.";
            problems.push(Diagnostic::error("Invalid key", detail).on(Path::of("workspace_key_prefix")));
        }
        let endpoints = arguments.attribute("endpoints").and_then(Value::as_object);
        for name in endpoints.into_iter().flatten().map(|(name, _)| name).filter(|name| *name != "s3") {
            let detail =
                format!("There is no endpoint `{name}`: nobody is asked but the bucket's server, which is `s3`.");
            problems.push(Diagnostic::error("Invalid endpoint", detail).on(Path::of("endpoints").name(name)));
        }
        let of_s3 = endpoints.and_then(|endpoints| endpoints.get("s3")?.as_str()).map(str::to_owned);
        let place = if of_s3.is_some() { Path::of("endpoints").name("s3") } else { Path::of("endpoint") };
        let endpoint = of_s3.or_else(|| text("endpoint"));
        let server = Server::read(arguments, root, &mut problems).with_endpoint(endpoint, place, &mut problems);
        let is_path_style = flag("use_path_style") || flag("force_path_style");
        let server = Server { is_path_style, ..server };
        let encrypted = match (flag("encrypt"), text("kms_key_id")) {
            (true, Some(key)) => Encrypted::With(key),
            (true, None) => Encrypted::ByTheServer,
            (false, Some(_)) => {
                let detail = "`kms_key_id` has a meaning only together with `encrypt = true`.";
                problems.push(Diagnostic::error("Incomplete encryption", detail).on(Path::of("kms_key_id")));
                Encrypted::AsTheBucketDoes
            }
            (false, None) => Encrypted::AsTheBucketDoes,
        };
        let settings = Self { bucket, key, workspace_prefix, server, encrypted };
        (settings, problems)
    }

    /// What the keys of a workspace's objects begin with.
    pub(crate) fn place(&self, workspace: &str) -> String {
        match self.key.strip_suffix(".tfstate") {
            Some(stem) => self.in_workspace(workspace, &format!("{stem}.pipectl")),
            None => self.in_workspace(workspace, &self.key),
        }
    }

    /// The object in which Terraform keeps its state of a workspace.
    pub(crate) fn terraform(&self, workspace: &str) -> String {
        self.in_workspace(workspace, &self.key)
    }

    fn in_workspace(&self, workspace: &str, key: &str) -> String {
        match workspace {
            DEFAULT => key.to_owned(),
            workspace => format!("{}/{workspace}/{key}", self.workspace_prefix),
        }
    }
}

/// The workspace that is always there.
pub(crate) const DEFAULT: &str = "default";

fn required(text: &dyn Fn(&str) -> Option<String>, name: &'static str, problems: &mut Diagnostics) -> String {
    text(name).unwrap_or_else(|| {
        let detail = format!("The argument `{name}` must not be empty.");
        problems.push(Diagnostic::error("Missing argument", detail).on(Path::of(name)));
        String::new()
    })
}
