//! The local executor: stages as processes of this machine.

use std::time::Duration;

use async_trait::async_trait;
use pipectl_provider::{Cx, Event, Progress, Stop};
use pipectl_stage::{ExecuteError, Executor, Finished, Task};

use crate::admission::Admission;
use crate::{Machine, group};

/// How patient the executor is.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long workers may take to checkpoint and stop, and to go after their last word.
    pub grace: Duration,
    /// How long the other workers may run on after one failed, to tell what they know about it.
    pub settle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), settle: Duration::from_millis(500) }
    }
}

/// Runs stages as processes of this machine.
///
/// The workers of a stage are admitted together, in order of arrival, when what they take is free. Each is a process `<program> worker
/// JOB.json`, where the program is that of the environment. Their logs, events and outcome are kept in the folder of the attempt:
/// `rank-N.stderr.log`, `rank-N.events.jsonl`, `outcome.json`.
///
/// No worker is left when `execute` returns, when its future is dropped, or when this process ends in whatever way: a worker ends when its
/// standard input closes.
pub struct LocalExecutor {
    machine: Machine,
    settings: Settings,
    admission: Admission,
}

impl LocalExecutor {
    /// An executor for a machine.
    pub fn new(machine: Machine, settings: Settings) -> Self {
        Self { machine, settings, admission: Admission::new(machine.capacity()) }
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    fn kind(&self) -> &'static str {
        "local"
    }

    async fn execute(&self, cx: &Cx, task: Task) -> Result<Finished, ExecuteError> {
        let (share, warning) = self.machine.share(&task.resources, task.job.workers.max(1));
        if let Some(text) = warning {
            cx.emit(Event::Warning { text });
        }
        let waiting = || {
            let phase = "waiting for free resources".to_owned();
            cx.emit(Event::Progress(Progress { phase, ..Progress::default() }));
        };
        let permit = tokio::select! {
            biased;
            () = cx.cancel.reached(Stop::Gentle) => return Err(ExecuteError::Stopped),
            permit = self.admission.admit(share, waiting) => permit,
        };
        let result = group::run(cx, &task, &self.settings).await;
        drop(permit);
        result
    }
}
