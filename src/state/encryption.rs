//! Encryption at rest: a layer between what is stored and where it is stored.
//!
//! Every record, snapshot or plan file is sealed by itself, as one line of text:
//!
//! ```text
//! pipectl-sealed$1$<key>$argon2id$v=19$m=65536,t=3,p=1$<salt>$<data>
//! ```
//!
//! | part | is |
//! |---|---|
//! | `1` | version of this format |
//! | key | which key it needs: 16 hexadecimal digits that tell keys apart and nothing about them |
//! | `argon2id`.. | how the key comes from the passphrase, as in RFC 9106: memory in KiB, passes, lanes, 16 bytes of salt in base64 |
//! | data | base64 of a random nonce of 24 bytes, the ciphertext, and a tag of 16 bytes |
//!
//! Each seal has its own AES-256-GCM key and 96-bit nonce: HKDF-SHA256 of the passphrase's key, salted with the 24 random bytes. So no number of
//! records comes near the limits of GCM, and no failed write can make two records share a nonce. The tag also covers everything before the data,
//! and what the text is (`context`): a record of another state, or of another number, does not open in its place.
//!
//! This module knows no files, and nothing of what is in a state. It does not notice when an older state as a whole is put in place of a newer one.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::State;

/// What every sealed text begins with.
const PREFIX: &str = "pipectl-sealed$";
/// Version of the sealed text.
const VERSION: u32 = 1;
/// Fewest characters of a passphrase, as OpenTofu asks for.
const SHORTEST: usize = 16;
const SALT: usize = 16;
const NONCE: usize = 24;
/// Most that a stored text may ask for: whoever can write to the store must not be able to use up a reader's memory.
const MOST: Cost = Cost { memory_kib: 1 << 20, passes: 64, lanes: 16 };

/// Something cannot be encrypted or decrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The passphrase is too short to resist guessing.
    #[error("a passphrase needs at least {SHORTEST} characters")]
    ShortPassphrase,
    /// The cost is outside of what the key derivation allows.
    #[error("the cost of the key derivation is out of range")]
    Cost,
    /// It is encrypted, and no passphrase was given.
    #[error("it is encrypted, and there is no passphrase")]
    NoKey,
    /// It is encrypted under a passphrase that was not given.
    #[error("it is encrypted with another passphrase (key {key})")]
    WrongKey {
        /// Which key it needs.
        key: String,
    },
    /// It is not encrypted, and must be.
    #[error("it is not encrypted, and only what is encrypted is accepted")]
    Clear,
    /// It was changed, cut short, or moved from where it belongs.
    #[error("the encrypted text is damaged: {0}")]
    Damaged(&'static str),
    /// A newer program encrypted it.
    #[error("it is encrypted in version {found} of the format, and this pipectl knows version {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system has no random numbers")]
    NoRandomness,
    /// It is to be written in clear, and holds something that must not be.
    #[error("{0} holds what only an encrypted state keeps")]
    StaysEncrypted(String),
}

/// A passphrase. It is wiped from memory when it is dropped and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase of at least 16 characters.
    ///
    /// # Errors
    /// When it is shorter.
    pub fn new(text: impl Into<String>) -> Result<Self, EncryptionError> {
        let text = Zeroizing::new(text.into());
        if text.chars().count() < SHORTEST { Err(EncryptionError::ShortPassphrase) } else { Ok(Self(text)) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(passphrase)")
    }
}

/// What deriving a key from a passphrase costs whoever tries passphrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes that can be computed at the same time.
    pub lanes: u32,
}

impl Default for Cost {
    /// The second choice of RFC 9106, in one lane: 64 MiB, three passes.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl Cost {
    fn parameters(self) -> Result<argon2::Params, EncryptionError> {
        argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| EncryptionError::Cost)
    }

    /// The hash of argon2id, version 19.
    pub(crate) fn derive(self, secret: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, EncryptionError> {
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, self.parameters()?);
        let mut key = Zeroizing::new([0; 32]);
        argon.hash_password_into(secret, salt, &mut *key).map_err(|_| EncryptionError::Cost)?;
        Ok(key)
    }
}

/// How what is stored is encrypted, and what is accepted when it is read. Clones share derived keys.
///
/// | wanted | |
/// |---|---|
/// | in clear | [`Encryption::none`] |
/// | encryption, first turned on | [`Encryption::with`]: what is in clear is read, and rewritten by the next writer |
/// | another passphrase | [`Encryption::with`] the new one, [`also_opening`](Encryption::also_opening) the old one |
/// | encryption turned off | [`Encryption::none`], [`also_opening`](Encryption::also_opening) the old passphrase |
/// | never anything in clear | [`refusing_clear`](Encryption::refusing_clear) |
#[derive(Clone, Debug)]
pub struct Encryption(Arc<Policy>);

#[derive(Clone, Debug)]
struct Policy {
    seals: Option<Arc<Key>>,
    opens: Vec<Arc<Key>>,
    refuses_clear: bool,
    leaving: Option<Leaving>,
}

/// What is taken out of a state before it is written in clear for the first time.
#[derive(Clone)]
struct Leaving(Arc<TakeOut>);

type TakeOut = dyn Fn(&mut State) -> Result<(), String> + Send + Sync;

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(what is left behind)")
    }
}

impl Default for Encryption {
    fn default() -> Self {
        Self::none()
    }
}

/// How something is stored, compared with how it would be stored now. Of several parts, the greatest tells what to do with the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stored {
    /// The same.
    Current,
    /// In an older format.
    OldFormat,
    /// In clear where it would be encrypted, encrypted where it would be in clear, or with another passphrase.
    OtherEncryption,
}

impl Stored {
    pub(crate) fn in_format(is_this: bool) -> Self {
        if is_this { Stored::Current } else { Stored::OldFormat }
    }

    fn encrypted(as_now: bool) -> Self {
        if as_now { Stored::Current } else { Stored::OtherEncryption }
    }
}

/// What was stored.
pub(crate) struct Opened<'a> {
    pub(crate) plain: Cow<'a, [u8]>,
    pub(crate) stored: Stored,
}

impl Encryption {
    /// Nothing is encrypted.
    pub fn none() -> Self {
        Self(Arc::new(Policy { seals: None, opens: Vec::new(), refuses_clear: false, leaving: None }))
    }

    /// Everything that is written from now on is encrypted.
    pub fn with(passphrase: Passphrase) -> Self {
        Self::with_cost(passphrase, Cost::default()).expect("the default cost is in range")
    }

    /// The same at another cost.
    ///
    /// # Errors
    /// When the cost is out of range.
    pub fn with_cost(passphrase: Passphrase, cost: Cost) -> Result<Self, EncryptionError> {
        cost.parameters()?;
        if cost.exceeds(MOST) {
            return Err(EncryptionError::Cost);
        }
        let key = Arc::new(Key::new(passphrase, cost));
        Ok(Self(Arc::new(Policy { seals: Some(key), opens: Vec::new(), refuses_clear: false, leaving: None })))
    }

    /// What was encrypted with another passphrase is read too.
    #[must_use]
    pub fn also_opening(&self, passphrase: Passphrase) -> Self {
        let mut policy = (*self.0).clone();
        policy.opens.push(Arc::new(Key::new(passphrase, Cost::default())));
        Self(Arc::new(policy))
    }

    /// What is not encrypted is an error.
    #[must_use]
    pub fn refusing_clear(&self) -> Self {
        Self(Arc::new(Policy { refuses_clear: true, ..(*self.0).clone() }))
    }

    /// When encryption is turned off, a state is changed by `leaving` before it is written in clear: what must not be in clear is taken out. Or it
    /// says which object has something that can neither be taken out nor be in clear: then nothing is written.
    #[must_use]
    pub fn leaving_behind(&self, leaving: impl Fn(&mut State) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Policy { leaving: Some(Leaving(Arc::new(leaving))), ..(*self.0).clone() }))
    }

    /// Prepares a state that is stored otherwise than it would be stored now for being written anew.
    pub(crate) fn prepare(&self, state: &mut State, stored: Stored) -> Result<(), EncryptionError> {
        match &self.0.leaving {
            // In clear by now, and was it not before.
            Some(Leaving(leaving)) if !self.is_on() && stored == Stored::OtherEncryption => {
                leaving(state).map_err(EncryptionError::StaysEncrypted)
            }
            _ => Ok(()),
        }
    }

    /// Whether what is written is encrypted.
    pub fn is_on(&self) -> bool {
        self.0.seals.is_some()
    }

    /// Encrypts a file, a saved plan for example; as it is while encryption is off. `context` says what it is, and has to be given again.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn seal_file(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        match &self.0.seals {
            None => Ok(plain.to_vec()),
            Some(key) => Ok(format!("{}\n", key.seal(context, plain)?).into_bytes()),
        }
    }

    /// Whether a file that begins so is encrypted.
    pub fn is_sealed_file(first_bytes: &[u8]) -> bool {
        first_bytes.starts_with(PREFIX.as_bytes())
    }

    /// What [`seal_file`](Self::seal_file) was given. A file in clear is given back as it is, unless that is refused.
    ///
    /// # Errors
    /// When there is no passphrase that opens it, it is damaged, or it is in clear and must not be.
    pub fn open_file(&self, context: &str, stored: Vec<u8>) -> Result<Vec<u8>, EncryptionError> {
        if !Self::is_sealed_file(&stored) {
            return self.admit_clear().map(|_| stored);
        }
        let text = std::str::from_utf8(&stored).map_err(|_| EncryptionError::Damaged("it is not text"))?;
        let text = text.strip_suffix('\n').ok_or(EncryptionError::Damaged("it is incomplete"))?;
        self.open_text(context, text).map(|(plain, _)| plain)
    }

    /// JSON as it lies in a frame or a snapshot: itself, or a JSON string with the sealed text.
    pub(crate) fn seal_json(&self, context: &str, json: Vec<u8>) -> Result<Vec<u8>, EncryptionError> {
        match &self.0.seals {
            None => Ok(json),
            Some(key) => Ok(format!("\"{}\"", key.seal(context, &json)?).into_bytes()),
        }
    }

    /// What [`seal_json`](Self::seal_json) was given, with another passphrase perhaps.
    pub(crate) fn open_json<'a>(&self, context: &str, stored: &'a [u8]) -> Result<Opened<'a>, EncryptionError> {
        let quoted = stored.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let Some(sealed) = quoted else {
            return Ok(Opened { plain: Cow::Borrowed(stored), stored: self.admit_clear()? });
        };
        let text = std::str::from_utf8(sealed).map_err(|_| EncryptionError::Damaged("it is not text"))?;
        let (plain, stored) = self.open_text(context, text)?;
        Ok(Opened { plain: Cow::Owned(plain), stored })
    }

    /// Whether what lies in a frame or a snapshot is sealed, and with the passphrase that seals now.
    pub(crate) fn is_sealed_with_current_key(&self, stored: &[u8]) -> bool {
        let quoted = stored.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let sealed = quoted.and_then(|text| Sealed::parse(std::str::from_utf8(text).ok()?).ok());
        let (Some(sealed), Some(key)) = (sealed, &self.0.seals) else { return false };
        sealed.cost == key.cost && key.derived(sealed.salt, sealed.cost).is_ok_and(|derived| derived.id == sealed.key)
    }

    /// A sealed text. Encryption is on.
    pub(crate) fn seal_text(&self, context: &str, plain: &[u8]) -> Result<String, EncryptionError> {
        self.0.seals.as_ref().ok_or(EncryptionError::NoKey)?.seal(context, plain)
    }

    /// What is in clear may be read, or not.
    pub(crate) fn admit_clear(&self) -> Result<Stored, EncryptionError> {
        if self.0.refuses_clear { Err(EncryptionError::Clear) } else { Ok(Stored::encrypted(!self.is_on())) }
    }

    /// What [`seal_text`](Self::seal_text) was given.
    pub(crate) fn open_text(&self, context: &str, text: &str) -> Result<(Vec<u8>, Stored), EncryptionError> {
        let sealed = Sealed::parse(text)?;
        let policy = &*self.0;
        if policy.seals.is_none() && policy.opens.is_empty() {
            return Err(EncryptionError::NoKey);
        }
        for key in policy.seals.iter().chain(&policy.opens) {
            let derived = key.derived(sealed.salt, sealed.cost)?;
            if derived.id != sealed.key {
                continue;
            }
            let plain = derived.open(context, &sealed)?;
            let seals = policy.seals.as_ref().is_some_and(|seals| Arc::ptr_eq(seals, key));
            let is_current = seals && sealed.cost == key.cost;
            if is_current {
                key.keys().sealing.get_or_insert(derived);
            }
            return Ok((plain, Stored::encrypted(is_current)));
        }
        Err(EncryptionError::WrongKey { key: sealed.key.to_owned() })
    }
}

/// A passphrase, and what was derived from it.
struct Key {
    passphrase: Passphrase,
    cost: Cost,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    /// By salt and cost: a state has few salts, since a writer goes on with the one that it finds.
    derived: Vec<Arc<Derived>>,
    /// What new texts are sealed with.
    sealing: Option<Arc<Derived>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("passphrase", &self.passphrase).field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Key {
    fn new(passphrase: Passphrase, cost: Cost) -> Self {
        Self { passphrase, cost, keys: Mutex::default() }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn derived(&self, salt: [u8; SALT], cost: Cost) -> Result<Arc<Derived>, EncryptionError> {
        let mut keys = self.keys();
        if let Some(found) = keys.derived.iter().find(|derived| derived.salt == salt && derived.cost == cost) {
            return Ok(Arc::clone(found));
        }
        let master = cost.derive(self.passphrase.0.as_bytes(), &salt)?;
        let mut id = [0; 8];
        expand(&*master, &[], b"pipectl key id", &mut id);
        let derived = Arc::new(Derived { salt, cost, master, id: hexadecimal(&id) });
        keys.derived.push(Arc::clone(&derived));
        Ok(derived)
    }

    fn seal(&self, context: &str, plain: &[u8]) -> Result<String, EncryptionError> {
        let known = self.keys().sealing.clone();
        let derived = match known {
            Some(derived) => derived,
            None => {
                let derived = self.derived(random()?, self.cost)?;
                Arc::clone(self.keys().sealing.get_or_insert(derived))
            }
        };
        derived.seal(context, plain)
    }
}

struct Derived {
    salt: [u8; SALT],
    cost: Cost,
    master: Zeroizing<[u8; 32]>,
    id: String,
}

impl Derived {
    fn seal(&self, context: &str, plain: &[u8]) -> Result<String, EncryptionError> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let salt = BASE64.encode(self.salt);
        let head = format!("{PREFIX}{VERSION}${}$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}$", self.id);
        let nonce: [u8; NONCE] = random()?;
        let (cipher, iv) = self.cipher(&nonce);
        let covered = covered(context, &head);
        let sealed = cipher
            .encrypt(Nonce::from_slice(&iv), Payload { msg: plain, aad: &covered })
            .expect("a state is shorter than 64 GiB");
        let mut data = Vec::with_capacity(NONCE + sealed.len());
        data.extend_from_slice(&nonce);
        data.extend_from_slice(&sealed);
        let mut text = head;
        BASE64.encode_string(&data, &mut text);
        Ok(text)
    }

    fn open(&self, context: &str, sealed: &Sealed<'_>) -> Result<Vec<u8>, EncryptionError> {
        let data = BASE64.decode(sealed.data).map_err(|_| EncryptionError::Damaged("the data is not base64"))?;
        let (nonce, body) =
            data.split_first_chunk::<NONCE>().ok_or(EncryptionError::Damaged("the data is incomplete"))?;
        let (cipher, iv) = self.cipher(nonce);
        let covered = covered(context, sealed.head);
        cipher
            .decrypt(Nonce::from_slice(&iv), Payload { msg: body, aad: &covered })
            .map_err(|_| EncryptionError::Damaged("it was changed, or does not belong here"))
    }

    fn cipher(&self, nonce: &[u8; NONCE]) -> (Aes256Gcm, [u8; 12]) {
        let mut bytes = Zeroizing::new([0; 44]);
        expand(&*self.master, nonce, b"pipectl message key", &mut *bytes);
        let (key, iv) = bytes.split_at(32);
        (Aes256Gcm::new_from_slice(key).expect("32 bytes"), iv.try_into().expect("12 bytes"))
    }
}

/// What a seal covers besides the plain text.
fn covered(context: &str, head: &str) -> Vec<u8> {
    format!("{context}\n{head}").into_bytes()
}

/// A sealed text, taken apart.
struct Sealed<'a> {
    head: &'a str,
    key: &'a str,
    cost: Cost,
    salt: [u8; SALT],
    data: &'a str,
}

impl<'a> Sealed<'a> {
    fn parse(text: &'a str) -> Result<Self, EncryptionError> {
        let damaged = EncryptionError::Damaged("its beginning is not readable");
        let rest = text.strip_prefix(PREFIX).ok_or(damaged.clone())?;
        let (version, rest) = rest.split_once('$').ok_or(damaged.clone())?;
        let found: u32 = version.parse().map_err(|_| damaged.clone())?;
        if found > VERSION {
            return Err(EncryptionError::Newer { found });
        }
        let parts: Vec<&str> = rest.split('$').collect();
        let [key, "argon2id", "v=19", cost, salt, data] = parts[..] else { return Err(damaged) };
        let cost = Cost::parse(cost).ok_or(damaged.clone())?;
        if cost.exceeds(MOST) {
            return Err(EncryptionError::Damaged("its key derivation costs more than any that pipectl asks for"));
        }
        let salt = BASE64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(damaged)?;
        Ok(Self { head: &text[..text.len() - data.len()], key, cost, salt, data })
    }
}

impl Cost {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        let cost = Self { memory_kib: next("m")?, passes: next("t")?, lanes: next("p")? };
        parts.next().is_none().then_some(cost)
    }

    fn exceeds(self, most: Self) -> bool {
        self.memory_kib > most.memory_kib || self.passes > most.passes || self.lanes > most.lanes
    }
}

/// HKDF-SHA256 (RFC 5869).
pub(crate) fn expand(key: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) {
    Hkdf::<Sha256>::new(Some(salt), key).expand(info, out).expect("fewer than 255 hashes are asked for");
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EncryptionError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| {
        bytes.zeroize();
        EncryptionError::NoRandomness
    })?;
    Ok(bytes)
}

/// Two digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can be written to");
        text
    })
}
