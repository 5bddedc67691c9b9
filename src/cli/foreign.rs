//! Files ending in .hcl that are no configuration of ours: many programs write theirs in this language, and people keep them beside `*.tf`
//! files.
//!
//! Some are known by their names. Beside files of Terraform, others are known by what they hold, so that a folder of Terraform runs unmodified.

use pipectl_core::suggest::distance;
use pipectl_lang::{block_types, is_block_type};

/// Names of files of other programs, and of tests.
const NAMES: [&str; 3] = ["terragrunt.hcl", "terragrunt.stack.hcl", "docker-bake.hcl"];

/// How names of files of other programs end, and those of tests.
const ENDINGS: [&str; 9] = [
    ".nomad.hcl",
    ".pkr.hcl",
    ".pkrvars.hcl",
    ".tfcomponent.hcl",
    ".tfdeploy.hcl",
    ".tfmock.hcl",
    ".tfquery.hcl",
    ".tfstack.hcl",
    ".tftest.hcl",
];

/// Block types that other programs have as well.
const SHARED: [&str; 3] = ["locals", "terraform", "variable"];

/// Whether a file of this name is never ours.
pub fn is_foreign_name(name: &str) -> bool {
    NAMES.contains(&name) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a text is that of another program: something in it is neither a block of ours, nor does any of its blocks say that it is ours after
/// all. A `resource` block with a mistake beside it must not be passed over, or the resource would be destroyed.
pub fn is_foreign_text(text: &str) -> bool {
    let words = match hcl_edit::parser::parse_body(text) {
        Ok(body) => {
            let blocks = body.blocks().map(|block| block.ident.as_str().to_owned());
            blocks.chain(body.attributes().map(|_| String::new())).collect()
        }
        Err(_) => words_of_lines(text),
    };
    let is_foreign = words.iter().any(|word| !is_block_type(word));
    let is_ours = |word: &String| !SHARED.contains(&word.as_str()) && (is_block_type(word) || is_slip(word));
    is_foreign && !words.iter().any(is_ours)
}

/// Whether a word is a block type of ours with one slip of the finger in it. Two would make Packer's `source` a `resource`.
fn is_slip(word: &str) -> bool {
    block_types().any(|known| !SHARED.contains(&known) && distance(word, known) == 1)
}

/// The words that lines begin with, in a text that does not parse; nothing in the place of an argument's name.
fn words_of_lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with(|first: char| first.is_alphabetic()));
    let words = lines.map(|line| {
        let end = line.find(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        if rest.trim_start().starts_with('=') { String::new() } else { word.to_owned() }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_says_whose_it_is() {
        let foreign = [
            "path = \"x\"\n",
            "locals {}\ninclude \"root\" {\n  path = 1\n}\n",
            "variable \"tag\" {}\ngroup \"default\" {}\n",
            "listener \"tcp\" {\n  broken = = 1\n}\n",
            "inputs = {\n  broken = = 1\n}\n",
            "source \"qemu\" \"a\" {}\nbuild {}\n",
            "service {}\n",
            "storage \"raft\" {}\n",
        ];
        let ours = [
            "",
            "# nothing\n",
            "locals {}\nvariable \"x\" {}\n",
            "resource \"a\" \"b\" {}\nresorce \"a\" \"c\" {}\n",
            "resorce \"a\" \"b\" {}\n",
            "reosurce \"a\" \"b\" {\n  broken = = 1\n}\n",
            "stage \"run\" \"x\" {}\nx = 1\n",
            "locals {\n  broken = = 1\n}\n",
        ];
        for text in foreign {
            assert!(is_foreign_text(text), "{text}");
        }
        for text in ours {
            assert!(!is_foreign_text(text), "{text}");
        }
        assert!(is_foreign_name("aws.pkr.hcl") && is_foreign_name("terragrunt.hcl"));
        assert!(!is_foreign_name("main.hcl"));
    }
}
