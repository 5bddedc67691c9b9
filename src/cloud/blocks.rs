//! Nested blocks and the lists of objects that services have for them.

use pipectl_core::Value;
use pipectl_core::json::{from_json, to_json};
use serde_json::{Map, Value as Json};

/// The objects of blocks, by pairs of argument and member. What is absent or not known is left out.
pub fn to_objects(blocks: &[Value], members: &[(&str, &str)]) -> Vec<Map<String, Json>> {
    let object = |block: &Value| {
        let given = members.iter().filter_map(|(name, member)| {
            let value = block.set_attribute(name).and_then(to_json)?;
            Some(((*member).to_owned(), value))
        });
        given.collect()
    };
    blocks.iter().map(object).collect()
}

/// The blocks of a list of objects, by the same pairs.
pub fn from_objects(objects: &Json, members: &[(&str, &str)]) -> Value {
    let block = |object: &Json| {
        let attribute = |(name, member): &(&str, &str)| {
            let json = object.get(*member).unwrap_or(&Json::Null);
            ((*name).to_owned(), from_json(json))
        };
        Value::object(members.iter().map(attribute).collect::<Vec<_>>())
    };
    Value::tuple(objects.as_array().into_iter().flatten().map(block))
}

/// Whether two lists of blocks hold the same, in whatever order.
pub fn unordered(one: &Value, other: &Value) -> bool {
    let (one, other) = (one.as_slice().unwrap_or_default(), other.as_slice().unwrap_or_default());
    let mut left: Vec<&Value> = other.iter().collect();
    let is_there = |value: &Value| {
        let place = left.iter().position(|there| there.equal_content(value));
        place.map(|place| left.swap_remove(place)).is_some()
    };
    one.len() == other.len() && one.iter().all(is_there)
}

/// For each of some blocks, of which not all is given or known, the place of the one that it is among others: the one in its own place, if that
/// fits; else any that fits. Those of which most is said choose first. What fits none takes what is left, in order.
pub fn paired(wanted: &[Value], there: &[Value]) -> Vec<Option<usize>> {
    let said = |block: &Value| {
        let attributes = block.as_object().into_iter().flatten();
        attributes.filter(|(_, value)| !value.is_null() && value.is_wholly_known()).count()
    };
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(said(&wanted[*index])));
    let mut left: Vec<usize> = (0..there.len()).collect();
    let mut pairs = vec![None; wanted.len()];
    for index in order {
        let fits = |place: &usize| is_like(&there[*place], &wanted[index]);
        let chosen =
            left.iter().position(|place| *place == index && fits(place)).or_else(|| left.iter().position(fits));
        pairs[index] = chosen.map(|chosen| left.remove(chosen));
    }
    let mut left = left.into_iter();
    for pair in pairs.iter_mut().filter(|pair| pair.is_none()) {
        *pair = left.next();
    }
    pairs
}

/// Whether a block could be one of which not all is given or known.
fn is_like(block: &Value, wanted: &Value) -> bool {
    let mut given = wanted.as_object().into_iter().flatten();
    given.all(|(name, value)| {
        value.is_null()
            || !value.is_wholly_known()
            || block.attribute(name).is_some_and(|there| there.equal_content(value))
    })
}

/// Blocks in the order of others that they are. What is none of them comes last, and in the place of what is missing is null.
pub(crate) fn aligned(blocks: &Value, like: &Value) -> Value {
    let (Some(there), Some(wanted)) = (blocks.as_slice(), like.as_slice()) else { return blocks.clone() };
    let pairs = paired(wanted, there);
    let is_rest = |place: &usize| !pairs.contains(&Some(*place));
    let rest = (0..there.len()).filter(is_rest).map(|place| there[place].clone());
    let found = pairs.iter().map(|pair| pair.map_or_else(Value::null, |place| there[place].clone()));
    Value::tuple(found.chain(rest)).marked(blocks.marks())
}

#[cfg(test)]
mod tests {
    use pipectl_core::Type;

    use super::*;

    fn address(subnet: &str, address: Option<&str>) -> Value {
        let address = address.map_or_else(|| Value::unknown(Type::String), Value::from);
        Value::object([("subnet", subnet.into()), ("address", address)])
    }

    #[test]
    fn blocks_are_told_by_what_is_given_of_them() {
        let there = [address("a", Some("1")), address("a", Some("2")), address("b", Some("3"))];
        let pairs = |wanted: &[Value]| paired(wanted, &there);
        assert_eq!(pairs(&[address("b", None), address("a", None), address("a", None)]), [Some(2), Some(1), Some(0)]);
        assert_eq!(pairs(&[address("a", None), address("a", Some("1"))]), [Some(1), Some(0)]);
        assert_eq!(pairs(&[address("c", None), address("b", None)]), [Some(0), Some(2)]);
        let more = [address("x", None), address("b", None), address("a", None), address("a", None)];
        assert_eq!(pairs(&more), [None, Some(2), Some(0), Some(1)]);
        let aligned = aligned(&Value::tuple(there.clone()), &Value::tuple(more));
        assert!(aligned.as_slice().unwrap()[0].is_null());
        assert_eq!(aligned.as_slice().unwrap()[1], there[2]);
    }

    #[test]
    fn order_and_marks_say_nothing() {
        let blocks = |names: [&str; 2]| Value::tuple(names.map(|name| address(name, Some("1"))));
        assert!(unordered(&blocks(["a", "b"]), &blocks(["b", "a"])));
        assert!(!unordered(&blocks(["a", "a"]), &blocks(["a", "b"])));
        let secret = |text: &str| Value::tuple([Value::from(text).marked(pipectl_core::Marks::SENSITIVE)]);
        assert!(!unordered(&secret("a"), &secret("b")), "what is not shown is not the same");
    }
}
