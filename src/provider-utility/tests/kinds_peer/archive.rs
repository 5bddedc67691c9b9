//! Archives against Info-ZIP, Python's `zipfile` and GNU tar.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::said;
use crate::bed::{Bed, with, words};

fn long_name() -> String {
    format!("deep/{}/end.txt", "long-".repeat(40))
}

async fn packed(bed: &Bed, given: &Json) {
    bed.write("in/a.txt", "a".repeat(70_000));
    bed.write("in/ünïcode.txt", "u");
    bed.write("in/empty", "");
    bed.write(&format!("in/{}", long_name()), "long");
    fs::set_permissions(bed.file("in/a.txt"), fs::Permissions::from_mode(0o751)).unwrap();
    bed.data("archive_file", &with(&json!({ "source_dir": "in" }), given))
        .await
        .unwrap_or_else(|problems| panic!("{}", words(&problems)));
}

fn assert_unpacked(bed: &Bed, expected_mode: u32) {
    for name in ["a.txt", "ünïcode.txt", "empty", &long_name()] {
        assert_eq!(
            fs::read(bed.file("out").join(name)).unwrap(),
            fs::read(bed.file("in").join(name)).unwrap(),
            "{name}"
        );
    }
    let mode = fs::metadata(bed.file("out/a.txt")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, expected_mode);
}

#[tokio::test]
async fn unzip_and_python_read_what_is_packed() {
    let bed = Bed::new();
    packed(&bed, &json!({ "type": "zip", "output_path": "x.zip" })).await;
    let unzip = |arguments: &[&str]| said(Command::new("unzip").args(arguments).arg(bed.file("x.zip")));
    assert!(unzip(&["-t"]).contains("No errors detected in compressed data"));
    said(Command::new("unzip").arg("-q").arg(bed.file("x.zip")).arg("-d").arg(bed.file("out")));
    assert_unpacked(&bed, 0o751);
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  for i in z.infolist(): print(i.filename, i.file_size, i.date_time[0], oct(i.external_attr >> 16))";
    let listed = said(Command::new("python3").args(["-X", "utf8", "-c", script]).arg(bed.file("x.zip")));
    assert!(listed.starts_with("a.txt 70000 1980 0o100751\n"), "{listed}");
    assert!(listed.contains("ünïcode.txt 1 1980 "), "{listed}");
}

#[tokio::test]
async fn tar_reads_what_is_packed() {
    let bed = Bed::new();
    packed(&bed, &json!({ "type": "tar.gz", "output_path": "x.tar.gz", "output_file_mode": "0640" })).await;
    fs::create_dir(bed.file("out")).unwrap();
    said(Command::new("gzip").arg("-t").arg(bed.file("x.tar.gz")));
    said(Command::new("tar").arg("-xpzf").arg(bed.file("x.tar.gz")).arg("-C").arg(bed.file("out")));
    assert_unpacked(&bed, 0o640);
    let script =
        "import sys, tarfile\nfor m in tarfile.open(sys.argv[1]): print(m.name, m.size, m.mtime, m.uid, oct(m.mode))";
    let listed = said(Command::new("python3").args(["-X", "utf8", "-c", script]).arg(bed.file("x.tar.gz")));
    assert!(listed.starts_with("a.txt 70000 0 0 0o640\n"), "{listed}");
    assert!(listed.contains(&format!("{} 4 0 0 0o640\n", long_name())), "{listed}");
}
