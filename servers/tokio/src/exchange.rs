//! What the socket, the handler and the answers of one connection tell each other.
//!
//! hyper owns all three and runs them in the connection's task, one after the other, so what they
//! share is never contended. It is atomic since tasks move between workers, and relaxed since the
//! runtime orders what they do.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::Instant,
};

use http::response;
use session::{Environment, Identity, Receipt};
use tokio::task::yield_now;

use crate::{ahead::Ahead, peer::Patience, server::Shared};

/// A connection's requests and answers, one after the other.
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Identity,
    /// What the client has sent beyond the request in hand.
    pub(crate) ahead: Ahead,
    /// So far.
    requests: AtomicU64,
    stage: AtomicU8,
    /// Whether somebody still reads content of the current request.
    reading: AtomicBool,
    /// Whether the connection has ended, and with it what was not complete.
    over: AtomicBool,
    /// Whether the client takes the connection's end for that of its answer.
    until_close: AtomicBool,
    /// Whether it must not.
    broken: AtomicBool,
    /// Whether there are informational heads to write.
    informs: AtomicBool,
    /// Those heads, as they stand on the wire.
    interim: Mutex<Vec<u8>>,
    /// What measures how long an upstream takes: left here by the request before.
    patience: Mutex<Option<Patience>>,
}

/// The stages of a request: none, one that is not answered, one whose answer has yet to leave.
const IDLE: u8 = 0;
const BEGUN: u8 = 1;
const ANSWERED: u8 = 2;

impl Exchange {
    pub(crate) fn new(shared: Arc<Shared>, identity: Identity) -> Self {
        Self {
            shared,
            identity,
            ahead: Ahead::default(),
            requests: AtomicU64::new(0),
            stage: AtomicU8::new(IDLE),
            reading: AtomicBool::new(false),
            over: AtomicBool::new(false),
            until_close: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            informs: AtomicBool::new(false),
            interim: Mutex::default(),
            patience: Mutex::default(),
        }
    }

    /// A request's head is complete, and perhaps there is content to read.
    pub(crate) fn begin(&self, has_content: bool) {
        self.requests.store(self.requests() + 1, Relaxed);
        self.reading.store(has_content, Relaxed);
        if self.stage.load(Relaxed) == IDLE {
            self.environment().began();
        }
        self.stage.store(BEGUN, Relaxed);
    }

    /// The content is read, or nobody wants more of it.
    pub(crate) fn content_ended(&self) {
        self.reading.store(false, Relaxed);
    }

    /// Lets the socket look around before an answer that had to be waited for: if the process drains by
    /// now, only the socket can tell whether this is the last. hyper flushes it while this yields.
    pub(crate) async fn look_around(&self) {
        if self.shared.site.is_draining() && !self.ahead.is_draining() {
            yield_now().await;
        }
    }

    /// hyper has the whole answer.
    pub(crate) fn answered(&self, receipt: Receipt) {
        if !self.over.load(Relaxed) {
            receipt.settle(self.environment(), Instant::now());
            self.stage.store(ANSWERED, Relaxed);
        }
    }

    /// An informational head is to go to the client. hyper can't send any, so the socket does.
    pub(crate) fn inform(&self, head: &response::Parts) {
        let mut output = http1::Output::default();
        let mut codec = http1::server::Connection::new(self.shared.site.context.limits);
        codec.send_informational(head, &mut output);
        lock(&self.interim).extend(output.to_vec());
        self.informs.store(true, Relaxed);
    }

    /// Whether there are informational heads to write.
    pub(crate) fn informs(&self) -> bool {
        self.informs.load(Relaxed)
    }

    /// Writes informational heads by `write`, which says how much it wrote.
    pub(crate) fn poll_inform<E>(
        &self,
        mut write: impl FnMut(&[u8]) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<(), E>> {
        let mut interim = lock(&self.interim);
        while !interim.is_empty() {
            let count = ready!(write(&interim))?;
            interim.drain(..count);
        }
        self.informs.store(false, Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Forgets them, for their place is lost.
    pub(crate) fn forget_interim(&self) {
        lock(&self.interim).clear();
        self.informs.store(false, Relaxed);
    }

    /// An answer has begun that only the end of the connection ends.
    pub(crate) fn ends_with_connection(&self) {
        self.until_close.store(true, Relaxed);
    }

    /// The answer has broken off.
    pub(crate) fn broke_off(&self) {
        self.broken.store(self.until_close.load(Relaxed), Relaxed);
    }

    /// Whether the client must not take the connection's end for that of its answer.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// The socket has taken all that hyper had; whether that was the end of an answer.
    pub(crate) fn flushed(&self) -> bool {
        let answered = self.stage.load(Relaxed) == ANSWERED;
        if answered {
            self.stage.store(IDLE, Relaxed);
            self.environment().ended();
        }
        answered
    }

    /// Whether there is a request whose answer is not complete.
    pub(crate) fn is_busy(&self) -> bool {
        self.stage.load(Relaxed) == BEGUN
    }

    /// Nothing more will be read or written.
    pub(crate) fn end(&self) {
        self.over.store(true, Relaxed);
        if self.stage.swap(IDLE, Relaxed) != IDLE {
            self.environment().ended();
        }
    }

    /// What measures how long an upstream takes, for one request.
    pub(crate) fn borrow_patience(&self) -> Patience {
        lock(&self.patience).take().unwrap_or_else(Patience::new)
    }

    /// Leaves it for the next request.
    pub(crate) fn give_back(&self, patience: Patience) {
        *lock(&self.patience) = Some(patience);
    }

    /// How many requests there were, the current one included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Whether what arrives now is content.
    pub(crate) fn reads_content(&self) -> bool {
        self.reading.load(Relaxed)
    }

    pub(crate) fn environment(&self) -> &dyn Environment {
        &*self.shared.site.context.environment
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
