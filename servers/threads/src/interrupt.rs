//! How a thread that blocks in a system call hears of the drain: by a signal that does nothing.
//!
//! On a socket with a time-out set, an interrupted read(2) fails with `EINTR` (signal(7)); the
//! worker then looks around. A signal that comes just before the call is lost, so the drain sends
//! it again until the worker has noticed.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use nix::sys::{
    pthread::{Pthread, pthread_kill, pthread_self},
    signal::Signal,
};

/// The workers that have not noticed the drain, by the number of their connection.
#[derive(Default)]
pub(crate) struct Interrupts(Mutex<HashMap<u64, Pthread>>);

/// A worker's entry, which must not outlive its thread.
pub(crate) struct Interruptible<'a>(&'a Interrupts, u64);

impl Interrupts {
    /// None yet.
    pub(crate) fn new() -> io::Result<Self> {
        // The flag is of no interest; that there is a handler is.
        signal_hook::flag::register(
            signal_hook::consts::SIGUSR1,
            Arc::new(AtomicBool::new(false)),
        )?;
        Ok(Self::default())
    }

    /// Enters the calling thread, which serves connection `number`, until the entry is dropped.
    pub(crate) fn register(&self, number: u64) -> Interruptible<'_> {
        self.threads().insert(number, pthread_self());
        Interruptible(self, number)
    }

    /// The worker of connection `number` knows, and needs no more signals.
    pub(crate) fn noticed(&self, number: u64) {
        self.threads().remove(&number);
    }

    /// Interrupts every worker that has not noticed.
    pub(crate) fn interrupt_all(&self) {
        for &thread in self.threads().values() {
            // An entry is removed before its thread ends, so this one is alive.
            let _ = pthread_kill(thread, Signal::SIGUSR1);
        }
    }

    fn threads(&self) -> MutexGuard<'_, HashMap<u64, Pthread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Interruptible<'_> {
    fn drop(&mut self) {
        self.0.noticed(self.1);
    }
}
