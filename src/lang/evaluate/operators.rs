//! Operators, and equality as the language defines it.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::number::NumberError;
use pipectl_core::{Diagnostic, Kind, Number, Refinement, Type, Unknown, Value};

use crate::evaluate::{Evaluator, is_dynamic, is_not_null};
use crate::expression::{BinaryOperator, Expression, UnaryOperator};

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expression, whole: &Expression) -> Value {
        let ty = match operator {
            UnaryOperator::Negate => Type::Number,
            UnaryOperator::Not => Type::Bool,
        };
        let failures = self.diagnostics.error_count();
        let value = self.value(operand);
        let converted = self.operand(&value, &ty, "unary", operand);
        if self.diagnostics.error_count() > failures {
            return Value::unknown(ty);
        }
        let (plain, marks) = converted.unmark();
        let result = match (plain.kind(), operator) {
            (Kind::Null(_), _) => {
                let diagnostic =
                    Diagnostic::error("Operation failed", "Error during operation: argument must not be null.");
                self.fail(diagnostic.at(whole.span()), whole);
                Value::unknown(ty)
            }
            (Kind::Number(number), UnaryOperator::Negate) => Value::from(number.negate()),
            (Kind::Bool(flag), UnaryOperator::Not) => Value::from(!flag),
            _ => not_null(ty),
        };
        result.marked(marks)
    }

    /// The operand as the operator wants it; reports when it does not fit.
    fn operand(&mut self, value: &Value, ty: &Type, side: &str, expression: &Expression) -> Value {
        convert(value, ty).unwrap_or_else(|error| {
            let detail = format!("Unsuitable value for {side} operand: {error}.");
            self.fail(Diagnostic::error("Invalid operand", detail).at(expression.span()), expression)
        })
    }

    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: &Expression,
        right: &Expression,
        whole: &Expression,
    ) -> Value {
        use BinaryOperator::*;
        let operand_type = match operator {
            Or | And => Type::Bool,
            Equal | NotEqual => Type::Any,
            Greater | GreaterOrEqual | Less | LessOrEqual | Add | Subtract | Multiply | Divide | Remainder => {
                Type::Number
            }
        };
        let result_type = match operator {
            Add | Subtract | Multiply | Divide | Remainder => Type::Number,
            Or | And | Equal | NotEqual | Greater | GreaterOrEqual | Less | LessOrEqual => Type::Bool,
        };
        let failures = self.diagnostics.error_count();
        let (left_value, right_value) = (self.value(left), self.value(right));
        let left_value = self.operand(&left_value, &operand_type, "left", left);
        let right_value = self.operand(&right_value, &operand_type, "right", right);
        if self.diagnostics.error_count() > failures {
            return Value::unknown(result_type);
        }
        if matches!(operator, Equal | NotEqual) {
            let (left, left_marks) = left_value.unmark_deep();
            let (right, right_marks) = right_value.unmark_deep();
            let result = match equal(&left, &right) {
                Some(same) => Value::from(same == (operator == Equal)),
                None => not_null(Type::Bool),
            };
            return result.marked(left_marks | right_marks);
        }
        let (left_value, left_marks) = left_value.unmark();
        let (right_value, right_marks) = right_value.unmark();
        let result = apply(operator, &left_value, &right_value).unwrap_or_else(|problem| {
            let detail = format!("Error during operation: {problem}.");
            self.fail(Diagnostic::error("Operation failed", detail).at(whole.span()), whole);
            Value::unknown(result_type)
        });
        result.marked(left_marks | right_marks)
    }
}

fn not_null(ty: Type) -> Value {
    Value::refined(ty, Refinement { not_null: true, ..Refinement::default() })
}

/// An operator on two values of its operand type, without marks.
fn apply(operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value, &'static str> {
    use BinaryOperator::*;
    if left.is_null() || right.is_null() {
        return Err("argument must not be null");
    }
    if let And | Or = operator {
        let deciding = operator == Or;
        return Ok(match (left.as_bool(), right.as_bool()) {
            (Some(left), Some(right)) if operator == And => Value::from(left && right),
            (Some(left), Some(right)) => Value::from(left || right),
            (Some(known), None) | (None, Some(known)) if known == deciding => Value::from(deciding),
            _ => not_null(Type::Bool),
        });
    }
    if let Greater | GreaterOrEqual | Less | LessOrEqual = operator {
        return Ok(compare(operator, left, right).map_or_else(|| not_null(Type::Bool), Value::from));
    }
    let (Some(a), Some(b)) = (left.as_number(), right.as_number()) else { return Ok(not_null(Type::Number)) };
    let undefined = |message: &'static str| move |_: NumberError| message;
    Ok(Value::from(match operator {
        Add => a.add(b).map_err(undefined("can't compute sum of opposing infinities"))?,
        Subtract => a.subtract(b).map_err(undefined("can't subtract infinity from itself"))?,
        Multiply => a.multiply(b).map_err(undefined("can't multiply zero by infinity"))?,
        Divide => a.divide(b).map_err(undefined("can't divide zero by zero or infinity by infinity"))?,
        _ => remainder(a, b).map_err(undefined("can't use modulo with zero and infinity"))?,
    }))
}

/// There is no remainder of, or by, an infinity.
fn remainder(a: &Number, b: &Number) -> Result<Number, NumberError> {
    if a.is_finite() && b.is_finite() { a.remainder(b) } else { Err(NumberError::NotANumber) }
}

/// Comparison of numbers; where one is unknown, its bounds may still decide.
fn compare(operator: BinaryOperator, left: &Value, right: &Value) -> Option<bool> {
    let (left_low, left_high) = bounds(left);
    let (right_low, right_high) = bounds(right);
    let below =
        |a: &Option<Number>, b: &Option<Number>| matches!((a, b), (Some(a), Some(b)) if a.compare_exactly(b).is_lt());
    let at_most =
        |a: &Option<Number>, b: &Option<Number>| matches!((a, b), (Some(a), Some(b)) if a.compare_exactly(b).is_le());
    match operator {
        BinaryOperator::Less if below(&left_high, &right_low) => Some(true),
        BinaryOperator::Less if at_most(&right_high, &left_low) => Some(false),
        BinaryOperator::LessOrEqual if at_most(&left_high, &right_low) => Some(true),
        BinaryOperator::LessOrEqual if below(&right_high, &left_low) => Some(false),
        BinaryOperator::Greater => compare(BinaryOperator::Less, right, left),
        BinaryOperator::GreaterOrEqual => compare(BinaryOperator::LessOrEqual, right, left),
        _ => None,
    }
}

fn bounds(value: &Value) -> (Option<Number>, Option<Number>) {
    match value.kind() {
        Kind::Number(number) => (Some(number.clone()), Some(number.clone())),
        Kind::Unknown(Unknown { refinement, .. }) => (refinement.minimum.clone(), refinement.maximum.clone()),
        _ => (None, None),
    }
}

/// Whether two values without marks are equal; nothing when that is not known yet. Values of different types never are.
pub(crate) fn equal(left: &Value, right: &Value) -> Option<bool> {
    if (left.is_null() && is_not_null(right)) || (right.is_null() && is_not_null(left)) {
        return Some(false);
    }
    if let (Kind::Unknown(unknown), known) | (known, Kind::Unknown(unknown)) = (left.kind(), right.kind()) {
        return match known {
            Kind::Unknown(_) | Kind::Null(_) => None,
            _ if refuted(unknown, known) => Some(false),
            _ => None,
        };
    }
    if left.is_null() || right.is_null() {
        return Some(left.is_null() && right.is_null());
    }
    match (left.kind(), right.kind()) {
        (Kind::Bool(a), Kind::Bool(b)) => Some(a == b),
        (Kind::Number(a), Kind::Number(b)) => Some(a == b),
        (Kind::String(a), Kind::String(b)) => Some(a == b),
        (Kind::Tuple(a), Kind::Tuple(b)) => equal_types(left, right, || all_equal(a.iter().zip(b.iter()))),
        (Kind::Object(a), Kind::Object(b)) => equal_types(left, right, || equal_named(a, b)),
        (Kind::List(_, a), Kind::List(_, b)) => {
            equal_types(
                left,
                right,
                || if a.len() == b.len() { all_equal(a.iter().zip(b.iter())) } else { Some(false) },
            )
        }
        (Kind::Set(_, a), Kind::Set(_, b)) => equal_types(left, right, || {
            let known = a.iter().chain(b.iter()).all(Value::is_wholly_known);
            known.then(|| a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equal_content(b)))
        }),
        (Kind::Map(_, a), Kind::Map(_, b)) => equal_types(left, right, || equal_named(a, b)),
        _ => Some(false),
    }
}

/// Whether an unknown value can never become `known`.
fn refuted(unknown: &Unknown, known: &Kind) -> bool {
    let known_type = Value::from(known.clone()).ty();
    if !unknown.ty.contains_any() && unknown.ty != known_type {
        return true;
    }
    let refinement = &unknown.refinement;
    match known {
        Kind::String(text) => refinement.prefix.as_ref().is_some_and(|prefix| !text.starts_with(&**prefix)),
        Kind::Number(number) => {
            refinement.minimum.as_ref().is_some_and(|minimum| number < minimum)
                || refinement.maximum.as_ref().is_some_and(|maximum| number > maximum)
        }
        _ => false,
    }
}

/// Compares contents when the types are the same. A type that is not known in full decides nothing, unless they can never be.
fn equal_types(left: &Value, right: &Value, contents: impl FnOnce() -> Option<bool>) -> Option<bool> {
    let (a, b) = (left.ty(), right.ty());
    if a == b && !has_dynamic(left) && !has_dynamic(right) {
        return contents();
    }
    if has_dynamic(left) || has_dynamic(right) {
        conforms(&a, &b).then_some(()).map_or(Some(false), |()| None)
    } else {
        Some(false)
    }
}

fn has_dynamic(value: &Value) -> bool {
    is_dynamic(value) || value.children().any(|(_, child)| has_dynamic(child))
}

fn conforms(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => conforms(a, b),
        (Type::Tuple(a), Type::Tuple(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| conforms(a, b)),
        (Type::Object(a), Type::Object(b)) => {
            a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| conforms(&a.ty, &b.ty))
        }
        _ => a == b,
    }
}

fn equal_named(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Option<bool> {
    if !a.keys().eq(b.keys()) {
        return Some(false);
    }
    all_equal(a.values().zip(b.values()))
}

/// One difference decides, whatever else is unknown.
fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut known = true;
    for (a, b) in pairs {
        match equal(a, b) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}
