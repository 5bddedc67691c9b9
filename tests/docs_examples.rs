//! The documentation as a test: every HCL example is valid, every link leads somewhere, every page is in the table of
//! contents.
//!
//! A fence marked `hcl` holds a whole root module and is handed to `pipectl validate`. A fragment is marked
//! `hcl,ignore`. Whether an example does what the text says is for the tests of what it shows.
//!
//! A guide is worked through from its beginning, in a folder of its own: `hcl,file=NAME` writes a file, `hcl,append=NAME` adds to one,
//! the commands of `sh,run` must end as they say (`# status 2`, else 0), and each line of `text,said` must stand in what they said.
//! Files of other languages are written in the same way (`yaml,file=NAME`, `python,file=NAME`); workflows of CI systems are read, and what their
//! jobs run is run.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Markdown pages: the book, the README and those beside the pipelines.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for folder in ["docs/src", "pipelines", "modules", "stacks"] {
        let mut folders = vec![root().join(folder)];
        while let Some(folder) = folders.pop() {
            // Git keeps no empty folder: a clone lacks the rooms that have nothing in them yet.
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension() == Some(OsStr::new("md")) {
                    pages.push(path);
                }
            }
        }
    }
    pages.sort();
    pages
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// A fenced block: the line of its opening fence, the words behind the fence, and its text.
struct Fence {
    line: usize,
    info: String,
    text: String,
}

impl Fence {
    /// Writes the file that it is, if it is one.
    fn write(&self, folder: &Path) -> bool {
        let Some((_, name)) = self.info.split_once(",file=") else { return false };
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &self.text).unwrap();
        true
    }
}

fn fences(page: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Fence { line: index + 1, info: info.trim().to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(fence), None) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence that does not end");
    fences
}

/// Targets of `[text](target)` outside fences, with their lines.
fn links(page: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut in_fence = false;
    for (index, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        for (start, _) in line.match_indices("](") {
            let target = &line[start + 2..];
            let target = &target[..target.find(')').expect("a link ends on its line")];
            links.push((index + 1, target.to_owned()));
        }
    }
    links
}

#[test]
fn every_example_is_valid() {
    let mut examples = 0;
    let mut failures = Vec::new();
    for page in pages() {
        for fence in fences(&fs::read_to_string(&page).unwrap()) {
            let at = format!("{}:{}", shown(&page), fence.line);
            match fence.info.as_str() {
                "hcl" => {}
                "hcl,ignore" | "sh" | "text" | "json" | "rust" | "sh,run" | "text,said" => continue,
                // What Python is needed for is run by `tests/peers/own_data_interop.py`.
                "sh,peer" => continue,
                info if info.contains(",file=") || info.starts_with("hcl,append=") => continue,
                other => {
                    failures.push(format!("{at}: a fence marked `{other}`: is it an example?"));
                    continue;
                }
            }
            examples += 1;
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("main.hcl"), &fence.text).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_pipectl"))
                .arg("validate")
                .arg(folder.path())
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                failures.push(format!("{at}: {}", String::from_utf8_lossy(&said)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(examples > 0, "no page has an example");
}

#[test]
fn every_guide_does_what_it_says() {
    let mut commands = 0;
    for page in pages() {
        let fences = fences(&fs::read_to_string(&page).unwrap());
        if !fences.iter().any(|fence| fence.info == "sh,run") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root().join("pipelines/data"), folder.path().join("data")).unwrap();
        let mut said = String::new();
        for fence in fences {
            let at = format!("{}:{}", shown(&page), fence.line);
            if fence.write(folder.path()) {
            } else if let Some(name) = fence.info.strip_prefix("hcl,append=") {
                let path = folder.path().join(name);
                let before = fs::read_to_string(&path).unwrap();
                fs::write(path, format!("{before}\n{}", fence.text)).unwrap();
            } else if fence.info == "sh,run" {
                said.clear();
                for line in fence.text.lines() {
                    said.push_str(&carry_out(line, folder.path(), &at));
                    commands += 1;
                }
            } else if fence.info == "text,said" {
                for line in fence.text.lines() {
                    assert!(said.contains(line.trim()), "{at}: nobody said `{line}`:\n{said}");
                }
            }
        }
    }
    assert!(commands > 20, "{commands} commands are not many");
}

/// Runs a command line of a guide; what it said.
fn carry_out(line: &str, folder: &Path, at: &str) -> String {
    let (line, status) = match line.split_once(" # status ") {
        Some((line, status)) => (line, status.parse().unwrap()),
        None => (line, 0),
    };
    let program = Path::new(env!("CARGO_BIN_EXE_pipectl"));
    let arguments = line.strip_prefix("pipectl ").unwrap_or_else(|| panic!("{at}: `{line}` is no command of ours"));
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("\"$0\" {arguments}"))
        .arg(program)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("ORT_DYLIB_PATH")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(status), "{at}: {line}\n{said}");
    said
}

/// A folder with the files of the guide to continuous integration, and stand-ins for the programs of others, which write down how they were called.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(root().join("docs/src/guides/continuous-integration.md")).unwrap();
    for fence in fences(&page) {
        fence.write(folder.path());
    }
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    for name in ["gh", "curl", "terraform-compliance"] {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\necho {name} \"$@\" >> calls.txt\n")).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&path, permissions).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pipectl"), programs.join("pipectl")).unwrap();
    folder
}

/// A command of a job: as the runners of CI systems call a shell.
fn in_shell(folder: &Path, script: &str) -> Command {
    let mut path = folder.join("bin").into_os_string();
    path.push(":/usr/bin:/bin");
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).current_dir(folder).env_clear().env("PATH", path);
    command.env("HOME", folder).env("PIPECTL_PASSPHRASE", "a passphrase for this test");
    let given = ["PULL_REQUEST", "NOTES_TOKEN", "CI_API_V4_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID"];
    command.envs(given.map(|name| (name, format!("the-{name}"))));
    command
}

/// The file as the language reads YAML.
fn yaml(folder: &Path, name: &str) -> serde_json::Value {
    let line = format!("printf 'yamldecode(file(\"{name}\"))' | pipectl console -json");
    let output = in_shell(folder, &line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {said}"))
}

/// What the jobs of both workflows run: plan, apply, drift.
fn jobs(folder: &Path) -> [(&'static str, Vec<String>); 2] {
    let text = |json: &serde_json::Value| json.as_str().map(str::to_owned);
    let workflow = yaml(folder, ".github/workflows/infrastructure.yml");
    let steps = |job: &str| {
        let steps = workflow["jobs"][job]["steps"].as_array().unwrap().iter();
        let runs: Vec<String> = steps.filter_map(|step| text(&step["run"])).collect();
        runs.join("\n")
    };
    let pipeline = yaml(folder, ".gitlab-ci.yml");
    let script = |job: &str| {
        let lines: Vec<String> = pipeline[job]["script"].as_array().unwrap().iter().filter_map(text).collect();
        lines.join("\n")
    };
    let names = ["plan", "apply", "drift"];
    [("GitHub", names.map(steps).to_vec()), ("GitLab", names.map(script).to_vec())]
}

#[test]
fn every_job_of_the_workflows_runs() {
    for (system, scripts) in jobs(workplace().path()) {
        let folder = workplace();
        let run = |script: &String| {
            let output = in_shell(folder.path(), script).output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            (output.status.code().unwrap(), said)
        };
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let [plan, apply, drift] = scripts.as_slice() else { panic!("three jobs") };
        let (status, said) = run(plan);
        assert_eq!(status, 0, "{system}: {said}");
        let comment = read("comment.md");
        assert!(comment.starts_with("```text\n") && comment.contains("Plan: 2 to add"), "{system}: {comment}");
        let document: serde_json::Value = serde_json::from_str(&read("plan.json")).unwrap();
        assert_eq!(document["resource_changes"].as_array().unwrap().len(), 2);
        let calls = read("calls.txt");
        let told = if system == "GitHub" {
            "gh pr comment the-PULL_REQUEST"
        } else {
            "merge_requests/the-CI_MERGE_REQUEST_IID"
        };
        assert!(
            calls.contains("terraform-compliance --features policies") && calls.contains(told),
            "{system}: {calls}"
        );
        let (status, said) = run(apply);
        assert!(status == 0 && said.contains("Apply complete! Resources: 2 added"), "{system}: {said}");
        assert_eq!(run(drift).0, 0);
        // Nothing to change is no failure, and what is wrong is.
        assert_eq!(run(plan).0, 0, "{system}");
        let main = folder.path().join("main.tf");
        let text = fs::read_to_string(&main).unwrap();
        fs::write(&main, text.replace("var.replicas", "var.replica")).unwrap();
        assert_eq!(run(plan).0, 1, "{system}");
        fs::write(&main, text.replace("  type    = number\n  default = 2\n", "  type = number\n")).unwrap();
        let (status, said) = run(plan);
        assert!(status == 1 && said.contains("No value for required variable"), "{system}: {said}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut failures = Vec::new();
    for page in pages() {
        for (line, target) in links(&fs::read_to_string(&page).unwrap()) {
            let file = target.split('#').next().unwrap();
            let is_elsewhere = target.starts_with("https://");
            if !is_elsewhere && !file.is_empty() && !page.parent().unwrap().join(file).exists() {
                failures.push(format!("{}:{line}: {target}", shown(&page)));
            }
        }
    }
    assert!(failures.is_empty(), "links to nowhere:\n{}", failures.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let book = root().join("docs/src");
    let summary = book.join("SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        links(&fs::read_to_string(&summary).unwrap()).into_iter().map(|(_, target)| book.join(target)).collect();
    let there: BTreeSet<PathBuf> =
        pages().into_iter().filter(|page| page.starts_with(&book) && *page != summary).collect();
    assert_eq!(there, listed);
}

/// The long flags and the commands that `-help` of `command` names.
fn helped(command: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_pipectl")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?} --help failed");
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split("--").nth(1))
        .map(|flag| flag.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect())
        .collect();
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    (flags, commands)
}

#[test]
fn the_reference_names_every_command_and_flag() {
    let reference = fs::read_to_string(root().join("docs/src/reference/commands.md")).unwrap();
    let mut missing = BTreeSet::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut commands_seen = 0;
    while let Some(command) = open.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let (flags, commands) = helped(&words);
        for flag in flags {
            let starts = ["`", " ", "[", "|"].map(|before| format!("{before}-{flag}"));
            if !starts.iter().any(|start| reference.contains(start)) {
                missing.insert(format!("pipectl {}: -{flag}", words.join(" ")));
            }
        }
        for name in commands {
            let longer: Vec<String> = command.iter().cloned().chain([name]).collect();
            commands_seen += 1;
            if !reference.contains(&format!("`{}", longer.join(" "))) {
                missing.insert(format!("pipectl {}", longer.join(" ")));
            }
            open.push(longer);
        }
    }
    assert!(commands_seen > 10, "-help names {commands_seen} commands");
    assert!(missing.is_empty(), "docs/src/reference/commands.md lacks:\n{missing:#?}");
}
