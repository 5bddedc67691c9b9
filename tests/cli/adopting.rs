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
