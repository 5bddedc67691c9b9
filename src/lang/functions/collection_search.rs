//! Functions that look through collections: searching, choosing, summing, sorting.

use pipectl_core::convert::convert;
use pipectl_core::unify::unify;
use pipectl_core::{Kind, Number, Refinement, Type as ValueType, Value};

use crate::evaluate::equal;
use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const LIST: Parameter = Parameter::new("list", Type::Any);
const ANYTHING: Parameter = Parameter::new("vals", Type::Any).nullable().unknown().dynamic();

pub(super) const FUNCTIONS: &[Function] = &[
    plain("alltrue", "Whether all elements of a list are true. An empty list is.", &[BOOLS], Type::Bool, |call| {
        every(call, false)
    }),
    plain("anytrue", "Whether any element of a list is true.", &[BOOLS], Type::Bool, |call| every(call, true)),
    plain("coalesce", "The first of some values that is neither null nor an empty string.", &[], Type::Any, coalesce)
        .rest(ANYTHING)
        .returns("the arguments' common type", |arguments| {
            let types: Vec<ValueType> = arguments.iter().map(Value::ty).collect();
            unify(&types).ok_or_else(|| Failure::call("all arguments must have the same type"))
        }),
    plain("coalescelist", "The first of some lists that is not empty.", &[], Type::Any, coalescelist)
        .rest(ANYTHING)
        .returns("the type of the list that is taken", coalescelist_type),
    plain("compact", "A list of strings without null and empty ones.", &[STRINGS], Type::ListOfString, |call| {
        let kept = call.elements(0).iter().filter(|element| element.as_str().is_some_and(|text| !text.is_empty()));
        Ok(Value::list(ValueType::String, kept.cloned()))
    }),
    plain(
        "contains",
        "Whether a value is an element of a list, set or tuple.",
        &[LIST.partly_known(), Parameter::new("value", Type::Any).partly_known()],
        Type::Bool,
        contains,
    ),
    plain(
        "distinct",
        "A list with each element once, in the order of their first occurrence.",
        &[ANY_LIST],
        Type::List,
        distinct,
    )
    .returns("the list's type", |arguments| Ok(arguments[0].ty())),
    plain(
        "index",
        "The index of the first element of a list that equals a value.",
        &[LIST.partly_known(), Parameter::new("value", Type::Any).partly_known()],
        Type::Number,
        index,
    ),
    plain(
        "matchkeys",
        "The elements of a list whose counterparts in a list of keys are in a set.",
        &[
            Parameter::new("values", Type::List).partly_known(),
            Parameter::new("keys", Type::List).partly_known(),
            Parameter::new("searchset", Type::List).partly_known(),
        ],
        Type::List,
        matchkeys,
    )
    .returns("the list's type", |arguments| {
        let types = [arguments[1].ty(), arguments[2].ty()];
        unify(&types)
            .map(|_| arguments[0].ty())
            .ok_or_else(|| Failure::call("keys and searchset must be of the same type"))
    }),
    plain("one", "The element of a collection of one, null of an empty one.", &[LIST.partly_known()], Type::Any, one)
        .returns("the element's type", one_type)
        .may_be_null(),
    plain("sort", "A list of strings in lexicographical order.", &[STRINGS.unknown()], Type::ListOfString, sort),
    plain("sum", "The sum of the numbers of a list, set or tuple.", &[LIST.partly_known()], Type::Number, sum),
];

const BOOLS: Parameter = Parameter::new("list", Type::ListOfBool).partly_known();
const STRINGS: Parameter = Parameter::new("list", Type::ListOfString);
const ANY_LIST: Parameter = Parameter::new("list", Type::List);

/// Whether `wanted` occurs among bools. What is unknown may be it.
fn every(call: &Arguments<'_>, wanted: bool) -> Result<Value, Failure> {
    let elements = call.elements(0);
    // Null counts as false.
    let occurs = |element: &Value| element.is_known() && element.as_bool().unwrap_or(false) == wanted;
    if elements.iter().any(occurs) {
        return Ok(Value::from(wanted));
    }
    match elements.iter().all(Value::is_known) {
        true => Ok(Value::from(!wanted)),
        false => Ok(Value::unknown(ValueType::Bool)),
    }
}

fn coalesce(call: &Arguments<'_>) -> Result<Value, Failure> {
    for argument in call.values {
        let converted =
            convert(argument, &call.result).map_err(|_| Failure::call("all arguments must have the same type"))?;
        if !converted.is_known() {
            return Ok(Value::unknown(call.result.clone()));
        }
        if !converted.is_null() && converted.as_str() != Some("") {
            return Ok(converted);
        }
    }
    Err(Failure::call("no non-null, non-empty-string arguments"))
}

fn coalescelist_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    let Some(first) = arguments.first() else { return Err(Failure::call("at least one argument is required")) };
    for argument in arguments {
        match (argument.kind(), argument.ty()) {
            (Kind::Unknown(_), _) => return Ok(ValueType::Any),
            (_, ValueType::List(_) | ValueType::Tuple(_)) => {}
            _ => return Err(Failure::call("coalescelist arguments must be lists or tuples")),
        }
    }
    Ok(if arguments.iter().all(|other| other.ty() == first.ty()) { first.ty() } else { ValueType::Any })
}

fn coalescelist(call: &Arguments<'_>) -> Result<Value, Failure> {
    for argument in call.values {
        match argument.as_slice() {
            _ if !argument.is_known() => return Ok(Value::unknown(call.result.clone())),
            Some(elements) if !elements.is_empty() => return Ok(argument.clone()),
            _ => {}
        }
    }
    Err(Failure::call("no non-null arguments"))
}

fn contains(call: &Arguments<'_>) -> Result<Value, Failure> {
    if !matches!(call.values[0].ty(), ValueType::List(_) | ValueType::Tuple(_) | ValueType::Set(_)) {
        return Err(Failure::call("argument must be list, tuple, or set"));
    }
    let mut known = true;
    for element in call.elements(0) {
        match equal(&call.values[1], element) {
            Some(true) => return Ok(Value::from(true)),
            Some(false) => {}
            None => known = false,
        }
    }
    Ok(if known { Value::from(false) } else { Value::unknown(ValueType::Bool) })
}

fn distinct(call: &Arguments<'_>) -> Result<Value, Failure> {
    let elements = call.elements(0);
    // Equal elements stand side by side when sorted; the first of each run is kept.
    let mut order: Vec<usize> = (0..elements.len()).collect();
    order.sort_by(|a, b| elements[*a].compare_content(&elements[*b]).then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::with_capacity(order.len());
    for (position, index) in order.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| &elements[order[before]]);
        match kept.last_mut() {
            // The two zeros are equal though one is sorted before the other.
            Some(last) if before.is_some_and(|before| equal(before, &elements[*index]) == Some(true)) => {
                *last = (*last).min(*index);
            }
            _ => kept.push(*index),
        }
    }
    kept.sort_unstable();
    let element = match call.values[0].kind() {
        Kind::List(element, _) => element.clone(),
        _ => ValueType::Any,
    };
    Ok(Value::list(element, kept.into_iter().map(|index| elements[index].clone())))
}

fn index(call: &Arguments<'_>) -> Result<Value, Failure> {
    if !matches!(call.values[0].ty(), ValueType::List(_) | ValueType::Tuple(_)) {
        return Err(Failure::call("argument must be a list or tuple"));
    }
    let elements = call.elements(0);
    if elements.is_empty() {
        return Err(Failure::call("cannot search an empty list"));
    }
    for (index, element) in elements.iter().enumerate() {
        match equal(element, &call.values[1]) {
            Some(true) => return Ok(Value::from(Number::from(index))),
            Some(false) => {}
            None => return Ok(Value::unknown(ValueType::Number)),
        }
    }
    Err(Failure::call("item not found"))
}

fn matchkeys(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (values, keys, wanted) = (call.elements(0), call.elements(1), call.elements(2));
    if values.len() != keys.len() {
        return Err(Failure::call("length of keys and values should be equal"));
    }
    if !wanted.is_empty() && !call.values.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(call.result.clone()));
    }
    let common = unify(&[call.values[1].ty(), call.values[2].ty()]).unwrap_or(ValueType::Any);
    let element = match common {
        ValueType::List(element) => *element,
        _ => ValueType::Any,
    };
    let same = |a: &Value, b: &Value| match (convert(a, &element), convert(b, &element)) {
        (Ok(a), Ok(b)) => equal(&a, &b) == Some(true),
        _ => false,
    };
    let kept = values.iter().zip(keys).filter(|(_, key)| wanted.iter().any(|search| same(key, search)));
    let kept: Vec<Value> = kept.map(|(value, _)| value.clone()).collect();
    match &call.result {
        ValueType::List(element) => Ok(Value::list((**element).clone(), kept)),
        _ => Ok(Value::list(ValueType::Any, kept)),
    }
}

const ONE: &str = "must be a list, set, or tuple value with either zero or one elements";

fn one_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    match arguments[0].ty() {
        ValueType::List(element) | ValueType::Set(element) => Ok(*element),
        ValueType::Tuple(elements) => match elements.as_slice() {
            [] => Ok(ValueType::Any),
            [only] => Ok(only.clone()),
            _ => Err(Failure::argument(0, ONE)),
        },
        _ => Err(Failure::argument(0, ONE)),
    }
}

fn one(call: &Arguments<'_>) -> Result<Value, Failure> {
    let set_of_unknown = matches!(call.values[0].kind(), Kind::Set(_, elements) if elements.len() > 1 && !call.values[0].is_wholly_known());
    match call.elements(0) {
        _ if set_of_unknown => Ok(Value::unknown(call.result.clone())),
        [] => Ok(Value::null_of(call.result.clone())),
        [only] => Ok(only.clone()),
        _ => Err(Failure::argument(0, ONE)),
    }
}

fn sort(call: &Arguments<'_>) -> Result<Value, Failure> {
    let mut texts = Vec::new();
    if let Kind::Unknown(unknown) = call.values[0].kind() {
        let refinement = Refinement { not_null: true, ..unknown.refinement.clone() };
        return Ok(Value::refined(call.result.clone(), refinement));
    }
    if !call.values[0].is_wholly_known() {
        // Any of them may come first; only how many there are is known.
        return Ok(Value::list(ValueType::String, call.elements(0).iter().map(|_| Value::unknown(ValueType::String))));
    }
    for (index, element) in call.elements(0).iter().enumerate() {
        match element.as_str() {
            Some(text) => texts.push(text),
            None => {
                let message = format!("given list element {index} is null; a null string cannot be sorted");
                return Err(Failure::telling(None, message, "a null string cannot be sorted"));
            }
        }
    }
    texts.sort_unstable();
    Ok(Value::list(ValueType::String, texts.into_iter().map(Value::from)))
}

fn sum(call: &Arguments<'_>) -> Result<Value, Failure> {
    let list = &call.values[0];
    let ty = list.ty();
    if ty.is_primitive() {
        return Err(Failure::argument(0, "cannot sum noniterable"));
    }
    if list.children().next().is_none() {
        return Err(Failure::argument(0, "cannot sum an empty list"));
    }
    if !matches!(ty, ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_)) {
        let message = format!("argument must be list, set, or tuple. Received {}", ty.friendly_name());
        return Err(Failure::telling(0, message, "argument must be list, set, or tuple"));
    }
    if !list.is_wholly_known() {
        return Ok(Value::unknown(ValueType::Number));
    }
    let mut total: Option<Number> = None;
    for element in call.elements(0) {
        const NUMBERS: &str = "argument must be list, set, or tuple of number values";
        let converted = convert(element, &ValueType::Number).map_err(|_| Failure::argument(0, NUMBERS))?;
        let number = converted.as_number().ok_or_else(|| Failure::argument(0, NUMBERS))?;
        total = Some(match total {
            Some(total) => total.add(number).map_err(|_| Failure::call("can't compute sum of opposing infinities"))?,
            None => number.clone(),
        });
    }
    Ok(Value::from(total.unwrap_or(Number::ZERO)))
}
