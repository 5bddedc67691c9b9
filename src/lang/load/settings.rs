//! `pipeline` and `terraform` blocks.

use pipectl_core::{Diagnostic, Diagnostics};

use crate::body::{Body, NestedBlock};
use crate::configuration::{Configuration, PipelineBlock};
use crate::expression::Expression;
use crate::load::reader::Reader;
use crate::load::{Loader, SourceFile};
use crate::syntax;

/// The only edition of Terraform's language until now.
const EDITION: &str = "TF2021";

impl Loader {
    pub(super) fn pipeline(&mut self, block: &NestedBlock) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let required_version = reader.text("required_version");
        let artifacts = reader.text("artifacts");
        let description = reader.text("description");
        let backend = reader.labelled_block("backend").map(|(kind, backend)| (kind, backend.body.clone()));
        let artifact_store = reader.labelled_block("artifact_store").map(|(kind, store)| (kind, store.body.clone()));
        let encryption = reader.block("encryption").map(|encryption| encryption.body.clone());
        reader.finish();
        if !self.is_root {
            let detail =
                "A pipeline block belongs to a root module: it names the state, and a module has none of its own.";
            return self.report(Diagnostic::error("Pipeline block in a module", detail).at(block.span.clone()));
        }
        let Some([name]) = labels else { return };
        if let Some(first) = &self.configuration.pipeline {
            let (file, line) = self.place(&first.span);
            let detail =
                format!("A root has at most one pipeline block, and one was already declared at {file}:{line}.");
            return self.report(Diagnostic::error("Duplicate pipeline block", detail).at(block.span.clone()));
        }
        let span = block.span.clone();
        self.required_version(required_version.clone(), block);
        self.configuration.pipeline = Some(PipelineBlock {
            name,
            required_version,
            backend,
            artifact_store,
            encryption,
            artifacts,
            description,
            span,
        });
    }

    pub(super) fn terraform(&mut self, block: &NestedBlock) {
        if self.labels(block, []).is_none() {
            return;
        }
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let required_version = reader.text("required_version");
        reader.blocks("required_providers");
        reader.labelled_blocks("provider_meta");
        let language = reader.expression("language");
        let backend = reader.labelled_block("backend").map(|(kind, backend)| (kind, backend.body.clone()));
        let cloud = reader.block("cloud").map(|cloud| ("cloud".to_owned(), cloud.body.clone()));
        let backend = backend.or(cloud);
        reader.finish();
        if let Some(problem) = language.as_ref().and_then(wrong_language) {
            self.report(problem);
        }
        // Of several, Terraform takes one too.
        self.configuration.terraform_backend = self.configuration.terraform_backend.take().or(backend);
        for required in block.body.blocks_of("required_providers") {
            self.required_providers(required);
        }
        for metadata in block.body.blocks_of("provider_meta") {
            self.provider_meta(metadata);
        }
        self.required_version(required_version, block);
    }

    /// What a provider is told of the module. Whether it wants to know any of it is the engine's to say.
    fn provider_meta(&mut self, block: &NestedBlock) {
        let Some([provider]) = self.labels(block, ["provider"]) else { return };
        if let Some(first) = self.configuration.provider_meta.get(&provider) {
            let (file, line) = self.place(first);
            let detail = format!(
                "A provider_meta block for {provider:?} was already declared at {file}:{line}. There can be one for each provider in a module."
            );
            return self.report(Diagnostic::error("Duplicate provider_meta block", detail).at(block.span.clone()));
        }
        self.configuration.provider_meta.insert(provider, block.span.clone());
    }

    fn required_version(&mut self, version: Option<String>, block: &NestedBlock) {
        let span = block.body.argument("required_version").map(|argument| argument.value.span());
        if let (Some(version), Some(span)) = (version, span) {
            self.configuration.required_versions.push((version, span));
        }
    }
}

impl Configuration {
    /// The `backend` block that says where the state lies: a pipeline's own, or else that of Terraform's settings. Its kind, and what it says.
    pub fn backend(&self) -> Option<(&str, &Body)> {
        let of_pipeline = self.pipeline.as_ref().and_then(|block| block.backend.as_ref());
        of_pipeline.or(self.terraform_backend.as_ref()).map(|(kind, body)| (kind.as_str(), body))
    }

    /// Adds the arguments of a file, which holds one `backend` block, to that which says where the state lies. They count before its own. The file
    /// joins the sources. What is wrong with the file is returned; where there is no block to complete, nothing is.
    pub fn complete_backend(&mut self, file: &SourceFile) -> Diagnostics {
        if self.backend().is_none() {
            return Diagnostics::new();
        }
        let source = self.sources.add(file.name.as_str(), file.text.as_str());
        let (given, mut problems) = syntax::parse_file(&file.text, source, &[]);
        let of_pipeline = self.pipeline.as_mut().and_then(|block| block.backend.as_mut());
        let Some((kind, body)) = of_pipeline.or(self.terraform_backend.as_mut()) else { return problems };
        let blocks: Vec<&NestedBlock> = given.blocks().collect();
        match blocks.as_slice() {
            _ if problems.has_errors() => {}
            [block] if block.kind == "backend" && block.labels.len() == 1 && given.arguments().next().is_none() => {
                let (of_file, span) = &block.labels[0];
                if of_file == kind {
                    *body = body.overridden_by(&block.body);
                } else {
                    let detail = format!(
                        "The file completes a backend {of_file:?}, and the configuration has a backend {kind:?}."
                    );
                    problems.push(Diagnostic::error("Backend of another kind", detail).at(span.clone()));
                }
            }
            _ => {
                let detail = format!("`{}` holds something else than one `backend` block.", file.name);
                problems.push(Diagnostic::error("Settings of the backend not readable", detail));
            }
        }
        problems
    }
}

/// An error where another edition of the language is asked for than the one that there is.
fn wrong_language(written: &Expression) -> Option<Diagnostic> {
    let (summary, detail) = match written.keyword() {
        Some(EDITION) => return None,
        Some(name) => {
            ("Unsupported language edition", format!("There is no edition {name} of the language, only {EDITION}."))
        }
        None => {
            ("Invalid language edition", format!("The edition of the language is written without quotes: {EDITION}."))
        }
    };
    Some(Diagnostic::error(summary, detail).at(written.span()))
}
