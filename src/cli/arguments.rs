//! The command line as clap reads it: commands, arguments, and the words of `-help`.
//!
//! Flags have Terraform's names. [`crate::spelling`] has already turned `-name` into `--name` when clap sees them.

mod state;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use pipectl_core::{Address, duration};
use pipectl_engine::Mode;

use crate::app::Effort;

pub use state::{
    ForceUnlockArguments, ImportArguments, StateCommand, StateImportTerraformArguments, StateListArguments,
    StateMvArguments, StatePushArguments, StateReplaceProviderArguments, StateRmArguments, StateShowArguments,
    TaintArguments, WorkspaceCommand,
};

/// From raw data to a scored model: one graph, one plan, one state.
#[derive(Debug, Parser)]
#[command(name = "pipectl", version, disable_help_subcommand = true, args_override_self = true, after_help = AFTER_HELP)]
pub struct CommandLine {
    /// Behave as if started in this folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub chdir: Option<PathBuf>,
    /// Write no colours.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Long flags may be written with one dash, as in Terraform: -auto-approve.
PATH is a folder, or a file ending in .hcl or .tf. Without it: the root module of the current folder, else every pipeline \
of the current folder or of ./pipelines.

Words in the variables TF_CLI_ARGS and TF_CLI_ARGS_plan (and so on) come before those of the command line.

Exit status: 0 it worked, 1 it failed, 2 changes are present (plan -detailed-exitcode) or not formattable (fmt), 3 not \
formatted (fmt -check), 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check that a pipeline can be worked on here, and say what was found.
    Init(InitArguments),
    /// Check the configuration without looking at the world.
    Validate(ValidateArguments),
    /// Rewrite configuration files in the canonical style.
    Fmt(FmtArguments),
    /// Show what would be done, and why.
    Plan(PlanArguments),
    /// Do it.
    Apply(ApplyArguments),
    /// Remove everything that is in the state.
    Destroy(DestroyArguments),
    /// Take what has changed outside into the state.
    Refresh(RefreshArguments),
    /// Show the state, or a saved plan.
    Show(ShowArguments),
    /// Show output values.
    Output(OutputArguments),
    /// Evaluate expressions from standard input.
    Console(ConsoleArguments),
    /// Look into the state, or edit it.
    #[command(subcommand)]
    State(StateCommand),
    /// Have an object made anew by the next apply; `plan -replace` shows first what that does.
    Taint(TaintArguments),
    /// Take that back.
    #[command(override_usage = "pipectl untaint [OPTIONS] [PATH] ADDRESS")]
    Untaint(TaintArguments),
    /// Take an object that exists already into the state.
    Import(ImportArguments),
    /// Say whether the state is locked; a lock never stays behind.
    ForceUnlock(ForceUnlockArguments),
    /// Keep several states of one root module.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Print the dependency graph in the DOT language.
    Graph(GraphArguments),
    /// Run the tests of a configuration: *.tftest.hcl.
    Test(TestArguments),
    /// Show the log of a stage's last attempt.
    Logs(LogsArguments),
    /// Look after what stages have made.
    #[command(subcommand)]
    Artifacts(ArtifactsCommand),
    /// Print the version.
    Version(VersionArguments),
    /// Run one stage as the engine asks; not for people.
    #[command(hide = true)]
    Worker(WorkerArguments),
}

impl Command {
    /// Whether it works on objects, so that stopping it half way takes care.
    pub fn works(&self) -> bool {
        use Command::{Apply, Destroy, Plan, Refresh, Test};
        matches!(self, Plan(_) | Apply(_) | Destroy(_) | Refresh(_) | Test(_))
    }

    /// Whether all that it says is a stream of events as JSON.
    pub fn writes_events(&self) -> bool {
        match self {
            Command::Plan(arguments) => arguments.operation.json,
            Command::Apply(arguments) => arguments.operation.json,
            Command::Destroy(arguments) => arguments.operation.json,
            Command::Refresh(arguments) => arguments.operation.json,
            Command::Test(arguments) => arguments.json,
            _ => false,
        }
    }
}

/// Which root module.
#[derive(Clone, Debug, Args)]
pub struct RootArguments {
    /// The root module: a folder, or a file ending in .hcl or .tf.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
}

/// One way of setting variables on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableSetting {
    /// `-var 'name=value'`
    Assignment(String),
    /// `-var-file=FILE`
    File(PathBuf),
}

/// Settings of variables in the order in which they were written: a later one wins.
#[derive(Clone, Debug, Default)]
pub struct VariableArguments {
    /// `-var` and `-var-file`.
    pub settings: Vec<VariableSetting>,
}

impl FromArgMatches for VariableArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut variables = Self::default();
        variables.update_from_arg_matches(matches)?;
        Ok(variables)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let mut settings = Vec::new();
        if let (Some(places), Some(values)) = (matches.indices_of("var"), matches.get_many::<String>("var")) {
            settings.extend(places.zip(values.cloned().map(VariableSetting::Assignment)));
        }
        if let (Some(places), Some(values)) = (matches.indices_of("var-file"), matches.get_many::<PathBuf>("var-file"))
        {
            settings.extend(places.zip(values.cloned().map(VariableSetting::File)));
        }
        settings.sort_by_key(|(place, _)| *place);
        self.settings = settings.into_iter().map(|(_, setting)| setting).collect();
        Ok(())
    }
}

impl Args for VariableArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
            .arg(
                clap::Arg::new("var")
                    .long("var")
                    .value_name("NAME=VALUE")
                    .action(clap::ArgAction::Append)
                    .help("Set a variable"),
            )
            .arg(
                clap::Arg::new("var-file")
                    .long("var-file")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .action(clap::ArgAction::Append)
                    .help("Set variables from a file, in addition to terraform.tfvars and *.auto.tfvars"),
            )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// How many objects are worked on at the same time when nothing else is said.
const DEFAULT_PARALLELISM: u32 = 10;

/// What `plan`, `apply` and `destroy` share.
#[derive(Clone, Debug, Args)]
pub struct OperationArguments {
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArguments,
    /// Work on this object, its instances, and what they need, and on nothing else.
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<String>,
    /// Leave this object and what needs it out.
    #[arg(long, value_name = "ADDRESS")]
    pub exclude: Vec<String>,
    /// Replace this object, or run this stage, even if nothing changed.
    #[arg(long, value_name = "ADDRESS")]
    pub replace: Vec<String>,
    /// Let what can be decided only while applying destroy objects, too.
    #[arg(long)]
    pub allow_deferred_destroy: bool,
    /// Look at real objects first.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub refresh: bool,
    /// How many objects to work on at the same time; stages also wait for cores and memory.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PARALLELISM)]
    pub parallelism: u32,
    /// Read source files and outputs again, even where their size and time are the same.
    #[arg(long)]
    pub verify: bool,
    /// Hold the state's lock.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub lock: bool,
    /// Wait this long for the state's lock: 30s, 5m.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Ask for variables that have no value, and for approval.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub input: bool,
    /// Show warnings without their details.
    #[arg(long)]
    pub compact_warnings: bool,
    /// Write one JSON event per line.
    #[arg(long)]
    pub json: bool,
}

impl OperationArguments {
    /// How the engine works.
    pub fn effort(&self) -> Effort {
        // As in Terraform, 0 asks for the default.
        let parallelism = if self.parallelism == 0 { DEFAULT_PARALLELISM } else { self.parallelism };
        Effort { parallelism, verify: self.verify }
    }
}

/// What commands that write the state, and plan nothing, share.
#[derive(Clone, Debug, Args)]
pub struct LockArguments {
    /// Hold the state's lock.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub lock: bool,
    /// Wait this long for the state's lock: 30s, 5m.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
}

/// Which kind of plan.
#[derive(Clone, Debug, Args)]
pub struct ModeArguments {
    /// Plan to remove everything.
    #[arg(long, conflicts_with = "refresh_only")]
    pub destroy: bool,
    /// Only take what has changed outside into the state.
    #[arg(long)]
    pub refresh_only: bool,
}

impl ModeArguments {
    /// The kind.
    pub fn mode(&self) -> Mode {
        match (self.destroy, self.refresh_only) {
            (true, _) => Mode::Destroy,
            (false, true) => Mode::RefreshOnly,
            (false, false) => Mode::Normal,
        }
    }
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Accepted for Terraform's sake: nothing is ever asked.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set, hide = true)]
    pub input: bool,
    /// Accepted for Terraform's sake: nothing is ever downloaded.
    #[arg(long, hide = true)]
    pub upgrade: bool,
    /// Complete the backend block for this checkout: a file of arguments, or one argument.
    #[arg(long, value_name = "FILE|NAME=VALUE")]
    pub backend_config: Vec<String>,
    /// Replace or forget what -backend-config was given before.
    #[arg(long)]
    pub reconfigure: bool,
    /// Look at the state.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub backend: bool,
    /// Accepted for Terraform's sake: modules lie in local folders.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set, hide = true)]
    pub get: bool,
    /// Accepted for Terraform's sake: nothing is written, so no lock is taken.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set, hide = true)]
    pub lock: bool,
    /// Accepted for Terraform's sake.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration, hide = true)]
    pub lock_timeout: Duration,
}

/// `validate`
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Leave test files out.
    #[arg(long)]
    pub no_tests: bool,
    /// The folder of test files below the root module.
    #[arg(long, value_name = "DIR", default_value = "tests")]
    pub test_directory: PathBuf,
    /// Write the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `fmt`
#[derive(Debug, Args)]
pub struct FmtArguments {
    /// Files or folders; `-` is standard input. Default: the current folder.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; exit with status 3 when a file is not in the canonical style.
    #[arg(long)]
    pub check: bool,
    /// Show what changes.
    #[arg(long)]
    pub diff: bool,
    /// Folders inside folders too.
    #[arg(long)]
    pub recursive: bool,
    /// Write the files.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub write: bool,
    /// List the names of files that are not in the canonical style.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, action = clap::ArgAction::Set)]
    pub list: bool,
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// What all operations share.
    #[command(flatten)]
    pub operation: OperationArguments,
    /// Which kind of plan.
    #[command(flatten)]
    pub mode: ModeArguments,
    /// Save the plan, for `apply FILE`.
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub out: Option<PathBuf>,
    /// Write configuration for objects that `import` blocks name and nothing declares into this new file.
    #[arg(long, value_name = "FILE")]
    pub generate_config_out: Option<PathBuf>,
    /// Exit with status 2 when there is something to change.
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `apply`
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The root module, or a plan saved by `plan -out=FILE`.
    #[arg(value_name = "PATH|PLANFILE")]
    pub path: Option<PathBuf>,
    /// What all operations share.
    #[command(flatten)]
    pub operation: OperationArguments,
    /// Which kind of plan.
    #[command(flatten)]
    pub mode: ModeArguments,
    /// Do not ask.
    #[arg(long)]
    pub auto_approve: bool,
}

/// `destroy`
#[derive(Debug, Args)]
pub struct DestroyArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// What all operations share.
    #[command(flatten)]
    pub operation: OperationArguments,
    /// Do not ask.
    #[arg(long)]
    pub auto_approve: bool,
}

/// `refresh`
#[derive(Debug, Args)]
pub struct RefreshArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// What all operations share.
    #[command(flatten)]
    pub operation: OperationArguments,
}

/// `show`
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The root module whose state to show, or a plan saved by `plan -out=FILE`.
    #[arg(value_name = "PATH|PLANFILE")]
    pub path: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// `output`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl output [OPTIONS] [PATH] [NAME]")]
pub struct OutputArguments {
    /// The root module, and the name of one output. Default: all outputs.
    #[arg(value_name = "PATH|NAME", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Write JSON, sensitive values too.
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Write the text of one string, number or bool, and nothing else.
    #[arg(long)]
    pub raw: bool,
}

/// `console`
#[derive(Debug, Args)]
pub struct ConsoleArguments {
    /// Which root module. Without any configuration the console still evaluates what needs none.
    #[command(flatten)]
    pub root: RootArguments,
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArguments,
    /// Read one expression, all of standard input, and write its value as JSON on one line.
    #[arg(long)]
    pub json: bool,
}

/// `graph`
#[derive(Debug, Args)]
pub struct GraphArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Variables, locals, outputs and all other nodes too.
    #[arg(long)]
    pub all: bool,
    /// The graph of this operation: the same as with -all, whichever it is.
    #[arg(long = "type", value_name = "TYPE", value_parser = ["plan", "plan-refresh-only", "plan-destroy", "apply"])]
    pub kind: Option<String>,
}

/// `logs`
#[derive(Debug, Args)]
#[command(override_usage = "pipectl logs [OPTIONS] [PATH] ADDRESS")]
pub struct LogsArguments {
    /// The root module, and the address of the stage.
    #[arg(value_name = "PATH|ADDRESS", num_args = 1..=2, required = true)]
    pub words: Vec<String>,
    /// Which of the stage's worker processes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rank: u32,
    /// An earlier attempt: 1 is the first. Default: the last one.
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Go on as the log grows, until the attempt ends.
    #[arg(short, long)]
    pub follow: bool,
}

/// `artifacts`
#[derive(Debug, Subcommand)]
pub enum ArtifactsCommand {
    /// List what the stages of the state have made.
    List(ArtifactsArguments),
    /// Remove what nothing refers to any more.
    Gc(ArtifactsGcArguments),
    /// Read everything and compare it with its digests.
    Verify(ArtifactsArguments),
}

/// `artifacts list`, `artifacts verify`
#[derive(Debug, Args)]
pub struct ArtifactsArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// `artifacts gc`
#[derive(Debug, Args)]
pub struct ArtifactsGcArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Say what would go, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep what runs have made or reused within this time: 30d, 12h.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration_with_days)]
    pub keep: Duration,
}

/// `test`
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Which root module.
    #[command(flatten)]
    pub root: RootArguments,
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArguments,
    /// Run only this test file; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub filter: Vec<PathBuf>,
    /// The folder of test files below the root module.
    #[arg(long, value_name = "DIR", default_value = "tests")]
    pub test_directory: PathBuf,
    /// Write the results as JUnit's XML into this file.
    #[arg(long, value_name = "FILE")]
    pub junit_xml: Option<PathBuf>,
    /// Show the plan of each run.
    #[arg(long)]
    pub verbose: bool,
    /// Write one JSON event per line.
    #[arg(long)]
    pub json: bool,
}

/// `version`
#[derive(Debug, Args)]
pub struct VersionArguments {
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// `worker`
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// The job.
    #[arg(value_name = "JOB.json")]
    pub job: PathBuf,
}

/// Words whose first may be a root module: the root, and the rest.
///
/// A root is a file ending in `.hcl` or `.tf`, or a folder written with a separator: `pipelines/`, `./cluster`, `.`.
/// Any other word is a name or an address. `terraform_data.tf` is an address, unless there is such a file.
pub fn split_root<'a>(here: &Path, words: &'a [String]) -> (Option<PathBuf>, &'a [String]) {
    match words.split_first() {
        Some((first, rest)) if names_a_root(here, first) => (Some(PathBuf::from(first)), rest),
        _ => (None, words),
    }
}

fn names_a_root(here: &Path, word: &str) -> bool {
    let is_folder = word.contains(std::path::is_separator) || word == "." || word == "..";
    let is_file = [".hcl", ".tf.json"].iter().any(|end| word.ends_with(end))
        || word.ends_with(".tf") && (word.parse::<Address>().is_err() || here.join(word).exists());
    // The key of an instance may hold anything: `stage.train.a["x/y.tf"]`.
    !word.contains('[') && (is_folder || is_file)
}

/// A duration as Terraform's flags take it: `10s`, `3m`, `1h`, `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|_| format!("`{text}` is not a duration like 30s, 5m or 1m30s"))
}

/// What is kept for long is counted in days: `30d`, `1d12h`, and what [`duration`] takes.
fn duration_with_days(text: &str) -> Result<Duration, String> {
    let Some((days, rest)) = text.split_once('d') else { return duration(text) };
    let days = days.parse::<u32>().ok().map(|days| Duration::from_secs(86_400 * u64::from(days)));
    let rest = if rest.is_empty() { Ok(Duration::ZERO) } else { duration(rest) };
    match (days, rest) {
        (Some(days), Ok(rest)) => Ok(days + rest),
        _ => Err(format!("`{text}` is not a duration like 30d, 12h or 1d12h")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn later_settings_come_later() {
        let line = CommandLine::try_parse_from(["pipectl", "plan", "--var", "a=1", "--var-file=f", "--var=a=2"])
            .expect("a good command line");
        let Command::Plan(plan) = line.command else { panic!("another command") };
        assert_eq!(
            plan.operation.variables.settings,
            [
                VariableSetting::Assignment("a=1".to_owned()),
                VariableSetting::File("f".into()),
                VariableSetting::Assignment("a=2".to_owned()),
            ]
        );
    }

    #[test]
    fn a_root_may_come_first() {
        let here = tempfile::tempdir().expect("a folder");
        std::fs::write(here.path().join("there.tf"), "").expect("a file");
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, root, rest) in [
            ("pipelines/hep.hcl accuracy", Some("pipelines/hep.hcl"), 1),
            (". accuracy", Some("."), 1),
            ("accuracy", None, 1),
            ("stage.train.a[\"x/y.tf\"]", None, 1),
            ("lib.rs", None, 1),
            ("terraform_data.tf", None, 1),
            ("my.cluster.tf", Some("my.cluster.tf"), 0),
            ("there.tf", Some("there.tf"), 0),
        ] {
            let words = words(line);
            let (found, others) = split_root(here.path(), &words);
            assert_eq!((found, others.len()), (root.map(PathBuf::from), rest), "{line}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("0s", 0.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("200ms", 0.2)] {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
            assert_eq!(duration_with_days(text), duration(text), "{text}");
        }
        for text in ["", "5", "s", "5 s", "1m30", "-1s", "1e400s", "30d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, hours) in [("30d", 720), ("1d12h", 36), ("0d", 0)] {
            assert_eq!(duration_with_days(text), Ok(Duration::from_secs(3600 * hours)), "{text}");
        }
        for text in ["d", "-1d", "1d-1h", "1.5d", "1h2d", "1d2"] {
            assert!(duration_with_days(text).is_err(), "{text}");
        }
    }
}
