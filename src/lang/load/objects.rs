//! `resource`, `data` and `stage` blocks with their meta-arguments; `model` and `executor` blocks.

use pipectl_core::{Address, AddressKind, Diagnostic, Path, Step as PathStep};

use crate::body::NestedBlock;
use crate::configuration::{ExecutorBlock, IgnoreChanges, Lifecycle, Meta, ModelBlock, ObjectBlock, ProviderReference};
use crate::expression::{Expression, Node, Source, Step};
use crate::load::Loader;
use crate::load::reader::Reader;

const META_ARGUMENTS: [&str; 6] = ["enabled", "count", "for_each", "depends_on", "provider", "timeout"];
const META_BLOCKS: [&str; 2] = ["lifecycle", "retry"];

/// Blocks of Terraform that do something beside making an object.
const PROVISIONING: [&str; 2] = ["provisioner", "connection"];

impl Loader {
    pub(super) fn object(&mut self, block: &NestedBlock) {
        let (kind, labels) = match block.kind.as_str() {
            "stage" => (AddressKind::Stage, ["kind", "name"]),
            "data" => (AddressKind::Data, ["type", "name"]),
            _ => (AddressKind::Resource, ["type", "name"]),
        };
        let labels = self.labels(block, labels);
        let block = &self.without_provisioners(block);
        let meta = self.meta(block, kind);
        let Some([type_name, name]) = labels else { return };
        let address = Address::new(kind, &type_name, &name);
        if let Some(first) = self.configuration.objects.get(&address) {
            let first = first.span.clone();
            let what = if kind == AddressKind::Stage { "stage" } else { "resource" };
            return self.duplicate(what, &address.to_string(), &first, &block.span);
        }
        let body = match kind {
            AddressKind::Stage => {
                block.body.without(&META_ARGUMENTS.map(|name| if name == "provider" { "" } else { name }), &META_BLOCKS)
            }
            AddressKind::Resource | AddressKind::Data => block.body.without(&META_ARGUMENTS, &META_BLOCKS),
        };
        self.configuration
            .objects
            .insert(address.clone(), ObjectBlock { address, body, meta, span: block.span.clone() });
    }

    /// A block without provisioners and how they connect, which are reported. Every kind of resource could have them in Terraform.
    fn without_provisioners(&mut self, block: &NestedBlock) -> NestedBlock {
        if block.kind != "resource" {
            return block.clone();
        }
        for inner in block.body.blocks().filter(|inner| PROVISIONING.contains(&inner.kind.as_str())) {
            let kind = &inner.kind;
            let detail = format!(
                "Blocks of type {kind:?} are not supported: what a provisioner does is in no plan and in no state, so that it could be neither \
                 shown before it is done nor repeated when it has to be. A machine sets itself up with cloud-init, from an argument like \
                 user_data, or from an image that has everything; work on data is a stage; anything else is a step of the job that calls \
                 pipectl, which reads what it needs from `pipectl output -json`."
            );
            let problem = Diagnostic::error("Provisioners not supported", detail).at(inner.span.clone());
            self.report(problem);
        }
        NestedBlock { body: block.body.without(&[], &PROVISIONING), ..block.clone() }
    }

    fn meta(&mut self, block: &NestedBlock, kind: AddressKind) -> Meta {
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let mut meta = Meta {
            enabled: reader.expression("enabled"),
            count: reader.expression("count"),
            for_each: reader.expression("for_each"),
            depends_on: reader.references("depends_on"),
            timeout: reader.expression("timeout"),
            ..Meta::default()
        };
        if kind != AddressKind::Stage
            && let Some(written) = reader.expression("provider")
        {
            meta.provider = provider_reference(&written);
            if meta.provider.is_none() {
                let detail = "The provider argument must be a provider's name, or its name and alias: name.alias.";
                reader.report(Diagnostic::error("Invalid provider configuration reference", detail).at(written.span()));
            }
        }
        if let (Some(_), Some(for_each)) = (&meta.count, &meta.for_each) {
            let detail = "The \"count\" and \"for_each\" meta-arguments are mutually-exclusive, only one should be used to be explicit about \
                          the number of resources to be created.";
            reader.report(
                Diagnostic::error("Invalid combination of \"count\" and \"for_each\"", detail).at(for_each.span()),
            );
        }
        meta.retry = reader.block("retry").map(|retry| retry.body.clone());
        if let Some(lifecycle) = reader.block("lifecycle") {
            let mut inner = Reader::new(lifecycle, reader.diagnostics);
            let enabled = inner.expression("enabled");
            meta.lifecycle = read_lifecycle(&mut inner);
            inner.finish();
            if let (Some(_), Some(twice)) = (&meta.enabled, &enabled) {
                let detail =
                    "The \"enabled\" argument may be set in the block itself or in its lifecycle block, not in both.";
                reader.report(Diagnostic::error("Attribute redefined", detail).at(twice.span()));
            }
            meta.enabled = meta.enabled.or(enabled);
        }
        meta
    }

    pub(super) fn model(&mut self, block: &NestedBlock) {
        let Some([name]) = self.labels(block, ["name"]) else { return };
        if let Some(first) = self.configuration.models.get(&name) {
            return self.duplicate("model", &name, &first.span.clone(), &block.span);
        }
        let model = ModelBlock { name: name.clone(), body: block.body.clone(), span: block.span.clone() };
        self.configuration.models.insert(name, model);
    }

    pub(super) fn executor(&mut self, block: &NestedBlock) {
        let Some([kind, name]) = self.labels(block, ["kind", "name"]) else { return };
        let key = (kind.clone(), name.clone());
        if let Some(first) = self.configuration.executors.get(&key) {
            return self.duplicate("executor", &format!("{kind}.{name}"), &first.span.clone(), &block.span);
        }
        let enabled = block.body.argument("enabled").map(|argument| argument.value.clone());
        let body = block.body.without(&["enabled"], &[]);
        self.configuration.executors.insert(key, ExecutorBlock { kind, name, body, enabled, span: block.span.clone() });
    }
}

fn read_lifecycle(reader: &mut Reader<'_>) -> Lifecycle {
    Lifecycle {
        create_before_destroy: reader.flag("create_before_destroy", false),
        prevent_destroy: reader.expression("prevent_destroy"),
        ignore_changes: ignore_changes(reader),
        replace_triggered_by: reader.references("replace_triggered_by"),
        preconditions: reader.rules("precondition"),
        postconditions: reader.rules("postcondition"),
    }
}

fn ignore_changes(reader: &mut Reader<'_>) -> IgnoreChanges {
    let Some(written) = reader.expression("ignore_changes") else { return IgnoreChanges::default() };
    match written.node() {
        Node::Traversal(traversal)
            if matches!(&traversal.source, Source::Root { name, .. } if name == "all")
                && traversal.steps.is_empty() =>
        {
            IgnoreChanges::All
        }
        Node::Tuple(elements) => {
            let mut paths = Vec::new();
            for element in elements {
                match path(element) {
                    Some(path) => paths.push((path, element.span())),
                    None => {
                        let detail =
                            "Every element of ignore_changes must name an argument of this block, without quotes.";
                        reader.report(Diagnostic::error("Invalid expression", detail).at(element.span()));
                    }
                }
            }
            IgnoreChanges::Paths(paths)
        }
        _ => {
            let detail = "The ignore_changes argument must be a list of argument names, or the keyword all.";
            reader.report(Diagnostic::error("Invalid expression", detail).at(written.span()));
            IgnoreChanges::default()
        }
    }
}

/// The path that `a.b[0]["c"]` writes.
fn path(expression: &Expression) -> Option<Path> {
    let Node::Traversal(traversal) = expression.node() else { return None };
    let Source::Root { name, .. } = &traversal.source else { return None };
    let mut path = Path::of(name);
    for step in &traversal.steps {
        path.0.push(match step {
            Step::Attribute { name, .. } => PathStep::Name(name.clone()),
            Step::Index { key, .. } => match key.node() {
                Node::Literal(key) => match key.as_str() {
                    Some(name) => PathStep::Name(name.to_owned()),
                    None => PathStep::Index(key.as_number()?.to_usize()?),
                },
                _ => return None,
            },
            Step::Splat { .. } => return None,
        });
    }
    Some(path)
}

pub(super) fn provider_reference(expression: &Expression) -> Option<ProviderReference> {
    let Node::Traversal(traversal) = expression.node() else {
        // The old form, in quotes.
        let (name, alias) = match expression.as_literal_str()?.split_once('.') {
            Some((name, alias)) => (name.to_owned(), Some(alias.to_owned())),
            None => (expression.as_literal_str()?.to_owned(), None),
        };
        return Some(ProviderReference { name, alias, span: expression.span() });
    };
    let Source::Root { name, .. } = &traversal.source else { return None };
    let alias = match traversal.steps.as_slice() {
        [] => None,
        [Step::Attribute { name, .. }] => Some(name.clone()),
        _ => return None,
    };
    Some(ProviderReference { name: name.clone(), alias, span: expression.span() })
}
