//! What is decided only while a plan is applied: views, saved plans, JSON, and what is refused.

use super::scenario::Scenario;

#[test]
fn what_is_known_after_apply_is_decided_then() {
    let mut scenario = Scenario::of("deferred");
    scenario.run("validate");
    scenario.run("plan -out=people.plan");
    let shown = scenario.command("show -json people.plan").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let deferred = document["deferred_changes"].as_array().unwrap();
    let told: Vec<String> = deferred
        .iter()
        .map(|deferred| {
            let change = &deferred["resource_change"];
            format!(
                "{} {} {} {}",
                deferred["reason"].as_str().unwrap(),
                change["address"].as_str().unwrap(),
                change["module_address"].as_str().unwrap_or("-"),
                change["change"]["actions"]
            )
        })
        .collect();
    scenario.note(&told.join("\n# "));
    scenario.run("apply -parallelism=1 people.plan");
    scenario.run("plan -detailed-exitcode");
    // One person less, and another one: the first is left for the next plan.
    scenario.run("apply -auto-approve -parallelism=1 -var='names=[\"bruno\",\"carla\"]'");
    scenario.run("plan -var='names=[\"bruno\",\"carla\"]'");
    scenario.run("apply -auto-approve -parallelism=1 -allow-deferred-destroy -var='names=[\"carla\"]'");
    scenario.run("state list");
    scenario.edit("main.tf", "provider = terraform.other", "provider = terraform.othre");
    scenario.run("plan");
    scenario.edit("main.tf", "terraform.othre", "terraform.other");
    scenario.run("destroy -auto-approve -parallelism=1");
    scenario.check("what_is_known_after_apply_is_decided_then");
}
