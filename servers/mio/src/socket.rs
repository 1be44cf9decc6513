//! A socket, and what is known of its readiness.
//!
//! The kernel tells of each change once (edge-triggered, epoll(7)), so that it is remembered here
//! until a call says otherwise. Clients' sockets and upstream ones are the same in this.

use std::{
    io::{self, ErrorKind, Read},
    net::Shutdown,
    os::fd::{AsFd, BorrowedFd},
};

use http1::{Input, Output};
use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use process::upstream;

/// A socket that is told of by a loop.
pub(crate) struct Socket {
    stream: TcpStream,
    /// A read may bring something.
    read: bool,
    /// A write may take something.
    write: bool,
    /// The other side's FIN is there, or a reset, behind whatever else is to be read.
    end: bool,
}

impl Socket {
    /// A socket of which nothing has been heard.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, read: false, write: false, end: false }
    }

    /// Has the kernel tell of changes from now on, and of what has arrived already.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Remembers that the kernel tells of a change.
    pub(crate) fn note(&mut self, event: &Event) {
        self.read |= event.is_readable();
        self.write |= event.is_writable();
        self.end |= event.is_read_closed();
    }

    /// Whether a read may bring something, an end or an error among it.
    pub(crate) fn can_read(&self) -> bool {
        self.read
    }

    /// Whether a write may take something.
    pub(crate) fn can_write(&self) -> bool {
        self.write
    }

    /// Reads once; how much, 0 for the end, `None` if there is nothing yet. A read that leaves room
    /// has emptied the socket, and only the end is worth another.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(crate) fn read(&mut self, input: &mut Input) -> io::Result<Option<usize>> {
        let space = input.space();
        let room = space.len();
        let count = ready(self.stream.read(space))?;
        self.read = count.is_some_and(|count| count == room || self.end);
        input.filled(count.unwrap_or(0));
        Ok(count)
    }

    /// Writes once, if there may be room; how much, `None` if there is none. A write that leaves
    /// something has filled the socket.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(crate) fn write(&mut self, output: &mut Output) -> io::Result<Option<usize>> {
        if !self.write {
            return Ok(None);
        }
        let waiting = output.len();
        let count = ready(output.write_to(&mut self.stream))?;
        self.write = count == Some(waiting);
        Ok(count)
    }

    /// Whether there is nothing to read, not even an end. Asks the kernel only if that is not known.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.read = self.read && upstream::stale(&self.stream);
        !self.read
    }

    /// Sends FIN.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The socket alone.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// The error of a socket that the kernel says has one.
    pub(crate) fn error(&self) -> io::Error {
        let error = self.stream.take_error().unwrap_or_else(Some);
        error.unwrap_or_else(|| ErrorKind::ConnectionReset.into())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a call has done, if the socket was ready for it. A call that can't block is never
/// interrupted (signal(7)).
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
