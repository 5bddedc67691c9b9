//! What diagnostics say of references: those that have no value, and the values of those in a failed expression.

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{AddressKind, Diagnostic, Kind, Marks, Type, Value};

use crate::evaluate::{Evaluator, access};
use crate::expression::{Expression, Node, Source, Step, Traversal, walk};
use crate::reference::{InvalidReference, Reference};
use crate::scope::Scope;

/// Longest text of a string that is shown, in characters.
const MAX_SHOWN: usize = 80;

/// The value of a reference that means something even when nobody set it.
pub(super) fn default_value(reference: &Reference) -> Option<Value> {
    match reference {
        Reference::Path(name) if name == "module" || name == "root" => Some(Value::from(".")),
        _ => None,
    }
}

/// The diagnostic for a reference without a value.
pub(crate) fn missing(scope: &Scope, reference: &Reference) -> Diagnostic {
    let known = |select: &dyn Fn(&Reference) -> Option<String>| scope.known(select);
    let hint = |given: &str, names: Vec<String>| did_you_mean(given, names.iter().map(String::as_str));
    match reference {
        Reference::Variable(name) => {
            let names = known(&|reference| match reference {
                Reference::Variable(name) => Some(name.clone()),
                _ => None,
            });
            undeclared_variable(name, &hint(name, names))
        }
        Reference::Local(name) => {
            let names = known(&|reference| match reference {
                Reference::Local(name) => Some(name.clone()),
                _ => None,
            });
            undeclared_local(name, &hint(name, names))
        }
        Reference::Object(address) => {
            let names = known(&|reference| match reference {
                Reference::Object(known) if known.kind == address.kind => Some(known.to_string()),
                _ => None,
            });
            undeclared_object(reference, &hint(&address.to_string(), names))
        }
        Reference::Module(module) | Reference::ModuleOutput { module, .. } => {
            let names = known(&|reference| match reference {
                Reference::Module(name) => Some(name.clone()),
                _ => None,
            });
            undeclared_module(module, &hint(module, names))
        }
        Reference::Model(_) | Reference::Executor { .. } => {
            let names = known(&|known| match (known, reference) {
                (Reference::Model(_), Reference::Model(_))
                | (Reference::Executor { .. }, Reference::Executor { .. }) => Some(known.to_string()),
                _ => None,
            });
            undeclared_object(reference, &hint(&reference.to_string(), names))
        }
        Reference::Path(name) => Diagnostic::error(
            "Invalid \"path\" attribute",
            format!(
                "The \"path\" object does not have an attribute named {name:?}.{}",
                did_you_mean(name, ["cwd", "module", "root"])
            ),
        ),
        Reference::Terraform(name) => Diagnostic::error(
            "Invalid \"terraform\" attribute",
            format!(
                "The \"terraform\" object does not have an attribute named {name:?}. The supported attributes are terraform.workspace and terraform.applying."
            ),
        ),
        Reference::Each => Diagnostic::error(
            "Reference to \"each\" in context without for_each",
            "The \"each\" object can be used only in \"resource\", \"data\", \"ephemeral\", \"stage\" and \"module\" blocks, and only when the \
             \"for_each\" argument is set.",
        ),
        Reference::Count => Diagnostic::error(
            "Reference to \"count\" in non-counted context",
            "The \"count\" object can only be used in \"resource\", \"data\", \"ephemeral\", \"stage\" and \"module\" blocks, and only when \
             the \"count\" argument is set.",
        ),
        Reference::SelfObject => Diagnostic::error(
            "Invalid \"self\" reference",
            "The \"self\" object is not available in this context. This object can be used only in postcondition blocks.",
        ),
        Reference::Provider(name) => Diagnostic::error(
            "Reference to undeclared provider",
            format!("There is no provider configuration named {name:?} to refer to here."),
        ),
    }
}

pub(crate) fn undeclared_variable(name: &str, hint: &str) -> Diagnostic {
    let detail = match hint {
        "" => format!(
            "An input variable with the name {name:?} has not been declared. This variable can be declared with a variable {name:?} {{}} block."
        ),
        hint => format!("An input variable with the name {name:?} has not been declared.{hint}"),
    };
    Diagnostic::error("Reference to undeclared input variable", detail)
}

pub(crate) fn undeclared_local(name: &str, hint: &str) -> Diagnostic {
    let detail = format!("A local value with the name {name:?} has not been declared.{hint}");
    Diagnostic::error("Reference to undeclared local value", detail)
}

pub(crate) fn undeclared_module(name: &str, hint: &str) -> Diagnostic {
    let detail = format!("No module call named {name:?} is declared in this module.{hint}");
    Diagnostic::error("Reference to undeclared module", detail)
}

pub(crate) fn undeclared_object(reference: &Reference, hint: &str) -> Diagnostic {
    let (summary, detail) = match reference {
        Reference::Object(address) => {
            let (noun, article) = match address.kind {
                AddressKind::Resource => ("resource", "A managed resource"),
                AddressKind::Data => ("resource", "A data resource"),
                AddressKind::Stage => ("stage", "A stage"),
                AddressKind::Ephemeral => ("resource", "An ephemeral resource"),
            };
            let detail = format!("{article} {:?} {:?} has not been declared.", address.type_name, address.name);
            (format!("Reference to undeclared {noun}"), detail)
        }
        Reference::Model(name) => (
            "Reference to undeclared model".to_owned(),
            format!("A model with the name {name:?} has not been declared."),
        ),
        Reference::Executor { kind, name } => (
            "Reference to undeclared executor".to_owned(),
            format!("An executor {kind:?} {name:?} has not been declared."),
        ),
        other => ("Reference to undeclared object".to_owned(), format!("{other} has not been declared.")),
    };
    Diagnostic::error(summary, format!("{detail}{hint}"))
}

/// The diagnostic for names that make no reference at all.
pub(super) fn invalid(evaluator: &Evaluator<'_>, invalid: &InvalidReference, root: &str) -> Diagnostic {
    let names = evaluator.names.iter().map(|(name, _)| name.as_str());
    Diagnostic::error(invalid.summary, format!("{}{}", invalid.detail, did_you_mean(root, names)))
}

/// The diagnostic for a name that a template was not given.
pub(super) fn unknown_template_name(evaluator: &Evaluator<'_>, name: &str) -> Diagnostic {
    let detail = format!("The template's variables do not include {name:?}.{}", {
        let names: Vec<&str> = evaluator.names.iter().map(|(name, _)| name.as_str()).collect();
        did_you_mean(name, names)
    });
    Diagnostic::error("Invalid reference in template", detail)
}

/// References in an expression, each with a description of its value; each text once, in the order of the text.
pub(super) fn values_in(evaluator: &Evaluator<'_>, expression: &Expression) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    walk(expression, &mut Vec::new(), &mut |traversal, shadowed| {
        let Source::Root { name, .. } = &traversal.source else { return };
        if shadowed.contains(name) {
            return;
        }
        if let Some((text, value)) = known_part(evaluator, traversal)
            && !found.iter().any(|(known, _)| *known == text)
        {
            let local = evaluator.names.iter().any(|(defined, _)| defined == name);
            let hidden = if local { evaluator.hidden } else { Marks::NONE };
            found.push((text, describe(&value.marked(hidden))));
        }
    });
    found
}

/// The part of a traversal that can be named and has a value: up to the first step that does not apply.
fn known_part(evaluator: &Evaluator<'_>, traversal: &Traversal) -> Option<(String, Value)> {
    let Source::Root { name, span } = &traversal.source else { return None };
    let (mut value, consumed) = evaluator.root(name, span, traversal).ok()?;
    let mut text = name.clone();
    for (position, step) in traversal.steps.iter().enumerate() {
        let (shown, next) = match step {
            Step::Attribute { name, .. } => (format!(".{name}"), access::attribute(&value, name)),
            Step::Index { key, .. } => match key.node() {
                Node::Literal(key) => (format!("[{key}]"), access::index(&value, key)),
                _ => break,
            },
            Step::Splat { .. } => break,
        };
        if position < consumed {
            text.push_str(&shown);
            continue;
        }
        let Ok(next) = next else { break };
        text.push_str(&shown);
        value = next;
    }
    Some((text, value))
}

/// What can be said of a value in a line: small ones whole, sensitive and ephemeral ones not at all.
pub(crate) fn describe(value: &Value) -> String {
    if value.marks_deep().contains(Marks::SENSITIVE) {
        return "a sensitive value".to_owned();
    }
    if value.marks_deep().contains(Marks::EPHEMERAL) {
        return "an ephemeral value".to_owned();
    }
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    match value.kind() {
        Kind::Null(_) => "null".to_owned(),
        Kind::Unknown(unknown) => match unknown.ty {
            Type::Any => "known only after apply".to_owned(),
            ref ty => format!("{}, known only after apply", ty.friendly_name()),
        },
        Kind::Bool(_) | Kind::Number(_) => value.to_string(),
        Kind::String(text) if text.chars().count() > MAX_SHOWN => {
            let shown: String = text.chars().take(MAX_SHOWN).collect();
            format!("{shown:?}...")
        }
        Kind::String(_) => value.to_string(),
        Kind::List(_, elements) | Kind::Set(_, elements) => {
            let ty = value.ty().friendly_name();
            if elements.is_empty() {
                format!("empty {ty}")
            } else {
                format!("{ty} with {}", counted(elements.len(), "element"))
            }
        }
        Kind::Tuple(elements) if elements.is_empty() => "empty tuple".to_owned(),
        Kind::Tuple(elements) => format!("tuple with {}", counted(elements.len(), "element")),
        Kind::Map(_, elements) => {
            let ty = value.ty().friendly_name();
            if elements.is_empty() {
                format!("empty {ty}")
            } else {
                format!("{ty} with {}", counted(elements.len(), "element"))
            }
        }
        Kind::Object(attributes) if attributes.is_empty() => "object with no attributes".to_owned(),
        Kind::Object(attributes) => match attributes.keys().next() {
            Some(name) if attributes.len() == 1 => format!("object with 1 attribute {name:?}"),
            _ => format!("object with {}", counted(attributes.len(), "attribute")),
        },
    }
}
