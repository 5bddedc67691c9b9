//! From what hcl-edit parsed to our own tree: spans on every node, exact numbers, Terraform's grouping of splats.
//!
//! Text is always read again from the source through its span, because hcl-edit's own values are not Terraform's in all cases:
//! numbers lose digits, and `<<-` with strip markers loses the wrong spaces.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr as hcl;
use hcl_edit::structure;
use indexmap::IndexMap;
use pipectl_core::{Diagnostic, Diagnostics, Number, Span, Value};

use crate::body::{Argument, Body, NestedBlock};
use crate::expression::{
    BinaryOperator, Call, Expression, For, Item, Key, Node, Source, Step, Traversal, UnaryOperator,
};
use crate::lower_template;
use crate::object_parts::{Divided, Part};
use crate::origin::Origin;

/// How many splats may follow one another: each takes the rest of the steps into its elements.
const MAX_SPLATS: usize = 64;

/// What lowering needs to know of the text that was parsed.
pub(crate) struct Lower<'a> {
    /// The text as written, of which hcl-edit saw a copy with the same byte positions.
    pub(crate) text: &'a str,
    /// Where `text` stands.
    pub(crate) origin: &'a Origin,
    /// Object constructors that hcl-edit saw empty.
    divided: &'a [Divided],
    pub(crate) diagnostics: Diagnostics,
}

impl<'a> Lower<'a> {
    pub(crate) fn new(text: &'a str, origin: &'a Origin, divided: &'a [Divided]) -> Self {
        Self { text, origin, divided, diagnostics: Diagnostics::new() }
    }

    /// The span in the file of a range of `text`.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        self.origin.span(range)
    }

    fn written(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or("")
    }

    pub(crate) fn body(&mut self, body: &structure::Body, range: Range<usize>) -> Body {
        let mut arguments = IndexMap::new();
        let mut blocks = Vec::new();
        for item in body {
            match item {
                structure::Structure::Attribute(attribute) => {
                    let argument = self.argument(attribute);
                    arguments.insert(argument.name.clone(), argument);
                }
                structure::Structure::Block(block) => blocks.push(self.block(block)),
            }
        }
        Body::new(arguments, blocks, self.span(range))
    }

    fn argument(&mut self, attribute: &structure::Attribute) -> Argument {
        let range = attribute.span().unwrap_or(0..0);
        let name_range = attribute.key.span().unwrap_or(range.clone());
        Argument {
            name: attribute.key.as_str().to_owned(),
            name_span: self.span(name_range),
            value: self.expression(&attribute.value, &range),
        }
    }

    fn block(&mut self, block: &structure::Block) -> NestedBlock {
        let range = block.span().unwrap_or(0..0);
        let kind_range = block.ident.span().unwrap_or(range.clone());
        let mut header_end = kind_range.end;
        let labels = block
            .labels
            .iter()
            .map(|label| {
                let label_range = match label {
                    structure::BlockLabel::Ident(ident) => ident.span(),
                    structure::BlockLabel::String(text) => text.span(),
                }
                .unwrap_or(kind_range.clone());
                header_end = header_end.max(label_range.end);
                (label.as_str().to_owned(), self.span(label_range))
            })
            .collect();
        let open = self
            .text
            .get(header_end..range.end)
            .and_then(|rest| rest.find('{'))
            .map_or(header_end, |at| header_end + at);
        NestedBlock {
            kind: block.ident.as_str().to_owned(),
            labels,
            body: self.body(&block.body, open..range.end),
            span: self.span(kind_range.start..header_end),
        }
    }

    /// An element of a list. It may be a reference in quotes, and whoever takes it out of them has to know where its parts stand.
    fn element(&mut self, element: &hcl::Expression, outer: &Range<usize>) -> Expression {
        let range = element.span().unwrap_or(outer.clone());
        let is_escaped = matches!(element, hcl::Expression::String(_))
            && self.text.get(range.clone()).is_some_and(|text| text.contains('\\'));
        if !is_escaped {
            return self.expression(element, outer);
        }
        let inside = range.start + 1..range.end.saturating_sub(1).max(range.start + 1);
        let (value, places) = lower_template::unescape_with_places(self, inside);
        Expression::new(Node::Escaped { value: Value::from(value), places: places.into() }, self.span(range))
    }

    /// `outer` is where to point when hcl-edit kept no span of its own.
    pub(crate) fn expression(&mut self, expression: &hcl::Expression, outer: &Range<usize>) -> Expression {
        let range = expression.span().unwrap_or(outer.clone());
        let node = match expression {
            hcl::Expression::Null(_) => Node::Literal(Value::null()),
            hcl::Expression::Bool(flag) => Node::Literal(Value::from(*flag.value())),
            hcl::Expression::Number(_) => self.number(&range),
            hcl::Expression::String(_) => {
                let inside = range.start + 1..range.end.saturating_sub(1).max(range.start + 1);
                Node::Literal(Value::from(lower_template::unescape(self, inside, true)))
            }
            hcl::Expression::Array(array) => {
                Node::Tuple(array.iter().map(|element| self.element(element, &range)).collect())
            }
            hcl::Expression::Object(object) => {
                match self.divided.binary_search_by_key(&range.start, |divided| divided.start) {
                    Ok(position) => Node::Object(self.items_of_parts(&self.divided[position].parts)),
                    Err(_) => Node::Object(object.iter().map(|(key, value)| self.item(key, value, &range)).collect()),
                }
            }
            hcl::Expression::StringTemplate(template) => return lower_template::quoted(self, template, range),
            hcl::Expression::HeredocTemplate(heredoc) => return lower_template::heredoc(self, heredoc, range),
            hcl::Expression::Parenthesis(inner) => Node::Wrapped(self.expression(inner.inner(), &range)),
            hcl::Expression::Variable(name) => Node::Traversal(Traversal {
                source: Source::Root { name: name.as_str().to_owned(), span: self.span(range.clone()) },
                steps: Vec::new(),
            }),
            hcl::Expression::Conditional(conditional) => Node::Conditional {
                condition: self.expression(&conditional.cond_expr, &range),
                accepted: self.expression(&conditional.true_expr, &range),
                rejected: self.expression(&conditional.false_expr, &range),
            },
            hcl::Expression::FuncCall(call) => self.call(call, &range),
            hcl::Expression::Traversal(traversal) => self.traversal(traversal, &range),
            hcl::Expression::UnaryOp(operation) => Node::Unary {
                operator: match operation.operator.value() {
                    hcl::UnaryOperator::Neg => UnaryOperator::Negate,
                    hcl::UnaryOperator::Not => UnaryOperator::Not,
                },
                operand: self.expression(&operation.expr, &range),
            },
            hcl::Expression::BinaryOp(operation) => Node::Binary {
                operator: binary_operator(*operation.operator.value()),
                left: self.expression(&operation.lhs_expr, &range),
                right: self.expression(&operation.rhs_expr, &range),
            },
            hcl::Expression::ForExpr(each) => Node::For(Box::new(For {
                key_name: each.intro.key_var.as_ref().map(|name| name.as_str().to_owned()),
                value_name: each.intro.value_var.as_str().to_owned(),
                collection: self.expression(&each.intro.collection_expr, &range),
                key: each.key_expr.as_ref().map(|key| self.expression(key, &range)),
                value: self.expression(&each.value_expr, &range),
                condition: each.cond.as_ref().map(|condition| self.expression(&condition.expr, &range)),
                grouping: each.grouping,
            })),
        };
        Expression::new(node, self.span(range))
    }

    /// hcl-edit reads numbers as doubles; the text has all digits.
    fn number(&mut self, range: &Range<usize>) -> Node {
        let written = self.written(range);
        // Blanks, line breaks and comments may stand between the sign and the digits.
        let is_between = |c: char| !c.is_ascii_digit() && !['e', 'E', '.', '+', '-'].contains(&c);
        let end = written.char_indices().rfind(|(_, c)| is_between(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        let (before, digits) = written.split_at(end);
        let sign = if before.starts_with('-') { "-" } else { "" };
        let text = format!("{sign}{digits}");
        match text.parse::<Number>() {
            Ok(number) => Node::Literal(Value::from(number)),
            Err(error) => {
                let detail = format!("The number literal {text} cannot be used: {error}.");
                self.diagnostics.push(Diagnostic::error("Invalid number literal", detail).at(self.span(range.clone())));
                Node::Literal(Value::from(Number::ZERO))
            }
        }
    }

    fn item(&mut self, key: &hcl::ObjectKey, value: &hcl::ObjectValue, outer: &Range<usize>) -> Item {
        let range = key.span().unwrap_or(outer.clone());
        let key = match key {
            hcl::ObjectKey::Ident(name) => Key::Name(name.as_str().to_owned()),
            hcl::ObjectKey::Expression(expression) => match expression {
                hcl::Expression::Null(_) | hcl::Expression::Bool(_) => Key::Name(self.written(&range).to_owned()),
                other => Key::Expression(self.expression(other, &range)),
            },
        };
        Item { key, value: self.expression(value.expr(), outer) }
    }

    fn items_of_parts(&mut self, parts: &[Part]) -> Vec<Item> {
        let mut items = Vec::new();
        for part in parts {
            let origin = self.origin.beginning_at(part.start);
            let mut lower = Lower::new(&part.text, &origin, &part.parsed.divided);
            if let hcl::Expression::Object(object) = &part.parsed.tree {
                items.extend(object.iter().map(|(key, value)| lower.item(key, value, &(0..part.text.len()))));
            }
            self.diagnostics.extend(lower.diagnostics);
        }
        items
    }

    fn call(&mut self, call: &hcl::FuncCall, range: &Range<usize>) -> Node {
        let parts: Vec<&str> =
            call.name.namespace.iter().chain(std::iter::once(&call.name.name)).map(|name| name.as_str()).collect();
        let first = call.name.namespace.first().unwrap_or(&call.name.name);
        let start = first.span().unwrap_or(range.clone()).start;
        let end = call.name.name.span().unwrap_or(range.clone()).end;
        Node::Call(Call {
            name: parts.join("::"),
            name_span: self.span(start..end),
            arguments: call.args.iter().map(|argument| self.expression(argument, range)).collect(),
            expand_final: call.args.expand_final(),
            close_span: self.span(range.end.saturating_sub(1)..range.end),
        })
    }

    fn traversal(&mut self, traversal: &hcl::Traversal, range: &Range<usize>) -> Node {
        let source = match &traversal.expr {
            hcl::Expression::Variable(name) => {
                let name_range = name.span().unwrap_or(range.clone());
                Source::Root { name: name.as_str().to_owned(), span: self.span(name_range) }
            }
            other => Source::Value(self.expression(other, range)),
        };
        let splats = traversal.operators.iter().filter(|operator| is_splat(operator.value())).count();
        if splats > MAX_SPLATS {
            let detail = format!("At most {MAX_SPLATS} splat expressions may follow one another.");
            self.diagnostics.push(Diagnostic::error("Too deeply nested", detail).at(self.span(range.clone())));
            return Node::Literal(Value::null());
        }
        let operators: Vec<(&hcl::TraversalOperator, Range<usize>)> = traversal
            .operators
            .iter()
            .map(|operator| (operator.value(), operator.span().unwrap_or(range.clone())))
            .collect();
        Node::Traversal(Traversal { source, steps: self.steps(&operators, false) })
    }

    /// `[*]` takes all steps after it into each element, `.*` only attributes and old-style indices.
    fn steps(&mut self, mut operators: &[(&hcl::TraversalOperator, Range<usize>)], in_splat: bool) -> Vec<Step> {
        let mut steps = Vec::with_capacity(operators.len());
        let mut after_legacy_index = false;
        while let Some(((operator, range), rest)) = operators.split_first() {
            operators = rest;
            let span = self.span(range.clone());
            let legacy = matches!(operator, hcl::TraversalOperator::LegacyIndex(_));
            if legacy && after_legacy_index {
                let splat = if in_splat { " with a full splat expression [*]" } else { "" };
                let detail = format!(
                    "When using the legacy index syntax, chaining two indexes together is not permitted. Use the proper index syntax{splat} \
                     instead, like [0][0]."
                );
                self.diagnostics.push(Diagnostic::error("Invalid legacy index syntax", detail).at(span.clone()));
            }
            after_legacy_index = legacy;
            steps.push(match operator {
                hcl::TraversalOperator::GetAttr(name) => Step::Attribute { name: name.as_str().to_owned(), span },
                hcl::TraversalOperator::Index(key) => Step::Index { key: self.expression(key, range), span },
                hcl::TraversalOperator::LegacyIndex(index) => {
                    let key = Expression::literal(Value::from(Number::from(*index.value())), span.clone());
                    Step::Index { key, span }
                }
                hcl::TraversalOperator::FullSplat(_) => {
                    let each = self.steps(rest, true);
                    operators = &[];
                    Step::Splat { each, span }
                }
                hcl::TraversalOperator::AttrSplat(_) => {
                    let inside = |operator: &hcl::TraversalOperator| {
                        matches!(operator, hcl::TraversalOperator::GetAttr(_) | hcl::TraversalOperator::LegacyIndex(_))
                    };
                    let length = rest.iter().take_while(|(operator, _)| inside(operator)).count();
                    let each = self.steps(&rest[..length], true);
                    operators = &rest[length..];
                    if let Some((hcl::TraversalOperator::AttrSplat(_), again)) = operators.first() {
                        let detail =
                            "A splat expression (*) cannot be used inside another attribute-only splat expression.";
                        let diagnostic = Diagnostic::error("Nested splat expression not allowed", detail);
                        self.diagnostics.push(diagnostic.at(self.span(again.clone())));
                    }
                    Step::Splat { each, span }
                }
            });
        }
        steps
    }
}

fn is_splat(operator: &hcl::TraversalOperator) -> bool {
    matches!(operator, hcl::TraversalOperator::AttrSplat(_) | hcl::TraversalOperator::FullSplat(_))
}

fn binary_operator(operator: hcl::BinaryOperator) -> BinaryOperator {
    match operator {
        hcl::BinaryOperator::Eq => BinaryOperator::Equal,
        hcl::BinaryOperator::NotEq => BinaryOperator::NotEqual,
        hcl::BinaryOperator::LessEq => BinaryOperator::LessOrEqual,
        hcl::BinaryOperator::GreaterEq => BinaryOperator::GreaterOrEqual,
        hcl::BinaryOperator::Less => BinaryOperator::Less,
        hcl::BinaryOperator::Greater => BinaryOperator::Greater,
        hcl::BinaryOperator::Plus => BinaryOperator::Add,
        hcl::BinaryOperator::Minus => BinaryOperator::Subtract,
        hcl::BinaryOperator::Mul => BinaryOperator::Multiply,
        hcl::BinaryOperator::Div => BinaryOperator::Divide,
        hcl::BinaryOperator::Mod => BinaryOperator::Remainder,
        hcl::BinaryOperator::And => BinaryOperator::And,
        hcl::BinaryOperator::Or => BinaryOperator::Or,
    }
}
