//! Stages as processes of this machine: the worker process, and the executor that starts it.
//!
//! [`process::main`] is the hidden command `pipectl worker JOB.json`: one rank of one stage, which speaks the protocol of
//! [`pipectl_stage::job`]. [`LocalExecutor`] is the other end: it admits stages by what they take of the machine, starts the workers of a
//! stage together, and sees to it that none is left when it returns, is dropped, or dies.
//!
//! What this crate deliberately leaves out: what stages do (`stage-*`), when one runs (`engine`), where its outputs are kept (`artifact`;
//! a worker writes to a scratch folder and has no access to the store), and how ranks talk to each other (`collective`).

mod admission;
mod checkpoint;
mod control;
mod group;
pub mod local;
pub mod machine;
mod outcome;
pub mod process;
mod rank;
mod wire;

pub use local::{LocalExecutor, Settings};
pub use machine::Machine;
pub use process::{Ending, main};
