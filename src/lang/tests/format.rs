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

/// Snippets that we lay out otherwise than Terraform on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("block \"x\" /* y */ \"z\" {}\n", "Terraform drops the comment"),
    ("a = \"${\"${x}\"}\"\n", "Terraform takes off one layer each time"),
];

/// Layouts of single snippets, so that one does not hide what another does.
#[test]
fn snippets_are_laid_out_as_terraform_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format/corpus");
    let mut total = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(topic) = path.to_str().unwrap().strip_suffix(".out.txt").map(str::to_owned) else { continue };
        let read = |name: String| std::fs::read_to_string(name).unwrap();
        let (inputs, outputs) = (read(format!("{topic}.txt")), read(format!("{topic}.out.txt")));
        let pairs = inputs.split("=====\n").zip(outputs.split("=====\n"));
        assert_eq!(inputs.matches("=====\n").count(), outputs.matches("=====\n").count(), "{topic}");
        for (input, expected) in pairs {
            total += 1;
            let actual = format(input).unwrap_or_else(|found| panic!("{topic}\n{input}\n{found:?}"));
            let deliberate = DIFFERENT.iter().any(|(different, _)| *different == input);
            if (actual == expected) == deliberate {
                wrong.push(format!("{topic}\n{input}--- Terraform\n{expected}--- we\n{actual}"));
            }
            assert_eq!(format(&actual).as_ref(), Ok(&actual), "{topic} again\n{input}");
        }
    }
    assert!(total >= 320, "only {total} snippets were found");
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_does_not_parse_is_left_alone() {
    for text in ["a = ", "a = [1 2]", "block {", "a = \"x\ny\"", "block { a = 1, b = 2 }"] {
        assert!(format(text).unwrap_err().has_errors(), "{text}");
    }
}

/// Draws a messy file from a tape of bytes: a byte decides each choice, and the first one is taken at the end of the tape.
struct Messy<'a> {
    tape: &'a [u8],
    depth: usize,
}

impl Messy<'_> {
    fn choose(&mut self, choices: usize) -> usize {
        match self.tape.split_first() {
            Some((first, rest)) => {
                self.tape = rest;
                usize::from(*first) % choices
            }
            None => 0,
        }
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.choose(choices.len())]
    }

    fn spaces(&mut self) -> &'static str {
        self.pick(&["", " ", "  ", "\t"])
    }

    /// What may stand between tokens inside of brackets.
    fn gap(&mut self) -> &'static str {
        self.pick(&["", " ", "\n", "\n\n   ", " # c\n", "/* c */", " // d\n"])
    }

    fn value(&mut self) -> String {
        self.depth += 1;
        let choices = if self.depth > 4 { 7 } else { 15 };
        let text = match self.choose(choices) {
            0 => "1".to_owned(),
            1 => self.pick(&["-2", "- 2", "1.5", "null", "true"]).to_owned(),
            2 => self
                .pick(&[
                    "\"x ${ y } z\"",
                    "\"${y}\"",
                    "\"${ y }\"",
                    "\"%{if y}a%{ else }b%{endif}\"",
                    "\"$${y}\"",
                    "\"é\"",
                ])
                .to_owned(),
            3 => self.pick(&["a.b [ 0 ]", "a.b.0", "a.b[*].c", "a . b", "a[\"b\"]"]).to_owned(),
            4 => format!("f({}1,2{})", self.spaces(), self.spaces()),
            5 => format!("! {}", self.pick(&["a", "a.b", "f(x)"])),
            6 => format!("-{}a", self.spaces()),
            // Without a space, a minus would belong to the name before it.
            7 => format!(
                "{} {}{}{}{}",
                self.value(),
                self.spaces(),
                self.pick(&["+", "-", "*", "==", "&&", ">="]),
                self.spaces(),
                self.value()
            ),
            8 => format!("[{}{}{},{}{}{}]", self.gap(), self.value(), self.gap(), self.gap(), self.value(), self.gap()),
            9 => format!(
                "{{{}k{}={}{}{}long_key  = {}{}}}",
                self.pick(&["\n", " # c\n"]),
                self.spaces(),
                self.spaces(),
                self.value(),
                self.pick(&["\n", " # c\n", "\n\n", "\n  # d\n"]),
                self.value(),
                self.pick(&["\n", " // c\n"])
            ),
            10 => format!("({}{} ? {}:{}{})", self.gap(), self.value(), self.value(), self.value(), self.gap()),
            11 => format!("merge({}{},{}{}{})", self.gap(), self.value(), self.gap(), self.value(), self.gap()),
            12 => format!("[for x,y in {} :{}{}{}]", self.value(), self.gap(), self.value(), self.gap()),
            13 => format!("{{for k in {}:k=>{}...}}", self.value(), self.value()),
            _ => format!("[\n<<{}EOT\n{}EOT\n]", self.pick(&["", "-"]), self.pick(&["x\n", "  x\n    ${ y }\n", ""])),
        };
        self.depth -= 1;
        text
    }

    fn file(&mut self) -> String {
        let mut text = "locals {\n".to_owned();
        for number in 0..=self.choose(6) {
            let name = self.pick(&["a", "bb", "long_name_", "é"]);
            let (before, around, after) = (self.spaces(), self.spaces(), self.spaces());
            let end = self.pick(&["", " # c", "// d", " /* e */"]);
            text.push_str(&format!("{before}{name}{number}{around}={after}{}{end}\n", self.value()));
            text.push_str(self.pick(&["", "\n", "\n\n\n", "# c\n", "   // d\n", "/* a\n b */\n"]));
        }
        text.push_str("}\n");
        text
    }
}

fn file() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    proptest::collection::vec(any::<u8>(), 0..120).prop_map(|tape| Messy { tape: &tape, depth: 0 }.file())
}

proptest::proptest! {
    // A failure file beside the crates would be taken for a crate.
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: proptest::prelude::ProptestConfig::default().cases.max(1_000), ..Default::default() })]

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
            without_spans.replace_all(&shown.join("\n"), "").replace("Wrapped(", "(").replace("Interpolation(", "(").replace(['(', ')'], "")
        };
        proptest::prop_assert_eq!(expressions(&format(&text).unwrap()), expressions(&text));
    }
}
