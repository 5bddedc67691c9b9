//! An object as the block that declares it: what `plan -generate-config-out` writes.

use std::fmt::Write;

use pipectl_core::{Address, Block, Kind, Nesting, Schema, Value};
use pipectl_lang::{expression_text, quote};

/// A block for an object that its provider knows as `id`, with an empty line before it. Attributes that only the provider sets are left out;
/// what is sensitive has to be filled in.
pub fn block(address: &Address, id: &str, schema: &Schema, attributes: &Value) -> String {
    let mut text = format!(
        "\n# __generated__ by pipectl from {}\nresource {} {} {{\n",
        quote(id),
        quote(&address.type_name),
        quote(&address.name)
    );
    body(&mut text, schema, attributes);
    text.push_str("}\n");
    // It is well formed: what is written here comes from values.
    pipectl_lang::format(&text).unwrap_or(text)
}

/// Writing to a string does not fail.
const WRITTEN: &str = "a string takes everything";

fn body(text: &mut String, schema: &Schema, attributes: &Value) {
    for (name, attribute) in &schema.attributes {
        let is_argument = attribute.required || attribute.optional;
        if !is_argument || attribute.write_only {
            continue;
        }
        let value = attributes.attribute(name).cloned().unwrap_or_else(Value::null);
        let shown = value.map_deep(&|value| if value.is_sensitive() { Value::null() } else { value });
        match attribute.sensitive || value.is_sensitive() {
            true => writeln!(text, "{name} = null # sensitive").expect(WRITTEN),
            false => writeln!(text, "{name} = {}", expression_text(&shown)).expect(WRITTEN),
        }
    }
    for (name, nested) in &schema.blocks {
        let Some(value) = attributes.attribute(name) else { continue };
        match (nested.nesting, value.kind()) {
            (_, Kind::Null(_) | Kind::Unknown(_)) => {}
            (Nesting::Single { .. }, _) => nested_block(text, name, nested, value),
            (Nesting::List { .. }, Kind::Tuple(elements) | Kind::List(_, elements)) => {
                elements.iter().for_each(|element| nested_block(text, name, nested, element));
            }
            (Nesting::List { .. }, _) => {}
        }
    }
}

fn nested_block(text: &mut String, name: &str, nested: &Block, value: &Value) {
    let label = |label: &str| value.attribute(label).and_then(Value::as_str);
    let labels: String =
        nested.labels.iter().filter_map(|name| label(name)).map(|it| format!(" {}", quote(it))).collect();
    writeln!(text, "{name}{labels} {{").expect(WRITTEN);
    if let Some(schema) = nested.body_of(label) {
        body(text, schema, value);
    }
    text.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Attribute, Marks, Type};

    use super::*;

    #[test]
    fn an_object_is_written_as_its_block() {
        let rule = Schema::of([("port", Attribute::required(Type::Number, "A port."))]);
        let schema = Schema::of([
            ("id", Attribute::computed(Type::String, "Its id.")),
            ("name", Attribute::required(Type::String, "Its name.")),
            ("password", Attribute::optional(Type::String, "A secret.").sensitive()),
            ("sizes", Attribute::optional(Type::list(Type::Number), "Sizes.")),
            ("tags", Attribute::optional(Type::map(Type::String), "Tags.")),
            ("unset", Attribute::optional(Type::String, "Not set.")),
            ("written", Attribute::optional(Type::String, "Never stored.").write_only()),
        ])
        .block("rule", Block::list(rule.clone(), "Rules.").labelled(["name"]))
        .block("owner", Block::single(rule, "An owner."));
        let port = |name: &str| Value::object([("name", Value::from(name)), ("port", Value::from(80))]);
        let value = Value::object([
            ("id", Value::from("i-1")),
            ("name", Value::from("a \"${b}\"\n")),
            ("password", Value::from("hunter2").marked(Marks::SENSITIVE)),
            ("sizes", Value::list(Type::Number, vec![Value::from(1), Value::from(2)])),
            ("tags", Value::map(Type::String, [("a.b", Value::from("x")), ("long_name", Value::from("y"))])),
            ("rule", Value::tuple([port("first"), port("second")])),
            ("owner", Value::null()),
        ]);
        let text = block(&"t_x.y".parse().unwrap(), "i-1", &schema, &value);
        assert_eq!(
            text,
            r#"
# __generated__ by pipectl from "i-1"
resource "t_x" "y" {
  name     = "a \"$${b}\"\n"
  password = null # sensitive
  sizes    = [1, 2]
  tags = {
    "a.b"     = "x"
    long_name = "y"
  }
  unset = null
  rule "first" {
    port = 80
  }
  rule "second" {
    port = 80
  }
}
"#
        );
    }
}
