//! The commands, a file each. A command reads its arguments, calls other rooms, and hands what they say to a view.

pub mod apply;
pub mod artifacts;
pub mod destroy;
pub mod fmt;
pub mod graph;
pub mod init;
pub mod logs;
pub mod output;
pub mod plan;
pub mod show;
pub mod state;
pub mod validate;
pub mod version;
pub mod worker;
