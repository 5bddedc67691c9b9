//! How things look: for people and for machines.
//!
//! A view turns data into text and decides nothing. Only [`progress`] writes by itself, because bars move while nobody asks.

pub mod action_reason;
pub mod diagnostic;
pub mod difference;
pub mod document;
pub mod events;
pub mod exact;
pub mod figures;
pub mod junit;
pub mod literal;
pub mod outputs;
pub mod pace;
pub mod plan;
pub mod progress;
pub mod resource_text;
pub mod state;
pub mod test_report;
pub mod value;
