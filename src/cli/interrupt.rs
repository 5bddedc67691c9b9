//! Signals. Ctrl-C and SIGTERM: first gently, then at once. SIGXFSZ: a write that fails, like any other.

use std::io;

use pipectl_provider::{Cancel, Stop};

/// Watches for signals until the runtime ends, and says what each one does. Called inside a runtime.
///
/// The first asks for a gentle stop, every later one for an end at once. `say` gets the words.
///
/// # Errors
/// When the operating system lets nobody watch.
pub fn watch(cancel: Cancel, say: impl Fn(&str) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        loop {
            signals.next().await;
            match cancel.state() {
                Stop::No => {
                    say(
                        "\nInterrupt received. Nothing new is begun; what runs finishes, stages stop at a checkpoint. \
                         Interrupt again to stop at once.",
                    );
                    cancel.request(Stop::Gentle);
                }
                Stop::Gentle => {
                    say("\nSecond interrupt received. What runs is stopped at once; the state holds what was done.");
                    cancel.request(Stop::Now);
                }
                Stop::Now => {}
            }
        }
    });
    Ok(())
}

/// From now on a file that grows beyond what the process may write is an error of that write. Without this the system ends the process.
///
/// # Errors
/// When no handler can be set.
pub fn report_large_files() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // The handler stays when the runtime has gone.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        drop(signal(SignalKind::from_raw(FILE_SIZE_SIGNAL))?);
    }
    Ok(())
}

/// SIGXFSZ, on all systems but MIPS.
#[cfg(unix)]
const FILE_SIZE_SIGNAL: i32 = 25;

/// Streams of signals. They are made once: a signal between two looks is not lost.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
