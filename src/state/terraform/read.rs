//! Reading a state file of Terraform.

use pipectl_core::json::{from_json, type_from_json};
use pipectl_core::{Address, AddressKind, InstanceKey, ProviderAddress, without_byte_order_mark};
use serde_json::{Map, Value as Json};

use super::{Ours, TerraformRest, TerraformStateError, VERSION, has_open_type, numbers};
use crate::{AttributePath, ObjectState, OutputState, PathStep, State};

/// A state file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The state. Its serial is 0: nothing of it is committed. Its lineage is that of the file. Data sources are no objects of it, but are
    /// written again.
    pub state: State,
    /// What of the file is in none of its objects. It is written again, by [`write`](super::write), and nothing else happens to it.
    pub left_out: Vec<LeftOut>,
}

/// Something that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What, as an address.
    pub what: String,
    /// Why, as a sentence without its point.
    pub why: String,
}

/// Reads a file.
///
/// # Errors
/// When it is not a state of Terraform of version 4.
pub fn read(text: &str) -> Result<Imported, TerraformStateError> {
    let marked = numbers::mark(without_byte_order_mark(text));
    let json: Json = serde_json::from_str(&marked).map_err(TerraformStateError::Json)?;
    let Json::Object(mut top) = json else { return Err(shape("the top is not an object")) };
    let version = top.remove("version").as_ref().and_then(Json::as_u64);
    match version.ok_or_else(|| shape("it has no version"))? {
        VERSION => {}
        found => return Err(TerraformStateError::Version(found)),
    }
    let mut import = Import { state: State::default(), rest: TerraformRest::default(), left_out: Vec::new() };
    import.state.lineage = text_of(top.remove("lineage"));
    import.rest.version = text_of(top.remove("terraform_version"));
    import.rest.serial = top.remove("serial").as_ref().and_then(Json::as_u64).unwrap_or(0);
    for (name, output) in object_of(top.remove("outputs"), "`outputs`")? {
        let output = output_of(output).ok_or_else(|| shape(&format!("the output `{name}` has no value")))?;
        import.state.outputs.insert(name, output);
    }
    for resource in array_of(top.remove("resources"), "`resources`")? {
        import.resource(resource)?;
    }
    if let Some(ours) = top.remove("pipectl") {
        import.ours(ours)?;
    }
    import.rest.other = top;
    let Import { mut state, rest, left_out } = import;
    state.terraform = Some(Box::new(rest));
    Ok(Imported { state, left_out })
}

struct Import {
    state: State,
    rest: TerraformRest,
    left_out: Vec<LeftOut>,
}

/// A resource of the file, without its instances.
struct Head {
    module: String,
    type_name: String,
    name: String,
    provider: String,
}

impl Import {
    fn resource(&mut self, resource: Json) -> Result<(), TerraformStateError> {
        let Json::Object(mut members) = resource else { return Err(shape("a resource is not an object")) };
        match members.get("mode").and_then(Json::as_str) {
            Some("managed") => {}
            Some("data") => {
                // A state of ours does not hold what is read of others: every plan reads it anew.
                self.rest.resources.push(Json::Object(members));
                return Ok(());
            }
            _ => return Err(shape("a resource is neither managed nor data")),
        }
        let instances = array_of(members.remove("instances"), "the instances of a resource")?;
        let head = Head {
            module: text_of(members.get("module").cloned()),
            type_name: text_of(members.get("type").cloned()),
            name: text_of(members.get("name").cloned()),
            provider: text_of(members.get("provider").cloned()),
        };
        let mut kept = Vec::new();
        for instance in instances {
            let Json::Object(instance) = instance else { return Err(shape("an instance is not an object")) };
            match head.instance(&instance) {
                Ok(found) => self.place(&head, found),
                Err(left_out) => {
                    self.left_out.push(left_out);
                    kept.push(Json::Object(instance));
                }
            }
        }
        if !kept.is_empty() {
            members.insert("instances".to_owned(), Json::Array(kept));
            self.rest.resources.push(Json::Object(members));
        }
        Ok(())
    }

    fn place(&mut self, head: &Head, instance: Instance) {
        let Instance { address, deposed, mut object, rest } = instance;
        object.provider = configuration_of(&head.type_name, &head.provider);
        self.rest.providers.insert(address.block(), head.provider.clone());
        if !rest.is_empty() {
            let key = deposed.clone().unwrap_or_default();
            self.rest.objects.entry(address.clone()).or_default().insert(key, rest);
        }
        let resource = self.state.resources.entry(address).or_default();
        match deposed {
            Some(key) => {
                resource.deposed.insert(key, object);
            }
            None => resource.current = Some(object),
        }
    }

    /// What we have written ourselves.
    fn ours(&mut self, mut json: Json) -> Result<(), TerraformStateError> {
        numbers::unmark(&mut json);
        let ours: Ours = serde_json::from_value(json).map_err(|error| shape(&format!("`pipectl`: {error}")))?;
        self.state.root = ours.root;
        self.state.resources.extend(ours.resources);
        self.state.intents = ours.intents;
        for (address, objects) in ours.objects {
            let Some(resource) = self.state.resources.get_mut(&address) else { continue };
            for (key, rest) in objects {
                let object = match key.as_str() {
                    "" => resource.current.as_mut(),
                    key => resource.deposed.get_mut(key),
                };
                if let Some(object) = object {
                    rest.apply(object);
                }
            }
        }
        Ok(())
    }
}

struct Instance {
    address: Address,
    deposed: Option<String>,
    object: ObjectState,
    rest: Map<String, Json>,
}

impl Head {
    /// An instance; it is left as it is.
    fn instance(&self, members: &Map<String, Json>) -> Result<Instance, LeftOut> {
        let key = match members.get("index_key") {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(name)) => Ok(Some(InstanceKey::Name(numbers::plain(name)))),
            Some(number) => number.as_u64().map(|index| Some(InstanceKey::Index(index))).ok_or(()),
        };
        let block = Address::new(AddressKind::Resource, &self.type_name, &self.name);
        let left_out = |why: &str| {
            let module = if self.module.is_empty() { String::new() } else { format!("{}.", self.module) };
            let key = members.get("index_key").map(|key| format!("[{key}]")).unwrap_or_default();
            LeftOut { what: format!("{module}{block}{key}"), why: why.to_owned() }
        };
        let inside = block.with_key(key.map_err(|()| left_out("its key is neither a number nor a string"))?);
        let text = match self.module.as_str() {
            "" => inside.to_string(),
            module => format!("{module}.{inside}"),
        };
        // An address that does not come back from its text would make the state unreadable.
        let address = text.parse::<Address>().ok().filter(|address| {
            let same = address.kind == inside.kind && address.name == inside.name && address.key == inside.key;
            same && address.to_string() == text
        });
        let address = address.ok_or_else(|| left_out("pipectl has no address like this"))?;
        let Some(Json::Object(attributes)) = members.get("attributes") else {
            return Err(left_out("its attributes are stored as they were before Terraform 0.12"));
        };
        let object = object_of_instance(&address, attributes, members);
        let modelled = ["index_key", "status", "deposed", "schema_version", "attributes", "create_before_destroy"];
        let mut rest = members.clone();
        rest.retain(|name, value| !modelled.contains(&name.as_str()) && *value != Json::Array(Vec::new()));
        Ok(Instance {
            address,
            deposed: members.get("deposed").and_then(Json::as_str).map(str::to_owned),
            object,
            rest,
        })
    }
}

/// The provider configuration that a file names, where that does not go without saying.
pub(super) fn configuration_of(type_name: &str, provider: &str) -> Option<ProviderAddress> {
    provider.parse().ok().filter(|provider: &ProviderAddress| !provider.is_implied_by(type_name))
}

/// The object of an instance, as far as the file tells.
pub(super) fn object_of_instance(
    address: &Address,
    attributes: &Map<String, Json>,
    members: &Map<String, Json>,
) -> ObjectState {
    let mut object = ObjectState {
        schema_version: members.get("schema_version").and_then(Json::as_u64).unwrap_or(0).try_into().unwrap_or(0),
        tainted: members.get("status").and_then(Json::as_str) == Some("tainted"),
        create_before_destroy: members.get("create_before_destroy") == Some(&Json::Bool(true)),
        ..ObjectState::default()
    };
    let mut plain = Map::new();
    for (name, stored) in attributes {
        let typed = stored.as_object().filter(|_| has_open_type(&address.type_name, name));
        let (mut value, ty) = match typed.and_then(|typed| Some((typed.get("value")?, typed.get("type")?))) {
            Some((value, ty)) => (value.clone(), Some(ty)),
            None => (stored.clone(), None),
        };
        numbers::unmark(&mut value);
        if let Some(ty) = ty.filter(|ty| type_from_json(ty).is_none_or(|ty| from_json(&value).ty() != ty)) {
            object.types.insert(name.clone(), ty.clone());
        }
        plain.insert(name.clone(), value);
    }
    object.attributes = Json::Object(plain);
    for path in members.get("sensitive_attributes").and_then(Json::as_array).into_iter().flatten() {
        object.sensitive.extend(path_of(path));
    }
    for dependency in members.get("dependencies").and_then(Json::as_array).into_iter().flatten() {
        object.dependencies.extend(dependency.as_str().and_then(|text| text.parse::<Address>().ok()));
    }
    object
}

/// A path as Terraform writes it: `[{"type":"get_attr","value":"a"},{"type":"index","value":{"value":0,"type":"number"}}]`.
fn path_of(json: &Json) -> Option<AttributePath> {
    let step = |step: &Json| {
        let value = step.get("value")?;
        match step.get("type")?.as_str()? {
            "get_attr" => Some(PathStep::Name(numbers::plain(value.as_str()?))),
            "index" => match value.get("value")? {
                Json::String(key) => Some(PathStep::Name(numbers::plain(key))),
                index => Some(PathStep::Index(usize::try_from(index.as_u64()?).ok()?)),
            },
            _ => None,
        }
    };
    Some(AttributePath(json.as_array()?.iter().map(step).collect::<Option<_>>()?))
}

fn output_of(output: Json) -> Option<OutputState> {
    let Json::Object(mut members) = output else { return None };
    let mut value = members.remove("value")?;
    numbers::unmark(&mut value);
    let ty = members.remove("type").unwrap_or_else(|| pipectl_core::json::type_to_json(&from_json(&value).ty()));
    Some(OutputState { value, ty, sensitive: members.get("sensitive") == Some(&Json::Bool(true)) })
}

fn shape(message: &str) -> TerraformStateError {
    TerraformStateError::Shape(message.to_owned())
}

fn text_of(json: Option<Json>) -> String {
    match json {
        Some(Json::String(text)) => numbers::plain(&text),
        _ => String::new(),
    }
}

fn object_of(json: Option<Json>, what: &str) -> Result<Map<String, Json>, TerraformStateError> {
    match json {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(members)) => Ok(members),
        Some(_) => Err(shape(&format!("{what} is not an object"))),
    }
}

fn array_of(json: Option<Json>, what: &str) -> Result<Vec<Json>, TerraformStateError> {
    match json {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(elements)) => Ok(elements),
        Some(_) => Err(shape(&format!("{what} are not an array"))),
    }
}
