//! The vectors, a file for each part of an answer.

pub(crate) mod bodiless;
pub(crate) mod chunks;
pub(crate) mod codings;
pub(crate) mod connections;
pub(crate) mod ends;
pub(crate) mod fields;
pub(crate) mod informational;
pub(crate) mod lengths;
pub(crate) mod status_lines;
pub(crate) mod trailers;

use contract::answers::Answers;
use contract::vector::Vector;

/// Every vector that there is.
pub(crate) fn all() -> Vec<Vector<Answers>> {
    [
        status_lines::all(),
        informational::all(),
        bodiless::all(),
        lengths::all(),
        codings::all(),
        chunks::all(),
        trailers::all(),
        fields::all(),
        connections::all(),
        ends::all(),
    ]
    .concat()
}
