//! What a kind proposes for an object: asked for a plan, once more at an apply when all arguments are known, and there for what was deferred.
//!
//! Here is what all three have in common. What comes of the answer, and whether it is allowed, is the business of who asks.

use pipectl_core::{Address, Diagnostics, Path, Value};
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
    pub(crate) engine: &'a Engine,
    pub(crate) secrets: &'a Secrets,
    pub(crate) address: &'a Address,
    pub(crate) block: &'a ObjectBlock,
    pub(crate) kind: &'a dyn Resource,
    pub(crate) prior: Option<&'a Instance>,
    /// How the object differs from what the state says, in words.
    pub(crate) drift: &'a [String],
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

impl Question<'_> {
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
