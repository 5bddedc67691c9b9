//! Commands that edit the state, and workspaces.

use super::scenario::Scenario;

#[test]
fn moving_and_forgetting() {
    let mut scenario = Scenario::of("cluster");
    scenario.run("state mv terraform_data.network terraform_data.net");
    scenario.quietly("apply -auto-approve -parallelism=1");
    for line in [
        "state mv -dry-run terraform_data.network terraform_data.net",
        "state mv terraform_data.network terraform_data.net",
        "state mv terraform_data.node terraform_data.host",
        "state list",
        "state list terraform_data.hots",
        "state show terraform_data.net",
        "state mv terraform_data.host[0] terraform_data.first",
        "state mv terraform_data.host terraform_data.first",
        "state mv terraform_data.host[1] terraform_data.first[1]",
        "state mv terraform_data.first[1] terraform_data.net",
        "state mv terraform_data.first[1] terraform_date.x",
        "state mv terraform_data.first terraform_data.x[0]",
        "state mv terraform_data.frist terraform_data.x",
        "state mv terraform_data.host",
        "state rm -dry-run terraform_data.first",
        "state rm terraform_data.hots",
        "state rm terraform_data.host terraform_data.first",
        "state list",
        "state replace-provider hashicorp/random registry.acme.corp/acme/random",
        "state replace-provider terraform.io/builtin/terraform registry.acme.corp/acme/terraform",
        "state replace-provider -auto-approve terraform.io/builtin/terraform registry.acme.corp/acme/terraform",
        "state replace-provider -auto-approve registry.acme.corp/acme/terraform terraform.io/builtin/terraform",
        "state replace-provider terraform 'a b'",
        "state rm -lock=false terraform_data.net",
        "force-unlock -force 1234",
    ] {
        scenario.run(line);
    }
    scenario.check("state_editing");
}

#[test]
fn modules_move_with_everything_inside() {
    let mut scenario = Scenario::empty();
    scenario.write("m/main.tf", "variable \"in\" {}\n\nresource \"terraform_data\" \"inner\" {\n  input = var.in\n}\n\nresource \"terraform_data\" \"user\" {\n  input = terraform_data.inner.id\n}\n");
    let call = |name: &str, keys: &str| {
        format!("module \"{name}\" {{\n  source   = \"./m\"\n  for_each = toset({keys})\n  in       = each.key\n}}\n")
    };
    scenario.write("main.tf", &call("m", "[\"a\", \"b\"]"));
    scenario.quietly("apply -auto-approve -parallelism=1");
    for line in [
        "state mv -dry-run module.m[\"a\"] module.n",
        "state mv module.m[\"a\"] module.m[\"b\"]",
        "state mv module.m[\"a\"] terraform_data.x",
        "state mv module.m module.n[\"a\"]",
        "state mv module.n module.m",
        "state mv module.m module.n",
        "state rm -dry-run module.n[\"b\"]",
        "state rm module.n.terraform_data.inner",
        "state rm module.m",
    ] {
        scenario.run(line);
    }
    // The configuration follows: nothing is made again.
    scenario.write("main.tf", &call("n", "[\"a\", \"b\"]"));
    scenario.run("plan -detailed-exitcode");
    scenario.run("state rm module.n");
    scenario.check("state_editing_of_modules");
}

#[test]
fn tainting() {
    let mut scenario = Scenario::of("cluster");
    scenario.quietly("apply -auto-approve -parallelism=1");
    for line in [
        "taint terraform_data.network",
        "taint terraform_data.network",
        "plan",
        "untaint terraform_data.network",
        "untaint terraform_data.network",
        "taint terraform_data.netwrok",
        "untaint -allow-missing terraform_data.b",
        "taint module.a",
        "taint data.terraform_remote_state.a",
        "plan -detailed-exitcode",
    ] {
        scenario.run(line);
    }
    scenario.check("tainting");
}

#[test]
fn a_moved_block_is_not_made_again() {
    let mut scenario = Scenario::of("cluster");
    scenario.quietly("apply -auto-approve -parallelism=1");
    scenario.quietly("state mv terraform_data.network terraform_data.net");
    let text = scenario.read("main.tf").replace("\"network\"", "\"net\"").replace("data.network", "data.net");
    scenario.write("main.tf", &text);
    let output = scenario.command("plan -detailed-exitcode").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn importing() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        "resource \"terraform_data\" \"a\" {}\n\nresource \"terraform_data\" \"b\" {\n  count = 1\n}\n\n\
         resource \"terraform_data\" \"c\" {\n  input = [local.far, module.m.id]\n}\n\n\
         locals {\n  far = local.near\n  near = terraform_data.a.id\n}\n\nmodule \"m\" {\n  source = \"./m\"\n}\n",
    );
    scenario.write(
        "m/main.tf",
        "resource \"terraform_data\" \"inner\" {}\n\noutput \"id\" {\n  value = terraform_data.inner.id\n}\n",
    );
    for line in [
        "import terraform_data.a an-id",
        "state show terraform_data.a",
        "plan -detailed-exitcode -target=terraform_data.a",
        "import terraform_data.a another",
        "import terraform_data.b[0] other",
        "import terraform_data.b other",
        "import terraform_data.none x",
        "import terraform_data.a",
        "state list",
    ] {
        scenario.run(line);
    }
    // What an imported object needs, through whatever has a name, is kept with it: it must outlive that.
    scenario.quietly("import terraform_data.c third");
    let state: serde_json::Value =
        serde_json::from_slice(&scenario.command("show -json").output().unwrap().stdout).unwrap();
    let resources = state["values"]["root_module"]["resources"].as_array().unwrap();
    let imported = resources.iter().find(|one| one["address"] == "terraform_data.c").unwrap();
    assert_eq!(imported["depends_on"], serde_json::json!(["module.m.terraform_data.inner", "terraform_data.a"]));
    scenario.check("importing");
}

#[test]
fn refreshing() {
    let mut scenario = Scenario::of("cluster");
    scenario.quietly("apply -auto-approve -parallelism=1");
    scenario.run("refresh -parallelism=1");
    scenario.run("plan -refresh-only -detailed-exitcode");
    scenario.check("refreshing");
}

#[test]
fn workspaces() {
    let mut scenario = Scenario::of("cluster");
    for line in [
        "workspace list",
        "workspace show",
        "workspace new eu",
        "workspace new eu",
        "workspace new ../eu",
        "workspace list",
        "apply -auto-approve -parallelism=1 -target=terraform_data.network",
        "workspace select default",
        "state list",
        "workspace delete eu",
        "workspace delete -force eu",
        "workspace select eu",
        "workspace select -or-create us",
        "workspace delete us",
        "workspace delete default",
        "workspace list",
        "workspace select",
    ] {
        scenario.run(line);
    }
    scenario.set("TF_WORKSPACE", "asia");
    scenario.run("workspace show");
    scenario.run("workspace select us");
    scenario.check("workspaces");
}

#[test]
fn objects_are_found_by_their_id() {
    let mut scenario = Scenario::empty();
    scenario.write("main.tf", "resource \"terraform_data\" \"x\" {}\n\nresource \"terraform_data\" \"y\" {}\n");
    scenario.run("init -input=false -get=false -lock=false -lock-timeout=5m");
    scenario.quietly("import terraform_data.x abc");
    scenario.quietly("import terraform_data.y def");
    scenario.run("state list -id=abc");
    scenario.run("state list -id=abc terraform_data.y");
    scenario.check("objects_are_found_by_their_id");
}
