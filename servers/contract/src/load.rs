//! Clients that keep asking until a server ends, and note what they were owed and did not get.
//!
//! Each asks in one of the ways in which a request can be on its way when a server is told to end:
//! as the next on its connection, as the first and last on a new one, or behind others that are not
//! yet answered.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::wire::{self, Fault};
use crate::{PATIENCE, eventually};

/// How long after the signal, or after it came, a connection that was not told otherwise may surely
/// still be used: half of the second of grace, for machines that are busy.
const SURELY: Duration = Duration::from_millis(500);

/// How many requests a client that asks ahead has under way.
const AHEAD: usize = 16;

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One request after the other on one connection.
    KeepAlive,
    /// Each request on a connection of its own.
    Churn,
    /// On one connection, before the requests that came before are answered.
    Pipelined,
}

/// Clients at work.
#[derive(Debug)]
#[must_use]
pub struct Load {
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<Unanswered>>>,
}

/// A request that was written whole and has no whole answer.
#[derive(Debug)]
struct Unanswered {
    manner: Manner,
    /// When its connection was there.
    connected: Instant,
    /// When its last byte was written.
    written: Instant,
    /// Whether an answer before it said that the connection ends.
    told: bool,
    why: String,
}

/// Why a client did not get what it asked for.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    Wire(#[from] Fault),
    #[error("the connection closed")]
    Closed,
    #[error("status {0}")]
    Status(u16),
    #[error("more than the last answer")]
    More,
}

impl Load {
    /// Has `each` clients ask in every manner.
    pub fn start(address: SocketAddr, each: usize) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let clients = [Manner::KeepAlive, Manner::Churn, Manner::Pipelined]
            .into_iter()
            .flat_map(|manner| std::iter::repeat_n(manner, each))
            .map(|manner| {
                let answered = Arc::clone(&answered);
                thread::spawn(move || ask(address, manner, &answered))
            })
            .collect();
        Self { answered, clients }
    }

    /// Waits until so many more requests have been answered.
    #[track_caller]
    pub fn answers(&self, more: u64) {
        let due = self.answered.load(Ordering::Relaxed) + more;
        eventually(&format!("{more} answers"), || {
            (self.answered.load(Ordering::Relaxed) >= due).then_some(())
        });
    }

    /// Waits until every client has come to its end, for a server that was told to end at
    /// `signalled`. What was lost, in words.
    pub fn lost(self, signalled: Instant) -> Vec<String> {
        self.clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client does not panic"))
            .filter(|request| request.was_owed(signalled))
            .map(|request| request.describe(signalled))
            .collect()
    }
}

impl Unanswered {
    /// Whether the server should have answered it.
    fn was_owed(&self, signalled: Instant) -> bool {
        let in_time = self.written <= signalled.max(self.connected) + SURELY;
        // Who is told that the connection ends may not ask any more; but may have asked before.
        if self.told { self.written <= signalled } else { in_time }
    }

    fn describe(&self, signalled: Instant) -> String {
        let Self { manner, told, why, .. } = self;
        let at = |time: Instant| match time.checked_duration_since(signalled) {
            Some(after) => format!("{after:?} after"),
            None => format!("{:?} before", signalled - time),
        };
        let (connected, written) = (at(self.connected), at(self.written));
        format!(
            "{manner:?}: connected {connected} and written {written} the signal, told {told}: {why}"
        )
    }
}

fn ask(address: SocketAddr, manner: Manner, answered: &AtomicU64) -> Vec<Unanswered> {
    match manner {
        Manner::KeepAlive => ask_ahead(address, manner, 1, answered).unwrap_or_default(),
        Manner::Pipelined => ask_ahead(address, manner, AHEAD, answered).unwrap_or_default(),
        Manner::Churn => loop {
            match ask_once(address, answered) {
                Ok(lost) if lost.is_empty() => {}
                Ok(lost) => return lost,
                // Nobody listens any more.
                Err(_) => return Vec::new(),
            }
        },
    }
}

/// Keeps so many requests under way until the connection ends.
fn ask_ahead(
    address: SocketAddr,
    manner: Manner,
    ahead: usize,
    answered: &AtomicU64,
) -> io::Result<Vec<Unanswered>> {
    let (mut stream, mut reader) = connect(address)?;
    let (connected, mut under_way) = (Instant::now(), VecDeque::new());
    let request = "POST /echo HTTP/1.1\r\nHost: load\r\nContent-Length: 5\r\n\r\nhello";
    let mut ask = |count: usize, under_way: &mut VecDeque<Instant>| {
        let written = stream.write_all(request.repeat(count).as_bytes()).is_ok();
        under_way.extend(std::iter::repeat_n(Instant::now(), if written { count } else { 0 }));
    };
    ask(ahead, &mut under_way);
    let (told, why) = loop {
        match answer(&mut reader) {
            Ok(told) => {
                answered.fetch_add(1, Ordering::Relaxed);
                under_way.pop_front();
                if told {
                    break (true, ends(&mut reader));
                }
                ask(1, &mut under_way);
            }
            Err(trouble) => break (false, trouble),
        }
    };
    let why = why.to_string();
    let lost = |written| Unanswered { manner, connected, written, told, why: why.clone() };
    Ok(under_way.into_iter().map(lost).collect())
}

/// Asks on a new connection. The error is that there is none to be had.
fn ask_once(address: SocketAddr, answered: &AtomicU64) -> io::Result<Vec<Unanswered>> {
    let (mut stream, mut reader) = connect(address)?;
    let connected = Instant::now();
    let sent =
        stream.write_all(b"GET /bytes/5 HTTP/1.1\r\nHost: load\r\nConnection: close\r\n\r\n");
    let written = Instant::now();
    let outcome = sent.map_err(|error| Fault::Failed("the request", error).into());
    match outcome.and_then(|()| answer(&mut reader)) {
        Ok(_) => {
            answered.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        }
        Err(trouble) => {
            let why = trouble.to_string();
            Ok(vec![Unanswered { manner: Manner::Churn, connected, written, told: false, why }])
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<(TcpStream, BufReader<TcpStream>)> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let reader = BufReader::new(stream.try_clone()?);
    Ok((stream, reader))
}

/// Reads an answer, which must be whole and good. Whether it says that it is the last.
fn answer(reader: &mut BufReader<TcpStream>) -> Result<bool, Trouble> {
    let head = wire::read_head(reader)?.ok_or(Trouble::Closed)?;
    let framing = head.framing("GET")?;
    wire::read_body(reader, framing)?;
    if head.status != 200 {
        return Err(Trouble::Status(head.status));
    }
    Ok(head.values("connection").contains(&"close"))
}

/// After the last answer there is nothing but the end.
fn ends(reader: &mut BufReader<TcpStream>) -> Trouble {
    match reader.read(&mut [0]) {
        Ok(1..) => Trouble::More,
        _ => Trouble::Closed,
    }
}
