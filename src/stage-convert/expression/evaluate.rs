//! Values of an expression, for all rows of a batch at once.

use std::borrow::Cow;

use pipectl_formats::table::{Nesting, Offsets, Values};

use super::function::Kind;
use super::{Node, Operator};
use crate::batch::Batch;

/// What is wrong, and in which row of the batch.
type RowProblem = (usize, String);

enum Operand<'a> {
    /// The same number for every element of every row.
    Constant(f64),
    Column(Cow<'a, Values>),
}

pub(super) fn evaluate(node: &Node, batch: &Batch) -> Result<Values, RowProblem> {
    Ok(match operand(node, batch)? {
        Operand::Constant(number) => Values::scalars(vec![number; batch.rows()]),
        Operand::Column(values) => values.into_owned(),
    })
}

fn operand<'a>(node: &Node, batch: &'a Batch) -> Result<Operand<'a>, RowProblem> {
    Ok(match node {
        Node::Number(number) => Operand::Constant(*number),
        Node::Column(name) => Operand::Column(Cow::Borrowed(batch.column(name))),
        Node::Negate(inner) => map(operand(inner, batch)?, |x| -x),
        Node::Not(inner) => map(operand(inner, batch)?, |x| truth(x == 0.0)),
        Node::Binary(operator, left, right) => {
            let (left, right) = (operand(left, batch)?, operand(right, batch)?);
            match operator {
                Operator::Or => zip(left, right, |x, y| truth(x != 0.0 || y != 0.0))?,
                Operator::And => zip(left, right, |x, y| truth(x != 0.0 && y != 0.0))?,
                Operator::Equal => zip(left, right, |x, y| truth(x == y))?,
                Operator::NotEqual => zip(left, right, |x, y| truth(x != y))?,
                Operator::Less => zip(left, right, |x, y| truth(x < y))?,
                Operator::LessOrEqual => zip(left, right, |x, y| truth(x <= y))?,
                Operator::Greater => zip(left, right, |x, y| truth(x > y))?,
                Operator::GreaterOrEqual => zip(left, right, |x, y| truth(x >= y))?,
                Operator::Add => zip(left, right, |x, y| x + y)?,
                Operator::Subtract => zip(left, right, |x, y| x - y)?,
                Operator::Multiply => zip(left, right, |x, y| x * y)?,
                Operator::Divide => zip(left, right, |x, y| x / y)?,
                Operator::Remainder => zip(left, right, |x, y| x % y)?,
            }
        }
        Node::Conditional(condition, yes, no) => {
            choose(operand(condition, batch)?, operand(yes, batch)?, operand(no, batch)?)?
        }
        Node::Call(function, arguments) => {
            let mut operands = arguments.iter().map(|argument| operand(argument, batch));
            let mut next = || operands.next().expect("the parser has counted the arguments");
            match function.kind() {
                Kind::Constant(number) => Operand::Constant(number),
                Kind::Unary(apply) => map(next()?, apply),
                Kind::Binary(apply) => {
                    let (left, right) = (next()?, next()?);
                    zip(left, right, apply)?
                }
                Kind::Reduce(reduce) => {
                    let values = column(next()?, batch);
                    scalars((0..values.rows()).map(|row| reduce(values.row(row))).collect())
                }
                Kind::Length => {
                    let values = column(next()?, batch);
                    scalars(match &values.nesting {
                        Nesting::Scalar => vec![1.0; values.rows()],
                        Nesting::List(offsets) | Nesting::Matrix { offsets, .. } => {
                            offsets.lengths().map(|length| length as f64).collect()
                        }
                    })
                }
            }
        }
        Node::Index(inner, index) => {
            let values = column(operand(inner, batch)?, batch);
            let (offsets, width) = match &values.nesting {
                Nesting::Scalar => unreachable!("the check has seen a list or a matrix"),
                Nesting::List(offsets) => (offsets, None),
                Nesting::Matrix { offsets, width } => (offsets, Some(*width)),
            };
            if let Some(row) = offsets.lengths().position(|length| *index >= length) {
                return Err((row, format!("there is no element {index}, the row has {}", offsets.length(row))));
            }
            let size = width.unwrap_or(1);
            let data: Vec<f64> = (0..offsets.rows())
                .flat_map(|row| {
                    let start = (offsets.range(row).start + index) * size;
                    &values.data[start..start + size]
                })
                .copied()
                .collect();
            match width {
                None => scalars(data),
                Some(width) => Operand::Column(Cow::Owned(Values::lists(data, Offsets::equal(offsets.rows(), width)))),
            }
        }
        Node::Each(inner, index) => {
            let values = column(operand(inner, batch)?, batch);
            let Nesting::Matrix { offsets, width } = &values.nesting else {
                unreachable!("the check has seen a matrix")
            };
            if index >= width && offsets.total() > 0 {
                let row = offsets.lengths().position(|length| length > 0).unwrap_or(0);
                return Err((row, format!("there is no element {index} in rows of {width}")));
            }
            let data = (0..offsets.total()).map(|row| values.data[row * width + index]).collect();
            Operand::Column(Cow::Owned(Values::lists(data, offsets.clone())))
        }
    })
}

fn truth(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

fn scalars(data: Vec<f64>) -> Operand<'static> {
    Operand::Column(Cow::Owned(Values::scalars(data)))
}

fn column<'a>(operand: Operand<'a>, batch: &Batch) -> Cow<'a, Values> {
    match operand {
        Operand::Constant(number) => Cow::Owned(Values::scalars(vec![number; batch.rows()])),
        Operand::Column(values) => values,
    }
}

/// The same operand again, without copying its values.
fn spread<'a>(operand: &'a Operand<'_>) -> Operand<'a> {
    match operand {
        Operand::Constant(number) => Operand::Constant(*number),
        Operand::Column(values) => Operand::Column(Cow::Borrowed(values)),
    }
}

/// `yes` where the condition holds, else `no`. A choice that is not taken leaves no trace, not even as NaN.
fn choose<'a>(condition: Operand<'_>, yes: Operand<'_>, no: Operand<'_>) -> Result<Operand<'a>, RowProblem> {
    // All three take the widest nesting, so that they can be walked side by side.
    let widest = zip(zip(spread(&condition), spread(&yes), |x, _| x)?, spread(&no), |x, _| x)?;
    let wide = |operand: Operand<'_>| zip(operand, spread(&widest), |x, _| x);
    Ok(match (wide(condition)?, wide(yes)?, wide(no)?) {
        (Operand::Constant(condition), Operand::Constant(yes), Operand::Constant(no)) => {
            Operand::Constant(if condition != 0.0 { yes } else { no })
        }
        (Operand::Column(condition), Operand::Column(yes), Operand::Column(no)) => {
            let mut values = yes.into_owned();
            for ((value, condition), no) in values.data.iter_mut().zip(&condition.data).zip(&no.data) {
                if *condition == 0.0 {
                    *value = *no;
                }
            }
            Operand::Column(Cow::Owned(values))
        }
        _ => unreachable!("operands of one nesting are all constant or none is"),
    })
}

fn map<'a>(operand: Operand<'a>, apply: impl Fn(f64) -> f64) -> Operand<'a> {
    match operand {
        Operand::Constant(number) => Operand::Constant(apply(number)),
        Operand::Column(Cow::Owned(mut values)) => {
            values.data.iter_mut().for_each(|value| *value = apply(*value));
            Operand::Column(Cow::Owned(values))
        }
        Operand::Column(Cow::Borrowed(values)) => {
            let data = values.data.iter().map(|&value| apply(value)).collect();
            Operand::Column(Cow::Owned(Values { data, nesting: values.nesting.clone() }))
        }
    }
}

/// Element by element; a single number meets every element of its row.
fn zip<'a>(left: Operand<'_>, right: Operand<'_>, apply: impl Fn(f64, f64) -> f64) -> Result<Operand<'a>, RowProblem> {
    let (left, right) = match (left, right) {
        (Operand::Constant(x), Operand::Constant(y)) => return Ok(Operand::Constant(apply(x, y))),
        (Operand::Constant(x), Operand::Column(values)) => {
            return Ok(owned(map(Operand::Column(values), |y| apply(x, y))));
        }
        (Operand::Column(values), Operand::Constant(y)) => {
            return Ok(owned(map(Operand::Column(values), |x| apply(x, y))));
        }
        (Operand::Column(left), Operand::Column(right)) => (left, right),
    };
    let nesting = match (&left.nesting, &right.nesting) {
        (Nesting::Scalar, Nesting::Scalar) => Nesting::Scalar,
        (Nesting::Scalar, wide) => {
            let mut data = Vec::with_capacity(right.data.len());
            for (row, &x) in left.data.iter().enumerate() {
                data.extend(right.row(row).iter().map(|&y| apply(x, y)));
            }
            return Ok(Operand::Column(Cow::Owned(Values { data, nesting: wide.clone() })));
        }
        (wide, Nesting::Scalar) => {
            let mut data = Vec::with_capacity(left.data.len());
            for (row, &y) in right.data.iter().enumerate() {
                data.extend(left.row(row).iter().map(|&x| apply(x, y)));
            }
            return Ok(Operand::Column(Cow::Owned(Values { data, nesting: wide.clone() })));
        }
        (Nesting::List(a), Nesting::List(b)) => {
            same_lengths(a, b)?;
            Nesting::List(a.clone())
        }
        (Nesting::Matrix { offsets: a, width: x }, Nesting::Matrix { offsets: b, width: y }) => {
            same_lengths(a, b)?;
            if x != y && a.total() > 0 {
                return Err((0, format!("matrices of widths {x} and {y} do not fit together")));
            }
            Nesting::Matrix { offsets: a.clone(), width: *x }
        }
        (Nesting::List(_), Nesting::Matrix { .. }) | (Nesting::Matrix { .. }, Nesting::List(_)) => {
            unreachable!("the check lets no list meet a matrix")
        }
    };
    let data = left.data.iter().zip(&right.data).map(|(&x, &y)| apply(x, y)).collect();
    Ok(Operand::Column(Cow::Owned(Values { data, nesting })))
}

fn owned<'a>(operand: Operand<'_>) -> Operand<'a> {
    match operand {
        Operand::Constant(number) => Operand::Constant(number),
        Operand::Column(values) => Operand::Column(Cow::Owned(values.into_owned())),
    }
}

fn same_lengths(a: &Offsets, b: &Offsets) -> Result<(), RowProblem> {
    match a.first_difference(b) {
        None => Ok(()),
        Some(row) => {
            Err((row, format!("lists of {} and {} elements do not fit together", a.length(row), b.length(row))))
        }
    }
}
