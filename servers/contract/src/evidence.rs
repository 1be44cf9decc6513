//! What a failed test shows: which backend, what went both ways, what the server logged.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::Location;
use std::sync::Arc;

use crate::Backend;
use crate::log::Log;

/// How many bytes of each end of a conversation are kept.
const KEPT: usize = 2048;

/// Everything that one connection's failure message is made of.
#[derive(Debug)]
pub struct Evidence {
    backend: Backend,
    log: Option<Arc<Log>>,
    sent: RefCell<Tape>,
    received: RefCell<Tape>,
}

impl Evidence {
    /// Evidence about `backend`, as yet empty. A double has no log.
    pub fn new(backend: Backend, log: Option<Arc<Log>>) -> Self {
        Self { backend, log, sent: RefCell::default(), received: RefCell::default() }
    }

    /// Who is being tested.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Notes bytes that the test sent.
    pub fn sent(&self, bytes: &[u8]) {
        self.sent.borrow_mut().record(bytes);
    }

    /// Notes bytes that the server sent.
    pub fn received(&self, bytes: &[u8]) {
        self.received.borrow_mut().record(bytes);
    }

    /// Fails the test with all that is known.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let place = Location::caller();
        let log = self.log.as_ref().map_or_else(|| "(none)".to_owned(), |log| log.tail());
        panic!(
            "{}: {what}\n  at {place}\n--- sent ---\n{}\n--- received ---\n{}\n--- log ---\n{log}",
            self.backend,
            self.sent.borrow().show(),
            self.received.borrow().show(),
        );
    }
}

/// The first and the last bytes of a stream: enough to see what happened, however long it was.
#[derive(Debug, Default)]
struct Tape {
    first: Vec<u8>,
    last: VecDeque<u8>,
    left_out: usize,
}

impl Tape {
    fn record(&mut self, bytes: &[u8]) {
        let (begin, rest) = bytes.split_at(bytes.len().min(KEPT - self.first.len()));
        self.first.extend_from_slice(begin);
        self.last.extend(rest);
        let surplus = self.last.len().saturating_sub(KEPT);
        self.last.drain(..surplus);
        self.left_out += surplus;
    }

    fn show(&self) -> String {
        let mut text = escape(&self.first);
        if self.left_out > 0 {
            let _ = write!(text, "\n… {} bytes …\n", self.left_out);
        }
        let last: Vec<u8> = self.last.iter().copied().collect();
        text.push_str(&escape(&last));
        if text.is_empty() { "(nothing)".to_owned() } else { text }
    }
}

/// Bytes as a byte-string literal would write them, broken after each `\n`.
pub fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\n", "\\n\n").trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_escaped_and_by_line() {
        assert_eq!(
            escape(b"HTTP/1.1 200 OK\r\n\r\n\x00\xff"),
            "HTTP/1.1 200 OK\\r\\n\n\\r\\n\n\\x00\\xff"
        );
    }

    #[test]
    fn a_long_tape_keeps_both_ends_and_counts_the_middle() {
        let mut tape = Tape::default();
        tape.record(&vec![b'a'; KEPT + 10]);
        tape.record(&vec![b'z'; KEPT]);
        let shown = tape.show();
        assert!(shown.starts_with("aaa"), "{shown}");
        assert!(shown.ends_with("zzz"), "{shown}");
        assert!(shown.contains("… 10 bytes …"), "{shown}");
    }

    #[test]
    fn an_empty_tape_says_so() {
        assert_eq!(Tape::default().show(), "(nothing)");
    }
}
