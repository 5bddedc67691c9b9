//! `console`: expressions from standard input.

use super::scenario::Scenario;

#[test]
fn a_calculator_in_an_empty_folder() {
    let mut scenario = Scenario::empty();
    for text in [
        "1 + 1\n",
        "1 + 1\n2 + 2\n",
        "{\n  a = 1\n  b = [1,\n  2]\n}\n",
        "{ a = \"x\\ny\\n\", b = [null, tostring(null), tolist([\"a\"]), toset([]), tomap({}), {}, tolist(null)] }\n",
        "1 / 3\n",
        "1 / 0\n",
        "sensitive(\"a\")\n",
        "type({ a = 1, b = tolist([[\"x\"]]), c = tolist([tolist([1])]) })\n",
        "type(1) + 1\n",
        "type(type(1))\n",
        "(core::type([1]))\n",
        "[type(1)]\n",
        "<<EOT\na (\n\n  b\nEOT\n",
        "terraform.workspace\n",
        "\"$${x} %%{y}\"\n",
        "exit\n",
        "\n",
        "",
        "foo(\n",
        "var.x\n",
        "1 +\n",
        "1\nvar.x\n2\n",
    ] {
        scenario.feed("console", text);
    }
    scenario.check("console");
}

#[test]
fn one_whole_expression_as_json() {
    let mut scenario = Scenario::empty();
    for text in [
        "1/3",
        "[1, \"a\", { b = null, c = true }]",
        "\n1 +\n2\n",
        "<<EOT\nabc\nEOT\n",
        "{\n  a = 1 # one\n  b = toset([\"y\", \"x\"])\n}\n",
        "12345678901234567890123",
        "type([1])",
        "sensitive(\"hunter2\")",
        "[sensitive(\"hunter2\")]",
        "1/0",
        "upper(1, 2)",
        "\"${",
        "",
    ] {
        scenario.feed("console --json", text);
    }
    scenario.check("console_json");
}

#[test]
fn what_a_root_module_has() {
    let mut scenario = Scenario::of("cluster");
    scenario.write(
        "more.tf",
        "variable \"needed\" {}\n\nvariable \"password\" {\n  default   = \"hunter2\"\n  sensitive = true\n}\n\nlocals {\n  twice = \
         [local.once, local.once]\n  once  = \"${var.address}!\"\n}\n",
    );
    scenario.feed("console", "terraform_data.network\n");
    scenario.quietly("apply -auto-approve -parallelism=1 -var needed=1");
    for text in [
        "local.twice\n",
        "terraform_data.network.output\n",
        "terraform_data.node[*].output\n",
        "terraform_data.node\n",
        "var.needed\n",
        "var.password\n",
        "[var.password]\n",
        "var.adress\n",
        "terraform_data.nodes\n",
        "length(terraform_data.node)\n",
    ] {
        scenario.feed("console", text);
    }
    scenario.write("bad.tf", "locals {\n  bad = var.password.x\n  a   = local.b\n  b   = local.a\n}\n");
    scenario.feed("console", "local.bad\n");
    scenario.feed("console", "local.a\n");
    scenario.feed("console -json -var address=10.0.0.0/8", "local.twice");
    scenario.feed("console -json", "var.needed");
    scenario.feed("console absent.tf", "1");
    scenario.write("broken.tf", "locals {\n  a =\n}\n");
    scenario.feed("console", "1");
    scenario.check("console_root");
}

#[test]
fn modules_and_paths() {
    let mut scenario = Scenario::empty();
    scenario.write(
        "main.tf",
        r#"variable "n" {}

resource "terraform_data" "one" {
  input = "x"
}

resource "terraform_data" "zero" {
  count = 0
}

module "m" {
  source = "./m"
  in     = terraform_data.one.output
}

module "each" {
  source   = "./m"
  for_each = toset(["a", "b"])
  in       = each.key
}

module "empty" {
  source = "./m"
  count  = 0
  in     = "q"
}

module "unknown" {
  source = "./m"
  count  = var.n
  in     = "q"
}
"#,
    );
    scenario.write(
        "m/main.tf",
        r#"variable "in" {}

resource "terraform_data" "inner" {
  input = var.in
}

output "upper" {
  value = upper(var.in)
}

output "made" {
  value = terraform_data.inner.output
}

output "places" {
  value = [path.module, path.root, path.cwd]
}
"#,
    );
    scenario.feed("console", "module.m\n");
    scenario.quietly("apply -auto-approve -parallelism=1 -var n=1");
    for text in [
        "module.m\n",
        "module.each\n",
        "module.each[\"b\"].made\n",
        "module.empty\n",
        "module.unknown[0].upper\n",
        "terraform_data.zero\n",
        "[path.cwd, path.root, path.module]\n",
        "module.none\n",
        "module.m.nope\n",
        "length(timestamp())\n",
    ] {
        scenario.feed("console", text);
    }
    scenario.check("console_modules");
}
