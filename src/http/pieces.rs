//! Bodies that go out piece by piece, so that it can be seen whether a large one still moves.
//!
//! What it deliberately leaves out: where a body comes from. It is in memory, so that it can be sent again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// How much goes out at once: even a slow line takes so much within seconds.
const PIECE: usize = 64 << 10;

/// A body that notes when a piece of it was taken.
pub(crate) struct Pieces {
    left: Bytes,
    movement: Movement,
}

impl Pieces {
    pub(crate) fn of(body: Bytes, movement: &Movement) -> Self {
        Self { left: body, movement: movement.clone() }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = this.left.split_to(PIECE.min(this.left.len()));
        this.movement.note();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// When something has moved last.
#[derive(Clone)]
pub(crate) struct Movement(Arc<Mutex<Instant>>);

impl Movement {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits for something, but no longer than nothing moves for so long.
    pub(crate) async fn watch<T>(&self, longest: Duration, what: impl Future<Output = T>) -> Option<T> {
        let mut what = std::pin::pin!(what);
        loop {
            let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + longest;
            match tokio::time::timeout_at(end.into(), &mut what).await {
                Ok(done) => return Some(done),
                Err(_) if *self.0.lock().unwrap_or_else(PoisonError::into_inner) + longest > end => {}
                Err(_) => return None,
            }
        }
    }
}
