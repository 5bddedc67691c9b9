//! The `evaluate` stage: trained weights and a dataset in; accuracy, loss, ROC curves and the confusion matrix out.
//!
//! [`measure`] is pure: from probabilities and true classes to figures, whoever computed the probabilities. [`report`] and [`plot`] turn figures
//! into files whose bytes depend on nothing else. [`run`] brings dataset and network together; the network's mathematics is `train-burn`'s.

pub mod arguments;
pub mod measure;
pub mod plot;
pub mod report;
mod rows;
pub mod run;
pub mod stage;

pub use stage::Evaluate;
