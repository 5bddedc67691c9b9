//! Keys and certificates among themselves. What others make of them is in `kinds_peer`.

use pipectl_core::Value;
use pipectl_provider::{Effect, ReadOutcome};
use serde_json::{Value as Json, json};

use crate::bed::{Bed, config, integer, text, with, words};

/// An Ed25519 key that is in no use (RFC 8410, section 10.3).
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

type Case = (&'static str, Json, Vec<(Json, Effect)>);

/// Arguments and changes of each kind, for the conformance suite.
pub fn cases() -> Vec<Case> {
    use Effect::{NoOp, Replace, Update};
    let issued = json!({
        "private_key_pem": KEY,
        "subject": [{ "common_name": "example.com", "organization": "ACME" }],
        "validity_period_hours": 12,
        "allowed_uses": ["cert_signing", "digital_signature", "server_auth"],
        "is_ca_certificate": true,
    });
    vec![
        (
            "tls_private_key",
            json!({ "algorithm": "ED25519" }),
            vec![
                (json!({ "rsa_bits": 2048, "ecdsa_curve": "P224" }), NoOp),
                (json!({ "algorithm": "ECDSA", "ecdsa_curve": "P256" }), Replace),
                (json!({ "rsa_bits": 4096 }), Replace),
            ],
        ),
        (
            "tls_cert_request",
            json!({ "private_key_pem": KEY, "dns_names": ["example.com"] }),
            vec![
                (json!({ "dns_names": ["example.com", "example.org"] }), Replace),
                (json!({ "ip_addresses": ["10.0.0.1"] }), Replace),
                (json!({ "uris": ["spiffe://example.com/a"] }), Replace),
                (json!({ "subject": [{ "common_name": "x" }] }), Replace),
            ],
        ),
        (
            "tls_self_signed_cert",
            issued.clone(),
            vec![
                (json!({ "early_renewal_hours": 3 }), Update),
                (json!({ "is_ca_certificate": null }), Replace),
                (json!({ "set_subject_key_id": false, "max_path_length": null }), NoOp),
                (json!({ "max_path_length": 0 }), Replace),
                (json!({ "set_authority_key_id": true }), Replace),
                (json!({ "validity_period_hours": 13 }), Replace),
                (json!({ "subject": [{ "common_name": "x" }] }), Replace),
            ],
        ),
        (
            "tls_locally_signed_cert",
            json!({
                "ca_private_key_pem": KEY,
                "ca_cert_pem": include_str!("authority.pem"),
                "cert_request_pem": include_str!("request.pem"),
                "validity_period_hours": 12,
                "allowed_uses": ["client_auth"],
            }),
            vec![
                (json!({ "early_renewal_hours": 3 }), Update),
                (json!({ "allowed_uses": [] }), Replace),
                (json!({ "set_subject_key_id": true }), Replace),
            ],
        ),
    ]
}

async fn certificate(bed: &Bed, pem: &str) -> Value {
    let read = bed.data("tls_certificate", &json!({ "content": pem })).await.unwrap();
    read.attribute("certificates").and_then(Value::as_slice).unwrap()[0].clone()
}

#[tokio::test]
async fn a_certificate_says_what_was_asked_for() {
    let bed = Bed::new();
    let (_, given, _) = cases().remove(2);
    let made = bed.apply("tls_self_signed_cert", &given, None).await.attributes;
    assert_eq!(text(&made, "key_algorithm"), "ED25519");
    assert_eq!(
        (text(&made, "validity_start_time"), text(&made, "validity_end_time")),
        ("2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z")
    );
    let shown = certificate(&bed, text(&made, "cert_pem")).await;
    for (name, expected) in [
        ("serial_number", text(&made, "id")),
        ("cert_pem", text(&made, "cert_pem")),
        ("not_before", "2026-01-01T00:00:00Z"),
        ("not_after", "2026-01-01T12:00:00Z"),
        ("subject", "CN=example.com,O=ACME"),
        ("issuer", "CN=example.com,O=ACME"),
        ("signature_algorithm", "Ed25519"),
        ("public_key_algorithm", "Ed25519"),
    ] {
        assert_eq!(text(&shown, name), expected, "{name}");
    }
    assert_eq!(shown.attribute("is_ca"), Some(&true.into()));
    assert_eq!((integer(&shown, "max_path_length"), integer(&shown, "version")), (-1, 3));
    let plain = json!({ "is_ca_certificate": false, "max_path_length": 3, "subject": [] });
    let made = bed.apply("tls_self_signed_cert", &with(&given, &plain), None).await.attributes;
    let shown = certificate(&bed, text(&made, "cert_pem")).await;
    assert_eq!((shown.attribute("is_ca"), text(&shown, "subject")), (Some(&false.into()), ""));
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time() {
    let bed = Bed::new();
    let (_, given, _) = cases().remove(2);
    let given = with(&given, &json!({ "early_renewal_hours": 3 }));
    let made = bed.apply("tls_self_signed_cert", &given, None).await;
    assert_eq!(made.attributes.attribute("ready_for_renewal"), Some(&false.into()));
    bed.wait(9 * 3600 - 1);
    assert_eq!(bed.plan("tls_self_signed_cert", &given, Some(&made)).await.effect, Effect::NoOp);
    bed.wait(1);
    let kind = bed.resource("tls_self_signed_cert");
    let ReadOutcome::Present { instance, drift } = kind.read(&bed.cx("x"), &made).await.unwrap() else {
        panic!("gone")
    };
    assert_eq!(instance.attributes.attribute("ready_for_renewal"), Some(&true.into()));
    assert_eq!(drift, ["it is due for renewal since 2026-01-01T09:00:00Z"]);
    let planned = bed.plan("tls_self_signed_cert", &given, Some(&made)).await;
    assert_eq!((planned.effect, &*planned.reasons[0].text), (Effect::Replace, &*drift[0]));
    assert_eq!(planned.planned.attribute("ready_for_renewal"), Some(&false.into()));
    let renewed = bed.apply("tls_self_signed_cert", &given, Some(&made)).await;
    assert_eq!(text(&renewed.attributes, "validity_end_time"), "2026-01-01T21:00:00Z");
    assert_ne!(text(&renewed.attributes, "id"), text(&made.attributes, "id"));
    // Less early is in time again.
    let later = with(&given, &json!({ "early_renewal_hours": 0 }));
    assert_eq!(bed.plan("tls_self_signed_cert", &later, Some(&made)).await.effect, Effect::Update);
    let never = with(&given, &json!({ "early_renewal_hours": 12 }));
    let made = bed.apply("tls_self_signed_cert", &never, None).await;
    assert_eq!(made.attributes.attribute("ready_for_renewal"), Some(&true.into()));
}

#[tokio::test]
async fn each_form_of_a_key_gives_the_same_public_key() {
    let bed = Bed::new();
    for (algorithm, curve) in
        [("RSA", ""), ("ED25519", ""), ("ECDSA", "P224"), ("ECDSA", "P256"), ("ECDSA", "P384"), ("ECDSA", "P521")]
    {
        let mut given = json!({ "algorithm": algorithm, "rsa_bits": 1024 });
        if !curve.is_empty() {
            given["ecdsa_curve"] = curve.into();
        }
        let made = bed.apply("tls_private_key", &given, None).await.attributes;
        let forms = [
            ("private_key_pem", "private_key_pem"),
            ("private_key_pem", "private_key_pem_pkcs8"),
            ("private_key_openssh", "private_key_openssh"),
            ("private_key_openssh", "private_key_pem"),
        ];
        for (argument, form) in forms.into_iter().filter(|(_, form)| curve != "P224" || *form != "private_key_openssh")
        {
            let read = bed.data("tls_public_key", &json!({ argument: text(&made, form) })).await.unwrap();
            for name in [
                "id",
                "algorithm",
                "public_key_pem",
                "public_key_openssh",
                "public_key_fingerprint_md5",
                "public_key_fingerprint_sha256",
            ] {
                assert_eq!(text(&read, name), text(&made, name), "{algorithm} {curve}: {name} of {form}");
            }
        }
        let ssh = ["private_key_openssh", "public_key_openssh", "public_key_fingerprint_md5"];
        let has_ssh = ssh.map(|name| !text(&made, name).is_empty());
        assert_eq!(has_ssh, [curve != "P224"; 3], "{algorithm} {curve}");
    }
}

#[tokio::test]
async fn a_key_of_an_older_state_gets_its_other_forms() {
    let bed = Bed::new();
    let kind = bed.resource("tls_private_key");
    let made =
        bed.apply("tls_private_key", &json!({ "algorithm": "ECDSA", "ecdsa_curve": "P256" }), None).await.attributes;
    let stored = json!({ "algorithm": "ECDSA", "private_key_pem": text(&made, "private_key_pem") });
    let upgraded = kind.upgrade(0, stored.clone()).unwrap();
    for name in ["private_key_pem_pkcs8", "public_key_pem", "public_key_fingerprint_sha256", "id"] {
        assert_eq!(upgraded[name], text(&made, name), "{name}");
    }
    assert!(upgraded["private_key_openssh"].as_str().unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    assert!(kind.upgrade(0, json!({ "private_key_pem": "none" })).is_err());
    assert!(kind.upgrade(2, stored).is_err());
}

#[tokio::test]
async fn a_self_signed_certificate_can_sign_others() {
    let bed = Bed::new();
    let (_, given, _) = cases().remove(2);
    let authority = bed.apply("tls_self_signed_cert", &given, None).await.attributes;
    let key =
        bed.apply("tls_private_key", &json!({ "algorithm": "ECDSA", "ecdsa_curve": "P384" }), None).await.attributes;
    let request = json!({
        "private_key_pem": text(&key, "private_key_pem"),
        "subject": [{ "common_name": "leaf", "email_address": "a@example.com" }],
        "dns_names": ["leaf.example.com"],
    });
    let request = bed.apply("tls_cert_request", &request, None).await.attributes;
    assert_eq!(text(&request, "key_algorithm"), "ECDSA");
    let signed = json!({
        "ca_private_key_pem": KEY,
        "ca_cert_pem": text(&authority, "cert_pem"),
        "cert_request_pem": text(&request, "cert_request_pem"),
        "validity_period_hours": 1,
        "allowed_uses": ["server_auth"],
    });
    let signed = bed.apply("tls_locally_signed_cert", &signed, None).await.attributes;
    let shown = certificate(&bed, text(&signed, "cert_pem")).await;
    assert_eq!(text(&shown, "issuer"), "CN=example.com,O=ACME");
    assert_eq!(text(&shown, "subject"), "CN=leaf,1.2.840.113549.1.9.1=#0c0d61406578616d706c652e636f6d");
    assert_eq!((text(&shown, "public_key_algorithm"), text(&signed, "ca_key_algorithm")), ("ECDSA", "ED25519"));
    assert!(bed.warnings().is_empty());
    // What is no authority can be used as one, with a warning.
    let again = json!({
        "ca_private_key_pem": text(&key, "private_key_pem"),
        "ca_cert_pem": text(&signed, "cert_pem"),
        "cert_request_pem": text(&request, "cert_request_pem"),
        "validity_period_hours": 1,
        "allowed_uses": [],
    });
    bed.apply("tls_locally_signed_cert", &again, None).await;
    assert_eq!(bed.warnings().len(), 1);
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    let (_, issued, _) = cases().remove(2);
    let (_, signed, _) = cases().remove(3);
    for (type_name, given, expected) in [
        (
            "tls_private_key",
            json!({ "algorithm": "DSA" }),
            "must be one of: [\"RSA\" \"ECDSA\" \"ED25519\"], got: \"DSA\"",
        ),
        ("tls_private_key", json!({ "algorithm": "ECDSA", "ecdsa_curve": "P192" }), "got: \"P192\""),
        ("tls_private_key", json!({ "algorithm": "RSA", "rsa_bits": 512 }), "must be between 1024 and 16384, got: 512"),
        ("tls_cert_request", json!({ "private_key_pem": "hunter2" }), "the text has no PEM block"),
        (
            "tls_cert_request",
            json!({ "private_key_pem": KEY, "ip_addresses": ["10.0"] }),
            "failed to parse \"10.0\" as an IP address",
        ),
        ("tls_cert_request", json!({ "private_key_pem": KEY, "uris": [""] }), "string length must be at least 1"),
        ("tls_cert_request", json!({ "private_key_pem": KEY, "subject": [{}, {}] }), "at most 1 elements"),
        (
            "tls_cert_request",
            json!({ "private_key_pem": include_str!("request.pem") }),
            "unsupported PEM preamble/type: CERTIFICATE REQUEST",
        ),
        ("tls_self_signed_cert", with(&issued, &json!({ "allowed_uses": ["signing"] })), "got: \"signing\""),
        ("tls_self_signed_cert", with(&issued, &json!({ "validity_period_hours": -1 })), "must be at least 0, got: -1"),
        (
            "tls_self_signed_cert",
            with(&issued, &json!({ "validity_period_hours": 100_000_000 })),
            "Timestamp out of range",
        ),
        (
            "tls_self_signed_cert",
            with(&issued, &json!({ "subject": [] })),
            "Must contain at least one Distinguished Name",
        ),
        (
            "tls_self_signed_cert",
            with(&issued, &json!({ "is_ca_certificate": false, "set_authority_key_id": true })),
            "Could not determine Authority Key Identifier",
        ),
        (
            "tls_locally_signed_cert",
            with(&signed, &json!({ "ca_cert_pem": KEY })),
            "expected \"CERTIFICATE\", got \"PRIVATE KEY\"",
        ),
        (
            "tls_locally_signed_cert",
            with(&signed, &json!({ "cert_request_pem": "" })),
            "Failed to parse certificate request PEM",
        ),
    ] {
        let found = match bed.try_apply(type_name, &given, None).await {
            Ok(outcome) => outcome.diagnostics,
            Err(problems) => problems,
        };
        let found = words(&found);
        assert!(found.contains(expected) && !found.contains("hunter2"), "{type_name}: {found}");
    }
    for (type_name, given, expected) in [
        ("tls_public_key", json!({}), "No attribute specified when one (and only one)"),
        ("tls_public_key", json!({ "private_key_openssh": include_str!("encrypted.pem") }), "encrypted"),
        ("tls_certificate", json!({ "url": "https://example.com" }), "URL not supported"),
        ("tls_certificate", json!({ "content": KEY }), "expected \"CERTIFICATE\""),
        (
            "tls_certificate",
            json!({ "content": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" }),
            "malformed DER",
        ),
    ] {
        let found = words(&bed.data(type_name, &given).await.unwrap_err());
        assert!(found.contains(expected), "{type_name}: {found}");
    }
    let kind = bed.resource("tls_self_signed_cert");
    let unknown = with(&issued, &json!({ "private_key_pem": "(unknown)", "validity_period_hours": "(unknown)" }));
    assert_eq!(kind.validate(&config(kind.schema(), &unknown)), Default::default());
    let planned = bed.plan("tls_self_signed_cert", &unknown, None).await;
    assert!(!planned.planned.attribute("ready_for_renewal").unwrap().is_known());
}
