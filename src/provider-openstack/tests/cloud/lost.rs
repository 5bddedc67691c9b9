//! Answers that were lost: what was made is found again, and nothing else is taken for it.

use pipectl_provider::{Effect, Found, Instance, Intent, Resource, Stop};
use serde_json::json;

use super::bed::{self, NETWORK, Steps, done, planned, read, text, words};
use super::server::{Server, clock};

async fn found(kind: &dyn Resource, bed: &Steps, intent: &Intent) -> Found {
    kind.find(&bed.cx(&intent.token), intent).await.unwrap_or_else(|found| panic!("{}", words(&found)))
}

fn one(found: Found) -> Instance {
    match found {
        Found::One(instance) => *instance,
        other => panic!("not the only one: {other:?}"),
    }
}

#[tokio::test]
async fn what_was_made_is_found_by_its_arguments_and_its_time() {
    // A clock that is wrong by an hour makes no difference.
    for ahead in [0, 3600, -3600] {
        let server = Server::new();
        server.set(|state| state.ahead = ahead);
        let bed = bed::of(&server.address);
        let networks = bed.kind(NETWORK).await;
        let given = json!({ "name": "a", "mtu": 1400 });
        // An older one of the same name and arguments is somebody else's.
        let older = done(bed.create(&*networks, &given, "t0").await);
        server.set(|state| state.networks.get_mut("net-1").unwrap()["created_at"] = "2020-01-01T00:00:00Z".into());
        let began = clock();
        let intent = bed.intent(&*networks, &given, "t1", began).await;
        assert!(matches!(found(&*networks, &bed, &intent).await, Found::None), "nothing was made");
        server.set(|state| state.lose = 1);
        let outcome = bed.create(&*networks, &given, "t1").await;
        assert!(outcome.instance.is_none() && outcome.diagnostics.has_errors());
        // So is a newer one with other arguments.
        done(bed.create(&*networks, &json!({ "name": "a", "mtu": 1300 }), "t2").await);
        let again = one(found(&*networks, &bed, &intent).await);
        assert_eq!((text(&again, "id"), text(&older, "id")), ("net-2", "net-1"), "{ahead}");
        let response = bed.plan(&*networks, &given, Some(&again)).await;
        assert_eq!(response.effect, Effect::NoOp, "{:?}", response.reasons);
        // One that the state has is not it either.
        let known = Intent { known: ["net-2".to_owned()].into(), ..intent.clone() };
        assert!(matches!(found(&*networks, &bed, &known).await, Found::None));
        // Two that could be it are for somebody to decide on.
        done(bed.create(&*networks, &given, "t3").await);
        assert!(matches!(found(&*networks, &bed, &intent).await, Found::Ambiguous(_)));
        assert_eq!(server.asked("POST", "/v2.0/networks").len(), 4, "nothing is made twice");
    }
}

#[tokio::test]
async fn what_was_made_half_is_brought_to_an_end() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    let given = json!({ "name": "a", "tags": ["x"] });
    let intent = bed.intent(&*networks, &given, "t1", clock()).await;
    server.set(|state| state.lose = 1);
    bed.create(&*networks, &given, "t1").await;
    // Another process, which knows nothing of the call but what was announced: the tags are missing.
    let networks = bed.kind(NETWORK).await;
    let again = one(found(&*networks, &bed, &intent).await);
    let response = bed.plan(&*networks, &given, Some(&again)).await;
    assert_eq!(response.effect, Effect::Update);
    let outcome = networks.update(&bed.cx("t2"), &again, &planned(&*networks, response)).await;
    let whole = done(outcome);
    assert_eq!(server.get(|state| state.networks["net-1"]["tags"].clone()), json!(["x"]));
    let seen = read(&*networks, &bed.cx("t3"), &whole).await.unwrap();
    assert_eq!(bed.plan(&*networks, &given, Some(&seen)).await.effect, Effect::NoOp);
}

#[tokio::test]
async fn a_lost_answer_is_found_within_the_run_and_waited_for() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    let given = json!({ "name": "a", "tags": ["x"] });
    let intent = bed.intent(&*networks, &given, "t1", clock()).await;
    server.set(|state| (state.lose, state.builds) = (1, 3));
    assert!(bed.create(&*networks, &given, "t1").await.instance.is_none());
    let whole = one(found(&*networks, &bed, &intent).await);
    assert!(whole.private.is_null(), "nothing is left to be done");
    assert_eq!(server.get(|state| (state.networks["net-1"]["tags"].clone(), state.builds)), (json!(["x"]), 0));
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_not_repeated() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    let given = json!({ "name": "a" });
    let intent = bed.intent(&*networks, &given, "t1", clock()).await;
    // What was made comes to light late.
    server.set(|state| (state.lose, state.hidden) = (1, 3));
    assert!(bed.create(&*networks, &given, "t1").await.instance.is_none());
    assert!(matches!(found(&*networks, &bed, &intent).await, Found::None));
    let made = done(bed.create(&*networks, &given, "t1").await);
    assert_eq!(text(&made, "id"), "net-1");

    // What does not come to light is for the next run.
    let intent = bed.intent(&*networks, &given, "t2", clock()).await;
    server.set(|state| (state.lose, state.hidden) = (1, usize::MAX));
    assert!(bed.create(&*networks, &given, "t2").await.instance.is_none());
    assert!(matches!(found(&*networks, &bed, &intent).await, Found::None));
    let response = bed.plan(&*networks, &given, None).await;
    let new = planned(&*networks, response);
    let cx = bed.cx("t2");
    let cancel = cx.cancel.clone();
    let before = server.asked("GET", "/v2.0/networks").len();
    let (outcome, ()) = tokio::join!(networks.create(&cx, &new), async {
        while server.asked("GET", "/v2.0/networks").len() < before + 2 {
            assert_eq!(server.asked("POST", "/v2.0/networks").len(), 2, "nothing is made twice");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        cancel.request(Stop::Now);
    });
    assert!(outcome.instance.is_none() && outcome.diagnostics.has_errors());
    assert_eq!(server.asked("POST", "/v2.0/networks").len(), 2, "nothing is made twice");
}
