//! The server's log: its standard error, read on a thread of its own so that the pipe never fills.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::PATIENCE;

/// How many lines a failure message shows.
const TAIL: usize = 20;

/// The lines that a server has logged so far.
#[derive(Debug, Default)]
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `source` to its end, in the background.
    pub fn follow(source: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                writer.change(|state| state.lines.push(line));
            }
            writer.change(|state| state.ended = true);
        });
        log
    }

    /// The first line that holds `text`, waited for; `None` if the log ended or patience did.
    pub fn line_with(&self, text: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = state.lines.iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many lines hold `text` so far.
    pub fn count(&self, text: &str) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.iter().filter(|line| line.contains(text)).count()
    }

    /// The last lines, for a failure message.
    pub fn tail(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let from = state.lines.len().saturating_sub(TAIL);
        if state.lines.is_empty() { "(empty)".to_owned() } else { state.lines[from..].join("\n") }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// The value of `name=value` in a line of the log.
pub fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_its_values_read() {
        let log = Log::follow(&b"one\n INFO listening address=127.0.0.1:80 workers=2\n"[..]);
        let line = log.line_with("listening").unwrap();
        assert_eq!(value(&line, "address"), Some("127.0.0.1:80"));
        assert_eq!(value(&line, "work"), None);
    }

    #[test]
    fn the_end_of_the_log_ends_the_wait() {
        let log = Log::follow(&b"one\ntwo\n"[..]);
        assert_eq!(log.line_with("three"), None);
        assert_eq!(log.tail(), "one\ntwo");
    }
}
