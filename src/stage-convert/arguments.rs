//! Reading the arguments of a step or block from JSON: typed, with a sentence for each mistake, all mistakes at once.
//!
//! Null counts as absent. A number may come as text, which is how the language hands over numbers that a double does
//! not hold.

use std::collections::BTreeMap;

use pipectl_core::suggest::did_you_mean;
use serde_json::Value as Json;

/// A mistake in the declaration of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecProblem {
    /// Where: `step[3].columns`.
    pub path: String,
    /// What is wrong: a full sentence.
    pub message: String,
}

/// The arguments of one block, as they are read one after another.
pub(crate) struct Arguments<'a> {
    path: String,
    members: BTreeMap<&'a str, &'a Json>,
    known: Vec<&'static str>,
    problems: Vec<SpecProblem>,
}

impl<'a> Arguments<'a> {
    /// The members of `json`, which lies at `path`. Anything but an object counts as an object without members.
    pub(crate) fn new(path: String, json: &'a Json) -> Self {
        let members = json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let members = members.map(|(name, value)| (name.as_str(), value)).collect();
        let problems = if json.is_object() {
            Vec::new()
        } else {
            vec![SpecProblem { path: path.clone(), message: "A block is needed here.".to_owned() }]
        };
        Arguments { path, members, known: Vec::new(), problems }
    }

    /// The raw value of an argument.
    pub(crate) fn json(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        self.members.remove(name)
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let json = self.json(name)?;
        let text = json.as_str().map(str::to_owned);
        self.expect(name, text, "a string")
    }

    /// A list of strings; a single string counts as a list of one.
    pub(crate) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let json = self.json(name)?;
        let texts = match json {
            Json::String(text) => Some(vec![text.clone()]),
            Json::Array(elements) => elements.iter().map(|element| element.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        self.expect(name, texts, "a list of strings")
    }

    /// Names of columns, none of them twice.
    pub(crate) fn columns(&mut self, name: &'static str) -> Option<Vec<String>> {
        let columns = self.texts(name)?;
        let twice = columns.iter().enumerate().find(|(place, column)| columns[..*place].contains(column));
        if let Some((_, column)) = twice {
            let message = format!("The column `{column}` is named twice.");
            self.problem(name, message);
        }
        Some(columns)
    }

    /// An object of strings, in the order of its names.
    pub(crate) fn text_map(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let json = self.json(name)?;
        let map = json.as_object().and_then(|members| {
            members.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        });
        self.expect(name, map, "an object of strings")
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Option<f64> {
        let json = self.json(name)?;
        self.expect(name, number(json), "a number")
    }

    pub(crate) fn numbers(&mut self, name: &'static str) -> Option<Vec<f64>> {
        let json = self.json(name)?;
        self.expect(name, numbers(json), "a list of numbers")
    }

    /// A whole number from 0 on.
    pub(crate) fn count(&mut self, name: &'static str) -> Option<u64> {
        let json = self.json(name)?;
        let whole = number(json).filter(|value| value.fract() == 0.0 && (0.0..=2f64.powi(53)).contains(value));
        // A seed may use all 64 bits.
        let count = json.as_u64().or(whole.map(|value| value as u64));
        self.expect(name, count, "a whole number from 0 on")
    }

    pub(crate) fn size(&mut self, name: &'static str) -> Option<usize> {
        self.count(name).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let json = self.json(name)?;
        self.expect(name, json.as_bool(), "true or false")
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let json = self.json(name)?;
        let given = json.as_str().unwrap_or_default();
        let found = choices.iter().find(|(word, _)| *word == given).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let hint = did_you_mean(given, choices.iter().map(|(word, _)| *word));
            self.problem(name, format!("The argument `{name}` takes {}, not {json}.{hint}", words.join(" or ")));
        }
        found
    }

    /// The argument must be there: its value, or `T::default()` and a problem.
    pub(crate) fn required<T: Default>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> T {
        let present = self.members.contains_key(name);
        let value = read(self, name);
        if !present {
            self.problem(name, format!("The argument `{name}` is required."));
        }
        value.unwrap_or_default()
    }

    /// Notes a mistake in argument `name`.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(SpecProblem { path: format!("{}.{name}", self.path), message: message.into() });
    }

    /// Where the block lies.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// All mistakes, with one for each argument that nobody asked for.
    pub(crate) fn finish(mut self) -> Vec<SpecProblem> {
        for name in std::mem::take(&mut self.members).into_keys() {
            let hint = did_you_mean(name, self.known.iter().copied());
            let message =
                format!("An argument `{name}` is not expected here; expected are {}.{hint}", self.known.join(", "));
            self.problem(name, message);
        }
        self.problems
    }

    fn expect<T>(&mut self, name: &'static str, value: Option<T>, what: &str) -> Option<T> {
        if value.is_none() {
            self.problem(name, format!("The argument `{name}` takes {what}."));
        }
        value
    }
}

/// A number, or a text that is one.
pub(crate) fn number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok()).filter(|value| value.is_finite())
}

/// A list of numbers.
pub(crate) fn numbers(json: &Json) -> Option<Vec<f64>> {
    json.as_array()?.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_mistakes_at_once() {
        let json = json!({"length": -1, "columns": [1], "sied": "end", "value": "0.1", "into": null, "side": "front"});
        let mut arguments = Arguments::new("step[2]".into(), &json);
        assert_eq!(arguments.size("length"), None);
        assert_eq!(arguments.texts("columns"), None);
        assert_eq!(arguments.number("value"), Some(0.1));
        assert_eq!(arguments.required("into", Arguments::text), "");
        assert_eq!(arguments.choice("side", &[("start", 0), ("end", 1)]), None);
        let messages: Vec<String> =
            arguments.finish().into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        assert_eq!(
            messages,
            [
                "step[2].length: The argument `length` takes a whole number from 0 on.",
                "step[2].columns: The argument `columns` takes a list of strings.",
                "step[2].into: The argument `into` is required.",
                "step[2].side: The argument `side` takes \"start\" or \"end\", not \"front\".",
                "step[2].sied: An argument `sied` is not expected here; expected are length, columns, value, into, side. \
                 Did you mean \"side\"?",
            ]
        );
    }
}
