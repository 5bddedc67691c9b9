//! What a `provider` block, the environment and `~/.oci/config` say of who asks and where, brought together.
//!
//! Names and precedence are those of the Terraform provider: what the block says counts; then the environment (`TF_VAR_NAME`, `OCI_NAME`); then the
//! profile of the configuration file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use pipectl_core::{Diagnostic, Path, Value};
use pipectl_http::{Client, Retry, Settings as HttpSettings, SettingsError};
use pipectl_oci_client::{Credential, InstanceMetadata, PrivateKey, Profile, Region, resource_principal, workload};
use pipectl_provider::arguments::{flag, integer, text, text_map};
use pipectl_provider::{Cx, Environment};

use crate::cloud::refused;

/// Everything that a client needs.
pub(crate) struct Settings {
    pub(crate) client: Client,
    pub(crate) credential: Credential,
    pub(crate) region: Region,
    pub(crate) overrides: BTreeMap<String, String>,
}

const NO_CREDENTIALS: &str = "Missing credentials";

/// Looks a setting up where it may stand.
struct Sources<'a> {
    block: &'a Value,
    environment: &'a dyn Environment,
    profile: Option<Profile>,
    root: &'a FilePath,
}

impl Sources<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.variable(name).filter(|value| !value.is_empty())
    }

    /// A setting by its argument, its variables, and its name in a profile.
    fn text(&self, argument: &str, in_profile: &str) -> Option<String> {
        let given = text(self.block, argument).filter(|given| !given.is_empty()).map(str::to_owned);
        given
            .or_else(|| self.of_environment(argument))
            .or_else(|| self.profile.as_ref()?.text(in_profile).map(str::to_owned))
    }

    fn of_environment(&self, argument: &str) -> Option<String> {
        self.variable(&format!("TF_VAR_{argument}"))
            .or_else(|| self.variable(&format!("OCI_{argument}")))
            .or_else(|| self.variable(&format!("OCI_{}", argument.to_uppercase())))
    }

    fn path(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.environment.home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.root.join(path),
        }
    }
}

/// How to prove who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ApiKey,
    SecurityToken,
    InstancePrincipal,
    ResourcePrincipal,
    Workload,
}

/// The words for the ways, as the Terraform provider has them.
pub(crate) const WAYS: [&str; 5] =
    ["ApiKey", "SecurityToken", "InstancePrincipal", "ResourcePrincipal", "OKEWorkloadIdentity"];

impl Way {
    fn of(word: &str) -> Option<Self> {
        let ways = [Way::ApiKey, Way::SecurityToken, Way::InstancePrincipal, Way::ResourcePrincipal, Way::Workload];
        WAYS.iter().zip(ways).find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, way)| way)
    }
}

impl Settings {
    /// The settings of a block, which is wholly known.
    ///
    /// # Errors
    /// When something is missing or is not what it should be. No error quotes a key, a token or a passphrase.
    pub(crate) async fn of(cx: &Cx, block: &Value) -> Result<Self, Diagnostic> {
        let mut sources =
            Sources { block, environment: cx.environment.as_ref(), profile: None, root: cx.root.as_path() };
        let word = sources.text("auth", "").unwrap_or_else(|| WAYS[0].to_owned());
        let way = Way::of(&word).ok_or_else(|| {
            let detail = format!("`{word}` is no way to prove who asks: there are {}.", WAYS.join(", "));
            Diagnostic::error("Unknown kind of credentials", detail).on(Path::of("auth"))
        })?;
        sources.profile = profile(&sources, way)?;
        let environment = Arc::clone(&cx.environment);
        let clock = move || environment.now();
        let http = http(&sources)?;
        let client = Client::new(&http, clock.clone()).map_err(|error| unusable(&error))?;
        let overrides = text_map(block, "endpoint_overrides");
        let (credential, own_region) = match way {
            Way::ApiKey => (api_key(&sources)?, None),
            Way::SecurityToken => (session(&sources)?, None),
            Way::InstancePrincipal => {
                let instance = instance(cx, &http, client.clone(), &overrides)?;
                let given = sources.text("region", "region");
                let own = match given {
                    Some(_) => None,
                    None => Some(instance.region().await.map_err(|denied| refused(&denied))?.name),
                };
                (Credential::Instance(instance), own)
            }
            Way::ResourcePrincipal => {
                let environment = |name: &str| cx.environment.variable(name);
                resource_principal(&environment).map_err(|denied| refused(&denied))?
            }
            Way::Workload => {
                let environment = |name: &str| cx.environment.variable(name);
                workload(&environment, &http, clock).map_err(|denied| refused(&denied))?
            }
        };
        let region = sources.text("region", "region").or(own_region).ok_or_else(|| {
            Diagnostic::error("Missing region", "Nothing says which region of OCI is meant.")
                .on(Path::of("region"))
                .hint("Give `region` in the provider block (`eu-frankfurt-1`), or OCI_REGION, or `region` in ~/.oci/config.")
        })?;
        let variables = |name: &str| cx.environment.variable(name);
        let region = Region::of(&region, &variables);
        Ok(Self { client, credential, region, overrides })
    }
}

/// The profile, where one is named or is needed and there.
fn profile(sources: &Sources<'_>, way: Way) -> Result<Option<Profile>, Diagnostic> {
    let named = sources.text("config_file_profile", "").or_else(|| sources.variable("OCI_CLI_PROFILE"));
    let wants = match way {
        Way::ApiKey | Way::SecurityToken => true,
        Way::InstancePrincipal | Way::ResourcePrincipal | Way::Workload => false,
    };
    if !wants && named.is_none() {
        return Ok(None);
    }
    let given = sources.variable("OCI_CONFIG_FILE").or_else(|| sources.variable("OCI_CLI_CONFIG_FILE"));
    let home = sources.environment.home();
    let path = match (&given, &home) {
        (Some(path), _) => sources.path(path),
        (None, Some(home)) => home.join(".oci/config"),
        (None, None) => return Ok(None),
    };
    if named.is_none() && given.is_none() && !path.exists() {
        return Ok(None);
    }
    let name = named.unwrap_or_else(|| "DEFAULT".to_owned());
    Profile::read(&path, &name, home.as_deref()).map(Some).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Diagnostic::error("Invalid configuration file", format!("{}{cause}.", capital(&error.to_string())))
            .on(Path::of("config_file_profile"))
            .hint("oci setup config writes one.")
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A user's key, of the block or of the profile.
fn api_key(sources: &Sources<'_>) -> Result<Credential, Diagnostic> {
    let needed = |argument: &str, in_profile: &str| {
        sources.text(argument, in_profile).ok_or_else(|| {
            let detail = format!("An API key needs `{argument}`, and nothing says it.");
            Diagnostic::error(NO_CREDENTIALS, detail).on(Path::of(argument)).hint(
                "Give `tenancy_ocid`, `user_ocid`, `fingerprint` and `private_key_path` in the provider block, or a profile of ~/.oci/config: oci setup \
                 config. On an instance of OCI: auth = \"InstancePrincipal\".",
            )
        })
    };
    let tenancy = needed("tenancy_ocid", "tenancy")?;
    let user = needed("user_ocid", "user")?;
    let fingerprint = needed("fingerprint", "fingerprint")?;
    Ok(Credential::ApiKey { key_id: format!("{tenancy}/{user}/{fingerprint}"), key: key(sources)? })
}

/// A session of a user. Its token is in a file of the profile.
fn session(sources: &Sources<'_>) -> Result<Credential, Diagnostic> {
    let hint = "Make a session and name its profile in `config_file_profile`: oci session authenticate";
    let token_file =
        sources.profile.as_ref().and_then(|profile| profile.path("security_token_file")).ok_or_else(|| {
            let detail = "A session is asked for, and the profile has no `security_token_file`.";
            Diagnostic::error(NO_CREDENTIALS, detail).on(Path::of("config_file_profile")).hint(hint)
        })?;
    Ok(Credential::Session { token_file, key: key(sources)? })
}

fn key(sources: &Sources<'_>) -> Result<PrivateKey, Diagnostic> {
    let passphrase = sources.text("private_key_password", "pass_phrase");
    let (pem, from) = match sources.text("private_key", "key_content") {
        // Consoles and environments write the ends of lines as `\n`.
        Some(pem) => (pem.replace("\\n", "\n"), "`private_key`".to_owned()),
        None => {
            let path = match sources.text("private_key_path", "") {
                Some(path) => Some(sources.path(&path)),
                None => sources.profile.as_ref().and_then(|profile| profile.path("key_file")),
            };
            let path = path.ok_or_else(|| {
                let detail = "Nothing says which private key to sign with.";
                Diagnostic::error(NO_CREDENTIALS, detail)
                    .on(Path::of("private_key_path"))
                    .hint("Give `private_key_path`, or `key_file` in the profile.")
            })?;
            let pem = fs::read_to_string(&path).map_err(|error| {
                let detail = format!("`{}` cannot be read: {error}.", path.display());
                Diagnostic::error("Unreadable private key", detail).on(Path::of("private_key_path"))
            })?;
            (pem, format!("`{}`", path.display()))
        }
    };
    PrivateKey::from_pem(&pem, passphrase.as_deref()).map_err(|error| {
        let detail = format!("The private key in {from} cannot be used: {error}.");
        Diagnostic::error("Invalid private key", detail)
            .on(Path::of("private_key_path"))
            .hint("`private_key_password` (in a profile: `pass_phrase`) decrypts it. Another form: openssl pkcs8 -topk8 -in KEY.pem")
    })
}

fn instance(
    cx: &Cx,
    http: &HttpSettings,
    client: Client,
    overrides: &BTreeMap<String, String>,
) -> Result<InstanceMetadata, Diagnostic> {
    let environment = Arc::clone(&cx.environment);
    let variables = move |name: &str| environment.variable(name);
    let environment = Arc::clone(&cx.environment);
    let direct = HttpSettings { proxies: Vec::new(), retry: Retry { times: 2, ..http.retry }, ..http.clone() };
    let direct = Client::new(&direct, move || environment.now()).map_err(|error| unusable(&error))?;
    let base = InstanceMetadata::address(&variables).map_err(|denied| refused(&denied))?;
    let authority = overrides.get("auth").map(|url| {
        pipectl_http::Url::parse(url).map_err(|_| {
            Diagnostic::error("Invalid endpoint", format!("`{url}` is no URL.")).on(Path::of("endpoint_overrides"))
        })
    });
    Ok(InstanceMetadata { direct, client, base, authority: authority.transpose()?, environment: Arc::new(variables) })
}

fn http(sources: &Sources<'_>) -> Result<HttpSettings, Diagnostic> {
    let proxies =
        pipectl_http::proxies(&|name| sources.environment.variable(name)).map_err(|error| unusable(&error))?;
    let mut http = HttpSettings { proxies, ..HttpSettings::default() };
    if flag(sources.block, "disable_auto_retries") == Some(true) {
        http.retry = Retry::never();
    }
    if let Some(seconds) =
        integer(sources.block, "retry_duration_seconds").and_then(|seconds| u64::try_from(seconds).ok())
    {
        // Waits grow to half a minute; so many of them make up the time.
        http.retry.times = usize::try_from(seconds / 30).unwrap_or(usize::MAX).saturating_add(5);
    }
    Ok(http)
}

fn unusable(error: &SettingsError) -> Diagnostic {
    Diagnostic::error("No connection can be made", format!("For the connections to OCI {error}."))
}
