//! Who may come in: at most `--max-connections` at once.

use std::sync::{
    Arc, Condvar, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use std::{thread, time::Instant};

use crate::{metrics::Metrics, refusal::Refusal};

/// Counts the connections that are open, and lets no more in than agreed.
#[derive(Debug)]
pub struct Admission {
    max: usize,
    open: AtomicUsize,
    accepted: AtomicU64,
    /// Told, under the lock, whenever the last connection closes.
    empty: (Mutex<()>, Condvar),
    metrics: Arc<Metrics>,
}

/// One connection's right to be open, given back on drop. A permit that a panic drops counts its
/// connection as one that the panic has ended.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    number: u64,
    panicked: bool,
}

impl Admission {
    /// With room for `max` connections at once.
    #[must_use]
    pub fn new(max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            max,
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            empty: (Mutex::new(()), Condvar::new()),
            metrics,
        })
    }

    /// A permit, or `None` if as many are open as may be; either is counted.
    #[must_use]
    pub fn admit(self: &Arc<Self>) -> Option<Permit> {
        let room = |open| (open < self.max).then_some(open + 1);
        if self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            self.metrics.refused(Refusal::MaxConnections);
            return None;
        }
        self.metrics.connection_opened();
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        Some(Permit { admission: Arc::clone(self), number, panicked: false })
    }

    /// How many connections are open: exactly those whose permit has not been dropped.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Blocks the calling thread until no connection is open, or until `deadline`.
    pub fn wait_until_empty(&self, deadline: Instant) {
        let (lock, empty) = &self.empty;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = deadline.saturating_duration_since(Instant::now());
        // A lock that a panic poisoned guards nothing.
        let _ = empty.wait_timeout_while(guard, patience, |()| self.open() > 0);
    }

    /// How many may be open at once.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }
}

impl Permit {
    /// The connection's number, from 1, in the order of admission.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Says that a panic has ended the connection, where that panic is caught before this is dropped.
    pub fn panicked(&mut self) {
        self.panicked = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.panicked || thread::panicking() {
            self.admission.metrics.connection_panicked();
        }
        self.admission.metrics.connection_closed();
        if self.admission.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let (lock, empty) = &self.admission.empty;
            let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
            empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Backend, Footprint};

    fn admission(max: usize) -> Arc<Admission> {
        let backend = Backend {
            name: "test",
            about: "",
            per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
        };
        Admission::new(max, Arc::new(Metrics::new(&backend, &[], &[])))
    }

    #[test]
    fn a_permit_given_back_makes_room() {
        let admission = admission(2);
        let first = admission.admit().expect("room");
        let second = admission.admit().expect("room");
        assert!(admission.admit().is_none());
        assert_eq!((first.number(), second.number(), admission.open()), (1, 2, 2));
        drop(first);
        assert_eq!(admission.open(), 1);
        assert_eq!(admission.admit().expect("room again").number(), 3);
        let text = admission.metrics.render();
        assert!(text.contains("http_server_connections_accepted_total 3\n"), "{text}");
        assert!(text.contains("refused_total{reason=\"max_connections\"} 1\n"), "{text}");
        assert!(text.contains("http_server_connections_open 1\n"), "{text}");
    }

    #[test]
    fn a_panic_gives_its_permit_back_and_is_counted() {
        let admission = admission(1);
        let taken = Arc::clone(&admission);
        let dies = move || {
            let _permit = taken.admit().expect("room");
            panic!("as this test wants it");
        };
        assert!(thread::spawn(dies).join().is_err());
        let mut caught = admission.admit().expect("room again");
        caught.panicked();
        drop(caught);
        drop(admission.admit().expect("room again"));
        let text = admission.metrics.render();
        assert!(text.contains("http_server_connections_panicked_total 2\n"), "{text}");
    }

    #[test]
    fn no_more_than_agreed_come_in_at_once_from_many_threads() {
        let admission = admission(3);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let permit = admission.admit();
                        assert!(admission.open() <= 3);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(admission.open(), 0);
    }
}
