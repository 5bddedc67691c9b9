//! The words of the command line before clap reads them: those that the environment adds, and Terraform's spelling of flags. And words that
//! are advised, as a shell takes them.
//!
//! `-auto-approve` becomes `--auto-approve`, `-json=false` no flag at all, and `-refresh=0` becomes `--refresh=false`.
//! A name that is no flag gets two dashes too, so that the complaint names it whole.
//! Which names are flags, and which of them take the next argument as their value, comes from the definition of the command line
//! itself, so that no second list has to be kept. Values of other flags are never touched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};
use pipectl_provider::Environment;

/// A word as a shell takes it.
pub fn for_shell(word: &str) -> Cow<'_, str> {
    // No shell takes a word with a NUL in it, however it is written.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

/// Whether the arguments ask a command that writes events for them, as far as can be seen without knowing what they mean.
pub fn ask_for_events(arguments: &[OsString]) -> bool {
    let is = |words: &[&str]| arguments.iter().skip(1).any(|given| words.iter().any(|word| given == word));
    is(&["-json", "--json"]) && is(&["plan", "apply", "destroy", "refresh", "test"])
}

/// The arguments with every `-name` and `-name=value` whose name is a known long flag written with two dashes, and every truth value as
/// clap knows it. Of a switch that is given several times the last one counts.
pub fn with_two_dashes(definition: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut spelt: Vec<Option<OsString>> = Vec::new();
    let mut switches: BTreeMap<String, usize> = BTreeMap::new();
    let mut value_follows = false;
    let mut only_values = false;
    // Flags of all commands count everywhere: one that is out of place gets clap's own complaint.
    let flags = flags_below(definition);
    for (position, argument) in arguments.into_iter().enumerate() {
        if position == 0 || value_follows || only_values {
            value_follows = false;
            spelt.push(Some(argument));
            continue;
        }
        let Some(text) = argument.to_str() else {
            spelt.push(Some(argument));
            continue;
        };
        only_values = text == "--";
        let name_and_value = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).unwrap_or_default();
        let (name, value) = match name_and_value.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name_and_value, None),
        };
        if name.len() < 2 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            spelt.push(Some(argument));
            continue;
        }
        let kind = flags.iter().find(|flag| flag.name == name).map(|flag| flag.kind);
        value_follows = kind == Some(Kind::Value) && value.is_none();
        let truth = value.map_or(Some(true), truth_value);
        let word = match (kind, truth) {
            (Some(Kind::Switch), Some(is_on)) => {
                if let Some(before) = switches.insert(name.to_owned(), spelt.len()) {
                    spelt[before] = None;
                }
                spelt.push(is_on.then(|| OsString::from(format!("--{name}"))));
                continue;
            }
            (Some(Kind::Choice), Some(is_on)) if value.is_some() => format!("--{name}={is_on}"),
            _ => format!("--{name_and_value}"),
        };
        spelt.push(Some(OsString::from(word)));
    }
    spelt.into_iter().flatten().collect()
}

/// A truth value as Terraform's flags take it, which is as Go reads it.
fn truth_value(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The arguments with the words of `TF_CLI_ARGS` and `TF_CLI_ARGS_plan` (the name of the command, for `state list`:
/// `TF_CLI_ARGS_state_list`) in front of those of the command, the more special ones first, as Terraform has it.
///
/// # Errors
/// The name of a variable whose quotes are not closed.
pub fn with_arguments_of_environment(
    definition: &Command,
    arguments: impl IntoIterator<Item = OsString>,
    environment: &dyn Environment,
) -> Result<Vec<OsString>, String> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = definition;
    let mut names = Vec::new();
    let mut place = 1;
    for (position, argument) in arguments.iter().enumerate().skip(1) {
        let Some(below) = argument.to_str().and_then(|word| command.find_subcommand(word)) else {
            // Only flags with their value behind `=` can stand before the command.
            if argument.to_string_lossy().starts_with('-') { continue } else { break }
        };
        names.push(below.get_name().replace('-', "_"));
        command = below;
        place = position + 1;
    }
    if names.is_empty() {
        return Ok(arguments);
    }
    let mut added = Vec::new();
    for name in [format!("TF_CLI_ARGS_{}", names.join("_")), "TF_CLI_ARGS".to_owned()] {
        let words = environment.variable(&name).unwrap_or_default();
        added.extend(shlex::split(&words).ok_or(name)?.into_iter().map(OsString::from));
    }
    arguments.splice(place..place, added);
    Ok(arguments)
}

struct Flag {
    name: String,
    kind: Kind,
}

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing: it is there or not.
    Switch,
    /// A truth value, behind `=`.
    Choice,
    /// A value, behind `=` or as the next argument.
    Value,
    /// A value behind `=`, or none.
    OptionalValue,
}

fn flags_below(command: &Command) -> Vec<Flag> {
    let own = command.get_arguments().filter_map(|argument| {
        let name = argument.get_long()?.to_owned();
        Some(Flag { kind: kind_of(argument), name })
    });
    // clap adds these two only when it builds the command.
    let added = ["help", "version"].map(|name| Flag { name: name.to_owned(), kind: Kind::Switch });
    own.chain(added).chain(command.get_subcommands().flat_map(flags_below)).collect()
}

fn kind_of(argument: &Arg) -> Kind {
    let needs_value = argument.get_num_args().is_none_or(|number| number.min_values() > 0);
    match argument.get_action() {
        ArgAction::SetTrue => Kind::Switch,
        action if !action.takes_values() => Kind::OptionalValue,
        _ if needs_value && !argument.is_require_equals_set() => Kind::Value,
        _ if argument.get_value_parser().type_id() == std::any::TypeId::of::<bool>() => Kind::Choice,
        _ => Kind::OptionalValue,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::CommandLine;

    fn spell(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from);
        let spelt = with_two_dashes(&CommandLine::command(), arguments);
        spelt.iter().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_get_two_dashes_and_values_do_not() {
        for (given, wanted) in [
            ("pipectl apply -auto-approve x.hcl", "pipectl apply --auto-approve x.hcl"),
            ("pipectl apply --auto-approve", "pipectl apply --auto-approve"),
            ("pipectl -chdir=dir plan -out=p -json", "pipectl --chdir=dir plan --out=p --json"),
            ("pipectl plan -var a=-json -var -json=1", "pipectl plan --var a=-json --var -json=1"),
            ("pipectl plan -var=x=-out -refresh=false", "pipectl plan --var=x=-out --refresh=false"),
            ("pipectl plan -refresh false", "pipectl plan --refresh false"),
            ("pipectl logs -f stage.a.b -rank 1", "pipectl logs -f stage.a.b --rank 1"),
            ("pipectl fmt -", "pipectl fmt -"),
            ("pipectl fmt -- -check", "pipectl fmt -- -check"),
            ("pipectl plan -unknown=-x", "pipectl plan --unknown=-x"),
            ("pipectl plan -target -x.y", "pipectl plan --target -x.y"),
            ("pipectl plan -json=true -detailed-exitcode=1", "pipectl plan --json --detailed-exitcode"),
            ("pipectl plan -json=false -var -json=true", "pipectl plan --var -json=true"),
            ("pipectl plan -json -json=f", "pipectl plan"),
            ("pipectl plan -json -var x=1 -json", "pipectl plan --var x=1 --json"),
            ("pipectl plan -refresh=FALSE -input=0 -lock", "pipectl plan --refresh=false --input=false --lock"),
            ("pipectl plan -json=maybe -refresh=maybe", "pipectl plan --json=maybe --refresh=maybe"),
            ("pipectl -help", "pipectl --help"),
            ("pipectl -version", "pipectl --version"),
        ] {
            assert_eq!(spell(given), wanted);
        }
    }
}
