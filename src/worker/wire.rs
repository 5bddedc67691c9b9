//! The worker's standard output: one event a line, progress at a readable pace.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pipectl_provider::Progress;
use pipectl_stage::WorkerEvent;

/// Time between two progress events of the same phase.
const PACE: Duration = Duration::from_millis(100);

/// Writes events.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    pacer: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    out: Box<dyn Write + Send>,
    /// When the last progress was written, and of which phase.
    paced: Option<(Instant, String)>,
    /// The latest progress, which is not written yet.
    pending: Option<Progress>,
    closed: bool,
}

impl Wire {
    /// Events go to what is standard output now. Standard output itself is led to standard error from then on, so that nothing that a
    /// library or a child process prints gets between the events.
    pub(crate) fn standard() -> Self {
        let private = || -> io::Result<Box<dyn Write + Send>> {
            let private = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
            rustix::stdio::dup2_stdout(io::stderr())?;
            Ok(Box::new(std::fs::File::from(private)))
        };
        Self::new(private().unwrap_or_else(|_| Box::new(io::stdout())))
    }

    pub(crate) fn new(out: Box<dyn Write + Send>) -> Self {
        let state = State { out, paced: None, pending: None, closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let paced = shared.clone();
        // Without the thread a last progress would wait for the next event.
        let pacer = std::thread::Builder::new().name("progress".to_owned()).spawn(move || paced.pace()).ok();
        Self { shared, pacer }
    }

    /// Writes an event, or keeps it for a moment if it is progress.
    pub(crate) fn send(&self, event: WorkerEvent) {
        let mut state = self.shared.lock();
        match event {
            WorkerEvent::Progress(progress) if self.pacer.is_some() && state.wait(&progress) > Duration::ZERO => {
                state.pending = Some(progress);
                self.shared.changed.notify_all();
            }
            WorkerEvent::Progress(progress) => state.write_progress(progress),
            event => {
                state.write_pending();
                state.write(&event);
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.write_pending();
            state.closed = true;
        }
        self.shared.changed.notify_all();
        if let Some(pacer) = self.pacer.take() {
            let _ = pacer.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pace(&self) {
        let mut state = self.lock();
        while !state.closed {
            let wait = state.pending.as_ref().map(|progress| state.wait(progress));
            state = match wait {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    state.write_pending();
                    state
                }
                Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

impl State {
    /// How long a progress event has to wait; one of a new phase does not.
    fn wait(&self, progress: &Progress) -> Duration {
        match &self.paced {
            Some((last, phase)) if *phase == progress.phase => PACE.saturating_sub(last.elapsed()),
            _ => Duration::ZERO,
        }
    }

    fn write_pending(&mut self) {
        if let Some(progress) = self.pending.take() {
            self.write_progress(progress);
        }
    }

    fn write_progress(&mut self, progress: Progress) {
        // What was kept is older than what comes now.
        self.pending = None;
        self.paced = Some((Instant::now(), progress.phase.clone()));
        self.write(&WorkerEvent::Progress(progress));
    }

    fn write(&mut self, event: &WorkerEvent) {
        let mut line = serde_json::to_vec(event).expect("an event is plain data");
        line.push(b'\n');
        // Nobody reads any more: the control line ends the process, there is nothing else to tell it to.
        let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn events(&self) -> Vec<WorkerEvent> {
            let bytes = self.0.lock().unwrap();
            bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect()
        }
    }

    fn progress(phase: &str, done: u64) -> WorkerEvent {
        WorkerEvent::Progress(Progress { phase: phase.to_owned(), done, ..Progress::default() })
    }

    #[test]
    fn fast_progress_is_thinned_out_and_the_last_of_it_arrives() {
        let lines = Lines::default();
        let wire = Wire::new(Box::new(lines.clone()));
        for done in 0..=10_000 {
            wire.send(progress("training", done));
        }
        wire.send(progress("saving", 1));
        wire.send(WorkerEvent::Done);
        drop(wire);
        let events = lines.events();
        assert!(events.len() < 5_000, "{} lines", events.len());
        assert_eq!(events[0], progress("training", 0));
        assert_eq!(events[events.len() - 2..], [progress("saving", 1), WorkerEvent::Done]);
    }

    #[test]
    fn events_keep_their_order() {
        let lines = Lines::default();
        let wire = Wire::new(Box::new(lines.clone()));
        let message = || WorkerEvent::Message { text: "epoch 1".to_owned() };
        let sent = [progress("a", 1), progress("a", 2), message(), progress("a", 3), WorkerEvent::Done];
        sent.iter().for_each(|event| wire.send(event.clone()));
        drop(wire);
        assert_eq!(lines.events(), sent);
    }

    #[test]
    fn the_last_progress_does_not_wait_for_an_event() {
        let lines = Lines::default();
        let wire = Wire::new(Box::new(lines.clone()));
        wire.send(progress("training", 1));
        wire.send(progress("training", 2));
        while lines.events().len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(lines.events()[1], progress("training", 2));
    }
}
