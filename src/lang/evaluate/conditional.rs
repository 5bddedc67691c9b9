//! Conditionals: both branches are evaluated, their types unified, and only the chosen one may fail.

use pipectl_core::convert::convert;
use pipectl_core::unify::unify;
use pipectl_core::{Diagnostic, Kind, Marks, Number, Refinement, Span, Type, Value};

use crate::evaluate::{Evaluator, is_not_null};
use crate::expression::Expression;

const INCONSISTENT: &str = "Inconsistent conditional result types";
const DIFFERENT: &str =
    "At least one deeply-nested attribute or element is not compatible across both the 'true' and the 'false' value";

impl Evaluator<'_> {
    pub(super) fn conditional(
        &mut self,
        condition: &Expression,
        accepted: &Expression,
        rejected: &Expression,
    ) -> Value {
        let (accepted_value, accepted_findings) = self.apart(accepted);
        let (rejected_value, rejected_findings) = self.apart(rejected);
        // Names of attributes may themselves be secrets.
        let private = (accepted_value.marks_deep() | rejected_value.marks_deep()).is_private();
        let Some(ty) = result_type(&accepted_value, &rejected_value) else {
            let (accepted_span, rejected_span) = (accepted.span(), rejected.span());
            let span = Span { source: accepted_span.source, range: accepted_span.range.start..rejected_span.range.end };
            let difference = match private {
                true => DIFFERENT.to_owned(),
                false => difference(&accepted_value.ty(), &rejected_value.ty()),
            };
            let detail = format!("The true and false result expressions must have consistent types. {difference}.");
            return self.fail(Diagnostic::error(INCONSISTENT, detail).at(span), condition);
        };
        let failures = self.diagnostics.error_count();
        let given = self.value(condition);
        if given.is_null() {
            let detail = "The condition value is null. Conditions must either be true or false.";
            self.fail(Diagnostic::error("Null condition", detail).at(condition.span()), condition);
            return Value::unknown(ty);
        }
        let (given, condition_marks) = given.unmark();
        let (accepted_value, accepted_marks) = accepted_value.unmark();
        let (rejected_value, rejected_marks) = rejected_value.unmark();
        let marks = condition_marks | accepted_marks | rejected_marks;
        // An unknown value of a wrong type is refused once it is known.
        let decided = if given.is_known() { convert(&given, &Type::Bool) } else { Ok(Value::unknown(Type::Bool)) };
        let Ok(decided) = decided else {
            if self.diagnostics.error_count() == failures {
                let diagnostic =
                    Diagnostic::error("Incorrect condition type", "The condition expression must be of type bool.");
                self.fail(diagnostic.at(condition.span()), condition);
            }
            return Value::unknown(ty);
        };
        let Some(decided) = decided.as_bool() else {
            // Element-wise marks of the branches must not get lost with their values.
            let inner = accepted_value.marks_deep() | rejected_value.marks_deep();
            return undecided(ty, &accepted_value, &rejected_value).marked(marks | inner);
        };
        let (word, value, findings, expression) = match decided {
            true => ("true", accepted_value, accepted_findings, accepted),
            false => ("false", rejected_value, rejected_findings, rejected),
        };
        let failed = findings.has_errors();
        self.diagnostics.extend(findings);
        match convert(&value, &ty) {
            Ok(converted) => converted.marked(marks),
            Err(_) if failed => Value::unknown(ty).marked(marks),
            Err(error) => {
                let detail = match private {
                    true => format!("The {word} result value has the wrong type. {DIFFERENT}."),
                    false => format!("The {word} result value has the wrong type: {error}."),
                };
                self.fail(Diagnostic::error(INCONSISTENT, detail).at(expression.span()), expression);
                Value::unknown(ty).marked(Marks::NONE | marks)
            }
        }
    }
}

/// The type of a conditional; nothing when the branches have none in common.
fn result_type(accepted: &Value, rejected: &Value) -> Option<Type> {
    let literal_null = |value: &Value| matches!(value.kind(), Kind::Null(Type::Any));
    let (accepted_type, rejected_type) = (accepted.ty(), rejected.ty());
    if literal_null(accepted) {
        Some(rejected_type)
    } else if literal_null(rejected) {
        Some(accepted_type)
    } else if accepted_type == Type::Any || rejected_type == Type::Any {
        Some(Type::Any)
    } else {
        unify([&accepted_type, &rejected_type])
    }
}

/// What is known of the result while the condition is not: what both branches have in common.
fn undecided(ty: Type, accepted: &Value, rejected: &Value) -> Value {
    if accepted.is_null() && rejected.is_null() {
        return Value::null_of(ty);
    }
    let mut common = Refinement { not_null: is_not_null(accepted) && is_not_null(rejected), ..Refinement::default() };
    let bounds = |value: &Value| match value.kind() {
        Kind::Number(number) => (Some(number.clone()), Some(number.clone())),
        Kind::Unknown(unknown) => (unknown.refinement.minimum.clone(), unknown.refinement.maximum.clone()),
        _ => (None, None),
    };
    let lengths = |value: &Value| match value.kind() {
        // Elements of a set that are not known yet may turn out to be the same.
        Kind::Set(_, elements) if !value.is_wholly_known() => (Some(1), Some(elements.len())),
        Kind::List(_, elements) | Kind::Set(_, elements) => (Some(elements.len()), Some(elements.len())),
        Kind::Map(_, elements) => (Some(elements.len()), Some(elements.len())),
        Kind::Unknown(unknown) => (unknown.refinement.minimum_length, unknown.refinement.maximum_length),
        _ => (None, None),
    };
    match ty {
        Type::Number if accepted.ty() == Type::Number && rejected.ty() == Type::Number => {
            let both = |a: Option<Number>, b: Option<Number>, pick: fn(Number, Number) -> Number| Some(pick(a?, b?));
            let ((low, high), (other_low, other_high)) = (bounds(accepted), bounds(rejected));
            common.minimum = both(low, other_low, Ord::min);
            common.maximum = both(high, other_high, Ord::max);
        }
        Type::List(_) | Type::Set(_) | Type::Map(_) if accepted.ty() == rejected.ty() => {
            let both = |a: Option<usize>, b: Option<usize>, pick: fn(usize, usize) -> usize| Some(pick(a?, b?));
            let ((low, high), (other_low, other_high)) = (lengths(accepted), lengths(rejected));
            common.minimum_length = both(low, other_low, Ord::min);
            common.maximum_length = both(high, other_high, Ord::max);
        }
        _ => {}
    }
    Value::refined(ty, common)
}

/// What differs between two types that do not unify.
fn difference(accepted: &Type, rejected: &Type) -> String {
    match (accepted, rejected) {
        (Type::Object(a), Type::Object(b)) => {
            for (name, field) in a {
                match b.get(name) {
                    None => {
                        return format!(
                            "The 'true' value includes object attribute {name:?}, which is absent in the 'false' value"
                        );
                    }
                    Some(other) if other.ty != field.ty => {
                        return format!(
                            "Type mismatch for object attribute {name:?}: {}",
                            difference(&field.ty, &other.ty)
                        );
                    }
                    Some(_) => {}
                }
            }
            if let Some(name) = b.keys().find(|name| !a.contains_key(*name)) {
                return format!(
                    "The 'false' value includes object attribute {name:?}, which is absent in the 'true' value"
                );
            }
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() != b.len() => {
            return format!("The 'true' tuple has length {}, but the 'false' tuple has length {}", a.len(), b.len());
        }
        (Type::Tuple(a), Type::Tuple(b)) => {
            if let Some((index, (a, b))) = a.iter().zip(b).enumerate().find(|(_, (a, b))| a != b) {
                return format!("Type mismatch for tuple element {index}: {}", difference(a, b));
            }
        }
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b))
            if matches!((&**a, &**b), (Type::Object(_), Type::Object(_)) | (Type::Tuple(_), Type::Tuple(_))) =>
        {
            let noun = match accepted {
                Type::List(_) => "list",
                Type::Set(_) => "set",
                _ => "map",
            };
            return format!("Mismatched {noun} element types: {}", difference(a, b));
        }
        _ => {}
    }
    let (accepted, rejected) = (accepted.friendly_name(), rejected.friendly_name());
    if accepted == rejected {
        return DIFFERENT.to_owned();
    }
    format!("The 'true' value is {accepted}, but the 'false' value is {rejected}")
}
