//! The SDK's client: who signs, whom to trust, which way to go.

use std::error::Error as _;
use std::ffi::OsString;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    ConfigBag, Credentials, Intercept, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, SharedCredentialsProvider, SharedHttpClient,
};
use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use pipectl_core::{Diagnostic, Path};

use crate::Settings;
use crate::connection::Repeat;

/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to send an object of a state, and to hear the first byte of the answer.
const EXCHANGE: Duration = Duration::from_secs(60);
/// How often a call is tried in all, where it is repeated at all.
const ATTEMPTS: u32 = 6;
/// Where a server other than Amazon's is named without a region: most have none, and take this one.
const USUAL_REGION: &str = "us-east-1";

/// Whether anybody says who signs, asked once for all calls that are to come.
///
/// # Errors
/// When nobody does, or a file cannot be read.
pub async fn signer(settings: &Settings) -> Result<(), Diagnostic> {
    let Some(provider) = shared(settings).await?.credentials_provider() else {
        return Err(unsigned("nobody is asked"));
    };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(error) => Err(unsigned(&error.source().map_or_else(|| error.to_string(), ToString::to_string))),
    }
}

fn unsigned(why: &str) -> Diagnostic {
    let detail = format!("Nobody says with which keys to sign: {}.", why.trim_end_matches('.'));
    Diagnostic::error("Missing credentials", detail).hint(
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile. At CERN: openstack ec2 credentials create",
    )
}

/// These settings as the SDK has them, together with what the environment and the shared files add to them.
async fn shared(settings: &Settings) -> Result<SdkConfig, Diagnostic> {
    let mut loader = aws_config::from_env().http_client(http_client(settings)?).profile_files(profile_files(settings));
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(provider) = credentials(settings) {
        loader = loader.credentials_provider(provider);
    }
    loader = loader.region(region(settings));
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader.load().await)
}

/// The client for these settings, together with what the environment and the shared files add to them.
///
/// # Errors
/// When a file cannot be read, or nobody says which region it is.
pub async fn client(settings: &Settings, repeat: Repeat) -> Result<Client, Diagnostic> {
    let shared = shared(settings).await?;
    let config = aws_sdk_s3::config::Builder::from(&shared)
        .interceptor(Log)
        .force_path_style(settings.is_path_style)
        // Ceph and Oracle refuse the checksums that Amazon's servers know.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(match repeat {
            Repeat::Nothing => RetryConfig::disabled(),
            Repeat::Calls => RetryConfig::standard().with_max_attempts(ATTEMPTS),
        })
        .timeout_config(match repeat {
            Repeat::Nothing => TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(EXCHANGE).build(),
            // Large objects take as long as they take: the SDK gives up where no more bytes flow.
            Repeat::Calls => TimeoutConfig::builder().connect_timeout(CONNECT).build(),
        });
    if shared.region().is_none() {
        let detail = "Nobody says in which region the bucket is.";
        return Err(Diagnostic::error("Missing region", detail)
            .on(Path::of("region"))
            .hint("region = \"eu-central-1\"")
            .hint("export AWS_REGION=eu-central-1"));
    }
    Ok(Client::from_conf(config.build()))
}

fn profile_files(settings: &Settings) -> EnvConfigFiles {
    let mut files = EnvConfigFiles::builder();
    files = files.include_default_config_file(settings.config_files.is_empty());
    files = files.include_default_credentials_file(settings.credentials_files.is_empty());
    for file in &settings.config_files {
        files = files.with_file(EnvConfigFileKind::Config, file);
    }
    for file in &settings.credentials_files {
        files = files.with_file(EnvConfigFileKind::Credentials, file);
    }
    files.build()
}

/// The region, from whoever says it first. Only Amazon's machines know theirs, and only they are asked.
fn region(settings: &Settings) -> RegionProviderChain {
    let given = RegionProviderChain::first_try(settings.region.clone().map(Region::new));
    let mut profile = ProfileFileRegionProvider::builder().profile_files(profile_files(settings));
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    let said = given.or_else(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
    let is_elsewhere = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| variable(name).is_some());
    if settings.endpoint.is_some() || is_elsewhere {
        said.or_else(Region::new(USUAL_REGION))
    } else if settings.is_metadata_api_skipped {
        said
    } else {
        said.or_else(ImdsRegionProvider::builder().build())
    }
}

/// A variable of the environment that is not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK reads the process's environment by itself, and this has to agree with it"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Who signs, where it is not as the SDK finds out by itself.
fn credentials(settings: &Settings) -> Option<SharedCredentialsProvider> {
    if let Some((access, secret, token)) = &settings.credentials {
        let credentials = Credentials::new(access, secret, token.clone(), None, "the block");
        return Some(SharedCredentialsProvider::new(credentials));
    }
    let profile = ProfileFileCredentialsProvider::builder().profile_files(profile_files(settings));
    if let Some(name) = &settings.profile {
        // Whoever names a profile means it, whatever the environment has.
        return Some(SharedCredentialsProvider::new(profile.profile_name(name).build()));
    }
    if !settings.is_metadata_api_skipped {
        return None;
    }
    let chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", profile.build())
        .or_else("WebIdentityToken", WebIdentityTokenCredentialsProvider::builder().build())
        .or_else("EcsContainer", EcsCredentialsProvider::builder().build());
    Some(SharedCredentialsProvider::new(chain))
}

fn http_client(settings: &Settings) -> Result<SharedHttpClient, Diagnostic> {
    let of_environment = || variable("AWS_CA_BUNDLE").map(Into::into);
    let mut trusted = TrustStore::default();
    if let Some(path) = settings.ca_bundle.clone().or_else(of_environment) {
        let unusable = |why: String| {
            let detail = format!("The certificates to trust cannot be taken from `{}`: {why}.", path.display());
            let diagnostic = Diagnostic::error("Invalid certificates", detail);
            if settings.ca_bundle.is_some() { diagnostic.on(Path::of("custom_ca_bundle")) } else { diagnostic }
        };
        let pem = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(unusable("there is no certificate in it, as PEM".to_owned()));
        }
        trusted = trusted.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.map_err(|error| Diagnostic::error("No TLS client", format!("{error}.")))?;
    // Proxies as the environment names them, which the client does not take by itself.
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    }))
}

/// Two lines in the log for each request. Nothing in these URLs is secret: the signature stands in the head.
#[derive(Debug)]
struct Log;

impl Intercept for Log {
    fn name(&self) -> &'static str {
        "Log"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        tracing::debug!(target: "pipectl::s3", "{} {}", context.request().method(), context.request().uri());
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        tracing::debug!(target: "pipectl::s3", "answered {}", context.response().status().as_u16());
        Ok(())
    }
}
