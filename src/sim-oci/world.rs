//! The world: everything that is kept, its clock, and how calls find their handlers.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::answer::{Answer, Body, Outcome, Refusal};
use crate::authority::Authority;
use crate::buckets::Buckets;
use crate::contract::{Contract, Type};
use crate::credentials::Keys;
use crate::faults::Faults;
use crate::request::Call;
use crate::rules::Rules;
use crate::settings::Settings;
use crate::store::{Object, Store, digest};
use crate::work_requests::WorkRequests;
use crate::{clusters, compute, identity, network, node_pools, objects, work_requests};

/// The tenancy, which is also its root compartment.
pub const TENANCY: &str = "ocid1.tenancy.oc1..aaaaaaaasimulatedtenancy";
/// The user whose key every server accepts.
pub const USER: &str = "ocid1.user.oc1..aaaaaaaasimulateduser";
/// A compartment.
pub const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaaaaaasimulatedcompartment";
/// Another compartment, to move things to.
pub const OTHER_COMPARTMENT: &str = "ocid1.compartment.oc1..aaaaaaaaothersimulatedcompartment";
/// The region.
pub const REGION: &str = "eu-frankfurt-1";
/// The namespace of Object Storage.
pub const NAMESPACE: &str = "frsimulated";

/// Everything that a server keeps.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) authority: Authority,
    pub(crate) faults: Faults,
    pub(crate) store: Store,
    pub(crate) rules: Rules,
    pub(crate) work_requests: WorkRequests,
    pub(crate) buckets: Buckets,
    retried: BTreeMap<(String, String), Retried>,
    started: Instant,
    ids: u64,
}

/// A call that was made with a retry token.
struct Retried {
    at: u64,
    body: [u8; 32],
    answer: Answer,
    /// The object that it made.
    made: Option<String>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            keys: Keys::new(),
            authority: Authority::new(),
            faults: Faults::default(),
            store: Store::default(),
            rules: Rules::default(),
            work_requests: WorkRequests::default(),
            buckets: Buckets::default(),
            retried: BTreeMap::new(),
            started: Instant::now(),
            ids: 0,
        }
    }

    /// Milliseconds since the start: what lifecycle states go by.
    pub(crate) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The server's clock, which may be wrong.
    #[expect(clippy::disallowed_methods, reason = "a server has a clock of its own: signatures are judged by it")]
    pub(crate) fn clock(&self) -> SystemTime {
        let offset = Duration::seconds(self.settings.clock_offset_seconds);
        SystemTime::from(OffsetDateTime::from(SystemTime::now()) + offset)
    }

    /// The server's clock, in seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        OffsetDateTime::from(self.clock()).unix_timestamp()
    }

    /// The time as answers show it.
    pub(crate) fn time(&self) -> String {
        let now = OffsetDateTime::from(self.clock());
        let now = now.replace_millisecond(now.millisecond()).unwrap_or(now);
        now.format(&Rfc3339).unwrap_or_default()
    }

    /// A new OCID.
    pub(crate) fn ocid(&mut self, kind: &str) -> String {
        self.ids += 1;
        let unique: String = Sha256::digest(format!("{} {} {kind}", self.settings.seed, self.ids))
            .iter()
            .flat_map(|byte| [byte & 31, byte >> 3])
            .take(52)
            .map(|digit| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(digit)]))
            .collect();
        format!("ocid1.{kind}.oc1.{REGION}.aaaaaaaa{unique}")
    }

    /// A new text that was never used: upload ids, versions, etags of objects.
    pub(crate) fn unique(&mut self) -> String {
        self.ids += 1;
        let text = digest(&format!("{} {}", self.settings.seed, self.ids));
        format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32])
    }

    /// Lets time pass.
    pub(crate) fn settle(&mut self) {
        let now = self.now();
        self.store.settle(now);
        work_requests::settle(self, now);
        self.remember();
    }

    /// Notes what was changed, which other replicas than the first are to see later.
    pub(crate) fn remember(&mut self) {
        let now = self.now();
        self.store.remember(now, self.settings.visible_after_ms);
    }

    /// An object that a call names, as the replica that answers knows it.
    pub(crate) fn find(&self, call: &Call<'_>, kind: &str, id: &str) -> Result<&Object, Refusal> {
        self.store.seen(kind, id, call.replica, self.settings.visible_after_ms, self.now())
    }

    /// An object that a call is to change: known to the replica that answers, not gone, and of the revision that is meant. Changes are made
    /// where the truth is, whatever the replica knows of it.
    pub(crate) fn find_to_change(&mut self, call: &Call<'_>, kind: &str) -> Result<&mut Object, Refusal> {
        let id = self.find(call, kind, call.id())?.id.clone();
        let object = self.store.get_mut(&id).filter(|object| !object.is_gone()).ok_or_else(Refusal::not_found)?;
        object.matches(call)?;
        Ok(object)
    }

    /// An object as a model shows it, with its etag.
    pub(crate) fn show(&self, model: &str, object: &Object) -> Answer {
        Answer::json(Contract::get().pick(model, &object.body)).field("etag", object.etag())
    }

    /// Refuses a compartment that is not there.
    pub(crate) fn check_compartment(&self, id: &str) -> Result<(), Refusal> {
        match [TENANCY, COMPARTMENT, OTHER_COMPARTMENT].contains(&id) {
            true => Ok(()),
            false => Err(Refusal::not_found()),
        }
    }

    /// Hands a call to its handler. A call that was made before, by its retry token, does nothing again.
    pub(crate) fn handle(&mut self, call: &Call<'_>) -> Outcome {
        let Some(token) = call.field("opc-retry-token").filter(|_| call.operation.takes_retry_token) else {
            return self.dispatch(call);
        };
        let key = (format!("{} {}", call.operation.name, call.request.path()), token.to_owned());
        let now = self.now();
        let kept = self.settings.retry_token_ms;
        self.retried.retain(|_, retried| retried.at + kept > now);
        let body: [u8; 32] = Sha256::digest(&call.request.body).into();
        if let Some(before) = self.retried.get(&key) {
            let invalidated = |why: &str| Err(Refusal::new(409, "InvalidatedRetryToken", why));
            if before.body != body {
                return invalidated("The retry token was used before, with other parameters.");
            }
            let Some(id) = &before.made else { return Ok(before.answer.clone()) };
            return match (self.store.get(id), &call.operation.response) {
                (Some(object), Some(Type::Model(model))) if !object.is_gone() => Ok(self.show(model, object)),
                _ => invalidated("A later operation invalidated the retry token: what it made is gone."),
            };
        }
        let answer = self.dispatch(call)?;
        let made = match &answer.body {
            Body::Json(json) => json["id"].as_str().filter(|id| self.store.get(id).is_some()).map(str::to_owned),
            _ => None,
        };
        self.retried.insert(key, Retried { at: now, body, answer: answer.clone(), made });
        Ok(answer)
    }

    fn dispatch(&mut self, call: &Call<'_>) -> Outcome {
        if let Some(compartment) = call.asked("compartmentId").or_else(|| call.text("compartmentId")) {
            self.check_compartment(compartment)?;
        }
        let handlers: &[fn(&mut World, &Call<'_>) -> Option<Outcome>] = match call.operation.service.as_str() {
            "core" => &[network::handle, compute::handle],
            "containerengine" => &[clusters::handle, node_pools::handle, work_requests::handle],
            "objectstorage" => &[objects::handle],
            _ => &[identity::handle],
        };
        handlers.iter().find_map(|handle| handle(self, call)).unwrap_or_else(|| {
            Err(Refusal::new(
                501,
                "SimulatorFault",
                format!("{} is in the contract, but not here", call.operation.name),
            ))
        })
    }

    /// What exists and is not gone: kind, id, name, state.
    pub(crate) fn objects(&self) -> Vec<Json> {
        let shown = |object: &Object| {
            let name =
                ["displayName", "name"].into_iter().map(|member| object.text(member)).find(|text| !text.is_empty());
            json!({"kind": object.kind, "id": object.id, "name": name, "state": object.state()})
        };
        let mut objects: Vec<Json> = self.store.all().filter(|object| !object.is_gone()).map(shown).collect();
        objects.extend(self.buckets.shown());
        objects
    }
}

/// The members that all kinds of Networking and Compute have from the start.
pub(crate) fn born(call: &Call<'_>, time: &str, name: &str) -> Map<String, Json> {
    let mut body = call.body.clone();
    body.entry("displayName").or_insert_with(|| {
        let digits: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
        json!(format!("{name}{digits}"))
    });
    for tags in ["freeformTags", "definedTags"] {
        body.entry(tags).or_insert_with(|| json!({}));
    }
    body.insert("timeCreated".to_owned(), json!(time));
    body
}
