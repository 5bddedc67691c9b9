//! What changes between two objects, attribute by attribute, with Terraform's signs.

use std::collections::BTreeSet;

use pipectl_core::{Block, BlockBody, Kind, Path, Schema, Step, Value};
use similar::{ChangeTag, TextDiff};

use super::value::{self, Detail};
use crate::console::{Color, Paint};

/// An object that changes.
#[derive(Clone, Copy)]
pub struct Difference<'a> {
    /// The object as it is; null or absent for what is made.
    pub before: Option<&'a Value>,
    /// The object as it will be; null or absent for what goes away.
    pub after: Option<&'a Value>,
    /// Tells nested blocks from attributes; without it all are attributes.
    pub schema: Option<&'a Schema>,
    /// Attributes whose change forces a replacement.
    pub replaced_by: &'a [Path],
    /// Whether attributes known after apply are named together in one line, without what they were before.
    pub sums_up_unknown: bool,
}

impl Difference<'_> {
    /// The body of the object's block: one entry an attribute or nested block, indented by `indent`, `+ ~ -` before it.
    ///
    /// What stays is counted, not shown, but for attributes that tell people which object this is.
    pub fn body(&self, paint: Paint, indent: usize) -> String {
        let writer = Writer { paint, replaced_by: self.replaced_by, sums_up_unknown: self.sums_up_unknown };
        let mut out = String::new();
        writer.members(&mut out, self.before, self.after, &Path::root(), indent, Members::Object(self.schema));
        out
    }
}

/// One value that changes: `old -> new`, or nested entries. Used for outputs.
pub fn entry(
    paint: Paint,
    name: &str,
    width: usize,
    before: Option<&Value>,
    after: Option<&Value>,
    indent: usize,
) -> String {
    let writer = Writer { paint, replaced_by: &[], sums_up_unknown: false };
    let mut out = String::new();
    writer.entry(&mut out, &format!("{name:width$} = "), &Change::of(before, after), &Path::of(name), indent, "");
    out
}

#[derive(Clone, Copy)]
enum Members<'a> {
    /// Of the object itself.
    Object(Option<&'a Schema>),
    /// Of a nested block.
    Block(Option<&'a Schema>),
    /// Of a value inside an attribute.
    Value,
}

enum Change<'a> {
    Same(Option<&'a Value>),
    Added(&'a Value),
    Removed(&'a Value),
    Changed(&'a Value, &'a Value),
}

impl<'a> Change<'a> {
    fn of(before: Option<&'a Value>, after: Option<&'a Value>) -> Self {
        match (before.filter(|value| !value.is_null()), after.filter(|value| !value.is_null())) {
            (None, None) => Change::Same(None),
            (None, Some(after)) => Change::Added(after),
            (Some(before), None) => Change::Removed(before),
            (Some(before), Some(after)) if same(before, after) => Change::Same(Some(after)),
            (Some(before), Some(after)) => Change::Changed(before, after),
        }
    }
}

fn same(before: &Value, after: &Value) -> bool {
    before.is_wholly_known() && after.is_wholly_known() && before.equal_content(after)
}

struct Writer<'a> {
    paint: Paint,
    replaced_by: &'a [Path],
    sums_up_unknown: bool,
}

impl Writer<'_> {
    fn members(
        &self,
        out: &mut String,
        before: Option<&Value>,
        after: Option<&Value>,
        at: &Path,
        indent: usize,
        members: Members<'_>,
    ) {
        let of = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (old, new) = (of(before), of(after));
        let (schema, is_object) = match members {
            Members::Object(schema) => (schema, true),
            Members::Block(schema) => (schema, false),
            Members::Value => (None, false),
        };
        let block = |name: &str| schema.and_then(|schema| schema.blocks.get(name));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut later = Vec::new();
        let mut changes: Vec<(String, &String, Change<'_>)> = Vec::new();
        for name in names.iter().copied().filter(|name| block(name).is_none()) {
            let change = Change::of(old.get(name), new.get(name));
            match &change {
                Change::Same(None) => {}
                Change::Added(value) | Change::Changed(_, value)
                    if is_object && self.sums_up_unknown && !value.is_known() && !value.is_sensitive() =>
                {
                    later.push(name.as_str());
                }
                _ => changes.push((value::key(name), name, change)),
            }
        }
        let tells_which = |name: &str| is_object && matches!(name, "id" | "name");
        let shown = |name: &str, change: &Change<'_>| !matches!(change, Change::Same(_)) || tells_which(name);
        let shown_keys = changes.iter().filter(|(_, name, change)| shown(name, change)).map(|(key, _, _)| key);
        let width = shown_keys.map(|key| key.chars().count()).max().unwrap_or(0);
        let mut hidden = 0;
        for (key, name, change) in &changes {
            if !shown(name, change) {
                hidden += 1;
                continue;
            }
            self.entry(out, &format!("{key:width$} = "), change, &at.name(name), indent, "");
        }
        let what = if matches!(members, Members::Value) { "element" } else { "attribute" };
        self.hidden(out, hidden, what, indent);
        if !later.is_empty() {
            let note = format!("# known after apply: {}", later.join(", "));
            out.push_str(&format!("{}{}\n", " ".repeat(indent + 2), self.paint.on(Color::Dim, &note)));
        }
        let mut hidden = 0;
        for name in names {
            if let Some(block) = block(name) {
                hidden += self.blocks(out, name, block, (old.get(name), new.get(name)), &at.name(name), indent);
            }
        }
        self.hidden(out, hidden, "block", indent);
    }

    /// All nested blocks of a type; returns how many are the same and not shown.
    fn blocks(
        &self,
        out: &mut String,
        name: &str,
        block: &Block,
        (before, after): (Option<&Value>, Option<&Value>),
        at: &Path,
        indent: usize,
    ) -> usize {
        let whole = Change::of(before, after);
        let opaque = |value: &Value| value.is_sensitive() || !value.is_known();
        let is_opaque = match &whole {
            Change::Same(None) => return 0,
            Change::Same(Some(value)) | Change::Added(value) | Change::Removed(value) => opaque(value),
            Change::Changed(old, new) => opaque(old) || opaque(new),
        };
        if is_opaque {
            self.entry(out, &format!("{name} = "), &whole, at, indent, "");
            return 0;
        }
        let list = |value: Option<&Value>| -> Vec<Value> {
            match value {
                None => Vec::new(),
                Some(value) if value.is_null() => Vec::new(),
                Some(value) => value.as_slice().map_or_else(|| vec![value.clone()], <[Value]>::to_vec),
            }
        };
        let (old, new) = (list(before), list(after));
        let mut hidden = 0;
        for (index, change) in list_changes(&old, &new).iter().enumerate() {
            let (sign, old, new, one) = match change {
                Change::Same(_) => {
                    hidden += 1;
                    continue;
                }
                Change::Added(one) => (self.paint.on(Color::Green, "+"), None, Some(*one), *one),
                Change::Removed(one) => (self.paint.on(Color::Red, "-"), Some(*one), None, *one),
                Change::Changed(old, new) => (self.paint.on(Color::Yellow, "~"), Some(*old), Some(*new), *new),
            };
            let labels: Vec<&str> =
                block.labels.iter().filter_map(|label| one.attribute(label).and_then(Value::as_str)).collect();
            let header: String = labels.iter().map(|label| format!(" {}", value::quoted(label))).collect();
            let schema = match &block.body {
                BlockBody::Uniform(schema) => Some(schema),
                BlockBody::ByLabel(schemas) => labels.first().and_then(|label| schemas.get(*label)),
            };
            let inside = |value: Option<&Value>| value.map(|value| without(value, &block.labels));
            let (old, new) = (inside(old), inside(new));
            let margin = " ".repeat(indent);
            out.push_str(&format!("{margin}{sign} {name}{header} {{\n"));
            let path = at.index(index);
            self.members(out, old.as_ref(), new.as_ref(), &path, indent + 4, Members::Block(schema));
            out.push_str(&format!("{margin}  }}\n"));
        }
        hidden
    }

    fn hidden(&self, out: &mut String, number: usize, what: &str, indent: usize) {
        if number > 0 {
            let plural = if number == 1 { "" } else { "s" };
            let note = format!("# ({number} unchanged {what}{plural} hidden)");
            out.push_str(&format!("{}{}\n", " ".repeat(indent + 2), self.paint.on(Color::Dim, &note)));
        }
    }

    /// One entry: `label` is `name = ` or nothing, `end` is a comma inside lists.
    fn entry(&self, out: &mut String, label: &str, change: &Change<'_>, at: &Path, indent: usize, end: &str) {
        let margin = " ".repeat(indent);
        let note = if self.replaced_by.contains(at) {
            format!(" {}", self.paint.on(Color::Red, "# forces replacement"))
        } else {
            String::new()
        };
        let text = |value: &Value| value::render(value, indent + 2, Detail::Short);
        match change {
            Change::Same(None) => {}
            Change::Same(Some(value)) => out.push_str(&format!("{margin}  {label}{}{end}\n", text(value))),
            Change::Added(value) => {
                let sign = self.paint.on(Color::Green, "+");
                out.push_str(&format!("{margin}{sign} {label}{}{end}{note}\n", text(value)));
            }
            Change::Removed(value) => {
                let sign = self.paint.on(Color::Red, "-");
                let arrow = if label.is_empty() { "" } else { " -> null" };
                out.push_str(&format!("{margin}{sign} {label}{}{arrow}{end}{note}\n", text(value)));
            }
            Change::Changed(old, new) => {
                let sign = self.paint.on(Color::Yellow, "~");
                out.push_str(&format!("{margin}{sign} {label}"));
                self.changed(out, old, new, at, indent, &note);
                out.push_str(&format!("{end}\n"));
            }
        }
    }

    /// The value part of a changed entry; the last line has no end.
    fn changed(&self, out: &mut String, old: &Value, new: &Value, at: &Path, indent: usize, note: &str) {
        let secret = old.is_sensitive() || new.is_sensitive();
        let margin = " ".repeat(indent + 2);
        match (old.kind(), new.kind()) {
            _ if secret => out.push_str(&format!("(sensitive value){note}")),
            (Kind::Object(_) | Kind::Map(..), Kind::Object(_) | Kind::Map(..))
                if !(value::is_leaf(old) && value::is_leaf(new)) =>
            {
                out.push_str(&format!("{{{note}\n"));
                self.members(out, Some(old), Some(new), at, indent + 4, Members::Value);
                out.push_str(&format!("{margin}}}"));
            }
            (Kind::Set(_, old), Kind::Set(_, new)) => {
                let has = |set: &[Value], one: &Value| set.iter().any(|other| same(one, other));
                let mut entries: Vec<Change<'_>> = Vec::new();
                entries.extend(old.iter().filter(|one| !has(new, one)).map(Change::Removed));
                entries.extend(
                    new.iter().map(|one| if has(old, one) { Change::Same(Some(one)) } else { Change::Added(one) }),
                );
                self.sequence(out, &entries, at, indent, note);
            }
            (
                Kind::List(_, old) | Kind::Tuple(old) | Kind::Set(_, old),
                Kind::List(_, new) | Kind::Tuple(new) | Kind::Set(_, new),
            ) => self.sequence(out, &list_changes(old, new), at, indent, note),
            (Kind::String(old), Kind::String(new)) if old.lines().count() > 1 || new.lines().count() > 1 => {
                out.push_str(&format!("<<-EOT{note}\n"));
                for change in TextDiff::from_lines(&**old, &**new).iter_all_changes() {
                    let line = change.value().trim_end_matches('\n');
                    let sign = match change.tag() {
                        ChangeTag::Equal => " ".to_owned(),
                        ChangeTag::Delete => self.paint.on(Color::Red, "-"),
                        ChangeTag::Insert => self.paint.on(Color::Green, "+"),
                    };
                    out.push_str(&format!("{margin}  {sign} {line}\n"));
                }
                out.push_str(&format!("{margin}EOT"));
            }
            _ => {
                let (old, new) =
                    (value::render(old, indent + 2, Detail::Short), value::render(new, indent + 2, Detail::Short));
                // Two models that differ inside have the same short text.
                let (old, new) = if old == new { (format!("{old} (changed inside)"), new) } else { (old, new) };
                out.push_str(&format!("{old} {} {new}{note}", self.paint.on(Color::Yellow, "->")));
            }
        }
    }

    fn sequence(&self, out: &mut String, changes: &[Change<'_>], at: &Path, indent: usize, note: &str) {
        out.push_str(&format!("[{note}\n"));
        let mut hidden = 0;
        for (index, change) in changes.iter().enumerate() {
            // Next to a change, what stays shows where the change is.
            let near = |other: usize| changes.get(other).is_some_and(|change| !matches!(change, Change::Same(_)));
            if matches!(change, Change::Same(_)) && !near(index + 1) && !(index > 0 && near(index - 1)) {
                hidden += 1;
                continue;
            }
            let mut path = at.clone();
            path.0.push(Step::Index(index));
            self.entry(out, "", change, &path, indent + 4, ",");
        }
        self.hidden(out, hidden, "element", indent + 4);
        out.push_str(&format!("{}]", " ".repeat(indent + 2)));
    }
}

/// An object without some of its attributes.
fn without(value: &Value, names: &[String]) -> Value {
    let attributes = value.as_object().into_iter().flatten();
    let kept = attributes.filter(|(name, _)| !names.contains(name));
    Value::object(kept.map(|(name, value)| (name.clone(), value.clone())))
}

/// Elements before and after: what is the same at both ends stays, in the middle elements pair up one by one.
fn list_changes<'a>(old: &'a [Value], new: &'a [Value]) -> Vec<Change<'a>> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let suffix = old[prefix..].iter().rev().zip(new[prefix..].iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let (old_middle, new_middle) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    let mut changes: Vec<Change<'a>> = new[..prefix].iter().map(|value| Change::Same(Some(value))).collect();
    let nested = |value: &Value| !value::is_leaf(value);
    for index in 0..old_middle.len().max(new_middle.len()) {
        match (old_middle.get(index), new_middle.get(index)) {
            (Some(a), Some(b)) if same(a, b) => changes.push(Change::Same(Some(b))),
            (Some(a), Some(b)) if nested(a) && nested(b) => changes.push(Change::Changed(a, b)),
            (a, b) => {
                changes.extend(a.map(Change::Removed));
                changes.extend(b.map(Change::Added));
            }
        }
    }
    changes.extend(new[new.len() - suffix..].iter().map(|value| Change::Same(Some(value))));
    changes
}

#[cfg(test)]
mod tests {
    use pipectl_core::{Attribute, Marks, Type};

    use super::*;

    fn strings(texts: &[&str]) -> Value {
        Value::list(Type::String, texts.iter().map(|text| Value::from(*text)))
    }

    #[test]
    fn shows_what_changes_and_counts_the_rest() {
        let before = Value::object([
            ("id", Value::from("x-1")),
            ("size", Value::from(1)),
            ("tags", Value::map(Type::String, [("a", Value::from("1")), ("b", "2".into())])),
            ("list", strings(&["a", "b", "c", "d", "e"])),
            ("password", Value::from("hunter1").marked(Marks::SENSITIVE)),
            ("gone", Value::from(true)),
            ("same", Value::from(1)),
            ("text", Value::from("one\ntwo\n")),
        ]);
        let after = Value::object([
            ("id", Value::from("x-1")),
            ("size", Value::from(2)),
            ("tags", Value::map(Type::String, [("a", Value::from("1")), ("b", "3".into())])),
            ("list", strings(&["a", "b", "x", "d", "e"])),
            ("password", Value::from("hunter2").marked(Marks::SENSITIVE)),
            ("gone", Value::null()),
            ("same", Value::from(1)),
            ("new", Value::unknown(Type::String)),
            ("text", Value::from("one\n2\n")),
        ]);
        let size = [Path::of("size")];
        let text = Difference { replaced_by: &size, ..difference(Some(&before), Some(&after)) }.body(Paint::PLAIN, 4);
        let expected = r#"    - gone     = true -> null
      id       = "x-1"
    ~ list     = [
          "b",
        - "c",
        + "x",
          "d",
          # (2 unchanged elements hidden)
      ]
    + new      = (known after apply)
    ~ password = (sensitive value)
    ~ size     = 1 -> 2 # forces replacement
    ~ tags     = {
        ~ b = "2" -> "3"
          # (1 unchanged element hidden)
      }
    ~ text     = <<-EOT
          one
        - two
        + 2
      EOT
      # (1 unchanged attribute hidden)
"#;
        assert_eq!(text, expected);
        assert!(!text.contains("hunter"));
    }

    #[test]
    fn a_new_object_shows_what_it_has() {
        let after = Value::object([("a", Value::from(1)), ("b", Value::null())]);
        assert_eq!(difference(None, Some(&after)).body(Paint::PLAIN, 2), "  + a = 1\n");
        assert_eq!(difference(Some(&after), None).body(Paint::PLAIN, 2), "  - a = 1 -> null\n");
    }

    #[test]
    fn blocks_look_like_blocks() {
        let step = |kind: &str, size: i64| {
            Value::object([("kind", Value::from(kind)), ("size", size.into()), ("absent", Value::null())])
        };
        let object = |steps: Vec<Value>, made: Value| {
            let output = Value::object([("format", Value::from("tfrecord"))]);
            Value::object([("made", made), ("output", output), ("step", Value::tuple(steps))])
        };
        let before = object(vec![step("sort", 1), step("pad", 2)], Value::from("x"));
        let after = object(vec![step("sort", 1), step("pad", 3), step("pad", 4)], Value::unknown(Type::String));
        let size = || Schema::of([("size", Attribute::optional(Type::Number, "Size."))]);
        let steps =
            Block::list(Schema::default(), "Steps.").labelled(["kind"]).by_label([("sort", size()), ("pad", size())]);
        let schema =
            Schema::default().block("output", Block::single(Schema::default(), "Output.")).block("step", steps);
        let both =
            Difference { schema: Some(&schema), sums_up_unknown: true, ..difference(Some(&before), Some(&after)) };
        let expected = r#"    # known after apply: made
  ~ step "pad" {
      ~ size = 2 -> 3
    }
  + step "pad" {
      + size = 4
    }
    # (2 unchanged blocks hidden)
"#;
        assert_eq!(both.body(Paint::PLAIN, 2), expected);
        let made = Difference { before: None, ..both }.body(Paint::PLAIN, 2);
        assert!(
            made.starts_with("    # known after apply: made\n  + output {\n      + format = \"tfrecord\"\n    }\n"),
            "{made}"
        );
    }

    fn difference<'a>(before: Option<&'a Value>, after: Option<&'a Value>) -> Difference<'a> {
        Difference { before, after, schema: None, replaced_by: &[], sums_up_unknown: false }
    }
}
