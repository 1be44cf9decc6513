//! Requests that wait for a connection upstream, or for a place for one: their order, and what they
//! are given.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    task::{self, Poll, Waker},
};

use process::upstream::{Opening, Waiting};

use crate::link::Link;

/// The requests of one arbiter that wait. Whoever drops its [`Waiter`] waits no more.
#[derive(Default)]
pub(crate) struct Queue(RefCell<VecDeque<Weak<Waiter>>>);

/// A request that waits for its turn.
pub(crate) struct Waiter {
    /// Whether a connection that is kept will do.
    pub(crate) reuse: bool,
    ticket: RefCell<Waiting>,
    given: Cell<Option<Given>>,
    waker: Cell<Option<Waker>>,
}

/// What a request has waited for.
pub(crate) enum Given {
    /// A connection that another has given back.
    Connection(Box<Link>),
    /// A place for a new one.
    Place(Opening),
}

impl Queue {
    /// Takes a request in, behind all others.
    pub(crate) fn join(&self, ticket: Waiting, reuse: bool) -> Rc<Waiter> {
        let waiter = Rc::new(Waiter {
            reuse,
            ticket: RefCell::new(ticket),
            given: Cell::default(),
            waker: Cell::default(),
        });
        let mut waiters = self.0.borrow_mut();
        // Those that remain are as many as have tickets, which are bounded.
        waiters.retain(|waiter| waiter.strong_count() > 0);
        waiters.push_back(Rc::downgrade(&waiter));
        waiter
    }

    /// Who has waited longest.
    pub(crate) fn first(&self) -> Option<Rc<Waiter>> {
        let mut waiters = self.0.borrow_mut();
        while let Some(first) = waiters.front() {
            if let Some(waiter) = first.upgrade() {
                return Some(waiter);
            }
            waiters.pop_front();
        }
        None
    }

    /// Gives the [`first`](Self::first) what it has waited for, and wakes it.
    pub(crate) fn serve(&self, waiter: &Waiter, given: Given) {
        self.0.borrow_mut().pop_front();
        waiter.given.set(Some(given));
        if let Some(waker) = waiter.waker.take() {
            waker.wake();
        }
    }
}

impl Waiter {
    /// What it was given, or a place that was granted meanwhile.
    pub(crate) fn poll(&self, task: &task::Context<'_>) -> Poll<Given> {
        if let Some(given) = self.given.take().or_else(|| self.place().map(Given::Place)) {
            return Poll::Ready(given);
        }
        self.waker.set(Some(task.waker().clone()));
        Poll::Pending
    }

    /// A place, if one was granted to it.
    pub(crate) fn place(&self) -> Option<Opening> {
        self.ticket.borrow_mut().place()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Wake},
    };

    use process::{
        Backend, Footprint, Metrics,
        upstream::{Allowance, Member},
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn member(places: usize) -> Member {
        let per_connection = Footprint { descriptors: 1, maps: 0, threads: 0 };
        let backend = Backend { name: "test", about: "", per_connection };
        let metrics = Arc::new(Metrics::new(&backend, &[], &[]));
        Allowance::new(places, 9, metrics).join(|| {})
    }

    #[test]
    fn the_first_is_who_has_waited_longest_and_still_does() {
        let (queue, member) = (Queue::default(), member(0));
        let join = |reuse| queue.join(member.try_wait().expect("room in the queue"), reuse);
        let [gone, first, second] = [join(true), join(false), join(true)];
        drop(gone);
        assert!(queue.first().is_some_and(|waiter| Rc::ptr_eq(&waiter, &first)));
        drop(first);
        assert!(queue.first().is_some_and(|waiter| Rc::ptr_eq(&waiter, &second)));
        drop(second);
        assert!(queue.first().is_none() && queue.0.borrow().is_empty());
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let (queue, member) = (Queue::default(), member(0));
        for _ in 0..100 {
            drop(queue.join(member.try_wait().expect("tickets are given back"), true));
        }
        assert_eq!(queue.0.borrow().len(), 1);
    }

    #[test]
    fn who_is_served_is_woken_and_has_left() {
        let (queue, member) = (Queue::default(), member(1));
        let opening = member.try_open().expect("a place");
        let waiter = queue.join(member.try_wait().expect("room in the queue"), true);
        let woken = Arc::new(Woken::default());
        let waker = Arc::clone(&woken).into();
        let task = Context::from_waker(&waker);
        assert!(waiter.poll(&task).is_pending());
        queue.serve(&waiter, Given::Place(opening));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(waiter.poll(&task).is_ready() && queue.first().is_none());
    }

    #[test]
    fn a_place_that_is_granted_is_found_unasked() {
        let (queue, member) = (Queue::default(), member(1));
        let waiter = queue.join(member.try_wait().expect("room in the queue"), true);
        let waker = Arc::new(Woken::default()).into();
        assert!(matches!(waiter.poll(&Context::from_waker(&waker)), Poll::Ready(Given::Place(_))));
    }
}
