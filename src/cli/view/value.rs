//! Values as people read them: the language's own syntax over several lines.
//!
//! What is sensitive is never shown. Two kinds of objects would bury the rest and are shortened: an artifact (`digest` and `path`)
//! shows its path and the start of its digest, a model shows its name and its size.

use pipectl_core::{Digest, Kind, Value};

use super::figures;

/// Longest value that stays on one line.
const LINE: usize = 72;
/// Longest line of a list that is filled with short elements.
const FILLED: usize = 100;
/// An object of at most this many short attributes stays on one line.
const FEW: usize = 3;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Artifacts and models are shortened.
    Short,
    /// Everything.
    Full,
}

/// The value as text. The first line stands where the caller is; the others are indented by `indent`.
pub fn render(value: &Value, indent: usize, detail: Detail) -> String {
    if value.is_sensitive() {
        return "(sensitive value)".to_owned();
    }
    if value.marks().is_private() {
        return "(ephemeral value)".to_owned();
    }
    if detail == Detail::Short
        && let Some(short) = shortened(value)
    {
        return short;
    }
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) => value.to_string(),
        Kind::String(text) => string(text, indent),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            let inline = format!(
                "[{}]",
                elements.iter().map(|element| render(element, 0, detail)).collect::<Vec<_>>().join(", ")
            );
            let plain = elements.iter().all(|element| element.marks().is_private() || is_leaf(element));
            if plain && inline.len() <= LINE && !inline.contains('\n') {
                return inline;
            }
            if plain && !inline.contains('\n') {
                return filled(elements, indent, detail);
            }
            let inner = " ".repeat(indent + 4);
            let lines = elements.iter().map(|element| format!("{inner}{},\n", render(element, indent + 4, detail)));
            format!("[\n{}{}]", lines.collect::<String>(), " ".repeat(indent))
        }
        Kind::Map(_, attributes) | Kind::Object(attributes) => {
            if attributes.is_empty() {
                return "{}".to_owned();
            }
            // An object's null attributes are arguments that were not given.
            let is_object = matches!(value.kind(), Kind::Object(_));
            let shown: Vec<(String, &Value)> = attributes
                .iter()
                .filter(|(_, value)| !(is_object && value.is_null()))
                .map(|(name, value)| (key(name), value))
                .collect();
            if shown.len() <= FEW && shown.iter().all(|(_, value)| value.marks().is_private() || is_leaf(value)) {
                let parts = shown.iter().map(|(name, value)| format!("{name} = {}", render(value, 0, detail)));
                let inline = format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "));
                if inline.len() <= LINE && !inline.contains('\n') {
                    return inline;
                }
            }
            let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            let inner = " ".repeat(indent + 4);
            let lines = shown
                .iter()
                .map(|(name, value)| format!("{inner}{name:width$} = {}\n", render(value, indent + 4, detail)));
            format!("{{\n{}{}}}", lines.collect::<String>(), " ".repeat(indent))
        }
    }
}

/// A name as a key of an object: in quotes where it is no identifier.
pub fn key(name: &str) -> String {
    let mut characters = name.chars();
    let begins_well = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if begins_well && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A string in quotes, as the language reads it back.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for (position, c) in text.char_indices() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if text[position + 1..].starts_with('{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether it is no collection, or one that is shortened to a line.
pub fn is_leaf(value: &Value) -> bool {
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => true,
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => false,
        Kind::Map(..) | Kind::Object(_) => shortened(value).is_some(),
    }
}

/// A long list of short elements: as many on a line as fit.
fn filled(elements: &[Value], indent: usize, detail: Detail) -> String {
    let inner = " ".repeat(indent + 4);
    let mut text = "[".to_owned();
    let mut column = usize::MAX;
    for element in elements {
        let element = render(element, 0, detail);
        let length = element.chars().count() + 2;
        if column.saturating_add(length) > FILLED {
            text.push_str(&format!("\n{inner}{element},"));
            column = inner.len() + length;
        } else {
            text.push_str(&format!(" {element},"));
            column += length;
        }
    }
    format!("{text}\n{}]", " ".repeat(indent))
}

fn string(text: &str, indent: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let printable = text.chars().all(|c| c == '\n' || !c.is_control());
    if lines.len() < 2 || !printable {
        return quoted(text);
    }
    let inner = " ".repeat(indent + 4);
    let mut marker = "EOT".to_owned();
    while lines.iter().any(|line| line.trim() == marker) {
        marker.push('_');
    }
    let body: String = lines.iter().map(|line| format!("{inner}{line}\n")).collect();
    format!("<<-{marker}\n{body}{}{marker}", " ".repeat(indent))
}

/// An artifact or a model in few words; `None` for anything else.
pub fn shortened(value: &Value) -> Option<String> {
    artifact(value).or_else(|| model(value))
}

/// An artifact: `"artifacts/hep/convert.train/dataset" (sha256:9af3c1d2e4f5..)`.
fn artifact(value: &Value) -> Option<String> {
    let attributes = value.as_object()?;
    let digest: Digest = value.attribute("digest")?.as_str()?.parse().ok()?;
    let path = value.attribute("path")?.as_str()?;
    let clear = attributes.len() == 2 && attributes.values().all(|value| !value.is_sensitive());
    clear.then(|| format!("{} (sha256:{}..)", quoted(path), digest.short()))
}

/// A model: `model.inclusive_classifier (7 layers, 12,353 parameters)`.
fn model(value: &Value) -> Option<String> {
    let name = value.attribute("name")?.as_str()?;
    let layers = value.attribute("layers")?.as_slice()?;
    let parameters = value.attribute("parameters")?.as_number()?.to_u64()?;
    (value.attribute("inputs").is_some() && value.attribute("output").is_some()).then(|| {
        let layers = figures::count(layers.len(), "layer");
        format!("model.{name} ({layers}, {} parameters)", figures::thousands(parameters))
    })
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Marks, Type};

    use super::*;

    #[test]
    fn writes_the_language() {
        let value = Value::object([
            ("short", Value::list(Type::Number, [1, 2].map(Value::from))),
            ("text", Value::from("a\nb\n")),
            ("dollar", Value::from("${x} $y \"z\"")),
            ("secret", Value::from("hunter2").marked(Marks::SENSITIVE)),
            ("later", Value::unknown(Type::String)),
            ("absent", Value::null()),
            ("a b", Value::object([("x", Value::from(true))])),
        ]);
        let expected = r#"{
    "a b"  = { x = true }
    dollar = "$${x} $y \"z\""
    later  = (known after apply)
    secret = (sensitive value)
    short  = [1, 2]
    text   = <<-EOT
        a
        b
    EOT
}"#;
        assert_eq!(render(&value, 0, Detail::Short), expected);
    }

    #[test]
    fn long_lists_fill_their_lines() {
        let list = Value::tuple((0..30).map(|number| Value::from(1_000_000 + number)));
        let text = render(&list, 2, Detail::Short);
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        assert!(text.ends_with("1000029,\n  ]"), "{text}");
    }

    #[test]
    fn shortens_artifacts_and_models() {
        let digest = Digest::of(b"d");
        let artifact = Value::object([("digest", Value::from(digest.to_string())), ("path", "artifacts/hep/a".into())]);
        assert_eq!(render(&artifact, 0, Detail::Short), format!("\"artifacts/hep/a\" (sha256:{}..)", digest.short()));
        let model = Value::object([
            ("name", Value::from("classifier")),
            ("inputs", Value::tuple([])),
            ("layers", Value::tuple([Value::from(1)])),
            ("output", "layer.x".into()),
            ("parameters", Value::from(12_353)),
        ]);
        assert_eq!(render(&model, 0, Detail::Short), "model.classifier (1 layer, 12,353 parameters)");
        assert!(render(&model, 0, Detail::Full).contains("layers"));
    }
}
