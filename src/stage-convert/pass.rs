//! One pass over the source: which steps it needs for the columns it is after, and the stream of batches through them.
//!
//! A pass leaves out every step and column that nothing behind it looks at: fitting the 14 scalars of an event reads
//! neither its particles nor sorts them.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use pipectl_formats::table::Nesting;

use crate::batch::{Batch, CellProblem};
use crate::choose::Chosen;
use crate::convert::Watcher;
use crate::error::ConvertError;
use crate::expression::Expression;
use crate::shuffle::Shuffled;
use crate::source::{Source, SourceRows};
use crate::spec::{Conversion, NanPolicy};
use crate::steps::{Fit, Limit, RowStep, Scale, Shuffle, Split, Step};
use crate::tally::Tally;

/// What a pass is after.
#[derive(Clone, Copy)]
pub(crate) enum Aim<'a> {
    /// Constants of the steps with these numbers.
    Fit(&'a [usize]),
    /// How many rows come out.
    Count,
    /// The rows themselves, with these columns.
    Write(&'a BTreeSet<String>),
}

/// The steps of one pass, narrowed to what it is after.
pub(crate) struct Pass<'a> {
    operations: Vec<Operation<'a>>,
    /// Source columns that it reads.
    pub(crate) reads: BTreeSet<String>,
}

enum Operation<'a> {
    Row(usize, Box<dyn RowStep>),
    Scale(&'a Scale),
    Filter(usize, &'a Expression),
    Split(Split),
    Limit(Limit),
    Shuffle(Shuffle),
    /// Shows a column to the fit of the step with this number.
    Observe(usize, &'a str),
    /// Deals with values that are no numbers; of the output columns also with those that do not fit f32.
    Usable {
        columns: Vec<String>,
        output: bool,
    },
}

/// Surroundings of a pass.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) conversion: &'a Conversion,
    pub(crate) source: &'a Source,
    pub(crate) tally: &'a Tally,
    pub(crate) threads: usize,
    /// Where shuffling puts what does not fit into `memory` bytes.
    pub(crate) scratch: &'a Path,
    pub(crate) memory: usize,
}

impl<'a> Pass<'a> {
    /// The pass with `aim`; `None` if it depends on constants that are not fitted yet.
    pub(crate) fn new(conversion: &'a Conversion, aim: Aim<'_>) -> Option<Self> {
        Pass::build(conversion, aim, false)
    }

    /// Source columns that writing reads.
    pub(crate) fn all_columns(conversion: &Conversion, output: &BTreeSet<String>) -> BTreeSet<String> {
        Pass::build(conversion, Aim::Write(output), true).map(|pass| pass.reads).unwrap_or_default()
    }

    fn build(conversion: &'a Conversion, aim: Aim<'_>, ignore_fits: bool) -> Option<Self> {
        let (end, observed): (usize, &[usize]) = match aim {
            Aim::Fit(steps) => (steps.iter().max().map_or(0, |last| last + 1), steps),
            Aim::Count | Aim::Write(_) => (conversion.steps.len(), &[]),
        };
        let mut needed: BTreeSet<String> = BTreeSet::new();
        let mut operations = Vec::new();
        let mut writes = false;
        if let Aim::Write(output) = aim {
            needed.extend(output.iter().cloned());
            operations.push(Operation::Usable { columns: output.iter().cloned().collect(), output: true });
            writes = true;
        }
        let mut order_matters = writes;
        // From the end to the start: what is needed behind a step decides what is left of it.
        for (index, declared) in conversion.steps.iter().enumerate().take(end).rev() {
            order_matters |= declared.step.chooses_by_order();
            match &declared.step {
                Step::Row(step) => {
                    if let Some(narrowed) = step.narrow(&mut needed) {
                        operations.push(Operation::Row(index, narrowed));
                    }
                }
                Step::Scale(scale) if observed.contains(&index) => {
                    if needed.contains(&scale.column) {
                        // Something behind it is after the scaled values: they come in a later pass.
                        return None;
                    }
                    needed.insert(scale.column.clone());
                    operations.push(Operation::Observe(index, &scale.column));
                }
                Step::Scale(scale) => {
                    if needed.contains(&scale.column) {
                        if scale.constants.is_none() && !ignore_fits {
                            return None;
                        }
                        operations.push(Operation::Scale(scale));
                    }
                }
                Step::Filter(filter) => {
                    needed.extend(filter.condition().columns());
                    operations.push(Operation::Filter(index, filter.condition()));
                }
                Step::Split(split) => operations.push(Operation::Split(*split)),
                Step::Limit(limit) => operations.push(Operation::Limit(*limit)),
                Step::Shuffle(shuffle) => {
                    if order_matters {
                        operations.push(Operation::Shuffle(*shuffle));
                    }
                }
            }
        }
        operations.push(Operation::Usable { columns: needed.iter().cloned().collect(), output: false });
        operations.reverse();
        Some(Pass { operations, reads: needed })
    }

    /// Reads and drops rows by these columns too: the rows that a policy drops must be the same in every pass.
    pub(crate) fn read_also(&mut self, columns: &BTreeSet<String>) {
        self.reads.extend(columns.iter().cloned());
        if let Some(Operation::Usable { columns, output: false }) = self.operations.first_mut() {
            *columns = self.reads.iter().cloned().collect();
        }
    }

    /// The rows that come out, in order. `fits` are those of the steps with the numbers beside them.
    pub(crate) fn run(
        self,
        setting: Setting<'a>,
        fits: &'a [(usize, Mutex<Fit>)],
        watch: &'a RefCell<Watch<'_>>,
    ) -> Box<dyn Rows + 'a> {
        let mut rows: Box<dyn Rows + 'a> = Box::new(Read { rows: setting.source.read(&self.reads), watch });
        let mut waiting: Vec<Operation<'a>> = Vec::new();
        for operation in self.operations {
            let each = matches!(
                operation,
                Operation::Row(..) | Operation::Scale(_) | Operation::Filter(..) | Operation::Usable { .. }
            );
            if each {
                waiting.push(operation);
                continue;
            }
            rows = Each::over(rows, std::mem::take(&mut waiting), setting);
            rows = match operation {
                Operation::Split(split) => Box::new(Chosen::split(rows, split)),
                Operation::Limit(limit) => Box::new(Chosen::limit(rows, limit)),
                Operation::Shuffle(shuffle) => Box::new(Shuffled::new(rows, shuffle, setting.scratch, setting.memory)),
                Operation::Observe(index, column) => {
                    let (_, fit) = fits.iter().find(|(step, _)| *step == index).expect("a fit for each observed step");
                    Box::new(Observed { rows, column, fit })
                }
                Operation::Row(..) | Operation::Scale(_) | Operation::Filter(..) | Operation::Usable { .. } => {
                    unreachable!("these wait")
                }
            };
        }
        Each::over(rows, waiting, setting)
    }
}

/// A stream of batches.
pub(crate) trait Rows {
    /// The next batch; `None` at the end. After an error nothing more is asked.
    fn next(&mut self) -> Result<Option<Batch>, ConvertError>;
}

/// Who looks on, and how far the pass is.
pub(crate) struct Watch<'w> {
    pub(crate) watcher: &'w mut dyn Watcher,
    pub(crate) phase: &'static str,
    /// Rows of the source, and how many of them are read.
    pub(crate) total: u64,
    pub(crate) read: u64,
}

impl Watch<'_> {
    /// Takes note of rows read; an error if the watcher wants to stop.
    pub(crate) fn saw(&mut self, rows: usize) -> Result<(), ConvertError> {
        self.read += rows as u64;
        self.watcher.progress(self.phase, self.read, self.total);
        if self.watcher.stopped() { Err(ConvertError::Stopped) } else { Ok(()) }
    }
}

/// The source.
struct Read<'a, 'w> {
    rows: SourceRows<'a>,
    watch: &'a RefCell<Watch<'w>>,
}

impl Rows for Read<'_, '_> {
    fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
        let batch = self.rows.next()?;
        if let Some(batch) = &batch {
            self.watch.borrow_mut().saw(batch.rows())?;
        }
        Ok(batch)
    }
}

/// Shows a column to a fit.
struct Observed<'a> {
    rows: Box<dyn Rows + 'a>,
    column: &'a str,
    fit: &'a Mutex<Fit>,
}

impl Rows for Observed<'_> {
    fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
        let batch = self.rows.next()?;
        if let Some(batch) = &batch {
            self.fit.lock().expect("a panic ends the pass").add(batch.column(self.column));
        }
        Ok(batch)
    }
}

/// Steps that look at no other batch: several batches at a time, each on a thread of its own, handed on in order.
struct Each<'a> {
    rows: Box<dyn Rows + 'a>,
    operations: Vec<Operation<'a>>,
    setting: Setting<'a>,
    done: VecDeque<Result<Batch, ConvertError>>,
}

impl<'a> Each<'a> {
    fn over(rows: Box<dyn Rows + 'a>, operations: Vec<Operation<'a>>, setting: Setting<'a>) -> Box<dyn Rows + 'a> {
        if operations.is_empty() { rows } else { Box::new(Each { rows, operations, setting, done: VecDeque::new() }) }
    }

    fn wave(&mut self) {
        let mut batches = Vec::new();
        let mut failure = None;
        while batches.len() < self.setting.threads.max(1) {
            match self.rows.next() {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let (operations, setting) = (&self.operations, self.setting);
        let mut batches = batches.into_iter();
        if let Some(own) = batches.next() {
            std::thread::scope(|scope| {
                let others: Vec<_> =
                    batches.map(|batch| scope.spawn(move || apply(operations, batch, setting))).collect();
                self.done.push_back(apply(operations, own, setting));
                for other in others {
                    self.done.push_back(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                }
            });
        }
        // What failed behind these batches comes behind them: which of two errors is told does not depend on threads.
        self.done.extend(failure.map(Err));
    }
}

impl Rows for Each<'_> {
    fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
        loop {
            if self.done.is_empty() {
                self.wave();
            }
            match self.done.pop_front() {
                Some(Ok(batch)) if batch.rows() == 0 => {}
                Some(done) => return done.map(Some),
                None => return Ok(None),
            }
        }
    }
}

fn apply(operations: &[Operation<'_>], mut batch: Batch, setting: Setting<'_>) -> Result<Batch, ConvertError> {
    for operation in operations {
        let (step, result) = match operation {
            Operation::Row(index, step) => (Some(*index), step.apply(&mut batch, setting.tally)),
            Operation::Filter(index, condition) => (Some(*index), filter(condition, &mut batch)),
            Operation::Scale(scale) => {
                scale.apply(&mut batch);
                (None, Ok(()))
            }
            Operation::Usable { columns, output } => {
                (None, usable(&mut batch, columns, *output, setting.conversion.nan, setting.tally))
            }
            Operation::Split(_) | Operation::Limit(_) | Operation::Shuffle(_) | Operation::Observe(..) => {
                unreachable!("these are streams of their own")
            }
        };
        result.map_err(|problem| {
            let origin = batch.origins[problem.row];
            ConvertError::Cell {
                path: setting.source.path(origin.file).to_owned(),
                row: origin.row,
                column: problem.column,
                step,
                kind: step.map_or_else(String::new, |index| setting.conversion.steps[index].kind.clone()),
                problem: problem.message,
            }
        })?;
        if batch.rows() == 0 {
            break;
        }
    }
    Ok(batch)
}

fn filter(condition: &Expression, batch: &mut Batch) -> Result<(), CellProblem> {
    let keep = condition.evaluate(batch, &condition.to_string())?.data;
    let rows: Vec<usize> = (0..batch.rows()).filter(|&row| keep[row] != 0.0).collect();
    batch.keep(&rows);
    Ok(())
}

/// Finds values that are no numbers and deals with them as the policy says.
fn usable(
    batch: &mut Batch,
    columns: &[String],
    output: bool,
    policy: NanPolicy,
    tally: &Tally,
) -> Result<(), CellProblem> {
    let fits = |value: f64| if output { (value as f32).is_finite() } else { value.is_finite() };
    let mut unusable_rows = BTreeSet::new();
    for name in columns {
        let values = batch.column(name);
        if values.data.iter().all(|&value| fits(value)) {
            continue;
        }
        match policy {
            NanPolicy::Error => {
                let position = values.data.iter().position(|&value| !fits(value)).expect("one was just seen");
                let row = values.row_of(position);
                let place = match &values.nesting {
                    Nesting::Scalar => String::new(),
                    Nesting::List(_) => format!("element {} ", position - values.positions(row).start),
                    Nesting::Matrix { width, .. } => {
                        let place = position - values.positions(row).start;
                        format!("element [{}, {}] ", place / width, place % width)
                    }
                };
                let value = values.data[position];
                let problem = if value.is_finite() {
                    format!("{place}is {value:e}, which no 32-bit float holds")
                } else {
                    format!("{place}is {value}; `nan = \"drop\"` or `nan = \"zero\"` would let it pass")
                };
                return Err(CellProblem::new(row, name, problem));
            }
            NanPolicy::Drop => {
                let positions = values.data.iter().enumerate().filter(|(_, value)| !fits(**value));
                let rows: Vec<usize> = positions.map(|(position, _)| values.row_of(position)).collect();
                tally.unusable(rows.len());
                unusable_rows.extend(rows);
            }
            NanPolicy::Zero => {
                let mut values = batch.take(name);
                let mut zeroed = 0;
                for value in values.data.iter_mut().filter(|value| !fits(**value)) {
                    *value = 0.0;
                    zeroed += 1;
                }
                tally.unusable(zeroed);
                batch.set(name, values);
            }
        }
    }
    if !unusable_rows.is_empty() {
        tally.dropped(unusable_rows.len());
        let keep: Vec<usize> = (0..batch.rows()).filter(|row| !unusable_rows.contains(row)).collect();
        batch.keep(&keep);
    }
    Ok(())
}
