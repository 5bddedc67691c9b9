//! Keys in the forms that people keep them in.

use pipectl_oci_client::{KeyError, PrivateKey};

pub const PEM: &str = include_str!("../data/key.pem");

pub fn key() -> PrivateKey {
    PrivateKey::from_pem(PEM, None).unwrap()
}

#[test]
fn keys_are_read_in_every_form() {
    let encrypted = [
        include_str!("../data/key-aes128.pem"),
        include_str!("../data/key-aes256.pem"),
        include_str!("../data/key-des3.pem"),
        include_str!("../data/key-pkcs8-aes256.pem"),
        include_str!("../data/key-pkcs8-des3.pem"),
        include_str!("../data/key-pkcs8-scrypt.pem"),
    ];
    for pem in encrypted {
        let form: Vec<&str> = pem.lines().take(3).collect();
        assert_eq!(PrivateKey::from_pem(pem, Some("hunter2")).unwrap().public(), key().public(), "{form:?}");
        assert_eq!(PrivateKey::from_pem(pem, Some("hunter3")).unwrap_err(), KeyError::PassphraseWrong, "{form:?}");
        assert_eq!(PrivateKey::from_pem(pem, None).unwrap_err(), KeyError::PassphraseMissing, "{form:?}");
    }
    let plain = include_str!("../data/key-pkcs8.pem");
    assert_eq!(PrivateKey::from_pem(plain, Some("not needed")).unwrap().public(), key().public());
    // The console writes this at the end of the keys that it makes.
    assert!(PrivateKey::from_pem(&format!("{PEM}OCI_API_KEY\n"), None).is_ok());
}

#[test]
fn what_is_no_key_is_told() {
    let public = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", key().public());
    assert_eq!(PrivateKey::from_pem(&public, None).unwrap_err(), KeyError::Public);
    for text in [
        "",
        "hello",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(PrivateKey::from_pem(text, None).unwrap_err(), KeyError::Unreadable, "{text}");
    }
    let other = PEM.replace(
        "PRIVATE KEY-----\n",
        "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: RC4-MD5,0011223344556677\n\n",
    );
    assert_eq!(PrivateKey::from_pem(&other, Some("x")).unwrap_err(), KeyError::Cipher("RC4-MD5".to_owned()));
    assert_eq!(format!("{:?}", key()), "(sensitive value)");
}
