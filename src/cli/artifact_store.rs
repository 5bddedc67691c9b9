//! Where artifacts are shared with other machines: the `artifact_store` block of a pipeline. Without one, each machine has its own.

use std::path::Path;
use std::sync::Arc;

use pipectl_artifact::{LocalStore, SharedStore};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Type, Value};
use pipectl_lang::{Configuration, Scope, decode};
use pipectl_provider::{ArtifactStore, SharedObjects, SharedObjectsKind};

use crate::backend::placed;

/// Whoever may only use what others have made.
const READ_ONLY: &str = "read_only";

/// The kinds of places of this build.
fn kinds() -> Vec<Arc<dyn SharedObjectsKind>> {
    vec![
        #[cfg(feature = "s3")]
        Arc::new(pipectl_backend_s3::S3Shared),
    ]
}

/// A place that several machines share.
#[derive(Clone, Debug)]
pub struct Shared {
    objects: Arc<dyn SharedObjects>,
    is_read_only: bool,
}

impl Shared {
    /// The place that a configuration names, if it names one, and what is to be said about that. `root` is its folder. Nobody is asked.
    ///
    /// # Errors
    /// When the block cannot be followed.
    pub fn of(configuration: &Configuration, root: &Path) -> Result<(Option<Self>, Diagnostics), Diagnostics> {
        let block = configuration.pipeline.as_ref().and_then(|block| block.artifact_store.as_ref());
        let Some((name, body)) = block else { return Ok((None, Diagnostics::new())) };
        let kinds = kinds();
        let Some(kind) = kinds.iter().find(|kind| kind.name() == name) else {
            let names: Vec<String> = kinds.iter().map(|kind| format!("\"{}\"", kind.name())).collect();
            let detail = match names.as_slice() {
                [] => format!("There is no artifact store \"{name}\": this pipectl was built without any."),
                names => format!("There is no artifact store \"{name}\". There is {}.", names.join(", ")),
            };
            return Err(Diagnostic::error("Unsupported artifact store", detail).at(body.span()).into());
        };
        let description = "Use what others have made, and keep what is made here to this machine.";
        let schema = kind.schema().attribute(READ_ONLY, Attribute::optional(Type::Bool, description));
        let (arguments, mut problems) = decode(body, &schema, &Scope::constant());
        if problems.has_errors() {
            return Err(problems);
        }
        problems.extend(placed(kind.check(&arguments), body));
        if problems.has_errors() {
            return Err(problems);
        }
        let objects = kind.open(&arguments, root).map_err(|problems| placed(problems, body))?;
        let is_read_only = arguments.attribute(READ_ONLY).and_then(Value::as_bool).unwrap_or(false);
        Ok((Some(Self { objects, is_read_only }), problems))
    }

    /// The store of this machine before what is shared.
    pub fn behind(&self, local: LocalStore) -> Arc<dyn ArtifactStore> {
        Arc::new(SharedStore::new(local, Arc::clone(&self.objects), self.is_read_only))
    }
}
