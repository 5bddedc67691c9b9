//! What each property of a configuration in JSON is: JSON itself does not tell arguments from blocks.
//!
//! Known are the blocks of the language, of tests and of mock data, and their meta-arguments, as Terraform's JSON syntax has them. What a resource or provider
//! takes is for its schema to say, when the body is decoded.

/// How the value of a property is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// An expression whose strings are templates.
    Expression,
    /// A value whose strings are just text: what must be written out.
    Constant,
    /// A string that holds an expression: a reference, a name, or a type.
    Reference,
    /// A list of such strings; or one, for a keyword.
    References,
    /// An object of such strings.
    ReferenceMap,
    /// Blocks with so many labels: an object for each label, then an object, or an array of objects, for what is inside.
    Blocks(usize, &'static BodyShape),
}

/// What the body of a block holds.
#[derive(Debug)]
pub(crate) struct BodyShape {
    known: &'static [(&'static str, Shape)],
    /// What all other properties are. Expressions may yet turn out to be blocks.
    others: Shape,
}

impl BodyShape {
    pub(crate) fn of(&self, property: &str) -> Shape {
        self.known.iter().find(|(name, _)| *name == property).map_or(self.others, |(_, shape)| *shape)
    }

    /// Whether a property is named here.
    pub(crate) fn knows(&self, property: &str) -> bool {
        self.known.iter().any(|(name, _)| *name == property)
    }

    /// Whether it is that of a whole file in which everything is a block.
    pub(crate) fn is_file_of_blocks(&self) -> bool {
        [&FILE, &TESTS, &MOCK_DATA].into_iter().any(|file| std::ptr::eq(self, file))
    }
}

use Shape::{Blocks, Constant, Expression, Reference, ReferenceMap, References};

/// A whole file.
pub(crate) static FILE: BodyShape = BodyShape {
    known: &[
        ("check", Blocks(1, &CHECK)),
        ("data", Blocks(2, &OBJECT)),
        ("ephemeral", Blocks(2, &OBJECT)),
        ("import", Blocks(0, &IMPORT)),
        ("locals", Blocks(0, &LOCALS)),
        ("module", Blocks(1, &MODULE)),
        ("moved", Blocks(0, &MOVED)),
        ("output", Blocks(1, &OUTPUT)),
        ("provider", Blocks(1, &PROVIDER)),
        ("removed", Blocks(0, &REMOVED)),
        ("resource", Blocks(2, &OBJECT)),
        ("terraform", Blocks(0, &TERRAFORM)),
        ("variable", Blocks(1, &VARIABLE)),
    ],
    others: Expression,
};

/// A file of variable values.
pub(crate) static VALUES: BodyShape = BodyShape { known: &[], others: Constant };

/// What the schema of a resource or provider decides, and the blocks inside of it.
pub(crate) static CONTENT: BodyShape = BodyShape { known: &[("dynamic", Blocks(1, &DYNAMIC))], others: Expression };

static DYNAMIC: BodyShape =
    BodyShape { known: &[("content", Blocks(0, &CONTENT)), ("iterator", Reference)], others: Expression };

static LOCALS: BodyShape = BodyShape { known: &[], others: Expression };

static VARIABLE: BodyShape =
    BodyShape { known: &[("type", Reference), ("validation", Blocks(0, &RULE))], others: Constant };

static RULE: BodyShape = BodyShape { known: &[], others: Expression };

static OUTPUT: BodyShape = BodyShape {
    known: &[
        ("depends_on", References),
        ("deprecated", Constant),
        ("description", Constant),
        ("ephemeral", Constant),
        ("precondition", Blocks(0, &RULE)),
        ("sensitive", Constant),
    ],
    others: Expression,
};

static CHECK: BodyShape =
    BodyShape { known: &[("assert", Blocks(0, &RULE)), ("data", Blocks(2, &OBJECT))], others: Expression };

static OBJECT: BodyShape = BodyShape {
    known: &[
        ("connection", Blocks(0, &CONTENT)),
        ("depends_on", References),
        ("dynamic", Blocks(1, &DYNAMIC)),
        ("lifecycle", Blocks(0, &LIFECYCLE)),
        ("provider", Reference),
        ("provisioner", Blocks(1, &CONTENT)),
        ("retry", Blocks(0, &RULE)),
    ],
    others: Expression,
};

static LIFECYCLE: BodyShape = BodyShape {
    known: &[
        ("create_before_destroy", Constant),
        ("ignore_changes", References),
        ("postcondition", Blocks(0, &RULE)),
        ("precondition", Blocks(0, &RULE)),
        ("replace_triggered_by", References),
    ],
    others: Expression,
};

static MODULE: BodyShape = BodyShape {
    known: &[("depends_on", References), ("providers", ReferenceMap), ("source", Constant), ("version", Constant)],
    others: Expression,
};

static MOVED: BodyShape = BodyShape { known: &[], others: Reference };

static IMPORT: BodyShape = BodyShape { known: &[("provider", Reference), ("to", Reference)], others: Expression };

static REMOVED: BodyShape = BodyShape {
    known: &[
        ("connection", Blocks(0, &CONTENT)),
        ("from", Reference),
        ("lifecycle", Blocks(0, &CONSTANTS)),
        ("provisioner", Blocks(1, &CONTENT)),
    ],
    others: Expression,
};

static PROVIDER: BodyShape = BodyShape {
    known: &[("alias", Constant), ("dynamic", Blocks(1, &DYNAMIC)), ("version", Constant)],
    others: Expression,
};

static TERRAFORM: BodyShape = BodyShape {
    known: &[
        ("backend", Blocks(1, &CONTENT)),
        ("cloud", Blocks(0, &CONTENT)),
        ("provider_meta", Blocks(1, &CONTENT)),
        ("required_providers", Blocks(0, &CONSTANTS)),
    ],
    others: Constant,
};

static CONSTANTS: BodyShape = BodyShape { known: &[], others: Constant };

/// A whole file of tests.
pub(crate) static TESTS: BodyShape = BodyShape {
    known: &[
        ("mock_provider", Blocks(1, &MOCK_PROVIDER)),
        ("override_data", Blocks(0, &OVERRIDE)),
        ("override_module", Blocks(0, &OVERRIDE)),
        ("override_resource", Blocks(0, &OVERRIDE)),
        ("provider", Blocks(1, &PROVIDER)),
        ("run", Blocks(1, &RUN)),
        ("test", Blocks(0, &CONSTANTS)),
        ("variables", Blocks(0, &LOCALS)),
    ],
    others: Expression,
};

/// A whole file of mock data.
pub(crate) static MOCK_DATA: BodyShape = BodyShape {
    known: &[
        ("mock_data", Blocks(1, &OVERRIDE)),
        ("mock_resource", Blocks(1, &OVERRIDE)),
        ("override_data", Blocks(0, &OVERRIDE)),
        ("override_resource", Blocks(0, &OVERRIDE)),
    ],
    others: Expression,
};

static RUN: BodyShape = BodyShape {
    known: &[
        ("assert", Blocks(0, &RULE)),
        ("command", Reference),
        ("expect_failures", References),
        ("module", Blocks(0, &CONSTANTS)),
        ("override_data", Blocks(0, &OVERRIDE)),
        ("override_module", Blocks(0, &OVERRIDE)),
        ("override_resource", Blocks(0, &OVERRIDE)),
        ("parallel", Constant),
        ("plan_options", Blocks(0, &PLAN_OPTIONS)),
        ("providers", ReferenceMap),
        ("state_key", Constant),
        ("variables", Blocks(0, &LOCALS)),
    ],
    others: Expression,
};

static PLAN_OPTIONS: BodyShape = BodyShape {
    known: &[("mode", Reference), ("refresh", Constant), ("replace", References), ("target", References)],
    others: Expression,
};

static MOCK_PROVIDER: BodyShape = BodyShape {
    known: &[
        ("alias", Constant),
        ("mock_data", Blocks(1, &OVERRIDE)),
        ("mock_resource", Blocks(1, &OVERRIDE)),
        ("override_data", Blocks(0, &OVERRIDE)),
        ("override_during", Reference),
        ("override_resource", Blocks(0, &OVERRIDE)),
        ("source", Constant),
    ],
    others: Expression,
};

static OVERRIDE: BodyShape =
    BodyShape { known: &[("override_during", Reference), ("target", Reference)], others: Expression };
