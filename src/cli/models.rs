//! The `model` block: its arguments, and what becomes of it.
//!
//! The shapes, references and layers are `network`'s to judge. Here its words are brought to the places in the block, and its checked
//! declaration becomes the value that expressions see.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::{
    Attribute, Block, BlockBody, Diagnostic, Diagnostics, Marks, Path, Schema, Step, Type, Value, json,
};
use pipectl_network::{LayerKind, Network, NetworkError};
use pipectl_provider::ValueBlock;

/// The `model` block.
///
/// Its value is the checked declaration with all defaults spelt out, `{ name, inputs, layers, output }`, and the number of trainable
/// `parameters`. So a default that is spelt out changes nothing, and layers may be declared in any order.
pub fn model() -> ValueBlock {
    ValueBlock { schema: schema(), finish: Arc::new(finish) }
}

fn schema() -> Schema {
    let input = Schema::of([(
        "shape",
        Attribute::required(
            Type::list(Type::Number),
            "Size of each axis of one row. A sequence is `[steps, features]`.",
        ),
    )]);
    let layers: BTreeMap<String, Schema> =
        LayerKind::NAMES.iter().map(|kind| ((*kind).to_owned(), layer(kind))).collect();
    let any_number = Block::list(Schema::default(), "A layer: its kind and its name.").labelled(["kind", "name"]);
    Schema::of([
        ("description", Attribute::optional(Type::String, "What the model is for.")),
        ("output", Attribute::required(Type::Any, "The layer whose value is the model's: `layer.class`.")),
    ])
    .described("A network, declared once; it trains, exports and scores.")
    .block("input", Block::list(input, "An input and its shape.").labelled(["name"]))
    .block("layer", Block { body: BlockBody::ByLabel(layers), ..any_number })
}

/// The arguments of a layer kind. All may be absent here: `network` knows which must be there.
fn layer(kind: &str) -> Schema {
    let units = ("units", Attribute::optional(Type::Number, "Width of the layer's value."));
    let activation = ("activation", Attribute::optional(Type::String, "Function applied to the layer's value."));
    let recurrent = [
        ("recurrent_activation", Attribute::optional(Type::String, "Function of the gates: \"sigmoid\".")),
        (
            "return_sequences",
            Attribute::optional(Type::Bool, "Whether the value is the state after every step. Default false."),
        ),
    ];
    let own = match kind {
        "masking" => vec![("mask_value", Attribute::optional(Type::Number, "The value of padding. Default 0."))],
        "gru" => {
            let reset_after = Attribute::optional(Type::Bool, "Whether the reset gate comes after the product: true.");
            [units, activation, ("reset_after", reset_after)].into_iter().chain(recurrent).collect()
        }
        "lstm" => [units, activation].into_iter().chain(recurrent).collect(),
        "dense" => vec![units, activation],
        "dropout" => vec![("rate", Attribute::optional(Type::Number, "The part set to zero in training."))],
        "concat" => vec![(
            "axis",
            Attribute::optional(Type::Number, "The axis to join along; the batch is axis 0. Default -1, the last."),
        )],
        _ => Vec::new(),
    };
    let input =
        Attribute::required(Type::Any, "What the layer reads: `input.<name>`, `layer.<name>`, or a list of them.");
    let enabled = Attribute::optional(Type::Bool, "Whether the layer is part of the network. Default true.");
    let of_all = Schema::of([("input", input), ("enabled", enabled)]);
    own.into_iter().fold(of_all, |schema, (name, attribute)| schema.attribute(name, attribute))
}

/// Judges an evaluated block: `{ name, description, input = [...], layer = [...], output }`.
fn finish(block: Value) -> (Value, Diagnostics) {
    let list = |name: &str| block.set_attribute(name).cloned().unwrap_or_else(|| Value::tuple([]));
    let declaration = Value::object([
        ("name", block.attribute("name").cloned().unwrap_or_else(Value::null)),
        ("inputs", list("input")),
        ("layers", list("layer")),
        ("output", block.attribute("output").cloned().unwrap_or_else(Value::null)),
    ]);
    // A network is one thing: what is sensitive in one of its layers is so in all that follows from it.
    let marks = declaration.marks_deep();
    let Some(declared) = json::to_json(&declaration) else {
        // Something is known after apply, or evaluation has failed and said so.
        let unknown = Value::unknown(Type::Number).marked(marks);
        return (declaration.with_attribute("parameters", unknown), Diagnostics::new());
    };
    let mut declared = without_nulls(&declared);
    let kept = leave_out_disabled(&mut declared);
    match Network::from_json(&declared) {
        Ok(network) => {
            let parameters = i64::try_from(network.parameter_count()).unwrap_or(i64::MAX);
            let value = json::from_json(&network.to_json());
            (value.with_attribute("parameters", Value::from(parameters)).marked(marks), Diagnostics::new())
        }
        Err(errors) => {
            let broken = Value::unknown(Type::Any).marked(marks);
            (broken, errors.iter().map(|error| diagnostic(&block, error, &kept, marks)).collect())
        }
    }
}

/// Takes out the layers with `enabled = false`. Answers where the others stood.
fn leave_out_disabled(declaration: &mut serde_json::Value) -> Vec<usize> {
    let Some(layers) = declaration["layers"].as_array_mut() else { return Vec::new() };
    let is_enabled = |layer: &serde_json::Value| layer["enabled"] != false;
    let kept = layers.iter().enumerate().filter(|(_, layer)| is_enabled(layer)).map(|(index, _)| index).collect();
    layers.retain(is_enabled);
    for layer in layers {
        layer.as_object_mut().map(|layer| layer.remove("enabled"));
    }
    kept
}

/// `kept`: where the layers that the error counts stand in the block.
fn diagnostic(block: &Value, error: &NetworkError, kept: &[usize], marks: Marks) -> Diagnostic {
    let path = in_block(&Path::parse(&error.path), kept);
    let subject = match (path.0.first(), path.0.get(1)) {
        (Some(Step::Name(kind)), Some(Step::Index(index))) => {
            let name = block.at(&Path::of(kind).index(*index).name("name")).and_then(Value::as_str);
            name.map(|name| format!("In {kind} \"{name}\"")).unwrap_or_else(|| format!("In {kind} {}", index + 1))
        }
        _ => match block.attribute("name").and_then(Value::as_str) {
            Some(name) => format!("In model \"{name}\""),
            None => "In the model".to_owned(),
        },
    };
    let argument = match path.0.last() {
        Some(Step::Name(name)) if path.0.len() > 2 => format!(", argument `{name}`"),
        _ => String::new(),
    };
    // Messages quote values.
    let (message, hint) = match marks.is_private() {
        true => ("this does not fit. Why is not told, because values in this model are sensitive or ephemeral", None),
        false => (error.message.trim_end_matches('.'), error.hint.clone()),
    };
    let diagnostic = Diagnostic::error("Invalid model", format!("{subject}{argument}: {message}."));
    hint.into_iter().fold(diagnostic, Diagnostic::hint).on(path)
}

/// `layers[3].units` of the declaration is `layer[3].units` of the block, or `layer[4].units` when a layer before it is left out.
fn in_block(path: &Path, kept: &[usize]) -> Path {
    let is_layer = path.0.first().is_some_and(|step| matches!(step, Step::Name(name) if name == "layers"));
    let translate = |(at, step): (usize, &Step)| match (at, step) {
        (0, Step::Name(name)) if name == "layers" => Step::Name("layer".to_owned()),
        (0, Step::Name(name)) if name == "inputs" => Step::Name("input".to_owned()),
        (1, Step::Index(index)) if is_layer => Step::Index(kept.get(*index).copied().unwrap_or(*index)),
        (_, step) => step.clone(),
    };
    Path(path.0.iter().enumerate().map(translate).collect())
}

fn without_nulls(json: &serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        serde_json::Value::Array(elements) => elements.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier(units: i64, reads: &str) -> Value {
        let input =
            Value::object([("name", Value::from("x")), ("shape", Value::list(Type::Number, [Value::from(14)]))]);
        let layer = Value::object([
            ("kind", Value::from("dense")),
            ("name", "class".into()),
            ("input", reads.into()),
            ("units", units.into()),
            ("activation", Value::null()),
        ]);
        Value::object([
            ("name", Value::from("small")),
            ("description", Value::null()),
            ("input", Value::tuple([input])),
            ("layer", Value::tuple([layer])),
            ("output", "layer.class".into()),
        ])
    }

    #[test]
    fn what_is_sensitive_in_a_layer_is_so_in_all_that_follows_from_it() {
        let secret = |units: i64| {
            let block = classifier(units, "input.x");
            let path = Path::of("layer").index(0).name("units");
            [Marks::SENSITIVE, Marks::SECRET].into_iter().fold(block, |block, mark| block.mark_at(&path.0, mark))
        };
        let (value, diagnostics) = finish(secret(3));
        assert!(diagnostics.is_empty());
        assert!(value.marks().contains(Marks::SECRET) && value.is_sensitive());
        let (_, diagnostics) = finish(secret(-9391));
        assert!(diagnostics.has_errors() && !format!("{diagnostics:?}").contains("9391"), "{diagnostics:?}");
    }

    #[test]
    fn counts_parameters() {
        let (value, diagnostics) = finish(classifier(3, "input.x"));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(value.attribute("parameters"), Some(&Value::from(14 * 3 + 3)));
        let kind = Path::of("layers").index(0).name("activation");
        assert_eq!(value.at(&kind).and_then(Value::as_str), Some("linear"));
    }

    #[test]
    fn mistakes_carry_their_place_in_the_block() {
        for (block, path) in
            [(classifier(0, "input.x"), "layer[0].units"), (classifier(3, "input.y"), "layer[0].input")]
        {
            let (_, diagnostics) = finish(block);
            let paths: Vec<String> =
                diagnostics.iter().filter_map(|diagnostic| Some(diagnostic.path.as_ref()?.to_string())).collect();
            assert!(paths.iter().any(|found| found.starts_with(path)), "{diagnostics:?}");
        }
    }

    #[test]
    fn a_layer_that_is_not_enabled_is_left_out_and_counted_where_mistakes_are_placed() {
        let off = Value::object([
            ("kind", Value::from("dense")),
            ("name", "other".into()),
            ("input", "input.x".into()),
            ("units", 5.into()),
            ("enabled", false.into()),
        ]);
        let with_both = |units, reads| {
            let block = classifier(units, reads);
            let layers = block.attribute("layer").and_then(Value::as_slice).unwrap_or_default();
            block.with_attribute("layer", Value::tuple([off.clone(), layers[0].clone()]))
        };
        let (value, diagnostics) = finish(with_both(3, "input.x"));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(value.attribute("parameters"), Some(&Value::from(14 * 3 + 3)));
        let (_, diagnostics) = finish(with_both(3, "layer.other"));
        let paths: Vec<_> = diagnostics.iter().filter_map(|found| Some(found.path.as_ref()?.to_string())).collect();
        assert_eq!(paths, ["layer[1].input"], "{diagnostics:?}");
    }

    #[test]
    fn every_layer_kind_has_arguments() {
        for kind in LayerKind::NAMES {
            assert!(layer(kind).attributes.contains_key("input"), "{kind}");
        }
    }
}
