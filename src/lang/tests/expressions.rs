//! Every expression of the fixtures gives what Terraform 1.11.4 gives: the same type and JSON, or the same error.
//!
//! The answers are made by `tests/peers/terraform_expressions.sh`. Where we differ on purpose, `DIFFERENT` says why.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::{SourceId, Type, Value};
use pipectl_lang::{Files, Reference, Scope, SourceFile, evaluate, load, parse_expression};
use serde_json::Value as Json;

/// Expressions whose answer differs from Terraform's on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("element([\"a\", \"b\", \"c\"], -1)", "1.11.4 panics; later versions count from the end"),
    ("coalesce()", "the reason is that there is no argument, not their types"),
    ("{ for x in sensitive([\"hunter2\", \"hunter2\"]) : x => 1 }", "an element of a sensitive list is not shown"),
    ("lookup({ a = 1 }, sensitive(\"hunter2\"))", "a sensitive key is not shown"),
    ("try(tonumber(\"x\"))", "places are in the diagnostic's span"),
    ("templatefile(\"value.tmpl\", { list = null })", "names the function that was called"),
    ("templatefile(\"recursive.tmpl\", {})", "points to the whole call"),
    ("file(\"latin1.txt\")", "names functions that we have"),
    ("[for x in [1] : x if null]", "the same words for a literal null as for any other"),
    ("range(1, 2, 0)", "1.11.4 does not see that the step is zero"),
    ("{ a.b = 1 }", "says what is wrong with the key rather than with the reference that it is not"),
    ("strrev(\"a\\u0301bc\")", "strings are not brought to normal form C"),
    ("replace(\"abc\", \"/[/\", \"x\")", "the regular expression engine has its own words"),
    ("regex(\"(\", \"a\")", "the regular expression engine has its own words"),
    ("format(\"%s\", null)", "1.11.4 gives a value that is never known"),
    ("jsondecode(\"{\\\"a\\\":\")", "EOF says less"),
];

/// Our detail in Terraform 1.11.4's words: later versions name both types in more cases, as we do, and it doubles the full stop of a
/// detail inside a detail.
fn in_old_words(detail: &str) -> String {
    let shorter = regex::Regex::new(", but have [a-z ]+").unwrap().replace_all(detail, "");
    shorter.replace("..", ".")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| error.kind().to_string())
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).is_file()
    }

    fn glob(&self, base: &str, pattern: &str) -> Result<Vec<String>, String> {
        let regex =
            pattern.replace('.', "\\.").replace('*', "[^/]*").replace('{', "(").replace('}', ")").replace(',', "|");
        let regex = regex::Regex::new(&format!("^{regex}$")).unwrap();
        let Ok(entries) = std::fs::read_dir(self.0.join(base)) else { return Ok(Vec::new()) };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| regex.is_match(name));
        names.sort();
        Ok(names)
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        Ok(format!("/{path}"))
    }
}

/// A scope with the local values of `fixtures/files/locals.tf`.
fn scope() -> Scope {
    let folder = fixtures().join("files");
    let text = std::fs::read_to_string(folder.join("locals.tf")).unwrap();
    let mut scope = Scope::new(Arc::new(Folder(folder)));
    let (configuration, diagnostics) = load(vec![SourceFile { name: "locals.tf".to_owned(), text }]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    for (name, local) in &configuration.locals {
        let value = evaluate(&local.expression, &scope).unwrap_or_else(|found| panic!("local.{name}: {found:?}"));
        scope.set(&Reference::Local(name.clone()), value);
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

/// What we say, in the form of the golden answers.
fn answer(expression: &str, scope: &Scope) -> Result<(String, String), (String, String)> {
    let encode = |value: &Value| {
        let mut wrapped = Scope::new(Arc::new(pipectl_lang::NoFiles));
        wrapped.set(&Reference::Local("value".to_owned()), value.clone());
        let call = parse_expression("jsonencode(local.value)", SourceId(0)).unwrap();
        let json = evaluate(&call, &wrapped).unwrap();
        match json.as_str() {
            _ if json.is_sensitive() => "(sensitive)".to_owned(),
            Some(text) => text.to_owned(),
            None => "(unknown)".to_owned(),
        }
    };
    let result = parse_expression(expression, SourceId(0)).and_then(|parsed| evaluate(&parsed, scope));
    match result {
        Ok(value) if value.as_number().is_some_and(|number| !number.is_finite()) => {
            Ok(("number".to_owned(), value.to_string()))
        }
        Ok(value) => Ok((type_name(&value.ty()), encode(&value))),
        Err(diagnostics) => {
            let first = diagnostics.iter().next().unwrap();
            // The golden answers were broken into lines, so that spaces are not to be told from line breaks.
            Err((first.summary.clone(), in_old_words(&first.detail)))
        }
    }
}

fn expected(golden: &Json) -> Result<(String, String), (String, String)> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    if let Some(errors) = golden.get("errors") {
        return Err((text(&errors[0]["summary"]), in_old_words(&text(&errors[0]["detail"]))));
    }
    let json = match golden.get("json").or(golden.get("shown")) {
        Some(json) => text(json),
        None if golden.get("sensitive").is_some() => "(sensitive)".to_owned(),
        None => "(unknown)".to_owned(),
    };
    Ok((text(&golden["type"]), json))
}

#[test]
fn expressions_give_what_terraform_gives() {
    let scope = scope();
    let mut total = 0;
    let mut wrong = Vec::new();
    let mut topics: Vec<PathBuf> = std::fs::read_dir(fixtures().join("expressions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    topics.sort();
    for topic in topics {
        let golden: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(&topic).unwrap()).unwrap();
        for entry in golden {
            total += 1;
            let expression = entry["expression"].as_str().unwrap();
            let (expected, actual) = (expected(&entry), answer(expression, &scope));
            let deliberate = DIFFERENT.iter().any(|(different, _)| *different == expression);
            if (expected == actual) == deliberate {
                wrong.push(format!("{}\n    Terraform: {expected:?}\n    we:        {actual:?}", expression));
            }
        }
    }
    assert!(total >= 800, "only {total} expressions were found");
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong.join("\n"));
}
