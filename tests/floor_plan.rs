//! The floor plan as a test: who may import whom, which crate alone may name a heavy dependency,
//! and what a source file looks like.
//!
//! The tables here are the binding form of the drawing in `docs/src/internals/architecture.md`.
//! A new crate or a new edge is added to a table in the same change, where a reviewer sees it.
//! Only normal and build dependencies count: tests may use what they need. What the compiler can
//! check by itself (banned functions and types) stands in `clippy.toml`.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Our crates, without the prefix `pipectl-`, and those of ours that each may import.
const IMPORTS: &[(&str, &[&str])] = &[
    ("core", &[]),
    // A witness: it must not share a line with what it is to judge.
    ("sim-oci", &[]),
    ("lang", &["core"]),
    ("provider", &["core"]),
    ("http", &["core"]),
    ("state", &["core"]),
    ("s3-client", &["core"]),
    ("backend-s3", &["core", "provider", "state", "s3-client"]),
    ("engine", &["core", "lang", "provider", "state"]),
    ("sim", &["core", "provider"]),
    ("cloud", &["core", "provider", "http"]),
    ("oci-client", &["core", "http"]),
    ("provider-aws", &["core", "provider", "http", "cloud", "s3-client"]),
    ("provider-oci", &["core", "provider", "http", "cloud", "oci-client"]),
    ("provider-openstack", &["core", "provider", "http", "cloud"]),
    ("provider-terraform", &["core", "provider", "state"]),
    ("provider-utility", &["core", "provider", "http"]),
    ("stage", &["core", "provider"]),
    ("artifact", &["core", "provider"]),
    ("worker", &["core", "provider", "stage", "artifact"]),
    ("formats", &["core"]),
    ("network", &["core"]),
    ("onnx", &["core"]),
    ("onnx-ort", &["core", "onnx"]),
    ("collective", &["core"]),
    ("train-burn", &["core", "network", "collective", "formats"]),
    ("stage-convert", &["core", "provider", "stage", "formats"]),
    ("stage-train", &["core", "provider", "stage", "formats", "network", "collective", "train-burn"]),
    ("stage-evaluate", &["core", "provider", "stage", "formats", "network", "train-burn"]),
    ("stage-export", &["core", "provider", "stage", "formats", "network", "onnx", "onnx-ort", "train-burn"]),
    ("stage-score", &["core", "provider", "stage", "formats", "onnx", "onnx-ort"]),
    (
        "cli",
        &[
            "artifact",
            "backend-s3",
            "collective",
            "core",
            "engine",
            "formats",
            "lang",
            "network",
            "onnx",
            "onnx-ort",
            "provider",
            "provider-aws",
            "provider-oci",
            "provider-openstack",
            "provider-terraform",
            "provider-utility",
            "sim",
            "stage",
            "stage-convert",
            "stage-evaluate",
            "stage-export",
            "stage-score",
            "stage-train",
            "state",
            "train-burn",
            "worker",
        ],
    ),
    ("pipectl", &["cli"]),
];

/// Dependencies that only some of our crates may name. A name ending in `*` stands for a family.
const RESERVED: &[(&str, &[&str])] = &[
    ("anyhow", &[]),
    ("annotate-snippets", &["cli"]),
    ("anstream", &["cli"]),
    ("aws-*", &["backend-s3", "provider-aws", "s3-client"]),
    ("arrow*", &["formats", "stage-convert", "stage-score"]),
    ("bcrypt", &["lang", "provider-utility"]),
    ("burn*", &["train-burn"]),
    ("clap*", &["cli"]),
    ("ed25519-dalek", &["provider-utility"]),
    ("hcl-*", &["lang", "cli"]),
    ("indicatif", &["cli"]),
    ("ort", &["onnx-ort"]),
    ("p224", &["provider-utility"]),
    ("p256", &["provider-utility"]),
    ("p384", &["provider-utility"]),
    ("p521", &["provider-utility"]),
    ("parquet", &["formats", "stage-convert", "stage-score"]),
    ("petgraph", &["engine"]),
    ("petname", &["provider-utility"]),
    ("plotters", &["stage-evaluate"]),
    ("rcgen", &["provider-openstack", "sim-oci"]),
    ("reqwest", &["http"]),
    ("rsa", &["lang", "oci-client", "provider-utility", "sim-oci"]),
    (
        "tokio*",
        &[
            "backend-s3",
            "s3-client",
            "provider",
            "http",
            "cloud",
            "oci-client",
            "engine",
            "sim",
            "stage",
            "worker",
            "cli",
            "provider-aws",
            "provider-oci",
            "provider-openstack",
            "provider-terraform",
            "provider-utility",
        ],
    ),
];

/// What may lie at the top, beside files and folders whose name begins with a dot.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "docs",
    "modules",
    "pipelines",
    "rustfmt.toml",
    "src",
    "stacks",
    "tests",
    // Made by a build or a run, and ignored by git.
    "artifacts",
    "target",
];

/// File stems that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "prelude", "util", "utils"];

/// Folders that a run or a build makes. (`src/artifact` is a crate; a folder `artifacts` is not.)
const MADE: &[&str] = &[".pipectl", "__pycache__", "artifacts", "book", "target"];

/// Where a path of one machine or the host of a registry would do harm.
const TEXT_FOLDERS: &[&str] = &[".ci", "docs", "modules", "pipelines", "src", "stacks", "tests"];
const TEXT_FILES: &[&str] = &["CHANGELOG.md", "Cargo.toml", "README.md", "clippy.toml", "deny.toml"];

const LONGEST_FILE: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Our packages as cargo sees them, by name without the prefix.
fn packages() -> BTreeMap<String, Json> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo, which runs this test, can be started");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (short_name(package["name"].as_str().unwrap()), package.clone())).collect()
}

fn short_name(package: &str) -> String {
    package.strip_prefix("pipectl-").unwrap_or(package).to_owned()
}

/// Names of the normal and build dependencies of a package.
fn dependencies(package: &Json) -> BTreeSet<String> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Fails with every violation at once, so that one run shows the whole repair.
fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}\n  {}\n", violations.join("\n  "));
}

/// All files below a folder, in order, without those that a run or a build made.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = entry.file_name();
            if MADE.iter().any(|made| name == OsStr::new(made)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn rust_sources() -> Vec<PathBuf> {
    let mut files = files_below(&root().join("src"));
    files.extend(files_below(&root().join("tests")));
    files.retain(|path| path.extension() == Some(OsStr::new("rs")));
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_crate_is_in_the_plan() {
    let planned: BTreeSet<&str> = IMPORTS.iter().map(|(name, _)| *name).collect();
    let packages = packages();
    let mut violations = Vec::new();
    for (name, package) in &packages {
        if !planned.contains(name.as_str()) {
            violations.push(format!("{name}: not in the table IMPORTS"));
        }
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap();
        let expected = if name == "pipectl" { root().to_owned() } else { root().join("src").join(name) };
        if folder != expected {
            violations.push(format!("{name}: lies in {}", folder.display()));
        }
        if package["license"] != "Apache-2.0" {
            violations.push(format!("{name}: its licence is not Apache-2.0"));
        }
        if package["publish"] != Json::Array(Vec::new()) {
            violations.push(format!("{name}: may be published"));
        }
        let text = fs::read_to_string(manifest).unwrap();
        if !text.contains("[lints]\nworkspace = true") {
            violations.push(format!("{name}: does not take the lints of the workspace"));
        }
    }
    for name in planned {
        if !packages.contains_key(name) {
            violations.push(format!("{name}: in the table IMPORTS, but there is no such crate"));
        }
    }
    assert_none("each crate is pipectl-<folder> in src/<folder>", &violations);
}

#[test]
fn crates_import_only_what_the_plan_allows() {
    let packages = packages();
    let mut violations = Vec::new();
    for (name, allowed) in IMPORTS {
        let Some(package) = packages.get(*name) else {
            continue; // `every_crate_is_in_the_plan` reports it.
        };
        for dependency in dependencies(package) {
            if dependency.starts_with("pipectl-") && !allowed.contains(&&*short_name(&dependency)) {
                violations.push(format!("{name} imports {dependency}"));
            }
        }
    }
    assert_none("an import that the floor plan does not have", &violations);
}

#[test]
fn the_plan_has_no_cycle_and_keeps_the_core_apart() {
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    // Rows are in an order in which each crate comes after all that it may import.
    let mut before = BTreeSet::new();
    let mut violations = Vec::new();
    for (name, imports) in IMPORTS {
        for import in *imports {
            if !before.contains(import) {
                violations.push(format!("{name} may import {import}, which comes later"));
            }
        }
        before.insert(*name);
    }
    // What the engine reaches, whatever the edges between are called.
    let mut reached = BTreeSet::new();
    let mut open = vec!["lang", "engine"];
    while let Some(name) = open.pop() {
        for import in allowed[name] {
            if reached.insert(*import) {
                open.push(import);
            }
        }
    }
    for name in reached {
        if !["core", "lang", "provider", "state"].contains(&name) {
            violations.push(format!("lang or engine may reach {name}"));
        }
    }
    assert_none("the tables of this test contradict the design", &violations);
}

#[test]
fn heavy_dependencies_stay_in_their_crate() {
    let mut violations = Vec::new();
    for (name, package) in packages() {
        for dependency in dependencies(&package) {
            for (pattern, owners) in RESERVED {
                if matches(pattern, &dependency) && !owners.contains(&name.as_str()) {
                    violations.push(format!("{name} names {dependency}, reserved for {owners:?}"));
                }
            }
        }
    }
    assert_none("a dependency outside the crate that hides it", &violations);
}

#[test]
fn tests_that_need_a_peer_are_behind_their_feature() {
    let mut violations = Vec::new();
    for (name, package) in packages() {
        for target in package["targets"].as_array().unwrap() {
            let is_test = target["kind"].as_array().unwrap().contains(&"test".into());
            let target_name = target["name"].as_str().unwrap();
            let required = target["required-features"].as_array();
            let is_gated = required.is_some_and(|features| features.contains(&"peer-tests".into()));
            if is_test && target_name.ends_with("_peer") != is_gated {
                violations.push(format!(
                    "{name}, test {target_name}: a name ending in `_peer` and \
                     `required-features = [\"peer-tests\"]` go together"
                ));
            }
        }
    }
    assert_none("tests/run finds peer tests by this feature", &violations);
}

#[test]
fn the_top_level_is_fixed() {
    let mut violations = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.') && !name.ends_with(".tfplan") && !TOP_LEVEL.contains(&&*name) {
            violations.push(name);
        }
    }
    assert_none("something new at the top level", &violations);
}

#[test]
fn source_files_are_short_and_say_what_they_own() {
    let mut violations = Vec::new();
    for path in rust_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            violations.push(format!("{}: {lines} lines: split it", shown(&path)));
        }
        if !text.starts_with("//!") {
            violations.push(format!("{}: no module doc in its first line", shown(&path)));
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if EMPTY_NAMES.contains(&stem) {
            violations.push(format!("{}: name it after what it owns", shown(&path)));
        }
        let has_logic =
            text.lines().any(|line| line.starts_with("impl ") || line.contains("fn ") && !line.starts_with("//"));
        if stem == "mod" && has_logic {
            violations.push(format!("{}: logic in mod.rs", shown(&path)));
        }
    }
    assert_none("files of at most 800 lines, each with a module doc", &violations);
}

#[test]
fn no_file_names_a_machine_or_a_registry_host() {
    // Put together here, so that this file does not name them either.
    let hosts = [
        ["crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["pythonhosted", ".org"].concat(),
        ["npmjs", ".org"].concat(),
        ["deb.debian", ".org"].concat(),
    ];
    let machine_folder = ["/wo", "rk/"].concat();
    let mut files = Vec::new();
    for folder in TEXT_FOLDERS {
        let folder = root().join(folder);
        // Git keeps no empty folder: a clone lacks the rooms that have nothing in them yet.
        if folder.is_dir() {
            files.extend(files_below(&folder));
        }
    }
    for file in TEXT_FILES {
        files.push(root().join(file));
    }
    let mut violations = Vec::new();
    // Lock files name the registry: cargo writes them.
    for path in files.into_iter().filter(|path| path.file_name() != Some(OsStr::new("Cargo.lock"))) {
        // A fixture may be a link that leads nowhere.
        if !path.exists() {
            continue;
        }
        // Binary files (events, golden records) have no text to look at.
        let Ok(text) = String::from_utf8(fs::read(&path).unwrap()) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let at = format!("{}:{}", shown(&path), number + 1);
            violations
                .extend(hosts.iter().filter(|host| line.contains(host.as_str())).map(|host| format!("{at}: {host}")));
            let names_machine = line.match_indices(&machine_folder).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || ".-_}".contains(c))
            });
            if names_machine {
                violations.push(format!("{at}: {machine_folder}"));
            }
        }
    }
    assert_none("a path of one machine, or a registry's host", &violations);
}
