//! Why the engine itself decides what it decides: as data, from which words for people and words of other formats follow.
//!
//! What a provider decides it says in its own reasons ([`pipectl_provider::Reason`]); those are none of these.

use std::fmt;

use pipectl_core::{Address, ModulePath};
use serde::{Deserialize, Serialize};

/// Why an object is removed, made anew, or read only at apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its creation failed half way.
    Tainted,
    /// `-replace` names it.
    Requested(Address),
    /// `replace_triggered_by` names something that changes.
    Triggered(String),
    /// An argument cannot be changed in place; the provider says which.
    CannotUpdate,
    /// No block declares it any more.
    NotConfigured,
    /// There is no such instance of its module any more, or of one around that.
    NoModule {
        /// The module.
        module: ModulePath,
        /// Why not.
        why: Box<Cause>,
    },
    /// `enabled` is false.
    Disabled,
    /// The block has neither `count` nor `for_each` any more.
    NoInstances,
    /// The block has `count` now.
    CountNow,
    /// The block has `for_each` now.
    ForEachNow,
    /// `count` is smaller than its number.
    Count(u64),
    /// `for_each` has no such key.
    NoKey(String),
    /// Everything is to be destroyed.
    Everything,
    /// It was left over when its replacement was interrupted.
    LeftOver,
    /// A `removed` block says that it is to be left alone.
    LeftAlone,
    /// Arguments of a data source are known after apply.
    ArgumentsUnknown,
    /// What a data source depends on has changes.
    DependencyPending(String),
    /// What the provider of a data source is configured with is known after apply: what exactly, as a clause.
    ProviderUnknown(String),
    /// An object is replaced that its provider is configured from: it lives there.
    ProviderReplaced(Address),
    /// Its provider is configured another way than when it was made, and it does not exist where that looks.
    ProviderChanged {
        /// The configuration of now.
        now: String,
        /// The one that it was made with.
        was: String,
    },
    /// A data source belongs to a check, which is judged when everything is as it will be.
    InCheck(String),
}

impl fmt::Display for Cause {
    /// A clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Tainted => f.write_str("it is marked as tainted"),
            Cause::Requested(address) => write!(f, "-replace={address} asks for it"),
            Cause::Triggered(reference) => write!(f, "{reference} changes, and `replace_triggered_by` names it"),
            Cause::CannotUpdate => f.write_str("an argument forces replacement"),
            Cause::NotConfigured => f.write_str("it is no longer in the configuration"),
            Cause::NoModule { module, why } => write!(f, "{module} is gone: {why}"),
            Cause::Disabled => f.write_str("`enabled` is false"),
            Cause::NoInstances => f.write_str("the block has neither `count` nor `for_each` any more"),
            Cause::CountNow => f.write_str("the block has `count` now"),
            Cause::ForEachNow => f.write_str("the block has `for_each` now"),
            Cause::Count(count) => write!(f, "`count` is {count}"),
            Cause::NoKey(name) => write!(f, "`for_each` has no key {name:?}"),
            Cause::Everything => f.write_str("everything is to be destroyed"),
            Cause::LeftOver => f.write_str("it was left over when its replacement was interrupted"),
            Cause::LeftAlone => f.write_str("a `removed` block says that it is to be left as it is"),
            Cause::ArgumentsUnknown => f.write_str("its arguments are known after apply"),
            Cause::DependencyPending(reference) => write!(f, "{reference}, which it depends on, has changes"),
            Cause::ProviderUnknown(why) => f.write_str(why),
            Cause::ProviderReplaced(address) => {
                write!(f, "{address}, which its provider is configured from, is replaced")
            }
            Cause::ProviderChanged { now, was } => {
                write!(f, "its provider configuration is {now} now, where it does not exist, and was {was}")
            }
            Cause::InCheck(check) => write!(f, "check.{check} is judged again when everything is done"),
        }
    }
}
