//! Progress of an apply for people: moving bars on a terminal, one line per event elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pipectl_core::Address;
use pipectl_engine::{Action, ApplyEnd, Event, Observer};
use pipectl_provider::Progress;

use super::events::{doing, ephemeral_words, noun};
use super::figures;
use super::pace::{counts_epochs, is_news, overall};
use crate::clock::elapsed;
use crate::console::{Color, Console, Paint};

/// How long a running object may be silent in a log, at first and at most: see [`patience`].
const QUIET: Duration = Duration::from_secs(10);
const LONGEST_QUIET: Duration = Duration::from_secs(300);

/// Tells people how an operation goes.
pub struct ProgressView {
    console: Console,
    bars: Option<MultiProgress>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    refreshing: BTreeMap<Address, Instant>,
    refreshed: usize,
    refresh_bar: Option<ProgressBar>,
    applying: BTreeMap<Address, Item>,
}

struct Item {
    action: Action,
    begun: Instant,
    last_line: Instant,
    progress: Option<Progress>,
    restored: bool,
    bar: Option<ProgressBar>,
}

impl ProgressView {
    /// A view on a console: with bars when it is a terminal.
    pub fn new(console: Console) -> Self {
        let bars = console.is_terminal().then(|| {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
            console.set_bars(Some(bars.clone()));
            bars
        });
        Self { console, bars, running: Mutex::default() }
    }

    /// Says what still runs where nothing was said for a while. Called about every second.
    pub fn tick(&self) {
        if self.bars.is_some() {
            return;
        }
        let now = Instant::now();
        let mut running = self.lock();
        for (address, since) in &mut running.refreshing {
            if now - *since >= QUIET {
                *since = now;
                self.console.print(&format!("{address}: Still refreshing state..."));
            }
        }
        for (address, item) in &mut running.applying {
            if now - item.last_line >= patience(now - item.begun) {
                item.last_line = now;
                let text = item.progress.as_ref().map(|progress| format!(" {}", progress_text(progress)));
                let text = text.unwrap_or_default();
                let left = item.progress.as_ref().and_then(|progress| left(progress, now - item.begun));
                let left = left.map(|left| format!(", about {} left", elapsed(left))).unwrap_or_default();
                let (doing, after) = (doing(item.action), elapsed(now - item.begun));
                self.console.print(&format!("{address}: Still {}...{text} [{after} elapsed{left}]", lower(doing)));
            }
        }
    }

    /// Takes the bars away: what comes now is the last word.
    pub fn finish(&self) {
        let mut running = self.lock();
        for bar in running.applying.values().filter_map(|item| item.bar.as_ref()) {
            bar.finish_and_clear();
        }
        self.end_refresh(&mut running);
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
            self.console.set_bars(None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, address: &Address, text: &str) {
        let head = self.console.paint().on(Color::Bold, &format!("{address}:"));
        self.console.print(&format!("{head} {text}"));
    }

    fn refresh_start(&self, address: Address) {
        let mut running = self.lock();
        if running.refresh_bar.is_none()
            && let Some(bars) = &self.bars
        {
            running.refresh_bar = Some(spinner(bars, "Refreshing state"));
        }
        running.refreshing.insert(address, Instant::now());
        Self::show_refresh(&running);
    }

    fn refresh_complete(&self, address: &Address) {
        let mut running = self.lock();
        running.refreshing.remove(address);
        running.refreshed += 1;
        Self::show_refresh(&running);
    }

    fn show_refresh(running: &Running) {
        if let Some(bar) = &running.refresh_bar {
            let now = running.refreshing.keys().next().map(|address| format!(" {address}")).unwrap_or_default();
            bar.set_message(format!("{} read{now}", running.refreshed));
        }
    }

    fn end_refresh(&self, running: &mut Running) {
        if let Some(bar) = running.refresh_bar.take() {
            bar.finish_and_clear();
        }
    }

    fn apply_start(&self, address: &Address, action: Action, position: usize, total: usize) {
        let place = format!("[{position}/{total}]");
        self.say(address, &format!("{}... {place}", doing(action)));
        let mut running = self.lock();
        self.end_refresh(&mut running);
        let bar = self.bars.as_ref().map(|bars| spinner(bars, &format!("{address} {place}")));
        let now = Instant::now();
        let item = Item { action, begun: now, last_line: now, progress: None, restored: false, bar };
        running.applying.insert(address.clone(), item);
    }

    fn progress(&self, address: &Address, told: Progress) {
        let mut running = self.lock();
        let Some(item) = running.applying.get_mut(address) else { return };
        let line = item.progress.as_ref().is_none_or(|before| is_news(before, &told));
        if let Some(bar) = &item.bar {
            show_on_bar(bar, &told, item.progress.as_ref());
        } else if line || item.last_line.elapsed() >= patience(item.begun.elapsed()) {
            item.last_line = Instant::now();
            let text = format!("{}... {}", doing(item.action), progress_text(&told));
            self.say(address, &text);
        }
        item.progress = Some(told);
    }

    fn told(&self, address: &Address, told: pipectl_provider::Event) {
        match told {
            pipectl_provider::Event::Progress(progress) => self.progress(address, progress),
            pipectl_provider::Event::Message { text } => {
                if let Some(item) = self.lock().applying.get_mut(address) {
                    item.last_line = Instant::now();
                }
                self.say(address, &text);
            }
            pipectl_provider::Event::Warning { text } => {
                let warning = self.console.paint().on(Color::Yellow, "warning:");
                self.say(address, &format!("{warning} {text}"));
            }
            pipectl_provider::Event::Restored { .. } => {
                if let Some(item) = self.lock().applying.get_mut(address) {
                    item.restored = true;
                }
            }
        }
    }

    fn apply_complete(&self, address: &Address, action: Action, end: ApplyEnd, seconds: f64, id: Option<String>) {
        let item = self.lock().applying.remove(address);
        if let Some(bar) = item.as_ref().and_then(|item| item.bar.as_ref()) {
            bar.finish_and_clear();
        }
        let after = elapsed(Duration::from_secs_f64(seconds.max(0.0)));
        let text = complete_text(self.console.paint(), action, end, &after, id.as_deref(), item.as_ref());
        self.say(address, &text);
    }
}

impl Observer for ProgressView {
    fn observe(&self, event: Event) {
        match event {
            Event::RefreshStart { address, .. } => self.refresh_start(address),
            Event::RefreshComplete { address, .. } => self.refresh_complete(&address),
            Event::ApplyStart { address, action, position, total, .. } => {
                self.apply_start(&address, action, position, total);
            }
            Event::ApplyProgress { address, progress } => self.told(&address, progress),
            Event::Ephemeral { address, operation, done } => {
                let (_, doing, end) = ephemeral_words(operation);
                let text = if done { end.to_owned() } else { format!("{doing}...") };
                self.say(&address, &text);
            }
            Event::ApplyRetry { address, attempt, attempts, wait_seconds } => {
                let text = format!("Attempt {attempt} of {attempts} failed, the next begins in {wait_seconds:.0}s");
                self.say(&address, &self.console.paint().on(Color::Yellow, &text));
            }
            Event::ApplyComplete { address, action, end, seconds, id, done: _, total: _ } => {
                self.apply_complete(&address, action, end, seconds, id);
            }
            // Told as a whole by the plan and by the result.
            Event::ResourceDrift { .. }
            | Event::PlannedChange { .. }
            | Event::DeferredChange { .. }
            | Event::ChangeSummary(_)
            | Event::Diagnostic(_)
            | Event::Outputs { .. } => {}
        }
    }
}

/// How long an object may be silent in a log that has run for so long. The longer it takes already, the less one more line says: a night's
/// training is a hundred lines or two, and nobody waits for more than five minutes to see that it is alive.
fn patience(running: Duration) -> Duration {
    (running / 10).clamp(QUIET, LONGEST_QUIET)
}

/// How long it will still take if it goes on as in the time until now.
fn left(progress: &Progress, running: Duration) -> Option<Duration> {
    let (done, total) = overall(progress).filter(|(done, _)| *done > 0)?;
    Duration::try_from_secs_f64(running.as_secs_f64() * (total - done) as f64 / done as f64).ok()
}

fn complete_text(
    paint: Paint,
    action: Action,
    end: ApplyEnd,
    after: &str,
    id: Option<&str>,
    item: Option<&Item>,
) -> String {
    match end {
        ApplyEnd::Done if item.is_some_and(|item| item.restored) => {
            format!("{} complete after {after}: outputs restored from the action cache", noun(action))
        }
        ApplyEnd::Done => {
            let id = id.map(|id| format!(" [id={id}]")).unwrap_or_default();
            let figures = item.and_then(|item| item.progress.as_ref()).map(|last| figures::metrics(&last.metrics));
            let figures = figures.filter(|text| !text.is_empty()).map(|text| format!(" {text}")).unwrap_or_default();
            format!("{} complete after {after}{id}{figures}", noun(action))
        }
        ApplyEnd::Unchanged => "Nothing to do: its inputs are the same".to_owned(),
        ApplyEnd::Failed => paint.on(Color::Red, &format!("{} failed after {after}", noun(action))),
        ApplyEnd::Blocked => paint.on(Color::Yellow, "Not begun: something it needs failed"),
        ApplyEnd::NotStarted => paint.on(Color::Yellow, "Not begun: the run was stopped"),
    }
}

/// `training 12,800/48,000 events (27%) loss=0.31 accuracy=0.88 (1,834 events/s)`, or `epoch 3/10 loss=0.31`.
pub fn progress_text(progress: &Progress) -> String {
    let mut parts = Vec::new();
    let done = figures::thousands(progress.done);
    let total = progress.total.map(figures::thousands);
    if counts_epochs(progress) {
        parts.push(match total {
            Some(total) => format!("epoch {done}/{total}"),
            None => format!("epoch {done}"),
        });
    } else {
        if !progress.phase.is_empty() {
            parts.push(progress.phase.clone());
        }
        match (total, progress.total) {
            (Some(text), Some(total)) if total > 0 => {
                let percent = progress.done.min(total) * 100 / total;
                parts.push(format!("{done}/{text} {} ({percent}%)", progress.unit));
            }
            _ if progress.done > 0 => parts.push(format!("{done} {}", progress.unit)),
            _ => {}
        }
    }
    let figures = figures::metrics(&progress.metrics);
    if !figures.is_empty() {
        parts.push(figures);
    }
    parts.join(" ")
}

fn spinner(bars: &MultiProgress, prefix: &str) -> ProgressBar {
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
    bar.set_prefix(prefix.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn show_on_bar(bar: &ProgressBar, progress: &Progress, before: Option<&Progress>) {
    let length = |progress: &Progress| overall(progress).map(|(_, total)| total);
    if before.is_none_or(|before| length(before) != length(progress)) {
        match length(progress) {
            Some(total) => {
                bar.set_length(total);
                bar.set_style(style("{spinner} {prefix} {bar:12} {percent}% ETA {eta} {wide_msg}"));
                // The time of an earlier phase says nothing about this one.
                bar.reset_eta();
            }
            None => bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}")),
        }
    }
    if let Some((done, _)) = overall(progress) {
        bar.set_position(done);
    }
    // The bar says how far; beside it there is room for what it does and how well.
    let what = if counts_epochs(progress) { progress_text(progress) } else { progress.phase.clone() };
    let figures = if counts_epochs(progress) { String::new() } else { figures::metrics(&progress.metrics) };
    bar.set_message(format!("{what} {figures}").trim_end().to_owned());
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}

fn lower(word: &str) -> String {
    word.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_told_of_less_and_less_often() {
        assert_eq!(patience(Duration::from_secs(5)), QUIET);
        assert_eq!(patience(Duration::from_secs(600)), Duration::from_secs(60));
        assert_eq!(patience(Duration::from_secs(4_000)), LONGEST_QUIET);
        let progress = Progress { done: 1, total: Some(4), ..Progress::default() };
        assert_eq!(left(&progress, Duration::from_secs(600)), Some(Duration::from_secs(1_800)));
        assert_eq!(left(&Progress::default(), Duration::from_secs(600)), None);
    }

    #[test]
    fn says_how_far() {
        let mut progress = Progress {
            phase: "training".to_owned(),
            done: 12_800,
            total: Some(48_000),
            unit: "events".to_owned(),
            metrics: [("loss", 0.31), ("accuracy", 0.88), ("events_per_second", 1834.2)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        };
        assert_eq!(
            progress_text(&progress),
            "training 12,800/48,000 events (26%) loss=0.31 accuracy=0.88 (1,834 events/s)"
        );
        progress.unit = "epochs".to_owned();
        (progress.done, progress.total) = (3, Some(10));
        assert_eq!(progress_text(&progress), "epoch 3/10 loss=0.31 accuracy=0.88 (1,834 events/s)");
        let begun = Progress { phase: "reading".to_owned(), ..Progress::default() };
        assert_eq!(progress_text(&begun), "reading");
    }
}
