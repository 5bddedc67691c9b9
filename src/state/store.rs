//! Where states are kept, as the engine sees it. `LocalStore` keeps them on disk; object stores follow the same traits.

use std::time::Duration;

use crate::{Change, Holder, State, StateError};

/// Keeps the state of one pipeline in one workspace. Calls block.
pub trait StateStore: Send + Sync {
    /// The state as last committed; `None` where none was ever written. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    fn read(&self) -> Result<Option<State>, StateError>;

    /// Becomes the only writer, waiting up to `timeout` for another to end.
    ///
    /// # Errors
    /// When another writer still holds the lock, or the state cannot be read or is damaged.
    fn lock(&self, holder: &Holder, timeout: Duration) -> Result<Box<dyn StateWriter>, StateError>;

    /// Ends the lock of a writer that is gone, or is to be shut out: it can commit no more. `id` is that of
    /// [`LeaseSeen`](crate::LeaseSeen), so that nobody breaks the lock of somebody who came later. Who held it is given back.
    ///
    /// # Errors
    /// When the state is not locked under that id, or its locks end by themselves with the process that holds them.
    fn break_lock(&self, id: &str) -> Result<Holder, StateError> {
        let _ = id;
        Err(StateError::NotBreakable)
    }
}

/// The only writer of a state, until it is dropped.
pub trait StateWriter: Send {
    /// The state as last committed. Its serial is 0 where none was ever written.
    fn state(&self) -> &State;

    /// Makes a new, empty state. Called once, before the first commit of a state whose lineage is empty.
    ///
    /// # Errors
    /// When it cannot be written.
    fn begin(&mut self, lineage: &str, root: &str) -> Result<(), StateError>;

    /// Commits changes as one record: when this returns, all of them are durable. After an error none of them is, or, where a store across a
    /// network did not answer, all of them may be: [`StateError::is_uncertain`]. The writer then commits no more.
    ///
    /// # Errors
    /// When they cannot be written.
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StateError>;

    /// Removes the state: afterwards there is none, and the next writer can begin a new one. Whoever calls it has looked at what it holds. This writer
    /// keeps the lock and writes nothing more.
    ///
    /// # Errors
    /// When it cannot be removed, or, once there is none any more, when something that belonged to it cannot be.
    fn remove(&mut self) -> Result<(), StateError>;
}
