//! Keystone: who asks, for what, and the tokens that prove it.
//!
//! API: https://docs.openstack.org/api-ref/identity/v3/, sections "Authentication and token management" and "Application credentials".

mod authority;
mod catalog;

use std::fmt;
use std::time::SystemTime;

use pipectl_http::{Call, Client, Denied, Error, Repeat, StatusCode, Url, redact};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) use authority::Authority;
pub(crate) use catalog::Catalog;

use crate::fault;

/// A text that is never printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(sensitive value)")
    }
}

/// The address of a service: one of the web. `neutron.cern.ch:9696` is a URL, too, of a scheme that has the name of a host.
pub(crate) fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// A domain of Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Id(String),
    Name(String),
}

impl Domain {
    pub(crate) fn of(id: Option<String>, name: Option<String>) -> Option<Self> {
        id.map(Domain::Id).or_else(|| name.map(Domain::Name))
    }

    fn json(&self) -> Json {
        match self {
            Domain::Id(id) => json!({ "id": id }),
            Domain::Name(name) => json!({ "name": name }),
        }
    }
}

/// A user or a project: by its id, or by its name, which is one of a domain's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Id(String),
    Name { name: String, domain: Domain },
}

impl Named {
    /// An id counts more than a name. Names without a domain are of the domain `default`, as the `openstack` command has it.
    pub(crate) fn of(id: Option<String>, name: Option<String>, domain: Option<Domain>) -> Option<Self> {
        id.map(Named::Id).or_else(|| {
            let domain = domain.unwrap_or_else(|| Domain::Id("default".to_owned()));
            name.map(|name| Named::Name { name, domain })
        })
    }

    fn json(&self) -> Json {
        match self {
            Named::Id(id) => json!({ "id": id }),
            Named::Name { name, domain } => json!({ "name": name, "domain": domain.json() }),
        }
    }
}

/// How somebody proves who they are.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Password { user: Named, password: Secret },
    ApplicationId { id: String, secret: Secret },
    ApplicationName { name: String, user: Named, secret: Secret },
    Token(Secret),
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Unscoped,
    Project(Named),
    Domain(Domain),
    System,
}

/// Asks for tokens.
#[derive(Clone)]
pub(crate) struct Keystone {
    pub(crate) client: Client,
    pub(crate) url: Url,
    pub(crate) credential: Credential,
    pub(crate) scope: Scope,
}

/// A token and what came with it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) expires: SystemTime,
    pub(crate) user_id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) catalog: Catalog,
}

#[derive(Deserialize)]
struct Answer {
    token: Body,
}

#[derive(Deserialize)]
struct Body {
    expires_at: String,
    user: Identified,
    project: Option<Identified>,
    #[serde(default)]
    catalog: Catalog,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

impl Keystone {
    /// A new token.
    ///
    /// # Errors
    /// When Keystone refuses or cannot be reached.
    pub(crate) async fn token(&self) -> Result<Token, Denied> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/auth/tokens", self.url.path()));
        // Two tokens do no more than one.
        let call = Call::post(url).json(&self.request()).repeat(Repeat::Safe).private();
        let answer = self.client.send(&call).await.map_err(|error| self.explain(&error))?;
        let secret = answer.header("x-subject-token").map(|token| Secret(token.to_owned()));
        let body: Answer = answer.json().map_err(|error| self.explain(&error))?;
        let expires = OffsetDateTime::parse(&body.token.expires_at, &Rfc3339);
        let (Some(secret), Ok(expires)) = (secret, expires) else {
            return Err(Denied::new(format!("what answers at {} is no Keystone", redact::url(&self.url))));
        };
        Ok(Token {
            secret,
            expires: expires.into(),
            user_id: body.token.user.id,
            project_id: body.token.project.map(|project| project.id),
            catalog: body.token.catalog,
        })
    }

    fn request(&self) -> Json {
        let identity = match &self.credential {
            Credential::Password { user, password } => {
                let mut user = user.json();
                user["password"] = password.reveal().into();
                json!({ "methods": ["password"], "password": { "user": user } })
            }
            Credential::ApplicationId { id, secret } => json!({
                "methods": ["application_credential"],
                "application_credential": { "id": id, "secret": secret.reveal() },
            }),
            Credential::ApplicationName { name, user, secret } => json!({
                "methods": ["application_credential"],
                "application_credential": { "name": name, "user": user.json(), "secret": secret.reveal() },
            }),
            Credential::Token(token) => json!({ "methods": ["token"], "token": { "id": token.reveal() } }),
        };
        let mut auth = json!({ "identity": identity });
        // An application credential is of one project, and Keystone refuses to be told so.
        if !matches!(self.credential, Credential::ApplicationId { .. } | Credential::ApplicationName { .. }) {
            match &self.scope {
                Scope::Unscoped => {}
                Scope::Project(project) => auth["scope"] = json!({ "project": project.json() }),
                Scope::Domain(domain) => auth["scope"] = json!({ "domain": domain.json() }),
                Scope::System => auth["scope"] = json!({ "system": { "all": true } }),
            }
        }
        json!({ "auth": auth })
    }

    fn explain(&self, error: &Error) -> Denied {
        let said = fault::of(error).map(|said| format!(": {said}")).unwrap_or_default();
        let reason = format!("Keystone gave no token: {error}{said}");
        // Who shows it ends it with a stop.
        let denied = Denied::new(reason.trim_end_matches('.'));
        match error.status() {
            Some(StatusCode::UNAUTHORIZED) => denied.hint(match self.credential {
                Credential::Password { .. } => {
                    "Check `user_name`, `password`, `user_domain_name` and the project, or OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and \
                     OS_PROJECT_NAME."
                }
                Credential::ApplicationId { .. } | Credential::ApplicationName { .. } => {
                    "Check the application credential and whether it has expired: openstack application credential list."
                }
                Credential::Token(_) => "The token may have expired: openstack token issue.",
            }),
            Some(StatusCode::NOT_FOUND) => denied.hint("Check `auth_url`: it is Keystone's address, as in https://keystone.cern.ch/v3."),
            _ => denied,
        }
    }
}
