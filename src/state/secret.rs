//! Fingerprints of secrets that are never stored: `secret("env:X")` and ephemeral values.
//!
//! The state keeps a message authentication code (MAC) in place of the secret, so that the next run can tell whether the secret has changed. Its
//! key is drawn at random for each state and kept in the state.
//!
//! What protects the secret, then:
//!
//! * Whoever has a MAC and not the state's key (a log line, a plan, another state) learns nothing, not even that two secrets are equal.
//! * Whoever has the state in clear has the key too, and can try guesses: at 19 MiB of memory and two passes of argon2id for each guess (the least
//!   that OWASP names for passwords). That is hopeless for a token or a generated password, and not for `hunter2`: short secrets need encryption
//!   of the state. All secrets of one state share the salt, so one guess is tried against all of them at once.
//! * With encryption on, guessing needs the passphrase first.
//!
//! This module does not decide what is a secret, and stores nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::encryption::{Cost, EncryptionError, expand, hexadecimal, random};

/// What stands before a MAC: how it was made.
const VERSION: &str = "v1:";
/// What a guess costs.
const STRETCH: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

/// The key of a state's MACs: 32 random bytes. It is wiped from memory when it is dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct StateKey(Zeroizing<[u8; 32]>);

impl StateKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn generate() -> Result<Self, EncryptionError> {
        random().map(Self::from_bytes)
    }

    /// The key that follows from a seed, which must be as good as random and known to nobody.
    pub fn derived(seed: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        expand(seed, &[], b"pipectl state key", &mut *bytes);
        Self(bytes)
    }

    /// A key of these bytes, which must be as good as random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(state key)")
    }
}

impl Serialize for StateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hexadecimal(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for StateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes = [0; 32];
        let is_hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hexadecimal {
            return Err(serde::de::Error::custom("a state key is 64 hexadecimal digits"));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(serde::de::Error::custom)?;
        }
        Ok(Self::from_bytes(bytes))
    }
}

/// What the state keeps of a secret. In JSON: `"v1:<64 hexadecimal digits>"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretMac(String);

impl fmt::Display for SecretMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes and compares MACs under the key of one state.
///
/// One costs about 20 ms; the same secret again, under whatever context, costs nothing.
pub struct SecretMacs {
    key: Zeroizing<[u8; 32]>,
    salt: [u8; 16],
    stretched: Mutex<BTreeMap<[u8; 32], Zeroizing<[u8; 32]>>>,
}

impl fmt::Debug for SecretMacs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret MACs)")
    }
}

impl SecretMacs {
    /// Under the key of a state.
    pub fn new(key: &StateKey) -> Self {
        let mut derived = Zeroizing::new([0; 32]);
        expand(&*key.0, &[], b"pipectl secret mac", &mut *derived);
        let mut salt = [0; 16];
        expand(&*key.0, &[], b"pipectl secret salt", &mut salt);
        Self { key: derived, salt, stretched: Mutex::default() }
    }

    /// The MAC of a secret. `context` says where it is used (`oci_core_vcn.main password`): the same secret has another MAC elsewhere.
    pub fn of(&self, context: &str, secret: &[u8]) -> SecretMac {
        SecretMac(format!("{VERSION}{}", hexadecimal(&self.mac(context, secret).finalize().into_bytes())))
    }

    /// Whether a MAC is that of a secret. How long this takes does not depend on where they differ.
    pub fn matches(&self, context: &str, secret: &[u8], mac: &SecretMac) -> bool {
        let Some(digits) = mac.0.strip_prefix(VERSION).filter(|digits| digits.len() == 64 && digits.is_ascii()) else {
            return false;
        };
        let bytes: Option<Vec<u8>> =
            (0..32).map(|index| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()).collect();
        bytes.is_some_and(|bytes| self.mac(context, secret).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, context: &str, secret: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        // The length keeps context and secret apart.
        mac.update(&(context.len() as u64).to_le_bytes());
        mac.update(context.as_bytes());
        mac.update(&*self.stretch(secret));
        mac
    }

    fn stretch(&self, secret: &[u8]) -> Zeroizing<[u8; 32]> {
        let name: [u8; 32] = self.keyed().chain_update(secret).finalize().into_bytes().into();
        let mut stretched = self.stretched.lock().unwrap_or_else(PoisonError::into_inner);
        let derive = || STRETCH.derive(secret, &self.salt).expect("the cost and the salt are in range");
        stretched.entry(name).or_insert_with(derive).clone()
    }

    fn keyed(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&*self.key).expect("a key may have any length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_tells_a_change_and_nothing_else() {
        let key = StateKey::from_bytes([7; 32]);
        let macs = SecretMacs::new(&key);
        let mac = macs.of("a.b password", b"hunter2");
        assert!(macs.matches("a.b password", b"hunter2", &mac));
        assert!(!macs.matches("a.b password", b"hunter3", &mac));
        assert!(!macs.matches("a.c password", b"hunter2", &mac), "another place, another MAC");
        assert!(!SecretMacs::new(&StateKey::from_bytes([8; 32])).matches("a.b password", b"hunter2", &mac));
        // Context and secret cannot run into each other.
        assert_ne!(macs.of("a", b"bc"), macs.of("ab", b"c"));
        for text in ["", "v1:", "v2:00", "v1:zz"] {
            assert!(!macs.matches("a.b password", b"hunter2", &SecretMac(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_format_is_as_fixed() {
        // Made once by this code: a change of the function would make every secret look changed.
        let macs = SecretMacs::new(&StateKey::from_bytes([7; 32]));
        assert_eq!(macs.of("context", b"secret").to_string(), GOLDEN);
    }

    const GOLDEN: &str = "v1:e43f4b8e2613fb68a09f01d39acbf9ac967748a62b3169bd1856577415885ce3";

    #[test]
    fn a_key_is_stored_and_never_shown() {
        let key = StateKey::generate().unwrap();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<StateKey>(&json).unwrap(), key);
        assert_eq!(format!("{key:?}"), "(state key)");
        assert_ne!(StateKey::generate().unwrap(), key);
        assert!(serde_json::from_str::<StateKey>("\"00\"").is_err());
        assert!(serde_json::from_str::<StateKey>(&format!("\"{}\"", "é".repeat(32))).is_err());
    }
}
