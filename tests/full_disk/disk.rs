//! A small file system that belongs to one test.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Keeps the namespace alive, and changes how the disk is mounted when it is told to. Ends, and the disk with it, with its standard input.
const KEEPER: &str = r#"
mount -t tmpfs -o "size=$2" pipectl-test "$1" || exit
echo mounted
while read -r options; do
  mount -o "remount,$options" "$1" && echo done || echo failed
done
"#;

/// A mounted file system. It goes when this is dropped.
pub struct Disk {
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// How a command gets into the namespace.
    enter: Vec<OsString>,
    /// Where the disk is mounted, as commands in the namespace see it.
    mounted: tempfile::TempDir,
}

impl Disk {
    /// An empty disk of so many KiB.
    ///
    /// # Panics
    /// Where this user may not mount anything.
    pub fn new(kib: u64) -> Self {
        let mounted = tempfile::tempdir().unwrap();
        let ways: [(&[&str], &[&str]); 2] = [
            (&["--user", "--map-root-user", "--mount"], &["--user", "--preserve-credentials", "--mount"]),
            (&["--mount"], &["--mount"]),
        ];
        let mut refusals = Vec::new();
        for (unshare, enter) in ways {
            match Self::keep(unshare, mounted.path(), kib) {
                Ok((keeper, answers)) => {
                    let target = format!("--target={}", keeper.id());
                    let enter = ["nsenter", target.as_str()].iter().chain(enter).map(OsString::from).collect();
                    let mut disk = Self { keeper, orders: None, answers, enter, mounted };
                    disk.orders = disk.keeper.stdin.take();
                    return disk;
                }
                Err(why) => refusals.push(format!("  unshare {}: {}", unshare.join(" "), why.trim())),
            }
        }
        panic!(
            "these tests need a file system of their own, and this machine lets nobody mount one:\n{}\n\
             Run them as root, or allow unprivileged user namespaces; in a container, give it CAP_SYS_ADMIN.",
            refusals.join("\n")
        );
    }

    fn keep(unshare: &[&str], folder: &Path, kib: u64) -> Result<(Child, BufReader<ChildStdout>), String> {
        let mut keeper = Command::new("unshare")
            .args(unshare)
            .args(["sh", "-c", KEEPER, "sh"])
            .arg(folder)
            .arg(format!("{kib}k"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        if line.trim() == "mounted" {
            return Ok((keeper, answers));
        }
        let mut why = String::new();
        keeper.stderr.take().unwrap().read_to_string(&mut why).unwrap();
        keeper.wait().unwrap();
        Err(why)
    }

    /// Where commands in the namespace find the disk.
    pub fn mounted(&self) -> &Path {
        self.mounted.path()
    }

    /// The path through which this process sees a file of the disk.
    pub fn file(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.mounted.path().strip_prefix("/").unwrap()).join(name)
    }

    /// A command that runs in the namespace, in a folder that is seen there.
    pub fn command(&self, folder: &Path, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(&self.enter[0]);
        command.args(&self.enter[1..]).args(["sh", "-c", r#"cd "$0" && exec "$@""#]).arg(folder).arg(program.into());
        command
    }

    /// Mounts the disk anew: `ro`, `rw`, `size=64k`.
    pub fn remount(&mut self, options: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{options}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "done", "remount with {options}");
    }

    /// Takes all room but so many KiB. What was taken before is given back first.
    pub fn leave(&self, kib: u64) {
        self.give_back();
        let path = self.file("ballast");
        let mut ballast = File::create(&path).unwrap();
        let zeros = vec![0; 1 << 20];
        let mut taken = 0;
        loop {
            match ballast.write(&zeros) {
                Ok(0) => break,
                Ok(bytes) => taken += bytes as u64,
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
                    break;
                }
            }
        }
        ballast.set_len(taken.checked_sub(kib << 10).expect("the disk is large enough")).unwrap();
    }

    /// Gives back what `leave` took.
    pub fn give_back(&self) {
        let _ = fs::remove_file(self.file("ballast"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.keeper.wait();
    }
}
