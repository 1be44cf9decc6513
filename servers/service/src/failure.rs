//! What can go wrong between a request and the upstream's answer.

use http::{Response, StatusCode};

use crate::{Body, respond::refuse};

/// Why a request could not be forwarded, or its answer not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection can be had: refused, no route, no such name.
    Unreachable,
    /// No connection was had within `--upstream-connect-timeout`.
    ConnectTimeout,
    /// What came back is no HTTP, or no answer to the request.
    Invalid,
    /// The upstream closed before it answered.
    Closed,
    /// As many requests as may already wait for an upstream connection.
    Saturated,
    /// No upstream connection was free within `--upstream-wait`.
    NoneFree,
    /// Nothing, or nothing more, came within `--upstream-timeout`.
    TooSlow,
}

impl Failure {
    /// The names of all failures; a failure's place is its [`index`](Self::index).
    pub const NAMES: &[&str] = &[
        "unreachable",
        "connect_timeout",
        "invalid",
        "closed",
        "saturated",
        "none_free",
        "too_slow",
    ];

    /// Where this failure's name stands in [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name by which it is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// What the client is told, as long as no head has left: 502, 503 with `Retry-After`, or 504
    /// (RFC 9110, sections 15.6.3 to 15.6.5).
    #[must_use]
    pub fn answer(self) -> Response<Body> {
        let (status, why) = match self {
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "the upstream can't be reached"),
            Self::ConnectTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "the upstream took too long to accept a connection")
            }
            Self::Invalid => (StatusCode::BAD_GATEWAY, "the upstream's answer is not valid HTTP"),
            Self::Closed => (StatusCode::BAD_GATEWAY, "the upstream closed before it answered"),
            Self::Saturated => {
                (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for the upstream")
            }
            Self::NoneFree => {
                (StatusCode::SERVICE_UNAVAILABLE, "no upstream connection was free in time")
            }
            Self::TooSlow => (StatusCode::GATEWAY_TIMEOUT, "the upstream took too long to answer"),
        };
        refuse(status, why)
    }
}

const _: () = assert!(Failure::NAMES.len() == Failure::TooSlow as usize + 1);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::header;

    use super::*;

    #[test]
    fn each_failure_has_a_status_a_text_and_a_name() {
        let failures = [
            (Failure::Unreachable, 502, "unreachable"),
            (Failure::ConnectTimeout, 504, "connect_timeout"),
            (Failure::Invalid, 502, "invalid"),
            (Failure::Closed, 502, "closed"),
            (Failure::Saturated, 503, "saturated"),
            (Failure::NoneFree, 503, "none_free"),
            (Failure::TooSlow, 504, "too_slow"),
        ];
        let mut texts = HashSet::new();
        for (failure, status, name) in failures {
            assert_eq!(failure.name(), name);
            let answer = failure.answer();
            assert_eq!(answer.status(), status, "{failure:?}");
            let retry_after = answer.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(retry_after, status == 503, "{failure:?}");
            let Some(text) = answer.into_body().next() else { panic!("{failure:?}") };
            assert!(text.starts_with(status.to_string().as_bytes()), "{failure:?}");
            assert!(texts.insert(text), "{failure:?} says nothing of its own");
        }
    }
}
