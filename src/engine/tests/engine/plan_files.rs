//! Plans in files: what they hold, what they do not hold, and when they are refused.

use pipectl_engine::{InputValue, MAGIC, Origin, Planned, VariableInput, is_plan_file, root_of_plan_file};
use pipectl_state::{Encryption, Passphrase};

use crate::bed::{Bed, texts};
use crate::render;

const SECRET: &str = r#"
variable "password" {
  type      = string
  sensitive = true
}
variable "size" {
  type    = number
  default = 2
}
resource "sim_instance" "web" {
  name = "web"
  size = var.size
  tags = { password = var.password, plain = "x" }
}
resource "terraform_data" "later" {
  input = [sim_instance.web.id, sim_instance.web.tags]
}
output "id" {
  value = sim_instance.web.id
}
output "password" {
  value     = terraform_data.later.output[1].password
  sensitive = true
}
"#;

fn given(name: &str, text: &str, origin: Origin) -> VariableInput {
    VariableInput { name: name.to_owned(), value: InputValue::Text(text.to_owned()), origin }
}

#[tokio::test]
async fn a_saved_plan_does_the_same() {
    let bed = Bed::calm().with_variable("password", "hunter2");
    let planned = bed.plan(SECRET).await.unwrap();
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    assert!(is_plan_file(&bytes[..MAGIC.len()]) && !is_plan_file(b"variable"));
    let opened = Planned::open(&bytes, &[], &Encryption::none()).unwrap();
    assert_eq!(render::plan(&opened.plan), render::plan(&planned.plan));
    assert!(!render::plan(&opened.plan).contains("hunter2"), "what is sensitive is still not shown");
    let applied = bed.apply_planned(opened).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(applied.state.outputs["password"].value, "hunter2");
    let again = bed.plan(SECRET).await.unwrap();
    assert!(!again.plan.has_changes(), "{}", render::plan(&again.plan));
    // A plan without changes has nothing of the objects in it, and still gives the same values.
    let bytes = again.plan.save(&Encryption::none()).unwrap();
    let applied = bed.apply_planned(Planned::open(&bytes, &[], &Encryption::none()).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
}

#[tokio::test]
async fn variables_must_be_those_of_the_plan() {
    let bed = Bed::calm().with_variable("password", "hunter2").with_variable("size", "3");
    let bytes = bed.plan(SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    let open = |inputs: &[VariableInput]| match Planned::open(&bytes, inputs, &Encryption::none()) {
        Ok(_) => String::new(),
        Err(problems) => texts(&problems),
    };
    let password = given("password", "hunter2", Origin::Environment);
    assert_eq!(open(std::slice::from_ref(&password)), "");
    assert_eq!(open(&[password.clone(), given("size", "3", Origin::CommandLine)]), "");
    assert_eq!(
        open(&[password.clone(), given("size", "7", Origin::Environment)]),
        "",
        "the plan keeps what was said then"
    );
    assert!(open(&[password, given("size", "7", Origin::CommandLine)]).starts_with("Variable differs from the plan"));
    assert!(open(&[given("password", "other", Origin::CommandLine)]).starts_with("Variable differs from the plan"));
    assert_eq!(open(&[given("password", "other", Origin::Environment)]), "", "so it does of a secret");
    assert_eq!(open(&[]), "");
}

#[tokio::test]
async fn ephemeral_values_are_given_again() {
    let text = r#"
variable "token" {
  type      = string
  ephemeral = true
}
check "token" {
  assert {
    condition     = length(var.token) == 7
    error_message = "It has not seven letters."
  }
}
"#;
    let bed = Bed::calm().with_variable("token", "hunter2");
    let bytes = bed.plan(text).await.unwrap().plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    assert!(
        texts(&Planned::open(&bytes, &[], &Encryption::none()).map(drop).unwrap_err())
            .starts_with("No value for required variable")
    );
    let another =
        Planned::open(&bytes, &[given("token", "seven-7", Origin::Environment)], &Encryption::none()).unwrap();
    assert!(bed.apply_planned(another).await.succeeded());
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let bed = Bed::calm().with_variable("password", "hunter2");
    let bytes = bed.plan(SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    for index in (0..bytes.len()).step_by(7).chain(0..MAGIC.len() + 90) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0x10;
        assert!(Planned::open(&damaged, &bed.inputs, &Encryption::none()).is_err(), "byte {index}");
    }
    for length in [0, 5, MAGIC.len(), MAGIC.len() + 20, bytes.len() - 1] {
        assert!(Planned::open(&bytes[..length], &bed.inputs, &Encryption::none()).is_err(), "{length} bytes");
    }
    for (format, word) in [(2, "older"), (4, "newer")] {
        let mut other = MAGIC.to_vec();
        other.extend(format!("{{\"format\":{format}}}\n{{}}").as_bytes());
        assert!(texts(&Planned::open(&other, &[], &Encryption::none()).map(drop).unwrap_err()).contains(word));
    }
}

#[tokio::test]
async fn a_stale_file_is_refused_and_so_is_another_workspace() {
    let bed = Bed::calm().with_variable("password", "hunter2");
    let bytes = bed.plan(SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    let elsewhere = Planned::open(&bytes, &bed.inputs, &Encryption::none()).unwrap();
    let mut engine = bed.engine();
    engine.workspace = "other".to_owned();
    assert!(texts(&engine.apply(elsewhere, bed.lock()).await.diagnostics).starts_with("Plan of another workspace"));
    bed.succeed(SECRET).await;
    let late = bed.apply_planned(Planned::open(&bytes, &bed.inputs, &Encryption::none()).unwrap()).await;
    assert!(texts(&late.diagnostics).starts_with("Saved plan is stale: The plan was made before anything existed"));
}

#[tokio::test]
async fn drift_of_an_object_with_secrets_is_in_the_plan() {
    let bed = Bed::calm().with_variable("password", "hunter2");
    bed.succeed(SECRET).await;
    bed.world.edit("sim_instance-web-1", "size", 8.into());
    let planned = bed.plan(SECRET).await.unwrap();
    assert_eq!(planned.plan.summary().change, 1, "{}", render::plan(&planned.plan));
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    let opened = Planned::open(&bytes, &bed.inputs, &Encryption::none()).unwrap();
    assert_eq!(opened.plan.observed, planned.plan.observed);
    let applied = bed.apply_planned(opened).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(bed.world.objects()[0].attributes.attribute("size").unwrap().to_string(), "2");
}

#[tokio::test]
async fn an_encrypted_plan_opens_with_its_passphrase_only() {
    let bed = Bed::calm().with_variable("password", "hunter2");
    let encryption = |text: &str| Encryption::with(Passphrase::new(text).unwrap());
    let mine = encryption("a passphrase of mine");
    let bytes = bed.plan(SECRET).await.unwrap().plan.save(&mine).unwrap();
    assert!(is_plan_file(&bytes) && !String::from_utf8_lossy(&bytes).contains("sim_instance"));
    assert_eq!(root_of_plan_file(&bytes).as_deref(), Some("main.hcl"), "it tells whose passphrase it needs");
    let opened = |encryption: &Encryption| Planned::open(&bytes, &bed.inputs, encryption).map(drop);
    assert!(texts(&opened(&Encryption::none()).unwrap_err()).contains("there is no passphrase"));
    assert!(texts(&opened(&encryption("another passphrase")).unwrap_err()).contains("another passphrase (key"));
    let rotated = encryption("the passphrase after").also_opening(Passphrase::new("a passphrase of mine").unwrap());
    assert!(opened(&rotated).is_ok());
    let applied = bed.apply_planned(Planned::open(&bytes, &bed.inputs, &mine).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    // A plan in clear is refused where only what is encrypted is accepted: anybody could have made it.
    let clear = bed.plan(SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    assert!(Planned::open(&clear, &bed.inputs, &mine).is_ok());
    assert!(Planned::open(&clear, &bed.inputs, &mine.refusing_clear()).is_err());
}

const VAULT: &str = r#"
resource "terraform_data" "before" {
  input = "v-1"
}
resource "test_vault" "main" {
  label = "mine"
}
import {
  to = test_vault.main
  id = terraform_data.before.input
}
output "key" {
  value     = test_vault.main.key
  sensitive = true
}
"#;

#[tokio::test]
async fn an_import_with_secrets_is_in_the_plan() {
    for text in [VAULT.to_owned(), VAULT.replace("\"mine\"", "null")] {
        let bed = Bed::calm();
        let planned = bed.plan(&text).await.unwrap();
        let bytes = planned.plan.save(&Encryption::none()).unwrap();
        let opened = Planned::open(&bytes, &[], &Encryption::none()).unwrap();
        assert_eq!(opened.plan.summary(), planned.plan.summary());
        let applied = bed.apply_planned(opened).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        assert_eq!(applied.summary.import, 1);
        assert_eq!(applied.state.outputs["key"].value, "hunter2");
        let again = bed.plan(&text).await.unwrap();
        assert!(!again.plan.has_changes(), "{}", render::plan(&again.plan));
    }
}

#[tokio::test]
async fn the_time_of_a_plan_is_that_of_its_apply() {
    let text = "output \"when\" {\n  value = plantimestamp()\n}\n";
    let bed = Bed::calm();
    let mut planned = bed.plan(text).await.unwrap();
    assert_eq!(planned.plan.outputs[0].after, Some("1970-01-01T00:00:00Z".into()), "it is known");
    planned.plan.made = 60;
    let opened = Planned::open(&planned.plan.save(&Encryption::none()).unwrap(), &[], &Encryption::none()).unwrap();
    let applied = bed.apply_planned(opened).await;
    assert_eq!(applied.state.outputs["when"].value, "1970-01-01T00:01:00Z");
}
