//! Decoding bodies by a schema: the object that comes of it, value by value.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use pipectl_core::{Attribute, Block, Diagnostics, Kind, Marks, Nesting, Path, Schema, Span, Step, Type, Value};
use pipectl_lang::{Body, Configuration, NoFiles, Reference, Scope, SourceFile, decode, decode_model, load};

fn schema() -> Schema {
    let rule = Schema::of([
        ("port", Attribute::optional(Type::Number, "A port.")),
        ("secret", Attribute::optional(Type::String, "A secret.").sensitive()),
    ])
    .block("deep", Block::list(Schema::of([("level", Attribute::optional(Type::Number, "A level."))]), "Deeper."));
    let adam = Schema::of([("rate", Attribute::optional(Type::Number, "A rate."))]);
    let sgd = adam.clone().attribute("momentum", Attribute::optional(Type::Number, "A momentum."));
    Schema::of([
        ("id", Attribute::computed(Type::String, "Its id.")),
        ("name", Attribute::optional_computed(Type::String, "Its name.")),
        ("size", Attribute::optional(Type::Number, "Its size.")),
        ("names", Attribute::optional(Type::set(Type::String), "Names.")),
        ("any", Attribute::optional(Type::Any, "Anything.")),
    ])
    .block("rule", Block::list(rule.clone(), "Rules."))
    .block("main", Block::single(rule, "The main rule."))
    .block(
        "optimizer",
        Block::list(Schema::default(), "How weights change.")
            .labelled(["kind"])
            .by_label([("adam", adam), ("sgd", sgd)]),
    )
}

fn loaded(name: &str, text: &str) -> Configuration {
    let (configuration, diagnostics) = load(vec![SourceFile { name: name.to_owned(), text: text.to_owned() }]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    configuration
}

fn body_of(name: &str, text: &str) -> Body {
    let configuration = loaded(name, text);
    configuration.objects.values().next().unwrap().body.clone()
}

fn scope() -> Scope {
    let mut scope = Scope::new(Arc::new(NoFiles));
    let variable = |name: &str| Reference::Variable(name.to_owned());
    scope.set(&variable("ports"), Value::list(Type::Number, [80_i64, 443].map(Value::from)));
    scope.set(&variable("unknown"), Value::unknown(Type::list(Type::Number)));
    scope.set(&variable("secret"), Value::from("hunter2").marked(Marks::SENSITIVE));
    scope.set(&variable("secrets"), Value::list(Type::String, [Value::from("hunter2")]).marked(Marks::SENSITIVE));
    scope
        .set(&variable("kinds"), Value::map(Type::Number, [("adam", Value::from(1_i64)), ("sgd", Value::from(2_i64))]));
    scope
}

fn decoded(inside: &str) -> (Value, Diagnostics) {
    let text = format!("resource \"t\" \"r\" {{\n{inside}\n}}\n");
    decode(&body_of("main.hcl", &text), &schema(), &scope())
}

fn decoded_json(inside: &str) -> (Value, Diagnostics) {
    let text = format!("{{\"resource\": {{\"t\": {{\"r\": {inside}}}}}}}");
    decode(&body_of("main.tf.json", &text), &schema(), &scope())
}

fn good(result: (Value, Diagnostics)) -> Value {
    assert!(result.1.is_empty(), "{:?}", result.1);
    result.0
}

#[test]
fn every_attribute_and_block_of_the_schema_is_there() {
    let value = good(decoded(""));
    assert_eq!(
        value.to_string(),
        "{ any = null, id = null, main = null, name = null, names = null, optimizer = [], rule = [], size = null }"
    );
    assert!(matches!(value.attribute("size").unwrap().kind(), Kind::Null(Type::Number)));
}

#[test]
fn arguments_are_converted_to_the_types_of_the_schema() {
    let value = good(decoded("name = 5\nsize = \"12\"\nnames = [\"b\", \"a\", \"b\"]\nany = { a = [1] }"));
    assert_eq!(value.attribute("name").unwrap(), &Value::from("5"));
    assert_eq!(value.attribute("size").unwrap(), &Value::from(12_i64));
    assert_eq!(value.attribute("names").unwrap(), &Value::set(Type::String, ["a", "b"].map(Value::from)));
    assert_eq!(value.attribute("any").unwrap().to_string(), "{ a = [1] }");
}

#[test]
fn blocks_are_in_order_and_labels_are_attributes() {
    let value = good(decoded(
        "rule {\n  port = 2\n}\noptimizer \"sgd\" {\n  momentum = 0.5\n}\nrule {\n  port = 1\n  deep {}\n}\noptimizer \"adam\" {}\nmain {}",
    ));
    let at = |path: &[Step]| value.at(&Path(path.to_vec())).unwrap().to_string();
    let name = |name: &str| Step::Name(name.to_owned());
    assert_eq!(at(&[name("rule"), Step::Index(0), name("port")]), "2");
    assert_eq!(at(&[name("rule"), Step::Index(1), name("deep")]), "[{ level = null }]");
    assert_eq!(at(&[name("optimizer"), Step::Index(0)]), "{ kind = \"sgd\", momentum = 0.5, rate = null }");
    assert_eq!(at(&[name("optimizer"), Step::Index(1)]), "{ kind = \"adam\", rate = null }");
    assert_eq!(at(&[name("main")]), "{ deep = [], port = null, secret = null }");
}

#[test]
fn marks_come_from_the_schema_and_from_values() {
    let value = good(decoded("name = var.secret\nrule {\n  secret = \"x\"\n}"));
    let marked: Vec<String> = value.paths_marked(Marks::SENSITIVE).iter().map(ToString::to_string).collect();
    assert_eq!(marked, ["name", "rule[0].secret"]);
}

#[test]
fn what_fails_is_unknown_and_the_rest_is_decoded() {
    let (value, found) = decoded("size = \"x\"\nname = var.nothing\nany = 1\nrule {\n  port = []\n}");
    assert_eq!(found.error_count(), 3);
    assert!(!value.attribute("size").unwrap().is_known());
    assert!(!value.attribute("name").unwrap().is_known());
    assert_eq!(value.attribute("any").unwrap(), &Value::from(1_i64));
    assert!(
        !value
            .at(&Path(vec![Step::Name("rule".into()), Step::Index(0), Step::Name("port".into())]))
            .unwrap()
            .is_known()
    );
}

#[test]
fn dynamic_blocks_stand_for_blocks() {
    let value = good(decoded(
        "rule {\n  port = 1\n}\ndynamic \"rule\" {\n  for_each = var.ports\n  content {\n    port = rule.value + rule.key\n  }\n}\nrule {\n  port = 2\n}",
    ));
    let ports: Vec<String> = value
        .attribute("rule")
        .unwrap()
        .as_slice()
        .unwrap()
        .iter()
        .map(|rule| rule.attribute("port").unwrap().to_string())
        .collect();
    assert_eq!(ports, ["1", "80", "444", "2"]);
}

#[test]
fn dynamic_blocks_nest_and_have_labels() {
    let nested = "dynamic \"rule\" {\n  for_each = var.ports\n  iterator = outer\n  content {\n    port = outer.value\n    dynamic \"deep\" {\n      \
                  for_each = range(outer.key + 1)\n      content {\n        level = outer.value + deep.value\n      }\n    }\n  }\n}";
    let value = good(decoded(nested));
    assert_eq!(
        value.attribute("rule").unwrap().to_string(),
        "[{ deep = [{ level = 80 }], port = 80, secret = null }, { deep = [{ level = 443 }, { level = 444 }], port = 443, secret = null }]"
    );
    let labelled = "dynamic \"optimizer\" {\n  for_each = var.kinds\n  labels   = [optimizer.key]\n  content {\n    rate = optimizer.value\n  }\n}";
    assert_eq!(
        good(decoded(labelled)).attribute("optimizer").unwrap().to_string(),
        "[{ kind = \"adam\", rate = 1 }, { kind = \"sgd\", momentum = null, rate = 2 }]"
    );
}

#[test]
fn a_dynamic_block_over_what_is_not_known_makes_all_blocks_of_its_type_unknown() {
    let value = good(decoded("rule {}\ndynamic \"rule\" {\n  for_each = var.unknown\n  content {}\n}\nsize = 1"));
    assert!(!value.attribute("rule").unwrap().is_known());
    assert_eq!(value.attribute("size").unwrap(), &Value::from(1_i64));
}

#[test]
fn a_dynamic_block_over_secrets_makes_secrets() {
    let value = good(decoded(
        "dynamic \"rule\" {\n  for_each = var.secrets\n  content {\n    port = length(rule.value)\n  }\n}",
    ));
    let rule = value.attribute("rule").unwrap();
    assert!(rule.marks_deep().contains(Marks::SENSITIVE), "{rule}");
    assert!(!rule.to_string().contains('7'), "{rule}");
}

#[test]
fn one_dynamic_block_too_many_is_told() {
    let (_, found) = decoded("main {}\ndynamic \"main\" {\n  for_each = [1]\n  content {}\n}");
    assert_eq!(found.iter().map(|one| one.summary.as_str()).collect::<Vec<_>>(), ["Duplicate main block"]);
    let (_, found) = decoded("dynamic \"main\" {\n  for_each = []\n  content {}\n}");
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn required_blocks_and_minimum_numbers_count_dynamic_ones() {
    let mut schema = schema();
    schema.blocks.get_mut("rule").unwrap().nesting = Nesting::List { minimum: 2 };
    schema.blocks.get_mut("main").unwrap().nesting = Nesting::Single { required: true };
    let check = |inside: &str| {
        let text = format!("resource \"t\" \"r\" {{\n{inside}\n}}\n");
        let found = decode(&body_of("main.hcl", &text), &schema, &scope()).1;
        found.iter().map(|one| one.summary.clone()).collect::<Vec<_>>()
    };
    assert_eq!(check("rule {}"), ["Missing main block", "Insufficient rule blocks"]);
    assert!(check("main {}\ndynamic \"rule\" {\n  for_each = [1, 2]\n  content {}\n}").is_empty());
    assert!(check("main {}\ndynamic \"rule\" {\n  for_each = var.unknown\n  content {}\n}").is_empty());
}

/// The same blocks in both syntaxes.
#[test]
fn json_bodies_decode_to_the_same_objects() {
    let pairs = [
        ("", "{}"),
        ("name = \"a${1 + 1}\"\nsize = 3", r#"{"name": "a${1 + 1}", "size": 3, "//": "a comment"}"#),
        ("size = var.ports[0]", r#"{"size": "${var.ports[0]}"}"#),
        ("name = null", r#"{"name": null}"#),
        ("any = { a = [1, true, null], b = \"x\" }", r#"{"any": {"a": [1, true, null], "b": "x"}}"#),
        ("rule {\n  port = 1\n}", r#"{"rule": {"port": 1}}"#),
        ("rule {\n  port = 1\n}\nrule {}", r#"{"rule": [{"port": 1}, {}]}"#),
        ("rule {\n  port = 1\n}\nrule {}", r#"{"rule": {"port": 1}, "rule": {}}"#),
        ("", r#"{"rule": null}"#),
        ("", r#"{"rule": []}"#),
        ("main {\n  deep {\n    level = 1\n  }\n}", r#"{"main": {"deep": {"level": "1"}}}"#),
        (
            "optimizer \"adam\" {}\noptimizer \"sgd\" {\n  rate = 1\n}",
            r#"{"optimizer": {"adam": {}, "sgd": {"rate": 1}}}"#,
        ),
        ("optimizer \"sgd\" {}\noptimizer \"sgd\" {\n  rate = 1\n}", r#"{"optimizer": {"sgd": [{}, {"rate": 1}]}}"#),
        ("optimizer \"sgd\" {}\noptimizer \"adam\" {}", r#"{"optimizer": [{"sgd": {}}, {"adam": {}}]}"#),
        (
            "dynamic \"rule\" {\n  for_each = var.ports\n  iterator = it\n  content {\n    port = it.value\n  }\n}",
            r#"{"dynamic": {"rule": {"for_each": "${var.ports}", "iterator": "it", "content": {"port": "${it.value}"}}}}"#,
        ),
        (
            "dynamic \"optimizer\" {\n  for_each = var.kinds\n  labels = [optimizer.key]\n  content {}\n}",
            r#"{"dynamic": {"optimizer": {"for_each": "${var.kinds}", "labels": ["${optimizer.key}"], "content": {}}}}"#,
        ),
        (
            "main {\n  dynamic \"deep\" {\n    for_each = var.ports\n    content {\n      level = deep.value\n    }\n  }\n}",
            r#"{"main": {"dynamic": {"deep": {"for_each": "${var.ports}", "content": {"level": "${deep.value}"}}}}}"#,
        ),
        ("name = \"$${x} %%{y} \\\"q\\\" \\u00e9\"", r#"{"name": "$${x} %%{y} \"q\" \u00e9"}"#),
        ("name = \"backslash \\\\ n\"", r#"{"name": "backslash \\ n"}"#),
        ("any = { \"a-${var.ports[0]}\" = 1 }", r#"{"any": {"a-${var.ports[0]}": 1}}"#),
    ];
    for (native, json) in pairs {
        assert_eq!(good(decoded_json(json)), good(decoded(native)), "{json}");
    }
}

#[test]
fn places_of_values_are_where_they_were_written() {
    let text = "resource \"t\" \"r\" {\n  any = { a = [1, { b = 2 }] }\n  rule {\n    port = 5\n  }\n  rule {\n    port = 6\n  }\n}\n";
    let body = body_of("main.hcl", text);
    let written = |path: &[Step]| {
        let Span { range, .. } = body.span_of(&Path(path.to_vec()))?;
        Some(&text[range])
    };
    let name = |name: &str| Step::Name(name.to_owned());
    assert_eq!(written(&[name("any"), name("a"), Step::Index(1), name("b")]), Some("2"));
    assert_eq!(written(&[name("any"), name("a"), Step::Index(7)]), Some("[1, { b = 2 }]"));
    assert_eq!(written(&[name("rule"), Step::Index(1), name("port")]), Some("6"));
    assert_eq!(written(&[name("rule"), Step::Index(1), name("none")]), Some("rule"));
    assert_eq!(written(&[name("none")]), None);
}

#[test]
fn blocks_after_a_dynamic_one_have_no_certain_place() {
    let dynamic = "dynamic \"rule\" {\n    for_each = [1, 2]\n    content {\n      port = 6\n    }\n  }\n";
    let rule = "rule {\n    port = 5\n  }\n";
    let place = |blocks: &[&str], position: usize| {
        let text = format!("resource \"t\" \"r\" {{\n  {}}}\n", blocks.join("  "));
        let path = [Step::Name("rule".to_owned()), Step::Index(position), Step::Name("port".to_owned())];
        let span = body_of("main.hcl", &text).span_of(&Path(path.to_vec()));
        span.map(|span| text[span.range].to_owned())
    };
    assert_eq!(place(&[rule, dynamic], 0).as_deref(), Some("5"));
    assert_eq!(place(&[rule, dynamic], 2).as_deref(), Some("6"), "whichever it is, it is written there");
    assert_eq!(place(&[rule, dynamic, rule], 1).as_deref(), Some("dynamic \"rule\""), "or the one after it");
    assert_eq!(place(&[dynamic, dynamic], 0).as_deref(), Some("dynamic \"rule\""));
}

#[test]
fn models_name_their_own_inputs_and_layers() {
    let network = Schema::of([("output", Attribute::required(Type::String, "The last layer."))])
        .block("input", Block::list(Schema::default(), "An input.").labelled(["name"]))
        .block(
            "layer",
            Block::list(
                Schema::of([("input", Attribute::required(Type::list(Type::String), "What it reads."))]),
                "A layer.",
            )
            .labelled(["kind", "name"]),
        );
    let configuration = loaded(
        "main.hcl",
        "model \"m\" {\n  input \"x\" {}\n  layer \"dense\" \"b\" {\n    input = [layer.a, input.x]\n  }\n  \
         dynamic \"layer\" {\n    for_each = [\"c\"]\n    labels   = [\"dense\", layer.value]\n    content {\n      input = [\"input.x\"]\n    }\n  }\n  \
         layer \"dense\" \"a\" {\n    input = [input.x]\n  }\n  output = layer.b\n}\n",
    );
    let model = &configuration.models["m"];
    assert!(model.references().is_empty());
    let (value, found) = decode_model(model, &network, &Scope::new(Arc::new(NoFiles)));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(value.attribute("name").unwrap(), &Value::from("m"));
    assert_eq!(value.attribute("output").unwrap(), &Value::from("layer.b"));
    assert_eq!(
        value.attribute("layer").unwrap().to_string(),
        "[{ input = [\"layer.a\", \"input.x\"], kind = \"dense\", name = \"b\" }, { input = [\"input.x\"], kind = \"dense\", name = \"c\" }, \
         { input = [\"input.x\"], kind = \"dense\", name = \"a\" }]"
    );
}
