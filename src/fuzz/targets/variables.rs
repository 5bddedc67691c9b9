//! Reads a file of variable values, as `*.tfvars` and as `*.tfvars.json`, and a value from the command line for each kind of type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_core::Type;
use pipectl_lang::{SourceFile, parse_variable_file, parse_variable_value};

fuzz_target!(|text: &str| {
    for name in ["a.tfvars", "a.tfvars.json"] {
        let _ = parse_variable_file(SourceFile { name: name.to_owned(), text: text.to_owned() });
    }
    for ty in [Type::Any, Type::Number, Type::Bool, Type::String, Type::list(Type::Any), Type::map(Type::String)] {
        let _ = parse_variable_value(text, Some(&ty), "a");
    }
});
