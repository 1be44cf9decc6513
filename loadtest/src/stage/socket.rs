//! The listening socket that outlives every backend.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockFilter, SockRef};

/// Connections that the kernel may hold for whoever accepts: as many as the servers have it hold.
const BACKLOG: i32 = 4096;

/// A filter of packets (the kernel's documentation, networking/filter) that drops those with SYN: bit
/// 2 of byte 13 of the TCP header (RFC 9293, section 3.1).
const REFUSE_SYN: [SockFilter; 4] = [
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x45, 0, 1, 2),
    // Keep nothing of it, or all.
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// A socket that listens, for others to accept from. It does not block, whoever shares it.
#[derive(Debug)]
pub(super) struct Socket {
    listener: TcpListener,
    address: SocketAddr,
}

impl Socket {
    /// Listens.
    ///
    /// # Errors
    /// If the address can't be had.
    pub(super) fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A descriptor of the same socket, for a backend.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone().map(OwnedFd::from)
    }

    /// Lets nobody begin to connect from now on, while whoever has begun may still end that. Whoever
    /// is dropped asks again, and is refused once nobody holds the socket any more.
    ///
    /// # Errors
    /// Where the system has no such filters.
    pub(super) fn stop_inviting(&self) -> io::Result<()> {
        SockRef::from(&self.listener).attach_filter(&REFUSE_SYN)
    }

    /// Whether all who have connected were accepted.
    pub(super) fn is_empty(&self) -> bool {
        let mut sockets = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_has_connected_is_seen_and_nobody_else_comes() {
        let socket = Socket::listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        assert!(socket.is_empty());
        let _early = TcpStream::connect(socket.address()).expect("it listens");
        assert!(!socket.is_empty());
        socket.stop_inviting().expect("a filter");
        let late = TcpStream::connect_timeout(&socket.address(), Duration::from_millis(50));
        assert_eq!(late.expect_err("dropped").kind(), io::ErrorKind::TimedOut);
        let backend = TcpListener::from(socket.share().expect("a descriptor"));
        backend.accept().expect("the early one");
        assert!(socket.is_empty());
        let nobody = backend.accept().expect_err("it does not block");
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    }
}
