//! What a provider decides and can read again: a fingerprint in the state, the value from the object whenever it is needed.

use std::time::Duration;

use pipectl_core::Severity;
use pipectl_engine::{Action, Mode, Planned, Seed, leave_behind};
use pipectl_sim::{Fault, Operation};
use pipectl_state::{Encryption, Holder, LocalStore, Passphrase, State, StateStore as _, changes_between};

use crate::bed::{Bed, address, texts};
use crate::render;
use crate::secrets::written;

/// A cluster, what lives in it, and who keeps a copy of its token.
const CLUSTER: &str = r#"
variable "release" {
  default = 1
}
resource "sim_cluster" "c" {
  name    = "c"
  release = var.release
}
provider "sim" {
  alias    = "inside"
  endpoint = sim_cluster.c.endpoint
  token    = sim_cluster.c.token
}
resource "sim_network" "net" {
  provider = sim.inside
  name     = "net"
}
resource "terraform_data" "copy" {
  input = { token = sim_cluster.c.token }
}
"#;

/// The same with someone new who needs the token.
const MORE: &str = r#"
resource "sim_instance" "more" {
  provider = sim.inside
  name     = "more"
  tags     = { token = sim_cluster.c.token }
}
"#;

const CANARY: &str = "token of sim_cluster";

fn clear() -> Bed {
    let mut bed = Bed::calm();
    bed.is_encrypted = false;
    bed
}

fn through_a_file(planned: &Planned) -> Planned {
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "a plan file has a token in it");
    Planned::open(&bytes, &[], &Encryption::none()).unwrap()
}

/// Plans and applies, through a file or not; nothing that is written down has the token in it.
async fn run(bed: &Bed, text: &str, mode: Mode, saved: bool) -> Planned {
    let planned = bed.plan_with(text, &bed.options(mode)).await.unwrap_or_else(|found| panic!("{}", texts(&found)));
    let opened = if saved { through_a_file(&planned) } else { planned.clone() };
    let applied = bed.apply_planned(opened).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let all = written(bed, &planned, &applied);
    assert!(!all.contains(CANARY), "{all}");
    planned
}

async fn settles(bed: &Bed, text: &str) {
    let again = bed.plan(text).await.unwrap();
    assert!(!again.plan.has_changes() && again.plan.drift.is_empty(), "{}", render::plan(&again.plan));
}

fn tags_of(bed: &Bed, name: &str) -> String {
    let objects = bed.world.objects();
    let object = objects.iter().find(|object| object.attributes.attribute("name") == Some(&name.into())).unwrap();
    object.attributes.attribute("tags").unwrap().to_string()
}

#[tokio::test]
async fn the_state_has_a_fingerprint_and_every_run_the_value() {
    for saved in [false, true] {
        let bed = clear();
        run(&bed, CLUSTER, Mode::Normal, saved).await;
        let state = bed.state();
        let cluster = state.object(&address("sim_cluster.c")).unwrap();
        assert!(cluster.attributes["token"].is_null() && cluster.secrets.len() == 1, "{cluster:?}");
        assert!(state.key.is_some());
        settles(&bed, CLUSTER).await;
        // Who is new gets it of an object that stays.
        let more = format!("{CLUSTER}{MORE}");
        run(&bed, &more, Mode::Normal, saved).await;
        assert!(tags_of(&bed, "more").contains(CANARY));
        settles(&bed, &more).await;
        // The object changes, and with it the provider that it configures.
        let moved = more.replace("default = 1", "default = 2");
        let planned = run(&bed, &moved, Mode::Normal, saved).await;
        assert_eq!(planned.plan.summary().change, 1, "{}", render::plan(&planned.plan));
        settles(&bed, &moved).await;
        run(&bed, &moved, Mode::RefreshOnly, saved).await;
        run(&bed, &moved, Mode::Destroy, saved).await;
        assert!(bed.world.objects().is_empty() && bed.state().resources.is_empty());
    }
}

#[tokio::test]
async fn another_value_is_noticed_by_its_fingerprint() {
    let bed = clear();
    bed.succeed(CLUSTER).await;
    bed.world.edit("sim_cluster-c-1", "token", "token of sim_cluster, the second".into());
    let planned = run(&bed, CLUSTER, Mode::Normal, true).await;
    let shown = render::plan(&planned.plan);
    assert_eq!(planned.plan.drift[0].notes, ["attribute `token` changed"], "{shown}");
    assert_eq!(planned.plan.summary().change, 1, "who keeps a copy: {shown}");
    settles(&bed, CLUSTER).await;
    assert!(bed.destroy(CLUSTER).await.succeeded());
}

#[tokio::test]
async fn a_plan_is_refused_when_the_value_is_another_one() {
    let bed = clear();
    bed.succeed(CLUSTER).await;
    let more = format!("{CLUSTER}{}", MORE.replace("  provider = sim.inside\n", ""));
    let planned = through_a_file(&bed.plan(&more).await.unwrap());
    bed.world.edit("sim_cluster-c-1", "token", "token of sim_cluster, the second".into());
    let refused = texts(&bed.apply_planned(planned).await.diagnostics);
    assert!(refused.contains("Secret changed since the plan") && !refused.contains(CANARY), "{refused}");
    assert_eq!(bed.world.objects().len(), 2);
    let planned = through_a_file(&bed.plan(&more).await.unwrap());
    bed.world.remove("sim_network-net-1");
    bed.world.remove("sim_cluster-c-1");
    let refused = texts(&bed.apply_planned(planned).await.diagnostics);
    assert!(refused.starts_with("Object gone since the plan: sim_cluster.c was there"), "{refused}");
}

#[tokio::test]
async fn without_a_refresh_the_value_is_known_after_apply() {
    for saved in [false, true] {
        let bed = clear();
        bed.succeed(CLUSTER).await;
        let options = pipectl_engine::PlanOptions { refresh: false, ..bed.options(Mode::Normal) };
        let more = format!("{CLUSTER}{MORE}");
        let planned = bed.plan_with(&more, &options).await.unwrap();
        let shown = render::plan(&planned.plan);
        let copy = planned.plan.changes.iter().find(|change| change.address == address("terraform_data.copy")).unwrap();
        assert_eq!(copy.action, Action::Update, "{shown}");
        assert_eq!(planned.plan.summary().deferred, 2, "what lives in the cluster: {shown}");
        let opened = if saved { through_a_file(&planned) } else { planned };
        let applied = bed.apply_planned(opened).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        assert_eq!((applied.summary.add, applied.summary.change), (1, 0), "the copy turns out to be the same");
        assert!(tags_of(&bed, "more").contains(CANARY));
        settles(&bed, &more).await;
        // Where it is really needed, that is said.
        let options = pipectl_engine::PlanOptions { refresh: false, ..bed.options(Mode::Destroy) };
        let found = texts(&bed.plan_with(&more, &options).await.map(drop).unwrap_err());
        assert!(found.contains("without a refresh"), "{found}");
    }
}

#[tokio::test]
async fn an_output_needs_encryption() {
    let text = format!("{CLUSTER}output \"token\" {{\n  value     = sim_cluster.c.token\n  sensitive = true\n}}\n");
    let bed = clear();
    let found = texts(&bed.plan(&text).await.map(drop).unwrap_err());
    assert!(found.starts_with("Secret value not allowed") && found.contains("where the state is encrypted"), "{found}");
    let mut bed = Bed::calm();
    bed.succeed(&text).await;
    let state = bed.state();
    let kept = &state.object(&address("sim_cluster.c")).unwrap().attributes["token"];
    assert!(kept.as_str().unwrap().starts_with(CANARY), "an encrypted state keeps it");
    // What was kept so far is not kept any longer once the state is not encrypted.
    bed.is_encrypted = false;
    let planned = bed.plan(CLUSTER).await.unwrap();
    assert!(planned.plan.drift.is_empty(), "nothing has changed outside: {}", render::plan(&planned.plan));
    assert!(bed.apply_planned(planned).await.succeeded());
    let kept = serde_json::to_string(&bed.state()).unwrap();
    assert!(!kept.contains(CANARY), "{kept}");
    settles(&bed, CLUSTER).await;
}

#[tokio::test]
async fn what_is_taken_over_has_a_fingerprint_too() {
    let bed = clear();
    bed.succeed(CLUSTER).await;
    let block = "resource \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\n";
    let import = format!("{block}import {{\n  to = sim_cluster.c\n  id = \"sim_cluster-c-1\"\n}}\n");
    let other = bed.forgetful();
    run(&other, &import, Mode::Normal, true).await;
    let third = bed.forgetful();
    let cluster = address("sim_cluster.c");
    let (engine, configuration) = (third.engine(), third.configuration(block).unwrap());
    let imported = engine.import(&configuration, &[], &third.state(), &cluster, "sim_cluster-c-1", Seed([7; 32])).await;
    let changes = imported.unwrap();
    let mut writer = third.lock();
    writer.begin("lineage", "main.hcl").unwrap();
    writer.commit(changes).unwrap();
    drop(writer);
    for bed in [other, third] {
        let state = bed.state();
        assert_eq!(state.object(&cluster).unwrap().secrets.len(), 1);
        assert!(!serde_json::to_string(&state).unwrap().contains(CANARY));
        settles(&bed, block).await;
    }
}

#[tokio::test]
async fn what_an_interrupted_run_has_made_has_a_fingerprint_too() {
    let bed = clear();
    bed.world.inject(Operation::Create, "c", Fault::LostAnswer);
    bed.world.inject(Operation::Find, "c", Fault::FailBefore);
    assert!(!bed.apply(CLUSTER).await.succeeded());
    run(&bed, CLUSTER, Mode::Normal, false).await;
    let state = bed.state();
    assert_eq!(state.object(&address("sim_cluster.c")).unwrap().secrets.len(), 1);
    settles(&bed, CLUSTER).await;
}

#[tokio::test]
async fn data_is_read_again_too() {
    let bed = clear();
    bed.succeed("resource \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\n").await;
    let text = "data \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\n\
                resource \"terraform_data\" \"copy\" {\n  input = data.sim_cluster.c.token\n}\n";
    let bed = bed.forgetful();
    run(&bed, text, Mode::Normal, true).await;
    settles(&bed, text).await;
}

/// Two clusters with something in each.
fn two_clusters() -> String {
    let second = CLUSTER[CLUSTER.find("provider").unwrap()..].replace("sim_cluster.c.", "sim_cluster.d.");
    let second = second.replace("\"inside\"", "\"other\"").replace("sim.inside", "sim.other");
    let second = second.replace("sim_network", "sim_instance");
    let second = second.replace("\"net\"", "\"web\"").replace("\"copy\"", "\"other\"");
    format!("{CLUSTER}resource \"sim_cluster\" \"d\" {{\n  name = \"d\"\n}}\n{second}")
}

fn reads_of(bed: &Bed, name: &str) -> usize {
    let calls = bed.world.calls();
    calls.iter().filter(|call| call.operation == Operation::Read && call.name == name).count()
}

#[tokio::test]
async fn what_is_left_out_is_not_read() {
    let bed = clear();
    let text = two_clusters();
    bed.succeed(&text).await;
    let changed = text.replace("name     = \"web\"", "name     = \"web\"\n  tags     = { a = \"b\" }");
    for excluding in [true, false] {
        let mut options = bed.options(Mode::Normal);
        match excluding {
            true => options.excludes.push("sim_cluster.c".parse().unwrap()),
            false => options.targets.push("sim_instance.web".parse().unwrap()),
        }
        let planned = through_a_file(&bed.plan_with(&changed, &options).await.unwrap());
        bed.world.forget_calls();
        let applied = bed.apply_planned(planned).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        assert_eq!(
            (reads_of(&bed, "c"), reads_of(&bed, "d")),
            (0, 1),
            "excluding: {excluding}, {:?}",
            bed.world.calls()
        );
    }
}

#[tokio::test]
async fn what_is_left_out_is_read_where_a_provider_needs_it() {
    for saved in [false, true] {
        let bed = clear();
        let text = two_clusters();
        bed.succeed(&text).await;
        let mut options = bed.options(Mode::Destroy);
        options.targets.push("sim_instance.web".parse().unwrap());
        // The other one is nobody's concern.
        bed.world.inject(Operation::Read, "c", Fault::FailBefore);
        let planned = bed.plan_with(&text, &options).await.unwrap_or_else(|found| panic!("{}", texts(&found)));
        let planned = if saved { through_a_file(&planned) } else { planned };
        let applied = bed.apply_planned(planned).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        assert_eq!(reads_of(&bed, "c"), 0);
        let left = render::world(&bed.world);
        assert_eq!(left, "sim_cluster-c-1\nsim_cluster-d-1\nsim_network-net-1 in sim_cluster-c-1\n");
    }
}

#[tokio::test]
async fn why_a_provider_cannot_be_asked_is_told() {
    let bed = clear();
    bed.succeed(CLUSTER).await;
    let planned = through_a_file(&bed.plan_with(CLUSTER, &bed.options(Mode::Destroy)).await.unwrap());
    bed.world.inject(Operation::Read, "c", Fault::FailBefore);
    let applied = bed.apply_planned(planned).await;
    let told = texts(&applied.diagnostics);
    let warnings = applied.diagnostics.iter().filter(|problem| problem.severity == Severity::Warning);
    assert_eq!(warnings.map(|problem| problem.summary.as_str()).collect::<Vec<_>>(), ["Request refused"], "{told}");
    assert!(told.contains("Provider configuration not known: Nothing can be done with sim_network.net"), "{told}");
    assert!(bed.destroy(CLUSTER).await.succeeded());
}

#[tokio::test]
async fn what_encryption_keeps_is_no_secret_any_more() {
    let output = "output \"token\" {\n  value     = sim_cluster.c.token\n  sensitive = true\n}\n\
                  output \"copy\" {\n  value     = terraform_data.copy.output.token\n  sensitive = true\n}\n";
    let text = format!("{CLUSTER}{output}");
    for refresh in [true, false] {
        let mut bed = clear();
        bed.succeed(CLUSTER).await;
        bed.is_encrypted = true;
        if !refresh {
            let options = pipectl_engine::PlanOptions { refresh, ..bed.options(Mode::Normal) };
            let told = texts(&bed.plan_with(&text, &options).await.map(drop).unwrap_err());
            assert!(told.contains("where the state is encrypted, once it has been read"), "{told}");
            let planned = bed.plan_with(CLUSTER, &options).await.unwrap_or_else(|found| panic!("{}", texts(&found)));
            let applied = bed.apply_planned(planned).await;
            assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        }
        let planned = bed.plan(&text).await.unwrap_or_else(|found| panic!("{}", texts(&found)));
        assert!(planned.plan.drift.is_empty(), "nothing has changed outside: {}", render::plan(&planned.plan));
        let applied = bed.apply_planned(planned).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        settles(&bed, &text).await;
        let state = bed.state();
        for name in ["token", "copy"] {
            let kept = state.outputs[name].value.as_str().unwrap();
            assert!(kept.starts_with(CANARY), "refresh: {refresh}, {name}: {kept}");
        }
        let cluster = state.object(&address("sim_cluster.c")).unwrap();
        assert!(cluster.secrets.is_empty() && cluster.attributes["token"].as_str().unwrap().starts_with(CANARY));
    }
    // Another value is told by the fingerprint that there was.
    let mut bed = clear();
    bed.succeed(CLUSTER).await;
    bed.is_encrypted = true;
    bed.world.edit("sim_cluster-c-1", "token", "token of sim_cluster, the second".into());
    let planned = bed.plan(CLUSTER).await.unwrap();
    assert_eq!(planned.plan.drift[0].notes, ["attribute `token` changed"], "{}", render::plan(&planned.plan));
}

/// The state, after it was encrypted and is no longer. Nothing of it has ever been in clear.
fn in_clear(bed: &Bed, state: &State) -> State {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = || Passphrase::new("the passphrase until now").unwrap();
    let holder = Holder { pid: 1, who: "test".to_owned(), operation: "apply".to_owned(), since: "now".to_owned() };
    let on = LocalStore::new(folder.path()).encrypted(Encryption::with(passphrase()));
    let mut writer = on.lock(&holder, Duration::ZERO).unwrap();
    writer.begin(&state.lineage, &state.root).unwrap();
    writer.commit(changes_between(writer.state(), state)).unwrap();
    let serial = writer.state().serial;
    drop(writer);
    let registry = bed.engine().registry;
    let off = Encryption::none().also_opening(passphrase());
    let off = off.leaving_behind(move |state| leave_behind(&registry, Seed([9; 32]), state).map(drop));
    let off = LocalStore::new(folder.path()).encrypted(off);
    drop(off.lock(&holder, Duration::ZERO).unwrap());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(CANARY) && !text.contains(&CANARY.to_uppercase()), "{text}");
    }
    let state = off.read().unwrap().unwrap();
    assert_eq!(state.serial, serial, "a plan for it is still good");
    state
}

#[tokio::test]
async fn a_state_that_is_encrypted_no_longer_has_never_had_it_in_clear() {
    // What is made of a secret does not have its words.
    let derived = "resource \"terraform_data\" \"loud\" {\n  input = upper(terraform_data.copy.output.token)\n}\n\
                   resource \"terraform_data\" \"other\" {\n  input = sensitive(\"no secret\")\n}\n";
    let text = format!("{CLUSTER}{derived}output \"open\" {{\n  value = 1\n}}\n");
    let outputs = "output \"token\" {\n  value     = \"Bearer ${sim_cluster.c.token}\"\n  sensitive = true\n}\n\
                   output \"loud\" {\n  value     = upper(sim_cluster.c.token)\n  sensitive = true\n}\n\
";
    let bed = Bed::calm();
    bed.succeed(&format!("{text}{outputs}")).await;
    let state = bed.state();
    assert!(state.outputs.len() == 3 && state.key.is_none());
    let state = in_clear(&bed, &state);
    assert_eq!(state.outputs.keys().collect::<Vec<_>>(), ["open"]);
    let fingerprints = |name: &str| state.object(&address(name)).unwrap().secrets.len();
    assert_eq!((fingerprints("sim_cluster.c"), fingerprints("terraform_data.copy")), (1, 2));
    assert_eq!((fingerprints("terraform_data.loud"), fingerprints("terraform_data.other")), (2, 0));
    // From here on it is as if it had never been encrypted.
    let mut bed = bed.with_state(state);
    bed.is_encrypted = false;
    settles(&bed, &text).await;
    assert!(bed.destroy(&text).await.succeeded());
}

/// In instances of modules, too, and however short it is.
#[tokio::test]
async fn what_follows_from_a_secret_in_a_module_is_left_behind() {
    let mut bed = Bed::calm();
    let inside = "resource \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\n\n\
                  resource \"terraform_data\" \"loud\" {\n  input = upper(sim_cluster.c.token)\n}\n";
    bed.modules.0.insert("m".to_owned(), inside.to_owned());
    bed.succeed("module \"m\" {\n  source   = \"./m\"\n  for_each = toset([\"a\"])\n}\n").await;
    let mut state = bed.state();
    let cluster = address("module.m[\"a\"].sim_cluster.c");
    assert_eq!(in_clear(&bed, &state).object(&cluster).unwrap().secrets.len(), 1);
    state.resources.get_mut(&cluster).unwrap().current.as_mut().unwrap().attributes["token"] = "abc".into();
    let state = in_clear(&bed, &state);
    assert_eq!(state.object(&cluster).unwrap().secrets.len(), 1);
    assert!(state.object(&cluster).unwrap().attributes["token"].is_null());
}
