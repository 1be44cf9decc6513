//! The content of a message, in and out, however it is delimited (RFC 9112, section 6).

use bytes::Bytes;

use crate::{
    Error, Framing, Input, Limits,
    chunked::{self, Decoded},
    output::Output,
};

/// Content on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(chunked::Decoder),
    /// Whatever comes, until the connection is `closed`.
    UntilClose {
        closed: bool,
    },
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(chunked::Decoder::new()),
            Framing::UntilClose => Self::UntilClose { closed: false },
        }
    }

    /// Takes the next piece of content off the front of `input`; `None` if more must arrive.
    pub(crate) fn decode(
        &mut self,
        input: &mut Input,
        limits: Limits,
    ) -> Result<Option<Decoded>, Error> {
        let count = match self {
            Self::Length(0) => return Ok(Some(Decoded::Done)),
            Self::Chunked(decoder) => return decoder.decode(input, limits),
            Self::UntilClose { closed: true } if input.is_empty() => {
                return Ok(Some(Decoded::Done));
            }
            _ if input.is_empty() => return Ok(None),
            Self::Length(left) => {
                let count = chunked::clamp(*left, input.bytes().len());
                *left -= count as u64;
                count
            }
            Self::UntilClose { .. } => input.bytes().len(),
        };
        Ok(Some(Decoded::Content(input.take(count))))
    }

    /// How many bytes of content are still to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose { .. } => None,
        }
    }
}

/// Writes a piece of content; `framing` is that of what is left of it.
pub(crate) fn encode(framing: &mut Framing, content: Bytes, output: &mut Output) {
    match framing {
        Framing::Length(left) => {
            debug_assert!(content.len() as u64 <= *left, "more content than announced");
            *left = left.saturating_sub(content.len() as u64);
            output.push_content(content);
        }
        Framing::Chunked => chunked::encode(content, output),
        Framing::UntilClose => output.push_content(content),
    }
}

/// Ends the content; whether that is as much as was announced.
pub(crate) fn encode_end(framing: Framing, output: &mut Output) -> bool {
    match framing {
        Framing::Length(left) => left == 0,
        Framing::Chunked => {
            chunked::encode_end(output);
            true
        }
        Framing::UntilClose => true,
    }
}
