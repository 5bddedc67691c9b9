//! One worker at a time at a checkpoint.
//!
//! A killed engine's workers end by themselves, but not before they notice. A new attempt that found the same checkpoint in the meantime
//! would train beside them. So each rank holds an operating system lock in the folder while it runs; it goes with the process.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use pipectl_stage::StageError;

/// How long to wait for a predecessor that is dying.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const AGAIN: Duration = Duration::from_millis(20);

/// Locks a rank's place at a checkpoint for as long as the file is held.
pub(crate) fn lock(folder: &Path, rank: u32, patience: Duration) -> Result<File, StageError> {
    // Hidden, so that no stage takes it for one of its own files.
    let path = folder.join(format!(".rank-{rank}.lock"));
    let unusable = |error: std::io::Error| StageError {
        transient: true,
        ..StageError::not_written("Checkpoint not usable", &path, &error)
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Err(StageError::transient(
                    "Checkpoint in use",
                    format!(
                        "Another worker of this stage still runs after {} seconds, and two must not share a checkpoint. It belongs to \
                         another run of pipectl; end that one, or wait for it.",
                        patience.as_secs()
                    ),
                ));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path(), 0, Duration::ZERO).unwrap();
        let error = lock(folder.path(), 0, Duration::from_millis(50)).unwrap_err();
        assert!(error.transient);
        assert_eq!(error.summary, "Checkpoint in use");
        lock(folder.path(), 1, Duration::ZERO).expect("another rank has a place of its own");
        let waiting = std::thread::spawn({
            let folder = folder.path().to_owned();
            move || lock(&folder, 0, Duration::from_secs(60)).is_ok()
        });
        drop(first);
        assert!(waiting.join().unwrap());
    }
}
