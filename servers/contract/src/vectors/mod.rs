//! The vectors, a file for each part of a request.

pub mod chunks;
pub mod codings;
pub mod expect;
pub mod fields;
pub mod foreign;
pub mod hosts;
pub mod lengths;
pub mod methods;
pub mod pipelines;
pub mod request_lines;
pub mod smuggling;
pub mod targets;
pub mod trailers;
pub mod versions;

use crate::vector::Vector;

/// Every vector that there is.
pub fn all() -> Vec<Vector> {
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
        smuggling::all(),
    ]
    .concat()
}
