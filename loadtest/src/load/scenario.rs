//! What users ask for, and what a right answer to it is.

use std::net::SocketAddr;
use std::str::FromStr;

use crate::wire::{Body, Exchange};

/// How much `echo-16k` sends and wants back.
const ECHO_BYTES: usize = 16 * 1024;

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
}

impl Scenario {
    /// Every scenario, in the order of the reports.
    pub(crate) const ALL: [Self; 4] = [Self::Echo, Self::Echo16K, Self::Delay, Self::Anything];

    /// The name on the command line and in every report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Echo16K => "echo-16k",
            Self::Delay => "delay",
            Self::Anything => "anything",
        }
    }

    /// What it asks, in words.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Echo => "GET /echo, an empty answer",
            Self::Echo16K => "POST /echo, 16 KiB there and back",
            Self::Delay => "GET /delay/20ms, a wait of 20 ms in the server",
            Self::Anything => "GET /anything, a small JSON answer",
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
            Self::Echo16K => {
                // No two neighbours alike, so that a piece lost or moved is seen.
                let content: Vec<u8> = (0..=250).cycle().take(ECHO_BYTES).collect();
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
                 the scenarios are echo, echo-16k, delay, anything"
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
