//! The kernel's own count of connections.

use std::collections::HashSet;
use std::net::SocketAddr;

/// How often the kernel is asked for its count.
const TRIES: usize = 5;

/// How many connections to `address` the kernel calls established. Its table is read piece by
/// piece while other sockets come and go, so it may show one twice or not at all: the same
/// socket counts once, and a count that differs from the `expected` one is taken again.
pub(super) fn count(address: SocketAddr, expected: usize) -> usize {
    let mut count = 0;
    for _ in 0..TRIES {
        let table = if address.is_ipv4() { procfs::net::tcp() } else { procfs::net::tcp6() };
        let sockets: HashSet<SocketAddr> = table
            .into_iter()
            .flatten()
            .filter(|entry| entry.remote_address == address)
            .filter(|entry| entry.state == procfs::net::TcpState::Established)
            .map(|entry| entry.local_address)
            .collect();
        count = sockets.len();
        if count == expected {
            break;
        }
    }
    count
}
