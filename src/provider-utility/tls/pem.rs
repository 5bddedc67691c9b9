//! PEM, the textual form of DER (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::TlsError;

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
pub(super) const EC_PRIVATE_KEY: &str = "EC PRIVATE KEY";
pub(super) const OPENSSH_PRIVATE_KEY: &str = "OPENSSH PRIVATE KEY";
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";
pub(super) const RSA_PRIVATE_KEY: &str = "RSA PRIVATE KEY";

/// The text of a block, with lines of 64 characters and a newline at the end.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The first block of a text: its label and content. What stands before and after it does not matter.
pub(super) fn read(text: &str) -> Result<(String, Vec<u8>), TlsError> {
    let mut lines = text.lines().map(str::trim);
    let label = lines
        .find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .ok_or_else(|| TlsError::new("the text has no PEM block"))?;
    let end = format!("-----END {label}-----");
    let mut base64 = String::new();
    loop {
        match lines.next() {
            Some(line) if line == end => break,
            // Headers, such as those of an encrypted key.
            Some(line) if line.contains(':') => {
                return Err(TlsError::new(format!(
                    "the PEM block {label:?} has headers: encrypted keys are not supported"
                )));
            }
            Some(line) => base64.push_str(line),
            None => return Err(TlsError::new(format!("the PEM block {label:?} has no end"))),
        }
    }
    let content =
        STANDARD.decode(base64).map_err(|_| TlsError::new(format!("the PEM block {label:?} is not base64")))?;
    Ok((label.to_owned(), content))
}

/// The content of a block that must have this label.
pub(super) fn read_as(label: &str, text: &str) -> Result<Vec<u8>, TlsError> {
    match read(text)? {
        (found, content) if found == label => Ok(content),
        (found, _) => Err(TlsError::new(format!("invalid PEM type - expected {label:?}, got {found:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_first_block() {
        let text = format!("Some words.\n{}{}", write("A", &[1; 60]).replace('\n', "\r\n"), write("B", &[2]));
        assert_eq!(read(&text), Ok(("A".to_owned(), vec![1; 60])));
        assert!(read_as("B", &text).is_err());
        for bad in ["", "-----BEGIN A-----\nAAAA\n", "-----BEGIN A-----\n?\n-----END A-----\n"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read_as(CERTIFICATE, &write(CERTIFICATE, &content)), Ok(content));
        }
    }
}
