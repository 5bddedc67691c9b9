//! `state mv`: gives objects other addresses, so that a renamed block or module keeps what it has made.

use pipectl_core::{Diagnostic, Target};
use pipectl_engine::{Moved, moves_between, moving_changes};
use pipectl_state::State;

use super::edit::{Editing, instances, suggestion};
use super::target;
use crate::app::App;
use crate::arguments::{StateMvArguments, split_root};
use crate::exit::Exit;
use crate::view::figures::count;

pub(super) async fn run(app: &App, arguments: &StateMvArguments) -> Result<Exit, Exit> {
    let (root, rest) = split_root(&app.here, &arguments.words);
    let [from, to] = rest else {
        let error =
            Diagnostic::error("Two addresses required", "This command moves objects from one address to another.");
        return Err(app.fail(error.hint("pipectl state mv [PATH] SOURCE DESTINATION")));
    };
    let (from, to) = (target(app, from)?, target(app, to)?);
    let project = app.project(root.as_deref())?;
    let mut editing = Editing::begin(app, project, &arguments.lock, "state mv").await?;
    let moves = moves(editing.state(), &from, &to).map_err(|error| app.fail(error.hint(editing.list_command())))?;
    let verb = if arguments.dry_run { "Would move" } else { "Move" };
    for Moved { from, to } in &moves {
        app.console.print(&format!("{verb} \"{from}\" to \"{to}\""));
    }
    if !arguments.dry_run {
        let changes = moving_changes(editing.state(), &moves);
        editing.commit(changes)?;
        app.console.print(&format!("Successfully moved {}.", count(moves.len(), "object")));
    }
    Ok(Exit::Success)
}

/// From where to where: one object, all instances of a block, or everything in a module.
fn moves(state: &State, from: &Target, to: &Target) -> Result<Vec<Moved>, Diagnostic> {
    let found = instances(state, from);
    if found.is_empty() {
        let detail = format!("Cannot move {from}: the state holds nothing at this address.{}", suggestion(state, from));
        return Err(Diagnostic::error("Invalid source address", detail));
    }
    let invalid =
        |why: String| Diagnostic::error("Invalid destination address", format!("Cannot move {from} to {to}: {why}."));
    match (from, to) {
        (Target::Object(from), Target::Object(to)) if (from.kind, &from.type_name) != (to.kind, &to.type_name) => {
            return Err(invalid("they are not of the same type".to_owned()));
        }
        (Target::Object(_), Target::Module(_)) => {
            return Err(invalid("the one is an object, and the other a module".to_owned()));
        }
        (Target::Module(_), Target::Object(_)) => {
            return Err(invalid("the one is a module, and the other an object".to_owned()));
        }
        (Target::Object(_), Target::Object(_)) | (Target::Module(_), Target::Module(_)) => {}
    }
    if from == to {
        return Err(invalid("they are the same".to_owned()));
    }
    let (moved, blocked) = match one_instance(state, from, to) {
        Some(one) if state.resources.contains_key(&one.to) => (Vec::new(), vec![one]),
        Some(one) => (vec![one], Vec::new()),
        None => moves_between(state, from, to),
    };
    if let Some(Moved { to, .. }) = blocked.first() {
        let detail = format!("Cannot move to {to}: the state already holds an object at this address.");
        return Err(Diagnostic::error("Invalid destination address", detail));
    }
    if moved.is_empty() {
        let what = count(found.len(), if matches!(from, Target::Module(_)) { "object" } else { "instance" });
        return Err(invalid(format!("it has {what}, and what has a key is one instance")));
    }
    if let Some(Moved { from, .. }) = moved.iter().find(|moved| state.intents.contains_key(&moved.from)) {
        let detail = format!(
            "Cannot move {from}: a run was interrupted while it worked on it, and what became of it is not known."
        );
        return Err(Diagnostic::error("Interrupted object", detail).hint("pipectl apply -refresh-only"));
    }
    Ok(moved)
}

/// A move of one instance, from its own address to one that has the same block or another. A block that has `count` at its new address is
/// in nobody's way: the instance without a key joins those that are there, until a plan says what is to become of it.
fn one_instance(state: &State, from: &Target, to: &Target) -> Option<Moved> {
    match (from, to) {
        (Target::Object(from), Target::Object(to)) if state.resources.contains_key(from) => {
            Some(Moved { from: from.clone(), to: to.clone() })
        }
        (Target::Object(_) | Target::Module(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use pipectl_core::Address;
    use pipectl_state::{Change, ObjectState, Record};

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
            set("module.m[\"x\"].a_b.in", object(&[])),
            set("module.m[\"x\"].a_b.user", object(&["module.m.a_b.in"])),
            set("module.m[\"y\"].a_b.in", object(&[])),
            set("module.m[\"y\"].a_b.user", object(&["module.m.a_b.in"])),
        ];
        state.take(Record { serial: 1, changes });
        state
    }

    fn moved(from: &str, to: &str) -> Result<Vec<String>, String> {
        let mut state = state();
        let (from, to): (Target, Target) = (from.parse().unwrap(), to.parse().unwrap());
        let moves = moves(&state, &from, &to).map_err(|error| error.detail)?;
        let changes = moving_changes(&state, &moves);
        state.take(Record { serial: 2, changes });
        let shown = |(address, _, object): (&Address, Option<&str>, &ObjectState)| {
            let needs: Vec<String> = object.dependencies.iter().map(Address::to_string).collect();
            format!("{address} <- {}", needs.join(" "))
        };
        Ok(state.objects().map(shown).collect())
    }

    /// The same without the modules.
    fn moved_in_root(from: &str, to: &str) -> Vec<String> {
        moved(from, to).unwrap().into_iter().filter(|line| !line.starts_with("module.")).collect()
    }

    #[test]
    fn a_block_moves_with_its_instances_and_those_that_need_it() {
        assert_eq!(
            moved_in_root("a_b.one", "a_b.uno"),
            ["a_b.many[0] <- a_b.uno", "a_b.many[1] <- a_b.uno", "a_b.uno <- "]
        );
        let all = moved_in_root("a_b.many", "a_b.lots");
        assert_eq!(all, ["a_b.lots[0] <- a_b.one", "a_b.lots[1] <- a_b.one", "a_b.one <- "]);
        let one = moved_in_root("a_b.many[1]", "a_b.last");
        assert_eq!(one, ["a_b.last <- a_b.one", "a_b.many[0] <- a_b.one", "a_b.one <- "]);
        let keyed = moved_in_root("a_b.one", "a_b.one[\"x\"]");
        assert_eq!(keyed[2], "a_b.one[\"x\"] <- ");
    }

    /// As Terraform does, which keeps an instance without a key beside those with one.
    #[test]
    fn one_instance_joins_those_of_a_counted_block() {
        let joined = moved_in_root("a_b.one", "a_b.many");
        assert_eq!(joined, ["a_b.many <- ", "a_b.many[0] <- ", "a_b.many[1] <- "]);
        assert_eq!(moved_in_root("a_b.many[0]", "a_b.many[\"x\"]")[1..], ["a_b.many[\"x\"] <- a_b.one", "a_b.one <- "]);
    }

    #[test]
    fn what_moves_in_a_module_is_renamed_where_it_is_needed() {
        // One instance leaves its module, the other stays: whoever needs the block needs it under both names.
        let one = moved("module.m[\"x\"]", "module.n").unwrap();
        assert_eq!(
            one[3..],
            [
                "module.m[\"y\"].a_b.in <- ",
                "module.m[\"y\"].a_b.user <- module.m.a_b.in module.n.a_b.in",
                "module.n.a_b.in <- ",
                "module.n.a_b.user <- module.m.a_b.in module.n.a_b.in",
            ]
        );
        let all = moved("module.m", "module.n.module.o").unwrap();
        assert_eq!(all[4], "module.n.module.o[\"x\"].a_b.user <- module.n.module.o.a_b.in");
        assert_eq!(all[6], "module.n.module.o[\"y\"].a_b.user <- module.n.module.o.a_b.in");
        let out = moved("module.m[\"x\"].a_b.in", "a_b.out").unwrap();
        assert_eq!(out[3], "a_b.out <- ");
        assert_eq!(out[4], "module.m[\"x\"].a_b.user <- a_b.out module.m.a_b.in");
    }

    #[test]
    fn moves_that_make_no_sense_are_refused() {
        for (from, to, part) in [
            ("a_b.none", "a_b.x", "holds nothing"),
            ("a_b.one", "a_c.one", "same type"),
            ("a_b.many", "a_b.x[0]", "2 instances"),
            ("a_b.one", "a_b.many[0]", "already holds"),
            ("a_b.one", "a_b.one", "the same"),
            ("a_b.one", "module.n", "a module"),
            ("module.m[\"x\"]", "a_b.x", "an object"),
            ("module.m[\"x\"]", "module.m[\"y\"]", "already holds"),
            ("module.m", "module.n[\"x\"]", "4 objects"),
            ("module.none", "module.n", "holds nothing"),
            ("module.m.a_b.in", "a_b.in", "holds nothing"),
        ] {
            assert!(moved(from, to).unwrap_err().contains(part), "{from} {to}");
        }
    }
}
