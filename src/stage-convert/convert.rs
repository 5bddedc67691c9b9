//! A conversion from beginning to end: check, fit, count, write.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use pipectl_formats::dataset::{ColumnSpec, DatasetWriter, Layout, Manifest};

use crate::check::check;
use crate::choose::Choice;
use crate::columns::Columns;
use crate::error::ConvertError;
use crate::header::Header;
use crate::pass::{Aim, Pass, Setting, Watch};
use crate::source::Source;
use crate::spec::{Conversion, NanPolicy};
use crate::steps::{Constants, Fit, Step};
use crate::tally::{Counts, Tally};

/// Memory that a shuffle may hold before it spills.
pub const SHUFFLE_MEMORY: usize = 256 << 20;

/// Where and how a conversion runs. Nothing here changes what it writes.
#[derive(Clone, Debug)]
pub struct Place {
    /// Folder of the dataset.
    pub output: PathBuf,
    /// Folder for temporary files.
    pub scratch: PathBuf,
    /// Threads to use.
    pub threads: usize,
    /// Bytes that a step "shuffle" may hold before it spills, such as [`SHUFFLE_MEMORY`].
    pub shuffle_memory: usize,
}

/// Who looks on.
pub trait Watcher {
    /// `done` of `total` source rows are read in this phase ("fitting", "counting", "converting").
    fn progress(&mut self, phase: &'static str, done: u64, total: u64);

    /// Whether to stop.
    fn stopped(&self) -> bool {
        false
    }
}

/// What a conversion made.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The dataset's manifest.
    pub manifest: Manifest,
    /// Constants of every step "scale" by column, fitted or given.
    pub constants: BTreeMap<String, Constants>,
    /// What happened to rows on their way.
    pub counts: Counts,
    /// Rows of the source.
    pub source_rows: u64,
}

impl Conversion {
    /// Checks the conversion against the columns of a source: what would be written. No row is read.
    pub fn check(&self, header: &Header) -> Result<Vec<ColumnSpec>, ConvertError> {
        check(self, header).map(|checked| checked.output)
    }

    /// Converts all rows of `source`.
    pub fn run(mut self, source: &Source, place: &Place, watcher: &mut dyn Watcher) -> Result<Converted, ConvertError> {
        let checked = check(&self, source.header())?;
        let output = checked.output.iter().map(|spec| spec.name.clone()).collect();
        let run = Run { source, place, reads: checked.reads, output };
        run.fit(&mut self, &checked.columns, watcher)?;
        let rows = run.count(&self, watcher)?;
        if rows == 0 {
            return Err(ConvertError::NoRows { source_rows: source.rows() });
        }
        let (manifest, counts) = run.write(&self, checked.output, rows, watcher)?;
        Ok(Converted { manifest, constants: constants(&self), counts, source_rows: source.rows() })
    }
}

struct Run<'a> {
    source: &'a Source,
    place: &'a Place,
    /// Source columns that the output depends on.
    reads: BTreeSet<String>,
    /// Columns of the output.
    output: BTreeSet<String>,
}

impl Run<'_> {
    /// Fits every step "scale" that needs it, as many in one pass as do not depend on each other.
    ///
    /// `columns` are those before each step.
    fn fit(
        &self,
        conversion: &mut Conversion,
        columns: &[Columns],
        watcher: &mut dyn Watcher,
    ) -> Result<(), ConvertError> {
        loop {
            let waiting: Vec<usize> = conversion
                .steps
                .iter()
                .enumerate()
                .filter(|(_, declared)| matches!(&declared.step, Step::Scale(scale) if scale.constants.is_none()))
                .map(|(index, _)| index)
                .collect();
            let mut group: Vec<usize> = Vec::new();
            for index in waiting {
                group.push(index);
                if Pass::new(conversion, Aim::Fit(&group)).is_none() {
                    group.pop();
                }
            }
            if group.is_empty() {
                return Ok(());
            }
            let fits: Vec<(usize, Mutex<Fit>)> = group
                .iter()
                .map(|&index| {
                    let Step::Scale(scale) = &conversion.steps[index].step else {
                        unreachable!("only scales are fitted")
                    };
                    let shape = columns[index].get(&scale.column).expect("the check has seen the column");
                    (index, Mutex::new(scale.fit(shape)))
                })
                .collect();
            let pass = Pass::new(conversion, Aim::Fit(&group)).expect("the group was tried");
            self.go(conversion, pass, &fits, &Tally::default(), "fitting", watcher, |_| Ok(()))?;
            for (index, fit) in fits {
                let constants = fit.into_inner().expect("a panic ends the pass").finish();
                let Step::Scale(scale) = &mut conversion.steps[index].step else {
                    unreachable!("only scales are fitted")
                };
                scale.constants = Some(constants.ok_or(ConvertError::NothingToFit { index })?);
            }
        }
    }

    /// How many rows come out: by arithmetic where no value decides, else by a pass.
    fn count(&self, conversion: &Conversion, watcher: &mut dyn Watcher) -> Result<u64, ConvertError> {
        let by_value = conversion.steps.iter().any(|declared| declared.step.chooses_by_value());
        if !by_value && conversion.nan != NanPolicy::Drop {
            return Ok(conversion.steps.iter().fold(self.source.rows(), |rows, declared| match &declared.step {
                Step::Split(split) => Choice::split(*split).count(rows),
                Step::Limit(limit) => Choice::limit(*limit).count(rows),
                Step::Row(_) | Step::Scale(_) | Step::Filter(_) | Step::Shuffle(_) => rows,
            }));
        }
        // Dropping rows for what comes out of the steps means that all of them must be taken.
        let aim = if conversion.nan == NanPolicy::Drop { Aim::Write(&self.output) } else { Aim::Count };
        let pass = Pass::new(conversion, aim).expect("all constants are fitted");
        let mut rows = 0;
        self.go(conversion, pass, &[], &Tally::default(), "counting", watcher, |batch| {
            rows += batch.rows() as u64;
            Ok(())
        })?;
        Ok(rows)
    }

    fn write(
        &self,
        conversion: &Conversion,
        columns: Vec<ColumnSpec>,
        rows: u64,
        watcher: &mut dyn Watcher,
    ) -> Result<(Manifest, Counts), ConvertError> {
        let spec = conversion.output();
        let layout = Layout { format: spec.format, shards: spec.shards, rows, compression: spec.compression };
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let mut writer = DatasetWriter::create(&self.place.output, columns, layout)?;
        let tally = Tally::default();
        let pass = Pass::new(conversion, Aim::Write(&self.output)).expect("all constants are fitted");
        let mut buffers: Vec<Vec<f32>> = vec![Vec::new(); names.len()];
        self.go(conversion, pass, &[], &tally, "converting", watcher, |batch| {
            for row in 0..batch.rows() {
                for (buffer, name) in buffers.iter_mut().zip(&names) {
                    buffer.clear();
                    buffer.extend(batch.column(name).row(row).iter().map(|&value| value as f32));
                }
                writer.write(&buffers.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            }
            Ok(())
        })?;
        Ok((writer.finish()?, tally.counts()))
    }

    /// Sends all rows through a pass.
    #[expect(clippy::too_many_arguments, reason = "the three passes differ in just these")]
    fn go(
        &self,
        conversion: &Conversion,
        mut pass: Pass<'_>,
        fits: &[(usize, Mutex<Fit>)],
        tally: &Tally,
        phase: &'static str,
        watcher: &mut dyn Watcher,
        mut take: impl FnMut(crate::batch::Batch) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        if conversion.nan == NanPolicy::Drop {
            pass.read_also(&self.reads);
        }
        let setting = Setting {
            conversion,
            source: self.source,
            tally,
            threads: self.place.threads,
            scratch: &self.place.scratch,
            memory: self.place.shuffle_memory,
        };
        let watch = RefCell::new(Watch { watcher, phase, total: self.source.rows(), read: 0 });
        watch.borrow_mut().saw(0)?;
        let mut rows = pass.run(setting, fits, &watch);
        while let Some(batch) = rows.next()? {
            take(batch)?;
            // A shuffle has read everything when the first row comes out; the rest can still be stopped.
            watch.borrow_mut().saw(0)?;
        }
        Ok(())
    }
}

fn constants(conversion: &Conversion) -> BTreeMap<String, Constants> {
    conversion
        .steps
        .iter()
        .filter_map(|declared| match &declared.step {
            Step::Scale(scale) => Some((scale.column.clone(), scale.constants.clone()?)),
            Step::Row(_) | Step::Filter(_) | Step::Split(_) | Step::Limit(_) | Step::Shuffle(_) => None,
        })
        .collect()
}
