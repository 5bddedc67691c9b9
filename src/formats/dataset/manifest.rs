//! `dataset.json`: format, rows, files and columns of a dataset.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DatasetError;

/// Version of `dataset.json` that this program writes and reads.
pub const VERSION: u32 = 1;

/// Name of the manifest in a dataset's folder.
pub const MANIFEST_NAME: &str = "dataset.json";

/// How the shards are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `tf.train.Example` records in uncompressed TFRecord files: made for training, random access reads one record.
    Tfrecord,
    /// Parquet with one float or one list of floats a column: made for other tools; random access decodes row groups.
    Parquet,
}

impl Format {
    /// Extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Tfrecord => "tfrecord",
            Format::Parquet => "parquet",
        }
    }
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// Shape of one row; empty for a single number. When `ragged`, the first dimension is the maximum.
    pub shape: Vec<usize>,
    /// Whether rows hold only the steps that are there, without padding.
    pub ragged: bool,
}

impl ColumnSpec {
    /// Number of values in a full row.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of values in one step of a ragged row (the product of all dimensions but the first).
    pub fn step_size(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Name of the TFRecord feature that holds the number of steps of a ragged column.
    pub fn length_feature(&self) -> String {
        format!("{}_length", self.name)
    }

    /// Checks a row of `values` numbers; answers its number of steps if the column is ragged.
    pub(super) fn steps(&self, values: usize) -> Result<Option<u32>, String> {
        if !self.ragged {
            return if values == self.size() {
                Ok(None)
            } else {
                Err(format!("it has {values} values, its shape {:?} asks for {}", self.shape, self.size()))
            };
        }
        let step = self.step_size().max(1);
        let steps = values / step;
        if !values.is_multiple_of(step) || steps > self.shape[0] {
            return Err(format!(
                "it has {values} values, its shape {:?} allows up to {} steps of {step}",
                self.shape, self.shape[0]
            ));
        }
        Ok(Some(u32::try_from(steps).map_err(|_| format!("it has {steps} steps, more than can be counted"))?))
    }
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFile {
    /// Path below the dataset's folder.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
}

/// What `dataset.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub version: u32,
    /// How the shards are stored.
    pub format: Format,
    /// Rows in all shards.
    pub rows: u64,
    /// The shards, in row order.
    pub files: Vec<ShardFile>,
    /// The columns.
    pub columns: Vec<ColumnSpec>,
}

impl Manifest {
    /// Reads and checks the manifest of the dataset in `folder`.
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let path = folder.join(MANIFEST_NAME);
        let text = fs::read_to_string(&path).map_err(|source| DatasetError::Io { path: path.clone(), source })?;
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, DatasetError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let unreadable = |source| DatasetError::Manifest { path: path.to_owned(), source };
        // The version goes first: a later version may have fields that this one does not know.
        let Versioned { version } = serde_json::from_str(text).map_err(unreadable)?;
        if version != VERSION {
            return Err(DatasetError::Version { path: path.to_owned(), version });
        }
        let manifest: Manifest = serde_json::from_str(text).map_err(unreadable)?;
        let inconsistent = |problem: String| DatasetError::Inconsistent { path: path.to_owned(), problem };
        let counted = manifest.files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.rows));
        if counted != Some(manifest.rows) {
            return Err(inconsistent(format!("it promises {} rows, its files hold another number", manifest.rows)));
        }
        for column in &manifest.columns {
            if column.ragged && column.shape.is_empty() {
                return Err(inconsistent(format!("column `{}` is ragged and has no dimension", column.name)));
            }
            if column.shape.iter().try_fold(1usize, |size, &dimension| size.checked_mul(dimension)).is_none() {
                return Err(inconsistent(format!("column `{}` has a shape beyond counting", column.name)));
            }
        }
        for file in &manifest.files {
            // A manifest may come from elsewhere: it must not name files outside its folder.
            let plain = Path::new(&file.path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if !plain || file.path.is_empty() {
                return Err(inconsistent(format!("the file path `{}` leaves the dataset's folder", file.path)));
            }
        }
        Ok(manifest)
    }

    /// Writes the manifest into `folder`: last, and under its name only once it is whole.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, DatasetError> {
        let path = folder.join(MANIFEST_NAME);
        let partial = folder.join(format!("{MANIFEST_NAME}.part"));
        let fail = |source| DatasetError::Io { path: path.clone(), source };
        let mut text = serde_json::to_string_pretty(self).expect("a manifest has only strings and numbers");
        text.push('\n');
        fs::write(&partial, text).map_err(fail)?;
        fs::rename(&partial, &path).map_err(fail)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, DatasetError> {
        Manifest::parse(text, Path::new("dataset.json"))
    }

    #[test]
    fn reads_version_1_and_names_what_is_wrong() {
        let good = r#"{"version":1,"format":"tfrecord","rows":3,"files":[{"path":"a","rows":1},{"path":"b","rows":2}],
            "columns":[{"name":"x","shape":[801,19],"ragged":true}]}"#;
        let manifest = parse(good).unwrap();
        assert_eq!((manifest.rows, manifest.format, manifest.columns[0].step_size()), (3, Format::Tfrecord, 19));
        for (from, to, expected) in [
            ("\"version\":1", "\"version\":2", "version 2"),
            ("\"rows\":3", "\"rows\":4", "promises 4 rows"),
            ("\"path\":\"a\"", "\"path\":\"../a\"", "leaves the dataset's folder"),
            ("\"path\":\"a\"", "\"path\":\"/a\"", "leaves the dataset's folder"),
            ("[801,19]", "[]", "has no dimension"),
            ("[801,19]", "[9223372036854775807,19]", "beyond counting"),
        ] {
            let error = parse(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn counts_steps() {
        let ragged = ColumnSpec { name: "x".into(), shape: vec![4, 2], ragged: true };
        assert_eq!(ragged.steps(6), Ok(Some(3)));
        assert!(ragged.steps(7).is_err());
        assert!(ragged.steps(10).is_err());
        let full = ColumnSpec { ragged: false, ..ragged };
        assert_eq!(full.steps(8), Ok(None));
        assert!(full.steps(6).is_err());
    }
}
