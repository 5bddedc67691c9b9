//! From a configuration and a state to a plan, and from a plan to the world: graph, refresh, plan, apply.
//!
//! The engine evaluates the configuration in the order of its references, asks each resource kind for a plan, and walks the plan with bounded
//! parallelism; after each object it commits to the state. It is a library: it never prints, reads no environment, knows no cloud, no stage
//! kind and no terminal. What it has to tell goes out as [`Event`]s and [`pipectl_core::Diagnostics`].
//!
//! How a caller uses it:
//!
//! ```text
//! let engine = Engine { registry, environment, artifacts, files, folders, is_encrypted, workspace, parallelism, events, cancel };
//! let diagnostics = engine.validate(&configuration);                                   // no state, no world
//! let planned = engine.plan(configuration, &inputs, state.as_ref(), &options).await?;  // reads the world, changes nothing
//! let bytes = planned.plan.save(&encryption)?;                                         // optional: `plan -out`
//! let planned = Planned::open(&bytes, &inputs, &encryption)?;                          // `apply PLANFILE`
//! let applied = engine.apply(planned, store.lock(..)?).await;                          // refuses a stale plan
//! ```

mod apply;
mod cause;
mod conditions;
mod consistency;
mod data;
mod drawing;
mod encode;
mod engine;
mod ephemeral;
mod evaluation;
mod event;
mod expansion;
mod graph;
mod import;
mod inspection;
mod instance;
mod instances;
mod intents;
mod lifecycle;
mod limits;
mod lint;
mod moves;
mod objects;
mod options;
mod order;
mod pattern;
mod plan;
mod plan_file;
mod planner;
mod proposal;
mod providers;
mod saved;
mod secrets;
mod selection;
mod sensitive_in_clear;
mod validate;
mod values;
mod variables;
mod walk;

pub use cause::Cause;
pub use drawing::{Drawing, drawing};
pub use encode::{decode_value, encode_value};
pub use engine::{Applied, Engine, Folders, Planned, StateIdentity};
pub use event::{ApplyEnd, EphemeralOperation, Event, Observer, OutputView, Summary};
pub use import::Importing;
pub use inspection::Inspection;
pub use lint::lint;
pub use moves::{Moved, moves_between, moving_changes};
pub use objects::{attributes, objects_of};
pub use options::{Mode, PlanOptions, Seed};
pub use pattern::AddressPattern;
pub use plan::{
    Action, CheckResult, CheckStatus, Checked, Deferral, DeferredChange, Drift, OutputAction, OutputChange, Plan,
    PlanSource, ResourceChange,
};
pub use plan_file::{MAGIC, is_plan_file, root_of_plan_file};
pub use sensitive_in_clear::leave_behind;
pub use variables::{InputValue, Origin, VariableInput, missing_variables, resolve_variables};
