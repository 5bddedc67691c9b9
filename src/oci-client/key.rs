//! RSA keys: read as people keep them, made for sessions.

mod encrypted;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::{DecodePrivateKey, EncodePublicKey, EncryptedPrivateKeyInfo};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer as _};
use zeroize::Zeroizing;

/// The key that requests are signed with.
#[derive(Clone)]
pub struct PrivateKey(RsaPrivateKey);

/// Why something is no key. Holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM, or PEM of something else.
    #[error("it is no RSA private key in PEM")]
    Unreadable,
    /// Somebody has taken the wrong half.
    #[error("it is a public key, and the private key is needed")]
    Public,
    /// It is encrypted, and nothing was given to decrypt it with.
    #[error("it is encrypted with a passphrase, and none is given")]
    PassphraseMissing,
    /// It does not come out right.
    #[error("it cannot be decrypted with the passphrase that is given")]
    PassphraseWrong,
    /// A cipher that nobody here knows.
    #[error("it is encrypted with `{0}`, which is not supported")]
    Cipher(String),
}

impl PrivateKey {
    /// A key out of PEM: PKCS#1 or PKCS#8, encrypted or not. A passphrase that is not needed is no mistake: profiles inherit one.
    ///
    /// # Errors
    /// When it is none, or cannot be decrypted.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let block = Block::of(pem).ok_or(KeyError::Unreadable)?;
        match block.label.as_str() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(KeyError::Public),
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(KeyError::PassphraseMissing)?;
                let info =
                    EncryptedPrivateKeyInfo::try_from(block.bytes.as_slice()).map_err(|_| KeyError::Unreadable)?;
                let plain = info.decrypt(passphrase).map_err(|error| match error {
                    pkcs8::Error::EncryptedPrivateKey(inner) if is_unknown_cipher(inner) => {
                        KeyError::Cipher(inner.to_string())
                    }
                    _ => KeyError::PassphraseWrong,
                })?;
                Self::pkcs8(plain.as_bytes()).map_err(|_| KeyError::PassphraseWrong)
            }
            "PRIVATE KEY" => Self::pkcs8(&block.bytes),
            "RSA PRIVATE KEY" => match block.field("DEK-Info") {
                None => Self::pkcs1(&block.bytes),
                Some(how) => {
                    let passphrase = passphrase.ok_or(KeyError::PassphraseMissing)?;
                    let plain = encrypted::decrypted(how, passphrase.as_bytes(), &block.bytes)?;
                    Self::pkcs1(&plain).map_err(|_| KeyError::PassphraseWrong)
                }
            },
            _ => Err(KeyError::Unreadable),
        }
    }

    fn pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        RsaPrivateKey::from_pkcs8_der(der).map(Self).map_err(|_| KeyError::Unreadable)
    }

    fn pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        RsaPrivateKey::from_pkcs1_der(der).map(Self).map_err(|_| KeyError::Unreadable)
    }

    /// A new key for a session. Takes a moment.
    ///
    /// # Panics
    /// Never: the size is one that there are keys of.
    pub fn generate() -> Self {
        const BITS: usize = 2048;
        Self(RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).expect("there are RSA keys of 2048 bits"))
    }

    /// The signature of a text (PKCS #1, version 1.5, with SHA-256), in base64.
    pub fn sign(&self, text: &[u8]) -> String {
        let key = SigningKey::<Sha256>::new(self.0.clone());
        STANDARD.encode(key.sign(text).to_bytes())
    }

    /// The other half, as services take it: the base64 of its SubjectPublicKeyInfo, without lines.
    ///
    /// # Panics
    /// Never: every RSA key has this form.
    pub fn public(&self) -> String {
        let der = self.0.to_public_key().to_public_key_der().expect("a public RSA key can be written as DER");
        STANDARD.encode(der.as_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(sensitive value)")
    }
}

/// Whether it is the cipher that is the trouble. With the wrong passphrase what comes out has no proper end, which is told as another error.
fn is_unknown_cipher(error: pkcs8::pkcs5::Error) -> bool {
    use pkcs8::pkcs5::Error;
    matches!(
        error,
        Error::AlgorithmParametersInvalid { .. } | Error::NoPbes1CryptSupport | Error::UnsupportedAlgorithm { .. }
    )
}

/// The first block of PEM in a text. Consoles append a line `OCI_API_KEY` to keys, which is none of it.
struct Block {
    label: String,
    fields: Vec<(String, String)>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Block {
    fn of(pem: &str) -> Option<Self> {
        let mut lines = pem.lines().map(str::trim);
        let label =
            lines.find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned))?;
        let end = format!("-----END {label}-----");
        let mut fields = Vec::new();
        let mut body = Zeroizing::new(String::new());
        let mut is_whole = false;
        for line in lines {
            if line == end {
                is_whole = true;
                break;
            }
            match line.split_once(": ") {
                Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
                None => body.push_str(line),
            }
        }
        let bytes = STANDARD.decode(body.as_bytes()).ok()?;
        is_whole.then(|| Self { label, fields, bytes: Zeroizing::new(bytes) })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// The certificate of a PEM file as DER.
pub(crate) fn certificate(pem: &str) -> Option<Vec<u8>> {
    Block::of(pem).filter(|block| block.label == "CERTIFICATE").map(|block| block.bytes.to_vec())
}
