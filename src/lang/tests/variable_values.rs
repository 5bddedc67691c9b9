//! Values of variables from the command line, the environment and `*.tfvars` files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use pipectl_core::{ObjectField, Type, Value};
use pipectl_lang::{SourceFile, parse_variable_file, parse_variable_value};

fn object() -> Type {
    let size = ObjectField { ty: Type::Number, optional: true, default: Some(Value::from(3_i64)) };
    Type::Object(BTreeMap::from([("name".to_owned(), ObjectField::required(Type::String)), ("size".to_owned(), size)]))
}

/// Texts, types, and the values that Terraform gives `-var x=TEXT` (shown as our values are).
#[test]
fn texts_become_values_as_in_terraform() {
    let list = Type::list(Type::String);
    let cases = [
        ("plain", Type::String, "\"plain\""),
        ("[1, 2]", Type::String, "\"[1, 2]\""),
        ("${x}", Type::String, "\"${x}\""),
        ("\"quoted\"", Type::String, "\"\\\"quoted\\\"\""),
        ("", Type::String, "\"\""),
        ("5", Type::Number, "5"),
        ("1e3", Type::Number, "1000"),
        ("true", Type::Bool, "true"),
        ("[\"a\", \"b\"]", list.clone(), "[\"a\", \"b\"]"),
        ("[1, true]", list.clone(), "[\"1\", \"true\"]"),
        ("[]", list.clone(), "[]"),
        ("null", list, "null"),
        ("[\"b\", \"a\", \"b\"]", Type::set(Type::String), "[\"a\", \"b\"]"),
        ("{ a = 1, \"b-c\" : 2 }", Type::map(Type::Number), "{ a = 1, b-c = 2 }"),
        ("{ name = \"x\" }", object(), "{ name = \"x\", size = 3 }"),
        ("[1, \"x\"]", Type::Any, "[1, \"x\"]"),
        ("<<EOT\nline\nEOT\n", Type::list(Type::String), ""),
        ("5", Type::Any, "5"),
        ("\"abc\"", Type::Any, "\"abc\""),
        ("null", Type::Any, "null"),
        ("null", Type::String, "\"null\""),
        ("1", Type::Bool, "true"),
        ("[1, \"a\"]", Type::list(Type::Any), "[\"1\", \"a\"]"),
    ];
    for (text, ty, expected) in cases {
        match parse_variable_value(text, Some(&ty), "x") {
            Ok(value) => assert_eq!(value.to_string(), expected, "{text}"),
            Err(found) => assert!(expected.is_empty(), "{text}: {found:?}"),
        }
    }
}

/// Measured with Terraform 1.11.4: `variable "x" {}`, with or without a default, takes the text as it is.
#[test]
fn without_a_type_text_is_a_string() {
    for text in ["5", "[1]", "null", "true", "${x}", "", "a b"] {
        assert_eq!(parse_variable_value(text, None, "x").unwrap(), Value::from(text));
    }
}

#[test]
fn what_is_no_value_is_told_with_the_name_of_the_variable() {
    let cases = [
        ("five", Type::Number, "Invalid value for input variable", "a number is required"),
        ("maybe", Type::Bool, "Invalid value for input variable", "a bool is required"),
        ("[1", Type::list(Type::Number), "Unterminated tuple constructor expression", "var.x"),
        ("[1, \"y\"]", Type::list(Type::Number), "Invalid value for input variable", "element 1: a number is required"),
        ("hello", Type::list(Type::String), "Variables not allowed", "var.x"),
        ("upper(\"x\")", Type::list(Type::String), "Function calls not allowed", "var.x"),
        ("{}", object(), "Invalid value for input variable", "attribute \"name\" is required"),
        ("1, 2", Type::list(Type::Number), "Extra characters after expression", "var.x"),
        ("abc", Type::Any, "Variables not allowed", "var.x"),
        ("", Type::Any, "Missing expression", "var.x"),
        ("null", Type::Number, "Invalid value for input variable", "a number is required"),
    ];
    for (text, ty, summary, words) in cases {
        let found = parse_variable_value(text, Some(&ty), "x").unwrap_err();
        let first = found.iter().next().unwrap();
        assert_eq!(first.summary, summary, "{text}: {}", first.detail);
        assert!(first.detail.contains(words), "{text}: {}", first.detail);
        assert!(first.span.is_none(), "the text is in no file");
    }
}

fn file(name: &str, text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let (values, sources, found) = parse_variable_file(SourceFile { name: name.to_owned(), text: text.to_owned() });
    for (value, span) in values.values() {
        assert!(sources.get(span.source).unwrap().text.get(span.range.clone()).is_some(), "{value}");
    }
    let values = values.into_iter().map(|(name, (value, _))| (name, value.to_string())).collect();
    (values, found.iter().map(|one| one.summary.clone()).collect())
}

#[test]
fn files_of_values_hold_arguments_only() {
    let (values, found) =
        file("a.tfvars", "a = 1\n# a comment\nb = [\"x\", true]\nc = {\n  d = null\n}\ne = <<EOT\ntext\nEOT\n");
    assert!(found.is_empty(), "{found:?}");
    let shown: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(shown, [("a", "1"), ("b", "[\"x\", true]"), ("c", "{ d = null }"), ("e", "\"text\\n\"")]);
}

#[test]
fn everything_wrong_in_a_file_of_values_is_told_at_once() {
    let (values, found) = file("a.tfvars", "a = var.x\nb = upper(\"x\")\nblock {}\nc = 1\nc = 2\nd = [1\n");
    assert_eq!(
        found,
        [
            "Variables not allowed",
            "Function calls not allowed",
            "Unsupported block type",
            "Attribute redefined",
            "Unterminated tuple constructor expression",
        ]
    );
    assert_eq!(values.into_iter().collect::<Vec<_>>(), [("c".to_owned(), "1".to_owned())]);
}

#[test]
fn strings_of_values_in_json_are_just_text() {
    let (values, found) = file(
        "a.tfvars.json",
        r#"{"//": "a comment", "a": "${x} $${y}", "b": [1, null, {"c": true}], "d": 1.5e2, "e": 123456789012345678901234567890}"#,
    );
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(values["a"], "\"${x} $${y}\"");
    assert_eq!(values["b"], "[1, null, { c = true }]");
    assert_eq!(values["d"], "150");
    assert_eq!(values["e"], "123456789012345678901234567890");
    assert!(!values.contains_key("//"));
}

#[test]
fn mistakes_of_values_in_json_are_told() {
    assert_eq!(file("a.tfvars.json", r#"{"a": 1, "a": 2}"#).1, ["Duplicate argument"]);
    assert_eq!(file("a.tfvars.json", r#"{"a": {"b": 1, "b": 2}}"#).1, ["Duplicate object attribute"]);
    assert_eq!(file("a.tfvars.json", "[1]").1, ["Incorrect JSON value type"]);
    assert_eq!(file("a.tfvars.json", "").1, ["Missing JSON value"]);
    assert_eq!(file("a.tfvars.json", "{} {}").1, ["Extraneous data after value"]);
}

#[test]
fn files_in_json_keep_all_digits_and_no_name_stands_twice() {
    let read = |text: &str| parse_variable_file(SourceFile { name: "x.tfvars.json".to_owned(), text: text.to_owned() });
    let text = "{\"//\": \"a comment\", \"n\": 12345678901234567890.000000000000000000001, \"s\": \"${x}\"}";
    let (values, _, found) = read(text);
    assert!(found.is_empty(), "{found:?}");
    let shown: Vec<String> = values.iter().map(|(name, (value, _))| format!("{name} = {value}")).collect();
    assert_eq!(shown, ["n = 12345678901234567890.000000000000000000001", "s = \"${x}\""]);
    for (text, summary, place) in [
        ("{\"a\": 1, \"a\": 2}", "Duplicate argument", 9),
        ("{\"a\": {\"b\": 1, \"b\": 2}}", "Duplicate object attribute", 15),
        ("null", "Root value must be object", 0),
        ("[{\"a\": 1}]", "Incorrect JSON value type", 0),
    ] {
        let (_, _, found) = read(text);
        let told: Vec<(&str, usize)> =
            found.iter().map(|one| (one.summary.as_str(), one.span.as_ref().unwrap().range.start)).collect();
        assert_eq!(told, [(summary, place)], "{text}");
    }
}
