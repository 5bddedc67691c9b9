//! Whatever is declared, over whatever rows: a dataset or an error, never a panic, and never a dataset that differs with
//! the number of threads or the memory of a shuffle.

#![allow(clippy::unwrap_used)]

#[path = "support/conversions.rs"]
mod support;

use pipectl_stage_convert::{Conversion, ConvertError, Source};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::{convert_with, message};

fn column() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "x", "y", "m", "r", "new"])
}

fn columns() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(column(), 0..4)
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        column().prop_map(str::to_owned),
        (0..4i32).prop_map(|number| number.to_string()),
        Just("x[0]".to_owned()),
        Just("m[*][1]".to_owned()),
        Just("r[*][0]".to_owned()),
        Just("m[1]".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%", "<", "==", "&&"]), inner.clone())
                .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            (prop::sample::select(vec!["sqrt", "log", "first", "sum", "length", "mean", "wrap_phi"]), inner.clone())
                .prop_map(|(name, argument)| format!("{name}({argument})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(condition, yes, no)| format!("({condition} ? {yes} : {no})")),
        ]
    })
}

fn step() -> impl Strategy<Value = Json> {
    let small = 0..5usize;
    prop_oneof![
        columns().prop_map(|columns| json!({"kind": "select", "columns": columns})),
        (column(), column()).prop_map(|(old, new)| json!({"kind": "select", "rename": {old: new}})),
        (column(), expression()).prop_map(|(name, text)| json!({"kind": "derive", "columns": {name: text}})),
        (column(), 1..4usize, column()).prop_map(|(column, classes, into)| {
            json!({"kind": "one_hot", "column": column, "classes": classes, "into": into})
        }),
        (column(), column(), column())
            .prop_map(|(column, a, b)| json!({"kind": "one_hot", "column": column, "names": [a, b]})),
        (columns(), column()).prop_map(|(columns, into)| json!({"kind": "stack", "columns": columns, "into": into})),
        (columns(), prop::sample::select(vec![json!([]), json!([-1]), json!([2]), json!([-1, 2]), json!([2, 2])]))
            .prop_map(|(columns, shape)| json!({"kind": "shape", "columns": columns, "shape": shape})),
        columns().prop_map(|columns| json!({"kind": "flatten", "columns": columns})),
        (columns(), small.clone(), prop::sample::select(vec!["start", "end"])).prop_map(
            |(columns, length, side)| json!({"kind": "truncate", "columns": columns, "length": length, "side": side})
        ),
        (columns(), small, prop::sample::select(vec!["start", "end"])).prop_map(
            |(columns, length, side)| json!({"kind": "pad", "columns": columns, "length": length, "side": side})
        ),
        (columns(), expression()).prop_map(|(columns, by)| json!({"kind": "sort", "columns": columns, "by": by})),
        columns().prop_map(|columns| json!({"kind": "standardize", "columns": columns})),
        (column(), prop::sample::select(vec!["min_max", "standard"]), prop::sample::select(vec!["feature", "column"]))
            .prop_map(|(column, method, per)| json!({"kind": "scale", "column": column, "method": method, "per": per})),
        expression().prop_map(|condition| json!({"kind": "filter", "condition": condition})),
        (0.0..1.0f64, any::<u32>())
            .prop_map(|(fraction, seed)| json!({"kind": "split", "fraction": fraction, "seed": seed})),
        (0..9u64, 0..3u64).prop_map(|(rows, skip)| json!({"kind": "limit", "rows": rows, "skip": skip})),
        any::<u32>().prop_map(|seed| json!({"kind": "shuffle", "seed": seed})),
    ]
}

/// Seven rows of every shape, some empty, with a NaN.
fn source() -> (tempfile::TempDir, Source) {
    support::source(&json!({
        "a": [0, 1, 2, 1, 0, 2, 1],
        "b": [1, -1, 0.5, "nan", 3, 0, 7],
        "x": {"shape": [3], "ragged": true, "rows": [[1], [], [2, 1, 0], [1, 1], [], [0], [2]]},
        "y": {"shape": [2], "rows": [[1, 2], [0, 0], [2, 1], [1, 1], [0, 2], [1, 0], [2, 2]]},
        "m": {"shape": [2, 2], "rows": [[1, 2, 3, 4], [0, 0, 0, 0], [1, 1, 1, 1], [4, 3, 2, 1], [1, 0, 1, 0], [5, 5, 6, 6], [1, 2, 1, 2]]},
        "r": {"shape": [3, 2], "ragged": true, "rows": [[], [1, 2], [3, 4, 5, 6], [], [1, 1, 2, 2, 3, 3], [0, 0], [9, 8]]},
    }))
}

/// The candidates that fit behind those before them, and the first `misfits` that do not: most of what is drawn at random
/// would only be refused.
fn fitting(source: &Source, candidates: Vec<Json>, mut misfits: usize) -> Vec<Json> {
    let mut steps: Vec<Json> = Vec::new();
    for candidate in candidates {
        steps.push(candidate);
        let fits = Conversion::from_json(&json!({"step": steps}))
            .is_ok_and(|conversion| !matches!(conversion.check(source.header()), Err(ConvertError::Step { .. })));
        if !fits && misfits == 0 {
            steps.pop();
        }
        misfits -= usize::from(!fits && misfits > 0);
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_declaration_ends_well(
        candidates in prop::collection::vec(step(), 0..20),
        misfits in prop::sample::select(vec![0, 0, 0, 0, 1]),
        nan in prop::sample::select(vec!["error", "drop", "drop", "zero", "zero"]),
        format in prop::sample::select(vec!["tfrecord", "parquet"]),
    ) {
        thread_local!(static SOURCE: (tempfile::TempDir, Source) = source());
        SOURCE.with(|(_, source)| {
            let steps = fitting(source, candidates, misfits);
            let declaration = json!({"step": steps, "nan": nan, "output": {"format": format, "shards": 2}});
            if let Err(problems) = Conversion::from_json(&declaration) {
                prop_assert!(!problems.is_empty());
                return Ok(());
            }
            let alone = convert_with(source, &declaration, 1, usize::MAX);
            let spilled = convert_with(source, &declaration, 3, 0);
            match (alone, spilled) {
                (Ok(alone), Ok(spilled)) => {
                    prop_assert_eq!(&alone.converted, &spilled.converted);
                    prop_assert_eq!(alone.bytes(), spilled.bytes());
                    let columns = alone.converted.manifest.columns.clone();
                    for column in columns {
                        prop_assert!(alone.column(&column.name).data.iter().all(|value| value.is_finite()));
                    }
                }
                (Err(alone), Err(spilled)) => prop_assert_eq!(message(&alone), message(&spilled)),
                (alone, spilled) => prop_assert!(false, "alone {:?}, spilled {:?}", alone.err(), spilled.err()),
            }
            Ok(())
        })?;
    }
}
