//! Does what came keep what was promised? Checks of plans against arguments, of later plans against earlier ones, of results against plans.

use pipectl_core::{Block, Kind, Path, Schema, Value};

/// Where and how `actual` breaks what `planned` promised, as a clause. What was unknown may be anything.
pub(crate) fn broken_promise(planned: &Value, actual: &Value) -> Option<String> {
    compare(planned, actual, &Path::root())
}

/// The same for the arguments that a configuration gives: only what is given counts, so that attributes that it leaves open may be anything.
pub(crate) fn ignored_argument(schema: &Schema, config: &Value, planned: &Value) -> Option<String> {
    ignored_in(schema, config, planned, &Path::root())
}

fn ignored_in(schema: &Schema, config: &Value, planned: &Value, path: &Path) -> Option<String> {
    let null = Value::null();
    let given =
        |name: &String| config.set_attribute(name).map(|given| (given, planned.attribute(name).unwrap_or(&null)));
    let ignored = schema.attributes.keys().find_map(|name| {
        let (given, planned) = given(name)?;
        compare(given, planned, &path.name(name))
    });
    ignored.or_else(|| {
        schema.blocks.iter().find_map(|(name, block)| {
            let (given, planned) = given(name)?;
            ignored_block(block, given, planned, &path.name(name))
        })
    })
}

/// The same for the blocks of a type. Where none is given, the provider may decide which there are.
fn ignored_block(block: &Block, given: &Value, planned: &Value, path: &Path) -> Option<String> {
    if block.computed && block.is_absent(given) {
        return None;
    }
    let one = |given: &Value, planned: &Value, path: &Path| match block
        .body_of(|label| given.attribute(label).and_then(Value::as_str))
    {
        Some(schema) if given.as_object().is_some() && planned.as_object().is_some() => {
            let label = |label: &String| (given.attribute(label), planned.attribute(label));
            let is_same = block.labels.iter().map(label).all(|(given, planned)| given == planned);
            if is_same { ignored_in(schema, given, planned, path) } else { compare(given, planned, path) }
        }
        _ => compare(given, planned, path),
    };
    let found = match (given.kind(), planned.kind()) {
        (Kind::Tuple(given), Kind::Tuple(planned)) if given.len() == planned.len() => {
            let mut pairs = given.iter().zip(planned.iter()).enumerate();
            pairs.find_map(|(index, (given, planned))| one(given, planned, &path.index(index)))
        }
        _ => one(given, planned, path),
    }?;
    let is_private = (given.marks() | planned.marks()).is_private();
    Some(if is_private { differs("(sensitive value)", "(sensitive value)", path) } else { found })
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
    use pipectl_core::{Attribute, Marks, Refinement, Type};

    #[test]
    fn arguments_of_blocks_bind_and_what_they_leave_open_does_not() {
        let card = Schema::of([
            ("network", Attribute::required(Type::String, "")),
            ("address", Attribute::computed(Type::String, "")),
        ]);
        let schema = Schema::default().block("card", Block::list(card, "").computed());
        let with = |cards: Vec<Value>| Value::object([("card", Value::tuple(cards))]);
        let card = |network: &str, address: Value| Value::object([("network", network.into()), ("address", address)]);
        let given = with(vec![card("a", Value::null())]);
        let ignored = |planned: &Value| ignored_argument(&schema, &given, planned);
        assert_eq!(ignored(&with(vec![card("a", Value::unknown(Type::String))])), None);
        assert_eq!(ignored(&with(vec![card("a", "10.0.0.2".into())])), None);
        let other = ignored(&with(vec![card("b", Value::null())]));
        assert_eq!(other.as_deref(), Some("`card[0].network` was planned as \"a\", and is \"b\""));
        assert!(ignored(&with(Vec::new())).is_some(), "a block is left out");
        assert!(ignored(&Value::object([("card", Value::unknown(Type::Any))])).is_some());
        let none = with(Vec::new());
        assert_eq!(ignored_argument(&schema, &none, &Value::object([("card", Value::unknown(Type::Any))])), None);
        assert_eq!(ignored_argument(&schema, &none, &with(vec![card("a", Value::null())])), None);
    }

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
