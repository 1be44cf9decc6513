//! Upstreams' answers as vectors, and what a client gets of them.
//!
//! ```
//! use contract::answers::{Answers, refuses, relays};
//! use contract::vector::{Vector, rule};
//!
//! let vectors: Vec<Vector<Answers>> = rule("RFC 9112, 4", "a status is three digits")
//!     .around("HTTP/1.1 ", "\r\nContent-Length: 5\r\n\r\nhello")
//!     .vectors([relays("three digits", "200 OK"), refuses("two digits", "20 OK")]);
//! assert!(vectors[1].bytes.starts_with(b"HTTP/1.1 20 OK\r\n"));
//! ```

use std::fmt;
use std::time::Instant;

use crate::exceptions::ANSWERS_1_0_AS_1_0;
use crate::observation::{Observation, Seen};
use crate::vector::{End, Outcome, Row, Vector, cuts, stays};
use crate::{Backend, Client, Exception, wire};

/// An upstream's answer to one request: what is to be known of the two.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The client's request has this method.
    pub method: &'static str,
    /// The client's request has this version, as in `1.1`.
    pub version: &'static str,
    /// The content that the client gets, unless the answer is not passed on, if that is known.
    pub content: Option<String>,
    /// Fields that the client gets, names in lower case.
    pub relayed: &'static [(&'static str, &'static str)],
    /// Names, in lower case, of fields that it does not get.
    pub removed: &'static [&'static str],
    /// How many of the bytes come after the answer.
    pub surplus: usize,
    /// Whether the upstream's connection carries another request, once the answer is whole.
    pub persists: bool,
    /// Whether all that an exception changes is that it does not.
    pub excused_once: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            method: "GET",
            version: "1.1",
            content: Some("hello".to_owned()),
            relayed: &[],
            removed: &[],
            surplus: 0,
            persists: true,
            excused_once: false,
        }
    }
}

/// An answer that is good: the client gets it, with `hello` for content, and both connections go on.
pub fn relays(name: &'static str, bytes: impl AsRef<[u8]>) -> Row<Answers> {
    row(name, bytes, stays(&[200]))
}

/// An answer that is none: the client gets a 502, and may ask again.
pub fn refuses(name: &'static str, bytes: impl AsRef<[u8]>) -> Row<Answers> {
    row(name, bytes, stays(&[502]))
}

/// An answer that turns out to be none once its head is passed on: the client gets this content, and
/// then sees it break off.
pub fn breaks(
    name: &'static str,
    bytes: impl AsRef<[u8]>,
    content: impl Into<String>,
) -> Row<Answers> {
    row(name, bytes, cuts(&[200])).content(content)
}

/// Any answer.
pub fn row(name: &'static str, bytes: impl AsRef<[u8]>, outcome: Outcome) -> Row<Answers> {
    Row::new(name, bytes, outcome)
}

impl Row<Answers> {
    /// It is the answer to a HEAD, which has no content.
    pub fn to_head(mut self) -> Self {
        self.0.of.method = "HEAD";
        self.content("")
    }

    /// The client speaks HTTP/1.0.
    pub fn to_1_0(mut self) -> Self {
        self.0.of.version = "1.0";
        self
    }

    /// The client gets this content.
    pub fn content(mut self, content: impl Into<String>) -> Self {
        self.0.of.content = Some(content.into());
        self
    }

    /// How much of it the client gets before it breaks off is the server's to say.
    pub fn any_content(mut self) -> Self {
        self.0.of.content = None;
        self
    }

    /// The client gets these fields.
    pub fn relaying(mut self, fields: &'static [(&'static str, &'static str)]) -> Self {
        self.0.of.relayed = fields;
        self
    }

    /// The client does not get the fields of these names.
    pub fn removing(mut self, names: &'static [&'static str]) -> Self {
        self.0.of.removed = names;
        self
    }

    /// Bytes that come after the answer, and make an end of the upstream's connection. In a rule that
    /// has nothing to add.
    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.of.surplus = bytes.as_ref().len();
        self.0.bytes.extend(bytes.as_ref());
        self.once()
    }

    /// The upstream's connection must not carry another request.
    pub fn once(mut self) -> Self {
        self.0.of.persists = false;
        self
    }

    /// Where `hyper` decides, it does not, though all else is the same.
    pub fn but_once(mut self, exception: &'static Exception) -> Self {
        self.0.of.excused_once = true;
        self.0.exception = Some((exception, self.0.outcomes.clone()));
        self
    }
}

impl Vector<Answers> {
    /// The request, by which `name` it is told from others.
    pub fn request(&self, name: &str) -> String {
        let Answers { method, version, .. } = &self.of;
        format!("{method} /proxy/{name} HTTP/{version}\r\nHost: a\r\n\r\n")
    }
}

/// What came of an upstream's answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Relayed {
    /// What the client got.
    pub seen: Observation,
    /// Whether the upstream's connection has carried another request.
    pub reused: bool,
}

impl Observation {
    /// Reads all that comes over a connection on which the request of `vector` was sent, and then,
    /// unless that was of version 1.0, a [probe](crate::observation::probe). All must be there by
    /// `deadline`.
    pub fn of_answer(client: Client, vector: &Vector<Answers>, deadline: Instant) -> Self {
        Self::read(client, &[vector.method], deadline)
    }
}

impl Relayed {
    /// Why this must not come of `vector` at `backend`, if it must not.
    pub fn objection(&self, vector: &Vector<Answers>, backend: Backend) -> Option<String> {
        let Observation { answers, end } = &self.seen;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        let is = |outcome: &Outcome| *end == Ok(outcome.end) && statuses == outcome.answers;
        let outcomes = vector.outcomes(backend);
        if !outcomes.iter().any(is) {
            return Some(format!("{outcomes:?} was due"));
        }
        if let Some(objection) = answers.iter().find_map(|answer| is_proper(answer, backend)) {
            return Some(objection);
        }
        let last = answers.last()?;
        let is_whole = last.status != 502 && *end != Ok(End::Cut);
        let is_excused = vector.is_excused(backend);
        if is_excused && !vector.excused_once {
            return None;
        }
        if self.reused != (is_whole && vector.persists && !is_excused) {
            let fate = if self.reused { "was" } else { "was not" };
            return Some(format!("the upstream's connection {fate} used again"));
        }
        if last.status == 502 { None } else { self.misses(last, vector) }
    }

    /// What the client should have got of the answer, or should not.
    fn misses(&self, last: &Seen, vector: &Vector<Answers>) -> Option<String> {
        if let Some(content) = vector.content.as_ref().filter(|content| **content != last.content) {
            return Some(format!("content \"{}\" was due", content.escape_debug()));
        }
        let missing =
            |(name, value): &&(&str, &str)| !wire::values(&last.fields, name).contains(value);
        if let Some((name, value)) = vector.relayed.iter().find(missing) {
            return Some(format!("`{name}: {value}` was to be passed on"));
        }
        let answers = &self.seen.answers;
        let present = |name: &&&str| answers.iter().any(|answer| answer.value(name).is_some());
        vector.removed.iter().find(present).map(|name| format!("`{name}` was not to be passed on"))
    }
}

impl fmt::Display for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seen.fmt(f)
    }
}

/// What is wrong with an answer, be it the server's own or passed on.
fn is_proper(answer: &Seen, backend: Backend) -> Option<String> {
    let Seen { version, status, .. } = answer;
    if *status == 502 {
        return answer.objection(backend);
    }
    let through = answer.value("via").is_some_and(|via| via.ends_with("five-ways"));
    if !through {
        Some(format!("a {status} without our name in `Via`"))
    } else if *status >= 200 && answer.value("date").is_none() {
        Some(format!("a {status} without `Date`"))
    } else if version != "HTTP/1.1" && !ANSWERS_1_0_AS_1_0.excuses(backend) {
        Some(format!("an answer of {version}"))
    } else {
        None
    }
}
