//! How other threads reach a loop.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mio::{Registry, Token, Waker, net::TcpStream};
use process::Permit;

/// A connection that its loop does not know yet.
pub(crate) struct Newcomer {
    pub(crate) stream: TcpStream,
    pub(crate) origin: SocketAddr,
    pub(crate) permit: Permit,
}

/// What a loop is to look at when it is woken.
pub(crate) struct Inbox {
    waker: Waker,
    /// As many as have a permit at most.
    newcomers: Mutex<Vec<Newcomer>>,
}

impl Inbox {
    /// Of the loop that polls `registry`; `token` tells it to look around.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Arc<Self>> {
        let waker = Waker::new(registry, token)?;
        Ok(Arc::new(Self { waker, newcomers: Mutex::default() }))
    }

    /// Makes a connection the loop's own.
    pub(crate) fn hand_over(&self, newcomer: Newcomer) -> io::Result<()> {
        let mut newcomers = self.lock();
        newcomers.push(newcomer);
        // Whoever put the first one there has woken the loop.
        if newcomers.len() > 1 { Ok(()) } else { self.wake() }
    }

    /// Has the loop look around.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// Those who have come since the last look.
    pub(crate) fn take(&self) -> Vec<Newcomer> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Newcomer>> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
