//! Rows on their way: order, threads, shuffles, splits, shards, sources of every kind, and damage.

#![allow(clippy::unwrap_used)]

#[path = "support/conversions.rs"]
mod support;

use std::path::{Path, PathBuf};

use pipectl_formats::example::Example;
use pipectl_formats::parquet_writer::{Cells, Compression, ParquetWriter, WriteKind};
use pipectl_formats::tfrecord::RecordWriter;
use pipectl_stage_convert::{Place, Source, Watcher};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::{convert, convert_with, data, declare, message};

/// A Parquet file: `n` counts from `first`, `x` has `n % 5` elements, all equal to `n`. Row groups of `group` rows.
fn numbered(folder: &Path, name: &str, first: i64, rows: i64, group: usize) -> PathBuf {
    let path = folder.join(name);
    let columns = [("n", WriteKind::Integer), ("x", WriteKind::Floats)];
    let mut writer = ParquetWriter::create(&path, &columns, Compression::Snappy, &[]).unwrap();
    for chunk in (first..first + rows).collect::<Vec<_>>().chunks(group) {
        let values = chunk.iter().flat_map(|&n| vec![n as f32; n as usize % 5]).collect();
        let lengths = chunk.iter().map(|&n| n as u32 % 5).collect();
        writer.write(vec![Cells::Integer(chunk.to_vec()), Cells::Floats(values, lengths)]).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn order(made: &support::Made) -> Vec<u64> {
    made.lists("n").iter().map(|row| row[0] as u64).collect()
}

/// Three files of 300, 1 and 500 rows.
fn files(folder: &Path) -> Vec<PathBuf> {
    vec![
        numbered(folder, "a.parquet", 0, 300, 70),
        numbered(folder, "b.parquet", 300, 1, 1),
        numbered(folder, "c.parquet", 301, 500, 500),
    ]
}

const BOUND: &str = r#"{"kind": "truncate", "columns": ["x"], "length": 4}"#;

fn declaration(steps: &[Json], shards: usize) -> Json {
    let mut all = vec![serde_json::from_str::<Json>(BOUND).unwrap()];
    all.extend_from_slice(steps);
    json!({"step": all, "output": {"shards": shards}})
}

#[test]
fn rows_keep_their_order_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&files(folder.path())).unwrap();
    assert_eq!(source.rows(), 801);
    let declaration = declaration(
        &[
            json!({"kind": "derive", "columns": {"y": "x * n + sum(x)"}}),
            json!({"kind": "scale", "column": "n", "method": "standard"}),
        ],
        4,
    );
    let alone = convert_with(&source, &declaration, 1, 0).unwrap();
    let sizes: Vec<u64> = alone.converted.manifest.files.iter().map(|file| file.rows).collect();
    assert_eq!(sizes, [201, 200, 200, 200]);
    for threads in [2, 3, 8] {
        let made = convert_with(&source, &declaration, threads, 0).unwrap();
        assert_eq!(made.bytes(), alone.bytes(), "{threads} threads");
        assert_eq!(made.converted, alone.converted);
    }
}

#[test]
fn a_shuffle_is_a_permutation_that_only_the_seed_decides() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&files(folder.path())).unwrap();
    let shuffled = |seed: u64, memory: usize| {
        convert_with(&source, &declaration(&[json!({"kind": "shuffle", "seed": seed})], 3), 2, memory).unwrap()
    };
    let whole = shuffled(1, usize::MAX);
    let order_1 = order(&whole);
    let mut sorted = order_1.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..801).collect::<Vec<_>>());
    assert_ne!(order_1, sorted);
    for (n, x) in order_1.iter().zip(whole.lists("x")) {
        assert_eq!(x, vec![*n as f32; *n as usize % 5]);
    }
    assert_eq!(shuffled(1, 5000).bytes(), whole.bytes());
    assert_ne!(order(&shuffled(2, 5000)), order_1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    /// A split, before or behind a shuffle, cuts the rows into two parts that make up the whole; counting and writing agree.
    #[test]
    fn splits_partition(seed: u32, fraction in 0.05..0.95f64, shuffled: bool, filtered: bool) {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::open(&[numbered(folder.path(), "a.parquet", 0, 200, 64)]).unwrap();
        let part = |part: &str| {
            let mut steps = Vec::new();
            if shuffled {
                steps.push(json!({"kind": "shuffle", "seed": seed}));
            }
            steps.push(json!({"kind": "split", "fraction": fraction, "seed": seed, "part": part}));
            if filtered {
                steps.push(json!({"kind": "filter", "condition": "n % 3 != 1"}));
            }
            order(&convert(&source, &declaration(&steps, 1)).unwrap())
        };
        let mut all = part("first");
        all.extend(part("rest"));
        all.sort_unstable();
        prop_assert_eq!(all, (0..200).filter(|n| !filtered || n % 3 != 1).collect::<Vec<_>>());
    }
}

#[test]
fn fits_see_the_rows_that_a_limit_behind_a_shuffle_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&files(folder.path())).unwrap();
    let steps = [
        json!({"kind": "shuffle", "seed": 3}),
        json!({"kind": "limit", "rows": 10}),
        json!({"kind": "scale", "column": "n"}),
    ];
    let made = convert(&source, &declaration(&steps, 1)).unwrap();
    let plain = convert(&source, &declaration(&steps[..2], 1)).unwrap();
    let kept = order(&plain);
    assert_eq!(kept.len(), 10);
    let expected = json!({"method": "min_max", "minimum": [*kept.iter().min().unwrap() as f64], "maximum": [*kept.iter().max().unwrap() as f64]});
    assert_eq!(made.converted.constants["n"].to_json(), expected);
    assert!(kept.iter().max() > kept.first());
}

#[test]
fn datasets_and_records_are_sources_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&files(folder.path())).unwrap();
    let first = convert(&source, &declaration(&[], 3)).unwrap();

    let again = convert(&Source::dataset(first.folder.path()).unwrap(), &json!({"output": {"shards": 3}})).unwrap();
    assert_eq!(again.bytes(), first.bytes());

    let records: Vec<PathBuf> =
        first.converted.manifest.files.iter().map(|file| first.folder.path().join(&file.path)).collect();
    let steps =
        [json!({"kind": "shape", "columns": ["n"], "shape": []}), json!({"kind": "select", "columns": ["n", "x"]})];
    let again = convert(&Source::open(&records).unwrap(), &declaration(&steps, 3)).unwrap();
    assert_eq!(again.bytes(), first.bytes());
}

#[test]
fn records_that_lack_a_feature_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.tfrecord");
    let mut writer = RecordWriter::create(&path).unwrap();
    for row in 0..3 {
        let mut example = Example::default();
        example.set_floats("a", vec![1.0]);
        if row < 2 {
            example.set_integers("b", vec![row]);
        }
        writer.write(&example.to_bytes()).unwrap();
    }
    writer.finish().unwrap();
    let source = Source::open(&[path]).unwrap();
    let steps = json!({"step": [{"kind": "shape", "columns": ["a", "b"], "shape": [1]}]});
    let found = message(&convert(&source, &steps).err().unwrap());
    assert!(found.ends_with("events.tfrecord: the record at byte 90, feature `b`: it is missing"), "{found}");
}

#[test]
fn damaged_and_differing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = files(folder.path());
    let whole = std::fs::read(&paths[2]).unwrap();
    std::fs::write(&paths[2], &whole[..whole.len() - 100]).unwrap();
    let found = message(&Source::open(&paths).err().unwrap());
    assert!(found.contains("c.parquet: this is not a whole Parquet file"), "{found}");

    paths[2] = folder.path().join("d.parquet");
    let mut writer = ParquetWriter::create(&paths[2], &[("n", WriteKind::Floats)], Compression::None, &[]).unwrap();
    writer.write(vec![Cells::Floats(vec![1.0], vec![1])]).unwrap();
    writer.finish().unwrap();
    let source = Source::open(&paths).unwrap();
    let found = message(&convert(&source, &declaration(&[], 1)).err().unwrap());
    assert!(
        found.contains("d.parquet: column `n` is a list of numbers; in ")
            && found.ends_with("a.parquet it is a number"),
        "{found}"
    );

    paths[2] = folder.path().join("e.tfrecord");
    std::fs::write(&paths[2], b"").unwrap();
    let found = message(&Source::open(&paths).err().unwrap());
    assert!(found.contains("e.tfrecord is not of the same format as"), "{found}");
    let found = message(&Source::open(&[folder.path().join("absent.parquet")]).err().unwrap());
    assert!(found.contains("absent.parquet: cannot be read"), "{found}");
    assert_eq!(message(&Source::open(&[]).err().unwrap()), "there is no source file");
}

#[test]
fn a_cell_that_is_no_number_is_named_with_its_file_and_row_after_a_shuffle_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.parquet");
    let mut writer =
        ParquetWriter::create(&path, &[("n", WriteKind::Integer), ("v", WriteKind::Float)], Compression::None, &[])
            .unwrap();
    for group in 0..3 {
        let rows = (0..100).map(|row| group * 100 + row).collect::<Vec<i64>>();
        let values = rows.iter().map(|&row| if row == 217 { f32::INFINITY } else { 1.0 }).collect();
        writer.write(vec![Cells::Integer(rows), Cells::Float(values)]).unwrap();
    }
    writer.finish().unwrap();
    let source = Source::open(&[numbered(folder.path(), "a.parquet", 0, 10, 10)]).unwrap();
    drop(source);
    let source = Source::open(&[path]).unwrap();
    let found = message(&convert(&source, &json!({})).err().unwrap());
    assert!(
        found.ends_with(
            "bad.parquet: row 217, column `v`: is inf; `nan = \"drop\"` or `nan = \"zero\"` would let it pass"
        ),
        "{found}"
    );

    let steps = json!({"step": [{"kind": "shuffle"}, {"kind": "derive", "columns": {"w": "sqrt(200 - n)"}}], "output": {"columns": ["w"]}});
    let found = message(&convert(&source, &steps).err().unwrap());
    assert!(found.contains("bad.parquet: row 2") && found.contains("column `w`: is NaN"), "{found}");
}

/// Stops after some reports.
struct Impatient(usize);

impl Watcher for Impatient {
    fn progress(&mut self, _: &'static str, done: u64, total: u64) {
        assert!(done <= total);
        self.0 = self.0.saturating_sub(1);
    }

    fn stopped(&self) -> bool {
        self.0 == 0
    }
}

#[test]
fn a_stop_leaves_no_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(&files(folder.path())).unwrap();
    let output = folder.path().join("dataset");
    let place = Place { output: output.clone(), scratch: folder.path().to_owned(), threads: 1, shuffle_memory: 0 };
    let error = declare(&declaration(&[], 2)).unwrap().run(&source, &place, &mut Impatient(3)).unwrap_err();
    assert_eq!(error.to_string(), "stopped");
    assert!(Source::dataset(&output).is_err());
    declare(&declaration(&[], 2)).unwrap().run(&source, &place, &mut Impatient(1000)).unwrap();
    assert_eq!(Source::dataset(&output).unwrap().rows(), 801);
}

#[test]
fn parquet_to_parquet() {
    let source = Source::open(&[data("compact_6.parquet")]).unwrap();
    let declaration = json!({
        "step": [{"kind": "truncate", "columns": ["Pt"], "length": 100}, {"kind": "shape", "columns": ["hfeatures"], "shape": [14]}],
        "output": {"format": "parquet", "shards": 4, "compression": "zstd", "columns": ["hfeatures", "Pt", "label"]},
    });
    let made = convert(&source, &declaration).unwrap();
    assert_eq!(made.converted.manifest.files.len(), 4);
    let paths: Vec<PathBuf> =
        made.converted.manifest.files.iter().map(|file| made.folder.path().join(&file.path)).collect();
    let again = convert(&Source::open(&paths).unwrap(), &declaration).unwrap();
    assert_eq!(again.bytes(), made.bytes());
    assert_eq!(made.column("Pt").steps(0), 100);
}
