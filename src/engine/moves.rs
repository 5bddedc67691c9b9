//! `moved` blocks: which objects of the state are known by another address from now on.
//!
//! Semantics are Terraform's (`internal/refactoring` of 1.11): statements are carried out one after the other, in an order in which each
//! finds what those before have moved; what would land on something that is there stays where it is; and a block that gains or loses `count`
//! keeps its object, as the instance 0.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use pipectl_core::{Address, Diagnostic, Diagnostics, InstanceKey, ModulePath, ModuleStep, Span, Target};
use pipectl_lang::Configuration;
use pipectl_state::{Change, ObjectState, State};
use serde::{Deserialize, Serialize};

/// An object that is known by another address from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The address that the state has.
    pub from: Address,
    /// The address that the configuration has.
    pub to: Address,
}

/// What the `moved` blocks of a configuration do to a state.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// What is moved, each object once, from where it was before anything was moved.
    pub(crate) moved: Vec<Moved>,
    /// What stays, because there is something at its new address.
    pub(crate) blocked: Vec<Moved>,
    statements: Vec<Statement>,
}

/// What a `moved` block says, with the module that has it.
#[derive(Clone, Debug)]
struct Statement {
    /// Without instances: it holds for all of them.
    module: ModulePath,
    from: Target,
    to: Target,
    /// Where it stands, if it is written anywhere.
    span: Option<Span>,
}

impl Moves {
    /// Finds out what is moved.
    ///
    /// # Errors
    /// When `moved` blocks contradict each other.
    pub(crate) fn of(configuration: &Configuration, state: &State) -> Result<Self, Diagnostics> {
        let statements = statements(configuration);
        let problems = contradictions(configuration, &statements);
        if problems.has_errors() {
            return Err(problems);
        }
        let statements = in_order(statements)?;
        let mut places = Places::of(state.resources.keys().chain(state.intents.keys()));
        let mut blocked = Vec::new();
        for statement in &statements {
            carry_out(statement, &mut places, &mut blocked);
        }
        carry_out_implied(configuration, &statements, &mut places);
        let moved = places.moved();
        let problems = other_types(&statements, &moved);
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(Self { moved, blocked, statements })
    }

    /// A warning about what could not be moved.
    pub(crate) fn warning(&self) -> Option<Diagnostic> {
        if self.blocked.is_empty() {
            return None;
        }
        let list: Vec<String> = self.blocked.iter().map(|moved| format!("{} to {}", moved.from, moved.to)).collect();
        let detail = format!(
            "Objects are at the new addresses already, so these could not move: {}. They are destroyed unless the configuration still has them.",
            list.join(", ")
        );
        Some(Diagnostic::warning("Unresolved resource instance address changes", detail))
    }

    /// Errors for what was to move away, and is still declared. `modules` gives the instances of a module; `is_declared` is asked about an
    /// instance of an object or module, or, when its second argument is true, about any instance.
    pub(crate) fn still_declared(
        &self,
        modules: impl Fn(&ModulePath) -> Vec<ModulePath>,
        is_declared: impl Fn(&Target, bool) -> bool,
    ) -> Diagnostics {
        let mut problems = Diagnostics::new();
        for statement in &self.statements {
            let places = modules(&statement.module);
            let mut ends = places.iter().map(|module| below(&statement.from, module));
            if let Some(from) = ends.find(|from| is_declared(from, statement.keeps_keys())) {
                let detail = format!(
                    "This statement declares a move from {from}, which is still declared. Rename the declaration to {}, or take the statement \
                     out.",
                    statement.to
                );
                problems.push(Diagnostic::error("Moved object still exists", detail).or_at(statement.span.as_ref()));
            }
        }
        problems
    }
}

/// What a `moved` block of the root module with these ends would do to a state: what it moves, and what stays because there is something at
/// its new address.
pub fn moves_between(state: &State, from: &Target, to: &Target) -> (Vec<Moved>, Vec<Moved>) {
    let mut places = Places::of(state.resources.keys());
    let mut blocked = Vec::new();
    let statement = Statement { module: ModulePath::ROOT, from: from.clone(), to: to.clone(), span: None };
    carry_out(&statement, &mut places, &mut blocked);
    (places.moved(), blocked)
}

/// The changes that move objects in a state, and that rename them where others depend on them.
pub fn moving_changes(state: &State, moved: &[Moved]) -> Vec<Change> {
    if moved.is_empty() {
        return Vec::new();
    }
    let renamed = renamed(state, moved);
    let destinations: BTreeMap<&Address, &Address> = moved.iter().map(|moved| (&moved.from, &moved.to)).collect();
    let (mut removals, mut additions) = (Vec::new(), Vec::new());
    for (address, resource) in &state.resources {
        let to = destinations.get(address).copied();
        let place = to.unwrap_or(address).clone();
        let changed = |object: &ObjectState| -> Option<ObjectState> {
            let dependencies = dependencies(object, &renamed, &place.declaration());
            (to.is_some() || dependencies != object.dependencies)
                .then(|| ObjectState { dependencies, ..object.clone() })
        };
        if let Some(current) = &resource.current {
            if to.is_some() {
                removals.push(Change::RemoveObject { address: address.clone() });
            }
            additions.extend(changed(current).map(|object| Change::SetObject { address: place.clone(), object }));
        }
        for (key, object) in &resource.deposed {
            let key = || key.clone();
            if to.is_some() {
                removals.push(Change::RemoveDeposed { address: address.clone(), key: key() });
            }
            let change = |object| Change::SetDeposed { address: place.clone(), key: key(), object };
            additions.extend(changed(object).map(change));
        }
    }
    for (address, intent) in &state.intents {
        if let Some(to) = destinations.get(address) {
            removals.push(Change::RemoveIntent { address: address.clone() });
            additions.push(Change::SetIntent { address: (*to).clone(), intent: intent.clone() });
        }
    }
    removals.extend(additions);
    removals
}

/// The state after objects were moved.
pub(crate) fn moved_state(state: &State, moved: &[Moved]) -> State {
    let mut after = state.clone();
    let serial = after.serial;
    after.take(pipectl_state::Record { serial, changes: moving_changes(state, moved) });
    after
}

/// Declarations by what they are called from now on. What has instances left under its old name keeps that, too.
fn renamed(state: &State, moved: &[Moved]) -> BTreeMap<Address, BTreeSet<Address>> {
    let mut renamed: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for Moved { from, to } in moved {
        let (from, to) = (from.declaration(), to.declaration());
        if from != to {
            renamed.entry(from).or_default().insert(to);
        }
    }
    if !renamed.is_empty() {
        let gone: BTreeSet<&Address> = moved.iter().map(|moved| &moved.from).collect();
        for address in state.resources.keys().filter(|address| !gone.contains(address)) {
            let declaration = address.declaration();
            if let Some(names) = renamed.get_mut(&declaration) {
                names.insert(declaration);
            }
        }
    }
    renamed
}

/// What an object of the block `own` depends on by its new names: not on its own block, where it has joined what it depended on.
fn dependencies(object: &ObjectState, renamed: &BTreeMap<Address, BTreeSet<Address>>, own: &Address) -> Vec<Address> {
    if !object.dependencies.iter().any(|dependency| renamed.contains_key(dependency)) {
        return object.dependencies.clone();
    }
    let names = object.dependencies.iter().flat_map(|dependency| match renamed.get(dependency) {
        Some(names) => names.iter().cloned().collect(),
        None => vec![dependency.clone()],
    });
    let names: BTreeSet<Address> = names.filter(|name| name != own).collect();
    names.into_iter().collect()
}

fn statements(configuration: &Configuration) -> Vec<Statement> {
    let mut statements = Vec::new();
    configuration.visit_modules(&mut |path, module| {
        statements.extend(module.moved.iter().map(|block| Statement {
            module: path.clone(),
            from: block.from.clone(),
            to: block.to.clone(),
            span: Some(block.span.clone()),
        }));
    });
    statements
}

/// The target of a block in `module`, as the root module writes it.
pub(crate) fn below(target: &Target, module: &ModulePath) -> Target {
    match target {
        Target::Module(path) => Target::Module(path.below(module)),
        Target::Object(address) => Target::Object(address.in_module(&address.module.below(module))),
    }
}

impl Statement {
    fn absolute_from(&self) -> Target {
        below(&self.from, &self.module)
    }

    fn absolute_to(&self) -> Target {
        below(&self.to, &self.module)
    }

    /// Whether it moves a block or module with all its instances, whose keys stay as they are.
    fn keeps_keys(&self) -> bool {
        self.from.is_whole() && self.to.is_whole()
    }

    /// The way of an address to an instance of the statement's module, and from there; `None`: it does not lead there.
    fn split<'a>(&self, address: &'a Address) -> Option<(&'a [ModuleStep], &'a [ModuleStep])> {
        let (outer, inside) = address.module.steps().split_at_checked(self.module.steps().len())?;
        let is_own = outer.iter().zip(self.module.steps()).all(|(step, own)| step.name == own.name);
        is_own.then_some((outer, inside))
    }

    /// Whether an end of the statement is the block of an address, or an instance of that.
    fn names_block(&self, address: &Address) -> bool {
        let Some((_, inside)) = self.split(address) else { return false };
        let is_it = |target: &Target| match target {
            Target::Object(target) => {
                target.module.steps() == inside && target.block().inside_module() == address.block().inside_module()
            }
            Target::Module(_) => false,
        };
        is_it(&self.from) || is_it(&self.to)
    }

    /// Where an address goes; `None`: it is not meant.
    fn destination(&self, address: &Address) -> Option<Address> {
        let (outer, inside) = self.split(address)?;
        let module = match (&self.from, &self.to) {
            (Target::Module(from), Target::Module(to)) => {
                let (last, before) = from.steps().split_last()?;
                let (found, rest) = inside.split_at_checked(from.steps().len())?;
                let (found_last, found_before) = found.split_last()?;
                let is_meant = found_before == before
                    && found_last.name == last.name
                    && (self.keeps_keys() || found_last.key == last.key);
                if !is_meant {
                    return None;
                }
                let (new_last, new_before) = to.steps().split_last()?;
                let key = if self.keeps_keys() { found_last.key.clone() } else { new_last.key.clone() };
                let new_last = ModuleStep { name: new_last.name.clone(), key };
                let steps: Vec<ModuleStep> =
                    outer.iter().chain(new_before).chain([&new_last]).chain(rest).cloned().collect();
                return Some(address.in_module(&ModulePath::of(&steps)));
            }
            (Target::Object(from), Target::Object(to)) => {
                let is_block = (from.kind, &from.type_name, &from.name)
                    == (address.kind, &address.type_name, &address.name)
                    && inside == from.module.steps();
                let is_meant = is_block && (self.keeps_keys() || address.key == from.key);
                is_meant.then(|| (to, ModulePath::of(outer)))
            }
            _ => None,
        };
        let (to, outer) = module?;
        let key = if self.keeps_keys() { address.key.clone() } else { to.key.clone() };
        Some(to.in_module(&to.module.below(&outer)).with_key(key))
    }
}

/// Where objects are while statements are carried out.
struct Places {
    /// By address: where it was before anything was moved.
    origins: BTreeMap<Address, Address>,
    /// The same addresses by what their block is called, in whatever module: a statement about a block looks at no others.
    by_name: BTreeMap<Address, BTreeSet<Address>>,
}

impl Places {
    fn of<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Self {
        let mut places = Self { origins: BTreeMap::new(), by_name: BTreeMap::new() };
        for address in addresses {
            places.put(address.clone(), address.clone());
        }
        places
    }

    fn put(&mut self, address: Address, origin: Address) {
        self.by_name.entry(name_of(&address)).or_default().insert(address.clone());
        self.origins.insert(address, origin);
    }

    fn go(&mut self, from: &Address, to: Address) {
        let Some(origin) = self.origins.remove(from) else { return };
        if let Some(same) = self.by_name.get_mut(&name_of(from)) {
            same.remove(from);
        }
        self.put(to, origin);
    }

    fn called_like(&self, address: &Address) -> impl Iterator<Item = &Address> {
        self.by_name.get(&name_of(address)).into_iter().flatten()
    }

    fn moved(self) -> Vec<Moved> {
        let moved = self.origins.into_iter().filter(|(to, from)| to != from);
        moved.map(|(to, from)| Moved { from, to }).collect()
    }
}

/// What a block is called, without its module.
fn name_of(address: &Address) -> Address {
    address.block_in_its_module().into_owned()
}

fn carry_out(statement: &Statement, places: &mut Places, blocked: &mut Vec<Moved>) {
    let going = |address: &Address| Some((address.clone(), statement.destination(address)?));
    let moves: Vec<(Address, Address)> = match &statement.from {
        Target::Module(_) => places.origins.keys().filter_map(going).collect(),
        Target::Object(from) => places.called_like(from).filter_map(going).collect(),
    };
    if moves.is_empty() {
        return;
    }
    // What is moved as a whole finds its place taken by any instance that is there.
    let (mut modules, mut blocks) = (BTreeSet::new(), BTreeSet::new());
    match &statement.to {
        Target::Module(_) => modules.extend(places.origins.keys().map(|address| &address.module)),
        Target::Object(to) => blocks.extend(places.called_like(to).map(Address::block)),
    }
    let is_taken = |to: &Address| match &statement.to {
        Target::Module(_) => modules.contains(&to.module),
        Target::Object(_) if statement.keeps_keys() => blocks.contains(&to.block()),
        Target::Object(_) => places.origins.contains_key(to),
    };
    let (stay, go): (Vec<_>, Vec<_>) = moves.into_iter().partition(|(_, to)| is_taken(to));
    blocked.extend(stay.into_iter().map(|(from, to)| Moved { from, to }));
    for (from, to) in go {
        places.go(&from, to);
    }
}

/// A block that has `count` now, or has it no more, keeps its one object, unless a statement speaks of the block.
fn carry_out_implied(configuration: &Configuration, statements: &[Statement], places: &mut Places) {
    let mut moves = Vec::new();
    for address in places.origins.keys() {
        let Some(block) = configuration.object(address) else { continue };
        let to = match (&address.key, &block.meta.count, &block.meta.for_each) {
            (None, Some(_), _) => Some(InstanceKey::Index(0)),
            (Some(InstanceKey::Index(0)), None, None) => None,
            _ => continue,
        };
        let to = address.with_key(to);
        let is_named = statements.iter().any(|statement| statement.names_block(address));
        if !places.origins.contains_key(&to) && !is_named {
            moves.push((address.clone(), to));
        }
    }
    for (from, to) in moves {
        places.go(&from, to);
    }
}

/// Errors for objects that would become objects of other types. A statement that moves nothing changes no type.
fn other_types(statements: &[Statement], moved: &[Moved]) -> Diagnostics {
    let has_other = |from: &Address, to: &Address| (from.kind, &from.type_name) != (to.kind, &to.type_name);
    let mismatched = moved.iter().filter(|moved| has_other(&moved.from, &moved.to));
    let each = |Moved { from, to }: &Moved| {
        let changes_type = |statement: &&Statement| match (&statement.from, &statement.to) {
            (Target::Object(from), Target::Object(to)) => has_other(from, to),
            _ => false,
        };
        let detail = format!("{from} cannot become {to}: an object keeps its type.");
        // Where several statements have moved it on, none may end where it has come to.
        let moved_it = |statement: &&Statement| changes_type(statement) && statement.absolute_to().contains(to);
        let statement = statements.iter().find(moved_it).or_else(|| statements.iter().find(changes_type));
        let span = statement.and_then(|statement| statement.span.as_ref());
        Diagnostic::error("Resource type mismatch", detail).or_at(span)
    };
    mismatched.map(each).collect()
}

/// Statements of which not all can be meant.
fn contradictions(configuration: &Configuration, statements: &[Statement]) -> Diagnostics {
    let mut problems = Diagnostics::new();
    let mut sources: BTreeMap<Target, &Statement> = BTreeMap::new();
    let mut destinations: BTreeMap<Target, &Statement> = BTreeMap::new();
    let place = |statement: &Statement| {
        let span = statement.span.as_ref();
        let file = span.and_then(|span| configuration.sources.get(span.source)).map(|source| source.name.clone());
        let line = span.and_then(|span| configuration.sources.line_column(span)).map_or(0, |(line, _)| line);
        format!("{}:{line}", file.unwrap_or_default())
    };
    for statement in statements {
        let (from, to) = (statement.absolute_from(), statement.absolute_to());
        let mut report = |summary: &str, detail: String| {
            problems.push(Diagnostic::error(summary, detail).or_at(statement.span.as_ref()));
        };
        if from == to {
            report(
                "Redundant move statement",
                format!("This statement declares a move from {from} to the same address, which is no move at all."),
            );
            continue;
        }
        if let Some(first) = sources.get(&from).filter(|first| first.absolute_to() != to) {
            let other = first.absolute_to();
            let at = place(first);
            report(
                "Ambiguous move statements",
                format!(
                    "A statement at {at} declares that {from} moved to {other}, and this one that it moved to {to}."
                ),
            );
        }
        if let Some(first) = destinations.get(&to).filter(|first| first.absolute_from() != from) {
            let other = first.absolute_from();
            let at = place(first);
            report(
                "Ambiguous move statements",
                format!(
                    "A statement at {at} declares that {other} moved to {to}, and this one that {from} moved there."
                ),
            );
        }
        sources.entry(from).or_insert(statement);
        destinations.entry(to).or_insert(statement);
    }
    problems
}

/// The statements in an order in which each comes after those that it goes on from; where that leaves it open, in their own order.
fn in_order(statements: Vec<Statement>) -> Result<Vec<Statement>, Diagnostics> {
    let ends: Vec<(Target, Target)> =
        statements.iter().map(|statement| (statement.absolute_from(), statement.absolute_to())).collect();
    // A statement about an object depends on those that lead to an object of that name, and on those that are about a module.
    let mut by_destination: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    let mut about_modules = Vec::new();
    for (index, (from, to)) in ends.iter().enumerate() {
        match (from, to) {
            (Target::Object(_), Target::Object(to)) => by_destination.entry(name_of(to)).or_default().push(index),
            _ => about_modules.push(index),
        }
    }
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); statements.len()];
    let mut missing = vec![0_usize; statements.len()];
    for (index, (from, to)) in ends.iter().enumerate() {
        let candidates: Vec<usize> = match (from, to) {
            (Target::Object(from), Target::Object(_)) => {
                by_destination.get(&name_of(from)).into_iter().flatten().chain(&about_modules).copied().collect()
            }
            _ => (0..statements.len()).collect(),
        };
        for other in candidates.into_iter().filter(|other| *other != index) {
            if depends_on(&statements, &ends, index, other) {
                after[other].push(index);
                missing[index] += 1;
            }
        }
    }
    let is_free = |index: &usize| missing[*index] == 0;
    let mut free: BinaryHeap<Reverse<usize>> = (0..statements.len()).filter(is_free).map(Reverse).collect();
    let mut order = Vec::with_capacity(statements.len());
    while let Some(Reverse(index)) = free.pop() {
        order.push(statements[index].clone());
        for next in &after[index] {
            missing[*next] -= 1;
            if missing[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    let open: Vec<usize> = (0..statements.len()).filter(|index| missing[*index] > 0).collect();
    let Some(first) = open.first() else { return Ok(order) };
    let names: Vec<String> = open.iter().map(|one| format!("{} to {}", ends[*one].0, ends[*one].1)).collect();
    let detail = format!("These moves go on from each other in a circle: {}.", names.join(", "));
    let span = statements[*first].span.as_ref();
    Err(Diagnostic::error("Cyclic dependency in move statements", detail).or_at(span).into())
}

/// Whether statement `b` must be carried out before `a` (`statementDependsOn` of Terraform's `internal/refactoring/move_execute.go`).
fn depends_on(statements: &[Statement], ends: &[(Target, Target)], a: usize, b: usize) -> bool {
    let ((from_a, to_a), (from_b, to_b)) = (&ends[a], &ends[b]);
    if is_same(from_a, to_b) {
        return true;
    }
    let is_nested =
        is_inside(from_a, to_b) || is_inside(to_a, to_b) || is_inside(from_b, from_a) || is_inside(to_b, from_a);
    if !is_nested {
        return false;
    }
    if statements[a].module.steps().len() >= statements[b].module.steps().len() {
        return true;
    }
    // A module that only changes its key matches what moves inside before and after.
    let only_key = match (from_a, to_a) {
        (Target::Module(from), Target::Module(to)) => from.declaration() == to.declaration(),
        _ => false,
    };
    !only_key
}

/// Whether two ends can mean the same.
fn is_same(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Module(a), Target::Module(b)) => {
            a.steps().len() == b.steps().len() && (a.contains(b) || b.contains(a))
        }
        (Target::Object(one), Target::Object(other)) => a.contains(other) || b.contains(one),
        _ => false,
    }
}

/// Whether `inner` lies inside the module `outer`.
fn is_inside(inner: &Target, outer: &Target) -> bool {
    let Target::Module(outer) = outer else { return false };
    match inner {
        Target::Module(inner) => outer.contains(inner) && inner.steps().len() > outer.steps().len(),
        Target::Object(inner) => outer.contains(&inner.module),
    }
}
