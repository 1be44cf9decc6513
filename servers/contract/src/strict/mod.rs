//! The strictest reading of requests: RFC 9112 to the letter, with nothing that it merely tolerates.
//!
//! What [`read_all`] makes of a client's bytes is what must come out behind a proxy, and what comes
//! out there is read by [`read`] too. Bytes in, requests out, and all at once: whoever reads from a
//! socket begins again when more has come.
//!
//! ```
//! use contract::strict::{Bounds, Ending, read_all};
//!
//! let bytes = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\nGET /c HTTP/1.1\r\nHost : b\r\n\r\n";
//! let read = read_all(bytes, &Bounds::OF_SERVERS);
//! assert_eq!(read.requests[0].target, "/a");
//! assert!(matches!(read.ending, Ending::Wrong(fault, None) if fault.status == 400));
//! ```

mod content;
mod head;
mod target;

use std::fmt;

use crate::wire::Framing;

/// A request, as far as it has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As it stands; methods are case-sensitive.
    pub method: String,
    /// Whether its version is HTTP/1.0, and not a later one.
    pub is_1_0: bool,
    /// In origin-form or `*`, whichever form it came in.
    pub target: String,
    /// Whom it is for: what the target names, or else `Host`. `None` if HTTP/1.0 names nobody.
    pub host: Option<String>,
    /// Whether no other request may follow on its connection (RFC 9112, 9.3).
    pub is_last: bool,
    /// Names in lower case, values without the space around them, in order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// How the end of its content is known.
    pub framing: Framing,
    /// Its content, without its framing.
    pub content: Vec<u8>,
    /// What is allowed, but has no place in what a gateway sends.
    pub oddities: Vec<&'static str>,
}

/// What a reader takes at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of a head, and of a trailer section.
    pub head: usize,
    /// Fields of either.
    pub fields: usize,
    /// Bytes of content by its length, or of one chunk.
    pub content: u64,
}

/// Why a request is none, and the status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Of the answer.
    pub status: u16,
    /// What is wrong.
    pub why: &'static str,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A request of so many bytes.
    Whole(Box<Request>, usize),
    /// The beginning of one, perhaps with its head.
    Begun(Option<Box<Request>>),
    /// Something that is wrong, perhaps behind a good head.
    Wrong(Fault, Option<Box<Request>>),
}

/// Everything that a client has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The requests that came whole.
    pub requests: Vec<Request>,
    /// And then?
    pub ending: Ending,
}

/// What comes after the last whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing, and more requests may follow.
    Open,
    /// Whatever it is, it must not be read.
    Last,
    /// A request that does not end, perhaps with its head.
    Begun(Option<Box<Request>>),
    /// Something that is wrong, perhaps behind a good head.
    Wrong(Fault, Option<Box<Request>>),
}

impl Bounds {
    /// What the servers take unless they are told otherwise.
    pub const OF_SERVERS: Self = Self { head: 16 * 1024, fields: 100, content: i64::MAX as u64 };
    /// Enough for whatever a proxy makes of that.
    pub const OF_ORIGINS: Self = Self { head: 64 * 1024, fields: 200, content: u64::MAX };
}

impl Request {
    /// Whether the client says that it waits for an answer 100 before it sends content.
    pub fn waits(&self) -> bool {
        let has_content = !matches!(self.framing, Framing::Bodiless | Framing::Length(0));
        has_content && !self.is_1_0 && self.list("expect").contains(&b"100-continue".to_vec())
    }

    /// All values of the field `name` (in lower case).
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| &value[..]).collect()
    }

    /// The members of the list that the fields `name` (in lower case) are, in lower case.
    pub fn list(&self, name: &str) -> Vec<Vec<u8>> {
        let values = self.values(name);
        let members = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        let members = members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
        members.map(<[u8]>::to_ascii_lowercase).collect()
    }
}

impl Conversation {
    /// Whether the client says of any request that it waits for an answer 100.
    pub fn may_be_invited(&self) -> bool {
        self.requests.iter().chain(self.begun()).any(Request::waits)
    }

    /// The head of the request that has begun, and has no end or a wrong one.
    pub fn begun(&self) -> Option<&Request> {
        match &self.ending {
            Ending::Wrong(_, begun) | Ending::Begun(begun) => begun.as_deref(),
            Ending::Open | Ending::Last => None,
        }
    }
}

/// Reads the request at the beginning of `bytes`.
pub fn read(bytes: &[u8], bounds: &Bounds) -> Reading {
    let mut source = Source { bytes, at: 0 };
    let mut request = match head::read(&mut source, bounds) {
        Ok(request) => Box::new(request),
        Err(Stop::Early) => return Reading::Begun(None),
        Err(Stop::Wrong(fault)) => return Reading::Wrong(fault, None),
    };
    match content::read(&mut source, &mut request, bounds) {
        Ok(()) => Reading::Whole(request, source.at),
        Err(Stop::Early) => Reading::Begun(Some(request)),
        Err(Stop::Wrong(fault)) => Reading::Wrong(fault, Some(request)),
    }
}

/// Head and content, for whoever reads that it is not as it should be.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, host, fields, framing, content, .. } = self;
        write!(f, "{method} {target} for {host:?}, {framing:?}, ")?;
        for (name, value) in fields {
            write!(f, "{name}: {}, ", value.escape_ascii())?;
        }
        write!(f, "\"{}\"", content.escape_ascii())
    }
}

/// Reads all that a client has said.
pub fn read_all(mut bytes: &[u8], bounds: &Bounds) -> Conversation {
    let mut requests = Vec::new();
    let ending = loop {
        if bytes.is_empty() {
            break Ending::Open;
        }
        match read(bytes, bounds) {
            Reading::Whole(request, length) => {
                let is_last = request.is_last;
                requests.push(*request);
                if is_last {
                    break Ending::Last;
                }
                bytes = &bytes[length..];
            }
            Reading::Begun(request) => break Ending::Begun(request),
            Reading::Wrong(fault, request) => break Ending::Wrong(fault, request),
        }
    };
    Conversation { requests, ending }
}

/// Why reading goes no further.
#[derive(Debug)]
enum Stop {
    /// There is no more.
    Early,
    Wrong(Fault),
}

/// What is to be answered by 400.
fn bad(why: &'static str) -> Stop {
    wrong(400, why)
}

fn wrong(status: u16, why: &'static str) -> Stop {
    Stop::Wrong(Fault { status, why })
}

/// Bytes, and how far they have been read.
struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Takes as much as there is, but no more than `length` bytes.
    fn take(&mut self, length: u64) -> &'a [u8] {
        let rest = self.rest();
        let taken = usize::try_from(length).map_or(rest, |most| &rest[..most.min(rest.len())]);
        self.at += taken.len();
        taken
    }

    /// A line of at most so many bytes, without its CR LF. What is `beyond` is wrong.
    fn line(&mut self, at_most: usize, beyond: Stop) -> Result<&'a [u8], Stop> {
        let rest = self.rest();
        let Some(end) = rest.iter().take(at_most).position(|byte| *byte == b'\n') else {
            return Err(if rest.len() < at_most { Stop::Early } else { beyond });
        };
        self.at += end + 1;
        match rest[..end].strip_suffix(b"\r") {
            Some(line) if line.contains(&b'\r') => Err(bad("a bare CR")),
            Some(line) => Ok(line),
            None => Err(bad("a bare LF")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &str) -> Request {
        match read(bytes.as_bytes(), &Bounds::OF_SERVERS) {
            Reading::Whole(request, length) if length == bytes.len() => *request,
            other => panic!("{bytes:?}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_read_to_its_end() {
        let request = whole(
            "POST http://b:81?c HTTP/1.1\r\nHost: a\r\nX: \t y \r\nTransfer-Encoding: chunked\r\n\r\n\
             3;x=\"y\\\"\"\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
        );
        assert_eq!((&request.method[..], &request.target[..]), ("POST", "/?c"));
        assert_eq!(request.host.as_deref(), Some("b:81"));
        assert_eq!(request.values("x"), [b"y"]);
        assert_eq!((request.framing, &request.content[..]), (Framing::Chunked, &b"abcde"[..]));
        assert_eq!(request.oddities, ["absolute-form", "a chunk extension", "a trailer"]);
    }

    #[test]
    fn what_a_gateway_sends_is_not_odd() {
        for bytes in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ] {
            assert!(whole(bytes).oddities.is_empty(), "{bytes:?}");
        }
        for bytes in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 02\r\n\r\nhi",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,Chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(whole(bytes).oddities.len(), 1, "{bytes:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_request_is_not_one() {
        let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                      2\r\nhi\r\n0\r\nT: u\r\n\r\n";
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
        for length in 1..bytes.len() {
            match read(&bytes[..length], &Bounds::OF_SERVERS) {
                Reading::Begun(request) => assert_eq!(request.is_some(), length >= head),
                other => panic!("{length}: {other:?}"),
            }
        }
    }
}
