//! `state mv`: gives objects other addresses, so that a renamed block keeps what it has made.

use pipectl_core::{Address, Diagnostic};
use pipectl_state::{Change, ObjectState, State};

use super::address;
use super::edit::{Editing, forget, instances, suggestion};
use crate::app::App;
use crate::arguments::{StateMvArguments, split_root};
use crate::exit::Exit;
use crate::view::figures::count;

pub(super) async fn run(app: &App, arguments: &StateMvArguments) -> Result<Exit, Exit> {
    let (root, rest) = split_root(&arguments.words);
    let [from, to] = rest else {
        let error =
            Diagnostic::error("Two addresses required", "This command moves objects from one address to another.");
        return Err(app.fail(error.hint("pipectl state mv [PATH] SOURCE DESTINATION")));
    };
    let (from, to) = (address(app, from)?, address(app, to)?);
    let project = app.project(root.as_deref())?;
    let mut editing = Editing::begin(app, project, &arguments.lock, "state mv").await?;
    let moves = moves(editing.state(), &from, &to).map_err(|error| app.fail(error))?;
    let verb = if arguments.dry_run { "Would move" } else { "Move" };
    for (from, to) in &moves {
        app.console.print(&format!("{verb} \"{from}\" to \"{to}\""));
    }
    if !arguments.dry_run {
        let changes = changes(editing.state(), &moves, &from, &to);
        editing.commit(changes)?;
        app.console.print(&format!("Successfully moved {}.", count(moves.len(), "object")));
    }
    Ok(Exit::Success)
}

/// From where to where: one object, or all instances of a block.
fn moves(state: &State, from: &Address, to: &Address) -> Result<Vec<(Address, Address)>, Diagnostic> {
    let found = instances(state, from);
    if found.is_empty() {
        let detail = format!("Cannot move {from}: the state holds nothing at this address.{}", suggestion(state, from));
        return Err(Diagnostic::error("Invalid source address", detail).hint("pipectl state list"));
    }
    if (from.kind, &from.type_name) != (to.kind, &to.type_name) {
        let detail = format!("Cannot move {from} to {to}: they are not of the same type.");
        return Err(Diagnostic::error("Invalid destination address", detail));
    }
    let one_object = found.len() == 1 && found[0] == *from;
    if !one_object && to.key.is_some() {
        let detail = format!(
            "Cannot move {from} to {to}: it has {}, and an instance is one object.",
            count(found.len(), "instance")
        );
        return Err(Diagnostic::error("Invalid destination address", detail));
    }
    let target = |address: &Address| if one_object { to.clone() } else { to.with_key(address.key.clone()) };
    let moves: Vec<(Address, Address)> = found.into_iter().map(|from| (from.clone(), target(&from))).collect();
    for (from, to) in &moves {
        if state.resources.contains_key(to) {
            let detail = format!("Cannot move to {to}: the state already holds an object at this address.");
            return Err(Diagnostic::error("Invalid destination address", detail));
        }
        if state.intents.contains_key(from) {
            let detail = format!(
                "Cannot move {from}: a run was interrupted while it worked on it, and what became of it is not known."
            );
            return Err(Diagnostic::error("Interrupted object", detail).hint("pipectl apply -refresh-only"));
        }
    }
    Ok(moves)
}

fn changes(state: &State, moves: &[(Address, Address)], from: &Address, to: &Address) -> Vec<Change> {
    let mut changes = Vec::new();
    // What refers to a block that has moved as a whole refers to it under its new name.
    let all_move =
        instances(state, &from.block()).iter().all(|address| moves.iter().any(|(moved, _)| moved == address));
    let renamed = |object: &ObjectState| {
        let mut object = object.clone();
        if all_move {
            for dependency in object.dependencies.iter_mut().filter(|dependency| **dependency == from.block()) {
                *dependency = to.block();
            }
        }
        object
    };
    for (from, to) in moves {
        let Some(resource) = state.resources.get(from) else { continue };
        changes.extend(forget(state, from));
        if let Some(object) = &resource.current {
            changes.push(Change::SetObject { address: to.clone(), object: renamed(object) });
        }
        for (key, object) in &resource.deposed {
            changes.push(Change::SetDeposed { address: to.clone(), key: key.clone(), object: renamed(object) });
        }
    }
    for (address, deposed, object) in state.objects() {
        let is_moved = moves.iter().any(|(from, _)| from == address);
        let now = renamed(object);
        if is_moved || now == *object {
            continue;
        }
        changes.push(match deposed {
            None => Change::SetObject { address: address.clone(), object: now },
            Some(key) => Change::SetDeposed { address: address.clone(), key: key.to_owned(), object: now },
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pipectl_state::Record;

    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn state() -> State {
        let object = |dependencies: &[&str]| ObjectState {
            dependencies: dependencies.iter().map(|text| address(text)).collect(),
            ..ObjectState::default()
        };
        let mut state = State::default();
        let set = |at: &str, object| Change::SetObject { address: address(at), object };
        let changes = vec![
            set("a_b.one", object(&[])),
            set("a_b.many[0]", object(&["a_b.one"])),
            set("a_b.many[1]", object(&["a_b.one"])),
        ];
        state.take(Record { serial: 1, changes });
        state
    }

    fn moved(from: &str, to: &str) -> Result<Vec<String>, String> {
        let mut state = state();
        let (from, to) = (address(from), address(to));
        let moves = moves(&state, &from, &to).map_err(|error| error.detail)?;
        let changes = changes(&state, &moves, &from, &to);
        state.take(Record { serial: 2, changes });
        let shown = |(address, _, object): (&Address, Option<&str>, &ObjectState)| {
            let needs: Vec<String> = object.dependencies.iter().map(Address::to_string).collect();
            format!("{address} <- {}", needs.join(" "))
        };
        Ok(state.objects().map(shown).collect())
    }

    #[test]
    fn a_block_moves_with_its_instances_and_those_that_need_it() {
        assert_eq!(
            moved("a_b.one", "a_b.uno").unwrap(),
            ["a_b.many[0] <- a_b.uno", "a_b.many[1] <- a_b.uno", "a_b.uno <- "]
        );
        let all = moved("a_b.many", "a_b.lots").unwrap();
        assert_eq!(all, ["a_b.lots[0] <- a_b.one", "a_b.lots[1] <- a_b.one", "a_b.one <- "]);
        let one = moved("a_b.many[1]", "a_b.last").unwrap();
        assert_eq!(one, ["a_b.last <- a_b.one", "a_b.many[0] <- a_b.one", "a_b.one <- "]);
        let keyed = moved("a_b.one", "a_b.one[\"x\"]").unwrap();
        assert_eq!(keyed[2], "a_b.one[\"x\"] <- ");
    }

    #[test]
    fn moves_that_make_no_sense_are_refused() {
        for (from, to, part) in [
            ("a_b.none", "a_b.x", "holds nothing"),
            ("a_b.one", "a_c.one", "same type"),
            ("a_b.many", "a_b.x[0]", "2 instances"),
            ("a_b.one", "a_b.many[0]", "already holds"),
        ] {
            assert!(moved(from, to).unwrap_err().contains(part), "{from} {to}");
        }
    }
}
