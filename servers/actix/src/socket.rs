//! A socket as an actor sees it: it is read and written when the runtime says that it can be, and
//! whoever asks too early is woken.

use std::{
    io::{self, ErrorKind, Read as _},
    net::{Shutdown, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    rc::Rc,
    task::{self, Poll, ready},
};

use process::upstream::{finish_connect, stale};
use tokio::io::{Interest, unix::AsyncFd};

/// A socket that does not block, known to the runtime. It is shared by those who look at it, but one
/// actor alone reads and writes.
pub(crate) struct Socket(AsyncFd<TcpStream>);

/// That a client is gone, once it comes true.
pub(crate) type Gone = Pin<Box<dyn Future<Output = ()>>>;

impl Socket {
    /// Makes a socket that does not block known to the runtime that this is called on.
    pub(crate) fn watch(stream: TcpStream) -> io::Result<Rc<Self>> {
        // SAFETY: the socket is owned by what is made here, which never lets go of it, so that its
        // descriptor is valid and the same for as long as that lives.
        let stream = unsafe { AsyncFd::register(stream)? };
        Ok(Rc::new(Self(stream)))
    }

    /// Reads once into `space`, which is asked for when there is something to read.
    pub(crate) fn poll_read<'a>(
        &self,
        task: &mut task::Context<'_>,
        space: impl FnOnce() -> &'a mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut readiness = ready!(self.0.poll_read_ready(task))?;
        let space = space();
        loop {
            match self.0.get_ref().read(space) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    readiness.clear_ready();
                    readiness = ready!(self.0.poll_read_ready(task))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) if 0 < count && count < space.len() => {
                    // That was all there is (epoll(7)), which saves the read that would say so. The
                    // runtime does not forget a FIN behind it.
                    readiness.clear_ready();
                    return Poll::Ready(Ok(count));
                }
                done => return Poll::Ready(done),
            }
        }
    }

    /// Has `write` write `waiting` bytes, as far as the kernel takes them in one call.
    pub(crate) fn poll_write(
        &self,
        task: &mut task::Context<'_>,
        waiting: usize,
        mut write: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut readiness = ready!(self.0.poll_write_ready(task))?;
            match write(&mut self.0.get_ref()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => readiness.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) if 0 < count && count < waiting => {
                    readiness.clear_ready();
                    return Poll::Ready(Ok(count));
                }
                done => return Poll::Ready(done),
            }
        }
    }

    /// How the connect ended that was under way.
    pub(crate) fn poll_connected(&self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut readiness = ready!(self.0.poll_write_ready(task))?;
            if let Ok(connected) = readiness.try_io(finish_connect) {
                return Poll::Ready(connected);
            }
        }
    }

    /// Whether there is something to read: bytes, a FIN, an error.
    pub(crate) fn poll_news(&self, task: &mut task::Context<'_>) -> Poll<()> {
        self.0.poll_read_ready(task).map(drop)
    }

    /// Whether nothing has arrived that is not yet read. The kernel is only asked if the runtime has
    /// heard of something.
    pub(crate) fn is_silent(&self) -> bool {
        let would_block = || Err(ErrorKind::WouldBlock.into());
        let news = |stream: &TcpStream| if stale(stream) { Ok(()) } else { would_block() };
        self.0.try_io(Interest::READABLE, news).is_err()
    }

    /// Comes true when the other end is gone, for whoever neither reads nor writes. A FIN or bytes
    /// that wait to be read do not hide that.
    pub(crate) fn gone(self: &Rc<Self>) -> Gone {
        let socket = Rc::clone(self);
        Box::pin(async move {
            let _ = socket.0.ready(Interest::ERROR).await;
        })
    }

    /// Sends FIN.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
