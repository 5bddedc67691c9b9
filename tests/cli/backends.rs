//! Where the state is kept: `backend` blocks, and the warning for jobs that keep it in their checkout.

use super::scenario::Scenario;

const PIPELINE: &str = "pipeline \"p\" {\n  backend \"local\" {\n    path = \"../states/p\"\n  }\n}\n\nresource \"terraform_data\" \"a\" {\n  \
                        input = 1\n}\n";

#[test]
fn a_pipeline_names_the_folder_of_its_states() {
    let mut scenario = Scenario::empty();
    scenario.write("pipelines/p.hcl", PIPELINE);
    scenario.set("CI", "true");
    scenario.run("apply -auto-approve pipelines");
    assert!(scenario.file("states/p/default/log").is_file());
    assert!(!scenario.file("pipelines/.pipectl/p/default/log").exists());
    scenario.run("plan -detailed-exitcode pipelines");
    scenario.quietly("workspace new pipelines/p.hcl dev");
    scenario.quietly("apply -auto-approve pipelines");
    assert!(scenario.file("states/p/dev/log").is_file());
    scenario.run("workspace list pipelines/p.hcl");
    scenario.quietly("workspace select pipelines/p.hcl default");
    scenario.run("workspace delete -force pipelines/p.hcl dev");
    assert!(!scenario.file("states/p/dev").exists());
    scenario.edit("pipelines/p.hcl", "\"local\"", "\"gcs\"");
    scenario.run("plan pipelines");
    scenario.edit("pipelines/p.hcl", "\"gcs\"", "\"local\"");
    scenario.edit("pipelines/p.hcl", "    path", "    paht");
    scenario.run("plan pipelines");
    scenario.check("a_pipeline_names_the_folder_of_its_states");
}

/// Whatever looks at a state, changes it, or removes what none refers to, has to know where all of them lie.
#[test]
fn nothing_is_done_where_it_is_open_where_a_state_lies() {
    let mut scenario = Scenario::empty();
    let stage = "\nstage \"convert\" \"a\" {\n  source = \"data.parquet\"\n  step \"select\" { columns = [\"label\"] }\n  output { format = \"parquet\" }\n}\n";
    scenario.write("a.hcl", "pipeline \"a\" {}\n\noutput \"one\" {\n  value = 1\n}\n");
    scenario.write(
        "b.hcl",
        &format!("pipeline \"b\" {{\n  backend \"local\" {{\n    path = \"states\"\n  }}\n}}\n{stage}"),
    );
    super::stages::take(&scenario, "test-0.parquet", "data.parquet");
    scenario.quietly("apply -auto-approve b.hcl");
    scenario.quietly("apply -auto-approve a.hcl");
    scenario.run("artifacts gc -keep=0s -dry-run a.hcl");
    scenario.edit("b.hcl", "\"local\"", "\"gcs\"");
    scenario.run("artifacts gc -keep=0s a.hcl");
    scenario.run("state pull b.hcl");
    scenario.write("s.tfstate", "{\"version\": 4}");
    scenario.run("state push b.hcl s.tfstate");
    scenario.run("workspace new b.hcl dev");
    scenario.set("TF_WORKSPACE", "../../q");
    scenario.run("state push a.hcl s.tfstate");
    assert!(!scenario.file("q").exists() && !scenario.file(".pipectl/b/default/log").exists());
    scenario.check("nothing_is_done_where_it_is_open_where_a_state_lies");
}

#[test]
fn a_folder_of_terraform_names_a_file() {
    let mut scenario = Scenario::empty();
    let settings = "terraform {\n  backend \"local\" {\n    path = \"states/net.tfstate\"\n  }\n}\n";
    scenario.write("main.tf", &format!("{settings}\nresource \"terraform_data\" \"a\" {{\n  input = 1\n}}\n"));
    scenario.run("apply -auto-approve");
    assert!(scenario.file("states/net.pipectl/default/log").is_file());
    scenario.run("state list");
    scenario.edit("main.tf", "\"local\"", "\"gcs\"");
    scenario.run("validate");
    scenario.check("a_folder_of_terraform_names_a_file");
}

#[test]
fn a_job_that_keeps_its_state_in_its_checkout_is_warned() {
    let mut scenario = Scenario::empty();
    scenario.write("pipelines/p.hcl", "pipeline \"p\" {}\n");
    scenario.write("stack/main.tf", "locals {}\n");
    scenario.set("CI", "true");
    scenario.run("plan pipelines");
    scenario.run("apply -auto-approve stack");
    scenario.set("CI", "false");
    scenario.run("plan pipelines");
    scenario.check("a_job_that_keeps_its_state_in_its_checkout_is_warned");
}

/// What can be told without asking a server.
#[test]
fn mistakes_in_a_bucket() {
    let mut scenario = Scenario::empty();
    let block = |arguments: &str| format!("pipeline \"p\" {{\n  backend \"s3\" {{\n{arguments}  }}\n}}\n");
    for arguments in [
        "    bucket = \"states\"\n",
        "    bucket = \"states\"\n    key    = \"/p/\"\n",
        "    bucket       = \"states\"\n    key          = \"p\"\n    use_lock_file = true\n",
        "    bucket = \"states\"\n    key    = \"p\"\n    endpoints = {\n      s3 = \"s3.cern.ch\"\n      S3 = \"https://s3.cern.ch\"\n    }\n",
        "    bucket     = \"states\"\n    key        = \"p\"\n    access_key = \"a\"\n    kms_key_id = \"k\"\n",
        "    bucket = \"states\"\n    key    = \"p\"\n    dynamodb_table = \"locks\"\n    endpoint = \"https://s3.cern.ch\"\n",
    ] {
        scenario.write("p.hcl", &block(arguments));
        scenario.run("validate p.hcl");
    }
    scenario
        .write("p.hcl", &block("    bucket = \"states\"\n    key    = \"p\"\n    custom_ca_bundle = \"none.pem\"\n"));
    scenario.run("state list p.hcl");
    scenario.write("p.hcl", "pipeline \"p\" {\n  artifact_store \"s3\" {\n    bucket = \"a\"\n    key = \"b\"\n    read_onyl = true\n  }\n}\n");
    scenario.run("validate p.hcl");
    scenario.edit("p.hcl", "\"s3\"", "\"gcs\"");
    scenario.run("validate p.hcl");
    scenario.check("mistakes_in_a_bucket");
}

#[test]
fn init_completes_a_backend_for_this_checkout() {
    let mut scenario = Scenario::empty();
    let output = "output \"one\" {\n  value = 1\n}\n";
    scenario.write("main.tf", &format!("terraform {{\n  backend \"local\" {{}}\n}}\n\n{output}"));
    scenario.run("init -backend-config=path=states/a.tfstate");
    scenario.run("apply -auto-approve");
    assert!(
        scenario.file("states/a.pipectl/default/log").is_file()
            && !scenario.file(".pipectl/default/default/log").exists()
    );
    // Of several the last counts, and a later `init` keeps them.
    scenario.write("ci.tfbackend", "path = \"states/b.tfstate\"\n");
    scenario.run("init -backend-config=path=states/c.tfstate -backend-config=ci.tfbackend");
    scenario.quietly("init -backend-config=path=states/a.tfstate");
    scenario.run("init -reconfigure -backend-config=path=states/c.tfstate -backend-config=ci.tfbackend");
    scenario.quietly("init");
    scenario.quietly("apply -auto-approve");
    assert!(scenario.file("states/b.pipectl/default/log").is_file() && !scenario.file("states/c.pipectl").exists());
    // What is wrong is not stored.
    scenario.run("init -backend-config=paht=CANARY");
    scenario.write("misspelt.tfbackend", "paht = \"CANARY\"\n");
    scenario.run("init -backend-config=misspelt.tfbackend");
    scenario.run("init '-backend-config=pa th=CANARY'");
    assert_eq!(scenario.files_with("CANARY"), ["misspelt.tfbackend"]);
    scenario.run("init -backend-config=none.tfbackend");
    scenario.write("broken.tfbackend", "path = [\n");
    scenario.run("init -backend-config=broken.tfbackend");
    scenario.run("output");
    assert!(scenario.file("states/b.pipectl/default/log").is_file());
    scenario.quietly("init -reconfigure");
    scenario.quietly("apply -auto-approve");
    assert!(scenario.file(".pipectl/default/default/log").is_file());
    scenario.run("init -backend=false -backend-config=path=states/a.tfstate");
    scenario.write("main.tf", output);
    scenario.run("init -backend-config=path=states/a.tfstate");
    scenario.check("init_completes_a_backend_for_this_checkout");
}

#[test]
fn who_does_not_look_at_the_state_needs_no_whole_backend() {
    let mut scenario = Scenario::empty();
    scenario.write("p.hcl", "pipeline \"p\" {\n  backend \"s3\" {\n    use_path_style = true\n  }\n}\n");
    scenario.run("validate p.hcl");
    scenario.run("init -backend=false p.hcl");
    scenario.run("plan p.hcl");
    scenario.run("state list p.hcl");
    scenario.run("init p.hcl -backend-config=bucket=b -backend-config=access_key=AKIA-CANARY");
    scenario.run("init p.hcl -backend-config=bucket=b");
    scenario.write("q.hcl", "pipeline \"q\" {}\n");
    scenario.run("init -backend-config=bucket=b");
    assert!(scenario.files_with("CANARY").is_empty() && !scenario.file(".pipectl").exists());
    scenario.check("who_does_not_look_at_the_state_needs_no_whole_backend");
}

#[test]
fn settings_of_a_backend_are_not_lost_when_a_pipeline_is_renamed() {
    let mut scenario = Scenario::empty();
    let root = "pipeline \"p\" {\n  backend \"local\" {}\n}\n\noutput \"one\" {\n  value = 1\n}\n";
    scenario.write("a.hcl", root);
    scenario.write("b.hcl", &root.replace("\"p\"", "\"other\""));
    scenario.quietly("init a.hcl -backend-config=path=states/a.tfstate");
    scenario.quietly("apply -auto-approve a.hcl");
    // Another root has nothing to do with it.
    scenario.quietly("apply -auto-approve b.hcl");
    scenario.edit("a.hcl", "\"p\"", "\"q\"");
    scenario.run("plan a.hcl");
    scenario.run("apply -auto-approve a.hcl");
    scenario.note("mkdir -p .pipectl/q && mv .pipectl/p/.backend.hcl .pipectl/q/");
    std::fs::create_dir_all(scenario.file(".pipectl/q")).expect("the folder can be made");
    let (old, new) = (scenario.file(".pipectl/p/.backend.hcl"), scenario.file(".pipectl/q/.backend.hcl"));
    std::fs::rename(old, new).expect("the settings can be moved");
    scenario.run("plan a.hcl");
    scenario.check("settings_of_a_backend_are_not_lost_when_a_pipeline_is_renamed");
}

/// A job that applies what another job has planned has no settings of its own.
#[test]
fn a_saved_plan_is_applied_with_its_settings_only() {
    let mut scenario = Scenario::empty();
    let resource = "resource \"terraform_data\" \"a\" {}\n";
    scenario.write("stack/main.tf", &format!("terraform {{\n  backend \"local\" {{}}\n}}\n\n{resource}"));
    scenario.quietly("init -backend-config=path=../states/a.tfstate stack");
    scenario.quietly("plan -out=p.plan stack");
    scenario.quietly("init -reconfigure -backend-config=path=../states/b.tfstate stack");
    scenario.run("apply p.plan");
    scenario.note("remove stack/.pipectl");
    std::fs::remove_dir_all(scenario.file("stack/.pipectl")).unwrap();
    scenario.run("apply p.plan");
    assert!(!scenario.file("stack/.pipectl").exists() && !scenario.file("states").exists());
    scenario.quietly("init -backend-config=path=../states/a.tfstate stack");
    scenario.quietly("apply p.plan");
    assert!(scenario.file("states/a.pipectl/default/log").is_file());
    scenario.check("a_saved_plan_is_applied_with_its_settings_only");
}

/// What a checkout has made is not made a second time because its `backend` block, or what completes it, is another.
#[test]
fn a_state_does_not_begin_anew_where_its_backend_has_changed() {
    let mut scenario = Scenario::empty();
    let resource = "resource \"terraform_data\" \"a\" {}\n";
    let within = |block: &str| format!("pipeline \"p\" {{\n{block}}}\n\n{resource}");
    let local = |path: &str| within(&format!("  backend \"local\" {{\n    path = \"{path}\"\n  }}\n"));
    scenario.write("in/p.hcl", &within(""));
    scenario.quietly("apply -auto-approve in");
    scenario.note("backend \"local\" { path = \"one\" }");
    scenario.write("in/p.hcl", &local("one"));
    for command in ["plan in", "apply -auto-approve in", "init in", "show in"] {
        scenario.run(command);
    }
    scenario.run("init -backend-config=path=two in");
    assert!(!scenario.file("in/one").exists() && !scenario.file("in/.pipectl/p/.backend.hcl").exists());
    // The way that the error names.
    scenario.write("in/p.hcl", &within(""));
    let pulled = scenario.run("state pull in/p.hcl");
    std::fs::write(scenario.file("p.state"), &pulled.stdout).expect("a file can be written");
    scenario.write("in/p.hcl", &local("one"));
    scenario.run("init -reconfigure in");
    scenario.run("state push in/p.hcl p.state");
    scenario.run("plan -detailed-exitcode in");
    // It is remembered where it lies now, in which workspace.
    scenario.write("in/p.hcl", &local("three"));
    scenario.run("plan in");
    scenario.quietly("workspace new in/p.hcl dev");
    scenario.run("plan in");
    scenario.quietly("workspace select in/p.hcl default");
    scenario.run("plan in");
    // Whoever has moved it by hand need not say so.
    std::fs::rename(scenario.file("in/one"), scenario.file("in/three")).expect("the folder can be moved");
    scenario.run("plan -detailed-exitcode in");
    scenario.quietly("apply -auto-approve in");
    scenario.write("in/p.hcl", &within(""));
    scenario.quietly("init -reconfigure in");
    // A copy has its own.
    scenario.write("copy/p.hcl", &local("three"));
    scenario.run("plan -detailed-exitcode copy");
    scenario.check("a_state_does_not_begin_anew_where_its_backend_has_changed");
}

#[test]
fn settings_of_a_backend_that_cannot_be_followed_name_the_way_out() {
    let mut scenario = Scenario::empty();
    let root = "terraform {\n  backend \"local\" {}\n}\n\noutput \"one\" {\n  value = 1\n}\n";
    scenario.write("stack/main.tf", root);
    scenario.quietly("init -backend-config=path=a.tfstate stack");
    let stored = scenario.read("stack/.pipectl/default/.backend.hcl");
    assert_eq!(
        stored,
        "# What `init -backend-config` was given for `.`.\nbackend \"local\" {\n  path = \"a.tfstate\"\n}\n"
    );
    let file = "stack/.pipectl/default/.backend.hcl";
    for text in ["", "backend \"local\" {\n", "path = \"a.tfstate\"\n", "backend \"local\" {\n  paht = \"a\"\n}\n"] {
        scenario.note(&format!("{file}: {text:?}"));
        scenario.write(file, text);
        scenario.run("plan stack");
        scenario.run("init -backend-config=path=b.tfstate stack");
        assert_eq!(scenario.read(file), text);
        // Who does not look at the state does without.
        scenario.quietly("validate stack");
        scenario.quietly("test stack");
        scenario.quietly("init -backend=false stack");
    }
    std::fs::write(scenario.file(file), b"\xff").expect("a file can be written");
    scenario.run("plan stack");
    scenario.run("init -backend-config=path=b.tfstate stack");
    scenario.quietly("init -reconfigure -backend-config=path=a.tfstate stack");
    // Another spelling is no other place.
    scenario
        .write(file, "# checked out on another machine\r\nbackend \"local\" {\r\n  path = \"./a.tfstate\"\r\n}\r\n");
    scenario.quietly("init -backend-config=path=a.tfstate stack");
    scenario.edit(
        "stack/main.tf",
        "backend \"local\" {}",
        "backend \"s3\" {\n    bucket = \"b\"\n    key    = \"k\"\n  }",
    );
    scenario.run("plan stack");
    scenario.write("stack/main.tf", "output \"one\" {\n  value = 1\n}\n");
    scenario.run("plan stack");
    scenario.run("init -reconfigure stack");
    scenario.quietly("plan stack");
    assert!(!scenario.file(file).exists());
    scenario.check("settings_of_a_backend_that_cannot_be_followed_name_the_way_out");
}

#[test]
fn settings_of_several_pipelines_are_not_forgotten_at_once() {
    let mut scenario = Scenario::empty();
    for name in ["a", "b"] {
        scenario.write(&format!("{name}.hcl"), &format!("pipeline \"{name}\" {{\n  backend \"local\" {{}}\n}}\n"));
        scenario.quietly(&format!("init {name}.hcl -backend-config=path=states/{name}"));
    }
    scenario.run("init -reconfigure");
    assert!(["a", "b"].iter().all(|name| scenario.file(&format!(".pipectl/{name}/.backend.hcl")).is_file()));
    scenario.check("settings_of_several_pipelines_are_not_forgotten_at_once");
}

/// Of many that begin at once, one stores its settings, and all others are told.
#[test]
fn settings_of_a_backend_are_stored_once() {
    let scenario = Scenario::empty();
    scenario.write("main.tf", "terraform {\n  backend \"local\" {}\n}\n");
    let begun: Vec<_> = (0..8)
        .map(|number| {
            let mut command = scenario.command(&format!("init -backend-config=path={number}.tfstate"));
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
            command.spawn().expect("the program starts")
        })
        .collect();
    let ended: Vec<_> = begun.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect();
    let (ready, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|output| output.status.success());
    assert_eq!((ready.len(), refused.len()), (1, 7));
    for output in refused {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("error: Backend configuration changed"), "{said}");
    }
}

#[test]
fn secrets_in_settings_of_a_backend_are_not_shown() {
    let mut scenario = Scenario::empty();
    scenario.write("p.hcl", "pipeline \"p\" {\n  backend \"s3\" {}\n}\n");
    for (number, line) in [
        "secret_key = \"CANARY",
        "secret_key = CANARY",
        "secret_key \"CANARY\"",
        "secret_key = \"CANARY\" \"x\"",
        "CANARY {}",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{number}.tfbackend");
        scenario.write(&name, &format!("bucket = \"b\"\n{line}\n"));
        scenario.run(&format!("init p.hcl -backend-config={name}"));
        std::fs::remove_file(scenario.file(&name)).expect("it was written");
    }
    for word in ["secret_key:CANARY", "'endpoints={ s3 = \"http://user:CANARY@host\" }'", "endpoint=http://CANARY@host"]
    {
        let line = format!("init p.hcl -backend-config={word}");
        let output = scenario.command(&line).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.contains("CANARY"), "{said}");
        scenario.note(&format!("{}\n{said}", line.replace("CANARY", "..")));
    }
    assert!(scenario.files_with("CANARY").is_empty());
    scenario.check("secrets_in_settings_of_a_backend_are_not_shown");
}
