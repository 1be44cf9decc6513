//! Where connections come from, and with how much room to receive.
//!
//! A source address has some 28,000 ports to one server. Where the server is on this machine's
//! loopback there are millions of source addresses, 127.0.0.1 and up, so ports are no limit; to a
//! server elsewhere they are, and it is a fault by that name.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpSocket, TcpStream};

/// What the kernel says where nobody has changed it.
const USUAL_PORTS: usize = 28_232;

/// How connections are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The addresses that connections come from, in turn. None leaves it to the kernel.
    pub(crate) sources: Vec<IpAddr>,
    /// How many bytes the kernel may keep that nobody has read yet, about. None leaves it to the
    /// kernel, which takes in megabytes for a reader that sleeps.
    pub(crate) receive_buffer: Option<u32>,
}

impl Origin {
    /// So many of this machine's loopback addresses, from 127.0.0.1 on.
    pub(crate) fn loopback(count: usize) -> Vec<IpAddr> {
        let first = u32::from(Ipv4Addr::LOCALHOST);
        (first..).take(count).map(|address| IpAddr::from(Ipv4Addr::from(address))).collect()
    }

    /// Starts to connect; `number` says which source address it is the turn of.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        number: usize,
    ) -> io::Result<TcpStream> {
        if self.sources.is_empty() && self.receive_buffer.is_none() {
            return TcpStream::connect(address).await;
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if !self.sources.is_empty() {
            // The port is chosen when it is known where to: otherwise one that is in use to any
            // server at all would be in use.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(SocketAddr::new(self.sources[number % self.sources.len()], 0))?;
        }
        socket.connect(address).await
    }
}

/// How many connections a source address can have to one server.
pub(crate) fn ports() -> usize {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    range.ok().and_then(|text| count(&text)).unwrap_or(USUAL_PORTS)
}

/// Of a line such as `32768 60999`.
fn count(range: &str) -> Option<usize> {
    let mut ends = range.split_whitespace().map(str::parse);
    let (first, last): (usize, usize) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (last + 1).checked_sub(first)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_counted_with_both_ends() {
        assert_eq!(count("32768\t60999\n"), Some(USUAL_PORTS));
        assert_eq!(count("5 4"), Some(0));
        assert_eq!(count("a b"), None);
        assert!(ports() > 0);
    }

    #[test]
    fn connections_come_from_each_source_in_turn() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let origin = Origin { sources: Origin::loopback(3), receive_buffer: Some(4096) };
        let mut from = Vec::new();
        for number in 0..4 {
            let stream = runtime.block_on(origin.connect(address, number)).expect("a connection");
            assert!(listener.accept().is_ok());
            from.push(stream.local_addr().expect("an address").ip().to_string());
        }
        assert_eq!(from, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    }
}
