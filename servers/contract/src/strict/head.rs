//! Request lines and fields: RFC 9112, 3 and 5, and what they say of framing: 6.

use super::target::{self, Form};
use super::{Bounds, Request, Source, Stop, bad, wrong};
use crate::wire::{Framing, is_token};

/// Reads up to and including the empty line.
pub(super) fn read(source: &mut Source, bounds: &Bounds) -> Result<Request, Stop> {
    let mut oddities = Vec::new();
    if source.rest().starts_with(b"\r\n") {
        source.at += 2;
        oddities.push("an empty line before the request");
    }
    let begin = source.at;
    let line = source.line(bounds.head, wrong(414, "a request line without end"))?;
    let (method, given, version) = request_line(line)?;
    let is_1_0 = version == "HTTP/1.0";
    if version != "HTTP/1.1" {
        oddities.push("another version");
    }
    let form = target::read(method, given)?;
    let room = bounds.head.saturating_sub(source.at - begin);
    let fields = read_fields(source, room, bounds.fields)?;
    let mut request = Request {
        method: method.to_owned(),
        is_1_0,
        target: String::new(),
        host: None,
        is_last: false,
        fields,
        framing: Framing::Bodiless,
        content: Vec::new(),
        oddities,
    };
    request.framing = framing(&mut request, bounds)?;
    if form == Form::Authority {
        return Err(wrong(501, "a tunnel"));
    }
    (request.host, request.target) = destination(&request, &form)?;
    if matches!(form, Form::Absolute { .. }) {
        request.oddities.push("absolute-form");
    }
    let options = request.list("connection");
    let has = |option: &str| options.iter().any(|one| one == option.as_bytes());
    request.is_last = has("close") || is_1_0 && !has("keep-alive");
    Ok(request)
}

/// Reads fields up to and including the empty line after them, in at most `room` bytes.
pub(super) fn read_fields(
    source: &mut Source,
    room: usize,
    at_most: usize,
) -> Result<Vec<(String, Vec<u8>)>, Stop> {
    let end = source.at + room;
    let mut fields = Vec::new();
    loop {
        let left = end.saturating_sub(source.at);
        let line = source.line(left, wrong(431, "fields without end"))?;
        if line.is_empty() {
            return Ok(fields);
        }
        if fields.len() == at_most {
            return Err(wrong(431, "too many fields"));
        }
        fields.push(field(line)?);
    }
}

fn request_line(line: &[u8]) -> Result<(&str, &str, &str), Stop> {
    let text = std::str::from_utf8(line).map_err(|_| bad("a request line that is no text"))?;
    let parts: Vec<_> = text.split(' ').collect();
    let [method, target, version] = parts[..] else { return Err(bad("not three parts")) };
    if !is_token(method) {
        return Err(bad("a method that is no token"));
    }
    match version.as_bytes() {
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => match major {
            b'1' => Ok((method, target, version)),
            _ => Err(wrong(505, "another major version")),
        },
        _ => Err(bad("no version")),
    }
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), Stop> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| bad("no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let name = std::str::from_utf8(name).ok().filter(|name| is_token(name));
    let name = name.ok_or_else(|| bad("a field's name that is no token"))?;
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(begin, |last| last + 1);
    let value = &value[begin..end];
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(bad("a control character in a value"));
    }
    Ok((name.to_ascii_lowercase(), value.to_vec()))
}

/// Where a request is to go: whom it is for, and for what.
fn destination(request: &Request, form: &Form) -> Result<(Option<String>, String), Stop> {
    let values = request.values("host");
    let given = match values[..] {
        [] if request.is_1_0 => None,
        [host] if target::is_host(host) => Some(String::from_utf8_lossy(host).into_owned()),
        [_] => return Err(bad("a Host that is none")),
        [] => return Err(bad("no Host")),
        _ => return Err(bad("more than one Host")),
    };
    Ok(match form {
        Form::Absolute { host, path } => (Some(host.clone()), path.clone()),
        Form::Origin(path) => (given, path.clone()),
        Form::Asterisk | Form::Authority => (given, "*".to_owned()),
    })
}

/// RFC 9112, 6.3. One length or one `chunked`, and never both.
fn framing(request: &mut Request, bounds: &Bounds) -> Result<Framing, Stop> {
    let (lengths, codings) = (request.values("content-length"), request.list("transfer-encoding"));
    let is_coded = !request.values("transfer-encoding").is_empty();
    if let [value] = lengths[..] {
        let length = length(value, bounds.content)?;
        if length.to_string().as_bytes() != value {
            request.oddities.push("zeros before a length");
        }
        if !is_coded {
            return Ok(Framing::Length(length));
        }
    }
    match (request.values("content-length").len(), is_coded) {
        (0, false) => Ok(Framing::Bodiless),
        (0, true) if request.is_1_0 => Err(bad("a coding in HTTP/1.0")),
        (0, true) => {
            check_codings(&codings)?;
            if request.values("transfer-encoding")[..] != [b"chunked"] {
                request.oddities.push("chunked in another guise");
            }
            Ok(Framing::Chunked)
        }
        (_, true) => Err(bad("a length beside a coding")),
        (_, false) => Err(bad("more than one length")),
    }
}

/// Chunked, once, and nothing else.
fn check_codings(codings: &[Vec<u8>]) -> Result<(), Stop> {
    let is_chunked = |coding: &Vec<u8>| coding == b"chunked";
    match codings.iter().position(is_chunked) {
        _ if codings.is_empty() => Err(bad("no coding")),
        Some(place) if place + 1 < codings.len() => Err(bad("chunked is not the last coding")),
        Some(0) => Ok(()),
        _ => Err(wrong(501, "an unknown coding")),
    }
}

fn length(value: &[u8], at_most: u64) -> Result<u64, Stop> {
    let digits = std::str::from_utf8(value).ok().filter(|text| !text.is_empty());
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse().ok()).filter(|length| *length <= at_most);
    length.ok_or_else(|| bad("a length that is none"))
}
