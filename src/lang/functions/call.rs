//! Calling a function: arguments, conversions, unknown values, marks, errors.

use pipectl_core::convert::convert;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, DiagnosticKind, Kind, Marks, Refinement, Span, Type, Value};

use crate::evaluate::{Evaluator, failed, is_dynamic};
use crate::expression::{Call, Expression};
use crate::functions::template_file::forbidden;
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
    if let Some(problem) = evaluator.scope.template().and_then(|template| forbidden(template, name)) {
        let detail = format!("Call to function {:?} failed: {problem}.", call.name);
        return evaluator.fail(Diagnostic::error("Error in function call", detail).at(whole.span()), whole);
    }
    match function.body {
        FunctionBody::Lazy(body) => body(evaluator, call, whole),
        FunctionBody::Plain(body) => {
            let failures = evaluator.diagnostics.error_count();
            let (arguments, marks) = match arguments(evaluator, function, call, whole) {
                Ok(evaluated) => evaluated,
                Err(unknown) => return unknown,
            };
            let prepared = prepare(evaluator, function, &arguments);
            if evaluator.diagnostics.error_count() > failures {
                return failed();
            }
            let result = apply(evaluator, function, body, call, &arguments, prepared, whole).marked(marks);
            marked_for_its_type(result, &arguments)
        }
    }
}

/// What is null or empty has no part that could carry the mark of a secret, and its type may name attributes that are one.
fn marked_for_its_type(result: Value, arguments: &[Argument<'_>]) -> Value {
    let has_no_part = match result.kind() {
        Kind::Null(_) => true,
        Kind::List(_, elements) | Kind::Set(_, elements) => elements.is_empty(),
        Kind::Map(_, elements) => elements.is_empty(),
        _ => false,
    };
    if !has_no_part {
        return result;
    }
    let marks = arguments.iter().map(|argument| argument.value.marks_deep());
    let marks = marks.filter(|marks| marks.contains(Marks::SECRET)).fold(Marks::NONE, |all, marks| all | marks);
    result.marked(marks)
}

fn unknown_function(name: &str) -> Diagnostic {
    const OF_PROVIDER: &str = "Unknown provider function";
    let parts: Vec<&str> = name.split("::").collect();
    match parts.as_slice() {
        ["list", ..] | ["map", ..] if parts.len() == 1 => {
            let (instead, written) =
                if name == "list" { ("tolist([ ... ])", "list") } else { ("tomap({ ... })", "map") };
            let detail = format!(
                "Call to function {name:?} failed: the {name:?} function was deprecated in Terraform v0.12 and is no longer available; use \
                 {instead} syntax to write a literal {written}."
            );
            Diagnostic::error("Error in function call", detail)
        }
        [name] => {
            let hint = did_you_mean(name, TABLE.keys().copied().filter(|known| !known.contains("::")));
            let detail = format!("There is no function named {name:?}.{hint}");
            Diagnostic::error("Call to unknown function", detail).of_kind(DiagnosticKind::UnknownFunction)
        }
        ["provider", "terraform", function, ..] => {
            let detail = format!("The function {function:?} is not available from the provider \"terraform\".");
            Diagnostic::error(OF_PROVIDER, detail)
        }
        ["provider", provider, function, ..] => {
            let detail = format!(
                "There is no function named {name:?}. Ensure that provider name {provider:?} is declared in this module's \
                 required_providers block, and that this provider offers a function named {function:?}."
            );
            Diagnostic::error(OF_PROVIDER, detail)
        }
        [namespace, ..] => {
            let detail = format!(
                "The function namespace {namespace:?} is not valid. Provider function calls must use the \"provider::\" namespace prefix."
            );
            Diagnostic::error(OF_PROVIDER, detail)
        }
        [] => Diagnostic::error("Call to unknown function", format!("There is no function named {name:?}.")),
    }
}

/// An argument that was evaluated: its value and the expression to blame.
struct Argument<'a> {
    value: Value,
    expression: &'a Expression,
}

/// Evaluates the arguments, the expanded one element by element; and the marks of the expanded one, whose number of elements counts,
/// too. When they cannot be told apart or do not fit in number, the value of the call.
fn arguments<'a>(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    call: &'a Call,
    whole: &Expression,
) -> Result<(Vec<Argument<'a>>, Marks), Value> {
    let mut marks = Marks::NONE;
    let mut expanded: Vec<Argument<'a>> = Vec::new();
    let mut given: &[Expression] = &call.arguments;
    if call.expand_final
        && let Some((last, others)) = call.arguments.split_last()
    {
        given = others;
        match expand(evaluator, last) {
            Expanded::Elements(elements, own) => (expanded, marks) = (elements, own),
            Expanded::Unknown(own) => {
                let marks = others.iter().fold(own, |marks, other| marks | evaluator.value(other).marks_deep());
                return Err(failed().marked(marks));
            }
            Expanded::Failed => return Err(failed()),
        }
    }
    let count = given.len() + expanded.len();
    check_count(
        evaluator,
        function,
        call,
        count,
        whole,
        given.get(function.parameters.len()).or(call.arguments.last()),
    )
    .ok_or_else(failed)?;
    let mut arguments: Vec<Argument<'a>> = Vec::with_capacity(count);
    for expression in given {
        arguments.push(Argument { value: evaluator.value(expression), expression });
    }
    arguments.extend(expanded);
    Ok((arguments, marks))
}

/// What the argument before `...` is.
enum Expanded<'a> {
    /// Arguments, each with the marks of the whole, and these marks.
    Elements(Vec<Argument<'a>>, Marks),
    /// Not known yet: its marks.
    Unknown(Marks),
    Failed,
}

fn expand<'a>(evaluator: &mut Evaluator<'_>, expression: &'a Expression) -> Expanded<'a> {
    let failures = evaluator.diagnostics.error_count();
    let (value, marks) = evaluator.value(expression).unmark();
    if evaluator.diagnostics.error_count() > failures {
        return Expanded::Failed;
    }
    let problem = match value.kind() {
        Kind::Null(_) => "The expanding argument (indicated by ...) must not be null.",
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            let each = |element: &Value| Argument { value: element.clone().marked(marks), expression };
            return Expanded::Elements(elements.iter().map(each).collect(), marks);
        }
        Kind::Unknown(unknown) if matches!(unknown.ty, Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
            return Expanded::Unknown(marks | value.marks_deep());
        }
        _ => "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
    };
    evaluator.fail(Diagnostic::error("Invalid expanding argument value", problem).at(expression.span()), expression);
    Expanded::Failed
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
    let failures = evaluator.diagnostics.error_count();
    let mut prepared = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let Some(parameter) = parameter(function, index) else { continue };
        let invalid = |problem: String| {
            let detail = format!("Invalid value for {:?} parameter: {problem}.", parameter.name);
            Diagnostic::error("Invalid function argument", detail).at(argument.expression.span())
        };
        match convert(&argument.value, &parameter.ty.ty()) {
            Ok(value) => prepared.push(value),
            Err(error) => {
                evaluator.fail(invalid(error.message.clone()), argument.expression);
                prepared.push(failed());
            }
        }
    }
    if evaluator.diagnostics.error_count() > failures {
        return prepared;
    }
    for (index, (argument, value)) in arguments.iter().zip(&prepared).enumerate() {
        let Some(parameter) = parameter(function, index) else { continue };
        if value.is_null() && !parameter.nullable {
            let detail = format!("Invalid value for {:?} parameter: argument must not be null.", parameter.name);
            let diagnostic = Diagnostic::error("Invalid function argument", detail).at(argument.expression.span());
            evaluator.fail(diagnostic, argument.expression);
        } else if !parameter.dynamic && parameter.ty == ParameterType::Any && is_dynamic(value) {
            // The call is put off before the arguments that follow are looked at.
            break;
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
    let mut known = true;
    let mut dynamic = false;
    let mut values = Vec::with_capacity(prepared.len());
    for (index, value) in prepared.into_iter().enumerate() {
        let Some(parameter) = parameter(function, index) else { continue };
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
        if function.impure && evaluator.scope.ambient().is_none() {
            return Ok(Value::unknown(ty));
        }
        body(&Arguments {
            values: &values,
            result: ty,
            files: &**evaluator.scope.files(),
            ambient: evaluator.scope.ambient(),
            plan_time: evaluator.scope.plan_time(),
        })
    });
    match outcome {
        Ok(value) => refine(function, value).marked(marks),
        Err(failure) => {
            // Looked for only here: collections may be large.
            let has_private = |argument: &Argument<'_>| argument.value.marks_deep().is_private();
            let private = evaluator.hidden.is_private() || arguments.iter().any(has_private);
            let diagnostic = describe(function, call, arguments, &failure, private, whole);
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
    private: bool,
    whole: &Expression,
) -> Diagnostic {
    let message = if private { failure.hidden } else { failure.message.as_str() };
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
