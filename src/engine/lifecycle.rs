//! Meta-arguments that change what is planned for an object: `ignore_changes` and `prevent_destroy`.

use pipectl_core::{Address, Diagnostic, Diagnostics, Kind, Path, Schema, Span, Step, Type, Value, convert};
use pipectl_lang::{Expression, IgnoreChanges, ObjectBlock, Scope, evaluate};

/// The arguments with those that are to be left alone as they are in `prior`.
pub(crate) fn ignore_changes(ignore: &IgnoreChanges, schema: &Schema, config: &Value, prior: &Value) -> Value {
    match ignore {
        IgnoreChanges::All => {
            let arguments = schema.attributes.iter().filter(|(_, attribute)| attribute.required || attribute.optional);
            let names = arguments.map(|(name, _)| name).chain(schema.blocks.keys());
            names.fold(config.clone(), |config, name| match prior.attribute(name) {
                Some(value) => config.with_attribute(name, value.clone()),
                None => config,
            })
        }
        IgnoreChanges::Paths(paths) => {
            paths.iter().fold(config.clone(), |config, (path, _)| with_value_of(&config, prior, &path.0))
        }
    }
}

/// Whether what is at `path` is to be left alone as it is.
pub(crate) fn is_ignored(ignore: &IgnoreChanges, path: &Path) -> bool {
    match ignore {
        IgnoreChanges::All => true,
        IgnoreChanges::Paths(paths) => paths.iter().any(|(ignored, _)| path.0.starts_with(&ignored.0)),
    }
}

/// `value` with what is at `path` as it is in `other`; gone when it is not there.
fn with_value_of(value: &Value, other: &Value, path: &[Step]) -> Value {
    let Some((first, rest)) = path.split_first() else { return other.clone() };
    match first {
        Step::Name(name) => {
            let Some(members) = value.as_object() else { return value.clone() };
            let mut members = members.clone();
            match (other.attribute(name), rest.is_empty(), members.get(name)) {
                (Some(kept), true, _) => {
                    members.insert(name.clone(), kept.clone());
                }
                (None, true, _) => {
                    members.remove(name);
                }
                (Some(kept), false, Some(inside)) => {
                    let inside = with_value_of(inside, kept, rest);
                    members.insert(name.clone(), inside);
                }
                (_, false, _) => {}
            }
            let marks = value.marks();
            let changed = match value.kind() {
                Kind::Map(ty, _) => Value::map(ty.clone(), members),
                _ => Value::object(members),
            };
            changed.marked(marks)
        }
        Step::Index(index) => {
            let (Some(elements), Some(kept)) =
                (value.as_slice(), other.as_slice().and_then(|elements| elements.get(*index)))
            else {
                return value.clone();
            };
            let each = |(position, element): (usize, &Value)| {
                if position == *index { with_value_of(element, kept, rest) } else { element.clone() }
            };
            let elements: Vec<Value> = elements.iter().enumerate().map(each).collect();
            let marks = value.marks();
            let changed = match value.kind() {
                Kind::List(ty, _) => Value::list(ty.clone(), elements),
                Kind::Tuple(_) => Value::tuple(elements),
                // Elements of a set have no places.
                _ => return value.clone(),
            };
            changed.marked(marks)
        }
    }
}

/// An error when the block forbids that its object at `address` is removed.
pub(crate) fn prevent_destroy(block: &ObjectBlock, scope: &Scope, address: &Address, what: &str) -> Diagnostics {
    let Some(expression) = &block.meta.lifecycle.prevent_destroy else { return Diagnostics::new() };
    let span = expression.span();
    let refuse = |detail: String| -> Diagnostics { forbidden(detail, &span, address) };
    match evaluate(expression, scope).map(|value| convert::convert(&value, &Type::Bool)) {
        Err(problems) => problems,
        Ok(Err(error)) => {
            Diagnostic::error("Invalid prevent_destroy argument", format!("It must be true or false: {error}."))
                .at(span)
                .into()
        }
        Ok(Ok(value)) => match value.kind() {
            Kind::Bool(true) => refuse(format!(
                "{address} has `prevent_destroy` set, but {what}. To let this go ahead, set it to false, or leave the object out with -target or -exclude."
            )),
            Kind::Unknown(_) => {
                refuse(format!("{address} has a `prevent_destroy` that is known only after apply, and {what}."))
            }
            _ => Diagnostics::new(),
        },
    }
}

/// The same where the module of the block has no such instance any more. An expression that needs what the instance had forbids it: nobody can
/// tell.
pub(crate) fn prevent_destroy_without_module(
    block: &ObjectBlock,
    scope: &Scope,
    address: &Address,
    what: &str,
) -> Diagnostics {
    let Some(expression) = &block.meta.lifecycle.prevent_destroy else { return Diagnostics::new() };
    if evaluate(expression, scope).is_ok() {
        return prevent_destroy(block, scope, address, what);
    }
    let detail = format!(
        "{address} has a `prevent_destroy` that is made from values of {module}, of which there is no such instance any more, and {what}. To let \
         this go ahead, write `prevent_destroy = false` there until it is done, or leave the object out with -target or -exclude.",
        module = address.module
    );
    forbidden(detail, &expression.span(), address)
}

/// An error when `prevent_destroy` can be told to be no bool without knowing what it refers to.
pub(crate) fn check_prevent_destroy(expression: &Expression, scope: &Scope) -> Diagnostics {
    let Ok(value) = evaluate(expression, scope) else { return Diagnostics::new() };
    let what = match convert::convert(&value, &Type::Bool) {
        Ok(value) if value.is_null() => "it is null".to_owned(),
        Ok(_) => return Diagnostics::new(),
        Err(error) => error.to_string(),
    };
    let detail = format!("The `prevent_destroy` argument must be true or false: {what}.");
    Diagnostic::error("Unsuitable value type", detail).at(expression.span()).into()
}

fn forbidden(detail: String, span: &Span, address: &Address) -> Diagnostics {
    Diagnostic::error("Instance cannot be destroyed", detail).at(span.clone()).about(address).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_paths_keep_what_is_there() {
        let tags = |pairs: &[(&str, &str)]| {
            Value::map(Type::String, pairs.iter().map(|(key, value)| (*key, Value::from(*value))))
        };
        let config = Value::object([("name", Value::from("new")), ("tags", tags(&[("a", "1"), ("b", "2")]))]);
        let prior = Value::object([("name", Value::from("old")), ("tags", tags(&[("a", "outside")]))]);
        let ignored = |path: &[&str]| {
            with_value_of(&config, &prior, &path.iter().map(|step| Step::Name((*step).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(ignored(&["name"]).attribute("name"), Some(&"old".into()));
        assert_eq!(ignored(&["tags", "a"]).attribute("tags"), Some(&tags(&[("a", "outside"), ("b", "2")])));
        assert_eq!(ignored(&["tags", "b"]).attribute("tags"), Some(&tags(&[("a", "1")])));
    }
}
