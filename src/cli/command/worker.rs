//! `worker`: one rank of one stage, as the local executor starts it. Not for people.

use std::process::ExitCode;
use std::sync::Arc;

use crate::arguments::WorkerArguments;
use crate::environment::ProcessEnvironment;
use crate::stages::stages;

/// Runs the command. Standard input and output belong to the protocol.
pub fn run(arguments: &WorkerArguments) -> ExitCode {
    pipectl_worker::main(&arguments.job, &stages(), Arc::new(ProcessEnvironment)).into()
}
