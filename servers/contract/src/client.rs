//! One connection to a server, bytes in and answers out.

use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::connection::Connection;
use crate::evidence::{Case, Evidence};
use crate::log::Log;
use crate::wire::{self, Fault, Framing, Head};
use crate::{Answer, Backend, exceptions};

/// A connection that sends what it is told and believes nothing that it reads.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to `address`, where `backend` listens and writes to `log`.
    pub fn connect(backend: Backend, address: SocketAddr, log: Option<Arc<Log>>) -> Self {
        Self::over(connect(backend, address), backend, log)
    }

    /// Connects to `address`, where the server of `case` listens.
    pub fn connect_in(case: &Arc<Case>, address: SocketAddr) -> Self {
        let evidence = Evidence::in_case(case, "client");
        Self { connection: Connection::over(connect(case.backend(), address), evidence) }
    }

    /// Speaks over a connection that is there already.
    pub fn over(stream: TcpStream, backend: Backend, log: Option<Arc<Log>>) -> Self {
        Self { connection: Connection::over(stream, Evidence::new(backend, log)) }
    }

    /// Sends bytes; all of them must be taken.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.connection.send_all(bytes.as_ref());
        self
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

    /// Asks by `GET` and reads the answer.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: contract\r\n\r\n")).answer()
    }

    /// Sends a body by `Content-Length` and reads the answer.
    #[track_caller]
    pub fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let length = body.len();
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: contract\r\nContent-Length: {length}\r\n\r\n");
        self.send([head.as_bytes(), body].concat()).answer()
    }

    /// Reads the final answer to any request but `HEAD`, which must come next, made by the server.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads the final answer to a request with `method`.
    #[track_caller]
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let answer = self.answer_of(method);
        answer.signed();
        answer
    }

    /// Reads the final answer to any request but `HEAD`, made by an upstream.
    #[track_caller]
    pub fn relayed(&mut self) -> Answer {
        self.relayed_to("GET")
    }

    /// Reads the final answer to a request with `method`, made by an upstream.
    #[track_caller]
    pub fn relayed_to(&mut self, method: &str) -> Answer {
        let answer = self.answer_of(method);
        answer.passed_on();
        answer
    }

    /// Reads the final answer to a request with `method`, made by anyone.
    #[track_caller]
    pub fn answer_of(&mut self, method: &str) -> Answer {
        let head = self.head();
        if head.status < 200 {
            self.fail("an interim answer where a final one was due");
        }
        self.body_of(head, method)
    }

    /// Reads an answer that must say that it is the last, and the end of the connection after it.
    #[track_caller]
    pub fn last_answer(&mut self) -> Answer {
        let answer = self.answer();
        answer.says_close();
        self.closes();
        answer
    }

    /// Reads the refusal of a request that is wrong, and the end of the connection after it. Where
    /// `hyper` refuses before the service is asked, it does not sign.
    #[track_caller]
    pub fn refusal(&mut self) -> Answer {
        if !exceptions::UNSIGNED_REFUSAL.excuses(self.evidence.backend()) {
            return self.last_answer();
        }
        let head = self.head();
        let answer = self.body_of(head, "GET");
        answer.says_close();
        self.closes();
        answer
    }

    /// Reads an interim answer.
    #[track_caller]
    pub fn interim(&mut self, status: u16) -> &mut Self {
        let head = self.head();
        if head.status != status {
            self.fail(&format!("status {} where an interim {status} was due", head.status));
        }
        self
    }

    /// Reads a head, and leaves the body for [`Connection::chunk`] or [`Connection::content`].
    #[track_caller]
    pub fn head(&mut self) -> Head {
        match wire::read_head(&mut self.reader) {
            Ok(Some(head)) => head,
            Ok(None) => self.fail("the connection closed where an answer was due"),
            Err(fault) => self.fail(&fault.to_string()),
        }
    }

    #[track_caller]
    fn body_of(&mut self, head: Head, method: &str) -> Answer {
        match self.read_body(&head, method) {
            Ok((framing, body, chunks)) => {
                Answer { head, framing, body, chunks, evidence: Arc::clone(&self.evidence) }
            }
            Err(fault) => self.fail(&fault.to_string()),
        }
    }

    fn read_body(
        &mut self,
        head: &Head,
        method: &str,
    ) -> Result<(Framing, Vec<u8>, Vec<usize>), Fault> {
        let framing = head.framing(method)?;
        let mut body = wire::read_body(&mut self.reader, framing)?;
        let mut chunks = Vec::new();
        if framing == Framing::Chunked {
            while let Some(chunk) = self.try_chunk()? {
                chunks.push(chunk.len());
                body.extend(chunk);
            }
        }
        Ok((framing, body, chunks))
    }
}

/// Most of what a test does with a client is what one does with any connection.
impl Deref for Client {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

fn connect(backend: Backend, address: SocketAddr) -> TcpStream {
    TcpStream::connect(address)
        .unwrap_or_else(|error| panic!("{backend}: connecting to {address}: {error}"))
}
