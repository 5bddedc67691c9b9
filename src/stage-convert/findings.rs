//! What is wrong with a conversion, as diagnostics: in which words, and at which argument of the stage.
//!
//! The plan and the worker tell the same mistake in the same way.

use pipectl_core::{Diagnostic, Diagnostics, Path};
use pipectl_stage::io::sentence;

use crate::arguments::SpecProblem;
use crate::columns::Problem;
use crate::error::ConvertError;
use crate::source::SourceError;

/// Mistakes of the declaration itself.
pub(crate) fn of_declaration(problems: Vec<SpecProblem>) -> Diagnostics {
    let finding =
        |problem: SpecProblem| Diagnostic::error("Invalid conversion", problem.message).on(Path::parse(&problem.path));
    problems.into_iter().map(finding).collect()
}

/// Why a conversion failed. `input` is the argument that names what it reads.
pub(crate) fn of_error(error: &ConvertError, input: &str) -> Diagnostics {
    let of_step = |index: usize| Path::of("step").index(index);
    let whole = |summary: &str| Diagnostic::error(summary, sentence(error)).remedied(error);
    match error {
        ConvertError::Step { index, problems, kind: _ } => {
            of_problems("Step does not fit its columns", &of_step(*index), problems)
        }
        ConvertError::Output { problems } => of_problems("Output does not fit", &Path::of("output"), problems),
        ConvertError::Source(source) => {
            let summary = match source {
                SourceError::Differs { .. } | SourceError::Mixed { .. } => "Source files differ",
                SourceError::Empty
                | SourceError::Io { .. }
                | SourceError::Parquet(_)
                | SourceError::TfRecord(_)
                | SourceError::Dataset(_)
                | SourceError::Example { .. }
                | SourceError::Feature { .. } => "Source not readable",
            };
            // That it is the source stands in the summary.
            Diagnostic::error(summary, sentence(source)).on(Path::of(input)).into()
        }
        ConvertError::Cell { step: Some(index), .. } => whole("Unusable value").on(of_step(*index)).into(),
        ConvertError::Cell { step: None, .. } => whole("Unusable value").into(),
        ConvertError::NothingToFit { index } => whole("No rows").on(of_step(*index)).into(),
        ConvertError::NoRows { .. } => whole("No rows").into(),
        ConvertError::Spill(_) | ConvertError::Write(_) => whole("Output not writable").into(),
        ConvertError::Stopped => whole("Stopped").into(),
    }
}

fn of_problems(summary: &str, block: &Path, problems: &[Problem]) -> Diagnostics {
    let place = |inside: &Path| Path(block.0.iter().chain(&inside.0).cloned().collect());
    problems
        .iter()
        .map(|problem| Diagnostic::error(summary, problem.message.as_str()).on(place(&problem.path)))
        .collect()
}
