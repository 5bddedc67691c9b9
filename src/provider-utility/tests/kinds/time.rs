//! What the kinds of `time` keep, when they are replaced, and how they wait.

use pipectl_provider::{Effect, Instance, Stop};
use serde_json::json;

use crate::bed::{Bed, config, integer, text, with, words};

#[tokio::test]
async fn a_static_time_stays() {
    let bed = Bed::new();
    let made = bed.apply("time_static", &json!({}), None).await;
    assert_eq!(text(&made.attributes, "rfc3339"), "2026-01-01T00:00:00Z");
    bed.wait(1_000_000);
    assert_eq!(bed.plan("time_static", &json!({}), Some(&made)).await.effect, Effect::NoOp);
    let given = json!({ "rfc3339": "2020-02-12T06:36:13+02:00" });
    let made = bed.apply("time_static", &given, None).await.attributes;
    for (name, expected) in [
        ("year", 2020),
        ("month", 2),
        ("day", 12),
        ("hour", 6),
        ("minute", 36),
        ("second", 13),
        ("unix", 1_581_482_173),
    ] {
        assert_eq!(integer(&made, name), expected, "{name}");
    }
}

#[tokio::test]
async fn an_offset_moves_with_its_arguments_and_its_base_stays() {
    let bed = Bed::new();
    let given = json!({ "base_rfc3339": "2020-02-12T06:36:13Z", "offset_days": 7 });
    let made = bed.apply("time_offset", &given, None).await;
    assert_eq!(text(&made.attributes, "rfc3339"), "2020-02-19T06:36:13Z");
    assert_eq!((text(&made.attributes, "id"), integer(&made.attributes, "day")), ("2020-02-12T06:36:13Z", 19));
    let all = json!({
        "offset_years": 1, "offset_months": 1, "offset_days": 1, "offset_hours": 1, "offset_minutes": 1, "offset_seconds": 1
    });
    let planned = bed.plan("time_offset", &with(&given, &all), Some(&made)).await;
    assert_eq!(text(&planned.planned, "rfc3339"), "2021-03-13T07:37:14Z", "known in the plan");

    let made = bed.apply("time_offset", &json!({ "offset_hours": 1 }), None).await;
    bed.wait(5000);
    let moved = bed.apply("time_offset", &json!({ "offset_hours": 2 }), Some(&made)).await;
    assert_eq!(text(&moved.attributes, "rfc3339"), "2026-01-01T02:00:00Z");
    let planned = bed.plan("time_offset", &json!({ "offset_hours": "(unknown)" }), Some(&made)).await;
    assert!(!planned.planned.attribute("unix").unwrap().is_known());
    assert!(
        bed.try_apply("time_offset", &json!({ "offset_years": 9000 }), None).await.unwrap().diagnostics.has_errors()
    );
}

#[tokio::test]
async fn a_rotating_time_is_replaced_when_it_has_come() {
    let bed = Bed::new();
    let given = json!({ "rotation_hours": 2 });
    let made = bed.apply("time_rotating", &given, None).await;
    assert_eq!(text(&made.attributes, "rotation_rfc3339"), "2026-01-01T02:00:00Z");
    assert_eq!((text(&made.attributes, "id"), integer(&made.attributes, "hour")), ("2026-01-01T00:00:00Z", 2));
    bed.wait(2 * 3600);
    assert_eq!(bed.plan("time_rotating", &given, Some(&made)).await.effect, Effect::NoOp, "not before it has passed");
    bed.wait(1);
    let planned = bed.plan("time_rotating", &given, Some(&made)).await;
    assert_eq!(planned.effect, Effect::Replace);
    let reasons: Vec<&str> = planned.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(reasons, ["its rotation time 2026-01-01T02:00:00Z has passed"]);
    let again = bed.apply("time_rotating", &given, Some(&made)).await;
    assert_eq!(text(&again.attributes, "rotation_rfc3339"), "2026-01-01T04:00:01Z");

    // The base stays where only the rotation changes, and a change and an expiry come together.
    let longer = json!({ "rotation_days": 1 });
    let moved = bed.apply("time_rotating", &longer, Some(&again)).await;
    assert_eq!(text(&moved.attributes, "rotation_rfc3339"), "2026-01-02T02:00:01Z");
    bed.wait(3 * 86_400);
    let planned = bed.plan("time_rotating", &given, Some(&moved)).await;
    assert_eq!((planned.effect, planned.reasons.len()), (Effect::Replace, 3), "{:?}", planned.reasons);
}

#[tokio::test]
async fn sleeping_takes_its_time_and_can_be_interrupted() {
    let bed = Bed::new();
    let kind = bed.resource("time_sleep");
    let made = bed.apply("time_sleep", &json!({ "create_duration": "1ms", "destroy_duration": "1h" }), None).await;
    let waiting = bed.cx("time_sleep.x");
    tokio::select! {
        biased;
        outcome = kind.delete(&waiting, &made) => panic!("it did not wait: {outcome:?}"),
        () = tokio::task::yield_now() => {}
    }

    let cx = bed.cx("time_sleep.x");
    cx.cancel.request(Stop::Gentle);
    let outcome = kind.delete(&cx, &made).await;
    assert!(words(&outcome.diagnostics).contains("The wait of 3600 seconds was interrupted."));
    assert_eq!(outcome.instance, Some(made.clone()), "what was not removed is still there");
    let long = Instance { attributes: made.attributes.with_attribute("create_duration", "1h".into()), ..made };
    assert!(kind.create(&cx, &long).await.instance.is_none());
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    for (type_name, given, expected) in [
        (
            "time_sleep",
            json!({}),
            "At least one of these attributes must be configured: [create_duration,destroy_duration]",
        ),
        ("time_sleep", json!({ "create_duration": "1 minute" }), "must be a number immediately followed by"),
        ("time_offset", json!({}), "Missing Attribute Configuration"),
        ("time_offset", json!({ "offset_days": 1, "base_rfc3339": "today" }), "no timestamp in the format of RFC 3339"),
        ("time_rotating", json!({ "rfc3339": "2020-02-12T06:36:13Z" }), "Missing Attribute Configuration"),
        ("time_rotating", json!({ "rotation_days": 0 }), "must be at least 1, got: 0"),
        ("time_static", json!({ "rfc3339": "2020-02-30T00:00:00Z" }), "Invalid RFC3339 String Value"),
    ] {
        let kind = bed.resource(type_name);
        let found = words(&kind.validate(&config(kind.schema(), &given)));
        assert!(found.contains(expected), "{type_name}: {found}");
    }
    for (type_name, id) in [
        ("time_offset", "2020-02-12T06:36:13Z,,,,,,"),
        ("time_offset", "2020-02-12T06:36:13Z,1"),
        ("time_rotating", "2020-02-12T06:36:13Z,,,,,"),
        ("time_rotating", "2020-02-12T06:36:13Z"),
        ("time_sleep", ","),
        ("time_sleep", "1s"),
        ("time_static", "yesterday"),
    ] {
        assert!(bed.resource(type_name).import(&bed.cx(type_name), id).await.is_err(), "{type_name}: {id}");
    }
    let kind = bed.resource("time_rotating");
    let imported = kind.import(&bed.cx("time_rotating.x"), "2025-12-31T00:00:00Z,2026-12-31T00:00:00Z").await;
    let imported = imported.unwrap().unwrap();
    let given = json!({ "rfc3339": "2025-12-31T00:00:00Z", "rotation_rfc3339": "2026-12-31T00:00:00Z" });
    assert_eq!(bed.plan("time_rotating", &given, Some(&imported)).await.effect, Effect::NoOp);
}
