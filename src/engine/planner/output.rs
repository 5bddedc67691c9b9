//! Planning outputs, checks and the validation of variables.

use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::{Diagnostic, Diagnostics, Marks, Value};
use pipectl_lang::{OutputBlock, Scope, evaluate};
use pipectl_state::{OutputState, State};

use super::Run;
use crate::conditions::{Verdict, judge, require};
use crate::instance::output_value;
use crate::{CheckResult, CheckStatus, Mode, OutputAction, OutputChange};

/// Plans one output. Whether it worked.
pub(super) fn plan_output(run: &Arc<Run>, node: NodeIndex, name: &str, stored: Option<&OutputState>) -> bool {
    let Some(block) = run.configuration.outputs.get(name) else { return false };
    let scope = run.values.scope(&run.graph, node);
    let value = match evaluate_output(block, &scope) {
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

/// The value of an output: marked sensitive as a whole where the block says so, else free of marks.
pub(crate) fn evaluate_output(block: &OutputBlock, scope: &Scope) -> Result<Value, Diagnostics> {
    let address = format!("output.{}", block.name);
    let failed = require(&block.preconditions, scope, "Module output value precondition failed", &address);
    if failed.has_errors() {
        return Err(failed);
    }
    let value = evaluate(&block.value, scope)?;
    let (plain, marks) = value.unmark_deep();
    let problem =
        |summary: &str, detail: String| Diagnostic::error(summary, detail).at(block.value.span()).about(&address);
    if marks.contains(Marks::EPHEMERAL) && !block.ephemeral {
        let detail =
            format!("The value of output \"{}\" is ephemeral, so it cannot be stored in the state.", block.name);
        return Err(problem("Ephemeral value not allowed", detail).into());
    }
    if marks.contains(Marks::SENSITIVE) && !block.sensitive {
        let detail = format!(
            "The value of output \"{}\" holds something sensitive, and outputs are shown. If that is meant, mark the output as sensitive.",
            block.name
        );
        return Err(problem("Output refers to sensitive values", detail).hint("sensitive = true").into());
    }
    Ok(if block.sensitive { plain.marked(Marks::SENSITIVE) } else { plain })
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

/// Judges the assertions of a `check` block. They warn, so this always works.
pub(super) fn plan_check(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let Some(block) = run.configuration.checks.get(name) else { return true };
    let scope = run.values.scope(&run.graph, node);
    for (assertion, rule) in block.assertions.iter().enumerate() {
        let (result, warning) = judge_assertion(name, assertion, rule, &scope);
        run.found().checks.push(result);
        run.report(warning.into_iter().collect());
    }
    true
}

/// How an assertion stands, and the warning to give when it does not hold.
pub(crate) fn judge_assertion(
    check: &str,
    assertion: usize,
    rule: &pipectl_lang::Rule,
    scope: &Scope,
) -> (CheckResult, Option<Diagnostic>) {
    let warn = |summary: &str, detail: String| {
        Diagnostic::warning(summary, detail).at(rule.condition.span()).about(format!("check.{check}"))
    };
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
    (CheckResult { check: check.to_owned(), assertion, status, message }, warning)
}

/// Judges the validation rules of a variable. Whether they hold.
pub(super) fn validate_variable(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let Some(block) = run.configuration.variables.get(name) else { return true };
    let scope = run.values.scope(&run.graph, node);
    let failed = require(&block.validations, &scope, "Invalid value for variable", &format!("var.{name}"));
    let worked = !failed.has_errors();
    run.report(failed);
    worked
}
