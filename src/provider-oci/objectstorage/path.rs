//! Ids that are paths: what buckets and objects have in common.

use percent_encoding::percent_decode_str;
use pipectl_core::{Diagnostic, Diagnostics, Path, Value};
use pipectl_provider::arguments::text;
use serde_json::Value as Json;

use crate::cloud::{Cloud, removed};
use crate::kind::{Fault, Kind, Known, Place};

/// The segments of a path. Names of objects, which come last, may have slashes.
pub(super) fn parts(id: &str) -> Vec<&str> {
    id.splitn(6, '/').collect()
}

/// Judges a name: paths have no way to tell these.
pub(super) fn validate(config: &Value, argument: &str) -> Diagnostics {
    let Some(name) = text(config, argument).filter(|name| matches!(*name, "" | "." | "..")) else {
        return Diagnostics::new();
    };
    let detail = format!("Nothing can be called {name:?}: in the address of a request it would be something else.");
    Diagnostic::error("Invalid name", detail).on(Path::of(argument)).into()
}

/// Removes what a path leads to.
pub(super) async fn delete<K: Kind<Cloud = Cloud>>(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
    removed::<K>(at, id, prior, &parts(id), &[]).await?;
    Ok(())
}

/// What the path of some arguments leads to: nothing else can have its name.
pub(super) async fn candidates<K: Kind<Cloud = Cloud>>(at: &Place<'_>, arguments: &Json) -> Result<Vec<Json>, Fault> {
    let Some(id) = K::id(arguments) else { return Ok(Vec::new()) };
    Ok(K::look(at, &id, &Value::null()).await?.into_iter().collect())
}

/// An id for `import`, which has a form: `n/NAMESPACE/b/NAME`. Terraform's provider writes `%2F` for a slash in a name.
pub(super) fn imported<K: Kind>(id: &str, form: &str) -> Result<(String, Known), Diagnostics> {
    let is_escaped = id.split('/').count() == parts(form).len();
    let plain = if is_escaped { percent_decode_str(id).decode_utf8().ok() } else { None };
    let id = plain.as_deref().unwrap_or(id);
    let (given, wanted) = (parts(id), parts(form));
    let fits = |(given, wanted): (&&str, &&str)| {
        !given.is_empty() && (given == wanted || wanted.starts_with(|letter: char| letter.is_ascii_uppercase()))
    };
    if given.len() == wanted.len() && given.iter().zip(&wanted).all(fits) {
        return Ok((id.to_owned(), Known::new()));
    }
    let detail = format!("The id of this {} has the form `{form}`, which `{id}` has not.", K::NOUN);
    Err(Diagnostic::error("Invalid id", detail).into())
}
