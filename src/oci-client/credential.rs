//! How somebody proves who they are. All ways but an API key come to a token that ends, with a key that belongs to it.

mod instance;
mod workload;

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pipectl_http::Denied;
use zeroize::Zeroizing;

pub use instance::InstanceMetadata;
pub use workload::Workload;

use crate::claims::Claims;
use crate::signer::Clock;
use crate::{Identity, PrivateKey};

/// How somebody proves who they are.
#[derive(Debug)]
pub enum Credential {
    /// A user's key, which holds until it is taken away.
    ApiKey {
        /// `TENANCY/USER/FINGERPRINT`
        key_id: String,
        /// The key.
        key: PrivateKey,
    },
    /// A session of a user: `oci session authenticate`. The file is written anew when the session is refreshed.
    Session {
        /// Where the token is.
        token_file: PathBuf,
        /// The key of the session.
        key: PrivateKey,
    },
    /// The instance that this runs on.
    Instance(InstanceMetadata),
    /// The resource that this runs in.
    Resource(ResourcePrincipal),
    /// The pod that this runs in.
    Workload(Workload),
}

/// What OCI gives to a resource.
#[derive(Debug)]
pub struct ResourcePrincipal {
    pub(crate) token: Material,
    pub(crate) key: Material,
    pub(crate) passphrase: Option<Material>,
}

/// Something secret: itself, or the file that it is in.
pub(crate) enum Material {
    File(PathBuf),
    Text(Zeroizing<String>),
}

impl Material {
    fn read(&self) -> Result<Zeroizing<String>, Denied> {
        match self {
            Material::Text(text) => Ok(text.clone()),
            Material::File(path) => fs::read_to_string(path)
                .map(Zeroizing::new)
                .map_err(|error| Denied::new(format!("`{}` cannot be read: {error}", path.display()))),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(sensitive value)")
    }
}

/// Who signs, and how long that holds. An API key holds until it is taken away.
pub(crate) struct Held {
    pub(crate) identity: Arc<Identity>,
    pub(crate) life: Option<Life>,
}

/// How long a token holds.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    /// From when on a new one is asked for.
    pub(crate) renewal: SystemTime,
    /// From when on services refuse it.
    pub(crate) end: SystemTime,
}

/// When a token is renewed.
#[derive(Clone, Copy)]
enum Renewal {
    /// When it is about to end.
    AtItsEnd,
    /// When half of its life is over, as Oracle's SDKs do it with those of pods.
    AtHalfItsLife,
}

/// A token that is about to end is not begun with.
const MARGIN: Duration = Duration::from_secs(60);

impl Held {
    /// Of a token with its key. One that does not say when it ends is refused, as Oracle's SDKs do.
    fn of_token(token: &str, key: PrivateKey, renewal: Renewal) -> Result<Self, Denied> {
        let token = token.trim();
        let claims = Claims::of(token).ok_or_else(|| Denied::new("what was given as a token is none"))?;
        let end = claims.expires().ok_or_else(|| Denied::new("the token does not say when it ends (`exp`)"))?;
        let latest = end.checked_sub(MARGIN).unwrap_or(SystemTime::UNIX_EPOCH);
        let half = || {
            let life = end.duration_since(claims.issued()?).ok()?;
            end.checked_sub(life / 2)
        };
        let renewal = match renewal {
            Renewal::AtItsEnd => latest,
            Renewal::AtHalfItsLife => half().map_or(latest, |half| half.min(latest)),
        };
        let identity = Identity { key_id: format!("ST${token}"), key, signs_host: true };
        Ok(Self { identity: Arc::new(identity), life: Some(Life { renewal, end }) })
    }
}

impl Credential {
    /// The tenancy that it is for, where that can be told without asking anybody.
    pub fn tenancy(&self) -> Option<String> {
        match self {
            Credential::ApiKey { key_id, .. } => key_id.split('/').next().map(str::to_owned),
            Credential::Session { token_file, .. } => {
                let token = fs::read_to_string(token_file).ok()?;
                Claims::of(token.trim())?.tenancy().map(str::to_owned)
            }
            Credential::Resource(resource) => {
                let token = resource.token.read().ok()?;
                Claims::of(token.trim())?.tenancy().map(str::to_owned)
            }
            Credential::Instance(_) | Credential::Workload(_) => None,
        }
    }

    /// What to sign with from now on.
    pub(crate) async fn identity(&self, now: &Arc<Clock>) -> Result<Held, Denied> {
        match self {
            Credential::ApiKey { key_id, key } => Ok(Held {
                identity: Arc::new(Identity { key_id: key_id.clone(), key: key.clone(), signs_host: true }),
                life: None,
            }),
            Credential::Session { token_file, key } => {
                let refresh = "oci session refresh --profile PROFILE, or, when it has ended: oci session authenticate";
                let token = Material::File(token_file.clone()).read().map_err(|denied| denied.hint(refresh))?;
                let held = Held::of_token(&token, key.clone(), Renewal::AtItsEnd)?;
                match held.life {
                    Some(life) if life.end <= now() => Err(Denied::new("the session has ended").hint(refresh)),
                    _ => Ok(held),
                }
            }
            Credential::Resource(resource) => {
                let passphrase = resource.passphrase.as_ref().map(Material::read).transpose()?;
                let pem = resource.key.read()?;
                let key = PrivateKey::from_pem(&pem, passphrase.as_ref().map(|text| text.trim())).map_err(|error| {
                    Denied::new(format!("the key of the resource principal cannot be used: {error}"))
                })?;
                Held::of_token(&resource.token.read()?, key, Renewal::AtItsEnd)
            }
            Credential::Instance(instance) => instance.identity(now).await,
            Credential::Workload(workload) => workload.identity().await,
        }
    }

    /// Whether there may be something new when what was used is refused.
    pub(crate) fn can_be_renewed(&self) -> bool {
        !matches!(self, Credential::ApiKey { .. })
    }
}

/// A new key for a session, made where it holds nobody up.
async fn session_key() -> Result<PrivateKey, Denied> {
    tokio::task::spawn_blocking(PrivateKey::generate)
        .await
        .map_err(|_| Denied::new("no key could be made for the session"))
}
