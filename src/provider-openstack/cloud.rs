//! One cloud as one user of one project sees it: its services and where they answer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::{Clocks, Turns};
use pipectl_core::{Diagnostic, Diagnostics, Path as ValuePath, Value};
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{
    Answer, Call, Client, Denied, Error, Method, Retry, Settings as HttpSettings, SettingsError, StatusCode, Trust, Url,
};
use pipectl_provider::Cx;
use serde_json::{Map, Value as Json};

use crate::fault;
use crate::identity::{Authority, Keystone, Token, web_address};
use crate::kind::{Fault, Kind, Place, put, unwrap, wrap};
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
    clocks: Arc<Clocks>,
    turns: Turns,
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
        let clocks = Arc::new(Clocks::new(clock.clone()));
        let client = Client::new(&http, clock.clone()).map_err(|error| unusable(&error))?;
        let keystone = Keystone {
            client: client.clone(),
            url: settings.identity.clone(),
            credential: settings.credential.clone(),
            scope: settings.scope.clone(),
        };
        let authority = Arc::new(Authority::new(keystone, clock));
        let client = client.signing_with(Arc::clone(&authority) as _);
        Ok(Self { client, authority, settings, clocks, turns: Turns::default() })
    }

    /// Who asks, and for which project.
    ///
    /// # Errors
    /// When Keystone gives no token.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, Diagnostics> {
        self.authority.token().await.map_err(|denied| refused(&denied).into())
    }

    /// Where a service answers in a region.
    ///
    /// # Errors
    /// When the cloud has no such service there.
    pub(crate) async fn endpoint(&self, service: Service, region: Option<&str>) -> Result<Endpoint, Diagnostics> {
        let overridden = service.types().iter().find_map(|kind| self.settings.overrides.get(*kind));
        let url = match overridden {
            Some(url) => web_address(url).ok_or_else(|| {
                let detail = format!("`{url}` is no URL that begins with `http://` or `https://`.");
                Diagnostic::error("Invalid endpoint", detail).on(ValuePath::of("endpoint_overrides"))
            })?,
            None => {
                let token = self.token().await?;
                let region = region.or(self.settings.region.as_deref());
                let interface = &self.settings.interface;
                token
                    .catalog
                    .endpoint(service.types(), region, interface)
                    .map_err(|absent| absent.diagnostic(service.types()[0], region, interface))?
            }
        };
        let base = with_version(url, service.version());
        let (client, clocks) = (self.client.clone(), Arc::clone(&self.clocks));
        Ok(Endpoint { client, base, microversion: service.microversion(), clocks })
    }
}

#[async_trait]
impl pipectl_cloud::Cloud for Cloud {
    const NAME: &'static str = "OpenStack";
    const CREATED: &'static [&'static str] = &["created_at", "created"];

    type Service = Service;
    type Endpoint = Endpoint;

    fn region(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }

    async fn endpoint(&self, service: Service, region: Option<&str>) -> Result<Endpoint, Diagnostics> {
        Self::endpoint(self, service, region).await
    }

    fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }

    fn failed(summary: &str, error: &Error) -> Diagnostic {
        let diagnostic = error.diagnostic(summary, fault::of(error));
        match error.status() {
            Some(status) if status.is_redirection() => diagnostic.hint(
                "Where the catalogue of the cloud has a wrong address, give another one: endpoint_overrides in the provider block.",
            ),
            Some(StatusCode::FORBIDDEN) => diagnostic
                .hint("Does the user have the role for this in the project? openstack role assignment list --names --user USER"),
            _ => diagnostic,
        }
    }

    fn advice(reason: &str) -> Option<&'static str> {
        reason.contains("trustee or trust").then_some(
            "An application credential makes clusters only if it is unrestricted: openstack application credential create NAME --unrestricted",
        )
    }

    /// Magnum cannot describe a cluster whose nodes are gone, and says that the question is wrong.
    fn is_nearly_gone(fault: &Fault) -> bool {
        fault.status() == Some(StatusCode::BAD_REQUEST)
    }

    async fn create<K: Kind<Cloud = Self>>(at: &Place<'_>, body: Map<String, Json>) -> Result<Json, Fault> {
        Ok(unwrap::<K>(at.endpoint.post(&[K::COLLECTION], &wrap::<K>(body)).await?))
    }

    async fn look<K: Kind<Cloud = Self>>(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        Ok(at.endpoint.look(&[K::COLLECTION, id]).await?.map(unwrap::<K>))
    }

    async fn update<K: Kind<Cloud = Self>>(
        at: &Place<'_>,
        id: &str,
        prior: &Value,
        planned: &Value,
    ) -> Result<bool, Fault> {
        put::<K>(at, id, K::changes(at.fields, prior, planned)).await
    }

    async fn delete<K: Kind<Cloud = Self>>(at: &Place<'_>, id: &str, _prior: &Value) -> Result<(), Fault> {
        Ok(at.endpoint.delete(&[K::COLLECTION, id]).await?)
    }

    async fn candidates<K: Kind<Cloud = Self>>(at: &Place<'_>, arguments: &Json) -> Result<Vec<Json>, Fault> {
        let name = arguments.get("name").and_then(Json::as_str);
        let query: Vec<_> = name.map(|name| ("name", name)).into_iter().collect();
        let list = at.endpoint.list(&[K::COLLECTION], &query).await?;
        Ok(list.get(K::COLLECTION).and_then(Json::as_array).cloned().unwrap_or_default())
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
    clocks: Arc<Clocks>,
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
        self.clocks.note(&answer);
        Ok(answer)
    }

    /// An object, or nothing.
    pub(crate) async fn look(&self, path: &[&str]) -> Result<Option<Json>, Error> {
        self.look_by(&self.call(Method::GET, path, &[])).await
    }

    pub(crate) async fn look_by(&self, call: &Call) -> Result<Option<Json>, Error> {
        let Some(answer) = self.client.look(call).await? else { return Ok(None) };
        self.clocks.note(&answer);
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
