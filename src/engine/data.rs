//! Calls without effect, within the bounds of their block: they can be given up and repeated at will.

use std::future::Future;

use pipectl_core::{Address, Diagnostic, Diagnostics, Value};
use pipectl_provider::context::Recorder;
use pipectl_provider::{Cx, DataSource};

use crate::Engine;
use crate::limits::Limits;
use crate::planner::context;
use crate::secrets::{redacted, spread};

/// Reads a data source, as often as its `retry` block says.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn read(
    engine: &Engine,
    address: &Address,
    kind: &dyn DataSource,
    config: &Value,
    limits: &Limits,
) -> Result<Value, Diagnostics> {
    let read = |cx| async move { kind.read(&cx, config).await.map_err(|problems| redacted(problems, config)) };
    let read = within(engine, address, "read", limits, read).await?;
    Ok(spread(config, read))
}

/// Makes a call that can be repeated, as often as `retry` says and each time no longer than `timeout` says. `done` is what the call does to the
/// object, as a participle.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn within<T, F: Future<Output = Result<T, Diagnostics>>>(
    engine: &Engine,
    address: &Address,
    done: &str,
    limits: &Limits,
    call: impl Fn(Cx) -> F,
) -> Result<T, Diagnostics> {
    let Limits { retry, timeout, .. } = limits;
    let mut attempt = 1;
    loop {
        let running = call(context(engine, address, String::new(), engine.cancel.clone(), Recorder::none()));
        let result = match timeout {
            None => running.await,
            Some(timeout) => tokio::time::timeout(*timeout, running).await.unwrap_or_else(|_| {
                let detail = format!("{address} was not {done} within {} seconds.", timeout.as_secs_f64());
                Err(Diagnostic::error("Timed out", detail).about(address).into())
            }),
        };
        let problems = match result {
            Ok(value) => return Ok(value),
            Err(problems) => problems,
        };
        if !retry.goes_on(engine, address, attempt, &problems).await {
            return Err(problems);
        }
        attempt += 1;
    }
}
