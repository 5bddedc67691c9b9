//! A folder with a configuration, the program, and an OCI of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use std::rc::Rc;

use pipectl_sim_oci::{COMPARTMENT, NAMESPACE, Server};

/// What a training needs: a network with its ways out, a cluster with a pool of nodes, a bucket with a file.
const TEXT: &str = include_str!("training.hcl");

/// A root with a state and a cloud of its own.
pub struct Bed {
    folder: tempfile::TempDir,
    /// What stands in the place of the folder's own configuration.
    root: &'static str,
    pub server: Rc<Server>,
    variables: Vec<String>,
}

impl Bed {
    pub fn new() -> Self {
        let mut bed = Self::empty();
        bed.write("main.hcl", TEXT);
        let own = [("endpoint", bed.server.endpoint()), ("compartment", COMPARTMENT.to_owned())];
        own.iter().for_each(|(name, value)| bed.set(name, value));
        bed.set("namespace", NAMESPACE);
        bed
    }

    /// With `stacks/oci`, and the modules beside it.
    pub fn of_stack() -> Self {
        let mut bed = Self { root: "stacks/oci", ..Self::empty() };
        for folder in ["modules", "stacks"] {
            let copied = Command::new("cp").arg("-a").arg(folder).arg(bed.path(".")).status().expect("cp is there");
            assert!(copied.success());
        }
        let endpoint = bed.server.endpoint();
        let overrides = ["iaas", "containerengine", "objectstorage", "identity", "auth"]
            .map(|service| format!("{service} = \"{endpoint}\""));
        bed.set("endpoint_overrides", &format!("{{ {} }}", overrides.join(", ")));
        bed.set("compartment_id", COMPARTMENT);
        bed
    }

    fn empty() -> Self {
        let server = Rc::new(Server::start().expect("a port of loopback is free"));
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let bed = Self { folder, root: ".", server, variables: Vec::new() };
        let profile = bed.server.profile();
        bed.write("home/.oci/key.pem", &profile.private_key);
        bed.write("home/.oci/config", &profile.config_file("~/.oci/key.pem"));
        bed
    }

    /// Another root with a copy of the state, in the same cloud.
    pub fn twin(&self) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let (from, to) = (self.path("."), folder.path());
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp is there");
        assert!(copied.success());
        Self { folder, root: self.root, server: Rc::clone(&self.server), variables: self.variables.clone() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder is ours");
        std::fs::write(path, text).expect("the folder is ours");
    }

    /// Sets a variable from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|variable| !variable.starts_with(&format!("{name}=")));
        self.variables.push(format!("{name}={value}"));
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipectl"));
        let takes_variables = ["plan", "apply", "destroy"].contains(&verb[0]);
        let variables = self.variables.iter().filter(|_| takes_variables);
        command
            .args([&verb[..1], &["-no-color"]].concat())
            .args(variables.flat_map(|variable| ["-var", variable]))
            .args(&verb[1..])
            .current_dir(self.path(self.root))
            .env("HOME", self.path("home"))
            .env("PIPECTL_PASSPHRASE", "the passphrase of a test")
            .env("TF_LOG", "trace")
            .env("TF_LOG_PATH", self.path("log"));
        command
    }

    /// What it wrote, and how it ended.
    #[expect(clippy::print_stdout, reason = "shown where a test fails")]
    pub fn run(&self, verb: &[&str]) -> (String, Option<i32>) {
        let Output { status, stdout, stderr } = self.command(verb).output().expect("the program is there");
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        println!("$ pipectl {}\n{text}", verb.join(" "));
        (text, status.code())
    }

    fn ends(&self, verb: &[&str], expected: i32) -> String {
        let (text, code) = self.run(verb);
        assert_eq!(code, Some(expected), "{text}");
        text
    }

    pub fn apply(&self) -> String {
        self.ends(&["apply", "-auto-approve"], 0)
    }

    pub fn fails_to_apply(&self) -> String {
        self.ends(&["apply", "-auto-approve"], 1)
    }

    pub fn has_no_changes(&self) {
        self.ends(&["plan", "-detailed-exitcode"], 0);
    }

    /// What is planned.
    pub fn plans(&self) -> String {
        self.ends(&["plan", "-detailed-exitcode"], 2)
    }

    /// Destroys; nothing is left, neither in the state nor in the cloud.
    pub fn destroy(&self) {
        self.ends(&["destroy", "-auto-approve"], 0);
        let left = self.ends(&["state", "list"], 0);
        assert!(left.trim().is_empty(), "{left}");
        // What belongs to a network is gone a moment after it.
        let end = Instant::now() + Duration::from_secs(10);
        while !self.server.objects().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(self.server.objects(), Vec::<serde_json::Value>::new());
    }

    pub fn output(&self, name: &str) -> String {
        self.ends(&["output", "-raw", name], 0)
    }

    /// The same of an output that is no text.
    pub fn output_json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.ends(&["output", "-json", name], 0)).expect("it is JSON")
    }

    /// How many objects of a kind the cloud has: `cluster`, `nodepool`, `vcn`.
    pub fn count(&self, kind: &str) -> usize {
        self.server.objects().iter().filter(|object| object["kind"] == kind).count()
    }

    /// Runs a verb until the cloud has been asked for an operation, waits a little, and kills it.
    pub fn killed(&self, verb: &str, operation: &str, after: Duration) {
        let before = self.asked(operation);
        let mut command = self.command(&[verb, "-auto-approve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program is there");
        let end = Instant::now() + Duration::from_secs(60);
        while self.asked(operation) == before && runs(&mut child) {
            assert!(Instant::now() < end, "nobody asked for {operation}: {:?}", self.server.requests());
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(after);
        assert!(runs(&mut child), "it was killed too late");
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        assert_eq!(self.asked(operation), before + 1);
    }

    pub fn asked(&self, operation: &str) -> u64 {
        self.server.requests().get(operation).copied().unwrap_or_default()
    }
}

fn runs(child: &mut Child) -> bool {
    child.try_wait().expect("it is ours").is_none()
}
