//! What a real Terraform plans: `terraform/CASE.txt` are configurations step by step, `terraform/CASE.json` is what Terraform 1.11.4 said of
//! each (written by `tests/peers/terraform_modules.sh`). Our plans have the same changes and outputs, our errors the same summaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipectl_core::json::to_json;
use pipectl_core::{Severity, Target};
use pipectl_engine::{Action, Mode, OutputAction, Plan, PlanOptions};
use serde_json::{Value as Json, json};

use crate::bed::Bed;

/// One plan: the files, and what is on the command line.
struct Step {
    files: BTreeMap<String, String>,
    targets: Vec<Target>,
}

impl Step {
    fn new(files: &BTreeMap<String, String>, options: &str) -> Self {
        let mut step = Self { files: files.clone(), targets: Vec::new() };
        for option in options.split_whitespace() {
            match option.split_once('=') {
                Some(("-target", target)) => step.targets.push(target.parse().unwrap()),
                _ => panic!("not an option: {option}"),
            }
        }
        step
    }
}

/// The steps; a file stays until it is written anew or removed.
fn steps(text: &str) -> Vec<Step> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut name: Option<String> = None;
    for line in text.lines() {
        let Some(command) = line.strip_prefix("> ") else {
            if let Some(file) = name.as_ref().and_then(|name| files.get_mut(name)) {
                file.push_str(line);
                file.push('\n');
            }
            continue;
        };
        name = None;
        match command.split_once(' ') {
            Some(("file", path)) => {
                name = Some(path.to_owned());
                files.insert(path.to_owned(), String::new());
            }
            Some(("remove", path)) => drop(files.remove(path)),
            None if command == "step" => steps.push(Step::new(&files, "")),
            Some(("step", options)) => steps.push(Step::new(&files, options)),
            _ => panic!("not a command: {line}"),
        }
    }
    steps
}

fn actions(action: Action) -> Json {
    match action {
        Action::NoOp => json!(["no-op"]),
        Action::Create => json!(["create"]),
        Action::Update => json!(["update"]),
        Action::Replace { create_before_destroy: false } => json!(["delete", "create"]),
        Action::Replace { create_before_destroy: true } => json!(["create", "delete"]),
        Action::Delete => json!(["delete"]),
        Action::Forget => json!(["forget"]),
        Action::Read => json!(["read"]),
        Action::Run | Action::RunIfChanged => panic!("Terraform has no stages"),
    }
}

fn changes(plan: &Plan) -> Vec<Json> {
    let mut changes: Vec<Json> = plan
        .changes
        .iter()
        .map(|change| {
            let mut json = json!({ "address": change.address.to_string(), "actions": actions(change.action) });
            if let Some(previous) = &change.previous {
                json["previous"] = json!(previous.to_string());
            }
            if let Some(id) = &change.importing {
                json["importing"] = json!(id);
            }
            json
        })
        .collect();
    changes.sort_by_key(|change| change["address"].as_str().unwrap().to_owned());
    changes
}

fn outputs(plan: &Plan) -> Json {
    let output = |output: &pipectl_engine::OutputChange| {
        let action = match output.action {
            OutputAction::NoOp => "no-op",
            OutputAction::Create => "create",
            OutputAction::Update => "update",
            OutputAction::Delete => "delete",
        };
        let mut json = json!({ "actions": [action] });
        match &output.after {
            None => json["after"] = Json::Null,
            Some(after) if after.is_wholly_known() => json["after"] = to_json(after).unwrap(),
            Some(_) => {}
        }
        (output.name.clone(), json)
    };
    Json::Object(plan.outputs.iter().map(output).collect())
}

/// Plans one step, compares, and applies.
async fn step(bed: &mut Bed, step: &Step, expected: &Json, place: &str) {
    let of_module = |(path, text): (&String, &String)| {
        let folder = path.strip_suffix("/main.tf")?;
        Some((folder.to_owned(), text.clone()))
    };
    let options = PlanOptions { targets: step.targets.clone(), ..bed.options(Mode::Normal) };
    bed.modules.0 = step.files.iter().filter_map(of_module).collect();
    match bed.plan_with(&step.files["main.tf"], &options).await {
        Ok(planned) => {
            assert_eq!(Json::from(changes(&planned.plan)), expected["changes"], "{place}");
            assert_eq!(outputs(&planned.plan), expected["outputs"], "{place}");
            let applied = bed.apply_planned(planned).await;
            assert!(applied.succeeded(), "{place}: {:#?}", applied.diagnostics);
        }
        Err(problems) => {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            let ours: BTreeSet<&str> = errors.map(|problem| problem.summary.as_str()).collect();
            let theirs: Vec<&str> =
                expected["errors"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            // Their summaries may name the object; ours never do.
            let found: BTreeSet<&str> = theirs
                .iter()
                .filter_map(|theirs| ours.iter().find(|ours| theirs.starts_with(**ours)).copied())
                .collect();
            assert!(found == ours && !theirs.is_empty(), "{place}: {problems:#?}\nTerraform: {expected:#}");
        }
    }
}

#[tokio::test]
async fn plans_are_terraforms() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/terraform");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    cases.sort();
    assert!(cases.len() >= 5, "the cases were found");
    for case in cases {
        let steps = steps(&std::fs::read_to_string(&case).unwrap());
        let answers: Vec<Json> =
            serde_json::from_str(&std::fs::read_to_string(case.with_extension("json")).unwrap()).unwrap();
        assert_eq!(steps.len(), answers.len(), "{}: make the answers anew", case.display());
        let mut bed = Bed::calm();
        for (number, (planned, expected)) in steps.iter().zip(&answers).enumerate() {
            let place = format!("{}, step {number}", case.file_stem().unwrap().display());
            step(&mut bed, planned, expected, &place).await;
        }
    }
}
