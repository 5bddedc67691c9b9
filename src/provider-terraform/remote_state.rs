//! The data source `terraform_remote_state`: outputs of another root module, read from its state.
//!
//! Arguments are Terraform's. Where a state lies, and whose it is, is the business of `local_state`.

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Marks, Path, Schema, Type, Value, json};
use pipectl_provider::{Cx, DataSource};
use pipectl_state::{OutputState, State};

use crate::local_state;

/// The kind.
pub struct RemoteState {
    schema: Schema,
}

impl RemoteState {
    /// The kind's name.
    pub const TYPE_NAME: &str = "terraform_remote_state";

    /// The kind.
    pub fn new() -> Self {
        let schema = Schema::of([
            ("backend", Attribute::required(Type::String, "Where the state is kept: `local`.")),
            (
                "config",
                Attribute::optional(
                    Type::Any,
                    "An object of the backend's arguments. Of `local`: `path`, a file of Terraform, or the folder or file of a root module of \
                     pipectl, or the folder of its state; `workspace_dir`, where Terraform keeps other workspaces; `passphrase`, of a state that \
                     is encrypted.",
                ),
            ),
            ("defaults", Attribute::optional(Type::Any, "Outputs for those that the state has not.")),
            ("workspace", Attribute::optional(Type::String, "The workspace to read. Default: `default`.")),
            ("outputs", Attribute::computed(Type::Any, "The outputs, an object.")),
        ]);
        Self {
            schema: schema.described("Outputs of another root module, from its state: one of pipectl or of Terraform."),
        }
    }
}

impl Default for RemoteState {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl DataSource for RemoteState {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let backend = config.attribute("backend").and_then(Value::as_str);
        match backend {
            Some(name) if name != "local" => no_such_backend(name).into(),
            Some(_) => config.attribute("config").and_then(unusable_config).into_iter().collect(),
            None => Diagnostics::new(),
        }
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let problems = self.validate(config);
        if problems.has_errors() {
            return Err(problems);
        }
        let workspace = config.attribute("workspace").and_then(Value::as_str).unwrap_or("default");
        let arguments = config.attribute("config").cloned().unwrap_or_else(Value::null);
        let state = local_state::read(cx, &arguments, workspace)?;
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

fn no_such_backend(name: &str) -> Diagnostic {
    let detail =
        format!("There is no backend type named {name:?}. The state can be read from a local disk only: \"local\".");
    Diagnostic::error("Invalid backend configuration", detail).on(Path::of("backend"))
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
