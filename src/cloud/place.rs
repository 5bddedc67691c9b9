//! Where a call goes, and for whom.

use pipectl_core::Diagnostics;
use pipectl_provider::Cx;
use tokio::sync::OwnedMutexGuard;

use crate::{Cloud, Fields};

/// Where a call about one object goes, and what is known about its kind.
pub struct Place<'a, C: Cloud> {
    /// Where its service answers.
    pub endpoint: C::Endpoint,
    /// The cloud.
    pub cloud: &'a C,
    /// What its kind is made of.
    pub fields: &'a Fields,
    /// The context of the call.
    pub cx: &'a Cx,
    /// The region, where one is named.
    pub region: Option<String>,
}

impl<'a, C: Cloud> Place<'a, C> {
    /// A service in a region; without one, in the provider's.
    ///
    /// # Errors
    /// When the cloud has no such service there.
    pub async fn of(
        cloud: &'a C,
        service: C::Service,
        fields: &'a Fields,
        cx: &'a Cx,
        region: Option<&str>,
    ) -> Result<Self, Diagnostics> {
        let region = region.filter(|region| !region.is_empty()).or(cloud.region()).map(str::to_owned);
        let endpoint = cloud.endpoint(service, region.as_deref()).await?;
        Ok(Self { endpoint, cloud, fields, cx, region })
    }

    /// Waits until nobody else of this run works on something. It is one's own as long as what is returned lives.
    pub async fn turn(&self, of: Option<String>) -> Option<OwnedMutexGuard<()>> {
        match of {
            Some(of) => Some(self.cloud.turns().of(&of).await),
            None => None,
        }
    }
}
