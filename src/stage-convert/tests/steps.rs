//! What each step does, case by case from `steps.json`, and what is refused before any row is read.

#![allow(clippy::unwrap_used)]

#[path = "support/conversions.rs"]
mod support;

use serde_json::{Value as Json, json};
use support::{convert, convert_with, declare, message, numbers, source};

#[test]
fn every_case_of_steps_json() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("steps.json")).unwrap();
    let mut failures = Vec::new();
    for case in &cases {
        let (_folder, source) = source(&case["columns"]);
        for format in ["tfrecord", "parquet"] {
            let mut output = case.get("output").cloned().unwrap_or(json!({}));
            output["format"] = format.into();
            let declaration = json!({"step": case["step"], "output": output, "nan": case["nan"]});
            if let Err(failure) = judge(case, convert_with(&source, &declaration, 2, 0)) {
                failures.push(format!("{} ({format}): {failure}", case["name"]));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn judge(case: &Json, made: Result<support::Made, pipectl_stage_convert::ConvertError>) -> Result<(), String> {
    let made = match (made, case["error"].as_str()) {
        (Ok(made), None) => made,
        (Err(error), Some(expected)) => {
            let found = message(&error);
            return if found.ends_with(expected) { Ok(()) } else { Err(found) };
        }
        (Ok(_), Some(_)) => return Err("no error".to_owned()),
        (Err(error), None) => return Err(message(&error)),
    };
    let expect = case["expect"].as_object().unwrap();
    let manifest = &made.converted.manifest;
    let names: Vec<&str> = manifest.columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(order) = case["order"].as_array()
        && !order.iter().map(|name| name.as_str().unwrap()).eq(names.iter().copied())
    {
        return Err(format!("columns {names:?}"));
    }
    for (name, rows) in expect {
        let found = made.lists(name);
        let expected: Vec<Vec<f32>> = rows.as_array().unwrap().iter().map(numbers).collect();
        if found != expected {
            return Err(format!("{name}: {found:?}"));
        }
    }
    for (name, shape) in case["shape"].as_object().into_iter().flatten() {
        let found = &manifest.columns.iter().find(|column| column.name == *name).unwrap().shape;
        if json!(found) != *shape {
            return Err(format!("{name} has shape {found:?}"));
        }
    }
    for (name, constants) in case["constants"].as_object().into_iter().flatten() {
        let found = made.converted.constants[name].to_json();
        if found != *constants {
            return Err(format!("constants of {name}: {found}"));
        }
    }
    let counts = made.converted.counts;
    if counts.truncated_rows != case["truncated"].as_u64().unwrap_or(0)
        || counts.unusable_values != case["unusable"].as_u64().unwrap_or(0)
    {
        return Err(format!("{counts:?}"));
    }
    Ok(())
}

/// Columns of every shape: a number, lists, matrices.
fn columns() -> Json {
    json!({
        "a": [1],
        "x": {"shape": [3], "ragged": true, "rows": [[1]]},
        "y": {"shape": [3], "rows": [[1, 2, 3]]},
        "m": {"shape": [2, 2], "rows": [[1, 2, 3, 4]]},
        "r": {"shape": [2, 2], "ragged": true, "rows": [[1, 2]]},
    })
}

#[test]
fn steps_that_do_not_fit_are_refused_before_any_row() {
    let (_folder, source) = source(&columns());
    for (step, expected) in [
        (json!({"kind": "select", "columns": ["b"]}), "There is no column `b`; the columns here are a, m, r, x, y."),
        (json!({"kind": "select", "columns": ["a", "a"]}), "The column `a` would be there twice."),
        (json!({"kind": "select", "rename": {"y": "x"}}), "The column `x` would be there twice."),
        (
            json!({"kind": "derive", "columns": {"z": "y + m"}}),
            "Column `z`: In `y + m`: a list of 3 and a matrix of 2 x 2 do not fit together element by element.",
        ),
        (
            json!({"kind": "one_hot", "column": "m", "classes": 2, "into": "z"}),
            "Column `m` is a matrix of 2 x 2, not a number or a list.",
        ),
        (
            json!({"kind": "stack", "columns": ["y", "a"], "into": "z"}),
            "Column `a` is a single number, `y` is a list of 3: they cannot be stacked.",
        ),
        (
            json!({"kind": "stack", "columns": ["m"], "into": "z"}),
            "Column `m` is a matrix of 2 x 2; only lists or numbers can be stacked.",
        ),
        (json!({"kind": "stack", "columns": [], "into": "z"}), "There is no column to stack."),
        (
            json!({"kind": "shape", "columns": ["y"], "shape": [4]}),
            "Column `y` is a list of 3; it cannot be a list of 4.",
        ),
        (
            json!({"kind": "shape", "columns": ["x"], "shape": [4]}),
            "Column `x` is a list of up to 3; it cannot be a list of 4.",
        ),
        (
            json!({"kind": "shape", "columns": ["m"], "shape": [1, 4]}),
            "Column `m` is a matrix of 2 x 2; it cannot be a matrix of 1 x 4.",
        ),
        (json!({"kind": "flatten", "columns": ["y"]}), "Column `y` is a list of 3, not a matrix."),
        (json!({"kind": "truncate", "columns": ["a"], "length": 1}), "Column `a` is a single number."),
        (
            json!({"kind": "pad", "columns": ["y"], "length": 2}),
            "Column `y` has 3 in every row, more than 2 to pad to.",
        ),
        (json!({"kind": "sort", "columns": ["m"], "by": "a"}), "The key `a` is a single number, not a list."),
        (
            json!({"kind": "sort", "columns": ["m", "a"], "by": "y"}),
            "Column `m` is a matrix of 2 x 2; the key `y` is a list of 3. Column `a` is a single number; the key `y` is a list of 3.",
        ),
        (
            json!({"kind": "standardize", "columns": ["a"]}),
            "Column `a` is a single number in each row; a step \"scale\" works over all rows.",
        ),
        (
            json!({"kind": "scale", "column": "x"}),
            "Column `x` is a list of up to 3, so the number of its elements is not known. Declare it with a step \"shape\", or set `per = \"column\"`.",
        ),
        (
            json!({"kind": "scale", "column": "y", "constants": {"method": "min_max", "minimum": [0], "maximum": [1]}}),
            "There are constants for 1 features; column `y` has 3.",
        ),
        (
            json!({"kind": "filter", "condition": "y > 1"}),
            "The condition `y > 1` is a list of 3, not one number a row.",
        ),
    ] {
        // A step before it that changes nothing shows that the number of the step is told.
        let declaration = json!({"step": [{"kind": "limit"}, step]});
        let found = message(&convert(&source, &declaration).err().unwrap());
        let kind = step["kind"].as_str().unwrap();
        assert_eq!(found, format!("step 1 (\"{kind}\") does not fit its columns: {expected}"));
    }
}

#[test]
fn outputs_that_do_not_fit_are_refused_before_any_row() {
    let file = support::data("compact_6.parquet");
    let source = pipectl_stage_convert::Source::open(&[file]).unwrap();
    for (columns, expected) in [
        (
            json!(["Pt"]),
            "Column `Pt` is a list of any number without a bound. Give it one: a step \"shape\" if every row has the same length, a step \"truncate\" for a longest length, a step \"pad\" to fill up.",
        ),
        (
            json!(["labl"]),
            "There is no column `labl`; the columns here are hfeatures, label, Pt, Eta, Phi, vtxX, vtxY, vtxZ, ChPFIso, GammaPFIso, NeuPFIso, type, Charge. Did you mean \"label\"?",
        ),
        (json!(["label", "label"]), "Column `label` is named twice."),
        (json!([]), "There is no column to write."),
    ] {
        let declaration = json!({"step": [], "output": {"columns": columns}});
        let found = message(&convert(&source, &declaration).err().unwrap());
        assert_eq!(found, format!("the output does not fit: {expected}"));
    }
}

#[test]
fn mistakes_of_the_declaration_are_found_all_at_once() {
    let declaration = json!({
        "step": [
            {"kind": "derive", "columns": {"a": "1 +", "b": "2"}},
            {"kind": "sortt"},
            {"kind": "pad", "columns": "x", "lenght": 3},
            {"kind": "one_hot", "column": "x", "classes": 2, "values": [1], "into": "a", "names": ["b"]},
            {"kind": "scale", "column": "x", "method": "standard", "constants": {"method": "min_max", "minimum": [0], "maximum": [1, 2]}},
            {"kind": "split", "fraction": 1.5},
            {"kind": "shape", "columns": ["x"], "shape": [0]},
            {"kind": "flatten", "columns": ["x", "y", "x"]},
            {"kind": "select"},
            {"kind": "filter"},
            {},
        ],
        "nan": "ignore",
        "output": {"format": "csv", "shards": 0, "compression": "zstd"},
    });
    let problems = declare(&declaration).err().unwrap();
    let lines: Vec<String> =
        problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
    assert_eq!(
        lines,
        [
            "step[0].columns.a: Malformed expression: a number, a column or a function is expected, not the end (at character 4 of `1 +`).",
            "step[1]: There is no step \"sortt\"; the steps are select, derive, one_hot, stack, shape, flatten, truncate, pad, sort, standardize, scale, filter, split, limit, shuffle. Did you mean \"sort\"?",
            "step[2].length: The argument `length` is required.",
            "step[2].lenght: An argument `lenght` is not expected here; expected are kind, columns, length, value, side. Did you mean \"length\"?",
            "step[3].values: The arguments `classes` and `values` say the same: only one of them is possible.",
            "step[3].into: Exactly one of `into` (one column) and `names` (a column for each class) is needed.",
            "step[4].constants: The two lists of the constants have 1 and 2 numbers.",
            "step[5].fraction: A fraction is between 0 and 1.",
            "step[6].shape: The argument `shape` takes [], [n] or [n, width]; n may be -1 for any.",
            "step[7].columns: The column `x` is named twice.",
            "step[8].columns: A step \"select\" needs `columns`, `rename`, or both.",
            "step[9].condition: The argument `condition` is required.",
            "step[10].kind: The argument `kind` is required.",
            "nan: The argument `nan` takes \"error\", \"drop\" or \"zero\", not \"ignore\".",
            "output.format: The argument `format` takes \"tfrecord\" or \"parquet\", not \"csv\".",
            "output.shards: The number of shards is between 1 and 100000.",
            "output.compression: TFRecord is written without compression only.",
        ]
    );
}

#[test]
fn a_column_scaled_twice_is_refused() {
    let (_folder, source) = source(&columns());
    let declaration = json!({"step": [{"kind": "scale", "column": "a"}, {"kind": "scale", "column": "a"}]});
    let found = message(&convert(&source, &declaration).err().unwrap());
    assert!(found.contains("Column `a` is scaled a second time"), "{found}");
}
