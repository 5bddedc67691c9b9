//! The provider: its arguments, its kinds, and the cloud that a configuration makes of them.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::Registration;
use pipectl_core::{Attribute, Diagnostics, ProviderSource, Schema, Type, Value};
use pipectl_provider::arguments::map_of_text;
use pipectl_provider::rules::{at_least, conflicts, one_of, requires};
use pipectl_provider::{Cx, Kinds, Provider};

use crate::cloud::Cloud;
use crate::compute::{FlavorData, Instance, KeyPair};
use crate::containerinfra::{Cluster, ClusterTemplate, ClusterTemplateData, NodeGroup};
use crate::credentials::{ApplicationCredential, Ec2Credential};
use crate::image::ImageData;
use crate::kind::Kind;
use crate::networking::{Network, Router, RouterInterface, SecurityGroup, SecurityGroupRule, Subnet};
use crate::settings::Settings;

/// The provider `openstack`.
pub struct OpenStack {
    schema: Schema,
    kinds: Kinds,
}

impl OpenStack {
    /// The provider, which knows of no cloud yet.
    #[expect(clippy::new_without_default, reason = "there is nothing that it is the default of")]
    pub fn new() -> Self {
        Self { schema: schema(), kinds: kinds(None) }
    }
}

fn schema() -> Schema {
    let text = |description| Attribute::optional(Type::String, description);
    let flag = |description| Attribute::optional(Type::Bool, description);
    let secret = |description| Attribute::optional(Type::String, description).sensitive();
    Schema::of([
        ("auth_url", text("Keystone's address. Or OS_AUTH_URL.")),
        ("cloud", text("An entry of clouds.yaml. Or OS_CLOUD.")),
        ("region", text("The region. Or OS_REGION_NAME.")),
        ("user_name", text("The user's name. Or OS_USERNAME.")),
        ("user_id", text("The user's id. Or OS_USER_ID.")),
        ("password", secret("The user's password. Or OS_PASSWORD.")),
        ("token", secret("A token. Or OS_TOKEN, OS_AUTH_TOKEN.")),
        ("application_credential_id", text("The id of an application credential. Or OS_APPLICATION_CREDENTIAL_ID.")),
        ("application_credential_name", text("Its name, with the user. Or OS_APPLICATION_CREDENTIAL_NAME.")),
        ("application_credential_secret", secret("Its secret. Or OS_APPLICATION_CREDENTIAL_SECRET.")),
        ("tenant_id", text("The project's id. Or OS_PROJECT_ID, OS_TENANT_ID.")),
        ("tenant_name", text("The project's name. Or OS_PROJECT_NAME, OS_TENANT_NAME.")),
        ("user_domain_id", text("The id of the user's domain. Or OS_USER_DOMAIN_ID.")),
        ("user_domain_name", text("The name of the user's domain. Or OS_USER_DOMAIN_NAME.")),
        ("project_domain_id", text("The id of the project's domain. Or OS_PROJECT_DOMAIN_ID.")),
        ("project_domain_name", text("The name of the project's domain. Or OS_PROJECT_DOMAIN_NAME.")),
        ("domain_id", text("The id of both domains, or of the one that is administered. Or OS_DOMAIN_ID.")),
        ("domain_name", text("Its name. Or OS_DOMAIN_NAME.")),
        ("default_domain", text("The id of the domain where none is named. Or OS_DEFAULT_DOMAIN. Default `default`.")),
        ("system_scope", flag("Whether the whole system is administered. Or OS_SYSTEM_SCOPE.")),
        (
            "endpoint_type",
            text("`public`, `internal` or `admin`. Or OS_ENDPOINT_TYPE, OS_INTERFACE. Default `public`."),
        ),
        (
            "endpoint_overrides",
            Attribute::optional(map_of_text(), "Addresses of services by their type, instead of the catalogue's."),
        ),
        ("insecure", flag("Whether certificates of servers are not judged. Or OS_INSECURE.")),
        ("cacert_file", text("A file with certificates to trust. Or OS_CACERT.")),
        ("cert", text("A file with a certificate to show. Or OS_CERT.")),
        ("key", text("A file with its private key. Or OS_KEY.")),
        ("max_retries", Attribute::optional(Type::Number, "How often a request is sent again. Default 5.")),
        ("allow_reauth", flag("Read for Terraform's sake: a token is always renewed.")),
        ("delayed_auth", flag("Read for Terraform's sake: a token is always asked for when it is needed.")),
        ("disable_no_cache_header", flag("Read for Terraform's sake.")),
        ("enable_logging", flag("Read for Terraform's sake: TF_LOG=trace logs requests.")),
        ("use_octavia", flag("Read for Terraform's sake.")),
    ])
    .described("An OpenStack cloud, as one user of one project.")
}

fn kinds(cloud: Option<Arc<Cloud>>) -> Kinds {
    Registration::of(cloud)
        .resource::<ApplicationCredential>()
        .resource::<Cluster>()
        .resource::<ClusterTemplate>()
        .resource::<Ec2Credential>()
        .resource::<Instance>()
        .resource::<KeyPair>()
        .resource::<Network>()
        .resource::<NodeGroup>()
        .resource::<Router>()
        .resource::<RouterInterface>()
        .resource::<SecurityGroup>()
        .resource::<SecurityGroupRule>()
        .resource::<Subnet>()
        .data(ClusterTemplate::TYPE, ClusterTemplateData::new)
        .data("openstack_compute_flavor_v2", FlavorData::new)
        .data("openstack_images_image_v2", ImageData::new)
        .kinds()
}

#[async_trait]
impl Provider for OpenStack {
    fn name(&self) -> &str {
        "openstack"
    }

    fn source(&self) -> ProviderSource {
        "terraform-provider-openstack/openstack".parse().expect("a source with a namespace and a name")
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found =
            one_of(config, "endpoint_type", &["public", "internal", "admin", "publicURL", "internalURL", "adminURL"]);
        found.extend(at_least(config, "max_retries", 0));
        found.extend(conflicts(config, "user_name", &["user_id"]));
        found.extend(conflicts(config, "password", &["token"]));
        found.extend(conflicts(config, "application_credential_id", &["application_credential_name"]));
        found.extend(requires(config, "cert", "key"));
        found.extend(requires(config, "key", "cert"));
        found
    }

    async fn configure(&self, cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        let settings = Settings::of(cx, config)?;
        let cloud = Arc::new(Cloud::new(cx, settings)?);
        // Who cannot log in learns it here, once, and not from every object.
        cloud.token().await?;
        Ok(Arc::new(kinds(Some(cloud))))
    }
}
