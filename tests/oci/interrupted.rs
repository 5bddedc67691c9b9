//! Runs that were killed in their long calls: the next one goes on, and nothing is made twice or left behind.

use std::time::Duration;

use super::bed::Bed;

/// Before the answer was read, and while it is waited for.
const MOMENTS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(400)];

fn slow() -> Bed {
    let bed = Bed::new();
    bed.server.change(|settings| (settings.cluster_ms, settings.node_pool_ms) = (1500, 1500));
    bed
}

fn converges(bed: &Bed) {
    bed.apply();
    assert_eq!(["vcn", "cluster", "nodepool"].map(|kind| bed.count(kind)), [1, 1, 1], "{:?}", bed.server.objects());
    bed.has_no_changes();
}

#[test]
fn a_run_that_is_killed_while_it_makes_a_cluster_is_gone_on_with() {
    for moment in MOMENTS {
        let bed = slow();
        bed.killed("apply", "create_cluster", moment);
        converges(&bed);
        bed.destroy();
    }
}

#[test]
fn a_run_that_is_killed_while_it_makes_a_pool_is_gone_on_with() {
    for moment in MOMENTS {
        let bed = slow();
        bed.killed("apply", "create_node_pool", moment);
        converges(&bed);
        bed.destroy();
    }
}

#[test]
fn a_run_that_is_killed_while_it_changes_a_pool_is_gone_on_with() {
    let mut bed = slow();
    bed.apply();
    bed.set("nodes", "2");
    bed.killed("apply", "update_node_pool", MOMENTS[1]);
    converges(&bed);
    assert_eq!(bed.output("nodes"), "2");
    bed.destroy();
}

#[test]
fn a_run_that_is_killed_while_it_removes_a_cluster_is_gone_on_with() {
    for moment in MOMENTS {
        let bed = slow();
        bed.apply();
        bed.killed("destroy", "delete_cluster", moment);
        bed.destroy();
        assert_eq!(bed.asked("create_cluster"), 1);
    }
}
