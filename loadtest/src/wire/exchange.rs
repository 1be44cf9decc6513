//! A request, made once, and the answer that it must get.

use std::net::SocketAddr;

/// One request and what a right answer to it looks like. All users of a test share it.
#[derive(Debug)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

    fn request(content: &[u8]) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let exchange = Exchange::new(address, "h:8080", "POST", "/echo", content, Body::Any);
        String::from_utf8(exchange.request).expect("the request is text")
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
