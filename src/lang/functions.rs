//! The functions of the language: one table that decides names, arguments, types and errors, and that the reference is made from.
//!
//! Semantics are those of Terraform 1.11, measured against `terraform console` (see `tests/fixtures`).

mod call;
mod code_pages;
mod collection;
mod collection_search;
mod collection_shape;
mod csv;
mod date;
mod digest;
mod encoding;
mod file;
mod format;
mod glob;
mod gzip;
pub(crate) mod hcl_text;
mod json;
mod network;
mod number;
mod pattern;
pub(crate) mod quote;
mod regular_expression;
mod rsa;
mod secret;
mod sets;
mod string;
mod template_file;
mod text_encoding;
mod timestamp;
mod value;
mod yaml;
mod yaml_encode;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pipectl_core::{Type, Value};

use crate::evaluate::Evaluator;
use crate::expression::{Call, Expression};
use crate::scope::{Ambient, Files};

pub(crate) use call::call;

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// Parameters that must be given.
    pub parameters: &'static [Parameter],
    /// The parameter that any number of further arguments are for.
    pub rest: Option<Parameter>,
    /// What it returns.
    pub result: ResultType,
    /// Whether its result may be null.
    pub(crate) may_be_null: bool,
    /// Whether it gives another result in every run, so that a plan does not know it.
    pub(crate) impure: bool,
    pub(crate) body: FunctionBody,
}

/// A parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, for messages and the reference.
    pub name: &'static str,
    /// What arguments are converted to.
    pub ty: ParameterType,
    /// Whether null is allowed.
    pub(crate) nullable: bool,
    /// How much of an argument must be known for the function to be called.
    pub(crate) known: Known,
    /// Whether the function deals with marks itself. Else they are taken off arguments and put on the result.
    pub(crate) marked: bool,
    /// Whether the function takes values whose type is not known.
    pub(crate) dynamic: bool,
}

/// How much of an argument must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Everything inside.
    Wholly,
    /// The value itself; elements may be unknown.
    Itself,
    /// Nothing.
    Nothing,
}

/// The type of a parameter or result, as far as it is the same in every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// Any type.
    Any,
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `list(any)`
    List,
    /// `list(bool)`
    ListOfBool,
    /// `list(number)`
    ListOfNumber,
    /// `list(string)`
    ListOfString,
    /// `set(any)`
    Set,
    /// `set(string)`
    SetOfString,
    /// `map(any)`
    Map,
    /// `map(list(string))`
    MapOfLists,
}

/// What a function returns.
#[derive(Clone, Copy, Debug)]
pub enum ResultType {
    /// The same type in every call.
    Fixed(ParameterType),
    /// A type that depends on the arguments, in words for the reference.
    Depends(&'static str, #[doc(hidden)] ResultRule),
}

/// Computes the type of a result; arguments may be unknown. Also where arguments of wrong types are refused.
#[doc(hidden)]
pub type ResultRule = fn(&[Value]) -> Result<Type, Failure>;

#[derive(Clone, Copy, Debug)]
pub(crate) enum FunctionBody {
    /// Works on values.
    Plain(fn(&Arguments<'_>) -> Result<Value, Failure>),
    /// Works on expressions: `try`, `can`, `templatefile`.
    Lazy(fn(&mut Evaluator<'_>, &Call, &Expression) -> Value),
}

/// What a function is called with.
pub(crate) struct Arguments<'a> {
    pub(crate) values: &'a [Value],
    /// The type that the result has.
    pub(crate) result: Type,
    pub(crate) files: &'a dyn Files,
    ambient: Option<&'a dyn Ambient>,
    pub(crate) plan_time: Option<i64>,
}

impl<'a> Arguments<'a> {
    /// The clock and the dice. An impure function is called only where there are such.
    pub(crate) fn ambient(&self) -> Result<&'a dyn Ambient, Failure> {
        self.ambient.ok_or_else(|| Failure::call("the result is known after apply"))
    }
}

/// Why a call failed.
#[derive(Debug)]
#[doc(hidden)]
pub struct Failure {
    /// The argument that is to blame.
    pub(crate) argument: Option<usize>,
    /// A fragment for "Invalid value for "x" parameter: ...".
    pub(crate) message: String,
    /// What to say instead when an argument is sensitive: `message` may tell what it holds.
    pub(crate) hidden: &'static str,
}

impl Failure {
    /// A failure that blames no argument.
    pub(crate) fn call(message: &'static str) -> Self {
        Self { argument: None, message: message.to_owned(), hidden: message }
    }

    /// A failure that blames an argument.
    pub(crate) fn argument(argument: usize, message: &'static str) -> Self {
        Self { argument: Some(argument), message: message.to_owned(), hidden: message }
    }

    /// A failure whose message may tell what an argument holds, and the words for when that must not be told.
    pub(crate) fn telling(
        argument: impl Into<Option<usize>>,
        message: impl Into<String>,
        hidden: &'static str,
    ) -> Self {
        Self { argument: argument.into(), message: message.into(), hidden }
    }
}

impl Parameter {
    const fn new(name: &'static str, ty: ParameterType) -> Self {
        Self { name, ty, nullable: false, known: Known::Wholly, marked: false, dynamic: false }
    }

    /// Null is allowed.
    const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Elements may be unknown.
    const fn partly_known(mut self) -> Self {
        self.known = Known::Itself;
        self
    }

    /// The value may be unknown.
    const fn unknown(mut self) -> Self {
        self.known = Known::Nothing;
        self
    }

    /// The function deals with marks.
    const fn marked(mut self) -> Self {
        self.marked = true;
        self
    }

    /// The type may be unknown.
    const fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }
}

impl ParameterType {
    /// The type itself.
    pub fn ty(self) -> Type {
        match self {
            ParameterType::Any => Type::Any,
            ParameterType::Bool => Type::Bool,
            ParameterType::Number => Type::Number,
            ParameterType::String => Type::String,
            ParameterType::List => Type::list(Type::Any),
            ParameterType::ListOfBool => Type::list(Type::Bool),
            ParameterType::ListOfNumber => Type::list(Type::Number),
            ParameterType::ListOfString => Type::list(Type::String),
            ParameterType::Set => Type::set(Type::Any),
            ParameterType::SetOfString => Type::set(Type::String),
            ParameterType::Map => Type::map(Type::Any),
            ParameterType::MapOfLists => Type::map(Type::list(Type::String)),
        }
    }
}

/// A function that deals with values.
const fn plain(
    name: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    result: ParameterType,
    body: fn(&Arguments<'_>) -> Result<Value, Failure>,
) -> Function {
    Function {
        name,
        summary,
        parameters,
        rest: None,
        result: ResultType::Fixed(result),
        may_be_null: false,
        impure: false,
        body: FunctionBody::Plain(body),
    }
}

impl Function {
    const fn rest(mut self, rest: Parameter) -> Self {
        self.rest = Some(rest);
        self
    }

    const fn returns(mut self, words: &'static str, rule: ResultRule) -> Self {
        self.result = ResultType::Depends(words, rule);
        self
    }

    const fn may_be_null(mut self) -> Self {
        self.may_be_null = true;
        self
    }

    const fn impure(mut self) -> Self {
        self.impure = true;
        self
    }
}

/// All functions, by name.
static TABLE: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let modules: &[&'static [Function]] = &[
        collection::FUNCTIONS,
        collection_search::FUNCTIONS,
        collection_shape::FUNCTIONS,
        csv::FUNCTIONS,
        date::FUNCTIONS,
        digest::FUNCTIONS,
        encoding::FUNCTIONS,
        file::FUNCTIONS,
        format::FUNCTIONS,
        hcl_text::FUNCTIONS,
        json::FUNCTIONS,
        network::FUNCTIONS,
        number::FUNCTIONS,
        pattern::FUNCTIONS,
        rsa::FUNCTIONS,
        secret::FUNCTIONS,
        sets::FUNCTIONS,
        string::FUNCTIONS,
        template_file::FUNCTIONS,
        text_encoding::FUNCTIONS,
        value::FUNCTIONS,
        yaml::FUNCTIONS,
    ];
    let all = modules.iter().copied().flatten();
    all.map(|function| (function.name, function)).collect()
});

/// All functions of the language, sorted by name: what the reference is made from.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    TABLE.values().copied()
}
