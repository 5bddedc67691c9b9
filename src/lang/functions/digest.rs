//! Digests of strings and files, and what is made of them: names, passwords.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bcrypt::Version;
use md5::Md5;
use pipectl_core::Value;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use crate::functions::ParameterType as Type;
use crate::functions::file::read_any;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const STR: Parameter = Parameter::new("str", Type::String);
const PATH: Parameter = Parameter::new("path", Type::String);

/// Rounds of `bcrypt`, as a power of two, when none are given, and those that it can do.
const DEFAULT_COST: i64 = 10;
const COSTS: std::ops::RangeInclusive<i64> = 4..=31;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("base64sha256", "The SHA-256 digest of a string, in Base64.", &[STR], Type::String, |call| {
        Ok(base64_of::<Sha256>(call.text(0).as_bytes()))
    }),
    plain("base64sha512", "The SHA-512 digest of a string, in Base64.", &[STR], Type::String, |call| {
        Ok(base64_of::<Sha512>(call.text(0).as_bytes()))
    }),
    plain(
        "bcrypt",
        "The bcrypt hash of a password. The second argument is the cost, the logarithm of the number of rounds; 10 if it is not given.",
        &[STR],
        Type::String,
        bcrypt,
    )
    .rest(Parameter::new("cost", Type::Number))
    .impure(),
    plain("filebase64sha256", "The SHA-256 digest of a file, in Base64.", &[PATH], Type::String, |call| {
        Ok(base64_of::<Sha256>(&read_any(call.files, call.text(0))?))
    }),
    plain("filebase64sha512", "The SHA-512 digest of a file, in Base64.", &[PATH], Type::String, |call| {
        Ok(base64_of::<Sha512>(&read_any(call.files, call.text(0))?))
    }),
    plain("filemd5", "The MD5 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex_of::<Md5>(&read_any(call.files, call.text(0))?))
    }),
    plain("filesha1", "The SHA-1 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex_of::<Sha1>(&read_any(call.files, call.text(0))?))
    }),
    plain("filesha256", "The SHA-256 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex_of::<Sha256>(&read_any(call.files, call.text(0))?))
    }),
    plain("filesha512", "The SHA-512 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex_of::<Sha512>(&read_any(call.files, call.text(0))?))
    }),
    plain("md5", "The MD5 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex_of::<Md5>(call.text(0).as_bytes()))
    }),
    plain("sha1", "The SHA-1 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex_of::<Sha1>(call.text(0).as_bytes()))
    }),
    plain("sha256", "The SHA-256 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex_of::<Sha256>(call.text(0).as_bytes()))
    }),
    plain("sha512", "The SHA-512 digest of a string, in hex digits.", &[STR], Type::String, |call| {
        Ok(hex_of::<Sha512>(call.text(0).as_bytes()))
    }),
    plain("uuid", "A random UUID, another one in every call.", &[], Type::String, |call| {
        let mut bytes = [0; 16];
        call.ambient()?.fill(&mut bytes);
        Ok(hyphenated(bytes).into())
    })
    .impure(),
    plain(
        "uuidv5",
        "The UUID of a name in a namespace: \"dns\", \"url\", \"oid\", \"x500\", or a UUID.",
        &[Parameter::new("namespace", Type::String), Parameter::new("name", Type::String)],
        Type::String,
        uuid_of_name,
    ),
];

/// Bytes as hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_of<D: Digest>(bytes: &[u8]) -> Value {
    hex(&D::digest(bytes)).into()
}

fn base64_of<D: Digest>(bytes: &[u8]) -> Value {
    STANDARD.encode(D::digest(bytes)).into()
}

fn bcrypt(call: &Arguments<'_>) -> Result<Value, Failure> {
    let cost = match call.values.get(1) {
        Some(_) => call.whole(1, None)?,
        None => DEFAULT_COST,
    };
    if call.values.len() > 2 {
        return Err(Failure::call("bcrypt() takes no more than two arguments"));
    }
    let cost = if cost < *COSTS.start() { DEFAULT_COST } else { cost };
    if !COSTS.contains(&cost) {
        let message = format!("the cost {cost} is outside the allowed range ({},{})", COSTS.start(), COSTS.end());
        return Err(Failure::telling(None, message, "the cost is outside the allowed range (4,31)"));
    }
    let password = call.text(0);
    if password.len() > 72 {
        return Err(Failure::call("the password is longer than 72 bytes"));
    }
    let mut salt = [0; 16];
    call.ambient()?.fill(&mut salt);
    let parts = bcrypt::hash_with_salt(password, cost as u32, salt)
        .map_err(|_| Failure::call("the password cannot be hashed"))?;
    Ok(parts.format_for_version(Version::TwoA).into())
}

/// RFC 4122, section 4.3: the SHA-1 digest of namespace and name, with the version and the variant put in.
fn uuid_of_name(call: &Arguments<'_>) -> Result<Value, Failure> {
    let namespace = match call.text(0) {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let namespace = parse_uuid(namespace).map_err(|problem| {
        Failure::telling(
            None,
            format!("uuidv5() doesn't support namespace {namespace} ({problem})"),
            "uuidv5() doesn't support this namespace",
        )
    })?;
    let digest = Sha1::new().chain_update(namespace).chain_update(call.text(1)).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Ok(hyphenated(bytes).into())
}

fn hyphenated(bytes: [u8; 16]) -> String {
    let digits = hex(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// Reads the four forms of a UUID: with hyphens, after "urn:uuid:", in braces, and 32 digits.
fn parse_uuid(text: &str) -> Result<[u8; 16], String> {
    const FORM: &str = "invalid UUID format";
    let digits = match text.len() {
        36 => text,
        45 => match text.get(..9) {
            Some(prefix) if prefix.eq_ignore_ascii_case("urn:uuid:") => &text[9..],
            prefix => return Err(format!("invalid urn prefix: {:?}", prefix.unwrap_or_default())),
        },
        38 => text.get(1..37).ok_or(FORM)?,
        32 => text,
        length => return Err(format!("invalid UUID length: {length}")),
    };
    let hyphens = [8, 13, 18, 23];
    if digits.len() == 36 && !hyphens.iter().all(|at| digits.as_bytes()[*at] == b'-') {
        return Err(FORM.to_owned());
    }
    let hyphenated = digits.len() == 36;
    let plain: Vec<u8> = digits
        .bytes()
        .enumerate()
        .filter(|(at, _)| !hyphenated || !hyphens.contains(at))
        .map(|(_, byte)| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()
        .ok_or(FORM)?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(plain.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_uuids_of_rfc_4122() {
        let namespace = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8").expect("a UUID");
        assert_eq!(hyphenated(namespace), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
        assert_eq!(parse_uuid("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"), Ok(namespace));
        assert_eq!(parse_uuid("URN:UUID:6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Ok(namespace));
        assert_eq!(parse_uuid("6ba7b8109dad11d180b400c04fd430c8"), Ok(namespace));
        assert_eq!(parse_uuid("x"), Err("invalid UUID length: 1".to_owned()));
        assert_eq!(parse_uuid("6ba7b810+9dad-11d1-80b4-00c04fd430c8"), Err("invalid UUID format".to_owned()));
    }
}
