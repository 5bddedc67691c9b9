//! Where a service answers, and the habits that all of them share: retry tokens, entity tags, pages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use pipectl_core::Diagnostic;
use pipectl_http::header::{HeaderName, HeaderValue, IF_MATCH};
use pipectl_http::{Answer, Call, Client, Error, Method, Repeat, StatusCode, Url};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::fault::{Refusal, failed};
use crate::{ClockSkew, Region};

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Networks and instances.
    Core,
    /// Clusters.
    ContainerEngine,
    /// Buckets.
    ObjectStorage,
    /// Compartments, availability domains.
    Identity,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Core, Service::ContainerEngine, Service::ObjectStorage, Service::Identity];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Service::Core => "iaas",
            Service::ContainerEngine => "containerengine",
            Service::ObjectStorage => "objectstorage",
            Service::Identity => "identity",
        }
    }

    /// The version of its API, which its paths begin with.
    fn version(self) -> Option<&'static str> {
        match self {
            Service::Core | Service::Identity => Some("20160918"),
            Service::ContainerEngine => Some("20180222"),
            Service::ObjectStorage => None,
        }
    }

    /// Its address in a region.
    pub fn address(self, region: &Region) -> String {
        let Region { name, domain } = region;
        match self {
            Service::Core | Service::ObjectStorage => format!("https://{}.{name}.{domain}", self.name()),
            Service::ContainerEngine | Service::Identity => format!("https://{}.{name}.oci.{domain}", self.name()),
        }
    }
}

/// Why a call has no answer that is of use.
#[derive(Debug)]
pub enum Failed {
    /// The call failed.
    Call(Box<Error>),
    /// The clock of this machine is wrong, so that no signature counts.
    Clock(ClockSkew),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Call(Box::new(error))
    }
}

impl Failed {
    /// The same for people.
    pub fn diagnostic(&self, summary: &str) -> Diagnostic {
        match self {
            Failed::Call(error) => failed(summary, error),
            Failed::Clock(skew) => skew.diagnostic(),
        }
    }
}

/// An object, with the tag of the version that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The object.
    pub object: Json,
    /// Its entity tag.
    pub etag: Option<String>,
}

type Clock = dyn Fn() -> SystemTime + Send + Sync;
type Note = dyn Fn(&Answer) + Send + Sync;

const RETRY_TOKEN: HeaderName = HeaderName::from_static("opc-retry-token");
const NEXT_PAGE: &str = "opc-next-page";
/// The field that names the work request of a long operation.
pub(crate) const WORK_REQUEST: &str = "opc-work-request-id";

/// Where a service answers.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
    base: Url,
    now: Arc<Clock>,
    note: Arc<Note>,
}

impl Endpoint {
    /// A service at an address. `client` signs; `now` tells the time; `note` is told of every answer.
    ///
    /// # Errors
    /// When the address is no URL.
    pub fn new(
        client: Client,
        service: Service,
        address: &str,
        now: Arc<Clock>,
        note: Arc<Note>,
    ) -> Result<Self, Diagnostic> {
        let wrong = || Diagnostic::error("Invalid endpoint", format!("`{address}` is no URL of a service."));
        let mut base = Url::parse(address).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let path = base.path().trim_end_matches('/').to_owned();
        // Who gives an address may give it with the version, as the SDKs have it.
        let path = match service.version() {
            Some(version) if !path.ends_with(version) => format!("{path}/{version}"),
            _ => path,
        };
        base.set_path(&path);
        Ok(Self { client, base, now, note })
    }

    /// A call to a path below the service.
    pub fn call(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Call {
        let mut url = self.base.clone();
        // Not as segments, of which `Url` drops tabs and line breaks: names of objects may have any character.
        let below: String = path.iter().map(|name| format!("/{}", segment(name))).collect();
        url.set_path(&format!("{}{below}", url.path().trim_end_matches('/')));
        if !query.is_empty() {
            // Spaces as `%20`: what is signed is what is sent, and the services read `+` as itself.
            let pairs: Vec<String> =
                query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            url.set_query(Some(&pairs.join("&")));
        }
        Call::new(method, url)
    }

    /// Sends a call.
    ///
    /// # Errors
    /// When there is no answer, or it refuses.
    pub async fn send(&self, call: &Call) -> Result<Answer, Failed> {
        Ok(self.ask(call).await?.success()?)
    }

    async fn ask(&self, call: &Call) -> Result<Answer, Failed> {
        let answer = self.client.ask(call).await?;
        (self.note)(&answer);
        match ClockSkew::of(&answer, (self.now)()) {
            Some(skew) => Err(Failed::Clock(skew)),
            None => Ok(answer),
        }
    }

    /// An object with its tag, or nothing.
    ///
    /// # Errors
    /// As [`Endpoint::send`]. 404 is nothing, where it is the service that says so and not something on the way.
    pub async fn look(&self, call: &Call) -> Result<Option<Seen>, Failed> {
        let answer = self.ask(call).await?;
        if answer.status == StatusCode::NOT_FOUND && Refusal::of(&answer.body).is_some() {
            return Ok(None);
        }
        let answer = answer.success()?;
        let etag = answer.header("etag").map(str::to_owned);
        Ok(Some(Seen { object: answer.json()?, etag }))
    }

    /// All elements of a list, page by page.
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Json>, Failed> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        let mut page: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.extend(page.as_deref().map(|page| ("page", page)));
            let answer = self.send(&self.call(Method::GET, path, &query)).await?;
            let next = answer.header(NEXT_PAGE).filter(|next| !next.is_empty()).map(str::to_owned);
            all.extend(answer.json::<Vec<Json>>()?);
            // Pages that go in a circle would do so for ever; once around, all of them have been read.
            match next {
                Some(next) if seen.insert(next.clone()) => page = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// A call that makes something at most once, however often it is sent.
    pub fn once(&self, call: Call, token: &RetryToken) -> Call {
        call.header(RETRY_TOKEN, token.0.clone()).repeat(Repeat::Safe)
    }

    /// A call that counts only for the version of an object that was seen.
    pub fn only_if(&self, call: Call, etag: Option<&str>) -> Call {
        match etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            Some(etag) => call.header(IF_MATCH, etag),
            None => call,
        }
    }
}

/// The work request that goes on behind an answer.
pub(crate) fn work_request_id(answer: &Answer) -> Option<String> {
    answer.header(WORK_REQUEST).map(str::to_owned)
}

/// What tells a service that a call is one that it has had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryToken(HeaderValue);

/// A token for a call: the same for the same call with the same body, and for no other.
///
/// # Panics
/// Never: tokens are hexadecimal digits.
pub fn retry_token(call: &str, body: &[u8]) -> RetryToken {
    let digest = Sha256::new().chain_update(call.as_bytes()).chain_update([0]).chain_update(body).finalize();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    RetryToken(HeaderValue::try_from(digits).expect("header fields hold hexadecimal digits"))
}

/// A segment of a path. What cannot be one (nothing, `.`, `..`) becomes what nothing is called, because no name has this character: else something
/// other than what is named would be meant.
fn segment(name: &str) -> String {
    match name {
        "" | "." | ".." => "%00".to_owned(),
        name => encoded(name),
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_sdks() {
        let region = Region::of("fra", &|_: &str| None);
        let addresses: Vec<String> = Service::ALL.iter().map(|service| service.address(&region)).collect();
        assert_eq!(
            addresses,
            [
                "https://iaas.eu-frankfurt-1.oraclecloud.com",
                "https://containerengine.eu-frankfurt-1.oci.oraclecloud.com",
                "https://objectstorage.eu-frankfurt-1.oraclecloud.com",
                "https://identity.eu-frankfurt-1.oci.oraclecloud.com",
            ]
        );
        let london = Region::of("uk-gov-london-1", &|_: &str| None);
        assert_eq!(Service::Core.address(&london), "https://iaas.uk-gov-london-1.oraclegovcloud.uk");
        let unknown =
            Region::of("xx-new-1", &|name: &str| (name == "OCI_DEFAULT_REALM").then(|| "example.com".to_owned()));
        assert_eq!(Service::Core.address(&unknown), "https://iaas.xx-new-1.example.com");
        let metadata = r#"{"realmKey":"oc99","realmDomainComponent":"cloud99.com","regionKey":"XYZ","regionIdentifier":"xx-new-1"}"#;
        let told = Region::of("xyz", &|name: &str| (name == "OCI_REGION_METADATA").then(|| metadata.to_owned()));
        assert_eq!(Service::Identity.address(&told), "https://identity.xx-new-1.oci.cloud99.com");
    }

    #[test]
    fn names_are_sent_as_they_are() {
        assert_eq!(segment("a/b c\td.e~\u{e4}"), "a%2Fb%20c%09d.e~%C3%A4");
        assert_eq!(["", ".", "..", "..."].map(segment), ["%00", "%00", "%00", "..."]);
    }

    #[test]
    fn tokens_are_of_a_call_and_its_body() {
        let token = retry_token("call", b"body");
        assert_eq!(token.0.len(), 64);
        assert_eq!(token, retry_token("call", b"body"));
        assert_ne!(token, retry_token("call", b"other"));
        assert_ne!(token, retry_token("callb", b"ody"));
    }
}
