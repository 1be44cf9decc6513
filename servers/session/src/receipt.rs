//! What is counted of an answer, for a server whose codec is not a session's.

use std::time::Instant;

use http::{Response, StatusCode};
use service::Route;

use crate::Environment;

/// An answer that is on its way, to be counted when it is complete.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    route: Route,
    status: StatusCode,
    began: Instant,
}

impl Receipt {
    /// The answer to a request on `route`, whose head was complete when it `began`.
    #[must_use]
    pub fn new<B>(route: Route, response: &Response<B>, began: Instant) -> Self {
        Self { route, status: response.status(), began }
    }

    /// Counts the answer, which is complete `now`.
    pub fn settle(self, environment: &dyn Environment, now: Instant) {
        let elapsed = now.saturating_duration_since(self.began);
        environment.answered(self.route, self.status, elapsed);
    }
}
