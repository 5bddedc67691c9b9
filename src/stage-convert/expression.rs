//! Arithmetic over columns, written as text: `sqrt(square(Eta - first(Eta)) + square(wrap_phi(Phi - first(Phi))))`.
//!
//! Operators and functions work element by element; a single number meets every element of its row's list or matrix.
//! The names of columns stand for themselves, in backquotes where they are no plain names. All values are f64;
//! comparisons and logic give 1 or 0. Syntax, precedence and `[*]` follow Terraform's expressions.
//! What it deliberately leaves out: strings, loops, and anything that looks at more than one row.

mod evaluate;
mod function;
mod lexer;
mod parser;
mod shape;

use std::collections::BTreeSet;
use std::fmt;

use pipectl_formats::table::Values;

use crate::batch::{Batch, CellProblem};
use crate::columns::{Columns, Shape};
use function::Function;

/// The section of the reference about expressions.
pub(crate) fn reference() -> String {
    let mut section = String::from(
        "### Expressions\n\nArithmetic over columns, element by element. The name of a column stands for itself, in backquotes where it is no plain name. \
         A single number meets every element of its row's list or matrix; lists in one expression are equally long. Numbers are doubles; comparisons and \
         logic give 1 or 0.\n\n\
         | operators, from those that bind loosest | |\n|---|---|\n\
         | `c ? x : y` | x where c is not 0, else y |\n\
         | `\\|\\|`, then `&&`, `!` | logic |\n\
         | `==` `!=`, then `<` `<=` `>` `>=` | comparison |\n\
         | `+` `-`, then `*` `/` `%` | arithmetic |\n\
         | `column[0]`, `matrix[*][0]` | an element of a list, a column of a matrix |\n\n\
         | function | gives |\n|---|---|\n",
    );
    for (call, description) in Function::descriptions() {
        section.push_str(&format!("| `{call}` | {description} |\n"));
    }
    section + "\n"
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Node,
}

/// The text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {} of `{text}`)", position + 1)]
pub struct ExpressionError {
    /// The whole text.
    pub text: String,
    /// Character at which the mistake was found, from 0.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Column(String),
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Conditional(Box<Node>, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    /// Element of a list, row of a matrix.
    Index(Box<Node>, usize),
    /// The same element of every row of a matrix.
    Each(Box<Node>, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expression {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Ok(Expression { text: text.to_owned(), root: parser::parse(text)? })
    }

    /// Names of the columns that it reads.
    pub fn columns(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        self.root.collect_columns(&mut columns);
        columns
    }

    /// The shape of its result over `columns`, or a sentence that says why it has none.
    pub fn shape(&self, columns: &Columns) -> Result<Shape, String> {
        shape::infer(&self.root, columns).map_err(|problem| format!("In `{}`: {problem}", self.text))
    }

    /// Its values for the rows of `batch`. Problems are reported under the name `column`.
    pub fn evaluate(&self, batch: &Batch, column: &str) -> Result<Values, CellProblem> {
        evaluate::evaluate(&self.root, batch)
            .map_err(|(row, problem)| CellProblem::new(row, column, format!("in `{}`: {problem}", self.text)))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn collect_columns(&self, columns: &mut BTreeSet<String>) {
        match self {
            Node::Number(_) => {}
            Node::Column(name) => {
                columns.insert(name.clone());
            }
            Node::Negate(inner) | Node::Not(inner) | Node::Index(inner, _) | Node::Each(inner, _) => {
                inner.collect_columns(columns)
            }
            Node::Binary(_, left, right) => {
                left.collect_columns(columns);
                right.collect_columns(columns);
            }
            Node::Conditional(condition, yes, no) => {
                for node in [condition, yes, no] {
                    node.collect_columns(columns);
                }
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|argument| argument.collect_columns(columns)),
        }
    }
}

#[cfg(test)]
mod tests;
