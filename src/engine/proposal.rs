//! What a kind proposes for an object: asked for a plan, once more at an apply when all arguments are known, and there for what was deferred.
//!
//! Here is what all three have in common. What comes of the answer, and whether it is allowed, is the business of who asks.

use pipectl_core::{Address, Diagnostic, Diagnostics, Marks, Path, Schema, Step, Value};
use pipectl_lang::ObjectBlock;
use pipectl_provider::context::Recorder;
use pipectl_provider::planning::without_write_only;
use pipectl_provider::{Cx, Effect, Instance, PlanRequest, PlanResponse, Resource};

use crate::Engine;
use crate::consistency::ignored_argument;
use crate::evaluation::located;
use crate::planner::{context, provider_mistake, with_marks_of};
use crate::secrets::{Secrets, redacted};

/// What a kind is asked about.
pub(crate) struct Question<'a> {
    engine: &'a Engine,
    secrets: &'a Secrets,
    address: &'a Address,
    block: &'a ObjectBlock,
    kind: &'a dyn Resource,
    prior: Option<&'a Instance>,
    /// How the object differs from what the state says, in words.
    drift: &'a [String],
}

/// An answer that holds to the arguments.
pub(crate) struct Proposal {
    /// With `planned` as it would be stored, and marked.
    pub(crate) response: PlanResponse,
    /// The arguments that were given.
    pub(crate) given: Value,
    /// The token of the call.
    pub(crate) token: String,
}

impl<'a> Question<'a> {
    /// About an object that is not there yet.
    pub(crate) fn about(
        engine: &'a Engine,
        secrets: &'a Secrets,
        address: &'a Address,
        block: &'a ObjectBlock,
        kind: &'a dyn Resource,
    ) -> Self {
        Self { engine, secrets, address, block, kind, prior: None, drift: &[] }
    }

    /// About the object that is there, if any, and how it differs from what the state says.
    pub(crate) fn after(self, prior: Option<&'a Instance>, drift: &'a [String]) -> Self {
        Self { prior, drift, ..self }
    }

    /// Asks with some arguments; where they call for a replacement, once more with all that the configuration says: what is left alone of an
    /// object is not carried over to the one that takes its place. `token` judges the arguments, and names the call with them.
    ///
    /// # Errors
    /// Those of the provider and of `token`, and when the answer ignores an argument.
    pub(crate) async fn ask(
        &self,
        given: Value,
        whole: &Value,
        replace: bool,
        token: impl Fn(&Value) -> Result<String, Diagnostics>,
    ) -> Result<Proposal, Diagnostics> {
        let named = token(&given)?;
        let response = self.once(&given, replace, &named).await?;
        let mut proposal = Proposal { response, given, token: named };
        if proposal.response.effect == Effect::Replace && proposal.given != *whole {
            let named = token(whole)?;
            let anew = self.once(whole, true, &named).await?;
            let PlanResponse { reasons, requires_replace, .. } = proposal.response;
            let response = PlanResponse { reasons, requires_replace, ..anew };
            proposal = Proposal { response, given: whole.clone(), token: named };
        }
        if proposal.response.effect != Effect::NoOp
            && let Some(path) = lost_secret(self.kind.schema(), &proposal.given, whole)
        {
            return Err(self.refused(&path).into());
        }
        let schema = self.kind.schema();
        let stored = without_write_only(schema, proposal.given.clone());
        let planned = without_write_only(schema, proposal.response.planned);
        if let Some(broken) = ignored_argument(schema, &stored, &planned) {
            let what = format!("planned a value that is not the configured one: {broken}");
            return Err(provider_mistake(self.address, &what));
        }
        proposal.response.planned = self.engine.mark(schema, with_marks_of(&stored, planned));
        Ok(proposal)
    }

    /// The error for a call that would have to be given a secret that nobody has.
    fn refused(&self, path: &Path) -> Diagnostic {
        let Self { address, block, .. } = self;
        let detail = format!(
            "{address} is to be changed, and `{path}` of it is left alone by `ignore_changes`. It is a secret, of which only a fingerprint is kept, and the \
             configuration gives another one now: what {address} has cannot be sent along, and without it the secret would be taken away. Give the secret \
             that it was made with once more, or take `{path}` out of `ignore_changes`, so that {address} gets the new one."
        );
        let problem = Diagnostic::error("Ignored secret not known", detail).about(address);
        problem.at(block.body.span_of(path).unwrap_or_else(|| block.span.clone()))
    }

    async fn once(&self, given: &Value, replace: bool, token: &str) -> Result<PlanResponse, Diagnostics> {
        let Self { engine, address, block, .. } = self;
        let request = PlanRequest { address, config: given, prior: self.prior, drift: self.drift, replace };
        let cx = context(engine, address, token.to_owned(), engine.cancel.clone(), Recorder::none());
        let cx = Cx { fingerprints: self.secrets.fingerprints(), ..cx };
        let response = self.kind.plan(&cx, request).await;
        response.map_err(|problems| {
            let span_of = |path: &Path| block.body.span_of(path);
            located(redacted(problems, given), span_of, &block.span, &address.to_string())
        })
    }
}

/// A secret that `ignore_changes` leaves alone and that the configuration of today does not have. No plan could hold it, even where the provider
/// has told it.
fn lost_secret(schema: &Schema, given: &Value, whole: &Value) -> Option<Path> {
    if !given.marks_deep().contains(Marks::SECRET) || given == whole {
        return None;
    }
    let to_be_had: Vec<&Value> = whole
        .paths_marked(Marks::SECRET)
        .iter()
        .filter_map(|path| whole.at(path))
        .filter(|value| !value.is_null())
        .collect();
    let mut paths = given.paths_marked(Marks::SECRET).into_iter();
    // What the provider may decide itself is no argument that it would miss.
    let is_decided = |path: &Path| match path.0.first() {
        Some(Step::Name(name)) => schema.attributes.get(name).is_some_and(|attribute| attribute.computed),
        _ => false,
    };
    paths.find(|path| {
        !is_decided(path)
            && given.at(path) != whole.at(path)
            && !given.at(path).is_some_and(|value| to_be_had.contains(&value))
    })
}
