//! The server behind the one under test, played by the test itself: it accepts when the test says
//! so, and says what the test says.
//!
//! ```no_run
//! # use contract::{Backend, Origin};
//! let origin = Origin::new(Backend::Mio);
//! let server = origin.server(&[]);
//! let mut client = server.connect();
//! client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
//! let mut upstream = origin.accept();
//! upstream.request().asks("GET /a");
//! upstream.answer("Content-Length: 2\r\n\r\nhi");
//! client.relayed().status(200).body("hi");
//! ```
//!
//! The test is both ends of the wire, so nothing happens before it is due: an origin that stalls is
//! a line that was left out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use crate::connection::Connection;
use crate::evidence::{Case, Evidence};
use crate::wire::Framing;
use crate::{Backend, PATIENCE, Program, Request, Server};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// When every answer of an origin's was made, and by whom: what no server here would say itself.
pub const SIGNATURE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: origin\r\n";

/// A listening socket, and the evidence of all that goes through the server in front of it.
#[derive(Debug)]
pub struct Origin {
    listener: TcpListener,
    address: SocketAddr,
    case: Arc<Case>,
}

impl Origin {
    /// Listens on a port of the kernel's choice, for a server of `backend` to be put in front.
    pub fn new(backend: Backend) -> Self {
        let origin = Self::closed(backend);
        origin.open(BACKLOG);
        origin
    }

    /// Has a port and refuses every connection until [`Origin::open`].
    pub fn closed(backend: Backend) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&loopback.into()).expect("a port of the kernel's choice");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("a bound socket has an address");
        Self { listener, address, case: Case::new(backend) }
    }

    /// Begins to listen, for about that many connections that are not yet accepted.
    pub fn open(&self, backlog: i32) {
        rustix::net::listen(&self.listener, backlog).expect("a bound socket can listen");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The evidence that it collects.
    pub fn case(&self) -> &Arc<Case> {
        &self.case
    }

    /// A server in front of it, on a port of the kernel's choice and with an admin port.
    #[track_caller]
    pub fn server(&self, options: &[&str]) -> Server {
        self.program().options(options).start()
    }

    /// The program of a server in front of it.
    pub fn program(&self) -> Program {
        Program::new(self.case.backend())
            .options(&["--upstream", &format!("http://{}", self.address)])
            .with_admin()
            .in_case(&self.case)
    }

    /// The next connection that the server opens.
    #[track_caller]
    pub fn accept(&self) -> Upstream {
        self.wait_for("connection", &[]);
        match self.listener.accept() {
            Ok((stream, _)) => self.take(stream),
            Err(error) => self.case.fail(&format!("accepting upstream: {error}")),
        }
    }

    /// The next connection that the server opens, and the request on it.
    #[track_caller]
    pub fn accept_request(&self) -> (Upstream, Request) {
        let mut upstream = self.accept();
        let request = upstream.request();
        (upstream, request)
    }

    /// Waits for a request on any of `open` or on a new connection, which joins them: its place
    /// there. Those that the server has closed are taken out first.
    #[track_caller]
    pub fn next_of(&self, open: &mut Vec<Upstream>) -> usize {
        loop {
            open.retain(|upstream| !upstream.is_closed());
            // An end may have come since.
            let asks = |upstream: &Upstream| upstream.has_news() && !upstream.is_closed();
            if let Some(at) = open.iter().position(asks) {
                return at;
            }
            self.wait_for("request", open);
            if self.has_caller() {
                open.push(self.accept());
            }
        }
    }

    /// No connection must wait to be accepted. Says nothing of those to come: ask it when whatever
    /// would open one has happened.
    #[track_caller]
    pub fn nobody_calls(&self) {
        if self.has_caller() {
            let mut uncalled = self.accept();
            let _ = uncalled.stream().set_nonblocking(true);
            let _ = uncalled.try_request();
            self.case.fail("there is one more upstream connection than there may be");
        }
    }

    fn has_caller(&self) -> bool {
        let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
        let ready = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        matches!(ready, Ok(1..)) || ready == Err(Errno::INTR)
    }

    /// Waits until a connection is to be accepted, or there is news on one of `open`.
    #[track_caller]
    fn wait_for(&self, what: &str, open: &[Upstream]) {
        let sockets = open.iter().map(|upstream| PollFd::new(upstream.stream(), PollFlags::IN));
        let listener = PollFd::new(&self.listener, PollFlags::IN);
        let mut polled: Vec<_> = sockets.chain([listener]).collect();
        let patience = Timespec::try_from(PATIENCE).expect("not so long");
        match poll(&mut polled, Some(&patience)) {
            Ok(0) => self.case.fail(&format!("no {what} came upstream")),
            Ok(_) => {}
            Err(error) => self.case.fail(&format!("waiting for a {what}: {error}")),
        }
    }

    fn take(&self, stream: TcpStream) -> Upstream {
        let evidence = Evidence::in_case(&self.case, "upstream connection");
        Upstream { connection: Connection::over(stream, evidence) }
    }
}

/// A server where every request finds the idle connections of every other: several workers may each
/// keep their own. In `threads`, one worker could serve but one client.
pub fn one_worker(backend: Backend, options: &[&str]) -> (Origin, Server) {
    let origin = Origin::new(backend);
    let one: &[&str] = if backend == Backend::Threads { &[] } else { &["--workers", "1"] };
    let server = origin.server(&[one, options].concat());
    (origin, server)
}

/// A connection that the server has opened to an [`Origin`].
#[derive(Debug)]
pub struct Upstream {
    connection: Connection,
}

impl Upstream {
    /// Reads a request, which must come next, and its body.
    #[track_caller]
    pub fn request(&mut self) -> Request {
        match self.try_request() {
            Some(request) => request,
            None => self.fail("the connection closed where a request was due"),
        }
    }

    /// Reads a request and its body; `None` if the server has closed instead.
    #[track_caller]
    pub fn try_request(&mut self) -> Option<Request> {
        let mut request = self.try_head()?;
        match request.framing {
            Framing::Bodiless | Framing::UntilClose => {}
            Framing::Length(length) => {
                request.body = self.content(usize::try_from(length).expect("it fits in memory"));
            }
            Framing::Chunked => {
                while let Some(chunk) = self.chunk() {
                    request.body.extend(chunk);
                }
            }
        }
        Some(request)
    }

    /// Reads a request's head, and leaves the body.
    #[track_caller]
    pub fn head(&mut self) -> Request {
        match self.try_head() {
            Some(request) => request,
            None => self.fail("the connection closed where a request was due"),
        }
    }

    /// Sends bytes; all of them must be taken.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.connection.send_all(bytes.as_ref());
        self
    }

    /// Sends a status line of 200 and the fields that every answer has, and then `rest`.
    #[track_caller]
    pub fn answer(&mut self, rest: &str) -> &mut Self {
        self.send(format!("HTTP/1.1 200 OK\r\n{SIGNATURE}{rest}"))
    }

    /// Answers 200 with this body, by its length.
    #[track_caller]
    pub fn ok(&mut self, body: &str) -> &mut Self {
        self.answer(&format!("Content-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// Says that nothing more will be sent.
    #[track_caller]
    pub fn half_close(&mut self) -> &mut Self {
        self.connection.end_sending();
        self
    }

    /// Ends the connection by a reset, as a program that dies may.
    pub fn reset(self) {
        self.connection.reset();
    }

    #[track_caller]
    fn try_head(&mut self) -> Option<Request> {
        let connection = &mut self.connection;
        match Request::read(&mut connection.reader, &connection.evidence) {
            Ok(request) => request,
            Err(fault) => self.fail(&format!("upstream: {fault}")),
        }
    }
}

/// Most of what a test does with an upstream connection is what one does with any.
impl Deref for Upstream {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Upstream {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
