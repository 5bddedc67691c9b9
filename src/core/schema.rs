//! Schemas: which arguments and blocks a body takes, and which attributes its object has.

use std::collections::BTreeMap;

use crate::{ObjectField, Step, Type, Value};

/// The shape of a block's body and of the object that comes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Version of stored instances; bump it when `upgrade` has something to do.
    pub version: u32,
    /// One sentence for the reference.
    pub description: String,
    /// Arguments and computed attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Nested blocks by type name.
    pub blocks: BTreeMap<String, Block>,
}

/// An argument, a computed attribute, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What values it takes.
    pub ty: Type,
    /// Must be given.
    pub required: bool,
    /// May be given.
    pub optional: bool,
    /// May be decided by the provider.
    pub computed: bool,
    /// Its value is never shown.
    pub sensitive: bool,
    /// Its value is given to the provider and never stored: it is null in plans and states, and may be ephemeral.
    pub write_only: bool,
    /// What the provider decides here and must not be shown is kept in states that are not encrypted, too.
    pub kept_in_clear: bool,
    /// What the provider decides here and must not be shown can be read from the object again at any time.
    pub readable_again: bool,
    /// A change replaces the object.
    pub forces_replacement: bool,
    /// Where this argument is given, the provider decides nothing here: it is null.
    pub unless: Option<String>,
    /// One sentence for the reference: meaning, unit, default.
    pub description: String,
}

impl Attribute {
    /// An argument that must be given.
    pub fn required(ty: Type, description: &str) -> Self {
        Self { required: true, ..Self::base(ty, description) }
    }

    /// An argument that may be given.
    pub fn optional(ty: Type, description: &str) -> Self {
        Self { optional: true, ..Self::base(ty, description) }
    }

    /// An attribute that the provider decides.
    pub fn computed(ty: Type, description: &str) -> Self {
        Self { computed: true, ..Self::base(ty, description) }
    }

    /// Given, or else decided by the provider.
    pub fn optional_computed(ty: Type, description: &str) -> Self {
        Self { optional: true, computed: true, ..Self::base(ty, description) }
    }

    fn base(ty: Type, description: &str) -> Self {
        Self {
            ty,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            kept_in_clear: false,
            readable_again: false,
            forces_replacement: false,
            unless: None,
            description: description.to_owned(),
        }
    }

    /// Marks the value as never shown.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Makes the value one that is never stored. That it has changed cannot be seen: kinds have an argument beside it, `NAME_version`, whose
    /// change asks for the value to be written again.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Marks the value as one that Terraform's own provider keeps in every state, so that folders of Terraform run unmodified. Without it a
    /// sensitive value that the provider decides is kept in an encrypted state only.
    #[must_use]
    pub fn kept_as_terraform_does(mut self) -> Self {
        self.kept_in_clear = true;
        self
    }

    /// Marks the value as one that every `read` of the object gives, whatever the state knows of it: a kubeconfig, a key that the cloud shows
    /// whenever it is asked. A state that is not encrypted keeps only its fingerprint, and whoever needs the value has the object read.
    #[must_use]
    pub fn readable_again(mut self) -> Self {
        self.readable_again = true;
        self
    }

    /// Whether a value that the provider decides here is kept in an encrypted state only, and nothing can take its place in others.
    pub fn needs_encryption(&self) -> bool {
        self.computed && self.sensitive && !self.kept_in_clear && !self.readable_again
    }

    /// Whether a value that the provider decides here is read again where it is not kept.
    pub fn is_read_again(&self) -> bool {
        self.computed && self.sensitive && self.readable_again
    }

    /// Makes a change replace the object.
    #[must_use]
    pub fn forces_replacement(mut self) -> Self {
        self.forces_replacement = true;
        self
    }

    /// Leaves the value null where that argument is given: a private key is made only for who brings no public key.
    #[must_use]
    pub fn unless_given(mut self, argument: &str) -> Self {
        self.unless = Some(argument.to_owned());
        self
    }

    /// Whether the provider decides the value for the object with these arguments.
    pub fn is_decided_for(&self, arguments: &Value) -> bool {
        let is_given = |name: &String| arguments.set_attribute(name).is_some();
        self.computed && !self.unless.as_ref().is_some_and(is_given)
    }
}

/// A nested block type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Names of its labels: each becomes a string attribute of the block's object. `layer "gru" "first"` has `["kind", "name"]`.
    pub labels: Vec<String>,
    /// How many, and what comes of them.
    pub nesting: Nesting,
    /// Where none is given, the provider decides which there are.
    pub computed: bool,
    /// What stands inside.
    pub body: BlockBody,
    /// One sentence for the reference.
    pub description: String,
}

/// How many blocks of a type there may be, and what value they make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// At most one (`required`: exactly one): an object, or null.
    Single {
        /// Whether it must be there.
        required: bool,
    },
    /// Any number from `minimum` on, in order: a tuple of objects.
    List {
        /// The least number.
        minimum: usize,
    },
}

/// What stands inside a nested block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockBody {
    /// The same whatever the labels.
    Uniform(Schema),
    /// By the first label: `optimizer "adam"` and `optimizer "sgd"` take different arguments.
    ByLabel(BTreeMap<String, Schema>),
}

impl Block {
    /// At most one block without labels.
    pub fn single(schema: Schema, description: &str) -> Self {
        Self {
            labels: Vec::new(),
            nesting: Nesting::Single { required: false },
            computed: false,
            body: BlockBody::Uniform(schema),
            description: description.to_owned(),
        }
    }

    /// Any number of blocks without labels, in order.
    pub fn list(schema: Schema, description: &str) -> Self {
        Self { nesting: Nesting::List { minimum: 0 }, ..Self::single(schema, description) }
    }

    /// The schema of a block's body, by its first label where that decides: `label` gives the value of a label by its name.
    pub fn body_of<'a, 'b>(&'a self, label: impl Fn(&str) -> Option<&'b str>) -> Option<&'a Schema> {
        match &self.body {
            BlockBody::Uniform(schema) => Some(schema),
            BlockBody::ByLabel(schemas) => schemas.get(label(self.labels.first()?)?),
        }
    }

    /// Whether there is such an attribute in the block, however deep.
    pub fn has_attribute(&self, is_wanted: fn(&Attribute) -> bool) -> bool {
        let inside = |schema: &Schema| {
            schema.attributes.values().any(is_wanted)
                || schema.blocks.values().any(|block| block.has_attribute(is_wanted))
        };
        match &self.body {
            BlockBody::Uniform(schema) => inside(schema),
            BlockBody::ByLabel(schemas) => schemas.values().any(inside),
        }
    }

    /// The same block, which the provider fills where none is given.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// Whether there is none in the arguments of an object.
    pub fn is_absent(&self, value: &Value) -> bool {
        value.is_null() || value.as_slice().is_some_and(<[Value]>::is_empty)
    }

    /// The same block with labels.
    #[must_use]
    pub fn labelled<const N: usize>(mut self, labels: [&str; N]) -> Self {
        self.labels = labels.map(str::to_owned).to_vec();
        self
    }

    /// The same block with a body for each value of its first label.
    #[must_use]
    pub fn by_label<const N: usize>(mut self, bodies: [(&str, Schema); N]) -> Self {
        self.body = BlockBody::ByLabel(bodies.into_iter().map(|(label, schema)| (label.to_owned(), schema)).collect());
        self
    }
}

impl Schema {
    /// A schema of attributes only.
    pub fn of<const N: usize>(attributes: [(&str, Attribute); N]) -> Self {
        Self {
            attributes: attributes.into_iter().map(|(name, attribute)| (name.to_owned(), attribute)).collect(),
            ..Self::default()
        }
    }

    /// The same with a description.
    #[must_use]
    pub fn described(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    /// The same with a nested block type.
    #[must_use]
    pub fn block(mut self, name: &str, block: Block) -> Self {
        self.blocks.insert(name.to_owned(), block);
        self
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, attribute: Attribute) -> Self {
        self.attributes.insert(name.to_owned(), attribute);
        self
    }

    /// The attribute that a path leads to or into; `None`: there is no such one.
    pub fn attribute_at(&self, path: &[Step]) -> Option<&Attribute> {
        let (first, rest) = path.split_first()?;
        let Step::Name(name) = first else { return None };
        if let Some(attribute) = self.attributes.get(name) {
            return Some(attribute);
        }
        let rest = match rest.split_first() {
            Some((Step::Index(_), inside)) => inside,
            _ => rest,
        };
        match &self.blocks.get(name)?.body {
            BlockBody::Uniform(schema) => schema.attribute_at(rest),
            BlockBody::ByLabel(schemas) => schemas.values().find_map(|schema| schema.attribute_at(rest)),
        }
    }

    /// The type of the object: every attribute optional (null when absent); blocks whose objects differ by label are `any`.
    pub fn object_type(&self) -> Type {
        let attributes =
            self.attributes.iter().map(|(name, attribute)| (name.clone(), ObjectField::optional(attribute.ty.clone())));
        let blocks = self.blocks.keys().map(|name| (name.clone(), ObjectField::optional(Type::Any)));
        Type::Object(attributes.chain(blocks).collect())
    }
}
