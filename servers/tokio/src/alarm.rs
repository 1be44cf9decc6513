//! One timer a connection, set as rarely as can be.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

/// A timer for deadlines that nearly always move away before they come.
///
/// It is left to ring too early: then it is set to the deadline that holds by now. So a busy
/// connection sets it once in a time-out, and not twice in a request.
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// Rings at `deadline` or before; not set yet.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self(Box::pin(sleep_until(deadline.into())))
    }

    /// Waits until `deadline`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let deadline = deadline.into();
        loop {
            if self.0.deadline() > deadline {
                self.0.as_mut().reset(deadline);
            }
            ready!(self.0.as_mut().poll(cx));
            if self.0.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(deadline);
        }
    }
}
