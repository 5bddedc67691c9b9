//! Types of values and of type constraints.

use std::collections::BTreeMap;
use std::fmt;

use crate::Value;

/// The type of a value, or a constraint on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any type: as a constraint, everything fits; as the type of an unknown value or null, not known.
    Any,
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `list(T)`
    List(Box<Type>),
    /// `set(T)`
    Set(Box<Type>),
    /// `map(T)`
    Map(Box<Type>),
    /// `tuple([A, B])`
    Tuple(Vec<Type>),
    /// `object({ a = A })`
    Object(BTreeMap<String, ObjectField>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectField {
    /// Its type.
    pub ty: Type,
    /// Whether a value may lack it: `optional(T)`.
    pub optional: bool,
    /// What it is then, null when there is no default: `optional(T, default)`.
    pub default: Option<Value>,
}

impl ObjectField {
    /// An attribute that must be there.
    pub fn required(ty: Type) -> Self {
        Self { ty, optional: false, default: None }
    }

    /// An attribute that may be missing.
    pub fn optional(ty: Type) -> Self {
        Self { ty, optional: true, default: None }
    }
}

impl Type {
    /// `list(T)`
    pub fn list(element: Type) -> Self {
        Type::List(Box::new(element))
    }

    /// `set(T)`
    pub fn set(element: Type) -> Self {
        Type::Set(Box::new(element))
    }

    /// `map(T)`
    pub fn map(element: Type) -> Self {
        Type::Map(Box::new(element))
    }

    /// An object type whose attributes are all required.
    pub fn object<N: Into<String>>(fields: impl IntoIterator<Item = (N, Type)>) -> Self {
        Type::Object(fields.into_iter().map(|(name, ty)| (name.into(), ObjectField::required(ty))).collect())
    }

    /// Whether `Any` stands anywhere inside.
    pub fn contains_any(&self) -> bool {
        match self {
            Type::Any => true,
            Type::Bool | Type::Number | Type::String => false,
            Type::List(element) | Type::Set(element) | Type::Map(element) => element.contains_any(),
            Type::Tuple(elements) => elements.iter().any(Type::contains_any),
            Type::Object(fields) => fields.values().any(|field| field.ty.contains_any()),
        }
    }

    /// The same type with every attribute required and without defaults: the type that converted values have.
    #[must_use]
    pub fn without_optional(&self) -> Type {
        match self {
            Type::Any | Type::Bool | Type::Number | Type::String => self.clone(),
            Type::List(element) => Type::list(element.without_optional()),
            Type::Set(element) => Type::set(element.without_optional()),
            Type::Map(element) => Type::map(element.without_optional()),
            Type::Tuple(elements) => Type::Tuple(elements.iter().map(Type::without_optional).collect()),
            Type::Object(fields) => {
                Type::object(fields.iter().map(|(name, field)| (name.clone(), field.ty.without_optional())))
            }
        }
    }

    /// The words for people where the type is a demand: "list of any single type" where values of one type will do.
    pub fn constraint_name(&self) -> String {
        let element_name = |element: &Type| match element {
            Type::Any => "any single type".to_owned(),
            other => other.constraint_name(),
        };
        match self {
            Type::Any => "any type".to_owned(),
            Type::List(element) => format!("list of {}", element_name(element)),
            Type::Set(element) => format!("set of {}", element_name(element)),
            Type::Map(element) => format!("map of {}", element_name(element)),
            other => other.friendly_name(),
        }
    }

    /// Whether it is bool, number or string.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }

    /// The word for people: "string", "list of number", "object".
    pub fn friendly_name(&self) -> String {
        match self {
            Type::Any => "dynamic".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Number => "number".to_owned(),
            Type::String => "string".to_owned(),
            Type::List(element) => format!("list of {}", element.friendly_name()),
            Type::Set(element) => format!("set of {}", element.friendly_name()),
            Type::Map(element) => format!("map of {}", element.friendly_name()),
            Type::Tuple(_) => "tuple".to_owned(),
            Type::Object(_) => "object".to_owned(),
        }
    }
}

impl fmt::Display for Type {
    /// Writes the type as a constraint of the language.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Set(element) => write!(f, "set({element})"),
            Type::Map(element) => write!(f, "map({element})"),
            Type::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (position, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
            Type::Object(fields) => {
                f.write_str("object({")?;
                for (position, (name, field)) in fields.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    match field.optional {
                        true => write!(f, "{separator}{name}=optional({})", field.ty)?,
                        false => write!(f, "{separator}{name}={}", field.ty)?,
                    }
                }
                f.write_str("})")
            }
        }
    }
}
