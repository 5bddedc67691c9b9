//! What hcl-edit refuses or reads wrongly, and Terraform does not: each is read as Terraform reads it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use pipectl_core::SourceId;
use pipectl_lang::{NoFiles, Scope, evaluate, parse_expression};

#[test]
fn expressions_are_read_as_terraform_reads_them() {
    let cases = [
        ("{ a = 1, a = 2, \"a\" = 3 }", "{ a = 3 }"),
        ("{ a = 1, b = 2, a = { a = 4, a = 5 } }", "{ a = { a = 5 }, b = 2 }"),
        ("[<<EOT\nEOT\n, 1]", "[\"\", 1]"),
        ("1e5000 == 2e5000", "false"),
        ("1e400 > 1e399", "true"),
        ("1e-5000 == 0", "false"),
        ("[1e400 > 1, \"1e400\"]", "[true, \"1e400\"]"),
        ("[for x in [1]\n + [] : x]", ""),
        ("[for x in [1, 2]\n : x\n + 1]", "[2, 3]"),
        ("[for x in true\n ? [1] # one\n : [2] : x]", "[1]"),
        ("(-\n1)", "-1"),
        ("(! # no\n true)", "false"),
        ("{ for k in [\"a\"]\n : k\n => 1e400 > 1 }", "{ a = true }"),
        ("[<<EOT\nkept # text\n(\nEOT\n, (-\n1)]", "[\"kept # text\\n(\\n\", -1]"),
        ("\"${-\n1}\"", "-1"),
        ("{ a = (-\n1)\n b = 2 }", "{ a = -1, b = 2 }"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("123456789012345678901234567890 % 10", "0"),
        ("1 /* c */", "1"),
        ("/* ( */ 1 // c", "1"),
        ("\n1 +\n2 # three\n", "3"),
        ("\"a\" # b", "\"a\""),
        ("- /* a */ 1", "-1"),
        ("2 * - /* x */ 3", "-6"),
        ("(- # c 7\n 5)", "-5"),
        ("(- // é\n\n5e1)", "-50"),
        ("- 2.5", "-2.5"),
        ("abs(1/*x*//*y*/+1)", "2"),
        ("[1.e5, 1.e+5, 5.E3 + 1]", "[100000, 100000, 5001]"),
        ("\"${1.e2}\"", "100"),
        ("[<<EOT\na\n EOT x\nEOT: ${1}\nEOTX\nEOT\n, 1]", "[\"a\\n EOT x\\nEOT: 1\\nEOTX\\n\", 1]"),
    ];
    for (text, expected) in cases {
        let result =
            parse_expression(text, SourceId(0)).and_then(|parsed| evaluate(&parsed, &Scope::new(Arc::new(NoFiles))));
        match result {
            Ok(value) => assert_eq!(value.to_string(), expected, "{text}"),
            Err(found) => assert!(expected.is_empty(), "{text}: {found:?}"),
        }
    }
}

#[test]
fn a_number_may_have_any_number_of_digits() {
    let long = format!("1{}", "0".repeat(400));
    for (text, expected) in [(format!("{long} > 1e399"), "true"), (format!("{long}.5 == {long}"), "true")] {
        let parsed = parse_expression(&text, SourceId(0)).unwrap();
        assert_eq!(evaluate(&parsed, &Scope::new(Arc::new(NoFiles))).unwrap().to_string(), expected);
    }
}
