//! Instances of a block: `enabled`, `count` and `for_each`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, InstanceKey, Kind, Marks, Number, Refinement, Span, Type, Value, convert};
use pipectl_lang::{Expression, ModuleBlock, ObjectBlock, Reference, Scope, evaluate};

use crate::Cause;

/// How many instances `count` may give a block: more than anybody wants, and few enough to hold in memory.
pub(crate) const MOST: u64 = 100_000;

/// Which instances a block has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expansion {
    /// None, by `enabled = false`: the block is null.
    Disabled,
    /// One, without a key.
    Single,
    /// So many, by number.
    Count(u64),
    /// One for each key, in order, with its value.
    Each(Vec<(String, Value)>),
    /// Not known, as in validation, or while a plan is made: one that stands for all of `count`.
    AnyIndex,
    /// Not known: one that stands for all of `for_each`, with the marks of the argument.
    AnyKey(Marks),
}

impl Expansion {
    /// Evaluates the meta-arguments of a block.
    ///
    /// # Errors
    /// When they are unknown or no good.
    pub(crate) fn of(block: &ObjectBlock, scope: &Scope) -> Result<Self, Diagnostics> {
        let meta = &block.meta;
        Self::evaluate(meta.enabled.as_ref(), meta.count.as_ref(), meta.for_each.as_ref(), scope)
    }

    /// The same of a `module` block.
    pub(crate) fn of_module(block: &ModuleBlock, scope: &Scope) -> Result<Self, Diagnostics> {
        Self::evaluate(block.enabled.as_ref(), block.count.as_ref(), block.for_each.as_ref(), scope)
    }

    /// The instances of a block, where `count` and `for_each` may be known only later.
    ///
    /// # Errors
    /// When they are no good, or `enabled` is unknown.
    pub(crate) fn of_or_open(block: &ObjectBlock, scope: &Scope) -> Result<Self, Diagnostics> {
        let meta = &block.meta;
        Self::evaluate_or_open(meta.enabled.as_ref(), meta.count.as_ref(), meta.for_each.as_ref(), scope)
    }

    /// The same of a `module` block.
    pub(crate) fn of_module_or_open(block: &ModuleBlock, scope: &Scope) -> Result<Self, Diagnostics> {
        Self::evaluate_or_open(block.enabled.as_ref(), block.count.as_ref(), block.for_each.as_ref(), scope)
    }

    /// The same from the arguments themselves.
    pub(crate) fn evaluate(
        enabled: Option<&Expression>,
        count: Option<&Expression>,
        for_each: Option<&Expression>,
        scope: &Scope,
    ) -> Result<Self, Diagnostics> {
        let unknown = |argument: &str, what: &str, expression: Option<&Expression>| {
            let problem = Diagnostic::error(format!("Invalid {argument} argument"), unknown_detail(argument, what));
            Err(problem.or_at(expression.map(Expression::span).as_ref()).into())
        };
        match Self::evaluate_or_open(enabled, count, for_each, scope)? {
            Expansion::AnyIndex => unknown("count", "how many instances there will be", count),
            Expansion::AnyKey(_) => unknown("for_each", "which instances there will be", for_each),
            known => Ok(known),
        }
    }

    /// The same, where `count` and `for_each` may be known only later: then one instance stands for all.
    pub(crate) fn evaluate_or_open(
        enabled: Option<&Expression>,
        count: Option<&Expression>,
        for_each: Option<&Expression>,
        scope: &Scope,
    ) -> Result<Self, Diagnostics> {
        if let Some(enabled) = enabled
            && !evaluate_enabled(enabled, scope)?
        {
            return Ok(Expansion::Disabled);
        }
        match (count, for_each) {
            (Some(count), _) => evaluate_count(count, scope),
            (None, Some(for_each)) => evaluate_for_each(for_each, scope),
            (None, None) => Ok(Expansion::Single),
        }
    }

    /// Instances of which there is nothing to know but their keys.
    pub(crate) fn of_keys(keys: &[Option<InstanceKey>]) -> Self {
        Expansion::Count(0).with_keys(keys)
    }

    /// The same with instances of these keys besides. Keys that no such block could have are left out.
    pub(crate) fn with_keys(self, keys: &[Option<InstanceKey>]) -> Self {
        let last = keys.iter().filter_map(|key| match key {
            Some(InstanceKey::Index(index)) if *index < MOST => Some(*index + 1),
            _ => None,
        });
        let names = || {
            keys.iter().filter_map(|key| match key {
                Some(InstanceKey::Name(name)) => Some(name.clone()),
                _ => None,
            })
        };
        match self {
            Expansion::Each(each) => {
                let mut all: BTreeMap<String, Value> = names().map(|name| (name, Value::unknown(Type::Any))).collect();
                all.extend(each);
                Expansion::Each(all.into_iter().collect())
            }
            Expansion::Count(count) => match (last.max(), names().next()) {
                (Some(last), _) => Expansion::Count(count.max(last)),
                (None, Some(_)) if count == 0 => Expansion::Each(Vec::new()).with_keys(keys),
                (None, None) if count == 0 && !keys.is_empty() => Expansion::Single,
                (None, _) => Expansion::Count(count),
            },
            other => other,
        }
    }

    /// Whether it is not known which instances there are.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Expansion::AnyIndex | Expansion::AnyKey(_))
    }

    /// For validation: whichever instance it is.
    pub(crate) fn any(count: Option<&Expression>, for_each: Option<&Expression>, scope: &Scope) -> Self {
        match (count, for_each) {
            (Some(_), _) => Expansion::AnyIndex,
            (None, Some(for_each)) => {
                Expansion::AnyKey(evaluate(for_each, scope).map_or(Marks::NONE, |value| value.marks()))
            }
            (None, None) => Expansion::Single,
        }
    }

    /// The keys of the instances, in order.
    pub(crate) fn keys(&self) -> Vec<Option<InstanceKey>> {
        match self {
            Expansion::Disabled => Vec::new(),
            Expansion::Single | Expansion::AnyIndex | Expansion::AnyKey(_) => vec![None],
            Expansion::Count(count) => (0..*count).map(|index| Some(InstanceKey::Index(index))).collect(),
            Expansion::Each(each) => each.iter().map(|(key, _)| Some(InstanceKey::Name(key.clone()))).collect(),
        }
    }

    /// Whether there is an instance with `key`. Costs what one look-up costs, however many there are.
    pub(crate) fn contains(&self, key: Option<&InstanceKey>) -> bool {
        match (self, key) {
            (Expansion::Single | Expansion::AnyIndex | Expansion::AnyKey(_), None) => true,
            (Expansion::Count(count), Some(InstanceKey::Index(index))) => index < count,
            (Expansion::Each(each), Some(InstanceKey::Name(name))) => {
                each.binary_search_by(|(key, _)| key.as_str().cmp(name)).is_ok()
            }
            _ => false,
        }
    }

    /// How many instances there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Expansion::Disabled => 0,
            Expansion::Single | Expansion::AnyIndex | Expansion::AnyKey(_) => 1,
            Expansion::Count(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            Expansion::Each(each) => each.len(),
        }
    }

    /// The scope of one instance: `outer`, and `each` or `count`.
    pub(crate) fn scope(&self, outer: &Arc<Scope>, key: Option<&InstanceKey>) -> Arc<Scope> {
        let with = |reference: Reference, value: Value| {
            let mut scope = Scope::inside(outer);
            scope.set(&reference, value);
            Arc::new(scope)
        };
        match (self, key) {
            (Expansion::Count(_), Some(InstanceKey::Index(index))) => {
                let index = Value::from(i64::try_from(*index).unwrap_or(i64::MAX));
                with(Reference::Count, Value::object([("index", index)]))
            }
            (Expansion::Each(each), Some(InstanceKey::Name(name))) => {
                let position = each.binary_search_by(|(key, _)| key.as_str().cmp(name));
                let value = position.map_or_else(|_| Value::unknown(Type::Any), |position| each[position].1.clone());
                with(Reference::Each, Value::object([("key", Value::from(name.as_str())), ("value", value)]))
            }
            (Expansion::AnyIndex, _) => with(Reference::Count, Value::object([("index", not_null(Type::Number))])),
            (Expansion::AnyKey(marks), _) => {
                let each = Value::object([("key", not_null(Type::String)), ("value", Value::unknown(Type::Any))]);
                with(Reference::Each, each.marked(*marks))
            }
            _ => Arc::clone(outer),
        }
    }

    /// The value of the whole block, from the values of its instances in the order of [`Expansion::keys`].
    pub(crate) fn assemble(&self, instances: Vec<Value>) -> Value {
        match self {
            Expansion::Disabled => Value::null(),
            Expansion::Single => instances.into_iter().next().unwrap_or_else(Value::null),
            Expansion::AnyIndex => Value::unknown(Type::list(type_of(&instances))),
            Expansion::AnyKey(_) => Value::unknown(Type::map(type_of(&instances))),
            Expansion::Count(_) => Value::tuple(instances),
            Expansion::Each(each) => Value::object(each.iter().map(|(key, _)| key.clone()).zip(instances)),
        }
    }

    /// The value of a whole block with several attributes, from what [`Expansion::assemble`] has made of each attribute by itself.
    pub(crate) fn transpose<'a>(&self, attributes: impl Iterator<Item = (&'a str, &'a Value)>) -> Value {
        let attributes: Vec<(&str, &Value)> = attributes.collect();
        let object = |of: &dyn Fn(&'a Value) -> Option<Value>| {
            Value::object(attributes.iter().filter_map(|(name, value)| Some((*name, of(value)?))))
        };
        match self {
            Expansion::Disabled => Value::null(),
            Expansion::Single => object(&|value| Some(value.clone())),
            Expansion::AnyIndex | Expansion::AnyKey(_) => {
                let element = |value: &Value| match value.ty() {
                    Type::List(element) | Type::Map(element) => Some(Value::unknown(*element)),
                    _ => Some(Value::unknown(Type::Any)),
                };
                self.assemble(vec![object(&element)])
            }
            Expansion::Count(count) => Value::tuple(
                (0..*count).map(|index| object(&|value| value.as_slice()?.get(usize::try_from(index).ok()?).cloned())),
            ),
            Expansion::Each(each) => {
                Value::object(each.iter().map(|(key, _)| (key.clone(), object(&|value| value.attribute(key).cloned()))))
            }
        }
    }

    /// Why the instance with `key` is not among these.
    pub(crate) fn why_not(&self, key: Option<&InstanceKey>) -> Cause {
        match (self, key) {
            (Expansion::Disabled, _) => Cause::Disabled,
            (Expansion::Single, Some(_)) => Cause::NoInstances,
            (Expansion::Count(count), Some(InstanceKey::Index(_))) => Cause::Count(*count),
            (Expansion::Count(_), _) => Cause::CountNow,
            (Expansion::Each(_), Some(InstanceKey::Name(name))) => Cause::NoKey(name.clone()),
            (Expansion::Each(_), _) => Cause::ForEachNow,
            (Expansion::Single | Expansion::AnyIndex | Expansion::AnyKey(_), _) => Cause::NotConfigured,
        }
    }
}

fn not_null(ty: Type) -> Value {
    Value::refined(ty, Refinement { not_null: true, ..Refinement::default() })
}

fn type_of(instances: &[Value]) -> Type {
    instances.first().map_or(Type::Any, Value::ty)
}

/// The value of an `enabled` argument.
///
/// # Errors
/// When it is unknown, null or no bool.
pub(crate) fn evaluate_enabled(expression: &Expression, scope: &Scope) -> Result<bool, Diagnostics> {
    let invalid = |detail: String| invalid("Invalid enabled argument", detail, &expression.span());
    let value = evaluate(expression, scope)?;
    if value.marks().contains(Marks::EPHEMERAL) {
        return Err(invalid(ephemeral_detail("enabled", "whether the block exists")));
    }
    let value = convert::convert(&value, &Type::Bool)
        .map_err(|error| invalid(format!("The `enabled` argument must be true or false: {error}.")))?;
    match value.kind() {
        Kind::Bool(enabled) => Ok(*enabled),
        Kind::Unknown(_) => Err(invalid(unknown_detail("enabled", "whether the block exists"))),
        _ => Err(invalid("The `enabled` argument is null. It must be true or false.".to_owned())),
    }
}

fn evaluate_count(expression: &Expression, scope: &Scope) -> Result<Expansion, Diagnostics> {
    let invalid = |detail: String| invalid("Invalid count argument", detail, &expression.span());
    let value = evaluate(expression, scope)?;
    if value.marks().contains(Marks::EPHEMERAL) {
        return Err(invalid(ephemeral_detail("count", "how many instances there are")));
    }
    let value = convert::convert(&value, &Type::Number)
        .map_err(|error| invalid(format!("The `count` argument must be a whole number: {error}.")))?;
    match value.kind() {
        Kind::Unknown(_) => Ok(Expansion::AnyIndex),
        Kind::Number(number) => match number.to_u64() {
            Some(count) if count > MOST => {
                Err(invalid(format!("The `count` argument is {count}, and a block has at most {MOST} instances.")))
            }
            Some(count) => Ok(Expansion::Count(count)),
            None if number < &Number::ZERO => Err(invalid("The `count` argument must not be negative.".to_owned())),
            None => Err(invalid("The `count` argument must be a whole number.".to_owned())),
        },
        _ => Err(invalid("The `count` argument is null. It must be a whole number, 0 or more.".to_owned())),
    }
}

fn evaluate_for_each(expression: &Expression, scope: &Scope) -> Result<Expansion, Diagnostics> {
    let invalid = |detail: String| invalid("Invalid for_each argument", detail, &expression.span());
    let value = evaluate(expression, scope)?;
    if value.is_sensitive() {
        return Err(invalid(
            "Sensitive values, or values derived from them, cannot be `for_each` arguments: they would show in the addresses of instances.".to_owned(),
        ));
    }
    let elements_are_keys = matches!(value.kind(), Kind::Set(..));
    if value.marks().contains(Marks::EPHEMERAL) || elements_are_keys && value.marks_deep().contains(Marks::EPHEMERAL) {
        return Err(invalid(ephemeral_detail("for_each", "which instances there are")));
    }
    let ty = value.ty();
    match value.kind() {
        Kind::Unknown(_) if matches!(ty, Type::Any | Type::Map(_) | Type::Set(_) | Type::Object(_)) => {
            Ok(Expansion::AnyKey(value.marks()))
        }
        Kind::Map(_, elements) | Kind::Object(elements) => {
            Ok(Expansion::Each(elements.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        Kind::Set(_, elements) => {
            let mut each = Vec::with_capacity(elements.len());
            for element in elements.iter() {
                match element.kind() {
                    Kind::String(text) => each.push((text.to_string(), element.clone())),
                    Kind::Unknown(_) => return Ok(Expansion::AnyKey(value.marks())),
                    Kind::Null(_) => {
                        return Err(invalid(
                            "The `for_each` set holds null. Keys of instances are strings.".to_owned(),
                        ));
                    }
                    _ => {
                        let what = element.ty().friendly_name();
                        return Err(invalid(format!(
                            "The `for_each` argument must be a map, or a set of strings; this set holds {what} values."
                        )));
                    }
                }
            }
            each.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok(Expansion::Each(each))
        }
        Kind::Null(_) => {
            Err(invalid("The `for_each` argument is null. It must be a map, or a set of strings.".to_owned()))
        }
        Kind::Unknown(_) | Kind::List(..) | Kind::Tuple(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            let what = ty.friendly_name();
            let problem = Diagnostic::error(
                "Invalid for_each argument",
                format!("The `for_each` argument must be a map, or a set of strings, and this is a {what}."),
            );
            Err(problem.at(expression.span()).hint("for_each = toset([...])").into())
        }
    }
}

fn unknown_detail(argument: &str, what: &str) -> String {
    format!(
        "The `{argument}` argument depends on values that are known only after apply, so the plan cannot say {what}. Make it depend on variables and \
         locals only, or apply what it depends on first with -target."
    )
}

fn ephemeral_detail(argument: &str, what: &str) -> String {
    format!(
        "The `{argument}` argument is derived from an ephemeral value, which may be another when the plan is applied, so the plan cannot say {what}. \
         Use values that are not ephemeral."
    )
}

fn invalid(summary: &str, detail: String, span: &Span) -> Diagnostics {
    Diagnostic::error(summary, detail).at(span.clone()).into()
}
