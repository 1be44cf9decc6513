//! What the fuzzer's bytes stand for.

use arbitrary::Arbitrary;
use http::Method;

/// One case. A seed begins with a line of three digits, the widths; the rest of it is `bytes`.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Input<'a> {
    /// How many bytes arrive at once, over and over, modulo sixteen; 0 stands for all that is left.
    widths: [u8; 3],
    /// Odd if an answer is one to HEAD, else it is one to GET.
    method: u8,
    /// What arrives.
    pub bytes: &'a [u8],
}

impl Input<'_> {
    /// The length of each piece, without end.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = usize> + use<> {
        self.widths.into_iter().cycle().map(|width| match width % 16 {
            0 => usize::MAX,
            width => usize::from(width),
        })
    }

    /// What the answer is one to.
    pub(crate) fn method(&self) -> Method {
        if self.method % 2 == 1 { Method::HEAD } else { Method::GET }
    }
}
