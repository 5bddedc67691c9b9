//! `templatefile` and `templatestring`: a template from a file or a string, rendered with variables of its own.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, Marks, Refinement, SourceMap, Span, Type, Value, without_byte_order_mark};

use crate::evaluate::{Evaluator, failed, is_dynamic};
use crate::expression::{Call, Expression, Node, Source, walk};
use crate::functions::call::check_count;
use crate::functions::file::read_text;
use crate::functions::quote::quote;
use crate::functions::{Failure, Function, FunctionBody, Parameter, ParameterType, ResultType};
use crate::origin::Origin;
use crate::scan::is_identifier;
use crate::scope::Template;
use crate::syntax;

const VARS: Parameter = Parameter::new("vars", ParameterType::Any);

const TEMPLATE_FILE: Function = Function {
    name: "templatefile",
    summary: "The text of a file rendered as a template, with the given variables.",
    parameters: &[Parameter::new("path", ParameterType::String), VARS],
    rest: None,
    result: ResultType::Depends("string; for a template that is one interpolation, its type", |_| Ok(Type::Any)),
    may_be_null: false,
    impure: false,
    body: FunctionBody::Lazy(render_file),
};

const TEMPLATE_STRING: Function = Function {
    name: "templatestring",
    summary: "A string from elsewhere rendered as a template, with the given variables.",
    parameters: &[Parameter::new("template", ParameterType::Any), VARS],
    rest: None,
    result: ResultType::Fixed(ParameterType::String),
    may_be_null: false,
    impure: false,
    body: FunctionBody::Lazy(render_string),
};

pub(super) const FUNCTIONS: &[Function] = &[TEMPLATE_FILE, TEMPLATE_STRING];

/// Functions that read files: a template that is a string from elsewhere must not use them.
const READS_FILES: [&str; 12] = [
    "file",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "fileexists",
    "filemd5",
    "fileset",
    "filesha1",
    "filesha256",
    "filesha512",
    "templatefile",
    "secret",
];

/// Why a function must not be called in a template.
pub(super) fn forbidden(template: Template, function: &str) -> Option<String> {
    if matches!(function, "templatefile" | "templatestring") {
        return Some(format!("cannot recursively call {function} from inside another template function"));
    }
    (template == Template::Text && READS_FILES.contains(&function)).then(|| {
        format!(
            "cannot use filesystem access functions like {function} in templatestring templates; consider passing the function result as a \
             template variable instead"
        )
    })
}

fn render_file(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    let Some([path, vars]) = arguments(evaluator, &TEMPLATE_FILE, call, whole) else { return failed() };
    let failures = evaluator.diagnostics.error_count();
    let (path_value, vars_value) = (evaluator.value(path), evaluator.value(vars));
    if evaluator.diagnostics.error_count() > failures {
        return failed();
    }
    let marks = path_value.marks_deep() | vars_value.marks_deep();
    let (path_value, vars_value) = (path_value.unmark_deep().0, vars_value.unmark_deep().0);
    let outcome = file_text(evaluator, &path_value, &vars_value);
    settle(evaluator, &TEMPLATE_FILE, call, whole, marks, outcome)
}

fn file_text(evaluator: &Evaluator<'_>, path: &Value, vars: &Value) -> Result<Value, Failure> {
    let path = match convert(path, &Type::String) {
        Err(error) => return Err(Failure::telling(0, error.message, "string required")),
        Ok(path) if path.is_null() => return Err(Failure::argument(0, "argument must not be null")),
        Ok(path) => path,
    };
    if vars.is_null() {
        return Err(Failure::argument(1, "argument must not be null"));
    }
    let Some(path) = path.as_str().filter(|_| vars.is_known()) else { return Ok(failed()) };
    let template = read_text(&**evaluator.scope.files(), path)?;
    render(evaluator, Template::File, path, &template, vars)
}

fn render_string(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    let Some([template, vars]) = arguments(evaluator, &TEMPLATE_STRING, call, whole) else { return failed() };
    let failures = evaluator.diagnostics.error_count();
    let vars_value = evaluator.value(vars);
    if evaluator.diagnostics.error_count() > failures {
        return failed();
    }
    let mut marks = vars_value.marks_deep();
    let vars_value = vars_value.unmark_deep().0;
    let outcome = string_text(evaluator, template, &vars_value, &mut marks);
    settle(evaluator, &TEMPLATE_STRING, call, whole, marks, outcome)
}

fn string_text(
    evaluator: &mut Evaluator<'_>,
    template: &Expression,
    vars: &Value,
    marks: &mut Marks,
) -> Result<Value, Failure> {
    let unknown = || Value::refined(Type::String, Refinement { not_null: true, ..Refinement::default() });
    if vars.is_null() {
        return Err(Failure::argument(1, "argument must not be null"));
    }
    if !vars.is_known() {
        return Ok(if is_dynamic(vars) { failed() } else { unknown() });
    }
    check_is_reference(template)?;
    let (value, found) = evaluator.apart(template);
    if let Some(found) = found.iter().next() {
        let message = format!("invalid template expression: {}; {}", found.summary, found.detail.trim_end_matches('.'));
        return Err(Failure::telling(0, message, "invalid template expression"));
    }
    *marks = *marks | value.marks_deep();
    if !value.is_known() {
        return Ok(unknown());
    }
    let Some(text) = value.as_str() else {
        return Err(Failure::argument(0, "invalid template value: a string is required"));
    };
    let rendered = render(evaluator, Template::Text, "<templatestring argument>", text, vars)?;
    let text = convert(&rendered, &Type::String).map_err(|error| {
        Failure::telling(None, format!("invalid template result: {error}"), "invalid template result")
    })?;
    Ok(if text.is_known() { text } else { unknown().marked(text.marks()) })
}

/// A template must come from elsewhere: written in place it needs no function.
fn check_is_reference(template: &Expression) -> Result<(), Failure> {
    const ELSEWHERE: &str = "invalid template expression: templatestring is only for rendering templates retrieved dynamically from elsewhere";
    let refused = |more: &str| Err(Failure::telling(0, format!("{ELSEWHERE}{more}"), "invalid template expression"));
    match template.node() {
        Node::Interpolation(_) => refused(
            "; to treat the inner expression as template syntax, write the reference expression directly without any template \
             interpolation syntax",
        ),
        Node::Literal(value) if value.as_str().is_some() => refused(
            ", and so does not support providing a literal template; consider using a template string expression instead",
        ),
        Node::Template(_) | Node::Join(_) => {
            refused("; to render an inline template, consider using a plain template string expression")
        }
        _ if is_reference(template) => Ok(()),
        _ => Err(Failure::argument(
            0,
            "invalid template expression: must be a direct reference to a single string from elsewhere, containing valid Terraform \
             template syntax",
        )),
    }
}

fn is_reference(expression: &Expression) -> bool {
    match expression.node() {
        Node::Traversal(traversal) => match &traversal.source {
            Source::Root { .. } => true,
            Source::Value(source) => is_reference(source),
        },
        _ => false,
    }
}

/// The two arguments, or nothing when there are more or fewer, or when no template may be rendered here.
fn arguments<'a>(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    call: &'a Call,
    whole: &Expression,
) -> Option<[&'a Expression; 2]> {
    match call.arguments.as_slice() {
        [first, second] => Some([first, second]),
        arguments => {
            check_count(evaluator, function, call, arguments.len(), whole, arguments.get(2));
            None
        }
    }
}

/// The value of a call, or what went wrong in it.
fn settle(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    call: &Call,
    whole: &Expression,
    marks: Marks,
    outcome: Result<Value, Failure>,
) -> Value {
    let failure = match outcome {
        Ok(value) => return value.marked(marks),
        Err(failure) => failure,
    };
    let private = (marks | evaluator.hidden).is_private();
    let message = if private { failure.hidden } else { failure.message.as_str() };
    let (diagnostic, blamed) = match failure.argument {
        Some(index) => {
            let (name, blamed) = (function.parameters[index].name, &call.arguments[index]);
            let detail = format!("Invalid value for {name:?} parameter: {message}.");
            (Diagnostic::error("Invalid function argument", detail).at(blamed.span()), blamed)
        }
        None => {
            let detail = format!("Call to function {:?} failed: {message}.", call.name);
            (Diagnostic::error("Error in function call", detail).at(whole.span()), whole)
        }
    };
    evaluator.fail(diagnostic, blamed)
}

/// What a template with variables gives.
fn render(
    evaluator: &Evaluator<'_>,
    kind: Template,
    name: &str,
    template: &str,
    vars: &Value,
) -> Result<Value, Failure> {
    let Some(names) = vars.as_object() else {
        return Err(Failure::argument(1, "invalid vars value: must be a map"));
    };
    let mut sources = SourceMap::default();
    let template = without_byte_order_mark(template);
    let source = sources.add(name, template);
    let (expression, diagnostics) = syntax::parse_template(template, &Origin::new(source, 0));
    let (Some(expression), false) = (expression, diagnostics.has_errors()) else {
        let failure = flattened(&sources, &diagnostics);
        return Err(match kind {
            Template::File => failure,
            Template::Text => Failure::telling(0, format!("invalid template: {}", failure.message), "invalid template"),
        });
    };
    if let Some(name) = names.keys().find(|name| !is_identifier(name)) {
        let message = format!(
            "invalid template variable name {}: must start with a letter, followed by zero or more letters, digits, and underscores",
            quote(name)
        );
        return Err(Failure::telling(1, message, "invalid template variable name"));
    }
    check_names(&sources, &expression, names)?;
    let scope = evaluator.scope.for_template(kind, names.clone());
    match crate::evaluate::evaluate(&expression, &scope) {
        Ok(value) if value.is_null() => Err(Failure::telling(
            None,
            format!(
                "{}: Template result is null; The result of the template is null, which is not a valid result for a templatestring call",
                place(&sources, &expression.span())
            ),
            "the result of the template is null",
        )),
        Ok(value) => Ok(value),
        Err(diagnostics) => Err(flattened(&sources, &diagnostics)),
    }
}

/// Whether every name that the template uses was given.
fn check_names(sources: &SourceMap, expression: &Expression, names: &BTreeMap<String, Value>) -> Result<(), Failure> {
    let mut missing: Option<(String, Span)> = None;
    walk(expression, &mut Vec::new(), &mut |traversal, shadowed| {
        if let Source::Root { name, span } = &traversal.source
            && !shadowed.contains(name)
            && !names.contains_key(name)
            && missing.is_none()
        {
            missing = Some((name.clone(), span.clone()));
        }
    });
    match missing {
        Some((name, span)) => {
            let message = format!("vars map does not contain key {name:?}, referenced at {}", place(sources, &span));
            Err(Failure::telling(1, message, "vars map does not contain a key that the template refers to"))
        }
        None => Ok(()),
    }
}

/// Findings in a template in one line: their places are in another file than the call's.
fn flattened(sources: &SourceMap, diagnostics: &Diagnostics) -> Failure {
    let each = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.as_ref().map(|span| format!("{}: ", place(sources, span))).unwrap_or_default();
        format!("{place}{}; {}", diagnostic.summary, diagnostic.detail.trim_end_matches('.'))
    };
    let all: Vec<String> = diagnostics.iter().map(each).collect();
    Failure::telling(None, all.join(", "), "the template cannot be rendered with these sensitive values")
}

pub(super) fn place(sources: &SourceMap, span: &Span) -> String {
    let name = sources.get(span.source).map(|source| source.name.as_str()).unwrap_or_default();
    let end = Span { source: span.source, range: span.range.end..span.range.end };
    match (sources.line_column(span), sources.line_column(&end)) {
        (Some((line, column)), Some((last, end))) if line == last => format!("{name}:{line},{column}-{end}"),
        (Some((line, column)), Some((last, end))) => format!("{name}:{line},{column}-{last},{end}"),
        _ => name.to_owned(),
    }
}
