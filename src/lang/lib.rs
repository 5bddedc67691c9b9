//! The configuration language: Terraform's, with the blocks of pipectl.
//!
//! Owned here: reading files into a [`Configuration`], [`Reference`]s with their places, evaluation of [`Expression`]s in a
//! [`Scope`], the functions, decoding of bodies by schema, values of variables, and the canonical layout of text. hcl-edit parses; the tree, the
//! semantics and the words of diagnostics are our own.
//!
//! Deliberately not here: reading files from disk, plans, state, providers, and rendering of diagnostics.

mod body;
mod brackets;
mod check_references;
mod claim;
mod configuration;
mod decode;
mod dynamic_block;
mod evaluate;
mod expression;
mod format;
mod format_rewrite;
mod functions;
mod json_escape;
mod json_parse;
mod json_shape;
mod json_syntax;
mod load;
mod lost;
mod lower;
mod lower_template;
mod object_parts;
mod origin;
mod provider_configuration;
mod quoted_reference;
mod reference;
mod scan;
mod scope;
mod syntax;
mod syntax_error;
mod syntax_mistake;
mod template_directives;
mod traversal;
mod type_constraint;
mod variable_value;

use pipectl_core::{Diagnostics, SourceId};

pub use body::{Argument, Body, NestedBlock};
pub use brackets::open_brackets;
pub use claim::Takes;
pub use configuration::{
    CheckBlock, Configuration, Dependency, ExecutorBlock, IgnoreChanges, ImportBlock, ImportTarget, Lifecycle,
    LocalValue, Meta, ModelBlock, ModuleBlock, MovedBlock, ObjectBlock, OutputBlock, PipelineBlock, RemovedBlock, Rule,
    Trigger, VariableBlock,
};
pub use decode::{decode, decode_model};
pub use evaluate::{evaluate, referenced_values};
pub use expression::Expression;
pub use format::format;
pub use functions::hcl_text::expression_text;
pub use functions::quote::quote;
pub use functions::{Function, Parameter, ParameterType, ResultType, functions};
pub use load::{
    ModuleFolders, NoModules, SourceFile, block_types, is_block_type, load, load_module_as_root, load_with_modules,
    passed_providers,
};
pub use provider_configuration::{
    ProviderBlock, ProviderExpression, ProviderReference, RequiredProvider, RequiredProviders,
};
pub use quoted_reference::listed_references;
pub use reference::Reference;
pub use scan::is_identifier;
pub use scope::{Ambient, FileKind, Files, NoFiles, Scope, WithoutSecrets};
pub use traversal::{Traversal, TraversalStep};
pub use variable_value::{parse_variable_file, parse_variable_value};

/// Parses one expression that is all of `text`. Spans are in the file `source`.
///
/// # Errors
/// What is wrong with its syntax.
pub fn parse_expression(text: &str, source: SourceId) -> Result<Expression, Diagnostics> {
    match syntax::parse_expression(text, &origin::Origin::new(source, 0)) {
        (Some(expression), diagnostics) if !diagnostics.has_errors() => Ok(expression),
        (_, diagnostics) => Err(diagnostics),
    }
}

/// Files of blocks that make no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFile {
    /// `*.tftest.hcl` and `*.tftest.json`
    Tests,
    /// `*.tfmock.hcl` and `*.tfmock.json`
    MockData,
}

/// Parses such a file, in JSON where its name says so. Nothing is evaluated; `block_types` are the words that begin a block.
pub fn parse_blocks(
    kind: BlockFile,
    name: &str,
    text: &str,
    source: SourceId,
    block_types: &[&str],
) -> (Body, Diagnostics) {
    match json_syntax::is_json(name) {
        true => json_syntax::parse_blocks(kind, text, source),
        false => syntax::parse_file(text, source, block_types),
    }
}
