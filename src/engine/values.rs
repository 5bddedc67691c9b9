//! Values of the graph's nodes, one for each instance of their module, and the scopes that expressions are evaluated in: each sees exactly what
//! it refers to.

use std::sync::{Arc, OnceLock};

use petgraph::graph::NodeIndex;
use pipectl_core::{Marks, ModulePath, Value};
use pipectl_lang::{Ambient, Reference, Scope};
use pipectl_provider::Environment;

use crate::expansion::Expansion;
use crate::graph::{Graph, ModuleId, Node};
use crate::instances::Instances;
use crate::{Cause, Engine};

/// The clock and the dice of an apply.
struct Outside(Arc<dyn Environment>);

/// The time of an environment, in seconds since 1970-01-01T00:00:00Z.
pub(crate) fn seconds(environment: &dyn Environment) -> i64 {
    let since = environment.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Ambient for Outside {
    fn now(&self) -> i64 {
        seconds(&*self.0)
    }

    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has a source of randomness");
    }
}

/// Whether the run applies: ephemeral, since it is not the same when a plan is applied.
fn applying() -> Reference {
    Reference::Terraform("applying".to_owned())
}

/// The values of all nodes of a graph, and the instances of all its modules, each set once.
///
/// A node has one value for each instance of its module. The outputs of a module, and the module itself, are there for the module around it:
/// they have one value for each instance of that.
pub(crate) struct Values {
    columns: Vec<OnceLock<Vec<Value>>>,
    instances: Vec<OnceLock<Instances>>,
    /// By module: what every expression in it sees.
    bases: Vec<Arc<Scope>>,
}

impl Values {
    /// No values yet, and of the root module its one instance. `plan_time` is when the plan was made, where there is one.
    pub(crate) fn new(engine: &Engine, graph: &Graph, plan_time: Option<i64>) -> Self {
        let started_in = engine.folders.started_in.to_string_lossy();
        let root = match graph.module(ModuleId::ROOT).folder.as_str() {
            "" => ".",
            folder => folder,
        };
        let base = |folder: &str| {
            let mut base = Scope::new(Arc::clone(&engine.files));
            base.set(&Reference::Terraform("workspace".to_owned()), Value::from(engine.workspace.as_str()));
            base.set(&applying(), Value::from(false).marked(Marks::EPHEMERAL));
            let folder = if folder.is_empty() { "." } else { folder };
            for (name, folder) in [("module", folder), ("root", root), ("cwd", &started_in)] {
                base.set(&Reference::Path(name.to_owned()), Value::from(folder));
            }
            if let Some(plan_time) = plan_time {
                base.set_plan_time(plan_time);
            }
            Arc::new(base)
        };
        let mut columns = Vec::new();
        columns.resize_with(graph.len(), OnceLock::new);
        let instances: Vec<OnceLock<Instances>> = graph.modules().map(|_| OnceLock::new()).collect();
        let values =
            Self { columns, instances, bases: graph.modules().map(|(_, module)| base(&module.folder)).collect() };
        values.set_instances(ModuleId::ROOT, Instances::root());
        values
    }

    /// The same where `timestamp`, `uuid` and `bcrypt` give results, which a plan leaves open, and `terraform.applying` is true.
    pub(crate) fn drawn(self, engine: &Engine) -> Self {
        let outside: Arc<dyn Ambient> = Arc::new(Outside(Arc::clone(&engine.environment)));
        let with_outside = |base: Arc<Scope>| {
            let mut base = (*base).clone();
            base.set_ambient(Arc::clone(&outside));
            base.set(&applying(), Value::from(true).marked(Marks::EPHEMERAL));
            Arc::new(base)
        };
        Self { bases: self.bases.into_iter().map(with_outside).collect(), ..self }
    }

    /// Sets the instances of a module; a second time changes nothing.
    pub(crate) fn set_instances(&self, module: ModuleId, instances: Instances) {
        let _ = self.instances[module.index()].set(instances);
    }

    /// The instances of a module, once set.
    pub(crate) fn instances(&self, module: ModuleId) -> Option<&Instances> {
        self.instances[module.index()].get()
    }

    /// Why there is no such instance of a module; `None` when there is, or when that is not known.
    pub(crate) fn why_no_module(&self, graph: &Graph, path: &ModulePath) -> Option<Cause> {
        let (outer, step) = path.parent()?;
        if let Some(why) = self.why_no_module(graph, &outer) {
            return Some(why);
        }
        let around = self.instances(graph.find_module(&outer)?)?.find(&outer)?;
        let instances = self.instances(graph.find_module(path)?)?;
        // Where it is not known which instances there are, that is decided while the plan is applied.
        let is_gone = instances.find(path).is_none() && !instances.expansion(around).is_open();
        let why = || Box::new(instances.expansion(around).why_not(step.key.as_ref()));
        is_gone.then(|| Cause::NoModule { module: path.clone(), why: why() })
    }

    /// Sets the values of a node; a second time changes nothing.
    pub(crate) fn set(&self, node: NodeIndex, values: Vec<Value>) {
        let _ = self.columns[node.index()].set(values);
    }

    /// Sets one value for all instances of a module.
    pub(crate) fn set_everywhere(&self, node: NodeIndex, instances: usize, value: &Value) {
        self.set(node, vec![value.clone(); instances]);
    }

    /// The value of a node in an instance, once set.
    pub(crate) fn get(&self, node: NodeIndex, instance: usize) -> Option<&Value> {
        self.columns[node.index()].get()?.get(instance)
    }

    /// A scope with nothing but what every expression of a module sees.
    pub(crate) fn empty_scope(&self, module: ModuleId) -> Scope {
        Scope::inside(&self.bases[module.index()])
    }

    /// A scope with the values of everything that a node needs, in an instance of its module.
    pub(crate) fn scope(&self, graph: &Graph, node: NodeIndex, instance: usize) -> Scope {
        self.scope_in(graph, node, graph.module_of(node), instance)
    }

    /// What a node needs as an instance of `module` sees it: of its own module, or, for inputs, of the one around.
    pub(crate) fn scope_in(&self, graph: &Graph, node: NodeIndex, module: ModuleId, instance: usize) -> Scope {
        let mut scope = self.empty_scope(module);
        for need in graph.needs(node) {
            self.bind_node(graph, module, instance, need, &mut scope);
        }
        scope
    }

    /// Sets what a reference in an instance of a module means, if it means a node that has a value.
    pub(crate) fn bind(
        &self,
        graph: &Graph,
        module: ModuleId,
        instance: usize,
        reference: &Reference,
        scope: &mut Scope,
    ) {
        if let Some(node) = graph.resolve(module, reference) {
            self.bind_node(graph, module, instance, node, scope);
        }
    }

    fn bind_node(&self, graph: &Graph, module: ModuleId, instance: usize, need: NodeIndex, scope: &mut Scope) {
        let Some(value) = self.get(need, instance) else { return };
        let of = graph.module_of(need);
        let inside = graph.module(of);
        match (graph.node(need), &inside.parent) {
            (Node::Output(output), Some((around, call))) if *around == module => {
                let is_disabled =
                    self.instances(of).is_some_and(|instances| *instances.expansion(instance) == Expansion::Disabled);
                let reference = match is_disabled {
                    // It is null as a whole: what it would put out is no attribute of that.
                    true => Reference::Module(call.clone()),
                    false => Reference::ModuleOutput {
                        module: call.clone(),
                        output: output.clone(),
                        of_instances: inside.has_keys,
                    },
                };
                scope.set(&reference, value.clone());
            }
            (need, _) if of == module => {
                if let Some(reference) = need.reference() {
                    scope.set(&reference, value.clone());
                }
            }
            _ => {}
        }
    }
}
