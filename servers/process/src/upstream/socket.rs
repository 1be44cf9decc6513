//! Upstream sockets, and what can be told of a socket without waiting for it.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    net::{RecvFlags, recv},
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A non-blocking socket that has begun to connect, or even done so; once it is writable,
/// [`finish_connect`] says how it went. It does not wait for small segments to be acknowledged
/// (`TCP_NODELAY`), and no child process inherits it.
///
/// # Errors
/// What is known at once: no route, no descriptor or port left, and sometimes a refusal.
pub fn begin_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// How the connect ended that [`begin_connect`] began. The answer is given once.
///
/// # Errors
/// Why it failed; `WouldBlock` if it is still under way.
pub fn finish_connect(socket: impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(&socket);
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        peer => peer.map(drop),
    }
}

/// Whether an idle upstream connection is of no more use: it is closed, has failed, or has bytes
/// that nobody asked for (RFC 9112, section 6.3: they belong to no answer). Nothing is consumed but
/// an error.
pub fn stale(socket: impl AsFd) -> bool {
    let mut byte = [0_u8; 1];
    let peek = || recv(&socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    !matches!(retry_on_intr(peek), Err(Errno::AGAIN))
}

/// Whether a client's connection is beyond use: it was reset, or closed both ways. Nothing is consumed.
/// A client that has only finished sending (FIN) still gets its answer, and is not gone.
pub fn gone(socket: impl AsFd) -> bool {
    // Without an event to ask for, poll(2) tells of POLLERR and POLLHUP alone.
    let mut sockets = [PollFd::new(&socket, PollFlags::empty())];
    poll(&mut sockets, Some(&NO_WAIT)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Shutdown, TcpListener},
        time::Duration,
    };

    use super::*;

    /// Two ends of a connection; the first does not block.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let address = listener.local_addr().expect("it is bound");
        let here = begin_connect(address).expect("it listens");
        let (there, _) = listener.accept().expect("it connects");
        wait_for(&here, PollFlags::OUT);
        finish_connect(&here).expect("it was accepted");
        (here, there)
    }

    fn wait_for(socket: &TcpStream, events: PollFlags) -> PollFlags {
        let mut sockets = [PollFd::new(socket, events)];
        let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut sockets, Some(&patience)), Ok(1), "nothing happens");
        sockets[0].revents()
    }

    fn reset(socket: TcpStream) {
        SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(socket);
    }

    #[test]
    fn a_silent_connection_is_of_use() {
        let (here, _there) = pair();
        assert!(!stale(&here) && !gone(&here));
    }

    #[test]
    fn bytes_make_a_connection_stale_and_stay_in_it() {
        let (mut here, mut there) = pair();
        there.write_all(b"x").expect("an open connection");
        wait_for(&here, PollFlags::IN);
        assert!(stale(&here) && !gone(&here));
        let mut bytes = [0; 2];
        assert_eq!(here.read(&mut bytes).expect("a byte"), 1);
        assert!(!stale(&here));
    }

    #[test]
    fn fin_makes_a_connection_stale_but_a_client_is_not_gone() {
        let (here, there) = pair();
        there.shutdown(Shutdown::Write).expect("an open connection");
        wait_for(&here, PollFlags::IN);
        assert!(stale(&here) && !gone(&here));
        here.shutdown(Shutdown::Write).expect("an open connection");
        assert!(gone(&here), "closed both ways");
    }

    #[test]
    fn after_a_reset_a_client_is_gone_and_the_error_still_there() {
        let (mut here, there) = pair();
        reset(there);
        wait_for(&here, PollFlags::empty());
        assert!(gone(&here) && gone(&here));
        let error = here.read(&mut [0]).expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(gone(&here), "whoever has read the error");
        assert!(stale(&here));
    }

    #[test]
    fn a_reset_behind_unread_bytes_is_seen() {
        let (here, mut there) = pair();
        there.write_all(b"x").expect("an open connection");
        wait_for(&here, PollFlags::IN);
        reset(there);
        wait_for(&here, PollFlags::empty());
        assert!(gone(&here) && stale(&here));
    }

    #[test]
    fn a_connection_is_made_as_both_families_know_it() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = match TcpListener::bind(address) {
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => continue,
                listener => listener.expect("a port from the kernel"),
            };
            let stream = begin_connect(listener.local_addr().expect("bound")).expect("it listens");
            wait_for(&stream, PollFlags::OUT);
            finish_connect(&stream).expect("the backlog has room");
            assert!(stream.nodelay().expect("a socket"));
            let flags = rustix::fs::fcntl_getfl(&stream).expect("a descriptor");
            assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
            let flags = rustix::io::fcntl_getfd(&stream).expect("a descriptor");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn a_refusal_is_an_error_at_once_or_at_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let refused = begin_connect(address).and_then(|stream| {
            wait_for(&stream, PollFlags::OUT);
            finish_connect(&stream)
        });
        let error = refused.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_connect_under_way_has_not_ended() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let error = finish_connect(&socket).expect_err("not connected");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
