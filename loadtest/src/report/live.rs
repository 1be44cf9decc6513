//! What the terminal shows while a run is under way: one line, written again and again.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::numbers::thousands;
use super::terminal;
use crate::load::{Observer, Part, Progress};

/// The line shares a core with the load, so it is not drawn more often than eyes need.
const DRAWN_A_SECOND: u8 = 4;

/// A line on standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Live {
    bar: ProgressBar,
    connections: usize,
}

impl Live {
    /// For a run with this many connections.
    pub(crate) fn new(connections: usize) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWN_A_SECOND);
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed}  {msg}") {
            bar.set_style(style);
        }
        Self { bar, connections }
    }
}

impl Observer for Live {
    fn glance(&mut self, part: Part, progress: &Progress) {
        if !self.bar.is_hidden() {
            self.bar.set_message(line(part, self.connections, progress));
            self.bar.tick();
        }
    }

    fn window_closed(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn line(part: Part, connections: usize, progress: &Progress) -> String {
    let errors = terminal::errors(&progress.errors);
    match part {
        Part::Ramp => {
            let connected = progress.connected;
            format!("connecting: {connected} of {connections}, errors: {errors}")
        }
        Part::WarmUp | Part::Window => {
            let name = if part == Part::WarmUp { "warming up" } else { "measuring" };
            let answers = thousands(progress.answers as f64);
            format!("{name}: {answers} right answers, errors: {errors}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Errors;

    #[test]
    fn errors_show_while_they_happen() {
        let mut progress = Progress { connected: 1, ..Progress::default() };
        assert_eq!(line(Part::Ramp, 2, &progress), "connecting: 1 of 2, errors: none");
        progress.answers = 1;
        progress.errors = Errors::from([("status_503".to_owned(), 1)]);
        let measuring = line(Part::Window, 2, &progress);
        assert_eq!(measuring, "measuring: 1 right answers, errors: status_503 1");
    }
}
