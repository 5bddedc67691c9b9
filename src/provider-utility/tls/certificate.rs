//! Certificates and requests as DER (RFC 5280, RFC 2986), in the layout of Go's `crypto/x509`.

use std::net::IpAddr;

use super::TlsError;
use super::der::{
    self, BIT_STRING, BOOLEAN, GENERALIZED_TIME, OCTET_STRING, UTC_TIME, element, explicit, implicit, nested, oid,
    sequence, set,
};
use super::key::PrivateKey;
use crate::moment::Moment;

pub(super) const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
pub(super) const KEY_USAGE: &str = "2.5.29.15";
pub(super) const ALTERNATIVE_NAMES: &str = "2.5.29.17";
pub(super) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(super) const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
pub(super) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub(super) const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";

/// Key usages, in the order of their bits.
const USAGES: [&str; 9] = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "cert_signing",
    "crl_signing",
    "encipher_only",
    "decipher_only",
];

/// Extended key usages and their identifiers.
const EXTENDED_USAGES: [(&str, &str); 14] = [
    ("any_extended", "2.5.29.37.0"),
    ("server_auth", "1.3.6.1.5.5.7.3.1"),
    ("client_auth", "1.3.6.1.5.5.7.3.2"),
    ("code_signing", "1.3.6.1.5.5.7.3.3"),
    ("email_protection", "1.3.6.1.5.5.7.3.4"),
    ("ipsec_end_system", "1.3.6.1.5.5.7.3.5"),
    ("ipsec_tunnel", "1.3.6.1.5.5.7.3.6"),
    ("ipsec_user", "1.3.6.1.5.5.7.3.7"),
    ("timestamping", "1.3.6.1.5.5.7.3.8"),
    ("ocsp_signing", "1.3.6.1.5.5.7.3.9"),
    ("microsoft_server_gated_crypto", "1.3.6.1.4.1.311.10.3.3"),
    ("netscape_server_gated_crypto", "2.16.840.1.113730.4.1"),
    ("microsoft_commercial_code_signing", "1.3.6.1.4.1.311.2.1.22"),
    ("microsoft_kernel_code_signing", "1.3.6.1.4.1.311.61.1.1"),
];

/// All words that `allowed_uses` takes, sorted.
pub(super) fn usage_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = USAGES.into_iter().chain(EXTENDED_USAGES.map(|(name, _)| name)).collect();
    names.sort_unstable();
    names
}

/// What a certificate says.
pub(super) struct Certificate<'a> {
    pub(super) serial: [u8; 16],
    /// `Name` of the issuer and of the subject.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) not_before: Moment,
    pub(super) not_after: Moment,
    /// `SubjectPublicKeyInfo`
    pub(super) public_key: &'a [u8],
    pub(super) uses: &'a [&'a str],
    pub(super) is_authority: bool,
    pub(super) path_length: Option<i64>,
    pub(super) subject_key: Option<Vec<u8>>,
    pub(super) authority_key: Option<Vec<u8>>,
    /// `GeneralNames`, where there are any.
    pub(super) alternative_names: Option<Vec<u8>>,
}

impl Certificate<'_> {
    /// The signed certificate.
    pub(super) fn sign(&self, key: &PrivateKey) -> Result<Vec<u8>, TlsError> {
        let parts = [
            nested(explicit(0), &[der::integer(&[2])]),
            der::integer(&self.serial),
            key.signature_algorithm(),
            self.issuer.to_vec(),
            sequence(&[time(self.not_before), time(self.not_after)]),
            self.subject.to_vec(),
            self.public_key.to_vec(),
            nested(explicit(3), &[sequence(&self.extensions())]),
        ];
        signed(&sequence(&parts), key)
    }

    fn extensions(&self) -> Vec<Vec<u8>> {
        let mut extensions = Vec::new();
        if let Some(bits) = usage_bits(self.uses) {
            extensions.push(extension(KEY_USAGE, true, &bits));
        }
        let extended = EXTENDED_USAGES.iter();
        // In the order in which they were asked for.
        let extended: Vec<Vec<u8>> = self
            .uses
            .iter()
            .filter_map(|usage| extended.clone().find(|(name, _)| name == usage).map(|(_, identifier)| oid(identifier)))
            .collect();
        if !extended.is_empty() {
            extensions.push(extension(EXTENDED_KEY_USAGE, false, &sequence(&extended)));
        }
        let mut constraints = Vec::new();
        if self.is_authority {
            constraints.push(element(BOOLEAN, &[0xff]));
            let length = self.path_length.and_then(|length| u64::try_from(length).ok());
            constraints.extend(length.map(|length| der::integer(&length.to_be_bytes())));
        }
        extensions.push(extension(BASIC_CONSTRAINTS, true, &sequence(&constraints)));
        if let Some(identifier) = &self.subject_key {
            extensions.push(extension(SUBJECT_KEY_IDENTIFIER, false, &element(OCTET_STRING, identifier)));
        }
        if let Some(identifier) = &self.authority_key {
            let content = sequence(&[element(implicit(0), identifier)]);
            extensions.push(extension(AUTHORITY_KEY_IDENTIFIER, false, &content));
        }
        if let Some(names) = &self.alternative_names {
            extensions.push(names_extension(names, self.subject));
        }
        extensions
    }
}

/// A signed certificate request.
pub(super) fn request(subject: &[u8], alternative_names: Option<&[u8]>, key: &PrivateKey) -> Result<Vec<u8>, TlsError> {
    let attributes = alternative_names.map(|names| {
        let extensions = sequence(&[names_extension(names, subject)]);
        sequence(&[oid(EXTENSION_REQUEST), set(vec![extensions])])
    });
    let attributes = element(explicit(0), &attributes.unwrap_or_default());
    signed(&sequence(&[der::integer(&[0]), subject.to_vec(), key.public_der(), attributes]), key)
}

/// `GeneralNames` of names, addresses and URIs; nothing when there are none.
pub(super) fn alternative_names(
    names: &[&str],
    addresses: &[&str],
    uris: &[&str],
) -> Result<Option<Vec<u8>>, TlsError> {
    let mut parts = Vec::new();
    for (tag, kind, texts) in [(2, "DNS name", names), (6, "URI", uris)] {
        for text in texts {
            if text.is_empty() || !text.is_ascii() {
                return Err(TlsError::new(format!(
                    "the {kind} {text:?} cannot stand in a certificate: it must be ASCII"
                )));
            }
            parts.push((tag, element(implicit(tag), text.as_bytes())));
        }
    }
    for text in addresses {
        let address = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.octets().to_vec(),
            Ok(IpAddr::V6(address)) => address.octets().to_vec(),
            Err(_) => return Err(TlsError::new(format!("failed to parse {text:?} as an IP address"))),
        };
        // Between names and URIs, where Go writes them.
        parts.push((3, element(implicit(7), &address)));
    }
    parts.sort_by_key(|(order, _)| *order);
    let parts: Vec<Vec<u8>> = parts.into_iter().map(|(_, name)| name).collect();
    Ok((!parts.is_empty()).then(|| sequence(&parts)))
}

fn signed(content: &[u8], key: &PrivateKey) -> Result<Vec<u8>, TlsError> {
    Ok(sequence(&[content.to_vec(), key.signature_algorithm(), der::bit_string(&key.sign(content)?)]))
}

fn extension(identifier: &str, is_critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if is_critical { element(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[oid(identifier), critical, element(OCTET_STRING, content)])
}

/// Names are critical where they are all that says for whom the certificate is.
fn names_extension(names: &[u8], subject: &[u8]) -> Vec<u8> {
    extension(ALTERNATIVE_NAMES, subject == sequence(&[]), names)
}

/// The `BIT STRING` of the key usages, without zeros at its end.
fn usage_bits(uses: &[&str]) -> Option<Vec<u8>> {
    let positions: Vec<usize> = uses.iter().filter_map(|usage| USAGES.iter().position(|name| name == usage)).collect();
    let last = *positions.iter().max()?;
    let mut bytes = vec![0_u8; last / 8 + 2];
    positions.iter().for_each(|position| bytes[1 + position / 8] |= 0x80 >> (position % 8));
    bytes[0] = u8::try_from(7 - last % 8).expect("below 8");
    Some(element(BIT_STRING, &bytes))
}

/// `UTCTime` until 2049, then `GeneralizedTime`.
fn time(moment: Moment) -> Vec<u8> {
    let [year, month, day, hour, minute, second] = moment.calendar();
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) {
        element(UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        element(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_are_bits_without_zeros_at_the_end() {
        assert_eq!(usage_bits(&["server_auth"]), None);
        assert_eq!(usage_bits(&["digital_signature", "key_encipherment"]), Some(vec![3, 2, 5, 0xa0]));
        assert_eq!(usage_bits(&["decipher_only"]), Some(vec![3, 3, 7, 0, 0x80]));
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let written = |text: &str| time(Moment::parse(text).expect("a timestamp"))[2..].to_vec();
        assert_eq!(written("2049-12-31T23:59:59Z"), b"491231235959Z");
        assert_eq!(written("2050-01-01T01:00:00+01:00"), b"20500101000000Z");
    }

    #[test]
    fn names_must_be_writable() {
        assert_eq!(alternative_names(&[], &[], &[]), Ok(None));
        let names = alternative_names(&["a"], &["10.0.0.1"], &["b:c"]).expect("names").expect("some");
        assert_eq!(names, [&[0x30, 14, 0x82, 1, b'a', 0x87, 4, 10, 0, 0, 1, 0x86, 3][..], b"b:c"].concat());
        assert!(alternative_names(&["ü"], &[], &[]).is_err());
        assert!(alternative_names(&[], &["10.0.0"], &[]).is_err());
    }
}
