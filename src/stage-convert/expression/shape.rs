//! The shape of an expression's result, before any row is read.

use super::Node;
use super::function::Kind;
use crate::columns::{Columns, Length, Shape};

pub(super) fn infer(node: &Node, columns: &Columns) -> Result<Shape, String> {
    match node {
        Node::Number(_) => Ok(Shape::Scalar),
        Node::Column(name) => columns.find(name),
        Node::Negate(inner) | Node::Not(inner) => infer(inner, columns),
        Node::Binary(_, left, right) => meet(infer(left, columns)?, infer(right, columns)?),
        Node::Conditional(condition, yes, no) => {
            let branches = meet(infer(yes, columns)?, infer(no, columns)?)?;
            meet(infer(condition, columns)?, branches)
        }
        Node::Call(function, arguments) => {
            let shapes = arguments.iter().map(|argument| infer(argument, columns)).collect::<Result<Vec<_>, _>>()?;
            match (function.kind(), shapes.as_slice()) {
                (Kind::Unary(_), [shape]) => Ok(*shape),
                (Kind::Binary(_), [left, right]) => meet(*left, *right),
                (Kind::Reduce(_) | Kind::Length, [Shape::Scalar]) => {
                    Err(format!("`{}` takes a list; its argument is a single number in each row.", function.name()))
                }
                (Kind::Reduce(_), [Shape::Matrix { .. }]) => Err(format!(
                    "`{}` takes a list; its argument is a matrix. Choose a column of it: `x[*][0]`.",
                    function.name()
                )),
                _ => Ok(Shape::Scalar),
            }
        }
        Node::Index(inner, index) => match infer(inner, columns)? {
            Shape::Scalar => Err(format!("`[{index}]` needs a list, not a single number.")),
            Shape::List(length) => within(*index, length).map(|()| Shape::Scalar),
            Shape::Matrix { rows, width } => {
                within(*index, rows).map(|()| Shape::List(width.map_or(Length::Any, Length::Fixed)))
            }
        },
        Node::Each(inner, index) => match infer(inner, columns)? {
            Shape::Matrix { rows, width } => {
                within(*index, width.map_or(Length::Any, Length::Fixed)).map(|()| Shape::List(rows))
            }
            other => Err(format!("`[*][{index}]` needs a matrix, not a {other}.")),
        },
    }
}

fn within(index: usize, length: Length) -> Result<(), String> {
    match length {
        Length::Fixed(limit) | Length::AtMost(limit) if index >= limit => {
            Err(format!("there is no element {index}: there are {length}, counted from 0."))
        }
        Length::Fixed(_) | Length::AtMost(_) | Length::Any => Ok(()),
    }
}

/// The shape of two operands taken element by element.
fn meet(left: Shape, right: Shape) -> Result<Shape, String> {
    let differ = || format!("a {left} and a {right} do not fit together element by element.");
    Ok(match (left, right) {
        (Shape::Scalar, shape) | (shape, Shape::Scalar) => shape,
        (Shape::List(a), Shape::List(b)) => Shape::List(a.common(b).ok_or_else(differ)?),
        (Shape::Matrix { rows: a, width: x }, Shape::Matrix { rows: b, width: y }) => {
            if let (Some(x), Some(y)) = (x, y)
                && x != y
            {
                return Err(differ());
            }
            Shape::Matrix { rows: a.common(b).ok_or_else(differ)?, width: x.or(y) }
        }
        (Shape::List(_), Shape::Matrix { .. }) | (Shape::Matrix { .. }, Shape::List(_)) => return Err(differ()),
    })
}
