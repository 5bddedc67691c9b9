//! What the kinds of `random` and `null` draw, and what they refuse.

use std::collections::BTreeSet;

use pipectl_core::{Marks, Value};
use pipectl_provider::{Effect, Instance};
use serde_json::{Value as Json, json};

use crate::bed::{Bed, config, integer, text, words};

async fn draw(bed: &Bed, type_name: &str, given: &Json, token: &str) -> Value {
    let kind = bed.resource(type_name);
    let planned = Instance::new(bed.plan(type_name, given, None).await.planned);
    kind.create(&bed.cx_of(&format!("{type_name}.x"), token), &planned).await.instance.unwrap().attributes
}

#[tokio::test]
async fn a_repeated_call_draws_the_same_unless_it_is_a_secret() {
    let bed = Bed::new();
    for (type_name, given, is_secret) in [
        ("random_id", json!({ "byte_length": 16 }), false),
        ("random_integer", json!({ "min": 0, "max": i64::MAX }), false),
        ("random_pet", json!({ "length": 9 }), false),
        ("random_shuffle", json!({ "input": (0..40).map(|n| n.to_string()).collect::<Vec<_>>() }), false),
        ("random_string", json!({ "length": 20 }), false),
        ("random_uuid", json!({}), false),
        ("null_resource", json!({}), false),
        ("random_password", json!({ "length": 20 }), true),
        ("random_bytes", json!({ "length": 20 }), true),
    ] {
        let first = draw(&bed, type_name, &given, "a").await;
        assert_eq!(first == draw(&bed, type_name, &given, "a").await, !is_secret, "{type_name}");
        assert_ne!(first, draw(&bed, type_name, &given, "b").await, "{type_name}");
    }
}

#[tokio::test]
async fn text_has_the_classes_that_are_asked_for() {
    let bed = Bed::new();
    let count = |text: &str, class: fn(char) -> bool| text.chars().filter(|c| class(*c)).count();
    for round in 0..20 {
        let given = json!({
            "length": 12, "min_upper": 2, "min_lower": 3, "min_numeric": 4, "min_special": 3, "override_special": "_é"
        });
        let made = draw(&bed, "random_string", &given, &round.to_string()).await;
        let result = text(&made, "result");
        let classes: [fn(char) -> bool; 4] =
            [|c| c.is_ascii_uppercase(), |c| c.is_ascii_lowercase(), |c| c.is_ascii_digit(), |c| "_é".contains(c)];
        assert_eq!(classes.map(|class| count(result, class)), [2, 3, 4, 3], "{result}");
    }
    let given = json!({ "length": 200, "special": false, "numeric": false, "upper": false });
    let made = draw(&bed, "random_string", &given, "t").await;
    let seen: BTreeSet<char> = text(&made, "result").chars().collect();
    assert_eq!(seen, ('a'..='z').collect());
    assert_eq!(text(&made, "result"), text(&made, "id"));
}

#[tokio::test]
async fn a_password_is_hashed_and_not_shown() {
    let bed = Bed::new();
    let made = draw(&bed, "random_password", &json!({ "length": 100 }), "t").await;
    let (password, hash) = (text(&made, "result"), text(&made, "bcrypt_hash"));
    assert_eq!(password.chars().count(), 100);
    assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
    assert!(bcrypt::verify(&password[..72], hash).unwrap());
    assert!(!bcrypt::verify("another", hash).unwrap());
    assert_eq!(text(&made, "id"), "none");
    let schema = bed.resource("random_password").schema();
    for name in ["result", "bcrypt_hash"] {
        assert!(schema.attributes[name].sensitive, "{name}");
    }
}

#[tokio::test]
async fn older_states_are_brought_up_to_date() {
    let bed = Bed::new();
    // What an import of 2022 left.
    let stored = json!({ "id": "none", "result": "a-Password", "keepers": null, "length": null, "number": null });
    let kind = bed.resource("random_password");
    let upgraded = kind.upgrade(0, stored.clone()).unwrap();
    assert_eq!(
        (&upgraded["length"], &upgraded["numeric"], &upgraded["min_upper"]),
        (&json!(10), &json!(true), &json!(0))
    );
    assert!(bcrypt::verify("a-Password", upgraded["bcrypt_hash"].as_str().unwrap()).unwrap());
    let upgraded = kind.upgrade(1, json!({ "result": "x", "bcrypt_hash": "kept", "number": false })).unwrap();
    assert_eq!((&upgraded["bcrypt_hash"], &upgraded["numeric"]), (&json!("kept"), &json!(false)));
    assert!(kind.upgrade(4, stored.clone()).is_err());
    let kind = bed.resource("random_string");
    assert_eq!(kind.upgrade(1, stored.clone()).unwrap()["numeric"], json!(true));
    assert!(kind.upgrade(0, stored.clone()).is_err());
    assert_eq!(kind.upgrade(2, stored.clone()).unwrap(), stored);
}

#[tokio::test]
async fn no_special_characters_of_their_own_are_none_at_all() {
    let bed = Bed::new();
    let given = json!({ "length": 5 });
    let made = bed.apply("random_string", &given, None).await;
    let older = Instance { attributes: made.attributes.with_attribute("override_special", "".into()), ..made.clone() };
    let planned = bed.plan("random_string", &given, Some(&older)).await;
    assert_eq!(planned.effect, Effect::Update);
    assert_eq!(bed.apply("random_string", &given, Some(&older)).await, made);
}

#[tokio::test]
async fn numbers_lie_in_their_range() {
    let bed = Bed::new();
    let mut seen = BTreeSet::new();
    for round in 0..100 {
        let made = draw(&bed, "random_integer", &json!({ "min": -1, "max": 2 }), &round.to_string()).await;
        seen.insert(integer(&made, "result"));
        assert_eq!(text(&made, "id"), integer(&made, "result").to_string());
    }
    assert_eq!(seen, (-1..=2).collect());
    let given = json!({ "min": i64::MIN, "max": i64::MAX });
    let made = draw(&bed, "random_integer", &given, "t").await;
    assert_ne!(integer(&made, "result"), 0);
    let seeded = |token| async move {
        let given = json!({ "min": 1, "max": 1_000_000, "seed": "s" });
        integer(&draw(&Bed::new(), "random_integer", &given, token).await, "result")
    };
    assert_eq!(seeded("a").await, seeded("b").await);
}

#[tokio::test]
async fn notations_of_an_id_agree() {
    let bed = Bed::new();
    let kind = bed.resource("random_id");
    let imported = kind.import(&bed.cx("random_id.x"), "web-,-_8").await.unwrap().unwrap().attributes;
    // 0xfb 0xff, in two alphabets of base64.
    for (name, expected) in [
        ("id", "-_8"),
        ("b64_url", "web--_8"),
        ("b64_std", "web-+/8="),
        ("hex", "web-fbff"),
        ("dec", "web-64511"),
        ("prefix", "web-"),
    ] {
        assert_eq!(text(&imported, name), expected, "{name}");
    }
    assert_eq!(integer(&imported, "byte_length"), 2);
}

#[tokio::test]
async fn orders_go_in_rounds() {
    let bed = Bed::new();
    let shuffled = |given: Json| {
        let bed = &bed;
        async move {
            let made = draw(bed, "random_shuffle", &given, "t").await;
            let elements = made.attribute("result").and_then(Value::as_slice).unwrap().to_vec();
            elements.iter().map(|element| element.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    let two_rounds = shuffled(json!({ "input": ["a", "b", "c"], "result_count": 6 })).await;
    for round in two_rounds.chunks(3) {
        assert_eq!(round.iter().map(String::as_str).collect::<BTreeSet<_>>(), ["a", "b", "c"].into());
    }
    assert_eq!(shuffled(json!({ "input": ["a", "b", "c"], "result_count": 2 })).await.len(), 2);
    assert!(shuffled(json!({ "input": ["a"], "result_count": 0 })).await.is_empty());
    assert!(shuffled(json!({ "input": [], "result_count": 3 })).await.is_empty());
    assert_eq!(shuffled(json!({ "input": [] })).await, Vec::<String>::new());
}

#[tokio::test]
async fn pets_have_as_many_words_as_asked_for() {
    let bed = Bed::new();
    for (given, words) in [
        (json!({}), 2),
        (json!({ "length": 1 }), 1),
        (json!({ "length": 4, "separator": "_" }), 4),
        (json!({ "prefix": "web" }), 3),
    ] {
        let made = draw(&bed, "random_pet", &given, "t").await;
        let name = text(&made, "id");
        let separator = given["separator"].as_str().unwrap_or("-");
        assert_eq!(name.split(separator).count(), words, "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || separator.contains(c)), "{name}");
    }
}

#[tokio::test]
async fn a_uuid_is_of_version_4() {
    let bed = Bed::new();
    let made = draw(&bed, "random_uuid", &json!({}), "t").await;
    let uuid = text(&made, "result");
    assert_eq!(uuid.len(), 36);
    assert_eq!(&uuid[14..15], "4");
    assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    let kind = bed.resource("random_uuid");
    let imported = kind.import(&bed.cx("random_uuid.x"), &uuid.to_uppercase()).await.unwrap().unwrap();
    assert_eq!(text(&imported.attributes, "id"), uuid);
    assert!(kind.import(&bed.cx("random_uuid.x"), "6bc4c1a6-5b7d-4d3c-9a55-0123456789ag").await.is_err());
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    for (type_name, given, expected) in [
        ("random_id", json!({ "byte_length": 0 }), "must be at least 1, got: 0"),
        ("random_id", json!({ "byte_length": 1e15 }), "must be at most 1048576"),
        ("random_bytes", json!({ "length": 0 }), "must be at least 1, got: 0"),
        ("random_integer", json!({ "min": 2, "max": 1 }), "Create Random Integer Error"),
        ("random_integer", json!({ "min": 0.5, "max": 1 }), "must be a whole number"),
        ("random_string", json!({ "length": 0 }), "must be at least 1, got: 0"),
        (
            "random_string",
            json!({ "length": 3, "min_upper": 2, "min_special": 2 }),
            "must be at least sum of min_upper + min_lower + min_numeric + min_special, got: 3",
        ),
        (
            "random_password",
            json!({ "length": 3, "number": true, "numeric": false }),
            "Number and numeric are both configured with different values",
        ),
        (
            "random_password",
            json!({ "length": 3, "numeric": false, "upper": false, "lower": false, "special": false }),
            "At least one attribute out of [special,upper,lower,numeric] must be specified as true",
        ),
        ("random_shuffle", json!({ "input": [], "result_count": -1 }), "must be at least 0, got: -1"),
    ] {
        let kind = bed.resource(type_name);
        let found = words(&kind.validate(&config(kind.schema(), &given)));
        assert!(found.contains(expected), "{type_name}: {found}");
    }
    // Without a class there is nothing to draw from, which only shows when defaults count.
    let given = json!({ "length": 3, "number": false, "upper": false, "lower": false, "special": false });
    let kind = bed.resource("random_string");
    assert!(kind.validate(&config(kind.schema(), &given)).has_errors());
    for (type_name, id) in [("random_id", "no+base64"), ("random_integer", "1,2"), ("random_integer", "1,2,x")] {
        assert!(bed.resource(type_name).import(&bed.cx(type_name), id).await.is_err(), "{type_name}: {id}");
    }
}

#[tokio::test]
async fn unknown_arguments_are_judged_later() {
    let bed = Bed::new();
    let given = json!({ "length": "(unknown)", "numeric": "(unknown)", "min_upper": 4 });
    let planned = bed.plan("random_string", &given, None).await;
    assert_eq!(planned.effect, Effect::Create);
    assert!(!planned.planned.attribute("number").unwrap().is_known());
    let made = bed.apply("random_string", &json!({ "length": 5 }), None).await;
    let planned = bed.plan("random_string", &json!({ "length": "(unknown)" }), Some(&made)).await;
    assert_eq!(planned.effect, Effect::Replace);
}

#[tokio::test]
async fn the_null_data_source_hands_on() {
    let bed = Bed::new();
    let given = json!({ "inputs": { "a": "1" } });
    let read = bed.data("null_data_source", &given).await.unwrap();
    assert_eq!(read.attribute("outputs"), read.attribute("inputs"));
    assert_eq!((text(&read, "id"), text(&read, "has_computed_default")), ("static", "default"));
    assert_ne!(text(&read, "random"), text(&bed.data("null_data_source", &given).await.unwrap(), "random"));
    let read = bed.data("null_data_source", &json!({ "has_computed_default": "mine" })).await.unwrap();
    assert_eq!(text(&read, "has_computed_default"), "mine");
    assert!(read.attribute("outputs").unwrap().is_null());
    assert_eq!(read.marks_deep(), Marks::NONE);
}
