//! How long somebody may keep a forwarded request waiting.

use std::time::{Duration, Instant};

/// The clock of somebody who is waited for: it starts anew with each progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// When it is late, if it is waited for.
    pub(crate) until: Instant,
    pub(crate) is_on: bool,
    /// Whether it has done something since it was last looked at.
    pub(crate) progressed: bool,
}

impl Watch {
    pub(crate) fn new(until: Instant) -> Self {
        Self { until, is_on: false, progressed: false }
    }

    /// Waits for it from now on, or no longer; it has so much time for each step.
    pub(crate) fn set(&mut self, is_on: bool, now: Instant, patience: Duration) {
        if std::mem::take(&mut self.progressed) || !self.is_on {
            self.until = now + patience;
        }
        self.is_on = is_on;
    }

    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.is_on && self.until <= now
    }
}
