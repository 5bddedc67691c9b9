//! The pod that this runs in: its service account, for which the cluster gives a token of OCI.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_http::header::{AUTHORIZATION, HeaderValue};
use pipectl_http::{Call, Client, Denied, Repeat, StatusCode, Url};
use serde_json::{Value as Json, json};

use super::{Held, Material, Renewal, session_key};

/// Where a pod asks for its token.
#[derive(Clone)]
pub struct Workload {
    /// A client that trusts the cluster.
    pub client: Client,
    /// `https://KUBERNETES_SERVICE_HOST:12250/resourcePrincipalSessionTokens`
    pub url: Url,
    /// The token of the service account. Kubernetes writes it anew before it ends.
    pub token_file: PathBuf,
}

impl std::fmt::Debug for Workload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Workload").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Workload {
    pub(super) async fn identity(&self) -> Result<Held, Denied> {
        let account = Material::File(self.token_file.clone()).read()?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", account.trim()))
            .map_err(|_| Denied::new("the token of the service account is nothing that a header field can hold"))?;
        bearer.set_sensitive(true);
        let session = session_key().await?;
        let call = Call::post(self.url.clone())
            .json(&json!({ "podKey": session.public() }))
            .header(AUTHORIZATION, bearer)
            .repeat(Repeat::Safe)
            .private();
        let answer = self.client.send(&call).await.map_err(|error| {
            let denied = Denied::new(format!("the cluster gave no token to the pod: {error}"));
            match error.status() {
                Some(StatusCode::FORBIDDEN) => {
                    denied.hint("Only clusters of the type ENHANCED_CLUSTER give tokens to pods.")
                }
                _ => denied,
            }
        })?;
        let unreadable = || Denied::new("the cluster's answer holds no token");
        // The answer is JSON in base64, and as JSON writes a text where it is one.
        let text = std::str::from_utf8(&answer.body).map_err(|_| unreadable())?.trim().trim_matches('"');
        let json = STANDARD.decode(text).map_err(|_| unreadable())?;
        let json: Json = serde_json::from_slice(&json).map_err(|_| unreadable())?;
        let token = json.get("token").and_then(Json::as_str).ok_or_else(unreadable)?;
        Held::of_token(token.strip_prefix("ST$").unwrap_or(token), session, Renewal::AtHalfItsLife)
    }
}
