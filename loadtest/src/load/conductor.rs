//! Leads the users of one generator through the parts of a test.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use goose::trigger_killswitch;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;
use tracing::debug;

use super::generator::Shared;
use super::harvest::Harvest;
use super::pacer::Plan;
use super::{Part, Progress};

/// How often an interrupt by the terminal is looked for, and an observer may glance.
const GLANCE: Duration = Duration::from_millis(50);
/// How often it is looked whether the last answer has come, or the start may be.
const LOOK: Duration = Duration::from_millis(5);
/// What requests are counted as that were under way or due and never answered.
const UNANSWERED: &str = "unanswered";

/// Whom a conductor obeys: it says when to start, and is told of the moments that matter.
pub(super) trait Lead {
    /// Called all the time, several times a second; it must cost next to nothing.
    fn glance(&mut self, part: Part, progress: &Progress);
    /// So many users have been answered once and hold their connection. No request is under way.
    fn held(&mut self, connected: usize);
    /// When all start; `None` as long as that is not known.
    fn starts_at(&mut self) -> Option<Instant>;
    /// The window opens.
    fn window_opens(&mut self);
    /// The window has closed. Answers are still under way, so this must cost next to nothing.
    fn window_closed(&mut self);
    /// The drain is over: nobody waits for an answer any more, and the connections are still held.
    fn drained(&mut self);
    /// Whether they may be let go.
    fn may_leave(&mut self) -> bool;
}

/// Runs beside the users; returns when the test is over and all have been told to leave.
pub(super) async fn conduct(shared: &Shared, lead: &mut dyn Lead) -> Harvest {
    let ramp = if shared.led_by_goose() { Duration::ZERO } else { ramp(shared, lead).await };
    let window = window(shared, lead).await;
    drain(shared).await;
    let interrupted = shared.is_interrupted();
    let harvest = harvest(shared, interrupted);
    lead.drained();
    while !lead.may_leave() && !shared.is_interrupted() {
        tokio::time::sleep(LOOK).await;
    }
    debug!("it is over");
    shared.over.raise();
    if shared.led_by_goose() {
        // It might go on to start users who find that it is over.
        trigger_killswitch("the time is over");
    }

    let connected =
        if shared.led_by_goose() { shared.recorder.count_connected() } else { window.connected };
    Harvest {
        connected,
        ramp,
        window: window.length,
        utilisation: window.utilisation,
        interrupted,
        ..harvest
    }
}

/// Waits until all hold a connection or the time for it is over; how long that took.
async fn ramp(shared: &Shared, lead: &mut dyn Lead) -> Duration {
    let everyone = shared.all_connected.notified();
    let everyone = tokio::time::timeout(shared.ramp_limit(), everyone);
    until(shared, everyone, GLANCE, || lead.glance(Part::Ramp, &shared.recorder.progress())).await;
    shared.began.elapsed()
}

/// What the window was.
struct Window {
    connected: usize,
    length: Duration,
    utilisation: f64,
}

/// Lets all start, and returns when the window has closed.
async fn window(shared: &Shared, lead: &mut dyn Lead) -> Window {
    shared.gathered.store(!shared.led_by_goose(), Ordering::Relaxed);
    let connected = shared.recorder.count_connected();
    debug!(connected, "ramp is over");
    lead.held(connected);
    let begin = start(shared, lead).await;
    let opens = begin + shared.load.warm_up;
    let planned = Plan { begin, opens, closes: opens + shared.load.window };
    if let Some(pacer) = &shared.pacer {
        // What was due before the window closed belongs to it, whenever it is answered.
        pacer.follow(planned);
        shared.recorder.open_window(planned.opens);
        shared.recorder.close_window(planned.closes);
    }
    tokio::time::sleep_until(begin).await;
    debug!("all start");
    shared.start.raise();
    let mut glance = |part| lead.glance(part, &shared.recorder.progress());
    let anybody = connected > 0 || shared.led_by_goose();
    if anybody {
        let warm_up = tokio::time::sleep_until(planned.opens);
        until(shared, warm_up, GLANCE, || glance(Part::WarmUp)).await;
    }
    let opened = Instant::now();
    if shared.pacer.is_none() {
        shared.recorder.open_window(opened);
    }
    lead.window_opens();
    let own_cpu = busy_time(shared);
    let mut glance = |part| lead.glance(part, &shared.recorder.progress());
    if shared.load.goose.ends() {
        until(shared, shared.ended.raised(), GLANCE, || glance(Part::Window)).await;
    } else if anybody {
        let window = tokio::time::sleep_until(opened.max(planned.opens) + shared.load.window);
        until(shared, window, GLANCE, || glance(Part::Window)).await;
    }
    let now = Instant::now();
    let (own_cpu, length) = (busy_time(shared).saturating_sub(own_cpu), now - opened);
    let utilisation = if anybody { own_cpu.div_duration_f64(length.max(LOOK)) } else { 0.0 };
    let mut window = Window { connected, length, utilisation };
    if let Some(pacer) = &shared.pacer {
        let closes = now.min(planned.closes);
        pacer.follow(Plan { closes, ..planned });
        shared.recorder.close_window(closes);
        window.length = closes.saturating_duration_since(planned.opens);
    } else {
        shared.recorder.close_window(now);
    }
    shared.closed.store(true, Ordering::Relaxed);
    debug!("window has closed");
    lead.window_closed();
    window
}

/// Waits to be told when all start.
async fn start(shared: &Shared, lead: &mut dyn Lead) -> Instant {
    loop {
        match lead.starts_at() {
            Some(begin) => return begin,
            None if shared.is_interrupted() => return Instant::now(),
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Waits until what was under way or due has been answered; not longer than a single request may
/// take, and not when somebody wants the end.
async fn drain(shared: &Shared) {
    let done = async {
        while !shared.is_drained() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let done = tokio::time::timeout(shared.load.time_out, done);
    until(shared, done, GLANCE, || {}).await;
}

/// What was found, with what is still not answered. To be cut short by an interrupt is no error.
fn harvest(shared: &Shared, interrupted: bool) -> Harvest {
    let mut harvest = shared.recorder.harvest();
    harvest.queued = shared.pacer.as_ref().map_or(0, |pacer| pacer.count_queued());
    let unanswered = if interrupted { 0 } else { shared.give_up() };
    if unanswered > 0 {
        harvest.errors.insert(UNANSWERED.to_owned(), unanswered);
        harvest.in_vain += unanswered;
    }
    harvest
}

/// Waits for `event`, or for an interrupt, or for goose to be at its end, and calls `glance`
/// meanwhile.
async fn until<T>(
    shared: &Shared,
    event: impl Future<Output = T>,
    every: Duration,
    mut glance: impl FnMut(),
) {
    let interrupted = async {
        while !shared.is_interrupted() {
            glance();
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        _ = event => {}
        () = shared.ended.raised() => {}
        () = interrupted => {}
    }
}

/// The user and system time of this process so far, less what it spun in vain.
fn busy_time(shared: &Shared) -> Duration {
    let used: Duration = clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default();
    used.saturating_sub(shared.pacer.as_ref().map_or(Duration::ZERO, |pacer| pacer.spun()))
}
