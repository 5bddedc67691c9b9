//! The trait of a cloud: the habits that its services share.

use async_trait::async_trait;
use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_http::Error;
use serde_json::{Map, Value as Json};

use crate::{Clocks, Condition, Fault, Kind, Place, Turns};

/// One cloud as one of its users sees it, and the habits that its services share. A kind may have others.
#[async_trait]
pub trait Cloud: Sized + Send + Sync + 'static {
    /// Its name: `OpenStack`.
    const NAME: &'static str;
    /// The members of objects that tell when they were made (`metadata.timeCreated` is one of another): the first that is there counts.
    const CREATED: &'static [&'static str];
    /// Whether services answer before they act, unless a kind says otherwise.
    const IS_SLOW: bool = false;

    /// Whether making something again, for the same call, makes nothing twice, unless a kind says otherwise.
    const REPEATS: bool = false;

    /// The name of a service.
    type Service: Copy + Send + Sync + 'static;
    /// Where a service answers.
    type Endpoint: Send + Sync;

    /// The region of an object that names none.
    fn region(&self) -> Option<&str>;

    /// Where a service answers in a region; without one, in the provider's.
    ///
    /// # Errors
    /// When there is no such service there.
    async fn endpoint(&self, service: Self::Service, region: Option<&str>) -> Result<Self::Endpoint, Diagnostics>;

    /// What time it is here and there.
    fn clocks(&self) -> &Clocks;

    /// What only one call at a time may work on.
    fn turns(&self) -> &Turns;

    /// An error of a call for people.
    fn failed(summary: &str, error: &Error) -> Diagnostic;

    /// What to do about an object that came to nothing for a reason.
    fn advice(reason: &str) -> Option<&'static str> {
        let _ = reason;
        None
    }

    /// Whether a look at an object failed in the way in which looks fail while it is being removed.
    fn is_nearly_gone(fault: &Fault<Self>) -> bool {
        let _ = fault;
        false
    }

    /// Whether what a removal was refused for does not pass by itself.
    fn stays_in_use(fault: &Fault<Self>) -> bool {
        let _ = fault;
        false
    }

    /// How an object is.
    fn condition(object: &Json) -> Condition {
        let _ = object;
        Condition::Ready
    }

    /// Whether a change that was asked for shows: `before` is the object before.
    fn is_changed(before: &Json, now: &Json) -> bool {
        let _ = (before, now);
        true
    }

    /// Makes an object of these members: what the service answers.
    async fn create<K: Kind<Cloud = Self>>(at: &Place<'_, Self>, body: Map<String, Json>) -> Result<Json, Fault<Self>>;

    /// Looks at an object.
    async fn look<K: Kind<Cloud = Self>>(
        at: &Place<'_, Self>,
        id: &str,
        known: &Value,
    ) -> Result<Option<Json>, Fault<Self>>;

    /// Changes an object: whether there was something to ask for that shows.
    async fn update<K: Kind<Cloud = Self>>(
        at: &Place<'_, Self>,
        id: &str,
        prior: &Value,
        planned: &Value,
    ) -> Result<bool, Fault<Self>>;

    /// Asks for the removal of an object. Already gone is success.
    async fn delete<K: Kind<Cloud = Self>>(at: &Place<'_, Self>, id: &str, prior: &Value) -> Result<(), Fault<Self>>;

    /// Objects that a call with these arguments could have made, among others.
    async fn candidates<K: Kind<Cloud = Self>>(
        at: &Place<'_, Self>,
        arguments: &Json,
    ) -> Result<Vec<Json>, Fault<Self>>;
}
