//! Ephemeral values: opened for a plan and for an apply, given to what must not be stored, and in no file.

use std::time::Duration;

use pipectl_engine::{InputValue, Origin, Planned, VariableInput};
use pipectl_sim::Settings;
use pipectl_state::Encryption;

use crate::bed::{Bed, texts};
use crate::render;

const ACCOUNT: &str = r#"
variable "pin" {
  type      = string
  ephemeral = true
}
variable "version" {
  type    = number
  default = 1
}
ephemeral "test_lease" "database" {
  name = "database"
}
locals {
  password = "${ephemeral.test_lease.database.token}-${var.pin}"
}
resource "test_account" "a" {
  name             = "a"
  password         = local.password
  password_version = var.version
  login {
    user   = "u"
    secret = var.pin
  }
}
output "password" {
  value     = [test_account.a.password, test_account.a.login[0].secret, ephemeralasnull(local.password)]
  sensitive = true
}
"#;

fn given(name: &str, text: &str) -> VariableInput {
    VariableInput { name: name.to_owned(), value: InputValue::Text(text.to_owned()), origin: Origin::CommandLine }
}

#[tokio::test]
async fn what_is_write_only_reaches_its_provider_and_no_file() {
    // `version` is a name that modules reserve.
    let text = ACCOUNT.replace("\"version\"", "\"edition\"").replace("var.version", "var.edition");
    let mut bed = Bed::calm();
    bed.inputs = vec![given("pin", "hunter2-pin")];
    let planned = bed.plan(&text).await.unwrap();
    assert_eq!(bed.journal.take(), ["open database", "close database"]);
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "a plan file has no ephemeral value");
    assert!(!render::plan(&planned.plan).contains("hunter2"));

    bed.inputs = vec![given("pin", "hunter2-other")];
    let applied = bed.apply_planned(Planned::open(&bytes, &bed.inputs, &Encryption::none()).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(
        bed.journal.take(),
        ["open database", "make a with hunter2-database-hunter2-other [u:hunter2-other]", "close database"]
    );
    let state = format!("{:?}", applied.state);
    assert!(!state.contains("hunter2"), "{state}");
    assert_eq!(applied.state.outputs["password"].value, serde_json::json!([null, null, null]));

    // Another value alone is no change, and nothing is opened for it when the plan is applied.
    bed.inputs = vec![given("pin", "third")];
    let planned = bed.plan(&text).await.unwrap();
    assert!(!planned.plan.has_changes(), "{}", render::plan(&planned.plan));
    bed.journal.take();
    assert!(bed.apply_planned(planned).await.succeeded());
    assert_eq!(bed.journal.take(), Vec::<String>::new());

    bed.inputs.push(given("edition", "2"));
    bed.succeed(&text).await;
    assert!(bed.journal.take().contains(&"change a with hunter2-database-third [u:third]".to_owned()));
}

#[tokio::test]
async fn a_saved_plan_takes_the_ephemeral_variables_that_it_was_made_with() {
    let text = "variable \"e\" {\n  ephemeral = true\n  default   = 1\n}\nresource \"terraform_data\" \"a\" {}\n";
    let mut bed = Bed::calm();
    let without = bed.plan(text).await.unwrap().plan.save(&Encryption::none()).unwrap();
    bed.inputs = vec![given("e", "2")];
    let with = bed.plan(text).await.unwrap().plan.save(&Encryption::none()).unwrap();
    let summaries = |bytes: &[u8], inputs: &[VariableInput]| match Planned::open(bytes, inputs, &Encryption::none()) {
        Ok(_) => String::new(),
        Err(problems) => texts(&problems),
    };
    assert_eq!(summaries(&without, &[]), "");
    assert_eq!(summaries(&with, &[given("e", "3")]), "");
    assert!(summaries(&with, &[]).starts_with("No value for required variable"));
    assert!(summaries(&without, &[given("e", "3")]).starts_with("Ephemeral variable was not set during planning"));
}

#[tokio::test]
async fn what_is_known_after_apply_is_opened_then() {
    let bed = Bed::calm();
    let text = r#"
resource "sim_network" "n" {
  name = "n"
}
ephemeral "test_lease" "late" {
  for_each = { a = sim_network.n.id }
  name     = "late-${each.value}"
  lifecycle {
    postcondition {
      condition     = startswith(self.token, "hunter2")
      error_message = "No token."
    }
  }
}
resource "test_account" "a" {
  name     = "a"
  password = ephemeral.test_lease.late["a"].token
}
"#;
    let planned = bed.plan(text).await.unwrap();
    assert_eq!(bed.journal.take(), Vec::<String>::new());
    assert!(bed.apply_planned(planned).await.succeeded());
    let late = "late-sim_network-n-1";
    assert_eq!(
        bed.journal.take(),
        [format!("open {late}"), format!("make a with hunter2-{late} []"), format!("close {late}")]
    );
}

/// What comes of an apply that opens a lease, makes an object for a while, and closes the lease; and what was done with the lease.
async fn leased(fails: &str) -> (String, Vec<String>) {
    let latency = Duration::from_millis(200);
    let bed = Bed::new(Settings { latency: latency..=latency, ..Settings::default() });
    let text = r#"
resource "sim_network" "first" {
  name = "first"
}
ephemeral "test_lease" "short" {
  name        = "short-${sim_network.first.id}"
  renew_after = 0.001
  fails       = "FAILS"
}
resource "sim_network" "second" {
  name = "second"
  lifecycle {
    precondition {
      condition     = ephemeral.test_lease.short.token != ""
      error_message = "No token."
    }
  }
}
"#;
    let applied = bed.apply(&text.replace("FAILS", fails)).await;
    let journal = bed.journal.take();
    let verb = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
    (texts(&applied.diagnostics), journal.into_iter().map(verb).collect())
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_run_goes_on() {
    let (told, done) = leased("nothing").await;
    assert_eq!(told, "");
    assert_eq!((done.first().map(String::as_str), done.last().map(String::as_str)), (Some("open"), Some("close")));
    assert!(done.contains(&"renew".to_owned()), "{done:?}");
    for fails in ["open", "renew", "close"] {
        let (told, done) = leased(fails).await;
        assert!(told.contains(&format!("It could not {fails}")), "{fails}: {told}");
        // What did not open is not closed.
        assert_eq!(done.last().map(String::as_str), Some(if fails == "open" { "open" } else { "close" }));
    }
}

#[tokio::test]
async fn ephemeral_values_stay_where_they_may_be() {
    let bed = Bed::calm();
    let text = r#"
ephemeral "test_lease" "a" {
  name = "a"
}
resource "terraform_data" "stored" {
  input            = { token = ephemeral.test_lease.a.token, plain = 1 }
  triggers_replace = [terraform.applying]
}
resource "terraform_data" "counted" {
  count = length(ephemeral.test_lease.a.token)
}
output "shown" {
  value = ephemeral.test_lease.a.token
}
ephemeral "test_lease" "b" {
  name = ephemeral.test_lease.a.token
  lifecycle {
    prevent_destroy = true
  }
}
ephemeral "test_laese" "c" {}
"#;
    let configuration = bed.configuration(text);
    assert!(texts(&configuration.err().unwrap()).starts_with("Invalid ephemeral resource lifecycle argument"));
    let text = text.replace("  lifecycle {\n    prevent_destroy = true\n  }\n", "");
    let found = texts(&bed.engine().validate(&bed.configuration(&text).unwrap()));
    for expected in [
        "Invalid ephemeral resource: There is no ephemeral resource \"test_laese\". Did you mean \"test_lease\"?",
        "Invalid use of ephemeral value: Ephemeral values are not valid for `input`",
        "Invalid use of ephemeral value: Ephemeral values are not valid for `triggers_replace`",
        "Ephemeral value not allowed: The value of output \"shown\" is ephemeral",
    ] {
        assert!(found.contains(expected), "{expected} in {found}");
    }
    let text = text.replace("ephemeral \"test_laese\" \"c\" {}\n", "");
    let found = texts(&bed.plan(&text).await.err().unwrap());
    assert!(found.contains("Invalid count argument"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
    assert_eq!(bed.journal.take(), ["open a", "open hunter2-a", "close hunter2-a", "close a"], "the last first");
}

#[tokio::test]
async fn what_is_refused_for_being_ephemeral_is_called_that() {
    let bed = Bed::calm();
    let variable = |marks: &str| format!("variable \"v\" {{\n  default = \"x\"\n{marks}}}\n");
    let ephemeral = variable("  ephemeral = true\n");
    let both = variable("  ephemeral = true\n  sensitive = true\n");
    let output = "output \"o\" {\n  value = var.v\n}\n";
    let import =
        "import {\n  to = sim_network.n\n  id = var.v\n}\nresource \"sim_network\" \"n\" {\n  name = \"n\"\n}\n";
    let key = "provider \"sim\" {\n  alias    = \"by\"\n  for_each = { x = 1 }\n}\nresource \"sim_network\" \"n\" {\n  \
               provider = sim.by[var.v]\n  name     = \"n\"\n}\n";
    let problems = bed.plan(&format!("{both}{output}")).await.err().unwrap();
    assert!(texts(&problems).contains("something sensitive that is ephemeral, too"), "{}", texts(&problems));
    assert!(problems.iter().all(|problem| problem.hints.is_empty()), "no mark of the output would help: {problems:?}");
    for text in [format!("{ephemeral}{import}"), format!("{ephemeral}{key}")] {
        let problems = bed.plan(&text).await.err().unwrap_or_else(|| panic!("accepted: {text}"));
        let told = texts(&problems);
        assert!(told.contains("ephemeral") && !told.contains("sensitive"), "{told}");
    }
}
