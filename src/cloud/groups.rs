//! Nested blocks as tables, too: what stands in them, and the objects of a service that they stand for.
//!
//! A member may lie deeper than its block: `destinationPortRange.min` is the member `min` of an object that has no block of its own.

use pipectl_core::json::{from_json_as, to_json};
use pipectl_core::{Attribute, Block, Schema, Type, Value};
use serde_json::{Map, Value as Json};

use crate::fields::{is_nothing, is_same_word};

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
    /// What stands for a member that is absent.
    absents: Vec<(&'static str, Value)>,
    any_case: Vec<&'static str>,
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
            absents: Vec::new(),
            any_case: Vec::new(),
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

    /// The same with a value that stands for a member that is absent, and for an argument that is.
    #[must_use]
    pub fn absent(mut self, name: &'static str, value: impl Into<Value> + Clone) -> Self {
        self.absents.push((name, value.clone().into()));
        self.default(name, value)
    }

    /// The same with arguments in which capitals and small letters are the same.
    #[must_use]
    pub fn any_case<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.any_case.extend(names);
        self
    }

    fn absent_of(&self, name: &str) -> Option<&Value> {
        self.absents.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    fn is_same_word(&self, name: &str, one: &Value, other: &Value) -> bool {
        self.any_case.contains(&name) && is_same_word(one, other)
    }

    /// The member that it stands for.
    pub fn member(&self) -> &'static str {
        self.member
    }

    /// Whether anything in it can be given.
    pub(crate) fn takes_arguments(&self) -> bool {
        self.attributes.iter().any(|(_, _, attribute)| attribute.required || attribute.optional)
            || self.groups.iter().any(|(_, group)| group.takes_arguments())
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
            let stands_for_nothing = |value: &Value| self.absent_of(name).is_some_and(|none| none.equal_content(value));
            let value = block.set_attribute(name).filter(|value| value.is_wholly_known() && !stands_for_nothing(value));
            let value = value.and_then(to_json);
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
            let ty = attribute.ty.without_optional();
            let value = match get(object, member) {
                Some(json) => from_json_as(json, &attribute.ty).unwrap_or_else(|_| Value::null_of(ty)),
                // It is not told: it may be whatever it was.
                None if attribute.optional && attribute.computed && !member.is_empty() => Value::unknown(ty),
                None => self.absent_of(name).cloned().unwrap_or_else(|| Value::null_of(ty)),
            };
            ((*name).to_owned(), value)
        });
        let groups = self.groups.iter().map(|(name, group)| {
            let seen = match get(object, group.member) {
                Some(json) => group.seen(json),
                None if group.is_computed && !group.member.is_empty() => unknown(),
                None => nothing(),
            };
            ((*name).to_owned(), seen)
        });
        Value::object(attributes.chain(groups).collect::<Vec<_>>())
    }

    /// Whether two lists of blocks mean the same. What is not told of the other is as it is in the one.
    pub(crate) fn is_same(&self, one: &Value, other: &Value) -> bool {
        if !other.is_known() {
            return true;
        }
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
        self.form == Form::One
            && !self.is_computed
            && members.into_iter().all(|(_, value)| !value.is_known() || is_nothing(value, true))
    }

    fn is_same_block(&self, one: &Value, other: &Value) -> bool {
        let null = Value::null();
        let of = |block: &Value, name: &str| block.attribute(name).unwrap_or(&null).clone();
        let attributes = self.attributes.iter().all(|(name, _, attribute)| {
            let (one, other) = (of(one, name), of(other, name));
            let has_default = self.defaults.iter().any(|(default, _)| default == name);
            let zero_is_nothing = attribute.optional && !attribute.computed && !has_default;
            one.equal_content(&other)
                || !other.is_known()
                || self.is_same_word(name, &one, &other)
                || is_nothing(&one, zero_is_nothing) && is_nothing(&other, zero_is_nothing)
        });
        attributes && self.groups.iter().all(|(name, group)| group.is_same(&of(one, name), &of(other, name)))
    }

    /// Blocks as they were before, each at the place of the one that is given for it now. For one that is new there is nothing but unknowns.
    pub(crate) fn before(&self, blocks: &Value, given: &Value) -> Value {
        let (Form::Unordered, Some(found), Some(given)) = (self.form, slice(blocks), slice(given)) else {
            return self.aligned(blocks, given);
        };
        let pairs = self.paired(given, found);
        let before = |(given, place): (&Value, &Option<usize>)| {
            place.map_or_else(|| self.open(), |place| self.aligned_inside(&found[place], given))
        };
        let rest = rest(&pairs, found.len()).map(|place| found[place].clone());
        Value::tuple(given.iter().zip(&pairs).map(before).chain(rest)).marked(blocks.marks())
    }

    /// A block of which nothing is known yet.
    fn open(&self) -> Value {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, _, attribute)| ((*name).to_owned(), Value::unknown(attribute.ty.clone())));
        let groups = self.groups.iter().map(|(name, _)| ((*name).to_owned(), unknown()));
        Value::object(attributes.chain(groups).collect::<Vec<_>>())
    }

    /// Blocks in the order of others that they are, where order says nothing. What is none of them takes the places that are left, and comes last.
    pub(crate) fn aligned(&self, blocks: &Value, like: &Value) -> Value {
        let (Some(found), Some(like)) = (slice(blocks), slice(like)) else { return blocks.clone() };
        let mut pairs = self.paired(like, found);
        let mut left = rest(&pairs, found.len());
        for pair in pairs.iter_mut().filter(|pair| pair.is_none()) {
            *pair = left.next();
        }
        let ordered =
            pairs.iter().zip(like).filter_map(|(place, like)| Some(self.aligned_inside(&found[(*place)?], like)));
        let left = left.map(|place| found[place].clone());
        Value::tuple(ordered.chain(left)).marked(blocks.marks())
    }

    /// For each of some blocks, of which not all is given or known, the place of the one that it is among others. Where order says nothing that is
    /// the one in its own place, if that fits, else any that fits; those of which most is said choose first.
    fn paired(&self, wanted: &[Value], there: &[Value]) -> Vec<Option<usize>> {
        if self.form != Form::Unordered {
            return (0..wanted.len()).map(|place| (place < there.len()).then_some(place)).collect();
        }
        let said = |block: &Value| {
            let attributes = block.as_object().into_iter().flatten();
            attributes.filter(|(_, value)| !value.is_null() && value.is_wholly_known()).count()
        };
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(said(&wanted[*index])));
        let mut left: Vec<usize> = (0..there.len()).collect();
        let mut pairs = vec![None; wanted.len()];
        for index in order {
            let fits = |place: &usize| self.is_like(&there[*place], &wanted[index]);
            let own = left.iter().position(|place| *place == index && fits(place));
            pairs[index] = own.or_else(|| left.iter().position(fits)).map(|chosen| left.remove(chosen));
        }
        pairs
    }

    fn aligned_inside(&self, block: &Value, like: &Value) -> Value {
        let spelled = self.any_case.iter().fold(block.clone(), |block, name| {
            match (block.attribute(name), like.attribute(name)) {
                (Some(has), Some(like)) if is_same_word(has, like) => block.with_attribute(name, like.clone()),
                _ => block,
            }
        });
        self.groups.iter().fold(spelled, |block, (name, group)| {
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
                !has.is_known()
                    || has.equal_content(wanted)
                    || self.is_same_word(name, has, wanted)
                    || is_nothing(has, !attribute.computed) && is_nothing(wanted, !attribute.computed)
            })
        });
        let inside = |value: &Value, name: &str| value.attribute(name).cloned().unwrap_or_else(nothing);
        attributes && self.groups.iter().all(|(name, group)| group.could_be(&inside(block, name), &inside(like, name)))
    }

    /// Whether blocks could be those of which not all is given or known. Where the cloud fills what is not given, none may be any.
    pub(crate) fn could_be(&self, blocks: &Value, like: &Value) -> bool {
        let (Some(has), Some(wanted)) = (slice(blocks), slice(like)) else { return true };
        let says_something = |block: &&Value| !self.is_blank(block);
        let has: Vec<Value> = has.iter().filter(says_something).cloned().collect();
        let wanted: Vec<Value> = wanted.iter().filter(says_something).cloned().collect();
        if self.is_computed && wanted.is_empty() {
            return true;
        }
        let is_it =
            |(wanted, place): (&Value, &Option<usize>)| place.is_some_and(|place| self.is_like(&has[place], wanted));
        has.len() == wanted.len() && wanted.iter().zip(&self.paired(&wanted, &has)).all(is_it)
    }

    /// Blocks as they were written down by the names of arguments.
    pub(crate) fn written(&self, json: &Json) -> Value {
        let one = |block: &Json| {
            let attributes = self.attributes.iter().map(|(name, _, attribute)| {
                let value = block.get(name).and_then(|json| from_json_as(json, &attribute.ty).ok());
                ((*name).to_owned(), value.unwrap_or_else(|| Value::null_of(attribute.ty.without_optional())))
            });
            let groups = self.groups.iter();
            let groups = groups.map(|(name, group)| {
                ((*name).to_owned(), block.get(name).map_or_else(nothing, |json| group.written(json)))
            });
            Value::object(attributes.chain(groups).collect::<Vec<_>>())
        };
        Value::tuple(json.as_array().into_iter().flatten().map(one))
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

/// The places that no pair has.
fn rest(pairs: &[Option<usize>], places: usize) -> std::vec::IntoIter<usize> {
    let is_left = |place: &usize| !pairs.contains(&Some(*place));
    (0..places).filter(is_left).collect::<Vec<_>>().into_iter()
}

fn slice(value: &Value) -> Option<&[Value]> {
    value.as_slice()
}

fn get<'a>(object: &'a Json, member: &str) -> Option<&'a Json> {
    if member.is_empty() {
        return None;
    }
    member.split('.').try_fold(object, |object, name| object.get(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(form: fn(&'static str, &'static str) -> Group) -> Group {
        let text = || Attribute::optional_computed(Type::String, "");
        form("", "").with("subnet", "subnet", text()).with("address", "address", text())
    }

    fn address(subnet: &str, address: Option<&str>) -> Value {
        let address = address.map_or_else(|| Value::unknown(Type::String), Value::from);
        Value::object([("subnet", subnet.into()), ("address", address)])
    }

    #[test]
    fn blocks_are_told_by_what_is_given_of_them() {
        let there = [address("a", Some("1")), address("a", Some("2")), address("b", Some("3"))];
        let group = addresses(Group::unordered);
        let pairs = |wanted: &[Value]| group.paired(wanted, &there);
        assert_eq!(pairs(&[address("b", None), address("a", None), address("a", None)]), [Some(2), Some(1), Some(0)]);
        assert_eq!(pairs(&[address("a", None), address("a", Some("1"))]), [Some(1), Some(0)]);
        assert_eq!(pairs(&[address("c", None), address("b", None)]), [None, Some(2)]);
        let ordered = addresses(Group::many);
        assert_eq!(ordered.paired(&[address("c", None), address("b", None)], &there), [Some(0), Some(1)]);

        let (blocks, like) = (Value::tuple(there.clone()), Value::tuple([address("c", None), address("b", None)]));
        let aligned = group.aligned(&blocks, &like);
        assert_eq!(aligned.as_slice().expect("blocks"), [&there[0], &there[2], &there[1]].map(Clone::clone));
        let before = group.before(&blocks, &like);
        let before = before.as_slice().expect("blocks");
        assert!(!before[0].is_wholly_known() && before[1..] == [&there[2], &there[0], &there[1]].map(Clone::clone));
    }

    #[test]
    fn order_and_marks_say_nothing_where_blocks_are_unordered() {
        let blocks = |names: [&str; 2]| Value::tuple(names.map(|name| address(name, Some("1"))));
        let group = addresses(Group::unordered);
        assert!(group.is_same(&blocks(["a", "b"]), &blocks(["b", "a"])));
        assert!(!group.is_same(&blocks(["a", "a"]), &blocks(["a", "b"])));
        assert!(!addresses(Group::many).is_same(&blocks(["a", "b"]), &blocks(["b", "a"])));
        let secret = |text: &str| {
            let block = Value::object([("subnet", Value::from(text).marked(pipectl_core::Marks::SENSITIVE))]);
            Value::tuple([block])
        };
        assert!(!group.is_same(&secret("a"), &secret("b")), "what is not shown is not the same");
    }

    #[test]
    fn blocks_within_blocks_are_compared_in_whatever_order() {
        let code = Attribute::optional(Type::Number, "");
        let group = Group::one("", "").group("rules", Group::unordered("rules", "").with("code", "code", code));
        let rules = |codes: &[i64]| {
            let rules = codes.iter().map(|code| Value::object([("code", (*code).into())]));
            Value::tuple([Value::object([("rules", Value::tuple(rules))])])
        };
        assert!(group.could_be(&rules(&[1, 2]), &rules(&[2, 1])));
        assert!(!group.could_be(&rules(&[1, 2]), &rules(&[2, 3])));
        assert!(!group.could_be(&rules(&[1, 2]), &rules(&[1])));
        assert!(!group.could_be(&rules(&[1]), &nothing()), "one that is given is not one that is not");
        let filled = group.clone().computed();
        assert!(filled.could_be(&rules(&[1]), &nothing()), "the cloud fills what is not given");
        let written = serde_json::json!([{ "rules": [{ "code": 2 }, { "code": 1 }] }]);
        assert!(group.could_be(&rules(&[1, 2]), &group.written(&written)));
    }
}
