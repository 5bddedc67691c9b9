//! Private keys: RSA, ECDSA and Ed25519, with the forms in which they are read and written.

use ed25519_dalek::{Signer as _, SigningKey};
use pipectl_core::{Diagnostic, Diagnostics};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::rand_core::OsRng;
use rsa::traits::PrivateKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::{Digest as _, Sha256};

use super::curve::Curve;
use super::der::{
    self, BIT_STRING, INTEGER, NULL, OCTET_STRING, OID, Reader, SEQUENCE, element, explicit, nested, oid, sequence,
};
use super::{TlsError, pem};
use crate::draw::fill;

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";
/// Keys below are broken; keys above take minutes.
pub(super) const RSA_BITS: std::ops::RangeInclusive<i64> = 1024..=16384;

/// A private key.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    /// The curve, the secret number, and the public point.
    Ec(Curve, Vec<u8>, Vec<u8>),
    Ed25519(Box<SigningKey>),
}

impl PrivateKey {
    /// A random RSA key.
    pub(super) fn draw_rsa(bits: usize) -> Result<Self, Diagnostics> {
        let key = RsaPrivateKey::new(&mut OsRng, bits);
        key.map(|key| Self::Rsa(Box::new(key))).map_err(|error| {
            let detail = format!("An RSA key of {bits} bits could not be made: {error}.");
            Diagnostic::error("Unable to generate Key from configuration", detail).into()
        })
    }

    /// A random key on a curve.
    pub(super) fn draw_ec(curve: Curve) -> Result<Self, Diagnostics> {
        let secret = curve.draw()?;
        let public = curve.public(&secret).expect("a key that was drawn is valid");
        Ok(Self::Ec(curve, secret, public))
    }

    /// A random Ed25519 key.
    pub(super) fn draw_ed25519() -> Result<Self, Diagnostics> {
        let mut seed = [0; 32];
        fill(&mut seed)?;
        Ok(Self::Ed25519(Box::new(SigningKey::from_bytes(&seed))))
    }

    /// The Ed25519 key of a seed.
    pub(super) fn of_seed(seed: &[u8]) -> Result<Self, TlsError> {
        let seed: [u8; 32] = seed.try_into().map_err(|_| TlsError::new("an Ed25519 key must have 32 bytes"))?;
        Ok(Self::Ed25519(Box::new(SigningKey::from_bytes(&seed))))
    }

    /// The key on a curve with a secret number, which may lack leading zeros.
    pub(super) fn of_number(curve: Curve, number: &[u8]) -> Result<Self, TlsError> {
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        let missing = curve.bytes().checked_sub(number.len());
        let missing = missing.ok_or_else(|| TlsError::new("the private key is longer than its curve allows"))?;
        let secret = [&vec![0; missing], number].concat();
        let public = curve.public(&secret)?;
        Ok(Self::Ec(curve, secret, public))
    }

    /// Reads PEM: PKCS#1, SEC 1 or PKCS#8.
    pub(super) fn read(text: &str) -> Result<Self, TlsError> {
        let (label, content) = pem::read(text)?;
        match label.as_str() {
            pem::RSA_PRIVATE_KEY => Self::from_pkcs1(&content),
            pem::EC_PRIVATE_KEY => Self::from_sec1(&content, None),
            pem::PRIVATE_KEY => Self::from_pkcs8(&content),
            other => Err(TlsError::new(format!("unsupported PEM preamble/type: {other}"))),
        }
    }

    fn from_pkcs1(content: &[u8]) -> Result<Self, TlsError> {
        RsaPrivateKey::from_pkcs1_der(content).map_err(|_| malformed_rsa()).and_then(Self::of_rsa)
    }

    /// A key of two different primes: that is what OpenSSH's form holds, and what the others are made for.
    pub(super) fn of_rsa(key: RsaPrivateKey) -> Result<Self, TlsError> {
        match key.primes().len() == 2 && key.crt_coefficient().is_some() {
            true => Ok(Self::Rsa(Box::new(key))),
            false => Err(malformed_rsa()),
        }
    }

    /// `ECPrivateKey` of RFC 5915. The curve stands inside or around it.
    fn from_sec1(content: &[u8], around: Option<Curve>) -> Result<Self, TlsError> {
        let mut inside = Reader::new(content).expect(SEQUENCE)?.inside();
        inside.expect(INTEGER)?;
        let number = inside.expect(OCTET_STRING)?.content;
        let named = inside.optional(explicit(0))?.map(|parameters| curve_of(&mut parameters.inside())).transpose()?;
        let curve = named.or(around).ok_or_else(|| TlsError::new("the EC key does not name its curve"))?;
        Self::of_number(curve, number)
    }

    /// `PrivateKeyInfo` of RFC 5208.
    fn from_pkcs8(content: &[u8]) -> Result<Self, TlsError> {
        let mut inside = Reader::new(content).expect(SEQUENCE)?.inside();
        inside.expect(INTEGER)?;
        let mut algorithm = inside.expect(SEQUENCE)?.inside();
        let key = inside.expect(OCTET_STRING)?;
        match algorithm.expect(OID)?.identifier()?.as_str() {
            RSA_ENCRYPTION => Self::from_pkcs1(key.content),
            EC_PUBLIC_KEY => {
                let around = if algorithm.is_empty() { None } else { Some(curve_of(&mut algorithm)?) };
                Self::from_sec1(key.content, around)
            }
            ED25519 => Self::of_seed(key.inside().expect(OCTET_STRING)?.content),
            other => Err(TlsError::new(format!("unsupported private key algorithm {other}"))),
        }
    }

    /// The name in an argument: `RSA`, `ECDSA`, `ED25519`.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::Ec(..) => "ECDSA",
            Self::Ed25519(_) => "ED25519",
        }
    }

    /// PEM in the form that OpenSSL calls traditional: PKCS#1, SEC 1; PKCS#8 for Ed25519, which has none.
    pub(super) fn traditional_pem(&self) -> String {
        match self {
            Self::Rsa(key) => pem::write(pem::RSA_PRIVATE_KEY, &pkcs1(key)),
            Self::Ec(curve, secret, public) => {
                pem::write(pem::EC_PRIVATE_KEY, &sec1(secret, public, Some(curve.identifier())))
            }
            Self::Ed25519(_) => self.pkcs8_pem(),
        }
    }

    /// PEM of PKCS#8.
    pub(super) fn pkcs8_pem(&self) -> String {
        let content = match self {
            Self::Rsa(key) => pkcs1(key),
            Self::Ec(_, secret, public) => sec1(secret, public, None),
            Self::Ed25519(key) => element(OCTET_STRING, key.as_bytes()),
        };
        let version = der::integer(&[0]);
        pem::write(pem::PRIVATE_KEY, &sequence(&[version, self.key_algorithm(), element(OCTET_STRING, &content)]))
    }

    /// `AlgorithmIdentifier` of the key.
    fn key_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => sequence(&[oid(RSA_ENCRYPTION), element(NULL, &[])]),
            Self::Ec(curve, ..) => sequence(&[oid(EC_PUBLIC_KEY), oid(curve.identifier())]),
            Self::Ed25519(_) => sequence(&[oid(ED25519)]),
        }
    }

    /// `AlgorithmIdentifier` of its signatures.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => sequence(&[oid(RSA_SHA256), element(NULL, &[])]),
            Self::Ec(curve, ..) => sequence(&[oid(curve.signature_identifier())]),
            Self::Ed25519(_) => sequence(&[oid(ED25519)]),
        }
    }

    /// The public key as its algorithm writes it: PKCS#1, a point, 32 bytes.
    pub(super) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let der = key.to_public_key().to_pkcs1_der().expect("two numbers can always be written");
                der.as_bytes().to_vec()
            }
            Self::Ec(_, _, public) => public.clone(),
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }

    /// `SubjectPublicKeyInfo`.
    pub(super) fn public_der(&self) -> Vec<u8> {
        sequence(&[self.key_algorithm(), der::bit_string(&self.public_bytes())])
    }

    /// Signs a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::Rsa(key) => {
                let digest = Sha256::digest(message);
                // Blinded, so that the time it takes tells nothing of the key.
                key.sign_with_rng(&mut OsRng, Pkcs1v15Sign::new::<Sha256>(), &digest)
                    .map_err(|error| TlsError::new(format!("the signature could not be made: {error}")))
            }
            Self::Ec(curve, secret, _) => curve.sign(secret, message),
            Self::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
        }
    }
}

/// The subject key identifier of a public key: SHA-1 of its bytes. For Ed25519 the bytes are wrapped, as HashiCorp's provider does it.
pub(super) fn key_identifier(public_key_info: &[u8]) -> Result<Vec<u8>, TlsError> {
    let mut inside = Reader::new(public_key_info).expect(SEQUENCE)?.inside();
    let algorithm = inside.expect(SEQUENCE)?.inside().expect(OID)?.identifier()?;
    let bytes = inside.expect(BIT_STRING)?.bits()?;
    let wrapped = if algorithm == ED25519 { element(OCTET_STRING, bytes) } else { bytes.to_vec() };
    Ok(sha1::Sha1::digest(wrapped).to_vec())
}

fn malformed_rsa() -> TlsError {
    TlsError::new("the RSA key is malformed, or not one of two primes")
}

fn curve_of(parameters: &mut Reader<'_>) -> Result<Curve, TlsError> {
    let identifier = parameters.expect(OID)?.identifier()?;
    Curve::ALL
        .into_iter()
        .find(|curve| curve.identifier() == identifier)
        .ok_or_else(|| TlsError::new(format!("unsupported elliptic curve {identifier}")))
}

fn pkcs1(key: &RsaPrivateKey) -> Vec<u8> {
    key.to_pkcs1_der().expect("a valid key can always be written").as_bytes().to_vec()
}

fn sec1(secret: &[u8], public: &[u8], curve: Option<&str>) -> Vec<u8> {
    let parameters = curve.map(|curve| nested(explicit(0), &[oid(curve)]));
    let mut parts = vec![der::integer(&[1]), element(OCTET_STRING, secret)];
    parts.extend(parameters);
    parts.push(nested(explicit(1), &[der::bit_string(public)]));
    sequence(&parts)
}

#[cfg(test)]
mod tests {
    use rsa::BigUint;

    use super::*;

    #[test]
    fn an_rsa_key_has_two_different_primes() {
        let key = |primes: &[u32]| {
            let number = |number: u32| BigUint::from(number);
            let primes: Vec<BigUint> = primes.iter().copied().map(number).collect();
            let n = primes.iter().product();
            RsaPrivateKey::from_components(n, number(17), number(2753), primes).map(PrivateKey::of_rsa)
        };
        assert!(key(&[61, 53]).unwrap().is_ok());
        for unfit in [&[61, 61][..], &[61, 53, 59]] {
            // The library may refuse it before.
            assert!(key(unfit).ok().is_none_or(|key| key.is_err()), "{unfit:?}");
        }
    }
}
