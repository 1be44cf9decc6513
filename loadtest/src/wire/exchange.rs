//! A request, made once, and the answer that it must get.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One request and what a right answer to it looks like. All users of a test share it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    /// The whole request, head and body, as it goes on the wire.
    pub(crate) request: Vec<u8>,
    /// The status that a right answer has.
    pub(crate) status: u16,
    /// The body that a right answer has.
    pub(crate) body: Body,
}

/// What the body of a right answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// Whatever it is, as long as it is complete.
    Any,
    /// These bytes and no others.
    Exactly(Vec<u8>),
    /// A body with these bytes in it; for answers that differ from one request to the next.
    Containing(Vec<u8>),
}

impl Exchange {
    /// A request with a `Content-Length` if it has a body, and a 200 expected for it.
    pub(crate) fn new(
        address: SocketAddr,
        host: &str,
        method: &str,
        target: &str,
        content: &[u8],
        body: Body,
    ) -> Self {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
        if !content.is_empty() {
            request.extend(format!("Content-Length: {}\r\n", content.len()).as_bytes());
        }
        request.extend(b"\r\n");
        request.extend(content);
        Self { address, request, status: 200, body }
    }

    /// The same request, but it says that it is the last on its connection.
    pub(crate) fn closing(mut self) -> Self {
        let line = self.request.windows(2).position(|pair| pair == b"\r\n");
        let after = line.map_or(self.request.len(), |at| at + 2);
        self.request.splice(after..after, *b"Connection: close\r\n");
        self
    }

    /// Whether asking twice is as good as asking once (RFC 9110, section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.request.starts_with(b"GET ")
    }

    /// What is asked, for reports.
    pub(crate) fn method_and_target(&self) -> (&str, &str) {
        let line = self.request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// The right answer in words.
    pub(crate) fn expected(&self) -> String {
        let status = self.status;
        match &self.body {
            Body::Any => status.to_string(),
            Body::Exactly(bytes) if bytes.is_empty() => format!("{status} and no body"),
            Body::Exactly(bytes) => format!("{status} and the right {} bytes", bytes.len()),
            Body::Containing(part) => {
                format!("{status} and a body with {} in it", String::from_utf8_lossy(part))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(content: &[u8]) -> Exchange {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        Exchange::new(address, "h:8080", "POST", "/echo", content, Body::Any)
    }

    fn request(content: &[u8]) -> String {
        String::from_utf8(exchange(content).request).expect("the request is text")
    }

    #[test]
    fn a_request_says_what_it_asks() {
        assert_eq!(exchange(b"abc").method_and_target(), ("POST", "/echo"));
    }

    #[test]
    fn the_last_request_of_a_connection_says_so() {
        let request = String::from_utf8(exchange(b"abc").closing().request).expect("text");
        let fields = "Connection: close\r\nHost: h:8080\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(request, format!("POST /echo HTTP/1.1\r\n{fields}"));
    }

    #[test]
    fn a_body_is_announced_and_its_absence_is_not() {
        assert_eq!(request(b""), "POST /echo HTTP/1.1\r\nHost: h:8080\r\n\r\n");
        assert_eq!(
            request(b"abc"),
            "POST /echo HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 3\r\n\r\nabc"
        );
    }
}
