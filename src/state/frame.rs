//! Frames: how records lie in the log.
//!
//! A frame is one line: the length of the JSON in bytes and its CRC-32 (ISO-HDLC), eight hexadecimal digits each, the JSON, a line feed:
//!
//! ```text
//! 0000001c 5c2b1e90 {"serial":1,"changes":[..]}
//! ```
//!
//! JSON holds no line feed of its own. So a frame that a crash cut short can be told from one that was damaged later: the former is a beginning
//! of a frame with nothing after it (or, after a power cut, zeros), the latter has its line feed, or more than its length.

const HEADER: usize = 18;

/// A frame around `json`.
pub(crate) fn frame(json: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:08x} {:08x} ", json.len(), crc32fast::hash(json)).into_bytes();
    bytes.extend_from_slice(json);
    bytes.push(b'\n');
    bytes
}

/// What begins at a place of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// Nothing: the log ends here.
    End,
    /// A frame.
    Frame {
        /// What it holds.
        json: &'a [u8],
        /// Where the next begins.
        end: usize,
    },
    /// The beginning of a frame that was never completed.
    Torn,
    /// Something that no crash leaves behind.
    Damaged(&'static str),
}

/// What begins at `offset`.
pub(crate) fn next(bytes: &[u8], offset: usize) -> Next<'_> {
    let rest = &bytes[offset..];
    if rest.is_empty() {
        return Next::End;
    }
    let complete = header(rest).and_then(|(length, checksum)| {
        let json = rest.get(HEADER..HEADER.checked_add(length)?)?;
        Some((json, checksum, *rest.get(HEADER + length)?))
    });
    match complete {
        Some((json, checksum, terminator)) if crc32fast::hash(json) == checksum => match terminator {
            b'\n' => Next::Frame { json, end: offset + HEADER + json.len() + 1 },
            _ => Next::Damaged("a record does not end with a line feed"),
        },
        Some(_) | None => {
            let kept = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let (kept, has_zeros) = (&rest[..kept], kept < rest.len());
            let unfinished = !kept.contains(&b'\n') && begins_like_a_frame(kept);
            match unfinished && (has_zeros || complete.is_none()) {
                true => Next::Torn,
                false => Next::Damaged("a record does not match its checksum"),
            }
        }
    }
}

fn header(rest: &[u8]) -> Option<(usize, u32)> {
    let text = std::str::from_utf8(rest.get(..HEADER)?).ok()?;
    let fields = text.as_bytes();
    if !begins_like_a_frame(fields) {
        return None;
    }
    Some((usize::from_str_radix(&text[..8], 16).ok()?, u32::from_str_radix(&text[9..17], 16).ok()?))
}

fn begins_like_a_frame(bytes: &[u8]) -> bool {
    bytes.iter().take(HEADER).enumerate().all(|(index, byte)| match index {
        8 | 17 => *byte == b' ',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let bytes = [frame(b"{}"), frame(b"[1]")].concat();
        let Next::Frame { json, end } = next(&bytes, 0) else { panic!("a frame") };
        assert_eq!(json, b"{}");
        assert_eq!(next(&bytes, end), Next::Frame { json: b"[1]", end: bytes.len() });
        assert_eq!(next(&bytes, bytes.len()), Next::End);
    }

    #[test]
    fn the_format_is_as_documented() {
        assert_eq!(frame(b"123456789"), b"00000009 cbf43926 123456789\n");
    }

    #[test]
    fn every_beginning_is_torn_and_so_is_one_with_zeros_after_it() {
        let bytes = frame(br#"{"serial":1}"#);
        for length in 1..bytes.len() {
            assert_eq!(next(&bytes[..length], 0), Next::Torn, "{length}");
            // A power cut may leave the length of the file right and its last blocks empty. The JSON's own end is not decided by zeros.
            let mut zeros = bytes[..length].to_vec();
            zeros.resize(bytes.len() + 100, 0);
            let expected = if length == bytes.len() - 1 {
                Next::Damaged("a record does not end with a line feed")
            } else {
                Next::Torn
            };
            assert_eq!(next(&zeros, 0), expected, "{length}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = frame(br#"{"serial":1}"#);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(next(&flipped, 0), Next::Damaged(_)), "bit {bit}: {:?}", next(&flipped, 0));
        }
    }
}
