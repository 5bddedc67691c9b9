//! `destroy`: removes everything that is in the state.

use pipectl_engine::Mode;

use super::apply;
use crate::app::App;
use crate::arguments::DestroyArguments;
use crate::exit::Exit;
use crate::operation::Verb;

/// Runs the command.
pub async fn run(app: &App, arguments: DestroyArguments) -> Exit {
    let DestroyArguments { root, operation, auto_approve } = arguments;
    apply::run_roots(app, root.path.as_deref(), &operation, (Mode::Destroy, Verb::Destroy), auto_approve).await
}
