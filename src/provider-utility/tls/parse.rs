//! Reading certificates and requests: what is needed to sign with one, and what `tls_certificate` shows.

use super::TlsError;
use super::certificate::{ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENSION_REQUEST, SUBJECT_KEY_IDENTIFIER};
use super::der::{
    BIT_STRING, BOOLEAN, Element, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET, UTC_TIME,
    explicit, implicit,
};
use crate::moment::Moment;

/// A certificate that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) version: i64,
    /// Big-endian, without leading zeros.
    pub(super) serial: Vec<u8>,
    pub(super) signature_algorithm: String,
    pub(super) key_algorithm: String,
    /// `Name`
    pub(super) issuer: Vec<u8>,
    /// `Name`
    pub(super) subject: Vec<u8>,
    pub(super) not_before: Moment,
    pub(super) not_after: Moment,
    /// Whether it may sign others, and how many below; absent without the extension.
    pub(super) constraints: Option<(bool, Option<i64>)>,
    pub(super) subject_key: Option<Vec<u8>>,
}

/// A request that was read.
#[derive(Debug)]
pub(super) struct ParsedRequest {
    /// `Name`
    pub(super) subject: Vec<u8>,
    /// `SubjectPublicKeyInfo`
    pub(super) public_key: Vec<u8>,
    /// `GeneralNames`, where it has any.
    pub(super) alternative_names: Option<Vec<u8>>,
}

/// Reads a certificate (RFC 5280).
pub(super) fn certificate(bytes: &[u8]) -> Result<Parsed, TlsError> {
    let mut outer = Reader::new(bytes).expect(SEQUENCE)?.inside();
    let mut inside = outer.expect(SEQUENCE)?.inside();
    outer.expect(SEQUENCE)?;
    outer.expect(BIT_STRING)?.bits()?;
    let version = match inside.optional(explicit(0))? {
        Some(version) => version.inside().expect(INTEGER)?.small()? + 1,
        None => 1,
    };
    let serial = inside.expect(INTEGER)?.number()?.to_vec();
    let signature_algorithm = inside.expect(SEQUENCE)?.inside().expect(OID)?.identifier()?;
    let issuer = inside.expect(SEQUENCE)?.whole.to_vec();
    let mut validity = inside.expect(SEQUENCE)?.inside();
    let (not_before, not_after) = (time(&validity.next()?)?, time(&validity.next()?)?);
    let subject = inside.expect(SEQUENCE)?.whole.to_vec();
    let mut key = inside.expect(SEQUENCE)?.inside();
    let key_algorithm = key.expect(SEQUENCE)?.inside().expect(OID)?.identifier()?;
    inside.optional(implicit(1))?;
    inside.optional(implicit(2))?;
    let mut parsed = Parsed {
        version,
        serial,
        signature_algorithm,
        key_algorithm,
        issuer,
        subject,
        not_before,
        not_after,
        constraints: None,
        subject_key: None,
    };
    if let Some(extensions) = inside.optional(explicit(3))? {
        each_extension(&mut extensions.inside(), |identifier, content| {
            match identifier {
                BASIC_CONSTRAINTS => parsed.constraints = Some(constraints(content)?),
                SUBJECT_KEY_IDENTIFIER => {
                    parsed.subject_key = Some(Reader::new(content).expect(OCTET_STRING)?.content.to_vec());
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(parsed)
}

/// Reads a request (RFC 2986). Its signature is not checked, as in HashiCorp's provider.
pub(super) fn request(bytes: &[u8]) -> Result<ParsedRequest, TlsError> {
    let mut outer = Reader::new(bytes).expect(SEQUENCE)?.inside();
    let mut inside = outer.expect(SEQUENCE)?.inside();
    inside.expect(INTEGER)?;
    let subject = inside.expect(SEQUENCE)?.whole.to_vec();
    let public_key = inside.expect(SEQUENCE)?.whole.to_vec();
    let mut parsed = ParsedRequest { subject, public_key, alternative_names: None };
    let Some(attributes) = inside.optional(explicit(0))? else { return Ok(parsed) };
    let mut attributes = attributes.inside();
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(SEQUENCE)?.inside();
        if attribute.expect(OID)?.identifier()? != EXTENSION_REQUEST {
            continue;
        }
        each_extension(&mut attribute.expect(SET)?.inside(), |identifier, content| {
            if identifier == ALTERNATIVE_NAMES {
                parsed.alternative_names = Some(content.to_vec());
            }
            Ok(())
        })?;
    }
    Ok(parsed)
}

/// Hands on identifier and content of each extension in the list that comes next.
fn each_extension(
    reader: &mut Reader<'_>,
    mut take: impl FnMut(&str, &[u8]) -> Result<(), TlsError>,
) -> Result<(), TlsError> {
    let mut extensions = reader.expect(SEQUENCE)?.inside();
    while !extensions.is_empty() {
        let mut extension = extensions.expect(SEQUENCE)?.inside();
        let identifier = extension.expect(OID)?.identifier()?;
        extension.optional(BOOLEAN)?;
        take(&identifier, extension.expect(OCTET_STRING)?.content)?;
    }
    Ok(())
}

fn constraints(content: &[u8]) -> Result<(bool, Option<i64>), TlsError> {
    let mut inside = Reader::new(content).expect(SEQUENCE)?.inside();
    let is_authority = inside.optional(BOOLEAN)?.is_some_and(|flag| flag.content == [0xff]);
    let length = inside.optional(INTEGER)?.map(|length| length.small()).transpose()?;
    Ok((is_authority, length))
}

/// `Time`: two or four digits of the year, then month to second.
fn time(element: &Element<'_>) -> Result<Moment, TlsError> {
    let bad = || TlsError::new("the certificate's validity is malformed");
    let text = std::str::from_utf8(element.content).ok().and_then(|text| text.strip_suffix('Z')).ok_or_else(bad)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse().ok()).ok_or_else(bad);
    let (year, start) = match (element.tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: i32 = number(0..2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(0..4)?, 4),
        _ => return Err(bad()),
    };
    let mut fields = [year, 0, 0, 0, 0, 0];
    for (position, field) in fields.iter_mut().enumerate().skip(1) {
        let at = start + 2 * (position - 1);
        *field = number(at..at + 2)?;
    }
    Moment::of_calendar(fields).ok_or_else(bad)
}
