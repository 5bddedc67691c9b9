//! Compressed tar files: ustar (POSIX.1-2001), with an extended header for names that do not fit, in gzip (RFC 1952).

use miniz_oxide::deflate::compress_to_vec;

use super::{ArchiveError, Entry, LEVEL};

const BLOCK: usize = 512;
/// The longest name that stands in the header itself.
const NAME: usize = 100;

/// The bytes of a `.tar.gz` file with these entries, in their order.
///
/// # Errors
/// When a file is too big for the format.
pub(super) fn pack(entries: &[Entry]) -> Result<Vec<u8>, ArchiveError> {
    let mut tar = Vec::new();
    for entry in entries {
        if entry.name.len() > NAME || !entry.name.is_ascii() {
            let record = record("path", &entry.name);
            put(&mut tar, b'x', "PaxHeaders/name", 0o644, record.as_bytes())?;
        }
        put(&mut tar, b'0', &entry.name, entry.mode, &entry.content)?;
    }
    tar.extend([0; 2 * BLOCK]);
    Ok(gzip(&tar))
}

/// Appends a header and a content, in whole blocks.
fn put(tar: &mut Vec<u8>, kind: u8, name: &str, mode: u32, content: &[u8]) -> Result<(), ArchiveError> {
    let octal = |number: u64, width: usize| format!("{number:0width$o}\0", width = width - 1);
    let size = octal(content.len() as u64, 12);
    if size.len() > 12 {
        return Err(ArchiveError::new(format!("`{name}` is too big for a tar file")));
    }
    let mut header = [0; BLOCK];
    let mut field = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    field(0, &name.as_bytes()[..name.len().min(NAME)]);
    field(100, octal(u64::from(mode & 0o7777), 8).as_bytes());
    // Owner and group are 0, and the time is the beginning of 1970: the same on every machine.
    field(108, octal(0, 8).as_bytes());
    field(116, octal(0, 8).as_bytes());
    field(124, size.as_bytes());
    field(136, octal(0, 12).as_bytes());
    field(148, b"        ");
    field(156, &[kind]);
    field(257, b"ustar\x0000");
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// A record of an extended header: its own length, a space, a name, `=`, a value and a newline.
fn record(name: &str, value: &str) -> String {
    let rest = format!(" {name}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    // Deflate, no flags, no time, no hint, written by no system in particular.
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(compress_to_vec(content, LEVEL));
    file.extend(crc32fast::hash(content).to_le_bytes());
    // The length counts modulo 2^32.
    let length = u32::try_from(content.len() as u64 & u64::from(u32::MAX)).expect("it is below 2^32");
    file.extend(length.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_themselves() {
        assert_eq!(record("path", "a"), "9 path=a\n");
        let long = record("path", &"x".repeat(91));
        assert!(long.starts_with("101 path="), "{long}");
        assert_eq!(long.len(), 101);
    }
}
