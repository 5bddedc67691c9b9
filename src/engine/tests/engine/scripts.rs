//! Scripts: files of commands and configurations, with everything that comes of them as golden output.
//!
//! A script is `tests/engine/scripts/*.script`. Lines that begin with `>` are commands; `> config` takes all lines up to the next command,
//! and so does `> module FOLDER`, for the only file of a module. `-saved` applies a plan
//! that was written to a file and read again.

use std::fmt::Write;
use std::path::Path;

use pipectl_core::Value;
use pipectl_engine::{Mode, Planned};
use pipectl_sim::{Call, Fault, Operation};
use pipectl_state::Encryption;

use crate::bed::{Bed, address};
use crate::render;

/// Runs a script and writes down what comes of each command.
async fn run(script: &str) -> String {
    let mut bed = Bed::calm();
    // The simulated cloud gives addresses in the order of calls: one at a time makes the output the same every time.
    bed.parallelism = 1;
    let mut configuration = String::new();
    let mut output = String::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("> ") else {
            assert!(line.is_empty() || line.starts_with('#'), "not a command: {line}");
            continue;
        };
        if command == "config" {
            configuration.clear();
            while let Some(line) = lines.next_if(|line| !line.starts_with("> ")) {
                configuration.push_str(line);
                configuration.push('\n');
            }
            continue;
        }
        if let Some(folder) = command.strip_prefix("module ") {
            let mut text = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("> ")) {
                text.push_str(line);
                text.push('\n');
            }
            bed.modules.0.insert(folder.to_owned(), text);
            continue;
        }
        writeln!(output, "> {command}").unwrap();
        let words: Vec<&str> = command.split_whitespace().collect();
        execute(&mut bed, &configuration, &words, &mut output).await;
        output.push('\n');
    }
    output
}

async fn execute(bed: &mut Bed, configuration: &str, words: &[&str], output: &mut String) {
    match words {
        ["plan" | "apply" | "destroy" | "refresh", arguments @ ..] => {
            let mode = match words[0] {
                "destroy" => Mode::Destroy,
                "refresh" => Mode::RefreshOnly,
                _ => Mode::Normal,
            };
            let mut options = bed.options(mode);
            let mut saved = false;
            for argument in arguments {
                match argument.split_once('=') {
                    Some(("-target", text)) => options.targets.push(text.parse().unwrap()),
                    Some(("-exclude", text)) => options.excludes.push(text.parse().unwrap()),
                    Some(("-replace", text)) => options.replace.push(address(text)),
                    Some(("-refresh", "false")) => options.refresh = false,
                    None if *argument == "-allow-deferred-destroy" => options.allow_deferred_destroy = true,
                    None if *argument == "-saved" => saved = true,
                    _ => panic!("unknown argument {argument}"),
                }
            }
            bed.take_events();
            bed.journal.take();
            match bed.plan_with(configuration, &options).await {
                Err(problems) => output.push_str(&render::diagnostics(&problems)),
                Ok(planned) => {
                    output.push_str(&render::plan(&planned.plan));
                    output.push_str(&render::diagnostics(&planned.diagnostics));
                    if words[0] == "plan" {
                        return;
                    }
                    bed.take_events();
                    let planned = if saved { through_a_file(bed, &planned) } else { planned };
                    let applied = bed.apply_planned(planned).await;
                    output.push_str("--\n");
                    output.push_str(&render::events(&bed.take_events()));
                    for line in bed.journal.take() {
                        writeln!(output, "* {line}").unwrap();
                    }
                    output.push_str(&render::diagnostics(&applied.diagnostics));
                }
            }
        }
        ["validate"] => match bed.configuration(configuration) {
            Err(problems) => output.push_str(&render::diagnostics(&problems)),
            Ok(configuration) => output.push_str(&render::diagnostics(&bed.engine().validate(&configuration))),
        },
        ["state"] => output.push_str(&render::state(&bed.state())),
        ["world"] => output.push_str(&render::world(&bed.world)),
        ["calls"] => {
            let changes =
                |call: &&Call| matches!(call.operation, Operation::Create | Operation::Update | Operation::Delete);
            for call in bed.world.calls().iter().filter(changes) {
                writeln!(output, "{:?} {} {}", call.operation, call.kind, call.name).unwrap();
            }
            writeln!(output, "configured for {}", bed.world.configured().join(", ")).unwrap();
            bed.world.forget_calls();
        }
        ["edit", id, attribute, value] => {
            let value = value.parse::<i64>().map_or_else(|_| Value::from(*value), Value::from);
            assert!(bed.world.edit(id, attribute, value), "there is no {id}");
        }
        ["remove", id] => assert!(bed.world.remove(id), "there is no {id}"),
        ["fail", operation, name, fault] => {
            let operation = match *operation {
                "create" => Operation::Create,
                "read" => Operation::Read,
                "update" => Operation::Update,
                "delete" => Operation::Delete,
                other => panic!("unknown operation {other}"),
            };
            let fault = match *fault {
                "before" => Fault::FailBefore,
                "after" => Fault::FailAfter,
                "lost" => Fault::LostAnswer,
                other => panic!("unknown fault {other}"),
            };
            bed.world.inject(operation, name, fault);
        }
        ["variable", name, text] => *bed = bed.clone().with_variable(name, text),
        other => panic!("unknown command {other:?}"),
    }
}

/// The plan as it is when it comes back from a file.
fn through_a_file(bed: &Bed, planned: &Planned) -> Planned {
    let bytes = planned.plan.save(&Encryption::none()).unwrap();
    Planned::open(&bytes, &bed.inputs, &Encryption::none()).unwrap()
}

#[tokio::test]
async fn scripts_give_their_golden_output() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/scripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "script"));
    files.sort();
    assert!(files.len() >= 10, "the scripts were found");
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let output = run(&std::fs::read_to_string(&file).unwrap()).await;
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "scripts" }, {
            insta::assert_snapshot!(name, output);
        });
    }
}
