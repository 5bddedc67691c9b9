//! Parses and evaluates one expression: all functions, operators and templates.
//!
//! Beyond not panicking: a known value survives JSON with its type beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipectl_core::value::Marks;
use pipectl_core::{SourceId, Type, Value, json};
use pipectl_lang::{Reference, Scope, evaluate, parse_expression};

fuzz_target!(|text: &str| {
    let Ok(expression) = parse_expression(text, SourceId(0)) else { return };
    let mut scope = Scope::constant();
    for (name, value) in
        [("known", Value::from("text")), ("unknown", Value::unknown(Type::Any)), ("secret", Value::from(3).marked(Marks::SENSITIVE))]
    {
        scope.set(&Reference::Variable(name.to_owned()), value);
    }
    let Ok(value) = evaluate(&expression, &scope) else { return };
    // Neither may show what is secret, nor fail.
    let _ = (value.to_string(), format!("{value:?}"));
    if let Some(stored) = json::to_json(&value) {
        let ty = value.ty();
        let back = json::from_json_as(&stored, &ty).expect("what was written fits its type");
        assert_eq!(json::to_json(&back), Some(stored), "{ty}");
    }
});
