//! Tells how a command goes: to people as text, to programs as one JSON event per line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pipectl_core::{Diagnostics, SourceMap};
use pipectl_engine::{Event, Observer, Plan, Summary};
use pipectl_provider::{Environment, Registry};
use tracing::{Level, enabled, info};

use crate::console::{Color, Console};
use crate::operation::Verb;
use crate::view::outputs::{self, Output};
use crate::view::pace::Pace;
use crate::view::progress::ProgressView;
use crate::view::{diagnostic, events, plan as plan_view};

/// Least time between two progress events of an object that say nothing new.
const PACE: Duration = Duration::from_secs(1);

/// What the log calls the engine.
const LOG: &str = "pipectl::engine";

/// Says everything that a command has to say. Clones share the console.
#[derive(Clone)]
pub struct Reporter {
    console: Console,
    environment: Arc<dyn Environment>,
    json: bool,
    compact_warnings: bool,
    /// Named on each event where one command works on several pipelines.
    pipeline: Option<String>,
}

impl Reporter {
    /// A reporter on a console.
    pub fn new(console: Console, environment: Arc<dyn Environment>, json: bool, compact_warnings: bool) -> Self {
        let reporter = Self { console, environment, json, compact_warnings, pipeline: None };
        // A stream begins with it, once.
        if !reporter.console.has_spoken() {
            reporter.event(events::version());
        }
        reporter
    }

    /// Whether events are written as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Goes on for one of several pipelines.
    pub fn begin_pipeline(&mut self, shown: &str) {
        if self.json {
            self.pipeline = Some(shown.to_owned());
        } else {
            let headline = self.console.paint().on(Color::Bold, &format!("=== {shown} ==="));
            self.console.print(&format!("{}{headline}\n", self.gap()));
        }
    }

    /// Text for people.
    pub fn say(&self, text: &str) {
        if !self.json {
            self.console.print(text);
        }
    }

    /// An event for programs.
    pub fn event(&self, line: events::Line) {
        if self.json {
            self.console.print(&line.at(self.environment.now(), self.pipeline.as_deref()));
        }
    }

    /// What was found.
    pub fn diagnostics(&self, diagnostics: &Diagnostics, sources: &SourceMap) {
        if self.json {
            for found in diagnostic::in_order(diagnostics) {
                self.event(events::diagnostic(found, sources));
            }
        } else if !diagnostics.is_empty() {
            let paint = self.console.error_paint();
            let text = diagnostic::render_all(diagnostics, sources, paint, self.compact_warnings);
            self.console.complain(&format!("{}{text}", self.gap()));
        }
    }

    /// An empty line, if something stands above.
    fn gap(&self) -> &'static str {
        if self.console.has_spoken() { "\n" } else { "" }
    }

    /// A whole plan.
    pub fn plan(&self, registry: &Registry, plan: &Plan) {
        if self.json {
            events::plan(plan).into_iter().for_each(|line| self.event(line));
        } else {
            self.console.print(&plan_view::render(registry, plan, self.console.paint()));
        }
    }

    /// What a saved plan is about to do. People have seen it when it was made.
    pub fn saved_plan(&self, plan: &Plan) {
        if self.json {
            events::saved_plan(plan).into_iter().for_each(|line| self.event(line));
        }
    }

    /// The end of an apply: how much was done. Not called when it failed.
    pub fn applied(&self, summary: &Summary, verb: Verb) {
        let destroy = verb == Verb::Destroy;
        if self.json {
            self.event(events::summary(summary, destroy));
            return;
        }
        let text = match destroy {
            true => format!("Destroy complete! Resources: {} destroyed.", summary.destroy),
            false => format!("Apply complete! {}", plan_view::done(summary)),
        };
        self.console.print(&format!("\n{}", self.console.paint().on(Color::Green, &text)));
    }

    /// The output values after an apply.
    pub fn outputs(&self, outputs: &BTreeMap<String, Output>) {
        if self.json {
            self.event(events::outputs(&outputs::views(outputs)));
        } else if !outputs.is_empty() {
            let headline = self.console.paint().on(Color::Bold, "Outputs:");
            self.console.print(&format!("\n{headline}\n\n{}", outputs::block(outputs)));
        }
    }

    /// What follows a running operation.
    pub fn follow(&self) -> Follower {
        match self.json {
            true => Follower::Json(self.clone(), Arc::new(Mutex::new(Pace::new(PACE)))),
            false => Follower::People(Arc::new(ProgressView::new(self.console.clone()))),
        }
    }
}

/// Follows a running operation.
#[derive(Clone)]
pub enum Follower {
    /// As events.
    Json(Reporter, Arc<Mutex<Pace>>),
    /// As lines or bars.
    People(Arc<ProgressView>),
    /// Not at all.
    Nobody,
}

impl Follower {
    /// Says what still runs. Called about every second.
    pub fn tick(&self) {
        if let Follower::People(view) = self {
            view.tick();
        }
    }

    /// The operation has ended.
    pub fn finish(&self) {
        if let Follower::People(view) = self {
            view.finish();
        }
    }
}

impl Observer for Follower {
    fn observe(&self, event: Event) {
        if enabled!(target: LOG, Level::INFO)
            && let Some(line) = events::of_engine(&event)
        {
            info!(target: LOG, "{}", line.message());
        }
        match self {
            Follower::Json(reporter, pace) => {
                if let Event::ApplyProgress { address, progress: pipectl_provider::Event::Progress(progress) } = &event
                    && !pace.lock().unwrap_or_else(PoisonError::into_inner).is_due(address, progress, Instant::now())
                {
                    return;
                }
                if let Some(line) = events::of_engine(&event) {
                    reporter.event(line);
                }
            }
            Follower::People(view) => view.observe(event),
            Follower::Nobody => {}
        }
    }
}
