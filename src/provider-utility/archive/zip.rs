//! ZIP files: deflated entries and a central directory (PKWARE's APPNOTE 6.3.10, without ZIP64).

use miniz_oxide::deflate::compress_to_vec;

use super::{ArchiveError, Entry, LEVEL};

/// The earliest time that the format can write: 1980-01-01 00:00, as date and time in the form of MS-DOS.
const DATE: u16 = 1 << 5 | 1;
const TIME: u16 = 0;
/// Version 2.0, which deflates; made by Unix, so that permissions count.
const NEEDED: u16 = 20;
const MADE_BY: u16 = 3 << 8 | NEEDED;
const DEFLATED: u16 = 8;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
const REGULAR_FILE: u32 = 0o100_000;

/// The bytes of a ZIP file with these entries, in their order.
///
/// # Errors
/// When something does not fit into the 16 and 32 bits of the format.
pub(super) fn pack(entries: &[Entry]) -> Result<Vec<u8>, ArchiveError> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = size(file.len())?;
        let compressed = compress_to_vec(&entry.content, LEVEL);
        let name_length = u16::try_from(entry.name.len())
            .map_err(|_| ArchiveError::new(format!("the name `{:.60}...` is too long for a ZIP file", entry.name)))?;
        let mut shared = Vec::new();
        put16(&mut shared, &[NEEDED, if entry.name.is_ascii() { 0 } else { UTF8 }, DEFLATED, TIME, DATE]);
        let sizes = [crc32fast::hash(&entry.content), size(compressed.len())?, size(entry.content.len())?];
        put32(&mut shared, &sizes);
        put16(&mut shared, &[name_length, 0]);

        file.extend(b"PK\x03\x04");
        file.extend(&shared);
        file.extend(entry.name.as_bytes());
        file.extend(&compressed);

        directory.extend(b"PK\x01\x02");
        put16(&mut directory, &[MADE_BY]);
        directory.extend(&shared);
        put16(&mut directory, &[0, 0, 0]);
        put32(&mut directory, &[(REGULAR_FILE | entry.mode & 0o7777) << 16, offset]);
        directory.extend(entry.name.as_bytes());
    }
    let count = u16::try_from(entries.len())
        .map_err(|_| ArchiveError::new(format!("{} files are too many for a ZIP file", entries.len())))?;
    let (start, length) = (size(file.len())?, size(directory.len())?);
    file.extend(&directory);
    file.extend(b"PK\x05\x06");
    put16(&mut file, &[0, 0, count, count]);
    put32(&mut file, &[length, start]);
    put16(&mut file, &[0]);
    Ok(file)
}

fn size(bytes: usize) -> Result<u32, ArchiveError> {
    u32::try_from(bytes).map_err(|_| ArchiveError::new("a ZIP file of 4 GiB or more is not supported"))
}

fn put16(bytes: &mut Vec<u8>, numbers: &[u16]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn put32(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}
