//! What came of a request, seen from outside and down to the last byte.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exceptions::{ANSWERS_1_0_AS_1_0, UNSIGNED_REFUSAL};
use crate::vector::{End, Outcome, Vector};
use crate::wire::{self, Fault, Framing, Head};
use crate::{Backend, Client};

/// A request of which the answer can't be mistaken: it shows that the connection is open, and that
/// all before it has been understood as it was meant. With a byte less, it would get a 405.
pub const PROBE: &str = "GET /bytes/299 HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
const PROBED: usize = 299;

/// A socket can't be told not to wait at all.
const LAST_PATIENCE: Duration = Duration::from_millis(50);

/// All that came over a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Observation {
    /// Informational ones too.
    pub(crate) answers: Vec<Seen>,
    pub(crate) end: Result<End, String>,
}

/// An answer, without what differs each time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    /// As far as it came.
    pub(crate) content: String,
}

impl Observation {
    /// Reads all that comes over the connection on which `vector` was sent. All must be there by
    /// `deadline`, after which nothing is waited for any more.
    pub fn of(client: Client, vector: &Vector, deadline: Instant) -> Self {
        Self::read(client, vector.methods, deadline)
    }

    /// Reads all that comes in answer to requests with `methods`; GET after the last.
    pub(crate) fn read(mut client: Client, methods: &[&str], deadline: Instant) -> Self {
        let patience = deadline.saturating_duration_since(Instant::now()).max(LAST_PATIENCE);
        client.stream().set_read_timeout(Some(patience)).expect("SO_RCVTIMEO");
        let mut seen = Self { answers: Vec::new(), end: Ok(End::Open) };
        seen.end = loop {
            let finals = seen.answers.iter().filter(|answer| answer.status >= 200).count();
            let method = methods.get(finals).copied().unwrap_or("GET");
            match next_answer(&mut client, method) {
                Ok(Some(answer)) if answer.content.len() == PROBED => break last(&mut client),
                Ok(Some(answer)) => seen.answers.push(answer),
                Ok(None) => break Ok(End::Closed),
                Err((head, fault)) => {
                    let is_cut = match &fault {
                        Fault::Ended(_) => head.is_some(),
                        // With a reset goes what nobody has read yet.
                        fault => is_reset(fault) && seen.answers.is_empty() && head.is_none(),
                    };
                    seen.answers.extend(head);
                    break if is_cut { Ok(End::Cut) } else { Err(fault.to_string()) };
                }
            }
        };
        seen
    }

    /// Why this must not come of `vector` at `backend`, if it must not.
    pub fn objection(&self, vector: &Vector, backend: Backend) -> Option<String> {
        let statuses: Vec<u16> = self.finals().map(|answer| answer.status).collect();
        let is = |outcome: &Outcome| self.end == Ok(outcome.end) && statuses == outcome.answers;
        let outcomes = vector.outcomes(backend);
        if !outcomes.iter().any(is) {
            return Some(format!("{outcomes:?} was due"));
        }
        if statuses.len() < self.answers.len() && !vector.may_be_invited {
            return Some("nobody waited for a 100".to_owned());
        }
        let shown = |text: &str| self.finals().any(|answer| answer.content.contains(text));
        if let Some(text) = vector.shows.filter(|text| !vector.is_excused(backend) && !shown(text))
        {
            return Some(format!("{text} was to be in the answer"));
        }
        self.finals().find_map(|answer| answer.objection(backend)).or_else(|| self.farewell())
    }

    /// The same but for the 100, which may be left out once content has come (RFC 9110, 10.1.1).
    /// Where an answer broke off, how much of it was sent is a matter of time.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_cut = |seen: &Self| seen.end == Ok(End::Cut);
        let is_same = || self.finals().eq(other.finals()) && self.end == other.end;
        is_cut(self) || is_cut(other) || is_same()
    }

    /// All answers but a 100, which says no more than that content is waited for.
    fn finals(&self) -> impl Iterator<Item = &Seen> {
        self.answers.iter().filter(|answer| answer.status != 100)
    }

    /// Who refuses to read on says so (RFC 9112, 9.6).
    fn farewell(&self) -> Option<String> {
        let last = self.answers.last()?;
        let refuses = matches!(last.status, 400 | 413 | 414 | 431 | 501 | 505);
        let must = refuses && self.end == Ok(End::Closed) && last.version == "HTTP/1.1";
        let says = last.fields.iter().any(|(name, value)| name == "connection" && value == "close");
        (must && !says).then(|| "the last answer does not say `Connection: close`".to_owned())
    }
}

impl Seen {
    fn of(head: Head, content: &[u8]) -> Self {
        let Head { version, status, mut fields } = head;
        let dates = fields.iter_mut().filter(|(name, _)| name == "date");
        dates.for_each(|(_, date)| date.clear());
        let is_json = fields.iter().any(|(_, value)| value == "application/json");
        if is_json {
            fields.retain(|(name, _)| name != "content-length");
        }
        let json = is_json.then(|| serde_json::from_slice::<Value>(content).ok()).flatten();
        let json = json.map(|mut value| {
            // The number of the connection and the like, on which the length depends too.
            value.as_object_mut().map(|object| object.remove("connection"));
            value.to_string()
        });
        let content = json.unwrap_or_else(|| String::from_utf8_lossy(content).into_owned());
        Self { version, status, fields, content }
    }

    /// What is wrong with any answer that is like this, if the server made it.
    pub(crate) fn objection(&self, backend: Backend) -> Option<String> {
        let has = |name: &str, value: &str| {
            self.value(name).is_some_and(|actual| actual.starts_with(value))
        };
        let signed = has("server", &format!("five-ways/{}", backend.name()));
        let may_be_unsigned = self.status >= 400 && UNSIGNED_REFUSAL.excuses(backend);
        let may_be_old = ANSWERS_1_0_AS_1_0.excuses(backend);
        if !signed && !may_be_unsigned {
            Some(format!("a {} without `Server`", self.status))
        } else if !has("date", "") {
            Some(format!("a {} without `Date`", self.status))
        } else if self.version != "HTTP/1.1" && !may_be_old {
            Some(format!("an answer of {}", self.version))
        } else {
            None
        }
    }

    /// The first value of the field `name` (in lower case).
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        wire::values(&self.fields, name).first().copied()
    }
}

/// Asks what shows whether the connection is open, where the server may have closed already.
pub fn probe(client: &mut Client) {
    let _ = client.try_send(PROBE);
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Seen { version, status, content, .. } in &self.answers {
            let line = content.lines().next().unwrap_or_default();
            write!(f, "{version} {status} \"{}\", ", line.escape_debug())?;
        }
        match &self.end {
            Ok(end) => write!(f, "{end:?}"),
            Err(fault) => f.write_str(fault),
        }
    }
}

type Broken = (Option<Seen>, Fault);

/// The next answer; `None` if the connection ended before it. If it broke off, what there was.
fn next_answer(client: &mut Client, method: &str) -> Result<Option<Seen>, Broken> {
    let Some(head) = wire::read_head(&mut client.reader).map_err(|fault| (None, fault))? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    match read_content(client, &head, method, &mut content) {
        Ok(()) => Ok(Some(Seen::of(head, &content))),
        Err(fault) => Err((Some(Seen::of(head, &content)), fault)),
    }
}

/// The connection was open; now it must end.
fn last(client: &mut Client) -> Result<End, String> {
    match next_answer(client, "GET") {
        Ok(None) => Ok(End::Open),
        other => Err(format!("after the answer to the last request: {other:?}")),
    }
}

/// Reads content, as far as it goes.
fn read_content(
    client: &mut Client,
    head: &Head,
    method: &str,
    content: &mut Vec<u8>,
) -> Result<(), Fault> {
    match head.framing(method)? {
        Framing::Bodiless => {}
        Framing::Length(length) => {
            let read = (&mut client.reader).take(length).read_to_end(content);
            read.map_err(|error| wire::failure("the body", error))?;
            if (content.len() as u64) < length {
                return Err(Fault::Ended("the body"));
            }
        }
        Framing::Chunked => {
            while let Some(chunk) = client.try_chunk()? {
                content.extend(chunk);
            }
        }
        Framing::UntilClose => match client.reader.read_to_end(content) {
            // Only so can what lasts until the close break off. What is lost with it is a matter of time.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                content.clear();
                return Err(Fault::Ended("the body"));
            }
            read => {
                read.map_err(|error| wire::failure("the body", error))?;
            }
        },
    }
    Ok(())
}

fn is_reset(fault: &Fault) -> bool {
    matches!(fault, Fault::Failed(_, error) if error.kind() == io::ErrorKind::ConnectionReset)
}
