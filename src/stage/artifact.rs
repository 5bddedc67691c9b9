//! Kinds of artifacts: what one stage makes and another takes. A kind is known by the name that its file or folder has in every output folder,
//! so that what does not go together is told before anything runs.

use std::path::Path as FilePath;

use pipectl_core::{Diagnostic, Kind, Path, Type, Value};

/// What an output is, for those stages that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Artifact {
    /// Rows in shards, with what describes them.
    Dataset,
    /// The weights of a trained network, with its declaration.
    Weights,
    /// A model in the format ONNX.
    Onnx,
    /// What a model says of each row.
    Predictions,
}

impl Artifact {
    /// All kinds.
    pub const ALL: [Artifact; 4] = [Artifact::Dataset, Artifact::Weights, Artifact::Onnx, Artifact::Predictions];

    /// The name of the file or folder in the output folder of whoever makes it.
    pub const fn file(self) -> &'static str {
        match self {
            Artifact::Dataset => "dataset",
            Artifact::Weights => "weights.safetensors",
            Artifact::Onnx => "model.onnx",
            Artifact::Predictions => "predictions.parquet",
        }
    }

    /// Where it comes from, for people.
    const fn origin(self) -> &'static str {
        match self {
            Artifact::Dataset => "the `dataset` of a convert stage",
            Artifact::Weights => "the `weights` of a train stage",
            Artifact::Onnx => "the `file` of an export stage",
            Artifact::Predictions => "the `predictions` of a score stage",
        }
    }

    /// How it is referred to.
    const fn reference(self) -> &'static str {
        match self {
            Artifact::Dataset => "stage.convert.NAME.dataset",
            Artifact::Weights => "stage.train.NAME.weights",
            Artifact::Onnx => "stage.export.NAME.file",
            Artifact::Predictions => "stage.score.NAME.predictions",
        }
    }

    /// The kind of an artifact at a path, where its name tells.
    fn at(path: &str) -> Option<Self> {
        let name = FilePath::new(path).file_name()?.to_str()?;
        Self::ALL.into_iter().find(|kind| kind.file() == name)
    }

    /// What is wrong with the value of an argument that takes this kind, as far as that is known already.
    pub fn misfit(self, argument: &str, value: &Value) -> Option<Diagnostic> {
        let given = unlike(self, value)?;
        let detail = format!("The argument `{argument}` takes {}, and this is {given}.", self.origin());
        let problem = Diagnostic::error("Wrong kind of artifact", detail).on(Path::of(argument));
        Some(problem.hint(format!("{argument} = {}", self.reference())))
    }
}

/// What a value is that cannot be an artifact of a kind.
fn unlike(wanted: Artifact, value: &Value) -> Option<String> {
    let has_both = |has: &dyn Fn(&str) -> bool| has("digest") && has("path");
    match value.kind() {
        Kind::Null(_) => None,
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Any | Type::Map(_) => None,
            Type::Object(fields) if has_both(&|name| fields.contains_key(name)) => None,
            Type::Object(fields) if fields.contains_key("resources") => Some(whole_stage()),
            ty => Some(format!("a value of the type {}", ty.friendly_name())),
        },
        Kind::Object(attributes) | Kind::Map(_, attributes) => {
            if has_both(&|name| attributes.contains_key(name)) {
                let found = attributes.get("path").and_then(Value::as_str).and_then(Artifact::at);
                return found.filter(|found| *found != wanted).map(|found| found.origin().to_owned());
            }
            Some(match attributes.contains_key("resources") {
                true => whole_stage(),
                false => "an object without `digest` and `path`".to_owned(),
            })
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
            Some(format!("a value of the type {}", value.ty().friendly_name()))
        }
    }
}

fn whole_stage() -> String {
    "a stage as a whole, not one of its outputs".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(path: Value) -> Value {
        Value::object([("digest", Value::unknown(Type::String)), ("path", path)])
    }

    fn said(value: Value) -> String {
        Artifact::Weights.misfit("weights", &value).map(|found| found.detail).unwrap_or_default()
    }

    #[test]
    fn what_may_still_be_right_passes() {
        let ty = Type::object([("digest", Type::String), ("path", Type::String)]);
        let right = [
            Value::null(),
            Value::unknown(Type::Any),
            Value::unknown(ty),
            artifact(Value::unknown(Type::String)),
            artifact(Value::from("made/train.x/weights.safetensors")),
            artifact(Value::from("elsewhere/mine")),
        ];
        for value in right {
            assert_eq!(said(value.clone()), "", "{value:?}");
        }
    }

    #[test]
    fn what_is_something_else_is_told() {
        assert!(
            said(artifact(Value::from("made/convert.x/dataset")))
                .ends_with("this is the `dataset` of a convert stage.")
        );
        assert!(
            said(Value::object([("resources", Value::null())]))
                .ends_with("this is a stage as a whole, not one of its outputs.")
        );
        assert!(said(Value::object([("layer", Value::null())])).ends_with("an object without `digest` and `path`."));
        assert!(said(Value::unknown(Type::Number)).ends_with("a value of the type number."));
        assert!(said(Value::from("x")).ends_with("a value of the type string."));
    }
}
