//! How far a comparison has come, and how long it is still going to take.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Cell;

/// What a cell takes beside warm-up and window, by experience: its two processes start and end …
const AROUND_A_CELL: Duration = Duration::from_millis(400);
/// … and each connection is made, answered once, and closed.
const AROUND_A_CONNECTION: Duration = Duration::from_micros(200);
/// How often a line is written where there is no terminal to draw a bar on.
const SELDOM: Duration = Duration::from_secs(30);

/// How long this cell is expected to take.
pub(crate) fn expected(cell: &Cell, asked: Duration) -> Duration {
    asked + AROUND_A_CELL + AROUND_A_CONNECTION.mul_f64(cell.connections as f64)
}

/// A bar on the terminal; or a line now and then.
pub(crate) struct Progress {
    bar: ProgressBar,
    estimate: Estimate,
    began: Instant,
    told: Instant,
}

/// What was expected to take how long.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    left: Duration,
    done: Duration,
}

impl Progress {
    /// Of so many cells that are expected to take so long together.
    pub(crate) fn new(cells: usize, expected: Duration) -> Self {
        let bar = ProgressBar::new(cells as u64);
        let template = "{spinner} {bar:30} {pos}/{len} cells, {prefix} left   {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        let estimate = Estimate { left: expected, done: Duration::ZERO };
        let progress = Self { bar, estimate, began: Instant::now(), told: Instant::now() };
        progress.bar.set_prefix(text(expected));
        progress
    }

    /// What is being done.
    pub(crate) fn begin(&self, what: String) {
        self.bar.set_message(what);
    }

    /// A cell that was expected to take so long is over, measured or left out.
    pub(crate) fn end(&mut self, expected: Duration, measured: bool) {
        self.estimate.end(expected, measured);
        self.bar.inc(1);
        let left = text(self.estimate.left(self.began.elapsed()));
        self.bar.set_prefix(left.clone());
        if self.bar.is_hidden() && !self.estimate.left.is_zero() && self.told.elapsed() > SELDOM {
            self.told = Instant::now();
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            eprintln!("{done} of {of} cells, about {left} left");
        }
    }

    /// Says something beside the bar.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Estimate {
    fn end(&mut self, expected: Duration, measured: bool) {
        self.left = self.left.saturating_sub(expected);
        if measured {
            self.done += expected;
        }
    }

    /// What is left takes as much longer than expected as what is done did.
    fn left(&self, took: Duration) -> Duration {
        if self.done.is_zero() {
            return self.left;
        }
        self.left.mul_f64(took.as_secs_f64() / self.done.as_secs_f64())
    }
}

/// A duration to the second.
pub(crate) fn text(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs().max(1))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_judged_by_what_is_done() {
        let seconds = Duration::from_secs;
        let mut estimate = Estimate { left: seconds(100), done: Duration::ZERO };
        assert_eq!(estimate.left(seconds(3)), seconds(100), "nothing is known yet");
        estimate.end(seconds(10), true);
        assert_eq!(estimate.left(seconds(20)), seconds(180), "all takes twice as long");
        estimate.end(seconds(50), false);
        assert_eq!(estimate.left(seconds(20)), seconds(80), "what is left out takes no time");
    }

    #[test]
    fn a_time_is_never_nothing() {
        assert_eq!(text(Duration::from_millis(20)), "1s");
        assert_eq!(text(Duration::from_millis(61_900)), "1m 1s");
    }
}
