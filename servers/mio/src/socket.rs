//! A socket, and what is known of its readiness.
//!
//! The kernel tells of each change once (edge-triggered, epoll(7)), so that it is remembered here
//! until a call says otherwise. In this, a client's socket and one upstream are the same.

use std::{
    io::{self, ErrorKind, Read},
    net::Shutdown,
    os::fd::{AsFd, BorrowedFd},
};

use http1::{Input, Output};
use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use process::upstream;

/// A socket of which the kernel tells its loop.
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

#[cfg(test)]
mod tests {
    use std::{io::Write, net, time::Duration};

    use mio::{Events, Poll};

    use super::*;

    /// A socket and what tells of it, and the other end.
    struct Pair {
        poll: Poll,
        socket: Socket,
        peer: net::TcpStream,
    }

    impl Pair {
        fn new() -> Self {
            let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
            let address = listener.local_addr().expect("it is bound");
            let peer = net::TcpStream::connect(address).expect("it listens");
            let (stream, _) = listener.accept().expect("it connects");
            stream.set_nonblocking(true).expect("a socket");
            let poll = Poll::new().expect("an epoll");
            let mut socket = Socket::new(TcpStream::from_std(stream));
            socket.register(poll.registry(), Token(0)).expect("it is not registered yet");
            Self { poll, socket, peer }
        }

        /// Waits until what the kernel tells makes this true.
        fn hear_until(&mut self, is_so: impl Fn(&Socket) -> bool) {
            let mut events = Events::with_capacity(8);
            while !is_so(&self.socket) {
                self.poll.poll(&mut events, Some(Duration::from_mins(1))).expect("an epoll");
                assert!(!events.is_empty(), "nothing happens");
                events.iter().for_each(|event| self.socket.note(event));
            }
        }

        fn read(&mut self, room: usize) -> Option<usize> {
            self.socket.read(&mut Input::with_capacity(room)).expect("an open socket")
        }
    }

    #[test]
    fn a_read_that_leaves_room_has_emptied_the_socket() {
        let mut pair = Pair::new();
        assert!(!pair.socket.can_read());
        pair.peer.write_all(b"12345").expect("an open socket");
        pair.hear_until(Socket::can_read);
        assert_eq!((pair.read(3), pair.socket.can_read()), (Some(3), true));
        assert_eq!((pair.read(3), pair.socket.can_read()), (Some(2), false));
    }

    #[test]
    fn a_read_that_fills_its_room_may_have_left_something() {
        let mut pair = Pair::new();
        pair.peer.write_all(b"123").expect("an open socket");
        pair.hear_until(Socket::can_read);
        assert_eq!((pair.read(3), pair.socket.can_read()), (Some(3), true));
        assert_eq!((pair.read(3), pair.socket.can_read()), (None, false));
    }

    #[test]
    fn an_end_is_worth_another_read() {
        let mut pair = Pair::new();
        pair.peer.write_all(b"123").expect("an open socket");
        pair.peer.shutdown(Shutdown::Write).expect("an open socket");
        pair.hear_until(|socket| socket.end);
        assert!(!pair.socket.is_silent());
        assert_eq!((pair.read(9), pair.socket.can_read()), (Some(3), true));
        assert!(!pair.socket.is_silent());
        assert_eq!(pair.read(9), Some(0));
    }

    #[test]
    fn silence_is_asked_for_only_if_it_is_not_known() {
        let mut pair = Pair::new();
        pair.peer.write_all(b"1").expect("an open socket");
        assert!(pair.socket.is_silent(), "nothing was heard");
        pair.hear_until(Socket::can_read);
        assert!(!pair.socket.is_silent());
        assert_eq!(pair.read(1), Some(1));
        assert!(pair.socket.can_read(), "for all that is known");
        assert!(pair.socket.is_silent() && !pair.socket.can_read());
    }
}
