//! How long a client may take for what.

use std::time::{Duration, Instant};

use http1::Reading;

/// How long an answered connection reads what is left of a request, or of a client.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long an idle connection may still begin a request once the process drains.
pub const GRACE: Duration = Duration::from_secs(1);

/// The time-outs of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From a head's first byte to its last.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Between two pieces of a request's content.
    pub body: Duration,
    /// Between two pieces of an answer that the client takes.
    pub write: Duration,
    /// For a place among the connections upstream.
    pub upstream_wait: Duration,
    /// For a connection upstream to be made.
    pub upstream_connect: Duration,
    /// From a request's last byte to its answer's first, and between two pieces of either.
    pub upstream: Duration,
}

/// When the wait that a session asked for is over, whatever comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    kind: Kind,
}

/// What the deadline is for: a new one begins when this changes, or on progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reading(Reading),
    Writing,
    Fixed,
}

impl Deadline {
    pub(crate) fn new(now: Instant, timeouts: &Timeouts) -> Self {
        Self { at: now + timeouts.idle, kind: Kind::Reading(Reading::Idle) }
    }

    /// For bytes of this kind: heads and idleness are timed as a whole, content by its progress.
    /// Whether a new deadline began.
    pub(crate) fn read(
        &mut self,
        reading: Reading,
        progress: bool,
        now: Instant,
        timeouts: &Timeouts,
    ) -> bool {
        let kind = Kind::Reading(reading);
        if self.kind == kind && !(progress && matches!(reading, Reading::Content)) {
            return false;
        }
        let time = match reading {
            Reading::Idle => timeouts.idle,
            Reading::Head => timeouts.header,
            Reading::Content | Reading::Nothing => timeouts.body,
        };
        *self = Self { at: now + time, kind };
        true
    }

    /// For a write, timed by its progress. One that has made none since has its deadline already.
    pub(crate) fn write(&mut self, progress: bool, now: Instant, timeouts: &Timeouts) {
        if progress || self.kind != Kind::Writing {
            *self = Self { at: now + timeouts.write, kind: Kind::Writing };
        }
    }

    /// For something that has so much time in all.
    pub(crate) fn fix(&mut self, at: Instant) {
        *self = Self { at, kind: Kind::Fixed };
    }

    /// For a client that has been idle until now and may still begin a request.
    pub(crate) fn grant_grace(&mut self, now: Instant) {
        *self = Self { at: self.at.min(now + GRACE), kind: Kind::Reading(Reading::Idle) };
    }

    /// Whether the wait is for the client to take an answer.
    pub(crate) fn is_for_writing(&self) -> bool {
        self.kind == Kind::Writing
    }
}
