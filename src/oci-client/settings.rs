//! What the environment of a resource or a pod says of who it is.

use std::fs;
use std::path::PathBuf;

use pipectl_http::{Client, Denied, Settings, SettingsError, Trust, Url};

use crate::credential::{Material, ResourcePrincipal};
use crate::profile::expanded;
use crate::{Credential, Workload};

/// Where environment variables come from.
pub trait Environment: Send + Sync {
    /// A variable that is set.
    fn variable(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String> + Send + Sync> Environment for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The credential of a resource (a function, a container, a data science job) that OCI has given one to, and its region.
///
/// # Errors
/// When a variable is missing, or is of another version than 2.2.
pub fn resource_principal(environment: &dyn Environment) -> Result<(Credential, Option<String>), Denied> {
    const VERSION: &str = "OCI_RESOURCE_PRINCIPAL_VERSION";
    let variable = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    match variable(VERSION).as_deref() {
        Some("2.2") => {}
        Some(other) => {
            return Err(Denied::new(format!(
                "{VERSION} is `{other}`: only resource principals of version 2.2 are known"
            )));
        }
        None => {
            let denied = Denied::new(format!("there is no resource principal: {VERSION} is not set"));
            return Err(denied.hint("OCI sets it inside functions, container instances and data science jobs. Elsewhere use another `auth`."));
        }
    }
    let needed = |name: &str| variable(name).ok_or_else(|| Denied::new(format!("{name} is not set")));
    let material =
        |text: String| if text.starts_with('/') { Material::File(text.into()) } else { Material::Text(text.into()) };
    let credential = Credential::Resource(ResourcePrincipal {
        token: material(needed("OCI_RESOURCE_PRINCIPAL_RPST")?),
        key: material(needed("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM")?),
        passphrase: variable("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE").map(material),
    });
    Ok((credential, variable("OCI_RESOURCE_PRINCIPAL_REGION")))
}

/// The credential of a pod of a cluster of OKE, and its region where that is said. `http` says how the network is reached; the cluster's own
/// authority is trusted in the place of the system's.
///
/// # Errors
/// When this is no pod, or the cluster's certificate cannot be read.
pub fn workload(
    environment: &dyn Environment,
    http: &Settings,
    clock: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
) -> Result<(Credential, Option<String>), Denied> {
    const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    /// Where the part of OKE listens that gives tokens to pods.
    const PORT: u16 = 12250;
    let variable = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    let Some(host) = variable("KUBERNETES_SERVICE_HOST") else {
        return Err(Denied::new("this is no pod of a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set"));
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let url = Url::parse(&format!("https://{host}:{PORT}/resourcePrincipalSessionTokens"))
        .map_err(|_| Denied::new("KUBERNETES_SERVICE_HOST is no name of a host"))?;
    let file = |name: &str, default: &str| {
        variable(name).map_or_else(|| PathBuf::from(FOLDER).join(default), |path| expanded(&path, None))
    };
    let authority = file("OCI_KUBERNETES_SERVICE_ACCOUNT_CERT_PATH", "ca.crt");
    let pem = fs::read(&authority).map_err(|error| {
        Denied::new(format!("the certificate of the cluster, `{}`, cannot be read: {error}", authority.display()))
    })?;
    // What talks to the cluster's own address never goes through a proxy.
    let settings = Settings { trust: Trust::Only(pem), proxies: Vec::new(), ..http.clone() };
    let client = Client::new(&settings, clock).map_err(|error: SettingsError| Denied::new(error.to_string()))?;
    let token_file = file("OCI_KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH", "token");
    Ok((Credential::Workload(Workload { client, url, token_file }), variable("OCI_RESOURCE_PRINCIPAL_REGION")))
}
