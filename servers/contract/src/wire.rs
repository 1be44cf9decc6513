//! Reading messages off the wire, strictly: RFC 9112 to the letter, and nothing that it merely
//! tolerates.
//!
//! For an answer, the order of calls is [`read_head`], [`Head::framing`], then [`read_chunk`] until it is `None`
//! or [`read_body`] once.

use std::io::{self, BufRead, Read};

use thiserror::Error;

/// The longest line that is read before it is called malformed.
const MAX_LINE: u64 = 64 * 1024;

/// Why no whole answer could be read.
#[derive(Debug, Error)]
pub enum Fault {
    /// The server closed while more was due.
    #[error("the connection ended inside {0}")]
    Ended(&'static str),
    /// Nothing more came.
    #[error("no more of {0} came in time")]
    Late(&'static str),
    /// The connection failed, most likely by a reset.
    #[error("the connection failed inside {0}: {1}")]
    Failed(&'static str, io::Error),
    /// The bytes are not what HTTP says.
    #[error("malformed {0}: {1}")]
    Malformed(&'static str, String),
}

/// Status line and fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `HTTP/1.1`, as it stands.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// Names in lower case, values without the space around them, in order.
    pub fields: Vec<(String, String)>,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none: an answer to `HEAD`, 1xx, 204, 304.
    Bodiless,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

impl Head {
    /// All values of the field `name` (in lower case).
    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }

    /// The framing of the body of this answer to a request with `method` (RFC 9112, 6.3).
    pub fn framing(&self, method: &str) -> Result<Framing, Fault> {
        let wrong = |why: &str| Err(Fault::Malformed("framing", why.to_owned()));
        let (lengths, codings) = (self.values("content-length"), self.values("transfer-encoding"));
        let bodiless_status = matches!(self.status, 100..=199 | 204);
        match (lengths.as_slice(), codings.as_slice()) {
            ([_, ..], [_, ..]) => wrong("both Content-Length and Transfer-Encoding"),
            ([], []) if bodiless_status => Ok(Framing::Bodiless),
            _ if bodiless_status => wrong("a length or coding with 1xx or 204 (RFC 9110, 8.6)"),
            _ if method == "HEAD" || self.status == 304 => Ok(Framing::Bodiless),
            ([], ["chunked"]) => Ok(Framing::Chunked),
            ([], [_, ..]) => wrong("a Transfer-Encoding other than one `chunked`"),
            ([length], []) => parse_length(length).map(Framing::Length),
            ([], []) => Ok(Framing::UntilClose),
            _ => wrong("more than one Content-Length"),
        }
    }
}

/// All values of the field `name` (in lower case).
pub(crate) fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

/// Reads up to and including the empty line. `None` if the connection ended before the first byte.
pub fn read_head(source: &mut impl BufRead) -> Result<Option<Head>, Fault> {
    let Some(line) = read_line(source, "the status line")? else { return Ok(None) };
    let (version, status) = parse_status_line(&line)?;
    let fields = read_fields(source, "the head")?;
    Ok(Some(Head { version, status, fields }))
}

/// Reads a body that is not chunked.
pub fn read_body(source: &mut impl BufRead, framing: Framing) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let failed = |error| failure("the body", error);
    match framing {
        Framing::Bodiless | Framing::Chunked => {}
        Framing::UntilClose => {
            source.read_to_end(&mut body).map_err(failed)?;
        }
        Framing::Length(length) => {
            let read = source.take(length).read_to_end(&mut body).map_err(failed)?;
            if (read as u64) < length {
                return Err(Fault::Ended("the body"));
            }
        }
    }
    Ok(body)
}

/// Reads one chunk; `None` for the last one, whose trailers must be empty: the service drops them.
pub fn read_chunk(source: &mut impl BufRead) -> Result<Option<Vec<u8>>, Fault> {
    let line = read_line(source, "a chunk size")?.ok_or(Fault::Ended("a chunked body"))?;
    let size = parse_chunk_size(&line)?;
    if size == 0 {
        let trailers = read_fields(source, "the trailers")?;
        return match trailers.first() {
            None => Ok(None),
            Some((name, _)) => Err(Fault::Malformed("trailers", format!("there is a `{name}`"))),
        };
    }
    let mut chunk = vec![0; size];
    source.read_exact(&mut chunk).map_err(|error| failure("a chunk", error))?;
    let mut end = [0; 2];
    source.read_exact(&mut end).map_err(|error| failure("a chunk's end", error))?;
    if end != *b"\r\n" {
        return Err(Fault::Malformed("chunk", format!("ends in \"{}\"", end.escape_ascii())));
    }
    Ok(Some(chunk))
}

pub(crate) fn read_fields(
    source: &mut impl BufRead,
    part: &'static str,
) -> Result<Vec<(String, String)>, Fault> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(source, part)?.ok_or(Fault::Ended(part))?;
        if line.is_empty() {
            return Ok(fields);
        }
        fields.push(parse_field(&line)?);
    }
}

/// A line without its CR LF. `None` if the source ended before its first byte.
pub(crate) fn read_line(
    source: &mut impl BufRead,
    part: &'static str,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut line = Vec::new();
    source.take(MAX_LINE).read_until(b'\n', &mut line).map_err(|error| failure(part, error))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(Fault::Ended(part));
    }
    match line.strip_suffix(b"\r\n") {
        Some(text) if !text.contains(&b'\r') => Ok(Some(text.to_vec())),
        _ => Err(malformed("line end", &line)),
    }
}

fn parse_status_line(line: &[u8]) -> Result<(String, u16), Fault> {
    let text = printable(line).ok_or_else(|| malformed("status line", line))?;
    let parts: Vec<&str> = text.splitn(3, ' ').collect();
    match parts.as_slice() {
        [version @ ("HTTP/1.0" | "HTTP/1.1"), status, _reason]
            if status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            let status = status.parse().map_err(|_| malformed("status", line))?;
            Ok(((*version).to_owned(), status))
        }
        _ => Err(malformed("status line", line)),
    }
}

fn parse_field(line: &[u8]) -> Result<(String, String), Fault> {
    let allowed = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let colon = line.iter().position(|byte| *byte == b':');
    let parts = colon.map(|colon| (printable(&line[..colon]), &line[colon + 1..]));
    match parts {
        Some((Some(name), value)) if is_token(name) && value.iter().all(allowed) => {
            // What is not ASCII means nothing (RFC 9110, 5.5), and need not be UTF-8.
            let value: String = value.iter().copied().map(char::from).collect();
            Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => Err(malformed("field", line)),
    }
}

/// Whether this is a method or a field's name (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

pub(crate) fn parse_length(value: &str) -> Result<u64, Fault> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("Content-Length", value.as_bytes()));
    }
    value.parse().map_err(|_| malformed("Content-Length", value.as_bytes()))
}

fn parse_chunk_size(line: &[u8]) -> Result<usize, Fault> {
    printable(line)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or_else(|| malformed("chunk size", line))
}

/// The line as text, if it is ASCII without control characters (a tab is none).
pub(crate) fn printable(line: &[u8]) -> Option<&str> {
    let allowed = line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(line).ok().filter(|_| allowed)
}

pub(crate) fn malformed(part: &'static str, bytes: &[u8]) -> Fault {
    Fault::Malformed(part, format!("\"{}\"", bytes.escape_ascii()))
}

pub(crate) fn failure(part: &'static str, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Ended(part),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Late(part),
        _ => Fault::Failed(part, error),
    }
}
