//! The provider against the simulated OCI, which refuses what the real one refuses.
#![allow(clippy::unwrap_used)]

mod cloud {
    mod bed;
    mod changes;
    mod clusters;
    mod lives;
    mod lost;
    mod objects;
    mod refused;
    mod waiting;
}
