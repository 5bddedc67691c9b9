//! Conversion of values to types, as Terraform does it. What several types have in common is in [`crate::unify`].

use std::collections::BTreeMap;

pub use crate::unify::unify;
use crate::{Kind, Number, ObjectField, Path, Refinement, Step, Type, Unknown, Value};

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
        for step in &self.path.0 {
            match step {
                Step::Name(name) => write!(f, "attribute {name:?}: ")?,
                Step::Index(index) => write!(f, "element {index}: ")?,
            }
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConvertError {}

/// The value as `ty`: "2" becomes 2, a tuple a list, an object loses attributes that the type lacks, and so on. Marks stay.
///
/// # Errors
/// When the value does not fit, with the path inside it.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    if let (Type::Any, _) | (_, true) = (ty, ty.is_primitive() && value.ty() == *ty) {
        return Ok(value.clone());
    }
    let given = value.ty();
    if !may_convert(&given, ty) {
        return Err(ConvertError::new(&Path::root(), mismatch(&given, ty)));
    }
    convert_at(value, ty, &Path::root())
}

/// Converts where the types allow it; what depends on the value may still fail.
fn convert_at(value: &Value, ty: &Type, path: &Path) -> Result<Value, ConvertError> {
    let converted = match (value.kind(), ty) {
        (_, Type::Any) => return Ok(value.clone()),
        (Kind::Null(given), _) => Value::null_of(fill_any(given, &ty.without_optional())),
        (Kind::Unknown(unknown), _) => unknown_as(unknown, ty, path)?,
        (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => {
            return Ok(value.clone());
        }
        (Kind::Bool(flag), Type::String) => Value::from(if *flag { "true" } else { "false" }),
        (Kind::Number(number), Type::String) => Value::from(number.to_string()),
        (Kind::String(text), Type::Bool) => {
            Value::from(parse_bool(text).map_err(|message| ConvertError::new(path, message))?)
        }
        (Kind::String(text), Type::Number) => match text.parse::<Number>() {
            Ok(number) => Value::from(number),
            Err(_) => return Err(ConvertError::new(path, "a number is required")),
        },
        (Kind::Set(given, elements), Type::List(_)) if !elements.iter().all(Value::is_wholly_known) => {
            // Elements may turn out equal, so not even the length is known; but those that are known must fit.
            if let Type::List(element) = ty {
                elements_as(elements, given, element, path, "list")?;
            }
            Value::unknown(fill_any(&Type::list(given.clone()), &ty.without_optional()))
        }
        (Kind::List(given, elements) | Kind::Set(given, elements), Type::List(element)) => {
            let (element, elements) = elements_as(elements, given, element, path, "list")?;
            Value::list(element, elements)
        }
        (Kind::List(given, elements) | Kind::Set(given, elements), Type::Set(element)) => {
            let (element, elements) = elements_as(elements, given, element, path, "set")?;
            Value::set(element, elements)
        }
        (Kind::Tuple(elements), Type::List(element)) => {
            let (element, elements) = unified_elements(elements, element, path, "list")?;
            Value::list(element, elements)
        }
        (Kind::Tuple(elements), Type::Set(element)) => {
            let (element, elements) = unified_elements(elements, element, path, "set")?;
            Value::set(element, elements)
        }
        (Kind::Tuple(elements), Type::Tuple(types)) => {
            let each = |(index, (value, ty)): (usize, (&Value, &Type))| convert_at(value, ty, &path.index(index));
            Value::tuple(elements.iter().zip(types).enumerate().map(each).collect::<Result<Vec<_>, _>>()?)
        }
        (Kind::Map(given, attributes), Type::Map(element)) => named_as(attributes, Some(given), element, path)?,
        (Kind::Object(attributes), Type::Map(element)) => named_as(attributes, None, element, path)?,
        (Kind::Map(_, attributes), Type::Object(fields)) => {
            if let Some((name, _)) =
                fields.iter().find(|(name, field)| !field.optional && !attributes.contains_key(*name))
            {
                return Err(ConvertError::new(path, format!("map has no element for required attribute {name:?}")));
            }
            Value::object(fields_as(attributes, fields, path)?)
        }
        (Kind::Object(attributes), Type::Object(fields)) => Value::object(fields_as(attributes, fields, path)?),
        _ => return Err(ConvertError::new(path, mismatch(&value.ty(), ty))),
    };
    Ok(converted.marked(value.marks()))
}

fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ if text.eq_ignore_ascii_case("true") => {
            Err("a bool is required; to convert from string, use lowercase \"true\"")
        }
        _ if text.eq_ignore_ascii_case("false") => {
            Err("a bool is required; to convert from string, use lowercase \"false\"")
        }
        _ => Err("a bool is required"),
    }
}

/// An unknown value as `ty`. What is known about it is kept where the conversion keeps it true.
fn unknown_as(unknown: &Unknown, ty: &Type, path: &Path) -> Result<Value, ConvertError> {
    if !may_convert(&unknown.ty, ty) {
        return Err(ConvertError::new(path, mismatch(&unknown.ty, ty)));
    }
    let given = &unknown.refinement;
    let mut kept = Refinement { not_null: given.not_null, ..Refinement::default() };
    let exactly = |length: usize| (Some(length), Some(length));
    match (&unknown.ty, ty) {
        (Type::String, Type::String) | (Type::Number, Type::Number) => kept = given.clone(),
        (Type::Object(fields), Type::Map(_)) => (kept.minimum_length, kept.maximum_length) = exactly(fields.len()),
        (Type::Tuple(elements), Type::List(_)) => (kept.minimum_length, kept.maximum_length) = exactly(elements.len()),
        (Type::Tuple(elements), Type::Set(_)) => {
            (kept.minimum_length, kept.maximum_length) = (Some(elements.len().min(1)), Some(elements.len()));
        }
        (Type::List(_) | Type::Set(_), Type::Set(_)) => {
            (kept.minimum_length, kept.maximum_length) =
                (given.minimum_length.map(|length| length.min(1)), given.maximum_length);
        }
        (Type::List(_) | Type::Set(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => {
            (kept.minimum_length, kept.maximum_length) = (given.minimum_length, given.maximum_length);
        }
        _ => {}
    }
    Ok(Value::refined(fill_any(&unknown.ty, &ty.without_optional()), kept))
}

/// Elements of a list or set as elements of another collection.
fn elements_as(
    elements: &[Value],
    given: &Type,
    element: &Type,
    path: &Path,
    collection: &str,
) -> Result<(Type, Vec<Value>), ConvertError> {
    let each = |(index, value): (usize, &Value)| convert_at(value, element, &path.index(index));
    let converted: Vec<Value> = elements.iter().enumerate().map(each).collect::<Result<_, _>>()?;
    let ty = match converted.first() {
        Some(first) => first.ty(),
        None if *element == Type::Any => given.clone(),
        None => element.without_optional(),
    };
    match converted.iter().all(|value| value.ty() == ty) {
        true => Ok((ty, converted)),
        false => Err(ConvertError::new(path, format!("element types must all match for conversion to {collection}"))),
    }
}

/// Elements of a tuple, each of its own type, as elements of a collection, all of one type.
fn unified_elements(
    elements: &[Value],
    element: &Type,
    path: &Path,
    collection: &str,
) -> Result<(Type, Vec<Value>), ConvertError> {
    if elements.is_empty() {
        return Ok((element.without_optional(), Vec::new()));
    }
    let element = match element {
        Type::Any => common_type(elements.iter())
            .ok_or_else(|| ConvertError::new(path, format!("all {collection} elements must have the same type")))?,
        given => given.clone(),
    };
    let each = |(index, value): (usize, &Value)| convert_at(value, &element, &path.index(index));
    let converted: Vec<Value> = elements.iter().enumerate().map(each).collect::<Result<_, _>>()?;
    // A common type may have gaps that elements fill differently: those of a list are brought together once more, those of a set are not.
    if collection == "set" {
        return of_one_type(element, converted).ok_or_else(|| {
            ConvertError::new(path, format!("cannot convert tuple to {collection} of any single type"))
        });
    }
    let ty = common_type(converted.iter())
        .ok_or_else(|| ConvertError::new(path, "cannot find a common base type for all elements"))?;
    let each = |(index, value): (usize, &Value)| convert_at(value, &ty, &path.index(index));
    let unified: Vec<Value> = converted.iter().enumerate().map(each).collect::<Result<_, _>>()?;
    of_one_type(ty, unified)
        .ok_or_else(|| ConvertError::new(path, format!("cannot convert tuple to {collection} of any single type")))
}

/// Elements that all have one type but for those whose type is open, which get it. Nothing where there are several types.
fn of_one_type(wanted: Type, elements: Vec<Value>) -> Option<(Type, Vec<Value>)> {
    let mut types = elements.iter().map(Value::ty).filter(|ty| *ty != Type::Any);
    let Some(first) = types.next() else { return Some((wanted.without_optional(), elements)) };
    if types.any(|other| other != first) {
        return None;
    }
    let elements = elements.into_iter().map(|value| typed(value, &first)).collect();
    Some((first, elements))
}

/// The value, with a type if its own is open.
fn typed(value: Value, ty: &Type) -> Value {
    match value.kind() {
        Kind::Null(Type::Any) => Value::null_of(ty.clone()).marked(value.marks()),
        Kind::Unknown(unknown) if unknown.ty == Type::Any => Value::unknown(ty.clone()).marked(value.marks()),
        _ => value,
    }
}

/// Attributes of an object, or elements of a map whose type is `given`, as a map.
fn named_as(
    attributes: &BTreeMap<String, Value>,
    given: Option<&Type>,
    element: &Type,
    path: &Path,
) -> Result<Value, ConvertError> {
    if attributes.is_empty() {
        let ty = match (element, given) {
            (Type::Any, Some(given)) => given.clone(),
            _ => element.without_optional(),
        };
        return Ok(Value::map::<String>(ty, []));
    }
    let element = match (element, given) {
        (Type::Any, Some(given)) => given.clone(),
        (Type::Any, None) => common_type(attributes.values())
            .ok_or_else(|| ConvertError::new(path, "all map elements must have the same type"))?,
        (wanted, _) => wanted.clone(),
    };
    let convert_to = |values: &BTreeMap<String, Value>, ty: &Type| {
        let each = |(name, value): (&String, &Value)| Ok((name.clone(), convert_at(value, ty, &path.name(name))?));
        values.iter().map(each).collect::<Result<BTreeMap<_, _>, ConvertError>>()
    };
    let converted = convert_to(attributes, &element)?;
    let ty = common_type(converted.values())
        .ok_or_else(|| ConvertError::new(path, "cannot find a common base type for all elements"))?;
    let unified = convert_to(&converted, &ty)?;
    // A common type may have gaps that values fill differently.
    let (names, values): (Vec<String>, Vec<Value>) = unified.into_iter().unzip();
    let (ty, values) =
        of_one_type(ty, values).ok_or_else(|| ConvertError::new(path, "all map elements must have the same type"))?;
    Ok(Value::map(ty, names.into_iter().zip(values)))
}

fn common_type<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Type> {
    let types: Vec<Type> = values.map(Value::ty).collect();
    unify(types.iter())
}

fn fields_as(
    attributes: &BTreeMap<String, Value>,
    fields: &BTreeMap<String, ObjectField>,
    path: &Path,
) -> Result<BTreeMap<String, Value>, ConvertError> {
    let each = |(name, field): (&String, &ObjectField)| {
        let given = attributes.get(name);
        let value = match (given, &field.default) {
            (Some(value), Some(default)) if value.is_null() => default.clone().marked(value.marks()),
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) => Value::null(),
        };
        let at = path.name(name);
        if !may_convert(&value.ty(), &field.ty) {
            return Err(ConvertError::new(&at, mismatch(&value.ty(), &field.ty)));
        }
        Ok((name.clone(), convert_at(&value, &field.ty, &at)?))
    };
    fields.iter().map(each).collect()
}

/// Whether a value of type `from` may convert to `to`: whether a string is a number, only its value tells.
pub fn may_convert(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Bool, Type::Bool | Type::String) | (Type::Number, Type::Number | Type::String) => true,
        (Type::String, Type::Bool | Type::Number | Type::String) => true,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            may_convert(a, b)
        }
        (Type::Tuple(elements), Type::List(to) | Type::Set(to)) => may_unify_to(elements.iter(), to),
        // Unlike elements of a tuple, attributes need not agree on a type here: it is enough that their values turn out to.
        (Type::Object(fields), Type::Map(to)) if **to == Type::Any => {
            unify(fields.values().map(|field| &field.ty)).is_some()
        }
        (Type::Object(fields), Type::Map(to)) => may_unify_to(fields.values().map(|field| &field.ty), to),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(a, b)| may_convert(a, b))
        }
        (Type::Map(from), Type::Object(fields)) => {
            fields.values().all(|field| field.optional || may_convert(from, &field.ty))
        }
        (Type::Object(from), Type::Object(to)) => to.iter().all(|(name, field)| match from.get(name) {
            Some(given) => may_convert(&given.ty, &field.ty),
            None => field.optional,
        }),
        _ => false,
    }
}

fn may_unify_to<'a>(types: impl Iterator<Item = &'a Type> + Clone, to: &Type) -> bool {
    match to {
        Type::Any => match unify(types.clone()) {
            Some(Type::Any) => types.into_iter().all(|ty| *ty == Type::Any),
            Some(_) => true,
            None => false,
        },
        to => types.into_iter().all(|from| may_convert(from, to)),
    }
}

/// `wanted` with every `any` in it replaced by what stands there in `given`.
fn fill_any(given: &Type, wanted: &Type) -> Type {
    let unified = |types: &mut dyn Iterator<Item = &Type>| {
        let types: Vec<&Type> = types.collect();
        unify(types).unwrap_or(Type::Any)
    };
    match (given, wanted) {
        (Type::Any, _) => wanted.clone(),
        (_, Type::Any) => given.clone(),
        (Type::Map(given), Type::Map(wanted)) => Type::map(fill_any(given, wanted)),
        (Type::Object(fields), Type::Map(wanted)) => {
            Type::map(fill_any(&unified(&mut fields.values().map(|field| &field.ty)), wanted))
        }
        (Type::Set(given) | Type::List(given), Type::Set(wanted)) => Type::set(fill_any(given, wanted)),
        (Type::Set(given) | Type::List(given), Type::List(wanted)) => Type::list(fill_any(given, wanted)),
        (Type::Tuple(elements), Type::Set(wanted)) => Type::set(fill_any(&unified(&mut elements.iter()), wanted)),
        (Type::Tuple(elements), Type::List(wanted)) => Type::list(fill_any(&unified(&mut elements.iter()), wanted)),
        (Type::Tuple(given), Type::Tuple(wanted)) => {
            Type::Tuple(given.iter().zip(wanted).map(|(a, b)| fill_any(a, b)).collect())
        }
        (_, Type::Object(fields)) => {
            let inside = |name: &str| match given {
                Type::Map(element) => Some((**element).clone()),
                Type::Object(given) => given.get(name).map(|field| field.ty.clone()),
                _ => None,
            };
            let each = |(name, field): (&String, &ObjectField)| {
                let ty = inside(name).map_or_else(|| field.ty.clone(), |given| fill_any(&given, &field.ty));
                (name.clone(), ty)
            };
            Type::object(fields.iter().map(each))
        }
        _ => wanted.clone(),
    }
}

/// Why no value of type `got` converts to `want`, as a fragment.
pub fn mismatch(got: &Type, want: &Type) -> String {
    let required = || format!("{} required", want.constraint_name());
    match (got, want) {
        (Type::Object(got), Type::Object(want)) => mismatched_objects(got, want),
        (Type::Tuple(_), Type::List(element)) if **element == Type::Any => {
            "all list elements must have the same type".to_owned()
        }
        (Type::Tuple(_), Type::Set(element)) if **element == Type::Any => {
            "all set elements must have the same type".to_owned()
        }
        (Type::Object(_), Type::Map(element)) if **element == Type::Any => {
            "all map elements must have the same type".to_owned()
        }
        (Type::Tuple(elements), Type::List(element) | Type::Set(element)) => {
            let wrong = elements.iter().enumerate().find(|(_, ty)| !may_convert(ty, element));
            wrong.map_or_else(
                || format!("all elements must be {}", element.constraint_name()),
                |(index, ty)| format!("element {index}: {}", mismatch(ty, element)),
            )
        }
        (Type::Object(fields), Type::Map(element)) => {
            let wrong = fields.iter().find(|(_, field)| !may_convert(&field.ty, element));
            wrong.map_or_else(
                || format!("all elements must be {}", element.constraint_name()),
                |(name, field)| format!("element {name:?}: {}", mismatch(&field.ty, element)),
            )
        }
        (Type::Tuple(_) | Type::Object(_), Type::List(_) | Type::Set(_) | Type::Map(_)) => required(),
        (Type::List(got) | Type::Set(got), Type::List(want)) => {
            format!("incorrect list element type: {}", mismatch(got, want))
        }
        (Type::List(got) | Type::Set(got), Type::Set(want)) => {
            format!("incorrect set element type: {}", mismatch(got, want))
        }
        (Type::Map(got), Type::Map(want)) => format!("incorrect map element type: {}", mismatch(got, want)),
        (Type::List(_) | Type::Set(_) | Type::Map(_), Type::List(_) | Type::Set(_) | Type::Map(_)) => required(),
        // Naming both types helps where no reader would expect a conversion; for a text that is no number it would mislead.
        _ if got.is_primitive() != want.is_primitive()
            || *want == Type::String
            || matches!(
                (got, want),
                (Type::Bool, Type::Number) | (Type::Number, Type::Bool) | (Type::Tuple(_), Type::Object(_))
            ) =>
        {
            format!("{} required, but have {}", want.constraint_name(), got.friendly_name())
        }
        _ => required(),
    }
}

fn mismatched_objects(got: &BTreeMap<String, ObjectField>, want: &BTreeMap<String, ObjectField>) -> String {
    let missing: Vec<String> = want
        .iter()
        .filter(|(name, field)| !field.optional && !got.contains_key(*name))
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    match missing.as_slice() {
        [] => {}
        [only] => return format!("attribute {only} is required"),
        [first, second] => return format!("attributes {first} and {second} are required"),
        [first @ .., last] => return format!("attributes {}, and {last} are required", first.join(", ")),
    }
    let wrong = want.iter().find_map(|(name, field)| {
        let given = &got.get(name)?.ty;
        (!may_convert(given, &field.ty)).then(|| format!("attribute {name:?}: {}", mismatch(given, &field.ty)))
    });
    wrong.unwrap_or_else(|| "incorrect object attributes".to_owned())
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
        assert_eq!(
            convert(&"True".into(), &Type::Bool).expect_err("not a bool").message,
            "a bool is required; to convert from string, use lowercase \"true\""
        );
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
    fn collections_unify_their_elements() {
        let tuple = Value::tuple([1.into(), "a".into(), Value::null()]);
        let list = convert(&tuple, &Type::list(Type::Any)).expect("unifies");
        assert_eq!(list.ty(), Type::list(Type::String));
        assert_eq!(list.as_slice().map(|elements| elements[2].clone()), Some(Value::null_of(Type::String)));
        let nested = Value::tuple([Value::tuple([1.into()]), Value::tuple(["a".into(), "b".into()])]);
        let list = convert(&nested, &Type::list(Type::Any)).expect("unifies");
        assert_eq!(list.ty(), Type::list(Type::list(Type::String)));
    }

    #[test]
    fn errors_tell_where() {
        let ty = Type::list(Type::object([("a", Type::Number)]));
        let given = Value::tuple([Value::object([("a", Value::from("x"))])]);
        let error = convert(&given, &ty).expect_err("x is no number");
        assert_eq!(error.to_string(), "element 0: attribute \"a\": a number is required");
        assert_eq!(error.path, Path::root().index(0).name("a"));
        let error = convert(&Value::tuple([true.into()]), &Type::list(Type::Number)).expect_err("no number");
        assert_eq!(error.to_string(), "element 0: number required, but have bool");
    }

    #[test]
    fn unknown_values_keep_what_stays_true() {
        let refinement = Refinement { not_null: true, minimum_length: Some(2), ..Refinement::default() };
        let list = Value::refined(Type::list(Type::Number), refinement);
        let set = convert(&list, &Type::set(Type::String)).expect("lists become sets");
        let expected = Refinement { not_null: true, minimum_length: Some(1), ..Refinement::default() };
        assert_eq!(set, Value::refined(Type::set(Type::String), expected));
        assert!(convert(&Value::unknown(Type::Bool), &Type::Number).is_err());
    }
}
