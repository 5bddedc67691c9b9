//! Provider configurations: how often they are made, what they limit, and what must never be seen of them.

use std::time::Duration;

use pipectl_engine::{ApplyEnd, EphemeralOperation, Event, Mode, Planned, Seed};
use pipectl_sim::Settings;
use pipectl_state::Encryption;

use crate::bed::{Bed, address, texts};
use crate::render;

const MANY: &str = r#"
provider "sim" {
  concurrency = 2
}
resource "sim_network" "n" {
  count = 8
  name  = "n${count.index}"
}
"#;

#[tokio::test]
async fn a_configuration_limits_its_own_calls() {
    let latency = Duration::from_millis(2)..=Duration::from_millis(4);
    for (text, most) in [(MANY.to_owned(), 2), (MANY.replace("  concurrency = 2\n", ""), 4)] {
        let bed = Bed::new(Settings { latency: latency.clone(), ..Settings::default() });
        bed.succeed(&text).await;
        assert_eq!(bed.world.most_concurrent(), most);
        assert!(bed.destroy(&text).await.succeeded());
        assert_eq!(bed.world.most_concurrent(), most);
    }
}

#[tokio::test]
async fn a_configuration_is_made_once_and_only_when_it_is_needed() {
    let bed = Bed::calm();
    let text = format!("{MANY}\nprovider \"sim\" {{\n  alias  = \"idle\"\n  region = \"idle\"\n}}\n");
    let planned = bed.plan(&text).await.unwrap();
    assert_eq!(bed.world.configured(), ["home"]);
    assert!(bed.apply_planned(planned).await.succeeded());
    assert_eq!(bed.world.configured(), ["home", "home"]);
    let unused = "provider \"sim\" {\n  endpoint = \"https://nowhere\"\n}\n";
    assert!(Bed::calm().plan(unused).await.is_ok(), "nobody needs it, so nobody asks there");
}

#[tokio::test]
async fn nothing_of_a_configuration_is_stored_or_told() {
    const SECRET: &str = "correct horse battery staple";
    let bed = Bed::calm().with_variable("secret", SECRET);
    let text = |endpoint: &str| {
        format!(
            "variable \"secret\" {{\n  ephemeral = true\n  sensitive = true\n}}\nprovider \"sim\" {{\n  token = var.secret\n{endpoint}}}\n\
             resource \"sim_network\" \"n\" {{\n  name = \"n\"\n}}\n"
        )
    };
    let planned = bed.plan(&text("")).await.unwrap();
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(SECRET));
    assert!(bed.apply_planned(planned).await.succeeded());
    let seen = format!("{:?} {}", bed.take_events(), serde_json::to_string(&bed.state()).unwrap());
    assert!(!seen.contains(SECRET), "{seen}");
    let refused = bed.plan(&text("  endpoint = \"https://nowhere\"\n")).await.err().unwrap();
    assert!(texts(&refused).contains("Connection refused") && !texts(&refused).contains(SECRET));
}

const CLUSTER: &str = r#"
resource "sim_cluster" "c" {
  name = "c"
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
"#;

#[tokio::test]
async fn what_is_deferred_goes_through_a_file() {
    let bed = Bed::calm();
    let planned = bed.plan(CLUSTER).await.unwrap();
    let opened = Planned::open(&planned.plan.save(&Encryption::none()).unwrap(), &[], &Encryption::none()).unwrap();
    assert_eq!(render::plan(&opened.plan), render::plan(&planned.plan));
    assert!(planned.plan.has_changes() && planned.plan.summary().deferred == 1);
    assert!(opened.plan.deferred[0].address.fits(&address("sim_network.net")));
    assert!(bed.apply_planned(opened).await.succeeded());
    assert_eq!(bed.world.objects().len(), 2);
}

#[tokio::test]
async fn a_run_that_is_cut_off_between_a_cluster_and_its_inside_goes_on() {
    let bed = Bed::calm();
    bed.world.inject(pipectl_sim::Operation::Create, "net", pipectl_sim::Fault::LostAnswer);
    let applied = bed.apply(CLUSTER).await;
    // It was found again by its token, through the provider of the cluster.
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert!(texts(&applied.diagnostics).starts_with("Answer lost"), "{}", texts(&applied.diagnostics));
    let planned = bed.plan_with(CLUSTER, &bed.options(Mode::Destroy)).await.unwrap();
    assert!(bed.apply_planned(planned).await.succeeded());
    assert!(bed.world.objects().is_empty());
}

#[tokio::test]
async fn an_import_block_asks_the_configuration_of_its_object() {
    let bed = Bed::calm();
    let west = "provider \"sim\" {\n  alias  = \"west\"\n  region = \"west\"\n}\n\
                resource \"sim_network\" \"n\" {\n  provider = sim.west\n  name     = \"n\"\n}\n";
    bed.succeed(west).await;
    let other = bed.forgetful();
    let import = "import {\n  to = sim_network.n\n  id = \"sim_network-n-1\"\n}\n";
    other.succeed(&format!("{west}{import}")).await;
    assert_eq!(render::state(&other.state()), render::state(&bed.state()));
    let home = west.replace("  provider = sim.west\n", "");
    let third = bed.forgetful();
    let problems = third.plan(&format!("{home}{import}")).await.err().unwrap();
    assert!(texts(&problems).contains("non-existent"), "it is not in the other region: {}", texts(&problems));
    // And without a block, as the command does.
    let fourth = bed.forgetful();
    let configuration = fourth.configuration(west).unwrap();
    let (engine, state, network) = (fourth.engine(), fourth.state(), address("sim_network.n"));
    let imported = engine.import(&configuration, &[], &state, &network, "sim_network-n-1", Seed([7; 32]));
    let change = serde_json::to_string(&imported.await.unwrap()).unwrap();
    assert!(change.contains("provider[\\\"registry.terraform.io/hashicorp/sim\\\"].west"), "{change}");
}

const LOGIN: &str = r#"
resource "sim_cluster" "c" {
  name = "c"
}
ephemeral "sim_token" "c" {
  cluster = sim_cluster.c.id
}
provider "sim" {
  alias    = "inside"
  endpoint = sim_cluster.c.endpoint
  token    = ephemeral.sim_token.c.token
}
resource "sim_network" "net" {
  provider = sim.inside
  name     = "net"
}
"#;

/// What was done with ephemeral values and with objects since this was asked last, in its order.
fn done(bed: &Bed) -> Vec<String> {
    let told = |event| match event {
        Event::Ephemeral { address, operation: EphemeralOperation::Open, done: true } => {
            Some(format!("open {address}"))
        }
        Event::Ephemeral { address, operation: EphemeralOperation::Close, done: true } => {
            Some(format!("close {address}"))
        }
        Event::ApplyComplete { address, action, end: ApplyEnd::Done, .. } => {
            Some(format!("{} {address}", action.name()))
        }
        _ => None,
    };
    bed.take_events().into_iter().filter_map(told).collect()
}

#[tokio::test]
async fn what_a_configuration_is_made_from_is_open_for_as_long_as_it_is_used() {
    let bed = Bed::calm();
    let (open, close) = ("open ephemeral.sim_token.c", "close ephemeral.sim_token.c");
    bed.succeed(LOGIN).await;
    // Before there is a cluster, nothing can be opened.
    assert_eq!(done(&bed), ["create sim_cluster.c", open, "create sim_network.net", close]);
    let again = bed.plan(LOGIN).await.unwrap();
    assert!(!again.plan.has_changes(), "{}", render::plan(&again.plan));
    assert_eq!(done(&bed), [open, close], "what reads and what plans have one token");
    let planned = bed.plan_with(LOGIN, &bed.options(Mode::Destroy)).await.unwrap();
    assert_eq!(done(&bed), [open, close]);
    assert!(bed.apply_planned(planned).await.succeeded());
    assert_eq!(done(&bed), [open, "delete sim_network.net", "delete sim_cluster.c", close]);
    assert!(bed.world.objects().is_empty());
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_by_what_needs_it() {
    let bed = Bed::calm();
    let text = |fails: &str| {
        format!(
            "ephemeral \"test_lease\" \"login\" {{\n  name  = \"login\"\n  fails = \"{fails}\"\n}}\n\
             provider \"sim\" {{\n  token = ephemeral.test_lease.login.token\n}}\n\
             resource \"sim_network\" \"n\" {{\n  name = \"n\"\n}}\n"
        )
    };
    bed.succeed(&text("")).await;
    let problems = bed.plan_with(&text("open"), &bed.options(Mode::Destroy)).await.err().unwrap();
    assert!(texts(&problems).starts_with("Lease refused"), "{}", texts(&problems));
    let seen = format!("{:?} {}", bed.take_events(), serde_json::to_string(&bed.state()).unwrap());
    assert!(!seen.contains("hunter2"), "{seen}");
}

#[tokio::test]
async fn a_value_is_opened_by_the_configuration_that_is_asked_for_it() {
    let bed = Bed::calm();
    let text = |region: &str| {
        let login = "ephemeral \"sim_token\" \"c\" {\n  provider = sim.login";
        format!(
            "resource \"terraform_data\" \"region\" {{\n  input = \"{region}\"\n}}\n\
             provider \"sim\" {{\n  alias  = \"login\"\n  region = terraform_data.region.output\n}}\n{}",
            LOGIN.replace("ephemeral \"sim_token\" \"c\" {", login)
        )
    };
    bed.succeed(&text("home")).await;
    bed.take_events();
    let applied = bed.apply(&text("elsewhere")).await;
    let told = texts(&applied.diagnostics);
    assert!(told.starts_with("Cluster not found"), "the token of the region before is none of this one: {told}");
}

#[tokio::test]
async fn what_is_left_over_does_not_say_what_its_successor_was_made_with() {
    let bed = Bed::calm();
    let text = |alias: &str| {
        let provider = |name: &str| format!("provider \"sim\" {{\n  alias  = \"{name}\"\n  region = \"{name}\"\n}}\n");
        format!(
            "{}{}resource \"sim_network\" \"n\" {{\n  provider = sim.{alias}\n  name     = \"n\"\n  lifecycle {{\n    \
             create_before_destroy = true\n  }}\n}}\n",
            provider("west"),
            provider("east")
        )
    };
    bed.succeed(&text("west")).await;
    bed.world.inject(pipectl_sim::Operation::Delete, "n", pipectl_sim::Fault::FailBefore);
    assert!(!bed.apply(&text("east")).await.succeeded());
    bed.world.forget_calls();
    let planned = bed.plan(&text("east")).await.unwrap();
    assert_eq!(planned.plan.summary().destroy, 1, "{}", render::plan(&planned.plan));
    assert_eq!(bed.world.count(pipectl_sim::Operation::Read), 1, "nobody asks whether it has moved");
}

#[tokio::test]
async fn a_state_with_an_instance_that_no_block_could_have_stops_nothing() {
    let text = "resource \"terraform_data\" \"d\" {\n  count = 1\n  input = \"west\"\n}\n\
                provider \"sim\" {\n  region = terraform_data.d[0].output\n}\n\
                resource \"sim_network\" \"n\" {\n  name = \"n\"\n}\n";
    for index in [9_000_000_000_000, u64::MAX] {
        let bed = Bed::calm();
        bed.succeed(text).await;
        let mut lock = bed.lock();
        let object = lock.state().object(&address("terraform_data.d[0]")).unwrap().clone();
        let far = address(&format!("terraform_data.d[{index}]"));
        lock.commit(vec![pipectl_state::Change::SetObject { address: far.clone(), object }]).unwrap();
        drop(lock);
        let planned = bed.plan(text).await.unwrap();
        assert!(planned.plan.change(&far).is_some_and(|change| change.action == pipectl_engine::Action::Delete));
        assert!(bed.apply_planned(planned).await.succeeded());
    }
}

/// A cluster in a module, and something that lives in it. Both are there only while `on` is true.
fn in_a_module(module: &str, endpoint: &str) -> String {
    format!(
        "variable \"on\" {{\n  type = bool\n}}\nmodule \"m\" {{\n  source   = \"./m\"\n  {module}\n}}\n\
         provider \"sim\" {{\n  alias    = \"inside\"\n  endpoint = {endpoint}\n  token    = {}\n}}\n\
         resource \"sim_instance\" \"pod\" {{\n  enabled  = var.on\n  provider = sim.inside\n  name     = \"pod\"\n}}\n",
        endpoint.replace("endpoint", "token")
    )
}

#[tokio::test]
async fn what_lives_in_a_module_that_is_disabled_with_it_is_removed_first() {
    let module = "resource \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\noutput \"endpoint\" {\n  value = sim_cluster.c.endpoint\n}\n\
                  output \"token\" {\n  value     = sim_cluster.c.token\n  sensitive = true\n}\n";
    for (instances, endpoint) in [
        ("enabled = var.on", "module.m.endpoint"),
        ("enabled = var.on", "try(module.m.endpoint, null)"),
        ("count = var.on ? 1 : 0", "one(module.m[*].endpoint)"),
        ("count = var.on ? 1 : 0", "module.m[0].endpoint"),
        ("for_each = toset(var.on ? [\"a\"] : [])", "one(values(module.m)[*].endpoint)"),
    ] {
        let mut bed = Bed::calm();
        bed.modules.0.insert("m".to_owned(), module.to_owned());
        let text = in_a_module(instances, endpoint);
        bed.clone().with_variable("on", "true").succeed(&text).await;
        assert_eq!(render::world(&bed.world), "sim_cluster-c-1\nsim_instance-pod-1 in sim_cluster-c-1\n", "{text}");
        let off = bed.clone().with_variable("on", "false");
        let planned = off.plan(&text).await.unwrap_or_else(|problems| panic!("{text}{}", texts(&problems)));
        assert_eq!(planned.plan.summary().destroy, 2, "{text}{}", render::plan(&planned.plan));
        let applied = off.apply_planned(planned).await;
        assert!(applied.succeeded(), "{text}{}", texts(&applied.diagnostics));
        assert_eq!(render::world(&bed.world), "", "{text}");
        assert!(!off.plan(&text).await.unwrap().plan.has_changes());
    }
}

#[tokio::test]
async fn what_a_configuration_was_made_from_and_cannot_be_known_is_told_with_a_way_out() {
    let bed = Bed::calm();
    let text = "variable \"on\" {\n  type = bool\n}\nlocals {\n  places = { for name in var.on ? [\"home\"] : [] : name => name }\n}\n\
                provider \"sim\" {\n  alias  = \"there\"\n  region = local.places[\"home\"]\n}\n\
                resource \"sim_instance\" \"pod\" {\n  enabled  = var.on\n  provider = sim.there\n  name     = \"pod\"\n}\n";
    bed.clone().with_variable("on", "true").succeed(text).await;
    let problems = bed.clone().with_variable("on", "false").plan(text).await.err().unwrap();
    assert!(texts(&problems).contains("Leave what it is made from in the files"), "{}", texts(&problems));
    assert_eq!(problems.iter().next().unwrap().hints, ["pipectl state rm main.hcl 'sim_instance.pod'"]);
}

#[tokio::test]
async fn what_has_nothing_to_configure_is_removed_without_its_configuration() {
    let text = "provider \"terraform\" {\n  alias    = \"by\"\n  for_each = toset([\"a\", \"b\"])\n}\n\
                resource \"terraform_data\" \"d\" {\n  for_each = toset([\"a\", \"b\"])\n  provider = terraform.by[each.key]\n  input    = 1\n}\n";
    let bed = Bed::calm();
    bed.succeed(text).await;
    assert!(bed.state().object(&address("terraform_data.d[\"a\"]")).unwrap().provider.is_some());
    let fewer = text.replace("[\"a\", \"b\"]", "[\"a\"]");
    bed.succeed(&fewer).await;
    bed.succeed("").await;
    assert!(bed.state().resources.is_empty());
}

#[tokio::test]
async fn metadata_of_a_module_is_refused_where_the_provider_takes_none() {
    let text = |provider: &str| {
        format!(
            "terraform {{\n  provider_meta \"{provider}\" {{\n    name = \"x\"\n  }}\n}}\nresource \"sim_network\" \"n\" {{\n  name = \"n\"\n}}\n"
        )
    };
    let refused = Bed::calm().plan(&text("sim")).await.err().unwrap();
    assert!(texts(&refused).contains("provider_meta not supported"), "{}", texts(&refused));
    assert!(Bed::calm().plan(&text("other")).await.is_ok(), "nothing here is of that provider");
}

#[tokio::test]
async fn a_module_may_ask_for_a_default_configuration() {
    let inside = "terraform {\n  required_providers {\n    sim = { configuration_aliases = [sim] }\n  }\n}\nresource \"sim_network\" \"n\" {\n  name = \"n\"\n}\n";
    let text = |passed: &str| {
        format!(
            "provider \"sim\" {{\n  alias  = \"other\"\n  region = \"away\"\n}}\nmodule \"m\" {{\n  source = \"./m\"\n{passed}}}\n"
        )
    };
    let mut bed = Bed::calm();
    bed.modules.0.insert("m".to_owned(), inside.to_owned());
    let refused = bed.plan(&text("")).await.err().unwrap();
    assert!(texts(&refused).contains("Missing required provider configuration"), "{}", texts(&refused));
    bed.succeed(&text("  providers = {\n    sim = sim.other\n  }\n")).await;
    assert!(bed.world.configured().contains(&"away".to_owned()), "{:?}", bed.world.configured());
}
