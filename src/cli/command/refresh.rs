//! `refresh`: takes what has changed outside into the state. The same as `apply -refresh-only -auto-approve`.

use pipectl_engine::Mode;

use super::apply;
use crate::app::App;
use crate::arguments::RefreshArguments;
use crate::exit::Exit;
use crate::operation::Verb;

/// Runs the command.
pub async fn run(app: &App, arguments: RefreshArguments) -> Exit {
    apply::run_roots(app, arguments.root.path.as_deref(), &arguments.operation, (Mode::RefreshOnly, Verb::Apply), true)
        .await
}
