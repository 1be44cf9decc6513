//! The floor: a canned answer to whatever comes in.
//!
//! One event loop with `epoll`, level-triggered, one read and one write a request, nothing
//! parsed. What a server costs above this is what its model and its codec cost; what a generator
//! makes against this is the most it can make at all. It is right only for requests without a
//! body that arrive in one piece, which is what `echo` sends.
//!
//! It is also the upstream of the scenarios that forward: for all backends the same, none of the
//! five, and never what holds them back. For that its answer can have a body, and a delay. The
//! delay costs nothing either: it is the same for every answer, so those that wait stand in line.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use tracing::info;

use crate::options::FloorOptions;

/// The listener's place among the connections' numbers, which start after it.
const LISTENER: u64 = 0;
/// As many as the servers have waiting to be accepted.
const BACKLOG: i32 = 4096;
const READ_BYTES: usize = 16 * 1024;
const EVENTS: usize = 1024;

/// Listens, says where, and answers until the process is told to end.
pub(crate) fn run(options: &FloorOptions, open_files: u64) -> anyhow::Result<()> {
    let address = options.listen;
    let listener =
        TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
    listener.set_nonblocking(true)?;
    // The standard library asks for a hundred: a thousand that come at once would try again after a
    // second, and what is measured then is that.
    rustix::net::listen(&listener, BACKLOG)?;
    // The line that every server of the comparison starts with.
    let (address, version) = (listener.local_addr()?, env!("CARGO_PKG_VERSION"));
    let floor = Floor::new(listener, answer(options.bytes), options.delay)?;
    let max_connections = open_files.saturating_sub(taken()?);
    let bounded_by = format!("RLIMIT_NOFILE {open_files}");
    info!(backend = "floor", version, %address, workers = 1, max_connections, bounded_by, "listening");
    floor.run()
}

/// How many descriptors are open already, but for the one that counts them.
fn taken() -> anyhow::Result<u64> {
    Ok(fs::read_dir("/proc/self/fd").context("can't count descriptors")?.count() as u64 - 1)
}

/// The body of a canned answer of that length. No two neighbours are alike, so that a piece lost
/// or moved is seen.
pub(crate) fn body(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nServer: floor\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), body(length)].concat()
}

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    /// By numbers that are never used again: an answer that is due to a connection that has
    /// closed must not go to the next one with its descriptor.
    connections: HashMap<u64, TcpStream>,
    accepted: u64,
    answer: Vec<u8>,
    delay: Duration,
    /// When an answer is due, and to which connection; the first in is the first out.
    due: VecDeque<(Instant, u64)>,
}

impl Floor {
    fn new(listener: TcpListener, answer: Vec<u8>, delay: Duration) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let (connections, due) = (HashMap::new(), VecDeque::new());
        Ok(Self { epoll, listener, connections, accepted: LISTENER, answer, delay, due })
    }

    fn run(mut self) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = [0; READ_BYTES];
        loop {
            events.clear();
            let until = self.until_due();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), until.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("can't wait for connections"),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    connection => self.read(connection, &mut buffer),
                }
            }
            self.answer_due();
        }
    }

    /// Accepts one connection; level-triggered, so the next one is announced again.
    fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        self.accepted += 1;
        let number = EventData::new_u64(self.accepted);
        if ready.is_ok() && epoll::add(&self.epoll, &stream, number, EventFlags::IN).is_ok() {
            self.connections.insert(self.accepted, stream);
        }
    }

    /// Whatever a read brings is a request.
    fn read(&mut self, connection: u64, buffer: &mut [u8]) {
        let Some(stream) = self.connections.get_mut(&connection) else { return };
        match stream.read(buffer) {
            Ok(0) => drop(self.connections.remove(&connection)),
            Ok(_) if self.delay.is_zero() => self.answer(connection),
            Ok(_) => self.due.push_back((Instant::now() + self.delay, connection)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => drop(self.connections.remove(&connection)),
        }
    }

    fn answer(&mut self, connection: u64) {
        let Some(stream) = self.connections.get_mut(&connection) else { return };
        if stream.write_all(&self.answer).is_err() {
            self.connections.remove(&connection);
        }
    }

    fn answer_due(&mut self) {
        while let Some(&(due, connection)) = self.due.front() {
            if Instant::now() < due {
                return;
            }
            self.due.pop_front();
            self.answer(connection);
        }
    }

    /// How long to wait for events; without end if no answer is due.
    fn until_due(&self) -> Option<Timespec> {
        let (due, _) = self.due.front()?;
        due.saturating_duration_since(Instant::now()).try_into().ok()
    }
}
