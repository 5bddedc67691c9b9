//! What a stage makes, and how it looks in the language.

use pipectl_core::{Attribute, Type};

use crate::Artifact;

/// One output: an attribute of the stage.
///
/// A value output is the value itself: `stage.evaluate.test.accuracy`. A file or folder output is an object:
/// `{ digest = "sha256:..", path = "artifacts/hep/train.inclusive/weights.safetensors" }` with `path` relative to the root folder.
/// Handed to another stage, only `digest` counts for its key; its worker reads the files at `path`.
#[derive(Clone, Debug)]
pub struct Output {
    /// The attribute's name.
    pub name: &'static str,
    /// One sentence for the reference.
    pub description: &'static str,
    /// What it is.
    pub kind: OutputKind,
    /// What it is for stages that take it; nothing for what none takes.
    pub artifact: Option<Artifact>,
}

/// What an output is.
#[derive(Clone, Debug)]
pub enum OutputKind {
    /// A value that the run sets with `StageIo::set_value`.
    Value(Type),
    /// A file or a folder of the output folder, by its path there.
    Files(&'static str),
}

impl Output {
    /// A value output.
    pub fn value(name: &'static str, ty: Type, description: &'static str) -> Self {
        Self { name, description, kind: OutputKind::Value(ty), artifact: None }
    }

    /// A file or folder output at `path` of the output folder.
    pub fn files(name: &'static str, path: &'static str, description: &'static str) -> Self {
        Self { name, description, kind: OutputKind::Files(path), artifact: None }
    }

    /// What other stages take: every run makes it.
    pub fn artifact(name: &'static str, artifact: Artifact, description: &'static str) -> Self {
        Self { artifact: Some(artifact), ..Self::files(name, artifact.file(), description) }
    }

    /// The computed attribute of the schema that shows this output.
    pub fn attribute(&self) -> Attribute {
        Attribute::computed(self.ty(), self.description)
    }

    /// The type of the attribute.
    pub fn ty(&self) -> Type {
        match &self.kind {
            OutputKind::Value(ty) => ty.clone(),
            OutputKind::Files(_) => Type::object([("digest", Type::String), ("path", Type::String)]),
        }
    }
}
