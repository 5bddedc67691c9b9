//! What can go wrong between ranks.

use std::io;

/// A collective operation failed.
#[derive(Debug, thiserror::Error)]
pub enum CollectiveError {
    /// Rank 0 cannot listen.
    #[error("cannot listen on the loopback interface")]
    Listen(#[source] io::Error),
    /// A rank cannot reach rank 0.
    #[error("cannot connect to rank 0 at {address}")]
    Connect {
        /// host:port
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not all ranks came in time.
    #[error("{missing} of {size} ranks did not come within {seconds} seconds")]
    Missing {
        /// Ranks that did not come.
        missing: u32,
        /// Ranks in all.
        size: u32,
        /// How long rank 0 waited.
        seconds: u64,
    },
    /// A connection broke or went silent: the peer died, most likely.
    #[error("lost rank {rank}")]
    Lost {
        /// The peer.
        rank: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A peer sent what the protocol does not allow here: other program versions or lengths.
    #[error("rank {rank} sent {got} where {expected} was expected")]
    Protocol {
        /// The peer.
        rank: u32,
        /// What came.
        got: String,
        /// What should have come.
        expected: String,
    },
}
