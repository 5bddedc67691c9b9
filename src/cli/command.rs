//! The commands, a file each. A command reads its arguments, calls other rooms, and hands what they say to a view.

pub mod apply;
pub mod artifacts;
pub mod console;
pub mod destroy;
pub mod fmt;
pub mod force_unlock;
pub mod graph;
pub mod import;
pub mod init;
pub mod logs;
pub mod output;
pub mod plan;
pub mod refresh;
pub mod show;
pub mod state;
pub mod test;
pub mod validate;
pub mod version;
pub mod worker;
pub mod workspace;
