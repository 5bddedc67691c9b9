//! What is made, changed and removed: plans, applies, saved plans, events, locks, interrupts.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::scenario::Scenario;

#[test]
fn from_nothing_to_nothing() {
    let mut scenario = Scenario::of("values");
    scenario.run("init");
    scenario.run("validate");
    scenario.run("plan");
    scenario.run("apply -auto-approve -parallelism=1");
    scenario.run("apply -auto-approve");
    scenario.run("plan -detailed-exitcode");
    scenario.run("output");
    scenario.run("output -json");
    scenario.run("output -raw password");
    scenario.run("output people");
    scenario.run("output txt");
    scenario.run("state list");
    scenario.run("state list terraform_data.person");
    scenario.run("state show terraform_data.greeting");
    scenario.run("show");
    scenario.run("destroy -auto-approve -parallelism=1");
    scenario.run("state list");
    scenario.run("show");
    scenario.check("from_nothing_to_nothing");
}

#[test]
fn every_kind_of_change() {
    let mut scenario = Scenario::of("values");
    scenario.quietly("apply -auto-approve -parallelism=1");
    scenario.run("plan -var greeting=ahoy -detailed-exitcode");
    scenario.run("plan -var password=hunter3");
    scenario.run("plan -replace=terraform_data.greeting");
    scenario.run("plan -destroy -target='terraform_data.person[\"anna\"]'");
    scenario.edit("values.hcl", "[\"anna\", \"bruno\"]", "[\"anna\", \"carla\"]");
    scenario.run("apply -auto-approve -parallelism=1");
    scenario.run("plan -detailed-exitcode");
    scenario.check("every_kind_of_change");
}

#[test]
fn variables_come_from_many_places() {
    let mut scenario = Scenario::of("cluster");
    scenario.run("plan -target=terraform_data.network");
    scenario.write("b.auto.tfvars", "address = \"b\"\n");
    scenario.write("a.auto.tfvars", "address = \"a\"\nnobody_knows = 1\n");
    scenario.write("other.tfvars", "address = \"file\"\n");
    scenario.run("plan -target=terraform_data.network -compact-warnings");
    scenario.run("plan -target=terraform_data.network -var address=c -var-file=other.tfvars");
    scenario.set("TF_VAR_address", "environment");
    for file in ["a.auto.tfvars", "b.auto.tfvars", "terraform.tfvars"] {
        fs::remove_file(scenario.file(file)).unwrap();
    }
    scenario.run("plan -target=terraform_data.network");
    scenario.check("variables_come_from_many_places");
}

#[test]
fn saved_plans() {
    let mut scenario = Scenario::of("values");
    scenario.run("plan -out=first.tfplan -target=terraform_data.greeting");
    scenario.run("show first.tfplan");
    scenario.run("apply -target=terraform_data.greeting first.tfplan");
    scenario.run("apply -parallelism=1 first.tfplan");
    scenario.run("apply first.tfplan");
    let bytes = fs::read(scenario.file("first.tfplan")).unwrap();
    fs::write(scenario.file("damaged.tfplan"), &bytes[..bytes.len() - 1]).unwrap();
    scenario.run("apply damaged.tfplan");
    scenario.check("saved_plans");
}

#[test]
fn approval() {
    let mut scenario = Scenario::of("values");
    scenario.run("apply");
    scenario.run("apply -json");
    scenario.feed("apply", "");
    scenario.feed("apply", "no\n");
    scenario.run("state list");
    scenario.feed("apply -lock=false -parallelism=1", "yes\n");
    scenario.run("state list");
    // In CI standard input is the rest of the job's script.
    scenario.set("CI", "true");
    scenario.feed("destroy", "yes\n");
    scenario.check("approval");
}

#[test]
fn missing_variables_and_approval_are_answered_through_a_pipe() {
    let mut scenario = Scenario::of("cluster");
    std::fs::remove_file(scenario.file("terraform.tfvars")).unwrap();
    let output = scenario.feed("apply", "10.0.0.0/16\nyes\n");
    assert!(output.status.success());
    let shown = scenario.command("state show terraform_data.network").output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("10.0.0.0/16"));
}

#[test]
fn events() {
    let mut scenario = Scenario::of("cluster");
    scenario.run("plan -json");
    scenario.run("apply -json -auto-approve -parallelism=1");
    scenario.run("apply -json -auto-approve -parallelism=1");
    scenario.run("plan -json -var addres=1");
    scenario.check("events");
}

#[test]
fn documents() {
    let mut scenario = Scenario::of("values");
    scenario.quietly("plan -out=p.tfplan");
    let plan: Json = serde_json::from_slice(&scenario.command("show -json p.tfplan").output().unwrap().stdout).unwrap();
    scenario.quietly("apply -auto-approve -parallelism=1");
    let state: Json = serde_json::from_slice(&scenario.command("show -json").output().unwrap().stdout).unwrap();
    for document in [&plan, &state] {
        assert!(!document.to_string().contains("hunter2"), "{document:#}");
    }
    let greeting = &plan["resource_changes"][0];
    assert_eq!(greeting["address"], "terraform_data.greeting");
    assert_eq!(greeting["change"]["actions"], serde_json::json!(["create"]));
    assert_eq!(greeting["change"]["after_unknown"]["id"], true);
    let secret = &plan["resource_changes"][3];
    assert_eq!(secret["change"]["after_sensitive"]["input"], serde_json::json!({ "password": true }));
    assert_eq!(secret["change"]["after"]["input"], serde_json::json!({ "password": null, "user": "anna" }));
    let resources = state["values"]["root_module"]["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 4);
    assert_eq!(resources[1]["index"], "anna");
    assert_eq!(resources[1]["values"]["output"], "hello, anna");
    assert_eq!(state["values"]["outputs"]["password"]["sensitive"], true);
}

#[test]
fn a_held_lock_is_waited_for_and_an_interrupt_ends_the_wait() {
    let mut scenario = Scenario::of("cluster");
    fs::create_dir_all(scenario.file(".pipectl/default/default")).unwrap();
    let lock = File::create(scenario.file(".pipectl/default/default/lock")).unwrap();
    lock.lock().unwrap();
    scenario.run("apply -auto-approve");
    // Looking takes no lock.
    scenario.quietly("plan");

    let mut child = scenario
        .command("apply -auto-approve -lock-timeout=1h")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    scenario.note(&format!("said: {}", said.trim()));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    scenario.note(&format!("exit {:?}", status.code()));
    drop(lock);
    scenario.quietly("apply -auto-approve");
    scenario.check("a_held_lock_is_waited_for_and_an_interrupt_ends_the_wait");
}
