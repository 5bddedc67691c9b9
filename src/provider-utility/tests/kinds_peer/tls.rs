//! Keys and certificates against OpenSSL and OpenSSH.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use pipectl_core::Value;
use serde_json::{Value as Json, json};

use super::said;
use crate::bed::{Bed, integer, text, with, words};

/// Algorithm, curve, and a word by which OpenSSL and OpenSSH call the key.
const KEYS: [(&str, &str, &str, &str); 6] = [
    ("RSA", "P224", "2048 bit", "ssh-rsa"),
    ("ECDSA", "P224", "secp224r1", ""),
    ("ECDSA", "P256", "prime256v1", "ecdsa-sha2-nistp256"),
    ("ECDSA", "P384", "secp384r1", "ecdsa-sha2-nistp384"),
    ("ECDSA", "P521", "secp521r1", "ecdsa-sha2-nistp521"),
    ("ED25519", "P224", "ED25519", "ssh-ed25519"),
];

async fn key(bed: &Bed, algorithm: &str, curve: &str) -> Value {
    let given = json!({ "algorithm": algorithm, "ecdsa_curve": curve });
    bed.apply("tls_private_key", &given, None).await.attributes
}

/// Writes an attribute to a file that only its owner may read.
fn file(bed: &Bed, name: &str, object: &Value, attribute: &str) -> PathBuf {
    bed.write(name, text(object, attribute));
    fs::set_permissions(bed.file(name), fs::Permissions::from_mode(0o600)).unwrap();
    bed.file(name)
}

fn openssl(arguments: &[&str], file: &PathBuf) -> String {
    said(Command::new("openssl").args(arguments).arg("-in").arg(file))
}

#[tokio::test]
async fn openssl_and_openssh_read_each_form_of_a_key() {
    let bed = Bed::new();
    for (algorithm, curve, openssl_name, ssh_name) in KEYS {
        let made = key(&bed, algorithm, curve).await;
        for form in ["private_key_pem", "private_key_pem_pkcs8"] {
            let path = file(&bed, "key.pem", &made, form);
            let shown = openssl(&["pkey", "-noout", "-text"], &path);
            assert!(shown.contains(openssl_name), "{algorithm} {curve} {form}: {shown}");
            if algorithm != "ED25519" {
                openssl(&["pkey", "-noout", "-check"], &path);
            }
            let public = openssl(&["pkey", "-pubout"], &path);
            assert_eq!(public, text(&made, "public_key_pem"), "{algorithm} {curve} {form}");
        }
        if ssh_name.is_empty() {
            continue;
        }
        for form in ["private_key_openssh", "private_key_pem"] {
            if algorithm == "ED25519" && form == "private_key_pem" {
                continue;
            }
            let path = file(&bed, "key", &made, form);
            let public = said(Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path));
            assert_eq!(public.trim(), text(&made, "public_key_openssh").trim(), "{algorithm} {curve} {form}");
        }
        let path = file(&bed, "key.pub", &made, "public_key_openssh");
        for (digest, name, prefix) in
            [("sha256", "public_key_fingerprint_sha256", ""), ("md5", "public_key_fingerprint_md5", "MD5:")]
        {
            let shown = said(Command::new("ssh-keygen").args(["-l", "-E", digest, "-f"]).arg(&path));
            let expected = format!("{prefix}{}", text(&made, name));
            assert_eq!(shown.split(' ').nth(1), Some(&*expected), "{algorithm} {curve}");
        }
        let read =
            bed.data("tls_public_key", &json!({ "private_key_openssh": text(&made, "private_key_openssh") })).await;
        assert_eq!(text(&read.unwrap(), "public_key_pem"), text(&made, "public_key_pem"));
    }
}

#[tokio::test]
async fn keys_of_openssl_and_openssh_are_read() {
    let bed = Bed::new();
    for (index, arguments) in [
        &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
        &["genpkey", "-algorithm", "ED25519"],
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        &["ecparam", "-name", "secp521r1", "-genkey", "-noout"],
        &["ecparam", "-name", "secp224r1", "-genkey"],
        &["genrsa", "-traditional", "2048"],
    ]
    .into_iter()
    .enumerate()
    {
        let path = bed.file(&format!("openssl-{index}.pem"));
        said(Command::new("openssl").arg(arguments[0]).arg("-out").arg(&path).args(&arguments[1..]));
        // `ecparam` writes a block of parameters first, which is no key.
        let pem = fs::read_to_string(&path).unwrap();
        let pem = pem.split_once("-----END EC PARAMETERS-----\n").map_or(&*pem, |(_, key)| key);
        let read = bed.data("tls_public_key", &json!({ "private_key_pem": pem })).await;
        let read = read.unwrap_or_else(|problems| panic!("{arguments:?}: {}", words(&problems)));
        assert_eq!(text(&read, "public_key_pem"), openssl(&["pkey", "-pubout"], &path), "{arguments:?}");
    }
    for (kind, bits) in [("rsa", "2048"), ("ecdsa", "521"), ("ed25519", "256")] {
        let path = bed.file(kind);
        said(
            Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-b", bits, "-N", "", "-C", "a comment", "-f"])
                .arg(&path),
        );
        let read = bed.data("tls_public_key", &json!({ "private_key_openssh": bed.text(kind) })).await.unwrap();
        let public = bed.text(&format!("{kind}.pub"));
        assert_eq!(public.strip_suffix(" a comment\n"), Some(text(&read, "public_key_openssh").trim_end()), "{kind}");
    }
}

fn authority() -> Json {
    json!({
        "subject": [{ "common_name": "Test authority", "organization": "ACME & Söhne", "country": "CH" }],
        "validity_period_hours": 24,
        "allowed_uses": ["cert_signing", "crl_signing"],
        "is_ca_certificate": true,
        "set_authority_key_id": true,
        "max_path_length": 0,
    })
}

fn request() -> Json {
    json!({
        "subject": [{
            "common_name": "localhost",
            "organization": "ACME",
            "organizational_unit": "Tests",
            "street_address": ["Route 1", "Box 2"],
            "locality": "Meyrin",
            "province": "Geneva",
            "country": "CH",
            "postal_code": "1217",
            "serial_number": "7",
            "email_address": "a@example.com",
        }],
        "dns_names": ["localhost", "*.example.com"],
        "ip_addresses": ["127.0.0.1", "::1"],
        "uris": ["spiffe://example.com/service"],
    })
}

/// An authority, a request and what the one makes of the other, with keys of some algorithms.
async fn issued(bed: &Bed, authority_key: &Value, key: &Value, more: &Json) -> (Value, Value, Value) {
    let pem = |key: &Value| json!({ "private_key_pem": text(key, "private_key_pem") });
    let authority = bed.apply("tls_self_signed_cert", &with(&authority(), &pem(authority_key)), None).await.attributes;
    let request = bed.apply("tls_cert_request", &with(&request(), &pem(key)), None).await.attributes;
    let signed = json!({
        "ca_private_key_pem": text(authority_key, "private_key_pem"),
        "ca_cert_pem": text(&authority, "cert_pem"),
        "cert_request_pem": text(&request, "cert_request_pem"),
        "validity_period_hours": 12,
        "allowed_uses": ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
    });
    let signed = bed.apply("tls_locally_signed_cert", &with(&signed, more), None).await.attributes;
    (authority, request, signed)
}

#[tokio::test]
async fn openssl_verifies_requests_and_chains_of_each_algorithm() {
    let bed = Bed::new();
    for (algorithm, curve, ..) in KEYS {
        let authority_key = key(&bed, algorithm, curve).await;
        let leaf_key = key(&bed, algorithm, curve).await;
        let (authority, request, signed) = issued(&bed, &authority_key, &leaf_key, &json!({})).await;
        let request = file(&bed, "request.pem", &request, "cert_request_pem");
        let shown = openssl(&["req", "-verify", "-noout", "-text", "-nameopt", "utf8"], &request);
        assert!(shown.contains("verify OK"), "{algorithm} {curve}: {shown}");
        for expected in ["DNS:localhost, DNS:*.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", "Box 2"]
        {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        let authority = file(&bed, "authority.pem", &authority, "cert_pem");
        let signed_file = file(&bed, "signed.pem", &signed, "cert_pem");
        let verified = said(
            Command::new("openssl")
                // The clock of the test stands in the certificates' validity.
                .args(["verify", "-x509_strict", "-attime", "1767229200", "-purpose", "sslserver"])
                .args(["-verify_hostname", "a.example.com", "-CAfile"])
                .arg(&authority)
                .arg(&signed_file),
        );
        assert!(verified.contains(": OK"), "{algorithm} {curve}: {verified}");
        let own = said(Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&signed_file));
        assert_eq!(own, text(&leaf_key, "public_key_pem"));
    }
}

#[tokio::test]
async fn openssl_shows_what_a_certificate_says() {
    let bed = Bed::new();
    let (authority_key, leaf_key) = (key(&bed, "ECDSA", "P256").await, key(&bed, "ED25519", "P224").await);
    let (authority, _, signed) = issued(&bed, &authority_key, &leaf_key, &json!({ "set_subject_key_id": true })).await;
    let path = file(&bed, "authority.pem", &authority, "cert_pem");
    let shown = openssl(&["x509", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus"], &path);
    for expected in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: C=CH,O=ACME & Söhne,CN=Test authority",
        "Not Before: Jan  1 00:00:00 2026 GMT",
        "Not After : Jan  2 00:00:00 2026 GMT",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Subject Key Identifier: ",
        "X509v3 Authority Key Identifier: ",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let path = file(&bed, "signed.pem", &signed, "cert_pem");
    let shown = openssl(&["x509", "-noout", "-text"], &path);
    for expected in [
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "URI:spiffe://example.com/service",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let identifier = |path: &PathBuf, name: &str| {
        let shown = openssl(&["x509", "-noout", "-ext", name], path);
        shown.lines().nth(1).unwrap().trim().to_owned()
    };
    let authority_file = bed.file("authority.pem");
    assert_eq!(identifier(&path, "authorityKeyIdentifier"), identifier(&authority_file, "subjectKeyIdentifier"));
    assert!(!identifier(&path, "subjectKeyIdentifier").is_empty());
    // The subject's identifier of an EC key is SHA-1 of its point, which is what OpenSSL calculates too.
    said(
        Command::new("openssl")
            .args(["req", "-new", "-x509", "-key"])
            .arg(file(&bed, "key.pem", &authority_key, "private_key_pem"))
            .args(["-subj", "/CN=x", "-addext", "subjectKeyIdentifier=hash", "-out"])
            .arg(bed.file("theirs.pem")),
    );
    assert_eq!(
        identifier(&authority_file, "subjectKeyIdentifier"),
        identifier(&bed.file("theirs.pem"), "subjectKeyIdentifier")
    );

    let shown = bed.data("tls_certificate", &json!({ "content": text(&signed, "cert_pem") })).await.unwrap();
    let shown = &shown.attribute("certificates").and_then(Value::as_slice).unwrap()[0];
    let serial = openssl(&["x509", "-noout", "-serial"], &path);
    let script = "print(int(__import__('sys').argv[1].strip().split('=')[1], 16))";
    let serial = said(Command::new("python3").args(["-c", script, &serial]));
    assert_eq!(serial.trim(), text(shown, "serial_number"));
    assert_eq!(text(shown, "serial_number"), text(&signed, "id"));
    let fingerprint = openssl(&["x509", "-noout", "-fingerprint", "-sha1"], &path);
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(text(shown, "sha1_fingerprint"), fingerprint);
    let subject = openssl(&["x509", "-noout", "-subject", "-nameopt", "RFC2253"], &path);
    let subject = subject.trim().strip_prefix("subject=").unwrap().to_owned();
    for part in ["CN=localhost", "OU=Tests", "ST=Geneva"] {
        assert!(subject.contains(part) && text(shown, "subject").contains(part), "{subject}");
    }
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of OpenSSL's on a free port, and the port.
fn serve(bed: &Bed, more: &[&str]) -> (Served, String) {
    let mut child = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
        .arg(bed.file("signed.pem"))
        .arg("-key")
        .arg(bed.file("leaf.pem"))
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port =
        lines.find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.rsplit(':').next()?.to_owned())).unwrap();
    // Its output is read on, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (Served(child), port)
}

#[tokio::test]
async fn a_server_with_our_certificate_is_trusted_by_who_trusts_our_authority() {
    let bed = Bed::new();
    let (authority_key, leaf_key) = (key(&bed, "ECDSA", "P384").await, key(&bed, "ECDSA", "P256").await);
    // Valid now, whenever that is: the client looks at the real clock.
    let long = json!({ "validity_period_hours": 24 * 365 * 50 });
    let pem = json!({ "private_key_pem": text(&authority_key, "private_key_pem") });
    let given = with(&with(&authority(), &pem), &long);
    let authority = bed.apply("tls_self_signed_cert", &given, None).await.attributes;
    let pem = json!({ "private_key_pem": text(&leaf_key, "private_key_pem") });
    let request = bed.apply("tls_cert_request", &with(&request(), &pem), None).await.attributes;
    let given = json!({
        "ca_private_key_pem": text(&authority_key, "private_key_pem"),
        "ca_cert_pem": text(&authority, "cert_pem"),
        "cert_request_pem": text(&request, "cert_request_pem"),
        "allowed_uses": ["digital_signature", "server_auth", "client_auth"],
    });
    let signed = bed.apply("tls_locally_signed_cert", &with(&given, &long), None).await.attributes;
    file(&bed, "signed.pem", &signed, "cert_pem");
    file(&bed, "leaf.pem", &leaf_key, "private_key_pem");
    file(&bed, "authority.pem", &authority, "cert_pem");

    let (_served, port) = serve(&bed, &[]);
    let url = format!("https://localhost:{port}/");
    let trusting = json!({ "url": url, "ca_cert_pem": text(&authority, "cert_pem") });
    let read = bed.data("http", &trusting).await.unwrap_or_else(|problems| panic!("{}", words(&problems)));
    assert_eq!(integer(&read, "status_code"), 200);
    let problems = words(&bed.data("http", &json!({ "url": url })).await.unwrap_err());
    assert!(problems.contains("certificate"), "the system does not know our authority: {problems}");
    let read = bed.data("http", &json!({ "url": url, "insecure": true })).await.unwrap();
    assert_eq!(integer(&read, "status_code"), 200);

    let authority_file = bed.file("authority.pem");
    let (_served, port) =
        serve(&bed, &["-Verify", "1", "-verify_return_error", "-CAfile", authority_file.to_str().unwrap()]);
    let url = format!("https://localhost:{port}/");
    let trusting = json!({ "url": url, "ca_cert_pem": text(&authority, "cert_pem") });
    assert!(bed.data("http", &trusting).await.is_err(), "without a certificate of its own");
    let shown =
        json!({ "client_cert_pem": text(&signed, "cert_pem"), "client_key_pem": text(&leaf_key, "private_key_pem") });
    let read =
        bed.data("http", &with(&trusting, &shown)).await.unwrap_or_else(|problems| panic!("{}", words(&problems)));
    assert_eq!(integer(&read, "status_code"), 200);
}
