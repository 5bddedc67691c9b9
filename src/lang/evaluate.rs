//! The evaluator: expressions and a scope make values. Unknown values and marks pass through everything.
//!
//! Semantics are those of HCL 2.23 as Terraform 1.11 uses it, measured against `terraform console` (see `tests/fixtures`).
//! Two deliberate differences: marks of an index key stay on the element, and `false && unknown` is false and `true || unknown` is
//! true.

mod access;
mod conditional;
mod explain;
mod iterate;
mod module;
mod operators;
mod template;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Diagnostics, Kind, Marks, Span, Type, Value};

use crate::expression::{Expression, Item, Key, Node, Source, Step, Traversal};
use crate::functions;
use crate::reference;
use crate::scope::Scope;

pub(crate) use explain::{missing, undeclared_local, undeclared_module, undeclared_object, undeclared_variable};
pub(crate) use iterate::elements;
pub(crate) use operators::equal;
pub(crate) use template::certain_prefix;

/// The value of an expression.
///
/// # Errors
/// All findings of all parts of the expression, with spans, and with the values of the references in the failed part.
pub fn evaluate(expression: &Expression, scope: &Scope) -> Result<Value, Diagnostics> {
    Evaluator::with_names(scope, Vec::new()).finish(expression)
}

/// What an expression refers to, and what can be said of each in a line: of what is sensitive or ephemeral, no more than that it is.
pub fn referenced_values(expression: &Expression, scope: &Scope) -> Vec<(String, String)> {
    explain::values_in(&Evaluator::with_names(scope, Vec::new()), expression)
}

/// The same findings, each once: a `for` expression finds the same in every element.
pub(crate) fn once_each(diagnostics: Diagnostics) -> Diagnostics {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        let same = |known: &Diagnostic| {
            (&known.summary, &known.detail, &known.span) == (&diagnostic.summary, &diagnostic.detail, &diagnostic.span)
        };
        if !kept.iter().any(same) {
            kept.push(diagnostic);
        }
    }
    kept.into_iter().collect()
}

/// One evaluation: a scope, the names of `for` expressions around, and what went wrong so far.
///
/// A part that fails has the unknown value of any type, so that the other parts are still checked.
pub(crate) struct Evaluator<'a> {
    pub(crate) scope: &'a Scope,
    names: Vec<(String, Value)>,
    /// Marks of the collections that `for` expressions around go through: their elements have lost them, the results get them back.
    pub(crate) hidden: Marks,
    pub(crate) diagnostics: Diagnostics,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn with_names(scope: &'a Scope, names: Vec<(String, Value)>) -> Self {
        Self { scope, names, hidden: Marks::NONE, diagnostics: Diagnostics::new() }
    }

    pub(crate) fn finish(mut self, expression: &Expression) -> Result<Value, Diagnostics> {
        let value = self.value(expression);
        if self.diagnostics.has_errors() { Err(once_each(self.diagnostics)) } else { Ok(value) }
    }

    pub(crate) fn value(&mut self, expression: &Expression) -> Value {
        match expression.node() {
            Node::Literal(value) | Node::Escaped { value, .. } => value.clone(),
            Node::Template(parts) => self.template(parts),
            Node::Join(tuple) => self.join(tuple, expression),
            Node::Wrapped(inner) | Node::Interpolation(inner) => self.value(inner),
            Node::Traversal(traversal) => self.traversal(traversal, expression),
            Node::Tuple(elements) => {
                Value::tuple(elements.iter().map(|element| self.value(element)).collect::<Vec<_>>())
            }
            Node::Object(items) => self.object(items),
            Node::Conditional { condition, accepted, rejected } => self.conditional(condition, accepted, rejected),
            Node::Call(call) => functions::call(self, call, expression),
            Node::Unary { operator, operand } => self.unary(*operator, operand, expression),
            Node::Binary { operator, left, right } => self.binary(*operator, left, right, expression),
            Node::For(each) => self.for_each(each),
        }
    }

    /// The value of an expression and what went wrong in it, which is not counted yet.
    pub(crate) fn apart(&mut self, expression: &Expression) -> (Value, Diagnostics) {
        let before = std::mem::take(&mut self.diagnostics);
        let value = self.value(expression);
        let found = std::mem::replace(&mut self.diagnostics, before);
        (value, found)
    }

    /// Reports an error about `expression`, with the values of its references. The value of what failed is unknown.
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic, expression: &Expression) -> Value {
        let mut diagnostic = diagnostic;
        diagnostic.values = explain::values_in(self, expression);
        self.diagnostics.push(diagnostic);
        failed()
    }

    fn name(&self, name: &str) -> Option<&Value> {
        let local = self.names.iter().rev().find(|(defined, _)| defined == name).map(|(_, value)| value);
        local.or_else(|| self.scope.name(name))
    }

    fn traversal(&mut self, traversal: &Traversal, expression: &Expression) -> Value {
        let (value, consumed) = match &traversal.source {
            Source::Value(source) => {
                let failures = self.diagnostics.error_count();
                let value = self.value(source);
                if self.diagnostics.error_count() > failures {
                    return failed();
                }
                (value, 0)
            }
            Source::Root { name, span } => match self.root(name, span, traversal) {
                Ok(found) => found,
                Err(diagnostic) => {
                    self.diagnostics.push(diagnostic);
                    return failed();
                }
            },
        };
        self.steps(value, &traversal.steps[consumed..], expression)
    }

    /// The value that a root name and the attribute names after it stand for, and how many of those belong to it.
    fn root(&self, name: &str, span: &Span, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        if let Some(value) = self.name(name) {
            return Ok((value.clone(), 0));
        }
        if self.scope.is_constant() {
            return Err(Diagnostic::error("Variables not allowed", "Variables may not be used here.").at(span.clone()));
        }
        if self.scope.template().is_some() {
            return Err(explain::unknown_template_name(self, name).at(span.clone()));
        }
        if let Some(found) = module::value(self.scope, name, traversal) {
            return found;
        }
        let names = traversal.leading_names();
        let plain: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let (reference, consumed) = match reference::parse(name, &plain) {
            Ok(parsed) => parsed,
            Err(invalid) => return Err(explain::invalid(self, &invalid, name).at(span.clone())),
        };
        if let Some(value) = self.scope.get(&reference) {
            return Ok((value.clone(), consumed));
        }
        let end = names.get(consumed.wrapping_sub(1)).map_or(span.range.end, |(_, span)| span.range.end);
        let whole = Span { source: span.source, range: span.range.start..end };
        explain::default_value(&reference)
            .map(|value| (value, consumed))
            .ok_or_else(|| explain::missing(self.scope, &reference).at(whole))
    }

    pub(crate) fn steps(&mut self, mut value: Value, steps: &[Step], expression: &Expression) -> Value {
        for step in steps {
            let next = match step {
                Step::Attribute { name, span } => {
                    access::attribute(&value, name).map_err(|diagnostic| diagnostic.at(span.clone()))
                }
                Step::Index { key, span } => {
                    let failures = self.diagnostics.error_count();
                    let key = self.value(key);
                    if self.diagnostics.error_count() > failures {
                        return failed();
                    }
                    access::index(&value, &key).map_err(|diagnostic| diagnostic.at(span.clone()))
                }
                Step::Splat { each, span } => {
                    value = self.splat(value, each, span, expression);
                    continue;
                }
            };
            value = match next {
                Ok(value) => value,
                Err(diagnostic) => return self.fail(diagnostic, expression),
            };
        }
        value
    }

    fn object(&mut self, items: &[Item]) -> Value {
        let mut attributes = std::collections::BTreeMap::new();
        let mut marks = Marks::NONE;
        let mut known = true;
        for item in items {
            let failures = self.diagnostics.error_count();
            let key = match &item.key {
                Key::Name(name) => Some(Value::from(name.as_str())),
                Key::Expression(key) => self.key(key, failures),
            };
            let value = self.value(&item.value);
            let Some((key, own)) = key.map(Value::unmark) else {
                known = false;
                continue;
            };
            marks = marks | own;
            match key.as_str() {
                Some(name) => {
                    attributes.insert(name.to_owned(), value);
                }
                None => known = false,
            }
        }
        if known { Value::object(attributes).marked(marks) } else { failed().marked(marks) }
    }

    /// The key of an item as a string, which may be unknown.
    fn key(&mut self, expression: &Expression, failures: usize) -> Option<Value> {
        if let Node::Traversal(Traversal { source: Source::Root { .. }, steps }) = expression.node()
            && !steps.is_empty()
        {
            let detail = "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal \
                          name containing periods, wrap it in quotes to create a string literal.";
            self.diagnostics.push(Diagnostic::error("Ambiguous attribute key", detail).at(expression.span()));
            return None;
        }
        let key = self.value(expression);
        if self.diagnostics.error_count() > failures {
            return None;
        }
        if key.is_null() {
            let diagnostic =
                Diagnostic::error("Null value as key", "Can't use a null value as a key.").at(expression.span());
            self.fail(diagnostic, expression);
            return None;
        }
        match convert(&key, &Type::String) {
            Ok(key) => Some(key),
            Err(error) => {
                let detail = format!("Can't use this value as a key: {error}.");
                self.fail(Diagnostic::error("Incorrect key type", detail).at(expression.span()), expression);
                None
            }
        }
    }
}

/// What a part that failed evaluates to.
pub(crate) fn failed() -> Value {
    Value::unknown(Type::Any)
}

/// Whether nothing at all is known of a value, not even its type.
pub(crate) fn is_dynamic(value: &Value) -> bool {
    matches!(value.kind(), Kind::Unknown(unknown) if unknown.ty == Type::Any)
}

/// Whether a value can be said not to be null.
pub(crate) fn is_not_null(value: &Value) -> bool {
    match value.kind() {
        Kind::Null(_) => false,
        Kind::Unknown(unknown) => unknown.refinement.not_null,
        _ => true,
    }
}
