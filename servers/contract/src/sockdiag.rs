//! What the kernel knows of the far end of a connection on this machine: `sock_diag(7)`.
//!
//! A request that was written in pieces need not have been read in pieces. Whether the server has
//! taken what was sent can't be seen from the client's socket, but the kernel tells of any socket
//! how many bytes have arrived and how many of them wait to be read.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// A line to the kernel.
#[derive(Debug)]
pub(crate) struct SocketDiagnosis {
    socket: OwnedFd,
}

/// What the server has done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FarEnd {
    /// It has read so many bytes, and may send more.
    Open { taken: u64 },
    /// It has said its last word.
    Ended,
}

// From <linux/sock_diag.h>, <linux/inet_diag.h>, <linux/netlink.h> and <linux/tcp.h>.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;
const TCP_ESTABLISHED: u8 = 1;
const TCP_CLOSE_WAIT: u8 = 8;
const INET_DIAG_INFO: u16 = 2;
/// Of `nlmsghdr`, which begins every message.
const HEADER: usize = 16;
/// Of `inet_diag_msg`, which the attributes follow.
const ANSWER: usize = 72;

impl SocketDiagnosis {
    /// Opens it; needs no privilege, but a kernel with `tcp_diag`.
    pub(crate) fn open() -> io::Result<Self> {
        let kind = SocketType::DGRAM;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, protocol)?;
        let kernel = Self { socket };
        // A kernel without it says of every socket that there is none.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        match kernel.far_end(&TcpStream::connect(listener.local_addr()?)?)? {
            FarEnd::Open { .. } => Ok(kernel),
            FarEnd::Ended => Err(io::Error::other("this kernel has no tcp_diag")),
        }
    }

    /// What has become of the other end of `stream`, which must be IPv4 and on this machine.
    pub(crate) fn far_end(&self, stream: &TcpStream) -> io::Result<FarEnd> {
        let own = match stream.peer_addr() {
            Ok(address) => v4(address)?,
            // A reset has arrived.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(FarEnd::Ended),
            Err(error) => return Err(error),
        };
        let question = question(own, v4(stream.local_addr()?)?);
        send(&self.socket, &question, SendFlags::empty())?;
        let mut answer = [0; 4096];
        let (length, _) = recv(&self.socket, &mut answer, RecvFlags::empty())?;
        read(&answer[..length])
    }
}

/// `nlmsghdr` and `inet_diag_req_v2`: the socket at `own`, connected to `peer`.
fn question(own: SocketAddrV4, peer: SocketAddrV4) -> Vec<u8> {
    let mut body = vec![AF_INET, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0];
    body.extend(u32::MAX.to_ne_bytes()); // in any state
    body.extend(own.port().to_be_bytes());
    body.extend(peer.port().to_be_bytes());
    for address in [own, peer] {
        body.extend(address.ip().octets());
        body.extend([0; 12]);
    }
    body.extend([0; 4]); // on any interface
    body.extend([0xff; 8]); // whatever its cookie
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(u32::try_from(HEADER + body.len()).unwrap_or(0).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Reads `nlmsghdr` and either `nlmsgerr` or `inet_diag_msg` with its attributes.
fn read(message: &[u8]) -> io::Result<FarEnd> {
    if u16_at(message, 4)? == NLMSG_ERROR {
        let error = u32_at(message, HEADER)?.cast_signed();
        let gone = -error == Errno::NOENT.raw_os_error();
        return if gone { Ok(FarEnd::Ended) } else { Err(io::Error::from_raw_os_error(-error)) };
    }
    let answer = message.get(HEADER..).unwrap_or_default();
    let state = answer.get(1).copied().unwrap_or(0);
    if ![TCP_ESTABLISHED, TCP_CLOSE_WAIT].contains(&state) {
        return Ok(FarEnd::Ended);
    }
    let waiting = u64::from(u32_at(answer, 56)?);
    let mut attributes = answer.get(ANSWER..).unwrap_or_default();
    while let Ok(length) = u16_at(attributes, 0) {
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            // `tcpi_bytes_received` of `tcp_info`, after the attribute's own header.
            let received = u64::from(u32_at(attributes, 4 + 128)?)
                | u64::from(u32_at(attributes, 4 + 132)?) << 32;
            return Ok(FarEnd::Open { taken: received.saturating_sub(waiting) });
        }
        let padded = usize::from(length.max(4)).next_multiple_of(4);
        attributes = attributes.get(padded..).unwrap_or_default();
    }
    Err(io::Error::other("the kernel says nothing of how much has arrived"))
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map(|bytes| u16::from_ne_bytes(*bytes)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::Error::other("only IPv4 is asked about")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;

    use super::*;

    #[test]
    fn what_was_read_is_told_from_what_was_sent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let kernel = SocketDiagnosis::open().unwrap();
        let taken = || kernel.far_end(&near).unwrap();
        assert_eq!(taken(), FarEnd::Open { taken: 0 });
        (&near).write_all(b"abc").unwrap();
        assert_eq!(taken(), FarEnd::Open { taken: 0 });
        far.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(taken(), FarEnd::Open { taken: 2 });
        far.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(taken(), FarEnd::Open { taken: 3 });
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(taken(), FarEnd::Ended);
        near.shutdown(Shutdown::Both).unwrap();
    }
}
