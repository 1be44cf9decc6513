//! Who waits for a connection upstream, on one scheduler.
//!
//! Each waits on its client's socket, and is woken by its own scheduler, with what it was given
//! there to be fetched.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use may::io::WaitIoWaker;
use process::upstream::{Opening, Waiting};

use crate::upstream::Connection;

/// Who has been given nothing yet, the longest-waiting first.
#[derive(Default)]
pub(crate) struct Queue(Mutex<VecDeque<(Waiting, Arc<Waiter>)>>);

/// A request's place in the queue, given up on drop.
pub(crate) struct Turn {
    queue: Arc<Queue>,
    waiter: Arc<Waiter>,
}

/// What a request is given.
pub(crate) enum Given {
    /// A connection that another one has done with.
    Connection(Box<Connection>),
    /// A place for a new one.
    Place(Opening),
}

struct Waiter {
    /// Whether a connection that is kept would do.
    reuse: bool,
    waker: WaitIoWaker,
    given: Mutex<Option<Given>>,
}

impl Queue {
    /// Has a request wait, to be woken by `waker`.
    pub(crate) fn join(
        self: &Arc<Self>,
        waiting: Waiting,
        reuse: bool,
        waker: WaitIoWaker,
    ) -> Turn {
        let waiter = Arc::new(Waiter { reuse, waker, given: Mutex::default() });
        self.lock().push_back((waiting, Arc::clone(&waiter)));
        // The place that was missing may have fallen free, and then nobody tells.
        self.hand_out_places();
        Turn { queue: Arc::clone(self), waiter }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Hands out the places that were granted, which the process does in the order of this queue.
    pub(crate) fn hand_out_places(&self) {
        let mut queue = self.lock();
        while let Some((waiting, waiter)) = queue.front_mut()
            && let Some(opening) = waiting.place()
        {
            waiter.give(Given::Place(opening));
            queue.pop_front();
        }
    }

    /// Hands a connection to the first who would have it, if anybody would.
    pub(crate) fn hand_over(&self, connection: Box<Connection>) {
        let mut queue = self.lock();
        let next = queue.iter().position(|(_, waiter)| waiter.reuse);
        if let Some((_, waiter)) = next.and_then(|next| queue.remove(next)) {
            waiter.give(Given::Connection(connection));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Waiting, Arc<Waiter>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// What the request was given, once it was.
    pub(crate) fn given(&self) -> Option<Given> {
        self.waiter.given().take()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.lock().retain(|(_, waiter)| !Arc::ptr_eq(waiter, &self.waiter));
    }
}

impl Waiter {
    fn give(&self, given: Given) {
        *self.given() = Some(given);
        self.waker.wakeup();
    }

    fn given(&self) -> MutexGuard<'_, Option<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
