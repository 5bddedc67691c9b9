//! What is kept of secrets, and of sensitive values that a provider decides.

use pipectl_engine::{Applied, Planned};
use pipectl_state::Encryption;

use crate::bed::{Bed, texts};
use crate::render;

const WITH_SECRET: &str = r#"
resource "sim_instance" "web" {
  name = "web"
  size = 2
  tags = { token = secret("env:TOKEN"), plain = "x" }
}
resource "terraform_data" "copy" {
  input = { token = secret("env:TOKEN"), id = sim_instance.web.id }
}
resource "terraform_data" "needs" {
  input = terraform_data.copy.output.token == secret("env:TOKEN")
}
"#;

/// Everything that is written down of a run: the state, the plan, the events, the findings.
pub(crate) fn written(bed: &Bed, planned: &Planned, applied: &Applied) -> String {
    let plan = planned.plan.save(&Encryption::none()).unwrap();
    let state = serde_json::to_string(&bed.state()).unwrap();
    let (events, found) = (format!("{:?}", bed.take_events()), texts(&applied.diagnostics));
    // What a crash would tell.
    let crash = format!("{:?} {:?}", planned.plan, applied.state);
    [String::from_utf8_lossy(&plan).into_owned(), state, events, found, render::plan(&planned.plan), crash].join("\n")
}

#[tokio::test]
async fn a_secret_is_never_stored_and_its_change_is_noticed() {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    let planned = bed.plan(WITH_SECRET).await.unwrap();
    let applied = bed.apply_planned(planned.clone()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &planned, &applied);
    assert!(!all.contains("hunter2"), "{all}");
    assert!(bed.world.objects()[0].attributes.to_string().contains("canary-hunter2"), "the far side has got it");
    let state = bed.state();
    assert!(state.key.is_some());
    let secrets: Vec<usize> = state.objects().map(|(_, _, object)| object.secrets.len()).collect();
    assert_eq!(secrets, [1, 2, 2], "a tag of an instance; inputs and their copies");
    let again = bed.plan(WITH_SECRET).await.unwrap();
    assert!(!again.plan.has_changes() && again.plan.drift.is_empty(), "{}", render::plan(&again.plan));
    bed.set_secret("env:TOKEN", "canary-hunter3");
    let changed = bed.plan(WITH_SECRET).await.unwrap();
    assert_eq!(changed.plan.summary().change, 3, "who compares it, too: {}", render::plan(&changed.plan));
    let applied = bed.apply_planned(changed.clone()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &changed, &applied);
    assert!(!all.contains("hunter"), "{all}");
    assert_eq!(bed.state().key, state.key, "the key of a state stays");
    assert!(!bed.plan(WITH_SECRET).await.unwrap().plan.has_changes());
    assert!(bed.destroy(WITH_SECRET).await.succeeded());
}

#[tokio::test]
async fn a_plan_is_refused_when_a_secret_is_another_one() {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    let bytes = bed.plan(WITH_SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    let open = || Planned::open(&bytes, &[], &Encryption::none()).unwrap();
    bed.set_secret("env:TOKEN", "canary-hunter3");
    let refused = bed.apply_planned(open()).await;
    let found = texts(&refused.diagnostics);
    assert!(found.contains("Secret changed since the plan: The argument `tags.token` of sim_instance.web"), "{found}");
    assert!(bed.world.objects().is_empty() && !found.contains("hunter"), "{found}");
    // The state was begun, so that a new plan is needed in any case.
    let bytes = bed.plan(WITH_SECRET).await.unwrap().plan.save(&Encryption::none()).unwrap();
    let applied = bed.apply_planned(Planned::open(&bytes, &[], &Encryption::none()).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert!(!bed.plan(WITH_SECRET).await.unwrap().plan.has_changes());
}

#[tokio::test]
async fn a_saved_plan_gives_the_secrets_of_what_stays_to_what_is_new() {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(WITH_SECRET).await;
    let more = format!(
        "{WITH_SECRET}resource \"sim_instance\" \"more\" {{\n  name = \"more\"\n  size = 1\n  tags = {{ token = terraform_data.copy.output.token }}\n}}\n"
    );
    let bytes = bed.plan(&more).await.unwrap().plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    let open = || Planned::open(&bytes, &[], &Encryption::none()).unwrap();
    bed.set_secret("env:TOKEN", "canary-hunter3");
    let refused = bed.apply_planned(open()).await;
    let found = texts(&refused.diagnostics);
    assert!(found.contains("Secret changed since the plan") && !found.contains("hunter"), "{found}");
    assert_eq!(bed.world.objects().len(), 1);
    bed.set_secret("env:TOKEN", "canary-hunter2");
    let state = bed.state();
    let applied = bed.apply_planned(open()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let made =
        bed.world.objects().into_iter().find(|object| object.attributes.attribute("name") == Some(&"more".into()));
    assert!(made.unwrap().attributes.to_string().contains("canary-hunter2"), "it has got the secret");
    let kept = serde_json::to_string(&bed.state()).unwrap();
    assert!(!kept.contains("hunter2") && bed.state().serial > state.serial, "{kept}");
    assert!(!bed.plan(&more).await.unwrap().plan.has_changes());
}

#[tokio::test]
async fn drift_of_a_secret_is_noticed_and_not_shown() {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(WITH_SECRET).await;
    let tags = pipectl_core::Value::map(
        pipectl_core::Type::String,
        [("token", "canary-edited".into()), ("plain", "x".into())],
    );
    bed.world.edit("sim_instance-web-1", "tags", tags);
    let planned = bed.plan(WITH_SECRET).await.unwrap();
    let shown = render::plan(&planned.plan);
    assert_eq!(planned.plan.summary().change, 1, "{shown}");
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    let applied = bed.apply_planned(Planned::open(&bytes, &[], &Encryption::none()).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &planned, &applied);
    assert!(!all.contains("hunter2") && !all.contains("edited"), "{all}");
}

#[tokio::test]
async fn a_secret_is_no_output() {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    let text = "output \"token\" {\n  value     = secret(\"env:TOKEN\")\n  sensitive = true\n}\n";
    let found = texts(&bed.plan(text).await.map(drop).unwrap_err());
    assert!(found.starts_with("Secret value not allowed"), "{found}");
    let text = "output \"token\" {\n  value = nonsensitive(secret(\"env:TOKEN\"))\n}\n";
    let found = texts(&bed.plan(text).await.map(drop).unwrap_err());
    assert!(found.contains("what `secret` gives stays secret") && !found.contains("hunter2"), "{found}");
    let text = "output \"token\" {\n  value = secret(\"env:NONE\")\n}\n";
    let found = texts(&bed.plan(text).await.map(drop).unwrap_err());
    assert!(found.contains("there is no secret env:NONE"), "{found}");
    assert!(bed.engine().validate(&bed.configuration(text).unwrap()).has_errors(), "an output shows it");
    let text = "locals {\n  a = secret(\"env:NONE\")\n}\n";
    assert!(bed.engine().validate(&bed.configuration(text).unwrap()).is_empty(), "secrets are not for judging");
}

#[tokio::test]
async fn what_a_provider_decides_needs_encryption() {
    let mut bed = Bed::calm();
    let text =
        "resource \"test_vault\" \"a\" {\n  label = \"a\"\n}\nimport {\n  to = test_vault.a\n  id = \"v-1\"\n}\n";
    bed.succeed(text).await;
    bed.is_encrypted = false;
    let mut new = Bed::calm();
    new.is_encrypted = false;
    for bed in [&bed, &new] {
        let found = texts(&bed.plan(text).await.map(drop).unwrap_err());
        assert!(found.starts_with("Encryption required: The provider decides `key` of test_vault.a"), "{found}");
    }
    assert!(bed.destroy(text).await.succeeded(), "it can be got rid of");
}

#[tokio::test]
async fn sensitive_values_in_clear_are_told_once() {
    let mut bed = Bed::calm().with_variable("password", "hunter2");
    bed.is_encrypted = false;
    let text = "variable \"password\" {\n  sensitive = true\n}\nresource \"terraform_data\" \"a\" {\n  input = var.password\n}\n";
    let planned = bed.plan(text).await.unwrap();
    let warnings = texts(&planned.diagnostics);
    assert!(warnings.starts_with("Sensitive values in clear: terraform_data.a will hold"), "{warnings}");
    assert!(bed.apply_planned(planned).await.succeeded());
    assert!(bed.plan(text).await.unwrap().diagnostics.is_empty(), "nothing new is stored");
    let mut bed = Bed::calm();
    bed.is_encrypted = false;
    bed.set_secret("env:TOKEN", "canary-hunter2");
    let text = "resource \"terraform_data\" \"b\" {\n  input = secret(\"env:TOKEN\")\n}\n";
    let planned = bed.plan(text).await.unwrap();
    assert!(planned.diagnostics.is_empty(), "a secret is not stored: {}", texts(&planned.diagnostics));
}

/// Types carry the names of attributes: what is made with secrets as names.
const SECRET_NAMES: &str = r#"
locals {
  names = { (secret("env:NAME")) = 1 }
}
resource "terraform_data" "names" {
  input = local.names
}
resource "terraform_data" "each" {
  input = { for name in [secret("env:NAME")] : name => true }
}
resource "terraform_data" "decoded" {
  input = jsondecode(secret("env:JSON"))
}
resource "terraform_data" "inside" {
  input = { list = [local.names], plain = { kept = "plain" } }
}
resource "terraform_data" "typed" {
  input = tolist([jsondecode(secret("env:JSON"))])
}
resource "terraform_data" "mapped" {
  input = tomap({ a = jsondecode(secret("env:JSON")) })
}
resource "terraform_data" "nothing" {
  input = slice(tolist([jsondecode(secret("env:JSON"))]), 0, 0)
}
resource "terraform_data" "no_match" {
  input = matchkeys([jsondecode(secret("env:JSON"))], ["a"], ["b"])
}
resource "terraform_data" "later" {
  input = { (secret("env:NAME")) = terraform_data.names.id }
}
"#;

#[tokio::test]
async fn names_that_are_secrets_are_not_stored_either() {
    let bed = Bed::calm();
    bed.set_secret("env:NAME", "canary-hunter2-name");
    bed.set_secret("env:JSON", r#"{ "canary-hunter2-key": "canary-hunter2-value" }"#);
    let planned = bed.plan(SECRET_NAMES).await.unwrap();
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    let applied = bed.apply_planned(Planned::open(&bytes, &[], &Encryption::none()).unwrap()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &planned, &applied);
    assert!(!all.contains("hunter2"), "{all}");
    let stored = bed.state();
    let inside = stored.object(&crate::bed::address("terraform_data.inside")).unwrap();
    assert_eq!(inside.attributes["input"]["plain"]["kept"], "plain", "what is no secret stays");
    let again = bed.plan(SECRET_NAMES).await.unwrap();
    assert!(!again.plan.has_changes() && again.plan.drift.is_empty(), "{}", render::plan(&again.plan));
    bed.set_secret("env:NAME", "canary-hunter3-name");
    let changed = bed.plan(SECRET_NAMES).await.unwrap();
    assert_eq!(changed.plan.summary().change, 4, "{}", render::plan(&changed.plan));
    let applied = bed.apply_planned(changed.clone()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &changed, &applied);
    assert!(!all.contains("hunter"), "{all}");
    assert!(!bed.plan(SECRET_NAMES).await.unwrap().plan.has_changes());
}

/// What comes back of a secret in another form: a number, a name.
#[tokio::test]
async fn a_secret_that_is_echoed_as_a_number_or_a_name_is_one() {
    let bed = Bed::calm();
    bed.set_secret("env:PIN", "470815");
    let text = r#"
data "loud_mirror" "m" {
  text = secret("env:PIN")
}
resource "terraform_data" "number" {
  input = data.loud_mirror.m.number
}
resource "terraform_data" "named" {
  input = data.loud_mirror.m.named
}
"#;
    let planned = bed.plan(text).await.unwrap();
    let applied = bed.apply_planned(planned.clone()).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(&bed, &planned, &applied);
    assert!(!all.contains("470815"), "{all}");
    assert!(!bed.plan(text).await.unwrap().plan.has_changes());
}

#[tokio::test]
async fn a_secret_that_is_left_alone_is_never_taken_away() {
    let text = |size: u32| {
        format!(
            "resource \"sim_instance\" \"web\" {{\n  name = \"web\"\n  size = {size}\n  tags = {{ token = secret(\"env:TOKEN\") }}\n  \
             lifecycle {{\n    ignore_changes = [tags]\n  }}\n}}\n"
        )
    };
    let far_side = |bed: &Bed| bed.world.objects()[0].attributes.to_string();
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(&text(1)).await;
    bed.set_secret("env:TOKEN", "canary-hunter3");
    let planned = bed.plan(&text(1)).await.unwrap();
    assert!(!planned.plan.has_changes(), "{}", render::plan(&planned.plan));
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    // Another argument cannot be written without it.
    let found = bed.plan(&text(2)).await.err().unwrap();
    let told = texts(&found);
    assert!(
        told.starts_with("Ignored secret not known: sim_instance.web is to be changed, and `tags.token`"),
        "{told}"
    );
    assert!(!told.contains("hunter") && far_side(&bed).contains("canary-hunter2"), "{told}");
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(&text(2)).await;
    assert!(far_side(&bed).contains("canary-hunter2") && far_side(&bed).contains("size = 2"), "{}", far_side(&bed));
    bed.set_secret("env:TOKEN", "canary-hunter3");
    bed.succeed(&text(3).replace("    ignore_changes = [tags]\n", "")).await;
    assert!(far_side(&bed).contains("canary-hunter3") && far_side(&bed).contains("size = 3"), "{}", far_side(&bed));
    // The same of a kind that does not tell what it was given.
    let text = |number: u32| {
        format!(
            "resource \"terraform_data\" \"d\" {{\n  input = {{ token = secret(\"env:TOKEN\"), number = {number} }}\n  \
             lifecycle {{\n    ignore_changes = [input.token]\n  }}\n}}\n"
        )
    };
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(&text(1)).await;
    bed.set_secret("env:TOKEN", "canary-hunter3");
    assert!(!bed.succeed(&text(1)).await.diagnostics.has_errors());
    let told = texts(&bed.plan(&text(2)).await.err().unwrap());
    assert!(
        told.starts_with("Ignored secret not known: terraform_data.d is to be changed, and `input.token`"),
        "{told}"
    );
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(&text(2)).await;
}

#[tokio::test]
async fn a_secret_that_is_left_alone_keeps_its_fingerprint_where_it_is_decided_later() {
    let text = |release: u32| {
        format!(
            "resource \"sim_cluster\" \"c\" {{\n  name    = \"c\"\n  release = {release}\n}}\n\
             provider \"sim\" {{\n  alias    = \"inside\"\n  endpoint = sim_cluster.c.endpoint\n  token    = sim_cluster.c.token\n}}\n\
             resource \"sim_instance\" \"web\" {{\n  provider = sim.inside\n  name     = \"web\"\n  size     = 1\n  \
             tags     = {{ token = secret(\"env:TOKEN\") }}\n  lifecycle {{\n    ignore_changes = [tags]\n  }}\n}}\n"
        )
    };
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", "canary-hunter2");
    bed.succeed(&text(1)).await;
    let web = crate::bed::address("sim_instance.web");
    let before = bed.state().object(&web).unwrap().secrets.clone();
    assert_eq!(before.len(), 1);
    bed.set_secret("env:TOKEN", "canary-hunter3");
    bed.succeed(&text(2)).await;
    assert_eq!(bed.state().object(&web).unwrap().secrets, before);
}
