//! One connection to a server, bytes in and answers out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::evidence::Evidence;
use crate::log::Log;
use crate::wire::{self, Fault, Framing, Head};
use crate::{Answer, Backend, PATIENCE, exceptions};

/// A connection that sends what it is told and believes nothing that it reads.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    reader: BufReader<Tap>,
    evidence: Rc<Evidence>,
}

impl Client {
    /// Connects to `address`, where `backend` listens and writes to `log`.
    pub fn connect(backend: Backend, address: SocketAddr, log: Option<Arc<Log>>) -> Self {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("{backend}: connecting to {address}: {error}"));
        Self::over(stream, backend, log)
    }

    /// Speaks over a connection that is there already.
    pub fn over(stream: TcpStream, backend: Backend, log: Option<Arc<Log>>) -> Self {
        let evidence = Rc::new(Evidence::new(backend, log));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        let source = stream.try_clone().expect("a second handle on the socket");
        let reader = BufReader::new(Tap { source, evidence: Rc::clone(&evidence) });
        Self { stream, reader, evidence }
    }

    /// Sends bytes; all of them must be taken.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = self.try_send(bytes) {
            self.fail(&format!("sending failed: {error}"));
        }
        self
    }

    /// Sends bytes, where the server may have closed already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.evidence.sent(bytes.as_ref());
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    #[track_caller]
    pub fn half_close(&mut self) -> &mut Self {
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            self.fail(&format!("half-closing failed: {error}"));
        }
        self
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
        let head = self.head();
        if head.status < 200 {
            self.fail("an interim answer where a final one was due");
        }
        let answer = self.body_of(head, method);
        answer.signed();
        answer
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

    /// Reads a head, and leaves the body for [`Client::chunk`] or [`Client::content`].
    #[track_caller]
    pub fn head(&mut self) -> Head {
        match wire::read_head(&mut self.reader) {
            Ok(Some(head)) => head,
            Ok(None) => self.fail("the connection closed where an answer was due"),
            Err(fault) => self.fail(&fault.to_string()),
        }
    }

    /// Reads the next chunk of a chunked body; `None` is its proper end.
    #[track_caller]
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        match self.try_chunk() {
            Ok(chunk) => chunk,
            Err(fault) => self.fail(&fault.to_string()),
        }
    }

    /// Reads the next chunk where the server may break off.
    pub fn try_chunk(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        wire::read_chunk(&mut self.reader)
    }

    /// Reads that many bytes of a body that has a length.
    #[track_caller]
    pub fn content(&mut self, length: usize) -> Vec<u8> {
        match wire::read_body(&mut self.reader, Framing::Length(length as u64)) {
            Ok(content) => content,
            Err(fault) => self.fail(&fault.to_string()),
        }
    }

    /// The server must close in an orderly way, without another byte.
    #[track_caller]
    pub fn closes(&mut self) {
        match self.reader.fill_buf() {
            Ok([]) => {}
            Ok(more) => {
                let more = more.escape_ascii().to_string();
                self.fail(&format!("the connection was to close, but there is \"{more}\""));
            }
            Err(error) => self.fail(&format!("the connection was to close: {error}")),
        }
    }

    /// Whether the server says anything more before it closes; waits to learn it.
    #[track_caller]
    pub fn says_more(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(more) => !more.is_empty(),
            Err(error) => self.fail(&format!("neither bytes nor a close: {error}")),
        }
    }

    /// Whether an answer, or the end of the connection, has arrived and waits to be read.
    #[track_caller]
    pub fn has_news(&mut self) -> bool {
        if !self.reader.buffer().is_empty() {
            return true;
        }
        match recv(&self.stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok(_) => true,
            Err(Errno::AGAIN) => false,
            Err(error) => self.fail(&format!("peeking failed: {error}")),
        }
    }

    /// Which backend is at the other end.
    pub fn backend(&self) -> Backend {
        self.evidence.backend()
    }

    /// The socket itself, for tests that go their own way.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Fails the test, with all that went over this connection.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        self.evidence.fail(what)
    }

    #[track_caller]
    fn body_of(&mut self, head: Head, method: &str) -> Answer {
        match self.read_body(&head, method) {
            Ok((framing, body, chunks)) => {
                Answer { head, framing, body, chunks, evidence: Rc::clone(&self.evidence) }
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

/// Notes all that is read.
#[derive(Debug)]
struct Tap {
    source: TcpStream,
    evidence: Rc<Evidence>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.evidence.received(&buffer[..read]);
        Ok(read)
    }
}
