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
        ("{ a = 1, a = 2 }.a", "2"),
        ("merge({ a = 1, a = 2 }, { b = 3, c = 4, \"b\" = 5 })", "{ a = 2, b = 5, c = 4 }"),
        ("[for k, v in { a = 1, b = 2, a = 3 } : \"${k}${v}\"]", "[\"a3\", \"b2\"]"),
        ("{ for k, v in { a = 1, a = 2 } : k => { b = v, b = v + 1 } }", "{ a = { b = 3 } }"),
        ("\"%{ for k, v in { a = 1, a = 2 } }${{ x = v, x = k }.x}%{ endfor }\"", "\"a\""),
        ("true ? { a = 1, a = 2 } : { a = 3 }", "{ a = 2 }"),
        ("{ a = <<EOT\n}\nEOT\n  a = 2 }", "{ a = 2 }"),
        ("{ (\"a\") = 1, \"${\"a\"}\" = 2, \"\\u0061\" = 3, b = 4 }", "{ a = 3, b = 4 }"),
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
fn objects_may_have_any_number_of_keys() {
    let scope = Scope::new(Arc::new(NoFiles));
    // As many again repeat them.
    let items: String = (0..20_000).map(|item| format!("  key{} = \"é{item}\" # {{\n", item % 10_000)).collect();
    let parsed = parse_expression(&format!("{{\n{items}}}"), SourceId(0)).expect("an object");
    let value = evaluate(&parsed, &scope).expect("a value");
    assert_eq!(value.attribute("key7").expect("a key").to_string(), "\"é10007\"");
    let length = parse_expression(&format!("length({{\n{items}}})"), SourceId(0)).expect("a call");
    assert_eq!(evaluate(&length, &scope).expect("a number").to_string(), "10000");
}

#[test]
fn what_is_wrong_in_a_large_object_is_told_where_it_stands() {
    let items: String =
        (0..1000).map(|item| format!("key{item} = {}, ", if item == 700 { "1 2" } else { "1" })).collect();
    let text = format!("{{ {items} }}");
    let found = parse_expression(&text, SourceId(0)).expect_err("two numbers are no value");
    let place = found.iter().next().and_then(|found| found.span.clone()).expect("a place");
    assert_eq!(&text[text[..place.range.start].rfind("key").expect("a key")..place.range.end], "key700 = 1 2");
    let items = items.replace("1 2", "nothing");
    let parsed = parse_expression(&format!("{{ {items} }}"), SourceId(0)).expect("an object");
    let found = evaluate(&parsed, &Scope::new(Arc::new(NoFiles))).expect_err("nothing has that name");
    let place = found.iter().next().and_then(|found| found.span.clone()).expect("a place");
    assert_eq!(&format!("{{ {items} }}")[place.range], "nothing");
}

#[test]
fn a_number_may_have_any_number_of_digits() {
    let long = format!("1{}", "0".repeat(400));
    for (text, expected) in [(format!("{long} > 1e399"), "true"), (format!("{long}.5 == {long}"), "true")] {
        let parsed = parse_expression(&text, SourceId(0)).unwrap();
        assert_eq!(evaluate(&parsed, &Scope::new(Arc::new(NoFiles))).unwrap().to_string(), expected);
    }
}
