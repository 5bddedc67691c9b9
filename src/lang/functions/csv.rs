//! `csvdecode`: tables as text, by RFC 4180.

use pipectl_core::{Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

pub(super) const FUNCTIONS: &[Function] = &[plain(
    "csvdecode",
    "A list of objects, one for each row of a table as comma-separated text; the first row has the names.",
    &[Parameter::new("str", Type::String)],
    Type::Any,
    decode,
)
.returns("list of objects of strings", |arguments| match arguments[0].as_str() {
    Some(text) => Ok(ValueType::list(row_type(&header(text)?.0))),
    None => Ok(ValueType::Any),
})];

const HIDDEN: &str = "the text is not a valid table of comma-separated values";

fn row_type(names: &[String]) -> ValueType {
    ValueType::object(names.iter().map(|name| (name.clone(), ValueType::String)))
}

fn decode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (names, mut records) = header(call.text(0))?;
    let mut rows = Vec::new();
    while let Some((line, fields)) = records.next_record()? {
        if fields.len() != names.len() {
            return Err(Failure::telling(
                None,
                format!("CSV parse error on line {line}: wrong number of fields"),
                HIDDEN,
            ));
        }
        rows.push(Value::object(names.iter().cloned().zip(fields.into_iter().map(Value::from))));
    }
    Ok(Value::list(row_type(&names), rows))
}

fn header(text: &str) -> Result<(Vec<String>, Records<'_>), Failure> {
    let mut records = Records { rest: text, line: 1 };
    let Some((_, names)) = records.next_record()? else { return Err(Failure::call("missing header line")) };
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(Failure::telling(None, format!("duplicate column name {name:?}"), HIDDEN));
        }
    }
    Ok((names, records))
}

/// The records of a text, one after the other. Empty lines are left out.
struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Records<'_> {
    /// The line where the next record begins, and its fields.
    fn next_record(&mut self) -> Result<Option<(usize, Vec<String>)>, Failure> {
        while let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')) {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = self.line;
        let mut fields = Vec::new();
        loop {
            let field = if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? };
            fields.push(field);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            self.rest = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n')).unwrap_or(self.rest);
            self.line += 1;
            return Ok(Some((start, fields)));
        }
    }

    fn error(&self, problem: &str) -> Failure {
        Failure::telling(None, format!("CSV parse error on line {}: {problem}", self.line), HIDDEN)
    }

    fn bare(&mut self) -> Result<String, Failure> {
        let line_end = self.rest.find('\n').unwrap_or(self.rest.len());
        let end = self.rest[..line_end].find(',').unwrap_or(line_end);
        let field = &self.rest[..end];
        if field.contains('"') {
            return Err(self.error("bare \" in non-quoted-field"));
        }
        self.rest = &self.rest[end..];
        match (end == line_end).then(|| field.strip_suffix('\r')).flatten() {
            Some(field) => Ok(field.to_owned()),
            None => Ok(field.to_owned()),
        }
    }

    fn quoted(&mut self) -> Result<String, Failure> {
        let mut field = String::new();
        let mut rest = &self.rest[1..];
        loop {
            let Some(end) = rest.find('"') else { return Err(self.error("extraneous or missing \" in quoted-field")) };
            let part = &rest[..end];
            self.line += part.matches('\n').count();
            field.push_str(&part.replace("\r\n", "\n"));
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        self.rest = rest;
        match rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n") {
            true => Ok(field),
            false => Err(self.error("extraneous or missing \" in quoted-field")),
        }
    }
}
