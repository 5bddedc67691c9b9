//! Conversions, sensitivity, and `try` and `can`.

use pipectl_core::convert::{convert, may_convert};
use pipectl_core::{Diagnostic, Marks, Type, Value};

use crate::evaluate::{Evaluator, failed};
use crate::expression::{Call, Expression};
use crate::functions::ParameterType as Kind;
use crate::functions::call::check_count;
use crate::functions::{Arguments, Failure, Function, FunctionBody, Parameter, ResultRule, ResultType, TABLE, plain};

/// Any value at all, passed on as it is.
const VALUE: Parameter = Parameter::new("value", Kind::Any).nullable().unknown().marked().dynamic();
const V: Parameter = Parameter { name: "v", ..VALUE };

pub(super) const FUNCTIONS: &[Function] = &[
    conversion(
        "tobool",
        "The value as a bool: \"true\" and \"false\" are converted.",
        "bool",
        Kind::Bool,
        |call| to_type(call, Kind::Bool),
        |arguments| convertible(arguments, Kind::Bool),
    ),
    conversion(
        "tolist",
        "The value as a list, all elements of one type.",
        "list of the elements' common type",
        Kind::List,
        |call| to_type(call, Kind::List),
        |arguments| convertible(arguments, Kind::List),
    ),
    conversion(
        "tomap",
        "The value as a map, all elements of one type.",
        "map of the elements' common type",
        Kind::Map,
        |call| to_type(call, Kind::Map),
        |arguments| convertible(arguments, Kind::Map),
    ),
    conversion(
        "tonumber",
        "The value as a number: decimal texts are converted.",
        "number",
        Kind::Number,
        |call| to_type(call, Kind::Number),
        |arguments| convertible(arguments, Kind::Number),
    ),
    conversion(
        "toset",
        "The value as a set, all elements of one type, each once.",
        "set of the elements' common type",
        Kind::Set,
        |call| to_type(call, Kind::Set),
        |arguments| convertible(arguments, Kind::Set),
    ),
    conversion(
        "tostring",
        "The value as a string: numbers and bools are converted.",
        "string",
        Kind::String,
        |call| to_type(call, Kind::String),
        |arguments| convertible(arguments, Kind::String),
    ),
    plain("sensitive", "The same value, never shown.", &[VALUE], Kind::Any, |call| {
        Ok(call.values[0].clone().marked(Marks::SENSITIVE))
    })
    .returns("the argument's type", |arguments| Ok(arguments[0].ty()))
    .may_be_null(),
    plain(
        "nonsensitive",
        "The same value, shown again. Elements that are sensitive themselves stay so.",
        &[VALUE],
        Kind::Any,
        |call| {
            let (value, marks) = call.values[0].clone().unmark();
            if marks.contains(Marks::SECRET) {
                return Err(Failure::argument(0, "what `secret` gives stays secret"));
            }
            Ok(value.marked(marks.without(Marks::SENSITIVE)))
        },
    )
    .returns("the argument's type", |arguments| Ok(arguments[0].ty()))
    .may_be_null(),
    plain(
        "ephemeralasnull",
        "The same value with null for everything in it that must not be stored.",
        &[VALUE],
        Kind::Any,
        |call| {
            Ok(call.values[0].map_deep(&|value| {
                let (plain, marks) = value.unmark();
                match marks.contains(Marks::EPHEMERAL) {
                    true => Value::null_of(plain.ty()).marked(marks.without(Marks::EPHEMERAL)),
                    false => plain.marked(marks),
                }
            }))
        },
    )
    .returns("the argument's type", |arguments| Ok(arguments[0].ty()))
    .may_be_null(),
    plain("issensitive", "Whether a value is sensitive.", &[VALUE], Kind::Bool, |call| {
        let value = &call.values[0];
        Ok(if value.is_sensitive() {
            Value::from(true)
        } else if value.is_known() {
            Value::from(false)
        } else {
            Value::unknown(Type::Bool)
        })
    })
    .may_be_null(),
    Function {
        name: "can",
        summary: "Whether an expression can be evaluated without an error.",
        parameters: &[Parameter::new("expression", Kind::Any)],
        rest: None,
        result: ResultType::Fixed(Kind::Bool),
        may_be_null: false,
        impure: false,
        body: FunctionBody::Lazy(can),
    },
    Function {
        name: "try",
        summary: "The first of some expressions that can be evaluated without an error.",
        parameters: &[],
        rest: Some(Parameter::new("expressions", Kind::Any)),
        result: ResultType::Depends("the type of the expression that is taken", |_| Ok(Type::Any)),
        may_be_null: true,
        impure: false,
        body: FunctionBody::Lazy(attempt),
    },
];

const fn conversion(
    name: &'static str,
    summary: &'static str,
    words: &'static str,
    to: Kind,
    body: fn(&Arguments<'_>) -> Result<Value, Failure>,
    rule: ResultRule,
) -> Function {
    plain(name, summary, &[V], to, body).returns(words, rule).may_be_null()
}

fn convertible(arguments: &[Value], to: Kind) -> Result<Type, Failure> {
    let (given, to) = (arguments[0].ty(), to.ty());
    match may_convert(&given, &to) {
        true => Ok(to),
        false => Err(not_convertible(&given, &to)),
    }
}

fn not_convertible(given: &Type, to: &Type) -> Failure {
    let message = format!("cannot convert {} to {}", given.friendly_name(), to.constraint_name());
    Failure::telling(0, message, "cannot convert this sensitive value")
}

fn to_type(call: &Arguments<'_>, to: Kind) -> Result<Value, Failure> {
    let (given, to) = (&call.values[0], to.ty());
    if !given.is_known() {
        return Ok(Value::unknown(to).marked(given.marks()));
    }
    convert(given, &to).map_err(|_| {
        let text = given.as_str().unwrap_or_default();
        match to {
            Type::Bool if given.as_str().is_some() => Failure::telling(
                0,
                format!("cannot convert {text:?} to bool; only the strings \"true\" or \"false\" are allowed"),
                "cannot convert this sensitive string to bool",
            ),
            Type::Number if given.as_str().is_some() => Failure::telling(
                0,
                format!("cannot convert {text:?} to number; given string must be a decimal representation of a number"),
                "cannot convert this sensitive string to number",
            ),
            _ => not_convertible(&given.ty(), &to),
        }
    })
}

/// The function of a lazy call, when the number of arguments is right.
fn counted(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Option<&'static Function> {
    let function = TABLE.get(call.name.strip_prefix("core::").unwrap_or(&call.name)).copied()?;
    check_count(evaluator, function, call, call.arguments.len(), whole, call.arguments.get(function.parameters.len()))?;
    Some(function)
}

fn can(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    if counted(evaluator, call, whole).is_none() {
        return failed();
    }
    let (value, findings) = evaluator.apart(&call.arguments[0]);
    if findings.has_errors() {
        Value::from(false)
    } else if value.is_wholly_known() {
        Value::from(true)
    } else {
        Value::unknown(Type::Bool)
    }
}

fn attempt(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    if call.arguments.is_empty() {
        let diagnostic = Diagnostic::error(
            "Error in function call",
            "Call to function \"try\" failed: at least one argument is required.",
        );
        return evaluator.fail(diagnostic.at(whole.span()), whole);
    }
    let mut problems = Vec::new();
    for argument in &call.arguments {
        let (value, findings) = evaluator.apart(argument);
        if !findings.has_errors() {
            // What is not yet known may still fail, and then a later argument counts.
            let marks = value.marks_deep();
            return if value.is_wholly_known() { value } else { failed().marked(marks) };
        }
        problems.extend(
            findings.into_iter().map(|diagnostic| format!("- {}\n  {}", diagnostic.summary, diagnostic.detail)),
        );
    }
    let detail = format!(
        "Call to function \"try\" failed: no expression succeeded:\n{}\n\nAt least one expression must produce a successful result.",
        problems.join("\n")
    );
    evaluator.fail(Diagnostic::error("Error in function call", detail).at(whole.span()), whole)
}
