//! Instances of modules: which there are, once the `module` blocks on the way have been evaluated.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pipectl_core::{InstanceKey, Marks, ModulePath, Value};
use pipectl_lang::{Configuration, OutputBlock, Scope};

use crate::expansion::Expansion;

/// The instances of one module, in the order of the instances of the module around it, and then of keys.
#[derive(Debug)]
pub(crate) struct Instances {
    paths: Vec<ModulePath>,
    /// For each instance the instance around it.
    outer: Vec<usize>,
    /// For each instance around: which it has inside, and where those begin.
    expansions: Vec<(Expansion, usize)>,
    /// For each instance around: which inside are not made, and the outputs that they have all the same.
    replaced: BTreeMap<usize, BTreeMap<Option<InstanceKey>, Value>>,
    index: BTreeMap<ModulePath, usize>,
}

impl Instances {
    /// The root module: one instance, in nothing.
    pub(crate) fn root() -> Self {
        Self {
            paths: vec![ModulePath::ROOT],
            outer: vec![0],
            expansions: Vec::new(),
            replaced: BTreeMap::new(),
            index: [(ModulePath::ROOT, 0)].into(),
        }
    }

    /// The instances of module `name` in all instances of the module around it, whose expansions are given one for each of those. Those for
    /// which the configuration has outputs are none: nothing in them is made.
    pub(crate) fn inside(
        around: &Instances,
        name: &str,
        expansions: Vec<Expansion>,
        configuration: &Configuration,
    ) -> Self {
        let mut instances = Self {
            paths: Vec::new(),
            outer: Vec::new(),
            expansions: Vec::new(),
            replaced: BTreeMap::new(),
            index: BTreeMap::new(),
        };
        for (position, (expansion, path)) in expansions.into_iter().zip(&around.paths).enumerate() {
            let first = instances.paths.len();
            for key in expansion.keys() {
                let path = path.child(name, key.clone());
                if let Some(outputs) = configuration.outputs_in_place(&path) {
                    instances.replaced.entry(position).or_default().insert(key, outputs.clone());
                    continue;
                }
                instances.index.insert(path.clone(), instances.paths.len());
                instances.paths.push(path);
                instances.outer.push(position);
            }
            instances.expansions.push((expansion, first));
        }
        instances
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The path of an instance.
    pub(crate) fn path(&self, instance: usize) -> &ModulePath {
        &self.paths[instance]
    }

    /// All paths.
    pub(crate) fn paths(&self) -> &[ModulePath] {
        &self.paths
    }

    /// The instance with a path.
    pub(crate) fn find(&self, path: &ModulePath) -> Option<usize> {
        self.index.get(path).copied()
    }

    /// The instance around an instance.
    pub(crate) fn outer(&self, instance: usize) -> usize {
        self.outer[instance]
    }

    /// What an instance of the module around has inside.
    pub(crate) fn expansion(&self, outer: usize) -> &Expansion {
        &self.expansions[outer].0
    }

    /// Whether an instance stands for all of its block, because it is not known yet which there are.
    pub(crate) fn is_open(&self, instance: usize) -> bool {
        self.expansions.get(self.outer(instance)).is_some_and(|(expansion, _)| expansion.is_open())
    }

    /// The instances inside an instance of the module around.
    fn range(&self, outer: usize) -> Range<usize> {
        let end = self.expansions.get(outer + 1).map_or(self.len(), |(_, first)| *first);
        self.expansions[outer].1..end
    }

    /// The scope that the inputs of an instance are evaluated in: that of the block, and `each` or `count`.
    pub(crate) fn input_scope(&self, instance: usize, block: &Arc<Scope>) -> Arc<Scope> {
        let key = self.paths[instance].steps().last().and_then(|step| step.key.as_ref());
        self.expansion(self.outer(instance)).scope(block, key)
    }

    /// One value of an output for each instance around, from one for each instance: as `module.name` shows them there.
    pub(crate) fn assemble(&self, output: &OutputBlock, values: &[Value]) -> Vec<Value> {
        let each = |(outer, (expansion, _)): (usize, &(Expansion, usize))| {
            let own = values[self.range(outer)].to_vec();
            let Some(replaced) = self.replaced.get(&outer) else { return expansion.assemble(own) };
            let mut own = own.into_iter();
            let value = |key: Option<InstanceKey>| match replaced.get(&key) {
                Some(outputs) => in_place(output, outputs),
                None => own.next().expect("what is not replaced has a value"),
            };
            expansion.assemble(expansion.keys().into_iter().map(value).collect())
        };
        self.expansions.iter().enumerate().map(each).collect()
    }
}

/// The value of an output among given ones; without one it is null.
fn in_place(output: &OutputBlock, outputs: &Value) -> Value {
    let value = outputs.attribute(&output.name).cloned().unwrap_or_else(Value::null);
    if output.sensitive { value.marked(Marks::SENSITIVE) } else { value }
}
