//! `state pull`: writes the state as a file of Terraform, version 4, to standard output.

use pipectl_state::terraform;

use crate::app::App;
use crate::arguments::RootArguments;
use crate::exit::Exit;

pub(super) fn run(app: &App, arguments: &RootArguments) -> Result<Exit, Exit> {
    let project = app.project(arguments.path.as_deref())?;
    let state = project.read_state().map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    if let Some(state) = state {
        app.console.print_raw(&terraform::write(&state));
    }
    Ok(Exit::Success)
}
