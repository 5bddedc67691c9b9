//! Runs commands in a copy of a fixture and writes down what happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder to work in, and what was said there so far.
pub struct Scenario {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    transcript: String,
}

impl Scenario {
    /// A copy of a folder of `fixtures/`.
    pub fn of(fixture: &str) -> Self {
        let scenario = Self::empty();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture), scenario.path());
        scenario
    }

    /// An empty folder.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("pipectl-").tempdir().unwrap();
        Self { folder, environment: Vec::new(), transcript: String::new() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets an environment variable for the commands that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes a file: every `from` becomes `to`.
    pub fn edit(&mut self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(from), "`{name}` has no `{from}`");
        self.write(name, &text.replace(from, to));
        self.note(&format!("edit {name}: `{from}` -> `{to}`"));
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// A path in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The files below the folder that hold a text somewhere, in order.
    pub fn files_with(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path.strip_prefix(self.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// A line of the transcript that says what the test did.
    pub fn note(&mut self, text: &str) {
        self.transcript.push_str(&format!("# {text}\n\n"));
    }

    /// The command of a line, with nothing of this process's environment but the path.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipectl"));
        command.args(words(line)).current_dir(self.path()).env_clear().stdin(Stdio::null());
        #[expect(
            clippy::disallowed_methods,
            reason = "the program under test starts workers and needs the path of this process"
        )]
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", self.path());
        command.env("USER", "anna").env("HOSTNAME", "test-machine");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command line and writes down what happens.
    pub fn run(&mut self, line: &str) -> Output {
        let output = self.command(line).output().unwrap();
        self.transcript.push_str(&format!("$ pipectl {line}\n"));
        self.write_down(output)
    }

    /// The same with text on standard input.
    pub fn feed(&mut self, line: &str, text: &str) -> Output {
        use std::io::Write as _;
        let mut command = self.command(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that ends before it has read everything breaks the pipe.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.transcript.push_str(&format!("$ pipectl {line} <<< {text:?}\n"));
        self.write_down(output)
    }

    fn write_down(&mut self, output: Output) -> Output {
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if bytes.is_empty() {
                continue;
            }
            let text = self.settle(&String::from_utf8_lossy(bytes));
            self.transcript.push_str(&format!("[{name}]\n{text}{}", if text.ends_with('\n') { "" } else { "\n" }));
        }
        self.transcript.push_str(&format!("[exit {}]\n\n", output.status.code().unwrap_or(-1)));
        output
    }

    /// Runs a command line whose end matters and whose words do not.
    pub fn quietly(&mut self, line: &str) {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        self.note(&format!("pipectl {line}"));
    }

    /// Compares everything that happened with `tests/snapshots/<name>.snap`.
    pub fn check(self, name: &str) {
        insta::with_settings!({
            snapshot_path => "../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, self.transcript);
        });
    }

    /// The text without what differs between runs.
    fn settle(&self, text: &str) -> String {
        let folder = self.path().to_str().unwrap();
        let real = fs::canonicalize(folder).unwrap();
        let text = text.replace(real.to_str().unwrap(), "[FOLDER]").replace(folder, "[FOLDER]");
        let mut settled = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let (replacement, length) = replacement(rest, settled.chars().last());
            if length > 0 {
                settled.push_str(replacement);
                rest = &rest[length..];
            } else {
                settled.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        settled
    }
}

/// What stands for the beginning of the text, and how long that beginning is; 0: it stands for itself.
fn replacement(text: &str, before: Option<char>) -> (&'static str, usize) {
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        return ("", 0);
    }
    let shaped = |shape: &str| {
        let fits = |(c, shape): (char, char)| match shape {
            'h' => c.is_ascii_digit() || ('a'..='f').contains(&c),
            'd' => c.is_ascii_digit(),
            other => c == other,
        };
        let long_enough = text.len() >= shape.len() && text.is_char_boundary(shape.len());
        let ends = !text[shape.len().min(text.len())..].starts_with(|c: char| c.is_ascii_alphanumeric());
        long_enough && ends && text.chars().zip(shape.chars()).all(fits)
    };
    let uuid = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    let time = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    if shaped(uuid) {
        return ("[UUID]", uuid.len());
    }
    if shaped(time) {
        return ("[TIME]", time.len());
    }
    let plain_time = "dddd-dd-dd dd:dd:dd";
    if shaped(plain_time) {
        return ("[TIME]", plain_time.len());
    }
    for length in [12, 16, 32, 64] {
        if shaped(&"h".repeat(length)) {
            return ("[HEX]", length);
        }
    }
    // How many records an apply commits depends on what ends at the same time.
    for (start, replacement) in [
        ("after ", "after [DURATION]"),
        ("elapsed_seconds\":", "elapsed_seconds\":0"),
        ("process ", "process [PID]"),
        ("snapshot-", "snapshot-[SERIAL]."),
    ] {
        if let Some(rest) = text.strip_prefix(start) {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && !".eE-".contains(c)).unwrap_or(rest.len());
            let unit = usize::from(start == "after " && rest[digits..].starts_with('s'));
            if digits > 0 && (start != "after " || unit > 0) {
                return (replacement, start.len() + digits + unit);
            }
        }
    }
    ("", 0)
}

/// Words of a command line; single quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_differs_is_replaced() {
    let scenario = Scenario::empty();
    let text = "id 0b5cf8a2-1f0e-4d6c-9c63-cc0b5a29f2a1 after 12s, after all, process 123, 2026-11-22T20:55:36.123456Z";
    assert_eq!(scenario.settle(text), "id [UUID] after [DURATION], after all, process [PID], [TIME]");
}
