//! Canaries: what is written down of secrets, in any form, by anything that the program writes.

use std::fs;

use super::scenario::Scenario;

const FILE: &str = "pipelines/account.hcl";

/// What `secret` gives.
const TOKENS: [&str; 3] = ["canary-first-token", "canary-second-token", "canary-file-token"];

fn account() -> Scenario {
    let mut scenario = Scenario::of("secrets");
    scenario.set("ACCOUNT_TOKEN", TOKENS[0]);
    scenario.set("TF_VAR_password", "canary-password");
    scenario.set("RUST_BACKTRACE", "full");
    scenario
}

/// Runs a command; whatever it says, no secret is in it.
fn silent(scenario: &Scenario, line: &str) -> bool {
    let output = scenario.command(line).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for token in TOKENS {
        assert!(!said.contains(token), "{line}: {said}");
    }
    output.status.success()
}

/// No file but the one that holds a secret has one in it.
fn no_file_tells(scenario: &Scenario) {
    assert_eq!(scenario.files_with(TOKENS[0]), Vec::<String>::new());
    assert_eq!(scenario.files_with(TOKENS[1]), Vec::<String>::new());
    assert_eq!(scenario.files_with(TOKENS[2]), ["pipelines/token.txt"]);
}

#[test]
fn a_secret_is_written_nowhere() {
    let mut scenario = account();
    scenario.run("plan pipelines");
    assert!(silent(&scenario, "plan -json -out=account.plan pipelines"));
    assert!(silent(&scenario, "show -json account.plan"));
    assert!(silent(&scenario, "show account.plan"));
    no_file_tells(&scenario);
    scenario.run("apply -parallelism=1 account.plan");
    no_file_tells(&scenario);
    for line in [
        "plan pipelines/account.hcl",
        "show -json pipelines/account.hcl",
        "show pipelines/account.hcl",
        "state pull pipelines/account.hcl",
        "state show pipelines/account.hcl terraform_data.account",
        "output -json pipelines/account.hcl",
        "graph pipelines/account.hcl",
        "apply -auto-approve -json pipelines/account.hcl",
    ] {
        assert!(silent(&scenario, line), "{line}");
    }
    scenario.feed("console pipelines/account.hcl", "secret(\"env:ACCOUNT_TOKEN\")\nterraform_data.account.input\n");
    scenario.feed("console -json pipelines/account.hcl", "secret(\"env:ACCOUNT_TOKEN\")");
    scenario.note("another token, and the plan that was made with the one before");
    assert!(silent(&scenario, "plan -out=account.plan pipelines"));
    scenario.set("ACCOUNT_TOKEN", TOKENS[1]);
    scenario.run("plan pipelines");
    scenario.run("apply account.plan");
    scenario.quietly("apply -auto-approve pipelines");
    scenario.run("plan -detailed-exitcode pipelines");
    no_file_tells(&scenario);
    assert!(silent(&scenario, "destroy -auto-approve pipelines"));
    no_file_tells(&scenario);
    scenario.check("a_secret_is_written_nowhere");
}

#[test]
fn a_sensitive_variable_is_given_once() {
    let scenario = account();
    assert!(silent(&scenario, "plan -out=account.plan pipelines"));
    let status = |line: &str| scenario.command(line).env_remove("TF_VAR_password").output().unwrap().status;
    assert!(status("show -json account.plan").success());
    assert!(status("apply account.plan").success());
    assert!(!status("plan -input=false pipelines").success(), "a new plan needs it");
}

#[test]
fn mistakes_around_a_secret_do_not_tell_it() {
    let mut scenario = account();
    let given = "    token = secret(\"env:ACCOUNT_TOKEN\")";
    let mistakes = [
        "    token = tonumber(secret(\"env:ACCOUNT_TOKEN\"))",
        "    token = secret(\"env:ACCOUNT_TOKEN\") + 1",
        "    token = jsondecode(secret(\"env:ACCOUNT_TOKEN\"))",
        "    token = { canary = 1 }[secret(\"env:ACCOUNT_TOKEN\")]",
        "    token = file(secret(\"env:ACCOUNT_TOKEN\"))",
        "    token = nonsensitive(secret(\"env:ACCOUNT_TOKEN\"))",
    ];
    let mut before = given;
    for mistake in mistakes {
        scenario.edit(FILE, before, mistake);
        scenario.run("plan pipelines");
        assert!(!silent(&scenario, "plan -json pipelines"), "{mistake}");
        before = mistake;
    }
    scenario.edit(FILE, before, given);
    let text = scenario.read(FILE);
    scenario.write(
        FILE,
        &format!("{text}\noutput \"token\" {{\n  value     = terraform_data.account.output\n  sensitive = true\n}}\n"),
    );
    scenario.run("plan pipelines");
    scenario.write(FILE, &format!("{text}\ncheck \"token\" {{\n  assert {{\n    condition     = secret(\"env:ACCOUNT_TOKEN\") == \"x\"\n    error_message = \"not ${{secret(\"env:ACCOUNT_TOKEN\")}}\"\n  }}\n}}\n"));
    scenario.run("plan pipelines");
    scenario.check("mistakes_around_a_secret_do_not_tell_it");
}

/// A private file key leads a provider to say what it was given.
#[test]
fn what_a_provider_says_of_a_secret_is_not_told() {
    let mut scenario = account();
    scenario.write(
        FILE,
        "pipeline \"account\" {}\n\ndata \"local_file\" \"a\" {\n  filename = secret(\"env:ACCOUNT_TOKEN\")\n}\n",
    );
    scenario.run("plan pipelines");
    assert!(!silent(&scenario, "apply -auto-approve -json pipelines"));
    no_file_tells(&scenario);
    scenario.check("what_a_provider_says_of_a_secret_is_not_told");
}

#[test]
fn a_crash_tells_nothing() {
    let mut scenario = account();
    // Longer than the run that is killed.
    let more = "\nresource \"time_sleep\" \"long\" {\n  create_duration = \"60s\"\n  triggers        = { token = secret(\"env:ACCOUNT_TOKEN\") }\n}\n";
    let text = scenario.read(FILE);
    scenario.write(FILE, &format!("{text}{more}"));
    let mut child =
        scenario.command("apply -auto-approve pipelines").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("time_sleep.long: Creating") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut told, &mut line).unwrap();
        assert!(read > 0, "the run ended before it could be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    no_file_tells(&scenario);
    scenario.set("ACCOUNT_TOKEN", TOKENS[1]);
    assert!(silent(&scenario, "plan pipelines"));
    no_file_tells(&scenario);
}

#[test]
fn what_a_provider_makes_is_encrypted_where_the_state_is() {
    let mut scenario = account();
    let text = scenario.read(FILE);
    let block = "pipeline \"account\" {\n  encryption {\n    passphrase = secret(\"env:PASSPHRASE\")\n  }\n}";
    scenario.write(FILE, &text.replace("pipeline \"account\" {}", block));
    scenario.set("PASSPHRASE", "canary-passphrase-of-anna");
    scenario.quietly("plan -out=account.plan pipelines");
    scenario.quietly("apply account.plan");
    let pulled = scenario.command("state pull pipelines/account.hcl").output().unwrap();
    let pulled: serde_json::Value = serde_json::from_slice(&pulled.stdout).unwrap();
    let resources = pulled["resources"].as_array().unwrap();
    let generated = resources.iter().find(|resource| resource["type"] == "random_password").unwrap();
    let generated = generated["instances"][0]["attributes"]["result"].as_str().unwrap();
    for canary in [generated, "canary-password", "canary-passphrase-of-anna"] {
        assert_eq!(scenario.files_with(canary), Vec::<String>::new());
    }
    no_file_tells(&scenario);
}

/// Values of variables that may not be shown, wrong and right ones, wherever they come from.
#[test]
fn wrong_values_of_sensitive_variables_are_not_told() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "variable \"any\" {\n  type      = any\n  sensitive = true\n}\n\n\
         variable \"number\" {\n  type      = number\n  ephemeral = true\n}\n\n\
         provider \"tls\" {\n  proxy {\n    url      = \"http://proxy.example\"\n    password = \"canary-first-token\"\n  }\n}\n\n\
         resource \"tls_private_key\" \"k\" {\n  algorithm = \"ED25519\"\n}\n",
    );
    scenario.set("TF_VAR_any", TOKENS[0]);
    scenario.write("terraform.tfvars", &format!("number = \"{}\"\n", TOKENS[1]));
    scenario.run("plan");
    assert!(!silent(&scenario, "plan -json"));
    assert!(!silent(&scenario, &format!("plan -var 'number ={}'", TOKENS[2])));
    fs::remove_file(scenario.file("terraform.tfvars")).unwrap();
    scenario.set("TF_VAR_any", "\"text\"");
    assert!(silent(&scenario, "plan -out=x.plan -var number=1"));
    scenario.note("credentials of a nested block of a provider");
    let output = scenario.command("show -json x.plan").output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let proxy = &shown["configuration"]["provider_config"]["tls"]["expressions"]["proxy"];
    let proxy = if proxy.is_array() { &proxy[0] } else { proxy };
    assert_eq!(proxy["url"]["constant_value"], "http://proxy.example");
    assert_eq!(proxy["password"], serde_json::json!({}));
    scenario.check("wrong_values_of_sensitive_variables_are_not_told");
}

/// The arguments of a stage are kept with it, and its workers get them: wherever a secret stands among them, that is said.
#[test]
fn a_stage_takes_no_secrets() {
    let mut scenario = account();
    let stage = |source: &str, more: &str| {
        format!(
            "pipeline \"account\" {{}}\n\nvariable \"password\" {{\n  ephemeral = true\n}}\n\nstage \"convert\" \"rows\" {{\n  source = {source}\n\n  \
             output {{\n    format = \"parquet\"\n  }}\n}}\n{more}"
        )
    };
    for text in [
        stage("secret(\"env:ACCOUNT_TOKEN\")", ""),
        stage("[\"rows.parquet\", \"https://${secret(\"env:ACCOUNT_TOKEN\")}@data.example.org\"]", ""),
        stage("var.password", ""),
        stage("local.place", "\nlocals {\n  place = \"rows-${secret(\"env:ACCOUNT_TOKEN\")}.parquet\"\n}\n"),
    ] {
        scenario.write(FILE, &text);
        scenario.run("plan pipelines");
        assert!(!silent(&scenario, "apply -auto-approve -json pipelines"), "{text}");
        no_file_tells(&scenario);
    }
    scenario.run("validate pipelines");
    scenario.check("a_stage_takes_no_secrets");
}
