//! `console`: evaluates expressions from standard input.
//!
//! As with Terraform: at a terminal every line is answered; otherwise the answer to the last one is printed, and the first error ends it.
//! A line that leaves a bracket open goes on in the next. With `-json` all of standard input is one expression.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Read as _};
use std::ops::Range;
use std::path::Path;

use pipectl_core::{Address, Diagnostic, DiagnosticKind, Diagnostics, Marks, SourceId, SourceMap, Value};
use pipectl_engine::{Inspection, objects_of, resolve_variables};
use pipectl_lang::{Configuration, Expression, Reference, open_brackets, parse_expression};

use crate::app::{App, Effort};
use crate::arguments::ConsoleArguments;
use crate::environment;
use crate::exit::Exit;
use crate::project::Project;
use crate::reporter::Follower;
use crate::variables;
use crate::view::value::Detail;
use crate::view::{exact, literal};

/// What Terraform's diagnostics call the text that was typed in.
const INPUT: &str = "<console-input>";

const HELP: &str = "\
The console evaluates expressions of the language. Variables, locals and what the state holds are there as in the
configuration: terraform_data.a.id is the id of that object. The console's own function type() tells the type of a value.

To leave, type \"exit\", or use Ctrl-C or Ctrl-D.";

/// Runs the command.
pub fn run(app: &App, arguments: &ConsoleArguments) -> Exit {
    let project = match project(app, arguments.root.path.as_deref()) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let configuration = &*project.configuration;
    let mut sources = configuration.sources.clone();
    let settings = &arguments.variables.settings;
    let collected = variables::collect(&app.here, &project.folder, environment::variables(), settings, &mut sources);
    let inputs = match collected {
        Ok((inputs, _)) => inputs,
        Err(problems) => {
            app.complain(&problems, &sources);
            return Exit::Failure;
        }
    };
    let (values, problems) = resolve_variables(configuration, &inputs);
    // A variable without a value is as good as one that is known later: the console asks for nothing.
    let problems: Diagnostics =
        problems.into_iter().filter(|problem| problem.kind != Some(DiagnosticKind::MissingValue)).collect();
    if problems.has_errors() {
        app.complain(&problems, &sources);
        return Exit::Failure;
    }
    let state = match project.read_state() {
        Ok(state) => state.unwrap_or_default(),
        Err(error) => return app.fail_in(error, &sources),
    };
    let engine = app.engine(&project, Effort { parallelism: 1, verify: false }, &Follower::Nobody);
    // Where nothing is planned, functions that use the clock or randomness have results.
    let objects: Vec<(Address, Value)> = objects_of(&app.registry, &state).into_iter().collect();
    let stored = objects.iter().map(|(address, _)| address.block()).collect();
    let inspection = engine.inspect(configuration, values, objects, (None, true));
    let session = Session { app, configuration, stored, inspection, sources };
    match (arguments.json, app.console.is_interactive()) {
        (true, _) => session.json(),
        (false, true) => session.interactive(),
        (false, false) => session.piped(),
    }
}

/// The root module: without any configuration, the console is a calculator, and looks at the state.
fn project(app: &App, path: Option<&Path>) -> Result<Project, Exit> {
    let root = app.root(path)?;
    let (project, diagnostics) = Project::load(root, &app.environment);
    app.complain(&diagnostics, &project.configuration.sources);
    if diagnostics.has_errors() { Err(Exit::Failure) } else { Ok(project) }
}

struct Session<'a> {
    app: &'a App,
    configuration: &'a Configuration,
    /// The blocks of the objects in the state: they may be referred to though the configuration no longer declares them.
    stored: BTreeSet<Address>,
    inspection: Inspection<'a>,
    /// The files of the configuration; what is typed in comes after them.
    sources: SourceMap,
}

/// What is said to a line.
enum Answer {
    Text(String),
    Leave,
}

impl Session<'_> {
    /// All of standard input is one expression: its JSON value.
    fn json(&self) -> Exit {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        let text = read.map_err(|error| error.to_string()).and_then(|_| {
            String::from_utf8(bytes).map_err(|error| format!("byte {} is no UTF-8", error.utf8_error().valid_up_to()))
        });
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                let error = Diagnostic::error("Expression not readable", format!("Cannot read standard input: {why}."));
                return self.app.fail(error);
            }
        };
        let text = text.trim();
        let written = match self.evaluate(text) {
            Ok(Evaluated::Value(value)) => write_json(&value),
            Ok(Evaluated::Type(text)) => Ok(serde_json::Value::from(text).to_string()),
            Err(problems) => return self.complain(text, &problems),
        };
        match written {
            Ok(json) => {
                self.app.console.print(&json);
                Exit::Success
            }
            Err(problem) => self.complain(text, &problem.into()),
        }
    }

    /// The lines of a pipe or file: the last answer.
    fn piped(&self) -> Exit {
        let mut last = String::new();
        let mut open = String::new();
        let mut lines = std::io::stdin().lock().lines();
        loop {
            let (line, is_last) = match lines.next() {
                Some(Ok(line)) => (line, false),
                Some(Err(error)) => {
                    let detail = format!("Cannot read standard input: {error}.");
                    return self.app.fail(Diagnostic::error("Expression not readable", detail));
                }
                None if open.is_empty() => break,
                // What was never closed gets its diagnostic.
                None => (String::new(), true),
            };
            // A heredoc keeps its lines as they are, empty ones too.
            open.push_str(&line);
            if !is_last && goes_on(&open) {
                open.push('\n');
                continue;
            }
            let text = std::mem::take(&mut open);
            match self.answer(&text) {
                Ok(Answer::Text(text)) => last = text,
                Ok(Answer::Leave) => return Exit::Success,
                Err(problems) => return self.complain(&text, &problems),
            }
        }
        self.app.console.print(&if last.is_empty() { "\n".to_owned() } else { last });
        Exit::Success
    }

    /// A person at a terminal: an answer to each line, and errors do not end it. An empty line ends what is open.
    fn interactive(&self) -> Exit {
        let mut open = String::new();
        loop {
            self.app.console.print_raw(if open.is_empty() { "> " } else { ": " });
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let is_last = line.trim().is_empty() && !open.is_empty();
            open.push_str(line.trim_end_matches(['\n', '\r']));
            if !is_last && goes_on(&open) {
                open.push('\n');
                continue;
            }
            let text = std::mem::take(&mut open);
            match self.answer(&text) {
                Ok(Answer::Text(answer)) => self.app.console.print(&answer),
                Ok(Answer::Leave) => break,
                Err(problems) => {
                    self.complain(&text, &problems);
                }
            }
        }
        Exit::Success
    }

    fn answer(&self, line: &str) -> Result<Answer, Diagnostics> {
        match line.trim() {
            "" => return Ok(Answer::Text(String::new())),
            "exit" => return Ok(Answer::Leave),
            "help" => return Ok(Answer::Text(HELP.to_owned())),
            _ => {}
        }
        Ok(Answer::Text(match self.evaluate(line.trim())? {
            Evaluated::Value(value) => literal::literal(&value, Detail::Full),
            Evaluated::Type(text) => text,
        }))
    }

    fn evaluate(&self, text: &str) -> Result<Evaluated, Diagnostics> {
        if text.trim().is_empty() {
            let detail = "Expected the start of an expression, but found the end of the input.";
            return Err(Diagnostic::error("Missing expression", detail).into());
        }
        let id = self.sources.clone().add(INPUT, text);
        if let Some(place) = inside_of_type(text) {
            let inside = text[place].trim();
            if inside_of_type(inside).is_some() || parse_expression(inside, id).is_ok() {
                return Ok(Evaluated::Type(match self.evaluate(inside)? {
                    Evaluated::Value(value) => literal::type_text(&value.ty()),
                    // The type of a type.
                    Evaluated::Type(_) => "type".to_owned(),
                }));
            }
        }
        let found = parse_expression(text, id).and_then(|expression| self.value(&expression));
        found
            .map(Evaluated::Value)
            .map_err(|problems| problems.into_iter().map(|problem| only_as_a_whole(problem, text, id)).collect())
    }

    /// What is not declared is an error even where nothing asks for its value, as in a configuration.
    fn value(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        let is_stored = |reference: &Reference| match reference {
            Reference::Object(address) => self.stored.contains(&address.block()),
            _ => false,
        };
        let wrong = self.configuration.check_expression(expression, &is_stored);
        if wrong.has_errors() { Err(wrong) } else { self.inspection.evaluate(expression) }
    }

    fn complain(&self, text: &str, problems: &Diagnostics) -> Exit {
        let mut sources = self.sources.clone();
        sources.add(INPUT, text.trim());
        self.app.complain(problems, &sources);
        Exit::Failure
    }
}

/// Whether brackets or a heredoc are open at the end of the lines.
fn goes_on(lines: &str) -> bool {
    open_brackets(&format!("{lines}\n")).is_some_and(|open| open > 0)
}

enum Evaluated {
    Value(Value),
    /// Of the console's own function `type`.
    Type(String),
}

/// Where in a text the argument of `type(...)` stands, when the text is a call of that function, in parentheses perhaps, and nothing else.
fn inside_of_type(text: &str) -> Option<Range<usize>> {
    let whole = text.trim();
    let start = text.len() - text.trim_start().len();
    let named = whole.strip_prefix("core::").unwrap_or(whole);
    let (before, argument) = match named.strip_prefix("type") {
        Some(rest) => (whole.len() - rest.len(), rest.trim_start().strip_prefix('(')?.strip_suffix(')')?),
        None => {
            let inside = whole.strip_prefix('(')?.strip_suffix(')')?;
            return inside_of_type(inside).map(|place| start + 1 + place.start..start + 1 + place.end);
        }
    };
    let opening = whole[before..].find('(')? + before + 1;
    Some(start + opening..start + opening + argument.len())
}

/// The console's own function is none of the language's.
fn only_as_a_whole(problem: Diagnostic, text: &str, input: SourceId) -> Diagnostic {
    let span = problem.span.as_ref().filter(|span| span.source == input);
    let name = || span.and_then(|span| text.get(span.range.clone()));
    if problem.kind != Some(DiagnosticKind::UnknownFunction) || name() != Some("type") {
        return problem;
    }
    let detail = "The console-only \"type\" function cannot be used as part of an expression.";
    Diagnostic::error("Invalid use of type function", detail).or_at(problem.span.as_ref())
}

fn write_json(value: &Value) -> Result<String, Diagnostic> {
    let marks = value.marks_deep();
    if !marks.is_empty() {
        let (what, way_out) = match (marks.contains(Marks::SECRET), marks.contains(Marks::EPHEMERAL)) {
            // What `secret` gives stays secret.
            (true, _) => ("secret", None),
            (false, true) => ("ephemeral", Some("ephemeralasnull(...)")),
            (false, false) => ("sensitive", Some("nonsensitive(...)")),
        };
        let detail = format!("The value, or something inside it, is {what}, so it is not written.");
        let problem = Diagnostic::error("Value not shown", detail);
        return Err(way_out.into_iter().fold(problem, Diagnostic::hint));
    }
    exact::line(value)
        .map_err(|why| Diagnostic::error("Value without JSON", format!("The value cannot be written: {why}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_call_is_of_type() {
        for (text, expected) in [
            ("type([1])", Some("[1]")),
            (" type (1) ", Some("1")),
            ("core::type(1)", Some("1")),
            ("( (type(1) ))", Some("1")),
            ("type(type(1))", Some("type(1)")),
            ("typed(1)", None),
            ("(1)", None),
            ("type(1) + 1", None),
        ] {
            assert_eq!(inside_of_type(text).map(|place| &text[place]), expected, "{text}");
        }
    }
}
