//! `random_string` and `random_password`: text of chosen classes of characters. A password is drawn from the operating system, is not
//! shown, and comes with a bcrypt hash.

use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::{Cx, Effect, PlanRequest, PlanResponse, Reason};
use serde_json::Value as Json;

use super::{at_most, no_keepers, plan_with_keepers, with_keepers};
use crate::draw::{Draw, fill};
use crate::kept::Kept;
use crate::planning::Defaults;
use pipectl_provider::arguments::{filled, flag, integer, text};
use pipectl_provider::rules::{at_least, at_least_sum};

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SPECIAL: &str = "!@#$%&*()-_=+[]{}<>:?";
const MINIMA: [&str; 4] = ["min_upper", "min_lower", "min_numeric", "min_special"];
/// What bcrypt looks at of a password, and its cost here: those of Go's `bcrypt.DefaultCost`.
const BCRYPT_BYTES: usize = 72;
const BCRYPT_COST: u32 = 10;

pub(super) struct RandomString;

impl Kept for RandomString {
    fn schema() -> Schema {
        let mut schema = base_schema()
            .attribute("result", Attribute::computed(Type::String, "The text."))
            .attribute("id", Attribute::computed(Type::String, "The text."))
            .described("Random text.");
        schema.version = 2;
        schema
    }

    fn defaults() -> Defaults {
        defaults()
    }

    fn validate(config: &Value) -> Diagnostics {
        validate(config)
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan(schema, request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let result = draw(planned, &mut Draw::of_call(cx)?)?;
        Ok(filled(planned, [("id", result.as_str().into()), ("result", result.into())]))
    }

    /// The id is the text.
    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        Ok(filled(&imported(id), [("id", id.into())]))
    }

    fn upgrade(from_version: u32, stored: &Json) -> Option<Result<Json, Diagnostics>> {
        (from_version == 1).then(|| Ok(upgraded(stored)))
    }
}

pub(super) struct RandomPassword;

impl Kept for RandomPassword {
    const IS_HEAVY: bool = true;

    fn schema() -> Schema {
        let mut schema = base_schema()
            .attribute(
                "result",
                Attribute::computed(Type::String, "The password.").sensitive().kept_as_terraform_does(),
            )
            .attribute(
                "bcrypt_hash",
                Attribute::computed(Type::String, "Bcrypt hash of the password's first 72 bytes, cost 10.")
                    .sensitive()
                    .kept_as_terraform_does(),
            )
            .attribute("id", Attribute::computed(Type::String, "Always `none`."))
            .described("A random password: it is not shown.");
        schema.version = 3;
        schema
    }

    fn defaults() -> Defaults {
        defaults()
    }

    fn validate(config: &Value) -> Diagnostics {
        validate(config)
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan(schema, request))
    }

    fn make(_cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let result = draw(planned, &mut Draw::secret()?)?;
        let hash = bcrypt_hash(&result)?;
        let attributes = [("id", "none".into()), ("bcrypt_hash", hash.into()), ("result", result.into())];
        Ok(filled(planned, attributes))
    }

    /// The id is the password.
    fn import(_cx: &Cx, id: &str) -> Result<Value, Diagnostics> {
        Ok(filled(&imported(id), [("id", "none".into()), ("bcrypt_hash", bcrypt_hash(id)?.into())]))
    }

    fn upgrade(from_version: u32, stored: &Json) -> Option<Result<Json, Diagnostics>> {
        if from_version > 2 {
            return None;
        }
        let mut upgraded = upgraded(stored);
        if from_version == 0 {
            match bcrypt_hash(stored["result"].as_str().unwrap_or_default()) {
                Ok(hash) => upgraded["bcrypt_hash"] = hash.into(),
                Err(problems) => return Some(Err(problems)),
            }
        }
        Some(Ok(upgraded))
    }
}

fn base_schema() -> Schema {
    let optional = |ty, description: &str| Attribute::optional_computed(ty, description).forces_replacement();
    with_keepers(Schema::of([
        ("length", Attribute::required(Type::Number, "How many characters.").forces_replacement()),
        ("upper", optional(Type::Bool, "Whether there are uppercase letters. Default: true.")),
        ("lower", optional(Type::Bool, "Whether there are lowercase letters. Default: true.")),
        ("numeric", optional(Type::Bool, "Whether there are digits. Default: true.")),
        ("number", optional(Type::Bool, "The old name of `numeric`.")),
        ("special", optional(Type::Bool, "Whether there are special characters. Default: true.")),
        ("min_upper", optional(Type::Number, "The least number of uppercase letters. Default: 0.")),
        ("min_lower", optional(Type::Number, "The least number of lowercase letters. Default: 0.")),
        ("min_numeric", optional(Type::Number, "The least number of digits. Default: 0.")),
        ("min_special", optional(Type::Number, "The least number of special characters. Default: 0.")),
        (
            "override_special",
            Attribute::optional(Type::String, "The special characters. Default: `!@#$%&*()-_=+[]{}<>:?`.")
                .forces_replacement(),
        ),
    ]))
}

/// Without `number` and `numeric`, of which each is the default of the other.
fn defaults() -> Defaults {
    let flags = ["upper", "lower", "special"].map(|name| (name, Value::from(true)));
    flags.into_iter().chain(MINIMA.map(|name| (name, Value::from(0)))).collect()
}

fn validate(config: &Value) -> Diagnostics {
    let mut found = at_least(config, "length", 1);
    found.extend(at_most(config, "length", 1 << 20));
    MINIMA.iter().for_each(|name| found.extend(at_least(config, name, 0)));
    found.extend(at_least_sum(config, "length", &MINIMA));
    if let (Some(number), Some(numeric)) = (flag(config, "number"), flag(config, "numeric"))
        && number != numeric
    {
        let summary = "Number and numeric are both configured with different values";
        found.push(Diagnostic::error(summary, "Number is deprecated, use numeric instead.").on(Path::of("number")));
    }
    for name in ["number", "numeric"] {
        let classes = [name, "special", "upper", "lower"];
        if classes.iter().all(|class| flag(config, class) == Some(false)) {
            let detail =
                format!("At least one attribute out of [special,upper,lower,{name}] must be specified as true.");
            found.push(Diagnostic::error("Invalid Attribute Combination", detail).on(Path::of(name)));
        }
    }
    found
}

fn plan(schema: &Schema, request: PlanRequest<'_>) -> PlanResponse {
    let null = Value::null();
    let given = |name: &str| request.config.attribute(name).filter(|value| !value.is_null()).cloned();
    let numeric = given("numeric").or_else(|| given("number")).unwrap_or_else(|| true.into());
    let number = given("number").unwrap_or_else(|| numeric.clone());
    let config = filled(request.config, [("numeric", numeric), ("number", number)]);
    // An older version of the provider wrote no special characters as "": null says the same.
    let is_same = |prior: &Value| text(prior, "override_special") == Some("");
    let prior = request.prior.filter(|prior| is_same(&prior.attributes) && given("override_special").is_none());
    let settled = prior.map(|prior| {
        let attributes = prior.attributes.with_attribute("override_special", null.clone());
        pipectl_provider::Instance { attributes, ..prior.clone() }
    });
    let is_settled = settled.is_some();
    let request = PlanRequest { config: &config, prior: settled.as_ref().or(request.prior), ..request };
    let mut response = plan_with_keepers(schema, &defaults(), request);
    if is_settled && response.effect == Effect::NoOp {
        response.effect = Effect::Update;
        response.reasons.push(Reason::on(&Path::of("override_special"), "argument `override_special` changed"));
    }
    response
}

/// Draws the text: first the least number of each class, then from all classes, then shuffled.
fn draw(planned: &Value, draw: &mut Draw) -> Result<String, Diagnostics> {
    let special = text(planned, "override_special").filter(|special| !special.is_empty()).unwrap_or(SPECIAL);
    let classes = [
        ("upper", "min_upper", UPPER),
        ("lower", "min_lower", LOWER),
        ("numeric", "min_numeric", DIGITS),
        ("special", "min_special", special),
    ];
    let count = |name: &str| integer(planned, name).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let mut characters = Vec::with_capacity(count("length"));
    let mut take = |class: &[char], count: usize| {
        characters.extend((0..count).map(|_| class[draw.position(class.len())]));
        characters.len()
    };
    let mut all = Vec::new();
    let mut taken = 0;
    for (wanted, minimum, class) in classes {
        let class: Vec<char> = class.chars().collect();
        taken = take(&class, count(minimum));
        if flag(planned, wanted) == Some(true) {
            all.extend(class);
        }
    }
    if all.is_empty() {
        let detail = "The character set specified is empty: at least one of `upper`, `lower`, `numeric` and `special` must be true.";
        return Err(Diagnostic::error("Random Read Error", detail).into());
    }
    take(&all, count("length").saturating_sub(taken));
    draw.shuffle(&mut characters);
    Ok(characters.into_iter().collect())
}

fn bcrypt_hash(password: &str) -> Result<String, Diagnostics> {
    let mut salt = [0; 16];
    fill(&mut salt)?;
    let bytes = password.as_bytes();
    let hash = bcrypt::hash_with_salt(&bytes[..bytes.len().min(BCRYPT_BYTES)], BCRYPT_COST, salt);
    // `2a` is the version that Go writes.
    hash.map(|parts| parts.format_for_version(bcrypt::Version::TwoA)).map_err(|error| {
        Diagnostic::error("Hash Generation Error", format!("The bcrypt hash could not be made: {error}.")).into()
    })
}

fn imported(text: &str) -> Value {
    let length = i64::try_from(text.len()).expect("an id is shorter than 2^63");
    let base = [
        no_keepers(),
        ("length", length.into()),
        ("numeric", true.into()),
        ("number", true.into()),
        ("override_special", Value::null_of(Type::String)),
        ("result", text.into()),
    ];
    Value::object(base.into_iter().chain(defaults()))
}

/// Stored attributes of an older version: what imports of that time left null gets its default.
fn upgraded(stored: &Json) -> Json {
    let mut upgraded = stored.clone();
    let Some(attributes) = upgraded.as_object_mut() else { return upgraded };
    let mut default = |name: &str, value: Json| {
        let entry = attributes.entry(name.to_owned()).or_insert(Json::Null);
        if entry.is_null() {
            *entry = value;
        }
    };
    let length = stored["result"].as_str().map_or(0, str::len);
    default("length", length.into());
    for name in ["upper", "lower", "special", "number"] {
        default(name, true.into());
    }
    let number = stored["number"].as_bool().unwrap_or(true);
    default("numeric", number.into());
    for name in MINIMA {
        default(name, 0.into());
    }
    upgraded
}
