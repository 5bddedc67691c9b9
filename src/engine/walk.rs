//! Walking a graph with bounded parallelism: each node after what it needs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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

/// Visits all nodes of `graph`, at most `parallelism` at once, in the order of their indices among those that are free.
///
/// `is_stopped` is asked before each visit. `skipped` is told of each node that is not visited.
/// Dropping the future aborts what runs.
pub(crate) async fn walk<N, E, F: Future<Output = bool> + Send + 'static>(
    graph: &DiGraph<N, E>,
    parallelism: usize,
    is_stopped: impl Fn() -> bool,
    mut visit: impl FnMut(NodeIndex) -> Visit<F>,
    mut skipped: impl FnMut(NodeIndex, Outcome),
) -> Vec<Outcome> {
    let mut missing: Vec<usize> =
        graph.node_indices().map(|node| graph.neighbors_directed(node, Direction::Incoming).count()).collect();
    let mut outcomes = vec![Outcome::Done; missing.len()];
    let mut free: BinaryHeap<Reverse<NodeIndex>> =
        graph.node_indices().filter(|node| missing[node.index()] == 0).map(Reverse).collect();
    let mut running: JoinSet<(NodeIndex, bool)> = JoinSet::new();
    loop {
        let ended = match free.peek() {
            Some(_) if running.len() < parallelism.max(1) => {
                let Reverse(node) = free.pop().expect("the heap was just looked into");
                match outcomes[node.index()] {
                    Outcome::Done if is_stopped() => {
                        skipped(node, Outcome::NotStarted);
                        (node, Outcome::NotStarted)
                    }
                    Outcome::Done => match visit(node) {
                        Visit::Ready(worked) => (node, if worked { Outcome::Done } else { Outcome::Failed }),
                        Visit::Run(future) => {
                            running.spawn(async move { (node, future.await) });
                            continue;
                        }
                    },
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
    async fn a_stop_starts_nothing_new() {
        let (visits, outcomes) = visited(&diamond(), usize::MAX, 1).await;
        assert_eq!(visits, vec![0]);
        use Outcome::{Done, NotStarted};
        assert_eq!(outcomes, vec![Done, NotStarted, NotStarted, NotStarted]);
    }
}
