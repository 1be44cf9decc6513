//! `--health`: be the client that asks whether the server is well, for container health checks.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::options::Options;

/// The whole question must be answered within this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the server can't be called healthy.
#[derive(Debug, Error)]
enum HealthError {
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("expected 200, not {0:?}")]
    Answer(String),
}

/// Asks `/healthz` of `--admin`, or else of `--listen`. Returns the exit code: 0 if the answer is 200,
/// 1 if not, with a line on stderr that says why.
#[must_use]
pub fn check(options: &Options) -> i32 {
    let address = reachable(options.admin.unwrap_or(options.listen));
    match ask(address, Instant::now() + PATIENCE) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("not healthy: http://{address}/healthz: {error}");
            1
        }
    }
}

/// Where a server that listens on all addresses can be found from the same machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, deadline: Instant) -> Result<(), HealthError> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let line = status_line(&mut stream, deadline)?;
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("200")) => Ok(()),
        _ => Err(HealthError::Answer(line)),
    }
}

/// The answer's first line, or as much as came of it.
fn status_line(stream: &mut TcpStream, deadline: Instant) -> Result<String, HealthError> {
    let mut bytes = [0; 128];
    let mut filled = 0;
    let end = loop {
        if let Some(end) = bytes[..filled].iter().position(|&byte| byte == b'\r') {
            break end;
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => break filled,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(HealthError::Late);
            }
            Err(error) => return Err(error.into()),
        }
    };
    Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

fn left(deadline: Instant) -> Result<Duration, HealthError> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(HealthError::Late),
        left => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Serves one connection by `answer`, and says what came of asking.
    fn ask_one(answer: &'static [&'static str]) -> Result<(), HealthError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let address = listener.local_addr().expect("it is bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the client comes");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a whole request");
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /healthz HTTP/1.1\r\n"));
            for piece in answer {
                stream.write_all(piece.as_bytes()).expect("the client reads");
            }
        });
        let result = ask(address, Instant::now() + Duration::from_mins(1));
        server.join().expect("a well-formed request");
        result
    }

    #[test]
    fn only_200_is_healthy() {
        assert!(ask_one(&["HTTP/1.1 200 OK\r\n\r\n"]).is_ok());
        assert!(ask_one(&["HTT", "P/1.1 2", "00 OK\r\n\r\nok"]).is_ok());
        for bad in [
            &["HTTP/1.1 503 Service Unavailable\r\n\r\n"] as &[_],
            &["HTTP/1.1 2000\r\n"],
            &["SSH-2.0 200 x\r\n"],
            &["HTTP/1.1 20"],
            &[],
        ] {
            assert!(matches!(ask_one(bad), Err(HealthError::Answer(_))), "{bad:?}");
        }
    }

    #[test]
    fn silence_is_not_health() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let address = listener.local_addr().expect("it is bound");
        let result = ask(address, Instant::now() + Duration::from_millis(50));
        assert!(matches!(result, Err(HealthError::Late)), "{result:?}");
        drop(listener);
        let deadline = Instant::now() + Duration::from_mins(1);
        assert!(matches!(ask(address, deadline), Err(HealthError::Io(_))));
    }

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        for (listen, ask) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().expect(listen)).to_string(), ask);
        }
    }
}
