//! Where a call goes, and for whom.

use pipectl_core::Diagnostics;
use pipectl_provider::Cx;
use tokio::sync::OwnedMutexGuard;

use crate::cloud::{Cloud, Endpoint, Service};
use crate::fields::Fields;

/// Where a call about one object goes, and what is known about its kind.
pub(crate) struct Place<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) cloud: &'a Cloud,
    pub(crate) fields: &'a Fields,
    pub(crate) cx: &'a Cx,
    /// The region, where one is named.
    pub(crate) region: Option<String>,
}

impl<'a> Place<'a> {
    /// A service in a region; without one, in the provider's.
    ///
    /// # Errors
    /// When Keystone gives no token, or the cloud has no such service there.
    pub(crate) async fn of(
        cloud: &'a Cloud,
        service: Service,
        fields: &'a Fields,
        cx: &'a Cx,
        region: Option<&str>,
    ) -> Result<Self, Diagnostics> {
        let region = region.filter(|region| !region.is_empty()).or(cloud.region()).map(str::to_owned);
        let endpoint = cloud.endpoint(service, region.as_deref()).await?;
        Ok(Self { endpoint, cloud, fields, cx, region })
    }

    /// Waits until nobody else of this run works on something. It is one's own as long as what is returned lives.
    pub(crate) async fn turn(&self, of: Option<String>) -> Option<OwnedMutexGuard<()>> {
        match of {
            Some(of) => Some(self.cloud.turn(&of).await),
            None => None,
        }
    }
}
