//! Reading a body argument by argument; what nobody asked for is reported at the end.

use pipectl_core::convert::convert;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Diagnostics, Number, Span, Type, Value};

use crate::body::{Body, NestedBlock};
use crate::configuration::{Dependency, Rule};
use crate::evaluate::evaluate;
use crate::expression::{Expression, Node, Step};
use crate::load::providers::provider_expression;
use crate::provider_configuration::ProviderExpression;
use crate::quoted_reference;
use crate::scope::Scope;

/// A body that is being read.
pub(super) struct Reader<'a> {
    pub(super) body: &'a Body,
    /// Where the block's header stands: where to point when something is missing.
    pub(super) header: Span,
    arguments: Vec<&'static str>,
    blocks: Vec<&'static str>,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    pub(super) fn new(block: &'a NestedBlock, diagnostics: &'a mut Diagnostics) -> Self {
        Self { body: &block.body, header: block.span.clone(), arguments: Vec::new(), blocks: Vec::new(), diagnostics }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// An argument as written.
    pub(super) fn expression(&mut self, name: &'static str) -> Option<Expression> {
        self.arguments.push(name);
        self.body.argument(name).map(|argument| argument.value.clone())
    }

    /// An argument that must be there.
    pub(super) fn required(&mut self, name: &'static str) -> Option<Expression> {
        let found = self.expression(name);
        if found.is_none() {
            let detail = format!("The argument {name:?} is required, but no definition was found.");
            self.report(Diagnostic::error("Missing required argument", detail).at(self.header.clone()));
        }
        found
    }

    /// An argument whose value must be written out, without references and functions. Null counts as absent.
    pub(super) fn constant(&mut self, name: &'static str, ty: &Type) -> Option<Value> {
        let expression = self.expression(name)?;
        let value = match evaluate(&expression, &Scope::constant()) {
            Ok(value) => value,
            Err(found) => {
                self.diagnostics.extend(found);
                return None;
            }
        };
        match convert(&value, ty) {
            Ok(value) => Some(value).filter(|value| !value.is_null()),
            Err(error) => {
                let detail = format!("The value of {name:?} is not suitable: {error}.");
                self.report(Diagnostic::error("Unsuitable value type", detail).at(expression.span()));
                None
            }
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.constant(name, &Type::String).and_then(|value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.constant(name, &Type::Bool).and_then(|value| value.as_bool()).unwrap_or(default)
    }

    /// All nested blocks of a type, which takes no labels.
    pub(super) fn blocks(&mut self, kind: &'static str) -> Vec<&'a NestedBlock> {
        let found = self.labelled_blocks(kind);
        for block in &found {
            if let Some((_, span)) = block.labels.first() {
                let detail = format!("No labels are expected for {kind} blocks.");
                self.diagnostics
                    .push(Diagnostic::error(format!("Extraneous label for {kind}"), detail).at(span.clone()));
            }
        }
        found
    }

    /// All nested blocks of a type, whatever their labels: who reads them judges those.
    pub(super) fn labelled_blocks(&mut self, kind: &'static str) -> Vec<&'a NestedBlock> {
        self.blocks.push(kind);
        self.body.blocks().filter(|block| block.kind == kind).collect()
    }

    /// The nested block of a type of which there may be one.
    pub(super) fn block(&mut self, kind: &'static str) -> Option<&'a NestedBlock> {
        let found = self.blocks(kind);
        self.at_most_one(kind, &found);
        found.first().copied()
    }

    /// The nested block of a type of which there may be one, with one label.
    pub(super) fn labelled_block(&mut self, kind: &'static str) -> Option<(String, &'a NestedBlock)> {
        let found = self.labelled_blocks(kind);
        self.at_most_one(kind, &found);
        let block = found.first().copied()?;
        match block.labels.as_slice() {
            [(label, _)] => Some((label.clone(), block)),
            _ => {
                let detail = format!("All {kind} blocks must have 1 labels (type).");
                self.report(Diagnostic::error(format!("Missing type for {kind}"), detail).at(block.span.clone()));
                None
            }
        }
    }

    fn at_most_one(&mut self, kind: &str, found: &[&NestedBlock]) {
        for extra in found.iter().skip(1) {
            let detail = format!("Only one {kind} block is allowed.");
            self.report(Diagnostic::error(format!("Duplicate {kind} block"), detail).at(extra.span.clone()));
        }
    }

    /// The conditions of all nested blocks of a type.
    pub(super) fn rules(&mut self, kind: &'static str) -> Vec<Rule> {
        let mut rules = Vec::new();
        for block in self.blocks(kind) {
            let mut reader = Reader::new(block, self.diagnostics);
            let condition = reader.required("condition");
            let error_message = reader.required("error_message");
            reader.finish();
            if let (Some(condition), Some(error_message)) = (condition, error_message) {
                rules.push(Rule { condition, error_message, span: block.span.clone() });
            }
        }
        rules
    }

    /// What a reference in quotes stands for, as Terraform took it long ago; anything else as it is.
    pub(super) fn unquoted(&mut self, element: &Expression) -> Expression {
        quoted_reference::unquoted(element, self.diagnostics)
    }

    /// The argument `provider`, which names a configuration.
    pub(super) fn provider(&mut self) -> Option<ProviderExpression> {
        let written = self.expression("provider")?;
        let provider = provider_expression(&written);
        if provider.is_none() {
            let detail = "The provider argument requires a provider's name, optionally followed by a period and the alias of one of its \
                          configurations, and by a key in brackets where that has for_each: name, name.alias, name.alias[key]; or a \
                          condition and two of those.";
            self.report(Diagnostic::error("Invalid provider configuration reference", detail).at(written.span()));
        }
        provider
    }

    /// The argument `depends_on`, which lists blocks.
    pub(super) fn dependencies(&mut self) -> Vec<Dependency> {
        const NAME: &str = "depends_on";
        let Some(expression) = self.expression(NAME) else { return Vec::new() };
        let Node::Tuple(elements) = expression.node() else {
            let detail = format!("The {NAME} argument must be a list of references, in brackets.");
            self.report(Diagnostic::error("Invalid expression", detail).at(expression.span()));
            return Vec::new();
        };
        let mut found = Vec::new();
        for element in elements {
            let element = self.unquoted(element);
            match dependency(&element) {
                Ok(dependency) => found.push(dependency),
                Err((summary, detail)) => self.report(Diagnostic::error(summary, detail).at(element.span())),
            }
        }
        found
    }

    /// Reports arguments and blocks that nobody asked for.
    pub(super) fn finish(self) {
        for argument in self.body.arguments().filter(|argument| !self.arguments.contains(&argument.name.as_str())) {
            let name = &argument.name;
            let (hint, summary) = match self.blocks.contains(&name.as_str()) {
                true => (format!(" Did you mean to define a block of type {name:?}?"), "Unsupported argument"),
                false => (did_you_mean(name, self.arguments.iter().copied()), "Unsupported argument"),
            };
            let detail = format!("An argument named {name:?} is not expected here.{hint}");
            self.diagnostics.push(Diagnostic::error(summary, detail).at(argument.name_span.clone()));
        }
        for block in self.body.blocks().filter(|block| !self.blocks.contains(&block.kind.as_str())) {
            let kind = &block.kind;
            let hint = match self.arguments.contains(&kind.as_str()) {
                true => format!(
                    " Did you mean to define argument {kind:?}? If so, use the equals sign to assign it a value."
                ),
                false => did_you_mean(kind, self.blocks.iter().copied()),
            };
            let detail = format!("Blocks of type {kind:?} are not expected here.{hint}");
            self.diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(block.span.clone()));
        }
    }
}

/// The block that an element of `depends_on` means, or what is wrong with that element.
fn dependency(element: &Expression) -> Result<Dependency, (&'static str, &'static str)> {
    const NOT_FIXED: (&str, &str) = (
        "Invalid expression",
        "Every element of depends_on must be a reference to a block, like type.name, without anything that would have to be computed.",
    );
    let Node::Traversal(traversal) = element.node() else { return Err(NOT_FIXED) };
    let Some((Ok((reference, consumed)), _)) = traversal.reference(&[]) else {
        return Err((
            "Invalid reference",
            "Every element of depends_on must be a reference to a block, like type.name.",
        ));
    };
    let (key, rest) = match &traversal.steps[consumed..] {
        [key @ Step::Index { .. }, rest @ ..] => (Some(key), rest),
        rest => (None, rest),
    };
    let is_fixed = |step: &Step| match step {
        Step::Attribute { .. } => true,
        Step::Index { key, .. } => matches!(key.node(), Node::Literal(_)),
        Step::Splat { .. } => false,
    };
    if !key.into_iter().chain(rest).all(is_fixed) {
        return Err(NOT_FIXED);
    }
    if !rest.is_empty() {
        let detail = "References in depends_on must be to a whole object (a resource, a module and so on), not to an attribute of one.";
        return Err(("Invalid depends_on reference", detail));
    }
    if let Some(Step::Index { key, .. }) = key
        && let Node::Literal(value) = key.node()
        && value.as_str().is_none()
        && value.as_number().and_then(Number::to_i64).is_none()
    {
        return Err(("Invalid index key", "The key of an instance is a text or a whole number."));
    }
    Ok(Dependency { reference, span: element.span(), key: key.cloned() })
}
