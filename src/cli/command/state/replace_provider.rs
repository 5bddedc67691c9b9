//! `state replace-provider`: gives the objects of one provider to another.

use std::collections::BTreeSet;

use pipectl_core::{Address, AddressKind, Diagnostic, ProviderAddress, ProviderSource, implied_name};
use pipectl_lang::Configuration;
use pipectl_provider::Stop;
use pipectl_state::{Change, ObjectState, State};

use super::edit::Editing;
use crate::app::App;
use crate::arguments::StateReplaceProviderArguments;
use crate::console::Color;
use crate::exit::Exit;

pub(super) async fn run(app: &App, arguments: &StateReplaceProviderArguments) -> Result<Exit, Exit> {
    let (from, to) = (source(app, "from", &arguments.from)?, source(app, "to", &arguments.to)?);
    let project = app.project(arguments.path.as_deref())?;
    let configuration = project.configuration.clone();
    let mut editing = Editing::begin(app, project, &arguments.lock, "state replace-provider").await?;
    let changes = changes(&configuration, editing.state(), &from, &to);
    if changes.is_empty() {
        app.console.print("No matching resources found.");
        return Ok(Exit::Success);
    }
    let blocks: BTreeSet<String> = changes.iter().map(|(address, _)| address.block().to_string()).collect();
    let paint = app.console.paint();
    app.console.print(&format!(
        "pipectl will perform the following actions:\n\n  {} Updating provider:\n    {} {from}\n    {} {to}\n\n{} {} resources:\n",
        paint.on(Color::Yellow, "~"),
        paint.on(Color::Red, "-"),
        paint.on(Color::Green, "+"),
        paint.on(Color::Bold, "Changing"),
        blocks.len()
    ));
    blocks.iter().for_each(|block| app.console.print(&format!("  {block}")));
    if !arguments.auto_approve {
        let question = format!(
            "\n{}\nOnly 'yes' will be accepted to continue.\n\nEnter a value: ",
            paint.on(Color::Bold, "Do you want to make these changes?")
        );
        let answer = tokio::select! {
            answer = app.console.ask(&question) => answer,
            () = app.cancel.reached(Stop::Gentle) => return Err(Exit::Interrupted),
        };
        if answer.as_deref() != Some("yes") {
            app.console.print("Cancelled replacing providers.");
            return Ok(if answer.is_some() { Exit::Success } else { Exit::Failure });
        }
    }
    editing.commit(changes.into_iter().map(|(_, change)| change).collect())?;
    app.console.print(&format!("\nSuccessfully replaced provider for {} resources.", blocks.len()));
    Ok(Exit::Success)
}

fn source(app: &App, which: &str, text: &str) -> Result<ProviderSource, Exit> {
    text.parse().map_err(|_| {
        let detail = format!("{text:?} is no source of a provider, which is written HOST/NAMESPACE/NAME.");
        app.fail(Diagnostic::error(format!("Invalid {which:?} provider"), detail))
    })
}

/// What changes, with the address of each object.
fn changes(
    configuration: &Configuration,
    state: &State,
    from: &ProviderSource,
    to: &ProviderSource,
) -> Vec<(Address, Change)> {
    let mut changes = Vec::new();
    let objects = state.objects().filter(|(address, _, _)| address.kind != AddressKind::Stage);
    for (address, deposed, object) in objects {
        let implied = || {
            let name = implied_name(&address.type_name);
            let own = configuration.module(&address.module);
            let source = own.map_or_else(|| ProviderSource::implied(name), |own| own.provider_source(name));
            ProviderAddress::default_of(source)
        };
        let provider = object.provider.clone().unwrap_or_else(implied);
        if provider.source != *from || from == to {
            continue;
        }
        let provider = ProviderAddress { source: to.clone(), ..provider };
        let object = ObjectState { provider: Some(provider), ..object.clone() };
        let address = address.clone();
        let change = match deposed {
            None => Change::SetObject { address: address.clone(), object },
            Some(key) => Change::SetDeposed { address: address.clone(), key: key.to_owned(), object },
        };
        changes.push((address, change));
    }
    changes
}
