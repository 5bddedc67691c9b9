//! Nested blocks as tables, too: what stands in them, and the objects of a service that they stand for.
//!
//! A member may lie deeper than its block: `destinationPortRange.min` is the member `min` of an object that has no block of its own.

use pipectl_core::json::{from_json_as, to_json};
use pipectl_core::{Attribute, Block, Schema, Type, Value};
use serde_json::{Map, Value as Json};

use crate::fields::is_nothing;

/// What the service has for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One object.
    One,
    /// A list.
    Many,
    /// A list whose order says nothing.
    Unordered,
}

/// A type of nested block.
#[derive(Clone)]
pub struct Group {
    member: &'static str,
    form: Form,
    description: &'static str,
    is_computed: bool,
    attributes: Vec<(&'static str, &'static str, Attribute)>,
    groups: Vec<(&'static str, Group)>,
    defaults: Vec<(&'static str, Value)>,
}

impl Group {
    /// At most one block, for a member that is an object.
    pub fn one(member: &'static str, description: &'static str) -> Self {
        Self::of(member, Form::One, description)
    }

    /// Any number of blocks, for a member that is a list.
    pub fn many(member: &'static str, description: &'static str) -> Self {
        Self::of(member, Form::Many, description)
    }

    /// Any number of blocks in whatever order, for a member that is a list.
    pub fn unordered(member: &'static str, description: &'static str) -> Self {
        Self::of(member, Form::Unordered, description)
    }

    fn of(member: &'static str, form: Form, description: &'static str) -> Self {
        Self {
            member,
            form,
            description,
            is_computed: false,
            attributes: Vec::new(),
            groups: Vec::new(),
            defaults: Vec::new(),
        }
    }

    /// The same, which the cloud fills where none is given.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.is_computed = true;
        self
    }

    /// The same with an attribute, and the member that it stands for. Without a member: the kind knows what becomes of it.
    #[must_use]
    pub fn with(mut self, name: &'static str, member: &'static str, attribute: Attribute) -> Self {
        self.attributes.push((name, member, attribute));
        self
    }

    /// The same with a block in it.
    #[must_use]
    pub fn group(mut self, name: &'static str, group: Group) -> Self {
        self.groups.push((name, group));
        self
    }

    /// The same with a value for an argument that is absent.
    #[must_use]
    pub fn default(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.defaults.push((name, value.into()));
        self
    }

    /// The member that it stands for.
    pub fn member(&self) -> &'static str {
        self.member
    }

    /// Whether there is no more than one.
    pub(crate) fn is_one(&self) -> bool {
        self.form == Form::One
    }

    pub(crate) fn block(&self) -> Block {
        let attributes = self.attributes.iter();
        let schema = attributes
            .fold(Schema::default(), |schema, (name, _, attribute)| schema.attribute(name, attribute.clone()));
        let schema = self.groups.iter().fold(schema, |schema, (name, group)| schema.block(name, group.block()));
        let block = Block::list(schema, self.description);
        if self.is_computed { block.computed() } else { block }
    }

    /// What the service is told of blocks. None: there are none.
    pub fn told(&self, blocks: &Value) -> Option<Json> {
        let blocks = blocks.as_slice()?;
        match self.form {
            Form::One => blocks.first().map(|block| Json::Object(self.object(block))),
            Form::Many | Form::Unordered => Some(blocks.iter().map(|block| Json::Object(self.object(block))).collect()),
        }
    }

    /// The members of one block. What is absent or not known is left out.
    pub fn object(&self, block: &Value) -> Map<String, Json> {
        let mut object = Map::new();
        for (name, member, attribute) in &self.attributes {
            let is_argument = attribute.required || attribute.optional;
            let value = block.set_attribute(name).filter(|value| value.is_wholly_known()).and_then(to_json);
            if let Some(value) = value.filter(|_| is_argument && !member.is_empty()) {
                put(&mut object, member, value);
            }
        }
        for (name, group) in &self.groups {
            let inside = block.attribute(name).filter(|blocks| !blocks.as_slice().unwrap_or_default().is_empty());
            if let Some(value) = inside.and_then(|blocks| group.told(blocks)).filter(|_| !group.member.is_empty()) {
                put(&mut object, group.member, value);
            }
        }
        object
    }

    /// The blocks that a member of an object stands for.
    pub fn seen(&self, json: &Json) -> Value {
        match json {
            Json::Array(objects) => Value::tuple(objects.iter().map(|object| self.one_seen(object))),
            Json::Object(_) => {
                let block = self.one_seen(json);
                // Services tell an object of nothing where none was given.
                if self.is_blank(&block) { nothing() } else { Value::tuple([block]) }
            }
            _ => Value::tuple([]),
        }
    }

    fn one_seen(&self, object: &Json) -> Value {
        let attributes = self.attributes.iter().map(|(name, member, attribute)| {
            let nothing = || Value::null_of(attribute.ty.without_optional());
            let json = get(object, member);
            let value = json.and_then(|json| from_json_as(json, &attribute.ty).ok());
            ((*name).to_owned(), value.unwrap_or_else(nothing))
        });
        let groups = self.groups.iter().map(|(name, group)| {
            let json = get(object, group.member).unwrap_or(&Json::Null);
            ((*name).to_owned(), group.seen(json))
        });
        Value::object(attributes.chain(groups).collect::<Vec<_>>())
    }

    /// Whether two lists of blocks mean the same.
    pub(crate) fn is_same(&self, one: &Value, other: &Value) -> bool {
        let (Some(one), Some(other)) = (slice(one), slice(other)) else { return one.equal_content(other) };
        let is_none = |blocks: &[Value]| blocks.iter().all(|block| self.is_blank(block));
        if is_none(one) && is_none(other) {
            return true;
        }
        if one.len() != other.len() {
            return false;
        }
        if self.form != Form::Unordered {
            return one.iter().zip(other).all(|(one, other)| self.is_same_block(one, other));
        }
        let mut left: Vec<&Value> = other.iter().collect();
        one.iter().all(|one| match left.iter().position(|other| self.is_same_block(one, other)) {
            Some(place) => {
                left.swap_remove(place);
                true
            }
            None => false,
        })
    }

    /// Whether a block that only a configuration gives says nothing.
    fn is_blank(&self, block: &Value) -> bool {
        let members = block.as_object().into_iter().flatten();
        self.form == Form::One && !self.is_computed && members.into_iter().all(|(_, value)| is_nothing(value, true))
    }

    fn is_same_block(&self, one: &Value, other: &Value) -> bool {
        let null = Value::null();
        let of = |block: &Value, name: &str| block.attribute(name).unwrap_or(&null).clone();
        let attributes = self.attributes.iter().all(|(name, _, attribute)| {
            let (one, other) = (of(one, name), of(other, name));
            let has_default = self.defaults.iter().any(|(default, _)| default == name);
            let zero_is_nothing = attribute.optional && !attribute.computed && !has_default;
            one.equal_content(&other) || is_nothing(&one, zero_is_nothing) && is_nothing(&other, zero_is_nothing)
        });
        attributes && self.groups.iter().all(|(name, group)| group.is_same(&of(one, name), &of(other, name)))
    }

    /// Blocks as they were before, each at the place of the one that is given for it now. For one that is new there is nothing but unknowns.
    pub(crate) fn before(&self, blocks: &Value, given: &Value) -> Value {
        let (Form::Unordered, Some(found), Some(given)) = (self.form, slice(blocks), slice(given)) else {
            return self.aligned(blocks, given);
        };
        let mut left: Vec<&Value> = found.iter().collect();
        let mut ordered: Vec<Value> = Vec::new();
        for given in given {
            let place = left.iter().position(|block| self.is_like(block, given));
            ordered.push(place.map_or_else(|| self.open(), |place| self.aligned_inside(left.remove(place), given)));
        }
        ordered.extend(left.into_iter().cloned());
        Value::tuple(ordered).marked(blocks.marks())
    }

    /// A block of which nothing is known yet.
    fn open(&self) -> Value {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, _, attribute)| ((*name).to_owned(), Value::unknown(attribute.ty.clone())));
        let groups = self.groups.iter().map(|(name, _)| ((*name).to_owned(), unknown()));
        Value::object(attributes.chain(groups).collect::<Vec<_>>())
    }

    /// Blocks in the order of others that they are like, where order says nothing. What is like none comes last.
    pub(crate) fn aligned(&self, blocks: &Value, like: &Value) -> Value {
        let (Some(found), Some(like)) = (slice(blocks), slice(like)) else { return blocks.clone() };
        let mut left: Vec<&Value> = found.iter().collect();
        let mut ordered = Vec::new();
        for like in like {
            let place = match self.form {
                Form::Unordered => left.iter().position(|block| self.is_like(block, like)),
                Form::One | Form::Many => (!left.is_empty()).then_some(0),
            };
            if let Some(place) = place {
                ordered.push(self.aligned_inside(left.remove(place), like));
            }
        }
        ordered.extend(left.into_iter().cloned());
        Value::tuple(ordered).marked(blocks.marks())
    }

    fn aligned_inside(&self, block: &Value, like: &Value) -> Value {
        self.groups.iter().fold(block.clone(), |block, (name, group)| {
            match (block.attribute(name).cloned(), like.attribute(name)) {
                (Some(inside), Some(like)) => block.with_attribute(name, group.aligned(&inside, like)),
                _ => block,
            }
        })
    }

    /// Whether a block could be one of which not all is given or known.
    fn is_like(&self, block: &Value, like: &Value) -> bool {
        let attributes = self.attributes.iter().all(|(name, _, attribute)| {
            let Some(wanted) = like.set_attribute(name).filter(|wanted| wanted.is_wholly_known()) else {
                return true;
            };
            block.attribute(name).is_some_and(|has| {
                has.equal_content(wanted)
                    || is_nothing(has, !attribute.computed) && is_nothing(wanted, !attribute.computed)
            })
        });
        let inside = |value: &Value, name: &str| value.attribute(name).and_then(slice).map(<[Value]>::to_vec);
        attributes
            && self.groups.iter().all(|(name, group)| match (inside(block, name), inside(like, name)) {
                (Some(has), Some(wanted)) if !group.is_computed || !wanted.is_empty() => {
                    has.len() == wanted.len() && has.iter().zip(&wanted).all(|(has, wanted)| group.is_like(has, wanted))
                }
                _ => true,
            })
    }

    /// Blocks with the default in the place of each argument that is absent.
    pub(crate) fn with_defaults(&self, blocks: &Value) -> Value {
        let Some(given) = slice(blocks) else { return blocks.clone() };
        let one = |block: &Value| {
            let block =
                self.defaults.iter().fold(block.clone(), |block, (name, default)| match block.set_attribute(name) {
                    Some(_) => block,
                    None => block.with_attribute(name, default.clone()),
                });
            self.groups.iter().fold(block, |block, (name, group)| match block.attribute(name).cloned() {
                Some(inside) => block.with_attribute(name, group.with_defaults(&inside)),
                None => block,
            })
        };
        Value::tuple(given.iter().map(one)).marked(blocks.marks())
    }
}

fn slice(value: &Value) -> Option<&[Value]> {
    value.as_slice()
}

fn get<'a>(object: &'a Json, member: &str) -> Option<&'a Json> {
    if member.is_empty() {
        return None;
    }
    member.split('.').try_fold(object, |object, name| object.get(name)).filter(|json| !json.is_null())
}

fn put(object: &mut Map<String, Json>, member: &str, value: Json) {
    match member.split_once('.') {
        None => {
            object.insert(member.to_owned(), value);
        }
        Some((first, rest)) => {
            let inside = object.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inside) = inside {
                put(inside, rest, value);
            }
        }
    }
}

/// What a block is of which nothing is known.
pub(crate) fn nothing() -> Value {
    Value::tuple([])
}

/// The type that a block which is not known yet has.
pub(crate) fn unknown() -> Value {
    Value::unknown(Type::Any)
}
