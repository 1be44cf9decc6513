//! Content: RFC 9112, 6.2 and 7.1.

use super::head::read_fields;
use super::{Bounds, Request, Source, Stop, bad};
use crate::wire::{Framing, is_token};

/// The longest line that says how long a chunk is.
const LINE_AT_MOST: usize = 258;

/// The most digits of a size.
const DIGITS_AT_MOST: usize = 16;

/// Reads a request's content to its end.
pub(super) fn read(
    source: &mut Source,
    request: &mut Request,
    bounds: &Bounds,
) -> Result<(), Stop> {
    match request.framing {
        Framing::Bodiless | Framing::UntilClose => Ok(()),
        Framing::Length(length) => read_data(source, request, length),
        Framing::Chunked => {
            while let Some(size) = read_size(source, request, bounds)? {
                read_data(source, request, size)?;
                match source.rest() {
                    [b'\r', b'\n', ..] => source.at += 2,
                    [] | [b'\r'] => return Err(Stop::Early),
                    _ => return Err(bad("no CR LF after a chunk")),
                }
            }
            if !read_fields(source, bounds.head, bounds.fields)?.is_empty() {
                request.oddities.push("a trailer");
            }
            Ok(())
        }
    }
}

fn read_data(source: &mut Source, request: &mut Request, length: u64) -> Result<(), Stop> {
    let data = source.take(length);
    request.content.extend(data);
    if (data.len() as u64) < length { Err(Stop::Early) } else { Ok(()) }
}

/// The size of the next chunk; `None` of the last.
fn read_size(
    source: &mut Source,
    request: &mut Request,
    bounds: &Bounds,
) -> Result<Option<u64>, Stop> {
    let line = source.line(LINE_AT_MOST, bad("a chunk size without end"))?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let size = u64::from_str_radix(text, 16).ok();
    let size = size.filter(|size| digits.len() <= DIGITS_AT_MOST && *size <= bounds.content);
    let size = size.ok_or_else(|| bad("a chunk size that is none"))?;
    if !extension.is_empty() {
        check_extension(extension).ok_or_else(|| bad("a chunk extension that is none"))?;
        if !request.oddities.contains(&"a chunk extension") {
            request.oddities.push("a chunk extension");
        }
    }
    Ok((size > 0).then_some(size))
}

/// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`
fn check_extension(mut rest: &[u8]) -> Option<()> {
    while !rest.is_empty() {
        rest = token(blank(blank(rest).strip_prefix(b";")?))?;
        if let Some(value) = blank(rest).strip_prefix(b"=") {
            let value = blank(value);
            rest = value.strip_prefix(b"\"").map_or_else(|| token(value), quoted)?;
        }
    }
    Some(())
}

fn blank(bytes: &[u8]) -> &[u8] {
    let count = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &bytes[count..]
}

fn token(bytes: &[u8]) -> Option<&[u8]> {
    let count = bytes.iter().take_while(|byte| is_token(&char::from(**byte).to_string())).count();
    (count > 0).then(|| &bytes[count..])
}

/// What comes after a string whose first quote is gone (RFC 9110, 5.6.4).
fn quoted(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_text(*escaped) => rest,
            [b'\\', ..] => return None,
            [plain, rest @ ..] if is_text(*plain) => rest,
            _ => return None,
        };
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
