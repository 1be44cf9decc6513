//! A socket of the test's own, at either side of a server: what clients and origins have in common.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use crate::evidence::Evidence;
use crate::wire::{self, Fault, Framing};
use crate::{Backend, PATIENCE};

/// A connection that notes all that goes over it, and waits no longer than [`PATIENCE`].
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    pub(crate) reader: BufReader<Tap>,
    pub(crate) evidence: Arc<Evidence>,
}

impl Connection {
    /// Over a socket that is connected.
    pub(crate) fn over(stream: TcpStream, evidence: Evidence) -> Self {
        let evidence = Arc::new(evidence);
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        let source = stream.try_clone().expect("a second handle on the socket");
        let reader = BufReader::new(Tap { source, evidence: Arc::clone(&evidence) });
        Self { stream, reader, evidence }
    }

    /// Sends bytes, where the server may have closed already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.evidence.sent(bytes.as_ref());
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends bytes; all of them must be taken.
    #[track_caller]
    pub(crate) fn send_all(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_send(bytes) {
            self.fail(&format!("sending failed: {error}"));
        }
    }

    /// Sends without anyone reading at the far end: the sockets' buffers fill, and then, if the
    /// server holds no more than it should, nothing goes any further. Returns how much went, which
    /// must be less than `bound`.
    #[track_caller]
    pub fn send_until_it_stands_still(&mut self, piece: &[u8], bound: usize) -> usize {
        self.stream.set_write_timeout(Some(Duration::from_secs(1))).expect("SO_SNDTIMEO");
        let mut sent = 0;
        let stopped = loop {
            match self.stream.write(piece) {
                Ok(written) => sent += written,
                Err(error) => break error,
            }
            if sent >= bound {
                self.fail(&format!("took {sent} bytes that nobody reads"));
            }
        };
        if stopped.kind() != io::ErrorKind::WouldBlock {
            self.fail(&format!("sending failed: {stopped}"));
        }
        self.stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        sent
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

    /// Reads a body by `framing` that must not come to its proper end: by a close where more was
    /// due, or, where a close would be the end, by a reset. Returns what came of it.
    #[track_caller]
    pub fn breaks_off(&mut self, framing: Framing) -> Vec<u8> {
        let mut body = Vec::new();
        let end = match framing {
            Framing::Chunked => loop {
                match self.try_chunk() {
                    Ok(Some(chunk)) => body.extend(chunk),
                    Ok(None) => self.fail("the last chunk came, but the body was to break off"),
                    Err(Fault::Ended(_)) => break Ok(()),
                    Err(Fault::Failed(_, error)) => break Err(error),
                    Err(fault) => self.fail(&fault.to_string()),
                }
            },
            Framing::Bodiless => Ok(()),
            Framing::Length(_) | Framing::UntilClose => {
                self.reader.read_to_end(&mut body).map(|_| ())
            }
        };
        match (framing, end) {
            (_, Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {}
            (_, Err(error)) => self.fail(&format!("the body was to break off: {error}")),
            (Framing::UntilClose, Ok(())) => self.fail("the body ended as if it were whole"),
            (Framing::Length(length), Ok(())) if body.len() as u64 >= length => {
                self.fail("the whole body came, but it was to break off");
            }
            (_, Ok(())) => {}
        }
        body
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

    /// The server must close, be it in an orderly way or by a reset; what it still sent.
    #[track_caller]
    pub fn is_dropped(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                self.fail(&format!("the connection was to be dropped: {error}"));
            }
            _ => rest,
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

    /// Whether bytes, or the end of the connection, have arrived and wait to be read.
    #[track_caller]
    pub fn has_news(&self) -> bool {
        if !self.reader.buffer().is_empty() {
            return true;
        }
        match recv(&self.stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok(_) | Err(Errno::CONNRESET) => true,
            Err(Errno::AGAIN) => false,
            Err(error) => self.fail(&format!("peeking failed: {error}")),
        }
    }

    /// Whether the server has closed it, and nothing is left to read.
    pub fn is_closed(&self) -> bool {
        let peeked = recv(&self.stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        self.reader.buffer().is_empty() && matches!(peeked, Ok((0, _)) | Err(Errno::CONNRESET))
    }

    /// Says that nothing more will be sent.
    #[track_caller]
    pub(crate) fn end_sending(&mut self) {
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            self.fail(&format!("half-closing failed: {error}"));
        }
    }

    /// Ends the connection by a reset, as a program that dies may.
    pub fn reset(self) {
        self.resets_at_last();
    }

    /// Has the connection end by a reset when it is dropped, so that the kernel has nothing to
    /// remember of it (`TIME_WAIT`): for those of which there are many.
    pub fn resets_at_last(&self) {
        sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Which backend is at the other end.
    pub fn backend(&self) -> Backend {
        self.evidence.backend()
    }

    /// The socket itself, for tests that go their own way.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Fails the test, with all that is known.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        self.evidence.fail(what)
    }
}

/// Whatever comes next, for tests that count by themselves.
impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Notes all that is read.
#[derive(Debug)]
pub(crate) struct Tap {
    source: TcpStream,
    evidence: Arc<Evidence>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.evidence.received(&buffer[..read]);
        Ok(read)
    }
}
