//! References in quotes, as Terraform 0.11 wanted them and 1.11 still takes them in lists, with a warning.

use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics};

use crate::expression::{Expression, Node};
use crate::origin::Origin;
use crate::syntax;

/// What a reference in quotes stands for; anything else as it is.
pub(crate) fn unquoted(element: &Expression, diagnostics: &mut Diagnostics) -> Expression {
    let Some(text) = element.as_literal_str() else { return element.clone() };
    let span = element.span();
    let origin = match element.node() {
        Node::Escaped { places, .. } => Origin::escaped(span.source, Arc::clone(places)),
        // The text stands in the file as it is, after the quote.
        _ => Origin::new(span.source, span.range.start + 1),
    };
    match syntax::parse_expression(text, &origin) {
        (Some(parsed), found) if !found.has_errors() && matches!(parsed.node(), Node::Traversal(_)) => {
            let detail = "In this context, references are expected literally rather than in quotes. Remove the quotes.";
            diagnostics.push(Diagnostic::warning("Quoted references are deprecated", detail).at(span));
            parsed
        }
        _ => element.clone(),
    }
}

/// The elements of a list of references, those in quotes, too. What is none is reported.
pub fn listed_references(list: &Expression, what: &str, diagnostics: &mut Diagnostics) -> Vec<Expression> {
    let problem =
        |detail: String, expression: &Expression| Diagnostic::error("Invalid expression", detail).at(expression.span());
    let Node::Tuple(elements) = list.node() else {
        diagnostics.push(problem(format!("The {what} argument must be a list of references, in brackets."), list));
        return Vec::new();
    };
    let mut found = Vec::with_capacity(elements.len());
    for element in elements {
        let element = unquoted(element, diagnostics);
        match element.node() {
            Node::Traversal(_) => found.push(element),
            _ => {
                let detail = format!("Every element of {what} must be a reference, like type.name.");
                diagnostics.push(problem(detail, &element));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use pipectl_core::SourceId;

    use super::*;
    use crate::expression::Step;

    #[test]
    fn places_are_those_of_the_text_with_its_escapes() {
        let text = r#"["a.b[\"\u00e9\\\\\"].name", "a.b[\"x\"]", "a.name"]"#;
        let list = crate::parse_expression(text, SourceId(0)).expect("it parses");
        let mut diagnostics = Diagnostics::new();
        let found = listed_references(&list, "x", &mut diagnostics);
        assert_eq!((found.len(), diagnostics.error_count()), (3, 0));
        let last = |expression: &Expression| match expression.node() {
            Node::Traversal(traversal) => match traversal.steps.last() {
                Some(Step::Attribute { span, .. } | Step::Index { span, .. }) => text[span.range.clone()].to_owned(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        assert_eq!(found.iter().map(last).collect::<Vec<_>>(), [".name", r#"[\"x\"]"#, ".name"]);
        assert_eq!(found.iter().map(|one| &text[one.span().range]).next(), Some(r#"a.b[\"\u00e9\\\\\"].name"#));
    }

    #[test]
    fn what_is_no_reference_is_told() {
        let list =
            crate::parse_expression(r#"[a.b, 1, "not one", upper(a.b), "${a.b}"]"#, SourceId(0)).expect("it parses");
        let mut diagnostics = Diagnostics::new();
        assert_eq!(listed_references(&list, "x", &mut diagnostics).len(), 1);
        assert_eq!(diagnostics.error_count(), 4);
    }
}
