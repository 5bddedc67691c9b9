//! The steps, one file each: arguments, check against the columns, and what happens to the rows.

mod derive;
mod flatten;
mod one_hot;
mod pad;
mod rows;
mod scale;
mod select;
mod shape;
mod sort;
mod stack;
mod standardize;
mod step;
mod truncate;

pub use scale::{Constants, Method};
pub use step::KINDS;

pub(crate) use rows::{Limit, Part, Shuffle, Split};
pub(crate) use scale::{Fit, Scale};
pub(crate) use step::{RowStep, Step, block_schema};
