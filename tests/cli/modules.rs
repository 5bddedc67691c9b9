//! Modules, and what becomes of addresses: views, saved plans, and what is wrong in a file of a module.

use super::scenario::Scenario;

#[test]
fn modules_from_nothing_to_nothing() {
    let mut scenario = Scenario::of("modules");
    scenario.run("validate pipelines");
    scenario.run("graph pipelines");
    scenario.run("plan -out=people.plan pipelines");
    scenario.run("apply -parallelism=1 people.plan");
    scenario.run("state list pipelines/");
    scenario.run("state list pipelines/ 'module.people[\"anna\"]'");
    scenario.run("state show pipelines/ 'module.people[\"anna\"].module.full_name.terraform_data.name'");
    scenario.run(
        "plan -target='module.people[\"anna\"]' -replace='module.people[\"anna\"].terraform_data.greeting' pipelines",
    );
    scenario.edit("pipelines/people.hcl", "bruno = \"Bruno\"", "carla = \"Carla\"");
    scenario.run("plan pipelines");
    scenario.run("destroy -auto-approve -parallelism=1 pipelines");
    scenario.check("modules_from_nothing_to_nothing");
}

#[test]
fn what_became_of_addresses() {
    let mut scenario = Scenario::of("modules");
    scenario.quietly("apply -auto-approve -parallelism=1 pipelines");
    let file = "pipelines/people.hcl";
    scenario.edit(file, "module \"people\"", "module \"persons\"");
    scenario.edit(file, "in module.people", "in module.persons");
    scenario.edit(file, ", bruno = \"Bruno\"", "");
    let text = scenario.read(file);
    scenario.write(
        file,
        &format!(
            "{text}\nmoved {{\n  from = module.people\n  to   = module.persons\n}}\n\nresource \"terraform_data\" \"found\" {{}}\n\nimport \
             {{\n  to = terraform_data.found\n  id = \"an-id\"\n}}\n"
        ),
    );
    scenario.run("plan -detailed-exitcode pipelines");
    scenario.run("apply -auto-approve -parallelism=1 pipelines");
    scenario.run("plan pipelines");
    scenario.edit(file, "resource \"terraform_data\" \"found\" {}", "");
    scenario.edit(
        file,
        "import {\n  to = terraform_data.found\n  id = \"an-id\"\n}",
        "removed {\n  from = terraform_data.found\n  lifecycle {\n    destroy = false\n  }\n}",
    );
    scenario.run("plan pipelines");
    scenario.run("apply -auto-approve pipelines");
    scenario.run("state list pipelines/");
    scenario.check("what_became_of_addresses");
}

#[test]
fn mistakes_in_modules() {
    let mut scenario = Scenario::of("modules");
    scenario.edit("modules/person/name/main.tf", "var.name", "var.nam");
    scenario.edit("pipelines/people.hcl", "name     =", "nmae     =");
    scenario.run("validate pipelines");
    scenario.edit("pipelines/people.hcl", "../modules/person", "../modules/persons");
    scenario.run("validate pipelines");
    scenario.edit("pipelines/people.hcl", "../modules/persons", "modules/person");
    scenario.run("plan pipelines");
    scenario.check("mistakes_in_modules");
}
