//! The instance that this runs on: its certificate, for which OCI gives a token.

use std::sync::Arc;
use std::time::Duration;

use pipectl_http::header::{AUTHORIZATION, HeaderValue};
use pipectl_http::{Call, Client, Denied, Error, Repeat, Url};
use serde_json::{Value as Json, json};
use sha1::{Digest, Sha1};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{Held, Renewal, session_key};
use crate::key::certificate;
use crate::sign::Identity;
use crate::signer::{Clock, Fixed};
use crate::{ClockSkew, Environment, PrivateKey, Region, said};

/// Where an instance learns who it is.
#[derive(Clone)]
pub struct InstanceMetadata {
    /// A client that goes through no proxy: the address is the instance's own.
    pub direct: Client,
    /// A client for the service that gives tokens.
    pub client: Client,
    /// `http://169.254.169.254/opc/v2`
    pub base: Url,
    /// Where tokens are given, if not at `https://auth.REGION.DOMAIN`.
    pub authority: Option<Url>,
    /// What regions are called is looked up here, too.
    pub environment: Arc<dyn Environment>,
}

impl std::fmt::Debug for InstanceMetadata {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("InstanceMetadata").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// The address of the metadata of an instance, where nothing else is said.
pub(crate) const USUAL: &str = "http://169.254.169.254/opc/v2";

impl InstanceMetadata {
    /// The address that `OCI_METADATA_BASE_URL` names, or the usual one.
    ///
    /// # Errors
    /// When the variable holds no URL.
    pub fn address(environment: &dyn Environment) -> Result<Url, Denied> {
        const VARIABLE: &str = "OCI_METADATA_BASE_URL";
        let given = environment.variable(VARIABLE).map(|url| url.trim().trim_end_matches('/').to_owned());
        let given = given.filter(|url| !url.is_empty()).unwrap_or_else(|| USUAL.to_owned());
        Url::parse(&given).map_err(|_| Denied::new(format!("{VARIABLE} holds no URL")))
    }

    /// The region that the instance is in.
    ///
    /// # Errors
    /// When this is no instance.
    pub async fn region(&self) -> Result<Region, Denied> {
        let text = self.text("instance/region").await?;
        Ok(Region::of(&text, self.environment.as_ref()))
    }

    async fn text(&self, path: &str) -> Result<Zeroizing<String>, Denied> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let call = Call::get(url)
            .header(AUTHORIZATION, HeaderValue::from_static("Bearer Oracle"))
            .timeout(Duration::from_secs(10))
            .private();
        let answer = self.direct.send(&call).await.map_err(|error| {
            Denied::new(format!("the metadata of the instance cannot be read: {error}"))
                .hint("An instance principal is there only on an instance of OCI. Elsewhere use `auth = \"ApiKey\"`.")
        })?;
        let text =
            std::str::from_utf8(&answer.body).map_err(|_| Denied::new("the metadata of the instance is no text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    pub(super) async fn identity(&self, now: &Arc<Clock>) -> Result<Held, Denied> {
        let (leaf, key, intermediate) = tokio::try_join!(
            self.text("identity/cert.pem"),
            self.text("identity/key.pem"),
            self.text("identity/intermediate.pem"),
        )?;
        let der = certificate(&leaf).ok_or_else(|| Denied::new("the certificate of the instance is no certificate"))?;
        let tenancy = tenancy(&der)?;
        let key = PrivateKey::from_pem(&key, None)
            .map_err(|error| Denied::new(format!("the key of the instance cannot be used: {error}")))?;
        let session = session_key().await?;
        let body = json!({
            "certificate": plain(&leaf),
            "publicKey": session.public(),
            "intermediateCertificates": [plain(&intermediate)],
        });
        // The SDKs leave the name of the server out of this signature.
        let identity = Identity { key_id: format!("{tenancy}/fed-x509/{}", fingerprint(&der)), key, signs_host: false };
        let url = self.authority().await?;
        let call = Call::post(url).json(&body).repeat(Repeat::Safe).private();
        let client = self.client.signing_with(Arc::new(Fixed { identity, now: Arc::clone(now) }));
        let answer = client.ask(&call).await.map_err(|error| refused(&error))?;
        if let Some(skew) = ClockSkew::of(&answer, now()) {
            return Err(skew.denied());
        }
        let answer = answer.success().map_err(|error| refused(&error))?;
        let answer: Json = answer.json().map_err(|error| refused(&error))?;
        let token = answer.get("token").and_then(Json::as_str);
        Held::of_token(
            token.ok_or_else(|| Denied::new("no token was given to the instance"))?,
            session,
            Renewal::AtItsEnd,
        )
    }

    async fn authority(&self) -> Result<Url, Denied> {
        let base = match &self.authority {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => {
                let region = self.region().await?;
                format!("https://auth.{}.{}", region.name, region.domain)
            }
        };
        Url::parse(&format!("{base}/v1/x509")).map_err(|_| Denied::new("the metadata of the instance names no region"))
    }
}

fn refused(error: &Error) -> Denied {
    let said = said(error.body()).map(|said| format!(": {said}")).unwrap_or_default();
    let reason = format!("no token was given to the instance: {error}{said}");
    Denied::new(reason.trim_end_matches('.'))
        .hint("Is the instance in a dynamic group, and does a policy say what that group may do?")
}

/// PEM without its frame and its lines.
fn plain(pem: &str) -> String {
    pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect()
}

fn fingerprint(der: &[u8]) -> String {
    Sha1::digest(der).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// The tenancy that a certificate is for.
fn tenancy(der: &[u8]) -> Result<String, Denied> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| Denied::new("the certificate of the instance is no certificate"))?;
    let texts = certificate.subject().iter_attributes().filter_map(|attribute| attribute.as_str().ok());
    let mut tenancies =
        texts.filter_map(|text| text.strip_prefix("opc-tenant:").or_else(|| text.strip_prefix("opc-identity:")));
    let found = tenancies.next().map(str::to_owned);
    found.ok_or_else(|| Denied::new("the certificate of the instance names no tenancy"))
}
