//! Who may open an upstream connection: at most `--upstream-connections` for the whole process,
//! whoever owns them.
//!
//! An event loop keeps its idle connections to itself, so each *member* could sit on what another
//! needs. Three rules keep that from starving anyone:
//!
//! - A place that falls free goes straight to a request that waits: of the member that holds the
//!   fewest places, and of its requests, the one that has waited longest. No newcomer overtakes it.
//! - While a request waits, every other member is *asked*: it gives up its idle connections, oldest
//!   first, and keeps none that a request of its own does not want.
//! - A member whose own requests wait keeps its connections, unless one that waits holds two fewer,
//!   or none. So two busy members share, and do not pass one connection to and fro.
//!
//! No wake-up is lost, because one lock guards all of it:
//!
//! - A request that cannot have a place is in the queue before the lock is released, and a place is
//!   given back under the same lock: either the request saw it free, or it is granted then. One that is
//!   granted as soon as it is asked for has its wake-up too: it fell free after the asker had looked.
//! - A grant is a state, not an event: whoever looks late still finds it, and a request that gives
//!   up passes it on. The wake-up comes after, so whoever looks again because of it finds it too.
//! - A member's flag is raised, under the lock, with every request of another that begins to wait,
//!   and lowered only under the lock, when none does. Hence `false` means that nobody waits; and who
//!   keeps a connection first and looks at the flag then, cannot miss a request.
//!
//! A reused connection costs one relaxed look at that flag, and a new one costs the lock twice.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::ledger::{Ledger, Ticket, Wake};
use crate::metrics::Metrics;

/// The bound on the process's upstream connections, and on the requests that wait for one.
#[derive(Debug)]
pub struct Allowance {
    max: usize,
    ledger: Mutex<Ledger>,
    metrics: Arc<Metrics>,
}

/// One owner of idle connections: an event loop, or a pool that the whole process shares. It stays
/// one for the rest of the process's life.
#[derive(Debug)]
pub struct Member {
    allowance: Arc<Allowance>,
    index: usize,
    asked: Arc<AtomicBool>,
}

/// The right to have one upstream connection open, given back on drop. Drop it after the socket.
#[derive(Debug)]
pub struct Opening {
    allowance: Arc<Allowance>,
    member: usize,
}

/// A request that waits for a place. It stops waiting on drop, and passes on what it was granted.
#[derive(Debug)]
pub struct Waiting {
    allowance: Arc<Allowance>,
    member: usize,
    ticket: Arc<Ticket>,
}

impl Allowance {
    /// At most `max` connections, and at most `queue_max` requests that wait.
    #[must_use]
    pub fn new(max: usize, queue_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { max, ledger: Mutex::new(Ledger::new(max, queue_max)), metrics })
    }

    /// A new member. `wake` tells it that it is asked for connections, or that a request of its own
    /// has a place. It is called from any thread, with locks held for all one knows: it must do no
    /// more than wake, and its target must remember a wake-up that comes before the wait.
    #[must_use]
    pub fn join(self: &Arc<Self>, wake: impl Fn() + Send + Sync + 'static) -> Member {
        let (index, asked) = self.ledger().join(Wake::new(wake));
        Member { allowance: Arc::clone(self), index, asked }
    }

    /// How many places are taken: by open connections, and by grants that nobody has fetched yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.ledger().open()
    }

    /// How many may be open at once.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    fn opening(self: &Arc<Self>, member: usize) -> Opening {
        self.metrics.upstream.opened();
        Opening { allowance: Arc::clone(self), member }
    }

    fn release(&self, member: usize) {
        let granted = self.ledger().release(member);
        if let Some(ticket) = granted {
            ticket.wake.call();
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// A place for a new connection, if one is free; then nobody waits for it.
    #[must_use]
    pub fn try_open(&self) -> Option<Opening> {
        let free = self.allowance.ledger().take(self.index);
        free.then(|| self.allowance.opening(self.index))
    }

    /// Waits for a place; `None` if as many requests wait as may. The member is woken when a request
    /// of its own has a place, the longest-waiting one first.
    #[must_use]
    pub fn try_wait(&self) -> Option<Waiting> {
        self.queue(None)
    }

    /// As [`Member::try_wait`], but this request is woken, not the member: for a pool that threads
    /// or tasks share. The same holds for `wake` as in [`Allowance::join`].
    #[must_use]
    pub fn try_wait_with(&self, wake: impl Fn() + Send + Sync + 'static) -> Option<Waiting> {
        self.queue(Some(Wake::new(wake)))
    }

    /// Whether a connection that this member does not need at this moment should be closed, because
    /// a request of another member waits for its place. Ask after each connection given back, and
    /// whenever the member is woken; [`Idle::give_way`](super::Idle::give_way) does both.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        // Relaxed will do: who raises the flag wakes the member, and a wake-up orders memory.
        self.asked.load(Ordering::Relaxed) && self.allowance.ledger().asks(self.index)
    }

    fn queue(&self, wake: Option<Wake>) -> Option<Waiting> {
        let (ticket, wakes) = self.allowance.ledger().wait(self.index, wake)?;
        self.allowance.metrics.upstream.wait_began();
        for wake in wakes {
            wake.call();
        }
        Some(Waiting { allowance: Arc::clone(&self.allowance), member: self.index, ticket })
    }
}

impl Waiting {
    /// The place, once it has been granted. Cheap enough to ask again and again.
    #[must_use]
    pub fn place(&mut self) -> Option<Opening> {
        self.ticket.fetch().then(|| self.allowance.opening(self.member))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.allowance.metrics.upstream.wait_ended();
        if self.allowance.ledger().leave(self.member, &self.ticket) {
            self.allowance.release(self.member);
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.allowance.metrics.upstream.closed();
        self.allowance.release(self.member);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::metrics::tests::{assert_line, metrics};

    fn allowance(max: usize, queue_max: usize) -> Arc<Allowance> {
        Allowance::new(max, queue_max, Arc::new(metrics()))
    }

    #[test]
    fn queue_has_a_bound_and_metrics_follow() {
        let allowance = allowance(1, 2);
        let member = allowance.join(|| {});
        let opening = member.try_open().expect("room");
        assert!(member.try_open().is_none());
        let first = member.try_wait().expect("room in the queue");
        let mut second = member.try_wait().expect("room in the queue");
        assert!(member.try_wait().is_none(), "the queue is full");
        let expect = |lines: [&str; 3]| {
            let text = allowance.metrics.render();
            for line in lines {
                assert_line(&text, &format!("http_upstream_{line}"));
            }
        };
        expect(["connections_open 1", "requests_waiting 2", "waits_total 2"]);
        drop(first);
        drop(opening);
        expect(["connections_open 0", "requests_waiting 1", "waits_total 2"]);
        assert_eq!(allowance.open(), 1, "granted, and not fetched yet");
        let opening = second.place();
        drop(second);
        expect(["connections_open 1", "requests_waiting 0", "waits_total 2"]);
        drop(opening);
        assert_eq!(allowance.open(), 0);
    }

    #[test]
    fn a_release_wakes_the_member_or_the_request() {
        let allowance = allowance(1, 9);
        let counts: [Arc<AtomicUsize>; 2] = Default::default();
        let counter = |index: usize| {
            let count = Arc::clone(&counts[index]);
            move || {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let woken = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let member = allowance.join(counter(0));
        let opening = member.try_open().expect("room");
        let mut first = member.try_wait().expect("room in the queue");
        let mut second = member.try_wait_with(counter(1)).expect("room in the queue");
        assert_eq!(woken(), [0, 0]);
        drop(opening);
        assert_eq!(woken(), [1, 0]);
        let opening = first.place();
        drop((first, opening));
        assert_eq!(woken(), [1, 1]);
        assert!(second.place().is_some());
    }

    #[test]
    fn a_request_that_gives_up_passes_its_place_on() {
        let allowance = allowance(1, 9);
        let member = allowance.join(|| {});
        let opening = member.try_open().expect("room");
        let first = member.try_wait().expect("room in the queue");
        let mut second = member.try_wait().expect("room in the queue");
        drop(opening);
        assert!(second.place().is_none());
        drop(first);
        assert!(second.place().is_some());
    }
}
