//! What users ask for, and what a right answer to it is.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::floor;
use crate::wire::{Body, Exchange};

/// How much `echo-16k` sends and wants back.
const ECHO_BYTES: usize = 16 * 1024;
/// How long a body the upstream of `proxy` and `proxy-slow` answers with.
const UPSTREAM_BYTES: usize = 1024;

/// One kind of request that every backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// `GET /echo`: the least that a server can do.
    Echo,
    /// `POST /echo` with 16 KiB that must come back equal.
    Echo16K,
    /// `GET /delay/20ms`: waiting, and nothing else.
    Delay,
    /// `GET /anything`: a small JSON answer.
    Anything,
    /// `GET /proxy/item`, from an upstream that answers at once: forwarding, and nothing else.
    Proxy,
    /// The same from an upstream that takes 20 ms: forwarding that has to wait.
    ProxySlow,
}

/// What answers behind the servers: `loadtest floor`, the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// How long a body its answer has.
    pub(crate) bytes: usize,
    /// How long it takes.
    pub(crate) delay: Duration,
}

impl Scenario {
    /// Every scenario, in the order of the reports.
    pub(crate) const ALL: [Self; 6] =
        [Self::Echo, Self::Echo16K, Self::Delay, Self::Anything, Self::Proxy, Self::ProxySlow];

    /// The name on the command line and in every report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Echo16K => "echo-16k",
            Self::Delay => "delay",
            Self::Anything => "anything",
            Self::Proxy => "proxy",
            Self::ProxySlow => "proxy-slow",
        }
    }

    /// What it asks, in words.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Echo => "GET /echo, an empty answer",
            Self::Echo16K => "POST /echo, 16 KiB there and back",
            Self::Delay => "GET /delay/20ms, a wait of 20 ms in the server",
            Self::Anything => "GET /anything, a small JSON answer",
            Self::Proxy => "GET /proxy/item, 1 KiB from an upstream that answers at once",
            Self::ProxySlow => "GET /proxy/item, 1 KiB from an upstream that takes 20 ms",
        }
    }

    /// The upstream that a server must have for it.
    pub(crate) fn upstream(self) -> Option<Upstream> {
        let after = |delay| Some(Upstream { bytes: UPSTREAM_BYTES, delay });
        match self {
            Self::Echo | Self::Echo16K | Self::Delay | Self::Anything => None,
            Self::Proxy => after(Duration::ZERO),
            Self::ProxySlow => after(Duration::from_millis(20)),
        }
    }

    /// The request to the server at `address` and its right answer.
    pub(crate) fn exchange(self, address: SocketAddr) -> Exchange {
        let host = address.to_string();
        let get = |target, body| Exchange::new(address, &host, "GET", target, b"", body);
        let naming = |path: &str| Body::Containing(format!("\"{path}\"").into_bytes());
        match self {
            Self::Echo => get("/echo", Body::Exactly(Vec::new())),
            Self::Delay => get("/delay/20ms", naming("/delay/20ms")),
            Self::Anything => get("/anything", naming("/anything")),
            // Not bytes that a server could come by without asking its upstream.
            Self::Proxy | Self::ProxySlow => {
                get("/proxy/item", Body::Exactly(floor::body(UPSTREAM_BYTES)))
            }
            Self::Echo16K => {
                let content = floor::body(ECHO_BYTES);
                let body = Body::Exactly(content.clone());
                Exchange::new(address, &host, "POST", "/echo", &content, body)
            }
        }
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no scenario {name:?}; the scenarios are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        assert_eq!(
            "ecco".parse::<Scenario>(),
            Err("there is no scenario \"ecco\"; \
                 the scenarios are echo, echo-16k, delay, anything, proxy, proxy-slow"
                .to_owned())
        );
    }

    #[test]
    fn the_long_echo_wants_back_what_it_sends() {
        let exchange = Scenario::Echo16K.exchange(SocketAddr::from(([127, 0, 0, 1], 80)));
        let Body::Exactly(body) = &exchange.body else { panic!("{:?}", exchange.body) };
        assert_eq!(body.len(), 16 * 1024);
        assert!(exchange.request.ends_with(body));
    }
}
