//! Values that nobody has given, and values that are brought into the shape of an attribute.

use pipectl_core::convert::convert;
use pipectl_core::{Kind, Type, Value};
use pipectl_engine::Seed;

/// How long a text is that is made up.
const LENGTH: usize = 8;

/// Some value of a type: random characters, 0, `false`, collections without elements, objects of such. Of a type that is open: null.
pub fn made_up(ty: &Type) -> Value {
    match ty {
        Type::String => Seed::random().draw("a text that a provider would have given")[..LENGTH].into(),
        Type::Number => Value::from(0),
        Type::Bool => Value::from(false),
        Type::List(element) => Value::list((**element).clone(), Vec::new()),
        Type::Set(element) => Value::set((**element).clone(), Vec::new()),
        Type::Map(element) => Value::map((**element).clone(), Vec::<(String, Value)>::new()),
        Type::Tuple(elements) => Value::tuple(elements.iter().map(made_up)),
        Type::Object(fields) => Value::object(fields.iter().map(|(name, field)| (name.clone(), made_up(&field.ty)))),
        Type::Any => Value::null_of(Type::Any),
    }
}

/// A given value as one of a type: attributes that an object lacks are made up, those that it has beyond are left out.
///
/// # Errors
/// Why it does not fit, as a clause.
pub fn fitted(given: &Value, ty: &Type) -> Result<Value, String> {
    let each = |elements: &mut dyn Iterator<Item = &Value>, element: &Type| {
        elements.map(|value| fitted(value, element)).collect::<Result<Vec<Value>, String>>()
    };
    let value = match (ty, given.kind()) {
        (_, Kind::Null(_) | Kind::Unknown(_)) => return converted(given, ty),
        (Type::Object(fields), Kind::Object(found) | Kind::Map(_, found)) => {
            let field = |(name, field): (&String, &pipectl_core::ObjectField)| {
                let value = found.get(name).map_or_else(|| Ok(made_up(&field.ty)), |value| fitted(value, &field.ty))?;
                Ok((name.clone(), value))
            };
            Value::object(fields.iter().map(field).collect::<Result<Vec<_>, String>>()?)
        }
        (Type::List(element), Kind::List(_, found) | Kind::Tuple(found) | Kind::Set(_, found)) if is_open(element) => {
            Value::list((**element).clone(), each(&mut found.iter(), element)?)
        }
        (Type::Set(element), Kind::List(_, found) | Kind::Tuple(found) | Kind::Set(_, found)) if is_open(element) => {
            Value::set((**element).clone(), each(&mut found.iter(), element)?)
        }
        (Type::Map(element), Kind::Object(found) | Kind::Map(_, found)) if is_open(element) => {
            let values = each(&mut found.values(), element)?;
            Value::map((**element).clone(), found.keys().cloned().zip(values))
        }
        _ => return converted(given, ty),
    };
    Ok(value.marked(given.marks()))
}

/// Whether values of a type may have something to be made up in them.
fn is_open(ty: &Type) -> bool {
    match ty {
        Type::Object(_) => true,
        Type::List(element) | Type::Set(element) | Type::Map(element) => is_open(element),
        Type::Any | Type::Bool | Type::Number | Type::String | Type::Tuple(_) => false,
    }
}

fn converted(given: &Value, ty: &Type) -> Result<Value, String> {
    convert(given, ty).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Marks, ObjectField};

    use super::*;

    fn pair() -> Type {
        let fields = [("id", Type::String), ("size", Type::Number)];
        Type::Object(fields.map(|(name, ty)| (name.to_owned(), ObjectField::required(ty))).into())
    }

    #[test]
    fn texts_are_random() {
        let (one, other) = (made_up(&Type::String), made_up(&Type::String));
        let text = one.as_str().unwrap();
        assert!(text.len() == LENGTH && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{text}");
        assert_ne!(one, other);
    }

    #[test]
    fn what_an_object_lacks_is_made_up() {
        let given = Value::object([("id", Value::from("x").marked(Marks::SENSITIVE)), ("more", Value::from(1))]);
        let fitted = fitted(&Value::tuple([given]), &Type::List(Box::new(pair()))).unwrap();
        let Kind::List(_, elements) = fitted.kind() else { panic!("a list: {fitted:?}") };
        let Kind::Object(attributes) = elements[0].kind() else { panic!("objects: {fitted:?}") };
        assert_eq!(attributes.keys().collect::<Vec<_>>(), ["id", "size"]);
        assert_eq!(attributes["size"], Value::from(0));
        assert!(attributes["id"].is_sensitive(), "marks are kept");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(
            fitted(&Value::tuple([Value::from(1)]), &Type::String),
            Err("string required, but have tuple".to_owned())
        );
        assert_eq!(fitted(&Value::from("1"), &Type::Number), Ok(Value::from(1)));
        assert!(fitted(&Value::from(1), &pair()).is_err());
    }
}
