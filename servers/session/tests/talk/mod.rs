//! A session's world, client and clock, all simulated.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]
#![allow(dead_code, reason = "no test needs all of it")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use http::StatusCode;
use service::{Failure, Mode, Route, Service, Upstream};
use session::{Buffers, Context, Environment, Identity, Session, Step, Timeouts};

pub(crate) const HEADER: Duration = Duration::from_secs(10);
pub(crate) const IDLE: Duration = Duration::from_secs(75);
pub(crate) const BODY: Duration = Duration::from_secs(30);
pub(crate) const WRITE: Duration = Duration::from_secs(20);
pub(crate) const WAIT: Duration = Duration::from_secs(2);
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
pub(crate) const ANSWER: Duration = Duration::from_secs(25);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) answered: Mutex<Vec<(Route, u16, Duration)>>,
    pub(crate) in_flight: AtomicI64,
    pub(crate) received: AtomicI64,
    pub(crate) sent: AtomicI64,
    pub(crate) retries: AtomicI64,
    pub(crate) failures: Mutex<Vec<Failure>>,
    pub(crate) clients_gone: AtomicI64,
}

impl service::Process for World {
    fn draining(&self) -> bool {
        false
    }

    fn metrics(&self) -> String {
        "metrics".to_owned()
    }
}

impl Environment for World {
    fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    fn answered(&self, route: Route, status: StatusCode, elapsed: Duration) {
        self.answered.lock().unwrap().push((route, status.as_u16(), elapsed));
    }

    fn moved(&self, received: u64, sent: u64) {
        self.received.fetch_add(received.cast_signed(), Ordering::Relaxed);
        self.sent.fetch_add(sent.cast_signed(), Ordering::Relaxed);
    }

    fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn upstream_failed(&self, failure: Failure) {
        self.failures.lock().unwrap().push(failure);
    }

    fn client_gone(&self) {
        self.clients_gone.fetch_add(1, Ordering::Relaxed);
    }
}

/// A client and a clock.
pub(crate) struct Talk {
    pub(crate) world: Arc<World>,
    pub(crate) session: Session,
    pub(crate) buffers: Buffers,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<u8>,
}

impl Talk {
    pub(crate) fn new() -> Self {
        Self::with_limit(None)
    }

    pub(crate) fn with_limit(max_body_bytes: Option<u64>) -> Self {
        let world = Arc::new(World::default());
        let process = Arc::clone(&world) as Arc<dyn service::Process>;
        let consumed = max_body_bytes.unwrap_or(u64::MAX);
        let upstream =
            Upstream { authority: http::uri::Authority::from_static("up"), trust_forwarded: false };
        let context = Arc::new(Context {
            service: Service::new(
                "test",
                Mode::Service,
                Some(upstream),
                consumed,
                max_body_bytes,
                process,
            ),
            limits: http1::Limits::default(),
            timeouts: Timeouts {
                header: HEADER,
                idle: IDLE,
                body: BODY,
                write: WRITE,
                upstream_wait: WAIT,
                upstream_connect: CONNECT,
                upstream: ANSWER,
            },
            environment: Arc::clone(&world) as Arc<dyn Environment>,
        });
        let now = Instant::now();
        let origin = SocketAddr::from(([192, 0, 2, 1], 4000));
        let identity = Identity { origin, number: 7, worker: ("worker", 3) };
        let buffers = Buffers::new(context.limits);
        Self {
            world,
            session: Session::new(context, identity, now),
            buffers,
            now,
            sent: Vec::new(),
        }
    }

    /// Takes steps, writing what is to be written, until something else must be waited for.
    pub(crate) fn settle(&mut self) -> Step {
        loop {
            match self.session.step(&mut self.buffers, self.now) {
                Step::Write => {
                    let count = self.buffers.output.write_to(&mut self.sent).unwrap();
                    assert!(count > 0, "a step that writes has something to write");
                    self.session.sent(count);
                }
                step => return step,
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Step {
        let bytes = bytes.as_ref();
        assert_eq!(
            self.buffers.input.extend(bytes),
            bytes.len(),
            "the test sends too much at once"
        );
        self.session.received(bytes.len());
        self.settle()
    }

    pub(crate) fn end(&mut self) -> Step {
        self.session.end_of_input();
        self.settle()
    }

    pub(crate) fn sleep(&mut self, time: Duration) -> Step {
        self.now += time;
        self.session.timed_out(&mut self.buffers, self.now);
        self.settle()
    }

    /// What was sent since the last look, without the fields that every answer has.
    pub(crate) fn answer(&mut self) -> String {
        let sent = String::from_utf8(std::mem::take(&mut self.sent)).unwrap();
        sent.replace("Server: five-ways/test\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")
    }

    pub(crate) fn in_flight(&self) -> i64 {
        self.world.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.session.deadline() - self.now
    }
}
