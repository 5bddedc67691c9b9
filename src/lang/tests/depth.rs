//! Deep nesting and long chains give a value or a diagnostic, never a stack overflow.
//!
//! Each text is read on a thread with the stack of an ordinary one (2 MiB), with the frames of this build.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use pipectl_core::{SourceId, Type};
use pipectl_lang::{NoFiles, Scope, SourceFile, evaluate, format, load, parse_expression, parse_variable_value};

const LENGTHS: [usize; 7] = [1, 30, 63, 65, 127, 1_000, 20_000];

/// Expressions that nest or chain so often.
fn expressions(times: usize) -> Vec<(&'static str, String)> {
    let around =
        |open: &str, inside: &str, close: &str| format!("{}{inside}{}", open.repeat(times), close.repeat(times));
    vec![
        ("parentheses", around("(", "1", ")")),
        ("tuples", around("[", "1", "]")),
        ("objects", around("{a=", "1", "}")),
        ("calls", around("abs(", "1", ")")),
        ("templates", around("\"${", "1", "}\"")),
        ("repeated keys", format!("{}1{}", "{ a = 1, a = ".repeat(times), " }".repeat(times))),
        ("directives", format!("\"{}{}\"", "%{if true}".repeat(times), "%{endif}".repeat(times))),
        ("loops", format!("\"{}{}\"", "%{for x in [1]}".repeat(times), "%{endfor}".repeat(times))),
        ("negations", format!("{}true", "!".repeat(times))),
        ("signs", format!("{}1", "- ".repeat(times))),
        ("sums", format!("{}1", "1 + ".repeat(times))),
        ("powers", format!("{}true", "true && ".repeat(times))),
        ("conditionals", format!("{}1", "true ? 1 : ".repeat(times))),
        ("conditions", format!("{}true{}", "(".repeat(times), "? true : false)".repeat(times))),
        ("branches", format!("{}1{}", "true ? ".repeat(times), " : 2".repeat(times))),
        ("attributes", format!("{{}}{}", ".a".repeat(times))),
        ("indices", format!("[]{}", "[0]".repeat(times))),
        ("nested indices", around("[0][", "0", "]")),
        ("splats", format!("[1]{}", "[*]".repeat(times))),
        ("attribute splats", format!("[1]{}", ".*.a".repeat(times))),
        ("for expressions", around("[for x in [1] : ", "x", "]")),
        ("collections", around("[for x in ", "[1]", " : x]")),
        ("heredocs", format!("<<A\n{}\nA\n", "${[".repeat(times))),
        ("only openers", "[{(".repeat(times)),
        ("only quotes", "\"${".repeat(times)),
        ("only closers", "])}".repeat(times)),
        ("arguments", format!("max({}1)", "1, ".repeat(times))),
        ("elements", format!("[{}1]", "1, ".repeat(times))),
    ]
}

fn on_an_ordinary_thread(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn expressions_of_any_depth_are_survived() {
    for times in LENGTHS {
        for (what, text) in expressions(times) {
            on_an_ordinary_thread(move || {
                let scope = Scope::new(Arc::new(NoFiles));
                let result = parse_expression(&text, SourceId(0)).and_then(|parsed| {
                    parsed.references();
                    evaluate(&parsed, &scope)
                });
                // What nests deeper than anyone writes is refused with words, not with an empty list.
                if let Err(found) = &result {
                    assert!(found.has_errors(), "{what} {times}");
                }
                let shallow = !matches!(
                    what,
                    "heredocs"
                        | "only openers"
                        | "only quotes"
                        | "only closers"
                        | "attributes"
                        | "indices"
                        | "nested indices"
                        | "attribute splats"
                );
                if times <= 30 && shallow {
                    assert!(result.is_ok(), "{what} {times}: {result:?}");
                }
            });
        }
    }
}

#[test]
fn files_of_any_depth_are_survived() {
    for times in LENGTHS {
        let mut files: Vec<(String, String)> = expressions(times)
            .into_iter()
            .map(|(_, text)| ("main.hcl".to_owned(), format!("locals {{\n  a = {text}\n}}\n")))
            .collect();
        files.push(("main.hcl".to_owned(), format!("{}\n{}", "block {\n".repeat(times), "}\n".repeat(times))));
        files.push((
            "main.hcl".to_owned(),
            format!("resource \"a\" \"b\" {{\n{}\n", "dynamic \"x\" {\n content {\n".repeat(times)),
        ));
        files.push((
            "main.hcl".to_owned(),
            format!("variable \"v\" {{\n  type = {}string{}\n}}\n", "list(".repeat(times), ")".repeat(times)),
        ));
        files.push((
            "main.hcl".to_owned(),
            format!("variable \"v\" {{\n  type = {}string{}\n}}\n", "object({a=".repeat(times), "})".repeat(times)),
        ));
        files.push((
            "main.tf.json".to_owned(),
            format!("{{\"locals\": {{\"a\": {}{}}}}}", "[".repeat(times), "]".repeat(times)),
        ));
        files.push(("main.tf.json".to_owned(), format!("{}1{}", "{\"a\":".repeat(times), "}".repeat(times))));
        files.push(("main.tf.json".to_owned(), "[".repeat(times)));
        files.push(("main.tf.json".to_owned(), format!("{{\"locals\": {{\"a\": \"{}\"}}}}", "${[".repeat(times))));
        files.push((
            "main.tf.json".to_owned(),
            format!("{{\"variable\": {{\"a\": {{\"type\": \"{}\"}}}}}}", "list(".repeat(times)),
        ));
        for (name, text) in files {
            on_an_ordinary_thread(move || {
                let native = name.ends_with(".hcl");
                let (configuration, _) = load(vec![SourceFile { name, text: text.clone() }]);
                configuration.check_references();
                if native && let Ok(formatted) = format(&text) {
                    assert_eq!(format(&formatted).as_ref(), Ok(&formatted));
                }
            });
        }
    }
}

#[test]
fn values_of_any_depth_are_survived() {
    for times in LENGTHS {
        let text = format!("{}1{}", "[".repeat(times), "]".repeat(times));
        on_an_ordinary_thread(move || {
            let result = parse_variable_value(&text, Some(&Type::Any), "x");
            assert!(times > 30 || result.is_ok());
            let call = format!("jsondecode(\"{}1{}\")", "[".repeat(times), "]".repeat(times));
            if let Ok(parsed) = parse_expression(&call, SourceId(0)) {
                // Reading and writing what was read; either may refuse.
                let _ = evaluate(&parsed, &Scope::new(Arc::new(NoFiles))).map(|value| value.to_string());
            }
        });
    }
}
