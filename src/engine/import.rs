//! Taking over an object that exists already: what `import ADDRESS ID` writes to the state.

use pipectl_core::{Address, Diagnostic, Diagnostics};
use pipectl_lang::{Configuration, Reference};
use pipectl_provider::context::Recorder;
use pipectl_provider::{Instance, ReadOutcome};
use pipectl_state::{Change, State};

use crate::Engine;
use crate::instance::{Keeping, mark_by_schema, object_of};
use crate::planner::{context, provider_mistake};

impl Engine {
    /// Looks up the object that its provider knows as `id`, for a block of the configuration. Returns the change that takes it into the
    /// state; changes nothing itself.
    ///
    /// # Errors
    /// When the configuration has no such block or instance, the state already has an object there, or there is no such object.
    pub async fn import(
        &self,
        configuration: &Configuration,
        state: &State,
        address: &Address,
        id: &str,
    ) -> Result<Change, Diagnostics> {
        let problem = |summary: &str, detail: String| Diagnostic::error(summary, detail).about(address);
        let Some(block) = configuration.object(address) else {
            let detail = format!(
                "The configuration has no block for {address}. Write one first; its arguments can follow after the import."
            );
            let header = format!("resource \"{}\" \"{}\" {{}}", address.type_name, address.name);
            return Err(problem("Import target not configured", detail).hint(header).into());
        };
        if address.key.is_some() != (block.meta.count.is_some() || block.meta.for_each.is_some()) {
            let detail = format!(
                "The block of {address} has no such instance: whether an address has a key follows from `count` and `for_each`."
            );
            return Err(problem("Import target not configured", detail).at(block.span.clone()).into());
        }
        if state.object(address).is_some() {
            let detail = format!(
                "The state already holds an object at {address}. To import another one, remove it from the state first."
            );
            return Err(problem("Resource already managed", detail).hint(format!("pipectl state rm {address}")).into());
        }
        let Some(kind) = self.registry.resource(address.kind, &address.type_name) else {
            let detail = format!("There is no kind `{}` that objects can be imported for.", address.type_name);
            return Err(problem("Unknown kind", detail).at(block.span.clone()).into());
        };
        let about = |mut problems: Diagnostics| {
            problems.iter_mut().for_each(|found| {
                found.address.get_or_insert_with(|| address.to_string());
            });
            problems
        };
        let absent = || {
            Diagnostics::from(problem(
                "Object to import not found",
                format!("There is no object with the id \"{id}\"."),
            ))
        };
        let cx = context(self, address, String::new(), self.cancel.clone(), Recorder::none());
        let imported = kind.import(&cx, id).await.map_err(about)?.ok_or_else(absent)?;
        let instance = match kind.read(&cx, &imported).await.map_err(about)? {
            ReadOutcome::Gone => return Err(absent()),
            ReadOutcome::Present { instance, .. } => *instance,
        };
        let schema = kind.schema();
        let instance = Instance { attributes: mark_by_schema(schema, instance.attributes.clone()), ..instance };
        let references = block.body.references().into_iter().chain(block.meta.references());
        let mut dependencies: Vec<Address> = references
            .filter_map(|(reference, _)| match reference {
                Reference::Object(needed) => Some(needed.block().in_module(&address.module)),
                _ => None,
            })
            .filter(|needed| *needed != address.block())
            .collect();
        dependencies.sort();
        dependencies.dedup();
        let create_before_destroy = block.meta.lifecycle.create_before_destroy;
        let keeping = Keeping { dependencies, tainted: false, create_before_destroy };
        let object = object_of(schema, &instance, keeping)
            .ok_or_else(|| provider_mistake(address, "imported an object with unknown attributes"))?;
        Ok(Change::SetObject { address: address.clone(), object })
    }
}
