//! The certificate authority of the cloud, and an instance that lives in it: what instance principals are made of.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value as Json, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::answer::{Answer, Outcome, Refusal};
use crate::credentials::{self, Profile};
use crate::request::Request;
use crate::signature::{self, Covers};
use crate::world::{REGION, TENANCY, World};

/// How long a token of an instance is good, in seconds.
const TOKEN_SECONDS: i64 = 1_200;

/// Certificates in PEM.
#[derive(Clone)]
pub(crate) struct Authority {
    /// Of the authority.
    pub(crate) root: String,
    /// Between the authority and the instance.
    pub(crate) intermediate: String,
    intermediate_der: Vec<u8>,
    /// Of the instance, for the key of the process.
    pub(crate) leaf: String,
    leaf_der: Vec<u8>,
    /// The name of the instance.
    instance: String,
}

impl Authority {
    /// One for all servers of the process.
    pub(crate) fn new() -> Self {
        static AUTHORITY: OnceLock<Authority> = OnceLock::new();
        AUTHORITY.get_or_init(|| make().expect("rcgen makes certificates for keys that it supports")).clone()
    }

    fn fingerprints(&self) -> [(&'static str, String); 2] {
        let shown = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        [
            ("fed-x509", shown(&Sha1::digest(&self.leaf_der))),
            ("fed-x509-sha256", shown(&Sha256::digest(&self.leaf_der))),
        ]
    }
}

fn make() -> Result<Authority, rcgen::Error> {
    let named = |texts: &[(DnType, &str)]| {
        let mut name = DistinguishedName::new();
        texts.iter().for_each(|(kind, text)| name.push(kind.clone(), *text));
        name
    };
    let root_key = KeyPair::generate()?;
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name = named(&[(DnType::CommonName, "Simulated OCI")]);
    let root_certificate = root.self_signed(&root_key)?;
    let intermediate_key = KeyPair::generate()?;
    let mut intermediate = CertificateParams::default();
    intermediate.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    intermediate.distinguished_name = named(&[(DnType::CommonName, "Simulated OCI Instances")]);
    let between = intermediate.signed_by(&intermediate_key, &Issuer::from_params(&root, &root_key))?;
    let instance = format!("ocid1.instance.oc1.{REGION}.aaaaaaaasimulatedprincipal");
    let leaf_key = KeyPair::from_pkcs8_pem_and_sign_algo(&Profile::of_process().private_key, &PKCS_RSA_SHA256)?;
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name =
        named(&[(DnType::CommonName, &instance), (DnType::OrganizationalUnitName, &format!("opc-tenant:{TENANCY}"))]);
    let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&intermediate, &intermediate_key))?;
    Ok(Authority {
        root: root_certificate.pem(),
        intermediate: between.pem(),
        intermediate_der: between.der().to_vec(),
        leaf: leaf.pem(),
        leaf_der: leaf.der().to_vec(),
        instance,
    })
}

/// `POST /v1/x509`: a token for a session key, asked for with the key of the instance's certificate.
pub(crate) fn federate(world: &mut World, request: &Request) -> Outcome {
    let signed = signature::read(request, Covers::NoHost, world.clock())?;
    let known = world.authority.fingerprints();
    if !known.iter().any(|(kind, fingerprint)| signed.key_id == format!("{TENANCY}/{kind}/{fingerprint}")) {
        return Err(Refusal::unauthenticated("keyId names no certificate of the tenancy"));
    }
    let leaf_key = credentials::process_key().to_public_key();
    credentials::verify(&leaf_key, &signed.text, &signed.signature).map_err(Refusal::unauthenticated)?;
    let body: Json = serde_json::from_slice(&request.body).map_err(|error| Refusal::unreadable(error.to_string()))?;
    let certificate = body["certificate"].as_str().ok_or_else(|| Refusal::missing("certificate"))?;
    let plain = |text: &str| text.chars().filter(|character| !character.is_whitespace()).collect::<String>();
    if plain(certificate) != STANDARD.encode(&world.authority.leaf_der) {
        return Err(Refusal::unauthenticated("the certificate was not issued here"));
    }
    // Without what lies between, nobody can tell that the authority has issued it.
    let between = body["intermediateCertificates"].as_array().map_or(&[][..], Vec::as_slice);
    let known = STANDARD.encode(&world.authority.intermediate_der);
    match between.iter().map(|one| plain(one.as_str().unwrap_or_default())).collect::<Vec<_>>().as_slice() {
        [] => return Err(Refusal::unauthenticated("the certificate has no chain to the authority")),
        sent if sent.iter().all(|one| *one == known) => {}
        _ => return Err(Refusal::unauthenticated("an intermediate certificate was not issued here")),
    }
    let public = body["publicKey"].as_str().ok_or_else(|| Refusal::missing("publicKey"))?;
    let public = credentials::public_key(public).ok_or_else(|| Refusal::invalid("publicKey cannot be read"))?;
    let now = world.seconds();
    let subject = world.authority.instance.clone();
    let token = world.keys.issue(public, &subject, now, TOKEN_SECONDS);
    Ok(Answer::json(json!({"token": token})))
}
