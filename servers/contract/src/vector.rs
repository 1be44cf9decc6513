//! A vector: bytes for a server, from a client or from an upstream, and what the standard has come of
//! them.
//!
//! Vectors are written down as rules of the standard, each with requests that keep or break it:
//!
//! ```
//! use contract::vector::{Vector, accepts, refuses, rule};
//!
//! let vectors: Vec<Vector> = rule("RFC 9110, 8.6", "a length is a decimal number")
//!     .around("POST /anything HTTP/1.1\r\nHost: a\r\n", "\r\n\r\nhello")
//!     .vectors([
//!         accepts("zeros before the length", "Content-Length: 005"),
//!         refuses("a length with a sign", "Content-Length: +5"),
//!     ]);
//! assert!(vectors[1].bytes.ends_with(b"Content-Length: +5\r\n\r\nhello"));
//! ```
//!
//! Those of upstreams' answers are written in the same way, with what [`answers`](crate::answers)
//! has.

use std::collections::BTreeSet;
use std::ops::Deref;

use crate::evidence::escape;
use crate::{Backend, Exception};

/// Bytes of one connection, and what must come of them. `Of` says what else there is to know, and
/// with that whose bytes they are: a client's requests, if nothing else is said.
#[derive(Debug, Clone)]
pub struct Vector<Of = Requests> {
    /// What is special about it, and its name.
    pub name: &'static str,
    /// Where the standard speaks of it.
    pub rfc: &'static str,
    /// What the standard says there.
    pub law: &'static str,
    /// All bytes that are sent.
    pub bytes: Vec<u8>,
    /// Whether whoever sends them says that nothing more will come.
    pub half_closes: bool,
    pub(crate) of: Of,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) exception: Option<(&'static Exception, Vec<Outcome>)>,
}

/// A request, or a few on one connection: what is to be known of them and their answers.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// The method that each answer is to; `GET` after the last.
    pub methods: &'static [&'static str],
    /// Whether an answer 100 may come before the final one.
    pub may_be_invited: bool,
    /// What must stand in the content of the answers.
    pub shows: Option<&'static str>,
}

/// What comes of it for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The status of each answer: of final ones, and of those that an upstream sent before its own.
    pub answers: &'static [u16],
    /// And then?
    pub end: End,
}

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another request on it is answered.
    Open,
    /// It is closed, in an orderly way.
    Closed,
    /// The last answer breaks off, so that nobody takes it for whole.
    Cut,
}

/// These answers, after which the connection serves another request.
pub const fn stays(answers: &'static [u16]) -> Outcome {
    Outcome { answers, end: End::Open }
}

/// These answers, the last of which ends the connection.
pub const fn closes(answers: &'static [u16]) -> Outcome {
    Outcome { answers, end: End::Closed }
}

/// These answers, the last of which breaks off.
pub const fn cuts(answers: &'static [u16]) -> Outcome {
    Outcome { answers, end: End::Cut }
}

/// What the standard says, to be followed by messages that keep or break it.
pub fn rule(rfc: &'static str, law: &'static str) -> Rule {
    Rule { rfc, law, before: Vec::new(), after: Vec::new() }
}

/// A request that is good: 200, and the connection goes on.
pub fn accepts(name: &'static str, bytes: impl AsRef<[u8]>) -> Row {
    row(name, bytes, stays(&[200]))
}

/// A request that is wrong: 400, and the connection ends.
pub fn refuses(name: &'static str, bytes: impl AsRef<[u8]>) -> Row {
    row(name, bytes, closes(&[400]))
}

/// Any request, or more than one.
pub fn row(name: &'static str, bytes: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    Row::new(name, bytes, outcome)
}

/// A rule of the standard.
#[derive(Debug)]
#[must_use]
pub struct Rule {
    rfc: &'static str,
    law: &'static str,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Rule {
    /// What stands before and after the bytes of every vector.
    pub fn around(self, before: impl AsRef<[u8]>, after: impl AsRef<[u8]>) -> Self {
        Self { before: before.as_ref().to_vec(), after: after.as_ref().to_vec(), ..self }
    }

    /// The vectors of this rule.
    pub fn vectors<Of>(self, rows: impl IntoIterator<Item = Row<Of>>) -> Vec<Vector<Of>> {
        let Self { rfc, law, before, after } = self;
        let complete = |Row(vector): Row<Of>| {
            let bytes = [&before, &vector.bytes[..], &after].concat();
            Vector { rfc, law, bytes, ..vector }
        };
        rows.into_iter().map(complete).collect()
    }
}

/// A vector of which the rule is not yet known.
#[derive(Debug)]
#[must_use]
pub struct Row<Of = Requests>(pub(crate) Vector<Of>);

impl<Of: Default> Row<Of> {
    pub(crate) fn new(name: &'static str, bytes: impl AsRef<[u8]>, outcome: Outcome) -> Self {
        Self(Vector {
            name,
            rfc: "",
            law: "",
            bytes: bytes.as_ref().to_vec(),
            half_closes: false,
            of: Of::default(),
            outcomes: vec![outcome],
            exception: None,
        })
    }
}

impl<Of> Row<Of> {
    /// The answers have these statuses.
    pub fn with(mut self, statuses: &'static [u16]) -> Self {
        self.0.outcomes[0].answers = statuses;
        self
    }

    /// The standard leaves it to the server, and this is as good.
    pub fn or(mut self, outcome: Outcome) -> Self {
        self.0.outcomes.push(outcome);
        self
    }

    /// Whoever sends this says that nothing more will come.
    pub fn half_closed(mut self) -> Self {
        self.0.half_closes = true;
        self
    }

    /// Where `hyper` decides, one of these comes of it.
    pub fn but<const N: usize>(
        mut self,
        exception: &'static Exception,
        outcomes: [Outcome; N],
    ) -> Self {
        self.0.exception = Some((exception, outcomes.to_vec()));
        self
    }
}

impl Row {
    /// The answers are to these methods, where that matters for their framing.
    pub fn to(mut self, methods: &'static [&'static str]) -> Self {
        self.0.of.methods = methods;
        self
    }

    /// The client waits for an answer 100, or says that it does.
    pub fn invited(mut self) -> Self {
        self.0.of.may_be_invited = true;
        self
    }

    /// The content of the answers holds this; that of `/anything` is written without white space.
    pub fn shows(mut self, text: &'static str) -> Self {
        self.0.of.shows = Some(text);
        self
    }
}

impl<Of> Vector<Of> {
    /// What `backend` may do.
    pub fn outcomes(&self, backend: Backend) -> &[Outcome] {
        match &self.exception {
            Some((exception, outcomes)) if exception.excuses(backend) => outcomes,
            _ => &self.outcomes,
        }
    }

    /// The exception that it needs, if it needs one.
    pub fn exception(&self) -> Option<&'static Exception> {
        self.exception.as_ref().map(|(exception, _)| *exception)
    }

    /// Whether `backend` need not do the same as the others.
    pub fn is_excused(&self, backend: Backend) -> bool {
        self.exception().is_some_and(|exception| exception.excuses(backend))
    }

    /// Whether it has an exception by which nothing else comes of it than without.
    pub fn claims_in_vain(&self) -> bool {
        let excused = self.exception.as_ref();
        excused.is_some_and(|(_, outcomes)| outcomes.iter().any(|one| self.outcomes.contains(one)))
    }

    /// Its rule and its bytes, for whoever reads that it failed.
    pub fn describe(&self) -> String {
        const SHOWN: usize = 600;
        let Self { name, rfc, law, bytes, .. } = self;
        let (first, rest) = bytes.split_at(bytes.len().min(SHOWN));
        let more =
            if rest.is_empty() { String::new() } else { format!(" … {} more", rest.len()) };
        format!("{name} ({rfc}: {law})\n{}{more}", escape(first))
    }
}

/// The names that more than one of `vectors` has.
pub fn named_twice<Of>(vectors: &[Vector<Of>]) -> Vec<&'static str> {
    let mut names = BTreeSet::new();
    vectors.iter().map(|vector| vector.name).filter(|name| !names.insert(*name)).collect()
}

/// What is special about requests, or about answers.
impl<Of> Deref for Vector<Of> {
    type Target = Of;

    fn deref(&self) -> &Of {
        &self.of
    }
}
