//! Laws that hold for every configuration, whatever fails and whenever the run is cut off.

use std::collections::BTreeMap;
use std::time::Duration;

use pipectl_engine::{Mode, Planned};
use pipectl_sim::{Operation, Rates, Settings};
use pipectl_state::State;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::bed::{Bed, texts};
use crate::generated::{blocks, text};
use crate::render;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

type Check = Result<(), TestCaseError>;

/// Every object of the cloud is in the state exactly once, or announced there.
fn nothing_is_lost(bed: &Bed) -> Check {
    let state = bed.state();
    let ids = known_ids(&state);
    for object in bed.world.objects() {
        let count = ids.iter().filter(|id| **id == object.id).count();
        let announced = state.intents.values().filter(|intent| intent.token == object.token).count();
        prop_assert!(
            count == 1 || count == 0 && announced == 1,
            "{} is {count} times in\n{}",
            object.id,
            render::state(&state)
        );
    }
    Ok(())
}

fn known_ids(state: &State) -> Vec<String> {
    let objects = state.objects().filter(|(address, _, _)| address.type_name.starts_with("sim_"));
    objects.map(|(_, _, object)| object.attributes["id"].as_str().unwrap().to_owned()).collect()
}

/// State and cloud hold the same, and nothing is left open.
fn all_is_well(bed: &Bed) -> Check {
    let state = bed.state();
    let mut known = known_ids(&state);
    known.sort();
    let mut real: Vec<String> = bed.world.objects().into_iter().map(|object| object.id).collect();
    real.sort();
    prop_assert_eq!(known, real);
    prop_assert!(state.intents.is_empty(), "{}", render::state(&state));
    prop_assert!(state.resources.values().all(|resource| resource.deposed.is_empty()), "{}", render::state(&state));
    Ok(())
}

async fn planned(bed: &Bed, configuration: &str, mode: Mode) -> Result<Planned, TestCaseError> {
    let planned = bed.plan_with(configuration, &bed.options(mode)).await;
    planned.map_err(|problems| TestCaseError::fail(format!("{configuration}\n{}", texts(&problems))))
}

/// Applies until it works; at most so many times.
async fn converge(bed: &Bed, configuration: &str, mode: Mode, attempts: usize) -> Check {
    let mut last = String::new();
    for _ in 0..attempts {
        let planned = planned(bed, configuration, mode).await?;
        let applied = bed.apply_planned(planned).await;
        nothing_is_lost(bed)?;
        if applied.succeeded() {
            return all_is_well(bed);
        }
        last = texts(&applied.diagnostics);
    }
    Err(TestCaseError::fail(format!("it does not converge: {last}\n{configuration}\n{}", render::state(&bed.state()))))
}

/// After an apply there is nothing left to do.
async fn settled(bed: &Bed, configuration: &str) -> Check {
    let planned = planned(bed, configuration, Mode::Normal).await?;
    prop_assert!(!planned.plan.has_changes(), "{}\n{}", configuration, render::plan(&planned.plan));
    prop_assert!(planned.plan.observed.is_empty(), "{:?}", planned.plan.observed);
    Ok(())
}

async fn nothing_is_left(bed: &Bed, configuration: &str) -> Check {
    converge(bed, configuration, Mode::Destroy, 4).await?;
    prop_assert_eq!(bed.world.objects().len(), 0);
    let state = bed.state();
    prop_assert!(state.resources.is_empty() && state.outputs.is_empty(), "{}", render::state(&state));
    Ok(())
}

/// Bad luck of every sort, never without end.
fn troubled(seed: u64) -> Settings {
    let rates = Rates { fail_before: 0.15, fail_after: 0.1, lost_answer: 0.15, limit: Some(3) };
    let operations = [Operation::Create, Operation::Update, Operation::Delete];
    Settings {
        seed,
        rates: operations.map(|operation| (operation, rates)).into(),
        stale_reads: 2,
        ..Settings::default()
    }
}

/// The same cloud without bad luck. What it hides, it still hides.
fn recovered() -> Settings {
    Settings { stale_reads: 2, ..Settings::default() }
}

/// A cluster with what lives in it.
#[derive(Clone, Debug)]
struct Cluster {
    /// Another one is another cluster.
    name: u8,
    /// Another one answers elsewhere.
    release: u8,
    creates_first: bool,
    /// Keys of the objects inside; whether those come from an object, so that they are known after apply.
    pods: std::collections::BTreeSet<u8>,
    open: bool,
    /// Another one replaces the network inside.
    range: u8,
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let pods = prop::collection::btree_set(0_u8..4, 0..3);
    (0_u8..2, 1_u8..3, any::<bool>(), pods, any::<bool>(), 0_u8..2).prop_map(
        |(name, release, creates_first, pods, open, range)| Cluster { name, release, creates_first, pods, open, range },
    )
}

impl Cluster {
    fn text(&self) -> String {
        let Self { name, release, creates_first, pods, open, range } = self;
        let keys: Vec<String> = pods.iter().map(|pod| format!("\"p{pod}\"")).collect();
        let keys = keys.join(", ");
        let each = if *open { "terraform_data.keys.output" } else { "local.keys" };
        format!(
            "locals {{\n  keys = [{keys}]\n}}
             resource \"terraform_data\" \"keys\" {{\n  input = local.keys\n}}
             resource \"sim_cluster\" \"c\" {{
               name    = \"c{name}\"
               release = {release}
               lifecycle {{\n  create_before_destroy = {creates_first}\n}}
             }}
             provider \"sim\" {{
               alias    = \"inside\"
               endpoint = sim_cluster.c.endpoint
               token    = sim_cluster.c.token
             }}
             resource \"sim_network\" \"net\" {{
               provider = sim.inside
               name     = \"net\"
               cidr     = \"10.{range}.0.0/16\"
             }}
             resource \"sim_instance\" \"pod\" {{
               for_each   = toset({each})
               provider   = sim.inside
               name       = each.key
               network_id = sim_network.net.id
             }}
             resource \"sim_instance\" \"outside\" {{
               name = \"outside\"
               tags = {{ net = sim_network.net.id }}
             }}
             output \"pods\" {{\n  value = [for pod in sim_instance.pod : pod.id]\n}}\n"
        )
    }
}

/// What the state says to be inside is in the one cluster that there is.
fn inside_the_cluster(bed: &Bed) -> Check {
    let state = bed.state();
    let cluster = state.objects().find(|(address, _, _)| address.type_name == "sim_cluster");
    let cluster = cluster.map(|(_, _, object)| object.attributes["id"].as_str().unwrap().to_owned()).unwrap();
    for (address, _, object) in state.objects().filter(|(address, _, _)| address.type_name.starts_with("sim_")) {
        let id = object.attributes["id"].as_str().unwrap();
        let place = bed.world.objects().into_iter().find(|other| other.id == id).map(|other| other.place);
        let expected = if object.provider.is_some() { cluster.as_str() } else { "home" };
        prop_assert_eq!(place.as_deref(), Some(expected), "{}", address);
    }
    Ok(())
}

proptest! {
    // No file for failures: cargo would take its folder for a crate. A failure prints what to repeat.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn apply_then_plan_is_no_change_and_destroy_leaves_nothing(first in blocks(7), second in blocks(7)) {
        runtime().block_on(async {
            let bed = Bed::calm();
            let (first, second) = (text(&first), text(&second));
            converge(&bed, &first, Mode::Normal, 1).await?;
            settled(&bed, &first).await?;
            // Nothing fails here, so each step must find an order that the cloud accepts.
            converge(&bed, &second, Mode::Normal, 1).await?;
            settled(&bed, &second).await?;
            converge(&bed, &first, Mode::Normal, 1).await?;
            nothing_is_left(&bed, &first).await
        })?;
    }

    #[test]
    fn whatever_fails_an_object_is_in_the_state_exactly_once(first in blocks(6), second in blocks(6), seed in any::<u64>()) {
        runtime().block_on(async {
            let mut bed = Bed::new(troubled(seed));
            let (first, second) = (text(&first), text(&second));
            converge(&bed, &first, Mode::Normal, 40).await?;
            settled(&bed, &first).await?;
            converge(&bed, &second, Mode::Normal, 40).await?;
            settled(&bed, &second).await?;
            bed.world = bed.world.with_settings(recovered());
            nothing_is_left(&bed, &second).await
        })?;
    }

    /// The run is cut off at any point where it waits: as by a kill, but for what was being written.
    #[test]
    fn a_crash_at_any_point_loses_nothing(first in blocks(5), second in blocks(5), turns in prop::collection::vec(0_usize..400, 1..4), seed in any::<u64>()) {
        runtime().block_on(async {
            let mut bed = Bed::new(troubled(seed));
            let (first, second) = (text(&first), text(&second));
            for (turn, turns) in turns.into_iter().enumerate() {
                let configuration = if turn % 2 == 0 { &first } else { &second };
                let planned = planned(&bed, configuration, Mode::Normal).await?;
                let applying = bed.apply_planned(planned);
                tokio::select! {
                    biased;
                    () = async { for _ in 0..turns { tokio::task::yield_now().await; } } => {}
                    _ = applying => {}
                }
                // Tasks that were cut off are only gone when the runtime has had its turn.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                drop(bed.lock());
                nothing_is_lost(&bed)?;
            }
            bed.world = bed.world.with_settings(recovered());
            converge(&bed, &second, Mode::Normal, 4).await?;
            settled(&bed, &second).await?;
            nothing_is_left(&bed, &second).await
        })?;
    }

    /// The disk fills up after any commit.
    #[test]
    fn a_state_that_cannot_be_written_stops_the_run_and_loses_nothing(first in blocks(5), commits in 0_usize..12, seed in any::<u64>()) {
        runtime().block_on(async {
            let mut bed = Bed::new(troubled(seed));
            let first = text(&first);
            bed.store.limit_commits(Some(commits));
            let planned = planned(&bed, &first, Mode::Normal).await?;
            let applied = bed.apply_planned(planned).await;
            prop_assert_eq!(&applied.state, &bed.state());
            nothing_is_lost(&bed)?;
            bed.store.limit_commits(None);
            bed.world = bed.world.with_settings(recovered());
            converge(&bed, &first, Mode::Normal, 4).await?;
            settled(&bed, &first).await
        })?;
    }

    /// A cluster and what lives in it: whatever becomes of the cluster, and whatever fails.
    #[test]
    fn what_lives_in_a_cluster_is_in_the_state_exactly_once(clusters in prop::collection::vec(cluster(), 2..4), seed in any::<u64>(), calm in any::<bool>()) {
        runtime().block_on(async {
            let mut bed = if calm { Bed::calm() } else { Bed::new(troubled(seed)) };
            let attempts = if calm { 4 } else { 40 };
            for cluster in &clusters {
                let text = cluster.text();
                converge(&bed, &text, Mode::Normal, attempts).await?;
                settled(&bed, &text).await?;
                inside_the_cluster(&bed)?;
            }
            bed.world = bed.world.with_settings(recovered());
            nothing_is_left(&bed, &clusters[clusters.len() - 1].text()).await
        })?;
    }

    #[test]
    fn no_more_calls_run_at_once_than_allowed(first in blocks(7), parallelism in 1_usize..5) {
        runtime().block_on(async {
            let latency = Duration::from_micros(1)..=Duration::from_micros(300);
            let mut bed = Bed::new(Settings { latency, ..Settings::default() });
            bed.parallelism = parallelism;
            let first = text(&first);
            converge(&bed, &first, Mode::Normal, 1).await?;
            settled(&bed, &first).await?;
            nothing_is_left(&bed, &first).await?;
            prop_assert!(bed.world.most_concurrent() <= parallelism);
            Ok::<(), TestCaseError>(())
        })?;
    }
}

#[test]
fn tokens_are_never_used_for_two_objects() {
    runtime().block_on(async {
        let bed = Bed::calm();
        let configuration = "resource \"sim_network\" \"n\" {\n  count = 20\n  name = \"n\"\n}\n";
        bed.succeed(configuration).await;
        let tokens: BTreeMap<String, String> =
            bed.world.objects().into_iter().map(|object| (object.token, object.id)).collect();
        assert_eq!(tokens.len(), 20);
    });
}
