//! Operations on sets.

use pipectl_core::convert::convert;
use pipectl_core::unify::unify;
use pipectl_core::{Kind, Marks, Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

/// How many combinations `setproduct` makes at most: more than anyone means.
const MAX_PRODUCT: usize = 1 << 20;

const FIRST: Parameter = Parameter::new("first_set", Type::Set);
const OTHERS: Parameter = Parameter::new("other_sets", Type::Set);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("setintersection", "The elements that all sets have.", &[FIRST], Type::Set, |call| {
        combine(call, |kept, other| kept.iter().filter(|value| has(other, value)).cloned().collect())
    })
    .rest(OTHERS)
    .returns("set of the common element type", common_set),
    plain("setproduct", "All combinations of one element of each set or list.", &[], Type::Any, product)
        .rest(Parameter::new("sets", Type::Any).partly_known().marked())
        .returns("list of tuples when all are lists or tuples, else set of tuples", product_type),
    plain(
        "setsubtract",
        "The elements of the first set that the second does not have.",
        &[Parameter::new("a", Type::Set), Parameter::new("b", Type::Set)],
        Type::Set,
        |call| combine(call, |kept, other| kept.iter().filter(|value| !has(other, value)).cloned().collect()),
    )
    .returns("set of the common element type", common_set),
    plain("setunion", "The elements that any of the sets has.", &[FIRST.partly_known()], Type::Set, |call| {
        combine(call, |kept, other| kept.iter().chain(other).cloned().collect())
    })
    .rest(OTHERS.partly_known())
    .returns("set of the common element type", common_set),
];

/// Whether a sorted set has an element.
fn has(set: &[Value], value: &Value) -> bool {
    set.binary_search_by(|element| element.compare_content(value)).is_ok()
}

fn common_set(arguments: &[Value]) -> Result<ValueType, Failure> {
    let element = |argument: &Value| match argument.ty() {
        ValueType::Set(element) => *element,
        _ => ValueType::Any,
    };
    // An empty set of no particular type does not decide.
    let undecided =
        |argument: &Value| argument.as_slice().is_some_and(<[Value]>::is_empty) && element(argument) == ValueType::Any;
    let types: Vec<ValueType> = arguments.iter().filter(|argument| !undecided(argument)).map(element).collect();
    unify(&types).map(ValueType::set).ok_or_else(|| Failure::call("given sets must all have compatible element types"))
}

fn combine(call: &Arguments<'_>, step: fn(&[Value], &[Value]) -> Vec<Value>) -> Result<Value, Failure> {
    let mut kept: Option<Value> = None;
    for (index, argument) in call.values.iter().enumerate() {
        let converted = convert(argument, &call.result)
            .map_err(|_| Failure::argument(index, "the set's elements have the wrong type"))?;
        kept = Some(match kept {
            None => converted,
            Some(before) => {
                let elements = step(before.as_slice().unwrap_or_default(), converted.as_slice().unwrap_or_default());
                match &call.result {
                    ValueType::Set(element) => Value::set((**element).clone(), elements),
                    _ => Value::set(ValueType::Any, elements),
                }
            }
        });
    }
    kept.ok_or_else(|| Failure::call("at least one set is required"))
}

fn product_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    if arguments.len() < 2 {
        return Err(Failure::call("at least two arguments are required"));
    }
    let mut ordered = true;
    let mut elements = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        elements.push(match argument.ty() {
            ValueType::List(element) => *element,
            ValueType::Set(element) => {
                ordered = false;
                *element
            }
            ValueType::Tuple(types) => {
                unify(&types).ok_or_else(|| Failure::argument(index, "all elements must be of the same type"))?
            }
            _ => return Err(Failure::argument(index, "a set or a list is required")),
        });
    }
    let tuple = ValueType::Tuple(elements);
    Ok(if ordered { ValueType::list(tuple) } else { ValueType::set(tuple) })
}

fn product(call: &Arguments<'_>) -> Result<Value, Failure> {
    let marks = call.values.iter().fold(Marks::NONE, |marks, argument| marks | argument.marks());
    let (ValueType::List(tuple) | ValueType::Set(tuple)) = &call.result else {
        return Ok(Value::unknown(call.result.clone()));
    };
    let ValueType::Tuple(types) = &**tuple else { return Ok(Value::unknown(call.result.clone())) };
    if call.values.iter().any(|argument| matches!(argument.kind(), Kind::Set(..)) && !argument.is_wholly_known()) {
        return Ok(Value::unknown(call.result.clone()).marked(marks));
    }
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for (index, ty) in types.iter().enumerate() {
        let elements = call.elements(index);
        if combinations.len().saturating_mul(elements.len()) > MAX_PRODUCT {
            return Err(Failure::call("more than 1048576 combinations would be made"));
        }
        let converted: Vec<Value> = elements
            .iter()
            .map(|element| convert(element, ty))
            .collect::<Result<_, _>>()
            .map_err(|_| Failure::argument(index, "all elements must be of the same type"))?;
        let longer = |combination: &Vec<Value>| {
            let each = |value: &Value| combination.iter().chain([value]).cloned().collect();
            converted.iter().map(each).collect::<Vec<Vec<Value>>>()
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    let tuples = combinations.into_iter().map(Value::tuple);
    let result = match &call.result {
        ValueType::List(_) => Value::list((**tuple).clone(), tuples),
        _ => Value::set((**tuple).clone(), tuples),
    };
    Ok(result.marked(marks))
}
