//! Planning outputs, checks and the validation of variables.

use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::{Diagnostic, Diagnostics, ModulePath, Value};
use pipectl_lang::Scope;
use pipectl_state::{OutputState, State};

use super::Run;
use crate::conditions::{Verdict, judge, require};
use crate::evaluation::{Evaluation, evaluate_output, extend_once, qualified};
use crate::instance::output_value;
use crate::{CheckResult, CheckStatus, Mode, OutputAction, OutputChange};

/// Plans one output. Whether it worked.
pub(super) fn plan_output(run: &Arc<Run>, node: NodeIndex, name: &str, stored: Option<&OutputState>) -> bool {
    let Some(block) = run.configuration.outputs.get(name) else { return false };
    let scope = run.values.scope(&run.graph, node, 0);
    let value = match evaluate_output(block, &scope, &ModulePath::ROOT) {
        Ok(value) => value,
        Err(problems) => {
            run.report(problems);
            return false;
        }
    };
    if block.ephemeral {
        return true;
    }
    let before = stored.map(output_value);
    // What a refresh alone does not tell stays as it is.
    let after = match (run.options.mode, &before) {
        (Mode::RefreshOnly, Some(before)) if !value.is_wholly_known() => before.clone(),
        _ => value,
    };
    let same = |before: &Value| *before == after && stored.is_some_and(|stored| stored.sensitive == block.sensitive);
    let action = match &before {
        None => OutputAction::Create,
        Some(before) if after.is_wholly_known() && same(before) => OutputAction::NoOp,
        Some(_) => OutputAction::Update,
    };
    let change = OutputChange { name: name.to_owned(), action, before, after: Some(after), sensitive: block.sensitive };
    run.found().outputs.push(change);
    true
}

/// Plans the removal of outputs that the configuration does not have any more; all of them when everything is removed.
pub(super) fn plan_removed(run: &Arc<Run>, state: &State) {
    let everything =
        run.options.mode == Mode::Destroy && run.options.targets.is_empty() && run.options.excludes.is_empty();
    for (name, output) in &state.outputs {
        if everything || !run.configuration.outputs.contains_key(name) && run.options.targets.is_empty() {
            run.found().outputs.push(OutputChange {
                name: name.clone(),
                action: OutputAction::Delete,
                before: Some(output_value(output)),
                after: None,
                sensitive: output.sensitive,
            });
        }
    }
}

/// Judges the assertions of a `check` block in all instances of its module. They warn, so this always works.
pub(super) fn plan_check(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let module = run.graph.module_of(node);
    let own = run.configuration.module(&run.graph.module(module).path);
    let (Some(block), Some(instances)) = (own.and_then(|own| own.checks.get(name)), run.values.instances(module))
    else {
        return true;
    };
    for (instance, path) in instances.paths().iter().enumerate() {
        let scope = run.values.scope(&run.graph, node, instance);
        for (assertion, rule) in block.assertions.iter().enumerate() {
            let (result, warning) = judge_assertion(path, name, assertion, rule, &scope);
            run.found().checks.push(result);
            run.report(warning.into_iter().collect());
        }
    }
    true
}

/// How an assertion stands, and the warning to give when it does not hold.
pub(crate) fn judge_assertion(
    module: &ModulePath,
    check: &str,
    assertion: usize,
    rule: &pipectl_lang::Rule,
    scope: &Scope,
) -> (CheckResult, Option<Diagnostic>) {
    let address = qualified(module, &format!("check.{check}"));
    let warn =
        |summary: &str, detail: String| Diagnostic::warning(summary, detail).at(rule.condition.span()).about(&address);
    let (status, message, warning) = match judge(rule, scope) {
        Verdict::Pass => (CheckStatus::Pass, None, None),
        Verdict::Unknown => (CheckStatus::Unknown, None, None),
        Verdict::Fail(message) => {
            (CheckStatus::Fail, Some(message.clone()), Some(warn("Check block assertion failed", message)))
        }
        Verdict::Invalid(problems) => {
            let detail = problems.iter().map(|problem| problem.detail.clone()).collect::<Vec<_>>().join(" ");
            (CheckStatus::Error, Some(detail.clone()), Some(warn("Check block assertion not evaluated", detail)))
        }
    };
    (CheckResult { module: module.clone(), check: check.to_owned(), assertion, status, message }, warning)
}

/// Judges the validation rules of a variable in all instances of its module. Whether they hold.
pub(super) fn validate_variable(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let failed = failed_validations(&run.evaluation(), node, name);
    let worked = !failed.has_errors();
    run.report(failed);
    worked
}

/// What the validation rules of a variable find wrong in any instance of its module.
pub(crate) fn failed_validations(evaluation: &Evaluation<'_>, node: NodeIndex, name: &str) -> Diagnostics {
    let Evaluation { configuration, graph, values, .. } = evaluation;
    let module = graph.module_of(node);
    let own = configuration.module(&graph.module(module).path);
    let (Some(block), Some(instances)) = (own.and_then(|own| own.variables.get(name)), values.instances(module)) else {
        return Diagnostics::new();
    };
    let mut failed = Diagnostics::new();
    for (instance, path) in instances.paths().iter().enumerate() {
        let scope = values.scope(graph, node, instance);
        let address = qualified(path, &format!("var.{name}"));
        extend_once(&mut failed, require(&block.validations, &scope, "Invalid value for variable", &address));
    }
    failed
}
