//! From files to a configuration: every block is read for its shape; every mistake of every file is reported.

mod modules;
mod objects;
mod overrides;
mod providers;
mod reader;
mod refactoring;
mod settings;
mod tree;
mod values;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Diagnostics, SourceMap, Span};

use crate::body::{Body, NestedBlock};
use crate::configuration::Configuration;
use crate::json_syntax;
use crate::syntax;

pub use modules::passed_providers;
pub use tree::{ModuleFolders, NoModules, load, load_module_as_root, load_with_modules};

/// A file of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name that people know it by: relative to where they stand.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Block types of Terraform that we read.
const TERRAFORM_BLOCKS: [&str; 13] = [
    "check",
    "data",
    "ephemeral",
    "import",
    "locals",
    "module",
    "moved",
    "output",
    "provider",
    "removed",
    "resource",
    "terraform",
    "variable",
];
/// Block types of pipectl, which do not exist in `*.tf` files.
const OWN_BLOCKS: [&str; 4] = ["executor", "model", "pipeline", "stage"];

/// The types of the blocks at the top of our files.
pub fn block_types() -> impl Iterator<Item = &'static str> {
    TERRAFORM_BLOCKS.into_iter().chain(OWN_BLOCKS)
}

/// Whether there are blocks of a type at the top of our files.
pub fn is_block_type(kind: &str) -> bool {
    block_types().any(|known| known == kind)
}

/// Reads the files of one module in `folder`, without the modules below. They are added to `sources`.
fn load_files(
    files: Vec<SourceFile>,
    folder: &str,
    is_root: bool,
    sources: &mut SourceMap,
) -> (Configuration, Diagnostics) {
    let block_types: Vec<&str> = block_types().collect();
    let mut loader = Loader { is_root, ..Loader::default() };
    loader.configuration.folder = folder.to_owned();
    loader.configuration.sources = std::mem::take(sources);
    let mut parsed: Vec<ParsedFile> = Vec::new();
    for file in files {
        let source = loader.configuration.sources.add(file.name.clone(), file.text.as_str());
        loader.configuration.files.push(source);
        let (body, diagnostics) = match json_syntax::is_json(&file.name) {
            true => json_syntax::parse_file(&file.text, source),
            false => syntax::parse_file(&file.text, source, &block_types),
        };
        let blocks = body.blocks().cloned().collect();
        parsed.push(ParsedFile { name: file.name, body, blocks, diagnostics });
    }
    overrides::merge(&mut parsed);
    for ParsedFile { name, body, blocks, diagnostics } in parsed {
        let before = loader.diagnostics.error_count();
        loader.diagnostics.extend(diagnostics);
        for argument in body.arguments() {
            let hint = match block_types.contains(&argument.name.as_str()) {
                true => format!(" Did you mean to define a block of type {:?}?", argument.name),
                false => did_you_mean(&argument.name, block_types.iter().copied()),
            };
            let detail =
                format!("An argument named {:?} is not expected here: a file holds blocks only.{hint}", argument.name);
            loader.report(Diagnostic::error("Unsupported argument", detail).at(argument.name_span.clone()));
        }
        for block in &blocks {
            loader.block(block, name.ends_with(".tf") || json_syntax::is_json(&name));
        }
        if loader.diagnostics.error_count() > before {
            loader.look_for_what_is_lost(&name, &body);
        }
    }
    *sources = std::mem::take(&mut loader.configuration.sources);
    (loader.configuration, loader.diagnostics)
}

/// A file whose blocks are known and not yet read.
struct ParsedFile {
    name: String,
    body: Body,
    /// Its blocks as override files leave them.
    blocks: Vec<NestedBlock>,
    diagnostics: Diagnostics,
}

/// A configuration in the making.
#[derive(Default)]
struct Loader {
    configuration: Configuration,
    diagnostics: Diagnostics,
    /// Whether the files are those of a root module.
    is_root: bool,
}

impl Loader {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Looks in a file with mistakes for what it would declare.
    fn look_for_what_is_lost(&mut self, name: &str, body: &Body) {
        let Configuration { lost, sources, .. } = &mut self.configuration;
        match json_syntax::is_json(name) {
            true if body.blocks().next().is_none() => lost.take_anything(),
            true => lost.take_blocks(body.blocks()),
            false => lost.take(sources.get(body.span().source).map_or("", |source| &source.text)),
        }
    }

    fn block(&mut self, block: &NestedBlock, terraform_file: bool) {
        let kind = block.kind.as_str();
        if terraform_file && OWN_BLOCKS.contains(&kind) {
            let detail =
                format!("Blocks of type {kind:?} do not exist in files whose name ends in .tf: those are Terraform's.");
            let diagnostic = Diagnostic::error("Unsupported block type", detail).at(block.span.clone());
            return self.report(diagnostic.hint("Name the file .hcl to use the blocks of pipectl in it."));
        }
        match kind {
            "check" => self.check(block, terraform_file),
            "data" | "ephemeral" | "resource" | "stage" => self.object(block, terraform_file, None),
            "executor" => self.executor(block),
            "import" => self.import(block),
            "locals" => self.locals(block),
            "model" => self.model(block),
            "module" => self.module(block, terraform_file),
            "moved" => self.moved(block),
            "output" => self.output(block),
            "pipeline" => self.pipeline(block),
            "provider" => self.provider(block),
            "removed" => self.removed(block),
            "terraform" => self.terraform(block),
            "variable" => self.variable(block),
            _ => {
                let hint = did_you_mean(kind, block_types());
                let detail = format!("Blocks of type {kind:?} are not expected here.{hint}");
                self.report(Diagnostic::error("Unsupported block type", detail).at(block.span.clone()));
            }
        }
    }

    /// The labels of a block, one for each of `names`; reports when there are more or fewer, or when one cannot be a name.
    fn labels<const N: usize>(&mut self, block: &NestedBlock, names: [&str; N]) -> Option<[String; N]> {
        let kind = &block.kind;
        if let Some((_, span)) = block.labels.get(N) {
            let detail = match names.len() {
                0 => format!("No labels are expected for {kind} blocks."),
                count => format!("Only {count} labels ({}) are expected for {kind} blocks.", names.join(", ")),
            };
            self.report(Diagnostic::error(format!("Extraneous label for {kind}"), detail).at(span.clone()));
            return None;
        }
        if let Some(missing) = names.get(block.labels.len()) {
            let detail = format!("All {kind} blocks must have {N} labels ({}).", names.join(", "));
            self.report(Diagnostic::error(format!("Missing {missing} for {kind}"), detail).at(block.span.clone()));
            return None;
        }
        let mut valid = true;
        for ((label, span), name) in block.labels.iter().zip(names) {
            if !crate::scan::is_identifier(label) {
                let detail = "A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.";
                self.report(Diagnostic::error(format!("Invalid {kind} {name}"), detail).at(span.clone()));
                valid = false;
            }
        }
        let labels: Vec<String> = block.labels.iter().map(|(label, _)| label.clone()).collect();
        valid.then(|| labels.try_into().ok()).flatten()
    }

    /// Reports a declaration whose name is taken. `first` is where it was taken.
    fn duplicate(&mut self, what: &str, name: &str, first: &Span, again: &Span) {
        let (file, line) = self.place(first);
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
        let detail = format!(
            "{article} {what} named {name:?} was already declared at {file}:{line}. Names must be unique among all {what}s of a module."
        );
        self.report(Diagnostic::error(format!("Duplicate {what}"), detail).at(again.clone()));
    }

    fn place(&self, span: &Span) -> (String, usize) {
        let sources = &self.configuration.sources;
        let file = sources.get(span.source).map(|source| source.name.clone()).unwrap_or_default();
        (file, sources.line_column(span).map_or(0, |(line, _)| line))
    }
}
