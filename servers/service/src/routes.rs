//! The routes: a path and a method in, a decision out.

use std::time::Duration;

use http::{Method, StatusCode, request::Parts};

use crate::{
    Action, Decision, Echo, Forward, Pause, Report, Route, Service, Stream,
    body::PIECE_AT_MOST,
    duration,
    forward::max_forwards,
    respond::{self, refuse},
};

/// What `Allow` says of a route that takes any method.
pub(crate) const ANY: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What `Allow` says of a route that is only read.
const READ: &str = "GET, HEAD";

impl Service {
    pub(crate) fn route(&self, head: &Parts) -> Decision {
        let path = head.uri.path();
        if path == "/echo" {
            return echo(head);
        }
        let (first, rest) = split(path);
        match (first, rest) {
            ("", None) => read(Route::Home, head, || self.home()),
            ("*", None) => Decision::now(Route::Other, respond::options(ANY)),
            ("anything", _) => self.report(Route::Anything, head, Pause::None),
            ("status", Some(code)) => Decision::now(Route::Status, status(code)),
            ("bytes", Some(length)) => read(Route::Bytes, head, || bytes(length)),
            ("stream", Some(count)) => stream(count, head),
            ("delay", Some(time)) => self.pause(Route::Delay, head, time, Pause::Wait),
            ("block", Some(time)) => self.pause(Route::Block, head, time, Pause::Block),
            ("burn", Some(time)) => self.pause(Route::Burn, head, time, Pause::Burn),
            ("proxy", _) => self.forward(head, "/proxy"),
            ("healthz" | "metrics", None) => self.admin(head),
            _ => not_found("no such route; GET / lists those there are"),
        }
    }

    pub(crate) fn admin(&self, head: &Parts) -> Decision {
        match head.uri.path() {
            "/healthz" => read(Route::Health, head, || self.health()),
            "/metrics" => read(Route::Metrics, head, || respond::metrics(self.process.metrics())),
            _ => not_found("only /healthz and /metrics are here"),
        }
    }

    /// Forwards the request; the `route` in front of its path has led here, and goes no further.
    pub(crate) fn forward(&self, head: &Parts, route: &'static str) -> Decision {
        let Some(upstream) = &self.upstream else {
            let why = "there is nowhere to forward to; start this server with --upstream URL";
            return Decision::now(Route::Proxy, refuse(StatusCode::BAD_GATEWAY, why));
        };
        if max_forwards(&head.method, &head.headers) == Some(0) {
            return Decision::now(Route::Proxy, respond::options(ANY));
        }
        Decision::of(Route::Proxy, Action::Forward(Forward::of(head, upstream, route)))
    }

    fn pause(
        &self,
        route: Route,
        head: &Parts,
        time: &str,
        pause: fn(Duration) -> Pause,
    ) -> Decision {
        match duration::parse(time) {
            Ok(time) if time <= duration::AT_MOST => self.report(route, head, pause(time)),
            Ok(_) => Decision::now(route, bad_request("at most 60s, please")),
            Err(why) => Decision::now(route, bad_request(&why)),
        }
    }

    fn report(&self, route: Route, head: &Parts, pause: Pause) -> Decision {
        Decision::of(route, Action::Report(Report::of(head, self.backend, pause)))
    }

    fn health(&self) -> http::Response<crate::Body> {
        if self.process.draining() {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "draining")
        } else {
            respond::text(StatusCode::OK, "ok\n")
        }
    }

    fn home(&self) -> http::Response<crate::Body> {
        respond::text(StatusCode::OK, HOME.replace("{backend}", self.backend))
    }
}

/// The request's content, back as it arrives.
pub(crate) fn echo(head: &Parts) -> Decision {
    Decision::of(Route::Echo, Action::Echo(Echo::of(head)))
}

fn not_found(why: &str) -> Decision {
    Decision::now(Route::Other, refuse(StatusCode::NOT_FOUND, why))
}

/// Splits `/first/rest`; the rest is `None` where there is no second slash.
fn split(path: &str) -> (&str, Option<&str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    }
}

/// A route that is only read.
fn read(
    route: Route,
    head: &Parts,
    respond: impl FnOnce() -> http::Response<crate::Body>,
) -> Decision {
    let response = match head.method {
        Method::GET | Method::HEAD => respond(),
        _ => respond::method_not_allowed(READ),
    };
    Decision::now(route, response)
}

fn status(code: &str) -> http::Response<crate::Body> {
    match code.parse::<u16>() {
        Ok(code @ 200..=599) => {
            StatusCode::from_u16(code).map_or_else(|_| bad_request("no status"), respond::status)
        }
        _ => bad_request("a status between 200 and 599, please"),
    }
}

fn bytes(length: &str) -> http::Response<crate::Body> {
    match length.parse::<u64>() {
        Ok(length) if i64::try_from(length).is_ok() => respond::bytes(length),
        _ => bad_request("a number of bytes, please"),
    }
}

fn stream(count: &str, head: &Parts) -> Decision {
    match plan(count, head.uri.query().unwrap_or_default()) {
        _ if !matches!(head.method, Method::GET | Method::HEAD) => {
            Decision::now(Route::Stream, respond::method_not_allowed(READ))
        }
        Ok(stream) => Decision::of(Route::Stream, Action::Stream(stream)),
        Err(why) => Decision::now(Route::Stream, bad_request(&why)),
    }
}

/// Reads `{n}?interval=100ms&size=64`.
fn plan(count: &str, query: &str) -> Result<Stream, String> {
    let count = count.parse().map_err(|_| "a number of chunks, please".to_owned())?;
    let (mut interval, mut size) = (Duration::from_millis(100), 64);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "interval" => interval = duration::parse(&value)?,
            "size" => size = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    if interval > duration::AT_MOST {
        return Err("an interval of at most 60s, please".to_owned());
    }
    if !(1..=PIECE_AT_MOST).contains(&size) {
        return Err(format!("a size between 1 and {PIECE_AT_MOST}, please"));
    }
    Ok(Stream::new(count, interval, size))
}

fn bad_request(why: &str) -> http::Response<crate::Body> {
    refuse(StatusCode::BAD_REQUEST, why)
}

const HOME: &str = "\
Five Ways: one HTTP/1.1 service, written five times, to see what a concurrency model costs.
This is the backend '{backend}'.

    GET /                                 this
    any /echo                             your content back, as it arrives
    any /anything/...                     your request, as JSON
    any /status/{code}                    that status, 200 to 599
    GET /bytes/{n}                        n bytes
    GET /stream/{n}?interval=100ms&size=64  n chunks, one every interval
    any /delay/{duration}                 waits, then as /anything; durations: 250us, 20ms, 1.5s
    any /block/{duration}                 the same, but blocks the executing thread
    any /burn/{duration}                  the same, but keeps it busy
    any /proxy/...                        forwards upstream
    GET /healthz                          ok, or 503 while draining
    GET /metrics                          for Prometheus
";
