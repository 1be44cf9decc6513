//! A forwarded request and its answer, from the decision to the heads that leave.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use std::sync::Arc;

use http::{HeaderMap, Request, Version, request};
use service::{Action, Decision, Forward, Mode, Process, Route, Service, Upstream};

mod decision;
mod downstream;
mod upstream;

/// Who sends the requests.
const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 4000);

struct Idle;

impl Process for Idle {
    fn draining(&self) -> bool {
        false
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

fn service(mode: Mode, max_streamed: Option<u64>, trust_forwarded: bool) -> Service {
    let upstream = Upstream { authority: "origin:9000".parse().unwrap(), trust_forwarded };
    Service::new("test", mode, Some(upstream), 0, max_streamed, Arc::new(Idle))
}

/// The head of a request in HTTP/1.1, whose `Host` is `a` unless it brings its own.
fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::builder().method(method).uri(target);
    if !fields.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "a");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn old(mut head: request::Parts) -> request::Parts {
    head.version = Version::HTTP_10;
    head
}

fn plan(mode: Mode, head: &request::Parts) -> Forward {
    match service(mode, None, false).decide(head) {
        Decision {
            route: Route::Proxy, action: Action::Forward(forward), close: false, ..
        } => forward,
        decision => panic!("{decision:?}"),
    }
}

/// The status of a request that is not forwarded.
fn status(mode: Mode, head: &request::Parts) -> u16 {
    match service(mode, None, false).decide(head).action {
        Action::Respond(response) => response.status().as_u16(),
        action => panic!("{action:?}"),
    }
}

fn forwarded(mode: Mode, head: request::Parts) -> request::Parts {
    plan(mode, &head).request(head, CLIENT.into())
}

/// `name: value` lines, sorted.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let line =
        |(name, value): (_, &http::HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}
