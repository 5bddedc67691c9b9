//! `state push`: puts a file of Terraform, version 4, in the place of the state: what `state pull` gave, usually. Refuses what is older, or
//! another state's, as Terraform does.

use pipectl_core::Diagnostic;
use pipectl_state::terraform::{self, PushError};

use super::edit::Editing;
use super::terraform_file;
use crate::app::App;
use crate::arguments::StatePushArguments;
use crate::exit::Exit;
use crate::project::holds_nothing;

pub(super) async fn run(app: &App, arguments: &StatePushArguments) -> Result<Exit, Exit> {
    let (root, file) = terraform_file::split(app, &arguments.words, "pipectl state push [PATH] FILE")?;
    let imported = terraform_file::read(app, file)?;
    let project = app.project(root.as_deref())?;
    let editing = Editing::begin(app, project, &arguments.lock, "state push").await?;
    if !arguments.force
        && let Err(refused) = terraform::check_push(editing.state(), &imported.state)
        // A workspace that was only begun has a lineage, and nothing to lose.
        && !(matches!(refused, PushError::OtherLineage { .. }) && holds_nothing(editing.state()))
    {
        let detail = format!("The state stays as it is: {refused}.");
        let error = Diagnostic::error("State not pushed", detail).hint("-force writes it anyway.");
        return Err(app.fail(error));
    }
    terraform_file::say_left_out(app, &imported);
    editing.adopt(&imported.state).await?;
    Ok(Exit::Success)
}
