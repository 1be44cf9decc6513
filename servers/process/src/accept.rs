//! What to make of a failed `accept`: go on, wait, or give up.

use std::{io, sync::Arc, time::Duration};

use rustix::io::Errno;

use crate::{log::OncePerSecond, metrics::Metrics, refusal::Refusal};

/// What a failed `accept` means (accept(2), ERRORS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// This one connection failed, or the call was interrupted: accept the next.
    Transient,
    /// Something has run out: wait for a while, and keep serving what is open.
    Exhausted(Refusal),
    /// The listener itself is broken.
    Fatal,
}

impl From<&io::Error> for AcceptError {
    fn from(error: &io::Error) -> Self {
        if let Some(refusal) = Refusal::of(error) {
            return Self::Exhausted(refusal);
        }
        match Errno::from_io_error(error) {
            // Linux hands an error that waits on the new socket to `accept`; a firewall says EPERM.
            Some(
                Errno::AGAIN
                | Errno::INTR
                | Errno::CONNABORTED
                | Errno::PERM
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NONET
                | Errno::OPNOTSUPP
                | Errno::TIMEDOUT,
            ) => Self::Transient,
            _ => Self::Fatal,
        }
    }
}

/// Waits that double: 1 ms, 2 ms, … 1 s, and from the start again after a success.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(1);
    const LAST: Duration = Duration::from_secs(1);

    /// One that begins at 1 ms.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// How long to wait this time.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LAST);
        wait
    }

    /// It worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// An acceptor's bad times: backs off, counts by reason, and logs once a second at most.
#[derive(Debug)]
pub struct Pressure {
    backoff: Backoff,
    warnings: OncePerSecond,
    metrics: Arc<Metrics>,
}

impl Pressure {
    /// One per acceptor.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { backoff: Backoff::new(), warnings: OncePerSecond::new(), metrics }
    }

    /// A connection was accepted and is being served.
    pub fn relieve(&mut self) {
        self.backoff.reset();
    }

    /// An `accept` failed: how long to wait before the next; zero to go on at once. `WouldBlock` is
    /// no failure and does not belong here. The error comes back if the listener is broken.
    pub fn accept_failed(&mut self, error: io::Error) -> io::Result<Duration> {
        match AcceptError::from(&error) {
            AcceptError::Transient => Ok(Duration::ZERO),
            AcceptError::Exhausted(refusal) => Ok(self.exhausted(refusal)),
            AcceptError::Fatal => Err(error),
        }
    }

    /// Something has run out: how long to wait before the next attempt.
    pub fn exhausted(&mut self, refusal: Refusal) -> Duration {
        self.metrics.refused(refusal);
        let wait = self.backoff.wait();
        if let Some(suppressed) = self.warnings.pass() {
            tracing::warn!(reason = refusal.as_str(), ?wait, suppressed, "backing off");
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let of = |errno: Errno| AcceptError::from(&io::Error::from(errno));
        assert_eq!(of(Errno::CONNABORTED), AcceptError::Transient);
        assert_eq!(of(Errno::INTR), AcceptError::Transient);
        assert_eq!(of(Errno::MFILE), AcceptError::Exhausted(Refusal::ProcessDescriptors));
        assert_eq!(of(Errno::NFILE), AcceptError::Exhausted(Refusal::SystemDescriptors));
        assert_eq!(of(Errno::NOBUFS), AcceptError::Exhausted(Refusal::Buffers));
        assert_eq!(of(Errno::NOMEM), AcceptError::Exhausted(Refusal::Memory));
        assert_eq!(of(Errno::NOSPC), AcceptError::Exhausted(Refusal::Watches));
        assert_eq!(of(Errno::BADF), AcceptError::Fatal);
        assert_eq!(of(Errno::INVAL), AcceptError::Fatal);
        assert_eq!(AcceptError::from(&io::Error::other("no number")), AcceptError::Fatal);
    }

    #[test]
    fn waits_double_up_to_a_second_and_start_again() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..12).map(|_| backoff.wait().as_millis()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.wait().as_millis(), 1);
    }
}
