//! Values, shapes and mistakes of expressions.

use pipectl_formats::table::{Offsets, Values};
use proptest::prelude::*;

use super::*;
use crate::batch::Origin;
use crate::columns::Length;

/// Two rows: `a` = 3 and -1, `x` = [1, 2, 4] and [], `m` = 2 x 2 and 0 x 2.
fn batch() -> (Columns, Batch) {
    let mut columns = Columns::new();
    columns.set("a", Shape::Scalar);
    columns.set("x", Shape::List(Length::Any));
    columns.set("Jet.PT", Shape::List(Length::Fixed(2)));
    columns.set("m", Shape::Matrix { rows: Length::Any, width: Some(2) });
    let mut batch = Batch { origins: (0..2).map(|row| Origin { file: 0, row }).collect(), ..Batch::default() };
    batch.set("a", Values::scalars(vec![3.0, -1.0]));
    batch.set("x", Values::lists(vec![1.0, 2.0, 4.0], Offsets::from_lengths([3, 0])));
    batch.set("Jet.PT", Values::lists(vec![5.0, 6.0, 7.0, 8.0], Offsets::equal(2, 2)));
    batch.set("m", Values::matrices(vec![1.0, 2.0, 3.0, 4.0], Offsets::from_lengths([2, 0]), 2));
    (columns, batch)
}

/// The values of both rows.
fn value(text: &str) -> [Vec<f64>; 2] {
    let (columns, batch) = batch();
    let expression = Expression::parse(text).unwrap();
    expression.shape(&columns).unwrap();
    let values = expression.evaluate(&batch, "result").unwrap();
    [values.row(0).to_vec(), values.row(1).to_vec()]
}

#[test]
fn values_are_right() {
    let pi = std::f64::consts::PI;
    for (text, first, second) in [
        ("1 + 2 * 3", &[7.0][..], &[7.0][..]),
        ("(1 + 2) * 3 - -4", &[13.0], &[13.0]),
        ("10 - 4 - 3", &[3.0], &[3.0]),
        ("2 * 3 % 4", &[2.0], &[2.0]),
        ("-a * 2", &[-6.0], &[2.0]),
        ("x * a", &[3.0, 6.0, 12.0], &[]),
        ("a - x", &[2.0, 1.0, -1.0], &[]),
        ("x * x + 1e0", &[2.0, 5.0, 17.0], &[]),
        ("square(x) + .5", &[1.5, 4.5, 16.5], &[]),
        ("x > 1 && x < 4", &[0.0, 1.0, 0.0], &[]),
        ("!(a > 0) || a == 3", &[1.0], &[1.0]),
        ("a != 3", &[0.0], &[1.0]),
        ("x >= 2 ? x : -1", &[-1.0, 2.0, 4.0], &[]),
        ("a > 0 ? x : x * 0", &[1.0, 2.0, 4.0], &[]),
        ("a > 0 ? sqrt(a) : 0", &[3f64.sqrt()], &[0.0]),
        ("1 > 0 ? 2 : 3", &[2.0], &[2.0]),
        ("x - first(x)", &[0.0, 1.0, 3.0], &[]),
        ("sum(x) + length(x)", &[10.0], &[0.0]),
        ("largest(`Jet.PT`) - smallest(Jet.PT)", &[1.0], &[1.0]),
        ("mean(Jet.PT) + last(Jet.PT)", &[11.5], &[15.5]),
        ("m[*][1]", &[2.0, 4.0], &[]),
        ("m * 2 + m", &[3.0, 6.0, 9.0, 12.0], &[]),
        ("length(m)", &[2.0], &[0.0]),
        ("Jet.PT[1] * 2", &[12.0], &[16.0]),
        ("min(a, 0) + max(a, 1)", &[3.0], &[0.0]),
        ("pow(2, a) + atan2(0, 1) + hypot(3, 4)", &[13.0], &[5.5]),
        ("wrap_phi(a * pi() / 2)", &[-pi / 2.0], &[-pi / 2.0]),
        ("wrap_phi(0 - 7 * pi() / 2)", &[pi / 2.0], &[pi / 2.0]),
        ("abs(a) + sign(a) + floor(1.7) + ceil(0.2)", &[6.0], &[2.0]),
        ("log(exp(2)) + log10(100) + log1p(0)", &[4.0], &[4.0]),
        ("cosh(0) + cos(0) + sinh(0) + sin(0) + tan(0) + tanh(0)", &[2.0], &[2.0]),
    ] {
        let [row_0, row_1] = value(text);
        assert_eq!((&row_0[..], &row_1[..]), (first, second), "{text}");
    }
}

#[test]
fn reductions_of_nothing_are_not_numbers() {
    assert!(value("first(x)")[1][0].is_nan());
    assert!(value("mean(x)")[1][0].is_nan());
    assert!(value("max(first(x), 1)")[1][0].is_nan());
}

#[test]
fn mistakes_of_syntax_are_placed() {
    for (text, position, message) in [
        ("", 0, "a number, a column or a function is expected, not the end"),
        ("1 +", 3, "a number, a column or a function is expected, not the end"),
        ("a b", 2, "an operator or the end is expected, not `b`"),
        ("(a", 2, "`)` is expected, not the end"),
        ("a # b", 2, "`#` means nothing here"),
        ("`a", 0, "the backquote is not closed"),
        ("csoh(a)", 0, "there is no function `csoh`. Did you mean \"cosh\"?"),
        ("1 + cosh(a, a)", 4, "the function `cosh` takes 1 argument, not 2"),
        ("pow(a)", 0, "the function `pow` takes 2 arguments, not 1"),
        ("x[-1]", 2, "an index is a whole number from 0 on"),
        ("x[1.5]", 2, "an index is a whole number from 0 on"),
        ("a ? 1", 5, "`:` is expected, not the end"),
        ("1..2", 2, "an operator or the end is expected, not the number 0.2"),
        ("1e999", 0, "`1e999` is not a number"),
    ] {
        let error = Expression::parse(text).unwrap_err();
        assert_eq!((error.position, error.message.as_str()), (position, message), "{text}");
    }
    for text in ["(".repeat(5000), format!("{}1", "1+".repeat(5000)), "-".repeat(5000)] {
        assert!(Expression::parse(&text).is_err());
    }
}

#[test]
fn mistakes_of_shape_are_found_before_any_row() {
    let (columns, _) = batch();
    for (text, expected) in [
        ("energy + 1", "There is no column `energy`; the columns here are a, x, Jet.PT, m."),
        ("aa", "There is no column `aa`; the columns here are a, x, Jet.PT, m. Did you mean \"a\"?"),
        ("first(a)", "`first` takes a list; its argument is a single number in each row."),
        ("first(m)", "`first` takes a list; its argument is a matrix. Choose a column of it: `x[*][0]`."),
        ("a[0]", "`[0]` needs a list, not a single number."),
        ("x[*][0]", "`[*][0]` needs a matrix, not a list of any number."),
        ("m[*][2]", "there is no element 2: there are 2, counted from 0."),
        ("Jet.PT[2]", "there is no element 2: there are 2, counted from 0."),
        ("x + m", "a list of any number and a matrix of any number x 2 do not fit together element by element."),
    ] {
        let problem = Expression::parse(text).unwrap().shape(&columns).unwrap_err();
        assert_eq!(problem, format!("In `{text}`: {expected}"));
    }
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let (_, batch) = batch();
    for (text, row, expected) in [
        ("x + Jet.PT", 0, "in `x + Jet.PT`: lists of 3 and 2 elements do not fit together"),
        ("x[2]", 1, "in `x[2]`: there is no element 2, the row has 0"),
        ("m[0]", 1, "in `m[0]`: there is no element 0, the row has 0"),
    ] {
        let problem = Expression::parse(text).unwrap().evaluate(&batch, "result").unwrap_err();
        assert_eq!((problem.row, problem.message.as_str()), (row, expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_parsed_or_refused(text in "[-+*/%()a-c0-9.,?:!<>=&|\\[\\]` ]{0,40}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn wrapped_angles_are_the_same_angle(angle in -1e3..1e3f64) {
        let mut columns = Columns::new();
        columns.set("phi", Shape::Scalar);
        let mut batch = Batch { origins: vec![Origin { file: 0, row: 0 }], ..Batch::default() };
        batch.set("phi", Values::scalars(vec![angle]));
        let wrapped = Expression::parse("wrap_phi(phi)").unwrap().evaluate(&batch, "w").unwrap().data[0];
        prop_assert!(wrapped.abs() <= std::f64::consts::PI + 1e-12);
        prop_assert!((wrapped.cos() - angle.cos()).abs() < 1e-9 && (wrapped.sin() - angle.sin()).abs() < 1e-9);
    }
}
