//! Files that the kinds of `local` write and read.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pipectl_provider::{Effect, ReadOutcome};
use serde_json::json;

use crate::bed::{Bed, config, text, words};

fn mode(bed: &Bed, name: &str) -> u32 {
    fs::metadata(bed.file(name)).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn writes_content_of_each_kind() {
    let bed = Bed::new();
    bed.write("source.bin", [0, 159, 146, 150]);
    for (given, expected) in [
        (json!({ "content": "hello\n" }), &b"hello\n"[..]),
        (json!({ "content": "" }), b""),
        (json!({ "sensitive_content": "secret" }), b"secret"),
        (json!({ "content_base64": "AJ+Slg==" }), &[0, 159, 146, 150]),
        (json!({ "source": "source.bin" }), &[0, 159, 146, 150]),
    ] {
        let given = crate::bed::with(&given, &json!({ "filename": "deep/down/file" }));
        let made = bed.apply("local_file", &given, None).await;
        assert_eq!(fs::read(bed.file("deep/down/file")).unwrap(), expected, "{given}");
        let read = bed.data("local_file", &json!({ "filename": "deep/down/file" })).await.unwrap();
        for name in [
            "id",
            "content_md5",
            "content_sha1",
            "content_sha256",
            "content_base64sha256",
            "content_sha512",
            "content_base64sha512",
        ] {
            assert_eq!(read.attribute(name), made.attributes.attribute(name), "{name}");
        }
        assert_eq!(text(&read, "id"), text(&read, "content_sha1"));
    }
    let read = bed.data("local_sensitive_file", &json!({ "filename": "source.bin" })).await.unwrap();
    assert_eq!((text(&read, "content"), text(&read, "content_base64")), ("\0\u{fffd}\u{fffd}\u{fffd}", "AJ+Slg=="));
    let problems = bed.data("local_file", &json!({ "filename": "absent" })).await.unwrap_err();
    assert!(words(&problems).starts_with("Read local file data source error: Cannot read `absent`"));
}

#[tokio::test]
async fn permissions_are_those_that_are_asked_for() {
    let bed = Bed::new();
    let given = json!({
        "filename": "folder/inside/file", "content": "x", "file_permission": "0640", "directory_permission": "0750"
    });
    bed.apply("local_file", &given, None).await;
    assert_eq!(
        (mode(&bed, "folder/inside/file"), mode(&bed, "folder"), mode(&bed, "folder/inside")),
        (0o640, 0o750, 0o750)
    );
    bed.apply("local_sensitive_file", &json!({ "filename": "private/file", "content": "x" }), None).await;
    assert_eq!((mode(&bed, "private/file"), mode(&bed, "private")), (0o700, 0o700));
}

#[tokio::test]
async fn a_file_that_is_gone_or_changed_is_made_again() {
    let bed = Bed::new();
    let given = json!({ "filename": "file", "content": "x" });
    let made = bed.apply("local_file", &given, None).await;
    let kind = bed.resource("local_file");
    fs::remove_file(bed.file("file")).unwrap();
    assert!(matches!(kind.read(&bed.cx("local_file.x"), &made).await.unwrap(), ReadOutcome::Gone));
    let made = bed.apply("local_file", &given, None).await;

    bed.write("file", "y");
    let planned = bed.plan("local_file", &given, Some(&made)).await;
    assert_eq!(planned.effect, Effect::Replace);
    let reasons: Vec<&str> = planned.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(reasons, ["the content of `file` is not what was written"]);
    bed.apply("local_file", &given, Some(&made)).await;
    assert_eq!(bed.text("file"), "x");

    let outcome = kind.delete(&bed.cx("local_file.x"), &made).await;
    assert!(outcome.instance.is_none());
    assert!(!bed.file("file").exists());
}

#[tokio::test]
async fn failures_are_told_and_leave_nothing() {
    let bed = Bed::new();
    bed.write("file", "in the way");
    let outcome =
        bed.try_apply("local_file", &json!({ "filename": "file/inside", "content": "x" }), None).await.unwrap();
    assert!(outcome.instance.is_none());
    assert!(words(&outcome.diagnostics).contains("Create local file error: Cannot make the folder of `file/inside`"));
    let outcome = bed.try_apply("local_file", &json!({ "filename": "copy", "source": "absent" }), None).await.unwrap();
    assert!(words(&outcome.diagnostics).contains("Cannot read `absent`"));
    assert!(!bed.file("copy").exists());

    let made = bed.apply("local_file", &json!({ "filename": "folder/x", "content": "x" }), None).await;
    fs::remove_dir_all(bed.file("folder")).unwrap();
    bed.write("folder/x/y", "a folder now");
    let kind = bed.resource("local_file");
    assert!(kind.delete(&bed.cx("local_file.x"), &made).await.diagnostics.has_errors());
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    let bed = Bed::new();
    let kind = bed.resource("local_file");
    for (given, expected) in [
        (
            json!({}),
            "No attribute specified when one (and only one) of [content,sensitive_content,content_base64,source]",
        ),
        (json!({ "content": "a", "source": "b" }), "2 attributes specified when one (and only one) of"),
        (json!({ "content": "a", "file_permission": "77" }), "string length should be 3 or 4 digits: 77"),
        (json!({ "content": "a", "file_permission": "0888" }), "must be expressed in octal numeric notation: 0888"),
        (json!({ "content": "a", "directory_permission": "+777" }), "must be expressed in octal numeric notation"),
        (json!({ "content": "a", "directory_permission": "1777" }), "must be expressed in octal numeric notation"),
        (json!({ "content_base64": "hunter2!" }), "Invalid Base64"),
    ] {
        let given = crate::bed::with(&given, &json!({ "filename": "f" }));
        let found = words(&kind.validate(&config(kind.schema(), &given)));
        assert!(found.contains(expected), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}
