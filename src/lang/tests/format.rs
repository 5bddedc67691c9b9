//! The formatter lays text out as `terraform fmt` 1.11.4 does (`tests/peers/terraform_fmt.sh` makes the golden layouts), changes
//! nothing in what it laid out itself, and changes no value.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use pipectl_lang::{SourceFile, format, load};

fn inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format");
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.retain(|path| path.to_str().unwrap().ends_with(".in.hcl"));
    inputs.sort();
    inputs
}

#[test]
fn layouts_are_those_of_terraform() {
    let inputs = inputs();
    assert!(inputs.len() >= 7);
    for input in inputs {
        let output = input.to_str().unwrap().replace(".in.hcl", ".out.hcl");
        let expected = std::fs::read_to_string(output).unwrap();
        let actual = format(&std::fs::read_to_string(&input).unwrap()).unwrap();
        for (line, (expected, actual)) in expected.lines().zip(actual.lines()).enumerate() {
            assert_eq!(actual, expected, "{} line {}", input.display(), line + 1);
        }
        assert_eq!(actual, expected, "{}", input.display());
        assert_eq!(format(&actual).unwrap(), actual, "{} again", input.display());
    }
}

#[test]
fn what_does_not_parse_is_left_alone() {
    for text in ["a = ", "a = [1 2]", "block {", "a = \"x\ny\"", "block { a = 1, b = 2 }"] {
        assert!(format(text).unwrap_err().has_errors(), "{text}");
    }
}

/// Pieces of text that make arbitrary, mostly valid files.
fn file() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let atom = prop_oneof![
        Just("1".to_owned()),
        Just("-2".to_owned()),
        Just("\"x ${ y } z\"".to_owned()),
        Just("\"${y}\"".to_owned()),
        Just("a.b [ 0 ]".to_owned()),
        Just("f( 1,2 )".to_owned()),
    ];
    let value = atom.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}+{b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a} ,\n {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ k={a}\n   long_key  = {b} # c\n}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(x ? {a}:{b})")),
        ]
    });
    let argument =
        (value, "[ ]{0,3}").prop_map(|(value, spaces)| format!("{spaces}arg{} ={spaces}{value}", value.len()));
    proptest::collection::vec(argument, 1..6).prop_map(|arguments| {
        let numbered =
            arguments.iter().enumerate().map(|(index, text)| text.replacen("arg", &format!("arg{index}_"), 1));
        format!("locals {{\n{}\n}}\n", numbered.collect::<Vec<_>>().join("\n"))
    })
}

proptest::proptest! {
    // A failure file beside the crates would be taken for a crate.
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn formatting_again_changes_nothing(text in file()) {
        let once = format(&text).unwrap();
        proptest::prop_assert_eq!(format(&once).unwrap(), once);
    }

    #[test]
    fn formatting_changes_no_expression(text in file()) {
        let expressions = |text: &str| {
            let (configuration, diagnostics) = load(vec![SourceFile { name: "main.hcl".to_owned(), text: text.to_owned() }]);
            assert!(diagnostics.is_empty(), "{diagnostics:?}");
            let without_spans = regex::Regex::new(r"span: Span \{[^}]*\}").unwrap();
            let shown: Vec<String> = configuration.locals.iter().map(|(name, local)| format!("{name} {:?}", local.expression)).collect();
            // `"${x}"` and `x` are the same expression but for the wrapping.
            without_spans.replace_all(&shown.join("\n"), "").replace("Wrapped(", "(").replace(['(', ')'], "")
        };
        proptest::prop_assert_eq!(expressions(&format(&text).unwrap()), expressions(&text));
    }
}
