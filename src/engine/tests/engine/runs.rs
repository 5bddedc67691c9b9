//! How runs go: progress, stopping, time limits, partial results, refusals.

use std::time::Duration;

use pipectl_engine::{ApplyEnd, Event, Mode, Seed};
use pipectl_provider::Stop;
use pipectl_sim::{Fault, Operation, Settings};
use pipectl_state::StateStore;

use crate::bed::{Bed, address, texts};
use crate::render;

const CHAIN: &str = r#"
resource "sim_network" "a" {
  name = "a"
}
resource "sim_instance" "b" {
  name       = "b"
  network_id = sim_network.a.id
}
output "a" {
  value = sim_network.a.id
}
output "b" {
  value = sim_instance.b.id
}
"#;

#[tokio::test]
async fn progress_counts_up_to_the_total() {
    let bed = Bed::calm();
    bed.succeed(CHAIN).await;
    let events = bed.take_events();
    let starts: Vec<(usize, usize)> = events
        .iter()
        .filter_map(|event| match event {
            Event::ApplyStart { position, total, .. } => Some((*position, *total)),
            _ => None,
        })
        .collect();
    assert_eq!(starts, [(1, 2), (2, 2)]);
    let ends: Vec<(String, usize, Option<String>)> = events
        .iter()
        .filter_map(|event| match event {
            Event::ApplyComplete { address, done, id, .. } => Some((address.to_string(), *done, id.clone())),
            _ => None,
        })
        .collect();
    let id = |text: &str| Some(text.to_owned());
    assert_eq!(
        ends,
        [
            ("sim_network.a".to_owned(), 1, id("sim_network-a-1")),
            ("sim_instance.b".to_owned(), 2, id("sim_instance-b-1"))
        ]
    );
    let Some(Event::Outputs { outputs }) = events.last() else { panic!("outputs come last") };
    assert_eq!(outputs["b"].value, Some("sim_instance-b-1".into()));
    let json = serde_json::to_value(&events).unwrap();
    assert!(json.as_array().unwrap().iter().all(|event| event["type"].is_string()));
}

#[tokio::test]
async fn outputs_of_what_worked_are_kept_when_the_rest_fails() {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "b", Fault::FailBefore);
    let applied = bed.apply(CHAIN).await;
    assert!(!applied.succeeded() && !applied.stopped);
    assert_eq!(applied.state.outputs.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!((applied.summary.add, applied.summary.change), (1, 0));
}

#[tokio::test]
async fn nothing_new_begins_after_a_gentle_stop_and_what_runs_is_finished() {
    let bed = Bed::calm();
    let planned = bed.plan(CHAIN).await.unwrap();
    bed.world.inject(Operation::Create, "a", Fault::Slow(Duration::from_millis(20)));
    let (applied, ()) = tokio::join!(bed.apply_planned(planned), async {
        while bed.world.count(Operation::Create) == 0 {
            tokio::task::yield_now().await;
        }
        bed.cancel.request(Stop::Gentle);
    });
    assert!(applied.stopped && !applied.diagnostics.has_errors(), "{}", texts(&applied.diagnostics));
    assert_eq!(render::events(&bed.take_events()), "create sim_instance.b: not started\ncreate sim_network.a: done\n");
    assert_eq!(render::state(&applied.state), "sim_network.a\n");
}

#[tokio::test]
async fn a_stop_at_once_leaves_an_intent_and_the_next_plan_finds_the_object() {
    let mut bed = Bed::calm();
    let planned = bed.plan(CHAIN).await.unwrap();
    bed.world.inject(Operation::Create, "a", Fault::Hang);
    let (applied, ()) = tokio::join!(bed.apply_planned(planned), async {
        while bed.world.objects().is_empty() {
            tokio::task::yield_now().await;
        }
        bed.cancel.request(Stop::Now);
    });
    assert!(applied.stopped && applied.diagnostics.has_errors());
    assert!(bed.world.objects().len() == 1);
    bed.cancel = pipectl_provider::Cancel::new();
    let planned = bed.plan(CHAIN).await.unwrap();
    assert_eq!(planned.plan.summary().add, 1, "{}", render::plan(&planned.plan));
    assert!(bed.apply_planned(planned).await.succeeded());
    assert_eq!(bed.world.objects().len(), 2);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_stopped_and_its_object_found() {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "a", Fault::Hang);
    let text = "resource \"sim_network\" \"a\" {\n  name = \"a\"\n  timeout = 0.01\n}\n";
    let applied = bed.apply(text).await;
    // The call was told to stop, its answer was lost, and the object was found by its token.
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert!(texts(&applied.diagnostics).contains("It has been found by its token."), "{}", texts(&applied.diagnostics));
    assert_eq!(render::state(&applied.state), "sim_network.a\n");
}

#[tokio::test]
async fn a_plan_is_refused_when_the_state_has_moved() {
    let bed = Bed::calm();
    let first = bed.plan(CHAIN).await.unwrap();
    let second = bed.plan(CHAIN).await.unwrap();
    assert!(bed.apply_planned(first).await.succeeded());
    let before = bed.state();
    let applied = bed.apply_planned(second).await;
    assert!(texts(&applied.diagnostics).starts_with("Saved plan is stale"), "{}", texts(&applied.diagnostics));
    assert_eq!((bed.state(), bed.world.objects().len()), (before, 2));
}

#[tokio::test]
async fn applying_nothing_commits_nothing() {
    let bed = Bed::calm();
    bed.succeed(CHAIN).await;
    let before = (bed.state(), bed.store.commits());
    bed.succeed(CHAIN).await;
    assert_eq!((bed.state(), bed.store.commits()), before);
}

#[tokio::test]
async fn an_intent_is_durable_before_its_call() {
    let bed = Bed::calm();
    bed.store.limit_commits(Some(0));
    let applied = bed.apply(CHAIN).await;
    assert!(texts(&applied.diagnostics).contains("State not written"), "{}", texts(&applied.diagnostics));
    assert_eq!(bed.world.count(Operation::Create), 0);
}

#[tokio::test]
async fn an_interrupted_creation_is_repeated_with_the_same_token_only_when_it_is_the_same() {
    for (second, same) in
        [(CHAIN.to_owned(), true), (CHAIN.replace("\"a\"\n}", "\"a\"\n  cidr = \"10.9.0.0/16\"\n}"), false)]
    {
        let bed = Bed::calm();
        bed.world.inject(Operation::Create, "a", Fault::FailBefore);
        bed.apply(CHAIN).await;
        let token = bed.state().intents[&address("sim_network.a")].token.clone();
        let planned = bed.plan(&second).await.unwrap();
        assert_eq!(planned.plan.change(&address("sim_network.a")).unwrap().token == token, same);
        assert!(bed.apply_planned(planned).await.succeeded());
        assert!(bed.state().intents.is_empty());
    }
}

#[tokio::test]
async fn objects_found_by_name_only_may_be_ambiguous() {
    let bed = Bed::new(Settings { tokens: false, ..Settings::default() });
    bed.succeed("resource \"sim_network\" \"x\" {\n  name = \"a\"\n}\n").await;
    bed.world.inject(Operation::Create, "a", Fault::LostAnswer);
    let both = format!("resource \"sim_network\" \"x\" {{\n  name = \"a\"\n}}\n{CHAIN}");
    // The state has the other of that name, so that there is but one that it can be.
    assert!(bed.apply(&both).await.succeeded());
    assert_eq!((bed.world.objects().len(), bed.state().intents.len()), (3, 0));
    assert!(bed.destroy(&both).await.succeeded());
    assert_eq!(bed.world.objects().len(), 0);

    bed.forgetful().succeed("resource \"sim_network\" \"x\" {\n  name = \"a\"\n}\n").await;
    bed.world.inject(Operation::Create, "a", Fault::LostAnswer);
    bed.apply(CHAIN).await;
    let problems = bed.plan(CHAIN).await.map(drop).unwrap_err();
    assert!(texts(&problems).contains("sim_network-a-3, sim_network-a-4"), "{}", texts(&problems));
    bed.world.remove("sim_network-a-4");
    let problems = bed.plan(CHAIN).await;
    assert!(problems.is_ok());
}

#[tokio::test]
async fn an_announced_call_knows_when_it_began() {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "a", Fault::FailBefore);
    bed.apply(CHAIN).await;
    // The clock of the test bed stands still.
    assert_eq!(bed.state().intents[&address("sim_network.a")].began, Some(0));
}

#[tokio::test]
async fn what_is_to_be_replaced_is_not_found_as_its_own_successor() {
    let text = |cidr: &str| {
        format!(
            "resource \"sim_network\" \"x\" {{\n  name = \"a\"\n  cidr = \"{cidr}\"\n  lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n"
        )
    };
    let bed = Bed::new(Settings { tokens: false, ..Settings::default() });
    bed.succeed(&text("10.0.0.0/16")).await;
    bed.world.inject(Operation::Create, "a", Fault::FailBefore);
    assert!(!bed.apply(&text("10.1.0.0/16")).await.succeeded());
    // By its name the old object is found, during the apply and when the next plan is made.
    assert_eq!((bed.state().intents.len(), bed.world.objects().len()), (1, 1));
    let planned = bed.plan(&text("10.0.0.0/16")).await.unwrap();
    assert!(!planned.plan.has_changes(), "{}", render::plan(&planned.plan));
    bed.succeed(&text("10.1.0.0/16")).await;
    let objects = bed.world.objects();
    assert_eq!(objects.iter().map(|object| object.id.as_str()).collect::<Vec<_>>(), ["sim_network-a-2"]);
    assert!(bed.state().intents.is_empty());
}

#[tokio::test]
async fn nothing_is_imported_where_a_call_is_open() {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "a", Fault::FailBefore);
    bed.apply(CHAIN).await;
    let (engine, configuration, state) = (bed.engine(), bed.configuration(CHAIN).unwrap(), bed.state());
    let network = address("sim_network.a");
    let refused = engine.import(&configuration, &[], &state, &network, "sim_network-a-1", Seed([7; 32])).await;
    assert!(texts(&refused.unwrap_err()).contains("Interrupted call not settled"));
}

#[tokio::test]
async fn the_first_state_has_a_lineage_and_a_root() {
    let bed = Bed::calm();
    assert!(bed.store.read().unwrap().is_none());
    let state = bed.succeed(CHAIN).await.state;
    assert_eq!((state.lineage.len(), state.root.as_str()), (32, "main.hcl"));
    assert!(bed.destroy(CHAIN).await.succeeded());
    assert_eq!(bed.state().lineage, state.lineage);
}

#[tokio::test]
async fn a_refresh_only_plan_changes_the_state_alone() {
    let bed = Bed::calm();
    bed.succeed(CHAIN).await;
    bed.world.remove("sim_instance-b-1");
    let planned = bed.plan_with(CHAIN, &bed.options(Mode::RefreshOnly)).await.unwrap();
    let calls = bed.world.count(Operation::Create);
    let applied = bed.apply_planned(planned).await;
    assert!(applied.succeeded());
    assert_eq!(
        (render::state(&applied.state).lines().next(), bed.world.count(Operation::Create)),
        (Some("sim_network.a"), calls)
    );
}

#[tokio::test]
async fn a_refresh_is_not_refused_for_the_condition_of_an_output_and_ends_with_it() {
    let text = |expected: &str| {
        format!(
            "variable \"n\" {{\n  default = 1\n}}\noutput \"o\" {{\n  value = 1\n  precondition {{\n    condition     = var.n == {expected}\n    \
             error_message = \"other\"\n  }}\n}}\n"
        )
    };
    let bed = Bed::calm();
    bed.succeed(&text("1")).await;
    assert!(bed.plan(&text("2")).await.is_err());
    let planned = bed.plan_with(&text("2"), &bed.options(Mode::RefreshOnly)).await.unwrap();
    assert_eq!(texts(&planned.diagnostics), "Module output value precondition failed: other\n");
    assert!(!planned.plan.has_changes());
    let applied = bed.apply_planned(planned).await;
    assert_eq!(texts(&applied.diagnostics), "Module output value precondition failed: other\n");
    assert!(!applied.succeeded() && applied.state.outputs.contains_key("o"));
}

#[tokio::test]
async fn only_what_is_moved_keeps_its_type() {
    let bed = Bed::calm();
    let moved = "moved {\n  from = sim_network.a\n  to   = terraform_data.b\n}\nresource \"terraform_data\" \"b\" {}\n";
    assert!(bed.plan(moved).await.is_ok());
    bed.succeed("resource \"sim_network\" \"a\" {\n  name = \"a\"\n}\n").await;
    let refused = texts(&bed.plan(moved).await.err().unwrap());
    assert!(refused.starts_with("Resource type mismatch"), "{refused}");
}

#[tokio::test]
async fn what_is_blocked_is_told() {
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "a", Fault::FailBefore);
    bed.apply(CHAIN).await;
    let ends: Vec<ApplyEnd> = bed
        .take_events()
        .iter()
        .filter_map(|event| match event {
            Event::ApplyComplete { end, .. } => Some(*end),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [ApplyEnd::Failed, ApplyEnd::Blocked]);
}
