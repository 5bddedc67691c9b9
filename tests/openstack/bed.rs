//! A folder with a configuration, the program, and the `openstack` command.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

const HEAD: &str = r#"
terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

provider "openstack" {
  cloud = "pipectl"
}
"#;

pub const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9mVTNd0kNa4gqtY5BbZ3b0ZkKxRnN5bAqkS3dBOS1P test";

/// A root with a state of its own.
pub struct Bed {
    folder: tempfile::TempDir,
    /// What stands in the place of the folder's own configuration.
    root: &'static str,
    variables: Vec<String>,
}

impl Bed {
    pub fn new(text: &str) -> Self {
        let bed = Self::empty(".");
        std::fs::write(bed.path("main.tf"), format!("{HEAD}{text}")).unwrap();
        bed
    }

    /// With `stacks/cern-openstack`, and the modules beside it.
    pub fn of_stack() -> Self {
        let bed = Self::empty("stacks/cern-openstack");
        for folder in ["modules", "stacks"] {
            let copied = Command::new("cp").arg("-a").arg(folder).arg(bed.path("")).status();
            assert!(copied.expect("cp is there").success());
        }
        bed
    }

    fn empty(root: &'static str) -> Self {
        let clouds = clouds();
        assert!(clouds.exists(), "there is no {}: tests/servers/openstack.sh up", clouds.display());
        Self { folder: tempfile::tempdir().unwrap(), root, variables: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a variable from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|variable| !variable.starts_with(&format!("{name}=")));
        self.variables.push(format!("{name}={value}"));
    }

    /// A command that is to be killed.
    pub fn command_for(&self, verb: &str) -> Command {
        let mut command = self.command(&[verb, "-auto-approve"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipectl"));
        let takes_variables = ["plan", "apply", "destroy"].contains(&verb[0]);
        let variables = self.variables.iter().filter(|_| takes_variables).flat_map(|variable| ["-var", variable]);
        command
            .args([&verb[..1], &["-no-color"]].concat())
            .args(variables)
            .args(&verb[1..])
            .current_dir(self.path(self.root))
            .env("OS_CLIENT_CONFIG_FILE", clouds())
            .env("PIPECTL_PASSPHRASE", "the passphrase of a test")
            .env("TF_LOG", "trace")
            .env("TF_LOG_PATH", self.path("log"))
            // A root of its own names the cloud.
            .env("OS_CLOUD", "pipectl");
        command
    }

    /// What it wrote, and how it ended.
    #[expect(clippy::print_stdout, reason = "shown where a test fails")]
    pub fn run(&self, verb: &[&str]) -> (String, Option<i32>) {
        let Output { status, stdout, stderr } = self.command(verb).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        println!("$ pipectl {}\n{text}", verb.join(" "));
        (text, status.code())
    }

    /// Applies; what it wrote.
    pub fn apply(&self) -> String {
        let (text, code) = self.run(&["apply", "-auto-approve"]);
        assert_eq!(code, Some(0), "{text}");
        text
    }

    pub fn fails_to_apply(&self) -> String {
        let (text, code) = self.run(&["apply", "-auto-approve"]);
        assert_eq!(code, Some(1), "{text}");
        text
    }

    pub fn has_no_changes(&self) {
        let (text, code) = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(code, Some(0), "{text}");
    }

    /// What is planned.
    pub fn plans(&self) -> String {
        let (text, code) = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(code, Some(2), "{text}");
        text
    }

    pub fn destroy(&self) {
        let (text, code) = self.run(&["destroy", "-auto-approve"]);
        assert_eq!(code, Some(0), "{text}");
        let (left, _) = self.run(&["state", "list"]);
        assert!(left.trim().is_empty(), "{left}");
    }

    pub fn output(&self, name: &str) -> String {
        self.run(&["output", "-raw", name]).0
    }

    /// Applies until it has written a line with these words, and is killed then, so that it can do nothing more.
    pub fn killed_at(&self, words: &str) {
        let mut command = self.command(&["apply", "-auto-approve"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = Vec::new();
        let mut is_there = false;
        for line in lines {
            is_there = line.contains(words);
            seen.push(line);
            if is_there {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_there, "nothing said `{words}`:\n{}", seen.join("\n"));
    }
}

#[expect(clippy::disallowed_methods, reason = "the servers lie where the same variables told their script")]
fn clouds() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let state = variable("OPENSTACK_STATE")
        .unwrap_or_else(|| variable("TMPDIR").unwrap_or_else(|| "/tmp".into()).join("pipectl-openstack"));
    state.join("clouds.yaml")
}

/// The `openstack` command of the system; another Python may come first in PATH.
pub fn openstack(arguments: &[&str]) -> String {
    let mut command = Command::new("/usr/bin/openstack");
    let command = command.args(arguments).env("OS_CLIENT_CONFIG_FILE", clouds()).env("OS_CLOUD", "pipectl");
    let Output { status, stdout, stderr } =
        command.env("PATH", "/usr/bin:/bin").env("PYTHONWARNINGS", "ignore").output().unwrap();
    assert!(status.success(), "openstack {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

pub fn seen(arguments: &[&str]) -> Json {
    serde_json::from_str(&openstack(&[arguments, &["-f", "json"]].concat())).unwrap()
}

/// The names in a list that begin so.
pub fn listed(arguments: &[&str], prefix: &str) -> Vec<String> {
    let list = seen(arguments);
    let names = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|object| object["Name"].as_str().or_else(|| object["name"].as_str()));
    names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
}
