//! A proxy that goes by `Content-Length` alone, and has one connection for all: what must be found out.

use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use contract::wire;

/// How long it waits for an answer that may never come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens on a port of the kernel's choice, in front of `upstream`, and serves so many clients.
pub(crate) fn start(upstream: SocketAddr, clients: usize) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let upstream = TcpStream::connect(upstream).unwrap();
        upstream.set_read_timeout(Some(PATIENCE)).unwrap();
        for client in listener.incoming().take(clients) {
            // Whatever goes wrong ends a client's connection.
            let _ = client.ok().and_then(|client| forward_all(client, &upstream));
        }
    });
    address
}

/// Forwards the requests of one client, one after the other.
fn forward_all(mut client: TcpStream, upstream: &TcpStream) -> Option<()> {
    let IpAddr::V4(address) = client.peer_addr().ok()?.ip() else { return None };
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 2,
                None => read_more(&mut client, &mut bytes)?,
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = field(&head, "Content-Length: ").and_then(|text| text.parse().ok());
        let whole = end + 2 + length.unwrap_or(0);
        while bytes.len() < whole {
            read_more(&mut client, &mut bytes)?;
        }
        let rest: Vec<_> = bytes.drain(..whole).skip(end).collect();
        let own = format!(
            "Via: 1.1 five-ways\r\nX-Forwarded-For: {address}\r\nForwarded: for={address};\r\n"
        );
        let is_last = head.contains("Connection: close\r\n");
        let head = head.replace("Connection: close\r\n", "") + &own;
        let mut to_upstream = upstream;
        to_upstream.write_all(&[head.as_bytes(), &rest].concat()).ok()?;
        client.write_all(&answer(upstream)?).ok()?;
        if is_last {
            return Some(());
        }
    }
}

fn read_more(client: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
    bytes.extend(&buffer[..count]);
    Some(())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name))
}

/// The next answer that comes, whosever it is.
fn answer(upstream: &TcpStream) -> Option<Vec<u8>> {
    let mut source = BufReader::with_capacity(1, upstream);
    let head = wire::read_head(&mut source).ok()??;
    let content = wire::read_body(&mut source, head.framing("GET").ok()?).ok()?;
    let fields = head.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let fields = fields.collect::<String>();
    Some([format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(), &content].concat())
}
