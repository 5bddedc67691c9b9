//! Tokens to a tree, by precedence climbing.

use pipectl_core::suggest::did_you_mean;

use super::function::Function;
use super::lexer::{Token, tokens};
use super::{ExpressionError, Node, Operator};

/// Deeper nesting than any person writes; keeps recursion off the end of the stack.
const DEPTH: usize = 200;
/// The same for long chains of operators.
const TOKENS: usize = 1000;

pub(super) fn parse(text: &str) -> Result<Node, ExpressionError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    if parser.tokens.len() > TOKENS {
        return Err(parser.fail("the expression is too long"));
    }
    let node = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        token => Err(parser.fail(format!("an operator or the end is expected, not {}", describe(token)))),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

/// The operator of a sign and how tightly it binds.
fn operator(sign: &str) -> Option<(Operator, u8)> {
    Some(match sign {
        "||" => (Operator::Or, 1),
        "&&" => (Operator::And, 2),
        "==" => (Operator::Equal, 3),
        "!=" => (Operator::NotEqual, 3),
        "<" => (Operator::Less, 4),
        "<=" => (Operator::LessOrEqual, 4),
        ">" => (Operator::Greater, 4),
        ">=" => (Operator::GreaterOrEqual, 4),
        "+" => (Operator::Add, 5),
        "-" => (Operator::Subtract, 5),
        "*" => (Operator::Multiply, 6),
        "/" => (Operator::Divide, 6),
        "%" => (Operator::Remainder, 6),
        _ => return None,
    })
}

fn describe(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("the number {number}"),
        Token::Name(name) | Token::Quoted(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".to_owned(),
    }
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.fail("the expression is nested too deeply"));
        }
        let condition = self.binary(1)?;
        let node = if self.take("?") {
            let yes = self.expression()?;
            self.need(":")?;
            let no = self.expression()?;
            Node::Conditional(Box::new(condition), Box::new(yes), Box::new(no))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Operators that bind at least as tightly as `least`, from left to right.
    fn binary(&mut self, least: u8) -> Result<Node, ExpressionError> {
        let mut left = self.unary()?;
        while let Token::Sign(sign) = *self.peek()
            && let Some((operator, strength)) = operator(sign)
            && strength >= least
        {
            self.next += 1;
            let right = self.binary(strength + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, ExpressionError> {
        let mut signs = Vec::new();
        while let Token::Sign(sign @ ("-" | "!" | "+")) = *self.peek() {
            signs.push(sign);
            self.next += 1;
        }
        let mut node = self.postfix()?;
        for sign in signs.into_iter().rev() {
            node = match sign {
                "-" => Node::Negate(Box::new(node)),
                "!" => Node::Not(Box::new(node)),
                _ => node,
            };
        }
        Ok(node)
    }

    fn postfix(&mut self) -> Result<Node, ExpressionError> {
        let mut node = self.primary()?;
        loop {
            if self.take("[*]") {
                self.need("[")?;
                node = Node::Each(Box::new(node), self.index()?);
            } else if self.take("[") {
                node = Node::Index(Box::new(node), self.index()?);
            } else {
                return Ok(node);
            }
        }
    }

    /// A whole number and the closing bracket.
    fn index(&mut self) -> Result<usize, ExpressionError> {
        match *self.peek() {
            Token::Number(number) if number.fract() == 0.0 && (0.0..1e9).contains(&number) => {
                self.next += 1;
                self.need("]")?;
                Ok(number as usize)
            }
            _ => Err(self.fail("an index is a whole number from 0 on")),
        }
    }

    fn primary(&mut self) -> Result<Node, ExpressionError> {
        let (position, token) = self.tokens[self.next].clone();
        match token {
            Token::Number(number) => {
                self.next += 1;
                Ok(Node::Number(number))
            }
            Token::Quoted(name) => {
                self.next += 1;
                Ok(Node::Column(name))
            }
            Token::Name(name) => {
                self.next += 1;
                if self.take("(") { self.call(position, &name) } else { Ok(Node::Column(name)) }
            }
            Token::Sign("(") => {
                self.next += 1;
                let node = self.expression()?;
                self.need(")")?;
                Ok(node)
            }
            token => Err(self.fail(format!("a number, a column or a function is expected, not {}", describe(&token)))),
        }
    }

    fn call(&mut self, position: usize, name: &str) -> Result<Node, ExpressionError> {
        let function = Function::named(name).ok_or_else(|| ExpressionError {
            text: self.text.to_owned(),
            position,
            message: format!("there is no function `{name}`.{}", did_you_mean(name, Function::names())),
        })?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.expression()?);
                if self.take(")") {
                    break;
                }
                self.need(",")?;
            }
        }
        if arguments.len() != function.arity() {
            return Err(ExpressionError {
                text: self.text.to_owned(),
                position,
                message: format!(
                    "the function `{name}` takes {} argument{}, not {}",
                    function.arity(),
                    if function.arity() == 1 { "" } else { "s" },
                    arguments.len()
                ),
            });
        }
        Ok(Node::Call(function, arguments))
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.next += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.fail(format!("`{sign}` is expected, not {}", describe(self.peek()))))
        }
    }

    fn fail(&self, message: impl Into<String>) -> ExpressionError {
        ExpressionError { text: self.text.to_owned(), position: self.tokens[self.next].0, message: message.into() }
    }
}
