//! Keys that OpenSSL has encrypted in its own old way: `Proc-Type: 4,ENCRYPTED`, with a key made of the passphrase by MD5.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::KeyError;

/// The key in a block, by what its header says: `AES-256-CBC,0123...`.
pub(super) fn decrypted(how: &str, passphrase: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (cipher, iv) = how.split_once(',').ok_or(KeyError::Unreadable)?;
    let iv = hex(iv.trim()).ok_or(KeyError::Unreadable)?;
    let salt = iv.get(..8).ok_or(KeyError::Unreadable)?;
    let key = |length| derived(passphrase, salt, length);
    let plain = match cipher.trim() {
        "AES-128-CBC" => plain::<cbc::Decryptor<aes::Aes128>>(&key(16), &iv, bytes),
        "AES-192-CBC" => plain::<cbc::Decryptor<aes::Aes192>>(&key(24), &iv, bytes),
        "AES-256-CBC" => plain::<cbc::Decryptor<aes::Aes256>>(&key(32), &iv, bytes),
        "DES-EDE3-CBC" => plain::<cbc::Decryptor<des::TdesEde3>>(&key(24), &iv, bytes),
        other => return Err(KeyError::Cipher(other.to_owned())),
    };
    plain.ok_or(KeyError::PassphraseWrong)
}

fn plain<C: BlockDecryptMut + KeyIvInit>(key: &[u8], iv: &[u8], bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = C::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_vec_mut::<Pkcs7>(bytes).ok().map(Zeroizing::new)
}

/// A key out of a passphrase: `EVP_BytesToKey` with MD5 and one round.
fn derived(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::new());
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        last = Md5::new().chain_update(&last).chain_update(passphrase).chain_update(salt).finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
