//! Ephemeral kinds: what they make, and that it is another each time.

use std::collections::BTreeSet;

use pipectl_core::Value;
use serde_json::{Value as Json, json};

use crate::bed::{Bed, config, text};

async fn open(bed: &Bed, type_name: &str, given: &Json) -> Value {
    let kind = bed.registry().ephemerals.get(type_name).unwrap();
    let config = config(kind.schema(), given);
    assert!(kind.validate(&config).is_empty());
    let cx = bed.cx_of(&format!("ephemeral.{type_name}.x"), "");
    let opened = kind.open(&cx, &config).await.unwrap();
    assert_eq!(opened.lease.renew_after, None);
    kind.close(&cx, &opened.lease).await.unwrap();
    let names: Vec<&String> = opened.value.as_object().unwrap().keys().collect();
    assert_eq!(names, kind.schema().attributes.keys().collect::<Vec<_>>());
    assert!(opened.value.is_wholly_known());
    opened.value
}

/// Names and use of the attributes that HashiCorp's documentation lists for `random` 3.7 and `tls` 4.1.
#[test]
fn attributes_are_the_documented_ones() {
    let bed = Bed::new();
    let lines = |type_name: &str| -> BTreeSet<String> {
        let kind = bed.registry().ephemerals.get(type_name).unwrap();
        let line = |(name, attribute): (&String, &pipectl_core::Attribute)| {
            let sensitive = if attribute.sensitive { "!" } else { "" };
            match (attribute.required, attribute.optional) {
                (true, _) => format!("{name}*"),
                (_, true) => name.clone(),
                _ => format!("{name}>{sensitive}"),
            }
        };
        kind.schema().attributes.iter().map(line).collect()
    };
    let expected = |names: &str| -> BTreeSet<String> { names.split_whitespace().map(str::to_owned).collect() };
    assert_eq!(
        lines("random_password"),
        expected(
            "length* lower min_lower min_numeric min_special min_upper numeric override_special special upper bcrypt_hash>! result>!"
        )
    );
    assert_eq!(
        lines("tls_private_key"),
        expected(
            "algorithm* ecdsa_curve rsa_bits private_key_openssh>! private_key_pem>! private_key_pem_pkcs8>! \
             public_key_fingerprint_md5> public_key_fingerprint_sha256> public_key_openssh> public_key_pem>"
        )
    );
    assert_eq!(bed.registry().ephemerals.len(), 2);
}

#[tokio::test]
async fn a_password_is_another_each_time() {
    let bed = Bed::new();
    let given = json!({ "length": 20, "special": false, "min_numeric": 3 });
    let first = open(&bed, "random_password", &given).await;
    let password = text(&first, "result").to_owned();
    assert_eq!(password.len(), 20);
    assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(password.chars().filter(char::is_ascii_digit).count() >= 3);
    assert!(bcrypt::verify(&password, text(&first, "bcrypt_hash")).unwrap());
    assert_ne!(password, text(&open(&bed, "random_password", &given).await, "result"));
}

#[tokio::test]
async fn a_key_is_another_each_time() {
    let bed = Bed::new();
    let given = json!({ "algorithm": "ED25519" });
    let first = open(&bed, "tls_private_key", &given).await;
    assert!(text(&first, "private_key_pem").starts_with("-----BEGIN PRIVATE KEY-----"));
    let again = open(&bed, "tls_private_key", &given).await;
    assert_ne!(text(&first, "public_key_openssh"), text(&again, "public_key_openssh"));
}
