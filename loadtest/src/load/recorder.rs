//! The figures of one test, kept by one lock that nobody ever waits for.
//!
//! All users run on one thread, so the lock is never contended, and taking it costs less than a
//! message to a collector would.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::stats::{Latency, Percentiles};
use crate::wire::Fault;

/// How often each kind of fault happened, by [`Fault::name`]; kinds that did not are left out.
pub(crate) type Errors = BTreeMap<String, u64>;

/// Counts what users report.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Figures>);

#[derive(Debug)]
struct Figures {
    connected: usize,
    lost: usize,
    window_open: bool,
    /// Right answers since the users started, warm-up included.
    answered_since_start: u64,
    /// Right answers in the window.
    answered: u64,
    bytes_read: u64,
    service_time: Latency,
    /// By `Fault as usize`, over the whole test.
    faults: [u64; Fault::ALL.len()],
}

impl Recorder {
    /// A user has had its first right answer. Returns how many have.
    pub(crate) fn connected(&self) -> usize {
        let mut figures = self.figures();
        figures.connected += 1;
        figures.connected
    }

    /// A user got a right answer.
    pub(crate) fn answered(&self, service_time: Duration, bytes: u64) {
        let mut figures = self.figures();
        figures.answered_since_start += 1;
        if figures.window_open {
            figures.answered += 1;
            figures.bytes_read += bytes;
            figures.service_time.record(service_time);
        }
    }

    /// Something went wrong for a user.
    pub(crate) fn failed(&self, fault: Fault) {
        self.figures().faults[fault as usize] += 1;
    }

    /// A user finds no server any more.
    pub(crate) fn lost(&self) {
        self.figures().lost += 1;
    }

    /// A user that had lost the server found it again.
    pub(crate) fn found(&self) {
        self.figures().lost -= 1;
    }

    /// From here on answers are counted.
    pub(crate) fn open_window(&self) {
        self.figures().window_open = true;
    }

    /// From here on they no longer are.
    pub(crate) fn close_window(&self) {
        self.figures().window_open = false;
    }

    /// How many users have connected.
    pub(crate) fn count_connected(&self) -> usize {
        self.figures().connected
    }

    /// How many users have lost the server.
    pub(crate) fn count_lost(&self) -> usize {
        self.figures().lost
    }

    /// How many right answers there have been since the start.
    pub(crate) fn answered_since_start(&self) -> u64 {
        self.figures().answered_since_start
    }

    /// Answers, bytes and service times of the window.
    pub(crate) fn window(&self) -> (u64, u64, Percentiles) {
        let figures = self.figures();
        (figures.answered, figures.bytes_read, figures.service_time.percentiles())
    }

    /// The errors of the whole test.
    pub(crate) fn errors(&self) -> Errors {
        let figures = self.figures();
        Fault::ALL
            .into_iter()
            .map(|fault| (fault.name().to_owned(), figures.faults[fault as usize]))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            connected: 0,
            lost: 0,
            window_open: false,
            answered_since_start: 0,
            answered: 0,
            bytes_read: 0,
            service_time: Latency::new(),
            faults: [0; Fault::ALL.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_in_the_window_are_timed() {
        let recorder = Recorder::default();
        let answer = |milliseconds| recorder.answered(Duration::from_millis(milliseconds), 10);
        answer(1);
        recorder.open_window();
        answer(2);
        answer(2);
        recorder.close_window();
        answer(500);
        let (answered, bytes, service_time) = recorder.window();
        assert_eq!((answered, bytes), (2, 20));
        assert!((1_999.0..2_010.0).contains(&service_time.max), "{service_time:?}");
        assert_eq!(recorder.answered_since_start(), 4);
    }

    #[test]
    fn errors_are_counted_by_kind_whenever_they_happen() {
        let recorder = Recorder::default();
        recorder.failed(Fault::Refused);
        recorder.open_window();
        recorder.failed(Fault::Unavailable);
        recorder.failed(Fault::Refused);
        let counted = [("refused".to_owned(), 2), ("status_503".to_owned(), 1)];
        assert_eq!(recorder.errors(), Errors::from(counted));
    }
}
