//! Runs a conversion without the engine: `convert DECLARATION.json OUTPUT FILE...`. The declaration has the members `step`,
//! `output` and `nan` of the stage; what was made is printed as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use pipectl_stage_convert::{Constants, Conversion, Place, SHUFFLE_MEMORY, Source, Watcher};
use serde_json::json;

struct Silent;

impl Watcher for Silent {
    fn progress(&mut self, _: &'static str, _: u64, _: u64) {}
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program of its own")]
fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is a program of its own")]
    let mut arguments = std::env::args().skip(1);
    let (Some(declaration), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: convert DECLARATION.json OUTPUT FILE...");
        return ExitCode::FAILURE;
    };
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    match run(&PathBuf::from(declaration), PathBuf::from(output), &files) {
        Ok(made) => {
            println!("{made}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    declaration: &PathBuf,
    output: PathBuf,
    files: &[PathBuf],
) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(declaration)?)?;
    let conversion = Conversion::from_json(&json).map_err(|problems| format!("{problems:#?}"))?;
    let threads = json.get("threads").and_then(serde_json::Value::as_u64).unwrap_or(1) as usize;
    std::fs::create_dir_all(&output)?;
    let place = Place { scratch: output.clone(), output, threads, shuffle_memory: SHUFFLE_MEMORY };
    let made = conversion.run(&Source::open(files)?, &place, &mut Silent)?;
    let constants: serde_json::Map<_, _> =
        made.constants.iter().map(|(name, it)| (name.clone(), Constants::to_json(it))).collect();
    Ok(json!({ "rows": made.manifest.rows, "constants": constants, "truncated_rows": made.counts.truncated_rows }))
}
