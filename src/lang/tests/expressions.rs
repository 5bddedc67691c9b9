//! Every expression of the fixtures gives what Terraform 1.11.4 gives: the same type and JSON, or the same error.
//!
//! The answers are made by `tests/peers/terraform_expressions.sh`. Where we differ on purpose, `DIFFERENT` says why.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::{Kind, Marks, SourceId, Type, Value};
use pipectl_lang::{FileKind, Files, Reference, Scope, SourceFile, evaluate, load, parse_expression};
use serde_json::Value as Json;

/// Expressions whose answer differs from Terraform's on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("element([\"a\", \"b\", \"c\"], -1)", "1.11.4 panics; later versions count from the end"),
    ("coalesce()", "the reason is that there is no argument, not their types"),
    ("{ for x in sensitive([\"hunter2\", \"hunter2\"]) : x => 1 }", "an element of a sensitive list is not shown"),
    ("lookup({ a = 1 }, sensitive(\"hunter2\"))", "a sensitive key is not shown"),
    ("try(tonumber(\"x\"))", "places are in the diagnostic's span"),
    ("templatefile(\"recursive.tmpl\", {})", "points to the whole call"),
    ("range(1, 2, 0)", "1.11.4 does not see that the step is zero"),
    ("{ a.b = 1 }", "says what is wrong with the key rather than with the reference that it is not"),
    ("format(\"%s\", null)", "1.11.4 gives a value that is never known"),
    ("jsondecode(\"{\\\"a\\\":\")", "EOF says less"),
    ("alltrue(local.partly_set)", "says which of the elements is no bool rather than that types differ"),
    ("anytrue(local.partly_set)", "says which of the elements is no bool rather than that types differ"),
    ("formatlist(\"2020-01-02T03:04:05Z\", toset([\"a\", \"b\"]), null)", "1.11.4 gives a value that is never known"),
    (
        "matchkeys(local.secrets, [\"a\", \"b\"], local.partly_list)",
        "1.11.4 gives an empty list where a key may turn out to match",
    ),
    ("(local.bool && false)", "false whatever the unknown operand is; so it is in later versions"),
    ("length(\"क्षि\")", "newer Unicode: a conjunct is one character"),
    ("coalesce(local.partly, toset([1]))", "1.11.4 passes over a value that does not convert"),
    ("\"\\ud800\"", "says what a valid escape is"),
    ("\"\\U00110000\"", "says what a valid escape is"),
    ("[][1]", "says why there is no such element"),
    ("format(\"%v\", null)", "1.11.4 gives a value that is never known"),
    ("templatestring(local.template_broken, {})", "says what is not closed rather than what is missing"),
    (
        "\"%{ if (\"true\" || local.bool) }yes%{ else }no%{ endif }\"",
        "true whatever the unknown operand is; so it is in later versions",
    ),
    (
        "(((\"5\" == \"5\") || (true || local.bool)) && false)",
        "false whatever the unknown operand is; so it is in later versions",
    ),
    ("templatestring(local.template_nested, {})", "points to the whole call"),
    ("templatestring(local.template_reads, {})", "points to the whole call"),
    ("templatestring(local.template_fails, {})", "points to the whole argument"),
    ("format(local.secret, null, \"a.b.a\")", "1.11.4 gives a value that is never known"),
    ("true || local.bool", "decided by what is known, whatever the unknown operand is; so it is in later versions"),
    ("true || local.dynamic", "decided by what is known, whatever the unknown operand is; so it is in later versions"),
    ("length(toset([local.bool]))", "what may be known of a length is not used"),
    ("setproduct((local.bool ? [\"x\", \"x\"] : [\"x\", \"x\"]), [])", "what may be known of a length is not used"),
    (
        "formatlist(\"%s %s\", (local.bool ? [\"x\"] : [\"x\"]), (local.bool ? [\"x\", \"x\"] : [\"x\", \"x\"]))",
        "what may be known of a length is not used",
    ),
    (
        "formatlist(\"%s %s\", tolist([\"hi\"]), (local.bool ? [\"x\", \"x\"] : [\"x\", \"x\"]))",
        "what may be known of a length is not used",
    ),
    ("format(\"%#v\", null)", "1.11.4 gives a value that is never known"),
    ("format(\"%d\", null)", "1.11.4 gives a value that is never known"),
    ("format(\"%5v|\", null)", "1.11.4 gives a value that is never known"),
    ("formatlist(\"%s\", null)", "1.11.4 gives a value that is never known"),
    ("formatlist(\"%s %s\", [1,2], null)", "1.11.4 gives a value that is never known"),
    ("strrev(\"क्षि\")", "newer Unicode: a conjunct is one character"),
    ("substr(\"क्षि\", 1, 1)", "newer Unicode: a conjunct is one character"),
    ("substr(\"क्षि\", -1, 1)", "newer Unicode: a conjunct is one character"),
    ("format(\"%5s|%-5s|%.1s|%q\", \"क्षि\", \"क्षि\", \"क्षि\", \"क्षि\")", "newer Unicode: a conjunct is one character"),
    ("yamldecode(\"[a ba:, ]\")", "a colon before a comma or bracket is for us no part of a word"),
    (
        "\"%{~ if true ~}$${\"a b\"}%{ endif ~}${~ 1}${~ 1 ~}${1 ~}%{ if true }%{~ endif ~}\"",
        "1.11.4 scans an escaped sequence as if it began one",
    ),
    ("\"%{~ if true ~}\\n$${\"a b\"}${~ 1}\\n%{ endif ~}\"", "1.11.4 scans an escaped sequence as if it began one"),
    (
        "\"%%{%{ for x in [1,2] ~}%{ for x in [1,2] }${\"a b\"}$$${\"a b\"}\\t%{ endfor }%{ endfor }\"",
        "1.11.4 scans an escaped sequence as if it began one",
    ),
    ("\"%{ if true }$${\"a b\"}%{ else }${1}\\t%{ endif }\"", "1.11.4 scans an escaped sequence as if it began one"),
    ("yamldecode(\"- [a:, {b: c}]\")", "a colon before a comma or bracket is for us no part of a word"),
    ("cidrsubnets(\"::ffff:1.2.3.0/120\", 4, 4)", "1.11.4 adds to the wrong end of an address of IPv4 in that of IPv6"),
    ("cidrhost(\"::ffff:1.2.3.0/120\", 1)", "1.11.4 adds to the wrong end of an address of IPv4 in that of IPv6"),
    ("cidrhost(\"::ffff:0:0/96\", 5)", "1.11.4 adds to the wrong end of an address of IPv4 in that of IPv6"),
    ("yamldecode(\"[a:, b]\")", "a colon before a comma or bracket is for us no part of a word"),
    ("yamldecode(\"{a:, b}\")", "a colon before a comma or bracket is for us no part of a word"),
    ("yamldecode(\"[a:]\")", "a colon before a comma or bracket is for us no part of a word"),
    ("yamldecode(\"{a:}\")", "a colon before a comma or bracket is for us no part of a word"),
    ("try(each.value, 1)", "a reference that is wrong is found by check_references, before anything is evaluated"),
    ("try(path.foo, 1)", "a reference that is wrong is found by check_references, before anything is evaluated"),
    ("try(terraform.foo, 1)", "a reference that is wrong is found by check_references, before anything is evaluated"),
    ("cidrhost(\"::ffff:10.0.0.0/104\", 1)", "1.11.4 adds to the wrong end of an address of IPv4 in that of IPv6"),
    ("cidrhost(\"::ffff:10.0.0.0/96\", 1)", "1.11.4 adds to the wrong end of an address of IPv4 in that of IPv6"),
    (
        "textencodebase64(\"¥~\\\\\", \"Shift_JIS\")",
        "the tables of the WHATWG standard, by which browsers read and write",
    ),
    ("textencodebase64(\"é\", \"EUC-JP\")", "the tables of the WHATWG standard, by which browsers read and write"),
    ("textencodebase64(\"ñÑ\", \"EUC-JP\")", "the tables of the WHATWG standard, by which browsers read and write"),
    ("textencodebase64(\"¥~\\\\\", \"EUC-JP\")", "the tables of the WHATWG standard, by which browsers read and write"),
    (
        "textencodebase64(\"¥~\\\\\", \"ISO-2022-JP\")",
        "the tables of the WHATWG standard, by which browsers read and write",
    ),
    ("textencodebase64(\"é\", \"Big5\")", "the tables of the WHATWG standard, by which browsers read and write"),
    (
        "(({ for x0 in local.partly : x0 => x0 } == base64sha512(\"true\")) ? { for x0 in (false ? local.map : { a = \"x\", b = 2 }) : \"k${x0}\" => (0.1 % 100) } : { for x0 in [for x0 in { a = \"x\", b = 2 } : \"true\"] : \"k${x0}\" => regex(local.id, x0) })",
        "of results with attributes that are not known the type is left open",
    ),
    (
        "(format(local.secret, local.tuple, local.tuple) && (false && false))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    ("(false && local.bool)", "decided by what is known, whatever the unknown operand is; so it is in later versions"),
    (
        "(((\"true\" && local.bool) || \"true\") ? coalesce(-2, timeadd(local.partly_map, local.prefixed)) : yamldecode(sum({})))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    ("(local.bool || true)", "decided by what is known, whatever the unknown operand is; so it is in later versions"),
    (
        "base64encode(((false && local.bool) ? local.id : (\"5\" * 1.5)))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "((false && local.bool) || !false)",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "(local.bool || \"true\")",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "try(one(null)[2], ((true || local.bool) && (local.partly_map == { a = \"x\", b = 2 })))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "(((1.5 / 100) > 1) ? try((false && local.bool)) : {  })",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "(({ a = 1 } != { a = \"x\", b = 2 }) || !local.bool)",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    ("([] == tolist(local.tuple))", "what may be known of a length is not used"),
    ("formatlist(\"ÄÖ ü\", true, null)", "1.11.4 gives a value that is never known"),
    ("format(\"b-1\", null)", "1.11.4 gives a value that is never known"),
    (
        "((\"true\" && local.bool) || \"true\")",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "\"%{ if (local.bool && false) }yes%{ else }no%{ endif }\"",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    ("format(\"a\", 0.1, null).a", "1.11.4 gives a value that is never known"),
    (
        "(true || format(local.prefixed, local.prefixed, local.partly_map))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "((local.bool && false) ? { for x0 in local.tuple : x0 => x0 } : (false ? toset([1, 2]) : local.secret))",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    (
        "((\"true\" || local.bool) ? { for x0 in { a = 1 } : \"k${x0}\" => 1... } : local.partly.b)",
        "decided by what is known, whatever the unknown operand is; so it is in later versions",
    ),
    ("(true || local.bool)", "decided by what is known, whatever the unknown operand is; so it is in later versions"),
    ("coalesce([[], [1]], [null, 1], tolist([1]))", "1.11.4 passes over a value that does not convert"),
    ("true ? [[1], [\"a\"]] : tolist([null])", "1.11.4 refuses what it takes elsewhere"),
    ("false ? tolist([tolist([1])]) : [[1], [\"a\"]]", "1.11.4 refuses what it takes elsewhere"),
    ("[for k, v in {hello: \"world\"}: k => v]", "says what to write instead, too"),
    ("{for v in {hello: \"world\"}: v}", "says what to write instead, too"),
    ("\"%{ endfor }\"", "says which directive is missing"),
    ("\"%{ if true }a%{ endfor }\"", "the place of the directive that is open is in no text"),
    ("\"%{ for x in [1,2] }${x}%{ endif }\"", "the place of the directive that is open is in no text"),
    ("1 << 2", "takes << for the beginning of a heredoc, and says how one is written"),
    ("\"${ ~1}\"", "there is no ~ in the language, so that nothing is said of bits"),
    ("\"\\udc00\"", "says what a valid escape is"),
    ("\"${+1}\"", "names the character"),
    ("regex(\"(a{1000}){2}\", \"a\")", "the product of nested repetitions has no limit but memory"),
    ("\"a%{ for x in [1,2] }%%{ endfor ~}\"", "the place of the directive that is open is in the diagnostic's span"),
    ("1e-99999999999", "an exponent beyond what we compute with"),
    ("tonumber(\"1e-999999999\")", "an exponent beyond what we compute with"),
    ("1.5.e3", "is read as the attribute e3 of 1.5, which a number has not"),
    ("yamldecode(\"{a:, b: 1}\")", "a colon before a comma or bracket is for us no part of a word"),
    ("yamldecode(\"[!a, b]\")", "a comma or bracket ends a tag, which then has no value or is unknown"),
    ("yamldecode(\"[!!str, b]\")", "a comma or bracket ends a tag, which then has no value or is unknown"),
    ("yamldecode(\"{[''!,\")", "a comma or bracket ends a tag, which then has no value or is unknown"),
    ("yamldecode(\"[!,b]\")", "a comma or bracket ends a tag, which then has no value or is unknown"),
    ("yamldecode(\"{a: !!str, b: 1}\")", "a comma or bracket ends a tag, which then has no value or is unknown"),
    ("regex(\"(a{1000}){2}\", \"x\")", "the product of nested repetitions has no limit but memory"),
    ("fileset(\".\", \"{tree/a,tree/c}/*.txt\")", "a pattern may begin with alternatives that hold slashes"),
    ("fileset(\".\", \"{tree/a,tree/{c}}/*.txt\")", "a pattern may begin with alternatives that hold slashes"),
    ("[for x in [1] : x if true...]", "says what is wrong with what follows"),
];

/// What is said of text that is no expression.
const SYNTAX: &[&str] = &[
    "Extra characters after expression",
    "Extra characters after interpolation expression",
    "Invalid character",
    "Missing argument separator",
    "Unbalanced parentheses",
    "Unclosed template interpolation sequence",
];

/// Our detail in Terraform 1.11.4's words: later versions name both types in more cases, as we do, and it doubles the full stop of a
/// detail inside a detail.
fn in_old_words(detail: &str) -> String {
    let shorter = regex::Regex::new(", but have [a-z ]+").unwrap().replace_all(detail, "");
    let lines = regex::Regex::new("[ \n]+").unwrap().replace_all(&shorter, " ");
    lines.replace("..", ".").trim().to_owned()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            kind => kind.to_string(),
        })
    }

    fn kind(&self, path: &str) -> Result<FileKind, String> {
        Ok(match std::fs::metadata(self.0.join(path)) {
            Ok(found) if found.is_file() => FileKind::Regular,
            Ok(found) if found.is_dir() => FileKind::Folder,
            Ok(_) => FileKind::Other("a device node"),
            Err(_) => FileKind::Missing,
        })
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(self.0.join(folder)).map_err(|error| error.to_string())?;
        Ok(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        Ok(format!("/{path}"))
    }
}

/// A scope with the local values and resources of `fixtures/files/*.tf`, as they are in a plan before anything was applied.
fn scope() -> Scope {
    let folder = fixtures().join("files");
    let mut scope = Scope::new(Arc::new(Folder(folder.clone())));
    for name in ["locals.tf", "unknown.tf"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let (configuration, diagnostics) = load(vec![SourceFile { name: name.to_owned(), text }]);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        for (address, object) in &configuration.objects {
            let input = object
                .body
                .argument("input")
                .map(|input| evaluate(&input.value, &scope).unwrap_or_else(|found| panic!("{address}: {found:?}")));
            let output = input.as_ref().map_or_else(Value::null, |input| Value::unknown(input.ty()));
            let not_null = pipectl_core::Refinement { not_null: true, ..Default::default() };
            let value = Value::object([
                ("id", Value::refined(Type::String, not_null)),
                ("input", input.unwrap_or_else(Value::null)),
                ("output", output),
                ("triggers_replace", Value::null()),
            ]);
            scope.set(&Reference::Object(address.clone()), value);
        }
        for (name, local) in &configuration.locals {
            let value = evaluate(&local.expression, &scope).unwrap_or_else(|found| panic!("local.{name}: {found:?}"));
            scope.set(&Reference::Local(name.clone()), value);
        }
    }
    scope
}

/// A type as `terraform console` writes it, without spaces.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Any => "dynamic".to_owned(),
        Type::Bool | Type::Number | Type::String => ty.to_string(),
        Type::List(element) => format!("list({})", type_name(element)),
        Type::Set(element) => format!("set({})", type_name(element)),
        Type::Map(element) => format!("map({})", type_name(element)),
        Type::Tuple(elements) => format!("tuple([{}])", elements.iter().map(type_name).collect::<Vec<_>>().join(",")),
        Type::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, field)| format!("{}:{}", name.replace(' ', ""), type_name(&field.ty)))
                .collect();
            format!("object({{{}}})", fields.join(","))
        }
    }
}

/// A value as `terraform console` shows it, all spaces and line breaks left out.
fn shown(value: &Value) -> String {
    if !value.is_known() {
        return "(known after apply)".to_owned();
    }
    if value.is_sensitive() {
        return "(sensitive value)".to_owned();
    }
    let elements = |elements: &[Value]| elements.iter().map(|element| shown(element) + ",").collect::<String>();
    let named = |value: &Value| {
        let each = |(name, value): (&String, &Value)| format!("{name:?}={}", shown(value));
        value.as_object().unwrap().iter().map(each).collect::<String>()
    };
    match value.kind() {
        Kind::Null(Type::Any) => "null".to_owned(),
        Kind::Null(ty @ (Type::String | Type::Number | Type::Bool)) => format!("to{ty}(null)"),
        Kind::Null(Type::List(element)) => format!("tolist(null)/*of{}*/", element.friendly_name()),
        Kind::Null(Type::Set(element)) => format!("toset(null)/*of{}*/", element.friendly_name()),
        Kind::Null(Type::Map(element)) => format!("tomap(null)/*of{}*/", element.friendly_name()),
        Kind::Null(ty) => format!("null/*{}*/", ty.friendly_name()),
        Kind::List(_, list) => format!("tolist([{}])", elements(list)),
        Kind::Set(_, set) => format!("toset([{}])", elements(set)),
        Kind::Tuple(tuple) => format!("[{}]", elements(tuple)),
        Kind::Map(..) => format!("tomap({{{}}})", named(value)),
        Kind::Object(_) => format!("{{{}}}", named(value)),
        _ => value.to_string(),
    }
}

fn without_spaces(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match bare.as_str() {
        "(knownafterapply)" => "(known after apply)".to_owned(),
        "(sensitivevalue)" => "(sensitive value)".to_owned(),
        _ => bare,
    }
}

/// An answer: type, value, and whether an unknown value is known not to be null; or summary and detail of the first error.
type Answer = Result<(String, String, bool), (String, String)>;

/// What we say, in the form of the golden answers.
fn answer(expression: &str, scope: &Scope) -> Answer {
    let result = parse_expression(expression, SourceId(0)).and_then(|parsed| evaluate(&parsed, scope));
    match result {
        Ok(value) => {
            let not_null = matches!(value.kind(), Kind::Unknown(unknown) if unknown.refinement.not_null);
            let is_plain = value.is_wholly_known() && !value.marks_deep().contains(Marks::SENSITIVE);
            let text = match json(&value).filter(|_| is_plain) {
                Some(text) => text,
                None => without_spaces(&shown(&value)),
            };
            Ok((type_name(&value.ty()), text, not_null))
        }
        Err(diagnostics) => {
            let first = diagnostics.iter().next().unwrap();
            // The golden answers were broken into lines, so that spaces are not to be told from line breaks.
            Err((first.summary.clone(), in_old_words(&first.detail)))
        }
    }
}

/// The JSON of a value, unless an infinity is in it.
fn json(value: &Value) -> Option<String> {
    let mut wrapped = Scope::new(Arc::new(pipectl_lang::NoFiles));
    wrapped.set(&Reference::Local("value".to_owned()), value.clone());
    let call = parse_expression("jsonencode(local.value)", SourceId(0)).unwrap();
    evaluate(&call, &wrapped).ok()?.as_str().map(str::to_owned)
}

fn expected(golden: &Json) -> Answer {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    if let Some(errors) = golden.get("errors") {
        return Err((text(&errors[0]["summary"]), in_old_words(&text(&errors[0]["detail"]))));
    }
    let value = match golden.get("json") {
        Some(json) => text(json),
        None => without_spaces(&text(&golden["shown"])),
    };
    let not_null = golden.get("not_null").is_some();
    Ok((text(&golden["type"]), value, not_null))
}

/// Whether our first error is any of Terraform's, which it shows by their places in the text.
fn same_error(golden: &Json, actual: &Answer) -> bool {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let (Some(errors), Err(actual)) = (golden.get("errors").and_then(Json::as_array), actual) else { return false };
    errors.iter().any(|error| (text(&error["summary"]), in_old_words(&text(&error["detail"]))) == *actual)
}

/// Whether an answer may differ: it is one of [`DIFFERENT`], or falls under one of the rules by which many answers differ.
fn deliberate(expression: &str, expected: &Answer, actual: &Answer) -> bool {
    let is_secret = expression.contains("secret") || expression.contains("sensitive(");
    let rule = match (expected, actual) {
        // What a sensitive value holds, or even its type, is in none of our messages.
        (Err((theirs, _)), Err((ours, _))) if is_secret && theirs == ours => true,
        // The regular expression engine and the JSON parser have words of their own.
        (Err((_, theirs)), Err((_, ours))) if theirs.contains("invalid regexp pattern") => {
            ours.contains("invalid regexp pattern")
        }
        (Err((_, theirs)), Err((_, ours))) if theirs.contains("\"jsondecode\" failed") => {
            ours.contains("\"jsondecode\" failed")
        }
        // Places are in the spans of the findings.
        (Err((_, theirs)), Err((_, ours))) if theirs.contains("no expression succeeded") => {
            ours.contains("no expression succeeded")
        }
        // Of several attributes that do not fit Terraform names any.
        (Err((_, theirs)), Err((_, ours))) if ours.contains("element \"") || ours.contains("attribute \"") => {
            let nameless = |detail: &str| {
                regex::Regex::new("(element|attribute) \"[^\"]*\"").unwrap().replace_all(detail, "").into_owned()
            };
            nameless(theirs) == nameless(ours)
        }
        // A wrong reference is found in the whole configuration before anything is evaluated: `can` and `try` never see it.
        (Err((theirs, _)), _) if theirs.contains("reference") || theirs.contains("Reference") => true,
        // An encoding that no library of ours has.
        _ if expression.contains("HZ-GB-2312") => true,
        // What a parser misses first when it loses its way.
        (Err((theirs, _)), Err((ours, _))) if SYNTAX.contains(&theirs.as_str()) && SYNTAX.contains(&ours.as_str()) => {
            true
        }
        _ => false,
    };
    rule || DIFFERENT.iter().any(|(different, _)| *different == expression)
}

#[test]
fn expressions_give_what_terraform_gives() {
    let scope = scope();
    let mut total = 0;
    let mut different = 0;
    let mut wrong = Vec::new();
    let mut topics: Vec<PathBuf> = std::fs::read_dir(fixtures().join("expressions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    topics.sort();
    for topic in topics {
        let golden: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(&topic).unwrap()).unwrap();
        for entry in golden.iter().filter(|entry| entry.get("panic").is_none()) {
            total += 1;
            let expression = entry["expression"].as_str().unwrap();
            let (expected, actual) = (expected(entry), answer(expression, &scope));
            if expected == actual || same_error(entry, &actual) {
                if DIFFERENT.iter().any(|(other, _)| *other == expression) {
                    wrong.push(format!("{expression}\n    is as Terraform has it, though listed as different"));
                }
            } else if deliberate(expression, &expected, &actual) {
                different += 1;
            } else {
                wrong.push(format!("{}\n    Terraform: {expected:?}\n    we:        {actual:?}", expression));
            }
        }
    }
    assert!(total >= 10_000, "only {total} expressions were found");
    println!("{} of {total} agree, {different} differ on purpose", total - different - wrong.len());
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong.join("\n"));
}
