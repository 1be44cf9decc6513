//! What a failed test shows: which backend, what went both ways, what the server logged.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Backend;
use crate::log::Log;

/// How many bytes of each end of a conversation are kept.
const KEPT: usize = 2048;

/// How many conversations a failure shows besides its own.
const SHOWN: usize = 6;

/// Everything that is known of one server: all that went over its connections, downstream and
/// upstream, and its log.
#[derive(Debug)]
pub struct Case {
    backend: Backend,
    log: OnceLock<Arc<Log>>,
    conversations: Mutex<Vec<Arc<Conversation>>>,
}

impl Case {
    /// Of `backend`, with nothing known yet.
    pub fn new(backend: Backend) -> Arc<Self> {
        let (log, conversations) = (OnceLock::new(), Mutex::default());
        Arc::new(Self { backend, log, conversations })
    }

    /// Who is being tested.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where the server logs; the first one told stays.
    pub fn logs_to(&self, log: Arc<Log>) {
        let _ = self.log.set(log);
    }

    /// Fails the test with all that is known.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        self.fail_beside(None, what)
    }

    #[track_caller]
    fn fail_beside(&self, own: Option<&Arc<Conversation>>, what: &str) -> ! {
        let place = Location::caller();
        let mut text = format!("{}: {what}\n  at {place}", self.backend);
        if let Some(own) = own {
            let _ = write!(text, "\n{}", own.show(""));
        }
        let conversations = lock(&self.conversations).clone();
        let others =
            conversations.iter().filter(|one| own.is_none_or(|own| !Arc::ptr_eq(one, own)));
        let others: Vec<_> = others.collect();
        for other in &others[others.len().saturating_sub(SHOWN)..] {
            let _ = write!(text, "\n{}", other.show(&format!("{}: ", other.with)));
        }
        let log = self.log.get().map_or_else(|| "(none)".to_owned(), |log| log.tail());
        panic!("{text}\n--- log ---\n{log}");
    }
}

/// Everything that one connection's failure message is made of.
#[derive(Debug)]
pub struct Evidence {
    case: Arc<Case>,
    own: Arc<Conversation>,
}

impl Evidence {
    /// Evidence about `backend`, as yet empty. A double has no log.
    pub fn new(backend: Backend, log: Option<Arc<Log>>) -> Self {
        let case = Case::new(backend);
        if let Some(log) = log {
            case.logs_to(log);
        }
        Self { case, own: Arc::default() }
    }

    /// A further part of the evidence in `case`, about the connection that `with` names.
    pub fn in_case(case: &Arc<Case>, with: &str) -> Self {
        let mut conversations = lock(&case.conversations);
        let with = format!("{with} {}", conversations.len() + 1);
        let own = Arc::new(Conversation { with, ..Conversation::default() });
        conversations.push(Arc::clone(&own));
        Self { case: Arc::clone(case), own }
    }

    /// Who is being tested.
    pub fn backend(&self) -> Backend {
        self.case.backend
    }

    /// Notes bytes that the test sent.
    pub fn sent(&self, bytes: &[u8]) {
        lock(&self.own.sent).record(bytes);
    }

    /// Notes bytes that the server sent.
    pub fn received(&self, bytes: &[u8]) {
        lock(&self.own.received).record(bytes);
    }

    /// Fails the test with all that is known.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        self.case.fail_beside(Some(&self.own), what)
    }

    /// Fails the test unless this holds.
    #[track_caller]
    pub fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.fail(&otherwise());
        }
    }
}

/// What went over one connection.
#[derive(Debug, Default)]
struct Conversation {
    with: String,
    sent: Mutex<Tape>,
    received: Mutex<Tape>,
}

impl Conversation {
    fn show(&self, name: &str) -> String {
        let (sent, received) = (lock(&self.sent).show(), lock(&self.received).show());
        format!("--- {name}sent ---\n{sent}\n--- {name}received ---\n{received}")
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
        let (passed, rest) = rest.split_at(rest.len().saturating_sub(KEPT));
        self.last.extend(rest);
        let surplus = self.last.len().saturating_sub(KEPT);
        self.last.drain(..surplus);
        self.left_out += passed.len() + surplus;
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

/// What a test that failed has left is still worth showing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        for pieces in [[KEPT + 10, KEPT], [10, 2 * KEPT], [KEPT, KEPT + 10]] {
            let mut tape = Tape::default();
            let bytes = [vec![b'a'; KEPT + 10], vec![b'z'; KEPT]].concat();
            for piece in [&bytes[..pieces[0]], &bytes[pieces[0]..]] {
                tape.record(piece);
            }
            let shown = tape.show();
            assert!(shown.starts_with("aaa"), "{shown}");
            assert!(shown.ends_with("zzz"), "{shown}");
            let middle = bytes.len().min(pieces[0] + pieces[1]) - 2 * KEPT;
            assert!(shown.contains(&format!("… {middle} bytes …")), "{shown}");
        }
    }

    #[test]
    fn an_empty_tape_says_so() {
        assert_eq!(Tape::default().show(), "(nothing)");
    }
}
