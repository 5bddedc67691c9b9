//! Values of variables from outside the configuration: the command line, the environment, `*.tfvars` files.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, SourceId, SourceMap, Span, Type, Value};

use crate::evaluate::evaluate;
use crate::json_syntax;
use crate::load::SourceFile;
use crate::origin::{Origin, in_order};
use crate::scan;
use crate::scope::Scope;
use crate::syntax;

/// The value of variable `name` that `text` stands for, converted to the type that the variable declares.
///
/// Without a declared type, and for a string, number or bool, the text itself is the value. For other types, `any` among them, it is an
/// expression without references and functions.
///
/// # Errors
/// When it is no expression, or does not fit the type. Findings have no span: the text is in no file.
pub fn parse_variable_value(text: &str, declared: Option<&Type>, name: &str) -> Result<Value, Diagnostics> {
    let Some(ty) = declared else { return Ok(Value::from(text)) };
    let value = match ty {
        Type::String | Type::Number | Type::Bool => Value::from(text),
        _ => written(text).map_err(|found| placed(found, text, name))?,
    };
    convert(&value, ty).map_err(|error| {
        let detail = format!("The given value is not suitable for var.{name}: {error}.");
        Diagnostic::error("Invalid value for input variable", detail).into()
    })
}

fn written(text: &str) -> Result<Value, Diagnostics> {
    if text.trim().is_empty() {
        let detail = "Expected the start of an expression, but found nothing.";
        return Err(Diagnostic::error("Missing expression", detail).into());
    }
    let (expression, diagnostics) = syntax::parse_expression(text.trim(), &Origin::new(SourceId(0), 0));
    match expression {
        Some(expression) if !diagnostics.has_errors() => evaluate(&expression, &Scope::constant()),
        _ => Err(diagnostics),
    }
}

fn placed(diagnostics: Diagnostics, text: &str, name: &str) -> Diagnostics {
    let is_word = scan::is_identifier(text);
    let each = |diagnostic: Diagnostic| {
        let detail = format!("The value given for var.{name} is not a valid expression: {}", diagnostic.detail);
        let diagnostic = Diagnostic { detail, span: None, ..diagnostic };
        // A word was most likely meant as text. It is not repeated: it may be a secret.
        if is_word { diagnostic.hint(format!("Text is written in quotes there: {name}='\"...\"'")) } else { diagnostic }
    };
    diagnostics.into_iter().map(each).collect()
}

/// The values of a `*.tfvars` or `*.tfvars.json` file by variable, each with where it stands, and the file for rendering what is wrong.
pub fn parse_variable_file(file: SourceFile) -> (BTreeMap<String, (Value, Span)>, SourceMap, Diagnostics) {
    let mut sources = SourceMap::default();
    let name = file.name;
    let source = sources.add(name.as_str(), file.text.as_str());
    let (body, mut diagnostics) = match json_syntax::is_json(&name) {
        true => json_syntax::parse_values(&file.text, source),
        false => syntax::parse_file(&file.text, source, &[]),
    };
    let mut values = BTreeMap::new();
    for argument in body.arguments() {
        match evaluate(&argument.value, &Scope::constant()) {
            Ok(value) => {
                values.insert(argument.name.clone(), (value, argument.value.span()));
            }
            Err(found) => diagnostics.extend(found),
        }
    }
    for block in body.blocks() {
        let detail = format!(
            "Blocks of type {:?} are not expected here: a file of variable values holds arguments only.",
            block.kind
        );
        diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(block.span.clone()));
    }
    (values, sources, in_order(diagnostics))
}
