//! Walking a graph with bounded parallelism: each node after what it needs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::future::Future;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a visit is.
pub(crate) enum Visit<F> {
    /// Done already; whether it worked.
    Ready(bool),
    /// To be run beside others; gives whether it worked.
    Run(F),
}

/// How the walk left a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Visited; it worked.
    Done,
    /// Visited; it did not work.
    Failed,
    /// Not visited: something it needs failed.
    Blocked,
    /// Not visited: the walk was stopped before.
    NotStarted,
}

/// A bound on how many visits of a group run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// What counts together.
    pub(crate) group: String,
    /// How many; at least 1.
    pub(crate) limit: usize,
}

/// The visits of a group.
#[derive(Default)]
struct Group {
    running: usize,
    /// Free nodes that wait until one of the running has ended.
    waiting: VecDeque<NodeIndex>,
}

/// Visits all nodes of `graph`, at most `parallelism` at once, in the order of their indices among those that are free.
///
/// `is_stopped` is asked before each visit, then `bound`: a node of a group that is full waits, and takes nothing of the parallelism.
/// `skipped` is told of each node that is not visited. Dropping the future aborts what runs.
pub(crate) async fn walk<N, E, F: Future<Output = bool> + Send + 'static>(
    graph: &DiGraph<N, E>,
    parallelism: usize,
    is_stopped: impl Fn() -> bool,
    bound: impl Fn(NodeIndex) -> Option<Bound>,
    mut visit: impl FnMut(NodeIndex) -> Visit<F>,
    mut skipped: impl FnMut(NodeIndex, Outcome),
) -> Vec<Outcome> {
    let mut missing: Vec<usize> =
        graph.node_indices().map(|node| graph.neighbors_directed(node, Direction::Incoming).count()).collect();
    let mut outcomes = vec![Outcome::Done; missing.len()];
    let mut free: BinaryHeap<Reverse<NodeIndex>> =
        graph.node_indices().filter(|node| missing[node.index()] == 0).map(Reverse).collect();
    let mut running: JoinSet<(NodeIndex, bool)> = JoinSet::new();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut group_of: BTreeMap<NodeIndex, String> = BTreeMap::new();
    loop {
        let ended = match free.peek() {
            Some(_) if running.len() < parallelism.max(1) => {
                let Reverse(node) = free.pop().expect("the heap was just looked into");
                match outcomes[node.index()] {
                    Outcome::Done if is_stopped() => {
                        skipped(node, Outcome::NotStarted);
                        (node, Outcome::NotStarted)
                    }
                    Outcome::Done => {
                        let bound = bound(node);
                        if let Some(Bound { group, limit }) = &bound {
                            let group = groups.entry(group.clone()).or_default();
                            if group.running >= *limit {
                                group.waiting.push_back(node);
                                continue;
                            }
                        }
                        match visit(node) {
                            Visit::Ready(worked) => (node, if worked { Outcome::Done } else { Outcome::Failed }),
                            Visit::Run(future) => {
                                if let Some(Bound { group, .. }) = bound {
                                    groups.entry(group.clone()).or_default().running += 1;
                                    group_of.insert(node, group);
                                }
                                running.spawn(async move { (node, future.await) });
                                continue;
                            }
                        }
                    }
                    outcome => {
                        skipped(node, outcome);
                        (node, outcome)
                    }
                }
            }
            _ => match running.join_next().await {
                None => return outcomes,
                Some(Ok((node, worked))) => (node, if worked { Outcome::Done } else { Outcome::Failed }),
                Some(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Tasks are aborted only when the set is dropped, and then nobody waits here.
                    Err(_) => continue,
                },
            },
        };
        let (node, outcome) = ended;
        outcomes[node.index()] = outcome;
        let ran_in = group_of.remove(&node);
        let has_run = ran_in.is_some();
        // Also a node that did not run may have been the one that the next waits behind.
        let group = ran_in.or_else(|| bound(node).filter(|_| !groups.is_empty()).map(|bound| bound.group));
        if let Some(group) = group.and_then(|group| groups.get_mut(&group)) {
            group.running -= usize::from(has_run);
            free.extend(group.waiting.pop_front().map(Reverse));
        }
        let for_dependants = match outcome {
            Outcome::Done => Outcome::Done,
            Outcome::Failed | Outcome::Blocked => Outcome::Blocked,
            Outcome::NotStarted => Outcome::NotStarted,
        };
        for next in graph.neighbors_directed(node, Direction::Outgoing) {
            if outcomes[next.index()] == Outcome::Done || for_dependants == Outcome::Blocked {
                outcomes[next.index()] = for_dependants;
            }
            missing[next.index()] -= 1;
            if missing[next.index()] == 0 {
                free.push(Reverse(next));
            }
        }
    }
}

/// Runs `call` for every item, each holding one of `permits`, and gives the results in the order of the items.
pub(crate) async fn each<T, R, F>(items: Vec<T>, permits: &Arc<Semaphore>, call: impl Fn(T) -> F) -> Vec<R>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    let mut running = JoinSet::new();
    for (index, item) in items.into_iter().enumerate() {
        let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
        let future = call(item);
        running.spawn(async move {
            let result = future.await;
            drop(permit);
            (index, result)
        });
    }
    while let Some(ended) = running.join_next().await {
        match ended.map_err(tokio::task::JoinError::try_into_panic) {
            Ok((index, result)) => results[index] = Some(result),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => {}
        }
    }
    results.into_iter().map(|result| result.expect("every task has ended")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// 0 -> 1 -> 3, 0 -> 2 -> 3, 4
    fn diamond() -> DiGraph<(), ()> {
        DiGraph::from_edges([(0, 1), (0, 2), (1, 3), (2, 3)].into_iter().chain([(4, 4)]).filter(|(a, b)| a != b))
    }

    async fn visited(graph: &DiGraph<(), ()>, fails: usize, stop_after: usize) -> (Vec<usize>, Vec<Outcome>) {
        let visits = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&visits);
        let outcomes = walk(
            graph,
            2,
            || visits.lock().expect("no panic").len() >= stop_after,
            |_| None,
            |node| {
                let seen = Arc::clone(&seen);
                seen.lock().expect("no panic").push(node.index());
                Visit::Run(async move {
                    tokio::task::yield_now().await;
                    node.index() != fails
                })
            },
            |_, _| {},
        )
        .await;
        let visits = visits.lock().expect("no panic").clone();
        (visits, outcomes)
    }

    #[tokio::test]
    async fn a_failure_stops_dependants_only() {
        let mut graph = diamond();
        graph.add_node(());
        let (visits, outcomes) = visited(&graph, 1, usize::MAX).await;
        assert!(visits.contains(&2) && visits.contains(&4) && !visits.contains(&3), "{visits:?}");
        use Outcome::{Blocked, Done, Failed};
        assert_eq!(outcomes, vec![Done, Failed, Done, Blocked, Done]);
    }

    #[tokio::test]
    async fn a_full_group_waits_and_lets_others_go_ahead() {
        let mut graph: DiGraph<(), ()> = DiGraph::new();
        (0..7).for_each(|_| {
            graph.add_node(());
        });
        let order = Arc::new(Mutex::new(Vec::new()));
        let running = Arc::new(Mutex::new((0_usize, 0_usize)));
        // Even nodes are a group of which one runs at a time.
        let bound = |node: NodeIndex| (node.index() % 2 == 0).then(|| Bound { group: "even".to_owned(), limit: 1 });
        let visit = |node: NodeIndex| {
            let (order, running) = (Arc::clone(&order), Arc::clone(&running));
            order.lock().expect("no panic").push(node.index());
            Visit::Run(async move {
                let is_even = node.index() % 2 == 0;
                if is_even {
                    let mut running = running.lock().expect("no panic");
                    running.0 += 1;
                    running.1 = running.1.max(running.0);
                }
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                if is_even {
                    running.lock().expect("no panic").0 -= 1;
                }
                true
            })
        };
        let outcomes = walk(&graph, 4, || false, bound, visit, |_, _| {}).await;
        assert_eq!(outcomes, vec![Outcome::Done; 7]);
        assert_eq!(running.lock().expect("no panic").1, 1);
        let order = order.lock().expect("no panic").clone();
        assert_eq!(&order[..4], [0, 1, 3, 5], "those that wait take no place of others");
        assert_eq!(order.len(), 7);
    }

    #[tokio::test]
    async fn a_stop_reaches_those_that_wait() {
        let graph: DiGraph<(), ()> = DiGraph::from_edges([(0, 3), (1, 3), (2, 3)]);
        let begun = Arc::new(Mutex::new(0));
        let visit = |_| {
            *begun.lock().expect("no panic") += 1;
            Visit::Run(async { true })
        };
        let stopped = || *begun.lock().expect("no panic") > 0;
        let bound = |_| Some(Bound { group: "all".to_owned(), limit: 1 });
        let outcomes = walk(&graph, 4, stopped, bound, visit, |_, _| {}).await;
        use Outcome::{Done, NotStarted};
        assert_eq!(outcomes, vec![Done, NotStarted, NotStarted, NotStarted]);
    }

    #[tokio::test]
    async fn a_stop_starts_nothing_new() {
        let (visits, outcomes) = visited(&diamond(), usize::MAX, 1).await;
        assert_eq!(visits, vec![0]);
        use Outcome::{Done, NotStarted};
        assert_eq!(outcomes, vec![Done, NotStarted, NotStarted, NotStarted]);
    }
}
