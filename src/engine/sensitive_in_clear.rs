//! What becomes of sensitive values that nobody calls secrets where the state is not encrypted. What a provider decides (a kubeconfig) is kept
//! in an encrypted state only, unless Terraform's own provider keeps it in every state: the object is refused. Everything else is kept as
//! Terraform keeps it, and that is said.
//!
//! A state that is encrypted no longer leaves behind what can be read again, before it is written in clear.

use std::sync::Arc;

use pipectl_core::{Address, Attribute, Block, Diagnostic, Marks, Path, Schema, Value};
use pipectl_provider::Registry;
use pipectl_state::{OutputState, State};

use crate::instance::{Keeping, instance_of, mark_as_secret, object_of, output_value};
use crate::secrets::{Secrets, Texts, for_provider, withheld};
use crate::selection::with_dependants;
use crate::{Action, OutputAction, OutputChange, ResourceChange, Seed};

/// An error when an object would have something that is kept in an encrypted state only.
pub(crate) fn refuse_in_clear(schema: &Schema, address: &Address, config: &Value) -> Option<Diagnostic> {
    // What is given is no decision of the provider.
    let is_decided = |name: &str| config.attribute(name).is_none_or(Value::is_null);
    let needs_it = |attribute: &Attribute| attribute.needs_encryption() && attribute.is_decided_for(config);
    let own = schema.attributes.iter().find(|(name, attribute)| needs_it(attribute) && is_decided(name));
    let own = own.map(|(name, _)| name);
    let inside = || schema.blocks.iter().find(|(_, block)| block.has_attribute(Attribute::needs_encryption));
    own.or_else(|| inside().map(|(name, _)| name)).map(|name| refused(address, name))
}

/// The same for an object that is taken over as it is, whatever its block says: nobody knows who gave what may be given.
pub(crate) fn refuse_imported(schema: &Schema, address: &Address, attributes: &Value) -> Option<Diagnostic> {
    let has_one = |name: &str| attributes.attribute(name).is_some_and(|value| !value.is_null());
    let mut own = schema.attributes.iter();
    let own = own.find(|(name, attribute)| attribute.needs_encryption() && !attribute.optional && has_one(name));
    let is_inside = |name: &str, block: &Block| {
        let is_empty = |value: &Value| value.as_slice().is_some_and(<[Value]>::is_empty);
        block.has_attribute(Attribute::needs_encryption)
            && has_one(name)
            && !attributes.attribute(name).is_some_and(is_empty)
    };
    let inside = || schema.blocks.iter().find(|(name, block)| is_inside(name, block)).map(|(name, _)| name);
    own.map(|(name, _)| name).or_else(inside).map(|name| refused(address, name))
}

fn refused(address: &Address, name: &str) -> Diagnostic {
    let detail = format!(
        "The provider decides `{name}` of {address}, and it must not be shown. Such a value is kept in an encrypted state only, and this state \
         is not encrypted."
    );
    let problem = Diagnostic::error("Encryption required", detail).about(address);
    problem.hint("encryption { passphrase = secret(\"env:PIPECTL_PASSPHRASE\") } in the `pipeline` block, or export PIPECTL_PASSPHRASE=..")
}

/// Takes out of a state that was encrypted until now what one in clear keeps fingerprints of: of objects, of those that follow from them, and
/// outputs. A state that has no key yet gets the one of `seed`. The names of outputs that are gone.
///
/// # Errors
/// The address of an object that has something that cannot be read again and must not be in clear, or that nobody can look into.
pub fn leave_behind(registry: &Registry, seed: Seed, state: &mut State) -> Result<Vec<String>, String> {
    let mut objects = Vec::new();
    for (address, deposed, object) in state.objects() {
        let kind = registry.resource(address.kind, &address.type_name).ok_or_else(|| address.to_string())?;
        let stored = instance_of(address, object, kind.as_ref()).map_err(|_| address.to_string())?;
        if refuse_imported(kind.schema(), address, &stored.attributes).is_some() {
            return Err(address.to_string());
        }
        let mut instance = for_provider(&stored);
        instance.attributes = mark_as_secret(kind.schema(), instance.attributes);
        objects.push((address.clone(), deposed.map(str::to_owned), instance, Arc::clone(kind)));
    }
    let has_secret = |attributes: &Value| {
        let paths = attributes.paths_marked(Marks::SECRET);
        paths.iter().any(|path| attributes.at(path).is_some_and(|value| !value.is_null()))
    };
    let sources = objects.iter().filter(|(_, _, instance, _)| has_secret(&instance.attributes));
    let following = with_dependants(Some(state), sources.map(|(address, ..)| address.declaration()).collect());
    if following.is_empty() {
        return Ok(Vec::new());
    }
    let attributes = objects.iter().map(|(_, _, instance, _)| &instance.attributes);
    let texts = attributes.fold(Texts::default(), |texts, attributes| texts.with_secrets_of(attributes));
    let secrets = Secrets::of(Some(state), seed);
    for (address, deposed, mut instance, kind) in objects {
        let Some(resource) = state.resources.get_mut(&address) else { continue };
        let place = match deposed {
            None => resource.current.as_mut(),
            Some(key) => resource.deposed.get_mut(&key),
        };
        let Some(place) = place else { continue };
        instance.attributes = texts.spread(instance.attributes);
        if following.contains(&address.declaration()) {
            // What was made of a secret does not have its words.
            let paths = place.sensitive.iter().map(Path::from);
            instance.attributes =
                paths.fold(instance.attributes, |attributes, path| attributes.mark_at(&path.0, Marks::SECRET));
        }
        let keeping = Keeping {
            dependencies: place.dependencies.clone(),
            tainted: place.tainted,
            create_before_destroy: place.create_before_destroy,
            provider: place.provider.clone(),
            secrets: secrets.of_observed(&address, &place.secrets, &instance.attributes),
        };
        // Whatever has no secret stays as it is.
        if keeping.secrets != place.secrets
            && let Some(object) = object_of(kind.schema(), &instance, keeping)
        {
            *place = object;
            state.key.get_or_insert_with(|| secrets.key());
        }
    }
    let has_text =
        |output: &OutputState| texts.spread(Value::tuple([output_value(output)])).marks_deep().contains(Marks::SECRET);
    // Nobody knows what a sensitive one was made of.
    let gone = |(name, output): (&String, &OutputState)| (output.sensitive || has_text(output)).then(|| name.clone());
    let gone: Vec<String> = state.outputs.iter().filter_map(gone).collect();
    state.outputs.retain(|name, _| !gone.contains(name));
    Ok(gone)
}

/// A warning when a plan puts sensitive values into a state that is not encrypted.
pub(crate) fn warn_in_clear(changes: &[ResourceChange], outputs: &[OutputChange]) -> Option<Diagnostic> {
    let is_stored = |change: &&ResourceChange| {
        let changes_it = !matches!(change.action, Action::NoOp | Action::Read | Action::Delete | Action::Forget);
        let holds = |value: &Value| {
            withheld(value).paths_marked(Marks::SENSITIVE).into_iter().any(|path| holds_something(value, &path))
        };
        changes_it && change.after.as_ref().is_some_and(holds)
    };
    let mut names: Vec<String> = changes.iter().filter(is_stored).map(|change| change.address.to_string()).collect();
    let is_new = |output: &&OutputChange| {
        output.sensitive && !matches!(output.action, OutputAction::NoOp | OutputAction::Delete)
    };
    names.extend(outputs.iter().filter(is_new).map(|output| format!("output.{}", output.name)));
    let (first, others) = names.split_first()?;
    let list = match others {
        [] => first.clone(),
        [second] => format!("{first} and {second}"),
        others => format!("{first} and {} more", others.len()),
    };
    let detail = format!(
        "{list} will hold sensitive values, and the state is not encrypted: they are stored in clear, as Terraform stores them. Whoever can read \
         the state can read them."
    );
    let warning = Diagnostic::warning("Sensitive values in clear", detail);
    Some(warning.hint("encryption { passphrase = secret(\"env:PIPECTL_PASSPHRASE\") } in the `pipeline` block, or export PIPECTL_PASSPHRASE=.."))
}

/// Whether there is something at a path that is stored: what is null hides nothing, and what `secret` gives is left out.
fn holds_something(value: &Value, path: &Path) -> bool {
    value.at(path).is_some_and(|value| !value.is_null() && !value.marks().contains(Marks::SECRET))
}

#[cfg(test)]
mod tests {
    use pipectl_core::Type;

    use super::*;

    #[test]
    fn a_secret_that_nobody_makes_needs_no_encryption() {
        let private = Attribute::computed(Type::String, "").sensitive().unless_given("public");
        let schema = Schema::of([("public", Attribute::optional(Type::String, "")), ("private", private)]);
        let address: Address = "sim_key.x".parse().expect("an address");
        let refused = |public: Value| {
            let config = Value::object([("public", public), ("private", Value::null_of(Type::String))]);
            refuse_in_clear(&schema, &address, &config).is_some()
        };
        assert!(refused(Value::null_of(Type::String)), "one is made");
        assert!(!refused("ssh-ed25519 AAAA".into()), "none is made");
        assert!(!refused(Value::unknown(Type::String)), "it is given, and known later");
    }
}
