//! `report.json`: all figures in one file for people and programs. Its bytes depend on the figures only.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::measure::{Curve, Measures, Point};

/// Version of the file's form.
pub const VERSION: u32 = 1;
/// Points of a ROC curve that are written at most; the area is always that of all of them.
const MOST_POINTS: usize = 1000;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    model: &'a str,
    rows: u64,
    accuracy: f64,
    loss: f64,
    auc_macro: Option<f64>,
    classes: Vec<Class<'a>>,
    confusion_matrix: &'a [Vec<u64>],
}

#[derive(Serialize)]
struct Class<'a> {
    name: &'a str,
    rows: u64,
    predicted: u64,
    precision: Option<f64>,
    recall: Option<f64>,
    auc: Option<f64>,
    roc: Option<Roc>,
}

#[derive(Serialize)]
struct Roc {
    points: usize,
    false_positive_rate: Vec<f64>,
    true_positive_rate: Vec<f64>,
    threshold: Vec<Option<f32>>,
}

/// The text of `report.json` for the model called `model`, whose classes are called `names`.
///
/// An object: `version` 1, `model`, `rows`, `accuracy`, `loss`, `auc_macro`, `classes`, `confusion_matrix` (a list for each true class). Each of
/// `classes` has `name`, `rows` of it, `predicted` as it, `precision`, `recall`, `auc`, and `roc`: three lists of equal length, at most 1000
/// points evenly picked out of `points`; a `threshold` of null lies above all scores. What is not defined is null.
pub fn text(model: &str, names: &[String], measures: &Measures) -> String {
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let class = |index: usize| {
        let (hits, rows, predicted) =
            (measures.confusion[index][index], measures.rows_of(index), measures.predicted_as(index));
        let curve = measures.curves[index].as_ref();
        Class {
            name: &names[index],
            rows,
            predicted,
            precision: share(hits, predicted),
            recall: share(hits, rows),
            auc: curve.map(|curve| curve.area),
            roc: curve.map(Roc::of),
        }
    };
    let report = Report {
        version: VERSION,
        model,
        rows: measures.rows,
        accuracy: measures.accuracy(),
        loss: measures.loss,
        auc_macro: measures.mean_area(),
        classes: (0..names.len()).map(class).collect(),
        confusion_matrix: &measures.confusion,
    };
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Layout::default());
    report.serialize(&mut serializer).expect("figures are plain data");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

impl Roc {
    fn of(curve: &Curve) -> Self {
        let points = curve.thinned(MOST_POINTS);
        let rates = |point: &Point| curve.rates(point);
        Self {
            points: curve.points.len(),
            false_positive_rate: points.iter().map(|point| rates(point).0).collect(),
            true_positive_rate: points.iter().map(|point| rates(point).1).collect(),
            threshold: points.iter().map(|point| point.threshold).collect(),
        }
    }
}

/// Lays objects and the outer arrays out over lines; arrays further inside, which hold numbers, take one line each.
#[derive(Default)]
struct Layout {
    depth: usize,
    filled: bool,
}

impl Layout {
    const OUTER: usize = 2;

    fn new_line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }

    fn begin<W: ?Sized + io::Write>(&mut self, writer: &mut W, sign: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(sign)
    }

    fn end<W: ?Sized + io::Write>(&mut self, writer: &mut W, sign: &[u8], on_lines: bool) -> io::Result<()> {
        self.depth -= 1;
        if on_lines && self.filled {
            self.new_line(writer)?;
        }
        self.filled = true;
        writer.write_all(sign)
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let on_lines = self.depth <= Self::OUTER;
        self.end(writer, b"]", on_lines)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        match self.depth <= Self::OUTER {
            true => self.new_line(writer),
            false if first => Ok(()),
            false => writer.write_all(b" "),
        }
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}", true)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_laid_out_for_people_and_is_json() {
        let measures = Measures::of(&[0.75, 0.25, 0.5, 0.5], &[0, 0], 2).unwrap();
        let text = text("m", &["a".to_owned(), "b".to_owned()], &measures);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["classes"][0]["auc"], serde_json::Value::Null);
        assert_eq!(json["classes"][1]["precision"], serde_json::Value::Null);
        assert_eq!(json["confusion_matrix"], serde_json::json!([[2, 0], [0, 0]]));
        assert!(text.contains("  \"confusion_matrix\": [\n    [2, 0],\n    [0, 0]\n  ]\n}\n"), "{text}");
    }

    #[test]
    fn long_curves_are_thinned() {
        let scores: Vec<f32> = (0..5000).flat_map(|row| [row as f32 / 5000.0, 1.0 - row as f32 / 5000.0]).collect();
        let truth: Vec<usize> = (0..5000).map(|row| row % 2).collect();
        let measures = Measures::of(&scores, &truth, 2).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&text("m", &["a".to_owned(), "b".to_owned()], &measures)).unwrap();
        let roc = &json["classes"][0]["roc"];
        assert_eq!(roc["threshold"].as_array().unwrap().len(), 1000);
        assert_eq!(roc["true_positive_rate"].as_array().unwrap().last().unwrap(), 1.0);
        assert!(roc["points"].as_u64().unwrap() > 4000);
    }
}
