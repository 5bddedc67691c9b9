//! The trait of a kind: what a kind of object says of itself, as data where that is enough, and as calls where it is not.
//!
//! Most services of a cloud have the same habits ([`Cloud`]): a collection that takes a body and gives an object with an id, which can be looked
//! at, changed and removed below its id. These are the defaults here. [`crate::KindResource`] makes a resource of a kind.

use async_trait::async_trait;
use pipectl_core::{Diagnostics, Value};
use pipectl_provider::{Cx, Reason};
use serde_json::{Map, Value as Json};

use crate::{Cloud, Condition, Fault, Fields, Observed, Place};

/// What looking at an object, and at what belongs to it, gives beside its members.
pub type More = Observed;

/// Attributes that an id for `import` says.
pub type Known = Vec<(&'static str, Value)>;

/// A kind of object.
#[async_trait]
pub trait Kind: Sized + Send + Sync + 'static {
    /// The cloud that has it.
    type Cloud: Cloud;

    /// Its type: `openstack_networking_network_v2`.
    const TYPE: &'static str;
    /// What it is called in messages: `network`.
    const NOUN: &'static str;
    /// The service that has it.
    const SERVICE: <Self::Cloud as Cloud>::Service;
    /// Where its objects are: `networks`.
    const COLLECTION: &'static str;
    /// The member of bodies that an object stands in, where it does not stand alone.
    const ENVELOPE: Option<&'static str> = None;
    /// Whether the service answers before it acts: what was asked for shows later.
    const IS_SLOW: bool = Self::Cloud::IS_SLOW;
    /// Whether making one again, for the same call, makes nothing twice.
    const REPEATS: bool = Self::Cloud::REPEATS;
    /// Whether something is issued for a new object: see [`Kind::issue`].
    const ISSUES: bool = false;

    /// Arguments and attributes.
    fn fields() -> Fields;

    /// Judges the arguments.
    fn validate(config: &Value) -> Diagnostics {
        let _ = config;
        Diagnostics::new()
    }

    /// What can be said of a planned object beyond its schema: `prior` is what it was, `config` what is given.
    fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
        let _ = (config, prior);
        planned
    }

    /// Why an object cannot be changed from `prior` to `planned` after all, beyond what its schema says.
    fn replaces(prior: &Value, planned: &Value) -> Option<Reason> {
        let _ = (prior, planned);
        None
    }

    /// An object before as it is compared with what is given, and why it has to be made anew beyond what the two say: what takes a look at files.
    async fn compared(cx: &Cx, prior: Value, config: &Value) -> (Value, Option<Reason>) {
        let _ = (cx, config);
        (prior, None)
    }

    /// What is wrong with making an object anew.
    fn judge_replacement(prior: &Value, planned: &Value) -> Diagnostics {
        let _ = (prior, planned);
        Diagnostics::new()
    }

    /// The id of an object.
    fn id(object: &Json) -> Option<String> {
        text(object, "id")
    }

    /// The members of the request that makes one.
    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        fields.body(planned)
    }

    /// The members of the request that changes one. None: there is nothing to ask for.
    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        fields.changes(prior, planned)
    }

    /// Makes one: what the service answers.
    async fn create(at: &Place<'_, Self::Cloud>, planned: &Value) -> Result<Json, Fault<Self::Cloud>> {
        Self::Cloud::create::<Self>(at, Self::body(at.fields, planned)).await
    }

    /// Whether something is left to be done when the call that makes one has been answered.
    fn leaves(planned: &Value) -> bool {
        let _ = planned;
        false
    }

    /// Does what is left to be done. May be asked for again, after a crash.
    async fn finish(at: &Place<'_, Self::Cloud>, id: &str, planned: &Value) -> Result<(), Fault<Self::Cloud>> {
        let _ = (at, id, planned);
        Ok(())
    }

    /// Looks at one. `known` is what is known of it.
    async fn look(at: &Place<'_, Self::Cloud>, id: &str, known: &Value) -> Result<Option<Json>, Fault<Self::Cloud>> {
        Self::Cloud::look::<Self>(at, id, known).await
    }

    /// How an object is.
    fn condition(object: &Json) -> Condition {
        Self::Cloud::condition(object)
    }

    /// Why an object has failed, where it does not tell itself.
    async fn why(at: &Place<'_, Self::Cloud>, id: &str, object: &Json) -> Result<Option<String>, Fault<Self::Cloud>> {
        let _ = (at, id, object);
        Ok(None)
    }

    /// Why it could not be removed, where it tells.
    fn stays(object: &Json) -> Option<String> {
        let _ = object;
        None
    }

    /// What is to be known of an object and does not stand in it as it is.
    async fn more(at: &Place<'_, Self::Cloud>, object: &Json, known: &Value) -> Result<More, Fault<Self::Cloud>> {
        let _ = (at, object, known);
        Ok(More::new())
    }

    /// What is made for whoever makes an object, and told by no later look at it. What [`Kind::ISSUES`] says there is.
    async fn issue(at: &Place<'_, Self::Cloud>, id: &str, object: &Json) -> Result<More, Fault<Self::Cloud>> {
        let _ = (at, id, object);
        Ok(More::new())
    }

    /// What only one call at a time may work on, where there is such a thing. `id` is that of an object that is there.
    fn alone(attributes: &Value, id: Option<&str>) -> Option<String> {
        let _ = (attributes, id);
        None
    }

    /// Changes one: whether there was something to ask for that shows.
    async fn update(
        at: &Place<'_, Self::Cloud>,
        id: &str,
        prior: &Value,
        planned: &Value,
    ) -> Result<bool, Fault<Self::Cloud>> {
        Self::Cloud::update::<Self>(at, id, prior, planned).await
    }

    /// Whether a change that was asked for shows: `before` is the object before.
    fn is_changed(before: &Json, now: &Json) -> bool {
        Self::Cloud::is_changed(before, now)
    }

    /// Asks for the removal of one. Already gone is success.
    async fn delete(at: &Place<'_, Self::Cloud>, id: &str, prior: &Value) -> Result<(), Fault<Self::Cloud>> {
        Self::Cloud::delete::<Self>(at, id, prior).await
    }

    /// What has to be known before one is made, to find it again if the answer is lost.
    async fn before(at: &Place<'_, Self::Cloud>, planned: &Value) -> Result<Option<Json>, Fault<Self::Cloud>> {
        let _ = (at, planned);
        Ok(None)
    }

    /// The id of what an interrupted call makes or has made, by what it recorded.
    async fn recorded(at: &Place<'_, Self::Cloud>, recorded: &Json) -> Result<Option<String>, Fault<Self::Cloud>> {
        let _ = at;
        Ok(text(recorded, "id"))
    }

    /// Objects that a call with these arguments could have made, among others. `before` is what [`Kind::before`] gave.
    async fn candidates(
        at: &Place<'_, Self::Cloud>,
        arguments: &Json,
        before: &Json,
    ) -> Result<Vec<Json>, Fault<Self::Cloud>> {
        let _ = before;
        Self::Cloud::candidates::<Self>(at, arguments).await
    }

    /// Whether the arguments name the object itself, which may be older than the call.
    fn is_named(arguments: &Json) -> bool {
        let _ = arguments;
        false
    }

    /// Why an object that is found again is of no use: what only the lost answer told.
    fn lost(arguments: &Json) -> Option<String> {
        let _ = arguments;
        None
    }

    /// What an id for `import` says: the object's id, and what else has to be known to look at it.
    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        Ok((id.to_owned(), Known::new()))
    }
}

/// A text of an object.
pub fn text(object: &Json, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}
