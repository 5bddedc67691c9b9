//! Reading test files.

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Address, Diagnostic, Diagnostics, SourceId, SourceMap, Span, Type, convert};
use pipectl_engine::Mode;
use pipectl_lang::{
    Argument, BlockFile, Body, Expression, NestedBlock, ProviderExpression, ProviderReference, Rule, Scope, Traversal,
    TraversalStep, evaluate, is_identifier, listed_references, parse_blocks, passed_providers,
};

use super::overrides::{self, Override, TestProvider};

/// A test file.
pub struct TestFile {
    /// The name that people know it by.
    pub name: String,
    /// Values of variables for all runs.
    pub variables: Vec<Argument>,
    /// `provider` and `mock_provider` blocks.
    pub providers: Vec<TestProvider>,
    /// What stands in the place of objects and modules, in all runs.
    pub overrides: Vec<Override>,
    /// The runs, in order.
    pub runs: Vec<TestRun>,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// `command = plan`
    Plan,
    /// `command = apply`, which is the default.
    Apply,
}

/// A `run` block.
pub struct TestRun {
    /// Its name.
    pub name: String,
    /// The folder of another module that it runs instead, seen from the root module's, and where that is written.
    pub module: Option<(String, Span)>,
    /// Whose state it shares: that of runs with the same key; where there is none, of runs of the same module.
    pub state_key: Option<String>,
    /// Which provider configurations of the file serve it, by the names that the configuration knows; empty: all.
    pub providers: Vec<(ProviderReference, ProviderExpression)>,
    /// What stands in the place of objects and modules.
    pub overrides: Vec<Override>,
    /// What it does.
    pub command: RunCommand,
    /// Which kind of plan.
    pub mode: Mode,
    /// Whether objects are looked at first.
    pub refresh: bool,
    /// Only these.
    pub targets: Vec<Address>,
    /// Replace these.
    pub replace: Vec<Address>,
    /// Values of variables for this run.
    pub variables: Vec<Argument>,
    /// What must hold afterwards.
    pub assertions: Vec<Rule>,
    /// What must fail: addresses of variables, outputs, checks and objects, each with where it stands.
    pub expected_failures: Vec<(String, Span)>,
}

/// Words that begin a block of a test file.
const BLOCKS: [&str; 8] =
    ["mock_provider", "override_data", "override_module", "override_resource", "provider", "run", "test", "variables"];

/// Words that begin a block in a run.
const RUN_BLOCKS: [&str; 7] =
    ["assert", "module", "override_data", "override_module", "override_resource", "plan_options", "variables"];

/// Reads a test file whose text is already in `sources`.
pub fn read(name: &str, source: SourceId, sources: &SourceMap) -> (TestFile, Diagnostics) {
    let text = sources.get(source).map(|source| &*source.text).unwrap_or_default();
    let (body, diagnostics) = parse_blocks(BlockFile::Tests, name, text, source, &BLOCKS);
    let mut file = TestFile {
        name: name.to_owned(),
        variables: Vec::new(),
        providers: Vec::new(),
        overrides: Vec::new(),
        runs: Vec::new(),
    };
    let mut reader = Reader { diagnostics };
    reader.only_arguments(&body, &[]);
    reader.only_one(&body, &["test", "variables"], "test file");
    for block in body.blocks() {
        match block.kind.as_str() {
            "variables" => file.variables.extend(block.body.arguments().cloned()),
            "run" => reader.run(block, &mut file),
            "test" => reader.settings(block),
            "provider" | "mock_provider" => reader.provider(block, &mut file.providers),
            _ if overrides::is_override(block) => reader.overriding(block, false, &mut file.overrides),
            _ => reader.unexpected(block, &BLOCKS),
        }
    }
    (file, reader.diagnostics)
}

/// Reads blocks of one file.
pub(super) struct Reader {
    pub(super) diagnostics: Diagnostics,
}

impl Reader {
    /// `test { parallel = true }`, which Terraform has from 1.12 on. Runs go one after the other in any case: what is asked for is leave, not haste.
    fn settings(&mut self, block: &NestedBlock) {
        if let Some((_, span)) = block.labels.first() {
            let detail = "No labels are expected for test blocks.";
            self.diagnostics.push(Diagnostic::error("Extraneous label for test", detail).at(span.clone()));
        }
        self.only_arguments(&block.body, &["parallel"]);
        self.parallel(&block.body);
        block.body.blocks().for_each(|nested| self.unexpected(nested, &[]));
    }

    fn parallel(&mut self, body: &Body) {
        if let Some(argument) = body.argument("parallel") {
            self.flag(argument);
        }
    }

    fn run(&mut self, block: &NestedBlock, file: &mut TestFile) {
        let [(name, span), rest @ ..] = block.labels.as_slice() else {
            let detail = "All run blocks must have 1 label (name).";
            return self.diagnostics.push(Diagnostic::error("Missing name for run", detail).at(block.span.clone()));
        };
        if let Some((_, extra)) = rest.first() {
            let detail = "Only 1 label (name) is expected for run blocks.";
            self.diagnostics.push(Diagnostic::error("Extraneous label for run", detail).at(extra.clone()));
        }
        if !is_identifier(name) {
            let detail = "A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.";
            self.diagnostics.push(Diagnostic::error("Invalid run block name", detail).at(span.clone()));
        }
        if file.runs.iter().any(|run| run.name == *name) {
            let detail = format!("This file already has a run block named \"{name}\".");
            self.diagnostics.push(Diagnostic::error("Duplicate run block", detail).at(span.clone()));
        }
        let body = &block.body;
        self.only_one(body, &["module", "plan_options", "variables"], "run block");
        self.only_arguments(body, &["command", "expect_failures", "parallel", "providers", "state_key"]);
        self.parallel(body);
        let mut run = TestRun {
            name: name.clone(),
            module: None,
            state_key: None,
            providers: Vec::new(),
            overrides: Vec::new(),
            command: RunCommand::Apply,
            mode: Mode::Normal,
            refresh: true,
            targets: Vec::new(),
            replace: Vec::new(),
            variables: Vec::new(),
            assertions: Vec::new(),
            expected_failures: Vec::new(),
        };
        if let Some(argument) = body.argument("command") {
            match argument.value.keyword() {
                Some("plan") => run.command = RunCommand::Plan,
                Some("apply") => run.command = RunCommand::Apply,
                _ => {
                    let detail = "The command is one of the words plan and apply, without quotes.";
                    self.invalid(&argument.value, "Invalid \"command\" keyword", detail);
                }
            }
        }
        run.state_key = body.argument("state_key").and_then(|argument| self.text_of(argument));
        if let Some(argument) = body.argument("providers") {
            let (providers, problems) = passed_providers(&argument.value);
            self.diagnostics.extend(problems);
            run.providers = providers;
        }
        if let Some(argument) = body.argument("expect_failures") {
            let listed = listed_references(&argument.value, "expect_failures", &mut self.diagnostics);
            let named = |one: &Expression| Some((object(one.traversals().first()?), one.span()));
            run.expected_failures = listed.iter().filter_map(named).collect();
        }
        for nested in body.blocks() {
            match nested.kind.as_str() {
                "variables" => run.variables.extend(nested.body.arguments().cloned()),
                "assert" => run.assertions.extend(self.assertion(nested)),
                "plan_options" => self.plan_options(nested, &mut run),
                "module" => run.module = self.module(nested),
                _ if overrides::is_override(nested) => self.overriding(nested, false, &mut run.overrides),
                _ => self.unexpected(nested, &RUN_BLOCKS),
            }
        }
        file.runs.push(run);
    }

    fn module(&mut self, block: &NestedBlock) -> Option<(String, Span)> {
        self.only_arguments(&block.body, &["source", "version"]);
        let source = self.required(block, "source")?;
        match source.as_literal_str() {
            Some(text) if text.starts_with("./") || text.starts_with("../") => Some((text.to_owned(), source.span())),
            _ => {
                let detail = "The source of a module that a run works on is a local folder, seen from that of the root module: a text that begins \
                              with \"./\" or \"../\".";
                self.invalid(&source, "Invalid module source address", detail);
                None
            }
        }
    }

    fn assertion(&mut self, block: &NestedBlock) -> Option<Rule> {
        self.only_arguments(&block.body, &["condition", "error_message"]);
        let condition = self.required(block, "condition");
        let error_message = self.required(block, "error_message");
        if let Some(condition) = condition.as_ref().filter(|condition| condition.references().is_empty()) {
            let detail = "The condition expression must refer to at least one object from elsewhere in the configuration, or else its result \
                          would not be checking anything.";
            self.invalid(condition, "Invalid assert expression", detail);
        }
        Some(Rule { condition: condition?, error_message: error_message?, span: block.span.clone() })
    }

    pub(super) fn required(&mut self, block: &NestedBlock, name: &str) -> Option<Expression> {
        let argument = block.body.argument(name);
        if argument.is_none() {
            let detail = format!("The argument \"{name}\" is required, but no definition was found.");
            self.diagnostics.push(Diagnostic::error("Missing required argument", detail).at(block.span.clone()));
        }
        argument.map(|argument| argument.value.clone())
    }

    fn plan_options(&mut self, block: &NestedBlock, run: &mut TestRun) {
        self.only_arguments(&block.body, &["mode", "refresh", "replace", "target"]);
        for argument in block.body.arguments() {
            match argument.name.as_str() {
                "mode" => match argument.value.keyword() {
                    Some("normal") => run.mode = Mode::Normal,
                    Some("refresh-only") => run.mode = Mode::RefreshOnly,
                    _ => {
                        let detail = "The mode is one of the words normal and refresh-only, without quotes.";
                        self.invalid(&argument.value, "Invalid \"mode\" keyword", detail);
                    }
                },
                "refresh" => run.refresh = self.flag(argument).unwrap_or(true),
                "replace" => run.replace = self.addresses(argument),
                "target" => run.targets = self.addresses(argument),
                _ => {}
            }
        }
    }

    fn addresses(&mut self, argument: &Argument) -> Vec<Address> {
        let mut found = Vec::new();
        for one in listed_references(&argument.value, &argument.name, &mut self.diagnostics) {
            match one.traversals().first().and_then(|traversal| object(traversal).parse().ok()) {
                Some(address) => found.push(address),
                None => self.invalid(&one, "Invalid address", "These are addresses of objects."),
            }
        }
        found
    }

    /// True or false, written out.
    fn flag(&mut self, argument: &Argument) -> Option<bool> {
        let value = match evaluate(&argument.value, &Scope::constant()) {
            Ok(value) => value,
            Err(problems) => {
                self.diagnostics.extend(problems);
                return None;
            }
        };
        let flag = convert::convert(&value, &Type::Bool).ok().and_then(|value| value.as_bool());
        if flag.is_none() {
            self.invalid(&argument.value, "Unsuitable value type", "Unsuitable value: a bool is required.");
        }
        flag
    }

    /// A text without templates.
    pub(super) fn text_of(&mut self, argument: &Argument) -> Option<String> {
        let text = argument.value.as_literal_str().map(str::to_owned);
        if text.is_none() {
            let detail = format!("The {} is a text without templates.", argument.name);
            self.invalid(&argument.value, "Unsuitable value type", &detail);
        }
        text
    }

    pub(super) fn only_arguments(&mut self, body: &Body, known: &[&str]) {
        for argument in body.arguments().filter(|argument| !known.contains(&argument.name.as_str())) {
            let hint = did_you_mean(&argument.name, known.iter().copied());
            let detail = format!("An argument named \"{}\" is not expected here.{hint}", argument.name);
            self.diagnostics.push(Diagnostic::error("Unsupported argument", detail).at(argument.name_span.clone()));
        }
    }

    /// Reports all but the first block of each of these types.
    fn only_one(&mut self, body: &Body, kinds: &[&str], place: &str) {
        for kind in kinds {
            for extra in body.blocks_of(kind).skip(1) {
                let detail = format!("This {place} already has a {kind} block.");
                let problem = Diagnostic::error(format!("Multiple \"{kind}\" blocks"), detail);
                self.diagnostics.push(problem.at(extra.span.clone()));
            }
        }
    }

    pub(super) fn invalid(&mut self, expression: &Expression, summary: &str, detail: &str) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(expression.span()));
    }

    pub(super) fn unexpected(&mut self, block: &NestedBlock, known: &[&str]) {
        let hint = did_you_mean(&block.kind, known.iter().copied());
        let detail = format!("Blocks of type \"{}\" are not expected here.{hint}", block.kind);
        self.diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(block.span.clone()));
    }
}

/// The object of a traversal: what it refers to, and which instance.
fn object(traversal: &Traversal) -> String {
    match traversal.steps.first() {
        Some(TraversalStep::Index(key)) => format!("{}[{key}]", traversal.reference),
        _ => traversal.reference.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (TestFile, Vec<String>) {
        let mut sources = SourceMap::default();
        let source = sources.add("a.tftest.hcl", text);
        let (file, diagnostics) = read("a.tftest.hcl", source, &sources);
        (file, diagnostics.iter().map(|found| format!("{}: {}", found.summary, found.detail)).collect())
    }

    #[test]
    fn reads_runs() {
        let (file, found) = parse(
            "variables {\n  a = 1\n}\nrun \"x\" {\n  command = plan\n  expect_failures = [var.a, check.c, t_d.e[0]]\n  plan_options {\n    \
             refresh = false\n    target = [t_d.e[\"k\"]]\n  }\n  assert {\n    condition = var.a\n    error_message = \"\"\n  }\n}\nrun \
             \"y\" {\n  variables {\n    a = run.x.b\n  }\n}\n",
        );
        assert_eq!(found, Vec::<String>::new());
        let [x, y] = file.runs.as_slice() else { panic!("two runs") };
        assert_eq!((file.variables.len(), x.command, y.command), (1, RunCommand::Plan, RunCommand::Apply));
        let expected: Vec<&str> = x.expected_failures.iter().map(|(address, _)| address.as_str()).collect();
        assert_eq!(expected, ["var.a", "check.c", "t_d.e[0]"]);
        assert_eq!((x.refresh, x.targets[0].to_string().as_str(), x.assertions.len()), (false, "t_d.e[\"k\"]", 1));
    }

    #[test]
    fn says_what_it_does_not_know() {
        let (_, found) = parse(
            "run \"x\" {\n  comand = plan\n  module {}\n  override_data {\n    target = a.b\n  }\n  assert {}\n}\nrn \"y\" {}\n",
        );
        for part in
            ["Did you mean \"command\"", "\"source\" is required", "\"condition\" is required", "Did you mean \"run\""]
        {
            assert!(found.iter().any(|text| text.contains(part)), "{part}: {found:?}");
        }
    }
}
