//! Kinds of difference between two readers, each of whom may have a right to its opinion.

use std::fmt::Debug;

use http1::Error;

/// A message that one reader takes and the other does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispute<'a> {
    /// The bytes from the message's beginning on.
    pub(crate) message: &'a [u8],
    /// The bytes from the line on that `http1` could not read, if that is in the content; the
    /// same as `message` if it is in the head.
    pub(crate) stopped: &'a [u8],
    /// The bytes of the message before it, which may have said that the connection ends; of an
    /// answer, the informational ones before it.
    pub(crate) previous: &'a [u8],
    /// Whether it is an answer to HEAD.
    pub(crate) is_head: bool,
    /// What `http1` has against the message; `None` if it has nothing.
    pub(crate) error: Option<Error>,
}

/// A kind of difference.
#[derive(Debug)]
pub struct Difference {
    /// What it is called; the seed that shows it has the same name.
    pub name: &'static str,
    /// What the standard says of it, with the section.
    pub verdict: &'static str,
    /// What `http1` calls it: empty where it is hyper that refuses.
    pub(crate) errors: &'static [Error],
    /// Whether the bytes are of this kind, so that an error without a reason is a finding.
    pub(crate) explains: fn(&Dispute<'_>) -> bool,
}

/// The kind in `table` that the dispute is of.
///
/// # Panics
/// If it is of none: that is a finding, and `reading` belongs to it.
pub(crate) fn explain(
    table: &'static [Difference],
    dispute: &Dispute<'_>,
    reading: &dyn Debug,
) -> &'static Difference {
    let is_of = |difference: &&Difference| {
        let fits = match dispute.error {
            Some(error) => difference.errors.contains(&error),
            None => difference.errors.is_empty(),
        };
        fits && (difference.explains)(dispute)
    };
    table.iter().find(is_of).unwrap_or_else(|| {
        panic!(
            "a difference of no known kind: {:?}\nin {}\nat {}\n{reading:#?}",
            dispute.error,
            dispute.message.escape_ascii(),
            dispute.stopped.escape_ascii(),
        )
    })
}

/// The lines of a head or a trailer section, up to the empty one, each without its LF.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').take_while(|line| !matches!(line, [] | [b'\r']))
}

/// A message without the empty lines that some forgive before it.
pub(crate) fn without_empty_lines(mut message: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = message {
        message = rest;
    }
    message
}

/// Whether a line ends in LF without CR, among those up to the empty one and that one too. Empty
/// lines before a message do not count, unless they are of that kind.
pub(crate) fn has_bare_lf(mut bytes: &[u8]) -> bool {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line {
            [b'\r', b'\n'] => return false,
            [.., b'\r', b'\n'] => {}
            _ => return line.ends_with(b"\n"),
        }
    }
    false
}

/// The values of the fields with this name, in order, without white space around them.
pub(crate) fn values<'a>(message: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    lines(without_empty_lines(message)).skip(1).filter_map(move |line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

/// The members of the list that these fields make together, empty ones too.
pub(crate) fn members<'a>(message: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    values(message, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}
