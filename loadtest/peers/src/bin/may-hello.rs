//! `may_minihttp`'s hello server, with a scheduler for each core at its disposal.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use may_minihttp::{HttpServer, HttpService, Request, Response};
use peers::{HELLO, announce, listen_address};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request, response: &mut Response) -> io::Result<()> {
        response.body(HELLO);
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let wanted = listen_address();
    // The crate binds by itself and keeps the listener, so a port must be found beforehand;
    // whoever takes that port in between sends us to the next.
    let server = loop {
        let address = free_address(wanted)?;
        match HttpServer(Hello).start(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && wanted.port() == 0 => {}
            started => {
                let server = started?;
                announce(address);
                break server;
            }
        }
    };
    server.join().map_err(|_| io::Error::other("the accepting coroutine panicked"))
}

/// `wanted`, with a port that is free at this moment in place of 0.
fn free_address(wanted: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(wanted)?.local_addr()
}
