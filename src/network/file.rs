//! Writing a file whole or not at all.

use std::io::Write as _;
use std::path::Path;

/// Writes beside `path` and renames, so that a crash leaves the old file or the new one, never a part.
///
/// # Errors
/// If the file cannot be written or renamed; the old one is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let mut file = std::fs::File::create(&partial)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // The first error is the one to tell; the partial file is only litter.
        let _ = std::fs::remove_file(&partial);
    }
    written
}
