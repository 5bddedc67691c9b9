//! Template directives that do not match: an `if` without `endif`, an `endfor` without `for`, words that are no directive.
//!
//! hcl-edit only says that the template does not parse; the tokens tell which directive is to blame.

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Span};

use crate::brackets::Brackets;
use crate::origin::Origin;
use crate::scan::{Token, TokenKind};

const KEYWORDS: [&str; 5] = ["else", "endfor", "endif", "for", "if"];

/// The first directive of `text` that is none, or has no counterpart. Token ranges are positions in `text`.
pub(crate) fn unbalanced(text: &str, tokens: &[Token], origin: &Origin) -> Option<Diagnostic> {
    let mut brackets = Brackets::default();
    // Directives that were begun and not ended: the template that they are in, their keyword, and where they stand.
    let mut begun: Vec<(Option<usize>, &str, Span)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if matches!(token.kind, TokenKind::CloseQuote | TokenKind::CloseHeredoc) {
            let template = brackets.open().last().copied();
            if let Some((_, keyword, span)) = begun.iter().find(|(inside, ..)| *inside == template) {
                return Some(never_ended(keyword).at(span.clone()));
            }
        }
        let template = brackets.open().last().copied();
        brackets.take(tokens, index);
        if token.kind != TokenKind::OpenDirective {
            continue;
        }
        let word = tokens.get(index + 1)?;
        let keyword = &text[word.range.clone()];
        let span = origin.span(token.range.start..word.range.end);
        let innermost = begun.last().filter(|(inside, ..)| *inside == template).map(|(_, keyword, _)| *keyword);
        match (keyword, innermost) {
            ("if" | "for", _) => begun.push((template, keyword, span)),
            ("else", Some("if")) => {}
            ("endif", Some("if")) | ("endfor", Some("for")) => {
                begun.pop();
            }
            ("else" | "endif" | "endfor", _) => {
                let detail = match innermost {
                    Some(open) => format!(
                        "The control directives within this template are unbalanced: the {open} directive before this {keyword} \
                         directive must be ended by end{open} first."
                    ),
                    None => format!(
                        "The control directives within this template are unbalanced: there is nothing before it that this {keyword} \
                         directive could belong to."
                    ),
                };
                return Some(Diagnostic::error(format!("Unexpected {keyword} directive"), detail).at(span));
            }
            _ => {
                let hint = did_you_mean(keyword, KEYWORDS);
                let detail = format!("{keyword:?} is not a valid template control keyword.{hint}");
                return Some(Diagnostic::error("Invalid template control keyword", detail).at(span));
            }
        }
    }
    begun.pop().map(|(_, keyword, span)| never_ended(keyword).at(span))
}

fn never_ended(keyword: &str) -> Diagnostic {
    let detail = format!("This {keyword} directive is missing its corresponding end{keyword} directive.");
    Diagnostic::error("Unexpected end of template", detail)
}
