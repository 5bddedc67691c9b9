//! Templates: parts become strings and are joined.

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Kind, Marks, Refinement, Type, Unknown, Value};

use unicode_segmentation::UnicodeSegmentation as _;

use crate::evaluate::Evaluator;
use crate::expression::Expression;

/// How much of a known beginning is kept of a string that is not yet known in full, in bytes.
const MAX_PREFIX: usize = 128;

impl Evaluator<'_> {
    pub(super) fn template(&mut self, parts: &[Expression]) -> Value {
        let mut joined = String::new();
        let mut known = true;
        let mut marks = Marks::NONE;
        let failures = self.diagnostics.error_count();
        for part in parts {
            let before = self.diagnostics.error_count();
            let value = self.value(part);
            let (plain, own) = value.unmark();
            marks = marks | own;
            let invalid =
                |detail: String| Diagnostic::error("Invalid template interpolation value", detail).at(part.span());
            if plain.is_null() {
                let detail = "The expression result is null. Cannot include a null value in a string template.";
                self.fail(invalid(detail.to_owned()), part);
                continue;
            }
            // An unknown value of a wrong type is refused once it is known.
            let text = match plain.is_known() {
                false if !matches!(plain.ty(), Type::String) => Ok(Value::unknown(Type::String)),
                _ => convert(&plain, &Type::String),
            };
            match text.map(|text| text.kind().clone()) {
                Ok(Kind::String(value)) if known => joined.push_str(&value),
                Ok(Kind::String(_)) => {}
                Ok(unknown) => {
                    if let (true, Kind::Unknown(Unknown { refinement: Refinement { prefix: Some(prefix), .. }, .. })) =
                        (known, &unknown)
                    {
                        joined.push_str(prefix);
                    }
                    known = false;
                }
                Err(_) if self.diagnostics.error_count() > before => known = false,
                Err(error) => {
                    self.fail(invalid(format!("Cannot include the given value in a string template: {error}.")), part);
                }
            }
        }
        if known && self.diagnostics.error_count() == failures {
            return Value::from(joined).marked(marks);
        }
        let mut end = joined.len().min(MAX_PREFIX);
        while !joined.is_char_boundary(end) {
            end -= 1;
        }
        let certain = certain_prefix(&joined[..end]);
        let prefix = (!certain.is_empty() && self.diagnostics.error_count() == failures).then(|| certain.into());
        Value::refined(Type::String, Refinement { not_null: true, prefix, ..Refinement::default() }).marked(marks)
    }

    /// The strings of a tuple, joined: what a `%{ for }` directive gives.
    pub(super) fn join(&mut self, tuple: &Expression, whole: &Expression) -> Value {
        let value = self.value(tuple);
        let marks = value.marks_deep();
        let Some(elements) = value.as_slice() else { return Value::unknown(Type::String).marked(marks) };
        let mut text = String::new();
        for element in elements {
            let invalid =
                |detail: String| Diagnostic::error("Invalid template interpolation value", detail).at(whole.span());
            if element.is_null() {
                let detail = "An iteration result is null. Cannot include a null value in a string template.";
                self.fail(invalid(detail.to_owned()), whole);
                continue;
            }
            match convert(element, &Type::String) {
                Ok(converted) => match converted.as_str() {
                    Some(part) => text.push_str(part),
                    None => return Value::unknown(Type::String).marked(marks),
                },
                Err(error) => {
                    let detail =
                        format!("Cannot include one of the interpolation results into the string template: {error}.");
                    self.fail(invalid(detail), whole);
                }
            }
        }
        Value::from(text).marked(marks)
    }
}

/// As much of the beginning of a string as stays what it is whatever follows: a last letter may yet get an accent.
pub(crate) fn certain_prefix(text: &str) -> &str {
    const DELIMITERS: &str = "-_:;/\\,.(){}[]|?!~ \t@#$%^&*+\"'";
    match text.grapheme_indices(true).next_back() {
        Some((_, last)) if DELIMITERS.contains(last) => text,
        Some((start, _)) => &text[..start],
        None => text,
    }
}
