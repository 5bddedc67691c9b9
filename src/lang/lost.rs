//! What a module might declare in text that is wrong: whoever uses such a name is not told that it is undeclared, which would be false.
//!
//! Only the heads of blocks count, as the scanner sees them: the block itself may be anything from one wrong argument to half a line. That
//! is enough, since nothing is asked but whether a name that is not declared might be.

use pipectl_core::AddressKind;

use crate::body::NestedBlock;
use crate::brackets::Brackets;
use crate::reference::Reference;
use crate::scan::{Token, TokenKind, scan};

/// The heads of all blocks of files with mistakes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lost {
    heads: Vec<Head>,
    /// A file whose blocks cannot be told at all may declare anything.
    anything: bool,
}

/// The type and the labels of a block; of `locals`, the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    kind: String,
    labels: Vec<String>,
}

impl Lost {
    /// Takes in a file in which there is a mistake.
    pub(crate) fn take(&mut self, text: &str) {
        let tokens = scan(text);
        let mut brackets = Brackets::default();
        let mut after_line = true;
        for (index, token) in tokens.iter().enumerate() {
            let has_value = tokens.get(index + 1).is_some_and(|next| next.kind == TokenKind::Equals);
            // Where brackets are left open, what stands at the very start of a line is taken for a block, too.
            let is_outside = after_line && brackets.open().is_empty() || text[..token.range.start].ends_with('\n');
            match (token.kind, self.heads.last_mut()) {
                (TokenKind::Identifier, Some(head)) if has_value && head.kind == "locals" => {
                    head.labels.push(text[token.range.clone()].to_owned());
                }
                (TokenKind::Identifier, _) if !has_value && is_outside => {
                    self.heads.push(Head::at(text, &tokens[index..]));
                }
                _ => {}
            }
            brackets.take(&tokens, index);
            after_line = matches!(token.kind, TokenKind::Newline | TokenKind::Comment | TokenKind::QuotedNewline);
        }
    }

    /// Takes in the blocks of a file in JSON, of which the heads are right whatever is in them.
    pub(crate) fn take_blocks<'a>(&mut self, blocks: impl Iterator<Item = &'a NestedBlock>) {
        self.heads.extend(blocks.map(|block| Head {
            kind: block.kind.clone(),
            labels: match block.kind.as_str() {
                "locals" => block.body.arguments().map(|argument| argument.name.clone()).collect(),
                _ => block.labels.iter().map(|(label, _)| label.clone()).collect(),
            },
        }));
    }

    /// Takes in a file of which nothing can be told.
    pub(crate) fn take_anything(&mut self) {
        self.anything = true;
    }

    /// Whether a name may be declared in what is lost.
    pub(crate) fn may_declare(&self, reference: &Reference) -> bool {
        let has = |kind: &str, labels: &[&str]| self.heads.iter().any(|head| head.may_be(kind, labels));
        self.anything
            || match reference {
                Reference::Variable(name) => has("variable", &[name]),
                Reference::Local(name) => {
                    self.heads.iter().any(|head| head.kind == "locals" && head.labels.contains(name))
                }
                Reference::Object(address) => {
                    has(address.kind.block_type(), &[&address.type_name, &address.name])
                        // A check has data of its own.
                        || address.kind == AddressKind::Data && self.heads.iter().any(|head| head.kind == "check")
                }
                Reference::Module(name) | Reference::ModuleOutput { module: name, .. } => has("module", &[name]),
                Reference::Model(name) => has("model", &[name]),
                Reference::Executor { kind, name } => has("executor", &[kind, name]),
                _ => false,
            }
    }

    /// Whether a module may have an output in what is lost of it.
    pub(crate) fn may_have_output(&self, name: &str) -> bool {
        self.anything || self.heads.iter().any(|head| head.may_be("output", &[name]))
    }

    /// Whether a provider may be configured in what is lost.
    pub(crate) fn may_configure(&self, name: &str) -> bool {
        self.anything || self.heads.iter().any(|head| head.may_be("provider", &[name]) || head.kind == "terraform")
    }
}

impl Head {
    /// What begins with the first of these tokens.
    fn at(text: &str, tokens: &[Token]) -> Self {
        let labels = tokens[1..].iter().take_while(|token| is_of_head(token.kind));
        let names = labels.filter(|token| matches!(token.kind, TokenKind::Identifier | TokenKind::QuotedText));
        Self {
            kind: text[tokens[0].range.clone()].to_owned(),
            labels: names.map(|token| name(&text[token.range.clone()]).to_owned()).collect(),
        }
    }

    /// Whether the block is, or was meant to be, of a type and with these labels; some may be too many.
    fn may_be(&self, kind: &str, labels: &[&str]) -> bool {
        (self.kind == kind || !crate::is_block_type(&self.kind))
            && self.labels.iter().zip(labels).all(|(own, label)| own == label)
            && self.labels.len() >= labels.len()
    }
}

/// Whether a token may stand between the type of a block and its brace.
fn is_of_head(kind: TokenKind) -> bool {
    use TokenKind::{CloseQuote, Identifier, OpenQuote, QuotedText};
    matches!(kind, OpenQuote | QuotedText | CloseQuote | Identifier)
}

/// A label; where its quote was not closed, what can be a name of the text after it.
fn name(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || c == '{').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(text: &str) -> Lost {
        let mut lost = Lost::default();
        lost.take(text);
        lost
    }

    #[test]
    fn heads_are_seen_whatever_is_in_the_blocks() {
        let text = "variable \"a\" {\n  default = [1, }\n}\n  # indented\n  module m {\n  x = <<E\nvariable \"text\" {\nE\n}\n\
                    stage \"train\" \"open {\n  a = 1\n}\nlocals { x = }\n\noutput \"o\" {}\n";
        let lost = lost(text);
        for (reference, expected) in [
            (Reference::Variable("a".to_owned()), true),
            (Reference::Variable("b".to_owned()), false),
            (Reference::Module("m".to_owned()), true),
            (Reference::Local("x".to_owned()), true),
            (Reference::Local("a".to_owned()), false),
            (Reference::Object("stage.train.open".parse().unwrap()), true),
            (Reference::Object("stage.train.shut".parse().unwrap()), false),
            (Reference::Object("train.open".parse().unwrap()), false),
            (Reference::Model("m".to_owned()), false),
        ] {
            assert_eq!(lost.may_declare(&reference), expected, "{reference}");
        }
        assert!(lost.may_have_output("o") && !lost.may_have_output("a"));
    }

    #[test]
    fn a_type_that_is_none_may_be_any() {
        let lost = lost("resuorce \"terraform_data\" \"x\" {\n}\n");
        assert!(lost.may_declare(&Reference::Object("terraform_data.x".parse().unwrap())));
        assert!(!lost.may_declare(&Reference::Object("terraform_data.y".parse().unwrap())));
    }
}
