//! Terraform's spelling of flags: `-auto-approve` for `--auto-approve`.
//!
//! A name that is no flag gets two dashes too, so that the complaint names it whole.
//! Which names are flags, and which of them take the next argument as their value, comes from the definition of the command line
//! itself, so that no second list has to be kept. Values are never touched.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The arguments with every `-name` and `-name=value` whose name is a known long flag written with two dashes.
pub fn with_two_dashes(definition: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut spelt = Vec::new();
    let mut value_follows = false;
    let mut only_values = false;
    // Flags of all commands count everywhere: one that is out of place gets clap's own complaint.
    let flags = flags_below(definition);
    for (position, argument) in arguments.into_iter().enumerate() {
        if position == 0 || value_follows || only_values {
            value_follows = false;
            spelt.push(argument);
            continue;
        }
        let Some(text) = argument.to_str() else {
            spelt.push(argument);
            continue;
        };
        only_values = text == "--";
        let name_and_value = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).unwrap_or_default();
        let name = name_and_value.split('=').next().unwrap_or_default();
        if name.len() < 2 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            spelt.push(argument);
            continue;
        }
        let flag = flags.iter().find(|flag| flag.name == name);
        value_follows = flag.is_some_and(|flag| flag.takes_value) && !name_and_value.contains('=');
        spelt.push(OsString::from(format!("--{name_and_value}")));
    }
    spelt
}

struct Flag {
    name: String,
    takes_value: bool,
}

fn flags_below(command: &Command) -> Vec<Flag> {
    let takes_value = |argument: &Arg| {
        argument.get_action().takes_values()
            && argument.get_num_args().is_none_or(|number| number.min_values() > 0)
            && !argument.is_require_equals_set()
    };
    let own = command.get_arguments().filter_map(|argument| {
        let name = argument.get_long()?.to_owned();
        Some(Flag { takes_value: takes_value(argument), name })
    });
    // clap adds these two only when it builds the command.
    let added = ["help", "version"].map(|name| Flag { name: name.to_owned(), takes_value: false });
    own.chain(added).chain(command.get_subcommands().flat_map(flags_below)).collect()
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
            ("pipectl -help", "pipectl --help"),
            ("pipectl -version", "pipectl --version"),
        ] {
            assert_eq!(spell(given), wanted);
        }
    }
}
