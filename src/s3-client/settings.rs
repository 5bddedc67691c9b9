//! Who signs and which server is asked: the arguments that Terraform's backend `s3` and its provider `aws` have in common.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};

/// Who signs, and which server is asked.
#[derive(Clone, Default)]
pub struct Settings {
    /// The region. `None`: what the environment or the profile says.
    pub region: Option<String>,
    /// The server's URL. `None`: Amazon's, or what the environment or the profile says.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of a URL rather than in its host.
    pub is_path_style: bool,
    /// Access key, secret key, session token. `None`: what the environment or the profile says.
    pub credentials: Option<(String, String, Option<String>)>,
    /// The profile in the shared files.
    pub profile: Option<String>,
    /// Shared configuration files, in place of `~/.aws/config`.
    pub config_files: Vec<PathBuf>,
    /// Shared credentials files, in place of `~/.aws/credentials`.
    pub credentials_files: Vec<PathBuf>,
    /// Whether a machine of Amazon's is never asked who it is.
    pub is_metadata_api_skipped: bool,
    /// A file with certificates, as PEM, to trust besides the system's.
    pub ca_bundle: Option<PathBuf>,
}

impl fmt::Debug for Settings {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The arguments that are called the same wherever a server of S3 is named.
    pub fn schema() -> Schema {
        let text = |name: &'static str, what: &str| (name, Attribute::optional(Type::String, what));
        let secret = |name: &'static str, what: &str| (name, Attribute::optional(Type::String, what).sensitive());
        let flag = |name: &'static str, what: &str| (name, Attribute::optional(Type::Bool, what));
        let files =
            |name: &'static str, what: &str| (name, Attribute::optional(Type::List(Box::new(Type::String)), what));
        Schema::of([
            text("region", "Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, or what the profile says."),
            secret(
                "access_key",
                "Default: `AWS_ACCESS_KEY_ID`, the profile, or who the machine is. Better not in a file.",
            ),
            secret("secret_key", "Default: `AWS_SECRET_ACCESS_KEY`, likewise. Better not in a file."),
            secret("token", "Default: `AWS_SESSION_TOKEN`, likewise."),
            text("profile", "The profile in the shared files. Default: `AWS_PROFILE`."),
            files("shared_config_files", "Default: `~/.aws/config`."),
            files("shared_credentials_files", "Default: `~/.aws/credentials`."),
            text(
                "custom_ca_bundle",
                "A file of certificates, as PEM, to trust besides the system's. Default: `AWS_CA_BUNDLE`.",
            ),
            flag("skip_metadata_api_check", "Never ask the metadata service of a machine who it is."),
            flag("skip_credentials_validation", "Has no effect: nothing is asked but the bucket."),
            flag("skip_region_validation", "Has no effect: the region is taken as it is."),
            flag("skip_requesting_account_id", "Has no effect: nobody asks."),
        ])
    }

    /// What these arguments say; what is wrong with them is added to `problems`. Paths of files begin at `root`. The server, and where the bucket
    /// stands in URLs, is called otherwise everywhere.
    pub fn read(arguments: &Value, root: &FilePath, problems: &mut Diagnostics) -> Self {
        let text = |name: &str| {
            let text = arguments.attribute(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let files = |name: &str| -> Vec<PathBuf> {
            let items = arguments.attribute(name).and_then(Value::as_slice).unwrap_or_default();
            items.iter().filter_map(|item| Some(root.join(at_home(item.as_str()?)))).collect()
        };
        let credentials = match (text("access_key"), text("secret_key")) {
            (Some(access), Some(secret)) => Some((access, secret, text("token"))),
            (None, None) => {
                if text("token").is_some() {
                    let detail = "`token` stands here without `access_key` and `secret_key`: they go together.";
                    problems.push(Diagnostic::error("Incomplete credentials", detail).on(Path::of("token")));
                }
                None
            }
            (access, _) => {
                let (given, missing) =
                    if access.is_some() { ("access_key", "secret_key") } else { ("secret_key", "access_key") };
                let detail = format!("`{given}` stands here without `{missing}`: they go together.");
                problems.push(Diagnostic::error("Incomplete credentials", detail).on(Path::of(given)));
                None
            }
        };
        Self {
            region: text("region"),
            endpoint: None,
            is_path_style: false,
            credentials,
            profile: text("profile"),
            config_files: files("shared_config_files"),
            credentials_files: files("shared_credentials_files"),
            is_metadata_api_skipped: arguments
                .attribute("skip_metadata_api_check")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            ca_bundle: text("custom_ca_bundle").map(|path| root.join(at_home(&path))),
        }
    }

    /// The same with a server other than Amazon's, which the argument at `place` names.
    #[must_use]
    pub fn with_endpoint(mut self, url: Option<String>, place: Path, problems: &mut Diagnostics) -> Self {
        if url.as_deref().is_some_and(pipectl_core::names_user) {
            let detail = "The URL of a server holds no user and no password: requests are signed with keys.";
            problems.push(Diagnostic::error("Invalid endpoint", detail).on(place));
        } else if let Some(url) = &url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            let detail = format!("`{url}` is not the URL of a server: it begins with neither https:// nor http://.");
            problems.push(Diagnostic::error("Invalid endpoint", detail).on(place));
        }
        self.endpoint = url;
        self
    }
}

/// `~` at the beginning is the home folder.
#[expect(clippy::disallowed_methods, reason = "it is the folder in which the SDK looks for its own files")]
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
