//! Traversals: what an expression refers to and the fixed steps that follow, for those who list references without evaluating.
//!
//! A traversal ends where a step is computed: of `a.b[var.x].c` it is `a.b`, and `var.x` is another one.

use std::fmt;

use pipectl_core::{InstanceKey, Value};

use crate::expression::{Expression, Node, Step, walk};
use crate::reference::Reference;

/// A reference in an expression, and the fixed steps that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traversal {
    /// What it refers to.
    pub reference: Reference,
    /// The steps into its value.
    pub steps: Vec<TraversalStep>,
}

/// A step that does not have to be computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TraversalStep {
    /// `.name`
    Attribute(String),
    /// `[0]` or `["key"]`
    Index(InstanceKey),
}

impl fmt::Display for TraversalStep {
    /// Writes the step as it follows a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraversalStep::Attribute(name) => write!(f, ".{name}"),
            TraversalStep::Index(key) => write!(f, "[{key}]"),
        }
    }
}

impl Expression {
    /// All traversals that start with a reference, in the order of the text, each as often as it stands there.
    pub fn traversals(&self) -> Vec<Traversal> {
        let mut found = Vec::new();
        walk(self, &mut Vec::new(), &mut |traversal, shadowed| {
            if let Some((Ok((reference, consumed)), _)) = traversal.reference(shadowed) {
                // The output of a module is a step into the module like any other: its instance's key is one, too.
                let (reference, consumed) = match reference {
                    Reference::ModuleOutput { module, .. } => (Reference::Module(module), 1),
                    reference => (reference, consumed),
                };
                let steps = traversal.steps.iter().skip(consumed).map_while(fixed).collect();
                found.push(Traversal { reference, steps });
            }
        });
        found
    }
}

fn fixed(step: &Step) -> Option<TraversalStep> {
    match step {
        Step::Attribute { name, .. } => Some(TraversalStep::Attribute(name.clone())),
        Step::Index { key, .. } => match key.node() {
            Node::Literal(value) => key_of(value).map(TraversalStep::Index),
            _ => None,
        },
        Step::Splat { .. } => None,
    }
}

fn key_of(value: &Value) -> Option<InstanceKey> {
    let name = value.as_str().map(|name| InstanceKey::Name(name.to_owned()));
    name.or_else(|| value.as_number()?.to_u64().map(InstanceKey::Index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_steps_follow_the_reference() {
        let text = r#"[for k in var.a.b[0]["x y"][each.key].c : local.d[k] if self.e != f.g[*].h && module.m["x"].o.p && module.n.o]"#;
        let expression = crate::parse_expression(text, pipectl_core::SourceId(0)).expect("it parses");
        let shown = |traversal: &Traversal| {
            let steps: String = traversal.steps.iter().map(TraversalStep::to_string).collect();
            format!("{}{steps}", traversal.reference)
        };
        let found: Vec<String> = expression.traversals().iter().map(shown).collect();
        assert_eq!(
            found,
            [r#"var.a.b[0]["x y"]"#, "each.key", "local.d", "self.e", "f.g", r#"module.m["x"].o.p"#, "module.n.o"]
        );
    }
}
