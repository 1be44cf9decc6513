//! What one generator brings home, and how that of several becomes one.
//!
//! Nothing in it is rounded or averaged: counts are added, and so are histograms, bucket by bucket.
//! What comes out is what one generator would have found that had seen all of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::recorder::add_errors;
use super::{Errors, Second, Shape, Summary, TimeKind};
use crate::stats::Latency;

/// What one generator found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Harvest {
    /// Users that had been answered rightly when all started.
    pub(super) connected: usize,
    /// How long the users took to connect.
    pub(super) ramp: Duration,
    /// The length of the window.
    pub(super) window: Duration,
    /// Right answers in the window, and since the start.
    pub(super) answered: u64,
    pub(super) answered_since_start: u64,
    /// Right answers after the window.
    pub(super) answered_after: u64,
    /// Requests that were under way or due at its end and got no answer for as long as one may take.
    pub(super) in_vain: u64,
    /// Bytes of those in the window.
    pub(super) bytes_read: u64,
    /// How long the window's requests took, but for bystanders'.
    pub(super) times: Latency,
    pub(super) bystanders: Option<Latency>,
    /// How late requests were sent.
    pub(super) lateness: Option<Latency>,
    pub(super) queued: u64,
    /// The window in steps of equal length.
    pub(super) steps: Vec<Step>,
    pub(super) step_seconds: u64,
    /// By kind, over the whole test.
    pub(super) errors: Errors,
    /// Idle connections that the server had ended, over the whole test.
    pub(super) reconnects: u64,
    pub(super) lost: usize,
    /// The part of a core that it used in the window.
    pub(super) utilisation: f64,
    pub(super) interrupted: bool,
    /// Those of goose's thresholds that were not kept, and what was seen.
    pub(super) broken_thresholds: Vec<String>,
}

/// A part of a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) answers: u64,
    pub(super) errors: u64,
    /// How long the window's requests took, each where it was due or, if none was due, where it was
    /// answered; but for bystanders'.
    pub(super) times: Option<Latency>,
}

impl Step {
    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.errors += other.errors;
        add(&mut self.times, other.times);
    }
}

impl Harvest {
    /// Adds what another generator of the same test found in the same window.
    pub(super) fn add(&mut self, other: Self) {
        self.connected += other.connected;
        self.ramp = self.ramp.max(other.ramp);
        self.window = self.window.max(other.window);
        self.answered += other.answered;
        self.answered_since_start += other.answered_since_start;
        self.answered_after += other.answered_after;
        self.in_vain += other.in_vain;
        self.bytes_read += other.bytes_read;
        self.times.add(&other.times);
        add(&mut self.bystanders, other.bystanders);
        add(&mut self.lateness, other.lateness);
        self.queued += other.queued;
        let steps = self.steps.len().max(other.steps.len());
        self.steps.resize_with(steps, Step::default);
        for (step, others) in self.steps.iter_mut().zip(other.steps) {
            step.add(others);
        }
        add_errors(&mut self.errors, &other.errors);
        self.reconnects += other.reconnects;
        self.lost += other.lost;
        // The busiest is the first that has no time.
        self.utilisation = self.utilisation.max(other.utilisation);
        self.interrupted |= other.interrupted;
        self.broken_thresholds.extend(other.broken_thresholds);
    }

    /// What it comes to, with the connections that the kernel counted.
    pub(super) fn summary(self, shape: Shape, established: usize) -> Summary {
        let percentiles = |times: &Latency| (!times.is_empty()).then(|| times.percentiles());
        let times = percentiles(&self.times);
        // A blocker asks in a closed loop whatever the others do, who wait for what is due.
        let others = if shape.is_open() { TimeKind::Response } else { TimeKind::Service };
        let open = shape.is_open() && self.bystanders.is_none();
        Summary {
            shape,
            connected: self.connected,
            established,
            ramp_seconds: self.ramp.as_secs_f64(),
            window_seconds: self.window.as_secs_f64(),
            requests: self.answered,
            requests_since_start: self.answered_since_start,
            requests_after_window: self.answered_after,
            requests_in_vain: self.in_vain,
            requests_timed: self.times.len() + self.bystanders.as_ref().map_or(0, Latency::len),
            bytes_read: self.bytes_read,
            service_time_us: times.filter(|_| !open),
            response_time_us: times.filter(|_| open),
            lateness_us: self.lateness.as_ref().and_then(percentiles),
            queued: self.queued,
            histogram: self.times.encode(),
            bystanders_are: self.bystanders.as_ref().map(|_| others),
            bystanders_us: self.bystanders.as_ref().and_then(percentiles),
            bystanders_histogram: self.bystanders.as_ref().map(Latency::encode),
            timeline: self.timeline(),
            errors: self.errors,
            reconnects: self.reconnects,
            lost: self.lost,
            generator_utilisation: self.utilisation,
            interrupted: self.interrupted,
            broken_thresholds: self.broken_thresholds,
        }
    }

    fn timeline(&self) -> Vec<Second> {
        let length = self.step_seconds as f64;
        let p99 = |times: &Latency| times.percentiles().p99;
        let second = |(number, step): (usize, &Step)| {
            let at = number as f64 * length;
            Second {
                at,
                seconds: length.min(self.window.as_secs_f64() - at).max(0.0),
                answers: step.answers,
                errors: step.errors,
                p99_us: step.times.as_ref().map(p99).unwrap_or_default(),
            }
        };
        self.steps.iter().enumerate().map(second).collect()
    }
}

fn add(sum: &mut Option<Latency>, other: Option<Latency>) {
    match (sum, other) {
        (Some(sum), Some(other)) => sum.add(&other),
        (sum @ None, other) => *sum = other,
        (Some(_), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::load::recorder::{Answer, Recorder};
    use crate::wire::Fault;

    const WINDOW: Duration = Duration::from_secs(3);

    fn recorder(opens: Instant) -> Recorder {
        let recorder = Recorder::new(WINDOW, true, true);
        recorder.open_window(opens);
        recorder.close_window(opens + WINDOW);
        recorder
    }

    #[test]
    fn what_several_generators_found_is_exactly_what_one_would_have() {
        let opens = Instant::now();
        let (alone, several) = (recorder(opens), [(); 3].map(|()| recorder(opens)));
        let mut random = fastrand::Rng::with_seed(7);
        for number in 0..30_000 {
            let at = opens + WINDOW.mul_f64(random.f64());
            let exponent = random.u32(10..34);
            let answer = Answer {
                ended: at,
                due: random.bool().then_some(at),
                time: Duration::from_nanos(2_u64.pow(exponent) + random.u64(..1000)),
                bytes: random.u64(..100),
                lateness: Some(Duration::from_nanos(random.u64(..1_000_000))),
                bystander: random.bool(),
            };
            for recorder in [&alone, &several[number % 3]] {
                recorder.answered(answer);
                if exponent == 20 {
                    recorder.failed(Fault::Reset, at);
                    recorder.reconnected();
                }
            }
        }
        let mut merged: Option<Harvest> = None;
        for recorder in &several {
            // As it comes from a process of its own.
            let text = serde_json::to_string(&recorder.harvest()).expect("JSON");
            let part: Harvest = serde_json::from_str(&text).expect("a harvest");
            match &mut merged {
                Some(merged) => merged.add(part),
                None => merged = Some(part),
            }
        }
        let summary = |harvest: Harvest| {
            serde_json::to_value(harvest.summary(Shape::default(), 0)).expect("JSON")
        };
        assert_eq!(summary(merged.expect("three")), summary(alone.harvest()));
    }
}
