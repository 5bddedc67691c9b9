//! The configuration model: what the blocks of a module say, checked for shape, not yet evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use pipectl_core::{Address, InstanceKey, ModulePath, Path, SourceId, SourceMap, Span, Target, Type, Value};

use crate::body::Body;
use crate::expression::{Expression, Node, Step};
use crate::lost::Lost;
use crate::provider_configuration::{ProviderBlock, ProviderExpression, ProviderReference, RequiredProviders};
use crate::reference::Reference;

/// Everything that the files of one module declare. That of a root module has the modules below inside.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Of a root module: the files of all modules, so that every span has its text. Of others: nothing.
    pub sources: SourceMap,
    /// The files of this module.
    pub files: Vec<SourceId>,
    /// The module's folder, seen from the root module's: empty for the root module, else `modules/network`, `../shared`.
    pub folder: String,
    /// The `pipeline` block, when there is one.
    pub pipeline: Option<PipelineBlock>,
    /// `backend "kind" { ... }` of a `terraform` block: where Terraform keeps the state.
    pub terraform_backend: Option<(String, Body)>,
    /// `required_version` constraints of `pipeline` and `terraform` blocks.
    pub required_versions: Vec<(String, Span)>,
    /// `variable` blocks by name.
    pub variables: IndexMap<String, VariableBlock>,
    /// Values of all `locals` blocks by name.
    pub locals: IndexMap<String, LocalValue>,
    /// `output` blocks by name.
    pub outputs: IndexMap<String, OutputBlock>,
    /// `check` blocks by name.
    pub checks: IndexMap<String, CheckBlock>,
    /// `resource`, `data`, `ephemeral` and `stage` blocks by their address without an instance.
    pub objects: IndexMap<Address, ObjectBlock>,
    /// `module` blocks by name.
    pub modules: IndexMap<String, ModuleBlock>,
    /// `moved` blocks, in order.
    pub moved: Vec<MovedBlock>,
    /// `removed` blocks, in order.
    pub removed: Vec<RemovedBlock>,
    /// `import` blocks, in order. Only a root module has any.
    pub imports: Vec<ImportBlock>,
    /// `model` blocks by name.
    pub models: IndexMap<String, ModelBlock>,
    /// `executor` blocks by kind and name.
    pub executors: IndexMap<(String, String), ExecutorBlock>,
    /// `provider` blocks by name, or `name.alias`.
    pub providers: IndexMap<String, ProviderBlock>,
    /// Entries of `required_providers` by local name.
    pub required_providers: RequiredProviders,
    /// Local names of the providers that the module has `provider_meta` for, and where that stands.
    pub provider_meta: BTreeMap<String, Span>,
    /// Instances of modules that are not made, by their paths, with the outputs that they have all the same. Only tests have any, in the root
    /// module; a path without a key at its end means all instances.
    pub replaced_modules: Vec<(ModulePath, Value)>,
    /// What may be declared in the text that is wrong.
    pub(crate) lost: Lost,
}

/// `pipeline "name" { ... }`
#[derive(Clone, Debug)]
pub struct PipelineBlock {
    /// Its name, which names its state.
    pub name: String,
    /// Versions of pipectl that it works with.
    pub required_version: Option<String>,
    /// `backend "kind" { ... }`: where the state is kept.
    pub backend: Option<(String, Body)>,
    /// `artifact_store "kind" { ... }`: where artifacts are shared with other machines.
    pub artifact_store: Option<(String, Body)>,
    /// `encryption { ... }`: how the state is encrypted.
    pub encryption: Option<Body>,
    /// Where artifacts are kept.
    pub artifacts: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its header stands.
    pub span: Span,
}

/// `variable "name" { ... }`
#[derive(Clone, Debug)]
pub struct VariableBlock {
    /// Its name.
    pub name: String,
    /// What values it takes.
    pub ty: Type,
    /// Whether it declares a type. Without one, text from outside is a string, whatever it looks like.
    pub has_type: bool,
    /// Its value when none is given, converted to `ty`.
    pub default: Option<Value>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether null may be given; else null means the default.
    pub nullable: bool,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// Whether its value is never stored.
    pub ephemeral: bool,
    /// Conditions on its value.
    pub validations: Vec<Rule>,
    /// Where its header stands.
    pub span: Span,
}

/// A condition and what to say when it does not hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Must be true.
    pub condition: Expression,
    /// The message when it is not.
    pub error_message: Expression,
    /// Where the block's header stands.
    pub span: Span,
}

/// One value of a `locals` block.
#[derive(Clone, Debug)]
pub struct LocalValue {
    /// The value.
    pub expression: Expression,
    /// Where the name stands.
    pub span: Span,
}

/// An element of `depends_on`: a block that must be done before.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The block.
    pub reference: Reference,
    /// Where it is written.
    pub span: Span,
    /// The key of an instance, which changes nothing: all of the block is waited for.
    pub(crate) key: Option<Step>,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reference)?;
        match &self.key {
            Some(Step::Index { key, .. }) => match key.node() {
                Node::Literal(key) => match key.as_str() {
                    Some(name) => write!(f, "[{}]", InstanceKey::Name(name.to_owned())),
                    None => write!(f, "[{key}]"),
                },
                _ => Ok(()),
            },
            Some(Step::Attribute { .. } | Step::Splat { .. }) | None => Ok(()),
        }
    }
}

/// `output "name" { ... }`
#[derive(Clone, Debug)]
pub struct OutputBlock {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: Expression,
    /// What it is.
    pub description: Option<String>,
    /// Whether its value is not shown.
    pub sensitive: bool,
    /// Whether its value is not stored.
    pub ephemeral: bool,
    /// What must be done before, beyond what the value refers to.
    pub depends_on: Vec<Dependency>,
    /// What must hold before the value is stored.
    pub preconditions: Vec<Rule>,
    /// Where its header stands.
    pub span: Span,
}

/// `check "name" { ... }`: conditions that warn.
#[derive(Clone, Debug)]
pub struct CheckBlock {
    /// Its name.
    pub name: String,
    /// What should hold.
    pub assertions: Vec<Rule>,
    /// Where its header stands.
    pub span: Span,
}

/// A `resource`, `data`, `ephemeral` or `stage` block.
#[derive(Clone, Debug)]
pub struct ObjectBlock {
    /// Its address, without an instance.
    pub address: Address,
    /// Its arguments and nested blocks, without meta-arguments.
    pub body: Body,
    /// Its meta-arguments.
    pub meta: Meta,
    /// The `check` block that it stands in, whose assertions alone may refer to it.
    pub check: Option<String>,
    /// Where its header stands.
    pub span: Span,
    /// The body with those meta-arguments that the kind may have arguments of, where there are any.
    pub(crate) claimable: Option<Body>,
}

/// `module "name" { ... }`
#[derive(Clone, Debug)]
pub struct ModuleBlock {
    /// Its name.
    pub name: String,
    /// The module's folder as written, from the folder of the module that has the block.
    pub source: String,
    /// Where that is written.
    pub source_span: Span,
    /// Values for the module's variables.
    pub inputs: Body,
    /// Whether the module exists at all.
    pub enabled: Option<Expression>,
    /// How many instances, by number.
    pub count: Option<Expression>,
    /// Which instances, by name.
    pub for_each: Option<Expression>,
    /// What must be done before anything in the module.
    pub depends_on: Vec<Dependency>,
    /// Provider configurations that the module uses, by the name that it knows them by.
    pub providers: Vec<(ProviderReference, ProviderExpression)>,
    /// Where its header stands.
    pub span: Span,
    /// What the module declares; `None` where it could not be read, which has been reported.
    pub configuration: Option<Arc<Configuration>>,
    /// The inputs with `enabled`, where that was taken for the meta-argument.
    pub(crate) claimable: Option<Body>,
}

/// `moved { from, to }`: what the state has at one address is what the configuration has at another. Addresses are those of the block's module.
#[derive(Clone, Debug)]
pub struct MovedBlock {
    /// The address in the state.
    pub from: Target,
    /// The address in the configuration.
    pub to: Target,
    /// Where its header stands.
    pub span: Span,
}

/// `removed { from, lifecycle { destroy } }`: what was declared at an address is no longer, and that is meant.
#[derive(Clone, Debug)]
pub struct RemovedBlock {
    /// The block or module, without instances, as the block's module writes it.
    pub from: Target,
    /// Whether the objects are destroyed; else they are only forgotten.
    pub destroy: bool,
    /// Where its header stands.
    pub span: Span,
}

/// `import { to, id, for_each }`: an object that exists is to be the one at an address.
#[derive(Clone, Debug)]
pub struct ImportBlock {
    /// Where it is to be.
    pub to: ImportTarget,
    /// What its provider knows it by.
    pub id: Expression,
    /// Several at once, by key.
    pub for_each: Option<Expression>,
    /// The provider configuration, for a block that is still to be written; one that is there has to name the same.
    pub provider: Option<ProviderExpression>,
    /// Where its header stands.
    pub span: Span,
}

impl ImportBlock {
    /// What it refers to.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let keys = self.to.module_keys.iter().chain([&self.to.key]).flatten();
        self.for_each.iter().chain([&self.id]).chain(keys).flat_map(Expression::references).collect()
    }
}

/// The address of an import: the block that declares the object, and the keys, which may use `each`.
#[derive(Clone, Debug)]
pub struct ImportTarget {
    /// The block, without any instance.
    pub declaration: Address,
    /// For each module on the way, from the root module down, the key of its instance.
    pub module_keys: Vec<Option<Expression>>,
    /// The key of the object.
    pub key: Option<Expression>,
    /// Where it stands.
    pub span: Span,
}

impl ImportTarget {
    /// Whether a reference of the root module means the block.
    pub fn is_meant(&self, reference: &Reference) -> bool {
        matches!(reference, Reference::Object(address) if *address == self.declaration)
    }
}

/// Arguments that mean the same in every block of an object.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Whether the object exists at all: as `enabled`, or in `lifecycle` where a type has an argument of that name.
    pub enabled: Option<Expression>,
    /// How many instances, by number.
    pub count: Option<Expression>,
    /// Which instances, by name.
    pub for_each: Option<Expression>,
    /// What must be done before, beyond what arguments refer to.
    pub depends_on: Vec<Dependency>,
    /// Which provider configuration it uses.
    pub provider: Option<ProviderExpression>,
    /// How long one attempt may take.
    pub timeout: Option<Expression>,
    /// How many calls may run at once.
    pub concurrency: Option<Expression>,
    /// How failed attempts are repeated.
    pub retry: Option<Body>,
    /// How it changes.
    pub lifecycle: Lifecycle,
}

/// `lifecycle { ... }`
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Whether a replacement is made before the old object is destroyed.
    pub create_before_destroy: bool,
    /// Whether plans that destroy it are refused.
    pub prevent_destroy: Option<Expression>,
    /// What changes outside are left alone.
    pub ignore_changes: IgnoreChanges,
    /// What changes of other objects replace this one.
    pub replace_triggered_by: Vec<Trigger>,
    /// What must hold before it is planned.
    pub preconditions: Vec<Rule>,
    /// What must hold once it is known.
    pub postconditions: Vec<Rule>,
}

/// What replaces an object when it changes: objects of a block, or something inside of one.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The block.
    pub block: Address,
    /// Which of its instances, as it is written: a key, `each.key` or `count.index`.
    pub key: Option<Expression>,
    /// What of the object; empty: anything.
    pub path: Path,
    /// Where it stands.
    pub span: Span,
}

/// What changes outside are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgnoreChanges {
    /// `ignore_changes = all`
    All,
    /// `ignore_changes = [a, b.c]`, each with where it stands.
    Paths(Vec<(Path, Span)>),
}

impl Default for IgnoreChanges {
    fn default() -> Self {
        IgnoreChanges::Paths(Vec::new())
    }
}

/// `model "name" { ... }`: decoded by [`crate::decode_model`].
#[derive(Clone, Debug)]
pub struct ModelBlock {
    /// Its name.
    pub name: String,
    /// What it says.
    pub body: Body,
    /// Where its header stands.
    pub span: Span,
}

impl ModelBlock {
    /// References of the body, those to its own inputs and layers left out.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let inside = |reference: &Reference| match reference {
            Reference::Object(address) => MODEL_ROOTS.contains(&address.type_name.as_str()),
            _ => false,
        };
        self.body.references().into_iter().filter(|(reference, _)| !inside(reference)).collect()
    }
}

/// Roots of references that a `model` block defines for itself.
pub(crate) const MODEL_ROOTS: [&str; 2] = ["input", "layer"];

/// `executor "kind" "name" { ... }`
#[derive(Clone, Debug)]
pub struct ExecutorBlock {
    /// `local`, `kubernetes`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its arguments, without `enabled`.
    pub body: Body,
    /// Whether it exists at all.
    pub enabled: Option<Expression>,
    /// Where its header stands.
    pub span: Span,
}

impl VariableBlock {
    /// The type that it declares, if any: how text from outside is read.
    pub fn declared_type(&self) -> Option<&Type> {
        self.has_type.then_some(&self.ty)
    }
}

impl Configuration {
    /// The outputs of an instance of a module that is not made: those given for it alone before those given for several.
    pub fn outputs_in_place(&self, path: &ModulePath) -> Option<&Value> {
        let exact = self.replaced_modules.iter().find(|(replaced, _)| replaced == path);
        let is_one = |replaced: &ModulePath| replaced.steps().len() == path.steps().len() && replaced.contains(path);
        exact
            .or_else(|| self.replaced_modules.iter().find(|(replaced, _)| is_one(replaced)))
            .map(|(_, outputs)| outputs)
    }

    /// The configuration of the module at a path, of which instances do not matter.
    pub fn module(&self, path: &ModulePath) -> Option<&Configuration> {
        path.steps().iter().try_fold(self, |inside, step| inside.modules.get(&step.name)?.configuration.as_deref())
    }

    /// The `module` block that makes the module at a path.
    pub fn module_block(&self, path: &ModulePath) -> Option<&ModuleBlock> {
        let (outer, last) = path.parent()?;
        self.module(&outer)?.modules.get(&last.name)
    }

    /// The block of an object, wherever its module is and whichever instance is meant.
    pub fn object(&self, address: &Address) -> Option<&ObjectBlock> {
        self.module(&address.module)?.objects.get(&*address.block_in_its_module())
    }

    /// Calls `visit` for this module and every module below, with the path from here: as often as there are `module` blocks that lead there.
    pub fn visit_modules<'a>(&'a self, visit: &mut impl FnMut(&ModulePath, &'a Configuration)) {
        self.visit_below(&ModulePath::ROOT, visit);
    }

    fn visit_below<'a>(&'a self, path: &ModulePath, visit: &mut impl FnMut(&ModulePath, &'a Configuration)) {
        visit(path, self);
        for block in self.modules.values() {
            if let Some(inside) = &block.configuration {
                inside.visit_below(&path.child(&block.name, None), visit);
            }
        }
    }

    /// This module and all below, each once, however many `module` blocks lead there.
    pub fn distinct_modules(&self) -> Vec<&Configuration> {
        let mut found: Vec<&Configuration> = vec![self];
        let mut seen: BTreeSet<&str> = [self.folder.as_str()].into();
        let mut next = 0;
        while let Some(module) = found.get(next).copied() {
            next += 1;
            for inside in module.modules.values().filter_map(|block| block.configuration.as_deref()) {
                // A folder is read once: its name tells modules apart.
                if seen.insert(&inside.folder) {
                    found.push(inside);
                }
            }
        }
        found
    }

    /// References of everything inside, modules below left out: for finding what is used. Model blocks leave out their own inputs and layers.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let mut found = Vec::new();
        crate::check_references::visit(self, &mut |_, reference, span, _| {
            if let Ok(reference) = reference {
                found.push((reference, span));
            }
        });
        found
    }
}

impl Dependency {
    /// What is waited for, and where that is written.
    pub fn located(&self) -> (Reference, Span) {
        (self.reference.clone(), self.span.clone())
    }
}

impl ModuleBlock {
    /// References of what decides the instances and their providers, and of `depends_on`: the inputs are evaluated one by one.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let expressions = [&self.enabled, &self.count, &self.for_each].into_iter().flatten();
        let mut found: Vec<(Reference, Span)> = expressions.flat_map(Expression::references).collect();
        found.extend(self.providers.iter().flat_map(|(_, passed)| passed.references()));
        found.extend(self.depends_on.iter().map(Dependency::located));
        found
    }
}

impl Rule {
    /// References of the condition and of the message.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let mut found = self.condition.references();
        found.extend(self.error_message.references());
        found
    }
}

impl Meta {
    /// All references of the meta-arguments, `depends_on` and conditions included.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let mut found = Vec::new();
        let arguments = [
            &self.enabled,
            &self.count,
            &self.for_each,
            &self.timeout,
            &self.concurrency,
            &self.lifecycle.prevent_destroy,
        ];
        for expression in arguments.into_iter().flatten() {
            found.extend(expression.references());
        }
        if let Some(retry) = &self.retry {
            found.extend(retry.references());
        }
        found.extend(self.provider.iter().flat_map(ProviderExpression::references));
        found.extend(self.depends_on.iter().map(Dependency::located));
        let triggers = &self.lifecycle.replace_triggered_by;
        found.extend(triggers.iter().map(|trigger| (Reference::Object(trigger.block.clone()), trigger.span.clone())));
        for rule in self.lifecycle.preconditions.iter().chain(&self.lifecycle.postconditions) {
            found.extend(rule.references());
        }
        found
    }
}
