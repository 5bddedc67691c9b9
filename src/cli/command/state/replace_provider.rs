//! `state replace-provider`: accepted for Terraform's sake. Providers are built in, and have one source each.

use crate::app::App;
use crate::arguments::StateReplaceProviderArguments;
use crate::exit::Exit;

pub(super) fn run(app: &App, arguments: &StateReplaceProviderArguments) -> Result<Exit, Exit> {
    let project = app.project(arguments.path.as_deref())?;
    project.read_state().map_err(|error| app.fail_in(error, &project.configuration.sources))?;
    app.console.print("No matching resources found.");
    Ok(Exit::Success)
}
