//! What a run is given: values of variables, provider configurations, and what stands in the place of objects and modules.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{
    Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Kind, Marks, ModulePath, Target, Value,
};
use pipectl_engine::{Engine, InputValue, Inspection, Origin, VariableInput, resolve_variables};
use pipectl_lang::{
    Argument, Body, Configuration, Expression, OutputBlock, ProviderBlock, ProviderExpression, Reference, Rule,
    Traversal, TraversalStep,
};

use super::file::{TestFile, TestRun};
use super::mock::{MOCK, Mock, Rules, StandIn};
use super::overrides::{MockData, Override, Settings, TestProvider, Values, key};

/// What a run works with.
pub struct Given {
    /// The configuration with the test's provider configurations in it, and with overridden modules replaced.
    pub configuration: Arc<Configuration>,
    /// Values of variables that the configuration declares.
    pub inputs: Vec<VariableInput>,
    /// Values of variables that only the test has.
    pub others: BTreeMap<String, Value>,
    /// What is mocked.
    pub rules: Rules,
    /// What is odd about it.
    pub warnings: Diagnostics,
}

/// What it is found out from.
pub struct Ground<'a> {
    /// Everything that evaluating takes.
    pub engine: &'a Engine,
    /// The root module.
    pub root: &'a Configuration,
    /// The test file.
    pub file: &'a TestFile,
    /// Outputs of earlier runs.
    pub runs: &'a BTreeMap<String, Value>,
    /// Values of variables from everywhere but test files.
    pub inputs: &'a [VariableInput],
}

impl Ground<'_> {
    /// What a run of a module is given. Values of the file come after those from everywhere else, those of the run come last.
    ///
    /// # Errors
    /// What is wrong with what the test says.
    pub fn given(&self, run: &TestRun, module: &Arc<Configuration>) -> Result<Given, Diagnostics> {
        let mut all = self.inputs.to_vec();
        for arguments in [&self.file.variables, &run.variables] {
            let inspection = self.inspection(&all);
            let given =
                arguments.iter().map(|argument| self.input(argument, &inspection)).collect::<Result<Vec<_>, _>>()?;
            all.extend(given);
        }
        let inspection = self.inspection(&all);
        let mut rules = Rules::default();
        let mut configuration = (**module).clone();
        for (key, block) in self.providers(run, &configuration, &inspection, &mut rules)? {
            configuration.providers.insert(key, block);
        }
        // What the run says takes the place of what the file says.
        let is_new = |one: &&Override| !run.overrides.iter().any(|own| own.target == one.target);
        for one in run.overrides.iter().chain(self.file.overrides.iter().filter(is_new)) {
            let given = self.values(&one.values, &inspection)?;
            match &one.target {
                Target::Object(_) => rules.overrides.push((one.target.clone(), given)),
                Target::Module(path) if *path == path.declaration() => {
                    configuration = replaced(&configuration, path, &given.values);
                }
                Target::Module(path) => configuration.replaced_modules.push((path.clone(), given.values)),
            }
        }
        let is_declared = |input: &VariableInput| module.variables.contains_key(&input.name);
        let warnings = self.warnings(run, module);
        let others = others_of(&all, |name| module.variables.contains_key(name));
        // As in Terraform, values of other variables mean nothing here: they may be for tests alone.
        let mut inputs = self.inputs.to_vec();
        inputs.retain(is_declared);
        inputs.extend(all.split_off(self.inputs.len()).into_iter().filter(is_declared));
        Ok(Given { configuration: Arc::new(configuration), inputs, others, rules, warnings })
    }

    /// What expressions of tests see before anything is planned.
    fn inspection(&self, inputs: &[VariableInput]) -> Inspection<'_> {
        let (variables, _) = resolve_variables(self.root, inputs);
        let mut inspection = self.engine.inspect(self.root, variables, BTreeMap::new(), (None, false));
        for (name, value) in others_of(inputs, |name| self.root.variables.contains_key(name)) {
            inspection.set_other(Reference::Variable(name), value);
        }
        for (name, outputs) in self.runs {
            inspection.set_other(named("run", name), outputs.clone());
        }
        inspection
    }

    fn input(&self, argument: &Argument, inspection: &Inspection<'_>) -> Result<VariableInput, Diagnostics> {
        let value = self.evaluated(&argument.value, inspection)?;
        let value = InputValue::Value(value, Some(argument.value.span()));
        Ok(VariableInput { name: argument.name.clone(), value, origin: Origin::File(self.file.name.clone()) })
    }

    fn evaluated(&self, expression: &Expression, inspection: &Inspection<'_>) -> Result<Value, Diagnostics> {
        let missing = expression.references().into_iter().find_map(|(reference, span)| match reference {
            Reference::Object(address) if is_run(&address) && !self.runs.contains_key(&address.name) => {
                Some((address.name, span))
            }
            _ => None,
        });
        if let Some((name, span)) = missing {
            let detail = format!(
                "The run block \"{name}\" is not among those that come before this one. A run can only refer to earlier ones of its file."
            );
            let summary = match self.file.runs.iter().any(|run| run.name == name) {
                true => "Reference to unavailable run block",
                false => "Reference to unknown run block",
            };
            return Err(Diagnostic::error(summary, detail).at(span).into());
        }
        if let Some(problem) = self.unknown_output(expression) {
            return Err(problem.into());
        }
        inspection.evaluate(expression)
    }

    /// An error where an expression takes from an earlier run what that has only planned.
    fn unknown_output(&self, expression: &Expression) -> Option<Diagnostic> {
        expression.traversals().into_iter().find_map(|Traversal { reference, steps }| {
            let Reference::Object(address) = &reference else { return None };
            let outputs = self.runs.get(&address.name).filter(|_| is_run(address))?;
            let value = steps.iter().try_fold(outputs, |value, step| match step {
                TraversalStep::Attribute(name) | TraversalStep::Index(InstanceKey::Name(name)) => value.attribute(name),
                TraversalStep::Index(InstanceKey::Index(index)) => value.as_slice()?.get(usize::try_from(*index).ok()?),
            })?;
            if value.is_wholly_known() {
                return None;
            }
            let (name, steps) = (&address.name, steps.iter().map(ToString::to_string).collect::<String>());
            let detail = format!(
                "The value of {reference}{steps} is not known: the run \"{name}\" has only planned, and some of it is known only after apply."
            );
            let problem = Diagnostic::error("Reference to unknown value", detail).hint("command = apply");
            let place = expression.references().into_iter().find(|(found, _)| *found == reference);
            Some(problem.or_at(place.map(|(_, span)| span).as_ref()))
        })
    }

    /// Provider configurations of the file that a run uses, as blocks of the configuration; what is mocked joins the rules.
    fn providers(
        &self,
        run: &TestRun,
        configuration: &Configuration,
        inspection: &Inspection<'_>,
        rules: &mut Rules,
    ) -> Result<Vec<(String, ProviderBlock)>, Diagnostics> {
        let named = |name: &str, alias: Option<&str>| {
            let meant = key(name, alias);
            self.file.providers.iter().find(|provider| provider.key() == meant)
        };
        let mut used: Vec<(&str, Option<&str>, &TestProvider)> = Vec::new();
        for (inside, passed) in &run.providers {
            let found = match passed {
                ProviderExpression::Reference(meant) if meant.key.is_none() => {
                    named(&meant.name, meant.alias.as_deref())
                }
                _ => None,
            };
            let Some(provider) = found else {
                let detail = "This refers to no provider or mock_provider block of the file.";
                return Err(Diagnostic::error("Missing provider definition", detail).at(passed.span()).into());
            };
            used.push((&inside.name, inside.alias.as_deref(), provider));
        }
        if run.providers.is_empty() {
            used.extend(self.file.providers.iter().map(|one| (one.name.as_str(), one.alias.as_deref(), one)));
        }
        let mut blocks = Vec::new();
        for (name, alias, provider) in used {
            // A configuration may do without what is here for others.
            let Some(known) = self.engine.registry.provider(&configuration.provider_source(name)) else { continue };
            let key = key(name, alias);
            let (body, concurrency) = match &provider.settings {
                Settings::Mock(data) => {
                    rules.mocks.insert(key.clone(), self.mock(known.name(), data, inspection)?);
                    (Body::of_values([(MOCK.to_owned(), Value::from(key.as_str()))], &provider.span), None)
                }
                Settings::Real(body) => {
                    let body = body.without(&["alias", "version"], &[]);
                    let body = body.evaluated(&mut |expression| self.evaluated(expression, inspection))?;
                    let concurrency = body.argument("concurrency").map(|argument| argument.value.clone());
                    (body.without(&["concurrency"], &[]), concurrency)
                }
            };
            let (name, alias) = (name.to_owned(), alias.map(str::to_owned));
            let block = ProviderBlock { name, alias, for_each: None, concurrency, body, span: provider.span.clone() };
            blocks.push((key, block));
        }
        Ok(blocks)
    }

    fn mock(&self, provider: &str, data: &MockData, inspection: &Inspection<'_>) -> Result<Mock, Diagnostics> {
        let mut mock = Mock { provider: provider.to_owned(), defaults: BTreeMap::new(), overrides: Vec::new() };
        for one in &data.defaults {
            let given = self.values(&one.values, inspection)?;
            mock.defaults.insert((one.kind, one.type_name.clone()), given);
        }
        for one in &data.overrides {
            mock.overrides.push((one.target.clone(), self.values(&one.values, inspection)?));
        }
        Ok(mock)
    }

    fn values(&self, values: &Values, inspection: &Inspection<'_>) -> Result<StandIn, Diagnostics> {
        let Values { written, at_plan, argument, block, span } = values;
        let span = written.as_ref().map_or_else(|| span.clone(), Expression::span);
        let stand_in = |values| StandIn { values, at_plan: *at_plan, span };
        let Some(written) = written else { return Ok(stand_in(Value::object(Vec::<(String, Value)>::new()))) };
        let value = self.evaluated(written, inspection)?;
        let Kind::Object(attributes) = value.kind() else {
            let article = if argument.starts_with('o') { "an" } else { "a" };
            let detail = format!("{block} blocks must specify {article} {argument} attribute that is an object.");
            let problem = Diagnostic::error(format!("Invalid {argument} attribute"), detail);
            return Err(problem.at(written.span()).into());
        };
        if value.marks_deep().contains(Marks::EPHEMERAL) {
            let detail = format!("The {argument} of a test get into a state, where ephemeral values cannot be.");
            return Err(Diagnostic::error("Ephemeral value not allowed", detail).at(written.span()).into());
        }
        // They are taken out one by one: what holds for the whole holds for each.
        let marked = |(name, attribute): (&String, &Value)| (name.clone(), attribute.clone().marked(value.marks()));
        Ok(stand_in(Value::object(attributes.iter().map(marked))))
    }

    /// What a run says that means nothing for its module.
    fn warnings(&self, run: &TestRun, module: &Configuration) -> Diagnostics {
        let asserted: Vec<Reference> = run.assertions.iter().flat_map(references_of).collect();
        let is_used = |name: &str| asserted.contains(&Reference::Variable(name.to_owned()));
        let is_unused = |name: &str| !module.variables.contains_key(name) && !is_used(name);
        let undeclared = run.variables.iter().filter(|argument| is_unused(&argument.name));
        let undeclared = undeclared.map(|argument| {
            let detail = format!(
                "The module under test does not declare a variable named \"{}\", but it is declared in run block \"{}\".",
                argument.name, run.name
            );
            Diagnostic::warning("Value for undeclared variable", detail).at(argument.value.span())
        });
        let missing = run.overrides.iter().filter(|one| !is_there(module, &one.target)).map(no_target);
        undeclared.chain(missing).collect()
    }
}

/// Overrides of a file that mean nothing for any of the modules that it tests.
pub fn without_target(file: &TestFile, modules: &[&Configuration]) -> Diagnostics {
    let of_mocks = file.providers.iter().filter_map(|provider| match &provider.settings {
        Settings::Mock(data) => Some(data.overrides.iter().filter(|one| !one.is_shared)),
        Settings::Real(_) => None,
    });
    let all = file.overrides.iter().chain(of_mocks.flatten());
    all.filter(|one| !modules.iter().any(|module| is_there(module, &one.target))).map(no_target).collect()
}

fn references_of(rule: &Rule) -> Vec<Reference> {
    let all = rule.condition.references().into_iter().chain(rule.error_message.references());
    all.map(|(reference, _)| reference).collect()
}

fn is_there(configuration: &Configuration, target: &Target) -> bool {
    match target {
        Target::Object(address) => configuration.object(address).is_some(),
        Target::Module(path) => configuration.module_block(path).is_some(),
    }
}

fn no_target(one: &Override) -> Diagnostic {
    let detail = format!(
        "The override target {} does not exist within the configuration under test. This could indicate a typo in the target address or an \
         unnecessary override.",
        one.target
    );
    Diagnostic::warning("Invalid override target", detail).at(one.target_span.clone())
}

/// How a test refers to an output or to an earlier run: it reads like a resource.
pub fn named(what: &str, name: &str) -> Reference {
    Reference::Object(Address::new(AddressKind::Resource, what, name))
}

fn is_run(address: &Address) -> bool {
    address.kind == AddressKind::Resource && address.type_name == "run"
}

/// The last value of each variable that nobody declares.
fn others_of(inputs: &[VariableInput], is_declared: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    let others = inputs.iter().filter(|input| !is_declared(&input.name));
    let values = others.map(|input| match &input.value {
        InputValue::Value(value, _) => (input.name.clone(), value.clone()),
        InputValue::Text(text) => (input.name.clone(), Value::from(text.as_str())),
    });
    values.collect()
}

/// A configuration in which a module is nothing but its outputs, with given values; an output without one is null.
fn replaced(configuration: &Configuration, path: &ModulePath, outputs: &Value) -> Configuration {
    let names: Vec<&str> = path.steps().iter().map(|step| step.name.as_str()).collect();
    // A folder's name tells modules apart, and not all of that folder need be overridden.
    let only = |inside: &Configuration| {
        let mut only = only_outputs(inside, outputs);
        only.folder = format!("{}:{path}", inside.folder);
        only
    };
    replaced_at(configuration, &names, &only)
}

fn replaced_at(
    configuration: &Configuration,
    path: &[&str],
    only: &dyn Fn(&Configuration) -> Configuration,
) -> Configuration {
    let [first, rest @ ..] = path else { return only(configuration) };
    let mut changed = configuration.clone();
    if let Some(block) = changed.modules.get_mut(*first)
        && let Some(inside) = &block.configuration
    {
        block.configuration = Some(Arc::new(replaced_at(inside, rest, only)));
    }
    changed
}

fn only_outputs(configuration: &Configuration, outputs: &Value) -> Configuration {
    let given = |block: &OutputBlock| outputs.attribute(&block.name).cloned().unwrap_or_else(Value::null);
    let constant = |(name, block): (&String, &OutputBlock)| {
        let value = Expression::literal(given(block), block.value.span());
        let block = OutputBlock { value, depends_on: Vec::new(), preconditions: Vec::new(), ..block.clone() };
        (name.clone(), block)
    };
    let mut only = Configuration::default();
    only.files.clone_from(&configuration.files);
    only.variables.clone_from(&configuration.variables);
    only.outputs = configuration.outputs.iter().map(constant).collect();
    only.required_providers.clone_from(&configuration.required_providers);
    only
}
