//! Load, made by `goose` users.
//!
//! `goose` starts the users, runs their transactions and joins them at the end. What it does not
//! do is the wire: every user owns one [`Connection`](crate::wire::Connection), and the figures
//! are kept in one [`recorder`], because `goose`'s own client and metrics cost several times what
//! the servers under test do. It can have figures of its own too, if it is asked to make something
//! of them ([`GooseOptions`]).
//!
//! A test has five parts that never overlap, and the [`conductor`] leads through them:
//!
//! | part | what happens | counted |
//! |---|---|---|
//! | ramp | every user connects, is answered once and then holds its connection | errors |
//! | warm-up | all users start together and ask, each as the [`Shape`] says | errors |
//! | window | the same | errors, answers, times |
//! | drain | what is under way is answered, and in an open loop what was due in the window still asked | errors, times |
//! | end | every wait is cut short, every user leaves | – |
//!
//! Before all that one request of each kind is made alone ([`probe()`]): a load of wrong answers
//! measures nothing. Users who get wrong ones later [back off](back_off).
//!
//! In a *closed loop* a user sends its next request when it has its answer, so the times are
//! service times. A slow server slows its users down; that is not the response time that
//! independent clients would see. For that there is the *open loop*: a [`schedule`] that no answer
//! delays, and a [`pacer`] that gives its requests to whoever is idle.
//!
//! One process is enough for most tests. Where it is not, several share one ([`crew`]).

mod attack;
mod back_off;
mod conductor;
mod crew;
mod established;
mod generator;
mod goose_options;
mod harvest;
mod member;
mod pacer;
mod probe;
mod recorder;
mod scenario;
mod schedule;
mod script;
mod shape;
mod summary;
mod user;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(crate) use goose_options::{GooseOptions, Refused};
pub(crate) use member::run as run_generator;
pub(crate) use probe::{is_there, probe};
pub(crate) use recorder::{Errors, Progress};
pub(crate) use scenario::{Scenario, Upstream};
pub(crate) use script::{BESIDE_NOBODY, Blocker, Script};
pub(crate) use shape::{Arrivals, MOST_A_SECOND, Shape};
pub(crate) use summary::{CLIENT_BOUND, Second, Summary, TimeKind};

use self::conductor::Lead;
use self::generator::Share;
use crate::wire::{Origin, SLOW_READER_BUFFER, ports};

/// How many source addresses users have who connect anew for each request: closed connections keep
/// their ports for a minute.
const CHURN_SOURCES: usize = 16;

/// One test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    /// What the users ask.
    pub(crate) script: Script,
    /// When they ask, and how.
    pub(crate) shape: Shape,
    /// How many users, each with a connection of its own.
    pub(crate) connections: usize,
    /// Over how long they begin to connect, one after the other.
    pub(crate) ramp: Duration,
    /// How long after that all of them may take to connect; then those start that did.
    pub(crate) connect_time_out: Duration,
    /// How long a single request may take.
    pub(crate) time_out: Duration,
    /// From the start to the opening of the window.
    pub(crate) warm_up: Duration,
    /// The length of the window.
    pub(crate) window: Duration,
    /// Where connections come from. If it says nothing, what they need is seen to.
    pub(crate) origin: Origin,
    /// How many processes make the load.
    pub(crate) generators: usize,
    /// What goose is told.
    pub(crate) goose: GooseOptions,
}

/// The parts of a test that take time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The users connect.
    Ramp,
    /// They ask, and nothing is timed.
    WarmUp,
    /// They ask, and every answer is timed.
    Window,
}

/// Somebody who looks on: now and then, and at the moments that matter. No request is under way
/// when the connections are held, nor when the load is drained. At all other moments it shares the
/// core with users who wait for answers, and what it takes is in their times.
pub(crate) trait Observer {
    /// Called all the time, several times a second; it must cost next to nothing.
    fn glance(&mut self, _part: Part, _progress: &Progress) {}
    /// Every user has been answered once and holds its connection.
    fn held(&mut self) {}
    /// The window opens.
    fn window_opens(&mut self) {}
    /// The window has closed.
    fn window_closed(&mut self) {}
    /// What was under way then is answered or given up, and the connections are still held.
    fn drained(&mut self) {}
}

/// A test that nobody looks on at.
impl Observer for () {}

/// Runs the test and returns when all users have left.
pub(crate) fn drive(load: Load, observer: &mut dyn Observer) -> anyhow::Result<Summary> {
    let load = load.equipped();
    let (shape, generators) = (load.shape, load.generators.clamp(1, load.connections));
    if generators > 1 {
        let (harvest, established) = crew::run(&load, generators, observer)?;
        return Ok(harvest.summary(shape, established));
    }
    let mut alone = Alone { observer, load: load.clone(), established: None };
    let harvest = generator::run(Share { load, generator: 0, generators }, &mut alone)?;
    let established = alone.established.unwrap_or(harvest.connected);
    Ok(harvest.summary(shape, established))
}

impl Load {
    /// With all that its shape and its number of connections ask for.
    fn equipped(mut self) -> Self {
        match self.shape {
            Shape::Churn => self.script = self.script.closing(),
            Shape::SlowRead { .. } => self.origin.receive_buffer = Some(SLOW_READER_BUFFER),
            _ => {}
        }
        let address = self.script.address().ip();
        if self.origin.sources.is_empty() && address.is_ipv4() && address.is_loopback() {
            // A search for the last free ports takes longer than all others.
            let wanted = self.connections.div_ceil((ports() / 4 * 3).max(1));
            let sources = if self.shape.holds_connections() { wanted } else { CHURN_SOURCES };
            if sources > 1 {
                self.origin.sources = Origin::loopback(sources.max(wanted));
            }
        }
        self
    }
}

/// A generator that is alone starts when it is ready.
struct Alone<'o> {
    observer: &'o mut dyn Observer,
    load: Load,
    established: Option<usize>,
}

impl Lead for Alone<'_> {
    fn glance(&mut self, part: Part, progress: &Progress) {
        self.observer.glance(part, progress);
    }

    fn held(&mut self, connected: usize) {
        if !self.load.goose.leads() {
            let address = self.load.script.address();
            self.established = Some(established::count(address, connected));
        }
        self.observer.held();
    }

    fn starts_at(&mut self) -> Option<Instant> {
        Some(Instant::now())
    }

    fn window_opens(&mut self) {
        self.observer.window_opens();
    }

    fn window_closed(&mut self) {
        self.observer.window_closed();
    }

    fn drained(&mut self) {
        self.observer.drained();
    }

    fn may_leave(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn load(connections: usize, shape: Shape, address: [u8; 4]) -> Load {
        Load {
            script: Scenario::Echo.script(SocketAddr::from((address, 80))),
            shape,
            connections,
            ramp: Duration::ZERO,
            connect_time_out: Duration::from_secs(1),
            time_out: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            window: Duration::from_secs(1),
            origin: Origin::default(),
            generators: 1,
            goose: GooseOptions::default(),
        }
    }

    /// A server with more to do than it can; how many requests it has not answered yet.
    fn overloaded() -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let under_way = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&under_way);
        let serve = move |mut stream: TcpStream, under_way: Arc<AtomicUsize>| {
            while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
                under_way.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(100));
                under_way.fetch_sub(1, Ordering::SeqCst);
                let sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                sent.expect("they wait for it");
            }
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let under_way = Arc::clone(&counter);
                thread::spawn(move || serve(stream, under_way));
            }
        });
        (address, under_way)
    }

    /// Sees how many requests are under way when there is time for a long look.
    struct LongLook {
        under_way: Arc<AtomicUsize>,
        seen: Vec<usize>,
    }

    impl Observer for LongLook {
        fn held(&mut self) {
            self.seen.push(self.under_way.load(Ordering::SeqCst));
        }

        fn drained(&mut self) {
            self.seen.push(self.under_way.load(Ordering::SeqCst));
        }
    }

    #[test]
    fn nobody_waits_for_an_answer_when_there_is_time_for_a_long_look() {
        let (address, under_way) = overloaded();
        let mut look = LongLook { under_way, seen: Vec::new() };
        let shape = Shape::Open { rate: 100, arrivals: Arrivals::Even };
        let time_out = Duration::from_mins(1);
        let script = Scenario::Echo.script(address);
        drive(Load { script, time_out, ..load(4, shape, [127, 0, 0, 1]) }, &mut look)
            .expect("it runs");
        assert_eq!(look.seen, [0, 0]);
    }

    #[test]
    fn where_ports_run_out_there_are_more_source_addresses() {
        let sources = |load: Load| load.equipped().origin.sources.len();
        let local = [127, 0, 0, 1];
        assert_eq!(sources(load(1_000, Shape::Closed, local)), 0, "the kernel chooses");
        assert_eq!(sources(load(2 * ports(), Shape::Closed, local)), 3);
        assert_eq!(sources(load(1, Shape::Churn, local)), CHURN_SOURCES);
        assert_eq!(sources(load(2 * ports(), Shape::Closed, [192, 0, 2, 1])), 0, "none to be had");
        let asked = Origin { sources: Origin::loopback(2), receive_buffer: None };
        let told = Load { origin: asked.clone(), ..load(1, Shape::Churn, local) };
        assert_eq!(told.equipped().origin, asked, "what was asked for is kept to");
    }
}
