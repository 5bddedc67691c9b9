//! Reading what stands in the place of something else: `provider`, `mock_provider`, `override_resource`, `override_data` and `override_module`.
//!
//! Here they are read for their shape. What their values are is found out for each run (`given`), what they do is the business of `mock`.

use pipectl_core::{AddressKind, Diagnostic, Diagnostics, SourceId, Span, Target};
use pipectl_lang::{Argument, BlockFile, Body, Expression, NestedBlock, is_identifier, parse_blocks};

use super::file::Reader;

/// A provider configuration that a test file brings along.
#[derive(Clone)]
pub struct TestProvider {
    /// The provider's local name.
    pub name: String,
    /// Which of its configurations.
    pub alias: Option<String>,
    /// What it says.
    pub settings: Settings,
    /// Where its header stands.
    pub span: Span,
}

/// What a provider configuration of a test file says.
#[derive(Clone)]
pub enum Settings {
    /// `provider`: arguments.
    Real(Body),
    /// `mock_provider`: nobody is asked.
    Mock(MockData),
}

/// What is known of objects of a mocked provider.
#[derive(Clone, Default)]
pub struct MockData {
    /// Values for all objects of a type.
    pub defaults: Vec<MockDefaults>,
    /// Values for single objects.
    pub overrides: Vec<Override>,
    /// A folder with more of both, and whether that is for plans, too.
    pub source: Option<(String, bool)>,
}

/// `mock_resource` or `mock_data`.
#[derive(Clone)]
pub struct MockDefaults {
    /// Resource or data source.
    pub kind: AddressKind,
    /// Its type.
    pub type_name: String,
    /// What they are.
    pub values: Values,
    /// Where the type stands.
    span: Span,
}

/// `override_resource`, `override_data` or `override_module`.
#[derive(Clone)]
pub struct Override {
    /// What it stands for.
    pub target: Target,
    /// Where that is written.
    pub target_span: Span,
    /// Whether it is from a file of mock data, which may be for many configurations.
    pub is_shared: bool,
    /// What it gives.
    pub values: Values,
}

/// Values for what only a provider would know.
#[derive(Clone)]
pub struct Values {
    /// An object of attributes, or of a module's outputs.
    pub written: Option<Expression>,
    /// Whether they are known at plan. A module's are in any case.
    pub at_plan: bool,
    /// The argument's name: `defaults`, `values`, `outputs`.
    pub argument: &'static str,
    /// The block's type.
    pub block: String,
    /// Where the block's header stands.
    pub span: Span,
}

impl TestProvider {
    /// The name that a configuration has it by: `name` or `name.alias`.
    pub fn key(&self) -> String {
        key(&self.name, self.alias.as_deref())
    }
}

/// The name of a provider configuration in its module.
pub fn key(name: &str, alias: Option<&str>) -> String {
    match alias {
        Some(alias) => format!("{name}.{alias}"),
        None => name.to_owned(),
    }
}

/// Whether a block stands for an object or a module.
pub fn is_override(block: &NestedBlock) -> bool {
    matches!(block.kind.as_str(), "override_data" | "override_module" | "override_resource")
}

/// Words that begin a block of mock data.
const DATA_BLOCKS: [&str; 4] = ["mock_data", "mock_resource", "override_data", "override_resource"];

/// Reads a file of mock data, and adds what is not there yet: what a test says itself counts.
pub fn read_data(name: &str, text: &str, source: SourceId, at_plan: bool, data: &mut MockData) -> Diagnostics {
    let (body, diagnostics) = parse_blocks(BlockFile::MockData, name, text, source, &DATA_BLOCKS);
    let mut reader = Reader { diagnostics };
    reader.only_arguments(&body, &[]);
    let mut more = MockData::default();
    reader.data(&body, at_plan, &mut more);
    let is_new = |one: &MockDefaults| !data.defaults.iter().any(|known| known.is_for(one));
    let defaults: Vec<MockDefaults> = more.defaults.into_iter().filter(is_new).collect();
    let is_new = |one: &Override| !data.overrides.iter().any(|known| known.target == one.target);
    let overrides: Vec<Override> = more.overrides.into_iter().filter(is_new).collect();
    data.defaults.extend(defaults);
    data.overrides.extend(overrides.into_iter().map(|one| Override { is_shared: true, ..one }));
    reader.diagnostics
}

/// Where an argument stands, with its name.
fn whole(argument: &Argument) -> Span {
    let (name, value) = (argument.name_span.clone(), argument.value.span());
    Span { range: name.range.start..value.range.end, ..value }
}

impl MockDefaults {
    fn is_for(&self, other: &MockDefaults) -> bool {
        (self.kind, &self.type_name) == (other.kind, &other.type_name)
    }
}

impl Reader {
    pub(super) fn provider(&mut self, block: &NestedBlock, providers: &mut Vec<TestProvider>) {
        let [(name, _)] = block.labels.as_slice() else {
            let detail = format!("All {} blocks must have 1 label (name).", block.kind);
            let problem = Diagnostic::error(format!("Missing name for {}", block.kind), detail);
            return self.diagnostics.push(problem.at(block.span.clone()));
        };
        let written = block.body.argument("alias");
        let alias = written.and_then(|argument| self.text_of(argument));
        if let (Some(argument), Some(alias)) = (written, &alias)
            && !is_identifier(alias)
        {
            let detail =
                format!("An alias must be a name: letters, digits, underscores and dashes. {alias:?} is none.");
            self.invalid(&argument.value, "Invalid provider configuration alias", &detail);
        }
        let settings = if block.kind == "mock_provider" {
            self.only_arguments(&block.body, &["alias", "override_during", "source"]);
            let at_plan = self.at_plan(&block.body, false);
            let source = block.body.argument("source").and_then(|argument| self.text_of(argument));
            let mut data = MockData { source: source.map(|source| (source, at_plan)), ..MockData::default() };
            self.data(&block.body, at_plan, &mut data);
            Settings::Mock(data)
        } else {
            Settings::Real(block.body.clone())
        };
        let provider = TestProvider { name: name.clone(), alias, settings, span: block.span.clone() };
        if providers.iter().any(|known| known.key() == provider.key()) {
            let detail = format!("This file already has a provider configuration for {}.", provider.key());
            self.diagnostics.push(Diagnostic::error("Duplicate provider block", detail).at(provider.span));
            return;
        }
        providers.push(provider);
    }

    fn data(&mut self, body: &Body, at_plan: bool, data: &mut MockData) {
        for nested in body.blocks() {
            match nested.kind.as_str() {
                "mock_resource" => self.defaults(nested, AddressKind::Resource, at_plan, data),
                "mock_data" => self.defaults(nested, AddressKind::Data, at_plan, data),
                "override_resource" | "override_data" => self.overriding(nested, at_plan, &mut data.overrides),
                _ => self.unexpected(nested, &DATA_BLOCKS),
            }
        }
    }

    fn defaults(&mut self, block: &NestedBlock, kind: AddressKind, at_plan: bool, data: &mut MockData) {
        let [(type_name, span)] = block.labels.as_slice() else {
            let detail = format!("All {} blocks must have 1 label (type).", block.kind);
            let problem = Diagnostic::error(format!("Missing type for {}", block.kind), detail);
            return self.diagnostics.push(problem.at(block.span.clone()));
        };
        let values = self.values(block, "defaults", at_plan);
        self.only_arguments(&block.body, &["defaults", "override_during"]);
        let one = MockDefaults { kind, type_name: type_name.clone(), values, span: span.clone() };
        if data.defaults.iter().any(|known| known.is_for(&one)) {
            let detail = format!("There is already a {} block for {type_name}.", block.kind);
            let problem = Diagnostic::error(format!("Duplicate {} block", block.kind), detail);
            return self.diagnostics.push(problem.at(one.span));
        }
        data.defaults.push(one);
    }

    pub(super) fn overriding(&mut self, block: &NestedBlock, at_plan: bool, overrides: &mut Vec<Override>) {
        let (name, meant) = match block.kind.as_str() {
            "override_module" => ("outputs", "modules"),
            "override_data" => ("values", "data sources"),
            _ => ("values", "resources"),
        };
        let values = self.values(block, name, at_plan);
        self.only_arguments(&block.body, &["target", name, "override_during"]);
        let Some(argument) = block.body.argument("target") else {
            let detail = format!("{} blocks must specify a target address.", block.kind);
            let problem = Diagnostic::error("Missing target attribute", detail);
            return self.diagnostics.push(problem.at(block.span.clone()));
        };
        let written = argument.value.clone();
        let target = written.traversals().first().and_then(|traversal| {
            let steps: String = traversal.steps.iter().map(ToString::to_string).collect();
            format!("{}{steps}", traversal.reference).parse::<Target>().ok()
        });
        let fits = |target: &Target| match (block.kind.as_str(), target) {
            ("override_module", Target::Module(_)) => true,
            ("override_resource", Target::Object(address)) => address.kind == AddressKind::Resource,
            ("override_data", Target::Object(address)) => address.kind == AddressKind::Data,
            _ => false,
        };
        let Some(target) = target.filter(fits) else {
            let detail = format!("You can only target {meant} from {} blocks.", block.kind);
            return self.invalid(&written, "Invalid override target", &detail);
        };
        if overrides.iter().any(|known| known.target == target) {
            let detail = format!("There is already an {} block for {target}.", block.kind);
            let problem = Diagnostic::error(format!("Duplicate {} block", block.kind), detail);
            return self.diagnostics.push(problem.at(block.span.clone()));
        }
        overrides.push(Override { target, target_span: whole(argument), is_shared: false, values });
    }

    fn values(&mut self, block: &NestedBlock, argument: &'static str, at_plan: bool) -> Values {
        Values {
            written: block.body.argument(argument).map(|argument| argument.value.clone()),
            at_plan: self.at_plan(&block.body, at_plan),
            argument,
            block: block.kind.clone(),
            span: block.span.clone(),
        }
    }

    /// Whether values are known at plan: `override_during = plan`.
    fn at_plan(&mut self, body: &Body, otherwise: bool) -> bool {
        let Some(argument) = body.argument("override_during") else { return otherwise };
        match argument.value.keyword() {
            Some("plan") => true,
            Some("apply") => false,
            _ => {
                let detail = "The override_during attribute must be a value of plan or apply.";
                self.invalid(&argument.value, "Invalid override_during value", detail);
                otherwise
            }
        }
    }
}
