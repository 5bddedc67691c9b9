//! Values as text in the language's own syntax, and files of variables as values: `provider::terraform::encode_tfvars` and its kin.

use std::collections::BTreeMap;

use pipectl_core::{Diagnostics, Kind, Refinement, SourceMap, Type as ValueType, Value};

use crate::evaluate::{evaluate, is_not_null};
use crate::functions::ParameterType as Type;
use crate::functions::quote::{is_printable, quote};
use crate::functions::template_file::place;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};
use crate::scan::is_identifier;
use crate::scope::Scope;
use crate::syntax;

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "provider::terraform::decode_tfvars",
        "An object with the values that a text in the form of a file of variables gives.",
        &[Parameter::new("src", Type::String)],
        Type::Any,
        decode,
    )
    .returns("object", |_| Ok(ValueType::Any)),
    plain(
        "provider::terraform::encode_expr",
        "A value as an expression.",
        &[Parameter::new("value", Type::Any).unknown().dynamic()],
        Type::String,
        |call| {
            let value = &call.values[0];
            if !value.is_wholly_known() {
                return Ok(unknown_text(value));
            }
            Ok(expression_text(value).into())
        },
    ),
    plain(
        "provider::terraform::encode_tfvars",
        "An object in the form of a file of variables.",
        &[Parameter::new("value", Type::Any)],
        Type::String,
        encode,
    ),
];

/// A value as an expression that gives it, over several lines where it has attributes. What is unknown is `null`.
pub fn expression_text(value: &Value) -> String {
    let mut text = String::new();
    expression(value, &mut text);
    indented(&text)
}

/// What is known of the text of a value that is not: its first character, when the value cannot be null.
fn unknown_text(value: &Value) -> Value {
    let opening = match (is_not_null(value), value.ty()) {
        (true, ValueType::Object(_) | ValueType::Map(_)) => Some("{"),
        (true, ValueType::Tuple(_) | ValueType::List(_) | ValueType::Set(_)) => Some("["),
        (true, ValueType::String) => Some("\""),
        _ => None,
    };
    let prefix = opening.map(Into::into);
    Value::refined(ValueType::String, Refinement { not_null: true, prefix, ..Refinement::default() })
}

fn encode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let value = &call.values[0];
    let Some(variables) = value.as_object() else {
        let message =
            "invalid value to encode: must be an object whose attribute names will become the encoded variable names";
        return Err(Failure::call(message));
    };
    if let Some(name) = variables.keys().find(|name| !is_identifier(name)) {
        let message = format!(
            "invalid variable name {}: must be a valid identifier, per Terraform's rules for input variable declarations",
            quote(name)
        );
        return Err(Failure::telling(None, message, "invalid variable name"));
    }
    let mut text = String::new();
    items(variables, &mut text);
    Ok(indented(&text).into())
}

/// `name = value` for each, with the equals signs below one another.
///
/// As `terraform fmt` does it, a value of several lines ends a run of names that are aligned.
fn items(attributes: &BTreeMap<String, Value>, text: &mut String) {
    let rows: Vec<(String, String)> = attributes
        .iter()
        .map(|(name, value)| {
            let mut shown = String::new();
            expression(value, &mut shown);
            (if is_identifier(name) { name.clone() } else { quoted(name) }, shown)
        })
        .collect();
    let mut start = 0;
    while start < rows.len() {
        let many_lines = |row: &(String, String)| row.1.contains('\n');
        let run = rows[start..].iter().position(many_lines).map_or(rows.len(), |length| start + length.max(1));
        let width = rows[start..run].iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &rows[start..run] {
            let padding = " ".repeat(width - name.chars().count());
            text.push_str(&format!("{name}{padding} = {value}\n"));
        }
        start = run;
    }
}

fn expression(value: &Value, text: &mut String) {
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => text.push_str("null"),
        Kind::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => text.push_str(&number.to_string()),
        Kind::String(string) => text.push_str(&quoted(string)),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            text.push('[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                expression(element, text);
            }
            text.push(']');
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) if attributes.is_empty() => text.push_str("{}"),
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            text.push_str("{\n");
            items(attributes, text);
            text.push('}');
        }
    }
}

/// The text with every line indented as `terraform fmt` does it: a line that opens more brackets than it closes indents those that follow
/// by one level, however many it opens.
fn indented(text: &str) -> String {
    let mut levels: Vec<i64> = Vec::new();
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let net = net_brackets(line);
        if net > 0 {
            lines.push(format!("{}{line}", "  ".repeat(levels.len())));
            levels.push(net);
            continue;
        }
        let mut closed = -net;
        while closed > 0
            && let Some(level) = levels.pop()
        {
            if level > closed {
                levels.push(level - closed);
            }
            closed -= level;
        }
        lines.push(if line.is_empty() { String::new() } else { format!("{}{line}", "  ".repeat(levels.len())) });
    }
    lines.join("\n")
}

/// How many more brackets a line opens than it closes, those in strings aside.
fn net_brackets(line: &str) -> i64 {
    let mut net = 0;
    let mut in_string = false;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                characters.next();
            }
            '{' | '[' if !in_string => net += 1,
            '}' | ']' if !in_string => net -= 1,
            _ => {}
        }
    }
    net
}

/// A string literal.
fn quoted(string: &str) -> String {
    let mut text = String::from("\"");
    let mut characters = string.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '"' | '\\' => text.extend(['\\', c]),
            '$' | '%' if characters.peek() == Some(&'{') => text.extend([c, c]),
            c if is_printable(c) => text.push(c),
            c if u32::from(c) < 0x1_0000 => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    text + "\""
}

fn decode(call: &Arguments<'_>) -> Result<Value, Failure> {
    const HIDDEN: &str = "the text is not a valid file of variables";
    let text = call.text(0);
    let mut sources = SourceMap::default();
    let source = sources.add("<decode_tfvars argument>", text);
    let wrong = |what: &str, diagnostics: &Diagnostics| {
        let found: Vec<String> = diagnostics
            .iter()
            .map(|found| {
                let place = found.span.as_ref().map(|span| format!("{}: ", place(&sources, span))).unwrap_or_default();
                format!("{place}{}; {}", found.summary, found.detail)
            })
            .collect();
        let more =
            if found.len() > 1 { format!(", and {} other diagnostic(s)", found.len() - 1) } else { String::new() };
        let message = format!("{what}: {}{more}", found.first().map_or("", |first| first.trim_end_matches('.')));
        Failure::telling(None, message, HIDDEN)
    };
    let (body, diagnostics) = syntax::parse_file(text, source, &[]);
    if diagnostics.has_errors() {
        return Err(wrong("invalid tfvars syntax", &diagnostics));
    }
    if let Some(block) = body.blocks().next() {
        let message =
            format!("invalid tfvars content: unexpected {} block; blocks are not allowed here", quote(&block.kind));
        return Err(Failure::telling(None, message, HIDDEN));
    }
    let mut variables = BTreeMap::new();
    for argument in body.arguments() {
        let value = evaluate(&argument.value, &Scope::constant())
            .map_err(|found| wrong(&format!("invalid expression for variable {}", quote(&argument.name)), &found))?;
        variables.insert(argument.name.clone(), value);
    }
    Ok(Value::object(variables))
}
