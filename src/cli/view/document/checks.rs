//! How the conditions of a configuration stand: `checks`. The plan has judged them; here they are put in Terraform's form.

use std::collections::BTreeMap;

use pipectl_core::{InstanceKey, ModulePath};
use pipectl_engine::{CheckResult, CheckStatus, Checked, Mode, Plan};
use pipectl_lang::{Configuration, ObjectBlock};
use serde_json::{Map, Value as Json, json};

use super::mode;

/// Everything with conditions, in the order of what it is called. A plan that removes everything judges nothing.
pub(super) fn checks(plan: &Plan, configuration: &Configuration) -> Vec<Json> {
    let mut results: BTreeMap<(ModulePath, Checked), Vec<&CheckResult>> = BTreeMap::new();
    for result in &plan.checks {
        results.entry((result.module.declaration(), declaration(&result.subject))).or_default().push(result);
    }
    // What was planned as a whole and has no results has no instances.
    let is_whole = plan.mode != Mode::Destroy && plan.targets.is_empty() && plan.excludes.is_empty();
    let mut found: BTreeMap<String, Json> = BTreeMap::new();
    configuration.visit_modules(&mut |path, module| {
        for subject in declared(module) {
            let results = results.remove(&(path.clone(), subject.clone())).unwrap_or_default();
            let shown = subject.in_module(path);
            found.insert(shown.clone(), entry(path, &subject, shown, &results, is_whole));
        }
    });
    found.into_values().collect()
}

/// What a module declares that has conditions.
fn declared(module: &Configuration) -> Vec<Checked> {
    let checks = module.checks.keys().cloned().map(Checked::Check);
    let outputs = module.outputs.values().filter(|block| !block.preconditions.is_empty());
    let variables = module.variables.values().filter(|block| !block.validations.is_empty());
    let has_conditions = |block: &&ObjectBlock| {
        let lifecycle = &block.meta.lifecycle;
        !(lifecycle.preconditions.is_empty() && lifecycle.postconditions.is_empty())
    };
    let objects = module.objects.values().filter(has_conditions);
    checks
        .chain(outputs.map(|block| Checked::Output(block.name.clone())))
        .chain(variables.map(|block| Checked::Variable(block.name.clone())))
        .chain(objects.map(|block| Checked::Object(block.address.clone())))
        .collect()
}

/// The block that has the conditions.
fn declaration(subject: &Checked) -> Checked {
    match subject {
        Checked::Object(address) => Checked::Object(address.block()),
        Checked::Check(_) | Checked::Output(_) | Checked::Variable(_) => subject.clone(),
    }
}

/// One block with its instances.
fn entry(module: &ModulePath, subject: &Checked, shown: String, results: &[&CheckResult], is_whole: bool) -> Json {
    let mut address = match subject {
        Checked::Check(name) => json!({ "kind": "check", "name": name }),
        Checked::Output(name) => json!({ "kind": "output_value", "name": name }),
        Checked::Variable(name) => json!({ "kind": "var", "name": name }),
        Checked::Object(address) => {
            json!({ "kind": "resource", "mode": mode(address), "type": address.type_name, "name": address.name })
        }
    };
    address["to_display"] = json!(shown);
    if !module.is_root() {
        address["module"] = json!(module.to_string());
    }
    let nothing = if is_whole { CheckStatus::Pass } else { CheckStatus::Unknown };
    let mut json = json!({ "address": address, "status": word(worst(results).unwrap_or(nothing)) });
    // Results are sorted: those of an instance come one after the other.
    let is_same = |a: &&CheckResult, b: &&CheckResult| (&a.module, &a.subject) == (&b.module, &b.subject);
    let mut instances: Vec<Json> = results.chunk_by(is_same).map(instance).collect();
    // An output of the root module is there in any case.
    if let (true, true, Checked::Output(_)) = (instances.is_empty(), module.is_root(), subject) {
        instances.push(json!({ "address": { "to_display": shown }, "status": word(CheckStatus::Unknown) }));
    }
    if !instances.is_empty() {
        json["instances"] = instances.into();
    }
    json
}

fn instance(results: &[&CheckResult]) -> Json {
    let Some(first) = results.first() else { return Json::Null };
    let mut address = Map::new();
    address.insert("to_display".to_owned(), json!(first.subject.in_module(&first.module)));
    if !first.module.is_root() {
        address.insert("module".to_owned(), json!(first.module.to_string()));
    }
    if let Checked::Object(object) = &first.subject {
        match &object.key {
            None => {}
            Some(InstanceKey::Index(index)) => drop(address.insert("instance_key".to_owned(), json!(index))),
            Some(InstanceKey::Name(name)) => drop(address.insert("instance_key".to_owned(), json!(name))),
        }
    }
    let mut json = json!({ "address": address, "status": word(worst(results).unwrap_or(CheckStatus::Unknown)) });
    let problems: Vec<Json> =
        results.iter().filter_map(|result| Some(json!({ "message": result.message.as_ref()? }))).collect();
    if !problems.is_empty() {
        json["problems"] = problems.into();
    }
    json
}

fn worst(results: &[&CheckResult]) -> Option<CheckStatus> {
    let badness = |status: &CheckStatus| match status {
        CheckStatus::Pass => 0,
        CheckStatus::Unknown => 1,
        CheckStatus::Fail => 2,
        CheckStatus::Error => 3,
    };
    results.iter().map(|result| result.status).max_by_key(badness)
}

fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Unknown => "unknown",
        CheckStatus::Fail => "fail",
        CheckStatus::Error => "error",
    }
}
