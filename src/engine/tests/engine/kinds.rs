//! Kinds that only tests have: a pointer that can be turned, a stage that cuts off, a provider that breaks its promises.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::planning::plan_by_schema;
use pipectl_provider::{
    ApplyOutcome, Cx, DataSource, Effect, Ephemeral, Instance, Lease, Opened, PlanRequest, PlanResponse, ReadOutcome,
    Reason, Registry, Resource, ValueBlock,
};
use serde_json::{Value as Json, json};

/// What the kinds of tests have done, in order: `point a -> x`, `run parity`.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    /// What was done since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Adds all kinds of tests.
pub(crate) fn register(registry: &mut Registry, journal: &Journal) {
    registry.resources.insert("test_pointer".to_owned(), Arc::new(Pointer::new(journal.clone())));
    registry.resources.insert("test_liar".to_owned(), Arc::new(Liar::new()));
    registry.resources.insert("test_vault".to_owned(), Arc::new(Vault::new()));
    registry.data_sources.insert("test_echo".to_owned(), Arc::new(Echo::new()));
    registry.data_sources.insert("test_flaky".to_owned(), Arc::new(Flaky::new(journal.clone())));
    registry.resources.insert("test_account".to_owned(), Arc::new(Account::new(journal.clone())));
    registry.ephemerals.insert("test_lease".to_owned(), Arc::new(TestLease::new(journal.clone())));
    registry.stages.insert("parity".to_owned(), Arc::new(Parity::new(journal.clone())));
    let schema = Schema::of([("threads", Attribute::optional(Type::Number, "Threads."))]);
    registry
        .executors
        .insert("local".to_owned(), ValueBlock { schema, finish: Arc::new(|value| (value, Diagnostics::new())) });
    let layer = Schema::of([("units", Attribute::required(Type::Number, "Units."))]);
    let schema = Schema::of([]).block("layer", Block::list(layer, "A layer.").labelled(["kind", "name"]));
    let finish = |value: Value| {
        let layers = value.attribute("layer").and_then(Value::as_slice).map_or(0, <[Value]>::len);
        let value = value.with_attribute("layers", Value::from(i64::try_from(layers).unwrap()));
        (value, Diagnostics::new())
    };
    registry.model = Some(ValueBlock { schema, finish: Arc::new(finish) });
}

fn text(value: &Value, name: &str) -> String {
    value.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Points at something; where to can be changed in place. No effect elsewhere.
struct Pointer {
    schema: Schema,
    journal: Journal,
}

impl Pointer {
    fn new(journal: Journal) -> Self {
        let schema = Schema::of([
            ("name", Attribute::required(Type::String, "Its name.").forces_replacement()),
            ("target", Attribute::optional(Type::String, "What it points at.")),
            ("secret", Attribute::optional(Type::String, "Never shown.").sensitive()),
            ("id", Attribute::computed(Type::String, "Its id.")),
        ]);
        Self { schema, journal }
    }
}

#[async_trait]
impl Resource for Pointer {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn create(&self, cx: &Cx, planned: &Instance) -> ApplyOutcome {
        let name = text(&planned.attributes, "name");
        self.journal.note(format!("make {name} -> {}", text(&planned.attributes, "target")));
        let id = Value::from(format!("pointer-{}", &cx.token[..6]));
        ApplyOutcome::done(Instance::new(planned.attributes.with_attribute("id", id)))
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        self.journal.note(format!(
            "turn {} -> {}",
            text(&planned.attributes, "name"),
            text(&planned.attributes, "target")
        ));
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, _cx: &Cx, prior: &Instance) -> ApplyOutcome {
        self.journal.note(format!(
            "remove {} -> {}",
            text(&prior.attributes, "name"),
            text(&prior.attributes, "target")
        ));
        ApplyOutcome::gone()
    }
}

/// Plans one thing and makes another.
struct Liar {
    schema: Schema,
}

impl Liar {
    fn new() -> Self {
        let schema = Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("lie", Attribute::required(Type::String, "When it lies: plan, apply or unknown.")),
            ("id", Attribute::computed(Type::String, "Its id.")),
        ]);
        Self { schema }
    }
}

#[async_trait]
impl Resource for Liar {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn plan(&self, _cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let mut response = plan_by_schema(&self.schema, &request);
        if text(request.config, "lie") == "plan" {
            response.planned = response.planned.with_attribute("name", "something else".into());
        }
        Ok(response)
    }

    async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
        let made = match text(&planned.attributes, "lie").as_str() {
            "apply" => {
                planned.attributes.with_attribute("id", "1".into()).with_attribute("name", "something else".into())
            }
            _ => planned.attributes.clone(),
        };
        ApplyOutcome::done(Instance::new(made))
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }
}

/// Something with a secret that exists already: it is only ever imported.
struct Vault {
    schema: Schema,
}

impl Vault {
    fn new() -> Self {
        let schema = Schema::of([
            ("id", Attribute::computed(Type::String, "What it is known by.")),
            ("label", Attribute::optional(Type::String, "What is written on it.")),
            ("key", Attribute::computed(Type::String, "What opens it.").sensitive()),
        ]);
        Self { schema }
    }
}

#[async_trait]
impl Resource for Vault {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn create(&self, _cx: &Cx, _planned: &Instance) -> ApplyOutcome {
        ApplyOutcome::failed(None, Diagnostic::error("No vault made", "Vaults can only be imported."))
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }

    async fn import(&self, _cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        let attributes = [("id", id.into()), ("label", Value::null_of(Type::String)), ("key", "hunter2".into())];
        Ok(Some(Instance::new(Value::object(attributes))))
    }
}

/// A data source that gives back its argument.
struct Echo {
    schema: Schema,
}

impl Echo {
    fn new() -> Self {
        let schema = Schema::of([
            ("text", Attribute::required(Type::String, "What to say.")),
            ("timeout", Attribute::optional(Type::Number, "An argument with the name of a meta-argument.")),
            ("echo", Attribute::computed(Type::String, "What was said.")),
        ]);
        let retry = Schema::of([("attempts", Attribute::optional(Type::Number, "How often."))]);
        let schema = schema.block("retry", Block::single(retry, "A block with the name of a meta-argument."));
        Self { schema }
    }
}

#[async_trait]
impl DataSource for Echo {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let is_noise = config.attribute("text").and_then(Value::as_str) == Some("noise");
        let problem = || Diagnostic::error("Invalid text", "Noise has no echo.").on(Path::of("text"));
        is_noise.then(problem).into_iter().collect()
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        if config.attribute("text").and_then(Value::as_str) == Some("silence") {
            return Err(Diagnostic::error("No echo", "Nothing comes back.").into());
        }
        Ok(config.with_attribute("echo", config.attribute("text").cloned().unwrap_or_else(Value::null)))
    }
}

/// Takes a password that is never stored. Careless: it hands back whatever it was given.
struct Account {
    schema: Schema,
    journal: Journal,
}

impl Account {
    fn new(journal: Journal) -> Self {
        let login = Schema::of([
            ("user", Attribute::required(Type::String, "A user.")),
            ("secret", Attribute::optional(Type::String, "Never stored.").write_only()),
        ]);
        let schema = Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("password", Attribute::optional(Type::String, "Never stored.").sensitive().write_only()),
            ("password_version", Attribute::optional(Type::Number, "Change it to write the password again.")),
            ("id", Attribute::computed(Type::String, "Its id.")),
        ]);
        Self { schema: schema.block("login", Block::list(login, "Who may log in.")), journal }
    }

    fn write(&self, what: &str, given: &Value) {
        let logins: Vec<String> = (given.attribute("login").and_then(Value::as_slice).unwrap_or_default().iter())
            .map(|login| format!("{}:{}", text(login, "user"), text(login, "secret")))
            .collect();
        let (name, password) = (text(given, "name"), text(given, "password"));
        self.journal.note(format!("{what} {name} with {password} [{}]", logins.join(", ")));
    }
}

#[async_trait]
impl Resource for Account {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
        self.write("make", &planned.attributes);
        ApplyOutcome::done(Instance::new(planned.attributes.with_attribute("id", "account".into())))
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        self.write("change", &planned.attributes);
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }
}

/// An ephemeral value that has to be given back.
struct TestLease {
    schema: Schema,
    journal: Journal,
}

impl TestLease {
    fn new(journal: Journal) -> Self {
        let schema = Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("fails", Attribute::optional(Type::String, "What fails: open, renew or close.")),
            ("renew_after", Attribute::optional(Type::Number, "Seconds until it must be renewed.")),
            ("token", Attribute::computed(Type::String, "The value.")),
        ]);
        Self { schema, journal }
    }

    fn act(&self, what: &str, name: &str, fails: &str) -> Result<(), Diagnostics> {
        self.journal.note(format!("{what} {name}"));
        match fails == what {
            true => Err(Diagnostic::error("Lease refused", format!("It could not {what} `{name}`.")).into()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Ephemeral for TestLease {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn open(&self, _cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        let (name, fails) = (text(config, "name"), text(config, "fails"));
        self.act("open", &name, &fails)?;
        let seconds = config.attribute("renew_after").and_then(Value::as_number).map(pipectl_core::Number::to_f64);
        Ok(Opened {
            value: config.with_attribute("token", format!("hunter2-{name}").into()),
            lease: Lease {
                private: json!({ "name": name, "fails": fails }),
                renew_after: seconds.map(std::time::Duration::from_secs_f64),
            },
        })
    }

    async fn renew(&self, _cx: &Cx, lease: &Lease) -> Result<Lease, Diagnostics> {
        self.act("renew", lease.private["name"].as_str().unwrap(), lease.private["fails"].as_str().unwrap())?;
        Ok(lease.clone())
    }

    async fn close(&self, _cx: &Cx, lease: &Lease) -> Result<(), Diagnostics> {
        self.act("close", lease.private["name"].as_str().unwrap(), lease.private["fails"].as_str().unwrap())
    }
}

/// A data source that fails as often as it is told to before it works, or never answers.
struct Flaky {
    schema: Schema,
    journal: Journal,
    reads: Mutex<i64>,
}

impl Flaky {
    fn new(journal: Journal) -> Self {
        let schema = Schema::of([
            ("failures", Attribute::required(Type::Number, "How many reads fail.")),
            ("hangs", Attribute::optional(Type::Bool, "Whether it never answers.")),
        ]);
        Self { schema, journal, reads: Mutex::default() }
    }
}

#[async_trait]
impl DataSource for Flaky {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        if config.attribute("hangs").and_then(Value::as_bool) == Some(true) {
            std::future::pending::<()>().await;
        }
        let read = {
            let mut reads = self.reads.lock().unwrap();
            *reads += 1;
            *reads
        };
        self.journal.note(format!("read {read}"));
        let failures = config.attribute("failures").and_then(Value::as_number).and_then(pipectl_core::Number::to_i64);
        if read <= failures.unwrap_or(0) {
            return Err(Diagnostic::error("Busy", "It is busy.").into());
        }
        Ok(config.clone())
    }
}

/// A stage whose output is whether its input is odd: an input may change and the output stay the same.
struct Parity {
    schema: Schema,
    journal: Journal,
}

impl Parity {
    fn new(journal: Journal) -> Self {
        let schema = Schema::of([
            ("input", Attribute::required(Type::Number, "A number.")),
            ("executor", Attribute::optional(Type::Any, "Where it runs: changes nothing.")),
            ("odd", Attribute::computed(Type::Number, "The number modulo two.")),
        ]);
        Self { schema, journal }
    }
}

#[async_trait]
impl Resource for Parity {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn has_remote_effect(&self) -> bool {
        false
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn plan(&self, _cx: &Cx, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        let input = request.config.attribute("input").cloned().unwrap_or_else(Value::null);
        let key = pipectl_core::json::to_json(&input).map_or(Json::Null, |input| json!({ "key": input }));
        let unknown = request.config.with_attribute("odd", Value::unknown(Type::Number));
        let respond = |effect, planned, private, reasons| PlanResponse {
            effect,
            planned,
            private,
            reasons,
            requires_replace: Vec::new(),
        };
        let reason = |text: &str| vec![Reason::on(&Path::of("input"), text)];
        Ok(match request.prior {
            _ if request.replace => respond(Effect::Run, unknown, key, vec![Reason::asked_for()]),
            None => respond(Effect::Run, unknown, key, reason("it has not run yet")),
            Some(_) if !input.is_known() => {
                respond(Effect::RunIfChanged, unknown, Json::Null, reason("input `input` is known after apply"))
            }
            Some(prior) if prior.private == key => {
                let odd = prior.attributes.attribute("odd").cloned().unwrap_or_else(Value::null);
                respond(Effect::NoOp, request.config.with_attribute("odd", odd), key, Vec::new())
            }
            Some(_) => respond(Effect::Run, unknown, key, reason("input `input` changed")),
        })
    }

    async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
        let number = planned
            .attributes
            .attribute("input")
            .and_then(Value::as_number)
            .and_then(pipectl_core::Number::to_i64)
            .unwrap_or(0);
        self.journal.note(format!("run parity of {number}"));
        let attributes = planned.attributes.with_attribute("odd", Value::from(number % 2));
        ApplyOutcome::done(Instance { attributes, ..planned.clone() })
    }

    async fn update(&self, cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        self.create(cx, planned).await
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }
}
