//! Distinguished names: from a `subject` block, as DER, and as text the way Go's `pkix.Name` writes them (RFC 2253).

use pipectl_core::{Attribute, Block, Schema, Type, Value};

use super::TlsError;
use super::der::{self, IA5_STRING, OID, Reader, SEQUENCE, SET, element, oid, sequence, set};
use crate::digests::hex;
use pipectl_provider::arguments::{blocks, text, texts};

/// An attribute of a subject: the argument, the object identifier, and the name in text.
const ATTRIBUTES: [(&str, &str, &str); 9] = [
    ("country", "2.5.4.6", "C"),
    ("organization", "2.5.4.10", "O"),
    ("organizational_unit", "2.5.4.11", "OU"),
    ("locality", "2.5.4.7", "L"),
    ("province", "2.5.4.8", "ST"),
    ("street_address", "2.5.4.9", "STREET"),
    ("postal_code", "2.5.4.17", "POSTALCODE"),
    ("common_name", "2.5.4.3", "CN"),
    ("serial_number", "2.5.4.5", "SERIALNUMBER"),
];
const EMAIL: &str = "1.2.840.113549.1.9.1";
/// Of these a name has one value each, the last that is written.
const SINGLE: [&str; 2] = ["CN", "SERIALNUMBER"];

/// The `subject` block.
pub(super) fn subject_block() -> Block {
    let field = |name: &str| {
        let ty = if name == "street_address" { Type::list(Type::String) } else { Type::String };
        Attribute::optional(ty, &format!("The subject's {}.", name.replace('_', " "))).forces_replacement()
    };
    let names = ATTRIBUTES.iter().map(|(name, ..)| *name).chain(["email_address"]);
    let schema = names.fold(Schema::default(), |schema, name| schema.attribute(name, field(name)));
    Block::list(schema, "Whom the certificate is for.")
}

/// The `Name` of the first `subject` block, empty without one; whether it is empty.
pub(super) fn of_subject(config: &Value) -> (Vec<u8>, bool) {
    let Some(subject) = blocks(config, "subject").first() else { return (sequence(&[]), true) };
    let pair = |identifier: &str, value: Vec<u8>| sequence(&[oid(identifier), value]);
    let mut parts = Vec::new();
    for (name, identifier, _) in ATTRIBUTES {
        let values = match text(subject, name) {
            Some(value) => vec![value],
            None => texts(subject, name),
        };
        if !values.is_empty() {
            parts.push(set(values.into_iter().map(|value| pair(identifier, der::text(value))).collect()));
        }
    }
    if let Some(email) = text(subject, "email_address") {
        parts.push(set(vec![pair(EMAIL, element(IA5_STRING, email.as_bytes()))]));
    }
    (sequence(&parts), parts.is_empty())
}

/// A `Name` as text.
pub(super) fn to_text(name: &[u8]) -> Result<String, TlsError> {
    let mut known: Vec<(&str, Vec<String>)> = ATTRIBUTES.iter().map(|(_, _, short)| (*short, Vec::new())).collect();
    let mut others = Vec::new();
    let mut parts = Reader::new(name).expect(SEQUENCE)?.inside();
    while !parts.is_empty() {
        let mut pairs = parts.expect(SET)?.inside();
        while !pairs.is_empty() {
            let mut pair = pairs.expect(SEQUENCE)?.inside();
            let identifier = pair.expect(OID)?.identifier()?;
            let value = String::from_utf8_lossy(pair.next()?.content).into_owned();
            let position = ATTRIBUTES.iter().position(|(_, known, _)| *known == identifier);
            match position {
                Some(position) if SINGLE.contains(&known[position].0) => known[position].1 = vec![escaped(&value)],
                Some(position) => known[position].1.push(escaped(&value)),
                None => others.push(format!("{identifier}=#{}", hex(&der::text(&value)))),
            }
        }
    }
    let known = known.into_iter().filter(|(_, values)| !values.is_empty()).map(|(short, values)| {
        let pairs: Vec<String> = values.iter().map(|value| format!("{short}={value}")).collect();
        pairs.join("+")
    });
    // The last comes first; what has no name of its own comes last.
    let mut parts: Vec<String> = others.into_iter().chain(known).collect();
    parts.reverse();
    Ok(parts.join(","))
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        let is_edge = position == 0 && matches!(character, ' ' | '#') || position == last && character == ' ';
        if is_edge || ",+\"\\<>;".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_go_writes_them() {
        let subject = Value::object([
            ("common_name", Value::from("example.com")),
            ("organization", Value::from("ACME, Inc")),
            ("country", Value::from("CH")),
            ("street_address", Value::list(Type::String, ["Route 1", "Box 2"].map(Value::from))),
            ("email_address", Value::from("a@example.com")),
            ("serial_number", Value::null_of(Type::String)),
        ]);
        let config = Value::object([("subject", Value::tuple([subject]))]);
        let (name, is_empty) = of_subject(&config);
        assert!(!is_empty);
        assert_eq!(
            to_text(&name).as_deref(),
            Ok(
                "CN=example.com,STREET=Box 2+STREET=Route 1,O=ACME\\, Inc,C=CH,1.2.840.113549.1.9.1=#0c0d61406578616d706c652e636f6d"
            )
        );
        assert_eq!(of_subject(&Value::object([("subject", Value::tuple([]))])), (vec![0x30, 0], true));
        assert_eq!(escaped("# a "), "\\# a\\ ");
    }
}
