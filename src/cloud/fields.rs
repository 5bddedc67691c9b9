//! What a kind is made of: arguments and attributes, and the members of a service's object that they stand for.
//!
//! A kind is a table of these and little else. The table gives its schema, the bodies of its requests, and its state out of an answer.
//!
//! Services tell "nothing" in many ways, of which a configuration has one: an argument that is absent, and a member that is `null`, `""`, `[]` or
//! (where the argument has no default) `false` or `0`, are the same. So what was given as one of them stays as it was given.

use std::collections::BTreeMap;
use std::time::Duration;

use pipectl_core::json::{from_json, from_json_as, to_json};
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Kind, Nesting, Path, Schema, Type, Value, duration};
use pipectl_provider::arguments::text;
use pipectl_provider::planning::with_unknown_computed;
use serde_json::{Map, Value as Json};

use crate::{Group, groups};

/// How long making, changing and removing may take, where a `timeouts` block says nothing else. What takes no time has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Making one.
    pub create: Option<Duration>,
    /// Changing one.
    pub update: Option<Duration>,
    /// Removing one.
    pub delete: Option<Duration>,
}

impl Times {
    /// So many minutes each; 0: it takes no time.
    pub const fn minutes(create: u64, update: u64, delete: u64) -> Self {
        const fn some(minutes: u64) -> Option<Duration> {
            match minutes {
                0 => None,
                minutes => Some(Duration::from_secs(60 * minutes)),
            }
        }
        Self { create: some(create), update: some(update), delete: some(delete) }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let all = [("create", self.create), ("update", self.update), ("delete", self.delete)];
        all.into_iter().filter_map(|(name, time)| Some((name, time?)))
    }
}

/// Whether two values that differ mean the same to the service.
type Equivalence = fn(&Value, &Value) -> bool;

/// How values of an attribute are told to a service, and told by it, where that is not as they are.
#[derive(Clone, Copy)]
pub struct Codec {
    /// What the service is told.
    pub told: fn(&Value) -> Option<Json>,
    /// What the service tells.
    pub seen: fn(&Json) -> Option<Value>,
}

/// The arguments and attributes of a kind.
pub struct Fields {
    /// Its schema.
    pub schema: Schema,
    /// The members of the service's object, by attribute.
    members: BTreeMap<&'static str, &'static str>,
    /// Nested blocks that stand for members, by type.
    groups: BTreeMap<&'static str, Group>,
    codecs: BTreeMap<&'static str, Codec>,
    defaults: Vec<(&'static str, Value)>,
    /// What the provider decides and a change may change: of the argument that is named, or any.
    moving: Vec<(Option<&'static str>, &'static str)>,
    equivalences: Vec<(&'static str, Equivalence)>,
    rules: Vec<fn(&Value) -> Diagnostics>,
    times: Times,
}

impl Fields {
    /// A kind with an `id`, as all have it.
    pub fn new(description: &str) -> Self {
        let schema = Schema::of([("id", Attribute::computed(Type::String, "What the cloud calls it."))]);
        Self {
            schema: schema.described(description),
            members: BTreeMap::new(),
            groups: BTreeMap::new(),
            codecs: BTreeMap::new(),
            defaults: Vec::new(),
            moving: Vec::new(),
            equivalences: Vec::new(),
            rules: Vec::new(),
            times: Times::default(),
        }
    }

    /// The same with a `region`, where each object may be in another one.
    #[must_use]
    pub fn in_region(self) -> Self {
        let region = Attribute::optional_computed(Type::String, "The region that it is in. Default: the provider's.");
        self.apart("region", region.forces_replacement())
    }

    /// Whether an object says which region it is in.
    pub fn has_region(&self) -> bool {
        self.schema.attributes.contains_key("region")
    }

    /// The same with an attribute that the service calls the same.
    #[must_use]
    pub fn with(self, name: &'static str, attribute: Attribute) -> Self {
        self.named(name, name, attribute)
    }

    /// The same with an attribute that the service calls otherwise.
    #[must_use]
    pub fn named(mut self, name: &'static str, member: &'static str, attribute: Attribute) -> Self {
        self.members.insert(name, member);
        self.apart(name, attribute)
    }

    /// The same with an attribute that the service has in another form.
    #[must_use]
    pub fn coded(mut self, name: &'static str, member: &'static str, attribute: Attribute, codec: Codec) -> Self {
        self.codecs.insert(name, codec);
        self.named(name, member, attribute)
    }

    /// The same without an attribute that others have.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.members.remove(name);
        self.codecs.remove(name);
        self.schema.attributes.remove(name);
        self
    }

    /// The same with a nested block that stands for a member.
    #[must_use]
    pub fn group(mut self, name: &'static str, group: Group) -> Self {
        self.schema = self.schema.block(name, group.block());
        self.groups.insert(name, group);
        self
    }

    /// The same with an attribute that the service's object does not have, or not so.
    #[must_use]
    pub fn apart(mut self, name: &'static str, attribute: Attribute) -> Self {
        self.schema = self.schema.attribute(name, attribute);
        self
    }

    /// The same with a nested block. The kind knows what becomes of it.
    #[must_use]
    pub fn block(mut self, name: &'static str, block: Block) -> Self {
        self.schema = self.schema.block(name, block);
        self
    }

    /// The same with a value for an argument that is absent.
    #[must_use]
    pub fn default(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.defaults.push((name, value.into()));
        self
    }

    /// The same with attributes and blocks that any change of the object may change.
    #[must_use]
    pub fn moving<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.moving.extend(names.map(|name| (None, name)));
        self
    }

    /// The same with attributes and blocks that a change of one argument or block may change.
    #[must_use]
    pub fn moving_with<const N: usize>(mut self, argument: &'static str, names: [&'static str; N]) -> Self {
        self.moving.extend(names.map(|name| (Some(argument), name)));
        self
    }

    /// The same with several ways of saying the same in one argument.
    #[must_use]
    pub fn equivalent(mut self, name: &'static str, is_same: Equivalence) -> Self {
        self.equivalences.push((name, is_same));
        self
    }

    /// The same with arguments in which capitals and small letters are the same.
    #[must_use]
    pub fn any_case<const N: usize>(self, names: [&'static str; N]) -> Self {
        names.into_iter().fold(self, |fields, name| fields.equivalent(name, is_same_word))
    }

    /// The same with a rule that arguments must keep.
    #[must_use]
    pub fn rule(mut self, rule: fn(&Value) -> Diagnostics) -> Self {
        self.rules.push(rule);
        self
    }

    /// What the rules say of arguments.
    pub fn judge(&self, config: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        for rule in &self.rules {
            found.extend(rule(config));
        }
        found
    }

    /// The same with a `timeouts` block.
    #[must_use]
    pub fn times(mut self, times: Times) -> Self {
        let one = |schema: Schema, (name, time): (&str, Duration)| {
            let description = format!("How long this may take: `90s`, `1h30m`. Default {}m.", time.as_secs() / 60);
            schema.attribute(name, Attribute::optional(Type::String, &description))
        };
        let inside = times.named().fold(Schema::default(), one);
        self.times = times;
        self.block("timeouts", Block::single(inside, "How long to wait."))
    }

    /// How long an operation on an object may take.
    pub fn limit(&self, operation: &str, attributes: &Value) -> Duration {
        const OTHERS: Duration = Duration::from_secs(600);
        let given =
            attributes.set_attribute("timeouts").and_then(|times| duration::parse(text(times, operation)?).ok());
        let default = || self.times.named().find(|(name, _)| *name == operation).map(|(_, time)| time);
        given.or_else(default).unwrap_or(OTHERS)
    }

    /// Whether there is such an operation that may take time.
    pub fn has_limit(&self, operation: &str) -> bool {
        self.times.named().any(|(name, _)| name == operation)
    }

    /// Judges what stands in a `timeouts` block.
    pub fn validate_times(&self, config: &Value) -> Diagnostics {
        let Some(times) = config.set_attribute("timeouts") else { return Diagnostics::new() };
        let wrong = self.times.named().filter_map(|(name, _)| {
            let given = text(times, name).filter(|given| duration::parse(given).is_err())?;
            let detail =
                format!("`{name}` must be a number with a unit, or several: `90s`, `30m`, `1h30m`. It is {given:?}.");
            Some(Diagnostic::error("Invalid duration", detail).on(Path::of("timeouts").name(name)))
        });
        wrong.collect()
    }

    /// The arguments with the default in the place of each that is absent.
    pub fn with_defaults(&self, config: &Value) -> Value {
        let config = self.groups.iter().fold(config.clone(), |config, (name, group)| {
            let given = config.attribute(name).map(|blocks| group.with_defaults(blocks));
            given.map_or(config.clone(), |given| config.with_attribute(name, given))
        });
        self.defaults.iter().fold(config, |config, (name, default)| match config.set_attribute(name) {
            Some(_) => config,
            None => config.with_attribute(name, default.clone()),
        })
    }

    /// An object as it is compared with what is given: what means the same looks the same. Blocks whose order says nothing stand in the order in
    /// which they are given, and what is absent in a block is its default.
    pub fn before(&self, object: &Value, config: &Value) -> Value {
        // What is not told and what is nothing are the same.
        let object = self.schema.attributes.keys().fold(object.clone(), |object, name| {
            let (Some(before), Some(now)) = (object.attribute(name), config.attribute(name)) else { return object };
            let zero_is_nothing = self.zero_is_nothing(name);
            let are_nothing = is_nothing(before, zero_is_nothing) && is_nothing(now, zero_is_nothing);
            match are_nothing && self.is_plain(name) || self.is_equivalent(name, before, now) {
                true => object.with_attribute(name, now.clone()),
                false => object,
            }
        });
        self.groups.iter().fold(object, |object, (name, group)| {
            match (object.attribute(name), config.attribute(name)) {
                (Some(blocks), Some(like)) => {
                    let before = group.before(&group.with_defaults(blocks), like);
                    object.with_attribute(name, before)
                }
                _ => object,
            }
        })
    }

    /// What is planned for a change, where all that it may change and that is not given is not known yet.
    pub fn with_moving_unknown(&self, planned: Value, config: &Value, prior: &Value) -> Value {
        let open = with_unknown_computed(&self.schema, config);
        let moves = |argument: &Option<&str>| argument.is_none_or(|argument| differs(prior, &planned, argument));
        let moving: Vec<_> = self.moving.iter().filter(|(argument, _)| moves(argument)).map(|(_, name)| name).collect();
        moving.into_iter().fold(planned, |planned, name| match open.attribute(name) {
            Some(open) => planned.with_attribute(name, open.clone()),
            None => planned,
        })
    }

    /// The same, where nothing of what the provider decides is known that is null.
    pub fn with_nulls_unknown(&self, planned: Value, config: &Value) -> Value {
        let attributes = self.schema.attributes.iter().filter(|(_, attribute)| attribute.is_decided_for(config));
        attributes.fold(planned, |planned, (name, attribute)| match planned.set_attribute(name) {
            Some(_) => planned,
            None => planned.with_attribute(name, Value::unknown(attribute.ty.clone())),
        })
    }

    fn type_of(&self, name: &str) -> Type {
        self.schema.attributes.get(name).map_or(Type::Any, |attribute| attribute.ty.clone())
    }

    /// The members of a request that makes an object.
    pub fn body(&self, planned: &Value) -> Map<String, Json> {
        let mut body = self.arguments(planned, |_| true);
        for (name, group) in self.groups.iter().filter(|(_, group)| !group.member().is_empty()) {
            let blocks = planned.attribute(name).filter(|blocks| !blocks.as_slice().unwrap_or_default().is_empty());
            body.extend(blocks.and_then(|blocks| group.told(blocks)).map(|told| (group.member().to_owned(), told)));
        }
        body
    }

    /// A type of nested blocks.
    pub fn group_of(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The members of a request that changes one: what is other than before. What is given no more is nothing of its type.
    pub fn changes(&self, prior: &Value, planned: &Value) -> Map<String, Json> {
        let is_changed =
            |name: &str| planned.attribute(name).is_none_or(Value::is_wholly_known) && differs(prior, planned, name);
        let mut changes = self.arguments(planned, is_changed);
        let emptied = self
            .members
            .iter()
            .filter(|(name, member)| is_changed(name) && self.is_argument(name) && !changes.contains_key(**member));
        let emptied: Vec<_> =
            emptied.map(|(name, member)| ((*member).to_owned(), nothing_of(&self.type_of(name)))).collect();
        changes.extend(emptied);
        // What is open in a block is for the service to decide: it is left out of what is told.
        let null = Value::null();
        let is_other = |name: &str| {
            let (before, now) = (prior.attribute(name).unwrap_or(&null), planned.attribute(name).unwrap_or(&null));
            !matches!(now.kind(), Kind::Unknown(_)) && !self.is_same(name, before, now)
        };
        let told = |group: &Group| !group.member().is_empty() && group.takes_arguments();
        for (name, group) in self.groups.iter().filter(|(name, group)| told(group) && is_other(name)) {
            // One that is given no more is nothing.
            let told = planned.attribute(name).and_then(|blocks| group.told(blocks)).unwrap_or(Json::Null);
            changes.insert(group.member().to_owned(), told);
        }
        changes
    }

    fn is_argument(&self, name: &str) -> bool {
        self.schema.attributes.get(name).is_some_and(|attribute| attribute.required || attribute.optional)
    }

    fn arguments(&self, planned: &Value, is_wanted: impl Fn(&str) -> bool) -> Map<String, Json> {
        let wanted = self.members.iter().filter(|(name, _)| self.is_argument(name) && is_wanted(name));
        let members = wanted.filter_map(|(name, member)| {
            let value = planned.set_attribute(name)?;
            let json = match self.codecs.get(*name) {
                Some(codec) => (codec.told)(value).filter(|_| value.is_wholly_known()),
                None => to_json(value),
            };
            Some(((*member).to_owned(), json?))
        });
        members.collect()
    }

    /// The attributes of an object as the service tells it: those that stand in it as they are.
    ///
    /// # Errors
    /// When a member is of another type than it should be.
    pub fn observed(&self, object: &Json) -> Result<Observed, Diagnostics> {
        let mut observed = BTreeMap::new();
        for (name, member) in &self.members {
            let Some(json) = object.get(*member) else { continue };
            if let Some(codec) = self.codecs.get(*name) {
                observed.extend((codec.seen)(json).map(|value| ((*name).to_owned(), value)));
                continue;
            }
            let value = from_json_as(json, &self.type_of(name)).map_err(|_| {
                let detail = format!("The service answered with a member `{member}` of another type than expected.");
                Diagnostics::from(Diagnostic::error("Unexpected answer", detail))
            })?;
            observed.insert((*name).to_owned(), value);
        }
        for (name, group) in &self.groups {
            let seen = object.get(group.member()).map(|json| group.seen(json));
            observed.extend(seen.map(|seen| ((*name).to_owned(), seen)));
        }
        Ok(observed)
    }

    /// The object as it was planned, with all that was open as it was observed. What else is other than planned, the next refresh tells.
    pub fn made(&self, planned: &Value, observed: &Observed) -> Value {
        self.each(|name| {
            let planned = planned.attribute(name).cloned().unwrap_or_else(|| self.nothing(name));
            if planned.is_wholly_known() {
                return planned;
            }
            match (observed.get(name), self.groups.get(name)) {
                (Some(observed), Some(group)) => closed(&filled(&planned, &group.aligned(observed, &planned))),
                (Some(observed), None) => filled(&planned, observed),
                // There are none, or the service does not say.
                (None, Some(_)) if matches!(planned.kind(), Kind::Unknown(_)) => groups::nothing(),
                (None, _) => closed(&planned),
            }
        })
    }

    /// The object as it was known, with all that was observed and means something else.
    pub fn seen(&self, prior: &Value, observed: &Observed) -> Value {
        self.each(|name| {
            let before = prior.attribute(name).cloned().unwrap_or_else(|| self.nothing(name));
            match observed.get(name) {
                Some(now) if !self.is_same(name, &before, now) => match self.groups.get(name) {
                    // What is not told in a block is as it was.
                    Some(group) => filled(&group.aligned(now, &before), &before),
                    None => now.clone(),
                },
                Some(_) | None => before,
            }
        })
    }

    /// Whether an object could have been made with some arguments: none of those that it tells is another.
    pub fn fits(&self, arguments: &Json, observed: &Observed) -> bool {
        let is_fit = |(name, now): (&String, &Value)| {
            let Some(given) = arguments.get(name) else { return true };
            if let Some(group) = self.groups.get(name.as_str()) {
                return group.could_be(now, &group.written(given));
            }
            !self.is_argument(name)
                || from_json_as(given, &self.type_of(name)).is_ok_and(|given| self.is_same(name, &given, now))
        };
        observed.iter().all(is_fit)
    }

    /// What was written down of an attribute or block.
    pub fn written(&self, name: &str, json: &Json) -> Value {
        let value = match (self.groups.get(name), self.schema.attributes.get(name)) {
            (Some(group), _) => Some(group.written(json)),
            (None, Some(attribute)) => from_json_as(json, &attribute.ty).ok(),
            (None, None) => Some(json).filter(|json| !json.is_null()).map(from_json),
        };
        value.unwrap_or_else(|| self.nothing(name))
    }

    fn is_same(&self, name: &str, before: &Value, now: &Value) -> bool {
        let zero_is_nothing = self.zero_is_nothing(name);
        before.equal_content(now)
            || self.groups.get(name).is_some_and(|group| group.is_same(before, now))
            || is_nothing(before, zero_is_nothing) && is_nothing(now, zero_is_nothing)
            || self.is_equivalent(name, before, now)
    }

    fn is_equivalent(&self, name: &str, before: &Value, now: &Value) -> bool {
        let is_there = |value: &Value| !value.is_null() && value.is_wholly_known();
        let rule = self.equivalences.iter().find(|(of, _)| *of == name);
        rule.is_some_and(|(_, is_same)| is_there(before) && is_there(now) && is_same(before, now))
    }

    /// Whether `false` and `0` say no more than that nothing is given.
    fn zero_is_nothing(&self, name: &str) -> bool {
        self.is_plain(name) && self.defaults.iter().all(|(default, _)| *default != name)
    }

    /// Whether an argument is what is given, and nothing else.
    fn is_plain(&self, name: &str) -> bool {
        self.schema.attributes.get(name).is_some_and(|attribute| attribute.optional && !attribute.computed)
    }

    fn each(&self, value: impl Fn(&str) -> Value) -> Value {
        let names = self.schema.attributes.keys().chain(self.schema.blocks.keys());
        Value::object(names.map(|name| (name.clone(), value(name))).collect::<Vec<_>>())
    }

    /// What an attribute or block is of which nothing is known.
    pub fn nothing(&self, name: &str) -> Value {
        match self.schema.blocks.get(name).map(|block| block.nesting) {
            Some(Nesting::List { .. }) => Value::tuple([]),
            Some(Nesting::Single { .. }) => Value::null(),
            None => Value::null_of(self.type_of(name)),
        }
    }
}

/// Whether an attribute or a block is to be another one than before. Marks say nothing, and neither does what is not known yet.
pub fn differs(prior: &Value, planned: &Value, name: &str) -> bool {
    let null = Value::null();
    let of = |value: &Value| value.attribute(name).unwrap_or(&null).clone();
    let now = of(planned);
    now.is_known() && !of(prior).equal_content(&now)
}

/// Attributes by name, as they were observed.
pub type Observed = BTreeMap<String, Value>;

pub(crate) fn is_nothing(value: &Value, zero_is_nothing: bool) -> bool {
    match value.kind() {
        Kind::Null(_) => true,
        Kind::String(text) => text.is_empty(),
        Kind::Bool(flag) => zero_is_nothing && !flag,
        Kind::Number(number) => zero_is_nothing && number.to_i64() == Some(0),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => elements.is_empty(),
        Kind::Map(_, elements) => elements.is_empty(),
        Kind::Object(_) | Kind::Unknown(_) => false,
    }
}

/// Whether two texts are the same but for capitals and small letters.
pub(crate) fn is_same_word(one: &Value, other: &Value) -> bool {
    one.as_str().zip(other.as_str()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// What a service is told that an argument is to be no more.
fn nothing_of(ty: &Type) -> Json {
    match ty {
        Type::String => Json::String(String::new()),
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => Json::Array(Vec::new()),
        Type::Map(_) => Json::Object(Map::new()),
        Type::Bool => Json::Bool(false),
        Type::Number | Type::Any | Type::Object(_) => Json::Null,
    }
}

/// A value with all that is unknown in it as it was observed.
fn filled(planned: &Value, observed: &Value) -> Value {
    match (planned.kind(), observed.kind()) {
        (Kind::Unknown(_), _) => observed.clone().marked(planned.marks()),
        (Kind::Tuple(planned), Kind::Tuple(observed)) if planned.len() == observed.len() => {
            Value::tuple(planned.iter().zip(observed.iter()).map(|(planned, observed)| filled(planned, observed)))
        }
        (Kind::Object(attributes), Kind::Object(observed)) => Value::object(
            attributes
                .iter()
                .map(|(name, planned)| {
                    let value =
                        observed.get(name).map_or_else(|| closed(planned), |observed| filled(planned, observed));
                    (name.clone(), value)
                })
                .collect::<Vec<_>>(),
        ),
        _ => closed(planned),
    }
}

/// A value without anything unknown: null in its place.
fn closed(value: &Value) -> Value {
    value.map_deep(&|value| match value.kind() {
        Kind::Unknown(unknown) => Value::null_of(unknown.ty.clone()),
        _ => value,
    })
}
