//! A disk that nothing can be written to, from the start or from some moment on.

use std::fs;

use super::disk::Disk;
use super::project::{CHANGED, Project, lay_out};

const CAUSES: &[&str] = &["Read-only file system"];
const REMEDIES: &[&str] = &["mount it writable"];

/// What changes nothing works everywhere.
const LOOKING: [&[&str]; 4] =
    [&["plan", "small.hcl"], &["validate", "small.hcl"], &["graph", "small.hcl"], &["fmt", "-check", "small.hcl"]];

fn project<'a>(disk: &'a Disk, outside: &std::path::Path) -> Project<'a> {
    Project {
        seen: disk.file(""),
        outside: outside.to_owned(),
        command: Box::new(move |program| disk.command(disk.mounted(), program)),
    }
}

#[test]
fn a_disk_that_is_read_only_from_the_start() {
    let (mut disk, outside) = (Disk::new(24 << 10), tempfile::tempdir().unwrap());
    lay_out(&disk.file(""));
    disk.remount("ro");
    let here = project(&disk, outside.path());
    LOOKING.iter().for_each(|looking| drop(here.run(looking, &[]).worked()));
    here.apply(&[]).failed_for(CAUSES, REMEDIES);
    here.run(&["plan", "small.hcl", "-out=new.plan"], &[]).failed_for(CAUSES, REMEDIES);
    here.run(&["workspace", "new", "small.hcl", "other"], &[]).failed_for(CAUSES, REMEDIES);
    assert_eq!(here.contents_outside(), []);
    drop(here);
    disk.remount("rw");
    project(&disk, outside.path()).converges("writable again", &[]);
}

#[test]
fn a_disk_that_becomes_read_only() {
    let (mut disk, outside) = (Disk::new(24 << 10), tempfile::tempdir().unwrap());
    lay_out(&disk.file(""));
    let here = project(&disk, outside.path());
    here.apply(&[]).worked();
    here.run(&["plan", "small.hcl", "-out=saved.plan"], &CHANGED).worked();
    let (state, contents) = (here.state(), here.contents_outside());
    fs::write(disk.file("untidy.tfvars"), "a=1\n").unwrap();
    drop(here);

    disk.remount("ro");
    let here = project(&disk, outside.path());
    LOOKING.iter().for_each(|looking| drop(here.run(looking, &[]).worked()));
    here.run(&["state", "list", "small.hcl"], &[]).worked();
    for looking in [
        &["output", "small.hcl"][..],
        &["logs", "small.hcl", "stage.train.small"],
        &["artifacts", "list", "small.hcl"],
        &["show", "saved.plan"],
        &["workspace", "list", "small.hcl"],
    ] {
        here.run(looking, &[]).worked();
    }
    for changing in [
        &["apply", "small.hcl", "-auto-approve"][..],
        &["apply", "saved.plan"],
        &["destroy", "small.hcl", "-auto-approve"],
        &["plan", "small.hcl", "-out=saved.plan"],
        &["state", "rm", "small.hcl", "local_file.inside[0]"],
        &["state", "mv", "small.hcl", "local_file.inside[0]", "local_file.inside[9]"],
        &["workspace", "new", "small.hcl", "other"],
        &["artifacts", "gc", "small.hcl"],
    ] {
        let said = here.run(changing, &CHANGED);
        println!("{changing:?}");
        said.failed_for(CAUSES, REMEDIES);
    }
    here.run(&["fmt", "untidy.tfvars"], &CHANGED).failed_with(2, CAUSES, REMEDIES);
    assert_eq!(here.state(), state);
    assert_eq!(here.contents_outside(), contents);
    drop(here);

    disk.remount("rw");
    let here = project(&disk, outside.path());
    here.run(&["apply", "saved.plan"], &[]).worked();
    here.converges("writable again", &CHANGED);
    here.destroy("writable again", &CHANGED);
}
