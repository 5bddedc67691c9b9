//! The provider: its arguments, its kinds, and the cloud that a configuration makes of them.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::{Clocks, Registration, Turns};
use pipectl_core::{Attribute, Diagnostics, ProviderSource, Schema, Type, Value};
use pipectl_oci_client::Signer;
use pipectl_provider::arguments::map_of_text;
use pipectl_provider::rules::{at_least, conflicts};
use pipectl_provider::{Cx, Kinds, Provider};
use tokio::sync::Semaphore;

use crate::cloud::Cloud;
use crate::compute::{ImagesData, Instance};
use crate::containerengine::{Cluster, KubeConfigData, NodePool, NodePoolOptionData};
use crate::identity::AvailabilityDomainsData;
use crate::networking::{
    InternetGateway, NatGateway, RouteTable, SecurityGroup, SecurityList, SecurityRule, ServiceGateway, ServicesData,
    Subnet, Vcn,
};
use crate::objectstorage::{Bucket, NamespaceData, Object, ROOM};
use crate::recent::Recent;
use crate::settings::Settings;

/// The provider `oci`.
pub struct Oci {
    schema: Schema,
    kinds: Kinds,
    /// What was made a short time ago, by whichever configuration.
    recent: Arc<Recent>,
    room: Arc<Semaphore>,
}

impl Oci {
    /// The provider, which knows of no tenancy yet.
    #[expect(clippy::new_without_default, reason = "there is nothing that it is the default of")]
    pub fn new() -> Self {
        let room = Arc::new(Semaphore::new(ROOM));
        Self { schema: schema(), kinds: kinds(None), recent: Arc::default(), room }
    }
}

fn schema() -> Schema {
    let text = |description| Attribute::optional(Type::String, description);
    let flag = |description| Attribute::optional(Type::Bool, description);
    let secret = |description| Attribute::optional(Type::String, description).sensitive();
    Schema::of([
        (
            "auth",
            text("How to prove who asks: `ApiKey` (the default), `SecurityToken`, `InstancePrincipal`, `ResourcePrincipal`, `OKEWorkloadIdentity`. Or OCI_AUTH."),
        ),
        ("tenancy_ocid", text("The OCID of the tenancy. Or OCI_TENANCY_OCID.")),
        ("user_ocid", text("The OCID of the user. Or OCI_USER_OCID.")),
        ("fingerprint", text("The fingerprint of the user's key. Or OCI_FINGERPRINT.")),
        ("private_key", secret("The user's key as PEM. Or OCI_PRIVATE_KEY.")),
        ("private_key_path", text("The file with the user's key. Or OCI_PRIVATE_KEY_PATH.")),
        ("private_key_password", secret("What the key is encrypted with. Or OCI_PRIVATE_KEY_PASSWORD.")),
        ("region", text("The region: `eu-frankfurt-1`. Or OCI_REGION.")),
        ("config_file_profile", text("A profile of ~/.oci/config (or of the file that OCI_CONFIG_FILE names). Or OCI_CLI_PROFILE. Default `DEFAULT`.")),
        ("disable_auto_retries", flag("Whether requests are never sent again.")),
        (
            "retry_duration_seconds",
            Attribute::optional(Type::Number, "For about how long a request is sent again. Default: half a minute."),
        ),
        (
            "endpoint_overrides",
            Attribute::optional(
                map_of_text(),
                "Addresses of services, in the place of the region's: `iaas`, `containerengine`, `objectstorage`, `identity`, `auth`.",
            ),
        ),
    ])
    .described("Oracle Cloud Infrastructure, as one who may use a tenancy.")
}

fn kinds(cloud: Option<Arc<Cloud>>) -> Kinds {
    Registration::of(cloud)
        .resource::<Bucket>()
        .resource::<Cluster>()
        .resource::<Instance>()
        .resource::<InternetGateway>()
        .resource::<NatGateway>()
        .resource::<NodePool>()
        .resource::<Object>()
        .resource::<RouteTable>()
        .resource::<SecurityGroup>()
        .resource::<SecurityList>()
        .resource::<SecurityRule>()
        .resource::<ServiceGateway>()
        .resource::<Subnet>()
        .resource::<Vcn>()
        .data("oci_containerengine_cluster_kube_config", KubeConfigData::new)
        .data("oci_containerengine_node_pool_option", NodePoolOptionData::new)
        .data("oci_core_images", ImagesData::new)
        .data("oci_core_services", ServicesData::new)
        .data("oci_identity_availability_domains", AvailabilityDomainsData::new)
        .data("oci_objectstorage_namespace", NamespaceData::new)
        .kinds()
}

#[async_trait]
impl Provider for Oci {
    fn name(&self) -> &str {
        "oci"
    }

    fn source(&self) -> ProviderSource {
        "oracle/oci".parse().expect("a source with a namespace and a name")
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "private_key", &["private_key_path"]);
        found.extend(at_least(config, "retry_duration_seconds", 0));
        found
    }

    async fn configure(&self, cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        let settings = Settings::of(cx, config).await?;
        let environment = Arc::clone(&cx.environment);
        let now = Arc::new(move || environment.now());
        let environment = Arc::clone(&cx.environment);
        let signer = Arc::new(Signer::new(settings.credential, move || environment.now()));
        let environment = Arc::clone(&cx.environment);
        let cloud = Arc::new(Cloud {
            client: settings.client.signing_with(Arc::clone(&signer) as _),
            signer,
            region: settings.region,
            overrides: settings.overrides,
            now,
            clocks: Arc::new(Clocks::new(move || environment.now())),
            turns: Turns::default(),
            recent: Arc::clone(&self.recent),
            room: Arc::clone(&self.room),
        });
        // Who cannot ask at all learns it here, once, and not from every object.
        cloud.check().await?;
        Ok(Arc::new(kinds(Some(cloud))))
    }
}
