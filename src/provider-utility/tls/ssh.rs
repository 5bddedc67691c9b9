//! Keys as OpenSSH writes them: public keys (RFC 4253, RFC 5656, RFC 8709), and private ones in OpenSSH's own format (its file
//! `PROTOCOL.key`), unencrypted.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::Md5;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use sha2::{Digest as _, Sha256};

use super::curve::Curve;
use super::key::PrivateKey;
use super::{TlsError, pem};
use crate::digests::hex;
use crate::draw::fill;

const MAGIC: &[u8] = b"openssh-key-v1\0";
const RSA: &str = "ssh-rsa";
const ED25519: &str = "ssh-ed25519";
/// What an unencrypted private section is padded to.
const BLOCK: usize = 8;

/// The public key and its fingerprints, each empty for a key that SSH does not know (P-224).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// A line of `authorized_keys`, with a newline.
    pub(super) line: String,
    /// `aa:bb:...`
    pub(super) md5: String,
    /// `SHA256:...`
    pub(super) sha256: String,
}

impl PublicKey {
    pub(super) fn of(key: &PrivateKey) -> Self {
        let Some((name, blob)) = public(key) else { return Self::default() };
        let digits = hex(&Md5::digest(&blob));
        let pairs: Vec<&str> = (0..digits.len()).step_by(2).map(|start| &digits[start..start + 2]).collect();
        Self {
            line: format!("{name} {}\n", STANDARD.encode(&blob)),
            md5: pairs.join(":"),
            sha256: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))),
        }
    }
}

/// The private key as PEM, empty for a key that SSH does not know.
pub(super) fn private_pem(key: &PrivateKey) -> Result<String, pipectl_core::Diagnostics> {
    let Some((name, blob)) = public(key) else { return Ok(String::new()) };
    // The same random number twice tells a reader that it has decrypted rightly.
    let mut check = [0; 4];
    fill(&mut check)?;
    let mut section = [check, check].concat();
    section.extend(string(name.as_bytes()));
    section.extend(private(key));
    // No comment.
    section.extend(string(b""));
    let padding = section.len().next_multiple_of(BLOCK) - section.len();
    section.extend((1..=padding).map(|number| u8::try_from(number).expect("padding is short")));
    let mut file = MAGIC.to_vec();
    // No cipher, no key derivation and no options for it; one key.
    for part in [&b"none"[..], b"none", b""] {
        file.extend(string(part));
    }
    file.extend(1_u32.to_be_bytes());
    file.extend(string(&blob));
    file.extend(string(&section));
    Ok(pem::write(pem::OPENSSH_PRIVATE_KEY, &file))
}

/// Reads a private key from PEM.
pub(super) fn read_private(text: &str) -> Result<PrivateKey, TlsError> {
    let content = match pem::read(text)? {
        (label, content) if label == pem::OPENSSH_PRIVATE_KEY => content,
        // OpenSSH writes the older forms under that name too.
        _ => return PrivateKey::read(text),
    };
    let rest = content.strip_prefix(MAGIC).ok_or_else(malformed)?;
    let mut file = Wire(rest);
    if file.string()? != b"none" {
        return Err(TlsError::new("the private key is encrypted, which is not supported"));
    }
    file.string()?;
    file.string()?;
    if file.number()? != 1 {
        return Err(TlsError::new("the file must hold exactly one key"));
    }
    file.string()?;
    let mut section = Wire(file.string()?);
    if section.number()? != section.number()? {
        return Err(malformed());
    }
    match section.string()? {
        name if name == RSA.as_bytes() => {
            let numbers =
                (0..6).map(|_| section.string().map(BigUint::from_bytes_be)).collect::<Result<Vec<_>, _>>()?;
            let [n, e, d, _inverse, p, q] = <[BigUint; 6]>::try_from(numbers).map_err(|_| malformed())?;
            let key = RsaPrivateKey::from_components(n, e, d, vec![p, q]).map_err(|_| malformed())?;
            PrivateKey::of_rsa(key)
        }
        name if name == ED25519.as_bytes() => {
            section.string()?;
            PrivateKey::of_seed(section.string()?.get(..32).ok_or_else(malformed)?)
        }
        name => {
            let is_named =
                |curve: &Curve| curve.ssh_name().is_some_and(|curve| format!("ecdsa-sha2-{curve}").as_bytes() == name);
            let curve = Curve::ALL.into_iter().find(is_named);
            let curve = curve.ok_or_else(|| TlsError::new("the key's algorithm is not supported"))?;
            section.string()?;
            section.string()?;
            PrivateKey::of_number(curve, section.string()?)
        }
    }
}

/// The name of a key's algorithm, and the public key in SSH's own form.
fn public(key: &PrivateKey) -> Option<(String, Vec<u8>)> {
    let (name, parts) = match key {
        PrivateKey::Rsa(key) => (RSA.to_owned(), vec![number(key.e()), number(key.n())]),
        PrivateKey::Ec(curve, _, public) => {
            let curve = curve.ssh_name()?;
            (format!("ecdsa-sha2-{curve}"), vec![string(curve.as_bytes()), string(public)])
        }
        PrivateKey::Ed25519(_) => (ED25519.to_owned(), vec![string(&key.public_bytes())]),
    };
    let blob = [string(name.as_bytes()), parts.concat()].concat();
    Some((name, blob))
}

/// The private key's fields after the name of its algorithm.
fn private(key: &PrivateKey) -> Vec<u8> {
    match key {
        PrivateKey::Rsa(key) => {
            let inverse = key.crt_coefficient().expect("a key of two different primes has one");
            let numbers = [key.n(), key.e(), key.d(), &inverse, &key.primes()[0], &key.primes()[1]];
            numbers.map(number).concat()
        }
        PrivateKey::Ec(curve, secret, public) => {
            let name = curve.ssh_name().unwrap_or_default();
            [string(name.as_bytes()), string(public), unsigned(secret)].concat()
        }
        PrivateKey::Ed25519(secret) => {
            let public = key.public_bytes();
            [string(&public), string(&[&secret.to_bytes()[..], &public].concat())].concat()
        }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("keys are short");
    [&length.to_be_bytes()[..], bytes].concat()
}

fn number(number: &BigUint) -> Vec<u8> {
    unsigned(&number.to_bytes_be())
}

/// A number without a sign: no leading zeros, but one where the first bit is set.
fn unsigned(digits: &[u8]) -> Vec<u8> {
    let digits = &digits[digits.iter().take_while(|byte| **byte == 0).count()..];
    if digits.first().is_some_and(|first| *first >= 0x80) { string(&[&[0], digits].concat()) } else { string(digits) }
}

fn malformed() -> TlsError {
    TlsError::new("the OpenSSH private key is malformed")
}

/// Reads fields one after the other.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TlsError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, TlsError> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    fn string(&mut self) -> Result<&'a [u8], TlsError> {
        let length = usize::try_from(self.number()?).map_err(|_| malformed())?;
        self.take(length)
    }
}
