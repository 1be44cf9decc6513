//! The listening socket: handed over by `LISTEN_FDS`, or our own.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use listenfd::ListenFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use thiserror::Error;

use crate::options::Options;

/// Connections that the kernel may hold for us; it cuts this to `net.core.somaxconn`, often 4096.
const BACKLOG: i32 = 4096;

/// A filter of packets (the kernel's documentation, networking/filter) that drops those with SYN.
const REFUSE_SYN: [SockFilter; 4] = [
    // The flags are byte 13 of the TCP header, and SYN is 2 among them (RFC 9293, section 3.1).
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x45, 0, 1, 2),
    // Keep nothing of it, or all.
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// A non-blocking listening socket.
#[derive(Debug)]
pub struct Listener {
    /// The socket. It stays non-blocking, for whoever shares it.
    pub socket: TcpListener,
    /// Whether it was handed over by `LISTEN_FDS`. Then its backlog isn't ours alone: whoever shares
    /// it serves what we leave.
    pub inherited: bool,
}

impl Listener {
    /// Lets nobody begin to connect from now on, while whoever has begun may still end that: their
    /// packets are dropped that ask for a connection, and [`close`](Self::close) finds nobody at the
    /// door once the others have come through. Whoever is dropped asks again, and is refused then.
    ///
    /// Without this, whoever came between the last `accept` and the close would be reset, with a
    /// request sent that nobody has read. A socket that was handed over goes on as it is.
    pub(crate) fn stop_inviting(&self) {
        if !self.inherited {
            // Where the system has no such filters, some may be reset.
            let _ = SockRef::from(&self.socket).attach_filter(&REFUSE_SYN);
        }
    }

    /// Refuses whoever comes from now on, whoever else holds the socket; what the backlog still
    /// holds is reset. A socket that was handed over goes on listening, for whoever shares it.
    pub fn close(&self) {
        if !self.inherited {
            // Fails only if it is closed already.
            let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
        }
    }
}

/// Why there is nothing to listen on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Something else listens there.
    #[error("cannot listen on {0}: address in use; stop what holds it, or choose another port")]
    InUse(SocketAddr),
    /// No interface has this address.
    #[error(
        "cannot listen on {0}: this machine has no such address; 0.0.0.0 stands for all it has"
    )]
    NoAddress(SocketAddr),
    /// A low port, and no right to it.
    #[error("cannot listen on {0}: not permitted; choose a port from 1024 on")]
    NotPermitted(SocketAddr),
    /// Any other failure.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
    /// `LISTEN_FDS` hands over something else.
    #[error("LISTEN_FDS hands over what is no listening TCP socket: {0}")]
    Inherited(io::Error),
    /// `LISTEN_FDS` hands over more than is served.
    #[error("LISTEN_FDS hands over {0} sockets; expected one")]
    Several(usize),
}

/// The socket that `LISTEN_FDS` hands over, or else one bound to `--listen`.
pub fn open(options: &Options) -> Result<Listener, ListenError> {
    if let Some(socket) = inherited()? {
        return Ok(Listener { socket, inherited: true });
    }
    Ok(Listener { socket: bind(options.listen)?, inherited: false })
}

/// A non-blocking socket that listens on `address`.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the old connections' TIME-WAIT to end.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NoAddress(address),
        io::ErrorKind::PermissionDenied => ListenError::NotPermitted(address),
        _ => ListenError::Other(address, error),
    })
}

/// Readies an accepted socket, of whichever crate: no Nagle, since every write is a whole piece of an
/// answer.
///
/// Fails if the client has gone already, which concerns that connection only.
pub fn prepare(stream: &impl AsFd) -> io::Result<()> {
    SockRef::from(stream).set_tcp_nodelay(true)
}

/// How many bytes have arrived that nobody has read. None, if the socket is broken.
pub fn unread(stream: &impl AsFd) -> u64 {
    rustix::io::ioctl_fionread(stream).unwrap_or(0)
}

/// Whether the socket takes more. Also, if it is broken: who writes then learns that.
pub fn has_room(stream: &impl AsFd) -> bool {
    let mut sockets = [PollFd::new(stream, PollFlags::OUT)];
    matches!(poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

/// Has the close of a socket be a reset: what was sent on it must not look complete.
pub fn abort(stream: &impl AsFd) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Does so for a socket that a panic closes, and nothing for any other.
pub fn abort_if_panicking(stream: &impl AsFd) {
    if thread::panicking() {
        // Fails only where the connection is gone.
        let _ = abort(stream);
    }
}

fn inherited() -> Result<Option<TcpListener>, ListenError> {
    let mut sockets = ListenFd::from_env();
    match sockets.len() {
        0 => return Ok(None),
        1 => {}
        several => return Err(ListenError::Several(several)),
    }
    let socket = sockets.take_tcp_listener(0).map_err(ListenError::Inherited)?;
    if let Some(socket) = &socket {
        let listens = SockRef::from(socket).is_listener().map_err(ListenError::Inherited)?;
        if !listens {
            return Err(ListenError::Inherited(io::ErrorKind::InvalidInput.into()));
        }
        socket.set_nonblocking(true).map_err(ListenError::Inherited)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{IpAddr, Ipv4Addr, TcpStream},
    };

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn a_bound_socket_does_not_block() {
        let socket = bind(ANY_PORT).expect("a port from the kernel");
        let flags = fcntl_getfl(&socket).expect("an open socket");
        assert!(flags.contains(OFlags::NONBLOCK), "{flags:?}");
    }

    #[test]
    fn a_closed_listener_refuses_unless_it_was_handed_over() {
        let knock = |inherited| {
            let listener = Listener { socket: bind(ANY_PORT).expect("a port"), inherited };
            let address = listener.socket.local_addr().expect("a bound socket");
            listener.close();
            TcpStream::connect(address).map_err(|error| error.kind())
        };
        assert_eq!(knock(false).expect_err("closed"), io::ErrorKind::ConnectionRefused);
        assert!(knock(true).is_ok());
    }

    #[test]
    fn who_has_connected_comes_through_and_nobody_else() {
        let listener = Listener { socket: bind(ANY_PORT).expect("a port"), inherited: false };
        let address = listener.socket.local_addr().expect("a bound socket");
        let mut early = TcpStream::connect(address).expect("it listens");
        listener.stop_inviting();
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(50));
        assert_eq!(knock().expect_err("dropped").kind(), io::ErrorKind::TimedOut);
        early.write_all(b"x").expect("it is connected");
        let (mut accepted, _) = listener.socket.accept().expect("it waits");
        accepted.set_nonblocking(false).expect("a socket");
        accepted.read_exact(&mut [0]).expect("it has sent something");
        listener.close();
        accepted.write_all(b"y").expect("it is connected");
        early.read_exact(&mut [0]).expect("it was sent something");
        assert_eq!(knock().expect_err("closed").kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_taken_address_is_named_with_what_to_do() {
        let holder = bind(ANY_PORT).expect("a port from the kernel");
        let address = holder.local_addr().expect("a bound socket");
        let error = bind(address).expect_err("it is taken").to_string();
        let expected = format!("cannot listen on {address}: address in use; ");
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn an_address_of_elsewhere_is_refused() {
        let elsewhere = "192.0.2.1:0".parse().expect("an address for documentation");
        assert!(matches!(bind(elsewhere), Err(ListenError::NoAddress(_))));
    }

    #[test]
    fn a_socket_that_nobody_reads_has_no_room_in_the_end() {
        let socket = bind(ANY_PORT).expect("a port from the kernel");
        let address = socket.local_addr().expect("bound");
        let mut client = TcpStream::connect(address).expect("it listens");
        let (mut server, _) = socket.accept().expect("it waits");
        assert_eq!((unread(&server), has_room(&client)), (0, true));
        client.set_nonblocking(true).expect("a socket");
        while client.write(&[0; 4096]).is_ok() {}
        assert!(!has_room(&client) && unread(&server) > 0);
        server.set_nonblocking(true).expect("a socket");
        while !has_room(&client) {
            let _ = server.read(&mut [0; 4096]);
        }
    }

    #[test]
    fn accepted_sockets_send_at_once() {
        let socket = bind(ANY_PORT).expect("a port from the kernel");
        let client = TcpStream::connect(socket.local_addr().expect("bound")).expect("it listens");
        assert!(!client.nodelay().expect("a socket"));
        prepare(&client).expect("a connected socket");
        assert!(client.nodelay().expect("a socket"));
    }
}
