//! `moved`, `removed` and `import` blocks: what became of addresses.

use pipectl_core::{Address, AddressKind, Diagnostic, InstanceKey, ModulePath, Target};

use crate::body::NestedBlock;
use crate::configuration::{ImportBlock, ImportTarget, MovedBlock, RemovedBlock};
use crate::expression::{Expression, Node, Source, Step, Traversal};
use crate::load::Loader;
use crate::load::reader::Reader;

impl Loader {
    pub(super) fn moved(&mut self, block: &NestedBlock) {
        if self.labels(block, []).is_none() {
            return;
        }
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let from = endpoint(&mut reader, "from");
        let to = endpoint(&mut reader, "to");
        reader.finish();
        let (Some(from), Some(to)) = (from, to) else { return };
        let is_same_sort =
            matches!((&from, &to), (Target::Module(_), Target::Module(_)) | (Target::Object(_), Target::Object(_)));
        if !is_same_sort {
            let detail =
                "The \"from\" and \"to\" addresses must either both refer to resources or both refer to modules.";
            return self.report(Diagnostic::error("Invalid \"moved\" addresses", detail).at(block.span.clone()));
        }
        self.configuration.moved.push(MovedBlock { from, to, span: block.span.clone() });
    }

    pub(super) fn removed(&mut self, block: &NestedBlock) {
        if self.labels(block, []).is_none() {
            return;
        }
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let from = endpoint(&mut reader, "from");
        let written = block.body.argument("from").map_or_else(|| block.span.clone(), |from| from.value.span());
        let mut destroy = true;
        if let Some(lifecycle) = reader.block("lifecycle") {
            let mut inner = Reader::new(lifecycle, reader.diagnostics);
            destroy = inner.flag("destroy", true);
            inner.finish();
        }
        reader.finish();
        let Some(from) = from else { return };
        let has_keys = match &from {
            Target::Module(path) => path.declaration() != *path,
            Target::Object(address) => address.declaration() != *address,
        };
        if has_keys {
            let summary = match from {
                Target::Module(_) => "Module instance keys not allowed",
                Target::Object(_) => "Resource instance keys not allowed",
            };
            let detail =
                "The address must be that of a block or module, without an instance: type.name, not type.name[0].";
            return self.report(Diagnostic::error(summary, detail).at(written));
        }
        self.configuration.removed.push(RemovedBlock { from, destroy, span: block.span.clone() });
    }

    pub(super) fn import(&mut self, block: &NestedBlock) {
        if self.labels(block, []).is_none() {
            return;
        }
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let to = reader.required("to").and_then(|written| {
            let target = import_target(&written);
            if target.is_none() {
                let detail =
                    "The import address must be that of a resource: type.name, type.name[\"key\"], or one in a module.";
                reader.report(Diagnostic::error("Invalid import address", detail).at(written.span()));
            }
            target
        });
        let id = reader.required("id");
        let for_each = reader.expression("for_each");
        let provider = reader.provider();
        reader.finish();
        if !self.is_root {
            let detail = "Import blocks are only allowed in the root module.";
            return self.report(Diagnostic::error("Invalid import configuration", detail).at(block.span.clone()));
        }
        let (Some(to), Some(id)) = (to, id) else { return };
        self.configuration.imports.push(ImportBlock { to, id, for_each, provider, span: block.span.clone() });
    }
}

/// The address that an argument of `moved` or `removed` writes.
fn endpoint(reader: &mut Reader<'_>, name: &'static str) -> Option<Target> {
    let written = reader.required(name)?;
    let target = parts(&written).and_then(|parts| parts.target());
    match &target {
        Some(Target::Object(address)) if matches!(address.kind, AddressKind::Data | AddressKind::Ephemeral) => {
            let summary = match address.kind {
                AddressKind::Data => "Data source address not allowed",
                _ => "Ephemeral resource address not allowed",
            };
            let detail = "Data sources are read anew each time, and ephemeral resources are not kept, so there is nothing to move or remove: the \
                          address must be that of a resource, a stage or a module.";
            reader.report(Diagnostic::error(summary, detail).at(written.span()));
            None
        }
        Some(_) => target,
        None => {
            let detail = "The address of a resource, a stage or a module is required: only names and constant keys, like type.name, \
                          type.name[\"key\"], module.name or module.name[0].type.name.";
            reader.report(Diagnostic::error("Invalid expression", detail).at(written.span()));
            None
        }
    }
}

fn import_target(written: &Expression) -> Option<ImportTarget> {
    let parts = parts(written)?;
    let modules = parts.modules.iter().fold(ModulePath::ROOT, |path, (name, _)| path.child(name, None));
    let (kind, type_name, name, key) = parts.object?;
    (!matches!(kind, AddressKind::Data | AddressKind::Ephemeral)).then(|| ImportTarget {
        declaration: Address::new(kind, &type_name, &name).in_module(&modules),
        module_keys: parts.modules.into_iter().map(|(_, key)| key).collect(),
        key,
        span: written.span(),
    })
}

/// An address as written: names, each with the key that follows it.
struct Parts {
    modules: Vec<(String, Option<Expression>)>,
    object: Option<(AddressKind, String, String, Option<Expression>)>,
}

impl Parts {
    /// The address, when all keys are written out.
    fn target(&self) -> Option<Target> {
        let mut path = ModulePath::ROOT;
        for (name, key) in &self.modules {
            path = path.child(name, constant_key(key.as_ref())?);
        }
        match &self.object {
            None => Some(Target::Module(path)),
            Some((kind, type_name, name, key)) => {
                let key = constant_key(key.as_ref())?;
                Some(Target::Object(Address::new(*kind, type_name, name).in_module(&path).with_key(key)))
            }
        }
    }
}

/// The key that an expression writes out; `Some(None)` where there is none.
fn constant_key(key: Option<&Expression>) -> Option<Option<InstanceKey>> {
    let Some(key) = key else { return Some(None) };
    let Node::Literal(value) = key.node() else { return None };
    match value.as_str() {
        Some(name) => Some(Some(InstanceKey::Name(name.to_owned()))),
        None => Some(Some(InstanceKey::Index(value.as_number()?.to_u64()?))),
    }
}

fn parts(written: &Expression) -> Option<Parts> {
    // An index that is no literal wraps what stands before it.
    let (root, steps) = flattened(written)?;
    let mut names: Vec<(String, Option<Expression>)> = vec![(root, None)];
    for step in steps {
        match step {
            Step::Attribute { name, .. } => names.push((name.clone(), None)),
            Step::Index { key, .. } => {
                let (_, last) = names.last_mut()?;
                if last.replace(key.clone()).is_some() {
                    return None;
                }
            }
            Step::Splat { .. } => return None,
        }
    }
    let mut names = names.into_iter().peekable();
    let mut modules = Vec::new();
    while names.next_if(|(name, key)| name == "module" && key.is_none()).is_some() {
        modules.push(names.next()?);
    }
    let rest: Vec<(String, Option<Expression>)> = names.collect();
    let object = match rest.as_slice() {
        [] if !modules.is_empty() => None,
        [(type_name, None), (name, key)] => Some((AddressKind::Resource, type_name.clone(), name.clone(), key.clone())),
        [(prefix, None), (type_name, None), (name, key)] => {
            let kind = match prefix.as_str() {
                "data" => AddressKind::Data,
                "stage" => AddressKind::Stage,
                "ephemeral" => AddressKind::Ephemeral,
                "resource" => AddressKind::Resource,
                _ => return None,
            };
            Some((kind, type_name.clone(), name.clone(), key.clone()))
        }
        _ => return None,
    };
    Some(Parts { modules, object })
}

/// The root name of a traversal and all its steps.
pub(super) fn flattened(written: &Expression) -> Option<(String, Vec<&Step>)> {
    let Node::Traversal(Traversal { source, steps }) = written.node() else { return None };
    let (root, mut before) = match source {
        Source::Root { name, .. } => (name.clone(), Vec::new()),
        Source::Value(inner) => flattened(inner)?,
    };
    before.extend(steps);
    Some((root, before))
}

#[cfg(test)]
mod tests {
    use crate::{SourceFile, load};

    fn loaded(text: &str) -> (crate::Configuration, Vec<String>) {
        let (configuration, found) = load(vec![SourceFile { name: "main.tf".to_owned(), text: text.to_owned() }]);
        (configuration, found.iter().map(|found| format!("{}: {}", found.summary, found.detail)).collect())
    }

    #[test]
    fn addresses_are_read_with_their_keys() {
        let ends =
            ["a.b", "a.b[0]", "a.b[\"x.y\"]", "module.m", "module.m[1].module.n", "module.m[\"k\"].stage.train.x[2]"];
        for end in ends {
            let (configuration, found) = loaded(&format!("moved {{\n  from = {end}\n  to = {end}\n}}\n"));
            assert_eq!(found, Vec::<String>::new(), "{end}");
            let moved = &configuration.moved[0];
            assert_eq!((moved.from.to_string(), moved.to.to_string()), (end.to_owned(), end.to_owned()));
        }
        for end in
            ["a", "data.a.b", "a.b[each.key]", "a.b[-1]", "a.b[0][1]", "a.b.c", "module.m.module", "f(a.b)", "a.b[*]"]
        {
            let (configuration, found) = loaded(&format!("moved {{\n  from = {end}\n  to = a.b\n}}\n"));
            assert!(configuration.moved.is_empty() && found.len() == 1, "{end}: {found:?}");
        }
    }

    #[test]
    fn imports_keep_keys_that_are_expressions() {
        let text =
            "import {\n  for_each = var.x\n  to = module.m[each.key].a.b[each.value.n]\n  id = each.value.id\n}\n";
        let (configuration, found) = loaded(text);
        assert_eq!(found, Vec::<String>::new());
        let to = &configuration.imports[0].to;
        assert_eq!(to.declaration.to_string(), "module.m.a.b");
        assert!(to.key.is_some() && to.module_keys.iter().all(Option::is_some) && to.module_keys.len() == 1);
    }

    #[test]
    fn what_is_removed_has_no_instance() {
        let removed = |from: &str, rest: &str| loaded(&format!("removed {{\n  from = {from}\n{rest}}}\n"));
        assert!(removed("a.b", "").0.removed[0].destroy);
        assert!(!removed("module.m", "  lifecycle {\n    destroy = false\n  }\n").0.removed[0].destroy);
        for (from, summary) in [
            ("a.b[0]", "Resource instance keys not allowed"),
            ("module.m[\"x\"]", "Module instance keys not allowed"),
            ("module.m[0].a.b", "Resource instance keys not allowed"),
            ("data.a.b", "Data source address not allowed"),
        ] {
            assert!(removed(from, "").1[0].starts_with(summary), "{from}");
        }
        let (_, found) = loaded("moved {\n  from = a.b\n  to = module.m\n}\n");
        assert!(found[0].starts_with("Invalid \"moved\" addresses"), "{found:?}");
    }
}
