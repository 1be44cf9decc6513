//! The figures of one generator, kept by one lock that nobody ever waits for.
//!
//! All users run on one thread, so the lock is never contended, and taking it costs less than a
//! message to a collector would.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::harvest::{Harvest, Step};
use crate::stats::Latency;
use crate::wire::Fault;

/// How often each kind of fault happened, by [`Fault::name`]; kinds that did not are left out.
pub(crate) type Errors = BTreeMap<String, u64>;

/// The parts that a window is seen in are seconds, unless there would be more of them than this.
const STEPS: u64 = 300;

/// Counts what users report.
#[derive(Debug)]
pub(super) struct Recorder(Mutex<Figures>);

/// A right answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When it was complete: it is counted if that was in the window.
    pub(super) ended: Instant,
    /// When its request was due; open loop only. It is timed if that was in the window. In any other
    /// loop it is if its request was under way in the window, and none is begun after it.
    pub(super) due: Option<Instant>,
    /// How long it took.
    pub(super) time: Duration,
    /// How long it is.
    pub(super) bytes: u64,
    /// How late its request was sent; open loop only.
    pub(super) lateness: Option<Duration>,
    /// Whether a bystander got it.
    pub(super) bystander: bool,
}

/// What can be told of a test at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Users that have been answered rightly.
    pub(crate) connected: usize,
    /// Right answers since the start.
    pub(crate) answers: u64,
    /// Errors by kind.
    pub(crate) errors: Errors,
}

impl Progress {
    /// Adds what another generator of the same test has come to.
    pub(super) fn add(&mut self, other: &Self) {
        self.connected += other.connected;
        self.answers += other.answers;
        add_errors(&mut self.errors, &other.errors);
    }
}

/// Adds the errors of one generator to those of another.
pub(super) fn add_errors(sum: &mut Errors, other: &Errors) {
    for (kind, count) in other {
        *sum.entry(kind.clone()).or_default() += count;
    }
}

#[derive(Debug)]
struct Figures {
    connected: usize,
    lost: usize,
    opens: Option<Instant>,
    closes: Option<Instant>,
    /// Right answers since the users started, warm-up included.
    answered_since_start: u64,
    /// Right answers in the window.
    answered: u64,
    /// Right answers after it.
    answered_after: u64,
    /// Requests whose time-out came after it.
    in_vain: u64,
    bytes_read: u64,
    times: Latency,
    bystanders: Option<Latency>,
    lateness: Option<Latency>,
    steps: Vec<Step>,
    step_seconds: u64,
    /// Connections that the server had ended while nothing was asked on them, over the whole test.
    reconnects: u64,
    /// By `Fault as usize`, over the whole test.
    faults: [u64; Fault::ALL.len()],
}

impl Recorder {
    /// For a window of this length, with bystanders or without, with lateness or without.
    pub(super) fn new(window: Duration, bystanders: bool, lateness: bool) -> Self {
        Self(Mutex::new(Figures {
            connected: 0,
            lost: 0,
            opens: None,
            closes: None,
            answered_since_start: 0,
            answered: 0,
            answered_after: 0,
            in_vain: 0,
            bytes_read: 0,
            times: Latency::new(),
            bystanders: bystanders.then(Latency::new),
            lateness: lateness.then(Latency::new),
            steps: Vec::new(),
            step_seconds: window.as_secs().div_ceil(STEPS).max(1),
            reconnects: 0,
            faults: [0; Fault::ALL.len()],
        }))
    }

    /// A user has had its first right answer. Returns how many have.
    pub(super) fn connected(&self) -> usize {
        let mut figures = self.figures();
        figures.connected += 1;
        figures.connected
    }

    /// A user got a right answer.
    pub(super) fn answered(&self, answer: Answer) {
        let mut figures = self.figures();
        let figures = &mut *figures;
        figures.answered_since_start += 1;
        if let Some(since) = figures.since_opening(answer.ended) {
            figures.answered += 1;
            figures.bytes_read += answer.bytes;
            step_at(&mut figures.steps, figures.step_seconds, since).answers += 1;
        } else if figures.has_closed(answer.ended) {
            figures.answered_after += 1;
        }
        if let Some(since) = figures.timed_at(&answer) {
            let step = step_at(&mut figures.steps, figures.step_seconds, since);
            match &mut figures.bystanders {
                Some(times) if answer.bystander => times.record(answer.time),
                _ => {
                    figures.times.record(answer.time);
                    step.times.get_or_insert_with(Latency::coarse).record(answer.time);
                }
            }
            if let (Some(late), Some(all)) = (answer.lateness, &mut figures.lateness) {
                all.record(late);
            }
        }
    }

    /// Something went wrong for a user.
    pub(super) fn failed(&self, fault: Fault, at: Instant) {
        let mut figures = self.figures();
        let figures = &mut *figures;
        figures.faults[fault as usize] += 1;
        if let Some(since) = figures.since_opening(at) {
            step_at(&mut figures.steps, figures.step_seconds, since).errors += 1;
        } else if figures.has_closed(at) && fault == Fault::TimedOut {
            figures.in_vain += 1;
        }
    }

    /// A user found that the server had ended its idle connection, and needs another.
    pub(super) fn reconnected(&self) {
        self.figures().reconnects += 1;
    }

    /// A user finds no server any more.
    pub(super) fn lost(&self) {
        self.figures().lost += 1;
    }

    /// A user that had lost the server found it again.
    pub(super) fn found(&self) {
        self.figures().lost -= 1;
    }

    /// From this moment on answers are counted.
    pub(super) fn open_window(&self, at: Instant) {
        self.figures().opens = Some(at);
    }

    /// From this moment on they no longer are.
    pub(super) fn close_window(&self, at: Instant) {
        self.figures().closes = Some(at);
    }

    /// How many users have connected.
    pub(super) fn count_connected(&self) -> usize {
        self.figures().connected
    }

    /// How far the test has come.
    pub(super) fn progress(&self) -> Progress {
        let figures = self.figures();
        Progress {
            connected: figures.connected,
            answers: figures.answered_since_start,
            errors: figures.errors(),
        }
    }

    /// All that was found, but for what the recorder has no part in.
    pub(super) fn harvest(&self) -> Harvest {
        let figures = self.figures();
        let window = figures.opens.zip(figures.closes);
        Harvest {
            connected: figures.connected,
            ramp: Duration::ZERO,
            window: window
                .map(|(opens, closes)| closes.saturating_duration_since(opens))
                .unwrap_or_default(),
            answered: figures.answered,
            answered_after: figures.answered_after,
            in_vain: figures.in_vain,
            answered_since_start: figures.answered_since_start,
            bytes_read: figures.bytes_read,
            times: figures.times.clone(),
            bystanders: figures.bystanders.clone(),
            lateness: figures.lateness.clone(),
            queued: 0,
            steps: figures.steps.clone(),
            step_seconds: figures.step_seconds,
            errors: figures.errors(),
            reconnects: figures.reconnects,
            lost: figures.lost,
            utilisation: 0.0,
            interrupted: false,
            broken_thresholds: Vec::new(),
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    /// How long after the opening of the window that was, if it was in the window.
    fn since_opening(&self, at: Instant) -> Option<Duration> {
        let since = at.checked_duration_since(self.opens?)?;
        self.closes.is_none_or(|closes| at < closes).then_some(since)
    }

    /// Where in the window the time of this answer belongs, if it does. One that came in the drain of
    /// a closed loop was under way at the window's last moment: left out, it would be the slowest of
    /// all that nobody hears of.
    fn timed_at(&self, answer: &Answer) -> Option<Duration> {
        let opens = self.opens?;
        let last = self.closes.and_then(|closes| closes.checked_sub(Duration::from_nanos(1)));
        match (answer.due, last) {
            (Some(due), _) => self.since_opening(due),
            (None, Some(last)) => answer.ended.min(last.max(opens)).checked_duration_since(opens),
            (None, None) => answer.ended.checked_duration_since(opens),
        }
    }

    fn has_closed(&self, at: Instant) -> bool {
        self.closes.is_some_and(|closes| closes <= at)
    }

    fn errors(&self) -> Errors {
        Fault::ALL
            .into_iter()
            .map(|fault| (fault.name().to_owned(), self.faults[fault as usize]))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// The step that so long after the opening belongs to; it and those before it are made if they are
/// not there.
fn step_at(steps: &mut Vec<Step>, seconds: u64, since: Duration) -> &mut Step {
    let number = usize::try_from(since.as_secs() / seconds).unwrap_or(0);
    if steps.len() <= number {
        steps.resize_with(number + 1, Step::default);
    }
    &mut steps[number]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shape;

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(ended: Instant, milliseconds: u64) -> Answer {
        let time = Duration::from_millis(milliseconds);
        Answer { ended, due: None, time, bytes: 10, lateness: None, bystander: false }
    }

    #[test]
    fn answers_in_the_window_are_counted_and_those_under_way_at_its_end_are_timed_too() {
        let recorder = Recorder::new(SECOND, false, false);
        let opens = Instant::now();
        recorder.answered(answer(opens, 1));
        recorder.open_window(opens);
        recorder.close_window(opens + SECOND);
        for (after, milliseconds) in [(0, 2), (999, 2), (1000, 500)] {
            recorder.answered(answer(opens + Duration::from_millis(after), milliseconds));
        }
        let harvest = recorder.harvest();
        assert_eq!((harvest.answered, harvest.answered_after, harvest.bytes_read), (2, 1, 20));
        let times = harvest.times.percentiles();
        assert_eq!(harvest.times.len(), 3, "the first came before the window");
        assert!((499_000.0..505_000.0).contains(&times.max), "{times:?}");
        assert_eq!(harvest.steps.len(), 1, "it belongs to the window's last second");
        assert_eq!(harvest.answered_since_start, 4);
        assert_eq!(harvest.window, SECOND);
    }

    #[test]
    fn what_was_due_in_the_window_is_timed_whenever_it_is_answered_and_counted_only_in_it() {
        let recorder = Recorder::new(SECOND, false, true);
        let before = Instant::now();
        let opens = before + Duration::from_millis(5);
        recorder.open_window(opens);
        recorder.close_window(opens + SECOND);
        let after = |milliseconds| opens + Duration::from_millis(milliseconds);
        for (due, ended) in [(before, after(1)), (after(900), after(3000))] {
            let time = ended - due;
            recorder.answered(Answer { due: Some(due), time, ..answer(ended, 0) });
        }
        let harvest = recorder.harvest();
        assert_eq!((harvest.answered, harvest.answered_after, harvest.bytes_read), (1, 1, 10));
        let times = harvest.times.percentiles();
        assert!(times.p50 > 2_000_000.0, "one time, that of the second: {times:?}");
    }

    #[test]
    fn bystanders_are_timed_apart_and_so_is_lateness() {
        let recorder = Recorder::new(SECOND, true, true);
        let opens = Instant::now();
        recorder.open_window(opens);
        recorder.answered(answer(opens, 20));
        let lateness = Some(Duration::from_micros(50));
        recorder.answered(Answer { bystander: true, lateness, ..answer(opens, 3) });
        let harvest = recorder.harvest();
        assert_eq!(harvest.answered, 2);
        let most = |times: Option<Latency>| times.expect("it is kept").percentiles().max;
        assert!((2_999.0..3_010.0).contains(&most(harvest.bystanders)));
        assert!((49.0..51.0).contains(&most(harvest.lateness)));
        assert!(harvest.times.percentiles().p50 > 19e3);
    }

    #[test]
    fn a_window_is_seen_second_by_second_and_a_long_one_in_longer_steps() {
        let window = 3 * SECOND;
        let recorder = Recorder::new(window, false, false);
        let opens = Instant::now();
        recorder.open_window(opens);
        recorder.close_window(opens + window);
        for (after, milliseconds) in [(0, 1), (500, 1), (2500, 9)] {
            recorder.answered(answer(opens + Duration::from_millis(after), milliseconds));
        }
        recorder.failed(Fault::Reset, opens + Duration::from_millis(1500));
        recorder.failed(Fault::Reset, opens + window);
        let timeline = recorder.harvest().summary(Shape::Closed, 0).timeline;
        let counted: Vec<_> = timeline.iter().map(|step| (step.answers, step.errors)).collect();
        assert_eq!(counted, [(2, 0), (0, 1), (1, 0)]);
        assert!(timeline[0].p99_us < 1.1e3 && timeline[2].p99_us > 8.9e3, "{timeline:?}");

        let hour = Recorder::new(3600 * SECOND, false, false);
        hour.open_window(opens);
        hour.answered(answer(opens + 3599 * SECOND, 1));
        assert_eq!(hour.harvest().steps.len(), 300);
    }

    #[test]
    fn errors_are_counted_by_kind_whenever_they_happen() {
        let recorder = Recorder::new(SECOND, false, false);
        let now = Instant::now();
        recorder.failed(Fault::Refused, now);
        recorder.open_window(now);
        recorder.failed(Fault::Unavailable, now);
        recorder.failed(Fault::Refused, now);
        let counted = [("refused".to_owned(), 2), ("status_503".to_owned(), 1)];
        assert_eq!(recorder.progress().errors, Errors::from(counted));
    }
}
