//! The content of an answer.

use bytes::Bytes;

/// What `/bytes` and `/stream` send: a pattern in which a lost or repeated byte shows.
static PATTERN: [u8; PATTERN_LENGTH] = {
    let mut pattern = [0; PATTERN_LENGTH];
    let mut at = 0;
    while at < PATTERN_LENGTH {
        pattern[at] = LINE[at % LINE.len()];
        at += 1;
    }
    pattern
};

/// No power of two is a multiple of its length, so pages and buffers do not line up with it.
const LINE: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678\n";

/// A multiple of the pattern's period, near 64 KiB.
const PATTERN_LENGTH: usize = LINE.len() * 1057;

/// The largest piece that [`Body::pattern`] gives.
pub(crate) const PIECE_AT_MOST: usize = 64 * 1024;

/// The content of an answer whose length is known.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// These bytes.
    Full(Bytes),
    /// So many bytes of a pattern, made as they are sent.
    Pattern(u64),
}

impl Body {
    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::Pattern(length) => *length,
        }
    }

    /// Whether there is nothing, or nothing more, to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `length` bytes of the pattern, at most 64 KiB.
    pub(crate) fn pattern(length: usize) -> Bytes {
        Bytes::from_static(&PATTERN[..length.min(PIECE_AT_MOST)])
    }
}

/// The content in pieces of bounded size, none of them empty.
impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Empty | Self::Pattern(0) => None,
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                (!bytes.is_empty()).then_some(bytes)
            }
            Self::Pattern(left) => {
                // Whole patterns, so that the next piece goes on where this one ends.
                let count = PATTERN_LENGTH.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= count as u64;
                Some(Bytes::from_static(&PATTERN[..count]))
            }
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Full(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Full(Bytes::from_static(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_goes_on_across_pieces() {
        let whole: Vec<u8> = Body::Pattern(200_000).flatten().collect();
        assert_eq!(whole.len(), 200_000);
        assert!(whole.iter().enumerate().all(|(at, byte)| *byte == whole[at % 62]));
        assert_eq!(Body::Pattern(0).next(), None);
    }
}
