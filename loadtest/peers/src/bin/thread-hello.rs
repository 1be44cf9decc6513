//! A bare `std` thread for each connection: read, write a canned answer, again.
//!
//! What `server-threads` is measured against: no parser, no pool, no deadline. It takes each
//! read for one request, which holds for a client that waits for its answers.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use peers::{HELLO, listen, listen_address};

fn main() -> io::Result<()> {
    let listener = listen(listen_address())?;
    let answer: &'static str =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{HELLO}", HELLO.len()).leak();
    for stream in listener.incoming() {
        let stream = stream?;
        thread::Builder::new().spawn(move || serve(stream, answer.as_bytes()))?;
    }
    Ok(())
}

/// Answers until the client hangs up; whatever ends the connection ends its thread only.
fn serve(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {
        stream.write_all(answer)?;
    }
    Ok(())
}
