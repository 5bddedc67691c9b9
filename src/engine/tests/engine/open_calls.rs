//! Calls whose result nobody knows, where nobody can be asked: what they may have made is not lost.

use pipectl_engine::{Action, Mode};
use pipectl_sim::{Fault, Operation, Settings};

use crate::bed::{Bed, address, texts};
use crate::deferred::{RELAYS, in_one_of_two, inside, interrupted, interrupted_elsewhere};
use crate::render;

/// The findings of a plan that is refused.
async fn refused(bed: &Bed, text: &str, mode: Mode) -> String {
    let planned = bed.plan_with(text, &bed.options(mode)).await;
    let found = planned.map(|planned| render::plan(&planned.plan)).unwrap_err();
    let hints: Vec<String> = found.iter().flat_map(|problem| problem.hints.clone()).collect();
    format!("{}{}", texts(&found), hints.join("\n"))
}

#[tokio::test]
async fn what_is_no_longer_declared_is_not_forgotten_with_its_provider() {
    let bed = interrupted(Fault::LostAnswer).await;
    let told = refused(&bed, "resource \"sim_cluster\" \"c\" {\n  name = \"c\"\n}\n", Mode::Normal).await;
    assert!(told.starts_with("Provider configuration not present: "), "{told}");
    assert!(told.contains("Interrupted call not settled: An interrupted run may have made sim_network.net"), "{told}");
    assert!(told.ends_with("pipectl state rm -interrupted main.hcl 'sim_network.net'"), "{told}");
    assert_eq!(bed.state().intents.len(), 1);
    // With the provider, it is found and removed.
    let net = inside("net");
    let without = &net[..net.find("resource \"sim_network\"").unwrap()];
    bed.succeed(without).await;
    assert_eq!(render::world(&bed.world), "sim_cluster-c-1\n");
    assert!(bed.state().intents.is_empty());
}

#[tokio::test]
async fn not_everything_is_destroyed_while_something_may_be_left() {
    for fault in [Fault::LostAnswer, Fault::FailBefore] {
        let bed = interrupted(fault).await;
        let wrong = inside("net").replace("token    = sim_cluster.c.token", "token    = \"another\"");
        let told = refused(&bed, &wrong, Mode::Destroy).await;
        assert!(told.contains("Interrupted call not settled"), "{told}");
        assert!(told.contains("the configuration of its provider is no good"), "{told}");
        assert_eq!(bed.state().intents.len(), 1);
        // A block that says that it is to be left alone needs nobody to be asked.
        let alone =
            wrong.replace("resource \"sim_network\" \"net\" {\n  provider = sim.inside\n  name     = \"net\"\n}", "");
        let alone =
            format!("{alone}removed {{\n  from = sim_network.net\n  lifecycle {{\n    destroy = false\n  }}\n}}\n");
        assert!(bed.plan(&alone).await.is_ok());
        assert!(bed.destroy(&inside("net")).await.succeeded());
        assert_eq!(render::world(&bed.world), "");
        assert!(bed.state().intents.is_empty() && bed.state().resources.is_empty());
    }
}

/// Objects of the cloud that the state neither has nor expects.
fn lost(bed: &Bed) -> Vec<String> {
    let state = bed.state();
    let is_known = |id: &str| state.objects().any(|(_, _, object)| object.attributes["id"] == id);
    let is_expected = |token: &str| state.intents.values().any(|intent| intent.token == token);
    let objects = bed.world.objects().into_iter().filter(|object| !is_known(&object.id) && !is_expected(&object.token));
    objects.map(|object| object.id).collect()
}

#[tokio::test]
async fn the_removal_of_another_object_does_not_take_the_place_of_a_call() {
    let text = in_one_of_two("other", "terraform_data.number.output", "net", 2, "terraform_data.relay.output") + RELAYS;
    let mut commits = 0;
    loop {
        let bed = interrupted_elsewhere().await;
        let planned = bed.plan(&text).await.unwrap();
        bed.store.limit_commits(Some(commits));
        let worked = bed.apply_planned(planned).await.succeeded();
        assert_eq!(lost(&bed), Vec::<String>::new(), "after {commits} commits: {}", render::state(&bed.state()));
        bed.store.limit_commits(None);
        if worked {
            break;
        }
        commits += 1;
    }
    assert!(commits > 1, "it was cut off on the way");
}

#[tokio::test]
async fn what_is_left_over_is_removed_while_another_is_made() {
    let text = |name: &str| {
        format!(
            "resource \"sim_instance\" \"b\" {{\n  name = \"{name}\"\n  lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n"
        )
    };
    for parallelism in [1, 4] {
        let mut bed = Bed::calm();
        bed.parallelism = parallelism;
        bed.succeed(&text("old")).await;
        bed.world.inject(Operation::Delete, "old", Fault::FailBefore);
        assert!(!bed.apply(&text("new")).await.succeeded());
        let planned = bed.plan(&text("newest")).await.unwrap();
        let actions: Vec<Action> = planned.plan.changes.iter().map(|change| change.action).collect();
        assert_eq!(actions, [Action::Replace { create_before_destroy: true }, Action::Delete]);
        bed.world.inject(Operation::Create, "newest", Fault::LostAnswer);
        bed.world.inject(Operation::Find, "newest", Fault::FailBefore);
        assert!(!bed.apply_planned(planned).await.succeeded());
        assert_eq!(lost(&bed), Vec::<String>::new(), "{}", render::state(&bed.state()));
        bed.succeed(&text("newest")).await;
        assert_eq!(render::world(&bed.world), "sim_instance-newest-1\n");
        assert!(bed.state().intents.is_empty() && !bed.plan(&text("newest")).await.unwrap().plan.has_changes());
    }
}

#[tokio::test]
async fn what_another_program_has_announced_is_not_forgotten() {
    let bed = interrupted(Fault::LostAnswer).await;
    let mut state = bed.state();
    let intent = state.intents.remove(&address("sim_network.net")).unwrap();
    state.intents.insert(address("strange_kind.net"), intent);
    let bed = bed.with_state(state);
    let told = refused(&bed, &inside("net"), Mode::Normal).await;
    assert!(told.starts_with("Unknown kind of object in the state: The state holds strange_kind.net"), "{told}");
}

const TWINS: &str = "resource \"sim_network\" \"twin\" {\n  count = 2\n  name  = \"twin\"\n}\n";

/// The ids in the state, each as often as it stands there.
fn ids(bed: &Bed) -> Vec<String> {
    let state = bed.state();
    let mut ids: Vec<String> =
        state.objects().map(|(_, _, object)| object.attributes["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Of two calls for the same thing one has made an object, and neither has been answered.
#[tokio::test]
async fn one_object_is_not_taken_for_the_work_of_two_calls() {
    for asked_at_once in [true, false] {
        for parallelism in [1, 4] {
            let mut bed = Bed::new(Settings { tokens: false, ..Settings::default() });
            bed.parallelism = parallelism;
            bed.world.inject(Operation::Create, "twin", Fault::LostAnswer);
            bed.world.inject(Operation::Create, "twin", Fault::FailBefore);
            if !asked_at_once {
                bed.world.inject(Operation::Find, "twin", Fault::FailBefore);
                bed.world.inject(Operation::Find, "twin", Fault::FailBefore);
            }
            assert!(!bed.apply(TWINS).await.succeeded());
            assert_eq!(bed.state().intents.len(), if asked_at_once { 1 } else { 2 });
            let planned = bed.plan(TWINS).await.unwrap();
            assert!(bed.apply_planned(planned).await.succeeded());
            assert_eq!(ids(&bed), ["sim_network-twin-1", "sim_network-twin-2"]);
            assert!(bed.state().intents.is_empty() && !bed.plan(TWINS).await.unwrap().plan.has_changes());
            assert!(bed.destroy(TWINS).await.succeeded());
            assert_eq!(render::world(&bed.world), "");
        }
    }
}
