//! Waiting for something that takes its time elsewhere.

use std::time::{Duration, Instant};

use pipectl_core::{Diagnostic, Diagnostics};

use crate::{Cx, Event, Stop};

const TIMEOUT: &str = "Timeout";
const INTERRUPTED: &str = "Interrupted";

/// How often to look, and how long in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The first pause between two looks; each is half as long again as the one before.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long in all.
    pub limit: Duration,
}

/// What a look came to.
#[derive(Debug)]
pub enum Look<T> {
    /// It has come to an end.
    Done(T),
    /// It goes on: how it is, in a word or two that are shown.
    Pending(String),
}

/// Whether something was waited for no longer, while it may still end well.
pub fn is_given_up(diagnostic: &Diagnostic) -> bool {
    [TIMEOUT, INTERRUPTED].contains(&diagnostic.summary.as_str())
}

impl Wait {
    /// Looks as often as is kind to a service, for at most so long.
    pub fn at_most(limit: Duration) -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(10), limit }
    }

    /// Looks until there is an end. What goes on is told whenever it is something else than before.
    ///
    /// # Errors
    /// Those of `look`; when it takes too long; when the run is stopped at once (the first Ctrl-C lets it go on).
    pub async fn until<T, F>(&self, cx: &Cx, what: &str, mut look: impl FnMut() -> F) -> Result<T, Diagnostics>
    where
        F: Future<Output = Result<Look<T>, Diagnostics>>,
    {
        let began = Instant::now();
        let mut pause = self.first;
        let mut told = String::new();
        loop {
            let state = match look().await? {
                Look::Done(end) => return Ok(end),
                Look::Pending(state) => state,
            };
            let left = self.limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                let detail = format!("{what} has not come to an end within {} (it is {state}).", shown(self.limit));
                return Err(Diagnostic::error(TIMEOUT, detail)
                    .about(&cx.address)
                    .hint("It may still end well: run the same command again, which goes on from here. A `timeouts` block gives it longer.")
                    .into());
            }
            if told != state {
                cx.emit(Event::Message { text: format!("{what}: {state}") });
                told.clone_from(&state);
            }
            tokio::select! {
                () = tokio::time::sleep(pause.min(left)) => {}
                () = cx.cancel.reached(Stop::Now) => {
                    let detail = format!("Waiting for {what} was given up (it is {state}). The next run goes on from here.");
                    return Err(Diagnostic::error(INTERRUPTED, detail).about(&cx.address).into());
                }
            }
            pause = (pause * 3 / 2).min(self.longest);
        }
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
