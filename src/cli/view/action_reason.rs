//! Why something is done, in the few words that Terraform's formats have for it. Our own reasons say more; these are for readers of those.

use pipectl_engine::{Action, ResourceChange};

/// A reason that Terraform knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionReason {
    /// Its creation failed half way.
    Tainted,
    /// `-replace` asks for it.
    Requested,
    /// `replace_triggered_by` names something that changes.
    Triggered,
    /// An argument cannot be changed in place.
    CannotUpdate,
    /// No block declares it any more.
    NoConfiguration,
    /// The block has instances of another sort now.
    WrongRepetition,
    /// `count` is smaller now.
    CountIndex,
    /// `for_each` has no such key any more.
    EachKey,
    /// Arguments of a data source are known after apply.
    ConfigurationUnknown,
    /// A data source depends on something that changes.
    DependencyPending,
}

impl ActionReason {
    /// The word of plan documents.
    pub fn in_plan(self) -> &'static str {
        match self {
            ActionReason::Tainted => "replace_because_tainted",
            ActionReason::Requested => "replace_by_request",
            ActionReason::Triggered => "replace_by_triggers",
            ActionReason::CannotUpdate => "replace_because_cannot_update",
            ActionReason::NoConfiguration => "delete_because_no_resource_config",
            ActionReason::WrongRepetition => "delete_because_wrong_repetition",
            ActionReason::CountIndex => "delete_because_count_index",
            ActionReason::EachKey => "delete_because_each_key",
            ActionReason::ConfigurationUnknown => "read_because_config_unknown",
            ActionReason::DependencyPending => "read_because_dependency_pending",
        }
    }

    /// The word of events.
    pub fn in_event(self) -> &'static str {
        match self {
            ActionReason::Tainted => "tainted",
            ActionReason::Requested => "requested",
            ActionReason::Triggered => "replace_triggered_by",
            ActionReason::CannotUpdate => "cannot_update",
            ActionReason::NoConfiguration
            | ActionReason::WrongRepetition
            | ActionReason::CountIndex
            | ActionReason::EachKey
            | ActionReason::ConfigurationUnknown
            | ActionReason::DependencyPending => self.in_plan(),
        }
    }
}

/// The reason of a change, as far as Terraform has one for it. It follows from the engine's own words, which its tests keep as they are.
pub fn action_reason(change: &ResourceChange) -> Option<ActionReason> {
    let says = |part: &str| change.reasons.iter().any(|reason| reason.text.contains(part));
    let first_of =
        |reasons: &[(&str, ActionReason)]| reasons.iter().find(|(part, _)| says(part)).map(|(_, reason)| *reason);
    match change.action {
        Action::Replace { .. } => first_of(&[
            ("its creation failed half way", ActionReason::Tainted),
            ("-replace=", ActionReason::Requested),
            ("`replace_triggered_by` names it", ActionReason::Triggered),
        ])
        .or_else(|| (!change.requires_replace.is_empty()).then_some(ActionReason::CannotUpdate)),
        Action::Delete if change.deposed.is_none() => first_of(&[
            ("it is no longer in the configuration", ActionReason::NoConfiguration),
            ("`enabled` is false", ActionReason::NoConfiguration),
            ("the block has neither `count` nor `for_each` any more", ActionReason::WrongRepetition),
            ("the block has `count` now", ActionReason::WrongRepetition),
            ("the block has `for_each` now", ActionReason::WrongRepetition),
            ("`count` is", ActionReason::CountIndex),
            ("`for_each` has no key", ActionReason::EachKey),
        ]),
        Action::Read => first_of(&[("which it depends on", ActionReason::DependencyPending)])
            .or(Some(ActionReason::ConfigurationUnknown)),
        Action::NoOp
        | Action::Create
        | Action::Update
        | Action::Delete
        | Action::Forget
        | Action::Run
        | Action::RunIfChanged => None,
    }
}
