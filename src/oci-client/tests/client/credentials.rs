//! Each way to prove who asks, against servers that check what they are asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_http::{Call, Client, Url};
use pipectl_oci_client::{Credential, InstanceMetadata, PrivateKey, Region, Signer, Workload, resource_principal};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256};
use rsa::RsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use serde_json::json;

use super::keys::{PEM, key};
use super::server::{Server, client, clock, ok, token};

fn public(base64: &str) -> RsaPublicKey {
    RsaPublicKey::from_public_key_der(&STANDARD.decode(base64).unwrap()).unwrap()
}

fn signing(credential: Credential) -> Client {
    client().signing_with(Arc::new(Signer::new(credential, clock)))
}

/// A service that tells who has signed with a key.
fn service(key: RsaPublicKey) -> Server {
    Server::new(move |asked| ok(asked.signed_by(&key).unwrap_or_else(|| "nobody".to_owned())))
}

async fn who(client: &Client, service: &Server) -> Result<String, String> {
    let call = Call::get(Url::parse(&format!("{}/20160918/vcns?limit=1", service.address)).unwrap());
    let answer = client.send(&call).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_key_of_a_user() {
    let service = service(public(&key().public()));
    let credential = Credential::ApiKey { key_id: "t/u/f".to_owned(), key: key() };
    assert_eq!(credential.tenancy().as_deref(), Some("t"));
    assert_eq!(who(&signing(credential), &service).await.unwrap(), "t/u/f");
    let other = Credential::ApiKey { key_id: "t/u/f".to_owned(), key: PrivateKey::generate() };
    assert_eq!(who(&signing(other), &service).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_session_is_read_again_when_it_was_refreshed() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let (first, second) = (token("first", 61), token("second", 3600));
    std::fs::write(&token_file, format!("{first}\n")).unwrap();
    // The service takes the second one only.
    let (expected, verifier) = (format!("ST${second}"), public(&key().public()));
    let service = Server::new(move |asked| match asked.signed_by(&verifier) {
        Some(by) if by == expected => ok("second"),
        Some(_) => (401, Vec::new(), json!({ "code": "NotAuthenticated", "message": "ended" }).to_string()),
        None => ok("nobody"),
    });
    let client = signing(Credential::Session { token_file: token_file.clone(), key: key() });
    assert!(who(&client, &service).await.unwrap_err().contains("401"));
    std::fs::write(&token_file, second).unwrap();
    assert_eq!(who(&client, &service).await.unwrap(), "second");

    std::fs::write(&token_file, token("third", -5)).unwrap();
    let ended = signing(Credential::Session { token_file, key: key() });
    assert!(who(&ended, &service).await.unwrap_err().contains("the session has ended"));
}

#[tokio::test]
async fn a_resource() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let rpst = token("resource", 3600);
    let service = service(public(&key().public()));
    let encrypted = include_str!("../data/key-pkcs8-aes256.pem");
    let literal = [("RPST", rpst.clone()), ("PRIVATE_PEM", PEM.to_owned()), ("VERSION", "2.2".to_owned())];
    let files = [
        ("RPST", path("rpst", &rpst)),
        ("PRIVATE_PEM", path("key", encrypted)),
        ("PRIVATE_PEM_PASSPHRASE", path("passphrase", "hunter2\n")),
        ("VERSION", "2.2".to_owned()),
        ("REGION", "eu-zurich-1".to_owned()),
    ];
    for (variables, region) in [(literal.to_vec(), None), (files.to_vec(), Some("eu-zurich-1"))] {
        let variables: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (format!("OCI_RESOURCE_PRINCIPAL_{name}"), value)).collect();
        let (credential, told) = resource_principal(&|name: &str| variables.get(name).cloned()).unwrap();
        assert_eq!(told.as_deref(), region);
        assert_eq!(credential.tenancy().as_deref(), Some("ocid1.tenancy.oc1..res"));
        assert!(!format!("{credential:?}").contains(&rpst));
        assert_eq!(who(&signing(credential), &service).await.unwrap(), format!("ST${rpst}"));
    }
    assert!(
        resource_principal(&|_: &str| None).unwrap_err().reason.contains("OCI_RESOURCE_PRINCIPAL_VERSION is not set")
    );
    let old = |name: &str| (name == "OCI_RESOURCE_PRINCIPAL_VERSION").then(|| "1.1".to_owned());
    assert!(resource_principal(&old).unwrap_err().reason.contains("only resource principals of version 2.2"));
}

/// The certificate of an instance, with the key of the tests.
pub fn certificate(tenancy: &str) -> String {
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(include_str!("../data/key-pkcs8.pem"), &PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ocid1.instance.oc1..x");
    params.distinguished_name.push(DnType::OrganizationalUnitName, format!("opc-tenant:{tenancy}"));
    params.self_signed(&pair).unwrap().pem()
}

#[tokio::test]
async fn an_instance() {
    let leaf = certificate("ocid1.tenancy.oc1..a");
    let served = leaf.clone();
    let metadata = Server::new(move |asked| match (asked.header("authorization"), asked.path.as_str()) {
        ("Bearer Oracle", "/opc/v2/identity/cert.pem" | "/opc/v2/identity/intermediate.pem") => ok(served.clone()),
        ("Bearer Oracle", "/opc/v2/identity/key.pem") => ok(PEM),
        ("Bearer Oracle", "/opc/v2/instance/region") => ok("fra\n"),
        _ => (404, Vec::new(), String::new()),
    });
    let given = Arc::new(AtomicUsize::new(0));
    let (count, verifier) = (Arc::clone(&given), public(&key().public()));
    let authority = Server::new(move |asked| {
        let by = asked.signed_by(&verifier).unwrap_or_default();
        let is_known = by.starts_with("ocid1.tenancy.oc1..a/fed-x509/") && by.len() == 30 + 59;
        if asked.path != "/v1/x509" || !is_known || asked.header("authorization").contains(" host") {
            return (401, Vec::new(), json!({ "code": "NotAuthenticated", "message": by }).to_string());
        }
        // The first one is about to end.
        let seconds = if count.fetch_add(1, Ordering::SeqCst) == 0 { 30 } else { 3600 };
        ok(json!({ "token": token("instance", seconds) }).to_string())
    });
    let instance = InstanceMetadata {
        direct: client(),
        client: client(),
        base: Url::parse(&format!("{}/opc/v2", metadata.address)).unwrap(),
        authority: Some(Url::parse(&authority.address).unwrap()),
        environment: Arc::new(|_: &str| None),
    };
    let frankfurt = Region { name: "eu-frankfurt-1".to_owned(), domain: "oraclecloud.com".to_owned() };
    assert_eq!(instance.region().await.unwrap(), frankfurt);
    let client = signing(Credential::Instance(instance));
    let service = Server::new(|asked| ok(asked.header("authorization").to_owned()));
    for tokens in [1, 2, 2] {
        let signed = who(&client, &service).await.unwrap();
        assert!(signed.contains("keyId=\"ST$e30."), "{signed}");
        assert_eq!(given.load(Ordering::SeqCst), tokens, "a token is used until it is about to end");
    }
    // What it signs with is the key that the authority was shown.
    let shown = authority.asked().last().unwrap().json();
    let session = public(shown["publicKey"].as_str().unwrap());
    assert!(service.asked().last().unwrap().signed_by(&session).is_some());
    assert_eq!(shown["certificate"], shown["intermediateCertificates"][0]);
    assert!(leaf.replace('\n', "").contains(shown["certificate"].as_str().unwrap()));
    assert_eq!(shown.as_object().unwrap().len(), 3);

    let nowhere = InstanceMetadata {
        direct: super::server::client(),
        client: super::server::client(),
        base: Url::parse("http://127.0.0.1:1/opc/v2").unwrap(),
        authority: None,
        environment: Arc::new(|_: &str| None),
    };
    let failed = who(&signing(Credential::Instance(nowhere)), &service).await.unwrap_err();
    assert!(failed.contains("the metadata of the instance cannot be read"), "{failed}");
}

#[tokio::test]
async fn a_pod() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "account\n").unwrap();
    let cluster = Server::new(|asked| match (asked.header("authorization"), asked.path.as_str()) {
        ("Bearer account", "/resourcePrincipalSessionTokens") => {
            let json = json!({ "token": format!("ST${}", token("pod", 3600)) }).to_string();
            ok(format!("\"{}\"", STANDARD.encode(json)))
        }
        _ => (403, Vec::new(), String::new()),
    });
    let workload = |token_file: &Path| {
        let url = Url::parse(&format!("{}/resourcePrincipalSessionTokens", cluster.address)).unwrap();
        signing(Credential::Workload(Workload { client: client(), url, token_file: token_file.to_owned() }))
    };
    let service = Server::new(|asked| ok(asked.header("authorization").to_owned()));
    let signed = who(&workload(&file), &service).await.unwrap();
    assert!(signed.contains("keyId=\"ST$e30."), "{signed}");
    let session = public(cluster.asked()[0].json()["podKey"].as_str().unwrap());
    assert!(service.asked()[0].signed_by(&session).is_some());

    std::fs::write(&file, "somebody else").unwrap();
    let refused = who(&workload(&file), &service).await.unwrap_err();
    assert!(refused.contains("the cluster gave no token to the pod"), "{refused}");
}
