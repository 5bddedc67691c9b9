//! A limit on the size of files, which is what `ulimit -f` and some quotas come down to.

use std::fs;
use std::process::Command;

use super::project::{CHANGED, Project, lay_out};

const CAUSES: &[&str] = &["File too large"];
const REMEDIES: &[&str] = &["ulimit -f"];

#[test]
fn a_file_that_may_not_grow_any_more_is_an_error_like_any_other() {
    let home = tempfile::tempdir().unwrap();
    let (folder, outside) = (home.path().join("project"), home.path().join("outside"));
    lay_out(&folder);
    fs::create_dir(&outside).unwrap();
    let plain = Project {
        seen: folder.clone(),
        outside: outside.clone(),
        command: Box::new(|program| {
            let mut command = Command::new(program);
            command.current_dir(&folder);
            command
        }),
    };
    let mut failures = 0;
    // The log of the state is the file that grows; at each limit it ends elsewhere, and the next run goes on from there.
    for bytes in (0..).map(|step| 777 * step + step * step) {
        let limited = Project {
            seen: folder.clone(),
            outside: outside.clone(),
            command: Box::new(|program| {
                let mut command = Command::new("prlimit");
                command.arg(format!("--fsize={bytes}")).arg(program).current_dir(&folder);
                command
            }),
        };
        let said = limited.apply(&[]);
        if said.code == Some(0) {
            break;
        }
        said.failed_for(CAUSES, REMEDIES);
        plain.check_state(&format!("{bytes} bytes"), &said.errors);
        failures += 1;
    }
    assert!(failures > 20, "{failures} failures are not many");
    plain.converges("without a limit", &CHANGED);
    plain.destroy("without a limit", &CHANGED);
}
