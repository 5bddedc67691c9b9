//! Why something is done, in the few words that Terraform's formats have for it. Our own reasons say more; these are for readers of those.

use pipectl_engine::{Action, Cause, ResourceChange};

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
    /// No block declares it at the address that it has moved to.
    NoMoveTarget,
    /// There is no such instance of its module any more.
    NoModule,
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
    /// A data source belongs to a check.
    InCheck,
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
            ActionReason::NoMoveTarget => "delete_because_no_move_target",
            ActionReason::NoModule => "delete_because_no_module",
            ActionReason::WrongRepetition => "delete_because_wrong_repetition",
            ActionReason::CountIndex => "delete_because_count_index",
            ActionReason::EachKey => "delete_because_each_key",
            ActionReason::ConfigurationUnknown => "read_because_config_unknown",
            ActionReason::DependencyPending => "read_because_dependency_pending",
            ActionReason::InCheck => "read_because_check_nested",
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
            | ActionReason::NoMoveTarget
            | ActionReason::NoModule
            | ActionReason::WrongRepetition
            | ActionReason::CountIndex
            | ActionReason::EachKey
            | ActionReason::ConfigurationUnknown
            | ActionReason::DependencyPending
            | ActionReason::InCheck => self.in_plan(),
        }
    }
}

/// The reason of a change, as far as Terraform has one for it.
pub fn action_reason(change: &ResourceChange) -> Option<ActionReason> {
    let may_have_one = match change.action {
        Action::Replace { .. } | Action::Read => true,
        Action::Delete | Action::Forget => change.deposed.is_none(),
        Action::NoOp | Action::Create | Action::Update | Action::Run | Action::RunIfChanged => false,
    };
    let cause = change.cause.as_ref().filter(|_| may_have_one)?;
    Some(match cause {
        Cause::Tainted => ActionReason::Tainted,
        Cause::Requested(_) => ActionReason::Requested,
        Cause::Triggered(_) => ActionReason::Triggered,
        Cause::CannotUpdate => ActionReason::CannotUpdate,
        Cause::NotConfigured | Cause::LeftAlone if change.previous.is_some() => ActionReason::NoMoveTarget,
        Cause::NotConfigured | Cause::LeftAlone | Cause::Disabled => ActionReason::NoConfiguration,
        Cause::NoModule { .. } => ActionReason::NoModule,
        Cause::NoInstances | Cause::CountNow | Cause::ForEachNow => ActionReason::WrongRepetition,
        Cause::Count(_) => ActionReason::CountIndex,
        Cause::NoKey(_) => ActionReason::EachKey,
        Cause::ArgumentsUnknown | Cause::ProviderUnknown(_) => ActionReason::ConfigurationUnknown,
        Cause::DependencyPending(_) => ActionReason::DependencyPending,
        Cause::InCheck(_) => ActionReason::InCheck,
        Cause::Everything | Cause::LeftOver | Cause::ProviderReplaced(_) | Cause::ProviderChanged { .. } => {
            return None;
        }
    })
}
