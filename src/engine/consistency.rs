//! Does what came keep what was promised? Checks of plans against arguments, of later plans against earlier ones, of results against plans.

use pipectl_core::{Kind, Path, Schema, Value};

/// Where and how `actual` breaks what `planned` promised, as a clause. What was unknown may be anything.
pub(crate) fn broken_promise(planned: &Value, actual: &Value) -> Option<String> {
    compare(planned, actual, &Path::root())
}

/// The same for the arguments that a configuration gives: only what is given counts, so that attributes that it leaves open may be anything.
pub(crate) fn ignored_argument(schema: &Schema, config: &Value, planned: &Value) -> Option<String> {
    let given = |name: &&String| config.set_attribute(name).is_some();
    schema.attributes.keys().chain(schema.blocks.keys()).filter(given).find_map(|name| {
        let null = Value::null();
        compare(config.attribute(name).unwrap_or(&null), planned.attribute(name).unwrap_or(&null), &Path::of(name))
    })
}

fn compare(planned: &Value, actual: &Value, path: &Path) -> Option<String> {
    let is_private = (planned.marks() | actual.marks()).is_private();
    let found = compare_inside(planned, actual, path)?;
    // Of what is not to be told, neither are the names inside.
    Some(if is_private { differs("(sensitive value)", "(sensitive value)", path) } else { found })
}

fn differs(planned: impl std::fmt::Display, actual: impl std::fmt::Display, path: &Path) -> String {
    let place = if path.0.is_empty() { "the object".to_owned() } else { format!("`{path}`") };
    format!("{place} was planned as {planned}, and is {actual}")
}

fn compare_inside(planned: &Value, actual: &Value, path: &Path) -> Option<String> {
    let differs = || Some(differs(planned, actual, path));
    match (planned.kind(), actual.kind()) {
        (Kind::Unknown(unknown), kind) => {
            let broken = unknown.refinement.not_null && matches!(kind, Kind::Null(_));
            if broken { differs() } else { None }
        }
        (Kind::Null(_), Kind::Null(_)) => None,
        (Kind::Object(a) | Kind::Map(_, a), Kind::Object(b) | Kind::Map(_, b)) => {
            if let Some(name) = b.keys().find(|name| !a.contains_key(*name)) {
                let value = &b[name];
                return (!value.is_null()).then(|| format!("`{}` was not planned", path.name(name)));
            }
            let null = Value::null();
            a.iter().find_map(|(name, planned)| compare(planned, b.get(name).unwrap_or(&null), &path.name(name)))
        }
        // Elements of a set with unknown ones among them have no counterpart to be compared with.
        (Kind::Set(_, a), Kind::Set(_, b)) if !planned.is_wholly_known() => {
            if b.len() > a.len() {
                differs()
            } else {
                None
            }
        }
        (Kind::List(_, a) | Kind::Tuple(a) | Kind::Set(_, a), Kind::List(_, b) | Kind::Tuple(b) | Kind::Set(_, b)) => {
            if a.len() != b.len() {
                return differs();
            }
            a.iter()
                .zip(b.iter())
                .enumerate()
                .find_map(|(index, (planned, actual))| compare(planned, actual, &path.index(index)))
        }
        _ if planned.equal_content(actual) && actual.is_known() => None,
        _ => differs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_core::{Marks, Refinement, Type};

    #[test]
    fn known_values_bind_and_unknown_ones_do_not() {
        let planned = Value::object([
            ("id", Value::refined(Type::String, Refinement { not_null: true, ..Refinement::default() })),
            ("name", "a".into()),
            ("tags", Value::map(Type::String, [("k", Value::unknown(Type::String))])),
        ]);
        let actual = |id: Value, name: &str, key: &str| {
            Value::object([("id", id), ("name", name.into()), ("tags", Value::object([(key, "v".into())]))])
        };
        assert_eq!(broken_promise(&planned, &actual("x".into(), "a", "k")), None);
        assert_eq!(
            broken_promise(&planned, &actual("x".into(), "b", "k")).as_deref(),
            Some("`name` was planned as \"a\", and is \"b\"")
        );
        assert_eq!(
            broken_promise(&planned, &actual(Value::null(), "a", "k")).as_deref(),
            Some("`id` was planned as (known after apply), and is null")
        );
        assert_eq!(
            broken_promise(&planned, &actual("x".into(), "a", "z")).as_deref(),
            Some("`tags.z` was not planned")
        );
        let secret = Value::object([("name", Value::from("hunter2").marked(Marks::SENSITIVE))]);
        let other = Value::object([("name", Value::from("x"))]);
        assert_eq!(
            broken_promise(&secret, &other).as_deref(),
            Some("`name` was planned as (sensitive value), and is (sensitive value)")
        );
        let named = |name: &str| Value::object([("names", Value::object([(name, Value::from(1))]))]);
        let secret = named("hunter2").mark_at(&Path::of("names").0, Marks::SENSITIVE);
        assert_eq!(
            broken_promise(&secret, &named("hunter3")).as_deref(),
            Some("`names` was planned as (sensitive value), and is (sensitive value)")
        );
    }
}
