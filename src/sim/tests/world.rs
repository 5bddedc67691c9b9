//! The simulated cloud keeps its promises: through the resource trait, as an engine would see it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pipectl_core::{Diagnostics, Marks, Value};
use pipectl_provider::{
    ApplyOutcome, Effect, Found, Instance, Intent, Kinds, PlanRequest, Provider, ReadOutcome, Resource, Stop,
};
use pipectl_sim::{CLUSTER, Fault, INSTANCE, NETWORK, Object, Operation, Rates, Settings, World, context};
use serde_json::json;

/// A kind in the region `home`.
async fn kind(world: &World, name: &str) -> Arc<dyn Resource> {
    configured(world, &[]).await.unwrap().resources[name].clone()
}

async fn configured(world: &World, given: &[(&str, Value)]) -> Result<Arc<Kinds>, Diagnostics> {
    let provider = world.provider();
    let absent = Value::object(provider.schema().attributes.keys().map(|name| (name.clone(), Value::null())));
    let config = given.iter().fold(absent, |config, (name, value)| config.with_attribute(name, value.clone()));
    provider.configure(&context("sim", ""), &config).await
}

fn config(resource: &dyn Resource, given: &[(&str, Value)]) -> Value {
    let absent = Value::object(resource.schema().attributes.keys().map(|name| (name.clone(), Value::null())));
    given.iter().fold(absent, |config, (name, value)| config.with_attribute(name, value.clone()))
}

async fn plan(resource: &dyn Resource, config: &Value, prior: Option<&Instance>) -> (Effect, Instance) {
    let address = "sim_x.x".parse().unwrap();
    let request = PlanRequest { address: &address, config, prior, drift: &[], replace: false };
    let response = resource.plan(&context("sim_x.x", ""), request).await.unwrap();
    (response.effect, Instance::new(response.planned))
}

async fn create(resource: &dyn Resource, token: &str, given: &[(&str, Value)]) -> ApplyOutcome {
    let (effect, planned) = plan(resource, &config(resource, given), None).await;
    assert_eq!(effect, Effect::Create);
    resource.create(&context("sim_x.x", token), &planned).await
}

async fn update(resource: &dyn Resource, prior: &Instance, given: &[(&str, Value)]) -> ApplyOutcome {
    let (effect, planned) = plan(resource, &config(resource, given), Some(prior)).await;
    assert_eq!(effect, Effect::Update);
    resource.update(&context("sim_x.x", "u"), prior, &planned).await
}

fn summary(outcome: &ApplyOutcome) -> String {
    outcome.diagnostics.iter().map(|found| found.summary.clone()).collect()
}

fn attribute(instance: &Instance, name: &str) -> String {
    instance.attributes.attribute(name).unwrap().to_string()
}

fn ids(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| object.id.as_str()).collect()
}

fn web() -> [(&'static str, Value); 1] {
    [("name", "web".into())]
}

#[tokio::test]
async fn objects_live_and_die() {
    let world = World::new(Settings::default());
    let instances = kind(&world, INSTANCE).await;
    let made = create(&*instances, "t1", &web()).await.instance.unwrap();
    assert_eq!(made.attributes.to_string(), world.objects()[0].attributes.to_string());
    assert_eq!((attribute(&made, "id"), attribute(&made, "size")), ("\"sim_instance-web-1\"".into(), "1".into()));
    assert!(made.attributes.is_wholly_known());

    let given = [("name", Value::from("web")), ("size", 4.into())];
    let bigger = update(&*instances, &made, &given).await.instance.unwrap();
    assert_eq!((attribute(&bigger, "size"), attribute(&bigger, "address")), ("4".into(), attribute(&made, "address")));
    assert_eq!(plan(&*instances, &config(&*instances, &given), Some(&bigger)).await.0, Effect::NoOp);
    let renamed = config(&*instances, &[("name", "db".into())]);
    assert_eq!(plan(&*instances, &renamed, Some(&bigger)).await.0, Effect::Replace);

    let cx = context("sim_x.x", "d");
    assert!(instances.delete(&cx, &bigger).await.diagnostics.is_empty());
    assert!(world.objects().is_empty());
    assert!(instances.delete(&cx, &bigger).await.diagnostics.is_empty(), "already gone is success");
    assert!(matches!(instances.read(&cx, &bigger).await.unwrap(), ReadOutcome::Gone));
    assert_eq!(world.count(Operation::Delete), 2);
}

#[tokio::test]
async fn references_are_kept() {
    let world = World::new(Settings::default());
    let (networks, instances) = (kind(&world, NETWORK).await, kind(&world, INSTANCE).await);
    let inside = |id: &str| [("name", Value::from("web")), ("network_id", Value::from(id))];
    let early = create(&*instances, "t1", &inside("sim_network-main-1")).await;
    assert_eq!((summary(&early).as_str(), early.instance.is_none()), ("Network not found", true));
    let network = create(&*networks, "t2", &[("name", "main".into())]).await.instance.unwrap();
    let instance = create(&*instances, "t3", &inside("sim_network-main-1")).await.instance.unwrap();
    let refused = networks.delete(&context("sim_x.x", "d"), &network).await;
    assert_eq!((summary(&refused).as_str(), refused.instance), ("Network in use", Some(network.clone())));
    assert!(instances.delete(&context("sim_x.x", "d"), &instance).await.instance.is_none());
    assert!(networks.delete(&context("sim_x.x", "d"), &network).await.instance.is_none());
    assert!(world.objects().is_empty());
}

#[tokio::test]
async fn faults_of_creation_do_what_the_table_says() {
    for (fault, expected, told, exists) in [
        (Fault::FailBefore, "Request refused", false, false),
        (Fault::FailAfter, "Request failed", true, true),
        (Fault::LostAnswer, "Connection lost", false, true),
        (Fault::Slow(Duration::from_millis(1)), "", true, true),
    ] {
        let world = World::new(Settings::default());
        world.inject(Operation::Create, "web", fault);
        let outcome = create(&*kind(&world, INSTANCE).await, "t", &web()).await;
        assert_eq!(summary(&outcome), expected, "{fault:?}");
        assert_eq!((outcome.instance.is_some(), world.objects().len() == 1), (told, exists), "{fault:?}");
        assert_eq!(world.calls()[0].fault, Some(fault));
        let again = create(&*kind(&world, INSTANCE).await, "t", &web()).await;
        assert_eq!((summary(&again), ids(&world.objects())), (String::new(), vec!["sim_instance-web-1"]), "{fault:?}");
    }
}

#[tokio::test]
async fn faults_of_changes_do_what_the_table_says() {
    let bigger = [("name", Value::from("web")), ("size", 2.into())];
    for (fault, told, is) in
        [(Fault::FailBefore, "1", "1"), (Fault::FailAfter, "2", "2"), (Fault::LostAnswer, "1", "2")]
    {
        let world = World::new(Settings::default());
        let instances = kind(&world, INSTANCE).await;
        let made = create(&*instances, "t", &web()).await.instance.unwrap();
        world.inject(Operation::Update, "web", fault);
        let outcome = update(&*instances, &made, &bigger).await;
        assert!(outcome.diagnostics.has_errors());
        assert_eq!(attribute(&outcome.instance.unwrap(), "size"), told, "{fault:?}");
        assert_eq!(world.objects()[0].attributes.attribute("size").unwrap().to_string(), is, "{fault:?}");
    }
    for (fault, told, exists) in
        [(Fault::FailBefore, true, true), (Fault::FailAfter, false, false), (Fault::LostAnswer, true, false)]
    {
        let world = World::new(Settings::default());
        let instances = kind(&world, INSTANCE).await;
        let made = create(&*instances, "t", &web()).await.instance.unwrap();
        world.inject(Operation::Delete, "web", fault);
        let outcome = instances.delete(&context("sim_x.x", "d"), &made).await;
        assert!(outcome.diagnostics.has_errors());
        assert_eq!((outcome.instance.is_some(), world.objects().len() == 1), (told, exists), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_creation_is_found_by_its_token() {
    let world = World::new(Settings { stale_reads: 3, ..Settings::default() });
    let instances = kind(&world, INSTANCE).await;
    world.inject(Operation::Create, "web", Fault::LostAnswer);
    assert!(create(&*instances, "t1", &web()).await.instance.is_none());
    create(&*instances, "t2", &web()).await;
    let intent = |token: &str| Intent {
        token: token.to_owned(),
        arguments: json!({ "name": "web" }),
        recorded: json!(null),
        began: None,
        known: BTreeSet::new(),
    };
    let cx = context("sim_x.x", "t1");
    let Found::One(found) = instances.find(&cx, &intent("t1")).await.unwrap() else { panic!("it exists") };
    assert_eq!(attribute(&found, "id"), "\"sim_instance-web-1\"");
    assert!(matches!(instances.read(&cx, &found).await.unwrap(), ReadOutcome::Present { .. }));
    assert!(matches!(instances.find(&cx, &intent("t3")).await.unwrap(), Found::None));

    let nameless = world.with_settings(Settings { tokens: false, ..Settings::default() });
    match kind(&nameless, INSTANCE).await.find(&cx, &intent("t1")).await.unwrap() {
        Found::Ambiguous(candidates) => assert_eq!(candidates, ["sim_instance-web-1", "sim_instance-web-2"]),
        other => panic!("two have the name, and tokens are not known: {other:?}"),
    }
    let known = BTreeSet::from(["sim_instance-web-2".to_owned()]);
    let found = kind(&nameless, INSTANCE).await.find(&cx, &Intent { known, ..intent("t1") }).await.unwrap();
    assert!(matches!(found, Found::One(_)), "the state has the other one: {found:?}");
}

#[tokio::test]
async fn a_hanging_call_has_its_effect_and_can_be_dropped_or_stopped() {
    let world = World::new(Settings::default());
    let instances = kind(&world, INSTANCE).await;
    world.inject(Operation::Create, "web", Fault::Hang);
    let hanging = {
        let instances = instances.clone();
        tokio::spawn(async move { create(&*instances, "t1", &web()).await })
    };
    while world.objects().is_empty() {
        tokio::task::yield_now().await;
    }
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());

    world.inject(Operation::Create, "web", Fault::Hang);
    let cx = context("sim_x.x", "t2");
    let cancel = cx.cancel.clone();
    let (_, planned) = plan(&*instances, &config(&*instances, &web()), None).await;
    let (outcome, ()) = tokio::join!(instances.create(&cx, &planned), async {
        while world.objects().len() < 2 {
            tokio::task::yield_now().await;
        }
        cancel.request(Stop::Now);
    });
    assert_eq!((summary(&outcome).as_str(), outcome.instance.is_none()), ("Connection lost", true));
    let stopped = instances.create(&cx, &planned).await;
    assert_eq!(summary(&stopped), "Stopped", "a stopped call begins nothing");
    assert_eq!(world.objects().len(), 2);
}

#[tokio::test]
async fn new_objects_may_not_be_seen_at_once() {
    let settings = Settings { seed: 3, stale_reads: 4, wait_until_visible: false, ..Settings::default() };
    let world = World::new(settings);
    let instances = kind(&world, INSTANCE).await;
    let mut looks = Vec::new();
    for number in 0..20 {
        let name = format!("web{number}");
        let made = create(&*instances, &name, &[("name", Value::from(name.as_str()))]).await.instance.unwrap();
        let cx = context("sim_x.x", "r");
        let mut gone = 0;
        while matches!(instances.read(&cx, &made).await.unwrap(), ReadOutcome::Gone) {
            gone += 1;
        }
        assert!(gone <= 4, "bounded");
        looks.push(gone);
    }
    assert!(looks.contains(&0) && looks.contains(&4), "{looks:?}");

    let careful = world.with_settings(Settings { stale_reads: 4, ..Settings::default() });
    for number in 0..20 {
        let name = format!("db{number}");
        let made = create(&*kind(&careful, INSTANCE).await, &name, &[("name", Value::from(name.as_str()))]).await;
        let seen = instances.read(&context("sim_x.x", "r"), &made.instance.unwrap()).await.unwrap();
        assert!(matches!(seen, ReadOutcome::Present { .. }));
    }
}

#[tokio::test]
async fn drift_is_told_and_secrets_are_not() {
    let world = World::new(Settings::default());
    let instances = kind(&world, INSTANCE).await;
    let tags = Value::map(pipectl_core::Type::String, [("key", Value::from("hunter2").marked(Marks::SENSITIVE))]);
    let made = create(&*instances, "t", &[("name", "web".into()), ("tags", tags)]).await.instance.unwrap();
    assert!(!format!("{made:?}").contains("hunter2"));
    let cx = context("sim_x.x", "r");
    let read = async || match instances.read(&cx, &made).await.unwrap() {
        ReadOutcome::Present { instance, drift } => (instance, drift),
        ReadOutcome::Gone => panic!("it exists"),
    };
    assert_eq!(read().await, (Box::new(made.clone()), Vec::new()));
    assert!(world.edit("sim_instance-web-1", "size", 8.into()));
    let (instance, drift) = read().await;
    assert_eq!(drift, ["attribute `size` changed: 1 -> 8"]);
    assert_eq!(instance.private, json!({ "revision": 2 }));
    let tags = Value::map(pipectl_core::Type::String, [("key", Value::from("other"))]);
    assert!(world.edit("sim_instance-web-1", "tags", tags));
    let (instance, drift) = read().await;
    assert!(!format!("{instance:?} {drift:?}").contains("other"), "{drift:?}");
    assert!(world.remove("sim_instance-web-1"));
    assert!(matches!(instances.read(&cx, &made).await.unwrap(), ReadOutcome::Gone));
    assert!(!world.edit("sim_instance-web-1", "size", 8.into()));
}

#[tokio::test]
async fn calls_are_counted_and_their_number_at_once_too() {
    let latency = Duration::from_micros(10)..=Duration::from_micros(500);
    let world = World::new(Settings { latency, ..Settings::default() });
    let instances = kind(&world, INSTANCE).await;
    let (a, b, c) = ([("name", "a".into())], [("name", "b".into())], [("name", "c".into())]);
    tokio::join!(create(&*instances, "1", &a), create(&*instances, "2", &b), create(&*instances, "3", &c));
    assert_eq!((world.most_concurrent(), world.count(Operation::Create)), (3, 3));
    world.forget_calls();
    create(&*instances, "4", &a).await;
    assert_eq!((world.most_concurrent(), world.count(Operation::Create), world.objects().len()), (1, 1, 4));
}

#[tokio::test]
async fn chance_is_seeded_and_does_not_depend_on_order() {
    async fn faults(seed: u64, reversed: bool) -> BTreeMap<String, Option<Fault>> {
        let rates = Rates { fail_before: 0.2, fail_after: 0.2, lost_answer: 0.2, limit: None };
        let rates = BTreeMap::from([(Operation::Create, rates)]);
        let world = World::new(Settings { seed, rates, ..Settings::default() });
        let instances = kind(&world, INSTANCE).await;
        let mut numbers: Vec<u32> = (0..100).collect();
        if reversed {
            numbers.reverse();
        }
        for number in numbers {
            let name = format!("web{number}");
            create(&*instances, &name, &[("name", Value::from(name.as_str()))]).await;
        }
        world.calls().into_iter().map(|call| (call.name, call.fault)).collect()
    }
    let first = faults(1, false).await;
    assert_eq!(first, faults(1, true).await);
    assert_ne!(first, faults(2, false).await);
    let failed = first.values().filter(|fault| fault.is_some()).count();
    assert!((45..=75).contains(&failed), "about 60 of 100: {failed}");
}

#[tokio::test]
async fn a_limit_ends_bad_luck() {
    let rates = Rates { fail_before: 1.0, limit: Some(2), ..Rates::default() };
    let world = World::new(Settings { rates: BTreeMap::from([(Operation::Create, rates)]), ..Settings::default() });
    let instances = kind(&world, INSTANCE).await;
    let mut failures = Vec::new();
    for _ in 0..4 {
        failures.push(create(&*instances, "t", &web()).await.diagnostics.has_errors());
    }
    assert_eq!(failures, [true, true, false, false]);
}

#[tokio::test]
async fn objects_are_imported_by_id_and_reads_can_fail() {
    let world = World::new(Settings::default());
    let instances = kind(&world, INSTANCE).await;
    let made = create(&*instances, "t", &web()).await.instance.unwrap();
    let cx = context("sim_x.x", "i");
    assert_eq!(instances.import(&cx, "sim_instance-web-1").await.unwrap(), Some(made.clone()));
    assert_eq!(instances.import(&cx, "sim_instance-web-2").await.unwrap(), None);
    assert_eq!(kind(&world, NETWORK).await.import(&cx, "sim_instance-web-1").await.unwrap(), None);
    world.inject(Operation::Read, "web", Fault::FailBefore);
    assert!(instances.read(&cx, &made).await.is_err());
    let found = instances.validate(&config(&*instances, &[("name", "a".into()), ("size", 0.into())]));
    assert_eq!(found.iter().next().unwrap().detail, "`size` must be a whole number, 1 or more; it is 0.");
}

#[tokio::test]
async fn a_world_on_disk_forgets_the_line_that_a_kill_cut_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloud");
    let world = World::kept_in(&path, Settings::default()).unwrap();
    create(&*kind(&world, INSTANCE).await, "t1", &web()).await;
    let whole = std::fs::read(&path).unwrap();
    create(&*kind(&world, INSTANCE).await, "t2", &[("name", "wéb".into())]).await;
    let both = std::fs::read(&path).unwrap();
    for cut in whole.len()..both.len() {
        std::fs::write(&path, &both[..cut]).unwrap();
        let world = World::kept_in(&path, Settings::default()).unwrap();
        assert_eq!(ids(&world.objects()), ["sim_instance-web-1"], "cut at {cut}");
        create(&*kind(&world, INSTANCE).await, "t3", &[("name", "later".into())]).await;
        let again = World::kept_in(&path, Settings::default()).unwrap();
        assert_eq!(ids(&again.objects()), ["sim_instance-later-1", "sim_instance-web-1"], "cut at {cut}");
    }
}

#[tokio::test]
async fn a_place_is_seen_from_its_own_configuration_only() {
    let world = World::new(Settings::default());
    let cluster = create(&*kind(&world, CLUSTER).await, "c", &[("name", "c".into())]).await.instance.unwrap();
    let of = |name: &str| cluster.attributes.attribute(name).unwrap().clone();
    assert_eq!(attribute(&cluster, "endpoint"), "\"https://sim_cluster-c-1.sim\"");
    let inside = configured(&world, &[("endpoint", of("endpoint")), ("token", of("token"))]).await.unwrap();
    let network = create(&*inside.resources[NETWORK], "n", &web()).await.instance.unwrap();
    let west = configured(&world, &[("region", "west".into())]).await.unwrap();
    let cx = context("sim_network.x", "");
    for (kinds, is_there) in [(&inside, true), (&west, false)] {
        let seen = kinds.resources[NETWORK].read(&cx, &network).await.unwrap();
        assert_eq!(matches!(seen, ReadOutcome::Present { .. }), is_there);
    }
    assert_eq!(summary(&kind(&world, CLUSTER).await.delete(&cx, &cluster).await), "Cluster in use");
    // Another release answers elsewhere; what lives in the cluster stays.
    let cluster = update(&*kind(&world, CLUSTER).await, &cluster, &[("name", "c".into()), ("release", 2.into())]).await;
    assert_eq!(attribute(&cluster.instance.unwrap(), "endpoint"), "\"https://sim_cluster-c-1-2.sim\"");
    let refused = async |given: &[(&str, Value)]| {
        configured(&world, given).await.err().unwrap().iter().next().unwrap().summary.clone()
    };
    assert_eq!(refused(&[("endpoint", of("endpoint")), ("token", of("token"))]).await, "Connection refused");
    let moved = Value::from("https://sim_cluster-c-1-2.sim");
    assert_eq!(refused(&[("endpoint", moved.clone()), ("token", "another".into())]).await, "Unauthorized");
    assert!(configured(&world, &[("endpoint", moved), ("token", of("token"))]).await.is_ok());
    // With a cluster goes what lives in it.
    assert!(world.remove("sim_cluster-c-1") && world.objects().is_empty());
    assert_eq!(world.configured().iter().filter(|place| *place == "sim_cluster-c-1").count(), 2);
    let gone = inside.resources[NETWORK].read(&cx, &network).await.unwrap_err();
    assert_eq!(gone.iter().next().unwrap().summary, "Connection refused");
    let unconfigured = world.provider().kinds().resources[NETWORK].clone();
    assert!(unconfigured.read(&cx, &network).await.is_err());
}
