//! One cloud as one user of one project sees it: its services and where they answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use pipectl_core::{Diagnostic, Diagnostics, Path as ValuePath};
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{
    Answer, Call, Client, Denied, Error, Method, Retry, Settings as HttpSettings, SettingsError, Trust, Url,
};
use pipectl_provider::Cx;
use serde_json::Value as Json;
use tokio::sync::OwnedMutexGuard;

use crate::fault;
use crate::identity::{Authority, Keystone, Token};
use crate::settings::Settings;

/// A service, under the names that catalogues have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Compute,
    ContainerInfra,
    Identity,
    Image,
    Network,
}

impl Service {
    fn types(self) -> &'static [&'static str] {
        match self {
            Service::Compute => &["compute"],
            Service::ContainerInfra => {
                &["container-infra", "container-infrastructure-management", "container-infrastructure"]
            }
            Service::Identity => &["identity"],
            Service::Image => &["image"],
            Service::Network => &["network"],
        }
    }

    /// The version in paths; catalogues have it or not.
    fn version(self) -> &'static str {
        match self {
            Service::Compute => "v2.1",
            Service::ContainerInfra => "v1",
            Service::Identity => "v3",
            Service::Image => "v2",
            Service::Network => "v2.0",
        }
    }

    /// The microversion that is spoken: the least that has all that is used here.
    fn microversion(self) -> Option<&'static str> {
        match self {
            // Tags (2.26), networks `auto` and `none` (2.37). From 2.47 on a server tells no id of its flavor.
            Service::Compute => Some("compute 2.42"),
            // Node groups (1.9), clusters without nodes (1.10).
            Service::ContainerInfra => Some("container-infra 1.10"),
            Service::Identity | Service::Image | Service::Network => None,
        }
    }
}

const MICROVERSION: HeaderName = HeaderName::from_static("openstack-api-version");

/// A cloud.
pub(crate) struct Cloud {
    client: Client,
    authority: Arc<Authority>,
    settings: Settings,
    times: Arc<Times>,
    /// What only one call at a time may work on, by its name.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What time it is here, and there.
struct Times {
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    /// Of the last answer: when it came, and when it was made by the clock of the service.
    last: Mutex<Option<(SystemTime, SystemTime)>>,
}

impl Times {
    fn note(&self, answer: &Answer) {
        let date = answer.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(date) = date {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(((self.now)(), date));
        }
    }
}

impl Cloud {
    /// A cloud by its settings. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When certificates or proxies cannot be used.
    pub(crate) fn new(cx: &Cx, settings: Settings) -> Result<Self, Diagnostic> {
        let environment = Arc::clone(&cx.environment);
        let proxies = pipectl_http::proxies(&|name| environment.variable(name)).map_err(|error| unusable(&error))?;
        let mut http = HttpSettings { proxies, ..HttpSettings::default() };
        if let Some(times) = settings.retries {
            http.retry = Retry { times, ..http.retry };
        }
        if settings.is_insecure {
            http.trust = Trust::Anybody;
        } else if let Some(path) = &settings.ca_file {
            http.trust = Trust::Also(file(path, "cacert_file")?);
        }
        if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) {
            http.identity = Some([file(certificate, "cert")?, b"\n".to_vec(), file(key, "key")?].concat());
        }
        let clock = move || environment.now();
        let times = Arc::new(Times { now: Box::new(clock.clone()), last: Mutex::default() });
        let client = Client::new(&http, clock.clone()).map_err(|error| unusable(&error))?;
        let keystone = Keystone {
            client: client.clone(),
            url: settings.identity.clone(),
            credential: settings.credential.clone(),
            scope: settings.scope.clone(),
        };
        let authority = Arc::new(Authority::new(keystone, clock));
        let client = client.signing_with(Arc::clone(&authority) as _);
        Ok(Self { client, authority, settings, times, turns: Mutex::default() })
    }

    /// Who asks, and for which project.
    ///
    /// # Errors
    /// When Keystone gives no token.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, Diagnostics> {
        self.authority.token().await.map_err(|denied| refused(&denied).into())
    }

    /// The region of an object that names none.
    pub(crate) fn region(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }

    /// Where a service answers in a region.
    ///
    /// # Errors
    /// When the cloud has no such service there.
    pub(crate) async fn endpoint(&self, service: Service, region: Option<&str>) -> Result<Endpoint, Diagnostics> {
        let overridden = service.types().iter().find_map(|kind| self.settings.overrides.get(*kind));
        let url = match overridden {
            Some(url) => Url::parse(url).map_err(|_| {
                let detail = format!("`{url}` is no URL.");
                Diagnostic::error("Invalid endpoint", detail).on(ValuePath::of("endpoint_overrides"))
            })?,
            None => {
                let token = self.token().await?;
                let region = region.or(self.region());
                let interface = &self.settings.interface;
                token
                    .catalog
                    .endpoint(service.types(), region, interface)
                    .map_err(|absent| absent.diagnostic(service.types()[0], region, interface))?
            }
        };
        let base = with_version(url, service.version());
        let (client, times) = (self.client.clone(), Arc::clone(&self.times));
        Ok(Endpoint { client, base, microversion: service.microversion(), times })
    }

    /// Waits until nobody else works on something.
    pub(crate) async fn turn(&self, of: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(of.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// A time of this machine by the clock of the service that has answered last. Differences that its precision may make are none.
    pub(crate) fn time_there(&self, time: SystemTime) -> SystemTime {
        const PRECISION: Duration = Duration::from_secs(2);
        let last = *self.times.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((here, there)) = last else { return time };
        match (there.duration_since(here), here.duration_since(there)) {
            (Ok(ahead), _) if ahead > PRECISION => time + ahead,
            (_, Ok(behind)) if behind > PRECISION => time - behind,
            _ => time,
        }
    }
}

fn file(path: &Path, argument: &str) -> Result<Vec<u8>, Diagnostic> {
    fs::read(path).map_err(|error| {
        let detail = format!("`{}` cannot be read: {error}.", path.display());
        Diagnostic::error("Unreadable certificate", detail).on(ValuePath::of(argument))
    })
}

fn unusable(error: &SettingsError) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("No connection can be made", format!("For the connections to the cloud {error}."));
    match error {
        SettingsError::Authority => diagnostic.on(ValuePath::of("cacert_file")),
        SettingsError::Identity => diagnostic.on(ValuePath::of("cert")),
        SettingsError::Proxy { .. } | SettingsError::Tls(_) => diagnostic,
    }
}

pub(crate) fn refused(denied: &Denied) -> Diagnostic {
    let diagnostic = Diagnostic::error("Authentication failed", format!("{}.", denied.reason));
    denied.hints.iter().fold(diagnostic, |diagnostic, hint| diagnostic.hint(hint))
}

/// The address with the version of its service, where the catalogue leaves it out.
fn with_version(mut url: Url, version: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let is_version =
        |segment: &str| segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let path = match path.split('/').any(is_version) {
        true => path,
        false => format!("{path}/{version}"),
    };
    url.set_path(&path);
    url
}

/// Where a service answers.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: Client,
    base: Url,
    microversion: Option<&'static str>,
    times: Arc<Times>,
}

impl Endpoint {
    /// A call to a path below the service.
    pub(crate) fn call(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Call {
        self.build(self.microversion, method, path, query)
    }

    /// The same in another microversion than is spoken else, where one is named.
    pub(crate) fn call_at(&self, version: Option<&'static str>, method: Method, path: &[&str]) -> Call {
        self.build(version.or(self.microversion), method, path, &[])
    }

    fn build(&self, version: Option<&'static str>, method: Method, path: &[&str], query: &[(&str, &str)]) -> Call {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("the address of a service is http or https").pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = Call::new(method, url);
        match version {
            Some(version) => call.header(MICROVERSION, HeaderValue::from_static(version)),
            None => call,
        }
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let answer = self.client.send(call).await?;
        self.times.note(&answer);
        Ok(answer)
    }

    /// An object, or nothing.
    pub(crate) async fn look(&self, path: &[&str]) -> Result<Option<Json>, Error> {
        self.look_by(&self.call(Method::GET, path, &[])).await
    }

    pub(crate) async fn look_by(&self, call: &Call) -> Result<Option<Json>, Error> {
        let Some(answer) = self.client.look(call).await? else { return Ok(None) };
        self.times.note(&answer);
        answer.json().map(Some)
    }

    pub(crate) async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Json, Error> {
        self.send(&self.call(Method::GET, path, query)).await?.json()
    }

    pub(crate) async fn post(&self, path: &[&str], body: &Json) -> Result<Json, Error> {
        self.send(&self.call(Method::POST, path, &[]).json(body)).await?.json()
    }

    pub(crate) async fn put(&self, path: &[&str], body: &Json) -> Result<Json, Error> {
        self.send(&self.call(Method::PUT, path, &[]).json(body)).await?.json()
    }

    /// Removes something. Already gone is success.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<(), Error> {
        self.remove_by(&self.call(Method::DELETE, path, &[])).await
    }

    pub(crate) async fn remove_by(&self, call: &Call) -> Result<(), Error> {
        self.client.look(call).await.map(drop)
    }
}

/// An error of a call as a diagnostic.
pub(crate) fn failed(summary: impl Into<String>, error: &Error) -> Diagnostic {
    error.diagnostic(summary, fault::said(error.body()))
}
