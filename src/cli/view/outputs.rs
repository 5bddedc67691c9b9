//! Output values for people and for programs.

use std::collections::BTreeMap;

use pipectl_core::{Value, json};
use pipectl_engine::OutputView;

use super::exact::{self, NoJson};
use super::literal::literal;
use super::value::Detail;

/// One output as the state holds it.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its value.
    pub value: Value,
    /// Whether it must not be shown unless asked for by name.
    pub sensitive: bool,
}

/// `name = value` for each. What is sensitive is not shown.
pub fn block(outputs: &BTreeMap<String, Output>) -> String {
    let line = |(name, output): (&String, &Output)| match output.sensitive {
        true => format!("{name} = <sensitive>\n"),
        false => format!("{name} = {}\n", literal(&output.value, Detail::Short)),
    };
    outputs.iter().map(line).collect()
}

/// `{"name": {"sensitive": false, "type": "string", "value": "x"}}`, as `terraform output -json` prints it: sensitive values too.
pub fn document(outputs: &BTreeMap<String, Output>) -> Result<String, NoJson> {
    let each = |(name, output): (&String, &Output)| {
        let plain = output.value.unmark_deep().0;
        let ty = json::from_json(&json::type_to_json(&plain.ty()));
        let entry = [("sensitive", Value::from(output.sensitive)), ("type", ty), ("value", plain)];
        (name.clone(), Value::object(entry))
    };
    exact::lines(&Value::object(outputs.iter().map(each)))
}

/// The outputs as an event shows them: sensitive values left out.
pub fn views(outputs: &BTreeMap<String, Output>) -> BTreeMap<String, OutputView> {
    let view = |output: &Output| {
        let secret = output.sensitive || !output.value.marks_deep().is_empty();
        OutputView {
            value: if secret { None } else { exact::part(&output.value) },
            ty: json::type_to_json(&output.value.ty()),
            sensitive: secret,
        }
    };
    outputs.iter().map(|(name, output)| (name.clone(), view(output))).collect()
}

/// The text of one string, number or bool; `None` for anything else.
pub fn raw(value: &Value) -> Option<String> {
    let (plain, _) = value.unmark_deep();
    if let Some(text) = plain.as_str() {
        return Some(text.to_owned());
    }
    (plain.as_number().is_some() || plain.as_bool().is_some()).then(|| plain.to_string())
}

#[cfg(test)]
mod tests {
    use pipectl_core::Marks;

    use super::*;

    #[test]
    fn secrets_show_only_where_asked_for() {
        let output = |value: Value, sensitive| Output { value, sensitive };
        let outputs: BTreeMap<String, Output> = [
            ("accuracy".to_owned(), output(Value::from(1), false)),
            ("key".to_owned(), output(Value::from("hunter2"), true)),
        ]
        .into();
        assert_eq!(block(&outputs), "accuracy = 1\nkey = <sensitive>\n");
        assert_eq!(views(&outputs)["key"].value, None);
        let document: serde_json::Value = serde_json::from_str(&document(&outputs).expect("known")).expect("JSON");
        assert_eq!(document["key"]["value"], serde_json::json!("hunter2"));
        assert_eq!(raw(&Value::from("hunter2").marked(Marks::SENSITIVE)).as_deref(), Some("hunter2"));
        assert_eq!(raw(&Value::tuple([])), None);
    }
}
