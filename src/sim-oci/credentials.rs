//! Keys: the one that every server accepts, and those that tests add.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::Md5;
use rsa::pkcs1v15::{SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::rand_core::OsRng;
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::{REGION, TENANCY, USER};

/// What a config file holds: a user with a key that the server accepts.
#[derive(Clone)]
pub struct Profile {
    /// The OCID of the tenancy.
    pub tenancy: String,
    /// The OCID of the user.
    pub user: String,
    /// Of the public key: MD5 of its DER form, in pairs of digits.
    pub fingerprint: String,
    /// The private key, PKCS#8 in PEM. It is made for this process and opens nothing else.
    pub private_key: String,
    /// The region.
    pub region: String,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile")
            .field("user", &self.user)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// The profile that every server of this process accepts. Its key is made on first use.
    pub(crate) fn of_process() -> &'static Profile {
        static PROFILE: OnceLock<Profile> = OnceLock::new();
        PROFILE.get_or_init(|| {
            let key = process_key();
            let document = key.to_pkcs8_der().expect("a key that was just made can be written");
            Profile {
                tenancy: TENANCY.to_owned(),
                user: USER.to_owned(),
                fingerprint: fingerprint(&key.to_public_key()),
                private_key: pem("PRIVATE KEY", document.as_bytes()),
                region: REGION.to_owned(),
            }
        })
    }

    /// How requests name the key: `<tenancy>/<user>/<fingerprint>`.
    pub fn key_id(&self) -> String {
        format!("{}/{}/{}", self.tenancy, self.user, self.fingerprint)
    }

    /// The text of a config file, with the private key in a file of that path.
    pub fn config_file(&self, key_path: &str) -> String {
        let Self { tenancy, user, fingerprint, region, .. } = self;
        format!(
            "[DEFAULT]\nuser={user}\nfingerprint={fingerprint}\ntenancy={tenancy}\nregion={region}\nkey_file={key_path}\n"
        )
    }
}

/// The keys that a server accepts, by the `keyId` of a signature.
#[derive(Default)]
pub(crate) struct Keys {
    known: BTreeMap<String, Key>,
    issued: u64,
}

struct Key {
    public: RsaPublicKey,
    user: String,
    /// Seconds since 1970. `None`: never.
    expires: Option<i64>,
}

impl Keys {
    /// With the key of the process.
    pub(crate) fn new() -> Self {
        let mut keys = Self::default();
        keys.add(&Profile::of_process().key_id(), process_key().to_public_key(), None);
        keys
    }

    /// An API key: `<tenancy>/<user>/<fingerprint>`.
    pub(crate) fn add(&mut self, key_id: &str, public: RsaPublicKey, expires: Option<i64>) {
        let user = key_id.split('/').nth(1).unwrap_or(USER).to_owned();
        self.known.insert(key_id.to_owned(), Key { public, user, expires });
    }

    /// A session token for a key: requests name it `ST$<token>`.
    pub(crate) fn issue(&mut self, public: RsaPublicKey, subject: &str, now: i64, seconds: i64) -> String {
        self.issued += 1;
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let claims = json!({
            "sub": subject, "tenant": TENANCY, "iat": now, "exp": now + seconds, "jti": self.issued.to_string(),
        });
        let signed = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let signature = SigningKey::<Sha256>::new(process_key().clone()).sign(signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        let key = Key { public, user: subject.to_owned(), expires: Some(now + seconds) };
        self.known.insert(format!("ST${token}"), key);
        token
    }

    /// Checks a signature. The user, or why not.
    pub(crate) fn verify(&self, key_id: &str, text: &str, signature: &[u8], now: i64) -> Result<String, &'static str> {
        let key = self.known.get(key_id).ok_or("keyId is unknown")?;
        if key.expires.is_some_and(|expires| expires <= now) {
            return Err("the token has expired");
        }
        verify(&key.public, text, signature)?;
        Ok(key.user.clone())
    }
}

/// Checks a signature with a key.
pub(crate) fn verify(public: &RsaPublicKey, text: &str, signature: &[u8]) -> Result<(), &'static str> {
    let signature = rsa::pkcs1v15::Signature::try_from(signature).map_err(|_| "the signature is no RSA signature")?;
    VerifyingKey::<Sha256>::new(public.clone())
        .verify(text.as_bytes(), &signature)
        .map_err(|_| "the signature does not match")
}

/// A public key in PEM, or in base64 without the lines around it.
pub(crate) fn public_key(text: &str) -> Option<RsaPublicKey> {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    RsaPublicKey::from_public_key_der(&STANDARD.decode(body).ok()?).ok()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn fingerprint(key: &RsaPublicKey) -> String {
    let document = key.to_public_key_der().expect("a key that was just made can be written");
    let pairs: Vec<String> = Md5::digest(document.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// One key for all servers of the process: making one takes longer than most tests.
pub(crate) fn process_key() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| RsaPrivateKey::new(&mut OsRng, 2048).expect("2048 bits are enough for a key"))
}
