//! The socket of a connection upstream as hyper sees it, and what is seen there: who is waited for,
//! and who must be woken.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use http::response;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::{outgoing::Unread, socket};

/// The most informational answers to one request, as `http1` has it.
const INTERIMS_AT_MOST: usize = 100;

/// What the socket, the request on it and the task that has it tell each other. As in an
/// [`Exchange`](crate::exchange::Exchange), nothing of it is contended.
pub(crate) struct Wire {
    stream: OwnedWriteHalf,
    /// The last read had to wait.
    reads: AtomicBool,
    /// The last write had to wait.
    writes: AtomicBool,
    /// A byte went either way.
    progressed: AtomicBool,
    /// A byte of the answer has arrived.
    began: AtomicBool,
    /// The upstream takes no more. It may have said why.
    deaf: AtomicBool,
    /// No other request may follow.
    retired: AtomicBool,
    /// The client holds its content back until the upstream asks for it.
    held: AtomicBool,
    /// Some of the client's content is gone, and can't be had again.
    sent: AtomicBool,
    /// The client's content has been read to its end.
    whole: AtomicBool,
    bell: Arc<Bell>,
    /// How many informational heads have come.
    interims: AtomicUsize,
    /// Those that nobody has looked at.
    heads: Mutex<Vec<response::Parts>>,
    /// What became of content that was not read to its end.
    unread: Mutex<Option<Unread>>,
}

/// The waker of all that a connection waits for. It passes a wake-up on to the task that has the
/// connection at that moment: not while that task runs anyway, nor to one that had it before.
///
/// The socket keeps it, and so it can't keep the socket.
#[derive(Default)]
struct Bell(Mutex<Sleeper>);

/// The task that has the connection.
#[derive(Default)]
struct Sleeper {
    task: Option<Waker>,
    /// Whether it must be woken.
    asleep: bool,
    /// Whether there was a wake-up since it looked.
    woken: bool,
}

/// hyper's end of the socket.
pub(crate) struct Socket {
    stream: OwnedReadHalf,
    wire: Arc<Wire>,
}

impl Wire {
    /// Splits a socket into what hyper has of it and what is told of it.
    pub(crate) fn split(stream: TcpStream) -> (Socket, Arc<Self>) {
        let (read, write) = stream.into_split();
        let wire = Arc::new(Self {
            stream: write,
            reads: AtomicBool::new(false),
            writes: AtomicBool::new(false),
            progressed: AtomicBool::new(false),
            began: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            held: AtomicBool::new(false),
            sent: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            bell: Arc::default(),
            interims: AtomicUsize::new(0),
            heads: Mutex::default(),
            unread: Mutex::default(),
        });
        (Socket { stream: read, wire: Arc::clone(&wire) }, wire)
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.stream.as_ref()
    }

    /// What wakes the task that has the connection.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.bell))
    }

    /// A request begins, whose content is perhaps `held` back, or `whole` since there is none.
    pub(crate) fn begin(&self, held: bool, whole: bool) {
        self.began.store(false, Relaxed);
        self.interims.store(0, Relaxed);
        self.held.store(held, Relaxed);
        self.sent.store(false, Relaxed);
        self.whole.store(whole, Relaxed);
    }

    /// An informational head has come, which may ask for the content.
    pub(crate) fn inform(&self, head: response::Parts) {
        self.look_at(&head);
        if service::announces_content(&head.headers) {
            // What follows is anybody's guess: the next head, or that content.
            self.interims.store(INTERIMS_AT_MOST, Relaxed);
        }
        if service::asks_for_content(head.status) {
            self.held.store(false, Relaxed);
        }
        if self.interims.fetch_add(1, Relaxed) < INTERIMS_AT_MOST {
            lock(&self.heads).push(head);
        }
    }

    /// The informational heads that have come since this was last asked, and whether there was one
    /// that could not be borne.
    pub(crate) fn interims(&self) -> (Vec<response::Parts>, bool) {
        match self.interims.load(Relaxed) {
            0 => (Vec::new(), false),
            count => (std::mem::take(&mut lock(&self.heads)), count > INTERIMS_AT_MOST),
        }
    }

    /// A head has come, after which perhaps no other request may follow.
    pub(crate) fn look_at(&self, head: &response::Parts) {
        if !service::may_persist(head) {
            self.retired.store(true, Relaxed);
        }
    }

    /// Some of the content goes out.
    pub(crate) fn content_sent(&self) {
        self.sent.store(true, Relaxed);
    }

    /// Whether some of the content is gone.
    pub(crate) fn content_is_sent(&self) -> bool {
        self.sent.load(Relaxed)
    }

    /// The content is read to its end.
    pub(crate) fn content_ended(&self) {
        self.whole.store(true, Relaxed);
    }

    /// Whether content may be read.
    pub(crate) fn takes_content(&self) -> bool {
        !self.held.load(Relaxed) && !self.deaf.load(Relaxed)
    }

    /// Content was not read to its end.
    pub(crate) fn leave(&self, unread: Unread) {
        *lock(&self.unread) = Some(unread);
    }

    /// What became of content that was not read to its end.
    pub(crate) fn unread(&self) -> Option<Unread> {
        lock(&self.unread).take()
    }

    /// Why content can't be read to its end, if so.
    pub(crate) fn refusal(&self) -> Option<Unread> {
        lock(&self.unread).take_if(|unread| !matches!(unread, Unread::Rest(_)))
    }

    /// Whether content is still held back.
    pub(crate) fn holds_content(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Whether a byte of the answer has arrived.
    pub(crate) fn began(&self) -> bool {
        self.began.load(Relaxed)
    }

    /// Whether request and answer have come to their ends, as far as can be seen here, and nothing
    /// speaks against another.
    pub(crate) fn is_clean(&self) -> bool {
        self.whole.load(Relaxed) && !self.deaf.load(Relaxed) && !self.retired.load(Relaxed)
    }

    /// Whether a byte went either way since this was last asked.
    pub(crate) fn progressed(&self) -> bool {
        self.progressed.load(Relaxed) && self.progressed.swap(false, Relaxed)
    }

    /// Whether it is the upstream that is waited for. Until it has the whole request, or has to ask
    /// for the rest, it need not answer.
    pub(crate) fn is_waited_for(&self) -> bool {
        let asked = self.whole.load(Relaxed) || self.held.load(Relaxed);
        self.writes.load(Relaxed) || self.reads.load(Relaxed) && asked
    }

    /// The task runs: it sees for itself what happens.
    pub(crate) fn rouse(&self) {
        self.reads.store(false, Relaxed);
        self.writes.store(false, Relaxed);
        let mut sleeper = lock(&self.bell.0);
        sleeper.asleep = false;
        sleeper.woken = false;
    }

    /// The task waits, unless something has happened since [`rouse`](Self::rouse); whether it does.
    pub(crate) fn sleep(&self, task: &Waker) -> bool {
        let mut sleeper = lock(&self.bell.0);
        if sleeper.woken {
            return false;
        }
        sleeper.asleep = true;
        if !sleeper.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            sleeper.task = Some(task.clone());
        }
        true
    }

    /// The task has no more to do with it.
    pub(crate) fn forget_task(&self) {
        *lock(&self.bell.0) = Sleeper::default();
    }

    fn moved(&self) {
        self.progressed.store(true, Relaxed);
    }

    /// Writes by `write`, until that need not wait. To who takes no more, everything is sent in vain.
    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        length: usize,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while !self.deaf.load(Relaxed) {
            if self.stream().poll_write_ready(cx)?.is_pending() {
                self.writes.store(true, Relaxed);
                return Poll::Pending;
            }
            match write(self.stream()) {
                Ok(count) => {
                    self.moved();
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // It may have answered before: reading goes on.
                Err(_) => self.deaf.store(true, Relaxed),
            }
        }
        Poll::Ready(Ok(length))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut sleeper = lock(&self.0);
        sleeper.woken = true;
        if std::mem::take(&mut sleeper.asleep)
            && let Some(task) = &sleeper.task
        {
            task.wake_by_ref();
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = socket::poll_fill(Pin::new(&mut self.stream), cx, buffer);
        if read.is_pending() {
            self.wire.reads.store(true, Relaxed);
        }
        if ready!(read)? > 0 {
            self.wire.moved();
            self.wire.began.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.poll_write(cx, bytes.len(), |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.wire.poll_write(cx, length, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The socket is closed soon, and needs no word before that.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
