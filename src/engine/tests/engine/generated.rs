//! Generated configurations: objects of several kinds that refer to each other without circles.

use std::fmt::Write;

use proptest::prelude::*;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Network,
    Instance,
    Data,
}

/// One block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    sort: Sort,
    /// Its name is made of this, so that it may be the same block in two configurations.
    name: usize,
    /// Decides an argument that is changed in place, or replaces a network.
    variant: u8,
    creates_first: bool,
    /// Keys of `for_each`, when there is one.
    keys: Option<Vec<u8>>,
    /// Earlier blocks that it refers to, by their position.
    references: Vec<usize>,
}

impl Block {
    fn address(&self) -> String {
        let kind = match self.sort {
            Sort::Network => "sim_network",
            Sort::Instance => "sim_instance",
            Sort::Data => "terraform_data",
        };
        format!("{kind}.o{}", self.name)
    }

    /// An expression for its id, or for all its ids.
    fn id(&self) -> String {
        match self.keys {
            None => format!("{}.id", self.address()),
            Some(_) => format!("join(\",\", [for key, one in {} : one.id])", self.address()),
        }
    }

    fn write(&self, blocks: &[Block], text: &mut String) {
        let address = self.address();
        let (kind, name) = address.split_once('.').unwrap();
        writeln!(text, "resource \"{kind}\" \"{name}\" {{").unwrap();
        let mut label = format!("\"{name}\"");
        if let Some(keys) = &self.keys {
            let keys: Vec<String> = keys.iter().map(|key| format!("\"k{key}\"")).collect();
            writeln!(text, "  for_each = toset([{}])", keys.join(", ")).unwrap();
            label = format!("\"{name}-${{each.key}}\"");
        }
        let references: Vec<&Block> = self.references.iter().map(|position| &blocks[*position]).collect();
        let ids: Vec<String> = references.iter().map(|block| block.id()).collect();
        match self.sort {
            Sort::Network => writeln!(text, "  name = {label}\n  cidr = \"10.{}.0.0/16\"", self.variant).unwrap(),
            Sort::Instance => {
                writeln!(text, "  name = {label}\n  size = {}", self.variant + 1).unwrap();
                let network = references.iter().find(|block| block.sort == Sort::Network && block.keys.is_none());
                if let Some(network) = network {
                    writeln!(text, "  network_id = {}", network.id()).unwrap();
                }
            }
            Sort::Data => {
                let trigger = if self.variant > 2 {
                    ids.first().cloned().unwrap_or_else(|| "1".to_owned())
                } else {
                    "0".to_owned()
                };
                writeln!(text, "  input = [{}, {}]\n  triggers_replace = {trigger}", self.variant, ids.join(", "))
                    .unwrap();
            }
        }
        if self.sort != Sort::Data && !ids.is_empty() {
            let tags: Vec<String> =
                ids.iter().enumerate().map(|(position, id)| format!("r{position} = {id}")).collect();
            writeln!(text, "  tags = {{ {} }}", tags.join(", ")).unwrap();
        }
        if self.creates_first {
            writeln!(text, "  lifecycle {{\n    create_before_destroy = true\n  }}").unwrap();
        }
        text.push_str("}\n");
    }
}

/// The text of a configuration.
pub(crate) fn text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        block.write(blocks, &mut text);
        writeln!(text, "output \"o{}\" {{\n  value = {}\n}}", block.name, block.id()).unwrap();
    }
    text
}

/// What is drawn for one block: sort, variant, whether it is made before the old one goes, keys, and which earlier blocks it refers to.
type Drawn = (Sort, u8, bool, Option<std::collections::BTreeSet<u8>>, Vec<prop::sample::Index>);

/// A configuration of up to `most` blocks.
pub(crate) fn blocks(most: usize) -> impl Strategy<Value = Vec<Block>> {
    let sort = prop_oneof![Just(Sort::Network), Just(Sort::Instance), Just(Sort::Data)];
    let keys = proptest::option::weighted(0.25, prop::collection::btree_set(0_u8..4, 0..4));
    let references = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    let block = (sort, 0_u8..4, proptest::bool::weighted(0.2), keys, references);
    // Names come in any order, so that what depended on something may be what it depends on the next time.
    let names = Just((0..most).collect::<Vec<usize>>()).prop_shuffle();
    (prop::collection::vec(block, 1..=most), names).prop_map(|(parts, names)| {
        let each = |(position, (sort, variant, creates_first, keys, references)): (usize, Drawn)| {
            let mut references: Vec<usize> =
                references.iter().filter(|_| position > 0).map(|index| index.index(position)).collect();
            references.sort_unstable();
            references.dedup();
            let keys = keys.map(|keys| keys.into_iter().collect());
            Block { sort, name: names[position], variant, creates_first, keys, references }
        };
        parts.into_iter().enumerate().map(each).collect()
    })
}
