//! What can go wrong with a call.

use std::time::Duration;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Makes an object.
    Create,
    /// Looks at an object.
    Read,
    /// Changes an object.
    Update,
    /// Removes an object.
    Delete,
    /// Looks for the object of an announced call.
    Find,
    /// Looks at an object to take it over.
    Import,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Read => "read",
            Operation::Update => "update",
            Operation::Delete => "delete",
            Operation::Find => "find",
            Operation::Import => "import",
        }
    }
}

/// How a call fails.
///
/// What the caller is told of an object after a failed call (`ApplyOutcome::instance`):
///
/// | | create | update | delete |
/// |---|---|---|---|
/// | [`Fault::FailBefore`] | none | as before | as before |
/// | [`Fault::FailAfter`] | the new object | the changed object | none |
/// | [`Fault::LostAnswer`], [`Fault::Hang`] | none, but it exists | as before, but it is changed | as before, but it is gone |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is refused; nothing has changed.
    FailBefore,
    /// The call has its effect, and fails: an object that was made does not become ready.
    FailAfter,
    /// The call has its effect, and its answer is lost: the caller does not know.
    LostAnswer,
    /// The call takes this much longer, and works.
    Slow(Duration),
    /// The call has its effect and then hangs until its caller is told to stop at once (`Stop::Now`), or is dropped as by a crash.
    Hang,
}

/// How often calls of an operation fail by chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Share of calls with [`Fault::FailBefore`]: 0 to 1.
    pub fail_before: f64,
    /// Share of calls with [`Fault::FailAfter`].
    pub fail_after: f64,
    /// Share of calls with [`Fault::LostAnswer`].
    pub lost_answer: f64,
    /// After this many failures of the operation on one object, its calls work. `None`: no limit.
    pub limit: Option<u32>,
}

impl Rates {
    /// The fault that a number from 0 to 1 stands for.
    pub(crate) fn fault(&self, drawn: f64) -> Option<Fault> {
        let shares = [
            (self.fail_before, Fault::FailBefore),
            (self.fail_after, Fault::FailAfter),
            (self.lost_answer, Fault::LostAnswer),
        ];
        let mut end = 0.0;
        shares.into_iter().find_map(|(share, fault)| {
            end += share;
            (drawn < end).then_some(fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_one_after_another() {
        let rates = Rates { fail_before: 0.1, fail_after: 0.2, lost_answer: 0.3, limit: None };
        let faults: Vec<Option<Fault>> = [0.05, 0.15, 0.45, 0.65].into_iter().map(|drawn| rates.fault(drawn)).collect();
        assert_eq!(faults, [Some(Fault::FailBefore), Some(Fault::FailAfter), Some(Fault::LostAnswer), None]);
        assert_eq!(Rates::default().fault(0.0), None);
    }
}
