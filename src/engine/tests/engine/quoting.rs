//! A provider that quotes whatever it was given in its errors: what people see of it holds no secret.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_engine::{Mode, Planned};
use pipectl_provider::{
    ApplyOutcome, Cx, DataSource, Ephemeral, Found, Instance, Intent, Kinds, Lease, Opened, Provider, ReadOutcome,
    Resource,
};
use pipectl_state::{Change, Encryption};
use serde_json::{Value as Json, json};

use crate::bed::{Bed, address, texts};

/// The provider: `provider "loud" { token = ... }`.
pub(crate) fn provider() -> Loud {
    let schema = Schema::of([("token", Attribute::optional(Type::String, "What it is let in with.").sensitive())]);
    Loud { schema, kinds: kinds("") }
}

pub(crate) struct Loud {
    schema: Schema,
    kinds: Kinds,
}

fn kinds(token: &str) -> Kinds {
    let mut kinds = Kinds::default();
    let token = token.to_owned();
    kinds.resources.insert("loud_thing".to_owned(), Arc::new(Thing { token: token.clone(), schema: Thing::schema() }));
    kinds.data_sources.insert("loud_mirror".to_owned(), Arc::new(Mirror { schema: Mirror::schema() }));
    kinds.ephemerals.insert("loud_lease".to_owned(), Arc::new(LoudLease { schema: LoudLease::schema() }));
    kinds
}

#[async_trait]
impl Provider for Loud {
    fn name(&self) -> &str {
        "loud"
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let token = text(config, "token");
        let problem = || Diagnostic::error("Bad token", format!("`{token}` is no token.")).on(Path::of("token"));
        token.starts_with("bad").then(problem).into_iter().collect()
    }

    async fn configure(&self, _cx: &Cx, config: &Value) -> Result<Arc<Kinds>, Diagnostics> {
        Ok(Arc::new(kinds(&text(config, "token"))))
    }
}

fn text(value: &Value, name: &str) -> String {
    value.attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Fails at what its argument `fails` says.
struct Thing {
    token: String,
    schema: Schema,
}

impl Thing {
    fn schema() -> Schema {
        Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("password", Attribute::optional(Type::String, "What it is made with.")),
            ("fails", Attribute::optional(Type::String, "What fails.")),
            ("id", Attribute::computed(Type::String, "Its id.")),
        ])
    }

    fn act(&self, what: &str, attributes: &Value) -> Result<(), Diagnostics> {
        let password = text(attributes, "password");
        let detail = format!("`{}` and `{password}` do not {what} `{}`.", self.token, text(attributes, "name"));
        match text(attributes, "fails").contains(what) {
            true => Err(Diagnostic::error("Refused", detail).into()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn upgrade(&self, _from_version: u32, stored: Json) -> Result<Json, Diagnostics> {
        Err(Diagnostic::error("Refused", format!("{stored} is of no version.")).into())
    }

    async fn read(&self, _cx: &Cx, prior: &Instance) -> Result<ReadOutcome, Diagnostics> {
        self.act("read", &prior.attributes)?;
        Ok(ReadOutcome::unchanged(prior))
    }

    async fn create(&self, _cx: &Cx, planned: &Instance) -> ApplyOutcome {
        match self.act("create", &planned.attributes) {
            Ok(()) => ApplyOutcome::done(Instance::new(planned.attributes.with_attribute("id", "thing".into()))),
            Err(problems) => ApplyOutcome::failed(None, problems),
        }
    }

    async fn update(&self, _cx: &Cx, _prior: &Instance, planned: &Instance) -> ApplyOutcome {
        ApplyOutcome::done(planned.clone())
    }

    async fn delete(&self, _cx: &Cx, _prior: &Instance) -> ApplyOutcome {
        ApplyOutcome::gone()
    }

    async fn find(&self, _cx: &Cx, _intent: &Intent) -> Result<Found, Diagnostics> {
        Err(Diagnostic::error("Refused", format!("`{}` does not find anything.", self.token)).into())
    }

    async fn import(&self, _cx: &Cx, id: &str) -> Result<Option<Instance>, Diagnostics> {
        Err(Diagnostic::error("Refused", format!("`{}` does not import `{id}`.", self.token)).into())
    }
}

/// Gives back its argument in other forms.
struct Mirror {
    schema: Schema,
}

impl Mirror {
    fn schema() -> Schema {
        Schema::of([
            ("text", Attribute::required(Type::String, "What to say.")),
            ("number", Attribute::computed(Type::Number, "The same, where it is a number.")),
            ("named", Attribute::computed(Type::map(Type::Bool), "The same, as a name.")),
        ])
    }
}

#[async_trait]
impl DataSource for Mirror {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn read(&self, _cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let said = text(config, "text");
        let number = said.parse::<i64>().map_or_else(|_| Value::null_of(Type::Number), Value::from);
        let named = Value::map(Type::Bool, [(said.as_str(), true.into())]);
        Ok(config.with_attribute("number", number).with_attribute("named", named))
    }
}

/// Cannot be closed.
struct LoudLease {
    schema: Schema,
}

impl LoudLease {
    fn schema() -> Schema {
        Schema::of([
            ("name", Attribute::required(Type::String, "Its name.")),
            ("value", Attribute::computed(Type::String, "The value.")),
        ])
    }
}

#[async_trait]
impl Ephemeral for LoudLease {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn open(&self, _cx: &Cx, config: &Value) -> Result<Opened, Diagnostics> {
        let private = json!({ "name": text(config, "name") });
        let value = config.with_attribute("value", "canary-hunter2-lease".into());
        let renew_after = text(config, "name").starts_with("short").then_some(Duration::ZERO);
        Ok(Opened { value, lease: Lease { private, renew_after } })
    }

    async fn renew(&self, _cx: &Cx, lease: &Lease) -> Result<Lease, Diagnostics> {
        let name = lease.private["name"].as_str().unwrap();
        Err(Diagnostic::error("Refused", format!("`canary-hunter2-lease` of `{name}` is not renewed.")).into())
    }

    async fn close(&self, _cx: &Cx, lease: &Lease) -> Result<(), Diagnostics> {
        let name = lease.private["name"].as_str().unwrap();
        Err(Diagnostic::error("Refused", format!("`canary-hunter2-lease` of `{name}` is not closed.")).into())
    }
}

const TOKEN: &str = "canary-hunter2-token";

fn thing(fails: &str) -> String {
    format!(
        "provider \"loud\" {{\n  token = secret(\"env:TOKEN\")\n}}\n\
         resource \"loud_thing\" \"a\" {{\n  name     = \"a\"\n  password = secret(\"env:PASSWORD\")\n  fails    = \"{fails}\"\n}}\n"
    )
}

fn bed() -> Bed {
    let bed = Bed::calm();
    bed.set_secret("env:TOKEN", TOKEN);
    bed.set_secret("env:PASSWORD", "canary-hunter2-password");
    bed
}

/// That something was told, of whom, and none of the secrets.
fn judge(bed: &Bed, found: &Diagnostics, about: &str) {
    let told = format!("{} {:?}", texts(found), bed.take_events());
    assert!(!told.contains("hunter2"), "{told}");
    let refused = found.iter().find(|problem| problem.summary == "Refused").unwrap_or_else(|| panic!("{told}"));
    assert_eq!(refused.address.as_deref(), Some(about), "{told}");
}

#[tokio::test]
async fn a_judged_configuration_is_not_quoted() {
    let bed = bed();
    bed.set_secret("env:TOKEN", "bad-canary-hunter2");
    let found = texts(&bed.plan(&thing("")).await.err().unwrap());
    assert_eq!(found, "Bad token: `(sensitive value)` is no token.\n");
}

#[tokio::test]
async fn calls_quote_neither_what_they_were_given_nor_what_their_provider_was() {
    for what in ["create", "read"] {
        let bed = bed();
        let applied = bed.apply(&thing(what)).await;
        let found = match what {
            "create" => applied.diagnostics,
            _ => bed.plan(&thing(what)).await.err().unwrap(),
        };
        judge(&bed, &found, "loud_thing.a");
    }
    let bed = bed();
    assert!(!bed.apply(&thing("create")).await.succeeded());
    judge(&bed, &bed.plan(&thing("create")).await.err().unwrap(), "loud_thing.a");
    let import = format!("{}import {{\n  to = loud_thing.a\n  id = \"x\"\n}}\n", thing(""));
    let bed = bed.forgetful();
    judge(&bed, &bed.plan(&import).await.err().unwrap(), "loud_thing.a");
}

#[tokio::test]
async fn an_object_that_another_configuration_looks_for_is_not_quoted() {
    let bed = bed();
    let text = thing("").replace("provider \"loud\" {", "provider \"loud\" {\n  alias = \"two\"");
    let both = format!("provider \"loud\" {{}}\n{text}");
    bed.succeed(&both).await;
    // What it fails at is known to the object alone, so that only who looks with the other configuration is refused.
    let lock = bed.lock();
    let mut object = lock.state().object(&address("loud_thing.a")).unwrap().clone();
    object.attributes["fails"] = json!("read");
    commit(lock, object);
    let moved =
        both.replace("resource \"loud_thing\" \"a\" {", "resource \"loud_thing\" \"a\" {\n  provider = loud.two");
    let mut options = bed.options(Mode::Normal);
    options.refresh = false;
    judge(&bed, &bed.plan_with(&moved, &options).await.err().unwrap(), "loud_thing.a");
}

fn commit(mut lock: Box<dyn pipectl_state::StateWriter>, object: pipectl_state::ObjectState) {
    lock.commit(vec![Change::SetObject { address: address("loud_thing.a"), object }]).unwrap();
}

#[tokio::test]
async fn what_cannot_be_upgraded_is_not_quoted() {
    let bed = bed().with_variable("password", "canary-hunter2-password");
    let text = thing("").replace("secret(\"env:PASSWORD\")", "var.password");
    let text = format!("variable \"password\" {{\n  sensitive = true\n}}\n{text}");
    bed.succeed(&text).await;
    let lock = bed.lock();
    let mut object = lock.state().object(&address("loud_thing.a")).unwrap().clone();
    object.schema_version = 7;
    commit(lock, object);
    judge(&bed, &bed.plan(&text).await.err().unwrap(), "loud_thing.a");
}

#[tokio::test]
async fn an_ephemeral_value_is_not_quoted_when_it_is_closed() {
    let bed = bed();
    let text = "ephemeral \"loud_lease\" \"short\" {\n  name = \"short\"\n}\n\
                resource \"test_account\" \"a\" {\n  name     = \"a\"\n  password = ephemeral.loud_lease.short.value\n}\n";
    let found = bed.plan(text).await.err().unwrap();
    judge(&bed, &found, "ephemeral.loud_lease.short");
    assert!(texts(&found).contains("of `short` is not closed"), "what is no secret is told: {}", texts(&found));
    // While an object is made, there is time to renew it.
    let latency = Duration::from_millis(50);
    let bed = Bed::new(pipectl_sim::Settings { latency: latency..=latency, ..pipectl_sim::Settings::default() });
    let text = text.replace("\"short\"\n", "\"short-${sim_network.first.id}\"\n");
    let text = format!(
        "resource \"sim_network\" \"first\" {{\n  name = \"first\"\n}}\n{text}\
         resource \"sim_network\" \"second\" {{\n  name = \"second\"\n  lifecycle {{\n    precondition {{\n      \
         condition     = ephemeral.loud_lease.short.value != \"\"\n      error_message = \"None.\"\n    }}\n  }}\n}}\n"
    );
    let found = bed.apply(&text).await.diagnostics;
    judge(&bed, &found, "ephemeral.loud_lease.short");
    assert!(texts(&found).contains("is not renewed"), "{}", texts(&found));
}

#[tokio::test]
async fn a_saved_plan_of_a_loud_provider_holds_none_of_it() {
    let bed = bed();
    let bytes = bed.plan(&thing("create")).await.unwrap().plan.save(&Encryption::none()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    let applied = bed.apply_planned(Planned::open(&bytes, &[], &Encryption::none()).unwrap()).await;
    judge(&bed, &applied.diagnostics, "loud_thing.a");
    assert!(!serde_json::to_string(&applied.state).unwrap().contains("hunter2"));
}
