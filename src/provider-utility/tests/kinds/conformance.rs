//! What holds for every kind of resource: making one, looking at it, changing it, replacing it, importing it, removing it.

use std::collections::BTreeSet;

use pipectl_core::Value;
use pipectl_provider::{Effect, Instance, ReadOutcome};
use serde_json::{Value as Json, json};

use crate::bed::{Bed, text, with};

struct Case {
    type_name: &'static str,
    given: Json,
    /// Changes of arguments, and what each leads to.
    changes: Vec<(Json, Effect)>,
    /// The id under which the object can be imported.
    id: Option<fn(&Value) -> String>,
}

fn case(type_name: &'static str, given: Json, changes: &[(Json, Effect)]) -> Case {
    Case { type_name, given, changes: changes.to_vec(), id: None }
}

fn imported_by(case: Case, id: fn(&Value) -> String) -> Case {
    Case { id: Some(id), ..case }
}

fn id(attributes: &Value) -> String {
    text(attributes, "id").to_owned()
}

fn random() -> Vec<Case> {
    use Effect::{NoOp, Replace, Update};
    let keepers = |value: &str| json!({ "keepers": { "a": value } });
    vec![
        imported_by(
            case(
                "random_id",
                json!({ "byte_length": 8, "prefix": "p,-" }),
                &[
                    (keepers("1"), Replace),
                    (json!({ "byte_length": 9 }), Replace),
                    (json!({ "prefix": null }), Replace),
                    (json!({ "keepers": { "a": null } }), Update),
                ],
            ),
            |made| format!("p,-,{}", id(made)),
        ),
        imported_by(
            case(
                "random_integer",
                json!({ "min": -5, "max": 50, "seed": "s" }),
                &[(keepers("1"), Replace), (json!({ "max": 51 }), Replace), (json!({ "seed": "t" }), Replace)],
            ),
            |made| format!("{},-5,50,s", id(made)),
        ),
        imported_by(
            case(
                "random_string",
                json!({ "length": 20 }),
                &[
                    (keepers("1"), Replace),
                    (json!({ "length": 21 }), Replace),
                    (json!({ "special": false }), Replace),
                    (json!({ "min_upper": 1 }), Replace),
                    (json!({ "numeric": true, "number": true }), NoOp),
                    (json!({ "numeric": false }), Replace),
                    (json!({ "number": false }), Replace),
                    (json!({ "override_special": "!" }), Replace),
                ],
            ),
            id,
        ),
        imported_by(
            case(
                "random_password",
                json!({ "length": 16 }),
                &[(keepers("1"), Replace), (json!({ "lower": false }), Replace)],
            ),
            |made| text(made, "result").to_owned(),
        ),
        case(
            "random_pet",
            json!({ "prefix": "web" }),
            &[
                (keepers("1"), Replace),
                (json!({ "length": 2, "separator": "-" }), NoOp),
                (json!({ "length": 3 }), Replace),
                (json!({ "separator": "_" }), Replace),
                (json!({ "prefix": null }), Replace),
            ],
        ),
        case(
            "random_shuffle",
            json!({ "input": ["a", "b", "c"], "result_count": 2 }),
            &[
                (keepers("1"), Replace),
                (json!({ "input": ["a"] }), Replace),
                (json!({ "result_count": null }), Replace),
                (json!({ "seed": "s" }), Replace),
            ],
        ),
        imported_by(case("random_uuid", json!({}), &[(keepers("1"), Replace)]), id),
        imported_by(
            case(
                "random_bytes",
                json!({ "length": 16 }),
                &[(keepers("1"), Replace), (json!({ "length": 17 }), Replace)],
            ),
            |made| text(made, "base64").to_owned(),
        ),
        case(
            "null_resource",
            json!({}),
            &[(json!({ "triggers": { "a": "1" } }), Replace), (json!({ "triggers": { "a": null } }), Update)],
        ),
    ]
}

fn time() -> Vec<Case> {
    use Effect::{Replace, Update};
    let triggers = || json!({ "triggers": { "a": "1" } });
    vec![
        imported_by(
            case(
                "time_static",
                json!({}),
                &[(triggers(), Replace), (json!({ "rfc3339": "2020-02-12T06:36:13Z" }), Replace)],
            ),
            id,
        ),
        imported_by(
            case(
                "time_offset",
                json!({ "offset_days": 7, "offset_hours": -1 }),
                &[
                    (triggers(), Replace),
                    (json!({ "offset_days": 8 }), Update),
                    (json!({ "offset_hours": null }), Update),
                    (json!({ "base_rfc3339": "2020-02-12T06:36:13Z" }), Update),
                ],
            ),
            |made| format!("{},,,7,-1,,", id(made)),
        ),
        imported_by(
            case(
                "time_rotating",
                json!({ "rotation_days": 30 }),
                &[
                    (triggers(), Replace),
                    (json!({ "rotation_days": 31 }), Update),
                    (json!({ "rotation_years": 1 }), Update),
                    (json!({ "rotation_rfc3339": "2030-01-01T00:00:00Z" }), Update),
                    (json!({ "rfc3339": "2026-01-02T00:00:00Z" }), Replace),
                ],
            ),
            |made| format!("{},,,30,,", id(made)),
        ),
        imported_by(
            case(
                "time_sleep",
                json!({ "create_duration": "1ms", "destroy_duration": "1ms" }),
                &[(triggers(), Replace), (json!({ "create_duration": "2ms" }), Update)],
            ),
            |_| "1ms,1ms".to_owned(),
        ),
    ]
}

fn files() -> Vec<Case> {
    use Effect::{Replace, Update};
    vec![
        case(
            "local_file",
            json!({ "filename": "out/a.txt", "content": "hello" }),
            &[
                (json!({ "content": "bye" }), Replace),
                (json!({ "filename": "out/b.txt" }), Replace),
                (json!({ "file_permission": "0600" }), Replace),
                (json!({ "content": null, "content_base64": "aGVsbG8=" }), Replace),
                (json!({ "content": null, "source": "in/one.txt" }), Replace),
                (json!({ "content": null, "sensitive_content": "hello" }), Replace),
            ],
        ),
        case(
            "local_sensitive_file",
            json!({ "filename": "out/secret.txt", "content": "hello" }),
            &[(json!({ "content": "bye" }), Replace), (json!({ "directory_permission": "0750" }), Replace)],
        ),
        case(
            "archive_file",
            json!({ "type": "zip", "source_dir": "in", "output_path": "out/a.zip" }),
            &[
                (json!({ "type": "tar.gz" }), Replace),
                (json!({ "excludes": ["one.txt"] }), Replace),
                (json!({ "output_path": "out/b.zip" }), Replace),
                (json!({ "exclude_symlink_directories": true }), Update),
                (json!({ "source_dir": null, "source": [{ "content": "x", "filename": "y" }] }), Replace),
            ],
        ),
        case(
            "archive_file",
            json!({ "type": "zip", "source": [{ "content": "x", "filename": "y" }], "output_path": "out/a.zip" }),
            &[(json!({ "source": [{ "content": "z", "filename": "y" }] }), Replace)],
        ),
    ]
}

async fn try_case(case: Case) {
    let Case { type_name, given, changes, id } = case;
    let bed = Bed::new();
    bed.write("in/one.txt", "one");
    bed.write("in/two.txt", "two");
    let kind = bed.resource(type_name);
    assert!(!kind.has_remote_effect(), "{type_name} makes nothing that a lost state would orphan");

    let planned = bed.plan(type_name, &given, None).await;
    assert_eq!(planned.effect, Effect::Create, "{type_name}");
    let made = bed.apply(type_name, &given, None).await;
    assert_unchanged(&bed, type_name, &made).await;
    assert_no_op(&bed, type_name, &given, &made).await;

    let mut current = (given.clone(), made);
    for (change, effect) in changes {
        let changed = with(&given, &change);
        // Each change is one of the first arguments, which are there again before.
        current = (given.clone(), bed.apply(type_name, &given, Some(&current.1)).await);
        let planned = bed.plan(type_name, &changed, Some(&current.1)).await;
        assert_eq!(planned.effect, effect, "{type_name}: {change}: {:?}", planned.reasons);
        assert_eq!(planned.reasons.is_empty(), effect == Effect::NoOp, "{type_name}: {change}");
        assert_eq!(planned.requires_replace.is_empty(), effect != Effect::Replace, "{type_name}: {change}");
        let made = bed.apply(type_name, &changed, Some(&current.1)).await;
        assert_unchanged(&bed, type_name, &made).await;
        assert_no_op(&bed, type_name, &changed, &made).await;
        current = (changed, made);
    }
    let asked_for = bed.try_plan(type_name, &current.0, Some(&current.1), true).await.unwrap();
    assert_eq!(asked_for.effect, Effect::Replace, "{type_name} when a replacement is asked for");

    let made = bed.apply(type_name, &given, Some(&current.1)).await;
    if let Some(id) = id {
        let cx = bed.cx(&format!("{type_name}.x"));
        let imported = kind.import(&cx, &id(&made.attributes)).await.unwrap().unwrap();
        assert_eq!(imported.schema_version, kind.schema().version, "{type_name}");
        let differing: BTreeSet<&String> = kind
            .schema()
            .attributes
            .keys()
            .filter(|name| imported.attributes.attribute(name) != made.attributes.attribute(name))
            .collect();
        // Salted, or the time of the import.
        let may_differ: BTreeSet<String> = match type_name {
            "random_password" => ["bcrypt_hash".to_owned()].into(),
            _ => BTreeSet::new(),
        };
        assert_eq!(
            differing,
            may_differ.iter().collect(),
            "{type_name}: {} / {}",
            imported.attributes,
            made.attributes
        );
        assert_no_op(&bed, type_name, &given, &imported).await;
        assert!(kind.import(&cx, "no such, id").await.is_err() || type_name.starts_with("random_"), "{type_name}");
    } else {
        assert!(kind.import(&bed.cx(type_name), "an id").await.is_err(), "{type_name}");
    }

    for _ in 0..2 {
        let outcome = kind.delete(&bed.cx(type_name), &made).await;
        assert!(outcome.instance.is_none() && outcome.diagnostics.is_empty(), "{type_name} goes, and is then gone");
    }
}

async fn assert_unchanged(bed: &Bed, type_name: &str, made: &Instance) {
    match bed.resource(type_name).read(&bed.cx(type_name), made).await.unwrap() {
        ReadOutcome::Present { instance, drift } => assert_eq!((*instance, drift), (made.clone(), Vec::new())),
        ReadOutcome::Gone => panic!("{type_name} is gone"),
    }
}

async fn assert_no_op(bed: &Bed, type_name: &str, given: &Json, made: &Instance) {
    let planned = bed.plan(type_name, given, Some(made)).await;
    assert_eq!(planned.effect, Effect::NoOp, "{type_name}: {:?}", planned.reasons);
    assert_eq!(planned.planned, made.attributes, "{type_name}");
}

#[tokio::test]
async fn random_kinds_keep_to_the_rules() {
    for case in random() {
        try_case(case).await;
    }
}

#[tokio::test]
async fn time_kinds_keep_to_the_rules() {
    for case in time() {
        try_case(case).await;
    }
}

#[tokio::test]
async fn file_kinds_keep_to_the_rules() {
    for case in files() {
        try_case(case).await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_kinds_keep_to_the_rules() {
    for case in super::tls::cases() {
        let (type_name, given, changes) = case;
        let changes: Vec<(Json, Effect)> = changes.into_iter().collect();
        try_case(Case { type_name, given, changes, id: None }).await;
    }
}

#[test]
fn no_kind_is_left_out() {
    let bed = Bed::new();
    let tried = random().into_iter().chain(time()).chain(files()).map(|case| case.type_name);
    #[cfg(feature = "tls")]
    let tried = tried.chain(super::tls::cases().into_iter().map(|(type_name, ..)| type_name));
    let tried: BTreeSet<&str> = tried.collect();
    assert_eq!(tried, bed.registry().resources.keys().map(String::as_str).collect());
}
