//! The names by which requests are counted.

/// The route that a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`
    Home,
    /// `/echo`, or everything in echo mode
    Echo,
    /// `/anything/…`
    Anything,
    /// `/status/{code}`
    Status,
    /// `/bytes/{n}`
    Bytes,
    /// `/stream/{n}`
    Stream,
    /// `/delay/{duration}`
    Delay,
    /// `/block/{duration}`
    Block,
    /// `/burn/{duration}`
    Burn,
    /// `/proxy/…`, or everything in proxy mode
    Proxy,
    /// `/healthz`
    Health,
    /// `/metrics`
    Metrics,
    /// No route, or no request that could have one.
    Other,
}

impl Route {
    /// The names of all routes; a route's place is its [`index`](Self::index).
    pub const NAMES: &[&str] = &[
        "/",
        "/echo",
        "/anything",
        "/status/{code}",
        "/bytes/{n}",
        "/stream/{n}",
        "/delay/{duration}",
        "/block/{duration}",
        "/burn/{duration}",
        "/proxy",
        "/healthz",
        "/metrics",
        "other",
    ];

    /// Where this route's name stands in [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

const _: () = assert!(Route::NAMES.len() == Route::Other as usize + 1);
