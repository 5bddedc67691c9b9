//! How things look: for people and for machines.
//!
//! A view turns data into text and decides nothing. Only [`progress`] writes by itself, because bars move while nobody asks.

pub mod diagnostic;
pub mod difference;
pub mod document;
pub mod events;
pub mod figures;
pub mod outputs;
pub mod pace;
pub mod plan;
pub mod progress;
pub mod state;
pub mod value;
