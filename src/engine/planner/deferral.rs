//! Planning what can be decided only while the plan is applied.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pipectl_core::{Address, AddressKind, Diagnostics, Value};
use pipectl_lang::{ObjectBlock, Scope};
use pipectl_provider::planning::{with_unknown_computed, without_write_only};
use pipectl_provider::{Effect, PlanResponse, Reason, Resource};

use super::object::{Answer, Planned, arguments, token, why_replace, with_marks_of};
use super::refresh::Prior;
use super::{Planning, Run};
use crate::graph::Node;
use crate::lifecycle::prevent_destroy;
use crate::providers::locate::is_served;
use crate::providers::{Bound, Choice};
use crate::{Action, AddressPattern, Cause, Deferral, DeferredChange, ResourceChange};

impl Planned<'_> {
    /// The address, with the keys open that are not known.
    pub(super) fn pattern(&self, is_open: bool) -> AddressPattern {
        let (graph, values) = (&self.run.graph, &self.run.values);
        let mut open_steps = Vec::new();
        let mut path = self.address.module.clone();
        while let Some((outer, _)) = path.parent() {
            let instances = graph.find_module(&path).and_then(|module| values.instances(module));
            if instances.is_some_and(|found| found.find(&path).is_some_and(|instance| found.is_open(instance))) {
                open_steps.push(path.steps().len() - 1);
            }
            path = outer;
        }
        open_steps.reverse();
        AddressPattern::open(self.address, open_steps, is_open)
    }

    /// Defers all instances of a block of which nobody knows how many there will be.
    pub(super) fn defer_all(&mut self, block: &ObjectBlock, pattern: AddressPattern) -> Answer {
        let registry = &self.run.engine.registry;
        let address = self.address;
        let schema = registry.schema(address.kind, &address.type_name).ok_or_else(Diagnostics::new)?;
        let validate = |config: &Value| match registry.resource(address.kind, &address.type_name) {
            Some(kind) => kind.validate(config),
            None => registry
                .data_sources
                .get(&address.type_name)
                .map_or_else(Diagnostics::new, |kind| kind.validate(config)),
        };
        let evaluated = arguments(block, address, schema, validate, self.scope)?;
        self.warnings.extend(evaluated.warnings);
        let config = without_write_only(schema, evaluated.config);
        let value = self.run.engine.mark(schema, with_marks_of(&config, with_unknown_computed(schema, &config)));
        let argument = match (pattern.has_open_key(), &block.meta.count) {
            (true, Some(_)) => "`count` is known after apply".to_owned(),
            (true, None) => "`for_each` is known after apply".to_owned(),
            (false, _) => "how many instances of its module there are is known after apply".to_owned(),
        };
        let existing = pattern.among(&self.run.observations.priors).count();
        let (action, reason) = match existing {
            0 => (new_action(address), argument),
            1 => (Action::Update, format!("{argument}, and there is 1 instance")),
            _ => (Action::Update, format!("{argument}, and there are {existing} instances")),
        };
        let deferred = DeferredChange {
            address: pattern,
            why: Deferral::InstanceCountUnknown,
            action,
            before: None,
            after: Some(value.clone()),
            reasons: vec![Reason::new(reason)],
        };
        Ok((value, Planning::Deferred(Box::new(deferred))))
    }

    /// Defers an instance whose provider cannot be configured yet. What is known is planned: that it is replaced because someone asks for that, or
    /// because it lives in something that is replaced.
    pub(super) fn defer(
        &mut self,
        block: &ObjectBlock,
        kind: &Arc<dyn Resource>,
        config: &Value,
        prior: Option<&Prior>,
        why: String,
    ) -> Answer {
        let schema = kind.schema();
        let (run, address) = (self.run, self.address);
        let config = &without_write_only(schema, config.clone());
        let value = run.engine.mark(schema, with_marks_of(config, with_unknown_computed(schema, config)));
        let below = || run.replaced_below(self.node).map(Cause::ProviderReplaced);
        let cause = match prior {
            Some(prior) => why_replace(run, block, address, prior, self.scope)?.or_else(below),
            None => None,
        };
        if let (Some(prior), Some(cause)) = (prior, cause)
            && !run.observations.unasked.contains_key(address)
        {
            let refused = prevent_destroy(block, self.scope, address, "the plan calls for it to be replaced");
            if refused.has_errors() {
                return Err(refused);
            }
            if let Some(problems) = run.observations.unbound(address, None) {
                return Err(problems.clone());
            }
            let change = ResourceChange {
                address: address.clone(),
                deposed: None,
                previous: run.previous.get(address).cloned(),
                importing: None,
                action: Action::Replace { create_before_destroy: false },
                before: Some(prior.instance.attributes.clone()),
                after: Some(value.clone()),
                requires_replace: Vec::new(),
                reasons: vec![Reason::new(cause.to_string())],
                cause: Some(cause),
                private: prior.instance.private.clone(),
                decided: false,
                forced: true,
                token: token(run, address, config),
            };
            return Ok((value, Planning::Change(Box::new(change))));
        }
        let deferred = DeferredChange {
            address: AddressPattern::exactly(address),
            why: Deferral::ProviderConfigUnknown,
            action: match (prior, address.kind) {
                (Some(_), AddressKind::Resource) => Action::Update,
                _ => new_action(address),
            },
            before: prior.map(|prior| prior.instance.attributes.clone()),
            after: Some(value.clone()),
            reasons: vec![Reason::new(why)],
        };
        Ok((value, Planning::Deferred(Box::new(deferred))))
    }

    /// Defers an instance that an interrupted run may have made elsewhere, by a provider that could not be asked: another call must not take the
    /// place of that one in the state.
    pub(super) fn defer_until_asked(&self, prior: Option<&Prior>, planned: Value) -> (Value, Planning) {
        let reason = "an interrupted run may have made it, and the provider of that can be asked only later".to_owned();
        let deferred = DeferredChange {
            address: AddressPattern::exactly(self.address),
            why: Deferral::ProviderConfigUnknown,
            action: match (prior, self.address.kind) {
                (Some(_), AddressKind::Resource) => Action::Update,
                _ => new_action(self.address),
            },
            before: prior.map(|prior| prior.instance.attributes.clone()),
            after: Some(planned.clone()),
            reasons: vec![Reason::new(reason)],
        };
        (planned, Planning::Deferred(Box::new(deferred)))
    }

    /// Whether a replacement is called for only because something deferred is not known yet, so that it may turn out to be needless.
    pub(super) fn may_not_be_needed(&self, config: &Value, response: &PlanResponse) -> bool {
        let is_unknown = |path: &pipectl_core::Path| match path.0.first() {
            Some(pipectl_core::Step::Name(name)) => {
                config.attribute(name).is_some_and(|value| !value.is_wholly_known())
            }
            _ => false,
        };
        response.effect == Effect::Replace
            && !response.requires_replace.is_empty()
            && response.requires_replace.iter().all(is_unknown)
            && self.run.after_deferred[self.node.index()].load(Ordering::Relaxed)
    }

    /// Defers a replacement that may turn out to be needless.
    pub(super) fn defer_replacement(&self, prior: &Prior, planned: Value) -> (Value, Planning) {
        let reason = "arguments that force replacement come from something that is deferred".to_owned();
        let deferred = DeferredChange {
            address: AddressPattern::exactly(self.address),
            why: Deferral::DeferredPrereq,
            action: Action::Update,
            before: Some(prior.instance.attributes.clone()),
            after: Some(planned.clone()),
            reasons: vec![Reason::new(reason)],
        };
        (planned, Planning::Deferred(Box::new(deferred)))
    }
}

/// What is done with an object that does not exist.
pub(crate) fn new_action(address: &Address) -> Action {
    match address.kind {
        AddressKind::Resource => Action::Create,
        AddressKind::Data | AddressKind::Ephemeral => Action::Read,
        AddressKind::Stage => Action::Run,
    }
}

impl Run {
    /// Whether it matters which provider configuration serves a block: whether there is a choice, or anything to configure.
    fn is_served(&self, address: &Address, block: &ObjectBlock) -> bool {
        is_served(&self.engine.registry, &self.configuration, self.configures_providers, address, block)
    }

    /// The provider configuration that serves an object, whose expressions are evaluated in `scope`; `None` where there is nothing to choose.
    ///
    /// # Errors
    /// When a key or a condition is no good.
    pub(super) fn choice(
        &self,
        address: &Address,
        block: &ObjectBlock,
        scope: &Scope,
    ) -> Result<Bound<Option<Choice>>, Diagnostics> {
        if !self.is_served(address, block) {
            return Ok(Bound::Ready(None));
        }
        Ok(match self.chooser().choose(address, block.meta.provider.as_ref(), scope)? {
            Some(choice) => Bound::Ready(Some(choice)),
            None => Bound::NotYet("which provider configuration it uses is known after apply".to_owned()),
        })
    }

    /// An object that is replaced, and that the provider configurations of a block are made from.
    pub(super) fn replaced_below(&self, block: NodeIndex) -> Option<Address> {
        let is_provider = |node: &NodeIndex| matches!(self.graph.node(*node), Node::Provider(_));
        self.graph.needs(block).filter(is_provider).find_map(|provider| {
            let mut known = self.replaced_below.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(provider).or_insert_with(|| self.replaced_below_provider(provider)).clone()
        })
    }

    /// The same of a provider block. All that it is made from has been planned before anything that it serves.
    fn replaced_below_provider(&self, provider: NodeIndex) -> Option<Address> {
        let needed = self.graph.closure([provider], Direction::Incoming);
        let nodes = self.graph.order().iter().filter(|node| needed[node.index()]);
        let declarations: BTreeSet<&Address> = nodes
            .filter_map(|node| match self.graph.node(*node) {
                Node::Object(declaration) => Some(declaration),
                _ => None,
            })
            .collect();
        let found = self.found();
        let mut changes = found.changes.iter().filter(|change| matches!(change.action, Action::Replace { .. }));
        let replaced = changes.find(|change| declarations.contains(&change.address.declaration()));
        replaced.map(|change| change.address.clone())
    }
}
