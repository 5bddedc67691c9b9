//! Whether everything that a configuration refers to is declared in it.

use pipectl_core::suggest::{did_you_mean, nearest};
use pipectl_core::{Diagnostic, Diagnostics, Span};

use crate::body::Body;
use crate::configuration::{Configuration, MODEL_ROOTS, ObjectBlock, Rule};
use crate::evaluate::{missing, undeclared_local, undeclared_object, undeclared_variable};
use crate::expression::Expression;
use crate::reference::{InvalidReference, Reference};
use crate::scope::Scope;

/// Where in a configuration a reference stands, as far as that decides what it may be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    /// Inside a model, where `input` and `layer` mean its own.
    model: bool,
    /// Inside a block with `for_each`.
    each: bool,
    /// Inside a block with `count`.
    count: bool,
    /// Inside a condition on what an object became.
    own: bool,
}

type Visit<'a> = dyn FnMut(Place, Result<Reference, InvalidReference>, Span) + 'a;

impl Configuration {
    /// Reports references to variables, local values, resources, stages, models and executors that are not declared, each with what
    /// may have been meant, and names that are no references at all. A name that is used in several places is reported once, with the
    /// list of the places.
    pub fn check_references(&self) -> Diagnostics {
        let mut findings: Vec<(Diagnostic, Vec<Span>)> = Vec::new();
        visit(self, &mut |place, reference, span| {
            let diagnostic = match reference {
                Ok(reference) => match self.undeclared(&reference, place) {
                    Some(diagnostic) => diagnostic,
                    None => return,
                },
                // `layer` alone in a model is for the model to judge.
                Err(_) if place.model => return,
                Err(invalid) => Diagnostic::error(invalid.summary, invalid.detail),
            };
            match findings
                .iter_mut()
                .find(|(known, _)| (&known.summary, &known.detail) == (&diagnostic.summary, &diagnostic.detail))
            {
                Some((_, spans)) => spans.push(span),
                None => findings.push((diagnostic, vec![span])),
            }
        });
        findings
            .into_iter()
            .map(|(mut diagnostic, spans)| {
                if spans.len() > 1 {
                    let places: Vec<String> = spans.iter().skip(1).map(|span| self.place(span)).collect();
                    diagnostic =
                        diagnostic.hint(format!("It is used in {} more places: {}", places.len(), places.join(", ")));
                }
                match spans.into_iter().next() {
                    Some(first) => diagnostic.at(first),
                    None => diagnostic,
                }
            })
            .collect()
    }

    /// `file:line` of a span.
    fn place(&self, span: &Span) -> String {
        let file = self.sources.get(span.source).map(|source| source.name.as_str()).unwrap_or_default();
        match self.sources.line_column(span) {
            Some((line, _)) => format!("{file}:{line}"),
            None => file.to_owned(),
        }
    }

    fn undeclared(&self, reference: &Reference, place: Place) -> Option<Diagnostic> {
        match reference {
            Reference::Each if !place.each => Some(missing(&Scope::constant(), reference)),
            Reference::Count if !place.count => Some(missing(&Scope::constant(), reference)),
            Reference::SelfObject if !place.own => Some(missing(&Scope::constant(), reference)),
            Reference::Path(name) if !["cwd", "module", "root"].contains(&name.as_str()) => {
                Some(missing(&Scope::constant(), reference))
            }
            Reference::Terraform(name) if name != "workspace" => Some(missing(&Scope::constant(), reference)),
            Reference::Variable(name) if !self.variables.contains_key(name) => {
                Some(undeclared_variable(name, &did_you_mean(name, self.variables.keys().map(String::as_str))))
            }
            Reference::Local(name) if !self.locals.contains_key(name) => {
                Some(undeclared_local(name, &did_you_mean(name, self.locals.keys().map(String::as_str))))
            }
            Reference::Object(address) if !self.objects.contains_key(address) => {
                let known: Vec<String> = self.objects.keys().map(ToString::to_string).collect();
                Some(undeclared_object(reference, &self.object_hint(&address.to_string(), &known)))
            }
            Reference::Model(name) if !self.models.contains_key(name) => {
                Some(undeclared_object(reference, &did_you_mean(name, self.models.keys().map(String::as_str))))
            }
            Reference::Executor { kind, name } if !self.executors.contains_key(&(kind.clone(), name.clone())) => {
                let known: Vec<String> =
                    self.executors.keys().map(|(kind, name)| format!("executor.{kind}.{name}")).collect();
                Some(undeclared_object(
                    reference,
                    &did_you_mean(&reference.to_string(), known.iter().map(String::as_str)),
                ))
            }
            _ => None,
        }
    }

    /// What may have been meant by an object's address; a block kind like `stage` may have been left out, too.
    fn object_hint(&self, given: &str, known: &[String]) -> String {
        let prefixed =
            ["stage.", "data."].iter().map(|prefix| format!("{prefix}{given}")).find(|address| known.contains(address));
        let name = given.rsplit('.').next().unwrap_or(given);
        if let Some(address) = prefixed.as_deref().or_else(|| nearest(given, known.iter().map(String::as_str))) {
            return format!(" Did you mean \"{address}\"?");
        }
        if let Some(variable) = self.variables.get(name) {
            return format!(" Did you mean \"var.{}\"?", variable.name);
        }
        String::new()
    }
}

/// Calls `visit` for every reference of a configuration, in the order of declaration.
pub(crate) fn visit(configuration: &Configuration, visit: &mut Visit<'_>) {
    let elsewhere = Place::default();
    for variable in configuration.variables.values() {
        rules(&variable.validations, elsewhere, visit);
    }
    for local in configuration.locals.values() {
        expression(&local.expression, elsewhere, visit);
    }
    for provider in configuration.providers.values() {
        body(&provider.body, elsewhere, visit);
    }
    for executor in configuration.executors.values() {
        executor.enabled.iter().for_each(|enabled| expression(enabled, elsewhere, visit));
        body(&executor.body, elsewhere, visit);
    }
    for model in configuration.models.values() {
        model.body.visit_references(&mut |reference, span| match &reference {
            Ok(Reference::Object(address)) if MODEL_ROOTS.contains(&address.type_name.as_str()) => {}
            _ => visit(Place { model: true, ..elsewhere }, reference, span),
        });
    }
    for object in configuration.objects.values() {
        visit_object(object, visit);
    }
    for output in configuration.outputs.values() {
        expression(&output.value, elsewhere, visit);
        declared(&output.depends_on, visit);
        rules(&output.preconditions, elsewhere, visit);
    }
    for check in configuration.checks.values() {
        rules(&check.assertions, elsewhere, visit);
    }
}

fn visit_object(object: &ObjectBlock, visit: &mut Visit<'_>) {
    let meta = &object.meta;
    let lifecycle = &meta.lifecycle;
    // What decides the instances cannot refer to one of them.
    for argument in [&meta.enabled, &meta.count, &meta.for_each].into_iter().flatten() {
        expression(argument, Place::default(), visit);
    }
    let inside = Place { each: meta.for_each.is_some(), count: meta.count.is_some(), ..Place::default() };
    for argument in [&meta.timeout, &lifecycle.prevent_destroy].into_iter().flatten() {
        expression(argument, inside, visit);
    }
    meta.retry.iter().for_each(|retry| body(retry, inside, visit));
    declared(&meta.depends_on, visit);
    declared(&lifecycle.replace_triggered_by, visit);
    rules(&lifecycle.preconditions, inside, visit);
    rules(&lifecycle.postconditions, Place { own: true, ..inside }, visit);
    body(&object.body, inside, visit);
}

fn declared(references: &[(Reference, Span)], visit: &mut Visit<'_>) {
    for (reference, span) in references {
        visit(Place::default(), Ok(reference.clone()), span.clone());
    }
}

fn expression(expression: &Expression, place: Place, visit: &mut Visit<'_>) {
    expression.visit_references(&mut |reference, span| visit(place, reference, span));
}

fn body(body: &Body, place: Place, visit: &mut Visit<'_>) {
    body.visit_references(&mut |reference, span| visit(place, reference, span));
}

fn rules(rules: &[Rule], place: Place, visit: &mut Visit<'_>) {
    for rule in rules {
        expression(&rule.condition, place, visit);
        expression(&rule.error_message, place, visit);
    }
}
