//! What a person can do about an error of the operating system, where its name alone does not say so.
//!
//! Only what is the same wherever it happens: a disk that is full, a quota, a limit, a file system that nothing can be written to. What an
//! error means for a state or a stage is said by whoever met it.

use std::error::Error;
use std::io::{self, ErrorKind};

/// What to do about an error, from the first of its causes for which something is known.
pub fn remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(known) = error.downcast_ref::<io::Error>().and_then(of_io) {
            return Some(known);
        }
        cause = error.source();
    }
    None
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::StorageFull => {
            Some("Free space on the disk of that file, then run the same command again: what is done stays done.")
        }
        ErrorKind::QuotaExceeded => {
            Some("The disk quota is used up: free space, then run the same command again. What is done stays done.")
        }
        ErrorKind::FileTooLarge => Some(
            "The file would be larger than this process may make files: raise the limit (`ulimit -f`), then run the same command again. \
             What is done stays done.",
        ),
        ErrorKind::ReadOnlyFilesystem => Some(
            "Nothing can be written to the file system of that file: mount it writable, or work in a copy on another one. If it was \
             writable before, the system may have found the disk faulty.",
        ),
        // An error around an error of another library hides it from `source`.
        _ => error.get_ref().and_then(|inner| remedy(inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the table cannot be written")]
    struct Table(#[source] io::Error);

    #[test]
    fn a_remedy_is_found_however_deep_the_cause_lies() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let plain = remedy(&full()).unwrap();
        assert!(plain.starts_with("Free space"));
        assert_eq!(remedy(&Table(full())), Some(plain));
        assert_eq!(remedy(&io::Error::other(Table(full()))), Some(plain));
        assert_eq!(remedy(&io::Error::other(full())), Some(plain));
        assert_eq!(remedy(&io::Error::from(ErrorKind::NotFound)), None);
        assert!(remedy(&io::Error::from_raw_os_error(27)).unwrap().contains("ulimit -f"));
        assert!(remedy(&io::Error::from_raw_os_error(30)).unwrap().contains("mount it writable"));
    }
}
