//! What `secret` gives, as far as objects are made with it: never stored, told by a fingerprint.
//!
//! In the state an attribute that holds a secret is null, and beside the attributes stands a keyed MAC of it, under the key of the state. When
//! the object is planned the secret is read again; if it has the same MAC, the stored attribute gets it back, and nothing has changed. A plan
//! keeps the MACs of the secrets that it was made with, so that applying it with others is refused.
//!
//! What a provider decides and can read again is kept so, too, where the state is not encrypted. The state has its MAC; who needs the value has the
//! object read, as every refresh does, and until then it is unknown.
//!
//! The key is that of the state. A state that has none yet gets one that follows from the seed of the plan that first needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pipectl_core::{Address, Attribute, Diagnostic, Diagnostics, Kind, Marks, Path, Schema, Step, Type, Value, json};
use pipectl_provider::Instance;
use pipectl_provider::context::Fingerprints;
use pipectl_state::{Change, SecretMacs, State, StateKey, StoredSecret};

use crate::Seed;
use crate::evaluation::about;

/// What a secret carries.
const MARKS: [Marks; 2] = [Marks::SENSITIVE, Marks::SECRET];

/// Shorter texts are not looked for in what providers say.
const SHORTEST_REDACTED: usize = 4;

/// Makes and compares fingerprints for one state. Clones share what costs.
#[derive(Clone)]
pub(crate) struct Secrets {
    key: StateKey,
    macs: Arc<SecretMacs>,
    /// Whether providers have asked for fingerprints: what they keep needs the key.
    has_made_some: Arc<AtomicBool>,
}

impl Secrets {
    /// For a state; for one that has no key yet, with the key that it gets from a plan of this seed.
    pub(crate) fn of(state: Option<&State>, seed: Seed) -> Self {
        let key = state.and_then(|state| state.key.clone()).unwrap_or_else(|| StateKey::derived(&seed.0));
        let macs = Arc::new(SecretMacs::new(&key));
        Self { key, macs, has_made_some: Arc::default() }
    }

    /// Fingerprints for what a provider keeps by itself.
    pub(crate) fn fingerprints(&self) -> Fingerprints {
        let (macs, has_made_some) = (Arc::clone(&self.macs), Arc::clone(&self.has_made_some));
        Fingerprints::new(move |context, secret| {
            has_made_some.store(true, Ordering::Relaxed);
            macs.of(context, secret).to_string()
        })
    }

    /// Whether a provider has a fingerprint.
    pub(crate) fn has_made_some(&self) -> bool {
        self.has_made_some.load(Ordering::Relaxed)
    }

    /// The key.
    pub(crate) fn key(&self) -> StateKey {
        self.key.clone()
    }

    /// What gives a state its key; nothing when it has one.
    pub(crate) fn key_for(&self, state: &State) -> Option<Change> {
        state.key.is_none().then(|| Change::SetKey { key: self.key.clone() })
    }

    /// The fingerprints of all secrets in the attributes of an object.
    pub(crate) fn of_object(&self, address: &Address, attributes: &Value) -> Vec<StoredSecret> {
        let each = |path: Path| {
            let text = text_of(attributes.at(&path).filter(|value| !value.is_null())?)?;
            let mac = self.macs.of(&place(address, &path), text.as_bytes());
            Some(StoredSecret { path: (&path).into(), mac })
        };
        attributes.paths_marked(Marks::SECRET).into_iter().filter_map(each).collect()
    }

    /// The same for an object that was looked at: what its provider does not give back counts as what it was, and what is there and no secret any
    /// more has no fingerprint.
    pub(crate) fn of_observed(
        &self,
        address: &Address,
        stored: &[StoredSecret],
        attributes: &Value,
    ) -> Vec<StoredSecret> {
        let mut found = self.of_object(address, attributes);
        let is_secret = |secret: &&StoredSecret| !is_free(attributes, &Path::from(&secret.path));
        let mut now = |secret: &StoredSecret| match found.iter().position(|other| other.path == secret.path) {
            Some(index) => found.swap_remove(index),
            None => secret.clone(),
        };
        // In the order of before: nothing that is the same looks changed.
        let mut secrets: Vec<StoredSecret> = stored.iter().filter(is_secret).map(&mut now).collect();
        secrets.extend(found);
        secrets
    }

    /// Where there are secrets no more, and what is there is not what it was when it was one.
    pub(crate) fn freed_and_changed(
        &self,
        address: &Address,
        stored: &[StoredSecret],
        attributes: &Value,
    ) -> Vec<Path> {
        let is_another = |secret: &StoredSecret| {
            let path = Path::from(&secret.path);
            let text = attributes.at(&path).filter(|_| is_free(attributes, &path)).and_then(text_of)?;
            let is_same = self.macs.matches(&place(address, &path), text.as_bytes(), &secret.mac);
            (!is_same).then_some(path)
        };
        stored.iter().filter_map(is_another).collect()
    }

    /// An object with its secrets, as far as its arguments of today have the same.
    pub(crate) fn recall(
        &self,
        address: &Address,
        stored: &[StoredSecret],
        config: &Value,
        mut instance: Instance,
    ) -> Instance {
        if stored.is_empty() {
            return instance;
        }
        // What an attribute holds may be copied as a whole. What is sensitive now may have been a secret.
        let whole = config.as_object().into_iter().flatten();
        let whole =
            whole.filter(|(_, value)| value.marks_deep().contains(Marks::SENSITIVE)).map(|(name, _)| Path::of(name));
        let inside: Vec<Path> = config.paths_marked(Marks::SENSITIVE).into_iter().chain(whole).collect();
        for secret in stored {
            let path = Path::from(&secret.path);
            // The argument itself, or one that the provider has copied.
            let candidates = std::iter::once(&path).chain(&inside).filter_map(|path| config.at(path));
            let is_it = |value: &&Value| {
                text_of(value)
                    .is_some_and(|text| self.macs.matches(&place(address, &path), text.as_bytes(), &secret.mac))
            };
            if let Some(value) = candidates.into_iter().find(is_it) {
                instance.attributes = with_value_at(&instance.attributes, &path.0, value);
            }
        }
        instance
    }

    /// An error when an argument is not the secret that a plan was made with.
    pub(crate) fn check(
        &self,
        schema: &Schema,
        address: &Address,
        planned: &[StoredSecret],
        config: &Value,
    ) -> Result<(), Diagnostic> {
        // What the provider has copied is no argument.
        let is_argument = |path: &Path| match path.0.first() {
            Some(Step::Name(name)) => schema.attributes.get(name).is_none_or(|attribute| !attribute.computed),
            _ => true,
        };
        for secret in planned {
            let path = Path::from(&secret.path);
            let now = config.at(&path).filter(|value| is_argument(&path) || !value.is_null());
            let Some(text) = now.and_then(text_of) else { continue };
            if !self.macs.matches(&place(address, &path), text.as_bytes(), &secret.mac) {
                let detail = format!(
                    "The argument `{path}` of {address} is another secret than when the plan was made. Nothing was done with this object."
                );
                let problem = Diagnostic::error("Secret changed since the plan", detail).on(path).about(address);
                return Err(problem);
            }
        }
        Ok(())
    }
}

/// Whether something is at a path that is known, and no secret.
fn is_free(attributes: &Value, path: &Path) -> bool {
    let is_there = |value: &Value| !value.is_null() && value.is_wholly_known();
    let mut way = (0..=path.0.len()).filter_map(|depth| attributes.at(&Path(path.0[..depth].to_vec())));
    attributes.at(path).is_some_and(is_there) && !way.any(|value| value.marks().contains(Marks::SECRET))
}

/// Where a secret is used. Not the address: an object that is moved keeps its secrets.
fn place(address: &Address, path: &Path) -> String {
    format!("{} {path}", address.type_name)
}

/// A secret as text; nothing while it is unknown.
fn text_of(value: &Value) -> Option<String> {
    match value.kind() {
        Kind::String(text) => Some(text.to_string()),
        _ => Some(json::to_json(value)?.to_string()),
    }
}

/// Attributes as they are stored: null where there is a secret.
pub(crate) fn withheld(attributes: &Value) -> Value {
    without(attributes, |marks| marks.contains(Marks::SECRET), Value::null_of)
}

/// A value with `stand_in` of its type in place of everything that has such marks. Types name attributes, and those may be what is not to be
/// told: so a type that names any stands nowhere for what was taken out.
pub(crate) fn without(value: &Value, is_meant: impl Fn(Marks) -> bool, stand_in: impl Fn(Type) -> Value) -> Value {
    match is_meant(value.marks_deep()) {
        true => without_inside(value, &is_meant, &stand_in),
        false => value.clone(),
    }
}

fn without_inside(value: &Value, is_meant: &impl Fn(Marks) -> bool, stand_in: &impl Fn(Type) -> Value) -> Value {
    let told = |ty: Type| if names_attributes(&ty) { Type::Any } else { ty };
    if is_meant(value.marks()) {
        let ty = told(value.ty());
        return if value.is_null() { Value::null_of(ty) } else { stand_in(ty) }.marked(value.marks());
    }
    let each = |value: &Value| without_inside(value, is_meant, stand_in);
    let named = |(name, value): (&String, &Value)| (name.clone(), each(value));
    // Of elements of which one is taken out, all are of its type.
    let element = |ty: &Type| if is_meant(value.marks_deep()) { told(ty.clone()) } else { ty.clone() };
    match value.kind() {
        Kind::List(ty, elements) => Value::list(element(ty), elements.iter().map(each)),
        Kind::Set(ty, elements) => Value::set(element(ty), elements.iter().map(each)),
        Kind::Map(ty, elements) => Value::map(element(ty), elements.iter().map(named)),
        Kind::Tuple(elements) => Value::tuple(elements.iter().map(each)),
        Kind::Object(attributes) => Value::object(attributes.iter().map(named)),
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return value.clone(),
    }
    .marked(value.marks())
}

/// Whether there is a name of an attribute in a type.
fn names_attributes(ty: &Type) -> bool {
    match ty {
        Type::Any | Type::Bool | Type::Number | Type::String => false,
        Type::List(element) | Type::Set(element) | Type::Map(element) => names_attributes(element),
        Type::Tuple(elements) => elements.iter().any(names_attributes),
        Type::Object(fields) => !fields.is_empty(),
    }
}

/// Stored attributes with everything marked that stands for a secret.
pub(crate) fn marked(attributes: Value, secrets: &[StoredSecret]) -> Value {
    let places = secrets.iter().flat_map(|secret| MARKS.map(|mark| (Path::from(&secret.path), mark)));
    places.fold(attributes, |attributes, (path, mark)| attributes.mark_at(&path.0, mark))
}

/// Stored attributes with what can be read again, and is not stored, as unknown: nobody has read it yet.
pub(crate) fn not_read_yet(schema: &Schema, attributes: Value, secrets: &[StoredSecret]) -> Value {
    let missing = places_to_read(schema, secrets);
    let missing = missing.filter(|path| attributes.at(path).is_some_and(Value::is_null)).collect::<Vec<_>>();
    missing.into_iter().fold(attributes, |attributes, path| {
        let Some(stored) = attributes.at(&path) else { return attributes };
        let unknown = Value::unknown(stored.ty()).marked(stored.marks());
        with_value_at(&attributes, &path.0, &unknown)
    })
}

/// Where there are secrets that can be read again.
pub(crate) fn places_to_read(schema: &Schema, secrets: &[StoredSecret]) -> impl Iterator<Item = Path> {
    let paths = secrets.iter().map(|secret| Path::from(&secret.path));
    paths.filter(|path| schema.attribute_at(&path.0).is_some_and(Attribute::is_read_again))
}

/// An object for its provider, which never sees what is unknown of one that exists: null stands there, as in the state.
pub(crate) fn for_provider(instance: &Instance) -> Instance {
    let null = |value: Value| match value.kind() {
        Kind::Unknown(unknown) => Value::null_of(unknown.ty.clone()).marked(value.marks()),
        _ => value,
    };
    match instance.attributes.is_wholly_known() {
        true => instance.clone(),
        false => Instance { attributes: instance.attributes.map_deep(&null), ..instance.clone() },
    }
}

/// Attributes with what is unknown in them, and known by now, taken from those that have been read.
pub(crate) fn with_what_was_read(attributes: Value, stored: &[StoredSecret], read: &Value) -> Value {
    stored.iter().map(|secret| Path::from(&secret.path)).fold(attributes, |attributes, path| {
        let is_missing = attributes.at(&path).is_some_and(|value| !value.is_known());
        match read.at(&path).filter(|value| is_missing && value.is_wholly_known()) {
            Some(value) => with_value_at(&attributes, &path.0, value),
            None => attributes,
        }
    })
}

/// Findings of a provider about something, without the sensitive texts of what it was given for that: providers see values, and may quote them.
pub(crate) fn told(problems: Diagnostics, given: &Value, whom: &impl ToString) -> Diagnostics {
    about(redacted(problems, given), whom)
}

/// Findings of a provider without the sensitive texts of the object that they are about.
pub(crate) fn redacted(problems: Diagnostics, attributes: &Value) -> Diagnostics {
    if problems.is_empty() { problems } else { Texts::private_in(attributes).redact(problems) }
}

/// Texts that must not be told, the longest first: one may hold another.
#[derive(Default)]
pub(crate) struct Texts(Vec<String>);

impl Texts {
    /// The sensitive and ephemeral ones in the attributes of something.
    pub(crate) fn private_in(attributes: &Value) -> Self {
        Self::marked(attributes, &Marks::is_private)
    }

    /// Those in attributes that have such marks. What the attributes themselves are called says the schema: that is no secret.
    fn marked(attributes: &Value, is_meant: &impl Fn(Marks) -> bool) -> Self {
        let mut texts = Vec::new();
        if is_meant(attributes.marks_deep()) {
            for (_, child) in attributes.children() {
                texts_within(child, is_meant, is_meant(attributes.marks()), &mut texts);
            }
        }
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(texts)
    }

    /// These, and those of the secrets in attributes.
    pub(crate) fn with_secrets_of(mut self, attributes: &Value) -> Self {
        self.0.extend(Self::marked(attributes, &|marks| marks.contains(Marks::SECRET)).0);
        self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self.0.dedup();
        self
    }

    /// A value with everything inside marked as a secret that has one of these texts in it.
    pub(crate) fn spread(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        let each = |value: Value| {
            let is_one = match value.kind() {
                Kind::String(told) => self.are_in(told),
                Kind::Number(number) => self.0.contains(&number.magnitude().to_string()),
                Kind::Map(_, elements) | Kind::Object(elements) => elements.keys().any(|name| self.are_in(name)),
                // An element of a set has no place of its own.
                Kind::Set(_, elements) => elements.iter().any(|element| element.marks_deep().contains(Marks::SECRET)),
                Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::List(..) | Kind::Tuple(_) => false,
            };
            if is_one { MARKS.into_iter().fold(value, Value::marked) } else { value }
        };
        match value.kind() {
            Kind::Object(attributes) => {
                let attributes = attributes.iter().map(|(name, value)| (name.clone(), value.map_deep(&each)));
                Value::object(attributes).marked(value.marks())
            }
            _ => value.map_deep(&each),
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Findings without these texts.
    pub(crate) fn redact(&self, mut problems: Diagnostics) -> Diagnostics {
        for problem in problems.iter_mut() {
            for told in [&mut problem.summary, &mut problem.detail].into_iter().chain(&mut problem.hints) {
                for text in &self.0 {
                    if let Some(without) = without_text(told, text) {
                        *told = without;
                    }
                }
            }
        }
        problems
    }

    /// Whether one of them is in a text.
    fn are_in(&self, told: &str) -> bool {
        self.0.iter().any(|text| without_text(told, text).is_some())
    }
}

/// What was read with secrets, with everything marked as one that has the text of one in it: a URL, an answer that echoes it, a number, what is
/// kept under its name.
pub(crate) fn spread(config: &Value, read: Value) -> Value {
    Texts::default().with_secrets_of(config).spread(read)
}

/// What was told without a text, if that is in it. Names of hosts come back in small letters.
fn without_text(told: &str, text: &str) -> Option<String> {
    let (all, part) = (told.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut places = all.match_indices(&part).map(|(place, _)| place).peekable();
    places.peek()?;
    let (mut without, mut end) = (String::new(), 0);
    for place in places {
        without.push_str(&told[end..place]);
        without.push_str("(sensitive value)");
        end = place + text.len();
    }
    Some(without + &told[end..])
}

/// The texts in a value that have such marks, or stand in something that has.
fn texts_within(value: &Value, is_meant: &impl Fn(Marks) -> bool, inside: bool, found: &mut Vec<String>) {
    let inside = inside || is_meant(value.marks());
    if inside {
        let texts: Vec<String> = match value.kind() {
            Kind::String(text) => vec![text.to_string()],
            Kind::Number(number) => vec![number.magnitude().to_string()],
            Kind::Map(_, elements) | Kind::Object(elements) => elements.keys().cloned().collect(),
            _ => Vec::new(),
        };
        // What is shorter stands in every sentence.
        found.extend(texts.into_iter().filter(|text| text.len() >= SHORTEST_REDACTED));
    }
    for (_, child) in value.children() {
        texts_within(child, is_meant, inside, found);
    }
}

/// This value with another at a path. A path that leads nowhere changes nothing.
fn with_value_at(value: &Value, path: &[Step], new: &Value) -> Value {
    let Some((first, rest)) = path.split_first() else { return new.clone() };
    let named = |members: &std::collections::BTreeMap<String, Value>, name: &str| {
        let each = |(key, value): (&String, &Value)| {
            let value = if key == name { with_value_at(value, rest, new) } else { value.clone() };
            (key.clone(), value)
        };
        members.iter().map(each).collect::<Vec<_>>()
    };
    let indexed = |elements: &[Value], index: usize| {
        let each = |(position, value): (usize, &Value)| {
            if position == index { with_value_at(value, rest, new) } else { value.clone() }
        };
        elements.iter().enumerate().map(each).collect::<Vec<_>>()
    };
    let changed = match (value.kind(), first) {
        (Kind::Object(attributes), Step::Name(name)) => Value::object(named(attributes, name)),
        (Kind::Map(ty, elements), Step::Name(name)) => {
            let elements = named(elements, name);
            Value::map(type_of_elements(ty, elements.iter().map(|(_, element)| element)), elements)
        }
        (Kind::List(ty, elements), Step::Index(index)) => {
            let elements = indexed(elements, *index);
            Value::list(type_of_elements(ty, elements.iter()), elements)
        }
        (Kind::Tuple(elements), Step::Index(index)) => Value::tuple(indexed(elements, *index)),
        _ => return value.clone(),
    };
    changed.marked(value.marks())
}

/// The type of elements which is not stored where it names attributes: see [`without`].
fn type_of_elements<'a>(stored: &Type, mut elements: impl Iterator<Item = &'a Value>) -> Type {
    let first = elements.next().filter(|_| *stored == Type::Any).map(Value::ty);
    first.filter(|first| elements.all(|element| element.ty() == *first)).unwrap_or_else(|| stored.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_core::{AddressKind, Attribute, Type};

    fn secret(text: &str) -> Value {
        MARKS.iter().fold(Value::from(text), |value, mark| value.marked(*mark))
    }

    fn object(password: &Value, copy: &Value) -> Value {
        let tags = Value::map(Type::String, [("token", password.clone()), ("plain", "x".into())]);
        Value::object([("password", password.clone()), ("tags", tags), ("copy", copy.clone())])
    }

    #[test]
    fn what_is_withheld_comes_back_with_the_same_secret_only() {
        let address = Address::new(AddressKind::Resource, "a", "b");
        let secrets = Secrets::of(None, Seed([7; 32]));
        let whole = object(&secret("hunter2"), &secret("hunter2"));
        let stored = secrets.of_object(&address, &whole);
        assert_eq!(stored.len(), 3);
        let (plain, _) = withheld(&whole).unmark_deep();
        assert!(!plain.to_string().contains("hunter2"));
        assert!(plain.to_string().contains('x'), "what is no secret stays");
        let instance = || Instance::new(marked(plain.clone(), &stored));
        let same = object(&secret("hunter2"), &Value::null());
        let schema = Schema::of([("copy", Attribute::computed(Type::String, "A copy."))]);
        assert_eq!(secrets.recall(&address, &stored, &same, instance()).attributes, whole);
        let other = object(&secret("hunter3"), &Value::null());
        let recalled = secrets.recall(&address, &stored, &other, instance());
        assert_eq!(recalled.attributes, instance().attributes);
        assert!(secrets.check(&schema, &address, &stored, &same).is_ok());
        let refused = secrets.check(&schema, &address, &stored, &other).unwrap_err();
        assert!(!format!("{refused:?}").contains("hunter"));
        // Another state, another key.
        let elsewhere = Secrets::of(None, Seed([8; 32]));
        assert_eq!(elsewhere.recall(&address, &stored, &same, instance()).attributes, instance().attributes);
    }

    #[test]
    fn what_is_read_with_a_secret_and_holds_it_is_one() {
        let config = Value::object([("url", secret("https://u:hunter2@example.org/")), ("token", secret("hunter2"))]);
        let read = Value::object([
            ("id", Value::from("https://u:hunter2@example.org/")),
            ("body", "you sent hunter2".into()),
            ("status", "fine".into()),
        ]);
        let marks = |value: Value| value.as_object().unwrap().values().map(Value::marks).collect::<Vec<_>>();
        let secret = Marks::SENSITIVE | Marks::SECRET;
        assert_eq!(marks(spread(&config, read.clone())), [secret, secret, Marks::NONE]);
        assert_eq!(spread(&Value::object([("url", Value::from("hunter2"))]), read.clone()), read);
    }

    #[test]
    fn what_a_provider_quotes_is_not_told() {
        let config = object(&secret("hunter2"), &"plain text".into());
        let problem = Diagnostic::error("Bad", "`hunter2` is no token, `plain text` is.").hint("not hunter2");
        let told = redacted(problem.into(), &config).into_iter().next().unwrap();
        assert_eq!(told.detail, "`(sensitive value)` is no token, `plain text` is.");
        assert_eq!(told.hints, ["not (sensitive value)"]);
        let more = Value::object([
            ("size", Value::from(-9391).marked(Marks::SENSITIVE)),
            ("headers", Value::map(Type::String, [("X-Key", Value::from("v"))]).marked(Marks::EPHEMERAL)),
            ("host", secret("Vault.Example")),
        ]);
        let problem =
            Diagnostic::error("Bad", "got -9391; `X-Key` is refused by vault.example, twice by vault.example.");
        let told = redacted(problem.into(), &more).into_iter().next().unwrap();
        let hidden = "(sensitive value)";
        assert_eq!(told.detail, format!("got -{hidden}; `{hidden}` is refused by {hidden}, twice by {hidden}."));
    }

    #[test]
    fn what_a_provider_does_not_give_back_is_as_it_was() {
        let address = Address::new(AddressKind::Resource, "a", "b");
        let secrets = Secrets::of(None, Seed([7; 32]));
        let whole = object(&secret("hunter2"), &Value::null());
        let stored = secrets.of_object(&address, &whole);
        let mut silent = secrets.of_observed(&address, &stored, &marked(withheld(&whole).unmark_deep().0, &stored));
        silent.sort_by_key(|secret| format!("{:?}", secret.path));
        let mut before = stored.clone();
        before.sort_by_key(|secret| format!("{:?}", secret.path));
        assert_eq!(silent, before);
        let changed = object(&secret("changed outside"), &Value::null());
        assert_ne!(secrets.of_observed(&address, &stored, &changed), stored);
    }
}
