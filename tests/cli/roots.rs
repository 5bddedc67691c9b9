//! Which files a command works on: files that cannot be read, files of other programs, and folders without any.

use std::fs;

use super::scenario::Scenario;

#[cfg(unix)]
#[test]
fn files_that_cannot_be_read() {
    use std::os::unix::fs::symlink;
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "output \"a\" {\n  value = 1\n}\n");
    scenario.note("a link that leads nowhere");
    symlink("nowhere.tf", scenario.file("shared.tf")).unwrap();
    scenario.run("validate");
    fs::remove_file(scenario.file("shared.tf")).unwrap();
    scenario.note("values of variables that are a folder, and a link that leads to itself");
    fs::create_dir(scenario.file("terraform.tfvars")).unwrap();
    symlink("x.auto.tfvars", scenario.file("x.auto.tfvars")).unwrap();
    scenario.run("plan");
    scenario.check("files_that_cannot_be_read");
}

#[test]
fn files_of_other_programs() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    scenario.write("backend.hcl", "path = \"x\"\n");
    scenario.write("image.pkr.hcl", "source \"x\" \"y\" {}\n");
    scenario.write("more.hcl", "output \"more\" {\n  value = abspath(\"a/../b/./c\") == \"${path.cwd}/b/c\"\n}\n");
    scenario.run("init");
    scenario.run("validate");
    scenario.run("plan");
    scenario.check("files_of_other_programs");
}

/// A slip in a block's type must not hide what is there: it would be destroyed.
#[test]
fn a_file_with_a_slip_is_not_another_programs() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "module \"m\" {\n  source = \"./m\"\n}\n");
    scenario.write("b.hcl", "resorce \"terraform_data\" \"b\" {}\n");
    scenario.write("m/main.tf", "output \"a\" {\n  value = 1\n}\n");
    scenario.write("m/vault.hcl", "storage \"raft\" {}\n");
    scenario.run("plan");
    scenario.run("validate");
    scenario.check("a_file_with_a_slip_is_not_another_programs");
}

#[test]
fn a_folder_without_configuration_files() {
    let mut scenario = Scenario::empty();
    for line in [
        "init",
        "validate",
        "output -json",
        "show -json",
        "state list",
        "graph",
        "workspace list",
        "test",
        "destroy -auto-approve",
        "plan",
        "apply -auto-approve",
    ] {
        scenario.run(line);
    }
    scenario.note("what was made goes on to be known when its files are gone");
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n\noutput \"o\" {\n  value = 1\n}\n");
    scenario.quietly("apply -auto-approve");
    fs::remove_file(scenario.file("main.tf")).unwrap();
    for line in ["state list", "output -json", "plan", "destroy -auto-approve", "state list"] {
        scenario.run(line);
    }
    scenario.note("so is that of a pipeline");
    scenario.write("hep.hcl", "pipeline \"hep\" {}\n\nresource \"terraform_data\" \"a\" {}\n");
    scenario.quietly("apply -auto-approve");
    fs::remove_file(scenario.file("hep.hcl")).unwrap();
    fs::remove_dir_all(scenario.file(".pipectl/default")).unwrap();
    scenario.run("destroy -auto-approve");
    scenario.check("a_folder_without_configuration_files");
}

#[test]
fn values_of_variables_in_json() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "variable \"n\" {\n  type = number\n}\n\noutput \"n\" {\n  value = var.n + 1\n}\n");
    scenario.write("x.auto.tfvars.json", "{ \"n\": 123456789012345678901234567890 }\n");
    scenario.run("plan");
    scenario.write("x.auto.tfvars.json", "{\n  \"n\": 1,\n  \"n\": 2\n}\n");
    scenario.run("plan");
    scenario.write("x.auto.tfvars.json", "{ \"n\": true }\n");
    scenario.run("plan");
    scenario.run("plan -var n");
    scenario.run("plan -var 'n = 3'");
    scenario.check("values_of_variables_in_json");
}

#[test]
fn a_state_of_terraform_that_nobody_imported() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    let resource = "{\"mode\": \"managed\", \"type\": \"terraform_data\", \"name\": \"a\", \"instances\": []}";
    scenario.write("terraform.tfstate", &format!("{{\"version\": 4, \"resources\": [{resource}]}}\n"));
    scenario.run("plan");
    scenario.check("a_state_of_terraform_that_nobody_imported");
}
