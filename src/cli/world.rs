//! What expressions outside of a plan see: variables, locals, models, and objects as the state or a plan has them.
//!
//! `console` and `test` evaluate here. Values are computed when they are asked for and kept, so that one expression over a large
//! configuration costs what it refers to. Planning and applying never come here: they follow the engine's graph.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{Address, AddressKind, Diagnostic, Diagnostics, InstanceKey, Span, Type, Value};
use pipectl_lang::{Ambient, Configuration, Expression, Files, Reference, Scope, decode, decode_model, evaluate};
use pipectl_provider::Registry;
use pipectl_state::State;

use crate::view::state::attributes;

/// Values by what refers to them.
pub struct World<'a> {
    configuration: &'a Configuration,
    registry: &'a Registry,
    variables: BTreeMap<String, Value>,
    /// Instances by block.
    objects: BTreeMap<Address, BTreeMap<Option<InstanceKey>, Value>>,
    /// Outputs: only tests refer to them.
    outputs: BTreeMap<String, Value>,
    /// What has no place in a configuration: earlier runs of a test.
    others: BTreeMap<Reference, Value>,
    base: Arc<Scope>,
    known: RefCell<BTreeMap<Reference, Known>>,
}

#[derive(Clone)]
enum Known {
    /// It is being computed: whoever asks again is part of a cycle.
    Pending,
    Value(Value),
    /// Nothing is declared under this name.
    Undeclared,
    /// It cannot be evaluated; that has been told.
    Failed,
}

impl<'a> World<'a> {
    /// A world without objects.
    pub fn new(
        configuration: &'a Configuration,
        registry: &'a Registry,
        variables: BTreeMap<String, Value>,
        files: Arc<dyn Files>,
        folder: &std::path::Path,
        workspace: &str,
    ) -> Self {
        let mut base = Scope::new(files);
        base.set(&Reference::Terraform("workspace".to_owned()), Value::from(workspace));
        base.set(&Reference::Path("module".to_owned()), Value::from("."));
        base.set(&Reference::Path("root".to_owned()), Value::from("."));
        base.set(&Reference::Path("cwd".to_owned()), Value::from(folder.to_string_lossy().into_owned()));
        Self {
            configuration,
            registry,
            variables,
            objects: BTreeMap::new(),
            outputs: BTreeMap::new(),
            others: BTreeMap::new(),
            base: Arc::new(base),
            known: RefCell::default(),
        }
    }

    /// The same with a clock and randomness: where nothing is planned, functions that use them have values.
    #[must_use]
    pub fn with_ambient(mut self, ambient: Arc<dyn Ambient>) -> Self {
        Arc::make_mut(&mut self.base).set_ambient(ambient);
        self
    }

    /// The same with the objects of a state.
    #[must_use]
    pub fn with_state(mut self, state: &State) -> Self {
        for (address, deposed, object) in state.objects() {
            if deposed.is_none() {
                self.set_object(address, attributes(self.registry, address, object));
            }
        }
        self
    }

    /// Sets an instance of an object.
    pub fn set_object(&mut self, address: &Address, value: Value) {
        self.objects.entry(address.block()).or_default().insert(address.key.clone(), value);
    }

    /// Takes an instance of an object away.
    pub fn remove_object(&mut self, address: &Address) {
        if let Some(instances) = self.objects.get_mut(&address.block()) {
            instances.remove(&address.key);
        }
    }

    /// All outputs as one object.
    pub fn all_outputs(&self) -> Value {
        Value::object(self.outputs.iter().map(|(name, value)| (name.clone(), value.clone())))
    }

    /// Sets an output.
    pub fn set_output(&mut self, name: &str, value: Value) {
        self.outputs.insert(name.to_owned(), value);
    }

    /// Sets what a reference means that no block declares.
    pub fn set_other(&mut self, reference: Reference, value: Value) {
        self.others.insert(reference, value);
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// What is wrong with it, or with what it refers to.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        evaluate(expression, &self.scope(expression.references())?)
    }

    /// A scope that knows these references.
    ///
    /// # Errors
    /// When something that is referred to cannot be evaluated.
    pub fn scope(&self, references: Vec<(Reference, Span)>) -> Result<Scope, Diagnostics> {
        let mut scope = Scope::inside(&self.base);
        self.offer_names(&mut scope, &references);
        let mut diagnostics = Diagnostics::new();
        for (reference, span) in references {
            match self.value(&reference) {
                Ok(Some(value)) => scope.set(&reference, value),
                Ok(None) => {}
                Err(problems) if problems.is_empty() => {
                    let detail = format!("{reference} refers to itself, in one or more steps.");
                    diagnostics.push(Diagnostic::error("Cycle", detail).at(span));
                }
                Err(problems) => diagnostics.extend(problems),
            }
        }
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(scope) }
    }

    /// Where a name is not declared, others of its sort are: for "did you mean".
    fn offer_names(&self, scope: &mut Scope, references: &[(Reference, Span)]) {
        let configuration = self.configuration;
        for (reference, _) in references {
            match reference {
                Reference::Variable(name) if !configuration.variables.contains_key(name) => {
                    for name in configuration.variables.keys() {
                        scope.set(&Reference::Variable(name.clone()), Value::unknown(Type::Any));
                    }
                }
                Reference::Local(name) if !configuration.locals.contains_key(name) => {
                    for name in configuration.locals.keys() {
                        scope.set(&Reference::Local(name.clone()), Value::unknown(Type::Any));
                    }
                }
                Reference::Object(address) if !configuration.objects.contains_key(&address.block()) => {
                    for address in configuration.objects.keys() {
                        scope.set(&Reference::Object(address.clone()), Value::unknown(Type::Any));
                    }
                }
                _ => {}
            }
        }
    }

    /// The value of a reference; `None` where nothing is declared. An empty error is a cycle.
    fn value(&self, reference: &Reference) -> Result<Option<Value>, Diagnostics> {
        let known = self.known.borrow().get(reference).cloned();
        match known {
            Some(Known::Value(value)) => return Ok(Some(value)),
            Some(Known::Undeclared) => return Ok(None),
            // It was told when it failed.
            Some(Known::Failed) => return Ok(Some(Value::unknown(Type::Any))),
            Some(Known::Pending) => return Err(Diagnostics::new()),
            None => {}
        }
        self.known.borrow_mut().insert(reference.clone(), Known::Pending);
        let computed = self.compute(reference);
        let known = match &computed {
            Ok(Some(value)) => Known::Value(value.clone()),
            Ok(None) => Known::Undeclared,
            Err(_) => Known::Failed,
        };
        self.known.borrow_mut().insert(reference.clone(), known);
        computed
    }

    fn compute(&self, reference: &Reference) -> Result<Option<Value>, Diagnostics> {
        if let Some(value) = self.others.get(reference) {
            return Ok(Some(value.clone()));
        }
        match reference {
            Reference::Variable(name) => Ok(self.variables.get(name).cloned()),
            Reference::Local(name) => {
                let Some(local) = self.configuration.locals.get(name) else { return Ok(None) };
                self.evaluate(&local.expression).map(Some)
            }
            Reference::Model(name) => {
                let (Some(block), Some(kind)) = (self.configuration.models.get(name), &self.registry.model) else {
                    return Ok(None);
                };
                let scope = self.scope(block.references())?;
                let (value, diagnostics) = decode_model(block, &kind.schema, &scope);
                let (value, _) = diagnostics.result(value)?;
                let (value, diagnostics) = (kind.finish)(value);
                let (value, _) = located(diagnostics, &block.span).result(value)?;
                Ok(Some(value))
            }
            Reference::Executor { kind: kind_name, name } => {
                let block = self.configuration.executors.get(&(kind_name.clone(), name.clone()));
                let (Some(block), Some(kind)) = (block, self.registry.executors.get(kind_name)) else {
                    return Ok(None);
                };
                let scope = self.scope(block.body.references())?;
                let (value, diagnostics) = decode(&block.body, &kind.schema, &scope);
                let (value, _) = diagnostics.result(value)?;
                let value = value
                    .with_attribute("kind", Value::from(kind_name.as_str()))
                    .with_attribute("name", Value::from(name.as_str()));
                let (value, diagnostics) = (kind.finish)(value);
                let (value, _) = located(diagnostics, &block.span).result(value)?;
                Ok(Some(value))
            }
            Reference::Object(address) if self.is_output(address) => Ok(self.outputs.get(&address.name).cloned()),
            Reference::Object(address) => Ok(self.object(address)),
            // The rest is in the base scope, or belongs to a block.
            _ => Ok(None),
        }
    }

    /// `output.name` reads like a resource of the type `output`.
    fn is_output(&self, address: &Address) -> bool {
        address.kind == AddressKind::Resource && address.type_name == "output"
    }

    /// A block's value from its instances: one object, a tuple for `count`, an object for `for_each`.
    fn object(&self, address: &Address) -> Option<Value> {
        let block = self.configuration.objects.get(address)?;
        let Some(instances) = self.objects.get(address) else { return Some(Value::unknown(Type::Any)) };
        Some(if block.meta.count.is_some() {
            let numbered = |(key, value): (&Option<InstanceKey>, &Value)| match key {
                Some(InstanceKey::Index(_)) => Some(value.clone()),
                _ => None,
            };
            Value::tuple(instances.iter().filter_map(numbered))
        } else if block.meta.for_each.is_some() {
            let named = |(key, value): (&Option<InstanceKey>, &Value)| match key {
                Some(InstanceKey::Name(name)) => Some((name.clone(), value.clone())),
                _ => None,
            };
            Value::object(instances.iter().filter_map(named))
        } else {
            instances.get(&None).cloned().unwrap_or_else(|| Value::unknown(Type::Any))
        })
    }
}

fn located(diagnostics: Diagnostics, span: &Span) -> Diagnostics {
    diagnostics.into_iter().map(|diagnostic| diagnostic.or_at(Some(span))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pipectl_core::SourceId;
    use pipectl_lang::{NoFiles, SourceFile, load, parse_expression};

    use super::*;

    fn shown(text: &str, expression: &str) -> String {
        let file = SourceFile { name: "main.tf".to_owned(), text: text.to_owned() };
        let (configuration, diagnostics) = load(vec![file]);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        let registry = Registry::default();
        let variables = [("size".to_owned(), Value::from(2))].into();
        let folder = std::path::Path::new("/root");
        let mut world = World::new(&configuration, &registry, variables, Arc::new(NoFiles), folder, "default");
        for (address, value) in [("a_b.many[1]", "one"), ("a_b.many[0]", "zero"), ("a_b.each[\"x\"]", "x")] {
            world.set_object(&address.parse().unwrap(), Value::object([("id", Value::from(value))]));
        }
        let expression = parse_expression(expression, SourceId(7)).unwrap();
        match world.evaluate(&expression) {
            Ok(value) => value.to_string(),
            Err(problems) => problems.iter().map(|found| format!("{}: {}", found.summary, found.detail)).collect(),
        }
    }

    #[test]
    fn values_are_found_when_they_are_asked_for() {
        let text = "variable \"size\" {}\nlocals {\n  a = local.b + var.size\n  b = 40\n  broken = var.size.x\n}\n\
            resource \"a_b\" \"many\" {\n  count = 2\n}\nresource \"a_b\" \"each\" {\n  for_each = {}\n}\n\
            resource \"a_b\" \"later\" {}\n";
        for (expression, expected) in [
            ("local.a", "42"),
            ("a_b.many[*].id", "[\"zero\", \"one\"]"),
            ("a_b.each[\"x\"].id", "\"x\""),
            ("a_b.later", "(known after apply)"),
            ("[terraform.workspace, path.cwd]", "[\"default\", \"/root\"]"),
        ] {
            assert_eq!(shown(text, expression), expected, "{expression}");
        }
        assert!(shown(text, "local.ab").contains("Did you mean"));
        assert!(shown(text, "a_b.none").starts_with("Reference to undeclared resource"));
        assert!(shown(text, "local.broken").contains("attribute"));
    }

    #[test]
    fn a_cycle_ends() {
        let text = "locals {\n  a = local.b\n  b = local.a\n}\nvariable \"size\" {}\n";
        assert_eq!(shown(text, "local.a"), "Cycle: local.a refers to itself, in one or more steps.");
    }
}
