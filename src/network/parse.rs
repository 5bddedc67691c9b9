//! From JSON to a checked [`Network`]: types, names, references, order, shapes. Collects every independent mistake.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::attributes::{Attributes, LAST_AXIS, count, kind_of};
use crate::declaration::{Input, Layer, LayerKind, Network, NodeRef};
use crate::error::NetworkError;
use crate::shape::{self, Shaped};

pub(crate) fn network(declaration: &Value) -> Result<Network, Vec<NetworkError>> {
    let mut errors = Vec::new();
    let Value::Object(object) = declaration else {
        return Err(vec![NetworkError::new("", format!("a model is an object, not {}", kind_of(declaration)))]);
    };
    let mut top = Attributes::new(String::new(), object, &mut errors);
    let name = top.text("name").unwrap_or_default();
    let input_values = top.list("inputs");
    let layer_values = top.list("layers");
    let output = top.text("output");
    let stated = top.get("parameters").cloned();
    top.finish();

    let inputs = inputs(&input_values, &mut errors);
    let drafts = drafts(&layer_values, &mut errors);
    let names = Names::new(&input_values, &layer_values);
    let links = links(&names, &drafts, &mut errors);
    let output = output.and_then(|output| output_index(&names, &output, &mut errors));
    let order = order(&drafts, &links, &mut errors);
    let shapes = shapes(&inputs, &drafts, &links, &order, &mut errors);
    if let Some(output) = output {
        if errors.is_empty() {
            unused(&inputs, &drafts, &links, output, &mut errors);
        }
        if let Some(Some(Inferred { shape, .. })) = shapes.get(output)
            && shape.len() != 1
        {
            let shape = format!("the output is one value per class, a shape of one axis, not {shape:?}");
            errors.push(NetworkError::new("output", shape).hint("A flatten layer makes one axis of several."));
        }
    }
    let Some(output) = output.filter(|_| errors.is_empty()) else {
        return Err(errors);
    };

    let mut position = vec![0; drafts.len()];
    for (at, &index) in order.iter().enumerate() {
        position[index] = at;
    }
    let renumber = |node: &NodeRef| match *node {
        NodeRef::Input(index) => NodeRef::Input(index),
        NodeRef::Layer(index) => NodeRef::Layer(position[index]),
    };
    let mut layers = Vec::with_capacity(drafts.len());
    for &index in &order {
        let (Some(draft), Some(inferred)) = (&drafts[index], &shapes[index]) else {
            return Err(vec![NetworkError::new(format!("layers[{index}]"), "the layer has no shape")]);
        };
        layers.push(Layer {
            name: draft.name.clone(),
            kind: inferred.kind.clone(),
            inputs: links[index].iter().flatten().map(renumber).collect(),
            shape: inferred.shape.clone(),
            masked: inferred.masked,
        });
    }
    let inputs = inputs.into_iter().flatten().collect();
    let network = Network { name, inputs, layers, output: position[output] };
    match stated {
        // What a `model` block evaluates to carries the count: it follows from the rest and may not contradict it.
        Some(stated) if stated.as_f64() != Some(network.parameter_count() as f64) => {
            let message = format!("the network has {} parameters, not {stated}", network.parameter_count());
            Err(vec![NetworkError::new("parameters", message)])
        }
        _ => Ok(network),
    }
}

/// A layer whose own attributes are right; its references are still text.
struct Draft {
    name: String,
    kind: LayerKind,
    reads: Vec<(String, String)>,
}

fn inputs(values: &[Value], errors: &mut Vec<NetworkError>) -> Vec<Option<Input>> {
    let mut seen = BTreeMap::new();
    let mut inputs = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let path = format!("inputs[{index}]");
        let Value::Object(object) = value else {
            errors.push(NetworkError::new(path, format!("an input is an object, not {}", kind_of(value))));
            inputs.push(None);
            continue;
        };
        let mut attributes = Attributes::new(path.clone(), object, errors);
        let name = attributes.name(&mut seen);
        let sizes = attributes.list("shape");
        attributes.finish();
        let mut shape = Vec::new();
        for (axis, size) in sizes.iter().enumerate() {
            match count(size) {
                Some(size) => shape.push(size),
                None => errors.push(NetworkError::new(
                    format!("{path}.shape[{axis}]"),
                    format!("a size is a whole number of at least 1, not {size}"),
                )),
            }
        }
        if object.get("shape").is_some_and(Value::is_array) && sizes.is_empty() {
            errors.push(NetworkError::new(format!("{path}.shape"), "a shape has at least one size"));
        }
        let mut whole = !shape.is_empty() && shape.len() == sizes.len();
        if whole && shape::numbers(&shape).is_none() {
            errors.push(NetworkError::new(format!("{path}.shape"), format!("{shape:?} has more numbers than fit")));
            whole = false;
        }
        inputs.push(name.filter(|_| whole).map(|name| Input { name, shape }));
    }
    inputs
}

fn drafts(values: &[Value], errors: &mut Vec<NetworkError>) -> Vec<Option<Draft>> {
    let mut seen = BTreeMap::new();
    let mut drafts = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let path = format!("layers[{index}]");
        let Value::Object(object) = value else {
            errors.push(NetworkError::new(path, format!("a layer is an object, not {}", kind_of(value))));
            drafts.push(None);
            continue;
        };
        let mut attributes = Attributes::new(path, object, errors);
        let name = attributes.name(&mut seen);
        let reads = attributes.references();
        let kind = attributes.layer_kind();
        drafts.push(match (name, kind) {
            (Some(name), Some(kind)) => {
                attributes.finish();
                if reads.len() > 1 && !matches!(kind, LayerKind::Concat { .. }) {
                    let message = format!("a {} layer reads one node, not {}", kind.name(), reads.len());
                    attributes.wrong("input", message, Some("A concat layer joins several."));
                }
                Some(Draft { name, kind, reads })
            }
            _ => None,
        });
    }
    drafts
}

/// Declared names, also of inputs and layers with mistakes: a reference to one of those is not a second mistake.
struct Names<'a> {
    inputs: Vec<Option<&'a str>>,
    layers: Vec<Option<&'a str>>,
    complete: bool,
}

impl<'a> Names<'a> {
    fn new(inputs: &'a [Value], layers: &'a [Value]) -> Self {
        fn names(values: &[Value]) -> Vec<Option<&str>> {
            values.iter().map(|value| value.get("name").and_then(Value::as_str)).collect()
        }
        let (inputs, layers) = (names(inputs), names(layers));
        let complete = inputs.iter().chain(&layers).all(Option::is_some);
        Names { inputs, layers, complete }
    }

    /// The node that `reference` names; `None` if it may name something whose own name is missing.
    fn resolve(&self, path: &str, reference: &str) -> Result<Option<NodeRef>, NetworkError> {
        let find = |names: &[Option<&str>], name: &str| names.iter().position(|known| *known == Some(name));
        let found = match reference.split_once('.') {
            Some(("input", name)) => find(&self.inputs, name).map(NodeRef::Input),
            Some(("layer", name)) => find(&self.layers, name).map(NodeRef::Layer),
            _ => {
                let message = format!("\"{reference}\" is neither input.<name> nor layer.<name>");
                let known = self.addresses();
                let by_name = known.iter().find(|address| address.split_once('.').is_some_and(|(_, n)| n == reference));
                let error = NetworkError::new(path, message);
                return Err(match by_name {
                    Some(address) => error.hint(format!("Did you mean \"{address}\"?")),
                    None => error.suggest(reference, known.iter().map(String::as_str)),
                });
            }
        };
        if found.is_some() || !self.complete {
            return Ok(found);
        }
        let known = self.addresses();
        Err(NetworkError::new(path, format!("{reference} is not declared"))
            .suggest(reference, known.iter().map(String::as_str)))
    }

    fn addresses(&self) -> Vec<String> {
        let inputs = self.inputs.iter().flatten().map(|name| format!("input.{name}"));
        let layers = self.layers.iter().flatten().map(|name| format!("layer.{name}"));
        inputs.chain(layers).collect()
    }
}

/// What each layer reads; `None` where that is not known.
fn links(names: &Names<'_>, drafts: &[Option<Draft>], errors: &mut Vec<NetworkError>) -> Vec<Vec<Option<NodeRef>>> {
    drafts
        .iter()
        .map(|draft| {
            let reads = draft.iter().flat_map(|draft| &draft.reads);
            reads
                .map(|(path, reference)| match names.resolve(path, reference) {
                    Ok(node) => node,
                    Err(error) => {
                        errors.push(error);
                        None
                    }
                })
                .collect()
        })
        .collect()
}

fn output_index(names: &Names<'_>, reference: &str, errors: &mut Vec<NetworkError>) -> Option<usize> {
    match names.resolve("output", reference) {
        Ok(Some(NodeRef::Layer(index))) => Some(index),
        Ok(Some(NodeRef::Input(_))) => {
            errors.push(NetworkError::new("output", "the output is a layer, not an input"));
            None
        }
        Ok(None) => None,
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

fn read_layers(links: &[Option<NodeRef>]) -> impl Iterator<Item = usize> + '_ {
    links.iter().filter_map(|node| match node {
        Some(NodeRef::Layer(index)) => Some(*index),
        Some(NodeRef::Input(_)) | None => None,
    })
}

/// Layers, each after those it reads, else in declared order. Layers in or behind a cycle are left out.
fn order(drafts: &[Option<Draft>], links: &[Vec<Option<NodeRef>>], errors: &mut Vec<NetworkError>) -> Vec<usize> {
    let mut placed = vec![false; drafts.len()];
    let mut order = Vec::new();
    while let Some(next) =
        (0..drafts.len()).find(|&index| !placed[index] && read_layers(&links[index]).all(|read| placed[read]))
    {
        placed[next] = true;
        order.push(next);
    }
    // Every layer that is left reads one that is left: walking back from any of them ends in a cycle.
    let mut reported = placed.clone();
    for start in 0..drafts.len() {
        if reported[start] {
            continue;
        }
        let mut walk = Vec::new();
        let mut at = start;
        while !reported[at] {
            reported[at] = true;
            walk.push(at);
            at = read_layers(&links[at]).find(|&read| !placed[read]).unwrap_or(at);
        }
        if let Some(begin) = walk.iter().position(|&index| index == at) {
            let mut cycle: Vec<_> = walk[begin..].iter().rev().filter_map(|&index| drafts[index].as_ref()).collect();
            cycle.extend(cycle.first().copied());
            let names: Vec<_> = cycle.iter().map(|draft| format!("layer.{}", draft.name)).collect();
            let message = format!("layers read each other in a cycle: {}", names.join(" -> "));
            errors.push(NetworkError::new(format!("layers[{at}].input"), message));
        }
    }
    order
}

/// What follows for a layer from what it reads.
struct Inferred {
    kind: LayerKind,
    shape: Vec<usize>,
    masked: bool,
}

/// Shape and mask of every layer of `order` whose inputs are known.
fn shapes(
    inputs: &[Option<Input>],
    drafts: &[Option<Draft>],
    links: &[Vec<Option<NodeRef>>],
    order: &[usize],
    errors: &mut Vec<NetworkError>,
) -> Vec<Option<Inferred>> {
    let mut shapes: Vec<Option<Inferred>> = drafts.iter().map(|_| None).collect();
    for &index in order {
        let Some(draft) = &drafts[index] else { continue };
        let reads: Option<Vec<Shaped<'_>>> = links[index]
            .iter()
            .map(|node| match (*node)? {
                NodeRef::Input(input) => {
                    inputs[input].as_ref().map(|input| Shaped { shape: &input.shape, masked: false })
                }
                NodeRef::Layer(layer) => {
                    shapes[layer].as_ref().map(|layer| Shaped { shape: &layer.shape, masked: layer.masked })
                }
            })
            .collect();
        let Some(reads) = reads.filter(|reads| !reads.is_empty()) else { continue };
        let kind = match draft.kind {
            LayerKind::Concat { axis: LAST_AXIS } => LayerKind::Concat { axis: reads[0].shape.len() - 1 },
            ref kind => kind.clone(),
        };
        match shape::infer(&format!("layers[{index}]"), &kind, &reads) {
            Ok((shape, masked)) => shapes[index] = Some(Inferred { kind, shape, masked }),
            Err(error) => errors.push(error),
        }
    }
    shapes
}

/// Reports inputs and layers that the output does not depend on. Any other mistake may be why, so it is asked last.
fn unused(
    inputs: &[Option<Input>],
    drafts: &[Option<Draft>],
    links: &[Vec<Option<NodeRef>>],
    output: usize,
    errors: &mut Vec<NetworkError>,
) {
    let (mut input_used, mut layer_used) = (vec![false; inputs.len()], vec![false; drafts.len()]);
    let mut open = vec![output];
    while let Some(layer) = open.pop() {
        if std::mem::replace(&mut layer_used[layer], true) {
            continue;
        }
        for node in links[layer].iter().flatten() {
            match *node {
                NodeRef::Input(index) => input_used[index] = true,
                NodeRef::Layer(index) => open.push(index),
            }
        }
    }
    let message = |address: String| format!("the output does not depend on {address}");
    for (index, input) in inputs.iter().enumerate() {
        if let Some(input) = input.as_ref().filter(|_| !input_used[index]) {
            errors.push(NetworkError::new(format!("inputs[{index}]"), message(format!("input.{}", input.name))));
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        if let Some(draft) = draft.as_ref().filter(|_| !layer_used[index]) {
            errors.push(NetworkError::new(format!("layers[{index}]"), message(format!("layer.{}", draft.name))));
        }
    }
}
