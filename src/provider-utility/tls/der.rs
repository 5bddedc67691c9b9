//! DER, the encoding of keys and certificates (ITU-T X.690): as much as they need, written and read.

use super::TlsError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` of a value inside it, which keeps its own tag.
pub(super) const fn explicit(number: u8) -> u8 {
    0xa0 | number
}

/// The tag `[number]` in the place of a primitive value's own.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// An element: tag, length, content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
            bytes.push(0x80 | u8::try_from(length.len()).expect("a length has at most 8 bytes"));
            bytes.extend(length);
        }
    }
    bytes.extend(content);
    bytes
}

/// An element of elements.
pub(super) fn nested(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// `SEQUENCE`
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    nested(SEQUENCE, parts)
}

/// `SET OF`, in the order that DER asks for.
pub(super) fn set(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    nested(SET, &parts)
}

/// `INTEGER` of a big-endian number without a sign.
pub(super) fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut digits = number[zeros..].to_vec();
    // The first bit is the sign.
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    element(INTEGER, &digits)
}

/// `BIT STRING` of whole bytes.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// `OBJECT IDENTIFIER`, from numbers apart by dots.
pub(super) fn oid(text: &str) -> Vec<u8> {
    let mut arcs =
        text.split('.').map(|arc| arc.parse::<u64>().expect("identifiers in this program are numbers and dots"));
    let (first, second) = (arcs.next().unwrap_or(0), arcs.next().unwrap_or(0));
    let mut content = Vec::new();
    for arc in std::iter::once(first * 40 + second).chain(arcs) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = u8::try_from(arc >> (7 * group) & 0x7f).expect("seven bits fit");
            content.push(if group > 0 { bits | 0x80 } else { bits });
        }
    }
    element(OID, &content)
}

/// `PrintableString`, or `UTF8String` for what that cannot write: the choice of Go's `encoding/asn1`.
pub(super) fn text(text: &str) -> Vec<u8> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    element(if is_printable { PRINTABLE_STRING } else { UTF8_STRING }, text.as_bytes())
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// An element that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

fn malformed() -> TlsError {
    TlsError::new("malformed DER")
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub(super) fn next(&mut self) -> Result<Element<'a>, TlsError> {
        let (tag, short) = match self.0 {
            // Tags of more than one byte occur nowhere in keys and certificates.
            [tag, length, ..] if tag & 0x1f != 0x1f => (*tag, *length),
            _ => return Err(malformed()),
        };
        let (start, length) = match short {
            0..=0x7f => (2, usize::from(short)),
            0x81..=0x84 => {
                let count = usize::from(short & 0x7f);
                let bytes = self.0.get(2..2 + count).ok_or_else(malformed)?;
                (2 + count, bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
            }
            _ => return Err(malformed()),
        };
        let end = start.checked_add(length).filter(|end| *end <= self.0.len()).ok_or_else(malformed)?;
        let (whole, rest) = self.0.split_at(end);
        self.0 = rest;
        Ok(Element { tag, content: &whole[start..], whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, TlsError> {
        self.next().and_then(|element| if element.tag == tag { Ok(element) } else { Err(malformed()) })
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, TlsError> {
        if self.0.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }
}

impl<'a> Element<'a> {
    /// What is inside.
    pub(super) fn inside(&self) -> Reader<'a> {
        Reader(self.content)
    }

    /// The bytes of a bit string of whole bytes.
    pub(super) fn bits(&self) -> Result<&'a [u8], TlsError> {
        match (self.tag, self.content) {
            (BIT_STRING, [0, bytes @ ..]) => Ok(bytes),
            _ => Err(malformed()),
        }
    }

    /// The digits of a non-negative number, without leading zeros.
    pub(super) fn number(&self) -> Result<&'a [u8], TlsError> {
        let is_positive = self.content.first().is_some_and(|first| *first < 0x80);
        if self.tag != INTEGER || !is_positive {
            return Err(malformed());
        }
        Ok(&self.content[self.content.iter().take_while(|byte| **byte == 0).count()..])
    }

    /// A small number.
    pub(super) fn small(&self) -> Result<i64, TlsError> {
        let digits = self.number()?;
        if digits.len() > 7 {
            return Err(malformed());
        }
        Ok(digits.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)))
    }

    /// The numbers of an identifier, apart by dots.
    pub(super) fn identifier(&self) -> Result<String, TlsError> {
        if self.tag != OID || self.content.last().is_none_or(|last| last & 0x80 != 0) {
            return Err(malformed());
        }
        let mut arcs = Vec::new();
        let mut arc: u64 = 0;
        for byte in self.content {
            if arc >> 57 != 0 {
                return Err(malformed());
            }
            arc = arc << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                arcs.push(arc);
                arc = 0;
            }
        }
        let first = arcs[0].min(80) / 40;
        let mut text = format!("{first}.{}", arcs[0] - first * 40);
        arcs[1..].iter().for_each(|arc| text.push_str(&format!(".{arc}")));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_what_the_standard_shows() {
        // X.690, 8.19.5, and lengths of each form.
        assert_eq!(oid("2.100.3"), [0x06, 0x03, 0x81, 0x34, 0x03]);
        assert_eq!(oid("1.2.840.113549"), [0x06, 0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(element(4, &[7; 3]), [4, 3, 7, 7, 7]);
        assert_eq!(element(4, &[7; 200])[..3], [4, 0x81, 200]);
        assert_eq!(element(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(text("a b")[0], PRINTABLE_STRING);
        assert_eq!(text("a@b")[0], UTF8_STRING);
    }

    #[test]
    fn refuses_what_is_cut_off() {
        let whole = sequence(&[oid("1.2.840.10045.2.1"), integer(&[1; 200])]);
        for end in 0..whole.len() {
            assert!(Reader::new(&whole[..end]).next().is_err(), "{end} of {} bytes", whole.len());
        }
        assert!(Reader::new(&[0x30, 0x80, 0, 0]).next().is_err());
        assert!(Reader::new(&[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]).next().is_err());
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(number in proptest::collection::vec(any::<u8>(), 0..300), arcs in proptest::collection::vec(any::<u32>(), 1..6)) {
            let identifier = arcs.iter().fold("1.3".to_owned(), |text, arc| format!("{text}.{arc}"));
            let written = sequence(&[integer(&number), oid(&identifier), bit_string(&number)]);
            let mut reader = Reader::new(&written).expect(SEQUENCE).expect("a sequence").inside();
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            prop_assert_eq!(reader.next().and_then(|element| element.number()), Ok(&number[zeros..]));
            prop_assert_eq!(reader.next().and_then(|element| element.identifier()), Ok(identifier));
            prop_assert_eq!(reader.next().and_then(|element| element.bits()), Ok(&number[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(element) = reader.next() {
                let _ = (element.number(), element.identifier(), element.bits(), element.small());
            }
        }
    }
}
