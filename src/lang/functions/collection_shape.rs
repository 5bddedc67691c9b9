//! Functions that give sequences another shape: joining, cutting, nesting, turning.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::unify::unify;
use pipectl_core::{Kind, Marks, Number, Type as ValueType, Value};

use crate::evaluate::is_dynamic;
use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

/// How many numbers `range` makes at most.
const MAX_RANGE: usize = 1024;

const LIST: Parameter = Parameter::new("list", Type::Any).partly_known().marked();

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "chunklist",
        "A list cut into lists of a size; the last one may be shorter.",
        &[Parameter::new("list", Type::List).partly_known().marked(), Parameter::new("size", Type::Number).marked()],
        Type::List,
        chunklist,
    )
    .returns("list of lists", |arguments| Ok(ValueType::list(arguments[0].ty()))),
    plain("concat", "The elements of some lists or tuples, one after the other.", &[], Type::Any, concat)
        .rest(Parameter::new("seqs", Type::Any).partly_known().marked())
        .returns("list when all are lists that unify, else tuple", concat_type),
    plain(
        "flatten",
        "A sequence with all sequences inside it replaced by their elements.",
        &[LIST],
        Type::Any,
        flatten,
    )
    .returns("tuple", |arguments| match arguments[0].ty() {
        ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_) => Ok(ValueType::Any),
        // What is not wholly known is not looked at.
        _ if !arguments[0].is_wholly_known() => Ok(ValueType::Any),
        _ => Err(Failure::call("can only flatten lists, sets and tuples")),
    }),
    plain("range", "Numbers from a start (0) up to but without an end in steps (1).", &[], Type::ListOfNumber, range)
        .rest(Parameter::new("params", Type::Number)),
    plain("reverse", "The elements of a list or tuple in reverse order.", &[LIST], Type::Any, reverse).returns(
        "list or tuple",
        |arguments| match arguments[0].ty() {
            ValueType::Tuple(elements) => Ok(ValueType::Tuple(elements.into_iter().rev().collect())),
            ValueType::List(element) | ValueType::Set(element) => Ok(ValueType::List(element)),
            other => Err(Failure::telling(
                0,
                format!("can only reverse list or tuple values, not {}", other.friendly_name()),
                "can only reverse list or tuple values",
            )),
        },
    ),
    plain(
        "slice",
        "The elements of a list or tuple from a start index up to but without an end index.",
        &[LIST, Parameter::new("start_index", Type::Number), Parameter::new("end_index", Type::Number)],
        Type::Any,
        slice,
    )
    .returns("the list's type", slice_type),
    plain(
        "transpose",
        "A map of lists of strings turned around: every string with the keys under which it stood.",
        &[Parameter::new("values", Type::MapOfLists)],
        Type::MapOfLists,
        transpose,
    ),
];

fn chunklist(call: &Arguments<'_>) -> Result<Value, Failure> {
    let marks = call.values[0].marks() | call.values[1].marks();
    let Some(size) = call.number(1).to_i64() else {
        return Err(Failure::call(
            "invalid size: value must be a whole number, between -9223372036854775808 and 9223372036854775807",
        ));
    };
    let size = usize::try_from(size).map_err(|_| Failure::call("the size argument must be positive"))?;
    let list = &call.values[0];
    let element = match list.kind() {
        Kind::List(element, _) => element.clone(),
        _ => ValueType::Any,
    };
    let all = call.elements(0);
    let chunks: Vec<Value> = match size {
        0 if all.is_empty() => Vec::new(),
        0 => vec![Value::list(element.clone(), all.to_vec())],
        size => all.chunks(size).map(|chunk| Value::list(element.clone(), chunk.to_vec())).collect(),
    };
    Ok(Value::list(ValueType::list(element), chunks).marked(marks))
}

fn concat_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    if arguments.is_empty() {
        return Err(Failure::call("at least one argument is required"));
    }
    let types: Vec<ValueType> = arguments.iter().map(Value::ty).collect();
    if types.iter().all(|ty| matches!(ty, ValueType::List(_)))
        && let Some(common) = unify(&types)
    {
        return Ok(common);
    }
    let mut elements = Vec::new();
    for (index, (argument, ty)) in arguments.iter().zip(types).enumerate() {
        match ty {
            ValueType::Tuple(own) => elements.extend(own),
            ValueType::List(element) => match argument.as_slice() {
                Some(own) => elements.extend(own.iter().map(|_| (*element).clone())),
                None => return Ok(ValueType::Any),
            },
            other => {
                let message = format!("all arguments must be lists or tuples; got {}", other.friendly_name());
                return Err(Failure::telling(index, message, "all arguments must be lists or tuples"));
            }
        }
    }
    Ok(ValueType::Tuple(elements))
}

fn concat(call: &Arguments<'_>) -> Result<Value, Failure> {
    let marks = call.values.iter().fold(Marks::NONE, |marks, argument| marks | argument.marks());
    let mut joined = Vec::new();
    for (index, argument) in call.values.iter().enumerate() {
        match &call.result {
            ValueType::List(_) => {
                let converted = convert(argument, &call.result);
                let converted =
                    converted.map_err(|_| Failure::argument(index, "all lists must have the same element type"))?;
                joined.extend(converted.as_slice().unwrap_or_default().iter().cloned());
            }
            _ => joined.extend(argument.as_slice().unwrap_or_default().iter().cloned()),
        }
    }
    let result = match &call.result {
        ValueType::List(element) => Value::list((**element).clone(), joined),
        _ => Value::tuple(joined),
    };
    Ok(result.marked(marks))
}

fn flatten(call: &Arguments<'_>) -> Result<Value, Failure> {
    /// Takes in the elements of a sequence. Returns whether their number is known.
    fn take(value: &Value, flat: &mut Vec<Value>, marks: &mut Marks) -> bool {
        *marks = *marks | value.marks();
        if let Some(attributes) = value.as_object() {
            flat.extend(attributes.values().cloned());
            return true;
        }
        let Some(elements) = value.as_slice() else { return false };
        if matches!(value.kind(), Kind::Set(..)) && !value.is_wholly_known() {
            return false;
        }
        let mut known = true;
        for element in elements {
            if !element.is_null()
                && matches!(element.ty(), ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_))
            {
                known &= take(element, flat, marks);
            } else {
                known &= !is_dynamic(element);
                flat.push(element.clone());
            }
        }
        known
    }
    let mut flat = Vec::new();
    let mut marks = Marks::NONE;
    match take(&call.values[0], &mut flat, &mut marks) {
        true => Ok(Value::tuple(flat).marked(marks)),
        false => Ok(Value::unknown(ValueType::Any).marked(call.values[0].marks_deep())),
    }
}

fn range(call: &Arguments<'_>) -> Result<Value, Failure> {
    let toward = |start: &Number, end: &Number| Number::from(if end < start { -1i64 } else { 1 });
    let (start, end, step) = match call.values.len() {
        1 => (Number::ZERO, call.number(0), toward(&Number::ZERO, &call.number(0))),
        2 => (call.number(0), call.number(1), toward(&call.number(0), &call.number(1))),
        3 => (call.number(0), call.number(1), call.number(2)),
        _ => return Err(Failure::call("must have one, two, or three arguments")),
    };
    let down = match step.signum() {
        0 => return Err(Failure::argument(2, "step must not be zero")),
        sign => sign < 0,
    };
    if down && end > start {
        return Err(Failure::argument(1, "end must be less than start when step is negative"));
    }
    if !down && end < start {
        return Err(Failure::argument(1, "end must be greater than start when step is positive"));
    }
    let mut numbers = Vec::new();
    let mut next = start;
    while if down { next > end } else { next < end } {
        if numbers.len() >= MAX_RANGE {
            return Err(Failure::call(
                "more than 1024 values were generated; either decrease the difference between start and end or use a smaller step",
            ));
        }
        numbers.push(Value::from(next.clone()));
        next = next.add(&step).map_err(|_| Failure::call("the range is not bounded"))?;
    }
    Ok(Value::list(ValueType::Number, numbers))
}

fn reverse(call: &Arguments<'_>) -> Result<Value, Failure> {
    let reversed = call.elements(0).iter().rev().cloned();
    let result = match &call.result {
        ValueType::List(element) => Value::list((**element).clone(), reversed),
        _ => Value::tuple(reversed),
    };
    Ok(result.marked(call.values[0].marks()))
}

fn slice_type(arguments: &[Value]) -> Result<ValueType, Failure> {
    let ty = arguments[0].ty();
    match &ty {
        ValueType::List(_) => {}
        ValueType::Tuple(_) => {}
        ValueType::Set(_) => {
            return Err(Failure::argument(
                0,
                "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the \
                 result is not important",
            ));
        }
        _ => return Err(Failure::argument(0, "must be a list or tuple value")),
    }
    let length = match &ty {
        ValueType::Tuple(elements) => Some(elements.len()),
        _ => arguments[0].as_slice().map(<[Value]>::len),
    };
    let bounds = slice_bounds(&arguments[1], &arguments[2], length)?;
    Ok(match (ty, bounds) {
        (ValueType::Tuple(elements), Some((start, end))) => ValueType::Tuple(elements[start..end].to_vec()),
        (ValueType::Tuple(_), None) => ValueType::Any,
        (list, _) => list,
    })
}

/// Start and end of a slice, when both are known and checked against the length.
fn slice_bounds(start: &Value, end: &Value, length: Option<usize>) -> Result<Option<(usize, usize)>, Failure> {
    let check = |index: usize, value: &Value, word: &'static str| -> Result<Option<usize>, Failure> {
        let Some(number) = value.as_number() else { return Ok(None) };
        let wrong = |problem: &str| {
            Failure::telling(index, format!("{word} index {problem}"), "this index is not valid for the list")
        };
        let Some(whole) = number.to_i64() else {
            let message = format!(
                "invalid {word} index: value must be a whole number, between -9223372036854775808 and 9223372036854775807"
            );
            return Err(Failure::telling(index, message, "this index is not a whole number"));
        };
        let position = usize::try_from(whole).map_err(|_| wrong("must not be less than zero"))?;
        if length.is_some_and(|length| position > length) {
            return Err(wrong("must not be greater than the length of the list"));
        }
        Ok(Some(position))
    };
    match (check(1, start, "start")?, check(2, end, "end")?) {
        (Some(start), Some(end)) if start > end => {
            Err(Failure::argument(1, "start index must not be greater than end index"))
        }
        (Some(start), Some(end)) => Ok(Some((start, end))),
        _ => Ok(None),
    }
}

fn slice(call: &Arguments<'_>) -> Result<Value, Failure> {
    let marks = call.values[0].marks();
    let all = call.elements(0);
    let Some((start, end)) = slice_bounds(&call.values[1], &call.values[2], Some(all.len()))? else {
        return Ok(Value::unknown(call.result.clone()).marked(marks));
    };
    let taken = all[start..end].to_vec();
    let result = match &call.result {
        ValueType::List(element) => Value::list((**element).clone(), taken),
        _ => Value::tuple(taken),
    };
    Ok(result.marked(marks))
}

fn transpose(call: &Arguments<'_>) -> Result<Value, Failure> {
    let mut turned: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (key, list) in call.values[0].as_object().into_iter().flatten() {
        let Some(texts) = list.as_slice() else { return Err(Failure::call("input must not contain null list")) };
        for text in texts {
            let Some(text) = text.as_str() else {
                return Err(Failure::call("input list must not contain null string"));
            };
            turned.entry(text.to_owned()).or_default().push(Value::from(key.as_str()));
        }
    }
    let strings = ValueType::list(ValueType::String);
    let lists = turned.into_iter().map(|(key, values)| (key, Value::list(ValueType::String, values)));
    Ok(Value::map(strings, lists))
}
