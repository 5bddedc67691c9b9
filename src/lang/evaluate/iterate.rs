//! `for` expressions and splats.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Kind, Marks, Number, Refinement, Span, Type, Unknown, Value};

use crate::evaluate::{Evaluator, failed, is_dynamic, is_not_null};
use crate::expression::{Expression, For, Step};

/// What the `if` clause of a `for` expression says of one element.
enum Choice {
    Take,
    Skip,
    /// It is not known whether the element counts, so the whole result is not.
    Undecided,
}

impl Evaluator<'_> {
    /// Whether a condition may be a bool for any element: also told when there are no elements.
    fn may_decide(&mut self, each: &For, condition: &Expression) -> bool {
        let outside = self.names.len();
        self.names.extend(each.key_name.iter().map(|name| (name.clone(), failed())));
        self.names.push((each.value_name.clone(), failed()));
        let failures = self.diagnostics.error_count();
        let (value, _) = self.value(condition).unmark();
        self.names.truncate(outside);
        if self.diagnostics.error_count() > failures {
            return false;
        }
        let problem = match convert(&value, &Type::Bool) {
            _ if value.is_null() => ("Condition is null", "The value of the 'if' clause must not be null.".to_owned()),
            Ok(_) => return true,
            Err(error) => ("Invalid 'for' condition", format!("The 'if' clause value is invalid: {error}.")),
        };
        self.fail(Diagnostic::error(problem.0, problem.1).at(condition.span()), condition);
        false
    }

    pub(super) fn for_each(&mut self, each: &For) -> Value {
        let collection_span = each.collection.span();
        let collection = self.value(&each.collection);
        if collection.is_null() {
            let detail = "A null value cannot be used as the collection in a 'for' expression.";
            let diagnostic = Diagnostic::error("Iteration over null value", detail).at(collection_span);
            return self.fail(diagnostic, &each.collection);
        }
        let (collection, mut marks) = collection.unmark();
        if is_dynamic(&collection) {
            return failed().marked(marks);
        }
        if has_primitive_type(&collection) {
            let name = collection.ty().friendly_name();
            let detail = format!("A value of type {name} cannot be used as the collection in a 'for' expression.");
            let diagnostic = Diagnostic::error("Iteration over non-iterable value", detail).at(collection_span);
            return self.fail(diagnostic, &each.collection);
        }
        if !collection.is_known() {
            return failed().marked(marks | collection.marks_deep());
        }
        if let Some(condition) = &each.condition
            && !self.may_decide(each, condition)
        {
            return failed().marked(marks);
        }
        let mut tuple: Vec<Value> = Vec::new();
        let mut object: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut known = true;
        let hidden_outside = self.hidden;
        self.hidden = hidden_outside | marks;
        for (key, value) in elements(&collection) {
            let outside = self.names.len();
            if let Some(name) = &each.key_name {
                self.names.push((name.clone(), key));
            }
            self.names.push((each.value_name.clone(), value));
            known &= self.for_element(each, &mut tuple, &mut object, &mut marks);
            self.names.truncate(outside);
            if !known && each.condition.is_some() {
                // Which elements follow is not known, either: nothing is said of them.
                break;
            }
        }
        self.hidden = hidden_outside;
        if !known {
            let inner =
                tuple.iter().chain(object.values().flatten()).fold(marks, |marks, value| marks | value.marks_deep());
            return failed().marked(inner);
        }
        let result = match (&each.key, each.grouping) {
            (None, _) => Value::tuple(tuple),
            (Some(_), true) => Value::object(object.into_iter().map(|(key, values)| (key, Value::tuple(values)))),
            (Some(_), false) => {
                Value::object(object.into_iter().filter_map(|(key, mut values)| Some((key, values.drain(..).next()?))))
            }
        };
        result.marked(marks)
    }

    /// Takes in one element. Returns whether the result can still be known.
    fn for_element(
        &mut self,
        each: &For,
        tuple: &mut Vec<Value>,
        object: &mut BTreeMap<String, Vec<Value>>,
        marks: &mut Marks,
    ) -> bool {
        match self.choice(each, marks) {
            Choice::Skip => return true,
            Choice::Undecided => return false,
            Choice::Take => {}
        }
        let Some(key) = &each.key else {
            let value = self.value(&each.value);
            tuple.push(value);
            return true;
        };
        let failures = self.diagnostics.error_count();
        let given = self.value(key);
        *marks = *marks | given.marks();
        if self.diagnostics.error_count() > failures {
            return false;
        }
        let invalid = |detail: String| Diagnostic::error("Invalid object key", detail).at(key.span());
        if given.is_null() {
            self.fail(invalid("Key expression in 'for' expression must not produce a null value.".to_owned()), key);
            return false;
        }
        if !given.is_known() {
            // Nothing is said of a value whose place is not known.
            return false;
        }
        let converted = match convert(&given, &Type::String) {
            Ok(converted) => converted,
            Err(error) => {
                self.fail(invalid(format!("The key expression produced an invalid result: {error}.")), key);
                return false;
            }
        };
        let value = self.value(&each.value);
        let Some(name) = converted.as_str() else { return false };
        let collected = object.entry(name.to_owned()).or_default();
        if !each.grouping && !collected.is_empty() {
            let shown =
                if (self.hidden | *marks).is_private() { "(sensitive value)".to_owned() } else { format!("{name:?}") };
            let detail = format!(
                "Two different items produced the key {shown} in this 'for' expression. If duplicates are expected, use the ellipsis \
                 (...) after the value expression to enable grouping by key."
            );
            self.fail(Diagnostic::error("Duplicate object key", detail).at(key.span()), key);
            return false;
        }
        collected.push(value);
        true
    }

    fn choice(&mut self, each: &For, marks: &mut Marks) -> Choice {
        let Some(condition) = &each.condition else { return Choice::Take };
        let failures = self.diagnostics.error_count();
        let given = self.value(condition);
        *marks = *marks | given.marks();
        if self.diagnostics.error_count() > failures {
            return Choice::Undecided;
        }
        let invalid = |detail: String| Diagnostic::error("Invalid 'for' condition", detail).at(condition.span());
        if given.is_null() {
            self.fail(invalid("The value of the 'if' clause must not be null.".to_owned()), condition);
            return Choice::Undecided;
        }
        match convert(&given, &Type::Bool).map(|decided| decided.as_bool()) {
            Ok(Some(true)) => Choice::Take,
            Ok(Some(false)) => Choice::Skip,
            Ok(None) => Choice::Undecided,
            Err(error) => {
                self.fail(invalid(format!("The 'if' clause value is invalid: {error}.")), condition);
                Choice::Undecided
            }
        }
    }

    /// `source[*]` and `source.*`, and the steps after it in each element.
    pub(super) fn splat(&mut self, source: Value, each: &[Step], span: &Span, expression: &Expression) -> Value {
        let (source, marks) = source.unmark();
        let sequence = match source.kind() {
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => true,
            Kind::Null(ty) | Kind::Unknown(Unknown { ty, .. }) => {
                matches!(ty, Type::Tuple(_) | Type::List(_) | Type::Set(_))
            }
            Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Map(..) | Kind::Object(_) => false,
        };
        if source.is_null() {
            if !sequence {
                return Value::tuple([]).marked(marks);
            }
            let detail = "Splat expressions (with the * symbol) cannot be applied to null sequences.";
            let diagnostic = Diagnostic::error("Splat of null value", detail).at(span.clone());
            return self.fail(diagnostic, expression);
        }
        if is_dynamic(&source) {
            return failed().marked(marks);
        }
        // A single value counts as a sequence of one; whether it is null decides whether there is even that one.
        let perhaps_null = !sequence && !is_not_null(&source);
        let source = if sequence { source } else { Value::tuple([source]) };
        let result = match source.kind() {
            Kind::Unknown(unknown) => self.splat_unknown(&unknown.ty, &unknown.refinement, each, expression),
            Kind::Tuple(elements) => {
                let values: Vec<Value> =
                    elements.iter().map(|element| self.steps(element.clone(), each, expression)).collect();
                if perhaps_null { failed() } else { Value::tuple(values) }
            }
            Kind::List(element, elements) | Kind::Set(element, elements) => {
                let values: Vec<Value> =
                    elements.iter().map(|element| self.steps(element.clone(), each, expression)).collect();
                let ty = match values.first() {
                    Some(first) => first.ty(),
                    None => self.steps(Value::unknown(element.clone()), each, expression).ty(),
                };
                // Elements that could be unknown in different ways need not agree in type.
                if values.iter().all(|value| value.ty() == ty) { Value::list(ty, values) } else { Value::tuple(values) }
            }
            _ => failed(),
        };
        result.marked(marks)
    }

    fn splat_unknown(&mut self, ty: &Type, refinement: &Refinement, each: &[Step], expression: &Expression) -> Value {
        match ty {
            Type::List(element) | Type::Set(element) => {
                let inner = self.steps(Value::unknown((**element).clone()), each, expression).ty();
                let kept = Refinement {
                    not_null: true,
                    minimum_length: refinement.minimum_length,
                    maximum_length: refinement.maximum_length,
                    ..Refinement::default()
                };
                Value::refined(Type::list(inner), kept)
            }
            Type::Tuple(elements) => {
                let types =
                    elements.iter().map(|ty| self.steps(Value::unknown(ty.clone()), each, expression).ty()).collect();
                Value::refined(Type::Tuple(types), Refinement { not_null: true, ..Refinement::default() })
            }
            _ => failed(),
        }
    }
}

/// Whether a value is a string, a number or a bool, or will be one.
fn has_primitive_type(value: &Value) -> bool {
    match value.kind() {
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => true,
        Kind::Null(ty) | Kind::Unknown(Unknown { ty, .. }) => ty.is_primitive(),
        Kind::List(..) | Kind::Set(..) | Kind::Map(..) | Kind::Tuple(_) | Kind::Object(_) => false,
    }
}

/// The keys and values of a known collection: numbers for lists and tuples, names for maps and objects, the values themselves for sets.
pub(crate) fn elements(collection: &Value) -> Vec<(Value, Value)> {
    match collection.kind() {
        Kind::List(_, elements) | Kind::Tuple(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, value)| (Value::from(Number::from(index)), value.clone()))
            .collect(),
        Kind::Set(_, elements) => elements.iter().map(|value| (value.clone(), value.clone())).collect(),
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            attributes.iter().map(|(name, value)| (Value::from(name.as_str()), value.clone())).collect()
        }
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => Vec::new(),
    }
}
