//! A client of few lines that signs as OCI asks, written from its documentation and not from the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_sim_oci::{COMPARTMENT, Server};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

pub struct Client {
    address: String,
    key_id: String,
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
        let profile = server.profile();
        let body: String = profile.private_key.lines().filter(|line| !line.starts_with('-')).collect();
        let key = RsaPrivateKey::from_pkcs8_der(&STANDARD.decode(body).unwrap()).unwrap();
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        Self { address, key_id: profile.key_id(), key: SigningKey::new(key) }
    }

    pub fn get(&self, target: &str) -> Reply {
        self.send("GET", target, None, &[])
    }

    pub fn post(&self, target: &str, body: &Json) -> Reply {
        self.send("POST", target, Some(&body.to_string()), &[])
    }

    #[expect(clippy::disallowed_methods, reason = "a signature tells the time")]
    pub fn send(&self, method: &str, target: &str, body: Option<&str>, more: &[(&str, &str)]) -> Reply {
        let has_body = matches!(method, "POST" | "PUT" | "PATCH");
        let body = body.unwrap_or_default();
        let mut fields = vec![
            ("date".to_owned(), httpdate::fmt_http_date(SystemTime::now())),
            ("host".to_owned(), self.address.clone()),
        ];
        if has_body {
            fields.push(("content-length".to_owned(), body.len().to_string()));
            fields.push(("content-type".to_owned(), "application/json".to_owned()));
            fields.push(("x-content-sha256".to_owned(), STANDARD.encode(Sha256::digest(body))));
        }
        let mut names = vec!["(request-target)"];
        let mut lines = vec![format!("(request-target): {} {target}", method.to_lowercase())];
        for (name, text) in &fields {
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
        let more = more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        for (name, field) in fields.clone().into_iter().chain(more) {
            text.push_str(&format!("{name}: {field}\r\n"));
        }
        text.push_str(&format!("\r\n{body}"));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        read(stream)
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

fn read(stream: TcpStream) -> Reply {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        // A connection that is reset is one that was closed.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return Reply { status: 0, fields: Vec::new(), json: Json::Null };
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    Reply {
        status: lines[0].split(' ').nth(1).unwrap().parse().unwrap(),
        fields: lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect(),
        json: serde_json::from_slice(&body).unwrap_or(Json::Null),
    }
}
