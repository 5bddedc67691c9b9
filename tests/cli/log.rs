//! The log that `TF_LOG` asks for.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::cli::scenario::Scenario;

/// Answers each connection with the same JSON, in which stands a password.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/status", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let body = r#"{"state":"ready","password":"hunter2"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

#[test]
fn a_log_tells_of_requests_and_objects_and_of_no_secret() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        &format!(
            "data \"http\" \"status\" {{\n  url             = \"{}\"\n  request_headers = {{ Authorization = \"Bearer hunter2\" }}\n}}\n\n\
             resource \"terraform_data\" \"a\" {{\n  input = data.http.status.status_code\n}}\n",
            server()
        ),
    );
    scenario.set("TF_LOG", "trace");
    scenario.set("TF_LOG_PATH", "log.txt");
    scenario.quietly("apply -auto-approve");
    let log = scenario.read("log.txt");
    for told in [
        "pipectl::http: GET http://127.0.0.1:",
        "-> 200 in ",
        "\"state\":\"ready\"",
        "pipectl::engine: terraform_data.a: ",
    ] {
        assert!(log.contains(told), "{told} in {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
    assert!(log.contains("authorization: (sensitive value)"), "{log}");
    // A second run goes on with the same file; each line is JSON.
    scenario.set("TF_LOG", "JSON");
    scenario.quietly("apply -auto-approve");
    let both = scenario.read("log.txt");
    let added = both.strip_prefix(&log).unwrap();
    assert!(added.lines().count() >= 4, "{added}");
    for line in added.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    // Requests are told at one level, what is in them at the next.
    scenario.set("TF_LOG", "DEBUG");
    scenario.set("TF_LOG_PATH", "");
    let told = scenario.command("plan").output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("-> 200 in ") && !told.contains("ready"), "{told}");
}

#[test]
fn a_log_that_cannot_be_is_said_and_nothing_begins() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    scenario.set("TF_LOG", "1");
    scenario.set("TF_LOG_PATH", "absent/log.txt");
    let output = scenario.run("apply -auto-approve");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("`absent/log.txt`"), "{said}");
    assert!(!scenario.file(".pipectl").exists());
}

#[test]
fn a_sensitive_address_is_in_no_log() {
    let mut scenario = Scenario::empty();
    let text = format!(
        "variable \"hook\" {{\n  sensitive = true\n  default   = \"hunter2\"\n}}\n\ndata \"http\" \"status\" {{\n  url = \"{}/${{var.hook}}\"\n}}\n",
        server()
    );
    scenario.write("main.tf", &text);
    scenario.set("TF_LOG", "1");
    let told = scenario.command("plan").output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("-> 200 in ") && !told.contains("hunter2"), "{told}");
}
