//! The workers: a `threadpool` that grows with what is open.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicU64, Ordering},
};

use threadpool::ThreadPool;

/// A worker's stack in bytes. Only touched pages count, and buffers are on the heap.
const STACK: usize = 128 * 1024;

/// A pool of workers, from none to as many as allowed.
pub(crate) struct Pool {
    pool: ThreadPool,
    at_most: usize,
}

impl Pool {
    /// A pool that grows up to `at_most` workers.
    pub(crate) fn new(at_most: usize) -> Self {
        // `threadpool` wants one worker at least, and starts it here.
        let pool = threadpool::Builder::new()
            .num_threads(1)
            .thread_name("worker".to_owned())
            .thread_stack_size(STACK)
            .build();
        Self { pool, at_most }
    }

    /// Grows until there are `wanted` workers, or as many as allowed; whether that could be done.
    pub(crate) fn grow(&mut self, wanted: usize) -> bool {
        let (now, wanted) = (self.pool.max_count(), wanted.min(self.at_most));
        if wanted <= now {
            return true;
        }
        // `threadpool` panics if a thread can't be had, and then believes that it is there.
        let grown = panic::catch_unwind(AssertUnwindSafe(|| self.pool.set_num_threads(wanted)));
        if grown.is_err() {
            self.pool.set_num_threads(now);
        }
        grown.is_ok()
    }

    /// Has a worker do `job`, when one is free. A panic ends the job and not the worker, which
    /// `threadpool` would replace, and abort if it could not.
    pub(crate) fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.pool.execute(move || {
            // The panic is logged; its job is dropped, and the connection with it.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
        });
    }
}

/// The calling worker's number, from 1 in the order of their first connections.
pub(crate) fn worker_number() -> u64 {
    static WORKERS: AtomicU64 = AtomicU64::new(0);
    thread_local!(static NUMBER: u64 = WORKERS.fetch_add(1, Ordering::Relaxed) + 1);
    NUMBER.with(|number| *number)
}
