//! The elliptic curves of ECDSA keys: P-224, P-256, P-384 and P-521 of FIPS 186-4.

use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::TlsError;
use crate::draw::fill;

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

/// The same code for the crate of each curve.
macro_rules! on_curve {
    ($curve:expr, $crate_name:ident => $body:expr) => {
        match $curve {
            Curve::P224 => {
                use p224 as $crate_name;
                $body
            }
            Curve::P256 => {
                use p256 as $crate_name;
                $body
            }
            Curve::P384 => {
                use p384 as $crate_name;
                $body
            }
            Curve::P521 => {
                use p521 as $crate_name;
                $body
            }
        }
    };
}

impl Curve {
    pub(super) const ALL: [Curve; 4] = [Curve::P224, Curve::P256, Curve::P384, Curve::P521];

    /// The name in an argument.
    pub(super) fn name(self) -> &'static str {
        match self {
            Curve::P224 => "P224",
            Curve::P256 => "P256",
            Curve::P384 => "P384",
            Curve::P521 => "P521",
        }
    }

    /// The object identifier (SEC 2, RFC 5480).
    pub(super) fn identifier(self) -> &'static str {
        match self {
            Curve::P224 => "1.3.132.0.33",
            Curve::P256 => "1.2.840.10045.3.1.7",
            Curve::P384 => "1.3.132.0.34",
            Curve::P521 => "1.3.132.0.35",
        }
    }

    /// The name in SSH (RFC 5656), which lacks P-224.
    pub(super) fn ssh_name(self) -> Option<&'static str> {
        match self {
            Curve::P224 => None,
            Curve::P256 => Some("nistp256"),
            Curve::P384 => Some("nistp384"),
            Curve::P521 => Some("nistp521"),
        }
    }

    /// Bytes of a private key.
    pub(super) fn bytes(self) -> usize {
        match self {
            Curve::P224 => 28,
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// The identifier of the signature algorithm: ECDSA with the digest of [`Curve::digest`] (RFC 5758).
    pub(super) fn signature_identifier(self) -> &'static str {
        match self {
            Curve::P224 | Curve::P256 => "1.2.840.10045.4.3.2",
            Curve::P384 => "1.2.840.10045.4.3.3",
            Curve::P521 => "1.2.840.10045.4.3.4",
        }
    }

    /// A random private key.
    pub(super) fn draw(self) -> Result<Vec<u8>, pipectl_core::Diagnostics> {
        let mut secret = vec![0; self.bytes()];
        loop {
            fill(&mut secret)?;
            if self == Curve::P521 {
                // 521 bits.
                secret[0] &= 1;
            }
            // Numbers that are too big are drawn again, so that each key is as likely as any other.
            if self.public(&secret).is_ok() {
                return Ok(secret);
            }
        }
    }

    /// The public key of a private key, as an uncompressed point (SEC 1).
    pub(super) fn public(self, secret: &[u8]) -> Result<Vec<u8>, TlsError> {
        let bad = || TlsError::new(format!("the private key is none of the curve {}", self.name()));
        on_curve!(self, curve => {
            let key = curve::SecretKey::from_slice(secret).map_err(|_| bad())?;
            Ok(key.public_key().to_encoded_point(false).as_bytes().to_vec())
        })
    }

    /// Signs a message: the DER form of the signature.
    pub(super) fn sign(self, secret: &[u8], message: &[u8]) -> Result<Vec<u8>, TlsError> {
        let failed = || TlsError::new("the signature could not be made");
        let digest = self.digest(message);
        on_curve!(self, curve => {
            use curve::ecdsa::signature::hazmat::PrehashSigner as _;
            let key = curve::ecdsa::SigningKey::from_slice(secret).map_err(|_| failed())?;
            let signature: curve::ecdsa::Signature = key.sign_prehash(&digest).map_err(|_| failed())?;
            Ok(signature.to_der().as_bytes().to_vec())
        })
    }

    /// The digest that Go signs for the curve.
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Curve::P224 | Curve::P256 => Sha256::digest(message).to_vec(),
            Curve::P384 => Sha384::digest(message).to_vec(),
            Curve::P521 => Sha512::digest(message).to_vec(),
        }
    }
}
