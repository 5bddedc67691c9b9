//! The process that is killed: plans and applies one of a few versions of a configuration.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use pipectl_engine::{Engine, Folders, Mode, PlanOptions, Seed};
use pipectl_lang::{NoFiles, SourceFile, load};
use pipectl_provider::{Cancel, Registry};
use pipectl_sim::{Operation, Rates, Settings, World, context};
use pipectl_state::{Holder, LocalStore, StateStore};

/// Objects of one kind in a version.
const OBJECTS: usize = 12;

/// What is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Networks with an instance each, and a cluster whose token is kept only as a fingerprint.
    First,
    /// The same with changes in place, replacements in both orders, and others in place of some.
    Second,
    /// Nothing: everything is removed.
    Nothing,
}

impl Version {
    pub(crate) const ALL: [Version; 3] = [Version::First, Version::Second, Version::Nothing];

    /// Numbers of the objects that there are.
    fn numbers(self) -> std::ops::Range<usize> {
        match self {
            Version::First => 0..OBJECTS,
            Version::Second => OBJECTS / 3..OBJECTS + OBJECTS / 3,
            Version::Nothing => 0..0,
        }
    }

    /// Names of the objects that the cloud holds when it is applied.
    pub(crate) fn names(self) -> Vec<String> {
        let cluster = (self != Version::Nothing).then(|| "c".to_owned());
        self.numbers().flat_map(|number| [format!("n{number}"), format!("i{number}")]).chain(cluster).collect()
    }

    fn text(self) -> String {
        let size = if self == Version::First { 1 } else { 2 };
        // Another release configures the provider of what lives in it anew.
        let cluster = format!(
            "resource \"sim_cluster\" \"c\" {{
               name    = \"c\"
               release = {size}
             }}
             resource \"terraform_data\" \"token\" {{ input = sim_cluster.c.token }}\n"
        );
        let cluster = if self == Version::Nothing { String::new() } else { cluster };
        self.numbers().fold(cluster, |mut text, number| {
            // Every third network is replaced by the second version, half of those before the old one is removed.
            let range = if number % 3 == 0 { size } else { 0 };
            let creates_first = number % 6 == 0;
            write!(
                text,
                "resource \"sim_network\" \"n{number}\" {{
                   name = \"n{number}\"
                   cidr = \"10.{range}.0.0/16\"
                   lifecycle {{ create_before_destroy = {creates_first} }}
                 }}
                 resource \"sim_instance\" \"i{number}\" {{
                   name       = \"i{number}\"
                   size       = {size}
                   network_id = sim_network.n{number}.id
                 }}
                 resource \"terraform_data\" \"d{number}\" {{ input = sim_instance.i{number}.address }}
                 output \"o{number}\" {{ value = terraform_data.d{number}.output }}\n"
            )
            .unwrap();
            text
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = Version::ALL.iter().position(|version| version == self).unwrap();
        write!(f, "{position}")
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Version::ALL[text.parse::<usize>()?])
    }
}

/// The state on disk. Its log is compacted often, so that kills hit that too.
pub(crate) fn store(folder: &Path) -> LocalStore {
    LocalStore::new(folder.join("state")).compacting_from(4096)
}

/// Where the cloud is kept.
pub(crate) fn world_file(folder: &Path) -> PathBuf {
    folder.join("cloud")
}

/// Calls take a moment and, with a seed other than 0, fail in every way.
fn settings(seed: u64) -> Settings {
    let rates = Rates { fail_before: 0.05, fail_after: 0.05, lost_answer: 0.05, limit: None };
    let operations = [Operation::Create, Operation::Update, Operation::Delete];
    Settings {
        seed,
        latency: Duration::from_micros(100)..=Duration::from_millis(4),
        rates: operations.into_iter().filter(|_| seed != 0).map(|operation| (operation, rates)).collect(),
        ..Settings::default()
    }
}

pub(crate) fn run(folder: &Path, version: Version, seed: u64) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    if runtime.block_on(apply(folder, version, seed)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn apply(folder: &Path, version: Version, seed: u64) -> bool {
    let world = World::kept_in(&world_file(folder), settings(seed)).unwrap();
    let mut registry = Registry::default();
    registry.add(world.provider());
    registry.add(pipectl_provider_terraform::provider(Vec::new()));
    let outside = context("none", "");
    let engine = Engine {
        registry: Arc::new(registry),
        environment: outside.environment,
        artifacts: outside.artifacts,
        files: Arc::new(NoFiles),
        folders: Folders {
            started_in: "/".into(),
            root: "root".into(),
            root_name: "main.hcl".into(),
            work: "work".into(),
            view: "view".into(),
            in_commands: String::new(),
        },
        is_encrypted: false,
        workspace: "default".to_owned(),
        parallelism: 4,
        events: Arc::new(|_| {}),
        cancel: Cancel::new(),
    };
    let (configuration, diagnostics) = load(vec![SourceFile { name: "main.hcl".to_owned(), text: version.text() }]);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let store = store(folder);
    // Two plans must never draw the same tokens: the serial of the state tells them apart, and the seed two runs that commit nothing.
    let state = store.read().unwrap();
    let serial = state.as_ref().map_or(0, |state| state.serial);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&serial.to_le_bytes());
    bytes[8..16].copy_from_slice(&seed.to_le_bytes());
    let options = PlanOptions::new(Mode::Normal, Seed(bytes));
    let planned = engine.plan(Arc::new(configuration), &[], state.as_ref(), &options).await;
    let planned = planned.unwrap_or_else(|problems| panic!("{problems:#?}"));
    #[expect(clippy::print_stdout, reason = "the other process waits for this line")]
    {
        println!("applying");
    }
    let holder = Holder { pid: 1, who: "test".to_owned(), operation: "apply".to_owned(), since: "now".to_owned() };
    let writer = store.lock(&holder, Duration::from_secs(20)).unwrap();
    let applied = engine.apply(planned, writer).await;
    applied.succeeded()
}
