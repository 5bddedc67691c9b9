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

/// Who is inside of which group, and who waits before it.
#[derive(Default)]
struct Groups {
    groups: BTreeMap<String, Group>,
    /// The group in which a node holds a place.
    inside: BTreeMap<NodeIndex, String>,
}

#[derive(Default)]
struct Group {
    held: usize,
    waiting: VecDeque<NodeIndex>,
}

impl Groups {
    fn is_inside(&self, node: NodeIndex) -> bool {
        self.inside.contains_key(&node)
    }

    /// Takes a place for a node. If there is none, the node waits for one.
    fn enter(&mut self, node: NodeIndex, Bound { group, limit }: Bound) -> bool {
        let places = self.groups.entry(group.clone()).or_default();
        if places.held >= limit {
            places.waiting.push_back(node);
            return false;
        }
        places.held += 1;
        self.inside.insert(node, group);
        true
    }

    /// Gives a node's place to the first that waits for it. That one is free then, and need not ask again.
    fn leave(&mut self, node: NodeIndex) -> Option<NodeIndex> {
        let group = self.inside.remove(&node)?;
        let places = self.groups.get_mut(&group).expect("a place is in a group");
        let next = places.waiting.pop_front();
        match next {
            Some(next) => {
                self.inside.insert(next, group);
            }
            None => places.held -= 1,
        }
        next
    }
}

/// Visits all nodes of `graph`, at most `parallelism` at once, in the order of their indices among those that are free.
///
/// `is_stopped` is asked before each visit, then `bound`, once: a node of a group that is full waits, and takes nothing of the parallelism.
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
    let mut groups = Groups::default();
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
                        if !groups.is_inside(node)
                            && let Some(bound) = bound(node)
                            && !groups.enter(node, bound)
                        {
                            continue;
                        }
                        match visit(node) {
                            Visit::Ready(worked) => (node, if worked { Outcome::Done } else { Outcome::Failed }),
                            Visit::Run(future) => {
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
        free.extend(groups.leave(node).map(Reverse));
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

    /// A bound may follow from what is known so far, and be another one later.
    #[tokio::test]
    async fn none_is_lost_where_bounds_change() {
        let mut graph: DiGraph<(), ()> = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..6).map(|_| graph.add_node(())).collect();
        let visits = Arc::new(Mutex::new(Vec::new()));
        for change in 0..3 {
            visits.lock().expect("no panic").clear();
            let seen = Arc::clone(&visits);
            let bound = |_| match (change, visits.lock().expect("no panic").len()) {
                (_, 0..=1) => Some(Bound { group: "first".to_owned(), limit: 1 }),
                (0, _) => None,
                (1, _) => Some(Bound { group: "second".to_owned(), limit: 1 }),
                _ => Some(Bound { group: "first".to_owned(), limit: 2 }),
            };
            let visit = |node: NodeIndex| {
                seen.lock().expect("no panic").push(node);
                // The last is no call: it is done at once.
                if node.index() == 5 { Visit::Ready(true) } else { Visit::Run(async { true }) }
            };
            let outcomes = walk(&graph, 3, || false, bound, visit, |_, _| {}).await;
            assert_eq!(outcomes, vec![Outcome::Done; 6]);
            let mut visited = visits.lock().expect("no panic").clone();
            visited.sort();
            assert_eq!(visited, nodes, "change {change}");
        }
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
