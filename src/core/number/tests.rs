//! What numbers do.

use super::*;

use proptest::strategy::Strategy as _;

fn number(text: &str) -> Number {
    text.parse().expect("the test writes a valid number")
}

#[test]
fn computes_as_terraform_does() {
    let third = number("1").divide(&number("3")).expect("finite");
    assert_eq!(third.multiply(&number("3")).expect("finite"), number("1"));
    assert_eq!(number("0.1").add(&number("0.2")).expect("finite"), number("0.3"));
    assert_eq!(number("5").remainder(&number("0")).expect("dividend"), number("5"));
    assert_eq!(number("1").divide(&Number::ZERO), Ok(Number::INFINITY));
    assert_eq!(number("-1").divide(&Number::ZERO), Ok(Number::NEGATIVE_INFINITY));
    assert_eq!(Number::ZERO.divide(&Number::ZERO), Err(NumberError::NotANumber));
    assert_eq!(number("-7").remainder(&number("3")).expect("finite"), number("-1"));
    assert_eq!(number("9223372036854775807").add(&number("1")).expect("finite").to_string(), "9223372036854775808");
}

#[test]
fn text_is_the_shortest_that_reads_back() {
    for text in ["0.1", "0.0005", "123456.789", "1.5", "-2.25", "1000000000000000000000", "3.141592653589793"] {
        assert_eq!(number(text).to_string(), text);
    }
    assert_eq!(number("1e3").to_string(), "1000");
    assert_eq!(number("1E-4").to_string(), "0.0001");
    assert_eq!(Number::from_f64(0.1).expect("finite").to_string(), "0.1");
    let third = number("1").divide(&number("3")).expect("finite");
    assert_eq!(number(&third.to_string()), third);
}

#[test]
fn of_two_shortest_texts_of_a_double_the_even_one_is_taken() {
    for (double, text) in
        [(2_115_781_182_430_131.0 + 0.25, "2115781182430131.2"), (2_115_781_182_430_131.0 + 0.75, "2115781182430131.8")]
    {
        assert_eq!(Number::from_f64(double).expect("finite").to_string(), text);
        assert_eq!(Number::from_computed_f64(double).expect("finite").to_string(), text);
        let json = serde_json::Number::from_f64(double).expect("finite").to_string();
        assert_eq!(json, text);
        assert_eq!(crate::json::to_json(&crate::Value::from(number(&json))).expect("known").to_string(), json);
    }
}

/// As `terraform console` says, and as states need it: what is stored and read is what was computed.
#[test]
fn computed_doubles_equal_what_is_read_from_their_text() {
    let root = Number::from_computed_f64(2_f64.sqrt()).expect("finite");
    let told = number("1.4142135623730951");
    assert_eq!(root, told);
    assert_eq!(root.compare_exactly(&told), Ordering::Greater);
    assert_ne!(root, told.add(&number("1e-30")).expect("finite"));
    let large = Number::from_computed_f64(2_f64.powi(70)).expect("finite");
    assert_eq!(large.to_string(), "1180591620717411300000");
    assert_ne!(large, number("1180591620717411300000"));
    assert_eq!(large, number("1180591620717411303424"));
}

#[test]
fn texts_of_computed_doubles_have_no_exponent() {
    for (double, text) in
        [(1.5e300, format!("15{}", "0".repeat(299))), (-2.5e-7, "-0.00000025".to_owned()), (0.001, "0.001".to_owned())]
    {
        assert_eq!(Number::from_computed_f64(double).expect("finite").to_string(), text);
    }
}

#[test]
fn refuses_what_is_no_number() {
    for text in ["", "-", ".", "0x10", "1e", "NaN", "1_000", "+-1", "1.2.3", " 1", "infinity"] {
        assert!(text.parse::<Number>().is_err(), "{text} is not a number");
    }
    for text in ["1e999999999", "1e-9223372036854775808", "1e9223372036854775807"] {
        assert_eq!(text.parse::<Number>(), Err(NumberError::Range), "{text}");
    }
}

#[test]
fn rounds_to_digits_ties_to_even() {
    for (text, decimals, expected) in [
        ("0.125", 2, "0.12"),
        ("0.375", 2, "0.38"),
        ("2.5", 0, "2"),
        ("3.5", 0, "4"),
        ("999.96", 1, "1000.0"),
        ("-0.05", 1, "-0.1"),
        ("0.0004", 2, "0.00"),
        ("12", 3, "12.000"),
        ("0", 2, "0.00"),
    ] {
        assert_eq!(number(text).to_fixed(decimals), expected, "{text} to {decimals}");
    }
    assert_eq!(number("1234").to_significant(2), Some((false, "12".to_owned(), 3)));
    assert_eq!(number("-0.0999").to_significant(2), Some((true, "10".to_owned(), -1)));
    assert_eq!(number("1000000").to_shortest(), Some((false, "1".to_owned(), 6)));
    assert_eq!(number("-0.00120").to_shortest(), Some((true, "12".to_owned(), -3)));
    assert_eq!(Number::INFINITY.to_shortest(), None);
}

#[test]
fn reads_numbers_as_terraform_does() {
    assert_eq!(number("+1"), number("1"));
    assert_eq!(number(".5"), number("0.5"));
    assert_eq!(number("-5."), number("-5"));
    assert_eq!(number("5.e2"), number("500"));
    assert_eq!(number("-Inf"), Number::NEGATIVE_INFINITY);
}

#[test]
fn what_is_left_of_a_division_is_zero() {
    for (a, b) in [("-2.5", "-2.5"), ("2.5", "2.5"), ("-0.5", "0.25"), ("-7.5", "2.5")] {
        let zero = number(a).remainder(&number(b)).expect("both are finite");
        assert_eq!(zero, Number::ZERO, "{a} % {b}");
        assert_eq!((zero.signum(), zero.to_string().as_str()), (0, "0"), "{a} % {b}");
        assert_eq!(number("3").remainder(&zero).expect("anything may be divided"), number("3"));
        assert_eq!(number("1.5").divide(&zero).expect("that is infinity"), Number::INFINITY);
    }
}

/// Each as `terraform console` says it.
#[test]
fn zero_has_a_sign_that_shows() {
    let zero = || number("-0");
    assert_eq!((zero().to_string().as_str(), zero().signum(), zero().to_i64()), ("-0", 0, Some(0)));
    assert_eq!(zero(), Number::ZERO);
    assert_eq!(std::collections::HashSet::from([zero(), Number::ZERO]).len(), 1);
    let texts = [
        (Number::ZERO.negate(), "-0"),
        (zero().negate(), "0"),
        (zero().magnitude(), "0"),
        (zero().floor(), "0"),
        (number("-0.5").ceil(), "0"),
        (Number::from_computed_f64(-0.0).expect("finite"), "-0"),
        (Number::from_computed_f64(-0.5).expect("finite").ceil(), "0"),
    ];
    for (number, text) in texts {
        assert_eq!(number.to_string(), text);
    }
    type Operation = fn(&Number, &Number) -> Result<Number, NumberError>;
    let operations: [(&str, Operation, &str, &str); 16] = [
        ("0", Number::multiply, "-1", "-0"),
        ("-0.5", Number::multiply, "0", "-0"),
        ("-0", Number::multiply, "-1", "0"),
        ("0", Number::divide, "-5", "-0"),
        ("0", Number::divide, "-Inf", "-0"),
        ("-1", Number::divide, "Inf", "-0"),
        ("1", Number::divide, "-0", "-Inf"),
        ("-0", Number::add, "-0", "-0"),
        ("-0", Number::add, "0", "0"),
        ("0", Number::subtract, "0", "0"),
        ("-0", Number::subtract, "0", "-0"),
        ("1", Number::subtract, "1", "0"),
        ("-0", Number::remainder, "5", "-0"),
        ("-0", Number::remainder, "-5", "0"),
        ("-0", Number::remainder, "0", "-0"),
        ("-5", Number::remainder, "5", "0"),
    ];
    for (index, (a, operation, b, expected)) in operations.into_iter().enumerate() {
        let result = operation(&number(a), &number(b)).expect("a number");
        assert_eq!(result.to_string(), expected, "{index}: {a} and {b}");
    }
    assert_eq!(zero().to_fixed(2), "-0.00");
    let json = crate::json::to_json(&crate::Value::from(zero())).expect("known");
    assert_eq!(crate::json::from_json(&json).to_string(), "-0");
}

/// Each as `terraform console` says it, whatever would read back as the same double.
#[test]
fn texts_of_powers_of_two_are_those_of_go() {
    for (power, text) in [(60, "1152921504606847000"), (64, "18446744073709550000"), (-24, "0.00000005960464477539062")]
    {
        assert_eq!(Number::from_computed_f64(2_f64.powi(power)).expect("finite").to_string(), text, "2^{power}");
    }
    let smallest = Number::from_computed_f64(f64::from_bits(1)).expect("finite").to_string();
    assert!(smallest.ends_with("004940656458412465"), "{smallest}");
}

#[test]
fn exponents_of_two_stand_after_p() {
    for (text, expected) in [("1p4", "16"), ("1.5p2", "6"), ("-1P+4", "-16"), ("1p-2", "0.25")] {
        assert_eq!(number(text), number(expected), "{text}");
    }
    for text in ["p4", "1p", "1e2p3", "1p1.5", "Infp2", "-p2"] {
        assert_eq!(text.parse::<Number>(), Err(NumberError::Syntax), "{text}");
    }
    assert_eq!("1p999999999".parse::<Number>(), Err(NumberError::Range));
}

proptest::proptest! {
    // A failure file beside the crates would be taken for a crate.
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_double_survives(value in proptest::num::f64::NORMAL) {
        let number = Number::from_f64(value).expect("normal doubles are finite");
        proptest::prop_assert_eq!(number.to_f64(), value);
        proptest::prop_assert_eq!(&number.to_string().parse::<Number>().expect("own text"), &number);
        let json = serde_json::Number::from_f64(value).expect("normal doubles are finite").to_string();
        proptest::prop_assert_eq!(&json.parse::<Number>().expect("JSON's numbers are ours"), &number);
        let computed = Number::from_computed_f64(value).expect("normal doubles are finite").to_string();
        proptest::prop_assert_eq!(computed.parse::<f64>().expect("a double"), value);
    }

    /// What is computed is stored, and read as an equal number with the same hash: else each plan would find a difference.
    #[test]
    fn what_is_computed_survives_json(value in proptest::num::f64::ANY.prop_filter("a number", |value| value.is_finite())) {
        let value = crate::Value::from(Number::from_computed_f64(value).expect("finite"));
        let read = crate::json::from_json(&crate::json::to_json(&value).expect("known"));
        let read = crate::convert::convert(&read, &crate::Type::Number).expect("a number, or its text");
        proptest::prop_assert_eq!(&read, &value);
        let number = |value: &crate::Value| value.as_number().expect("a number").clone();
        proptest::prop_assert_eq!(std::collections::HashSet::from([number(&read), number(&value)]).len(), 1);
    }
}
