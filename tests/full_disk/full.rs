//! A disk that fills up, at every point of an apply.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use super::disk::Disk;
use super::project::{CHANGED, Project, lay_out, reset};

const CAUSES: &[&str] = &["No space left on device"];
const REMEDIES: &[&str] = &["Free space on the disk"];

/// The disk holds 15 MiB of events.
const SIZE: u64 = 24 << 10;

struct Stage {
    disk: Disk,
    outside: TempDir,
    /// Copies of the project and of the outside, before and after a first apply.
    saved: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage =
            Self { disk: Disk::new(SIZE), outside: tempfile::tempdir().unwrap(), saved: tempfile::tempdir().unwrap() };
        lay_out(&stage.disk.file(""));
        stage.save("empty");
        stage.project().apply(&[]).worked();
        stage.save("applied");
        stage
    }

    fn project(&self) -> Project<'_> {
        Project {
            seen: self.disk.file(""),
            outside: self.outside.path().to_owned(),
            command: Box::new(|program| self.disk.command(self.disk.mounted(), program)),
        }
    }

    fn save(&self, name: &str) {
        for (from, to) in [(self.disk.file(""), "project"), (self.outside.path().to_owned(), "outside")] {
            let to = self.saved.path().join(name).join(to);
            fs::create_dir_all(&to).unwrap();
            reset(&to, &from, &[]);
            // It does not change, and takes long to copy.
            let _ = fs::remove_dir_all(to.join("data"));
        }
    }

    fn restore(&self, name: &str) {
        let saved = self.saved.path().join(name);
        reset(&self.disk.file(""), &saved.join("project"), &["data"]);
        reset(self.outside.path(), &saved.join("outside"), &[]);
    }

    /// Applies with so much room, and then with enough. Whether the room was enough.
    fn apply_with(&self, start: &str, kib: u64) -> bool {
        let when = &format!("{start}, {kib} KiB");
        self.restore(start);
        self.disk.leave(kib);
        let project = self.project();
        let said = project.apply(&CHANGED);
        let enough = said.code == Some(0);
        if !enough {
            said.failed_for(CAUSES, REMEDIES);
        }
        project.check_state(when, &said.errors);
        for looking in [&["plan", "small.hcl"][..], &["output", "small.hcl"]] {
            project.run(looking, &CHANGED).worked();
        }
        self.disk.give_back();
        project.converges(when, &CHANGED);
        enough
    }

    /// Applies with more and more room until it is enough, twice.
    fn sweep(&self, start: &str, step: u64) {
        let mut successes = 0;
        let mut points = 0;
        let mut kib = 0;
        while successes < 2 {
            successes += u64::from(self.apply_with(start, kib));
            points += 1;
            kib += step;
        }
        assert!(points > 8, "{points} points are not many");
        self.project().destroy(start, &CHANGED);
    }
}

#[test]
fn an_apply_from_nothing_ends_well_wherever_the_disk_fills_up() {
    Stage::new().sweep("empty", 12);
}

#[test]
fn a_change_ends_well_wherever_the_disk_fills_up() {
    Stage::new().sweep("applied", 8);
}

/// What the two tests above do, page by page: takes several minutes.
#[test]
#[ignore = "takes several minutes"]
fn every_single_page_may_be_the_last() {
    let stage = Stage::new();
    stage.sweep("empty", 4);
    stage.sweep("applied", 4);
}

#[test]
fn on_a_disk_without_room_nothing_is_done_and_all_can_be_looked_at() {
    let stage = Stage::new();
    let project = stage.project();
    project.run(&["plan", "small.hcl", "-out=old.plan"], &CHANGED).worked();
    let plan = fs::read(stage.disk.file("old.plan")).unwrap();
    // What a command may remove before it fails is room for the next one.
    let without_room = |arguments: &[&str], settings: &[&str]| {
        stage.disk.leave(0);
        let said = project.run(arguments, settings);
        said.failed_for(CAUSES, REMEDIES);
        said.errors
    };
    let errors = without_room(&["apply", "old.plan"], &[]);
    project.check_state("with the saved plan", &errors);
    let errors = without_room(&["apply", "small.hcl", "-auto-approve"], &CHANGED);
    project.check_state("without room", &errors);
    without_room(&["plan", "small.hcl", "-out=old.plan"], &[]);
    without_room(&["plan", "small.hcl", "-out=new.plan"], &[]);
    without_room(&["workspace", "new", "small.hcl", "other"], &[]);
    stage.disk.leave(0);

    assert_eq!(fs::read(stage.disk.file("old.plan")).unwrap(), plan);
    assert!(!stage.disk.file("new.plan").exists());
    for looking in [
        &["plan", "small.hcl"][..],
        &["validate", "small.hcl"],
        &["state", "list", "small.hcl"],
        &["logs", "small.hcl", "stage.train.small"],
        &["graph", "small.hcl"],
        &["artifacts", "list", "small.hcl"],
        &["artifacts", "verify", "small.hcl"],
        &["workspace", "list", "small.hcl"],
        &["show", "old.plan"],
    ] {
        project.run(looking, &CHANGED).worked();
    }

    stage.disk.give_back();
    project.converges("room again", &CHANGED);
}

/// Who has no room left is told what takes it, and can give it back.
#[test]
fn on_a_disk_without_room_artifacts_can_be_removed() {
    let stage = Stage::new();
    let project = stage.project();
    project.apply(&CHANGED).worked();
    let list = || project.run(&["artifacts", "list", "small.hcl"], &[]).worked().output;
    let (used, unused): (Vec<_>, Vec<_>) =
        list().lines().map(str::to_owned).partition(|line| !line.contains("(not in the state)"));
    assert!(!unused.is_empty());
    stage.disk.leave(0);
    let said = project.run(&["artifacts", "gc", "-keep=0s", "small.hcl"], &[]).worked();
    assert!(said.output.contains("emoved"), "{}", said.output);
    assert_eq!(list().lines().collect::<Vec<_>>(), used, "what the state refers to stays");
    stage.disk.give_back();
    project.converges("after the collection", &CHANGED);
}

#[test]
fn output_that_cannot_be_written_is_not_a_success() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.tf"), "output \"a\" {\n  value = 1\n}\n").unwrap();
    let here = folder.path();
    let project = Project {
        seen: here.to_owned(),
        outside: here.to_owned(),
        command: Box::new(move |program| {
            let mut command = std::process::Command::new(program);
            command.current_dir(here);
            command
        }),
    };
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [&["version"][..], &["validate", "."], &["graph", "."]] {
        let said = project.run_with(arguments, &[], |command| command.stdout(full()));
        assert_eq!(said.code, Some(1), "{}", said.errors);
        assert!(said.errors.contains("Output incomplete") && said.errors.contains(REMEDIES[0]), "{}", said.errors);
    }
    // What an apply does matters more than what it says.
    let said = project.run_with(&["apply", "-auto-approve"], &[], |command| command.stdout(full()));
    assert_eq!(said.code, Some(1), "{}", said.errors);
    assert!(Path::new(&here.join(".pipectl/default/default/log")).exists());
}

/// The state lies on one disk, the store of the artifacts, or what people see of them, on another.
#[test]
fn artifacts_on_a_full_disk_of_their_own_lose_nothing() {
    for place in [".pipectl/store", "artifacts"] {
        let disk = Disk::new(2 << 10);
        let home = tempfile::tempdir().unwrap();
        let (folder, outside) = (home.path().join("project"), home.path().join("outside"));
        lay_out(&folder);
        fs::create_dir(&outside).unwrap();
        let link = folder.join(place);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(disk.mounted(), link).unwrap();
        let here = folder.clone();
        let command = |program: &str| disk.command(&here, program);
        let project = Project { seen: folder, outside, command: Box::new(command) };
        let mut failures = 0;
        for kib in (0..).step_by(40) {
            disk.leave(kib);
            let said = project.apply(&[]);
            if said.code == Some(0) {
                break;
            }
            said.failed_for(CAUSES, REMEDIES);
            project.check_state(&format!("{place}, {kib} KiB"), &said.errors);
            failures += 1;
        }
        assert!(failures > 1, "{failures} failures are not many");
        disk.give_back();
        project.converges(place, &[]);
    }
}
