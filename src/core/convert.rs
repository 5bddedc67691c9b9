//! Conversion of values to types, and the one type that several have in common, as Terraform does both.

use std::collections::BTreeMap;

use crate::{Kind, Number, ObjectField, Path, Type, Value};

/// A value does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    /// Where inside the value.
    pub path: Path,
    /// What is wrong, as a fragment: "a number is required".
    pub message: String,
}

impl ConvertError {
    fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.clone(), message: message.into() }
    }
}

impl std::fmt::Display for ConvertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.0.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "attribute {}: {}", self.path, self.message),
        }
    }
}

impl std::error::Error for ConvertError {}

/// The value as `ty`: "2" becomes 2, a tuple a list, an object loses attributes that the type lacks, and so on. Marks stay.
///
/// # Errors
/// When the value does not fit, with the path inside it.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    convert_at(value, ty, &Path::root())
}

fn convert_at(value: &Value, ty: &Type, path: &Path) -> Result<Value, ConvertError> {
    let marks = value.marks();
    let required = || Err(ConvertError::new(path, requirement(ty)));
    let converted = match (value.kind(), ty) {
        (_, Type::Any) => return Ok(value.clone()),
        (Kind::Null(_), _) => Value::null_of(ty.clone()),
        (Kind::Unknown(unknown), _) => {
            if unknown.ty == *ty {
                return Ok(value.clone());
            }
            if !may_convert(&unknown.ty, ty) {
                return required();
            }
            let mut refinement = unknown.refinement.clone();
            if !same_shape(&unknown.ty, ty) {
                refinement = crate::Refinement { not_null: refinement.not_null, ..Default::default() };
            }
            Value::refined(ty.clone(), refinement)
        }
        (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => {
            return Ok(value.clone());
        }
        (Kind::Bool(flag), Type::String) => Value::from(if *flag { "true" } else { "false" }),
        (Kind::Number(number), Type::String) => Value::from(number.to_string()),
        (Kind::String(text), Type::Bool) => match &**text {
            "true" | "1" => Value::from(true),
            "false" | "0" => Value::from(false),
            _ => return required(),
        },
        (Kind::String(text), Type::Number) => match text.parse::<Number>() {
            Ok(number) => Value::from(number),
            Err(_) => return required(),
        },
        (Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements), Type::List(element)) => {
            let (element, elements) = convert_elements(elements, element, path)?;
            Value::list(element, elements)
        }
        (Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements), Type::Set(element)) => {
            let (element, elements) = convert_elements(elements, element, path)?;
            Value::set(element, elements)
        }
        (Kind::List(_, elements) | Kind::Tuple(elements), Type::Tuple(types)) => {
            if elements.len() != types.len() {
                return Err(ConvertError::new(path, format!("tuple of {} elements is required", types.len())));
            }
            let convert_one =
                |(index, (value, ty)): (usize, (&Value, &Type))| convert_at(value, ty, &path.index(index));
            Value::tuple(elements.iter().zip(types).enumerate().map(convert_one).collect::<Result<Vec<_>, _>>()?)
        }
        (Kind::Map(_, attributes) | Kind::Object(attributes), Type::Map(element)) => {
            let names: Vec<&String> = attributes.keys().collect();
            let element = match **element {
                Type::Any => common_type(attributes.values(), path)?,
                ref given => given.clone(),
            };
            let values = names.into_iter().zip(attributes.values());
            let convert_one =
                |(name, value): (&String, &Value)| Ok((name.clone(), convert_at(value, &element, &path.name(name))?));
            Value::map(element.clone(), values.map(convert_one).collect::<Result<Vec<_>, ConvertError>>()?)
        }
        (Kind::Map(_, attributes) | Kind::Object(attributes), Type::Object(fields)) => {
            Value::object(convert_fields(attributes, fields, path)?)
        }
        _ => return required(),
    };
    Ok(converted.marked(marks))
}

fn convert_elements(elements: &[Value], element: &Type, path: &Path) -> Result<(Type, Vec<Value>), ConvertError> {
    let element = match element {
        Type::Any => common_type(elements.iter(), path)?,
        given => given.clone(),
    };
    let convert_one = |(index, value): (usize, &Value)| convert_at(value, &element, &path.index(index));
    let converted = elements.iter().enumerate().map(convert_one).collect::<Result<_, _>>()?;
    Ok((element, converted))
}

fn common_type<'a>(values: impl Iterator<Item = &'a Value>, path: &Path) -> Result<Type, ConvertError> {
    let types: Vec<Type> = values.map(Value::ty).collect();
    unify(types.iter()).ok_or_else(|| ConvertError::new(path, "all elements must have the same type"))
}

fn convert_fields(
    attributes: &BTreeMap<String, Value>,
    fields: &BTreeMap<String, ObjectField>,
    path: &Path,
) -> Result<BTreeMap<String, Value>, ConvertError> {
    let mut converted = BTreeMap::new();
    for (name, field) in fields {
        let given = attributes.get(name);
        if given.is_none() && !field.optional {
            return Err(ConvertError::new(path, format!("attribute \"{name}\" is required")));
        }
        let value = match (given.filter(|value| !value.is_null()), &field.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) => given.cloned().unwrap_or_else(Value::null),
        };
        converted.insert(name.clone(), convert_at(&value, &field.ty, &path.name(name))?);
    }
    Ok(converted)
}

fn requirement(ty: &Type) -> String {
    match ty {
        Type::Bool => "a bool is required".to_owned(),
        Type::Number => "a number is required".to_owned(),
        Type::String => "string required".to_owned(),
        Type::Object(_) => "object required".to_owned(),
        Type::Tuple(_) => "tuple required".to_owned(),
        Type::Any => "any value is allowed".to_owned(),
        Type::List(_) | Type::Set(_) | Type::Map(_) => format!("{} required", ty.friendly_name()),
    }
}

/// Whether some value of type `from` converts to `to`.
pub fn may_convert(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Bool, Type::Bool | Type::String) | (Type::Number, Type::Number | Type::String) => true,
        (Type::String, Type::Bool | Type::Number | Type::String) => true,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            may_convert(a, b)
        }
        (Type::Tuple(elements), Type::List(to) | Type::Set(to)) => elements.iter().all(|from| may_convert(from, to)),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(a, b)| may_convert(a, b))
        }
        (Type::List(from), Type::Tuple(to)) => to.iter().all(|to| may_convert(from, to)),
        (Type::Object(fields), Type::Map(to)) => fields.values().all(|field| may_convert(&field.ty, to)),
        (Type::Map(from), Type::Object(fields)) => fields.values().all(|field| may_convert(from, &field.ty)),
        (Type::Object(from), Type::Object(to)) => to.iter().all(|(name, field)| match from.get(name) {
            Some(given) => may_convert(&given.ty, &field.ty),
            None => field.optional,
        }),
        _ => false,
    }
}

fn same_shape(from: &Type, to: &Type) -> bool {
    matches!(
        (from, to),
        (Type::List(_), Type::List(_))
            | (Type::Map(_), Type::Map(_))
            | (Type::Number, Type::Number)
            | (Type::String, Type::String)
    )
}

/// The one type to which all convert, or `None`. No type at all gives `Any`.
pub fn unify<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
    types.into_iter().try_fold(Type::Any, |common, ty| unify_two(&common, ty))
}

fn unify_two(a: &Type, b: &Type) -> Option<Type> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Type::Any, other) | (other, Type::Any) => Some(other.clone()),
        (Type::String, Type::Bool | Type::Number) | (Type::Bool | Type::Number, Type::String) => Some(Type::String),
        (Type::List(a), Type::List(b)) => Some(Type::list(unify_two(a, b)?)),
        (Type::Set(a), Type::Set(b)) => Some(Type::set(unify_two(a, b)?)),
        (Type::List(a), Type::Set(b)) | (Type::Set(a), Type::List(b)) => Some(Type::list(unify_two(a, b)?)),
        (Type::Map(a), Type::Map(b)) => Some(Type::map(unify_two(a, b)?)),
        (Type::Tuple(elements), Type::List(element)) | (Type::List(element), Type::Tuple(elements)) => {
            Some(Type::list(elements.iter().try_fold((**element).clone(), |common, ty| unify_two(&common, ty))?))
        }
        (Type::Tuple(elements), Type::Set(element)) | (Type::Set(element), Type::Tuple(elements)) => {
            Some(Type::set(elements.iter().try_fold((**element).clone(), |common, ty| unify_two(&common, ty))?))
        }
        (Type::Object(fields), Type::Map(element)) | (Type::Map(element), Type::Object(fields)) => Some(Type::map(
            fields.values().try_fold((**element).clone(), |common, field| unify_two(&common, &field.ty))?,
        )),
        (Type::Tuple(a), Type::Tuple(b)) => {
            if a.len() == b.len() {
                let each: Option<Vec<Type>> = a.iter().zip(b).map(|(a, b)| unify_two(a, b)).collect();
                if let Some(elements) = each {
                    return Some(Type::Tuple(elements));
                }
            }
            Some(Type::list(unify(a.iter().chain(b))?))
        }
        (Type::Object(a), Type::Object(b)) => {
            if a.keys().eq(b.keys()) {
                let unify_field = |(name, field): (&String, &ObjectField)| {
                    Some((name.clone(), ObjectField::required(unify_two(&field.ty, &b.get(name)?.ty)?)))
                };
                if let Some(fields) = a.iter().map(unify_field).collect::<Option<BTreeMap<_, _>>>() {
                    return Some(Type::Object(fields));
                }
            }
            Some(Type::map(unify(a.values().chain(b.values()).map(|field| &field.ty))?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primitives_convert_as_in_terraform() {
        assert_eq!(convert(&"2".into(), &Type::Number), Ok(2.into()));
        assert_eq!(convert(&"true".into(), &Type::Bool), Ok(true.into()));
        assert_eq!(convert(&5.into(), &Type::String), Ok("5".into()));
        assert_eq!(convert(&"x".into(), &Type::Number).expect_err("not a number").message, "a number is required");
    }

    #[test]
    fn objects_take_defaults_and_lose_extras() {
        let field = ObjectField { ty: Type::Number, optional: true, default: Some(7.into()) };
        let ty = Type::Object(BTreeMap::from([
            ("a".to_owned(), field),
            ("b".to_owned(), ObjectField::required(Type::String)),
        ]));
        let given = Value::object([("a", Value::null()), ("b", 1.into()), ("c", 2.into())]);
        assert_eq!(convert(&given, &ty), Ok(Value::object([("a", Value::from(7)), ("b", "1".into())])));
        let error = convert(&Value::object([("a", Value::from(1))]), &ty).expect_err("b is missing");
        assert_eq!(error.message, "attribute \"b\" is required");
    }

    #[test]
    fn unification_prefers_strings_and_refuses_the_rest() {
        assert_eq!(unify([&Type::Number, &Type::String]), Some(Type::String));
        assert_eq!(unify([&Type::Number, &Type::Bool]), None);
        let tuple = Value::tuple([1.into(), "a".into()]);
        assert_eq!(convert(&tuple, &Type::list(Type::Any)).expect("unifies").ty(), Type::list(Type::String));
    }
}
