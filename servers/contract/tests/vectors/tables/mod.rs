//! The vectors, a file for each part of a request.

pub(crate) mod chunks;
pub(crate) mod codings;
pub(crate) mod expect;
pub(crate) mod fields;
pub(crate) mod foreign;
pub(crate) mod hosts;
pub(crate) mod lengths;
pub(crate) mod methods;
pub(crate) mod pipelines;
pub(crate) mod request_lines;
pub(crate) mod targets;
pub(crate) mod trailers;
pub(crate) mod versions;

use contract::vector::Vector;

/// Every vector that there is.
pub(crate) fn all() -> Vec<Vector> {
    [
        lengths::all(),
        codings::all(),
        chunks::all(),
        trailers::all(),
        hosts::all(),
        fields::all(),
        request_lines::all(),
        targets::all(),
        versions::all(),
        methods::all(),
        pipelines::all(),
        expect::all(),
        foreign::all(),
    ]
    .concat()
}
