//! `state import-terraform`: adopts a state that Terraform has kept until now, for a root that has none yet.

use pipectl_core::Diagnostic;

use super::edit::Editing;
use super::terraform_file;
use crate::app::App;
use crate::arguments::StateImportTerraformArguments;
use crate::exit::Exit;
use crate::project::holds_nothing;
use crate::view::figures::count;

pub(super) async fn run(app: &App, arguments: &StateImportTerraformArguments) -> Result<Exit, Exit> {
    let (root, file) = terraform_file::split(app, &arguments.words, "pipectl state import-terraform [PATH] FILE")?;
    let imported = terraform_file::read(app, file)?;
    let project = app.project(root.as_deref())?;
    let editing = Editing::begin(app, project, &arguments.lock, "state import-terraform").await?;
    if !holds_nothing(editing.state()) {
        let detail =
            "This root already has a state that holds something. Only a root without one can adopt Terraform's.";
        return Err(app.fail(Diagnostic::error("State not empty", detail).hint(editing.list_command())));
    }
    terraform_file::say_left_out(app, &imported);
    editing.adopt(&imported.state).await?;
    let objects = count(imported.state.objects().count(), "object");
    let outputs = count(imported.state.outputs.len(), "output");
    app.console.print(&format!(
        "Adopted the state of `{file}`: {objects}, {outputs}. The file itself was not changed.\n\nNext: pipectl plan"
    ));
    Ok(Exit::Success)
}
