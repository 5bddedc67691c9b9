//! The vocabulary that every other room speaks: addresses, values, types, schemas, diagnostics, spans and digests.
//!
//! This crate does no input or output, knows no HCL and starts no task. What it deliberately leaves out: evaluation
//! (`lang`), plans and state (`engine`, `state`), and everything that talks to the world (`provider` and beyond).

pub mod address;
mod as_text;
pub mod convert;
pub mod diagnostic;
pub mod digest;
pub mod duration;
pub mod instance_key;
pub mod json;
pub mod module_path;
pub mod number;
mod number_verbs;
pub mod path;
pub mod provider_address;
mod remedy;
pub mod schema;
mod set_order;
pub mod span;
pub mod suggest;
pub mod target;
pub mod types;
pub mod unify;
pub mod url;
pub mod value;
pub mod version;

pub use address::{Address, Kind as AddressKind};
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Severity};
pub use digest::Digest;
pub use instance_key::InstanceKey;
pub use module_path::{ModulePath, ModuleStep};
pub use number::Number;
pub use path::{Path, Step};
pub use provider_address::{ProviderAddress, ProviderSource, implied_name};
pub use remedy::remedy;
pub use schema::{Attribute, Block, BlockBody, Nesting, Schema};
pub use span::{BYTE_ORDER_MARK, Source, SourceId, SourceMap, Span, without_byte_order_mark};
pub use target::Target;
pub use types::{ObjectField, Type};
pub use url::names_user;
pub use value::{Kind, Marks, Refinement, Unknown, Value};
pub use version::{Version, VersionConstraints};
