//! `rsadecrypt`: text that was encrypted for the owner of an RSA key, with the padding of PKCS #1 v1.5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::Value;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{BigUint, Pkcs1v15Encrypt, RsaPrivateKey};

use crate::functions::ParameterType as Type;
use crate::functions::encoding::decode_base64;
use crate::functions::quote::quote;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

pub(super) const FUNCTIONS: &[Function] = &[plain(
    "rsadecrypt",
    "The text that was encrypted for an RSA key, in Base64, by the private key in PEM or OpenSSH form.",
    &[Parameter::new("ciphertext", Type::String), Parameter::new("privatekey", Type::String)],
    Type::String,
    decrypt,
)];

const INVALID_KEY: &str = "invalid private key";

fn decrypt(call: &Arguments<'_>) -> Result<Value, Failure> {
    let bytes = decode_base64(call.text(0)).map_err(|_| {
        let input = quote(call.text(0));
        let message = format!("failed to decode input {input}: cipher text must be base64-encoded");
        Failure::telling(0, message, "failed to decode input: cipher text must be base64-encoded")
    })?;
    let key = private_key(call.text(1))
        .map_err(|problem| Failure::telling(1, format!("{INVALID_KEY}: {problem}"), INVALID_KEY))?;
    let text = key
        .decrypt(Pkcs1v15Encrypt, &bytes)
        .map_err(|_| Failure::call("failed to decrypt: crypto/rsa: decryption error"))?;
    Ok(String::from_utf8_lossy(&text).into_owned().into())
}

/// Reads a key as OpenSSL or OpenSSH writes it, without a passphrase. A message never holds a part of the key.
fn private_key(pem: &str) -> Result<RsaPrivateKey, &'static str> {
    const NO_KEY: &str = "ssh: no key found";
    const MALFORMED: &str = "the key is malformed";
    let (_, from_label) = pem.split_once("-----BEGIN ").ok_or(NO_KEY)?;
    let (label, after) = from_label.split_once("-----").ok_or(NO_KEY)?;
    let (body, _) = after.split_once("-----END ").ok_or(NO_KEY)?;
    if body.contains("ENCRYPTED") || label.starts_with("ENCRYPTED") {
        return Err("ssh: this private key is passphrase protected");
    }
    let symbols: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(symbols).map_err(|_| NO_KEY)?;
    match label {
        "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(&bytes).map_err(|_| MALFORMED),
        "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_der(&bytes).map_err(|_| MALFORMED),
        "OPENSSH PRIVATE KEY" => openssh_key(&bytes).ok_or(MALFORMED),
        "EC PRIVATE KEY" | "DSA PRIVATE KEY" => Err("it is no RSA key"),
        _ => Err("ssh: unsupported key type"),
    }
}

/// `PROTOCOL.key` of OpenSSH: a magic, three strings about encryption, a count, the public key, and the private one, all with lengths.
fn openssh_key(bytes: &[u8]) -> Option<RsaPrivateKey> {
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, _, _) = (take_string(&mut rest)?, take_string(&mut rest)?, take_string(&mut rest)?);
    let (one, _) = (take(&mut rest, 4)?, take_string(&mut rest)?);
    if cipher != b"none" || one != [0, 0, 0, 1] {
        return None;
    }
    let mut private = take_string(&mut rest)?;
    // Two copies of a number that tell a wrong passphrase, and the kind.
    take(&mut private, 8)?;
    if take_string(&mut private)? != b"ssh-rsa" {
        return None;
    }
    let mut number = || take_string(&mut private).map(BigUint::from_bytes_be);
    let (n, e, d, _, p, q) = (number()?, number()?, number()?, number()?, number()?, number()?);
    RsaPrivateKey::from_components(n, e, d, vec![p, q]).ok()
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, 4)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    take(rest, length)
}
