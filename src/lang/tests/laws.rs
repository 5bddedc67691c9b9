//! Laws of evaluation over random expressions: marks are never lost, and what is said of unknown values holds once they are known.
//!
//! Expressions are drawn from a tape of bytes, so that a failure shrinks to a short one. They see the local values of [`LEAVES`]; each
//! law changes one of these, or a part of one, and compares the results.
//!
//! `try`, `can`, `issensitive` and `nonsensitive` are left out: what they tell of a sensitive value without its mark, they tell in
//! Terraform, too.
#![allow(clippy::unwrap_used)]

#[path = "laws/generator.rs"]
mod generator;

use std::sync::Arc;

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostics, Kind, Marks, Number, Refinement, SourceId, Type, Value};
use pipectl_lang::{NoFiles, Reference, Scope, evaluate, parse_expression};
use proptest::prelude::*;

use generator::{Tape, expression};

/// What Terraform refuses, too, though it might turn out well: branches of a conditional whose types do not go together, where the one
/// that is not chosen later fails and so has none; and elements of a set that may yet turn out to be the same.
const TOO_EARLY: [&str; 2] = ["Inconsistent conditional result types", "Duplicate object key"];

/// A value that expressions see, and others that it could have had instead.
struct Leaf {
    name: &'static str,
    values: [&'static str; 4],
}

const LEAVES: [Leaf; 8] = [
    Leaf { name: "n", values: ["3", "0", "-2.5", "12"] },
    Leaf { name: "s", values: ["\"canary-7f3a\"", "\"2\"", "\"\"", "\"b,a c\""] },
    Leaf { name: "b", values: ["true", "false", "true", "false"] },
    Leaf {
        name: "l",
        values: ["tolist([\"b\", \"canary-7f3a\", \"a\"])", "tolist([\"a\", \"b\"])", "tolist([])", "tolist([\"b\"])"],
    },
    Leaf { name: "d", values: ["tolist([3, 1, 2])", "tolist([])", "tolist([0, 0])", "tolist([5, -1, 2, 9])"] },
    Leaf {
        name: "u",
        values: ["toset([\"a\", \"b\"])", "toset([\"a\"])", "toset([\"b\", \"c\", \"d\"])", "toset([\"canary-7f3a\"])"],
    },
    Leaf {
        name: "m",
        values: [
            "tomap({ a = \"1\", b = \"x\" })",
            "tomap({ a = \"2\", canary-7f3a = \"y\" })",
            "tomap({ b = \"x\", c = \"z\" })",
            "tomap({ a = \"x\" })",
        ],
    },
    Leaf {
        name: "o",
        values: [
            "{ name = \"canary-7f3a\", size = 2, tags = tolist([\"a\"]) }",
            "{ name = \"b\", size = 2, tags = tolist([\"a\", \"b\"]) }",
            "{ name = \"\", size = -1, tags = tolist([\"b\"]) }",
            "{ name = \"3\", size = 0, tags = tolist([]) }",
        ],
    },
];

fn value(text: &str) -> Value {
    run(text, &Scope::new(Arc::new(NoFiles))).unwrap_or_else(|found| panic!("{text}: {found:?}"))
}

fn run(text: &str, scope: &Scope) -> Result<Value, Diagnostics> {
    let parsed = parse_expression(text, SourceId(0)).unwrap_or_else(|found| panic!("{text}\n{found:?}"));
    evaluate(&parsed, scope)
}

/// The leaves, one of them replaced.
fn scope(which: usize, replaced: Value) -> Scope {
    let mut scope = Scope::new(Arc::new(NoFiles));
    for (index, leaf) in LEAVES.iter().enumerate() {
        let own = if index == which { replaced.clone() } else { value(leaf.values[0]) };
        scope.set(&Reference::Local(leaf.name.to_owned()), own);
    }
    scope
}

/// `leaf` with one element, or all of it, as `change` makes it.
fn with_part(leaf: &Value, part: usize, change: &dyn Fn(Value) -> Value) -> Value {
    let children = leaf.children().count();
    // A set has no elements of their own: they are marked together.
    if part == 0 || children == 0 || matches!(leaf.kind(), Kind::Set(..)) {
        return change(leaf.clone());
    }
    let chosen = (part - 1) % children;
    let pick =
        |(position, child): (usize, &Value)| if position == chosen { change(child.clone()) } else { child.clone() };
    match leaf.kind() {
        Kind::List(ty, elements) => Value::list(ty.clone(), elements.iter().enumerate().map(pick)),
        Kind::Tuple(elements) => Value::tuple(elements.iter().enumerate().map(pick)),
        Kind::Map(ty, elements) => Value::map(
            ty.clone(),
            elements.iter().enumerate().map(|(position, (name, child))| (name.clone(), pick((position, child)))),
        ),
        Kind::Object(attributes) => Value::object(
            attributes.iter().enumerate().map(|(position, (name, child))| (name.clone(), pick((position, child)))),
        ),
        _ => change(leaf.clone()),
    }
}

/// Another value of the same type.
fn different(value: &Value) -> Value {
    match value.kind() {
        Kind::Bool(flag) => Value::from(!flag),
        Kind::Number(number) => Value::from(number.add(&Number::from(1_i64)).unwrap()),
        Kind::String(text) => Value::from(format!("{text}z")),
        Kind::List(ty, _) => Value::list(ty.clone(), []),
        Kind::Set(ty, _) => Value::set(ty.clone(), [Value::from("z")]),
        Kind::Map(ty, _) => Value::map(ty.clone(), [("z", Value::from("z"))]),
        _ => value.clone(),
    }
}

/// Whether two results differ where one of them does not carry the mark.
fn shows(one: &Value, two: &Value, mark: Marks) -> bool {
    if one.marks().contains(mark) && two.marks().contains(mark) || one.equal_content(two) {
        return false;
    }
    let (mine, theirs): (Vec<_>, Vec<_>) = (one.children().collect(), two.children().collect());
    let same_shape = !mine.is_empty()
        && mine.len() == theirs.len()
        && std::mem::discriminant(one.kind()) == std::mem::discriminant(two.kind())
        && mine.iter().zip(&theirs).all(|((a, _), (b, _))| a == b);
    !same_shape || mine.iter().zip(&theirs).any(|((_, one), (_, two))| shows(one, two, mark))
}

/// Whether an unknown result, or one with unknown parts, may turn out to be `known`. `around` are the marks of what it is inside of.
fn admits(said: &Value, known: &Value, around: Marks) -> Result<(), String> {
    let marks = said.marks() | around;
    let no = |why: &str| Err(format!("{why}: said {}, is {known}", described(said)));
    if !marks.contains(known.marks()) && !covers(said, known) {
        return no("a mark was lost");
    }
    match (said.kind(), known.kind()) {
        (Kind::Unknown(unknown), _) => {
            if !conforms(&unknown.ty, &known.ty()) {
                return no("wrong type");
            }
            if !marks.contains(known.marks_deep()) {
                return no("a mark was lost");
            }
            admits_refined(&unknown.refinement, known).or_else(|why| no(&why))
        }
        (Kind::Set(_, said_elements), Kind::Set(_, elements)) => {
            let each =
                elements.iter().all(|element| said_elements.iter().any(|said| admits(said, element, marks).is_ok()));
            let other =
                said_elements.iter().all(|said| elements.iter().any(|element| admits(said, element, marks).is_ok()));
            if each && other && elements.len() <= said_elements.len() { Ok(()) } else { no("other elements") }
        }
        (Kind::List(..), Kind::List(..))
        | (Kind::Tuple(_), Kind::Tuple(_))
        | (Kind::Map(..), Kind::Map(..))
        | (Kind::Object(_), Kind::Object(_)) => {
            let (mine, theirs): (Vec<_>, Vec<_>) = (said.children().collect(), known.children().collect());
            if mine.len() != theirs.len() || mine.iter().zip(&theirs).any(|((a, _), (b, _))| a != b) {
                return no("other elements");
            }
            mine.iter().zip(&theirs).try_for_each(|((_, said), (_, known))| admits(said, known, marks))
        }
        (a, b) if a == b => Ok(()),
        (Kind::Null(_), Kind::Null(_)) => Ok(()),
        // The branches of a conditional get their common type only when both types are known, in Terraform, too.
        _ => match (convert(said, &known.ty()), convert(known, &said.ty())) {
            (Ok(converted), _) if converted.ty() != said.ty() => admits(&converted, known, marks),
            (_, Ok(converted)) if converted.ty() != known.ty() => admits(said, &converted, marks),
            _ => no("another value"),
        },
    }
}

/// Marks may move outwards when parts become unknown.
fn covers(said: &Value, known: &Value) -> bool {
    said.marks_deep().contains(known.marks())
}

fn described(value: &Value) -> String {
    match value.kind() {
        Kind::Unknown(unknown) => format!("unknown {:?} {:?}", unknown.ty, unknown.refinement),
        _ => value.to_string(),
    }
}

fn admits_refined(refinement: &Refinement, known: &Value) -> Result<(), String> {
    let length = match known.kind() {
        Kind::List(_, elements) | Kind::Set(_, elements) => Some(elements.len()),
        Kind::Map(_, elements) => Some(elements.len()),
        _ => None,
    };
    let held = [
        ("not null", !(refinement.not_null && known.is_null())),
        (
            "prefix",
            refinement
                .prefix
                .as_ref()
                .is_none_or(|prefix| known.as_str().is_none_or(|text| text.starts_with(&**prefix))),
        ),
        (
            "minimum",
            refinement.minimum.as_ref().is_none_or(|least| known.as_number().is_none_or(|number| number >= least)),
        ),
        (
            "maximum",
            refinement.maximum.as_ref().is_none_or(|most| known.as_number().is_none_or(|number| number <= most)),
        ),
        ("minimum length", refinement.minimum_length.is_none_or(|least| length.is_none_or(|length| length >= least))),
        ("maximum length", refinement.maximum_length.is_none_or(|most| length.is_none_or(|length| length <= most))),
    ];
    match held.iter().find(|(_, held)| !held) {
        Some((what, _)) => Err(format!("{what} does not hold")),
        None => Ok(()),
    }
}

/// Whether a value of type `is` may be what an unknown value of type `said` becomes. A branch of a conditional that fails once all is
/// known has no type, and the other one is not converted to the common type: that is so in Terraform, too.
fn conforms(said: &Type, is: &Type) -> bool {
    match (said, is) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => conforms(a, b),
        (Type::Tuple(a), Type::Tuple(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| conforms(a, b)),
        (Type::Object(a), Type::Object(b)) => {
            a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| conforms(&a.ty, &b.ty))
        }
        (Type::List(element) | Type::Set(element), Type::Tuple(elements)) => {
            elements.iter().all(|own| conforms(element, own))
        }
        (Type::Map(element), Type::Object(fields)) => fields.values().all(|own| conforms(element, &own.ty)),
        (Type::String, Type::Number | Type::Bool) => true,
        _ => said == is,
    }
}

/// A refinement that holds for a value: which of its parts are told is up to `choice`.
fn refinement(value: &Value, choice: u8) -> Refinement {
    let told = |bit: u8| choice & (1 << bit) != 0;
    let mut refinement = Refinement { not_null: told(0), ..Refinement::default() };
    match value.kind() {
        Kind::String(text) if told(1) => {
            refinement.prefix = text.chars().next().map(|first| first.to_string().into());
        }
        Kind::Number(number) => {
            refinement.minimum = told(1).then(|| number.subtract(&Number::from(1_i64)).unwrap());
            refinement.maximum = told(2).then(|| number.clone());
        }
        Kind::List(_, elements) | Kind::Set(_, elements) => {
            refinement.minimum_length = told(1).then_some(elements.len().saturating_sub(1));
            refinement.maximum_length = told(2).then_some(elements.len() + 1);
        }
        Kind::Map(_, elements) => {
            refinement.minimum_length = told(1).then_some(elements.len().saturating_sub(1));
            refinement.maximum_length = told(2).then_some(elements.len() + 1);
        }
        _ => {}
    }
    refinement
}

/// Laws over expressions that all fail would hold for nothing.
#[test]
fn enough_expressions_have_a_value() {
    let mut state = 7_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let scope = scope(0, value(LEAVES[0].values[0]));
    let total = 2_000;
    let tapes = (0..total).map(|number| (0..number % 80).map(|_| byte()).collect::<Vec<u8>>()).collect::<Vec<_>>();
    let failed: Vec<String> = tapes
        .iter()
        .map(|tape| expression(&mut Tape::new(tape)))
        .filter_map(|text| {
            run(&text, &scope).err().map(|found| format!("{text}: {}", found.iter().next().unwrap().detail))
        })
        .collect();
    assert!(failed.len() * 2 < total, "{} of {total} fail:\n{}", failed.len(), failed[..20].join("\n"));
}

proptest! {
    // A failure file beside the crates would be taken for a crate.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases.max(1_000), max_shrink_iters: 20_000, ..Default::default() })]

    #[test]
    fn marks_are_never_lost(tape in proptest::collection::vec(any::<u8>(), 0..80), which in 0..LEAVES.len(), part in 0..3_usize, other in 1..4_usize, ephemeral: bool) {
        let text = expression(&mut Tape::new(&tape));
        let mark = if ephemeral { Marks::EPHEMERAL } else { Marks::SENSITIVE };
        let (leaf, other) = (value(LEAVES[which].values[0]), value(LEAVES[which].values[other]));
        let (first, second) = match part {
            0 => (leaf.marked(mark), other.marked(mark)),
            _ => (
                with_part(&leaf, part, &|own| own.marked(mark)),
                with_part(&leaf, part, &|own| different(&own).marked(mark)),
            ),
        };
        let (one, two) = (run(&text, &scope(which, first)), run(&text, &scope(which, second)));
        if let (Ok(one), Ok(two)) = (&one, &two) {
            prop_assert!(!shows(one, two, mark), "local.{} shows in {}: {} or {}", LEAVES[which].name, text, one, two);
        }
    }

    #[test]
    fn errors_tell_no_secrets(tape in proptest::collection::vec(any::<u8>(), 0..80), which in 0..LEAVES.len(), index in 0..4_usize) {
        let text = expression(&mut Tape::new(&tape));
        let mut scope = Scope::new(Arc::new(NoFiles));
        for (position, leaf) in LEAVES.iter().enumerate() {
            let own = value(leaf.values[if position == which { index } else { 0 }]);
            scope.set(&Reference::Local(leaf.name.to_owned()), own.marked(Marks::SENSITIVE));
        }
        if let Err(found) = run(&text, &scope) {
            for diagnostic in found.iter() {
                let told = format!("{} {} {:?} {:?}", diagnostic.summary, diagnostic.detail, diagnostic.hints, diagnostic.values);
                prop_assert!(!told.contains("canary-7f3a"), "{text}\n{told}");
            }
        }
    }

    #[test]
    fn unknown_results_admit_the_real_ones(tape in proptest::collection::vec(any::<u8>(), 0..80), which in 0..LEAVES.len(), part in 0..3_usize, told: u8, marked: bool) {
        let text = expression(&mut Tape::new(&tape));
        let marks = if marked { Marks::SENSITIVE } else { Marks::NONE };
        let real = value(LEAVES[which].values[0]);
        let known = with_part(&real, part, &|own| own.marked(marks));
        let unknown = with_part(&real, part, &|own| Value::refined(own.ty(), refinement(&own, told)).marked(marks));
        let (known, said) = (run(&text, &scope(which, known)), run(&text, &scope(which, unknown)));
        if let Ok(known) = known {
            match said {
                Ok(said) => {
                    if let Err(why) = admits(&said, &known, Marks::NONE) {
                        prop_assert!(false, "local.{} unknown in {}: {}", LEAVES[which].name, text, why);
                    }
                }
                Err(found) if found.iter().all(|one| TOO_EARLY.contains(&one.summary.as_str())) => {}
                Err(found) => prop_assert!(false, "only known, local.{} works in {}: {:?}", LEAVES[which].name, text, found),
            }
        }
    }
}
