//! What users ask for, and what a right answer to it is.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::{Blocker, Script};
use crate::floor;
use crate::wire::{Body, Exchange};

/// How much `echo-16k` sends and wants back.
const ECHO_BYTES: usize = 16 * 1024;
/// How long a body the upstream of `proxy` and `proxy-slow` answers with.
const UPSTREAM_BYTES: usize = 1024;
/// How long the one who blocks rests between two requests of 20 ms: four fifths of the time.
const REST: Duration = Duration::from_millis(80);
/// What `stream` asks for: so many chunks …
const CHUNKS: usize = 5;
/// … of so many bytes.
const CHUNK_BYTES: usize = 64;
/// What the servers fill chunks with, by their contract: this, again and again.
const PATTERN: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678\n";

/// Requests that every backend answers.
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
    /// `GET /burn/200us`: computing, and next to nothing else.
    Burn,
    /// `GET /block/20ms` by one user, who then rests 80 ms; the others are bystanders, who ask
    /// `GET /echo`.
    Block,
    /// `GET /stream/5`: five chunks, one every 20 ms.
    Stream,
    /// `GET /proxy/item`, from an upstream that answers at once: forwarding, and nothing else.
    Proxy,
    /// The same from an upstream that takes 20 ms: forwarding that has to wait.
    ProxySlow,
    /// Of ten requests five are `echo`, two `anything`, and one each `echo-16k`, `delay`, `burn`.
    Mixed,
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
    pub(crate) const ALL: [Self; 10] = [
        Self::Echo,
        Self::Echo16K,
        Self::Delay,
        Self::Anything,
        Self::Burn,
        Self::Block,
        Self::Stream,
        Self::Proxy,
        Self::ProxySlow,
        Self::Mixed,
    ];

    /// How many connections it takes at least.
    pub(crate) fn least_connections(self) -> usize {
        if self == Self::Block { 2 } else { 1 }
    }

    /// The name on the command line and in every report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Echo16K => "echo-16k",
            Self::Delay => "delay",
            Self::Anything => "anything",
            Self::Burn => "burn",
            Self::Block => "block",
            Self::Stream => "stream",
            Self::Proxy => "proxy",
            Self::ProxySlow => "proxy-slow",
            Self::Mixed => "mixed",
        }
    }

    /// What it asks, in words.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Echo => "GET /echo, an empty answer",
            Self::Echo16K => "POST /echo, 16 KiB there and back",
            Self::Delay => "GET /delay/20ms, a wait of 20 ms in the server",
            Self::Anything => "GET /anything, a small JSON answer",
            Self::Burn => "GET /burn/200us, 200 µs of CPU time in the server",
            Self::Block => {
                "GET /block/20ms by one user, who rests 80 ms after each; the others GET /echo"
            }
            Self::Stream => "GET /stream/5, five chunks of 64 B, one every 20 ms",
            Self::Proxy => "GET /proxy/item, 1 KiB from an upstream that answers at once",
            Self::ProxySlow => "GET /proxy/item, 1 KiB from an upstream that takes 20 ms",
            Self::Mixed => {
                "of ten requests five of echo, two of anything, one each of echo-16k, delay, burn"
            }
        }
    }

    /// The upstream that a server must have for it.
    pub(crate) fn upstream(self) -> Option<Upstream> {
        let after = |delay| Some(Upstream { bytes: UPSTREAM_BYTES, delay });
        match self {
            Self::Proxy => after(Duration::ZERO),
            Self::ProxySlow => after(Duration::from_millis(20)),
            _ => None,
        }
    }

    /// Who asks the server at `address` what, and what is right for an answer.
    pub(crate) fn script(self, address: SocketAddr) -> Script {
        let exchange = |scenario: Self| scenario.exchange(address);
        match self {
            Self::Block => {
                let blocker = Blocker { exchange: exchange(Self::Block), rest: REST };
                Script::beside(blocker, exchange(Self::Echo))
            }
            Self::Mixed => Script::in_turn(
                exchange(Self::Echo),
                [
                    Self::Anything,
                    Self::Echo,
                    Self::Echo16K,
                    Self::Echo,
                    Self::Delay,
                    Self::Echo,
                    Self::Anything,
                    Self::Echo,
                    Self::Burn,
                ]
                .map(exchange),
            ),
            other => Script::of(exchange(other)),
        }
    }

    /// The request to the server at `address` and its right answer; of several, the first.
    fn exchange(self, address: SocketAddr) -> Exchange {
        let host = address.to_string();
        let get = |target, body| Exchange::new(address, &host, "GET", target, b"", body);
        let naming = |path: &str| Body::Containing(format!("\"{path}\"").into_bytes());
        match self {
            Self::Echo | Self::Mixed => get("/echo", Body::Exactly(Vec::new())),
            Self::Delay => get("/delay/20ms", naming("/delay/20ms")),
            Self::Anything => get("/anything", naming("/anything")),
            Self::Burn => get("/burn/200us", naming("/burn/200us")),
            Self::Block => get("/block/20ms", naming("/block/20ms")),
            Self::Stream => {
                let chunk: Vec<u8> = PATTERN.iter().copied().cycle().take(CHUNK_BYTES).collect();
                let target = format!("/stream/{CHUNKS}?interval=20ms&size={CHUNK_BYTES}");
                get(&target, Body::Exactly(chunk.repeat(CHUNKS)))
            }
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
                 the scenarios are echo, echo-16k, delay, anything, burn, block, stream, proxy, \
                 proxy-slow, mixed"
                .to_owned())
        );
    }

    #[test]
    fn of_ten_mixed_requests_half_are_the_plain_echo() {
        let script = Scenario::Mixed.script(SocketAddr::from(([127, 0, 0, 1], 80)));
        let asked = |target: &str| {
            let target = format!(" {target} HTTP/1.1");
            let requests = (0..10).map(|turn| &script.exchange(3, turn).request);
            requests.filter(|request| String::from_utf8_lossy(request).contains(&target)).count()
        };
        let counts = ["/echo", "/anything", "/delay/20ms", "/burn/200us"].map(asked);
        assert_eq!(counts, [6, 2, 1, 1], "one of the echoes is the long one");
        assert_eq!(script.different().len(), 5);
    }

    #[test]
    fn the_long_echo_wants_back_what_it_sends() {
        let exchange = Scenario::Echo16K.exchange(SocketAddr::from(([127, 0, 0, 1], 80)));
        let Body::Exactly(body) = &exchange.body else { panic!("{:?}", exchange.body) };
        assert_eq!(body.len(), 16 * 1024);
        assert!(exchange.request.ends_with(body));
    }
}
