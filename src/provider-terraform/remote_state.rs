//! The data source `terraform_remote_state`: outputs of another root module, read from its state.
//!
//! Arguments are Terraform's. Where a state lies, and whose it is, is the business of `local_state` and `other_backends`.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Marks, Path, Schema, Type, Value, json};
use pipectl_provider::{Cx, DataSource};
use pipectl_state::{BackendKind, OutputState, State};

use crate::{local_state, other_backends};

const LOCAL: &str = "local";

/// The kind.
pub struct RemoteState {
    schema: Schema,
    backends: Vec<Arc<dyn BackendKind>>,
}

impl RemoteState {
    /// The kind's name.
    pub const TYPE_NAME: &str = "terraform_remote_state";

    /// The kind, for states on the local disk and in these backends.
    pub fn new(backends: Vec<Arc<dyn BackendKind>>) -> Self {
        let names: Vec<String> = std::iter::once(LOCAL)
            .chain(backends.iter().map(|kind| kind.name()))
            .map(|name| format!("`{name}`"))
            .collect();
        let schema = Schema::of([
            (
                "backend",
                Attribute::required(Type::String, &format!("Where the state is kept: {}.", names.join(" or "))),
            ),
            (
                "config",
                Attribute::optional(
                    Type::Any,
                    "An object of the backend's arguments, and `passphrase`, of a state that is encrypted. Of `local`: `path`, a file of \
                     Terraform, or the folder or file of a root module of pipectl, or the folder of its state; `workspace_dir`, where Terraform \
                     keeps other workspaces. Of others: what their `backend` block takes.",
                ),
            ),
            ("defaults", Attribute::optional(Type::Any, "Outputs for those that the state has not.")),
            ("workspace", Attribute::optional(Type::String, "The workspace to read. Default: `default`.")),
            ("outputs", Attribute::computed(Type::Any, "The outputs, an object.")),
        ]);
        let schema =
            schema.described("Outputs of another root module, from its state: one of pipectl or of Terraform.");
        Self { schema, backends }
    }

    fn backend(&self, name: &str) -> Option<&Arc<dyn BackendKind>> {
        self.backends.iter().find(|kind| kind.name() == name)
    }

    fn no_such_backend(&self, name: &str) -> Diagnostic {
        let known: Vec<String> = std::iter::once(LOCAL)
            .chain(self.backends.iter().map(|kind| kind.name()))
            .map(|name| format!("{name:?}"))
            .collect();
        let detail = format!("There is no backend type named {name:?}. Backends are {}.", known.join(", "));
        Diagnostic::error("Invalid backend configuration", detail).on(Path::of("backend"))
    }
}

#[async_trait]
impl DataSource for RemoteState {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let Some(name) = config.attribute("backend").and_then(Value::as_str) else { return Diagnostics::new() };
        if name == LOCAL {
            return config.attribute("config").and_then(unusable_config).into_iter().collect();
        }
        match (self.backend(name), config.attribute("config")) {
            (None, _) => self.no_such_backend(name).into(),
            (Some(kind), Some(config)) => other_backends::arguments(&**kind, config).1,
            (Some(_), None) => Diagnostics::new(),
        }
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let problems = self.validate(config);
        if problems.has_errors() {
            return Err(problems);
        }
        let workspace = config.attribute("workspace").and_then(Value::as_str).unwrap_or("default");
        let arguments = config.attribute("config").cloned().unwrap_or_else(Value::null);
        let name = config.attribute("backend").and_then(Value::as_str).unwrap_or(LOCAL);
        let state = match self.backend(name) {
            Some(kind) => other_backends::read(cx, kind, &arguments, workspace).await?,
            None => local_state::read(cx, &arguments, workspace)?,
        };
        let defaults = config.attribute("defaults").and_then(Value::as_object).into_iter().flatten();
        let defaults = defaults.map(|(name, value)| (name.clone(), value.clone()));
        let outputs = defaults.chain(outputs(&state));
        Ok(config.with_attribute("outputs", Value::object(outputs)))
    }
}

/// The outputs of a state as values. What is sensitive stays so: Terraform forgets it here.
fn outputs(state: &State) -> impl Iterator<Item = (String, Value)> {
    let value = |output: &OutputState| {
        let typed = json::type_from_json(&output.ty).and_then(|ty| json::from_json_as(&output.value, &ty).ok());
        let value = typed.unwrap_or_else(|| json::from_json(&output.value));
        value.marked(if output.sensitive { Marks::SENSITIVE } else { Marks::NONE })
    };
    state.outputs.iter().map(move |(name, output)| (name.clone(), value(output)))
}

fn unusable_config(config: &Value) -> Option<Diagnostic> {
    let invalid = |problem: String, path: Path| {
        let detail = format!("The given configuration is not valid for backend \"local\": {problem}.");
        Some(Diagnostic::error("Invalid backend configuration", detail).on(path))
    };
    if config.is_null() || !config.is_known() {
        return None;
    }
    let path = Path::of("config");
    let Some(arguments) = config.as_object() else { return invalid("an object is required".to_owned(), path) };
    for (name, value) in arguments {
        if !local_state::ARGUMENTS.contains(&name.as_str()) {
            return invalid(format!("unexpected attribute {name:?}"), path.name(name));
        }
        if value.is_known() && !value.is_null() && value.as_str().is_none() {
            return invalid(format!("attribute {name:?}: a string is required"), path.name(name));
        }
    }
    None
}
