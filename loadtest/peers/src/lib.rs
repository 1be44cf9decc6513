//! What the peer programs share: where to listen, and how to say so.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::{env, io, process};

/// What every peer answers with.
pub const HELLO: &str = "Hello, world!";

/// The address of `--listen ADDR`, or of a bare first argument; else a free port of the loopback.
///
/// Anything else on the command line ends the program with one line and exit code 2.
#[must_use]
pub fn listen_address() -> SocketAddr {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--listen");
    let Some(text) = arguments.next() else {
        return SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    };
    text.parse().unwrap_or_else(|_| {
        eprintln!("`{text}` is no address to listen on: use --listen IP:PORT, as 127.0.0.1:0");
        process::exit(2)
    })
}

/// A listener on `address`, announced.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    announce(listener.local_addr()?);
    Ok(listener)
}

/// Says on stderr where the program listens, as the servers do: `address=IP:PORT`.
pub fn announce(address: SocketAddr) {
    eprintln!("listening address={address}");
}
