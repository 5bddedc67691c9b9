//! `resource`, `data`, `ephemeral` and `stage` blocks with their meta-arguments; `model` and `executor` blocks.

use pipectl_core::{Address, AddressKind, Diagnostic, Path, Span, Step as PathStep};

use crate::body::NestedBlock;
use crate::configuration::{ExecutorBlock, IgnoreChanges, Lifecycle, Meta, ModelBlock, ObjectBlock, Trigger};
use crate::expression::{Expression, Node, Source, Step};
use crate::load::Loader;
use crate::load::reader::Reader;
use crate::reference::Reference;

/// Meta-arguments of Terraform. Stages have no `provider`.
const META_ARGUMENTS: [&str; 4] = ["count", "for_each", "depends_on", "provider"];

/// Meta-arguments that make several objects of a block, or none.
const SEVERAL: [&str; 2] = ["count", "for_each"];

/// Blocks of Terraform that do something beside making an object.
const PROVISIONING: [&str; 2] = ["provisioner", "connection"];

impl Loader {
    /// Reads the block of an object. `check` is the block that it stands in, for a data source of one.
    pub(super) fn object(&mut self, block: &NestedBlock, terraform_file: bool, check: Option<&str>) {
        let (kind, labels) = match block.kind.as_str() {
            "stage" => (AddressKind::Stage, ["kind", "name"]),
            "data" => (AddressKind::Data, ["type", "name"]),
            "ephemeral" => (AddressKind::Ephemeral, ["type", "name"]),
            _ => (AddressKind::Resource, ["type", "name"]),
        };
        let labels = self.labels(block, labels);
        let block = &self.without_provisioners(block);
        let (mut meta, own) = self.meta(block, kind, terraform_file);
        let Some([type_name, name]) = labels else { return };
        let address = Address::new(kind, &type_name, &name);
        // That a block waits for itself says nothing.
        meta.depends_on.retain(|dependency| dependency.reference != Reference::Object(address.clone()));
        if let Some(first) = self.configuration.objects.get(&address) {
            let first = first.span.clone();
            let what = if kind == AddressKind::Stage { "stage" } else { "resource" };
            return self.duplicate(what, &address.to_string(), &first, &block.span);
        }
        let whole = match kind {
            AddressKind::Stage => block.body.without(&META_ARGUMENTS[..3], &["lifecycle"]),
            AddressKind::Resource | AddressKind::Data | AddressKind::Ephemeral => {
                block.body.without(&META_ARGUMENTS, &["lifecycle"])
            }
        };
        let body = whole.without(&own, &own);
        let claimable = (!own.is_empty()).then_some(whole);
        let (check, span) = (check.map(str::to_owned), block.span.clone());
        self.configuration.objects.insert(address.clone(), ObjectBlock { address, body, meta, check, span, claimable });
    }

    /// Reads the data source of a `check` block. There is one of it, as long as the check is there.
    pub(super) fn data_of_check(&mut self, block: &NestedBlock, terraform_file: bool, check: &str) {
        let mut refuse = |summary: String, detail: &str, span: Span| {
            self.report(Diagnostic::error(summary, detail).at(span));
        };
        for name in SEVERAL {
            if let Some(argument) = block.body.argument(name) {
                let detail =
                    "The \"count\" and \"for_each\" meta-arguments are not supported within nested data blocks.";
                refuse(format!("Invalid {name:?} attribute"), detail, argument.name_span.clone());
            }
        }
        for inner in block.body.blocks_of("lifecycle") {
            let detail = "Nested data blocks do not support \"lifecycle\" blocks as the lifecycle is managed by the containing block.";
            refuse("Invalid lifecycle block".to_owned(), detail, inner.span.clone());
        }
        let body = block.body.without(&SEVERAL, &["lifecycle"]);
        self.object(&NestedBlock { body, ..block.clone() }, terraform_file, Some(check));
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

    /// The meta-arguments of a block, and the names of those of pipectl that stand in the block itself.
    ///
    /// In files of Terraform there are none of pipectl's. Where one stands in `lifecycle`, that of its name in the block itself belongs to the
    /// kind.
    fn meta(&mut self, block: &NestedBlock, kind: AddressKind, terraform_file: bool) -> (Meta, Vec<&'static str>) {
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let mut meta = Meta {
            count: reader.expression("count"),
            for_each: reader.expression("for_each"),
            depends_on: reader.dependencies(),
            ..Meta::default()
        };
        if kind != AddressKind::Stage {
            meta.provider = reader.provider();
        }
        if let (Some(_), Some(for_each)) = (&meta.count, &meta.for_each) {
            let detail = "The \"count\" and \"for_each\" meta-arguments are mutually-exclusive, only one should be used to be explicit about \
                          the number of resources to be created.";
            reader.report(
                Diagnostic::error("Invalid combination of \"count\" and \"for_each\"", detail).at(for_each.span()),
            );
        }
        if let Some(lifecycle) = reader.block("lifecycle") {
            let mut inner = Reader::new(lifecycle, reader.diagnostics);
            meta.lifecycle = read_lifecycle(&mut inner, kind);
            // OpenTofu has this one, too.
            meta.enabled = inner.expression("enabled");
            if !terraform_file {
                meta.timeout = inner.expression("timeout");
                meta.concurrency = inner.expression("concurrency");
                meta.retry = inner.block("retry").map(|retry| retry.body.clone());
            }
            inner.finish();
        }
        let mut own = Vec::new();
        if !terraform_file {
            let arguments = [
                ("enabled", &mut meta.enabled),
                ("timeout", &mut meta.timeout),
                ("concurrency", &mut meta.concurrency),
            ];
            for (name, in_lifecycle) in arguments {
                if in_lifecycle.is_none()
                    && let Some(written) = reader.expression(name)
                {
                    *in_lifecycle = Some(written);
                    own.push(name);
                }
            }
            if meta.retry.is_none()
                && let Some(retry) = reader.block("retry")
            {
                meta.retry = Some(retry.body.clone());
                own.push("retry");
            }
        }
        (meta, own)
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

fn read_lifecycle(reader: &mut Reader<'_>, kind: AddressKind) -> Lifecycle {
    let read_only = match kind {
        AddressKind::Resource | AddressKind::Stage => None,
        AddressKind::Data => Some("data"),
        AddressKind::Ephemeral => Some("ephemeral"),
    };
    if let Some(what) = read_only {
        let changing = ["create_before_destroy", "prevent_destroy", "ignore_changes", "replace_triggered_by"];
        let body = reader.body;
        let given: Vec<_> =
            changing.into_iter().filter_map(|name| reader.expression(name).and(body.argument(name))).collect();
        for argument in given {
            let name = &argument.name;
            let detail = format!(
                "The lifecycle argument {name:?} is about objects that are made and changed, and is not valid for {what} resources."
            );
            let summary = format!("Invalid {what} resource lifecycle argument");
            reader.diagnostics.push(Diagnostic::error(summary, detail).at(argument.name_span.clone()));
        }
        let (preconditions, postconditions) = (reader.rules("precondition"), reader.rules("postcondition"));
        return Lifecycle { preconditions, postconditions, ..Lifecycle::default() };
    }
    Lifecycle {
        create_before_destroy: reader.flag("create_before_destroy", false),
        prevent_destroy: reader.expression("prevent_destroy"),
        ignore_changes: ignore_changes(reader),
        replace_triggered_by: triggers(reader),
        preconditions: reader.rules("precondition"),
        postconditions: reader.rules("postcondition"),
    }
}

fn triggers(reader: &mut Reader<'_>) -> Vec<Trigger> {
    let Some(written) = reader.expression("replace_triggered_by") else { return Vec::new() };
    let mut triggers = Vec::new();
    let mut refuse = |detail: &str, span| {
        reader.report(Diagnostic::error("Invalid replace_triggered_by expression", detail).at(span));
    };
    let Node::Tuple(elements) = written.node() else {
        refuse("The replace_triggered_by argument must be a list of references, in brackets.", written.span());
        return triggers;
    };
    for element in elements {
        match trigger(element) {
            Ok(trigger) => triggers.push(trigger),
            Err(detail) => refuse(detail, element.span()),
        }
    }
    triggers
}

/// Reads `type.name`, `type.name[KEY]`, and either with a path that follows.
fn trigger(expression: &Expression) -> Result<Trigger, &'static str> {
    const FORM: &str = "Every element of replace_triggered_by must be a reference to a resource, to an instance of one, or to an attribute, \
                        without quotes.";
    const KEY: &str = "Only resources, count.index, and each.key may be used in replace_triggered_by.";
    let Node::Traversal(traversal) = expression.node() else { return Err(FORM) };
    let Some((Ok((reference, consumed)), _)) = traversal.reference(&[]) else { return Err(FORM) };
    let Reference::Object(block) = reference else { return Err(KEY) };
    let (key, steps) = match &traversal.steps[consumed..] {
        [Step::Index { key, .. }, rest @ ..] => (Some(key.clone()), rest),
        steps => (None, steps),
    };
    if !key.as_ref().is_none_or(is_instance_key) {
        return Err(KEY);
    }
    let path = steps.iter().map(fixed_step).collect::<Option<Vec<_>>>().ok_or(FORM)?;
    Ok(Trigger { block, key, path: Path(path), span: expression.span() })
}

/// Whether an expression is a key that is written out, `each.key` or `count.index`.
fn is_instance_key(key: &Expression) -> bool {
    let own = [Reference::Each, Reference::Count];
    match key.node() {
        Node::Literal(key) => key.as_str().is_some() || key.as_number().is_some_and(|key| key.to_u64().is_some()),
        Node::Traversal(_) => key.references().iter().all(|(reference, _)| own.contains(reference)),
        _ => false,
    }
}

fn ignore_changes(reader: &mut Reader<'_>) -> IgnoreChanges {
    let Some(written) = reader.expression("ignore_changes") else { return IgnoreChanges::default() };
    match written.node() {
        _ if written.keyword() == Some("all") => IgnoreChanges::All,
        Node::Tuple(elements) => {
            let mut paths = Vec::new();
            for element in elements {
                let element = &reader.unquoted(element);
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
        path.0.push(fixed_step(step)?);
    }
    Some(path)
}

/// A step that is written out.
fn fixed_step(step: &Step) -> Option<PathStep> {
    match step {
        Step::Attribute { name, .. } => Some(PathStep::Name(name.clone())),
        Step::Index { key, .. } => match key.node() {
            Node::Literal(key) => match key.as_str() {
                Some(name) => Some(PathStep::Name(name.to_owned())),
                None => Some(PathStep::Index(key.as_number()?.to_usize()?)),
            },
            _ => None,
        },
        Step::Splat { .. } => None,
    }
}
