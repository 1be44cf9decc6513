//! The chunked transfer coding (RFC 9112, section 7.1), read strictly.
//!
//! ```text
//!        ┌────────────── CR LF ──────────────┐
//!        ▼                                   │
//!     ┌──────┐  size > 0   ┌──────┐  all   ┌─────┐
//!  ──▶│ Size │────────────▶│ Data │───────▶│ End │
//!     └──────┘             └──────┘        └─────┘
//!        │ size = 0
//!        ▼
//!    ┌─────────┐  empty line
//!    │ Trailer │─────────────▶ done
//!    └─────────┘
//! ```

use bytes::Bytes;

use crate::{Error, Input, field, output::Output};

/// The longest size line: sixteen digits and an extension that nobody needs.
const LINE_AT_MOST: usize = 256;

/// All extensions of one body together. Each chunk may carry one, and they are not content.
const EXTENSIONS_AT_MOST: u32 = 16 * 1024;

/// Reads one chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of extensions, then of trailers, that may still come.
    allowance: u32,
    /// Trailer fields that may still come.
    fields: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    End,
    Trailer,
}

/// What a [`Decoder`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    Content(Bytes),
    Done,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { state: State::Size, allowance: EXTENSIONS_AT_MOST, fields: 0 }
    }

    /// Takes the next piece of content off the front of `input`; `None` if more must arrive.
    pub(crate) fn decode(
        &mut self,
        input: &mut Input,
        limits: crate::Limits,
    ) -> Result<Option<Decoded>, Error> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = field::line(input.bytes(), LINE_AT_MOST) else {
                        // No more of it, lest the error's name depend on how much has arrived.
                        let mut begin = input.bytes().iter().take(LINE_AT_MOST);
                        let is_size = begin.all(u8::is_ascii_hexdigit);
                        let error = if is_size { Error::ChunkSize } else { Error::ChunkExtension };
                        return too_long(input, LINE_AT_MOST, error);
                    };
                    let line = line?;
                    let (size, extension) = size_and_extension(line)?;
                    let length = line.len() + 2;
                    self.allow(extension, Error::ChunkExtension)?;
                    input.skip(length);
                    self.state = if size > 0 {
                        State::Data(size)
                    } else {
                        self.allowance = limits.max_head_bytes;
                        self.fields = limits.max_headers;
                        State::Trailer
                    };
                }
                State::Data(left) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let content = input.take(clamp(left, input.bytes().len()));
                    let left = left - content.len() as u64;
                    self.state = if left > 0 { State::Data(left) } else { State::End };
                    return Ok(Some(Decoded::Content(content)));
                }
                State::End => match input.bytes() {
                    [b'\r', b'\n', ..] => {
                        input.skip(2);
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(Error::ChunkEnd),
                },
                State::Trailer => {
                    let allowance = self.allowance as usize;
                    let Some(line) = field::line(input.bytes(), allowance) else {
                        return too_long(input, allowance, Error::HeadTooLarge);
                    };
                    let line = line?;
                    let length = line.len() + 2;
                    if line.is_empty() {
                        input.skip(length);
                        return Ok(Some(Decoded::Done));
                    }
                    field::check(line)?;
                    self.fields = self.fields.checked_sub(1).ok_or(Error::HeadTooLarge)?;
                    self.allow(length, Error::HeadTooLarge)?;
                    input.skip(length);
                }
            }
        }
    }

    fn allow(&mut self, count: usize, error: Error) -> Result<(), Error> {
        let left = (self.allowance as usize).checked_sub(count).ok_or(error)?;
        self.allowance = u32::try_from(left).map_err(|_| error)?;
        Ok(())
    }
}

/// Adds `content` as one chunk; empty content would end the body, so it adds nothing.
pub(crate) fn encode(content: Bytes, output: &mut Output) {
    if content.is_empty() {
        return;
    }
    let tail = output.tail();
    let digits = (content.len().ilog2() / 4 + 1) as usize;
    for digit in (0..digits).rev() {
        tail.push(b"0123456789abcdef"[content.len() >> (digit * 4) & 0xf]);
    }
    tail.extend_from_slice(b"\r\n");
    output.push_content(content);
    output.push(b"\r\n");
}

/// Adds the last chunk and an empty trailer section.
pub(crate) fn encode_end(output: &mut Output) {
    output.push(b"0\r\n\r\n");
}

/// The lesser of what is wanted and what is there.
pub(crate) fn clamp(wanted: u64, there: usize) -> usize {
    usize::try_from(wanted).map_or(there, |wanted| wanted.min(there))
}

/// No line end is in sight: more must arrive, unless a line of `limit` bytes would have ended.
fn too_long(input: &Input, limit: usize, error: Error) -> Result<Option<Decoded>, Error> {
    if input.bytes().len() >= limit.saturating_add(2) { Err(error) } else { Ok(None) }
}

/// Reads `chunk-size [ chunk-ext ]`: the size in bytes and the extension's length.
fn size_and_extension(line: &[u8]) -> Result<(u64, usize), Error> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    if digits.is_empty() || digits.len() > 16 {
        return Err(Error::ChunkSize);
    }
    let mut size = 0u64;
    for &digit in digits {
        let value = char::from(digit).to_digit(16).ok_or(Error::ChunkSize)?;
        size = size << 4 | u64::from(value);
    }
    // Sums of lengths must not overflow, and no body has 2^63 bytes.
    if i64::try_from(size).is_err() {
        return Err(Error::ChunkSize);
    }
    extensions(extension)?;
    Ok((size, extension.len()))
}

/// Checks `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn extensions(mut rest: &[u8]) -> Result<(), Error> {
    // Without a semicolon, what follows the size is no extension yet.
    let mut error = Error::ChunkSize;
    while !rest.is_empty() {
        rest = blank(rest).strip_prefix(b";").ok_or(error)?;
        error = Error::ChunkExtension;
        rest = token(blank(rest))?;
        if let Some(value) = blank(rest).strip_prefix(b"=") {
            let value = blank(value);
            rest = if value.first() == Some(&b'"') { quoted(value)? } else { token(value)? };
        }
    }
    Ok(())
}

fn blank(bytes: &[u8]) -> &[u8] {
    let count = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &bytes[count..]
}

fn token(bytes: &[u8]) -> Result<&[u8], Error> {
    let count = bytes.iter().take_while(|byte| field::is_token(**byte)).count();
    if count == 0 { Err(Error::ChunkExtension) } else { Ok(&bytes[count..]) }
}

/// Skips a quoted-string (RFC 9110, section 5.6.4).
fn quoted(bytes: &[u8]) -> Result<&[u8], Error> {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return Ok(&bytes[at + 1..]),
            b'\\' if !escaped => escaped = true,
            b'\t' | b' '..=b'~' | 0x80.. => escaped = false,
            _ => break,
        }
    }
    Err(Error::ChunkExtension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    /// Reads `bytes` as they arrive in pieces of this length.
    fn decode_in_pieces(bytes: &[u8], length: usize, limits: Limits) -> Result<(), Error> {
        let mut input = Input::with_capacity(64 * 1024);
        let mut decoder = Decoder::new();
        for piece in bytes.chunks(length) {
            input.extend(piece);
            while let Some(decoded) = decoder.decode(&mut input, limits)? {
                if decoded == Decoded::Done {
                    return Ok(());
                }
            }
        }
        Err(Error::Incomplete)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut input = Input::with_capacity(64 * 1024);
        input.extend(bytes);
        let mut decoder = Decoder::new();
        let mut content = Vec::new();
        while let Some(decoded) = decoder.decode(&mut input, Limits::default())? {
            match decoded {
                Decoded::Content(bytes) => content.extend_from_slice(&bytes),
                Decoded::Done => return Ok(content),
            }
        }
        Err(Error::Incomplete)
    }

    #[test]
    fn reads_sizes_extensions_and_trailers() {
        assert_eq!(decode(b"3\r\nabc\r\n0\r\n\r\n").unwrap(), b"abc");
        assert_eq!(
            decode(b"00a;x=\"1\\\";2\" ; y = z\r\n0123456789\r\n0;q\r\nX-T: 1\r\n\r\n").unwrap(),
            b"0123456789"
        );
    }

    #[test]
    fn refuses_what_others_may_read_otherwise() {
        for (bytes, error) in [
            (&b"\r\n\r\n"[..], Error::ChunkSize),
            (b";x\r\n", Error::ChunkSize),
            (b"+3\r\nabc\r\n", Error::ChunkSize),
            (b"0x3\r\nabc\r\n", Error::ChunkSize),
            (b"3 \r\nabc\r\n", Error::ChunkSize),
            (b" 3\r\nabc\r\n", Error::ChunkSize),
            (b"8000000000000000\r\n", Error::ChunkSize),
            (b"00000000000000003\r\n", Error::ChunkSize),
            (b"3;\r\nabc\r\n", Error::ChunkExtension),
            (b"3;x=\r\nabc\r\n", Error::ChunkExtension),
            (b"3;x=\"\r\nabc\r\n", Error::ChunkExtension),
            (b"3;x y\r\nabc\r\n", Error::ChunkExtension),
            (b"3;x \r\nabc\r\n", Error::ChunkExtension),
            (b"3\nabc\r\n", Error::LineEnd),
            (b"3;\r\r\n", Error::ChunkExtension),
            (b"3\r\nabcd\r\n", Error::ChunkEnd),
            (b"3\r\nabc\n0\r\n\r\n", Error::ChunkEnd),
            (b"0\r\n X: 1\r\n\r\n", Error::FoldedField),
            (b"0\r\nX : 1\r\n\r\n", Error::FieldName),
        ] {
            assert_eq!(decode(bytes), Err(error), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = [b"3;".as_slice(), &[b'x'; 300]].concat();
        assert_eq!(decode(&long), Err(Error::ChunkExtension));
        assert_eq!(decode(&[b'0'; LINE_AT_MOST + 3]), Err(Error::ChunkSize));
        let whole = [&[b'0'; LINE_AT_MOST + 3], &b"\r\n\r\n"[..]].concat();
        assert_eq!(decode(&whole), Err(Error::ChunkSize));
        let many = b"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n".repeat(1000);
        assert_eq!(decode(&many), Err(Error::ChunkExtension));
        let fields = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(101)].concat();
        assert_eq!(decode(&fields), Err(Error::HeadTooLarge));
        let large = [b"0\r\na: ".as_slice(), &vec![b'x'; 20_000]].concat();
        assert_eq!(decode(&large), Err(Error::HeadTooLarge));
    }

    #[test]
    fn bounds_are_the_same_however_lines_arrive() {
        let limits = Limits { max_head_bytes: 6, ..Limits::default() };
        let longest = [b"1;".as_slice(), &[b'x'; LINE_AT_MOST - 2], b"\r\na\r\n0\r\n\r\n"].concat();
        let digits = [[b'0'; LINE_AT_MOST + 2].as_slice(), b";"].concat();
        for (bytes, expected) in [
            (&b"0\r\na: b\r\n\r\n"[..], Ok(())),
            (b"0\r\na: bc\r\n\r\n", Err(Error::HeadTooLarge)),
            (b"0\r\na: bcd\r\n\r\n", Err(Error::HeadTooLarge)),
            (b"0\r\nabcdef\r\n\r\n", Err(Error::FieldName)),
            (&longest, Ok(())),
            (&digits, Err(Error::ChunkSize)),
        ] {
            for length in [1, 2, bytes.len()] {
                let decoded = decode_in_pieces(bytes, length, limits);
                assert_eq!(decoded, expected, "{} by {length}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn sizes_are_written_in_hexadecimal() {
        for length in [1, 9, 15, 16, 17, 255, 256, 4096, 70_000] {
            let mut output = Output::default();
            encode(Bytes::from(vec![b'x'; length]), &mut output);
            encode_end(&mut output);
            let expected = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
            assert_eq!(output.to_vec(), expected.as_bytes());
        }
    }
}
