//! Planning outputs, checks and the validation of variables.

use std::sync::Arc;

use petgraph::graph::NodeIndex;
use pipectl_core::{Diagnostic, DiagnosticKind, Diagnostics, ModulePath, Span, Value};
use pipectl_lang::{Configuration, Rule, Scope, referenced_values};
use pipectl_state::{OutputState, State};

use super::Run;
use crate::conditions::{Conditions, Judged, Verdict, judge};
use crate::evaluation::{Evaluation, extend_once, value_of_output};
use crate::instance::output_value;
use crate::{CheckResult, CheckStatus, Checked, Mode, OutputAction, OutputChange};

/// Plans one output. Whether it worked.
pub(super) fn plan_output(run: &Arc<Run>, node: NodeIndex, name: &str, stored: Option<&OutputState>) -> bool {
    let Some(block) = run.configuration.outputs.get(name) else { return false };
    let scope = run.values.scope(&run.graph, node, 0);
    let mut judged = Conditions::of_output(block, &ModulePath::ROOT).judge(&scope);
    run.judged(std::mem::take(&mut judged.results));
    let judged = if run.options.mode == Mode::RefreshOnly { judged.forgiven() } else { judged.certain() };
    let value = judged.and_then(|warnings| {
        run.report(warnings);
        value_of_output(block, &scope, &ModulePath::ROOT)
    });
    let value = match value {
        Ok(value) => value,
        Err(problems) => {
            run.report(problems);
            return false;
        }
    };
    let before = stored.map(output_value);
    // What a refresh alone does not tell stays as it is.
    let after = match (run.options.mode, &before) {
        (Mode::RefreshOnly, Some(before)) if !value.is_wholly_known() => before.clone(),
        _ => value,
    };
    let same = |before: &Value| *before == after && stored.is_some_and(|stored| stored.sensitive == block.sensitive);
    let action = match &before {
        // What is null is not stored, as in Terraform.
        None if after.is_null() => OutputAction::NoOp,
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

/// Judges the assertions of a `check` block in all instances of its module. Whether they could be evaluated: one that does not hold warns.
pub(super) fn plan_check(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let module = run.graph.module_of(node);
    let own = run.configuration.module(&run.graph.module(module).path);
    let (Some(block), Some(instances)) = (own.and_then(|own| own.checks.get(name)), run.values.instances(module))
    else {
        return true;
    };
    let mut problems = Diagnostics::new();
    for (instance, path) in instances.paths().iter().enumerate() {
        let scope = run.values.scope(&run.graph, node, instance);
        let is_read = !run.found().unread.contains(&(path.clone(), name.to_owned()));
        for (assertion, rule) in block.assertions.iter().enumerate() {
            let (result, found) = judge_assertion(path, name, assertion, rule, &scope);
            run.judged([result]);
            // What could not be read has been told: that is why nothing is known.
            problems.extend(if is_read { found } else { found.without(DiagnosticKind::UnknownCheck) });
        }
    }
    let worked = !problems.has_errors();
    run.report(problems);
    worked
}

/// How an assertion stands, and the warning to give when it does not hold or is not known yet, or the errors of one that cannot be evaluated.
pub(crate) fn judge_assertion(
    module: &ModulePath,
    check: &str,
    assertion: usize,
    rule: &Rule,
    scope: &Scope,
) -> (CheckResult, Diagnostics) {
    let subject = Checked::Check(check.to_owned());
    let address = subject.in_module(module);
    let values = || referenced_values(&rule.condition, scope);
    let told = |warning: Diagnostic, values: &[(String, String)]| {
        warning.at(rule.condition.span()).about(&address).with_values(values.to_vec())
    };
    let (status, message, values, problems) = match judge(rule, scope) {
        Verdict::Pass => (CheckStatus::Pass, None, Vec::new(), Diagnostics::new()),
        Verdict::Unknown => {
            let detail = "The condition refers to what is known only after apply: the apply of this plan judges it.";
            let warning = Diagnostic::warning("Check block assertion known after apply", detail);
            let warning = told(warning.of_kind(DiagnosticKind::UnknownCheck), &values());
            (CheckStatus::Unknown, None, Vec::new(), warning.into())
        }
        Verdict::Fail(message) => {
            let values = values();
            let warning = Diagnostic::warning("Check block assertion failed", message.clone());
            let warning = told(warning.of_kind(DiagnosticKind::FailedCheck), &values);
            (CheckStatus::Fail, Some(message), values, warning.into())
        }
        Verdict::Invalid(mut problems) => {
            for problem in problems.iter_mut() {
                problem.address.get_or_insert_with(|| address.clone());
            }
            (CheckStatus::Error, None, Vec::new(), problems)
        }
    };
    (CheckResult { module: module.clone(), subject, condition: assertion, status, message, values }, problems)
}

/// Judges the validation rules of a variable in all instances of its module. Whether they hold.
pub(super) fn validate_variable(run: &Arc<Run>, node: NodeIndex, name: &str) -> bool {
    let judged = judge_validations(&run.evaluation(), node, name);
    let worked = !judged.problems.has_errors();
    run.judged(judged.results);
    run.report(judged.problems);
    worked
}

/// Judges the validation rules of a variable in all instances of its module. Each problem is there once.
pub(crate) fn judge_validations(evaluation: &Evaluation<'_>, node: NodeIndex, name: &str) -> Judged {
    let Evaluation { configuration, graph, values, .. } = evaluation;
    let module = graph.module_of(node);
    let own = configuration.module(&graph.module(module).path);
    let mut all = Judged { results: Vec::new(), problems: Diagnostics::new() };
    let (Some(block), Some(instances)) = (own.and_then(|own| own.variables.get(name)), values.instances(module)) else {
        return all;
    };
    let origin = Origin::of(evaluation, node, name);
    for (instance, path) in instances.paths().iter().enumerate() {
        let judged = Conditions::of_variable(block, path).judge(&values.scope(graph, node, instance));
        all.results.extend(judged.results);
        let problems = judged.problems.into_iter().map(|problem| match &origin {
            Some(origin) => origin.told(problem, configuration),
            None => problem,
        });
        extend_once(&mut all.problems, problems.collect());
    }
    all
}

/// Where a module's variable is given its value.
struct Origin<'a> {
    call: &'a str,
    argument: Span,
}

impl<'a> Origin<'a> {
    /// Nothing for a variable of the root module, and where the default is taken.
    fn of(evaluation: &Evaluation<'a>, node: NodeIndex, name: &str) -> Option<Self> {
        let Evaluation { configuration, graph, .. } = evaluation;
        let (around, call) = graph.module(graph.module_of(node)).parent.as_ref()?;
        let outer = configuration.module(&graph.module(*around).path)?;
        let argument = outer.modules.get(call)?.inputs.argument(name)?.value.span();
        Some(Self { call, argument })
    }

    /// A rule that does not hold is told where the value is given: there it can be mended. A rule that is wrong is told where it stands.
    fn told(&self, problem: Diagnostic, configuration: &Configuration) -> Diagnostic {
        let place = |span: &Span| {
            let file = &configuration.sources.get(span.source)?.name;
            let (line, _) = configuration.sources.line_column(span)?;
            Some(format!("{file}:{line}"))
        };
        let call = self.call;
        match problem.span.as_ref().and_then(place) {
            Some(rule) if problem.kind == Some(DiagnosticKind::FailedCondition) => {
                let detail =
                    format!("{}\n\nThe value is given in module {call:?}. The rule is at {rule}.", problem.detail);
                Diagnostic { detail, span: Some(self.argument.clone()), ..problem }
            }
            _ => match place(&self.argument) {
                Some(given) => {
                    let detail = format!("{}\n\nThe value is given in module {call:?} at {given}.", problem.detail);
                    Diagnostic { detail, ..problem }
                }
                None => problem,
            },
        }
    }
}
