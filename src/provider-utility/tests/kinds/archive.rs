//! Archives: what goes in, that the same sources make the same bytes, and when they are made again.

use std::fs;

use pipectl_core::Value;
use pipectl_provider::{Effect, Instance};
use serde_json::{Value as Json, json};

use crate::bed::{Bed, config, integer, text, with, words};

fn sources(bed: &Bed) {
    bed.write("in/b.txt", "b");
    bed.write("in/a.txt", "a".repeat(1000));
    bed.write("in/deep/down/c.log", "c");
    bed.write("in/deep/d.txt", "d");
    bed.write("in/ünïcode.txt", "u");
}

/// Names in a ZIP file's central directory.
fn names(bytes: &[u8]) -> Vec<String> {
    let at = |start: usize, width: usize| {
        bytes[start..start + width].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let end = bytes.len() - 22;
    let (count, mut position) = (at(end + 10, 2), at(end + 16, 4));
    let mut names = Vec::new();
    for _ in 0..count {
        let length = at(position + 28, 2);
        names.push(String::from_utf8(bytes[position + 46..position + 46 + length].to_vec()).unwrap());
        position += 46 + length;
    }
    names
}

async fn packed(bed: &Bed, given: Json) -> Vec<String> {
    let given = with(&given, &json!({ "type": "zip", "output_path": "out/packed.zip" }));
    bed.data("archive_file", &given).await.unwrap_or_else(|problems| panic!("{}", words(&problems)));
    names(&fs::read(bed.file("out/packed.zip")).unwrap())
}

#[tokio::test]
async fn packs_what_is_asked_for() {
    let bed = Bed::new();
    sources(&bed);
    let all = ["a.txt", "b.txt", "deep/d.txt", "deep/down/c.log", "ünïcode.txt"];
    assert_eq!(packed(&bed, json!({ "source_dir": "in" })).await, all);
    for (excludes, expected) in [
        (json!(["deep"]), &["a.txt", "b.txt", "ünïcode.txt"][..]),
        (json!(["*.txt"]), &["deep/d.txt", "deep/down/c.log"]),
        (json!(["**/*.txt"]), &["deep/down/c.log"]),
        (json!(["deep/**", ""]), &["a.txt", "b.txt", "ünïcode.txt"]),
        (json!(["{a,b}.txt", "deep/*.txt"]), &["deep/down/c.log", "ünïcode.txt"]),
    ] {
        let found = packed(&bed, json!({ "source_dir": "in", "excludes": excludes.clone() })).await;
        assert_eq!(found, expected, "{excludes}");
    }
    assert_eq!(packed(&bed, json!({ "source_file": "in/deep/d.txt" })).await, ["d.txt"]);
    let content = json!({ "source_content": "x", "source_content_filename": "some/where.txt" });
    assert_eq!(packed(&bed, content).await, ["some/where.txt"]);
    let blocks = json!([{ "filename": "z", "content": "1" }, { "filename": "y/x", "content": "2" }]);
    assert_eq!(packed(&bed, json!({ "source": blocks })).await, ["y/x", "z"]);
}

#[tokio::test]
async fn the_same_sources_make_the_same_bytes() {
    let outputs = |format: &'static str| async move {
        let bed = Bed::new();
        sources(&bed);
        let given = json!({ "type": format, "source_dir": "in", "output_path": "x", "output_file_mode": "0644" });
        let read = bed.data("archive_file", &given).await.unwrap();
        let bytes = fs::read(bed.file("x")).unwrap();
        assert_eq!(integer(&read, "output_size"), i64::try_from(bytes.len()).unwrap());
        assert_eq!(text(&read, "id"), text(&read, "output_sha"));
        (text(&read, "output_sha256").to_owned(), text(&read, "output_base64sha512").to_owned())
    };
    for format in ["zip", "tar.gz"] {
        assert_eq!(outputs(format).await, outputs(format).await, "{format}");
    }
    // Golden: a change of these is a change of what users deploy by digest.
    assert_eq!(outputs("zip").await.0, "26402eb9cbf73edd772e4e9ddd871a0462d1eeb59e63375581f93cc26c5e1a67");
    assert_eq!(outputs("tar.gz").await.0, "9b394cffd9f9930f1c6eb08bd59e517faedaf9ea64172316aeac69e775e24cc9");
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_unless_they_lead_to_folders_that_are_not_wanted() {
    use std::os::unix::fs::symlink;
    let bed = Bed::new();
    sources(&bed);
    bed.write("elsewhere/e.txt", "e");
    symlink(bed.file("elsewhere"), bed.file("in/linked")).unwrap();
    symlink(bed.file("in/b.txt"), bed.file("in/link.txt")).unwrap();
    let excludes = json!(["deep", "*ode.txt"]);
    let given = json!({ "source_dir": "in", "excludes": excludes });
    assert_eq!(packed(&bed, given.clone()).await, ["a.txt", "b.txt", "link.txt", "linked/e.txt"]);
    let without = with(&given, &json!({ "exclude_symlink_directories": true }));
    assert_eq!(packed(&bed, without).await, ["a.txt", "b.txt", "link.txt"]);
    // A circle ends.
    symlink(bed.file("in"), bed.file("in/deep/circle")).unwrap();
    let given = json!({ "type": "zip", "source_dir": "in", "output_path": "out.zip" });
    assert!(words(&bed.data("archive_file", &given).await.unwrap_err()).contains("Archive creation error"));
}

#[tokio::test]
async fn an_archive_does_not_pack_itself() {
    let bed = Bed::new();
    sources(&bed);
    let given = json!({ "type": "zip", "source_dir": "in", "output_path": "in/self.zip" });
    let first = bed.data("archive_file", &given).await.unwrap();
    assert_eq!(first, bed.data("archive_file", &given).await.unwrap());
    assert!(!names(&fs::read(bed.file("in/self.zip")).unwrap()).contains(&"self.zip".to_owned()));
}

/// Why an archive is to be made again.
async fn why(bed: &Bed, given: &Json, made: &Instance) -> String {
    let planned = bed.plan("archive_file", given, Some(made)).await;
    assert_eq!(planned.effect, Effect::Update);
    planned.reasons.into_iter().map(|reason| reason.text).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn the_resource_is_made_again_when_a_source_or_the_archive_has_changed() {
    let bed = Bed::new();
    sources(&bed);
    let given = json!({ "type": "tar.gz", "source_dir": "in", "output_path": "out/x.tar.gz" });
    let planned = bed.plan("archive_file", &given, None).await;
    assert_eq!(planned.effect, Effect::Create);
    assert!(!bed.file("out").exists(), "planning writes nothing");
    let made = bed.apply("archive_file", &given, None).await;
    bed.write("in/b.txt", "B");
    assert_eq!(why(&bed, &given, &made).await, "the files that it packs have changed");
    let made = bed.apply("archive_file", &given, Some(&made)).await;
    bed.write("out/x.tar.gz", "broken");
    assert_eq!(why(&bed, &given, &made).await, "the content of `out/x.tar.gz` is not what was written");
    fs::remove_file(bed.file("out/x.tar.gz")).unwrap();
    assert_eq!(why(&bed, &given, &made).await, "`out/x.tar.gz` is gone");
    let made = bed.apply("archive_file", &given, Some(&made)).await;
    assert!(bed.file("out/x.tar.gz").exists());
    // As HashiCorp's, removing the object leaves the file.
    assert!(bed.resource("archive_file").delete(&bed.cx("archive_file.x"), &made).await.instance.is_none());
    assert!(bed.file("out/x.tar.gz").exists());
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    sources(&bed);
    bed.write("empty/.keep", "");
    let kind = bed.data_source("archive_file");
    for (given, expected) in [
        (
            json!({}),
            "At least one of these attributes must be configured: [source,source_content_filename,source_file,source_dir]",
        ),
        (
            json!({ "source_dir": "in", "source_file": "in/b.txt" }),
            "Attribute \"source_dir\" cannot be specified when \"source_file\"",
        ),
        (json!({ "source_file": "in/b.txt", "excludes": ["a"] }), "cannot be specified when \"excludes\" is specified"),
        (
            json!({ "source_dir": "in", "source": [{ "content": "a", "filename": "b" }] }),
            "when \"source\" is specified",
        ),
        (json!({ "source_dir": "in", "type": "rar" }), "archive type not supported: rar"),
        (json!({ "source_dir": "in", "output_file_mode": "rw" }), "error parsing output_file_mode value: rw"),
        (json!({ "source_dir": "absent" }), "could not archive missing directory: absent"),
        (json!({ "source_dir": "in/b.txt" }), "could not archive directory that is a file: in/b.txt"),
        (json!({ "source_file": "absent" }), "could not archive missing file: absent"),
        (json!({ "source_dir": "empty", "excludes": ["**"] }), "archive has not been created as it would be empty"),
        (json!({ "source_dir": "in", "excludes": ["[a"] }), "error checking excludes matches"),
    ] {
        let given = with(&json!({ "type": "zip", "output_path": "out.zip" }), &given);
        let found = words(&bed.data("archive_file", &given).await.unwrap_err());
        assert!(found.contains(expected), "{given}: {found}");
        assert!(!bed.file("out.zip").exists());
    }
    let unknown = json!({ "type": "zip", "output_path": "x", "source_dir": "(unknown)" });
    assert_eq!(kind.validate(&config(kind.schema(), &unknown)), Default::default());
    assert_eq!(config(kind.schema(), &unknown).attribute("source"), Some(&Value::tuple([])));
}
