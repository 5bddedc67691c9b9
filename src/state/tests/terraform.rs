//! State files that a real Terraform 1.11.4 has written, and files that it reads (`tests/peers/terraform_state.sh`).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use pipectl_core::{Address, AddressKind};
use pipectl_state::terraform::{self, PushError, TerraformStateError, check_push, read, serial, write};
use pipectl_state::{
    AttributePath, Change, ObjectState, OutputState, PathStep, Record, ResourceState, State, changes_between,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/terraform").join(name)
}

fn theirs(name: &str) -> String {
    fs::read_to_string(fixture(name).join("terraform.tfstate")).unwrap()
}

/// A file as data, with resources in one order.
fn sorted(text: &str) -> Json {
    let mut json: Json = serde_json::from_str(text).unwrap();
    let resources = json["resources"].as_array_mut().unwrap();
    resources.sort_by_key(|resource| {
        ["module", "mode", "type", "name"].map(|name| resource[name].as_str().unwrap_or_default().to_owned())
    });
    for resource in resources {
        let instances = resource["instances"].as_array_mut().unwrap();
        instances.sort_by_key(|instance| (instance["index_key"].to_string(), instance["deposed"].to_string()));
    }
    json
}

/// The state after what was imported is committed to a new one.
fn committed(imported: &State) -> State {
    let mut state = State { lineage: imported.lineage.clone(), root: imported.root.clone(), ..State::default() };
    let changes = changes_between(&state, imported);
    state.take(Record { serial: 1, changes });
    assert_eq!(State { serial: 0, ..state.clone() }, *imported);
    state
}

/// Keeps `written.tfstate` as it is, or makes it.
fn keep(name: &str, text: &str) {
    let path = fixture(name).join("written.tfstate");
    if !path.exists() {
        fs::write(&path, text).unwrap();
        panic!("{name}/written.tfstate was made: run tests/peers/terraform_state.sh, and commit it");
    }
    assert_eq!(sorted(&fs::read_to_string(path).unwrap()), sorted(text), "{name}/written.tfstate");
}

#[test]
fn what_terraform_wrote_is_written_again() {
    for name in ["everything", "deposed"] {
        let text = theirs(name);
        let imported = read(&text).unwrap();
        let state = committed(&imported.state);
        let written = write(&state);
        let (mut expected, mut found) = (sorted(&text), sorted(&written));
        assert_eq!(found["serial"].as_u64(), expected["serial"].as_u64().map(|serial| serial + 1));
        for json in [&mut expected, &mut found] {
            json["serial"] = Json::Null;
        }
        assert_eq!(found, expected, "{name}");
        // Digits that a double does not hold are all there.
        for digits in ["0.3333333333333333333333333333333333333333", "12345678901234567890.125"] {
            assert_eq!(written.matches(digits).count(), text.matches(digits).count(), "{name} {digits}");
        }
        keep(name, &written);
        // Reading our own file changes nothing but the serial.
        let again = read(&written).unwrap();
        let mut rest = again.state.terraform.clone().unwrap();
        rest.serial -= 1;
        assert_eq!(State { terraform: Some(rest), ..again.state }, imported.state);
        assert_eq!(again.left_out, imported.left_out);
        // From a formatted state to JSON and back.
        assert_eq!(serde_json::from_str::<State>(&serde_json::to_string(&state).unwrap()).unwrap(), state);
    }
}

#[test]
fn objects_are_what_terraform_has() {
    let state = read(&theirs("everything")).unwrap().state;
    assert_eq!(state.outputs["names"].value, json!(["n0", "n1"]));
    assert!(state.outputs["password"].sensitive && !state.outputs["names"].sensitive);
    assert_eq!(state.outputs["mixed"].ty[1]["set"], json!(["set", "string"]));
    let object = |text: &str| state.object(&text.parse().unwrap()).unwrap();

    let counted = object("terraform_data.counted[1]");
    assert_eq!(counted.attributes["input"]["name"], "n1");
    let third = counted.attributes["input"]["ratio"].as_str().unwrap();
    assert!(third.starts_with("0.3333") && third.len() > 100, "more digits than a double holds are a string");
    assert_eq!(counted.types["input"][1]["ratio"], "number", "which the type tells");
    assert!(counted.attributes["triggers_replace"].is_null() && !counted.types.contains_key("triggers_replace"));

    let each = object("terraform_data.each[\"with.dot\"]");
    assert_eq!(each.attributes["input"], json!(["with.dot", ["a", "b"], { "k": 1 }]));
    assert_eq!(each.types["input"], json!(["tuple", ["string", ["set", "string"], ["map", "number"]]]));
    assert!(!each.types.contains_key("triggers_replace"), "a string needs no type");

    let secret = object("terraform_data.secret");
    let name = |text: &str| PathStep::Name(text.to_owned());
    assert_eq!(secret.sensitive, [AttributePath(vec![name("input"), name("password")])]);
    assert!(secret.create_before_destroy && !secret.tainted);
    assert!(secret.dependencies.contains(&"terraform_data.counted".parse().unwrap()));
    assert!(object("terraform_data.tainted").tainted);

    let state = read(&theirs("deposed")).unwrap().state;
    let replaced = &state.resources[&"terraform_data.replaced".parse::<Address>().unwrap()];
    assert!(replaced.current.as_ref().unwrap().tainted);
    let old: Vec<_> = replaced.deposed.values().collect();
    assert_eq!((old.len(), old[0].tainted, &old[0].attributes["triggers_replace"]), (1, false, &json!(1)));
    let is_resource = |address: &Address| address.kind == AddressKind::Resource;
    assert!(state.resources.keys().all(is_resource), "data sources are read anew by every plan");
}

#[test]
fn what_has_no_address_here_is_listed_and_kept() {
    let text = json!({
        "version": 4, "terraform_version": "1.9.0", "serial": 3, "lineage": "l", "outputs": {}, "a_new_thing": [1],
        "resources": [
            { "mode": "managed", "type": "aws_vpc", "name": "v", "provider": "provider[\"example.org/a/aws\"].eu", "each": "map",
              "instances": [
                { "index_key": 1.5, "attributes": {} },
                { "index_key": "fine", "schema_version": 1, "attributes": { "id": "v" }, "private": "bnVsbA==", "identity": { "a": 1 } },
                { "index_key": "flat", "attributes_flat": { "id": "v" } },
            ] },
        ],
    });
    let imported = read(&text.to_string()).unwrap();
    let left_out: Vec<_> =
        imported.left_out.iter().map(|left_out| format!("{}: {}", left_out.what, left_out.why)).collect();
    assert_eq!(
        left_out,
        [
            "aws_vpc.v[1.5]: its key is neither a number nor a string",
            "aws_vpc.v[\"flat\"]: its attributes are stored as they were before Terraform 0.12",
        ]
    );
    let mut state = committed(&imported.state);
    let written: Json = serde_json::from_str(&write(&state)).unwrap();
    assert_eq!(written["a_new_thing"], json!([1]));
    let vpc = &written["resources"][0];
    assert_eq!(
        (vpc["provider"].as_str().unwrap(), vpc["instances"].as_array().unwrap().len()),
        ("provider[\"example.org/a/aws\"].eu", 3)
    );
    assert_eq!(vpc["instances"][0]["private"], "bnVsbA==");

    // What belonged to an object goes when the object changes; the provider and what could not be carried stay.
    let address: Address = "aws_vpc.v[\"fine\"]".parse().unwrap();
    let provider = state.object(&address).unwrap().provider.clone();
    assert_eq!(provider.as_ref().unwrap().to_string(), "provider[\"example.org/a/aws\"].eu");
    let object = ObjectState { attributes: json!({ "id": "w" }), provider, ..ObjectState::default() };
    state.take(Record { serial: 2, changes: vec![Change::SetObject { address, object }] });
    let written: Json = serde_json::from_str(&write(&state)).unwrap();
    assert_eq!((&written["resources"][0]["instances"][0]["private"], &written["serial"]), (&Json::Null, &json!(5)));
    assert_eq!(written["resources"][0]["provider"], vpc["provider"]);
    assert_eq!(written["resources"][0]["instances"].as_array().unwrap().len(), 3);
}

#[test]
fn a_file_tells_the_provider_configuration_of_a_block_and_ours_the_key() {
    let mut state = native();
    let with = |provider: &str| ObjectState {
        attributes: json!({ "id": "a" }),
        provider: provider.parse().ok(),
        ..ObjectState::default()
    };
    let one = "provider[\"registry.terraform.io/hashicorp/sim\"].west";
    for (address, provider) in [("sim_network.a", one.to_owned()), ("sim_network.b[\"x\"]", format!("{one}[\"x\"]"))] {
        let resource = ResourceState { current: Some(with(&provider)), ..ResourceState::default() };
        state.resources.insert(address.parse().unwrap(), resource);
    }
    let written = write(&state);
    assert_eq!(written.matches(&format!("\"provider\": {}", json!(one))).count(), 2, "{written}");
    assert!(!written.contains("\"sim_network.a\""), "what the file tells is not told twice");
    assert_eq!(State { serial: state.serial, terraform: None, ..read(&written).unwrap().state }, state);
}

/// A state that was never Terraform's.
fn native() -> State {
    let third = "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333335";
    let mut state = State { serial: 9, lineage: "5b4bc9b4-9a2e-4a2b-8f7e-2f0c4e3d1a00".to_owned(), ..State::default() };
    let mut put = |text: &str, object: ObjectState| {
        let resource = ResourceState { current: Some(object), ..ResourceState::default() };
        state.resources.insert(text.parse().unwrap(), resource);
    };
    let of = |id: &str, input: Json, ty: Option<Json>| ObjectState {
        attributes: json!({ "id": id, "input": input, "output": input, "triggers_replace": null }),
        types: ty.into_iter().flat_map(|ty| [("input".to_owned(), ty.clone()), ("output".to_owned(), ty)]).collect(),
        ..ObjectState::default()
    };
    for index in 0..2 {
        let ty = json!(["object", { "index": "number", "third": "number" }]);
        let mut object = of(&format!("id-{index}"), json!({ "index": index, "third": third }), Some(ty));
        object.create_before_destroy = true;
        put(&format!("terraform_data.counted[{index}]"), object);
    }
    for key in ["with.dot", "with \"quotes\""] {
        let address = Address::new(AddressKind::Resource, "terraform_data", "each");
        let address = address.with_key(Some(pipectl_core::InstanceKey::Name(key.to_owned())));
        put(&address.to_string(), of(&format!("id-{key}"), json!(["b", key]), Some(json!(["set", "string"]))));
    }
    let ty = json!(["object", { "password": "string", "tags": ["map", "string"] }]);
    let mut secret = of("id-s", json!({ "password": "hunter2", "tags": { "a.b": "hunter2" } }), Some(ty));
    secret.attributes["triggers_replace"] = json!("id-0");
    let path = |steps: &[&str]| AttributePath(steps.iter().map(|step| PathStep::Name((*step).to_owned())).collect());
    secret.sensitive = vec![path(&["input", "password"]), path(&["input", "tags", "a.b"])];
    secret.dependencies = vec!["terraform_data.counted[0]".parse().unwrap(), "stage.train.x".parse().unwrap()];
    secret.create_before_destroy = true;
    put("terraform_data.secret", secret);
    let output = |value: Json, ty: &str, sensitive| OutputState { value, ty: json!(ty), sensitive };
    state.outputs.insert("third".to_owned(), output(json!(third), "number", false));
    state.outputs.insert("password".to_owned(), output(json!("hunter2"), "string", true));
    state
}

#[test]
fn a_state_of_ours_becomes_a_file_of_terraform() {
    let state = native();
    let written = write(&state);
    keep("native", &written);
    let read = read(&written).unwrap();
    assert!(read.left_out.is_empty(), "{:?}", read.left_out);
    assert_eq!(State { serial: state.serial, terraform: None, ..read.state }, state);
    // What Terraform does not tell is believed only of the object that it was written for.
    let edited = written.replace("\"id-s\"", "\"id-t\"");
    let secret: Address = "terraform_data.secret".parse().unwrap();
    let (before, after) = (state.object(&secret).unwrap(), terraform::read(&edited).unwrap().state);
    let after = after.object(&secret).unwrap();
    assert_eq!((before.dependencies.len(), after.dependencies.len()), (2, 1));
    assert_eq!(before.sensitive, after.sensitive);
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let text = "\0number:1";
    let file = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l",
        "outputs": { "o": { "value": text, "type": "string" } },
        "resources": [
            { "mode": "data", "type": "a_b", "name": "d", "provider": "p", "instances": [{ "attributes": { "x": text } }] },
            { "mode": "managed", "type": "terraform_data", "name": "m", "provider": "provider[\"terraform.io/builtin/terraform\"]",
              "instances": [{ "schema_version": 0, "attributes": { "id": text, "input": { "value": text, "type": "string" } },
                              "sensitive_attributes": [], "private": text }] },
        ],
        "check_results": null,
    });
    let read = read(&serde_json::to_string_pretty(&file).unwrap()).unwrap();
    assert_eq!(read.left_out, []);
    assert_eq!(read.state.outputs["o"].value, text);
    let object = read.state.object(&"terraform_data.m".parse().unwrap()).unwrap();
    assert_eq!((&object.attributes["id"], &object.attributes["input"]), (&json!(text), &json!(text)));
    let written: Json = serde_json::from_str(&write(&committed(&read.state))).unwrap();
    assert_eq!(written["outputs"], file["outputs"]);
    assert_eq!(written["resources"][0]["instances"][0]["attributes"]["input"]["value"], text);
    assert_eq!(written["resources"][0]["instances"][0]["private"], text);
    assert_eq!(written["resources"][1]["instances"], file["resources"][0]["instances"]);
}

#[test]
fn stages_and_announced_calls_survive_pull_and_push() {
    let mut state = State { lineage: "l".to_owned(), root: "hep.hcl".to_owned(), ..State::default() };
    for (index, changes) in pipectl_state::conformance::every_change()[..4].iter().enumerate() {
        state.take(Record { serial: index as u64 + 1, changes: changes.clone() });
    }
    let stage = "stage.train.inclusive".parse().unwrap();
    assert!(state.object(&stage).is_some());
    let file = read(&write(&state)).unwrap();
    assert_eq!(file.left_out, []);
    check_push(&state, &file.state).unwrap();
    let mut pushed = state.clone();
    pushed.take(Record { serial: state.serial + 1, changes: changes_between(&state, &file.state) });
    let without_rest = |state: &State| State { terraform: None, serial: 0, ..state.clone() };
    assert_eq!(without_rest(&pushed), without_rest(&state));
    assert!(serial(&pushed) > serial(&state));
    assert!(!write(&state).contains(&"07".repeat(32)), "the key of fingerprints stays where it is");
}

#[test]
fn a_push_must_not_go_back() {
    let state = native();
    let file = read(&write(&state)).unwrap().state;
    assert_eq!(check_push(&state, &file), Ok(()));
    assert_eq!(check_push(&State::default(), &file), Ok(()));
    let newer = State { serial: 10, ..state.clone() };
    assert_eq!(check_push(&newer, &file), Err(PushError::Older { file: 9, state: 10 }));
    let other = State { lineage: "other".to_owned(), ..state };
    assert!(matches!(check_push(&other, &file), Err(PushError::OtherLineage { .. })));
}

#[test]
fn what_is_not_a_state_is_an_error() {
    assert!(matches!(read(""), Err(TerraformStateError::Json(_))));
    assert!(matches!(read("{\"version\":4,"), Err(TerraformStateError::Json(_))));
    assert!(matches!(read("{\"version\":3}"), Err(TerraformStateError::Version(3))));
    assert!(matches!(read("{\"version\":5,\"resources\":7}"), Err(TerraformStateError::Version(5))));
    for text in [
        "[]",
        "{}",
        "{\"version\":4,\"resources\":{}}",
        "{\"version\":4,\"outputs\":{\"a\":{}}}",
        "{\"version\":4,\"resources\":[{\"mode\":\"odd\"}]}",
        "{\"version\":4,\"resources\":[7]}",
        "{\"version\":4,\"resources\":[{\"mode\":\"managed\",\"instances\":[7]}]}",
        "{\"version\":4,\"pipectl\":7}",
    ] {
        assert!(matches!(read(text), Err(TerraformStateError::Shape(_))), "{text}");
    }
    assert_eq!(read("{\"version\":4}").unwrap().state.resources.len(), 0);
}

#[test]
fn every_cut_of_a_file_is_an_error_and_no_panic() {
    let text = theirs("deposed");
    for end in (0..text.trim_end().len()).filter(|end| text.is_char_boundary(*end)) {
        assert!(matches!(read(&text[..end]), Err(TerraformStateError::Json(_))), "cut at {end}");
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no infinities", |number| number.is_finite()).prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        // What looks like a mark of ours is text all the same.
        prop::sample::select(vec!["\0number:1", "\0number:", "\0text:\0number:1", "\0"]).prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = ObjectState> {
    let attributes = prop::collection::btree_map("[a-z]{1,6}", any_json(), 0..4);
    (attributes, any::<bool>(), any::<bool>(), 0_u32..3).prop_map(
        |(attributes, tainted, create_before_destroy, schema_version)| {
            let attributes = Json::Object(attributes.into_iter().collect());
            ObjectState { attributes, tainted, create_before_destroy, schema_version, ..ObjectState::default() }
        },
    )
}

fn any_state() -> impl Strategy<Value = State> {
    let address =
        (prop::sample::select(vec!["terraform_data", "aws_vpc", "random_id"]), "[a-c]", prop::option::of(0_u64..3))
            .prop_map(|(type_name, name, index)| {
                Address::new(AddressKind::Resource, type_name, &name)
                    .with_key(index.map(pipectl_core::InstanceKey::Index))
            });
    let resource = (prop::option::of(any_object()), prop::collection::btree_map("[0-9a-f]{8}", any_object(), 0..2))
        .prop_filter_map("something is there", |(current, deposed)| {
            (current.is_some() || !deposed.is_empty()).then_some(ResourceState { current, deposed })
        });
    let output = (any_json(), any::<bool>()).prop_map(|(value, sensitive)| OutputState {
        value,
        ty: json!("dynamic"),
        sensitive,
    });
    let resources = prop::collection::btree_map(address, resource, 0..6);
    (resources, prop::collection::btree_map("[a-z]{1,4}", output, 0..3)).prop_map(|(resources, outputs)| State {
        lineage: "l".to_owned(),
        resources,
        outputs,
        ..State::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Whatever state is written is read again.
    #[test]
    fn what_is_written_is_read(state in any_state()) {
        let file = terraform::read(&write(&state)).unwrap();
        prop_assert_eq!(&file.left_out, &[]);
        prop_assert_eq!(State { terraform: None, ..file.state }, state);
    }

    /// The changes between two states lead from one to the other.
    #[test]
    fn changes_lead_there(from in any_state(), to in any_state(), with_rest in any::<bool>()) {
        let to = if with_rest { State { root: String::new(), ..read(&write(&to)).unwrap().state } } else { to };
        let mut state = from.clone();
        state.take(Record { serial: 0, changes: changes_between(&from, &to) });
        prop_assert_eq!(&state, &to);
        prop_assert!(changes_between(&state, &to).is_empty());
    }
}
