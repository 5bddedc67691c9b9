//! `templatefile`: a template from a file, rendered with variables of its own.

use std::collections::BTreeMap;

use pipectl_core::{Diagnostic, Diagnostics, Kind, Marks, SourceMap, Span, Type, Value};

use crate::evaluate::{Evaluator, failed};
use crate::expression::{Call, Expression, Source, walk};
use crate::functions::call::check_count;
use crate::functions::file::read_text;
use crate::functions::{Failure, Function, FunctionBody, Parameter, ParameterType, ResultType};
use crate::scan::is_identifier;
use crate::syntax;

const TEMPLATE_FILE: Function = Function {
    name: "templatefile",
    summary: "The text of a file rendered as a template, with the given variables.",
    parameters: &[Parameter::new("path", ParameterType::String), Parameter::new("vars", ParameterType::Any)],
    rest: None,
    result: ResultType::Depends("string; for a template that is one interpolation, its type", |_| Ok(Type::Any)),
    may_be_null: false,
    body: FunctionBody::Lazy(render),
};

pub(super) const FUNCTIONS: &[Function] = &[TEMPLATE_FILE];

fn render(evaluator: &mut Evaluator<'_>, call: &Call, whole: &Expression) -> Value {
    let [path_argument, vars_argument] = call.arguments.as_slice() else {
        check_count(evaluator, &TEMPLATE_FILE, call, call.arguments.len(), whole, call.arguments.get(2));
        return failed();
    };
    if evaluator.scope.template_depth > 0 {
        let detail = "Call to function \"templatefile\" failed: cannot recursively call templatefile from inside another template function.";
        return evaluator.fail(Diagnostic::error("Error in function call", detail).at(whole.span()), whole);
    }
    let failures = evaluator.diagnostics.error_count();
    let path = evaluator.value(path_argument);
    let vars = evaluator.value(vars_argument);
    if evaluator.diagnostics.error_count() > failures {
        return failed();
    }
    let marks = path.marks_deep() | vars.marks_deep();
    let (path, vars) = (path.unmark_deep().0, vars.unmark_deep().0);
    let sensitive = (marks | evaluator.hidden).contains(Marks::SENSITIVE);
    match outcome(evaluator, &path, &vars) {
        Ok(value) => value.marked(marks),
        Err(failure) => {
            let message = if sensitive { failure.hidden } else { failure.message.as_str() };
            let (diagnostic, blamed) = match failure.argument {
                Some(index) => {
                    let (name, blamed) = if index == 0 { ("path", path_argument) } else { ("vars", vars_argument) };
                    let detail = format!("Invalid value for {name:?} parameter: {message}.");
                    (Diagnostic::error("Invalid function argument", detail).at(blamed.span()), blamed)
                }
                None => {
                    let detail = format!("Call to function \"templatefile\" failed: {message}.");
                    (Diagnostic::error("Error in function call", detail).at(whole.span()), whole)
                }
            };
            evaluator.fail(diagnostic, blamed)
        }
    }
}

fn outcome(evaluator: &Evaluator<'_>, path: &Value, vars: &Value) -> Result<Value, Failure> {
    let text = match path.kind() {
        Kind::Unknown(_) => return Ok(failed()),
        Kind::String(text) => text.to_string(),
        Kind::Null(_) => return Err(Failure::argument(0, "argument must not be null")),
        _ => return Err(Failure::argument(0, "string required")),
    };
    let names: BTreeMap<String, Value> = match vars.kind() {
        Kind::Unknown(_) => return Ok(failed()),
        Kind::Map(_, names) | Kind::Object(names) => (**names).clone(),
        Kind::Null(_) => return Err(Failure::argument(1, "argument must not be null")),
        _ => return Err(Failure::argument(1, "invalid vars value: must be a map")),
    };
    if let Some(name) = names.keys().find(|name| !is_identifier(name)) {
        let message = format!(
            "invalid template variable name {name:?}: must start with a letter, followed by zero or more letters, digits, and underscores"
        );
        return Err(Failure::telling(1, message, "invalid template variable name"));
    }
    let template = read_text(&**evaluator.scope.files(), &text)?;
    let mut sources = SourceMap::default();
    let source = sources.add(text, template.as_str());
    let (expression, diagnostics) = syntax::parse_template(&template, source);
    let (Some(expression), false) = (expression, diagnostics.has_errors()) else {
        return Err(flattened(&sources, &diagnostics));
    };
    check_names(&sources, &expression, &names)?;
    let scope = evaluator.scope.for_template(names);
    match crate::evaluate::evaluate(&expression, &scope) {
        Ok(value) if value.is_null() => Err(Failure::call(
            "the result of the template is null, which is not a valid result for a templatefile call",
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

fn place(sources: &SourceMap, span: &Span) -> String {
    let name = sources.get(span.source).map(|source| source.name.as_str()).unwrap_or_default();
    let end = Span { source: span.source, range: span.range.end..span.range.end };
    match (sources.line_column(span), sources.line_column(&end)) {
        (Some((line, column)), Some((last, end))) if line == last => format!("{name}:{line},{column}-{end}"),
        (Some((line, column)), Some((last, end))) => format!("{name}:{line},{column}-{last},{end}"),
        _ => name.to_owned(),
    }
}
