//! What must hold of any bytes at all, for a fuzzer to try.
//!
//! | target | holds |
//! |---|---|
//! | [`requests_in_any_split`] | how requests are cut on their way changes nothing, and what is read from them can be written and read again |
//! | [`answers_in_any_split`]  | the same, of answers |
//! | [`requests_beside_hyper`] | what `http1` and `hyper` both take for requests, they read alike, to the number of them; what only one takes is of a kind that is listed with what the standard says of it |
//! | [`answers_beside_hyper`]  | the same, of answers |
//!
//! Each panics at what it finds. All four read an [`Input`] in the same way, so that they share
//! their seeds (`seeds/`, which `cargo test` tries too) and words (`http1.dict`). The kinds of
//! difference are tables: `src/requests/differences.rs`, `src/answers/differences.rs`, and what both
//! share in `src/kinds.rs`.

#![forbid(unsafe_code)]

mod answers;
mod difference;
mod input;
mod kinds;
mod requests;
mod wire;

pub use answers::{answers_beside_hyper, answers_in_any_split};
pub use difference::Difference;
pub use input::Input;
pub use requests::{requests_beside_hyper, requests_in_any_split};

/// Every kind of difference over requests, then over answers.
pub fn differences() -> [Vec<&'static Difference>; 2] {
    [requests::differences().collect(), answers::differences().collect()]
}
