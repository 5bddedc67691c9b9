//! What a `provider` block, `clouds.yaml` and the environment say of a cloud, brought together.
//!
//! Names and precedence are those of the Terraform provider and of the `openstack` command: what the block says counts; then the entry of
//! `clouds.yaml` that `cloud` or `OS_CLOUD` names; then variables `OS_*`, of which none is read where an entry is named.
//!
//! What belongs together is taken from one place: who names a project in the block does not get the id of another one from the environment.

mod clouds;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipectl_core::{Diagnostic, Path, Value};
use pipectl_http::Url;
use pipectl_provider::arguments::{flag, integer, text, text_map};
use pipectl_provider::{Cx, Environment};

use crate::identity::{Credential, Domain, Named, Scope, web_address};
use crate::settings::clouds::Entry;

/// Everything that a client needs.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Keystone, with its version: `https://keystone.cern.ch/v3`.
    pub(crate) identity: Url,
    pub(crate) credential: Credential,
    pub(crate) scope: Scope,
    /// The region whose endpoints are used; any, where none is given.
    pub(crate) region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub(crate) interface: String,
    /// Endpoints by service type, instead of those of the catalogue.
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) certificate_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) is_insecure: bool,
    /// How often a request is sent again.
    pub(crate) retries: Option<usize>,
}

/// Looks a setting up where it may stand.
struct Sources<'a> {
    block: &'a Value,
    entry: Option<Entry>,
    environment: &'a dyn Environment,
}

impl Sources<'_> {
    /// What the block says.
    fn own(&self, argument: &str) -> Option<String> {
        text(self.block, argument).filter(|given| !given.is_empty()).map(str::to_owned)
    }

    /// What is said where the block says nothing: by a path in an entry (`auth.` is looked into first), or by variables.
    fn beneath(&self, key: &str, variables: &[&str]) -> Option<String> {
        match &self.entry {
            Some(entry) => entry.text(key),
            None => variables.iter().find_map(|name| variable(self.environment, name)),
        }
    }

    /// A setting by its argument, its path in an entry, and its variables.
    fn text(&self, argument: &str, key: &str, variables: &[&str]) -> Option<String> {
        self.own(argument).or_else(|| self.beneath(key, variables))
    }

    /// An id and a name of one thing, both from the first place that says any of them.
    fn pair(&self, [id, name]: [&str; 2], beneath: impl FnOnce() -> Pair) -> Pair {
        match (self.own(id), self.own(name)) {
            (None, None) => beneath(),
            own => own,
        }
    }

    fn flag(&self, argument: &str, key: &str, name: &str) -> Option<bool> {
        flag(self.block, argument).or_else(|| self.entry.as_ref()?.flag(key)).or_else(|| {
            variable(self.environment, name)
                .map(|text| matches!(text.to_lowercase().as_str(), "1" | "t" | "true" | "yes"))
        })
    }

    /// The domain of users or of projects.
    fn domain(&self, kind: &str) -> Option<Domain> {
        let upper = kind.to_uppercase();
        let (id, name) = (format!("{kind}_domain_id"), format!("{kind}_domain_name"));
        let own = Domain::of(self.own(&id), self.own(&name)).or_else(|| self.own_domain());
        let beneath = || {
            let id = self.beneath(&id, &[&format!("OS_{upper}_DOMAIN_ID")]);
            let name = self.beneath(&name, &[&format!("OS_{upper}_DOMAIN_NAME")]);
            Domain::of(id, name)
        };
        own.or_else(beneath).or_else(|| self.common_domain())
    }

    /// The domain of users and projects of which nothing else is said.
    fn common_domain(&self) -> Option<Domain> {
        let beneath = || {
            let name = self.beneath("domain_name", &["OS_DOMAIN_NAME"]);
            Domain::of(self.beneath("domain_id", &["OS_DOMAIN_ID"]), name)
        };
        let default = || self.text("default_domain", "default_domain", &["OS_DEFAULT_DOMAIN"]).map(Domain::Id);
        self.own_domain().or_else(beneath).or_else(default)
    }

    fn own_domain(&self) -> Option<Domain> {
        Domain::of(self.own("domain_id"), self.own("domain_name"))
    }
}

/// An id and a name.
type Pair = (Option<String>, Option<String>);

fn variable(environment: &dyn Environment, name: &str) -> Option<String> {
    environment.variable(name).filter(|value| !value.is_empty())
}

impl Settings {
    /// The settings of a block, which is wholly known.
    ///
    /// # Errors
    /// When something is missing or is not what it should be. No error quotes a password, a token or a secret.
    pub(crate) fn of(cx: &Cx, block: &Value) -> Result<Self, Diagnostic> {
        let environment = cx.environment.as_ref();
        let cloud = text(block, "cloud").map(str::to_owned).or_else(|| variable(environment, "OS_CLOUD"));
        let entry = match cloud {
            Some(name) => Some(clouds::entry(environment, &cx.root, &name)?),
            None => None,
        };
        let sources = Sources { block, entry, environment };
        let retries = integer(block, "max_retries").and_then(|count| usize::try_from(count).ok());
        let file = |argument: &str, variable: &str| {
            sources.text(argument, argument.trim_end_matches("_file"), &[variable]).map(|path| cx.root.join(path))
        };
        Ok(Self {
            identity: identity(&sources)?,
            credential: credential(&sources)?,
            scope: scope(&sources),
            region: sources.text("region", "region_name", &["OS_REGION_NAME"]),
            interface: interface(&sources)?,
            overrides: text_map(block, "endpoint_overrides"),
            ca_file: file("cacert_file", "OS_CACERT"),
            certificate_file: file("cert", "OS_CERT"),
            key_file: file("key", "OS_KEY"),
            is_insecure: match sources.entry.as_ref().and_then(|entry| entry.flag("verify")) {
                Some(verify) if flag(block, "insecure").is_none() => !verify,
                _ => sources.flag("insecure", "insecure", "OS_INSECURE").unwrap_or(false),
            },
            retries,
        })
    }
}

/// The address of Keystone. Any version in it is replaced: only the third is spoken.
fn identity(sources: &Sources<'_>) -> Result<Url, Diagnostic> {
    let Some(given) = sources.text("auth_url", "auth_url", &["OS_AUTH_URL"]) else {
        let detail = "Nothing says where Keystone is.";
        return Err(Diagnostic::error("Missing address of the cloud", detail).on(Path::of("auth_url")).hint(
            "Give `auth_url` in the provider block, or `cloud` with an entry in clouds.yaml, or the environment variable OS_AUTH_URL. At CERN it is \
             https://keystone.cern.ch/v3.",
        ));
    };
    let wrong = || {
        let detail = "The address of Keystone is no URL that begins with `http://` or `https://`.";
        Diagnostic::error("Invalid address of the cloud", detail).on(Path::of("auth_url"))
    };
    let mut url = web_address(&given).ok_or_else(wrong)?;
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v3").or_else(|| path.strip_suffix("/v2.0")).unwrap_or(path);
    let path = format!("{path}/v3");
    url.set_path(&path);
    Ok(url)
}

fn interface(sources: &Sources<'_>) -> Result<String, Diagnostic> {
    let given = sources.text("endpoint_type", "interface", &["OS_ENDPOINT_TYPE", "OS_INTERFACE"]);
    let given = given.unwrap_or_else(|| "public".to_owned());
    let plain = given.trim_end_matches("URL");
    match ["public", "internal", "admin"].contains(&plain) {
        true => Ok(plain.to_owned()),
        false => {
            let detail = format!("`{given}` is no interface: there are `public`, `internal` and `admin`.");
            Err(Diagnostic::error("Invalid interface", detail).on(Path::of("endpoint_type")))
        }
    }
}

fn scope(sources: &Sources<'_>) -> Scope {
    let own_project = (sources.own("tenant_id"), sources.own("tenant_name"));
    let is_system = flag(sources.block, "system_scope").unwrap_or_else(|| {
        own_project == (None, None)
            && sources.beneath("system_scope", &["OS_SYSTEM_SCOPE"]).is_some_and(|scope| scope != "false")
    });
    if is_system {
        return Scope::System;
    }
    let (id, name) = sources.pair(["tenant_id", "tenant_name"], || {
        let id = sources.beneath("project_id", &["OS_PROJECT_ID", "OS_TENANT_ID"]);
        let name = sources.beneath("project_name", &["OS_PROJECT_NAME", "OS_TENANT_NAME"]);
        (id.or_else(|| sources.beneath("tenant_id", &[])), name.or_else(|| sources.beneath("tenant_name", &[])))
    });
    match Named::of(id, name, sources.domain("project")) {
        Some(project) => Scope::Project(project),
        None => sources.common_domain().map_or(Scope::Unscoped, Scope::Domain),
    }
}

/// What proves who is asking, and where it is from.
struct Proof {
    /// An application credential.
    id: Option<String>,
    name: Option<String>,
    token: Option<String>,
    /// The kind that is asked for.
    kind: Option<String>,
}

impl Proof {
    /// All from the block, if it says any of it: then nothing of another kind counts that is said elsewhere.
    fn of(sources: &Sources<'_>) -> Self {
        let own = Self {
            id: sources.own("application_credential_id"),
            name: sources.own("application_credential_name"),
            token: sources.own("token"),
            kind: None,
        };
        let says_password = sources.own("password").is_some();
        if says_password || [&own.id, &own.name, &own.token].into_iter().any(Option::is_some) {
            return own;
        }
        let kind = match &sources.entry {
            Some(entry) => entry.text("auth_type"),
            None => variable(sources.environment, "OS_AUTH_TYPE"),
        };
        let name = sources.beneath("application_credential_name", &["OS_APPLICATION_CREDENTIAL_NAME"]);
        if sources.own("user_id").or_else(|| sources.own("user_name")).is_some() {
            // What says itself whose it is may be somebody else's.
            return Self { name, ..own };
        }
        Self {
            id: sources.beneath("application_credential_id", &["OS_APPLICATION_CREDENTIAL_ID"]),
            name,
            token: sources.beneath("token", &["OS_TOKEN", "OS_AUTH_TOKEN"]),
            kind,
        }
    }
}

/// How to prove who is asking: as `auth_type` says, or as what is there suggests.
fn credential(sources: &Sources<'_>) -> Result<Credential, Diagnostic> {
    let given = |argument: &str, variable: &str| sources.text(argument, argument, &[variable]);
    let Proof { id, name, token, kind } = Proof::of(sources);
    let (user_id, user_name) = sources.pair(["user_id", "user_name"], || {
        (sources.beneath("user_id", &["OS_USER_ID"]), sources.beneath("username", &["OS_USERNAME"]))
    });
    let user = || Named::of(user_id.clone(), user_name.clone(), sources.domain("user"));
    let missing = |what: &str, argument: &str, hint: &str| {
        Diagnostic::error("Missing credentials", what).on(Path::of(argument)).hint(hint)
    };
    match kind.as_deref() {
        Some("v3fedkerb" | "v3kerberos" | "v3oidcpassword" | "v3oidcclientcredentials" | "v3totp") => {
            let kind = kind.unwrap_or_default();
            let detail = format!("The kind of credentials `{kind}` is not among those that are known.");
            return Err(Diagnostic::error("Unknown kind of credentials", detail).hint(
                "Get a token with the `openstack` command and hand it on: OS_AUTH_TYPE=token OS_TOKEN=$(openstack token issue -f value -c id). For jobs make \
                 an application credential: openstack application credential create NAME --unrestricted.",
            ));
        }
        Some("token" | "v3token") | None if token.is_some() && id.is_none() && name.is_none() => {
            return Ok(Credential::Token(token.unwrap_or_default().into()));
        }
        _ => {}
    }
    if id.is_some() || name.is_some() {
        let secret = given("application_credential_secret", "OS_APPLICATION_CREDENTIAL_SECRET").ok_or_else(|| {
            missing(
                "There is an application credential without its secret.",
                "application_credential_secret",
                "Give `application_credential_secret`, best as secret(\"env:OS_APPLICATION_CREDENTIAL_SECRET\").",
            )
        })?;
        return match (id, name, user()) {
            (Some(id), _, _) => Ok(Credential::ApplicationId { id, secret: secret.into() }),
            (None, Some(name), Some(user)) => Ok(Credential::ApplicationName { name, user, secret: secret.into() }),
            (None, ..) => Err(missing(
                "An application credential that is named, and not given by its id, needs the user whose it is.",
                "application_credential_name",
                "Give `application_credential_id`, or `user_name` with `user_domain_name`.",
            )),
        };
    }
    let hint = "Give `user_name` and `password`, or an application credential, or `token`, or `cloud` with an entry in clouds.yaml; or the variables of an \
                openrc file: source openrc.sh.";
    let user = user().ok_or_else(|| missing("Nothing says who asks.", "user_name", hint))?;
    let password = given("password", "OS_PASSWORD")
        .ok_or_else(|| missing("There is a user, and neither a password nor a token.", "password", hint))?;
    Ok(Credential::Password { user, password: password.into() })
}
