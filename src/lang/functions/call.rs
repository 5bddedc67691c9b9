//! Calling a function: arguments, conversions, unknown values, marks, errors.

use pipectl_core::convert::convert;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Kind, Marks, Refinement, Span, Type, Value};

use crate::evaluate::{Evaluator, failed, is_dynamic};
use crate::expression::{Call, Expression};
use crate::functions::{
    Arguments, Failure, Function, FunctionBody, Known, Parameter, ParameterType, ResultType, TABLE,
};

/// The value of a call.
pub(crate) fn call(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    if evaluator.scope.is_constant() {
        let diagnostic = Diagnostic::error("Function calls not allowed", "Functions may not be called here.");
        evaluator.diagnostics.push(diagnostic.at(whole.span()));
        return failed();
    }
    let name = call.name.strip_prefix("core::").unwrap_or(&call.name);
    let Some(function) = TABLE.get(name) else {
        evaluator.diagnostics.push(unknown_function(&call.name).at(call.name_span.clone()));
        return failed();
    };
    match function.body {
        FunctionBody::Lazy(body) => body(evaluator, call, whole),
        FunctionBody::Plain(body) => {
            let failures = evaluator.diagnostics.error_count();
            let Some(arguments) = arguments(evaluator, function, call, whole) else { return failed() };
            let prepared = prepare(evaluator, function, &arguments);
            if evaluator.diagnostics.error_count() > failures {
                return failed();
            }
            apply(evaluator, function, body, call, &arguments, prepared, whole)
        }
    }
}

fn unknown_function(name: &str) -> Diagnostic {
    let detail = match name.rsplit_once("::") {
        Some((namespace, _)) => format!("There are no functions in namespace \"{namespace}::\"."),
        None => format!("There is no function named {name:?}.{}", did_you_mean(name, TABLE.keys().copied())),
    };
    Diagnostic::error("Call to unknown function", detail)
}

/// An argument that was evaluated: its value and the expression to blame.
struct Argument<'a> {
    value: Value,
    expression: &'a Expression,
}

/// Evaluates the arguments, the expanded one element by element. Nothing when they cannot be told apart or do not fit in number.
fn arguments<'a>(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    call: &'a Call,
    whole: &Expression,
) -> Option<Vec<Argument<'a>>> {
    let mut expanded: Vec<Argument<'a>> = Vec::new();
    let mut given: &[Expression] = &call.arguments;
    if call.expand_final
        && let Some((last, others)) = call.arguments.split_last()
    {
        given = others;
        expanded = expand(evaluator, last)?;
    }
    let count = given.len() + expanded.len();
    check_count(
        evaluator,
        function,
        call,
        count,
        whole,
        given.get(function.parameters.len()).or(call.arguments.last()),
    )?;
    let mut arguments: Vec<Argument<'a>> = Vec::with_capacity(count);
    for expression in given {
        arguments.push(Argument { value: evaluator.value(expression), expression });
    }
    arguments.extend(expanded);
    Some(arguments)
}

/// The elements of the argument before `...`, with its marks.
fn expand<'a>(evaluator: &mut Evaluator<'_>, expression: &'a Expression) -> Option<Vec<Argument<'a>>> {
    let failures = evaluator.diagnostics.error_count();
    let (value, marks) = evaluator.value(expression).unmark();
    if evaluator.diagnostics.error_count() > failures {
        return None;
    }
    let problem = match value.kind() {
        Kind::Null(_) => "The expanding argument (indicated by ...) must not be null.",
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            let each = |element: &Value| Argument { value: element.clone().marked(marks), expression };
            return Some(elements.iter().map(each).collect());
        }
        Kind::Unknown(unknown) if matches!(unknown.ty, Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
            return None;
        }
        _ => "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
    };
    evaluator.fail(Diagnostic::error("Invalid expanding argument value", problem).at(expression.span()), expression);
    None
}

pub(super) fn check_count(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    call: &Call,
    count: usize,
    whole: &Expression,
    surplus: Option<&Expression>,
) -> Option<()> {
    let required = function.parameters.len();
    if let Some(missing) = function.parameters.get(count) {
        let least = if function.rest.is_some() { " at least" } else { "" };
        let detail = format!(
            "Function {:?} expects{least} {required} argument(s). Missing value for {:?}.",
            function.name, missing.name
        );
        evaluator
            .diagnostics
            .push(Diagnostic::error("Not enough function arguments", detail).at(call.close_span.clone()));
        return None;
    }
    if function.rest.is_none() && count > required {
        let detail = format!("Function {:?} expects only {required} argument(s).", function.name);
        let span = surplus.map_or_else(|| whole.span(), Expression::span);
        evaluator.diagnostics.push(Diagnostic::error("Too many function arguments", detail).at(span));
        return None;
    }
    Some(())
}

fn parameter(function: &Function, index: usize) -> Option<&Parameter> {
    function.parameters.get(index).or(function.rest.as_ref())
}

/// Converts every argument to its parameter's type; reports what does not fit.
fn prepare(evaluator: &mut Evaluator<'_>, function: &Function, arguments: &[Argument<'_>]) -> Vec<Value> {
    let mut prepared = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let Some(parameter) = parameter(function, index) else { continue };
        let invalid = |problem: String| {
            let detail = format!("Invalid value for {:?} parameter: {problem}.", parameter.name);
            Diagnostic::error("Invalid function argument", detail).at(argument.expression.span())
        };
        match convert(&argument.value, &parameter.ty.ty()) {
            Ok(value) if value.is_null() && !parameter.nullable => {
                evaluator.fail(invalid("argument must not be null".to_owned()), argument.expression);
                prepared.push(value);
            }
            Ok(value) => prepared.push(value),
            Err(error) => {
                evaluator.fail(invalid(error.message.clone()), argument.expression);
                prepared.push(failed());
            }
        }
    }
    prepared
}

fn apply(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    body: fn(&Arguments<'_>) -> Result<Value, Failure>,
    call: &Call,
    arguments: &[Argument<'_>],
    prepared: Vec<Value>,
    whole: &Expression,
) -> Value {
    let mut marks = Marks::NONE;
    let mut sensitive = evaluator.hidden.contains(Marks::SENSITIVE);
    let mut known = true;
    let mut dynamic = false;
    let mut values = Vec::with_capacity(prepared.len());
    for (index, value) in prepared.into_iter().enumerate() {
        let Some(parameter) = parameter(function, index) else { continue };
        sensitive |= value.marks_deep().contains(Marks::SENSITIVE);
        dynamic |= !parameter.dynamic && parameter.ty == ParameterType::Any && has_no_type(&value);
        known &= match parameter.known {
            Known::Wholly => value.is_wholly_known(),
            Known::Itself => value.is_known(),
            Known::Nothing => true,
        };
        if parameter.marked {
            values.push(value);
        } else {
            let (plain, own) = value.unmark_deep();
            marks = marks | own;
            values.push(plain);
        }
    }
    let deferred_marks = |values: &[Value]| values.iter().fold(marks, |marks, value| marks | value.marks_deep());
    if dynamic {
        return failed().marked(deferred_marks(&values));
    }
    let result = match function.result {
        ResultType::Fixed(ty) => Ok(ty.ty()),
        ResultType::Depends(_, rule) => rule(&values),
    };
    let outcome = result.and_then(|ty| {
        if !known {
            return Ok(Value::unknown(ty).marked(deferred_marks(&values)));
        }
        body(&Arguments { values: &values, result: ty, files: &**evaluator.scope.files() })
    });
    match outcome {
        Ok(value) => refine(function, value).marked(marks),
        Err(failure) => {
            let diagnostic = describe(function, call, arguments, &failure, sensitive, whole);
            let blamed =
                failure.argument.and_then(|index| arguments.get(index)).map_or(whole, |argument| argument.expression);
            evaluator.fail(diagnostic, blamed)
        }
    }
}

/// Whether not even the type of a value is known, or null has none.
fn has_no_type(value: &Value) -> bool {
    is_dynamic(value) || matches!(value.kind(), Kind::Null(Type::Any))
}

/// An unknown result of a function that never returns null.
fn refine(function: &Function, value: Value) -> Value {
    let (plain, marks) = value.unmark();
    match plain.kind() {
        Kind::Unknown(unknown) if !function.may_be_null && unknown.ty != Type::Any => {
            let refinement = Refinement { not_null: true, ..unknown.refinement.clone() };
            Value::refined(unknown.ty.clone(), refinement).marked(marks)
        }
        _ => plain.marked(marks),
    }
}

fn describe(
    function: &Function,
    call: &Call,
    arguments: &[Argument<'_>],
    failure: &Failure,
    sensitive: bool,
    whole: &Expression,
) -> Diagnostic {
    let message = if sensitive { failure.hidden } else { failure.message.as_str() };
    let named = failure.argument.and_then(|index| Some((parameter(function, index)?, arguments.get(index))));
    match named {
        Some((parameter, argument)) => {
            let detail = format!("Invalid value for {:?} parameter: {message}.", parameter.name);
            let span = argument.map_or_else(|| whole.span(), |argument| argument.expression.span());
            Diagnostic::error("Invalid function argument", detail).at(span)
        }
        None => {
            let detail = format!("Call to function {:?} failed: {message}.", call.name);
            let name = call.name_span.clone();
            Diagnostic::error("Error in function call", detail)
                .at(Span { source: name.source, range: name.range.start..whole.span().range.end })
        }
    }
}
