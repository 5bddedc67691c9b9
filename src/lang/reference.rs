//! References: what an expression asks for by name, before any value is known.

use std::fmt;

use pipectl_core::{Address, AddressKind};

/// One thing that an expression refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `var.name`
    Variable(String),
    /// `local.name`
    Local(String),
    /// `type.name`, `data.type.name`, `stage.kind.name`: the whole block, without an instance key.
    Object(Address),
    /// `module.name`: the outputs of a module, or all its instances with their outputs.
    Module(String),
    /// `module.name.output`: one output of a module.
    ModuleOutput {
        /// The `module` block's name.
        module: String,
        /// The output's name.
        output: String,
        /// Whether an instance stands between them: `module.name["key"].output`. Then the value is what the output is in every instance, by key.
        of_instances: bool,
    },
    /// `model.name`
    Model(String),
    /// `executor.kind.name`
    Executor {
        /// The executor's kind, `local` or `kubernetes`.
        kind: String,
        /// The block's name.
        name: String,
    },
    /// `path.root`, `path.module`, `path.cwd`
    Path(String),
    /// `each`: an object with `key` and `value`.
    Each,
    /// `count`: an object with `index`.
    Count,
    /// `self`: the object that a condition is about.
    SelfObject,
    /// `terraform.workspace`
    Terraform(String),
    /// `provider.name`
    Provider(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Variable(name) => write!(f, "var.{name}"),
            Reference::Local(name) => write!(f, "local.{name}"),
            Reference::Object(address) => write!(f, "{address}"),
            Reference::Module(name) => write!(f, "module.{name}"),
            Reference::ModuleOutput { module, output, of_instances: false } => write!(f, "module.{module}.{output}"),
            Reference::ModuleOutput { module, output, of_instances: true } => {
                write!(f, "module.{module}[...].{output}")
            }
            Reference::Model(name) => write!(f, "model.{name}"),
            Reference::Executor { kind, name } => write!(f, "executor.{kind}.{name}"),
            Reference::Path(name) => write!(f, "path.{name}"),
            Reference::Each => f.write_str("each"),
            Reference::Count => f.write_str("count"),
            Reference::SelfObject => f.write_str("self"),
            Reference::Terraform(name) => write!(f, "terraform.{name}"),
            Reference::Provider(name) => write!(f, "provider.{name}"),
        }
    }
}

/// Names at the start of a traversal do not make a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidReference {
    pub(crate) summary: &'static str,
    pub(crate) detail: String,
}

impl InvalidReference {
    fn new(detail: impl Into<String>) -> Self {
        Self { summary: "Invalid reference", detail: detail.into() }
    }
}

/// Reads the reference that a traversal starts with: its root and the attribute names that directly follow it.
///
/// Returns the reference and how many of `names` belong to it.
pub(crate) fn parse(root: &str, names: &[&str]) -> Result<(Reference, usize), InvalidReference> {
    let one = |make: fn(String) -> Reference| match names.first() {
        Some(name) => Ok((make((*name).to_owned()), 1)),
        None => Err(InvalidReference::new(format!(
            "The \"{root}\" object cannot be accessed directly. Instead, access one of its attributes."
        ))),
    };
    let object = |kind: AddressKind, what: &str| match names {
        [type_name, name, ..] => Ok((Reference::Object(Address::new(kind, type_name, name)), 2)),
        _ => Err(InvalidReference::new(format!(
            "The \"{root}\" object must be followed by two attribute names: the {what} and the block's name."
        ))),
    };
    match root {
        "var" => one(Reference::Variable),
        "local" => one(Reference::Local),
        "model" => one(Reference::Model),
        "path" => one(Reference::Path),
        "terraform" => one(Reference::Terraform),
        "provider" => one(Reference::Provider),
        "each" => Ok((Reference::Each, 0)),
        "count" => Ok((Reference::Count, 0)),
        "self" => Ok((Reference::SelfObject, 0)),
        "data" => object(AddressKind::Data, "data source type"),
        "stage" => object(AddressKind::Stage, "stage kind"),
        "ephemeral" => object(AddressKind::Ephemeral, "ephemeral resource type"),
        "resource" => object(AddressKind::Resource, "resource type"),
        "executor" => match names {
            [kind, name, ..] => Ok((Reference::Executor { kind: (*kind).to_owned(), name: (*name).to_owned() }, 2)),
            _ => Err(InvalidReference::new(
                "The \"executor\" object must be followed by two attribute names: the executor kind and the block's name.",
            )),
        },
        "module" => match names {
            [] => one(Reference::Module),
            [module] => Ok((Reference::Module((*module).to_owned()), 1)),
            [module, output, ..] => {
                let (module, output) = ((*module).to_owned(), (*output).to_owned());
                Ok((Reference::ModuleOutput { module, output, of_instances: false }, 2))
            }
        },
        type_name => match names.first() {
            Some(name) => Ok((Reference::Object(Address::new(AddressKind::Resource, type_name, name)), 1)),
            None => Err(InvalidReference::new(
                "A reference to a resource type must be followed by at least one attribute access, specifying the resource name.",
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "var.x",
            "local.x",
            "oci_core_vcn.main",
            "data.oci_images.all",
            "stage.train.inclusive",
            "ephemeral.random_password.x",
            "model.m",
            "module.m",
            "module.m.output",
            "executor.local.here",
            "path.root",
            "each",
            "count",
            "self",
            "terraform.workspace",
        ] {
            let mut parts = text.split('.');
            let root = parts.next().expect("a root");
            let names: Vec<&str> = parts.collect();
            let (reference, consumed) = parse(root, &names).expect("valid");
            assert_eq!((reference.to_string().as_str(), consumed), (text, names.len()));
        }
    }

    #[test]
    fn refuses_bare_roots() {
        for root in ["var", "local", "stage", "data", "executor", "aws_instance", "module"] {
            assert!(parse(root, &[]).is_err(), "{root}");
        }
        assert!(parse("stage", &["train"]).is_err());
    }
}
