//! What came of a request, seen from outside and down to the last byte.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exceptions::{ANSWERS_1_0_AS_1_0, UNSIGNED_REFUSAL};
use crate::vector::{End, Outcome, Vector};
use crate::wire::{self, Fault, Framing, Head};
use crate::{Backend, Client};

/// A request of which the answer can't be mistaken: it shows that the connection is open, and that
/// all before it has been understood as it was meant. With a byte less, it would get a 405.
pub(crate) const PROBE: &str =
    "GET /bytes/299 HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
const PROBED: usize = 299;

/// A socket can't be told not to wait at all.
const LAST_PATIENCE: Duration = Duration::from_millis(50);

/// All that came over a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Observation {
    answers: Vec<Seen>,
    invited: bool,
    end: Result<End, String>,
}

/// A final answer, without what differs each time.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    version: String,
    status: u16,
    fields: Vec<(String, String)>,
    content: String,
}

impl Observation {
    /// Reads all that comes over the connection on which `vector` was sent. All must be there by
    /// `deadline`, after which nothing is waited for any more.
    pub fn of(mut client: Client, vector: &Vector, deadline: Instant) -> Self {
        let patience = deadline.saturating_duration_since(Instant::now()).max(LAST_PATIENCE);
        client.stream().set_read_timeout(Some(patience)).expect("SO_RCVTIMEO");
        let mut seen = Self { answers: Vec::new(), invited: false, end: Ok(End::Open) };
        seen.end = loop {
            let method = vector.methods.get(seen.answers.len()).copied().unwrap_or("GET");
            match next_answer(&mut client, method) {
                Ok(Some(answer)) if answer.content.len() == PROBED => break last(&mut client),
                Ok(Some(Seen { status: 100, .. })) => seen.invited = true,
                Ok(Some(answer)) => seen.answers.push(answer),
                Ok(None) => break Ok(End::Closed),
                Err((head, fault)) => {
                    let begun = head.is_some();
                    seen.answers.extend(head);
                    break broken(begun, fault);
                }
            }
        };
        seen
    }

    /// Why this must not come of `vector` at `backend`, if it must not.
    pub fn objection(&self, vector: &Vector, backend: Backend) -> Option<String> {
        let statuses: Vec<u16> = self.answers.iter().map(|answer| answer.status).collect();
        let is = |outcome: &Outcome| self.end == Ok(outcome.end) && statuses == outcome.answers;
        let outcomes = vector.outcomes(backend);
        if !outcomes.iter().any(is) {
            return Some(format!("{outcomes:?} was due"));
        }
        if self.invited && !vector.may_be_invited {
            return Some("nobody waited for a 100".to_owned());
        }
        let shown = |text: &str| self.answers.iter().any(|answer| answer.content.contains(text));
        if let Some(text) = vector.shows.filter(|text| !vector.is_excused(backend) && !shown(text))
        {
            return Some(format!("{text} was to be in the answer"));
        }
        self.answers.iter().find_map(|answer| answer.objection(backend)).or_else(|| self.farewell())
    }

    /// The same but for the 100, which may be left out once content has come (RFC 9110, 10.1.1).
    /// Where an answer broke off, how much of it was sent is a matter of time.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_cut = |seen: &Self| seen.end == Ok(End::Cut);
        is_cut(self) || is_cut(other) || (&self.answers, &self.end) == (&other.answers, &other.end)
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
        if fields.iter().any(|(_, value)| value == "application/json") {
            fields.retain(|(name, _)| name != "content-length");
        }
        let json = serde_json::from_slice::<Value>(content).ok().map(|mut value| {
            // The number of the connection and the like, on which the length depends too.
            value.as_object_mut().map(|object| object.remove("connection"));
            value.to_string()
        });
        let content = json.unwrap_or_else(|| String::from_utf8_lossy(content).into_owned());
        Self { version, status, fields, content }
    }

    /// What is wrong with any answer that is like this.
    fn objection(&self, backend: Backend) -> Option<String> {
        let has = |name: &str, value: &str| {
            self.fields.iter().any(|(key, actual)| key == name && actual.starts_with(value))
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
    match read_content(client, &head, method) {
        Ok(content) => Ok(Some(Seen::of(head, &content))),
        Err(fault) => Err((Some(Seen::of(head, &[])), fault)),
    }
}

/// The connection was open; now it must end.
fn last(client: &mut Client) -> Result<End, String> {
    match next_answer(client, "GET") {
        Ok(None) => Ok(End::Open),
        other => Err(format!("after the answer to the last request: {other:?}")),
    }
}

fn read_content(client: &mut Client, head: &Head, method: &str) -> Result<Vec<u8>, Fault> {
    let framing = head.framing(method)?;
    if framing != Framing::Chunked {
        return wire::read_body(&mut client.reader, framing);
    }
    let mut content = Vec::new();
    while let Some(chunk) = client.try_chunk()? {
        content.extend(chunk);
    }
    Ok(content)
}

/// The end of a connection in the middle of an answer is one that was asked for; any other fault
/// is not.
fn broken(begun: bool, fault: Fault) -> Result<End, String> {
    match fault {
        Fault::Ended(_) if begun => Ok(End::Cut),
        fault => Err(fault.to_string()),
    }
}
