//! Expressions: our own syntax tree, with a span on every node, and the references in it.
//!
//! The tree is made by `lower` from what hcl-edit parsed, and evaluated by `evaluate`. Nothing here computes.

use std::fmt;
use std::sync::Arc;

use pipectl_core::{Span, Value};

use crate::reference::{self, InvalidReference, Reference};

/// An expression. Cheap to clone: the tree is shared.
#[derive(Clone)]
pub struct Expression {
    node: Arc<Node>,
    span: Span,
}

/// What an expression is made of.
#[derive(Debug)]
pub(crate) enum Node {
    /// A literal: null, bool, number, or text without templates.
    Literal(Value),
    /// Text without templates that is written with escapes, as an element of a list. Where each of its bytes begins in the file, and where it ends.
    Escaped { value: Value, places: Arc<[usize]> },
    /// Parts that are turned into strings and joined.
    Template(Vec<Expression>),
    /// The strings that a `%{ for }` directive makes, joined.
    Join(Expression),
    /// `(x)`: the same value as `x`.
    Wrapped(Expression),
    /// `"${x}"`: the same value as `x`.
    Interpolation(Expression),
    /// A root name or a value, and steps into it.
    Traversal(Traversal),
    /// `[a, b]`
    Tuple(Vec<Expression>),
    /// `{ a = b }`
    Object(Vec<Item>),
    /// `a ? b : c`
    Conditional { condition: Expression, accepted: Expression, rejected: Expression },
    /// `f(a, b...)`
    Call(Call),
    /// `!a`, `-a`
    Unary { operator: UnaryOperator, operand: Expression },
    /// `a + b`
    Binary { operator: BinaryOperator, left: Expression, right: Expression },
    /// `[for k, v in a : b if c]` and `{for k, v in a : b => c... if d}`
    For(Box<For>),
}

/// Steps into a value.
#[derive(Debug)]
pub(crate) struct Traversal {
    pub(crate) source: Source,
    pub(crate) steps: Vec<Step>,
}

/// Where a traversal starts.
#[derive(Debug)]
pub(crate) enum Source {
    /// A name: of a `for` expression, or the root of a reference.
    Root { name: String, span: Span },
    /// The value of another expression.
    Value(Expression),
}

/// One step of a traversal.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `.name`
    Attribute { name: String, span: Span },
    /// `[key]`, or the old form `.0`
    Index { key: Expression, span: Span },
    /// `[*]` or `.*` and the steps that are taken in each element.
    Splat { each: Vec<Step>, span: Span },
}

/// One item of an object constructor.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) value: Expression,
}

/// The key of an item.
#[derive(Debug)]
pub(crate) enum Key {
    /// A bare name, `null`, `true` and `false` too.
    Name(String),
    /// Anything else. `a.b` without parentheses is refused on evaluation: it could mean either a name or a reference.
    Expression(Expression),
}

/// A function call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) arguments: Vec<Expression>,
    /// Whether `...` follows the last argument.
    pub(crate) expand_final: bool,
    /// The closing parenthesis.
    pub(crate) close_span: Span,
}

/// A `for` expression.
#[derive(Debug)]
pub(crate) struct For {
    pub(crate) key_name: Option<String>,
    pub(crate) value_name: String,
    pub(crate) collection: Expression,
    /// Given when the result is an object.
    pub(crate) key: Option<Expression>,
    pub(crate) value: Expression,
    pub(crate) condition: Option<Expression>,
    /// Whether values with the same key are collected.
    pub(crate) grouping: bool,
}

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Negate,
    Not,
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Takes a name that is or should be a reference, where it stands, and the step that follows it.
pub(crate) type VisitReference<'a> = dyn FnMut(Result<Reference, InvalidReference>, Span, Option<&Step>) + 'a;

impl Expression {
    pub(crate) fn new(node: Node, span: Span) -> Self {
        Self { node: Arc::new(node), span }
    }

    /// An expression that stands for a value: for defaults and tests.
    pub fn literal(value: Value, span: Span) -> Self {
        Self::new(Node::Literal(value), span)
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The text of a string literal without templates.
    pub fn as_literal_str(&self) -> Option<&str> {
        match self.node() {
            Node::Literal(value) | Node::Escaped { value, .. } => value.as_str(),
            _ => None,
        }
    }

    /// The word that it is: a bare name without any steps, like `all` or `plan`.
    pub fn keyword(&self) -> Option<&str> {
        match self.node() {
            Node::Traversal(Traversal { source: Source::Root { name, .. }, steps }) if steps.is_empty() => Some(name),
            _ => None,
        }
    }

    /// All references, each with where it stands, in the order of the text. Names of `for` expressions are not references;
    /// names that make no reference (`var` alone) are left out: evaluation and `check_references` say so.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let mut found = Vec::new();
        self.visit_references(&mut |reference, span, _| {
            if let Ok(reference) = reference {
                found.push((reference, span));
            }
        });
        found
    }

    /// Calls `visit` for every name that is or should be a reference.
    pub(crate) fn visit_references(&self, visit: &mut VisitReference<'_>) {
        self.visit_inside(&mut Vec::new(), visit);
    }

    /// The same where names already mean something else.
    pub(crate) fn visit_inside(&self, shadowed: &mut Vec<String>, visit: &mut VisitReference<'_>) {
        walk(self, shadowed, &mut |traversal, shadowed| match traversal.reference(shadowed) {
            Some((Ok((reference, consumed)), span)) => visit(Ok(reference), span, traversal.steps.get(consumed)),
            Some((Err(invalid), span)) => visit(Err(invalid), span, None),
            None => {}
        });
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.node, f)
    }
}

impl Traversal {
    /// The attribute names that directly follow the root, with their spans.
    pub(crate) fn leading_names(&self) -> Vec<(&str, &Span)> {
        self.steps
            .iter()
            .map_while(|step| match step {
                Step::Attribute { name, span } => Some((name.as_str(), span)),
                Step::Index { .. } | Step::Splat { .. } => None,
            })
            .collect()
    }

    /// The reference that this traversal starts with, how many steps belong to it, and where it stands. Nothing when it starts with a
    /// value or with a name that a `for` expression defines.
    #[allow(clippy::type_complexity)]
    pub(crate) fn reference(
        &self,
        shadowed: &[String],
    ) -> Option<(Result<(Reference, usize), InvalidReference>, Span)> {
        let Source::Root { name, span } = &self.source else { return None };
        if shadowed.contains(name) {
            return None;
        }
        if let Some((module, output, _, span)) = self.output_of_instance() {
            let (module, output) = (module.to_owned(), output.to_owned());
            return Some((Ok((Reference::ModuleOutput { module, output, of_instances: true }, 3)), span));
        }
        let names = self.leading_names();
        let plain: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let parsed = reference::parse(name, &plain);
        // `each.key` is shown whole, though the reference itself is `each`.
        let shown = match &parsed {
            Ok((Reference::Each | Reference::Count, _)) => 1,
            Ok((_, consumed)) => *consumed,
            Err(_) => 0,
        };
        let end = names[..shown.min(names.len())].last().map_or(span.range.end, |(_, span)| span.range.end);
        Some((parsed, Span { source: span.source, range: span.range.start..end }))
    }
}

impl Traversal {
    /// The parts of `module.name["key"].output`: the module, the output, the key, and where all that stands. Like Terraform, only a key that
    /// is written out makes it a reference to one output; with any other, the traversal refers to the module as a whole.
    pub(crate) fn output_of_instance(&self) -> Option<(&str, &str, &Value, Span)> {
        let Source::Root { name, span } = &self.source else { return None };
        match (name.as_str(), self.steps.as_slice()) {
            (
                "module",
                [
                    Step::Attribute { name: module, .. },
                    Step::Index { key, .. },
                    Step::Attribute { name: output, span: end },
                    ..,
                ],
            ) => match key.node() {
                Node::Literal(key) => {
                    let span = Span { source: span.source, range: span.range.start..end.range.end };
                    Some((module, output, key, span))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Calls `visit` for every traversal with the names that `for` expressions define around it, outside in.
pub(crate) fn walk<'a>(
    expression: &'a Expression,
    shadowed: &mut Vec<String>,
    visit: &mut dyn FnMut(&'a Traversal, &[String]),
) {
    match expression.node() {
        Node::Literal(_) | Node::Escaped { .. } => {}
        Node::Template(parts) | Node::Tuple(parts) => parts.iter().for_each(|part| walk(part, shadowed, visit)),
        Node::Join(inner) | Node::Wrapped(inner) | Node::Interpolation(inner) | Node::Unary { operand: inner, .. } => {
            walk(inner, shadowed, visit)
        }
        Node::Traversal(traversal) => {
            visit(traversal, shadowed);
            if let Source::Value(source) = &traversal.source {
                walk(source, shadowed, visit);
            }
            walk_steps(&traversal.steps, shadowed, visit);
        }
        Node::Object(items) => {
            for item in items {
                if let Key::Expression(key) = &item.key {
                    walk(key, shadowed, visit);
                }
                walk(&item.value, shadowed, visit);
            }
        }
        Node::Conditional { condition, accepted, rejected } => {
            walk(condition, shadowed, visit);
            walk(accepted, shadowed, visit);
            walk(rejected, shadowed, visit);
        }
        Node::Call(call) => call.arguments.iter().for_each(|argument| walk(argument, shadowed, visit)),
        Node::Binary { left, right, .. } => {
            walk(left, shadowed, visit);
            walk(right, shadowed, visit);
        }
        Node::For(each) => {
            walk(&each.collection, shadowed, visit);
            let outside = shadowed.len();
            shadowed.extend(each.key_name.clone());
            shadowed.push(each.value_name.clone());
            for inner in [each.key.as_ref(), Some(&each.value), each.condition.as_ref()].into_iter().flatten() {
                walk(inner, shadowed, visit);
            }
            shadowed.truncate(outside);
        }
    }
}

fn walk_steps<'a>(steps: &'a [Step], shadowed: &mut Vec<String>, visit: &mut dyn FnMut(&'a Traversal, &[String])) {
    for step in steps {
        match step {
            Step::Attribute { .. } => {}
            Step::Index { key, .. } => walk(key, shadowed, visit),
            Step::Splat { each, .. } => walk_steps(each, shadowed, visit),
        }
    }
}
