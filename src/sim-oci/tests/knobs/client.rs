//! A client of few lines that signs as OCI asks, written from its documentation and not from the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_sim_oci::{COMPARTMENT, Server};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

pub struct Client {
    address: String,
    pub key_id: String,
    key: SigningKey<Sha256>,
}

/// What came back. Status zero: the connection was closed instead.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub json: Json,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }

    pub fn code(&self) -> (u16, &str) {
        (self.status, self.json["code"].as_str().unwrap_or_default())
    }
}

impl Client {
    pub fn of(server: &Server) -> Self {
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        Self { address, key_id: server.profile().key_id(), key: SigningKey::new(private(server)) }
    }

    pub fn get(&self, target: &str) -> Reply {
        self.send("GET", target, None, &[])
    }

    pub fn post(&self, target: &str, body: &Json) -> Reply {
        self.send("POST", target, Some(&body.to_string()), &[])
    }

    /// The public half of the key of a server's user, in base64.
    pub fn public_key(server: &Server) -> String {
        let public = private(server).to_public_key().to_public_key_der().expect("a public key can be written");
        STANDARD.encode(public.as_bytes())
    }

    /// A text of the metadata of an instance.
    pub fn metadata(&self, target: &str) -> String {
        let text = format!("GET {target} HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer Oracle\r\n\r\n");
        String::from_utf8(self.exchange(&text).1).expect("metadata is text")
    }

    /// An upload that does not say how long it is.
    pub fn put_chunked(&self, target: &str, body: &str) -> Reply {
        let fields = self.usual();
        let text = self.signed("PUT", target, &fields);
        self.ask(&format!("{text}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    }

    #[expect(clippy::disallowed_methods, reason = "a signature tells the time")]
    fn usual(&self) -> Vec<(String, String)> {
        vec![("date".to_owned(), httpdate::fmt_http_date(SystemTime::now())), ("host".to_owned(), self.address.clone())]
    }

    pub fn send(&self, method: &str, target: &str, body: Option<&str>, more: &[(&str, &str)]) -> Reply {
        let has_body = matches!(method, "POST" | "PUT" | "PATCH");
        let body = body.unwrap_or_default();
        let mut fields = self.usual();
        if has_body {
            fields.push(("content-length".to_owned(), body.len().to_string()));
            fields.push(("content-type".to_owned(), "application/json".to_owned()));
            fields.push(("x-content-sha256".to_owned(), STANDARD.encode(Sha256::digest(body))));
        }
        let mut text = self.signed(method, target, &fields);
        for (name, field) in more {
            text.push_str(&format!("{name}: {field}\r\n"));
        }
        self.ask(&format!("{text}\r\n{body}"))
    }

    /// The head of a request with these fields, all of them signed.
    fn signed(&self, method: &str, target: &str, fields: &[(String, String)]) -> String {
        let mut names = vec!["(request-target)"];
        let mut lines = vec![format!("(request-target): {} {target}", method.to_lowercase())];
        for (name, text) in fields {
            names.push(name);
            lines.push(format!("{name}: {text}"));
        }
        let signature = STANDARD.encode(self.key.sign(lines.join("\n").as_bytes()).to_bytes());
        let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        text.push_str(&format!(
            "authorization: Signature version=\"1\",keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"{}\",signature=\"{signature}\"\r\n",
            self.key_id,
            names.join(" ")
        ));
        for (name, field) in fields {
            text.push_str(&format!("{name}: {field}\r\n"));
        }
        text
    }

    fn ask(&self, text: &str) -> Reply {
        let (lines, body) = self.exchange(text);
        // A connection that is reset is one that was closed.
        let Some((first, fields)) = lines.split_first() else {
            return Reply { status: 0, fields: Vec::new(), json: Json::Null };
        };
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let fields = fields.iter().filter_map(|line| line.split_once(": "));
        Reply {
            status: status.expect("an answer begins with its status"),
            fields: fields.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            json: serde_json::from_slice(&body).unwrap_or(Json::Null),
        }
    }

    /// The lines before the body of an answer, and the body. No lines: the connection was closed instead.
    fn exchange(&self, text: &str) -> (Vec<String>, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.write_all(text.as_bytes()).expect("the server reads");
        let mut reader = BufReader::new(stream);
        let (mut lines, mut body) = (Vec::new(), Vec::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return (Vec::new(), body);
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        reader.read_to_end(&mut body).expect("an answer has an end");
        (lines, body)
    }

    /// Makes a network. Its id.
    pub fn make_vcn(&self) -> String {
        let reply = self.post("/20160918/vcns", &json!({"compartmentId": COMPARTMENT, "cidrBlock": "10.0.0.0/16"}));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json["id"].as_str().unwrap().to_owned()
    }

    /// The lifecycle state of a network.
    pub fn state(&self, vcn: &str) -> String {
        let reply = self.get(&format!("/20160918/vcns/{vcn}"));
        reply.json["lifecycleState"].as_str().unwrap_or("none").to_owned()
    }
}

fn private(server: &Server) -> RsaPrivateKey {
    let pem = server.profile().private_key;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("PEM is base64");
    RsaPrivateKey::from_pkcs8_der(&der).expect("the server's user has a key in PKCS#8")
}
