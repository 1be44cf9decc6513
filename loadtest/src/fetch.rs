//! One question and its whole answer, where neither is measured: figures, health, a stage's control.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;
use url::{Position, Url};

/// How long a connection may take.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
/// More than any server has to say.
const MOST_BYTES: u64 = 16 << 20;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Asks, and waits for the answer; no part of it may take longer than `time_out`, if there is one.
///
/// It speaks HTTP/1.0, so that the answer ends with the connection and comes in no chunks.
///
/// # Errors
/// If the server can't be reached, is too slow, or what it says is no HTTP.
pub(crate) fn fetch(
    method: &str,
    url: &Url,
    content: &str,
    time_out: Option<Duration>,
) -> anyhow::Result<Answer> {
    let host = url.host_str().context("it has no host")?.trim_matches(['[', ']']);
    let mut addresses = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs()?;
    let address = addresses.next().context("it has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIME_OUT)?;
    stream.set_read_timeout(time_out)?;
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let length = match content.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let request = format!(
        "{method} {target} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n{length}\r\n{content}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, text) = answer.split_once("\r\n\r\n").context("it is no HTTP answer")?;
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Ok(Answer { status: status.context("it is no HTTP answer")?, text: text.to_owned() })
}
