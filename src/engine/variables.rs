//! Values of variables: from what was given to one value of the right type each.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, DiagnosticKind, Diagnostics, Marks, Span, Value, convert};
use pipectl_lang::{Configuration, VariableBlock, parse_variable_value};

/// A value given for a variable.
#[derive(Clone, Debug)]
pub struct VariableInput {
    /// The variable's name.
    pub name: String,
    /// The value.
    pub value: InputValue,
    /// Where it came from.
    pub origin: Origin,
}

/// A value as it was given.
#[derive(Clone, Debug)]
pub enum InputValue {
    /// Text of `-var` or of the environment: read by the variable's type.
    Text(String),
    /// A value of a variable file.
    Value(Value, Option<Span>),
}

/// Where a value came from: decides what an undeclared name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `TF_VAR_name`: undeclared names are ignored.
    Environment,
    /// A variable file, by name: undeclared names are a warning.
    File(String),
    /// `-var`: undeclared names are an error.
    CommandLine,
}

/// Names of variables that need a value and have none, in the order of their declaration: what an interactive caller asks for.
pub fn missing_variables<'a>(configuration: &'a Configuration, inputs: &[VariableInput]) -> Vec<&'a str> {
    let given: BTreeSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let missing =
        |(name, block): &(&'a String, &'a VariableBlock)| block.default.is_none() && !given.contains(name.as_str());
    configuration.variables.iter().filter(missing).map(|(name, _)| name.as_str()).collect()
}

/// One value for each declared variable: the last input of a name wins, then the default. Sensitive and ephemeral ones are marked.
///
/// A variable in error has an unknown value, so that what refers to it can still be judged. Validation rules are not judged here: they are
/// part of the graph.
pub fn resolve_variables(
    configuration: &Configuration,
    inputs: &[VariableInput],
) -> (BTreeMap<String, Value>, Diagnostics) {
    let mut diagnostics = undeclared(configuration, inputs);
    let mut last: BTreeMap<&str, &VariableInput> = BTreeMap::new();
    for input in inputs {
        last.insert(&input.name, input);
    }
    let mut values = BTreeMap::new();
    for (name, block) in &configuration.variables {
        let value = match resolve(name, block, last.get(name.as_str()).copied()) {
            Ok(value) => value,
            Err(problems) => {
                diagnostics.extend(problems);
                Value::unknown(block.ty.clone())
            }
        };
        values.insert(name.clone(), value.marked(marks(block)));
    }
    (values, diagnostics)
}

/// Marks that every value of the variable carries.
pub(crate) fn marks(block: &VariableBlock) -> Marks {
    let sensitive = if block.sensitive { Marks::SENSITIVE } else { Marks::NONE };
    let ephemeral = if block.ephemeral { Marks::EPHEMERAL } else { Marks::NONE };
    sensitive | ephemeral
}

fn undeclared(configuration: &Configuration, inputs: &[VariableInput]) -> Diagnostics {
    /// How many values of files are told one by one.
    const TOLD: usize = 2;
    /// How many of the others are named.
    const NAMED: usize = 10;
    let declared = &configuration.variables;
    let mut diagnostics = Diagnostics::new();
    let mut told = BTreeSet::new();
    let mut in_files = 0;
    let mut others = Vec::new();
    // The environment may hold values that nobody asks for.
    for input in
        inputs.iter().filter(|input| input.origin != Origin::Environment && !declared.contains_key(&input.name))
    {
        let name = input.name.as_str();
        if !told.insert((name, input.origin == Origin::CommandLine)) {
            continue;
        }
        let suggestion = || did_you_mean(name, declared.keys().map(String::as_str));
        match &input.origin {
            Origin::Environment => {}
            Origin::File(_) if in_files == TOLD => others.push(name),
            Origin::File(file) => {
                in_files += 1;
                diagnostics.push(Diagnostic::warning(
                    "Value for undeclared variable",
                    format!("The file \"{file}\" sets a variable named \"{name}\", but the configuration declares none of that name.{}", suggestion()),
                ));
            }
            Origin::CommandLine => diagnostics.push(
                Diagnostic::error(
                    "Value for undeclared variable",
                    format!("A variable named \"{name}\" was assigned on the command line, but the configuration declares none of that name.{}", suggestion()),
                )
                .hint(format!("variable \"{name}\" {{}}")),
            ),
        }
    }
    if !others.is_empty() {
        let mut named: Vec<String> = others.iter().take(NAMED).map(|name| format!("\"{name}\"")).collect();
        named.extend(others.len().checked_sub(NAMED + 1).map(|more| format!("and {} others", more + 1)));
        let detail = format!(
            "Files set {} more variables that the configuration does not declare: {}. What many configurations share can be given by the \
             environment, which may hold values that nobody asks for: TF_VAR_name.",
            others.len(),
            named.join(", ")
        );
        diagnostics.push(Diagnostic::warning("Values for undeclared variables", detail));
    }
    diagnostics
}

/// The value of a module's variable from what its `module` block gives, if anything. `address` is the variable's, from the root module.
///
/// # Errors
/// When the value is not of the variable's type, or null where there must be something.
pub(crate) fn input_value(
    address: &str,
    block: &VariableBlock,
    given: Option<(Value, Span)>,
    call: &Span,
) -> Result<Value, Diagnostics> {
    let (value, span) = match (given, &block.default) {
        (Some((value, span)), _) if !value.is_null() || block.nullable => (value, span),
        (_, Some(default)) => (default.clone(), block.span.clone()),
        (Some((_, span)), None) => {
            let detail =
                format!("The given value is not suitable for {address}: it may not be null, and has no default.");
            return Err(Diagnostic::error("Required variable not set", detail).at(span).into());
        }
        (None, None) => {
            let detail = format!("The argument {:?} is required, but no definition was found.", block.name);
            return Err(Diagnostic::error("Missing required argument", detail).at(call.clone()).into());
        }
    };
    if value.marks_deep().contains(Marks::EPHEMERAL) && !block.ephemeral {
        let detail = format!("The value is ephemeral, and {address} is not declared to take ephemeral values.");
        let problem = Diagnostic::error("Ephemeral value not allowed", detail).at(span);
        return Err(problem.hint("ephemeral = true").into());
    }
    match convert::convert(&value, &block.ty) {
        Ok(value) => Ok(value.marked(marks(block))),
        Err(error) => {
            let detail = format!("The given value is not suitable for {address}: {error}.");
            Err(Diagnostic::error("Invalid value for input variable", detail).at(span).into())
        }
    }
}

pub(crate) fn resolve(name: &str, block: &VariableBlock, input: Option<&VariableInput>) -> Result<Value, Diagnostics> {
    let given = match input.map(|input| &input.value) {
        None => None,
        Some(InputValue::Text(text)) => {
            // The text is in no file: the place is that of the variable.
            let at_block =
                |found: Diagnostics| found.into_iter().map(|problem| problem.or_at(Some(&block.span))).collect();
            let value: Result<Value, Diagnostics> =
                parse_variable_value(text, block.declared_type(), name).map_err(at_block);
            Some((value?, None))
        }
        Some(InputValue::Value(value, span)) => Some((value.clone(), span.clone())),
    };
    let (value, span) = match given {
        // Null means the default only where null itself is not allowed.
        Some((value, span)) if !value.is_null() || block.nullable => (value, span),
        Some(_) | None => match &block.default {
            Some(default) => (default.clone(), Some(block.span.clone())),
            None if input.is_some() => {
                let detail =
                    format!("The variable \"{name}\" is not nullable and has no default, so null is no value for it.");
                return Err(Diagnostic::error("Required variable not set", detail).at(block.span.clone()).into());
            }
            None => {
                let detail = format!("The root module input variable \"{name}\" is not set, and has no default value.");
                let missing = Diagnostic::error("No value for required variable", detail).at(block.span.clone());
                let missing = missing.of_kind(DiagnosticKind::MissingValue);
                return Err(missing.hint(format!("-var '{name}=...'")).into());
            }
        },
    };
    convert::convert(&value, &block.ty).map_err(|error| {
        let mut detail = format!("The given value is not suitable for var.{name}: {error}.");
        // Whoever shows a place shows the text that stands there.
        let shown = span.filter(|_| !marks(block).is_private());
        if let (None, Some(Origin::File(file))) = (&shown, input.map(|input| &input.origin)) {
            detail.push_str(&format!(" The value, which is not shown, stands in \"{file}\"."));
        }
        let problem = Diagnostic::error("Invalid value for input variable", detail);
        problem.at(shown.unwrap_or_else(|| block.span.clone())).into()
    })
}
