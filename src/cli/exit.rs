//! How the program ends: one exit status for each class of ending.

use std::process::ExitCode;

/// The exit status of a command.
///
/// | status | class |
/// |---|---|
/// | 0 | it worked; with `-detailed-exitcode`, there is nothing to change |
/// | 1 | it failed, or the command line is wrong |
/// | 2 | `plan -detailed-exitcode`: it worked, and there is something to change; `fmt`: a file cannot be read, parsed or written |
/// | 3 | `fmt -check`: a file is not in the canonical style |
/// | 130 | Ctrl-C or SIGTERM stopped it; what was done until then is in the state |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Success,
    /// It failed.
    Failure,
    /// A plan has changes, and the caller asked to be told.
    Changes,
    /// A file is not in the canonical style, and the caller asked to be told.
    Unformatted,
    /// A file cannot be put into the canonical style.
    Unformattable,
    /// It was stopped.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn status(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Changes | Exit::Unformattable => 2,
            Exit::Unformatted => 3,
            Exit::Interrupted => 130,
        }
    }

    /// The ending of two runs, one after the other: what is worse.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Success => 0,
            Exit::Changes => 1,
            Exit::Unformatted => 2,
            Exit::Unformattable => 3,
            Exit::Failure => 4,
            Exit::Interrupted => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_ending_counts() {
        assert_eq!(Exit::Success.and(Exit::Changes), Exit::Changes);
        assert_eq!(Exit::Failure.and(Exit::Changes), Exit::Failure);
        assert_eq!(Exit::Interrupted.and(Exit::Failure).status(), 130);
    }
}
