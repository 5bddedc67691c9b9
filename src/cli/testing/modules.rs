//! Modules that runs work on in the place of the root module.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, SourceMap};
use pipectl_lang::{Configuration, ModuleFolders, load_module_as_root};

use super::file::TestFile;

/// By what the tests call them.
#[derive(Default)]
pub struct Modules(BTreeMap<String, Arc<Configuration>>);

impl Modules {
    /// Reads all that runs of the files name. Their files join `sources`, so that what is found in them can be shown.
    pub fn load(files: &[TestFile], folders: &dyn ModuleFolders, sources: &mut SourceMap) -> (Self, Diagnostics) {
        let mut modules = Self::default();
        let mut diagnostics = Diagnostics::new();
        for (source, span) in files.iter().flat_map(|file| &file.runs).filter_map(|run| run.module.as_ref()) {
            if modules.0.contains_key(source) {
                continue;
            }
            match load_module_as_root(source, folders, sources.clone()) {
                Ok((configuration, found)) => {
                    *sources = configuration.sources.clone();
                    diagnostics.extend(found);
                    modules.0.insert(source.clone(), Arc::new(configuration));
                }
                Err(why) => {
                    let detail = format!("The module `{source}` cannot be read: {why}.");
                    diagnostics.push(Diagnostic::error("Unreadable module directory", detail).at(span.clone()));
                    // Once is enough.
                    modules.0.insert(source.clone(), Arc::default());
                }
            }
        }
        (modules, diagnostics)
    }

    /// A module that was read.
    pub fn get(&self, source: &str) -> Option<&Arc<Configuration>> {
        self.0.get(source)
    }
}
