//! What a server says of itself in its log: where it listens, what bounds it, what ran out.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

/// How many lines of a log are kept.
const LAST_WORDS: usize = 5;

/// What a server says when it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Startup {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its admin port is, if it was given one.
    pub(crate) admin: Option<SocketAddr>,
    /// How many connections it will serve at once.
    pub(crate) max_connections: Option<usize>,
    /// The limit that this number comes from.
    pub(crate) bounded_by: Option<String>,
    /// The whole line, for the record.
    pub(crate) line: String,
}

impl Startup {
    /// The start-up line says `address=`; any other line is none.
    pub(crate) fn read(line: &str) -> Option<Self> {
        Some(Self {
            address: field(line, "address")?.parse().ok()?,
            admin: field(line, "admin").and_then(|text| text.parse().ok()),
            max_connections: field(line, "max_connections").and_then(|text| text.parse().ok()),
            bounded_by: field(line, "bounded_by").map(str::to_owned),
            line: line.trim().to_owned(),
        })
    }
}

/// What is kept of a server's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    last: VecDeque<String>,
    /// What it said it had run out of, by the words of its warnings.
    run_out: BTreeSet<String>,
}

impl Log {
    /// One more line.
    pub(crate) fn push(&mut self, line: String) {
        if line.contains("backing off") {
            self.run_out.extend(field(&line, "reason").map(str::to_owned));
        }
        if self.last.len() == LAST_WORDS {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The last lines in one.
    pub(crate) fn last_words(&self) -> String {
        if self.last.is_empty() {
            return "nothing".to_owned();
        }
        self.last.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" / ")
    }

    /// What it ran out of, such as `EMFILE` or `no_thread`.
    pub(crate) fn run_out(&self) -> &BTreeSet<String> {
        &self.run_out
    }
}

/// The value of `name=value` or `name="a value"` in a line of the log.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, value) = line.split_once(&format!(" {name}="))?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split_whitespace().next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_up_line_is_understood() {
        let line = "2026-01-01T00:00:00Z  INFO listening backend=threads version=0.1.0 \
                    address=127.0.0.1:43121 workers=2 max_connections=19936 \
                    bounded_by=\"RLIMIT_NOFILE of 20000\"";
        let startup = Startup::read(line).expect("a start-up line");
        assert_eq!(startup.address, SocketAddr::from(([127, 0, 0, 1], 43_121)));
        assert_eq!(startup.max_connections, Some(19_936));
        assert_eq!(startup.bounded_by.as_deref(), Some("RLIMIT_NOFILE of 20000"));
        assert_eq!(startup.admin, None);
        let line = "INFO listening address=127.0.0.1:1 admin=127.0.0.1:43122 workers=2";
        let admin = Startup::read(line).expect("a start-up line").admin;
        assert_eq!(admin, Some(SocketAddr::from(([127, 0, 0, 1], 43_122))));
        assert_eq!(Startup::read("WARN max_connections=5 is low"), None);
    }

    #[test]
    fn what_ran_out_is_remembered_when_the_line_is_not() {
        let mut log = Log::default();
        assert_eq!(log.last_words(), "nothing");
        log.push("WARN backing off reason=\"EMFILE\" wait=1ms suppressed=0".to_owned());
        log.push("WARN something else reason=no_thread".to_owned());
        for number in 0..LAST_WORDS {
            log.push(format!("line {number}"));
        }
        assert_eq!(log.last_words(), "line 0 / line 1 / line 2 / line 3 / line 4");
        assert_eq!(log.run_out(), &BTreeSet::from(["EMFILE".to_owned()]));
    }
}
