//! `random_pet`: a name of words that people can remember.
//!
//! Words: the medium lists of Dustin Kirkland's petname, from which HashiCorp's provider draws too.

use petname::Petnames;
use pipectl_core::{Attribute, Diagnostics, Schema, Type, Value};
use pipectl_provider::{Cx, PlanRequest, PlanResponse};

use super::{at_most, plan_with_keepers, with_keepers};
use crate::draw::Draw;
use crate::kept::Kept;
use crate::planning::Defaults;
use pipectl_provider::arguments::{filled, integer, text};
use pipectl_provider::rules::whole;

pub(super) struct RandomPet;

impl Kept for RandomPet {
    fn schema() -> Schema {
        with_keepers(Schema::of([
            ("length", Attribute::optional_computed(Type::Number, "How many words. Default: 2.").forces_replacement()),
            ("prefix", Attribute::optional(Type::String, "A word to begin with.").forces_replacement()),
            (
                "separator",
                Attribute::optional_computed(Type::String, "Stands between words. Default: `-`.").forces_replacement(),
            ),
            ("id", Attribute::computed(Type::String, "The name.")),
        ]))
        .described("A random name of words.")
    }

    fn defaults() -> Defaults {
        vec![("length", 2.into()), ("separator", "-".into())]
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = whole(config, "length");
        found.extend(at_most(config, "length", 1000));
        found
    }

    fn plan(_cx: &Cx, schema: &Schema, request: PlanRequest<'_>) -> Result<PlanResponse, Diagnostics> {
        Ok(plan_with_keepers(schema, &Self::defaults(), request))
    }

    fn make(cx: &Cx, planned: &Value) -> Result<Value, Diagnostics> {
        let lists = Petnames::medium();
        let mut draw = Draw::of_call(cx)?;
        let mut word = |list: &[&str]| list[draw.position(list.len())].to_lowercase();
        let length = integer(planned, "length").unwrap_or(2);
        let mut words: Vec<String> = Vec::new();
        words.extend(text(planned, "prefix").filter(|prefix| !prefix.is_empty()).map(str::to_owned));
        words.extend((2..length).map(|_| word(&lists.adverbs)));
        // As in the original, a length below 1 gives two words.
        if length != 1 {
            words.push(word(&lists.adjectives));
        }
        words.push(word(&lists.nouns));
        let separator = text(planned, "separator").unwrap_or("-");
        Ok(filled(planned, [("id", words.join(separator).into())]))
    }
}
