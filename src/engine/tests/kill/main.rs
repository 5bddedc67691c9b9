//! `kill -9` in the middle of applying: a process of its own works on a state on disk and on a simulated cloud that outlives it, and is
//! killed at random moments.
//!
//! After every kill the state can be read, every object of the cloud is in it once or announced there, and no file has the token of a cluster in
//! it. From time to time a run is left alone: it must come to exactly what the configuration says.
//!
//! Without arguments this program is the test; as `kill apply FOLDER VERSION SEED` it is the process that is killed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod worker;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use pipectl_sim::{Object, Settings, World};
use pipectl_state::{State, StateStore};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use worker::{Version, store, world_file};

/// Kills in all.
const KILLS: usize = 200;
/// After so many kills a run is left alone.
const KILLS_BETWEEN_REPAIRS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, folder, version, seed] = arguments.as_slice()
        && mode == "apply"
    {
        return worker::run(Path::new(folder), version.parse().unwrap(), seed.parse().unwrap());
    }
    let trial = Trial::test("killed_at_200_moments_it_loses_doubles_and_orphans_nothing", || {
        killed_at_many_moments().map_err(Failed::from)
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn killed_at_many_moments() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut chance = ChaCha8Rng::seed_from_u64(20_14);
    // How long a whole run takes here: kills are spread over that, and a little beyond.
    let mut whole = left_alone(folder, Version::First, 0)?;
    let mut seen = BTreeMap::new();
    for kill in 0..KILLS {
        let version = Version::ALL[chance.random_range(0..Version::ALL.len())];
        let mut child = start(folder, version, kill as u64 + 1);
        let moment = whole.mul_f64(chance.random_range(0.0..1.1));
        std::thread::sleep(moment);
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let context = |problem: String| format!("kill {kill}, {moment:?} after the start of {version:?}: {problem}");
        let state = store(folder).read().map_err(|error| context(format!("the state cannot be read: {error}")))?;
        no_file_tells(&folder.join("state")).map_err(context)?;
        let announced = nothing_is_lost(&state.unwrap_or_default(), &objects(folder)).map_err(context)?;
        let outcome = match (ended, announced) {
            (true, _) => "ended before",
            (false, 0) => "between calls",
            (false, _) => "during calls",
        };
        *seen.entry(outcome).or_insert(0_usize) += 1;
        if kill % KILLS_BETWEEN_REPAIRS == KILLS_BETWEEN_REPAIRS - 1 {
            whole = left_alone(folder, version, 0)?;
        }
    }
    left_alone(folder, Version::Nothing, 0)?;
    // A test whose kills all come too late or too early would show nothing.
    let during = seen.get("during calls").copied().unwrap_or_default();
    if during < KILLS / 4 { Err(format!("only {during} kills hit a call: {seen:?}")) } else { Ok(()) }
}

/// Starts a process that applies, and waits until it begins to.
fn start(folder: &Path, version: Version, seed: u64) -> Child {
    let arguments = [version.to_string(), seed.to_string()];
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("apply")
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "applying\n", "the process says when it begins");
    child
}

/// Applies without bad luck and without a kill: afterwards cloud, state and configuration agree. How long it took.
fn left_alone(folder: &Path, version: Version, seed: u64) -> Result<Duration, String> {
    let mut child = start(folder, version, seed);
    let watch = Instant::now();
    let status = child.wait().unwrap();
    let took = watch.elapsed();
    if !status.success() {
        return Err(format!("a run of {version:?} that is left alone fails: {status}"));
    }
    let state = store(folder).read().unwrap().unwrap_or_default();
    let objects = objects(folder);
    if nothing_is_lost(&state, &objects)? > 0 || !state.intents.is_empty() {
        return Err(format!("a whole run leaves calls open: {:?}", state.intents));
    }
    if state.resources.values().any(|resource| !resource.deposed.is_empty()) {
        return Err("a whole run leaves objects that were replaced".to_owned());
    }
    let mut names: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    names.sort_unstable();
    let mut wanted = version.names();
    wanted.sort_unstable();
    if names != wanted {
        return Err(format!("the cloud holds {names:?}, and {version:?} is {wanted:?}"));
    }
    let known = known_ids(&state);
    if known.len() != objects.len() {
        return Err(format!("the state holds {known:?}, and the cloud {} objects", objects.len()));
    }
    Ok(took)
}

/// No file of the state has the token of a cluster in it.
fn no_file_tells(folder: &Path) -> Result<(), String> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_tells(&path)?;
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("token of") {
            return Err(format!("{} has a token in it", path.display()));
        }
    }
    Ok(())
}

fn objects(folder: &Path) -> Vec<Object> {
    World::kept_in(&world_file(folder), Settings::default()).unwrap().objects()
}

fn known_ids(state: &State) -> Vec<String> {
    let objects = state.objects().filter(|(address, _, _)| address.type_name.starts_with("sim_"));
    objects.map(|(_, _, object)| object.attributes["id"].as_str().unwrap().to_owned()).collect()
}

/// Every object of the cloud is in the state exactly once, or announced there. How many calls are announced.
fn nothing_is_lost(state: &State, objects: &[Object]) -> Result<usize, String> {
    let known = known_ids(state);
    for object in objects {
        let count = known.iter().filter(|id| **id == object.id).count();
        let announced = state.intents.values().filter(|intent| intent.token == object.token).count();
        if count != 1 && !(count == 0 && announced == 1) {
            return Err(format!("{} is {count} times in the state, and announced {announced} times", object.id));
        }
    }
    Ok(state.intents.len())
}
