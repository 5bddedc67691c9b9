//! Frames on the wire: a tag, a length, and little-endian doubles or bytes.

use std::io::{self, Read, Write};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The handshake: rank, size, token of the run.
    Hello = 1,
    /// Doubles to be summed, or their sum.
    Sum = 2,
    /// Bytes from rank 0.
    Bytes = 3,
}

/// No frame is longer: a length beyond is garbage on the wire.
const MAX_BYTES: u64 = 1 << 34;

/// Writes one frame.
///
/// # Errors
/// When the connection breaks.
pub fn write(stream: &mut impl Write, tag: Tag, payload: &[u8]) -> io::Result<()> {
    let mut head = [0; 9];
    head[0] = tag as u8;
    head[1..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    stream.write_all(&head)?;
    stream.write_all(payload)?;
    stream.flush()
}

/// Reads one frame of the wanted tag.
///
/// # Errors
/// When the connection breaks, or another tag or an impossible length comes (`InvalidData`).
pub fn read(stream: &mut impl Read, wanted: Tag) -> io::Result<Vec<u8>> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let mut length = [0; 8];
    length.copy_from_slice(&head[1..]);
    let length = u64::from_le_bytes(length);
    if head[0] != wanted as u8 || length > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of kind {} with {length} bytes", head[0]),
        ));
    }
    let mut payload = Vec::new();
    // Memory grows with what really comes, not with what the length promises.
    stream.take(length).read_to_end(&mut payload)?;
    if payload.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(payload)
}

/// Doubles as little-endian bytes.
pub fn to_bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Little-endian bytes as doubles; `None` when they are not a whole number of them.
pub fn from_bytes(bytes: &[u8]) -> Option<Vec<f64>> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let mut wire = Vec::new();
        write(&mut wire, Tag::Sum, &to_bytes(&[1.5, -0.0])).expect("memory");
        let payload = read(&mut wire.as_slice(), Tag::Sum).expect("a frame");
        assert_eq!(from_bytes(&payload), Some(vec![1.5, -0.0]));
        assert!(read(&mut wire.as_slice(), Tag::Bytes).is_err());
        assert!(read(&mut &wire[..wire.len() - 1], Tag::Sum).is_err());
        wire[8] = 0xff;
        assert_eq!(read(&mut wire.as_slice(), Tag::Sum).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
        assert_eq!(from_bytes(&[0; 7]), None);
    }
}
