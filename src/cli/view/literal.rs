//! Values as `console` and `output` print them: exactly as Terraform's do, so that what they print can be typed in again.

use pipectl_core::{Kind, Marks, Type, Value};
use pipectl_lang::quote;

use super::value::{Detail, shortened};

/// The value over as many lines as it takes, without the last line end.
pub fn literal(value: &Value, detail: Detail) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, detail);
    out
}

/// The type as the console's own function `type` prints it.
pub fn type_text(ty: &Type) -> String {
    let mut out = String::new();
    write_type(&mut out, ty, 0);
    out
}

fn write(out: &mut String, value: &Value, indent: usize, detail: Detail) {
    if !value.is_known() {
        out.push_str("(known after apply)");
        return;
    }
    if value.is_sensitive() {
        out.push_str("(sensitive value)");
        return;
    }
    if value.marks().contains(Marks::EPHEMERAL) {
        out.push_str("(ephemeral value)");
        return;
    }
    if detail == Detail::Short
        && let Some(short) = shortened(value)
    {
        return out.push_str(&short);
    }
    match value.kind() {
        Kind::Null(ty) => out.push_str(&null(ty)),
        Kind::Unknown(_) => {}
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) if !number.is_finite() => {
            out.push_str(if number.signum() < 0 { "-Inf" } else { "+Inf" });
        }
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => string(out, text, indent),
        Kind::Tuple(elements) => sequence(out, elements, indent, detail),
        Kind::List(_, elements) => called(out, "tolist", |out| sequence(out, elements, indent, detail)),
        Kind::Set(_, elements) => called(out, "toset", |out| sequence(out, elements, indent, detail)),
        Kind::Object(attributes) => mapping(out, attributes.iter(), indent, detail),
        Kind::Map(_, elements) => called(out, "tomap", |out| mapping(out, elements.iter(), indent, detail)),
    }
}

fn called(out: &mut String, function: &str, write: impl FnOnce(&mut String)) {
    out.push_str(function);
    out.push('(');
    write(out);
    out.push(')');
}

fn null(ty: &Type) -> String {
    match ty {
        Type::Any => "null".to_owned(),
        Type::Bool => "tobool(null)".to_owned(),
        Type::Number => "tonumber(null)".to_owned(),
        Type::String => "tostring(null)".to_owned(),
        Type::List(element) => format!("tolist(null) /* of {} */", name(element)),
        Type::Set(element) => format!("toset(null) /* of {} */", name(element)),
        Type::Map(element) => format!("tomap(null) /* of {} */", name(element)),
        Type::Tuple(_) | Type::Object(_) => format!("null /* {} */", name(ty)),
    }
}

fn name(ty: &Type) -> String {
    match ty {
        Type::Any => "dynamic".to_owned(),
        Type::List(element) => format!("list of {}", name(element)),
        Type::Set(element) => format!("set of {}", name(element)),
        Type::Map(element) => format!("map of {}", name(element)),
        Type::Bool | Type::Number | Type::String | Type::Tuple(_) | Type::Object(_) => ty.friendly_name(),
    }
}

fn line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn sequence(out: &mut String, elements: &[Value], indent: usize, detail: Detail) {
    out.push('[');
    for element in elements {
        line(out, indent + 2);
        write(out, element, indent + 2, detail);
        out.push(',');
    }
    if !elements.is_empty() {
        line(out, indent);
    }
    out.push(']');
}

fn mapping<'a>(
    out: &mut String,
    elements: impl ExactSizeIterator<Item = (&'a String, &'a Value)>,
    indent: usize,
    detail: Detail,
) {
    let is_empty = elements.len() == 0;
    out.push('{');
    for (key, value) in elements {
        line(out, indent + 2);
        string(out, key, indent + 2);
        out.push_str(" = ");
        write(out, value, indent + 2, detail);
    }
    if !is_empty {
        line(out, indent);
    }
    out.push('}');
}

fn string(out: &mut String, text: &str, indent: usize) {
    let lines: Vec<&str> = text.split('\n').collect();
    if lines.len() < 2 {
        out.push_str(&quote(text));
        return;
    }
    let mut delimiter = "EOT".to_owned();
    while lines.iter().any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    out.push_str(if indent > 0 { "<<-" } else { "<<" });
    out.push_str(&delimiter);
    for text in lines.into_iter().chain([delimiter.as_str()]) {
        line(out, indent);
        out.push_str(text);
    }
}

fn write_type(out: &mut String, ty: &Type, indent: usize) {
    let mut element = |name: &str, element: &Type| {
        out.push_str(name);
        out.push('(');
        if matches!(element, Type::Tuple(_) | Type::Object(_)) {
            line(out, indent + 4);
            write_type(out, element, indent + 4);
            out.push(',');
            line(out, indent);
        } else {
            write_type(out, element, indent);
        }
        out.push(')');
    };
    match ty {
        Type::Any => out.push_str("dynamic"),
        Type::Bool => out.push_str("bool"),
        Type::Number => out.push_str("number"),
        Type::String => out.push_str("string"),
        Type::List(inner) => element("list", inner),
        Type::Set(inner) => element("set", inner),
        Type::Map(inner) => element("map", inner),
        Type::Tuple(elements) if elements.is_empty() => out.push_str("tuple([])"),
        Type::Tuple(elements) => {
            out.push_str("tuple([");
            for element in elements {
                line(out, indent + 4);
                write_type(out, element, indent + 4);
                out.push(',');
            }
            line(out, indent);
            out.push_str("])");
        }
        Type::Object(fields) if fields.is_empty() => out.push_str("object({})"),
        Type::Object(fields) => {
            out.push_str("object({");
            for (name, field) in fields {
                line(out, indent + 4);
                out.push_str(name);
                out.push_str(": ");
                write_type(out, &field.ty, indent + 4);
                out.push(',');
            }
            line(out, indent);
            out.push_str("})");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        // What `terraform console` prints for these.
        for (text, expected) in [
            ("é\t\u{7}", r#""é\t\a""#),
            ("\u{1}\u{7f}", r#""\x01\x7f""#),
            ("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#),
            ("e\u{301}", "\"e\u{301}\""),
            ("it's \"x\" \\ ${y}", r#""it's \"x\" \\ ${y}""#),
            ("\u{e000}\u{f0000}😀", "\"\\ue000\\U000f0000😀\""),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    #[test]
    fn nulls_keep_their_types() {
        let null = |ty| literal(&Value::null_of(ty), Detail::Full);
        assert_eq!(null(Type::Any), "null");
        assert_eq!(null(Type::list(Type::Any)), "tolist(null) /* of dynamic */");
        assert_eq!(null(Type::map(Type::set(Type::String))), "tomap(null) /* of set of string */");
        assert_eq!(null(Type::Tuple(Vec::new())), "null /* tuple */");
    }

    #[test]
    fn collections_say_what_they_are() {
        let value = Value::object([
            ("a", Value::list(Type::Number, [1.into()])),
            ("b", Value::from("x\ny")),
            ("c", Value::map::<String>(Type::String, [])),
            ("d", Value::unknown(Type::Any)),
        ]);
        let expected = "{\n  \"a\" = tolist([\n    1,\n  ])\n  \"b\" = <<-EOT\n  x\n  y\n  EOT\n  \"c\" = tomap({})\n  \"d\" = \
                        (known after apply)\n}";
        assert_eq!(literal(&value, Detail::Full), expected);
        assert_eq!(type_text(&value.ty()).lines().nth(1), Some("    a: list(number),"));
    }
}
