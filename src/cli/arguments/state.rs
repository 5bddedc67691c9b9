//! Commands around the state: looking into it, editing it, locks and workspaces.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{LockArguments, RootArguments, VariableArguments};

/// `state`
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List the addresses of all objects.
    List(StateListArguments),
    /// Show one object.
    Show(StateShowArguments),
    /// Give objects other addresses.
    Mv(StateMvArguments),
    /// Forget objects without removing them.
    Rm(StateRmArguments),
    /// Write the state as a file of Terraform, version 4.
    Pull(RootArguments),
    /// Put a file of Terraform, version 4, in the place of the state.
    Push(StatePushArguments),
    /// Take over the state that Terraform has kept until now.
    ImportTerraform(StateImportTerraformArguments),
    /// Give the objects of one provider to another.
    ReplaceProvider(StateReplaceProviderArguments),
}

/// `state mv`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state mv [OPTIONS] [PATH] SOURCE DESTINATION")]
pub struct StateMvArguments {
    /// The root module, the address of an object, a block or a module, and its new address.
    #[arg(value_name = "PATH|ADDRESS", num_args = 1..=3, required = true)]
    pub words: Vec<String>,
    /// Say what would be moved, and move nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `state rm`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state rm [OPTIONS] [PATH] ADDRESS...")]
pub struct StateRmArguments {
    /// The root module, and addresses of objects, blocks or modules.
    #[arg(value_name = "PATH|ADDRESS", required = true)]
    pub words: Vec<String>,
    /// Say what would be forgotten, and forget nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Forget only what an interrupted run may have made there. Objects that the state has stay.
    #[arg(long)]
    pub interrupted: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `state push`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state push [OPTIONS] [PATH] FILE")]
pub struct StatePushArguments {
    /// The root module, and the file; `-` is standard input.
    #[arg(value_name = "PATH|FILE", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// Write it even if it is older, or of another lineage.
    #[arg(long)]
    pub force: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `state import-terraform`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state import-terraform [OPTIONS] [PATH] FILE")]
pub struct StateImportTerraformArguments {
    /// The root module, and Terraform's file, usually terraform.tfstate; `-` is standard input.
    #[arg(value_name = "PATH|FILE", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `state replace-provider`
#[derive(Debug, Args)]
pub struct StateReplaceProviderArguments {
    /// The provider that the state is to name no more.
    #[arg(value_name = "FROM")]
    pub from: String,
    /// The provider to name instead.
    #[arg(value_name = "TO")]
    pub to: String,
    /// The root module: a folder, or a file ending in .hcl or .tf.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    pub auto_approve: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `taint`, `untaint`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl taint [OPTIONS] [PATH] ADDRESS")]
pub struct TaintArguments {
    /// The root module, and the address of the object.
    #[arg(value_name = "PATH|ADDRESS", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// End with status 0 if there is no such object.
    #[arg(long)]
    pub allow_missing: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
}

/// `import`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl import [OPTIONS] [PATH] ADDRESS ID")]
pub struct ImportArguments {
    /// The root module, the address that the object is to have, and what its provider knows it by.
    #[arg(value_name = "PATH|ADDRESS|ID", num_args = 1..=3, required = true)]
    pub words: Vec<String>,
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArguments,
    /// The folder of the root module.
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// The lock.
    #[command(flatten)]
    pub lock: LockArguments,
    /// Accepted for Terraform's sake: nothing is ever asked.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set, hide = true)]
    pub input: bool,
}

/// `force-unlock`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl force-unlock [OPTIONS] [PATH] [LOCK_ID]")]
pub struct ForceUnlockArguments {
    /// The root module, and the id of the lock of a state in a bucket.
    #[arg(value_name = "PATH|LOCK_ID", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub force: bool,
}

/// `workspace`
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// List all workspaces.
    List(RootArguments),
    /// Show the name of the selected one.
    Show(RootArguments),
    /// Make a workspace and select it.
    New(WorkspaceNewArguments),
    /// Select a workspace.
    Select(WorkspaceSelectArguments),
    /// Delete a workspace.
    Delete(WorkspaceDeleteArguments),
}

/// `workspace new`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl workspace new [PATH] NAME")]
pub struct WorkspaceNewArguments {
    /// The root module, and the name.
    #[arg(value_name = "PATH|NAME", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
}

/// `workspace select`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl workspace select [OPTIONS] [PATH] NAME")]
pub struct WorkspaceSelectArguments {
    /// The root module, and the name.
    #[arg(value_name = "PATH|NAME", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// Make it if it does not exist.
    #[arg(long)]
    pub or_create: bool,
}

/// `workspace delete`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl workspace delete [OPTIONS] [PATH] NAME")]
pub struct WorkspaceDeleteArguments {
    /// The root module, and the name.
    #[arg(value_name = "PATH|NAME", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// Delete it even if its state holds objects, and lose track of them.
    #[arg(long)]
    pub force: bool,
}

/// `state list`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state list [OPTIONS] [PATH] [ADDRESS]...")]
pub struct StateListArguments {
    /// The root module, and addresses: only these objects and their instances.
    #[arg(value_name = "PATH|ADDRESS")]
    pub words: Vec<String>,
    /// Only objects whose attribute `id` is this.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// `state show`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl state show [OPTIONS] [PATH] ADDRESS")]
pub struct StateShowArguments {
    /// The root module, and the address of the object.
    #[arg(value_name = "PATH|ADDRESS", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
}
