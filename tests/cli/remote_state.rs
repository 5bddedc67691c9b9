//! `terraform_remote_state`: stacks that feed pipelines, pipelines that feed pipelines, and what Terraform has left.

use super::scenario::Scenario;

#[test]
fn a_stack_feeds_a_pipeline_and_that_another() {
    let mut scenario = Scenario::of("feeding");
    scenario.run("plan pipelines/uses.hcl");
    scenario.quietly("apply -auto-approve stacks/site");
    scenario.run("apply -auto-approve pipelines/uses.hcl");
    scenario.run("apply -auto-approve pipelines/after.hcl");
    scenario.note("the stack changes");
    scenario.quietly("apply -auto-approve -var=site=meyrin stacks/site");
    scenario.run("plan pipelines/uses.hcl");
    scenario.edit("pipelines/after.hcl", "outputs.o", "outputs.s");
    scenario.run("plan pipelines/after.hcl");
    scenario.edit("pipelines/after.hcl", "../elsewhere/terraform.tfstate", "../elsewhere/none.tfstate");
    scenario.edit("pipelines/after.hcl", "workspace = \"default\"", "workspace = \"dev\"");
    scenario.run("plan pipelines/after.hcl");
    scenario.check("a_stack_feeds_a_pipeline_and_that_another");
}

#[test]
fn an_encrypted_stack_feeds_who_has_its_passphrase() {
    let mut scenario = Scenario::of("feeding");
    scenario.set("PIPECTL_PASSPHRASE", "the passphrase of the site");
    scenario.quietly("apply -auto-approve stacks/site");
    scenario.set("PIPECTL_PASSPHRASE", "");
    scenario.run("plan pipelines/uses.hcl");
    scenario.set("SITE_PASSPHRASE", "the passphrase of the site");
    let path = "path = \"../stacks/site\"";
    scenario.edit("pipelines/uses.hcl", path, &format!("{path}\n    passphrase = secret(\"env:SITE_PASSPHRASE\")"));
    scenario.run("plan -out=uses.plan pipelines/uses.hcl");
    assert_eq!(scenario.files_with("the passphrase of the site"), Vec::<String>::new());
    scenario.check("an_encrypted_stack_feeds_who_has_its_passphrase");
}

#[test]
fn mistakes_in_a_remote_state() {
    let mut scenario = Scenario::of("feeding");
    scenario.edit("pipelines/uses.hcl", "backend = \"local\"", "backend = \"nope\"");
    scenario.run("plan pipelines/uses.hcl");
    scenario.edit("pipelines/uses.hcl", "backend = \"nope\"", "backend = \"local\"");
    scenario.edit("pipelines/uses.hcl", "    path =", "    pth =");
    scenario.run("plan pipelines/uses.hcl");
    scenario.edit("pipelines/uses.hcl", "{\n    pth = \"../stacks/site\"\n  }", "\"x\"");
    scenario.run("plan pipelines/uses.hcl");
    scenario.check("mistakes_in_a_remote_state");
}
