//! A configuration as Terraform's configuration representation: blocks with their expressions, constant or by reference.

use pipectl_core::{Address, Nesting, Schema, Value};
use pipectl_lang::{
    Body, Configuration, Expression, ModuleBlock, ObjectBlock, OutputBlock, Reference, Scope, Traversal, TraversalStep,
    VariableBlock, evaluate,
};
use pipectl_provider::Registry;
use serde_json::{Map, Value as Json, json};

use super::{full_name, mode, provider_key};
use crate::view::exact;

/// The configuration of the root module, with those of the modules below inside.
pub(super) fn configuration(registry: &Registry, configuration: &Configuration) -> Json {
    let mut providers = Map::new();
    for address in configuration.distinct_modules().into_iter().flat_map(|module| module.objects.keys()) {
        let key = provider_key(address);
        let entry = json!({ "name": key, "full_name": full_name(&key) });
        providers.entry(key).or_insert(entry);
    }
    for (key, block) in &configuration.providers {
        let mut entry = json!({ "name": block.name, "full_name": full_name(&block.name) });
        if let Some(alias) = &block.alias {
            entry["alias"] = json!(alias);
        }
        let provider = registry.provider(&configuration.provider_source(&block.name));
        let expressions = body(&block.body, provider.map(|provider| provider.schema()));
        if expressions.as_object().is_some_and(|members| !members.is_empty()) {
            entry["expressions"] = expressions;
        }
        providers.insert(key.clone(), entry);
    }
    let mut json = json!({ "root_module": module(registry, configuration) });
    if !providers.is_empty() {
        json["provider_config"] = providers.into();
    }
    json
}

/// What one module declares. What is empty is left out.
fn module(registry: &Registry, configuration: &Configuration) -> Json {
    let mut json = Map::new();
    let mut add = |name: &str, members: Map<String, Json>| {
        if !members.is_empty() {
            json.insert(name.to_owned(), members.into());
        }
    };
    add("outputs", configuration.outputs.iter().map(|(name, block)| (name.clone(), output(block))).collect());
    add("variables", configuration.variables.iter().map(|(name, block)| (name.clone(), variable(block))).collect());
    let calls = configuration.modules.iter().map(|(name, block)| (name.clone(), module_call(registry, block)));
    add("module_calls", calls.collect());
    let mut resources: Vec<(&Address, &ObjectBlock)> = configuration.objects.iter().collect();
    resources.sort_by_key(|(address, _)| *address);
    if !resources.is_empty() {
        let resources = resources.into_iter().map(|(address, block)| resource(registry, address, block));
        json.insert("resources".to_owned(), resources.collect());
    }
    json.into()
}

fn module_call(registry: &Registry, block: &ModuleBlock) -> Json {
    let mut json = json!({ "source": block.source });
    let expressions = body(&block.inputs, None);
    if expressions.as_object().is_some_and(|members| !members.is_empty()) {
        json["expressions"] = expressions;
    }
    for (name, given) in [("count_expression", &block.count), ("for_each_expression", &block.for_each)] {
        // As Terraform's: of an expression that refers to nothing and is no constant there is nothing to say.
        if let Some(given) = given.as_ref().map(expression).filter(|given| *given != json!({})) {
            json[name] = given;
        }
    }
    json["module"] = block.configuration.as_ref().map_or_else(|| json!({}), |inside| module(registry, inside));
    if !block.depends_on.is_empty() {
        json["depends_on"] = block.depends_on.iter().map(ToString::to_string).collect();
    }
    json
}

fn variable(block: &VariableBlock) -> Json {
    let mut json = json!({});
    if let Some(default) = &block.default {
        // The document shows no secrets, wherever they stand.
        json["default"] = exact::part(default).filter(|_| !block.sensitive).unwrap_or(Json::Null);
    }
    if let Some(description) = &block.description {
        json["description"] = json!(description);
    }
    if block.sensitive {
        json["sensitive"] = json!(true);
    }
    json
}

fn output(block: &OutputBlock) -> Json {
    let mut json = json!({ "expression": expression(&block.value) });
    if block.sensitive {
        json["sensitive"] = json!(true);
    }
    if let Some(description) = &block.description {
        json["description"] = json!(description);
    }
    if !block.depends_on.is_empty() {
        json["depends_on"] = block.depends_on.iter().map(ToString::to_string).collect();
    }
    json
}

fn resource(registry: &Registry, address: &Address, block: &ObjectBlock) -> Json {
    let schema = match registry.resource(address.kind, &address.type_name) {
        Some(kind) => Some(kind.schema()),
        None => registry.data_sources.get(&address.type_name).map(|kind| kind.schema()),
    };
    let provider = match &block.meta.provider {
        // Of a condition, the first that may be meant.
        Some(chosen) => match chosen.choices().first() {
            Some(reference) => match &reference.alias {
                Some(alias) => format!("{}.{alias}", reference.name),
                None => reference.name.clone(),
            },
            None => provider_key(address),
        },
        None => provider_key(address),
    };
    let mut json = json!({
        "address": address.to_string(),
        "mode": mode(address),
        "type": address.type_name,
        "name": address.name,
        "provider_config_key": provider,
        "schema_version": schema.map_or(0, |schema| schema.version),
    });
    let expressions = body(&block.body, schema);
    if expressions.as_object().is_some_and(|members| !members.is_empty()) {
        json["expressions"] = expressions;
    }
    for (name, given) in [("count_expression", &block.meta.count), ("for_each_expression", &block.meta.for_each)] {
        // As Terraform's: of an expression that refers to nothing and is no constant there is nothing to say.
        if let Some(given) = given.as_ref().map(expression).filter(|given| *given != json!({})) {
            json[name] = given;
        }
    }
    if !block.meta.depends_on.is_empty() {
        json["depends_on"] = block.meta.depends_on.iter().map(ToString::to_string).collect();
    }
    json
}

/// The document shows no credentials, wherever they stand.
fn body(body: &Body, schema: Option<&Schema>) -> Json {
    let mut members = Map::new();
    for argument in body.arguments() {
        let mut written = expression(&argument.value);
        let known = schema.and_then(|schema| schema.attributes.get(&argument.name));
        if let Some(written) = written.as_object_mut().filter(|_| known.is_some_and(|known| known.sensitive)) {
            written.remove("constant_value");
        }
        members.insert(argument.name.clone(), written);
    }
    for block in body.blocks().filter(|block| block.kind != "dynamic") {
        let known = schema.and_then(|schema| schema.blocks.get(&block.kind));
        let labels = known.map(|known| known.labels.as_slice()).unwrap_or_default();
        let label = |name: &str| {
            let position = labels.iter().position(|label| label == name)?;
            block.labels.get(position).map(|(label, _)| label.as_str())
        };
        let mut inside = self::body(&block.body, known.and_then(|known| known.body_of(label)));
        for (name, (label, _)) in labels.iter().zip(&block.labels) {
            inside[name] = json!({ "constant_value": label });
        }
        if matches!(known.map(|known| known.nesting), Some(Nesting::Single { .. })) {
            members.insert(block.kind.clone(), inside);
            continue;
        }
        let list = members.entry(block.kind.clone()).or_insert_with(|| json!([]));
        if let Json::Array(list) = list {
            list.push(inside);
        }
    }
    members.into()
}

/// `{"constant_value": ..}`, or what the expression refers to: each traversal whole, then shorter and shorter.
fn expression(expression: &Expression) -> Json {
    let mut json = json!({});
    if let Some(value) = constant(expression) {
        json["constant_value"] = value;
    }
    let references: Vec<String> = expression.traversals().iter().flat_map(steps).collect();
    if !references.is_empty() {
        json["references"] = json!(references);
    }
    json
}

fn constant(expression: &Expression) -> Option<Json> {
    let value: Value = evaluate(expression, &Scope::constant()).ok()?;
    exact::part(&value)
}

/// `["a.b[0].c", "a.b[0]", "a.b"]`
fn steps(traversal: &Traversal) -> Vec<String> {
    let subject = traversal.reference.to_string();
    let mut steps = traversal.steps.as_slice();
    let mut shortest = subject.clone();
    // `each` alone is nothing: its attribute belongs to the name.
    if let (Some((TraversalStep::Attribute(name), _)), "each" | "count") = (steps.split_first(), subject.as_str()) {
        shortest.push_str(&format!(".{name}"));
        steps = &steps[1..];
    }
    // An instance of a module is called as a whole.
    if let (Some((key @ TraversalStep::Index(_), rest)), Reference::Module(_)) =
        (steps.split_first(), &traversal.reference)
    {
        shortest.push_str(&key.to_string());
        steps = rest;
    }
    let mut texts = vec![shortest];
    for step in steps {
        let longest = texts.last().map(String::as_str).unwrap_or_default();
        texts.push(format!("{longest}{step}"));
    }
    texts.reverse();
    texts
}

#[cfg(test)]
mod tests {
    use pipectl_core::SourceId;

    use super::*;

    #[test]
    fn expressions_are_constant_or_refer() {
        for (text, expected) in [
            ("[1, \"a\", { x = null }]", json!({ "constant_value": [1, "a", { "x": null }] })),
            ("upper(\"a\")", json!({})),
            ("\"${local.prefix}!\"", json!({ "references": ["local.prefix"] })),
            (
                "[each.value.a, terraform_data.many[0].output[1], var.x.y]",
                json!({ "references": [
                    "each.value.a", "each.value",
                    "terraform_data.many[0].output[1]", "terraform_data.many[0].output", "terraform_data.many[0]", "terraform_data.many",
                    "var.x.y", "var.x",
                ] }),
            ),
            (
                "try(module.a[0].b.c, module.d.e)",
                json!({ "references": [
                    "module.a[0].b.c", "module.a[0].b", "module.a[0]", "module.d.e", "module.d",
                ] }),
            ),
        ] {
            let parsed = pipectl_lang::parse_expression(text, SourceId(0)).expect("it parses");
            assert_eq!(expression(&parsed), expected, "{text}");
        }
    }
}
