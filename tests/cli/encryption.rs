//! Encryption of the state and of saved plans: turned on, without and with the wrong passphrase, another passphrase, turned off again.

use super::scenario::Scenario;

const FILE: &str = "pipelines/vault.hcl";

/// Holds in the state and in the saved plan, and nowhere else.
const CANARY: &str = "canary-0815-4711";

fn vault() -> Scenario {
    let mut scenario = Scenario::of("encrypted");
    scenario.set("TF_VAR_password", CANARY);
    scenario.set("VAULT_PASSPHRASE", "the passphrase of the vault");
    scenario
}

fn nothing_leaks(scenario: &Scenario) {
    assert_eq!(scenario.files_with(CANARY), Vec::<String>::new());
    assert_eq!(scenario.files_with("anna"), [FILE], "what the state holds stands in the configuration only");
}

#[test]
fn an_encrypted_state_and_its_plans() {
    let mut scenario = vault();
    scenario.run("plan -out=vault.plan pipelines");
    scenario.run("show vault.plan");
    scenario.run("apply -parallelism=1 vault.plan");
    nothing_leaks(&scenario);
    let pulled = scenario.command("state pull pipelines").output().unwrap();
    let pulled: serde_json::Value = serde_json::from_slice(&pulled.stdout).unwrap();
    let instances = pulled["resources"].as_array().unwrap().iter();
    let generated = instances.clone().find(|resource| resource["type"] == "random_password").unwrap();
    let generated = generated["instances"][0]["attributes"]["result"].as_str().unwrap();
    assert_eq!(generated.len(), 24);
    assert_eq!(scenario.files_with(generated), Vec::<String>::new());
    scenario.run("state list pipelines/vault.hcl");
    scenario.run("output -json pipelines/vault.hcl password");
    scenario.run("plan -detailed-exitcode pipelines");
    scenario.check("an_encrypted_state_and_its_plans");
}

#[test]
fn without_the_passphrase_nothing_is_read() {
    let mut scenario = vault();
    scenario.quietly("apply -auto-approve pipelines");
    scenario.quietly("plan -out=vault.plan pipelines");
    scenario.set("VAULT_PASSPHRASE", "");
    scenario.run("validate pipelines");
    scenario.run("plan pipelines");
    scenario.run("apply vault.plan");
    scenario.run("state list pipelines/vault.hcl");
    scenario.set("VAULT_PASSPHRASE", "too short");
    scenario.run("plan pipelines");
    scenario.set("VAULT_PASSPHRASE", "not the passphrase of the vault");
    scenario.run("plan pipelines");
    scenario.run("apply -auto-approve pipelines");
    scenario.run("output pipelines/vault.hcl");
    scenario.run("show vault.plan");
    scenario.edit(FILE, "  encryption {\n    passphrase = secret(\"env:VAULT_PASSPHRASE\")\n  }\n", "");
    scenario.run("plan pipelines");
    scenario.check("without_the_passphrase_nothing_is_read");
}

#[test]
fn the_passphrase_changes_and_encryption_ends() {
    let mut scenario = vault();
    scenario.quietly("apply -auto-approve pipelines");
    scenario.set("NEW_PASSPHRASE", "the passphrase after that one");
    let old = "passphrase = secret(\"env:VAULT_PASSPHRASE\")";
    let both = "passphrase = secret(\"env:NEW_PASSPHRASE\")\n    fallback   = secret(\"env:VAULT_PASSPHRASE\")";
    scenario.edit(FILE, old, both);
    scenario.run("state list pipelines/vault.hcl");
    scenario.run("apply -auto-approve pipelines");
    scenario.edit(FILE, "\n    fallback   = secret(\"env:VAULT_PASSPHRASE\")", "\n    enforced   = true");
    scenario.run("state list pipelines/vault.hcl");
    nothing_leaks(&scenario);
    scenario.note("encryption ends");
    scenario.edit(
        FILE,
        "passphrase = secret(\"env:NEW_PASSPHRASE\")\n    enforced   = true",
        "fallback = secret(\"env:NEW_PASSPHRASE\")",
    );
    scenario.run("apply -auto-approve pipelines");
    assert!(!scenario.files_with(CANARY).is_empty(), "a sensitive value is stored as Terraform stores it");
    scenario.edit(FILE, "fallback = secret", "enforced = true\n    passphrase = secret");
    scenario.run("plan pipelines");
    scenario.check("the_passphrase_changes_and_encryption_ends");
}

#[test]
fn mistakes_in_an_encryption_block() {
    let mut scenario = vault();
    scenario.edit(FILE, "secret(\"env:VAULT_PASSPHRASE\")", "\"a passphrase for everyone to read\"");
    scenario.run("validate pipelines");
    scenario.edit(FILE, "\"a passphrase for everyone to read\"", "var.password");
    scenario.run("validate pipelines");
    scenario.edit(FILE, "passphrase = var.password\n", "passphrase = secret(\"VAULT_PASSPHRASE\")\n    phrase = 1\n");
    scenario.run("validate pipelines");
    scenario.edit(FILE, "\n    phrase = 1\n", "\n");
    scenario.run("plan pipelines");
    scenario.edit(FILE, "passphrase = secret(\"VAULT_PASSPHRASE\")", "enforced = true");
    scenario.run("plan pipelines");
    scenario.check("mistakes_in_an_encryption_block");
}

#[test]
fn a_folder_of_terraform_is_encrypted_by_the_environment() {
    let mut scenario = Scenario::of("adopted");
    scenario.set("PIPECTL_PASSPHRASE", "a passphrase from the environment");
    scenario.quietly("apply -auto-approve -var=address=canary-address");
    assert_eq!(scenario.files_with("canary-address"), Vec::<String>::new());
    scenario.set("PIPECTL_OLD_PASSPHRASE", "a passphrase from the environment");
    scenario.set("PIPECTL_PASSPHRASE", "another one from the environment");
    scenario.quietly("apply -auto-approve -var=address=canary-address");
    scenario.set("PIPECTL_OLD_PASSPHRASE", "");
    scenario.run("output");
    scenario.set("PIPECTL_PASSPHRASE", "");
    scenario.run("output");
    scenario.check("a_folder_of_terraform_is_encrypted_by_the_environment");
}
