//! Documents and events with `-json`, field by field against what a real Terraform answered to the same commands on the same files.
//!
//! `tests/peers/terraform_json.py` has written those answers. Ours may hold more ([`OURS`]); what may differ is in [`settle`] and
//! [`is_left_out`], each with its reason.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::scenario::Scenario;

/// Members that Terraform's documents do not have, and what differs between runs.
const OURS: [&str; 23] = [
    "@module",
    "@timestamp",
    "done",
    "elapsed_seconds",
    "end",
    "hints",
    "lineage",
    "notes",
    "pipectl",
    "pipectl_version",
    "position",
    "progress",
    "reasons",
    "run",
    "run_if_changed",
    "serial",
    "stage_action",
    "summary_counts",
    "terraform",
    "terraform_version",
    "timestamp",
    "total",
    "ui",
];

fn case(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/machine").join(name);
    let expected: Vec<Json> = serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let mut scenario = Scenario::of(&format!("machine/{name}"));
    // Terraform does not say that sensitive values are stored in clear.
    scenario.set("PIPECTL_PASSPHRASE", "a passphrase for this test");
    let mut differences = Vec::new();
    for step in &expected {
        let line = step["command"].as_str().unwrap();
        if let Some(("copy", files)) = line.split_once(' ') {
            let (source, target) = files.split_once(' ').unwrap();
            fs::copy(scenario.file(source), scenario.file(target)).unwrap();
            continue;
        }
        let output = scenario.command(line).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code().map(i64::from), step["status"].as_i64(), "{line}: {text}{complaint}");
        assert!(
            !line.contains("-json") || !text.contains("hunter2") || line.starts_with("output"),
            "{line} shows a secret"
        );
        let mut found = Vec::new();
        if let Some(document) = step.get("document") {
            let ours = settle(serde_json::from_str(&text).unwrap());
            compare(&ours, &settle(document.clone()), "", &mut found);
        }
        if let Some(events) = step.get("events") {
            let ours = text.lines().map(|line| serde_json::from_str(line).unwrap());
            let (ours, theirs) = (in_order(ours.collect()), in_order(events.as_array().unwrap().clone()));
            compare(&Json::Array(ours), &Json::Array(theirs), "", &mut found);
        }
        if let Some(report) = step.get("report") {
            let file = line.split(' ').find_map(|word| word.strip_prefix("-junit-xml=")).unwrap();
            let ours: Vec<Json> = settled_report(&scenario.read(file)).lines().map(Json::from).collect();
            compare(&Json::Array(ours), report, "/report", &mut found);
        }
        differences.extend(found.into_iter().map(|difference| format!("{line}: {difference}")));
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

/// Events that both have, in an order of their own: they come from several threads.
fn in_order(events: Vec<Json>) -> Vec<Json> {
    let mut events: Vec<Json> = events.into_iter().filter(|event| !is_left_out(event)).map(settle).collect();
    events.sort_by_key(|event| {
        let address = event.pointer("/hook/resource/addr").or_else(|| event.pointer("/change/resource/addr"));
        (event["type"].to_string(), address.map(ToString::to_string), event.to_string())
    });
    events
}

fn is_left_out(event: &Json) -> bool {
    let replaces = |event: &Json| event.pointer("/hook/action").and_then(Json::as_str) == Some("replace");
    let kind = event["type"].as_str();
    // Of what it forgets, Terraform tells only that it is planned.
    let forgets = event.pointer("/hook/resource/resource_name").and_then(Json::as_str) == Some("forgotten");
    // What Terraform tells as a deletion and a creation is one step here.
    kind == Some("version") || forgets || replaces(event)
}

/// A document without what differs between runs.
fn settle(json: Json) -> Json {
    settle_part(json, false)
}

fn settle_part(json: Json, is_ordered: bool) -> Json {
    let settle = |json| settle_part(json, is_ordered);
    match json {
        // A diagnostic of what is forgotten names the program.
        Json::String(text) => Json::String(without_ids(&text.replace(" managed by Terraform", " managed"))),
        Json::Array(elements) => {
            let mut elements: Vec<Json> = elements.into_iter().map(settle).collect();
            // Diagnostics and attributes come in any order.
            if elements.iter().all(|element| element.get("severity").is_some() || element.get("attribute").is_some()) {
                elements.sort_by_key(ToString::to_string);
            }
            // So do Terraform's instances of modules, but among planned values, and there, too, inside of modules. What Terraform forgets
            // stays there, without any value.
            if elements.iter().all(|element| element.get("address").is_some_and(Json::is_string)) {
                elements.retain(|element| element.get("sensitive_values") != Some(&Json::Bool(false)));
                let is_in_two =
                    |element: &Json| element["address"].as_str().is_some_and(|text| text.contains(".module."));
                if !is_ordered || elements.iter().any(is_in_two) {
                    elements.sort_by_key(|element| element["address"].to_string());
                }
            }
            Json::Array(elements)
        }
        Json::Object(mut members) => {
            // Terraform keeps how conditions stand in its state; ours are judged anew by every run.
            if members.get("format_version").is_some_and(|version| version == "1.0") {
                members.remove("checks");
            }
            // In plan documents ours counts what is to be done; in diagnostics the member is Terraform's.
            if members.get("format_version").is_some_and(|version| version == "1.2") {
                members.remove("summary");
                // With modules, Terraform also lists what their outputs refer to, whether those change or not.
                if members["configuration"]["root_module"].get("module_calls").is_some() {
                    members.remove("relevant_attributes");
                }
            }
            // Terraform takes a template in a file in JSON for the text that it is written as.
            if members.get("constant_value").and_then(Json::as_str).is_some_and(|text| text.contains("${")) {
                members.remove("constant_value");
            }
            // Of what is not known yet, Terraform says the type alone.
            if let Some(statement) = members.get_mut("statement")
                && ["is string, known only after apply", "is (known after apply)"].iter().any(|ours| statement == ours)
            {
                *statement = Json::from("is a string");
            }
            if let Some(message) = members.get_mut("@message").filter(|message| message.is_string()) {
                *message = Json::String(settled_message(message.as_str().unwrap()));
            }
            // A diagnostic of ours names the object that it is about, and has its own words.
            if members.contains_key("severity") {
                members.remove("address");
                members.remove("detail");
                // A value that breaks a rule is told where the rule stands, and one that a test gives in vain where it is given.
                let summary = members.get("summary").and_then(Json::as_str);
                if summary
                    .is_some_and(|text| ["Failed to compute attribute", "Invalid value for variable"].contains(&text))
                {
                    members.remove("range");
                    members.remove("snippet");
                }
            }
            let kept = members.into_iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
            let inside = |name: &str| is_ordered || ["planned_values", "values"].contains(&name);
            let settle = |(name, value): (String, Json)| {
                let value = settle_part(value, inside(&name));
                (name, value)
            };
            kept.map(settle).collect()
        }
        other => other,
    }
}

/// A message up to what is in ours only: a position, a duration, an id.
fn settled_message(message: &str) -> String {
    let end = [" after ", " [", ", 0 to run", ", 1 to forget", ", 1 forgotten"]
        .iter()
        .filter_map(|mark| message.find(mark))
        .min();
    message[..end.unwrap_or(message.len())].trim_end_matches(['.', ' ']).to_owned()
}

/// A report in JUnit's XML without times, and without what was found, which ours says in its own way.
fn settled_report(text: &str) -> String {
    let cut = |text: &str, begin: &str, end: &str| {
        let mut parts = text.split(begin);
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |kept, part| kept + begin.trim_end() + &part[part.find(end).unwrap()..])
    };
    let text = cut(&cut(text, " time=\"", "\""), " timestamp=\"", "\"");
    cut(&text, "<![CDATA[\n", "]]>")
}

fn without_ids(text: &str) -> String {
    let shape = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    let fits = |part: &str| {
        part.len() == shape.len()
            && part.chars().zip(shape.chars()).all(|(c, s)| if s == 'h' { c.is_ascii_hexdigit() } else { c == s })
    };
    let mut settled = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.get(..shape.len()).filter(|part| fits(part)) {
            Some(part) => {
                settled.push_str("[UUID]");
                rest = &rest[part.len()..];
            }
            None => {
                settled.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    settled
}

fn compare(ours: &Json, theirs: &Json, at: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) => {
            for (name, their) in theirs {
                match ours.get(name) {
                    Some(our) => compare(our, their, &format!("{at}/{name}"), found),
                    None => found.push(format!("{at}/{name} is missing: {their}")),
                }
            }
            let is_of_output = |name: &str| name == "output" || at.contains("/output");
            let is_known_here =
                |name: &str, our: &Json| is_of_output(name) && shows_nothing(our) || at.starts_with("/variables/");
            for (name, our) in
                ours.iter().filter(|(name, our)| !theirs.contains_key(*name) && !is_known_here(name, our))
            {
                found.push(format!("{at}/{name} is not Terraform's: {our}"));
            }
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            for (place, (our, their)) in ours.iter().zip(theirs).enumerate() {
                compare(our, their, &format!("{at}/{place}"), found);
            }
        }
        // Terraform forgets that the output of a secret is one, and shows it. Here its elements are told apart while they are unknown.
        (Json::Null, _) if at.contains("/output") => {}
        (Json::Object(_), Json::Bool(true)) if at.ends_with("after_unknown/output") && shows_nothing(ours) => {}
        // Terraform repeats what the command line said; ours are the values of the variables.
        _ if at.starts_with("/variables/") => {}
        (Json::Bool(true), Json::Object(_) | Json::Array(_))
            if at.contains("_sensitive/") || at.contains("sensitive_values/") => {}
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => found.push(format!("{at} is {ours}, and Terraform's is {theirs}")),
    }
}

/// Whether it says only where something is: no values.
fn shows_nothing(ours: &Json) -> bool {
    match ours {
        Json::Null | Json::Bool(true) => true,
        Json::Object(members) => members.values().all(shows_nothing),
        _ => false,
    }
}

#[test]
fn documents_of_a_plans_life() {
    case("plan");
}

#[test]
fn documents_of_many_objects() {
    case("order");
}

#[test]
fn documents_of_overridden_blocks() {
    case("overrides");
}

#[test]
fn documents_of_saved_plans() {
    case("saved");
}

#[test]
fn documents_of_modules() {
    case("modules");
}

#[test]
fn documents_of_what_became_of_addresses() {
    case("moved");
}

#[test]
fn mocks_overrides_and_other_modules_in_tests() {
    case("tests");
}

#[test]
fn tests_in_json() {
    case("tests_json");
}

#[test]
fn a_configuration_that_is_not_valid() {
    case("invalid");
}

/// Programs that read events are told of what goes wrong before anything begins, too.
#[test]
fn what_goes_wrong_at_the_start_is_an_event() {
    let mut scenario = Scenario::empty();
    scenario.run("plan -json absent.hcl");
    scenario.run("apply -json absent.hcl");
    scenario.run("-chdir=absent destroy -json");
    std::fs::write(scenario.file("main.tf"), b"locals {\n  a = \"\xff\"\n}\n").unwrap();
    for command in ["plan", "refresh", "test"] {
        scenario.run(&format!("{command} -json"));
    }
    scenario.check("what_goes_wrong_at_the_start_is_an_event");
}
