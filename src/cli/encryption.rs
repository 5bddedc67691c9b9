//! The `encryption` block of a pipeline, and the environment variables that stand in for it: how its state and its saved plans are encrypted.
//!
//! The block is read before there are variables or a state, so it holds constants and `secret` only. A root without a block is encrypted
//! when the environment has a passphrase: folders of Terraform have no place for a block of ours.

use std::sync::Arc;

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Marks, Path, Schema, Severity, Type, Value};
use pipectl_lang::{Body, Files, NoFiles, Reference, Scope, WithoutSecrets, decode};
use pipectl_provider::Environment;
use pipectl_state::{Encryption, EncryptionError, Passphrase};

/// Environment variable with the passphrase, where no block names one.
pub const PASSPHRASE: &str = "PIPECTL_PASSPHRASE";
/// Environment variable with the passphrase before, where no block names one.
pub const OLD_PASSPHRASE: &str = "PIPECTL_OLD_PASSPHRASE";

/// What the block takes.
fn schema() -> Schema {
    Schema::of([
        (
            "passphrase",
            Attribute::optional(
                Type::String,
                "What everything is encrypted with: `secret(\"env:NAME\")`. Default: the environment variable PIPECTL_PASSPHRASE.",
            ),
        ),
        (
            "fallback",
            Attribute::optional(
                Type::String,
                "The passphrase before: what it encrypted is still read, and written anew with `passphrase`, or in clear where there is none. \
                 Default: the environment variable PIPECTL_OLD_PASSPHRASE.",
            ),
        ),
        ("enforced", Attribute::optional(Type::Bool, "Refuse whatever is not encrypted. Default: false.")),
    ])
}

/// Judges the block without its secrets: what `validate` can tell.
pub fn check(body: &Body, files: Arc<dyn Files>) -> Diagnostics {
    match read(body, Arc::new(WithoutSecrets(files))) {
        Ok(arguments) => {
            let found = ["passphrase", "fallback"].map(|name| written_out(body, &arguments, name));
            found.into_iter().flatten().collect()
        }
        Err(problems) => problems,
    }
}

/// How a root module is encrypted.
///
/// # Errors
/// When a passphrase cannot be had or cannot be used.
pub fn settle(
    body: Option<&Body>,
    files: Arc<dyn Files>,
    environment: &dyn Environment,
) -> Result<Encryption, Diagnostic> {
    let arguments = match body {
        Some(body) => read(body, files).map_err(first_error)?,
        None => Value::object(Vec::<(String, Value)>::new()),
    };
    let mut problems = Diagnostics::new();
    let mut passphrase = |name: &str, variable: &str| {
        if let Some(body) = body
            && let Some(problem) = written_out(body, &arguments, name)
        {
            problems.push(problem);
            return None;
        }
        let argument = arguments.attribute(name).and_then(Value::as_str).map(str::to_owned);
        let is_argument = argument.is_some();
        let text = argument.or_else(|| environment.variable(variable).filter(|text| !text.is_empty()))?;
        match Passphrase::new(text) {
            Ok(passphrase) => Some(passphrase),
            Err(error) => {
                let span = body.and_then(|body| body.span_of(&Path::of(name))).filter(|_| is_argument);
                problems.push(unusable(&error, if is_argument { name } else { variable }).or_at(span.as_ref()));
                None
            }
        }
    };
    let (new, old) = (passphrase("passphrase", PASSPHRASE), passphrase("fallback", OLD_PASSPHRASE));
    let enforced = arguments.attribute("enforced").and_then(Value::as_bool).unwrap_or(false);
    if let (None, None, Some(body), false) = (&new, &old, body, problems.has_errors()) {
        problems.push(no_passphrase(body));
    }
    if let (true, None, Some(body), false) = (enforced, &new, body, problems.has_errors()) {
        let detail = "`enforced` refuses what is not encrypted, and without a passphrase nothing new can be.";
        let span = body.span_of(&Path::of("enforced"));
        problems.push(Diagnostic::error("Passphrase required", detail).or_at(span.as_ref()));
    }
    if problems.has_errors() {
        return Err(first_error(problems));
    }
    let mut encryption = new.map_or_else(Encryption::none, Encryption::with);
    if let Some(old) = old {
        encryption = encryption.also_opening(old);
    }
    Ok(if enforced { encryption.refusing_clear() } else { encryption })
}

/// How everything is encrypted where there is no configuration to ask.
///
/// # Errors
/// When the environment has a passphrase that cannot be used.
pub fn of_environment(environment: &dyn Environment) -> Result<Encryption, Diagnostic> {
    settle(None, Arc::new(NoFiles), environment)
}

fn read(body: &Body, files: Arc<dyn Files>) -> Result<Value, Diagnostics> {
    let references = body.references();
    let mut problems: Diagnostics =
        references.into_iter().map(|(reference, span)| refers(&reference).at(span)).collect();
    if problems.has_errors() {
        return Err(problems);
    }
    let (arguments, found) = decode(body, &schema(), &Scope::new(files));
    problems.extend(found);
    if problems.has_errors() { Err(problems) } else { Ok(arguments) }
}

/// Of several errors the first: the others are told when that one is put right.
fn first_error(problems: Diagnostics) -> Diagnostic {
    problems.into_iter().find(|problem| problem.severity == Severity::Error).expect("there is an error among them")
}

fn refers(reference: &Reference) -> Diagnostic {
    let detail = format!(
        "The `encryption` block is needed to read the state, before anything else has a value, so it cannot refer to {reference}. A passphrase \
         comes from outside."
    );
    Diagnostic::error("Reference not allowed", detail).hint("passphrase = secret(\"env:PIPECTL_PASSPHRASE\")")
}

/// An error when a passphrase stands in the configuration, for everyone to read who reads that.
fn written_out(body: &Body, arguments: &Value, name: &str) -> Option<Diagnostic> {
    let value = arguments.attribute(name).filter(|value| !value.is_null())?;
    if value.marks_deep().contains(Marks::SECRET) {
        return None;
    }
    let detail = format!(
        "`{name}` stands in the configuration itself, so whoever can read that can read the state. It has to come from outside."
    );
    let problem = Diagnostic::error("Passphrase written out", detail).or_at(body.span_of(&Path::of(name)).as_ref());
    Some(problem.hint(format!("{name} = secret(\"env:{PASSPHRASE}\")")))
}

fn no_passphrase(body: &Body) -> Diagnostic {
    let detail = format!(
        "The `encryption` block names no passphrase, and the environment variable {PASSPHRASE} is not set. Without one the state could neither \
         be read nor written."
    );
    Diagnostic::error("Passphrase required", detail)
        .at(body.span())
        .hint("passphrase = secret(\"env:NAME\") or secret(\"file:PATH\")")
        .hint(format!("export {PASSPHRASE}=..."))
}

fn unusable(error: &EncryptionError, name: &str) -> Diagnostic {
    let detail = format!("The passphrase of `{name}` cannot be used: {error}.");
    Diagnostic::error("Passphrase too short", detail).hint("openssl rand -base64 32")
}
