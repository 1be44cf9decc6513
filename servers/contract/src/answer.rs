//! A whole answer, and what a test may ask of it.
//!
//! Every method that checks returns the answer again, so that a test reads as one sentence:
//! `client.get("/bytes/3").status(200).field("content-length", "3")`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::evidence::{Evidence, escape};
use crate::wire::{Framing, Head};

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Status line and fields.
    pub head: Head,
    /// How the end of its body was known.
    pub framing: Framing,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The sizes of its chunks, if it was chunked, without the last.
    pub chunks: Vec<usize>,
    pub(crate) evidence: Arc<Evidence>,
}

impl Answer {
    /// The status must be this one.
    #[track_caller]
    pub fn status(&self, expected: u16) -> &Self {
        self.check(self.head.status == expected, || {
            format!("status {} where {expected} was due", self.head.status)
        })
    }

    /// The field must be there once, with this value.
    #[track_caller]
    pub fn field(&self, name: &str, expected: &str) -> &Self {
        let values = self.head.values(name);
        self.check(values == [expected], || {
            format!("`{name}` is {values:?} where {expected:?} was due")
        })
    }

    /// The field must not be there.
    #[track_caller]
    pub fn no_field(&self, name: &str) -> &Self {
        let values = self.head.values(name);
        self.check(values.is_empty(), || format!("`{name}` is {values:?} where none was due"))
    }

    /// The value of the field, which must be there once.
    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        match self.head.values(name).as_slice() {
            [value] => value,
            values => self.evidence.fail(&format!("`{name}` is {values:?} where one was due")),
        }
    }

    /// The body must be this.
    #[track_caller]
    pub fn body(&self, expected: impl AsRef<[u8]>) -> &Self {
        let expected = expected.as_ref();
        self.check(self.body == expected, || {
            let cut = &expected[..expected.len().min(200)];
            format!("{} bytes of body where \"{}\" was due", self.body.len(), escape(cut))
        })
    }

    /// The body must have come by `Content-Length`.
    #[track_caller]
    pub fn by_length(&self) -> &Self {
        let by_length = matches!(self.framing, Framing::Length(_));
        self.check(by_length, || format!("{:?} where Content-Length was due", self.framing))
    }

    /// The body must have come in chunks.
    #[track_caller]
    pub fn chunked(&self) -> &Self {
        self.check(self.framing == Framing::Chunked, || {
            format!("{:?} where chunks were due", self.framing)
        })
    }

    /// The answer must announce that the connection closes.
    #[track_caller]
    pub fn says_close(&self) -> &Self {
        self.check(self.announces_close(), || "no `Connection: close`".to_owned())
    }

    /// The answer must leave the connection open.
    #[track_caller]
    pub fn stays_open(&self) -> &Self {
        self.check(!self.announces_close(), || "an uncalled-for `Connection: close`".to_owned())
    }

    /// The body, which must be text.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(_) => self.fail("the body is not text"),
        }
    }

    /// The body, which must be JSON and say so.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.field("content-type", "application/json");
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => self.fail(&format!("the body is not JSON: {error}")),
        }
    }

    /// Fails the test that looks at this answer.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        self.evidence.fail(what)
    }

    /// Whether the answer says that it is the last on its connection: by `close` or, in HTTP/1.0, by
    /// saying nothing (RFC 9112, 9.3).
    pub fn announces_close(&self) -> bool {
        let values = self.head.values("connection");
        let says = |due| {
            let mut options = values.iter().flat_map(|value| value.split(',')).map(str::trim);
            options.any(|option| option.eq_ignore_ascii_case(due))
        };
        says("close") || self.head.version == "HTTP/1.0" && !says("keep-alive")
    }

    /// `Date` must be there, as it is to be written, and say now.
    #[track_caller]
    pub fn dated_now(&self) -> &Self {
        let date = self.value("date");
        let when = httpdate::parse_http_date(date).unwrap_or(SystemTime::UNIX_EPOCH);
        let distance =
            SystemTime::now().duration_since(when).unwrap_or_else(|ahead| ahead.duration());
        self.check(httpdate::fmt_http_date(when) == date, || {
            format!("Date {date:?} is no IMF-fixdate")
        })
        .check(distance < Duration::from_mins(1), || format!("Date {date:?} is not now"))
    }

    /// What holds of every answer that a server makes itself: who made it, and when.
    #[track_caller]
    pub(crate) fn signed(&self) -> &Self {
        self.field("server", &format!("five-ways/{}", self.evidence.backend().name())).dated_now()
    }

    /// What holds of every answer that was passed on: through whom, and made when.
    #[track_caller]
    pub(crate) fn passed_on(&self) -> &Self {
        let via = self.head.values("via").join(", ");
        self.check(via.ends_with("five-ways"), || {
            format!(
                "status {} without our name in Via ({via:?}): no upstream made this answer",
                self.head.status
            )
        });
        self.value("date");
        self
    }

    #[track_caller]
    fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) -> &Self {
        self.evidence.check(holds, otherwise);
        self
    }
}
