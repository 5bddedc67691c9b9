//! Whether everything that a configuration refers to is declared in it, and whether modules get the inputs that they declare.

use indexmap::IndexMap;
use pipectl_core::suggest::{did_you_mean, nearest};
use pipectl_core::{Diagnostic, Diagnostics, SourceMap, Span};

use crate::body::Body;
use crate::configuration::{Configuration, Dependency, MODEL_ROOTS, ModuleBlock, ObjectBlock, Rule};
use crate::evaluate::{missing, undeclared_local, undeclared_module, undeclared_object, undeclared_variable};
use crate::expression::{Expression, Step};
use crate::provider_configuration::ProviderExpression;
use crate::reference::{InvalidReference, Reference};
use crate::scope::Scope;

/// For how many findings in a module what may have been meant is looked for: it takes a look at every name. Of so many, nobody reads more.
const MOST_SUGGESTIONS: usize = 50;

/// Where in a configuration a reference stands, as far as that decides what it may be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    /// Inside a model, where `input` and `layer` mean its own.
    model: bool,
    /// Inside a block with `for_each`.
    each: bool,
    /// Inside a block with `count`.
    count: bool,
    /// Inside a condition on what an object became.
    own: bool,
    /// Inside the assertions of this check.
    check: Option<&'a str>,
}

type Visit<'a> = dyn FnMut(Place<'_>, Result<Reference, InvalidReference>, Span, Option<&Step>) + 'a;

impl Configuration {
    /// Reports, for this module and all below, references to variables, local values, resources, stages, modules, models and executors that
    /// are not declared, each with what may have been meant, names that are no references at all, and conditions that refer to nothing. A
    /// name that is used in several places of a module is reported once, with the list of the places. Reports inputs of modules that are
    /// missing or not declared, too.
    pub fn check_references(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for module in self.distinct_modules() {
            diagnostics.extend(module.check_own_references(&self.sources));
            diagnostics.extend(module.modules.values().flat_map(check_inputs));
        }
        diagnostics
    }

    /// Reports what an expression outside of all blocks refers to and this module does not declare; what `is_known` otherwise is left out.
    pub fn check_expression(&self, expression: &Expression, is_known: &dyn Fn(&Reference) -> bool) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        expression.visit_references(&mut |reference, span, next| {
            let diagnostic = match reference {
                Ok(reference) if is_known(&reference) => None,
                Ok(reference) => self
                    .undeclared(&reference, Place::default(), true)
                    .or_else(|| Some(self.wrong_instance(&reference, next?)?.0)),
                Err(invalid) => Some(Diagnostic::error(invalid.summary, invalid.detail)),
            };
            diagnostics.extend(diagnostic.map(|diagnostic| diagnostic.at(span)));
        });
        diagnostics
    }

    /// Where, in this module and all below, names are used that may be declared in text that is wrong. What is said about their absence
    /// follows from that mistake alone.
    pub fn lost_references(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for module in self.distinct_modules() {
            visit(module, &mut |_, reference, span, _| {
                if reference.is_ok_and(|reference| module.is_lost(&reference)) {
                    spans.push(span);
                }
            });
        }
        spans
    }

    /// Whether a provider's configuration that is not declared may be declared in text that is wrong.
    pub fn may_configure(&self, provider: &str) -> bool {
        self.lost.may_configure(provider)
    }

    /// Whether what is referred to is not declared, and may be in text that is wrong.
    fn is_lost(&self, reference: &Reference) -> bool {
        let declared = match reference {
            Reference::Variable(name) => self.variables.contains_key(name),
            Reference::Local(name) => self.locals.contains_key(name),
            Reference::Object(address) => self.objects.contains_key(address),
            Reference::Module(name) => self.modules.contains_key(name),
            Reference::ModuleOutput { module, output, .. } => match self.modules.get(module) {
                Some(block) => {
                    let lacks = |inside: &Configuration| !inside.outputs.contains_key(output);
                    let inside = block.configuration.as_deref();
                    return inside.is_some_and(|inside| lacks(inside) && inside.lost.may_have_output(output));
                }
                None => false,
            },
            Reference::Model(name) => self.models.contains_key(name),
            Reference::Executor { kind, name } => self.executors.contains_key(&(kind.clone(), name.clone())),
            _ => true,
        };
        !declared && self.lost.may_declare(reference)
    }

    fn check_own_references(&self, sources: &SourceMap) -> Diagnostics {
        let mut findings: IndexMap<(String, String), (Diagnostic, Vec<Span>)> = IndexMap::new();
        visit(self, &mut |place, reference, mut span, next| {
            let diagnostic = match reference {
                Ok(reference) if self.is_lost(&reference) => return,
                Ok(reference) => match self.undeclared(&reference, place, findings.len() < MOST_SUGGESTIONS) {
                    Some(diagnostic) => diagnostic,
                    None => match next.and_then(|next| self.wrong_instance(&reference, next)) {
                        Some((diagnostic, step)) => {
                            span.range.end = step.range.end;
                            diagnostic
                        }
                        None => return,
                    },
                },
                // `layer` alone in a model is for the model to judge.
                Err(_) if place.model => return,
                Err(invalid) => {
                    let hint = written(sources, &span).map_or_else(String::new, |name| self.bare_name_hint(name));
                    Diagnostic::error(invalid.summary, format!("{}{hint}", invalid.detail))
                }
            };
            let same = (diagnostic.summary.clone(), diagnostic.detail.clone());
            findings.entry(same).or_insert_with(|| (diagnostic, Vec::new())).1.push(span);
        });
        let mut diagnostics: Diagnostics = findings
            .into_values()
            .map(|(mut diagnostic, spans)| {
                let places: Vec<String> = spans.iter().skip(1).map(|span| place_of(sources, span)).collect();
                if !places.is_empty() {
                    let number = if places.len() == 1 {
                        "one more place".to_owned()
                    } else {
                        format!("{} more places", places.len())
                    };
                    diagnostic = diagnostic.hint(format!("It is used in {number}: {}", places.join(", ")));
                }
                match spans.into_iter().next() {
                    Some(first) => diagnostic.at(first),
                    None => diagnostic,
                }
            })
            .collect();
        self.check_conditions(&mut diagnostics);
        diagnostics
    }

    /// Reports conditions that check nothing: those that refer to nothing, and those of a variable that do not refer to it.
    fn check_conditions(&self, diagnostics: &mut Diagnostics) {
        for variable in self.variables.values() {
            let own = Reference::Variable(variable.name.clone());
            for rule in &variable.validations {
                if !rule.condition.references().iter().any(|(reference, _)| *reference == own) {
                    let detail = format!(
                        "The condition for variable {:?} must refer to {own} in order to test incoming values.",
                        variable.name
                    );
                    let diagnostic = Diagnostic::error("Invalid variable validation condition", detail);
                    diagnostics.push(diagnostic.at(rule.condition.span()));
                }
            }
        }
        let lifecycles = self.objects.values().map(|object| &object.meta.lifecycle);
        let preconditions = lifecycles.clone().flat_map(|lifecycle| &lifecycle.preconditions);
        let outputs = self.outputs.values().flat_map(|output| &output.preconditions);
        let rules = (preconditions.chain(outputs).map(|rule| ("precondition", rule)))
            .chain(lifecycles.flat_map(|lifecycle| &lifecycle.postconditions).map(|rule| ("postcondition", rule)))
            .chain(self.checks.values().flat_map(|check| &check.assertions).map(|rule| ("assert", rule)));
        for (kind, rule) in rules {
            let mut refers = false;
            rule.condition.visit_references(&mut |_, _, _| refers = true);
            if !refers {
                let detail = "The condition expression must refer to at least one object from elsewhere in the configuration, or else its \
                              result would not be checking anything.";
                let diagnostic = Diagnostic::error(format!("Invalid {kind} expression"), detail);
                diagnostics.push(diagnostic.at(rule.condition.span()));
            }
        }
    }

    /// What may have been meant by a name that stands alone.
    fn bare_name_hint(&self, name: &str) -> String {
        let known = [
            ("var", self.variables.contains_key(name)),
            ("local", self.locals.contains_key(name)),
            ("model", self.models.contains_key(name)),
        ];
        match known.iter().find(|(_, declared)| *declared) {
            Some((root, _)) => format!(" Did you mean \"{root}.{name}\"?"),
            None => String::new(),
        }
    }

    /// What is said of a reference to what is not there, and what may have been meant, if it `suggests` that.
    fn undeclared(&self, reference: &Reference, place: Place<'_>, suggests: bool) -> Option<Diagnostic> {
        let meant = |given: &str, known: &mut dyn Iterator<Item = &str>| match suggests {
            true => did_you_mean(given, known),
            false => String::new(),
        };
        match reference {
            Reference::Each if !place.each => Some(missing(&Scope::constant(), reference)),
            Reference::Count if !place.count => Some(missing(&Scope::constant(), reference)),
            Reference::SelfObject if !place.own => Some(missing(&Scope::constant(), reference)),
            Reference::Path(name) if !["cwd", "module", "root"].contains(&name.as_str()) => {
                Some(missing(&Scope::constant(), reference))
            }
            Reference::Terraform(name) if name != "workspace" && name != "applying" => {
                Some(missing(&Scope::constant(), reference))
            }
            Reference::Variable(name) if !self.variables.contains_key(name) => {
                Some(undeclared_variable(name, &meant(name, &mut self.variables.keys().map(String::as_str))))
            }
            Reference::Local(name) if !self.locals.contains_key(name) => {
                Some(undeclared_local(name, &meant(name, &mut self.locals.keys().map(String::as_str))))
            }
            Reference::Object(address) if !self.objects.contains_key(address) => {
                let hint = if suggests { self.object_hint(&address.to_string()) } else { String::new() };
                Some(undeclared_object(reference, &hint))
            }
            Reference::Object(address)
                if self.objects[address].check.as_deref().is_some_and(|it| place.check != Some(it)) =>
            {
                let detail = format!(
                    "The referenced data resource {:?} {:?} is not available from this context: it belongs to a check block.",
                    address.type_name, address.name
                );
                Some(Diagnostic::error("Reference to scoped resource", detail))
            }
            Reference::Module(name) | Reference::ModuleOutput { module: name, .. }
                if !self.modules.contains_key(name) =>
            {
                Some(undeclared_module(name, &meant(name, &mut self.modules.keys().map(String::as_str))))
            }
            Reference::Model(name) if !self.models.contains_key(name) => {
                Some(undeclared_object(reference, &meant(name, &mut self.models.keys().map(String::as_str))))
            }
            Reference::Executor { kind, name } if !self.executors.contains_key(&(kind.clone(), name.clone())) => {
                let known: Vec<String> =
                    self.executors.keys().map(|(kind, name)| format!("executor.{kind}.{name}")).collect();
                let known = &mut known.iter().map(String::as_str);
                Some(undeclared_object(reference, &meant(&reference.to_string(), known)))
            }
            _ => None,
        }
    }

    /// What is wrong with the step after a reference to an object that has instances, or has none, and where that step stands.
    fn wrong_instance(&self, reference: &Reference, next: &Step) -> Option<(Diagnostic, Span)> {
        let Reference::Object(address) = reference else { return None };
        let meta = &self.objects.get(address)?.meta;
        let keys = match (&meta.count, &meta.for_each) {
            (Some(_), _) => Some(("count", format!("{address}[count.index], or {address}[*] for all instances"))),
            (None, Some(_)) => {
                Some(("for_each", format!("{address}[each.key], or values({address})[*] for all instances")))
            }
            (None, None) => None,
        };
        match (keys, next) {
            (Some((argument, meant)), Step::Attribute { span, .. }) => {
                let detail = format!(
                    "Because {address} has {argument:?} set, its attributes must be accessed on specific instances."
                );
                let diagnostic = Diagnostic::error("Missing resource instance key", detail);
                Some((diagnostic.hint(meant), span.clone()))
            }
            (None, Step::Index { span, .. }) => {
                let detail = format!(
                    "Because {address} does not have \"count\" or \"for_each\" set, references to it must not include an index key. Remove \
                     the bracketed index to refer to the single instance of this resource."
                );
                Some((Diagnostic::error("Unexpected resource instance key", detail), span.clone()))
            }
            _ => None,
        }
    }

    /// What may have been meant by an object's address; a block kind like `stage` may have been left out, too.
    fn object_hint(&self, given: &str) -> String {
        let known: Vec<String> = self.objects.keys().map(ToString::to_string).collect();
        let prefixed = ["stage.", "data.", "ephemeral."]
            .iter()
            .map(|prefix| format!("{prefix}{given}"))
            .find(|address| known.contains(address));
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

/// What stands at a span.
fn written<'a>(sources: &'a SourceMap, span: &Span) -> Option<&'a str> {
    sources.get(span.source)?.text.get(span.range.clone())
}

/// `file:line` of a span.
fn place_of(sources: &SourceMap, span: &Span) -> String {
    let file = sources.get(span.source).map(|source| source.name.as_str()).unwrap_or_default();
    match sources.line_column(span) {
        Some((line, _)) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// Inputs that a module needs and does not get, and those that it does not declare.
fn check_inputs(block: &ModuleBlock) -> Diagnostics {
    let Some(module) = &block.configuration else { return Diagnostics::new() };
    let mut diagnostics = Diagnostics::new();
    let given = |name: &str| block.inputs.argument(name).is_some();
    for name in module.variables.values().filter(|variable| variable.default.is_none()).map(|variable| &variable.name) {
        if !given(name) {
            let detail = format!("The argument {name:?} is required, but no definition was found.");
            diagnostics.push(Diagnostic::error("Missing required argument", detail).at(block.span.clone()));
        }
    }
    let is_declared = |name: &str| {
        module.variables.contains_key(name) || module.lost.may_declare(&Reference::Variable(name.to_owned()))
    };
    for argument in block.inputs.arguments().filter(|argument| !is_declared(&argument.name)) {
        let hint = did_you_mean(&argument.name, module.variables.keys().map(String::as_str));
        let detail = format!("An argument named {:?} is not expected here.{hint}", argument.name);
        diagnostics.push(Diagnostic::error("Unsupported argument", detail).at(argument.name_span.clone()));
    }
    diagnostics
}

/// Calls `visit` for every reference of one module, in the order of declaration.
pub(crate) fn visit(configuration: &Configuration, visit: &mut Visit<'_>) {
    let elsewhere = Place::default();
    for variable in configuration.variables.values() {
        rules(&variable.validations, elsewhere, visit);
    }
    for local in configuration.locals.values() {
        expression(&local.expression, elsewhere, visit);
    }
    for provider in configuration.providers.values() {
        [&provider.for_each, &provider.concurrency]
            .into_iter()
            .flatten()
            .for_each(|given| expression(given, elsewhere, visit));
        body(&provider.body, Place { each: provider.for_each.is_some(), ..elsewhere }, visit);
    }
    for executor in configuration.executors.values() {
        executor.enabled.iter().for_each(|enabled| expression(enabled, elsewhere, visit));
        body(&executor.body, elsewhere, visit);
    }
    for model in configuration.models.values() {
        model.body.visit_references(&mut |reference, span, next| match &reference {
            Ok(Reference::Object(address)) if MODEL_ROOTS.contains(&address.type_name.as_str()) => {}
            _ => visit(Place { model: true, ..elsewhere }, reference, span, next),
        });
    }
    for module in configuration.modules.values() {
        for argument in [&module.enabled, &module.count, &module.for_each].into_iter().flatten() {
            expression(argument, elsewhere, visit);
        }
        let inside = Place { each: module.for_each.is_some(), count: module.count.is_some(), ..elsewhere };
        declared(&module.depends_on, visit);
        let chosen = module.providers.iter().flat_map(|(_, passed)| passed.expressions());
        chosen.for_each(|choice| expression(choice, inside, visit));
        body(&module.inputs, inside, visit);
    }
    for object in configuration.objects.values() {
        visit_object(object, visit);
    }
    for import in &configuration.imports {
        import.for_each.iter().for_each(|for_each| expression(for_each, elsewhere, visit));
        let inside = Place { each: import.for_each.is_some(), ..elsewhere };
        expression(&import.id, inside, visit);
        let keys = import.to.module_keys.iter().chain([&import.to.key]).flatten();
        keys.for_each(|key| expression(key, inside, visit));
    }
    for output in configuration.outputs.values() {
        expression(&output.value, elsewhere, visit);
        declared(&output.depends_on, visit);
        rules(&output.preconditions, elsewhere, visit);
    }
    for check in configuration.checks.values() {
        rules(&check.assertions, Place { check: Some(&check.name), ..elsewhere }, visit);
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
    for argument in [&meta.timeout, &meta.concurrency, &lifecycle.prevent_destroy].into_iter().flatten() {
        expression(argument, inside, visit);
    }
    let chosen = meta.provider.iter().flat_map(ProviderExpression::expressions);
    chosen.for_each(|choice| expression(choice, inside, visit));
    meta.retry.iter().for_each(|retry| body(retry, inside, visit));
    declared(&meta.depends_on, visit);
    for trigger in &lifecycle.replace_triggered_by {
        visit(Place::default(), Ok(Reference::Object(trigger.block.clone())), trigger.span.clone(), None);
        trigger.key.iter().for_each(|key| expression(key, inside, visit));
    }
    rules(&lifecycle.preconditions, inside, visit);
    rules(&lifecycle.postconditions, Place { own: true, ..inside }, visit);
    body(&object.body, inside, visit);
}

fn declared(dependencies: &[Dependency], visit: &mut Visit<'_>) {
    for Dependency { reference, span, key } in dependencies {
        visit(Place::default(), Ok(reference.clone()), span.clone(), key.as_ref());
    }
}

fn expression(expression: &Expression, place: Place<'_>, visit: &mut Visit<'_>) {
    expression.visit_references(&mut |reference, span, next| visit(place, reference, span, next));
}

fn body(body: &Body, place: Place<'_>, visit: &mut Visit<'_>) {
    body.visit_references(&mut |reference, span, next| visit(place, reference, span, next));
}

fn rules(rules: &[Rule], place: Place<'_>, visit: &mut Visit<'_>) {
    for rule in rules {
        expression(&rule.condition, place, visit);
        expression(&rule.error_message, place, visit);
    }
}
