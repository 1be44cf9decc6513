//! Leads all users of a test through its parts.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use goose::is_killswitch_triggered;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Errors, Recorder, Shared};
use crate::stats::Percentiles;

/// How often an interrupt by the terminal is looked for, and an observer may glance.
const GLANCE: Duration = Duration::from_millis(50);

/// How often the kernel is asked for its count.
const ESTABLISHED_TRIES: usize = 5;

/// The part of its core from which on the generator holds a test back.
pub(crate) const CLIENT_BOUND: f64 = 0.9;

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
/// when the connections are held, and none is counted any more when the window has closed.
pub(crate) trait Observer {
    /// Called all the time, several times a second; it must cost next to nothing.
    fn glance(&mut self, _part: Part, _figures: &Recorder) {}
    /// Every user has been answered once and holds its connection.
    fn held(&mut self) {}
    /// The window opens.
    fn window_opens(&mut self) {}
    /// The window has closed.
    fn window_closed(&mut self) {}
}

/// A test that nobody looks on at.
impl Observer for () {}

/// What a test found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Users that had been answered rightly when all started.
    pub(crate) connected: usize,
    /// Their connections that were open then, by the kernel's own count.
    pub(crate) established: usize,
    /// How long the users took to connect, in seconds.
    pub(crate) ramp_seconds: f64,
    /// The length of the window, in seconds.
    pub(crate) window_seconds: f64,
    /// Right answers in the window.
    pub(crate) requests: u64,
    /// Right answers since the start, warm-up included.
    pub(crate) requests_since_start: u64,
    /// Bytes of those answers, heads and bodies.
    pub(crate) bytes_read: u64,
    /// From a request's first byte out to its answer's last byte in, in microseconds.
    pub(crate) service_time_us: Percentiles,
    /// Errors by kind, over the whole test.
    pub(crate) errors: Errors,
    /// Users who had lost the server when the window closed: their last two tries or more got no
    /// answer at all.
    pub(crate) lost: usize,
    /// The part of one core that the generator used in the window, 1 being all of it.
    pub(crate) generator_utilisation: f64,
    /// Whether an interrupt ended the test early.
    pub(crate) interrupted: bool,
}

impl Summary {
    /// Right answers a second.
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.window_seconds
    }

    /// Whether the generator itself was what held the test back.
    pub(crate) fn client_bound(&self) -> bool {
        self.generator_utilisation > CLIENT_BOUND
    }
}

/// Runs beside the users; returns when the window has closed and all have been told to leave.
pub(super) async fn conduct(shared: &Shared, observer: &mut dyn Observer) -> Summary {
    let began = Instant::now();
    let everyone = shared.all_connected.notified();
    let everyone = tokio::time::timeout(shared.load.connect_time_out, everyone);
    until(everyone, || observer.glance(Part::Ramp, &shared.recorder)).await;
    let ramp_seconds = began.elapsed().as_secs_f64();
    let connected = shared.recorder.count_connected();
    let established = count_established(shared.load.exchange.address, connected);
    observer.held();

    shared.start.raise();
    if connected > 0 {
        let warm_up = tokio::time::sleep(shared.load.warm_up);
        until(warm_up, || observer.glance(Part::WarmUp, &shared.recorder)).await;
    }
    shared.recorder.open_window();
    observer.window_opens();
    let (opened, own_cpu) = (Instant::now(), cpu_time());
    if connected > 0 {
        let window = tokio::time::sleep(shared.load.window);
        until(window, || observer.glance(Part::Window, &shared.recorder)).await;
    }
    shared.recorder.close_window();
    let window = opened.elapsed();
    let own_cpu = cpu_time().saturating_sub(own_cpu);
    observer.window_closed();
    shared.over.raise();

    let (requests, bytes_read, service_time_us) = shared.recorder.window();
    Summary {
        connected,
        established,
        ramp_seconds,
        window_seconds: window.as_secs_f64(),
        requests,
        requests_since_start: shared.recorder.answered_since_start(),
        bytes_read,
        service_time_us,
        errors: shared.recorder.errors(),
        lost: shared.recorder.count_lost(),
        generator_utilisation: if connected > 0 {
            own_cpu.as_secs_f64() / window.as_secs_f64()
        } else {
            0.0
        },
        interrupted: is_killswitch_triggered(),
    }
}

/// Waits for `event`, or for an interrupt, which goose catches, and calls `glance` meanwhile.
async fn until<T>(event: impl Future<Output = T>, mut glance: impl FnMut()) {
    let interrupted = async {
        while !is_killswitch_triggered() {
            glance();
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::select! {
        _ = event => {}
        () = interrupted => {}
    }
}

/// The user and system time of this process so far.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// How many connections to `address` the kernel calls established. Its table is read piece by
/// piece while other sockets come and go, so it may show one twice or not at all: the same
/// socket counts once, and a count that differs from the `expected` one is taken again.
fn count_established(address: SocketAddr, expected: usize) -> usize {
    let mut count = 0;
    for _ in 0..ESTABLISHED_TRIES {
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
