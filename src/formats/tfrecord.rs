//! TFRecord framing: a file is a run of records, each `u64 length, u32 masked CRC of the length, bytes, u32 masked CRC of
//! the bytes`, all little-endian (TensorFlow, `tensorflow/core/lib/io/record_writer.h`). CRCs are CRC-32C.
//!
//! It knows nothing of what a record holds ([`crate::example`] does) and no compression: a compressed file fails at
//! offset 0 with a hint.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes before the payload: length and its checksum.
const HEADER: u64 = 12;
/// Bytes after the payload: its checksum.
const FOOTER: u64 = 4;

/// Why a TFRecord file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct TfRecordError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and at which byte.
    #[source]
    pub kind: TfRecordErrorKind,
}

/// What is wrong with a TFRecord file. Offsets are of the first byte of the record's frame.
#[derive(Debug, thiserror::Error)]
pub enum TfRecordErrorKind {
    /// The operating system refused.
    #[error("the file cannot be read")]
    Io(#[source] io::Error),
    /// The checksum of the length does not fit: the header is damaged, or this is no TFRecord file.
    #[error("the header of the record at byte {offset} is damaged (checksum of its length){}", compression_hint(*.gzip))]
    Header {
        /// First byte of the frame.
        offset: u64,
        /// The file starts with the magic bytes of gzip or zlib.
        gzip: bool,
    },
    /// The file ends inside a record.
    #[error(
        "the file ends inside the record at byte {offset}: it needs {needed} bytes from there, {present} are there"
    )]
    Truncated {
        /// First byte of the frame.
        offset: u64,
        /// Bytes that the frame needs (12 when the header itself is cut).
        needed: u64,
        /// Bytes that are there.
        present: u64,
    },
    /// The checksum of the payload does not fit.
    #[error("the record at byte {offset} is damaged (checksum of its {length} bytes)")]
    Payload {
        /// First byte of the frame.
        offset: u64,
        /// Length of the payload.
        length: u64,
    },
}

fn compression_hint(gzip: bool) -> &'static str {
    if gzip { "; the file looks compressed, and only uncompressed TFRecord is read" } else { "" }
}

/// TensorFlow's masked CRC-32C: rotated right by 15 bits, plus a constant, so that a CRC over bytes that hold CRCs stays
/// sound.
pub fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes records one after another.
pub struct RecordWriter<W: Write> {
    out: W,
    bytes: u64,
}

impl RecordWriter<BufWriter<File>> {
    /// Creates (or empties) the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(RecordWriter::new(BufWriter::with_capacity(1 << 18, File::create(path)?)))
    }
}

impl<W: Write> RecordWriter<W> {
    /// Writes to `out`, which is best buffered.
    pub fn new(out: W) -> Self {
        RecordWriter { out, bytes: 0 }
    }

    /// Appends one record; answers the byte offset of its frame.
    pub fn write(&mut self, payload: &[u8]) -> io::Result<u64> {
        let offset = self.bytes;
        let length = (payload.len() as u64).to_le_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(&masked_crc(&length).to_le_bytes())?;
        self.out.write_all(payload)?;
        self.out.write_all(&masked_crc(payload).to_le_bytes())?;
        self.bytes += HEADER + payload.len() as u64 + FOOTER;
        Ok(offset)
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushes and hands back what it wrote to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads a file from its start, record by record. It checks every checksum.
pub struct RecordReader {
    path: PathBuf,
    input: BufReader<File>,
    offset: u64,
    size: u64,
    failed: bool,
}

impl RecordReader {
    /// Opens the file.
    pub fn open(path: &Path) -> Result<Self, TfRecordError> {
        let fail = |error| at(path, TfRecordErrorKind::Io(error));
        let file = File::open(path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        Ok(RecordReader {
            path: path.to_owned(),
            input: BufReader::with_capacity(1 << 18, file),
            offset: 0,
            size,
            failed: false,
        })
    }

    /// Byte offset of the frame that [`Iterator::next`] reads next.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read(&mut self) -> Result<Vec<u8>, TfRecordErrorKind> {
        let left = self.size.saturating_sub(self.offset);
        if left < HEADER {
            return Err(TfRecordErrorKind::Truncated { offset: self.offset, needed: HEADER, present: left });
        }
        let mut header = [0; HEADER as usize];
        self.input.read_exact(&mut header).map_err(TfRecordErrorKind::Io)?;
        let length = check_header(&header, self.offset, left)?;
        let mut framed = vec![0; (length + FOOTER) as usize];
        self.input.read_exact(&mut framed).map_err(TfRecordErrorKind::Io)?;
        check_payload(&mut framed, self.offset)?;
        self.offset += HEADER + length + FOOTER;
        Ok(framed)
    }
}

impl Iterator for RecordReader {
    type Item = Result<Vec<u8>, TfRecordError>;

    /// The next payload; an error ends the iteration.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.offset == self.size {
            return None;
        }
        Some(self.read().map_err(|kind| {
            self.failed = true;
            at(&self.path, kind)
        }))
    }
}

/// A file with an index of its records, for random access from several threads.
///
/// Opening reads and checks the headers only; a payload's checksum is checked whenever it is read.
#[derive(Debug)]
pub struct IndexedRecords {
    path: PathBuf,
    file: File,
    /// Offset of each frame and length of its payload.
    records: Vec<(u64, u64)>,
}

impl IndexedRecords {
    /// Opens the file and walks over its record headers.
    pub fn open(path: &Path) -> Result<Self, TfRecordError> {
        let fail = |error| at(path, TfRecordErrorKind::Io(error));
        let file = File::open(path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let mut records = Vec::new();
        let mut offset = 0;
        while offset < size {
            let left = size - offset;
            if left < HEADER {
                return Err(at(path, TfRecordErrorKind::Truncated { offset, needed: HEADER, present: left }));
            }
            let mut header = [0; HEADER as usize];
            read_exact_at(&file, &mut header, offset).map_err(fail)?;
            let length = check_header(&header, offset, left).map_err(|kind| at(path, kind))?;
            records.push((offset, length));
            offset += HEADER + length + FOOTER;
        }
        Ok(IndexedRecords { path: path.to_owned(), file, records })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of record `record`'s payload in bytes, if there is such a record.
    pub fn bytes(&self, record: usize) -> Option<u64> {
        self.records.get(record).map(|&(_, bytes)| bytes)
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Byte offset of the frame of record `index`, if there is one.
    pub fn offset(&self, index: usize) -> Option<u64> {
        self.records.get(index).map(|record| record.0)
    }

    /// The payload of record `index`.
    ///
    /// # Panics
    /// If `index` is not below [`IndexedRecords::len`].
    pub fn read(&self, index: usize) -> Result<Vec<u8>, TfRecordError> {
        let (offset, length) = self.records[index];
        let mut framed = vec![0; (length + FOOTER) as usize];
        read_exact_at(&self.file, &mut framed, offset + HEADER)
            .map_err(|error| at(&self.path, TfRecordErrorKind::Io(error)))?;
        check_payload(&mut framed, offset).map_err(|kind| at(&self.path, kind))?;
        Ok(framed)
    }
}

fn at(path: &Path, kind: TfRecordErrorKind) -> TfRecordError {
    TfRecordError { path: path.to_owned(), kind }
}

/// The payload's length, checked against its checksum and the `left` bytes from the frame's start to the file's end.
fn check_header(header: &[u8; HEADER as usize], offset: u64, left: u64) -> Result<u64, TfRecordErrorKind> {
    let (length, crc) = header.split_at(8);
    if masked_crc(length).to_le_bytes() != crc {
        let gzip = offset == 0 && (header.starts_with(&[0x1f, 0x8b]) || header[0] == 0x78);
        return Err(TfRecordErrorKind::Header { offset, gzip });
    }
    let length = u64::from_le_bytes(length.try_into().expect("the length field has 8 bytes"));
    let needed = length.saturating_add(HEADER + FOOTER);
    if needed > left {
        return Err(TfRecordErrorKind::Truncated { offset, needed, present: left });
    }
    Ok(length)
}

/// Checks the payload against the checksum behind it, and cuts the checksum off.
fn check_payload(framed: &mut Vec<u8>, offset: u64) -> Result<(), TfRecordErrorKind> {
    let length = framed.len() - FOOTER as usize;
    if masked_crc(&framed[..length]).to_le_bytes() != framed[length..] {
        return Err(TfRecordErrorKind::Payload { offset, length: length as u64 });
    }
    framed.truncate(length);
    Ok(())
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}
