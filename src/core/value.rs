//! Values: a kind and marks. Cheap to clone: collections are shared.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::{Number, ObjectField, Path, Step, Type, set_order};

/// A value of the language.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    kind: Kind,
    marks: Marks,
}

/// What a value is.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// No value, of a type (`Any` when that is not known).
    Null(Type),
    /// A value that will be known after apply.
    Unknown(Unknown),
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// Elements of one type, in order.
    List(Type, Arc<[Value]>),
    /// Elements of one type, each once, in canonical order.
    Set(Type, Arc<[Value]>),
    /// Elements of one type by key.
    Map(Type, Arc<BTreeMap<String, Value>>),
    /// Elements of any types, in order.
    Tuple(Arc<[Value]>),
    /// Attributes by name.
    Object(Arc<BTreeMap<String, Value>>),
}

/// What is known of an unknown value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its type.
    pub ty: Type,
    /// What else is known.
    pub refinement: Refinement,
}

/// Limits that a value known after apply will keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refinement {
    /// It will not be null.
    pub not_null: bool,
    /// A string will begin with this.
    pub prefix: Option<Arc<str>>,
    /// A number will be at least this.
    pub minimum: Option<Number>,
    /// A number will be at most this.
    pub maximum: Option<Number>,
    /// A collection will have at least this many elements.
    pub minimum_length: Option<usize>,
    /// A collection will have at most this many elements.
    pub maximum_length: Option<usize>,
}

/// Marks of a value: a set of flags that operations pass on.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks(u8);

impl Marks {
    /// No mark.
    pub const NONE: Marks = Marks(0);
    /// Must not be shown.
    pub const SENSITIVE: Marks = Marks(1);
    /// Must not be stored.
    pub const EPHEMERAL: Marks = Marks(2);
    /// Of `secret()`: stored as a fingerprint only. Comes with `SENSITIVE`.
    pub const SECRET: Marks = Marks(4);

    /// Whether all marks of `other` are set.
    pub fn contains(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether none is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether what has these marks must not be shown to people: it is sensitive, or ephemeral.
    pub fn is_private(self) -> bool {
        self.0 & (Self::SENSITIVE.0 | Self::EPHEMERAL.0) != 0
    }

    /// These marks without those of `other`.
    #[must_use]
    pub fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }
}

impl BitOr for Marks {
    type Output = Marks;

    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Value { kind, marks: Marks::NONE }
    }
}

impl Value {
    /// `null` of no particular type.
    pub fn null() -> Self {
        Self::null_of(Type::Any)
    }

    /// `null` of a type.
    pub fn null_of(ty: Type) -> Self {
        Kind::Null(ty).into()
    }

    /// A value known after apply.
    pub fn unknown(ty: Type) -> Self {
        Kind::Unknown(Unknown { ty, refinement: Refinement::default() }).into()
    }

    /// A value known after apply, with limits. Where they leave only one number, it is that;
    /// where they leave only one length, a list is known but for its elements.
    pub fn refined(ty: Type, refinement: Refinement) -> Self {
        if refinement.not_null
            && let (Type::Number, Some(minimum), Some(maximum)) = (&ty, &refinement.minimum, &refinement.maximum)
            && minimum == maximum
        {
            return Self::from(minimum.clone());
        }
        if refinement.not_null
            && let Some(length) = refinement.minimum_length
            && refinement.maximum_length == Some(length)
        {
            match &ty {
                Type::List(element) => {
                    return Self::list((**element).clone(), vec![Self::unknown((**element).clone()); length]);
                }
                Type::Set(element) if length == 0 => return Self::set((**element).clone(), []),
                Type::Set(element) if length == 1 => {
                    return Self::set((**element).clone(), [Self::unknown((**element).clone())]);
                }
                Type::Map(element) if length == 0 => return Self::map::<String>((**element).clone(), []),
                _ => {}
            }
        }
        Kind::Unknown(Unknown { ty, refinement }).into()
    }

    /// Text, in Unicode's normal form C: two ways to write the same characters are equal, as in Terraform.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let text = if text.is_ascii() || is_nfc(&text) { text } else { text.nfc().collect::<String>().into() };
        Kind::String(text).into()
    }

    /// A tuple.
    pub fn tuple(elements: impl IntoIterator<Item = Value>) -> Self {
        Kind::Tuple(elements.into_iter().collect()).into()
    }

    /// An object.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Value)>) -> Self {
        Kind::Object(Arc::new(attributes.into_iter().map(|(name, value)| (name.into(), value)).collect())).into()
    }

    /// A list; the caller has converted the elements to `element`.
    pub fn list(element: Type, elements: impl IntoIterator<Item = Value>) -> Self {
        Kind::List(element, elements.into_iter().collect()).into()
    }

    /// A map; the caller has converted the elements to `element`.
    pub fn map<N: Into<String>>(element: Type, elements: impl IntoIterator<Item = (N, Value)>) -> Self {
        let elements = elements.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Kind::Map(element, Arc::new(elements)).into()
    }

    /// A set: sorted, each element once; marks of elements move to the set. The caller has converted the elements to `element`.
    pub fn set(element: Type, elements: impl IntoIterator<Item = Value>) -> Self {
        let mut marks = Marks::NONE;
        let mut elements: Vec<Value> = elements
            .into_iter()
            .map(|value| {
                let (plain, own) = value.unmark_deep();
                marks = marks | own;
                plain
            })
            .collect();
        elements.sort_by(Value::compare_content);
        // Two unknown elements may turn out different: they both stay.
        elements.dedup_by(|a, b| a.is_wholly_known() && a.compare_content(b) == Ordering::Equal);
        Value { kind: Kind::Set(element, elements.into()), marks }
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Its own marks, not those of its elements.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// This value with more marks.
    #[must_use]
    pub fn marked(mut self, marks: Marks) -> Self {
        self.marks = self.marks | marks;
        self
    }

    /// This value without its own marks, and these marks.
    pub fn unmark(mut self) -> (Self, Marks) {
        let marks = std::mem::take(&mut self.marks);
        (self, marks)
    }

    /// This value without any marks inside, and the union of all that were there.
    pub fn unmark_deep(&self) -> (Self, Marks) {
        let marks = self.marks_deep();
        if marks.is_empty() {
            return (self.clone(), marks);
        }
        (self.map_deep(&|value| Value { kind: value.kind, marks: Marks::NONE }), marks)
    }

    /// The union of all marks on and inside this value.
    pub fn marks_deep(&self) -> Marks {
        self.elements().fold(self.marks, |marks, child| marks | child.marks_deep())
    }

    /// Whether it is marked sensitive itself.
    pub fn is_sensitive(&self) -> bool {
        self.marks.contains(Marks::SENSITIVE)
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// Whether it is itself known (its elements may not be).
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Unknown(_))
    }

    /// Whether it and everything inside is known.
    pub fn is_wholly_known(&self) -> bool {
        self.is_known() && self.elements().all(Value::is_wholly_known)
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A known bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A known number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The attributes of an object or the elements of a map.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match &self.kind {
            Kind::Object(attributes) | Kind::Map(_, attributes) => Some(attributes),
            _ => None,
        }
    }

    /// The elements of a list, set or tuple.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// An attribute of an object or an element of a map. Absent and null are not the same.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// An attribute that is there and not null.
    pub fn set_attribute(&self, name: &str) -> Option<&Value> {
        self.attribute(name).filter(|value| !value.is_null())
    }

    /// The value at a path.
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.0.iter().try_fold(self, |value, step| match step {
            Step::Name(name) => value.attribute(name),
            Step::Index(index) => value.as_slice()?.get(*index),
        })
    }

    /// This object with an attribute set to another value. Anything else stays as it is.
    #[must_use]
    pub fn with_attribute(&self, name: &str, value: Value) -> Value {
        match &self.kind {
            Kind::Object(attributes) => {
                let mut attributes = (**attributes).clone();
                attributes.insert(name.to_owned(), value);
                Value { kind: Kind::Object(Arc::new(attributes)), marks: self.marks }
            }
            _ => self.clone(),
        }
    }

    /// The elements, whatever leads to them.
    fn elements(&self) -> impl Iterator<Item = &Value> {
        let ordered = self.as_slice().into_iter().flatten();
        ordered.chain(self.as_object().into_iter().flat_map(BTreeMap::values))
    }

    /// The elements with the steps that lead to them.
    pub fn children(&self) -> Box<dyn Iterator<Item = (Step, &Value)> + '_> {
        match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                Box::new(elements.iter().enumerate().map(|(index, value)| (Step::Index(index), value)))
            }
            Kind::Map(_, attributes) | Kind::Object(attributes) => {
                Box::new(attributes.iter().map(|(name, value)| (Step::Name(name.clone()), value)))
            }
            Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    /// Every value inside, innermost first, replaced by what `change` makes of it; types of collections stay.
    #[must_use]
    pub fn map_deep(&self, change: &impl Fn(Value) -> Value) -> Value {
        let each = |elements: &Arc<[Value]>| elements.iter().map(|value| value.map_deep(change)).collect();
        let named = |attributes: &Arc<BTreeMap<String, Value>>| {
            Arc::new(attributes.iter().map(|(name, value)| (name.clone(), value.map_deep(change))).collect())
        };
        let kind = match &self.kind {
            Kind::List(element, elements) => Kind::List(element.clone(), each(elements)),
            Kind::Set(element, elements) => Kind::Set(element.clone(), each(elements)),
            Kind::Tuple(elements) => Kind::Tuple(each(elements)),
            Kind::Map(element, attributes) => Kind::Map(element.clone(), named(attributes)),
            Kind::Object(attributes) => Kind::Object(named(attributes)),
            Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => self.kind.clone(),
        };
        change(Value { kind, marks: self.marks })
    }

    /// Paths of all values inside that carry `mark`, outermost only.
    pub fn paths_marked(&self, mark: Marks) -> Vec<Path> {
        fn walk(value: &Value, at: &mut Path, mark: Marks, found: &mut Vec<Path>) {
            if value.marks.contains(mark) {
                found.push(at.clone());
                return;
            }
            for (step, child) in value.children() {
                at.0.push(step);
                walk(child, at, mark, found);
                at.0.pop();
            }
        }
        let mut found = Vec::new();
        // Most values have no marks at all, and then no paths are needed.
        if self.marks_deep().contains(mark) {
            walk(self, &mut Path::root(), mark, &mut found);
        }
        found
    }

    /// This value with the value at `path` marked. A path that leads nowhere changes nothing.
    #[must_use]
    pub fn mark_at(&self, path: &[Step], marks: Marks) -> Value {
        let Some((first, rest)) = path.split_first() else { return self.clone().marked(marks) };
        let kind = match (&self.kind, first) {
            (Kind::Object(attributes), Step::Name(name)) => Kind::Object(mark_named(attributes, name, rest, marks)),
            (Kind::Map(ty, attributes), Step::Name(name)) => {
                Kind::Map(ty.clone(), mark_named(attributes, name, rest, marks))
            }
            (Kind::List(ty, elements), Step::Index(index)) => {
                Kind::List(ty.clone(), mark_indexed(elements, *index, rest, marks))
            }
            (Kind::Tuple(elements), Step::Index(index)) => Kind::Tuple(mark_indexed(elements, *index, rest, marks)),
            // An element of a set has no place of its own: the whole set is marked.
            (Kind::Set(..), _) => return self.clone().marked(marks),
            (kind, _) => kind.clone(),
        };
        Value { kind, marks: self.marks }
    }

    /// Its type.
    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Null(ty) => ty.clone(),
            Kind::Unknown(unknown) => unknown.ty.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(element, _) => Type::list(element.clone()),
            Kind::Set(element, _) => Type::set(element.clone()),
            Kind::Map(element, _) => Type::map(element.clone()),
            Kind::Tuple(elements) => Type::Tuple(elements.iter().map(Value::ty).collect()),
            Kind::Object(attributes) => Type::Object(
                attributes.iter().map(|(name, value)| (name.clone(), ObjectField::required(value.ty()))).collect(),
            ),
        }
    }

    /// A total order over contents, marks aside: what sets are sorted by. Strings by bytes, numbers by size, what is not known late,
    /// null last; collections and structures by the text that Terraform makes of them for this.
    pub fn compare_content(&self, other: &Self) -> Ordering {
        if self.has_children() && other.has_children() {
            let text = |value: &Value| {
                let mut text = String::new();
                set_order::append(value, &mut text);
                text
            };
            return text(self).cmp(&text(other)).then_with(|| self.compare_structure(other));
        }
        self.compare_structure(other)
    }

    /// Whether it is a known collection or structure.
    fn has_children(&self) -> bool {
        self.as_slice().is_some() || self.as_object().is_some()
    }

    fn compare_structure(&self, other: &Self) -> Ordering {
        let lists = |a: &[Value], b: &[Value]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| a.compare_structure(b))
                .find(|order| order.is_ne())
                .unwrap_or(a.len().cmp(&b.len()))
        };
        let maps = |a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>| {
            a.iter()
                .zip(b)
                .map(|((ak, av), (bk, bv))| ak.cmp(bk).then_with(|| av.compare_structure(bv)))
                .find(|order| order.is_ne())
                .unwrap_or(a.len().cmp(&b.len()))
        };
        match (&self.kind, &other.kind) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            // Both zeros may be in a set, though they are equal.
            (Kind::Number(a), Kind::Number(b)) => {
                a.cmp(b).then_with(|| b.is_sign_negative().cmp(&a.is_sign_negative()))
            }
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (
                Kind::List(_, a) | Kind::Set(_, a) | Kind::Tuple(a),
                Kind::List(_, b) | Kind::Set(_, b) | Kind::Tuple(b),
            ) => lists(a, b),
            (Kind::Map(_, a) | Kind::Object(a), Kind::Map(_, b) | Kind::Object(b)) => maps(a, b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// Whether two values are equal in the order of [`Value::compare_content`]: a tuple equals a list of the same elements, an object such a
    /// map. Much cheaper than asking that order, which makes texts of collections.
    pub fn equal_content(&self, other: &Self) -> bool {
        self.compare_structure(other).is_eq()
    }

    /// Whether both hold the same, marks aside.
    pub fn same_content(&self, other: &Self) -> bool {
        self.unmark_deep().0 == other.unmark_deep().0
    }
}

impl Kind {
    fn rank(&self) -> u8 {
        match self {
            Kind::Bool(_) => 1,
            Kind::Number(_) => 2,
            Kind::String(_) => 3,
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => 4,
            Kind::Map(..) | Kind::Object(_) => 5,
            Kind::Unknown(_) => 6,
            Kind::Null(_) => 7,
        }
    }
}

fn mark_named(
    attributes: &Arc<BTreeMap<String, Value>>,
    name: &str,
    rest: &[Step],
    marks: Marks,
) -> Arc<BTreeMap<String, Value>> {
    let mut attributes = (**attributes).clone();
    if let Some(value) = attributes.get_mut(name) {
        *value = value.mark_at(rest, marks);
    }
    Arc::new(attributes)
}

fn mark_indexed(elements: &Arc<[Value]>, index: usize, rest: &[Step], marks: Marks) -> Arc<[Value]> {
    let mark = |(position, value): (usize, &Value)| {
        if position == index { value.mark_at(rest, marks) } else { value.clone() }
    };
    elements.iter().enumerate().map(mark).collect()
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Kind::Bool(value).into()
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::string(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Kind::Number(value).into()
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Number::from(value).into()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Value {
    /// One line in the language's own syntax. What is sensitive or ephemeral is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sensitive() {
            return f.write_str("(sensitive value)");
        }
        if self.marks.contains(Marks::EPHEMERAL) {
            return f.write_str("(ephemeral value)");
        }
        match &self.kind {
            Kind::Null(_) => f.write_str("null"),
            Kind::Unknown(_) => f.write_str("(known after apply)"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Number(value) => write!(f, "{value}"),
            Kind::String(text) => write!(f, "{:?}", &**text),
            Kind::List(_, elements) | Kind::Tuple(elements) | Kind::Set(_, elements) => {
                f.write_str("[")?;
                for (position, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Kind::Map(_, attributes) | Kind::Object(attributes) => {
                f.write_str("{")?;
                for (position, (name, value)) in attributes.iter().enumerate() {
                    write!(f, "{} {name} = {value}", if position == 0 { "" } else { "," })?;
                }
                f.write_str(" }")
            }
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Value { kind: self.clone(), marks: Marks::NONE }, f)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Marks::SENSITIVE, "sensitive"), (Marks::EPHEMERAL, "ephemeral"), (Marks::SECRET, "secret")];
        f.debug_set().entries(names.iter().filter(|(mark, _)| self.contains(*mark)).map(|(_, name)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let secret = Value::from("hunter2").marked(Marks::SENSITIVE);
        let object = Value::object([("password", secret), ("user", "anna".into())]);
        assert_eq!(object.to_string(), "{ password = (sensitive value), user = \"anna\" }");
        assert!(!format!("{object:?}").contains("hunter2"));
        assert_eq!(object.paths_marked(Marks::SENSITIVE), vec![Path::of("password")]);
        let (plain, marks) = object.unmark_deep();
        assert!(marks.contains(Marks::SENSITIVE));
        assert_eq!(plain.mark_at(&Path::of("password").0, Marks::SENSITIVE), object);
    }

    #[test]
    fn sets_are_sorted_and_unique() {
        let set = Value::set(Type::String, ["b", "a", "b"].map(Value::from));
        assert_eq!(set.to_string(), "[\"a\", \"b\"]");
    }
}
