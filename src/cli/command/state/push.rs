//! `state push`: puts a file of Terraform, version 4, in the place of the state: what `state pull` gave, usually. Refuses what is older, or
//! another state's, as Terraform does.

use pipectl_core::Diagnostic;
use pipectl_state::{changes_between, terraform};

use super::edit::Editing;
use super::terraform_file;
use crate::app::App;
use crate::arguments::StatePushArguments;
use crate::exit::Exit;

pub(super) async fn run(app: &App, arguments: &StatePushArguments) -> Result<Exit, Exit> {
    let (root, file) = terraform_file::split(app, &arguments.words, "pipectl state push [PATH] FILE")?;
    let imported = terraform_file::read(app, file)?;
    let project = app.project(root.as_deref())?;
    let mut editing = Editing::begin(app, project, &arguments.lock, "state push").await?;
    if !arguments.force
        && let Err(refused) = terraform::check_push(editing.state(), &imported.state)
    {
        let detail = format!("The state stays as it is: {refused}.");
        let error = Diagnostic::error("State not pushed", detail).hint("-force writes it anyway.");
        return Err(app.fail(error));
    }
    terraform_file::say_left_out(app, &imported);
    let changes = changes_between(editing.state(), &imported.state);
    editing.adopt(&imported.state.lineage, changes)?;
    Ok(Exit::Success)
}
