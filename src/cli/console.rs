//! The terminal: where text goes, whether it has colours, and questions to the person who sits there.
//!
//! Writing never fails and never panics: when the reader of a pipe has gone, or the disk is full that standard output goes to, what is
//! left to say is dropped and the work goes on, because the state matters more than the words. The latter is told at the end.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anstream::{AutoStream, ColorChoice};
use indicatif::MultiProgress;

/// Where a command writes. Clones share the streams.
#[derive(Clone)]
pub struct Console(Arc<Streams>);

struct Streams {
    /// Colours on standard output, and on standard error.
    colors: (bool, bool),
    output_is_terminal: bool,
    input_is_terminal: bool,
    bars: Mutex<Option<MultiProgress>>,
    has_spoken: AtomicBool,
    /// Why words were lost, the first time.
    lost: Mutex<Option<io::Error>>,
}

/// A colour of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// What is added.
    Green,
    /// What changes.
    Yellow,
    /// What goes away, and errors.
    Red,
    /// What is read or run.
    Cyan,
    /// What matters less.
    Dim,
    /// What matters more.
    Bold,
}

/// Puts colours on text, or leaves them out.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether there are colours.
    pub colors: bool,
}

impl Paint {
    /// Paint without colours.
    pub const PLAIN: Paint = Paint { colors: false };

    /// The text in a colour.
    pub fn on(self, color: Color, text: &str) -> String {
        if !self.colors {
            return text.to_owned();
        }
        let code = match color {
            Color::Green => "32",
            Color::Yellow => "33",
            Color::Red => "31",
            Color::Cyan => "36",
            Color::Dim => "2",
            Color::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

impl Console {
    /// The console of this process. Colours are on where the stream is a terminal that has them, unless `NO_COLOR` or `no_color` says no.
    pub fn of_process(no_color: bool) -> Self {
        let wants = |choice| !no_color && choice != ColorChoice::Never;
        let (output, errors) = (io::stdout(), io::stderr());
        let colors = (wants(AutoStream::choice(&output)), wants(AutoStream::choice(&errors)));
        let output_is_terminal = output.is_terminal();
        Self(Arc::new(Streams {
            colors,
            output_is_terminal,
            input_is_terminal: io::stdin().is_terminal(),
            bars: Mutex::new(None),
            has_spoken: AtomicBool::new(false),
            lost: Mutex::new(None),
        }))
    }

    /// A line, or several, on standard output.
    pub fn print(&self, text: &str) {
        self.above_bars(|| self.write(io::stdout().lock(), text, true));
    }

    /// Text on standard output as it is, without a line end.
    pub fn print_raw(&self, text: &str) {
        self.above_bars(|| self.write(io::stdout().lock(), text, false));
    }

    /// A line, or several, on standard error.
    pub fn complain(&self, text: &str) {
        self.above_bars(|| self.write(io::stderr().lock(), text, true));
    }

    /// Paint for standard output.
    pub fn paint(&self) -> Paint {
        Paint { colors: self.0.colors.0 }
    }

    /// Paint for standard error.
    pub fn error_paint(&self) -> Paint {
        Paint { colors: self.0.colors.1 }
    }

    /// Whether standard output is a terminal: bars may move there.
    pub fn is_terminal(&self) -> bool {
        self.0.output_is_terminal
    }

    /// Whether someone sits there.
    pub fn is_interactive(&self) -> bool {
        self.0.output_is_terminal && self.0.input_is_terminal
    }

    /// Whether standard input may hold answers that were given beforehand: it is a file or a pipe.
    pub fn is_piped(&self) -> bool {
        !self.0.input_is_terminal && holds_text(io::stdin())
    }

    /// Asks for one line; `None` when there is no answer.
    pub async fn ask(&self, question: &str) -> Option<String> {
        self.ask_through(question, || {
            let mut line = String::new();
            io::stdin().read_line(&mut line).ok().filter(|length| *length > 0).map(|_| line)
        })
        .await
    }

    /// Asks for one line that a terminal does not show.
    pub async fn ask_for_secret(&self, question: &str) -> Option<String> {
        if !self.is_interactive() {
            return self.ask(question).await;
        }
        self.ask_through(question, || ::console::Term::stdout().read_secure_line().ok()).await
    }

    async fn ask_through(
        &self,
        question: &str,
        read: impl FnOnce() -> Option<String> + Send + 'static,
    ) -> Option<String> {
        self.print_raw(question);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A thread of its own: nothing waits for it when Ctrl-C comes before the answer.
        std::thread::spawn(move || sender.send(read()));
        receiver.await.ok().flatten().map(|line| line.trim().to_owned())
    }

    /// From now on, lines go above these bars; `None`: there are no bars any more.
    pub fn set_bars(&self, bars: Option<MultiProgress>) {
        *lock(&self.0.bars) = bars;
    }

    /// Whether anything was written yet.
    pub fn has_spoken(&self) -> bool {
        self.0.has_spoken.load(Ordering::Relaxed)
    }

    /// Why not everything could be written that there was to say, unless it is that nobody listens any more.
    pub fn take_loss(&self) -> Option<io::Error> {
        lock(&self.0.lost).take()
    }

    fn write(&self, mut stream: impl Write, text: &str, end_line: bool) {
        let mut whole = text.to_owned();
        if end_line && !whole.ends_with('\n') {
            whole.push('\n');
        }
        let written = stream.write_all(whole.as_bytes()).and_then(|()| stream.flush());
        // A closed pipe is the reader's choice.
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            lock(&self.0.lost).get_or_insert(error);
        }
    }

    fn above_bars(&self, write: impl FnOnce()) {
        self.0.has_spoken.store(true, Ordering::Relaxed);
        let bars = lock(&self.0.bars).clone();
        match bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Whether a stream is something other than a device, such as `/dev/null`, and there at all.
#[cfg(unix)]
fn holds_text(stream: impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    let kind =
        stream.as_fd().try_clone_to_owned().and_then(|stream| Ok(std::fs::File::from(stream).metadata()?.file_type()));
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_file() || kind.is_socket())
}

#[cfg(not(unix))]
fn holds_text<T>(_stream: T) -> bool {
    true
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
