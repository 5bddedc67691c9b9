//! What bounds the calls for a block: how many run at once, how long one may take, which failures are tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use pipectl_engine::Event;
use pipectl_provider::Stop;
use pipectl_sim::{Fault, Operation, Settings};

use crate::bed::{Bed, texts};
use crate::render;

/// How many calls for objects of each block ran at once at most, and of all: seen from the events.
fn at_once(events: &[Event]) -> (BTreeMap<String, usize>, usize) {
    let mut running: BTreeMap<String, usize> = BTreeMap::new();
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    let mut most_of_all = 0;
    for event in events {
        match event {
            Event::ApplyStart { address, .. } => {
                let block = address.declaration().to_string();
                let now = running.entry(block.clone()).or_default();
                *now += 1;
                let most = most.entry(block).or_default();
                *most = (*most).max(*now);
            }
            Event::ApplyComplete { address, .. } => {
                *running.get_mut(&address.declaration().to_string()).unwrap() -= 1;
            }
            _ => {}
        }
        most_of_all = most_of_all.max(running.values().sum());
    }
    (most, most_of_all)
}

/// A cloud whose calls take a while, so that as many run at once as may.
fn slow() -> Bed {
    let mut bed =
        Bed::new(Settings { latency: Duration::from_millis(5)..=Duration::from_millis(5), ..Settings::default() });
    bed.parallelism = 10;
    bed
}

const BOUND: &str = r#"
resource "sim_network" "few" {
  count       = 6
  name        = "few-${count.index}"
  concurrency = 2
}
resource "sim_network" "many" {
  count = 6
  name  = "many-${count.index}"
}
"#;

#[tokio::test]
async fn a_block_runs_no_more_calls_at_once_than_it_says() {
    let bed = slow();
    bed.succeed(BOUND).await;
    let (most, all) = at_once(&bed.take_events());
    assert_eq!((most["sim_network.few"], most["sim_network.many"]), (2, 6), "those that wait take no place of others");
    assert_eq!(all, 8);
    assert!(bed.destroy(BOUND).await.succeeded());
    let (most, _) = at_once(&bed.take_events());
    assert_eq!((most["sim_network.few"], most["sim_network.many"]), (2, 6), "removals count, too");
}

#[tokio::test]
async fn blocks_of_a_group_count_together() {
    let bed = slow();
    let text = r#"
locals {
  database = { group = "database", limit = 3 }
}
resource "sim_network" "a" {
  count       = 5
  name        = "a-${count.index}"
  concurrency = local.database
}
resource "sim_network" "b" {
  count = 5
  name  = "b-${count.index}"
  lifecycle {
    concurrency = local.database
  }
}
"#;
    bed.succeed(text).await;
    let (_, all) = at_once(&bed.take_events());
    assert_eq!(all, 3);
    let differ = text.replacen("local.database", "{ group = \"database\", limit = 4 }", 1);
    let problems = bed.plan(&differ).await.err().unwrap();
    assert!(texts(&problems).contains("Inconsistent concurrency"), "{}", texts(&problems));
}

/// Whether a block is bound may change while its objects wait: the bound of one that is disabled follows from constants until that is known.
#[tokio::test]
async fn all_objects_of_a_bound_block_that_is_disabled_are_removed() {
    let bed = slow();
    let text = |name: &str| {
        format!(
            r#"
resource "sim_network" "flag" {{
  name = "{name}"
}}
resource "sim_network" "x" {{
  count       = 5
  name        = "x-${{count.index}}"
  concurrency = 1
  lifecycle {{
    enabled = sim_network.flag.name == "on"
  }}
}}
"#
        )
    };
    bed.succeed(&text("on")).await;
    assert_eq!(bed.world.objects().len(), 6);
    bed.succeed(&text("off")).await;
    assert_eq!(bed.world.objects().len(), 1);
    assert_eq!(bed.state().objects().count(), 1);
}

#[tokio::test]
async fn only_failures_that_match_are_tried_again() {
    let text = |on: &str| {
        format!(
            "resource \"sim_network\" \"a\" {{\n  name = \"a\"\n  retry {{\n    max_attempts    = 2\n    backoff_seconds = 0\n    on              = [{on}]\n  }}\n}}\n"
        )
    };
    for (on, works) in [("\"no such thing\"", false), ("\"(?i)refused\", \"x\"", true)] {
        let bed = Bed::calm();
        bed.world.inject(Operation::Create, "a", Fault::FailBefore);
        let applied = bed.apply(&text(on)).await;
        assert_eq!(applied.succeeded(), works, "{on}: {}", texts(&applied.diagnostics));
    }
    let problems = Bed::calm().plan(&text("\"(\"")).await.err().unwrap();
    assert!(texts(&problems).contains("\"(\" is no regular expression"), "{}", texts(&problems));
}

#[tokio::test]
async fn destroying_tries_again_and_stops_in_time_as_the_block_says() {
    let text = r#"
variable "attempts" {
  type    = number
  default = 2
}
resource "sim_network" "a" {
  name    = "a"
  timeout = "20s"
  retry {
    max_attempts    = var.attempts
    backoff_seconds = 0
  }
}
"#;
    let bed = Bed::calm();
    bed.succeed(text).await;
    bed.world.inject(Operation::Delete, "a", Fault::FailBefore);
    let applied = bed.destroy(text).await;
    assert!(applied.succeeded(), "{}", texts(&applied.diagnostics));
    assert!(render::events(&bed.take_events()).contains("retry sim_network.a: 1 of 2"));

    bed.succeed(text).await;
    bed.world.inject(Operation::Delete, "a", Fault::Hang);
    let hasty = text.replace("\"20s\"", "0.01").replace("default = 2", "default = 1");
    let applied = bed.destroy(&hasty).await;
    assert!(texts(&applied.diagnostics).contains("Timed out"), "{}", texts(&applied.diagnostics));
    assert!(bed.destroy(text).await.succeeded());
    assert!(bed.world.objects().is_empty());
}

#[tokio::test]
async fn a_data_source_is_read_again_and_given_up() {
    let text = |more: &str| format!("data \"test_flaky\" \"a\" {{\n  failures = 2\n{more}}}\n");
    let retry = "  retry {\n    max_attempts    = 3\n    backoff_seconds = 0\n  }\n";
    let bed = Bed::calm();
    let problems = bed.plan(&text("")).await.err().unwrap();
    assert!(texts(&problems).contains("Busy"), "{}", texts(&problems));
    bed.journal.take();
    bed.plan(&text(retry)).await.unwrap();
    assert_eq!(bed.journal.take(), ["read 1", "read 2", "read 3"]);
    let problems = bed.plan(&text("  hangs   = true\n  timeout = 0.01\n")).await.err().unwrap();
    assert!(
        texts(&problems).contains("Timed out: data.test_flaky.a was not read within 0.01 seconds"),
        "{problems:#?}"
    );
}

#[tokio::test]
async fn a_run_that_is_stopped_while_it_waits_tries_nothing_again() {
    let text = r#"
resource "sim_network" "a" {
  name = "a"
  retry {
    max_attempts        = 2
    backoff_seconds     = 300
    max_backoff_seconds = 300
  }
}
"#;
    let bed = Bed::calm();
    bed.world.inject(Operation::Create, "a", Fault::FailBefore);
    let stop = async {
        while !bed.events.lock().unwrap().iter().any(|event| matches!(event, Event::ApplyRetry { .. })) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bed.cancel.request(Stop::Gentle);
    };
    let (applied, ()) = tokio::join!(bed.apply(text), stop);
    assert!(applied.stopped, "{}", texts(&applied.diagnostics));
    assert_eq!(bed.world.count(Operation::Create), 1);
    assert!(bed.world.objects().is_empty());
}
