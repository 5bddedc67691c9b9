//! The contract: which operations there are, and what models look like. Read from `contract.json`, which is made from the SDK.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value as Json};

use crate::request::decode;

/// The whole contract.
pub(crate) struct Contract {
    pub(crate) operations: Vec<Operation>,
    pub(crate) models: BTreeMap<String, Model>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// As `create_vcn`.
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) method: String,
    /// Segments of the path, each a text or a parameter.
    segments: Vec<Segment>,
    /// The parameters of the path, in order.
    pub(crate) parameters: Vec<String>,
    pub(crate) query: BTreeMap<String, Member>,
    /// Whether a call with a retry token that was seen before does nothing again. Others know no such token.
    pub(crate) takes_retry_token: bool,
    pub(crate) body: Option<Type>,
    pub(crate) body_optional: bool,
    /// The signature does not cover the body.
    pub(crate) body_unsigned: bool,
    pub(crate) response: Option<Type>,
}

#[derive(Debug)]
enum Segment {
    Text(String),
    Parameter(String),
}

/// A model of the SDK.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) members: BTreeMap<String, Member>,
    /// The member that tells which subtype it is, and the subtypes.
    pub(crate) subtypes: Option<(String, BTreeMap<String, String>)>,
}

/// A member of a model, or an argument of a query.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) of: Type,
    pub(crate) required: bool,
    /// Empty: anything.
    pub(crate) allowed: Vec<String>,
}

/// A type of the SDK.
#[derive(Debug)]
pub(crate) enum Type {
    Text,
    Integer,
    Number,
    Flag,
    Time,
    Anything,
    Stream,
    List(Box<Type>),
    Dict(Box<Type>),
    Model(String),
}

/// What a request was found to be.
pub(crate) struct Match<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) path: BTreeMap<String, String>,
}

impl Contract {
    /// The contract, read once.
    pub(crate) fn get() -> &'static Contract {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            let text = include_str!("contract.json");
            let json: Json = serde_json::from_str(text).expect("contract.json is JSON, which its script asserts");
            let operations = table(&json["operations"]).map(|(name, json)| operation(name, json)).collect();
            let models = table(&json["models"]).map(|(name, json)| (name.clone(), model(json))).collect();
            Contract { operations, models }
        })
    }

    /// The operation of a method and path, of one service or of any.
    pub(crate) fn find(&self, service: Option<&str>, method: &str, path: &str) -> Option<Match<'_>> {
        let of_service = |operation: &&Operation| service.is_none_or(|service| service == operation.service);
        let mut found = self
            .operations
            .iter()
            .filter(of_service)
            .filter(|operation| operation.method == method)
            .filter_map(|operation| Some(Match { operation, path: operation.matches(path)? }));
        found.next()
    }

    /// Of a stored object, what a model shows.
    pub(crate) fn pick(&self, model: &str, stored: &Map<String, Json>) -> Json {
        let members = &self.models[model].members;
        let shown = stored.iter().filter(|(name, value)| members.contains_key(*name) && !value.is_null());
        Json::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

impl Operation {
    /// The values of the path's parameters, where the path is one of this operation. The last parameter of an object's name takes all that
    /// is left, slashes too.
    fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let takes_rest = matches!(self.segments.last(), Some(Segment::Parameter(name)) if name == "objectName");
        let rest;
        if takes_rest && given.len() > self.segments.len() {
            rest = given.split_off(self.segments.len() - 1).join("/");
            given.push(&rest);
        }
        if given.len() != self.segments.len() {
            return None;
        }
        let mut values = BTreeMap::new();
        for (segment, given) in self.segments.iter().zip(given) {
            match segment {
                Segment::Text(text) if text == given => {}
                Segment::Text(_) => return None,
                Segment::Parameter(_) if given.is_empty() => return None,
                Segment::Parameter(name) => {
                    values.insert(name.clone(), decode(given));
                }
            }
        }
        Some(values)
    }
}

fn table(json: &Json) -> impl Iterator<Item = (&String, &Json)> {
    json.as_object().into_iter().flatten()
}

fn operation(name: &str, json: &Json) -> Operation {
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let segments: Vec<Segment> = text("path")
        .trim_start_matches('/')
        .split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Text(part.to_owned()),
        })
        .collect();
    let parameters = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.clone()),
            Segment::Text(_) => None,
        })
        .collect();
    Operation {
        name: name.rsplit('.').next().unwrap_or(name).to_owned(),
        service: text("service"),
        method: text("method"),
        segments,
        parameters,
        query: members(&json["query"]),
        takes_retry_token: !json["header"]["opc-retry-token"].is_null(),
        body: json["body"].as_str().map(parse),
        body_optional: json["body_optional"] == true,
        body_unsigned: json["body_unsigned"] == true,
        response: json["response"].as_str().map(parse),
    }
}

fn model(json: &Json) -> Model {
    let subtypes = json["discriminator"].as_str().map(|member| {
        let subtypes = table(&json["subtypes"]);
        (
            member.to_owned(),
            subtypes.map(|(tag, name)| (tag.clone(), name.as_str().unwrap_or_default().to_owned())).collect(),
        )
    });
    Model { members: members(&json["members"]), subtypes }
}

fn members(json: &Json) -> BTreeMap<String, Member> {
    let member = |json: &Json| Member {
        of: parse(json["type"].as_str().unwrap_or_default()),
        required: json["required"] == true,
        allowed: json["allowed"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect(),
    };
    table(json).map(|(name, json)| (name.clone(), member(json))).collect()
}

fn parse(text: &str) -> Type {
    let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(']'));
    match text {
        "str" => Type::Text,
        "int" => Type::Integer,
        "float" => Type::Number,
        "bool" => Type::Flag,
        "datetime" | "date" => Type::Time,
        "object" => Type::Anything,
        "stream" => Type::Stream,
        _ => match (inner("list["), inner("dict[")) {
            (Some(of), _) => Type::List(Box::new(parse(of))),
            (_, Some(of)) => Type::Dict(Box::new(parse(of))),
            _ => Type::Model(text.to_owned()),
        },
    }
}
