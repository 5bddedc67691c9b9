//! Objects with ids, etags and lifecycle states that settle in time. Knows no kind of object.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::answer::Refusal;
use crate::request::Call;

/// States in which an object is gone, but may still be seen.
const GONE: [&str; 3] = ["TERMINATED", "DELETED", "DETACHED"];

/// All objects of the generic kinds, by id.
#[derive(Default)]
pub(crate) struct Store {
    objects: BTreeMap<String, Object>,
    /// As objects were, from when on, oldest first: what replicas that lag behind know.
    past: BTreeMap<String, Vec<(u64, Object)>>,
    made: u64,
}

/// An object: what it shows, and what will become of it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// As in an OCID: `vcn`.
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    /// In which order objects were made.
    pub(crate) number: u64,
    /// All members, also some that no model shows.
    pub(crate) body: Map<String, Json>,
    revision: u64,
    /// Lifecycle states to come, each at its time.
    steps: VecDeque<(u64, &'static str)>,
    /// When nobody sees it any more.
    vanishes_at: Option<u64>,
}

impl Object {
    pub(crate) fn state(&self) -> &str {
        self.body.get("lifecycleState").and_then(Json::as_str).unwrap_or_default()
    }

    pub(crate) fn is_gone(&self) -> bool {
        GONE.contains(&self.state())
    }

    pub(crate) fn etag(&self) -> String {
        digest(&format!("{} {}", self.id, self.revision))[..32].to_owned()
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Json::as_str).unwrap_or_default()
    }

    /// A member, or null.
    pub(crate) fn value(&self, member: &str) -> &Json {
        self.body.get(member).unwrap_or(&Json::Null)
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, member: &str) -> Vec<&str> {
        self.body.get(member).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// Whether a list holds a text.
    pub(crate) fn names(&self, member: &str, text: &str) -> bool {
        self.texts(member).contains(&text)
    }

    /// Changes members. The etag changes with them.
    pub(crate) fn change(&mut self, changes: Map<String, Json>) {
        self.body.extend(changes);
        self.revision += 1;
    }

    pub(crate) fn set(&mut self, member: &str, value: Json) {
        self.change(Map::from_iter([(member.to_owned(), value)]));
    }

    /// Goes through states, each at its time.
    pub(crate) fn go(&mut self, now: u64, state: &'static str, later: &[(u64, &'static str)]) {
        self.set("lifecycleState", json!(state));
        self.steps = later.iter().map(|(after, state)| (now + after, *state)).collect();
    }

    /// Goes, after a while, and is seen for another while.
    pub(crate) fn leave(&mut self, now: u64, states: [&'static str; 2], takes: u64, seen: u64) {
        self.go(now, states[0], &[(takes, states[1])]);
        self.vanishes_at = Some(now + takes + seen);
    }

    /// Refuses what needs another state.
    pub(crate) fn needs(&self, states: &[&str]) -> Result<(), Refusal> {
        match states.contains(&self.state()) {
            true => Ok(()),
            false => Err(Refusal::state(format!(
                "The {} {} is in state {}, it must be {}",
                self.kind,
                self.id,
                self.state(),
                states.join(" or ")
            ))),
        }
    }
}

impl Store {
    /// Takes in a new object in its first state.
    pub(crate) fn insert(
        &mut self,
        kind: &'static str,
        id: String,
        body: Map<String, Json>,
        now: u64,
        state: &'static str,
        later: &[(u64, &'static str)],
    ) -> &mut Object {
        self.made += 1;
        let mut object = Object {
            kind,
            id: id.clone(),
            number: self.made,
            body,
            revision: 0,
            steps: VecDeque::new(),
            vanishes_at: None,
        };
        object.body.insert("id".to_owned(), json!(id));
        object.go(now, state, later);
        self.objects.entry(id).or_insert(object)
    }

    /// Lets time pass: states settle, what is long gone vanishes.
    pub(crate) fn settle(&mut self, now: u64) {
        for object in self.objects.values_mut() {
            while object.steps.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((_, state)) = object.steps.pop_front() {
                    object.set("lifecycleState", json!(state));
                }
            }
        }
        self.objects.retain(|_, object| object.vanishes_at.is_none_or(|at| at > now));
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// All of a kind that are not gone.
    pub(crate) fn live<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects.values().filter(move |object| object.kind == kind && !object.is_gone())
    }

    /// One by its id, whatever replicas know.
    pub(crate) fn get(&self, id: &str) -> Option<&Object> {
        self.objects.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Object> {
        self.objects.get_mut(id)
    }

    /// Forgets an object that was never shown to anybody.
    pub(crate) fn forget(&mut self, id: &str) {
        self.objects.remove(id);
    }

    /// Puts an object back as it was.
    pub(crate) fn restore(&mut self, object: Object) {
        self.objects.insert(object.id.clone(), object);
    }

    /// Notes how objects are from now on, and drops what no replica knows any more.
    pub(crate) fn remember(&mut self, now: u64, lag: u64) {
        for (id, object) in &self.objects {
            let past = self.past.entry(id.clone()).or_default();
            if past.last().is_none_or(|(_, last)| last.revision != object.revision) {
                past.push((now, object.clone()));
            }
            let known = past.iter().rposition(|(at, _)| at + lag <= now).unwrap_or(0);
            past.drain(..known);
        }
        self.past.retain(|id, _| self.objects.contains_key(id));
    }

    /// All, as a replica knows them.
    pub(crate) fn known(&self, replica: u64, lag: u64, now: u64) -> impl Iterator<Item = &Object> {
        self.objects.values().filter_map(move |object| self.as_known(object, replica, lag, now))
    }

    /// One of a kind, as the replica that answers knows it.
    pub(crate) fn seen(&self, kind: &str, id: &str, replica: u64, lag: u64, now: u64) -> Result<&Object, Refusal> {
        self.objects
            .get(id)
            .filter(|object| object.kind == kind)
            .and_then(|object| self.as_known(object, replica, lag, now))
            .ok_or_else(Refusal::not_found)
    }

    /// The first replica knows everything at once, the others what was so a while ago: what was made, changed or removed since is as before.
    fn as_known<'a>(&'a self, object: &'a Object, replica: u64, lag: u64, now: u64) -> Option<&'a Object> {
        if replica == 0 || lag == 0 {
            return Some(object);
        }
        self.past.get(&object.id)?.iter().rev().find(|(at, _)| at + lag <= now).map(|(_, object)| object)
    }
}

impl Object {
    /// Refuses a call that was meant for another revision.
    pub(crate) fn matches(&self, call: &Call<'_>) -> Result<(), Refusal> {
        match call.field("if-match") {
            Some(etag) if etag != "*" && etag != self.etag() => Err(Refusal::etag()),
            _ => Ok(()),
        }
    }
}

/// A digest in lower-case hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
