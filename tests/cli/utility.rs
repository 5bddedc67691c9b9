//! A Terraform folder that uses every kind of the utility providers, as it is: planned, applied, repaired, destroyed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;

use serde_json::Value as Json;

use super::scenario::Scenario;

/// A service that tells its version to everyone who asks.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/status", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                request.push(byte[0]);
            }
            let body = r#"{"version":"1.2.3"}"#;
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that must end with a status, and gives what it said.
fn run(scenario: &Scenario, line: &str, status: i32) -> String {
    let output = scenario.command(line).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}: {}", said(&output));
    said(&output)
}

#[test]
fn a_folder_of_utility_providers_runs_unmodified() {
    let mut scenario = Scenario::of("utility");
    scenario.set("TF_VAR_status_url", &service());
    run(&scenario, "init", 0);
    run(&scenario, "validate", 0);
    run(&scenario, "plan -detailed-exitcode", 2);
    assert!(scenario.file("out/source.zip").exists(), "a data source packs when the plan is made");
    assert!(!scenario.file("out/config.json").exists(), "a resource writes when the plan is applied");
    run(&scenario, "apply -auto-approve", 0);
    let again = run(&scenario, "plan -detailed-exitcode", 0);
    assert!(again.contains("No changes"), "{again}");

    let outputs: Json = serde_json::from_str(&run(&scenario, "output -json", 0)).unwrap();
    let output = |name: &str| &outputs[name]["value"];
    let config: Json = serde_json::from_str(&scenario.read("out/config.json")).unwrap();
    assert_eq!((&config["name"], &config["port"]), (output("name"), output("port")));
    assert_eq!((&config["version"], &config["base"]), (&"1.2.3".into(), &"listen = 0.0.0.0".into()));
    assert!(output("name").as_str().unwrap().starts_with("shop-"));
    assert_eq!(output("authority"), "CN=shop authority,O=ACME");
    assert_eq!(output("authority_key_is_the_same"), true);
    assert_eq!(output("zones").as_array().unwrap().len(), 2);
    assert_eq!(output("password"), scenario.read("out/password").as_str());
    for service in ["api", "web"] {
        assert!(scenario.read(&format!("out/{service}.pem")).starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
    assert!(scenario.file("out/bundle.tar.gz").exists());
    let shown = run(&scenario, "show", 0);
    let password = output("password").as_str().unwrap();
    assert!(!shown.contains(password) && !shown.contains("PRIVATE KEY"), "secrets are not shown: {shown}");

    // What was changed outside is made again, and only that.
    let before = scenario.read("out/config.json");
    scenario.write("out/config.json", "{}");
    fs::remove_file(scenario.file("out/password")).unwrap();
    let repair = run(&scenario, "plan -detailed-exitcode", 2);
    for expected in ["local_file.config", "local_sensitive_file.password", "is not what was written"] {
        assert!(repair.contains(expected), "{expected}: {repair}");
    }
    run(&scenario, "apply -auto-approve", 0);
    assert_eq!((scenario.read("out/config.json"), scenario.read("out/password")), (before, password.to_owned()));

    // A changed source changes what was made from it.
    scenario.write("source/app.conf", "listen = 127.0.0.1\n");
    run(&scenario, "apply -auto-approve", 0);
    assert!(scenario.read("out/config.json").contains("listen = 127.0.0.1"));

    run(&scenario, "destroy -auto-approve", 0);
    assert_eq!(run(&scenario, "state list", 0), "");
    for gone in ["out/config.json", "out/password", "out/api.pem", "out/authority.key"] {
        assert!(!scenario.file(gone).exists(), "{gone}");
    }
}

#[test]
fn a_kept_value_is_drawn_again_when_its_keeper_changes() {
    let mut scenario = Scenario::of("utility");
    scenario.set("TF_VAR_status_url", &service());
    run(&scenario, "apply -auto-approve -target=random_id.suffix -target=random_uuid.tenant", 0);
    let ids = |scenario: &Scenario| {
        ["random_id.suffix", "random_uuid.tenant"].map(|address| run(scenario, &format!("state show {address}"), 0))
    };
    let first = ids(&scenario);
    run(&scenario, "apply -auto-approve -target=random_id.suffix -target=random_uuid.tenant", 0);
    assert_eq!(ids(&scenario), first);
    scenario.set("TF_VAR_project", "store");
    let plan = run(&scenario, "plan -target=random_id.suffix -target=random_uuid.tenant", 0);
    assert!(plan.contains("argument `keepers` forces replacement"), "{plan}");
    run(&scenario, "apply -auto-approve -target=random_id.suffix -target=random_uuid.tenant", 0);
    let [suffix, tenant] = ids(&scenario);
    assert_ne!(suffix, first[0]);
    assert_eq!(tenant, first[1]);
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "resource \"random_password\" \"a\" {\n  length      = 3\n  min_special = 4\n}\n\n\
         resource \"random_pet\" \"b\" {\n  id = \"mine\"\n}\n\n\
         resource \"time_sleep\" \"c\" {\n  create_duration = \"soon\"\n}\n\n\
         resource \"tls_private_key\" \"d\" {\n  algorithm = \"DSA\"\n}\n",
    );
    scenario.run("validate");
    scenario.check("mistakes_with_utility_kinds");
}

#[test]
fn each_missing_argument_is_told() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"random_integer\" \"tf\" {}\n");
    scenario.run("validate");
    scenario.edit("main.tf", "{}", "{\n  min = 1\n  max = 1\n}");
    scenario.quietly("apply -auto-approve");
    // An address, and no file: there is none of that name.
    scenario.run("taint random_integer.tf");
    scenario.check("each_missing_argument_is_told");
}

#[test]
fn init_names_the_kinds_that_are_not_there() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"aws_instance\" \"a\" {}\n\ndata \"random_uuid\" \"b\" {}\n");
    scenario.run("init");
    scenario.check("init_names_the_kinds_that_are_not_there");
}
