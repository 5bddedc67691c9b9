//! What expressions see: values by reference, and the files that functions read.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::Value;

use crate::reference::Reference;

/// Files that functions read: `file`, `templatefile`, `fileset` and others. Paths are relative to the root's folder, with `/`.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why not, as a fragment without the path: "no such file".
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Whether `path` is a regular file.
    fn exists(&self, path: &str) -> bool;

    /// Paths of regular files below `base`, relative to it, that match `pattern` (`*`, `**`, `?`, `{a,b}`), sorted.
    ///
    /// # Errors
    /// Why not, as a fragment: "the pattern is malformed".
    fn glob(&self, base: &str, pattern: &str) -> Result<Vec<String>, String>;

    /// The absolute form of a path, as `abspath` gives it.
    ///
    /// # Errors
    /// When there is no such thing, as a fragment.
    fn absolute(&self, path: &str) -> Result<String, String>;

    /// A path with a leading `~` replaced by the home folder, as `pathexpand` gives it.
    ///
    /// # Errors
    /// When the home folder is not known, as a fragment.
    fn expand(&self, path: &str) -> Result<String, String> {
        match path.starts_with('~') {
            true => Err("the home folder is not known here".to_owned()),
            false => Ok(path.to_owned()),
        }
    }
}

/// No files at all: for places where functions must not read any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("files cannot be read here".to_owned())
    }

    fn exists(&self, _path: &str) -> bool {
        false
    }

    fn glob(&self, _base: &str, _pattern: &str) -> Result<Vec<String>, String> {
        Err("files cannot be listed here".to_owned())
    }

    fn absolute(&self, _path: &str) -> Result<String, String> {
        Err("there is no working folder here".to_owned())
    }
}

/// What expressions see. Cheap to layer: an instance's `each` or `count` goes in a scope [`Scope::inside`] the shared one.
#[derive(Clone)]
pub struct Scope {
    values: BTreeMap<Reference, Value>,
    /// Names that need no reference: the variables of a template.
    names: BTreeMap<String, Value>,
    outer: Option<Arc<Scope>>,
    files: Arc<dyn Files>,
    /// Whether variables and functions may be used at all.
    constant: bool,
    /// How many `templatefile` calls this scope is inside of.
    pub(crate) template_depth: usize,
}

impl Scope {
    /// A scope with no values. `path.module` and `path.root` are "." until they are set.
    pub fn new(files: Arc<dyn Files>) -> Self {
        Self { values: BTreeMap::new(), names: BTreeMap::new(), outer: None, files, constant: false, template_depth: 0 }
    }

    /// A scope for values that must be written out: no references, no functions.
    pub fn constant() -> Self {
        Self { constant: true, ..Self::new(Arc::new(NoFiles)) }
    }

    /// A scope that sees what `outer` sees, and what is set in it.
    pub fn inside(outer: &Arc<Scope>) -> Self {
        Self {
            values: BTreeMap::new(),
            names: BTreeMap::new(),
            outer: Some(Arc::clone(outer)),
            files: Arc::clone(&outer.files),
            constant: outer.constant,
            template_depth: outer.template_depth,
        }
    }

    /// Sets what a reference means. For `each` an object with `key` and `value`, for `count` one with `index`; for a block with
    /// instances a tuple (`count`) or an object (`for_each`) of them.
    pub fn set(&mut self, reference: &Reference, value: Value) {
        self.values.insert(reference.clone(), value);
    }

    /// What a reference means, when it was set.
    pub fn get(&self, reference: &Reference) -> Option<&Value> {
        self.values.get(reference).or_else(|| self.outer.as_ref()?.get(reference))
    }

    pub(crate) fn name(&self, name: &str) -> Option<&Value> {
        self.names.get(name).or_else(|| self.outer.as_ref()?.name(name))
    }

    pub(crate) fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.constant
    }

    /// A scope that sees only `names` and files: for a template.
    pub(crate) fn for_template(&self, names: BTreeMap<String, Value>) -> Self {
        Self { names, template_depth: self.template_depth + 1, ..Self::new(Arc::clone(&self.files)) }
    }

    /// Names of what is set with a reference that `select` takes, here and outside.
    pub(crate) fn known(&self, select: &dyn Fn(&Reference) -> Option<String>) -> Vec<String> {
        let mut names: Vec<String> = self.values.keys().filter_map(select).collect();
        if let Some(outer) = &self.outer {
            names.extend(outer.known(select));
        }
        names
    }
}
