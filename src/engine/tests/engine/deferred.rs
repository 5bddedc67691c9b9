//! What is decided only while a plan is applied: calls whose result was lost, private data, progress, what is left over.

use pipectl_core::Value;
use pipectl_engine::{ApplyEnd, Event, Mode};
use pipectl_sim::{Fault, Operation};

use crate::bed::{Bed, address, texts};
use crate::render;

/// Something that lives in a cluster.
pub(crate) fn inside(name: &str) -> String {
    format!(
        "resource \"sim_cluster\" \"c\" {{\n  name = \"c\"\n}}\n\
         provider \"sim\" {{\n  alias    = \"inside\"\n  endpoint = sim_cluster.c.endpoint\n  token    = sim_cluster.c.token\n}}\n\
         resource \"sim_network\" \"net\" {{\n  provider = sim.inside\n  name     = \"{name}\"\n}}\n"
    )
}

/// The same, where nobody can be asked about it until something new is made.
fn behind_a_relay(name: &str) -> String {
    let relay = "resource \"terraform_data\" \"relay\" {\n  input = sim_cluster.c.endpoint\n}\n";
    format!(
        "{relay}{}",
        inside(name).replace("endpoint = sim_cluster.c.endpoint", "endpoint = terraform_data.relay.output")
    )
}

/// A bed with a call for `sim_network.net` whose result nobody knows.
pub(crate) async fn interrupted(fault: Fault) -> Bed {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "net", fault);
    bed.world.inject(Operation::Find, "net", Fault::FailBefore);
    let applied = bed.apply(&inside("net")).await;
    assert!(!applied.succeeded() && applied.state.intents.len() == 1, "{}", texts(&applied.diagnostics));
    bed.take_events();
    bed
}

#[tokio::test]
async fn what_was_found_again_is_replaced_and_not_forgotten() {
    let bed = interrupted(Fault::LostAnswer).await;
    let text = behind_a_relay("other");
    let mut options = bed.options(Mode::Normal);
    options.allow_deferred_destroy = true;
    let planned = bed.plan_with(&text, &options).await.unwrap();
    assert_eq!(planned.plan.summary().deferred, 1, "{}", render::plan(&planned.plan));
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(render::world(&bed.world), "sim_cluster-c-1\nsim_network-other-1 in sim_cluster-c-1\n");
    assert!(applied.state.intents.is_empty());
    assert!(!bed.plan(&text).await.unwrap().plan.has_changes());
}

#[tokio::test]
async fn what_was_found_again_is_not_removed_without_being_asked() {
    let bed = interrupted(Fault::LostAnswer).await;
    let applied = bed.apply(&behind_a_relay("other")).await;
    assert!(texts(&applied.diagnostics).starts_with("Deferred destroy not allowed"), "{}", texts(&applied.diagnostics));
    let hints = &applied.diagnostics.iter().next().unwrap().hints;
    assert_eq!(hints, &["pipectl plan main.hcl", "pipectl apply main.hcl -allow-deferred-destroy"]);
    assert_eq!(render::world(&bed.world), "sim_cluster-c-1\nsim_network-net-1 in sim_cluster-c-1\n");
    assert!(applied.state.object(&address("sim_network.net")).is_some() && applied.state.intents.is_empty());
}

#[tokio::test]
async fn a_call_that_left_nothing_is_made_again_with_its_token() {
    // Somebody may have been asked when the plan was made, or not.
    let moved = inside("net").replace("  name = \"c\"\n", "  name    = \"c\"\n  release = 2\n");
    for (text, is_same) in [(behind_a_relay("net"), true), (behind_a_relay("other"), false), (moved, true)] {
        let bed = interrupted(Fault::FailBefore).await;
        let token = bed.state().intents[&address("sim_network.net")].token.clone();
        let planned = bed.plan(&text).await.unwrap();
        assert_eq!(planned.plan.summary().deferred, 1, "{}", render::plan(&planned.plan));
        let applied = bed.apply_planned(planned).await;
        assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
        let made = bed.world.objects().into_iter().find(|object| object.kind == "sim_network").unwrap();
        assert_eq!(made.token == token, is_same, "the object of the first call may yet come to light: {text}");
        assert!(applied.state.intents.is_empty());
    }
}

#[tokio::test]
async fn what_was_seen_of_a_deferred_object_is_remembered() {
    let bed = Bed::calm();
    let text = inside("net").replace("sim_network", "sim_instance");
    bed.succeed(&text).await;
    assert!(bed.world.edit("sim_instance-net-1", "address", Value::from("10.9.9.9")));
    // Another release gives the cluster another endpoint, which is known after apply.
    let text = text.replace("  name = \"c\"\n", "  name    = \"c\"\n  release = 2\n");
    let mut options = bed.options(Mode::Normal);
    options.refresh = false;
    let planned = bed.plan_with(&text, &options).await.unwrap();
    assert_eq!(planned.plan.summary().deferred, 1, "{}", render::plan(&planned.plan));
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    let object = applied.state.object(&address("sim_instance.net")).unwrap();
    assert_eq!(object.private, serde_json::json!({ "revision": 2 }));
    assert_eq!(object.attributes["address"], "10.9.9.9");
}

/// How many objects have ended, and of how many, as the last event tells; and how the one at an address has.
fn ends(bed: &Bed, of: &str) -> (usize, usize, Vec<ApplyEnd>) {
    let (mut last, mut ends) = ((0, 0), Vec::new());
    for event in bed.take_events() {
        if let Event::ApplyComplete { address: about, end, done, total, .. } = event {
            last = (done, total);
            ends.extend((about == address(of)).then_some(end));
        }
    }
    (last.0, last.1, ends)
}

const COUNTED: &str = r#"
resource "terraform_data" "number" {
  input = 2
}
resource "sim_instance" "b" {
  count = terraform_data.number.output
  name  = "b${count.index}"
  lifecycle {
    precondition {
      condition     = count.index < 1
      error_message = "Not this one."
    }
  }
}
"#;

#[tokio::test]
async fn what_is_refused_when_it_is_decided_has_ended() {
    let bed = Bed::calm();
    let applied = bed.apply(COUNTED).await;
    assert!(texts(&applied.diagnostics).contains("Not this one."), "{}", texts(&applied.diagnostics));
    assert_eq!(ends(&bed, "sim_instance.b[1]"), (3, 3, vec![ApplyEnd::Failed]));
}

#[tokio::test]
async fn what_cannot_be_removed_for_its_successor_has_ended() {
    let bed = Bed::calm();
    let text = inside("net");
    bed.succeed(&text).await;
    bed.take_events();
    bed.world.inject(Operation::Delete, "net", Fault::FailBefore);
    let text =
        text.replace("  name = \"c\"\n", "  name    = \"c\"\n  release = 2\n").replace("\"net\"\n}", "\"other\"\n}");
    let mut options = bed.options(Mode::Normal);
    options.allow_deferred_destroy = true;
    let planned = bed.plan_with(&text, &options).await.unwrap();
    let applied = bed.apply_planned(planned).await;
    assert!(!applied.succeeded());
    let (done, total, ends) = ends(&bed, "sim_network.net");
    assert_eq!((done, ends), (total, vec![ApplyEnd::Failed, ApplyEnd::Failed]), "its removal, and its making");
}

#[tokio::test]
async fn what_has_left_something_over_is_removed_too() {
    let bed = Bed::calm();
    let text = |name: &str, number: u32| {
        format!(
            "resource \"terraform_data\" \"number\" {{\n  input = {number}\n}}\n\
             resource \"sim_instance\" \"b\" {{\n  count = terraform_data.number.output\n  name  = \"{name}${{count.index}}\"\n  \
             lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n"
        )
    };
    bed.succeed(&text("old", 2)).await;
    bed.world.inject(Operation::Delete, "old1", Fault::FailBefore);
    assert!(!bed.apply(&text("new", 2)).await.succeeded());
    assert_eq!(bed.state().resources[&address("sim_instance.b[1]")].deposed.len(), 1);
    let mut options = bed.options(Mode::Normal);
    options.allow_deferred_destroy = true;
    let planned = bed.plan_with(&text("new", 1), &options).await.unwrap();
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(render::world(&bed.world), "sim_instance-new0-1\n");
    assert!(!bed.plan(&text("new", 1)).await.unwrap().plan.has_changes());
}

/// Two clusters, and something in one of them; `endpoint` of the second is what its provider is made from.
pub(crate) fn in_one_of_two(alias: &str, count: &str, name: &str, trigger: u32, endpoint: &str) -> String {
    let cluster = |name: &str, alias: &str, endpoint: &str| {
        format!(
            "resource \"sim_cluster\" \"{name}\" {{\n  name = \"{name}\"\n}}\n\
             provider \"sim\" {{\n  alias    = \"{alias}\"\n  endpoint = {endpoint}\n  token    = sim_cluster.{name}.token\n}}\n"
        )
    };
    format!(
        "{}{}resource \"terraform_data\" \"trigger\" {{\n  triggers_replace = {trigger}\n}}\n\
         resource \"sim_network\" \"net\" {{\n  count    = {count}\n  provider = sim.{alias}\n  name     = \"{name}\"\n  \
         lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n",
        cluster("c", "inside", "sim_cluster.c.endpoint"),
        cluster("d", "other", endpoint),
    )
}

/// What nobody can be asked about before it is made.
pub(crate) const RELAYS: &str = "resource \"terraform_data\" \"relay\" {\n  input = terraform_data.trigger.id == \"\" ? \"\" : sim_cluster.d.endpoint\n}\n\
                      resource \"terraform_data\" \"number\" {\n  input = 1\n}\n";

/// A bed with an object in the first cluster, and a call for its successor in the second whose answer was lost.
pub(crate) async fn interrupted_elsewhere() -> Bed {
    let bed = Bed::calm();
    bed.succeed(&in_one_of_two("inside", "1", "net", 1, "sim_cluster.d.endpoint")).await;
    bed.world.inject(Operation::Create, "net", Fault::LostAnswer);
    bed.world.inject(Operation::Find, "net", Fault::FailBefore);
    let applied = bed.apply(&in_one_of_two("other", "1", "net", 1, "sim_cluster.d.endpoint")).await;
    assert!(!applied.succeeded() && applied.state.intents.len() == 1, "{}", texts(&applied.diagnostics));
    let both = "sim_cluster-c-1\nsim_cluster-d-1\nsim_network-net-1 in sim_cluster-c-1\nsim_network-net-2 in sim_cluster-d-1\n";
    assert_eq!(render::world(&bed.world), both);
    bed
}

#[tokio::test]
async fn what_an_open_call_has_made_is_found_where_its_predecessor_is_removed() {
    let bed = interrupted_elsewhere().await;
    let text = in_one_of_two("other", "terraform_data.number.output", "net", 2, "terraform_data.relay.output") + RELAYS;
    let planned = bed.plan(&text).await.unwrap();
    let shown = render::plan(&planned.plan);
    assert_eq!((planned.plan.summary().destroy, planned.plan.summary().deferred), (2, 1), "{shown}");
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert_eq!(
        render::world(&bed.world),
        "sim_cluster-c-1\nsim_cluster-d-1\nsim_network-net-2 in sim_cluster-d-1\n",
        "it is neither lost nor made twice"
    );
    assert!(applied.state.intents.is_empty());
    assert!(!bed.plan(&text).await.unwrap().plan.has_changes());
}

#[tokio::test]
async fn a_call_that_nobody_could_be_asked_about_is_not_forgotten_for_another() {
    let bed = interrupted_elsewhere().await;
    // Something else is to be made, and the provider of the open call is not known.
    let text = in_one_of_two("inside", "1", "renamed", 2, "terraform_data.relay.output") + RELAYS;
    let planned = bed.plan(&text).await.unwrap();
    let shown = render::plan(&planned.plan);
    assert_eq!(planned.plan.summary().deferred, 1, "{shown}");
    let applied = bed.apply_planned(planned).await;
    let told = texts(&applied.diagnostics);
    assert!(told.starts_with("Interrupted call not settled"), "{told}");
    assert_eq!(applied.state.intents.len(), 1);
    // Now it is known, and what was made is no longer anybody's secret.
    bed.succeed(&text).await;
    assert_eq!(
        render::world(&bed.world),
        "sim_cluster-c-1\nsim_cluster-d-1\nsim_network-renamed-1 in sim_cluster-c-1\n"
    );
    assert!(!bed.plan(&text).await.unwrap().plan.has_changes());
}
