//! What expressions see: values by reference, and the files that functions read.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::Value;

use crate::reference::Reference;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file, or a link to one.
    Regular,
    /// A folder, or a link to one.
    Folder,
    /// Something else, in words: "a device node".
    Other(&'static str),
    /// Nothing.
    Missing,
}

/// What functions read: files (`file`, `templatefile`, `fileset` and others) and secrets. Paths are relative to the root's folder, with `/`.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why not, as a fragment without the path: "permission denied".
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// What is at a path. Links are followed.
    ///
    /// # Errors
    /// When that cannot be told, as a fragment: "permission denied".
    fn kind(&self, path: &str) -> Result<FileKind, String>;

    /// The names in a folder, in any order.
    ///
    /// # Errors
    /// When it is no folder or cannot be read, as a fragment.
    fn names(&self, folder: &str) -> Result<Vec<String>, String>;

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

    /// The secret that `secret` is called for: `env:TOKEN`, `file:token.txt`. Nothing where secrets are left alone, as when a configuration
    /// is only judged.
    ///
    /// # Errors
    /// Why there is none, as a fragment: "the environment variable TOKEN is not set".
    fn secret(&self, source: &str) -> Result<Option<String>, String> {
        let _ = source;
        Err("secrets cannot be read here".to_owned())
    }
}

/// Files without secrets: every secret is known later. For judging a configuration where nobody may have to have its secrets.
pub struct WithoutSecrets(pub Arc<dyn Files>);

impl Files for WithoutSecrets {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }

    fn kind(&self, path: &str) -> Result<FileKind, String> {
        self.0.kind(path)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, String> {
        self.0.names(folder)
    }

    fn absolute(&self, path: &str) -> Result<String, String> {
        self.0.absolute(path)
    }

    fn expand(&self, path: &str) -> Result<String, String> {
        self.0.expand(path)
    }

    fn secret(&self, _source: &str) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// No files at all: for places where functions must not read any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("files cannot be read here".to_owned())
    }

    fn kind(&self, _path: &str) -> Result<FileKind, String> {
        Ok(FileKind::Missing)
    }

    fn names(&self, _folder: &str) -> Result<Vec<String>, String> {
        Err("files cannot be listed here".to_owned())
    }

    fn absolute(&self, _path: &str) -> Result<String, String> {
        Err("there is no working folder here".to_owned())
    }
}

/// What functions draw on that give another result every time: `timestamp`, `uuid`, `bcrypt`.
pub trait Ambient: Send + Sync {
    /// Seconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> i64;

    /// Fills `bytes` with randomness that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// The function that renders a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// `templatefile`
    File,
    /// `templatestring`, where functions must not read files.
    Text,
}

/// What expressions see. Cheap to layer: an instance's `each` or `count` goes in a scope [`Scope::inside`] the shared one.
#[derive(Clone)]
pub struct Scope {
    values: BTreeMap<Reference, Value>,
    /// Names that need no reference: the variables of a template.
    names: BTreeMap<String, Value>,
    outer: Option<Arc<Scope>>,
    files: Arc<dyn Files>,
    ambient: Option<Arc<dyn Ambient>>,
    /// When the plan was made, in seconds since 1970-01-01T00:00:00Z.
    plan_time: Option<i64>,
    /// Whether variables and functions may be used at all.
    constant: bool,
    /// Whether this scope is that of a template, and of which function's.
    template: Option<Template>,
}

impl Scope {
    /// A scope with no values. `path.module` and `path.root` are "." until they are set.
    pub fn new(files: Arc<dyn Files>) -> Self {
        Self {
            values: BTreeMap::new(),
            names: BTreeMap::new(),
            outer: None,
            files,
            ambient: None,
            plan_time: None,
            constant: false,
            template: None,
        }
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
            ambient: outer.ambient.clone(),
            plan_time: outer.plan_time,
            constant: outer.constant,
            template: outer.template,
        }
    }

    /// From now on `timestamp`, `uuid` and `bcrypt` give results. Without this they are known after apply, as in a plan.
    pub fn set_ambient(&mut self, ambient: Arc<dyn Ambient>) {
        self.ambient = Some(ambient);
    }

    /// What `plantimestamp` gives, in seconds since 1970-01-01T00:00:00Z. Without this it is known after apply.
    pub fn set_plan_time(&mut self, seconds: i64) {
        self.plan_time = Some(seconds);
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

    pub(crate) fn ambient(&self) -> Option<&dyn Ambient> {
        self.ambient.as_deref()
    }

    pub(crate) fn plan_time(&self) -> Option<i64> {
        self.plan_time
    }

    /// The function that renders the template that this scope is for.
    pub(crate) fn template(&self) -> Option<Template> {
        self.template
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.constant
    }

    /// A scope that sees only `names` and files: for a template.
    pub(crate) fn for_template(&self, template: Template, names: BTreeMap<String, Value>) -> Self {
        Self {
            names,
            ambient: self.ambient.clone(),
            plan_time: self.plan_time,
            template: Some(template),
            ..Self::new(Arc::clone(&self.files))
        }
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
