//! `shuffle` at work, in bounded memory.
//!
//! Every row gets a random key, and rows come out in the order of their keys: so the order depends on the seed and the
//! number of rows only, not on memory. What does not fit into memory is spilled into buckets by the first bits of the
//! key; each bucket is sorted in memory when its turn comes, or split by the next bits if it is still too large.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use pipectl_formats::table::{Nesting, Offsets, Values};
use rand_chacha::rand_core::RngCore;

use crate::batch::{Batch, Origin};
use crate::choose::{Purpose, random};
use crate::error::ConvertError;
use crate::pass::Rows;
use crate::steps::Shuffle;

/// Bits of the key that choose a bucket.
const BUCKET_BITS: u32 = 6;
/// Buckets of one level.
const BUCKETS: usize = 1 << BUCKET_BITS;
/// Levels that the key has bits for.
const LEVELS: u32 = 64 / BUCKET_BITS;
/// Rows of an outgoing batch.
const ROWS: usize = 128;

/// A row with its place in the order: the key, then the row's number, in case two keys are equal.
struct Keyed {
    key: u64,
    number: u64,
    bytes: Vec<u8>,
}

/// Memory that a row in waiting takes beside its bytes.
const OVERHEAD: usize = size_of::<Keyed>() + 16;

/// Rows in a random order.
pub(crate) struct Shuffled<'a> {
    /// Where rows come from; taken at the start.
    rows: Option<Box<dyn Rows + 'a>>,
    seed: u64,
    scratch: PathBuf,
    memory: usize,
    /// Sorted rows, the next one last.
    ready: Vec<Keyed>,
    /// Buckets still to come, the next one last.
    buckets: Vec<Bucket>,
    /// Names of the columns, the same for all rows.
    names: Vec<String>,
}

struct Bucket<F = File> {
    file: F,
    rows: u64,
    bytes: usize,
    level: u32,
}

impl<'a> Shuffled<'a> {
    pub(crate) fn new(rows: Box<dyn Rows + 'a>, shuffle: Shuffle, scratch: &Path, memory: usize) -> Self {
        let scratch = scratch.to_owned();
        Shuffled {
            rows: Some(rows),
            seed: shuffle.seed,
            scratch,
            memory,
            ready: Vec::new(),
            buckets: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Takes in all rows.
    fn fill(&mut self, mut rows: Box<dyn Rows + 'a>) -> Result<(), ConvertError> {
        let mut generator = random(self.seed, Purpose::Shuffle);
        let mut number = 0;
        let mut held = 0;
        let mut spill: Option<Spill> = None;
        while let Some(batch) = rows.next()? {
            if self.names.is_empty() {
                self.names = batch.columns.keys().cloned().collect();
            }
            for row in 0..batch.rows() {
                let keyed = Keyed { key: generator.next_u64(), number, bytes: encode(&batch, row) };
                number += 1;
                if let Some(spill) = &mut spill {
                    spill.write(&keyed).map_err(ConvertError::Spill)?;
                    continue;
                }
                held += keyed.bytes.len() + OVERHEAD;
                self.ready.push(keyed);
                if held > self.memory {
                    let mut started = Spill::new(&self.scratch, 0);
                    for keyed in std::mem::take(&mut self.ready) {
                        started.write(&keyed).map_err(ConvertError::Spill)?;
                    }
                    spill = Some(started);
                }
            }
        }
        match spill {
            Some(spill) => self.buckets = spill.finish().map_err(ConvertError::Spill)?,
            None => sort(&mut self.ready),
        }
        Ok(())
    }

    /// Makes the next bucket ready.
    fn refill(&mut self) -> io::Result<()> {
        while self.ready.is_empty()
            && let Some(bucket) = self.buckets.pop()
        {
            let mut input = BufReader::new(bucket.file);
            input.rewind()?;
            // A single row is as small as it gets.
            if bucket.bytes > self.memory && bucket.rows > 1 && bucket.level + 1 < LEVELS {
                let mut spill = Spill::new(&self.scratch, bucket.level + 1);
                while let Some(keyed) = read(&mut input)? {
                    spill.write(&keyed)?;
                }
                self.buckets.extend(spill.finish()?);
            } else {
                while let Some(keyed) = read(&mut input)? {
                    self.ready.push(keyed);
                }
                sort(&mut self.ready);
            }
        }
        Ok(())
    }
}

impl Rows for Shuffled<'_> {
    fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
        if let Some(rows) = self.rows.take() {
            self.fill(rows)?;
        }
        let mut encoded = Vec::with_capacity(ROWS);
        while encoded.len() < ROWS {
            if self.ready.is_empty() {
                self.refill().map_err(ConvertError::Spill)?;
            }
            match self.ready.pop() {
                Some(keyed) => encoded.push(keyed.bytes),
                None => break,
            }
        }
        Ok((!encoded.is_empty()).then(|| decode(&encoded, &self.names)))
    }
}

/// Sorts so that the first row in order is the last of the list.
fn sort(rows: &mut [Keyed]) {
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.key, row.number)));
}

/// The buckets of one level while they are written. A bucket gets its file with its first row.
struct Spill<'a> {
    scratch: &'a Path,
    buckets: [Option<Bucket<BufWriter<File>>>; BUCKETS],
    level: u32,
}

impl<'a> Spill<'a> {
    fn new(scratch: &'a Path, level: u32) -> Self {
        Spill { scratch, buckets: [const { None }; BUCKETS], level }
    }

    fn write(&mut self, row: &Keyed) -> io::Result<()> {
        let bits = row.key << (self.level * BUCKET_BITS) >> (64 - BUCKET_BITS);
        let bucket = match &mut self.buckets[bits as usize] {
            Some(bucket) => bucket,
            empty => {
                let file = BufWriter::with_capacity(1 << 16, tempfile::tempfile_in(self.scratch)?);
                empty.insert(Bucket { file, rows: 0, bytes: 0, level: self.level })
            }
        };
        bucket.file.write_all(&row.key.to_le_bytes())?;
        bucket.file.write_all(&row.number.to_le_bytes())?;
        bucket.file.write_all(&(row.bytes.len() as u64).to_le_bytes())?;
        bucket.file.write_all(&row.bytes)?;
        bucket.rows += 1;
        bucket.bytes += row.bytes.len() + OVERHEAD;
        Ok(())
    }

    /// The buckets that hold something, the first in order last.
    fn finish(self) -> io::Result<Vec<Bucket>> {
        let written = self.buckets.into_iter().rev().flatten();
        let finish = |bucket: Bucket<BufWriter<File>>| {
            let Bucket { file, rows, bytes, level } = bucket;
            Ok(Bucket { file: file.into_inner().map_err(io::IntoInnerError::into_error)?, rows, bytes, level })
        };
        written.map(finish).collect()
    }
}

fn read(input: &mut BufReader<File>) -> io::Result<Option<Keyed>> {
    let mut header = [0; 24];
    if input.fill_buf_is_empty()? {
        return Ok(None);
    }
    input.read_exact(&mut header)?;
    let word = |place: usize| u64::from_le_bytes(header[place..place + 8].try_into().expect("eight bytes"));
    let mut bytes = vec![0; word(16) as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(Keyed { key: word(0), number: word(8), bytes }))
}

/// Whether a reader is at its end.
trait AtEnd {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool>;
}

impl AtEnd for BufReader<File> {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool> {
        Ok(std::io::BufRead::fill_buf(self)?.is_empty())
    }
}

/// One row: where it came from; then, column by column, its nesting, its values, and whether they are f32.
fn encode(batch: &Batch, row: usize) -> Vec<u8> {
    let values: usize = batch.columns.values().map(|values| 18 + 8 * values.positions(row).len()).sum();
    let mut bytes = Vec::with_capacity(12 + values);
    let origin = batch.origins[row];
    bytes.extend(origin.file.to_le_bytes());
    bytes.extend(origin.row.to_le_bytes());
    for values in batch.columns.values() {
        let (kind, width) = match &values.nesting {
            Nesting::Scalar => (0u8, 0),
            Nesting::List(_) => (1, 0),
            Nesting::Matrix { width, .. } => (2, *width),
        };
        let row = values.row(row);
        // Most data began as floats: written as such they take half the space, and nothing is lost.
        let narrow = row.iter().all(|&value| f64::from(value as f32).to_bits() == value.to_bits());
        bytes.push(kind);
        bytes.push(u8::from(narrow));
        bytes.extend((width as u64).to_le_bytes());
        bytes.extend((row.len() as u64).to_le_bytes());
        for &value in row {
            if narrow {
                bytes.extend((value as f32).to_le_bytes());
            } else {
                bytes.extend(value.to_le_bytes());
            }
        }
    }
    // Rows wait in memory by the thousand: room that narrow values did not take is given back.
    bytes.shrink_to_fit();
    bytes
}

/// A batch of encoded rows.
fn decode(rows: &[Vec<u8>], names: &[String]) -> Batch {
    let mut origins = Vec::with_capacity(rows.len());
    let mut columns: Vec<(Vec<f64>, Vec<usize>, u8, usize)> = vec![(Vec::new(), Vec::new(), 0, 0); names.len()];
    for bytes in rows {
        let mut input = Decoder(bytes);
        origins.push(Origin { file: u32::from_le_bytes(input.take()), row: u64::from_le_bytes(input.take()) });
        for (data, lengths, kind, width) in &mut columns {
            let [column_kind, narrow] = input.take();
            let column_width = u64::from_le_bytes(input.take()) as usize;
            let length = u64::from_le_bytes(input.take()) as usize;
            for _ in 0..length {
                data.push(if narrow == 1 {
                    f64::from(f32::from_le_bytes(input.take()))
                } else {
                    f64::from_le_bytes(input.take())
                });
            }
            lengths.push(length);
            *kind = column_kind;
            // A batch of empty matrices may not know its width; the others do.
            *width = column_width.max(*width);
        }
    }
    let mut batch = Batch { origins, columns: BTreeMap::new() };
    for (name, (data, lengths, kind, width)) in names.iter().zip(columns) {
        let values = match kind {
            0 => Values::scalars(data),
            1 => Values::lists(data, Offsets::from_lengths(lengths)),
            _ => Values::matrices(
                data,
                Offsets::from_lengths(lengths.into_iter().map(|length| length / width.max(1))),
                width,
            ),
        };
        batch.set(name, values);
    }
    batch
}

/// Reads what [`encode`] wrote, in the same run of the program.
struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk::<N>().expect("an encoded row is whole");
        self.0 = rest;
        *taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(u64, u64);

    impl Rows for Numbers {
        fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
            let rows: Vec<u64> = (self.0..(self.0 + 50).min(self.1)).collect();
            self.0 += rows.len() as u64;
            if rows.is_empty() {
                return Ok(None);
            }
            let mut batch =
                Batch { origins: rows.iter().map(|&row| Origin { file: 3, row }).collect(), ..Batch::default() };
            batch.set("n", Values::scalars(rows.iter().map(|&row| row as f64).collect()));
            batch.set("third", Values::scalars(rows.iter().map(|&row| row as f64 / 3.0).collect()));
            let lists = rows.iter().flat_map(|&row| vec![row as f64; row as usize % 4]).collect();
            batch.set("x", Values::lists(lists, Offsets::from_lengths(rows.iter().map(|&row| row as usize % 4))));
            let matrices = rows.iter().flat_map(|&row| vec![-0.0; row as usize % 3 * 2]).collect();
            batch.set(
                "m",
                Values::matrices(matrices, Offsets::from_lengths(rows.iter().map(|&row| row as usize % 3)), 2),
            );
            Ok(Some(batch))
        }
    }

    fn shuffled(count: u64, seed: u64, memory: usize) -> Vec<u64> {
        let scratch = tempfile::tempdir().unwrap();
        let mut rows = Shuffled::new(Box::new(Numbers(0, count)), Shuffle { seed }, scratch.path(), memory);
        let mut order = Vec::new();
        while let Some(batch) = rows.next().unwrap() {
            for (place, origin) in batch.origins.iter().enumerate() {
                let row = origin.row;
                assert_eq!(origin.file, 3);
                assert_eq!(batch.column("n").row(place), [row as f64]);
                assert_eq!(batch.column("third").row(place), [row as f64 / 3.0]);
                assert_eq!(batch.column("x").row(place), vec![row as f64; row as usize % 4]);
                assert_eq!(batch.column("m").row(place).len(), row as usize % 3 * 2);
                assert!(batch.column("m").row(place).iter().all(|zero| zero.is_sign_negative()));
                order.push(row);
            }
        }
        order
    }

    #[test]
    fn every_row_comes_out_once_in_an_order_that_memory_does_not_change() {
        let whole = shuffled(1000, 1, usize::MAX);
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(whole, sorted);
        // Spilled once, and again level by level down to single rows.
        assert_eq!(shuffled(1000, 1, 20_000), whole);
        assert_eq!(shuffled(1000, 1, 300), whole);
        assert_ne!(shuffled(1000, 2, usize::MAX), whole);
        assert_eq!(shuffled(0, 1, 300), Vec::<u64>::new());
    }

    #[test]
    fn the_order_is_the_same_on_every_machine() {
        assert_eq!(shuffled(8, 42, usize::MAX), shuffled(8, 42, 1));
        let middle: f64 = shuffled(4000, 5, usize::MAX)[..2000].iter().map(|&row| row as f64).sum::<f64>() / 2000.0;
        assert!((1900.0..2100.0).contains(&middle), "half of the rows come from all over: mean {middle}");
    }
}
