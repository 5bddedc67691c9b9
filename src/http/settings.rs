//! How a client reaches the network.

use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, Identity, NoProxy, Proxy};

use crate::{Pace, Retry};

/// How a client reaches the network, how fast, and how often it tries.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Proxies, in the order in which they are asked whether they are meant: see [`proxies`].
    pub proxies: Vec<Proxy>,
    /// Whom to trust.
    pub trust: Trust,
    /// A certificate and its private key to show to servers, as PEM.
    pub identity: Option<Vec<u8>>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long each attempt of a call may take that says nothing else, from connecting to the last byte. `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// How many redirections are followed. Signatures hold for one address: a client that signs follows none.
    pub redirects: usize,
    /// When to try again.
    pub retry: Retry,
    /// How fast to go.
    pub pace: Pace,
}

/// Whom to trust.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Whom the system trusts.
    System,
    /// These, as PEM, and whom the system trusts.
    Also(Vec<u8>),
    /// These alone, as PEM.
    Only(Vec<u8>),
    /// Everybody.
    Anybody,
}

impl Default for Settings {
    /// No proxies, the system's certificates, ten seconds to connect, one minute for an attempt, no redirections.
    fn default() -> Self {
        Self {
            proxies: Vec::new(),
            trust: Trust::System,
            identity: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Some(Duration::from_secs(60)),
            redirects: 0,
            retry: Retry::default(),
            pace: Pace::unlimited(),
        }
    }
}

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable of the environment that should hold the URL of a proxy.
    #[error("the environment variable {variable} holds no URL of a proxy")]
    Proxy {
        /// Its name.
        variable: &'static str,
    },
    /// The certificates to trust.
    #[error("the certificates to trust are no PEM")]
    Authority,
    /// The certificate to show.
    #[error("the certificate and the private key to show to the server are no PEM, or do not belong together")]
    Identity,
    /// The TLS library refuses.
    #[error("no TLS client can be made")]
    Tls(#[source] reqwest::Error),
}

/// The proxies that the environment names, in capitals or not, as Go and curl read them.
///
/// # Errors
/// When a variable holds no URL.
pub fn proxies(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Proxy>, SettingsError> {
    let variable = |name: &str| {
        let found = variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
        found.filter(|value| !value.is_empty())
    };
    let none = variable("NO_PROXY").and_then(|list| NoProxy::from_string(&list));
    let mut found = Vec::new();
    for (name, make) in
        [("HTTP_PROXY", Proxy::http::<String> as fn(String) -> _), ("HTTPS_PROXY", Proxy::https::<String>)]
    {
        let Some(url) = variable(name) else { continue };
        let proxy = make(url).map_err(|_| SettingsError::Proxy { variable: name })?;
        found.push(proxy.no_proxy(none.clone()));
    }
    Ok(found)
}

impl Settings {
    pub(crate) fn client(&self) -> Result<reqwest::Client, SettingsError> {
        let mut builder: ClientBuilder = reqwest::Client::builder()
            .user_agent(concat!("pipectl/", env!("CARGO_PKG_VERSION")))
            .use_rustls_tls()
            // Proxies that the process's own environment names are taken from the environment of the call instead.
            .no_proxy()
            .redirect(match self.redirects {
                0 => reqwest::redirect::Policy::none(),
                count => reqwest::redirect::Policy::limited(count),
            })
            .connect_timeout(self.connect_timeout)
            .danger_accept_invalid_certs(matches!(self.trust, Trust::Anybody))
            .tls_built_in_root_certs(!matches!(self.trust, Trust::Only(_)));
        for proxy in &self.proxies {
            builder = builder.proxy(proxy.clone());
        }
        if let Trust::Also(pem) | Trust::Only(pem) = &self.trust {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|_| SettingsError::Authority)?;
            if certificates.is_empty() {
                return Err(SettingsError::Authority);
            }
            builder = certificates.into_iter().fold(builder, ClientBuilder::add_root_certificate);
        }
        if let Some(pem) = &self.identity {
            builder = builder.identity(Identity::from_pem(pem).map_err(|_| SettingsError::Identity)?);
        }
        builder.build().map_err(SettingsError::Tls)
    }
}
