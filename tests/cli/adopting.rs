//! Terraform's states: adopted, pulled and pushed.

use super::scenario::Scenario;

#[test]
fn a_folder_of_terraform_goes_on_with_its_state() {
    let mut scenario = Scenario::of("adopted");
    scenario.run("state pull");
    scenario.run("state import-terraform absent.tfstate");
    scenario.run("state import-terraform main.tf");
    scenario.run("state import-terraform terraform.tfstate");
    scenario.run("plan -detailed-exitcode");
    scenario.run("state import-terraform terraform.tfstate");
    let pulled = scenario.run("state pull");
    scenario.write("pulled.tfstate", &String::from_utf8(pulled.stdout).unwrap());
    scenario.run("state push terraform.tfstate");
    scenario.run("state push pulled.tfstate");
    scenario.quietly("state rm terraform_data.node[1]");
    scenario.run("state push pulled.tfstate");
    scenario.run("state push -force pulled.tfstate");
    scenario.run("state list");
    scenario.run("plan -detailed-exitcode");
    scenario.check("adopting");
}

#[test]
fn a_state_that_holds_nothing_takes_what_is_pushed() {
    let mut scenario = Scenario::empty();
    let resource = "resource \"terraform_data\" \"a\" {}\n";
    scenario.write("main.tf", resource);
    scenario.quietly("apply -auto-approve");
    scenario.quietly("destroy -auto-approve");
    let theirs = "{\"mode\": \"managed\", \"type\": \"terraform_data\", \"name\": \"a\", \"provider\": \
                  \"provider[\\\"terraform.io/builtin/terraform\\\"]\", \"instances\": [{\"schema_version\": 0, \"attributes\": {\"id\": \"1\"}}]}";
    let file = format!("{{\"version\": 4, \"serial\": 1, \"lineage\": \"theirs\", \"resources\": [{theirs}]}}\n");
    scenario.write("terraform.tfstate", &file);
    // What was only begun does not silence the warning.
    scenario.run("plan");
    scenario.run("state push terraform.tfstate");
    scenario.run("state list");
    let pulled = scenario.command("state pull").output().unwrap();
    let pulled: serde_json::Value = serde_json::from_slice(&pulled.stdout).unwrap();
    assert_eq!(pulled["lineage"], "theirs");
    // And what was imported and destroyed is not to be imported again.
    scenario.quietly("destroy -auto-approve");
    scenario.run("plan");
    scenario.check("a_state_that_holds_nothing_takes_what_is_pushed");
}
