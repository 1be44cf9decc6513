//! The floor: a canned answer to whatever comes in.
//!
//! One event loop with `epoll`, level-triggered, one read and one write a request, nothing
//! parsed. What a server costs above this is what its model and its codec cost; what a generator
//! makes against this is the most it can make at all. It is right only for requests without a
//! body that arrive in one piece, which is what `echo` sends.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use tracing::info;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: floor\r\nContent-Length: 0\r\n\r\n";
const READ_BYTES: usize = 16 * 1024;
const EVENTS: usize = 1024;

/// Listens, says where, and answers until the process is told to end.
pub(crate) fn run(address: SocketAddr) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
    listener.set_nonblocking(true)?;
    // The line that every server of the comparison starts with.
    let (address, version) = (listener.local_addr()?, env!("CARGO_PKG_VERSION"));
    info!(backend = "floor", version, %address, workers = 1, "listening");
    Floor::new(listener)?.run()
}

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: HashMap<u64, TcpStream>,
}

impl Floor {
    fn new(listener: TcpListener) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, key(&listener), EventFlags::IN)?;
        Ok(Self { epoll, listener, connections: HashMap::new() })
    }

    fn run(mut self) -> anyhow::Result<()> {
        let listener = key(&self.listener).u64();
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = [0; READ_BYTES];
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("can't wait for connections"),
            }
            for event in &events {
                let data = event.data;
                if data.u64() == listener {
                    self.accept();
                } else {
                    self.answer(data.u64(), &mut buffer);
                }
            }
        }
    }

    /// Accepts one connection; level-triggered, so the next one is announced again.
    fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        let key = key(&stream);
        if ready.is_ok() && epoll::add(&self.epoll, &stream, key, EventFlags::IN).is_ok() {
            self.connections.insert(key.u64(), stream);
        }
    }

    fn answer(&mut self, key: u64, buffer: &mut [u8]) {
        let Some(stream) = self.connections.get_mut(&key) else { return };
        let answered = match stream.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => stream.write_all(ANSWER),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        };
        if answered.is_err() {
            self.connections.remove(&key);
        }
    }
}

/// An open descriptor's number tells it from every other open one.
fn key(socket: &impl AsRawFd) -> EventData {
    EventData::new_u64(u64::try_from(socket.as_raw_fd()).unwrap_or(u64::MAX))
}
