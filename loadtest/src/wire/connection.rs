//! A connection on which one request after the other is made.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{AnswerReader, Exchange, Fault, Origin, Patience, Reply};

/// What one read can bring. Shared by all connections: an answer is taken in as it is read.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The test is over.
    Over,
    /// Something went wrong; the connection is of no more use.
    Fault(Fault),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// A bare TCP connection and how far the answer on it has been read.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    reader: AnswerReader,
}

impl Connection {
    /// Connects, within the patience given, from the source address that `number` is the turn of.
    pub(crate) async fn open(
        address: SocketAddr,
        origin: &Origin,
        number: usize,
        patience: &mut Patience,
    ) -> Result<Self, Stop> {
        let mut connecting = pin!(origin.connect(address, number));
        let stream = patience.wait(|context| connecting.as_mut().poll(context)).await??;
        // A request is one write; without this its last segment could wait for an ACK.
        stream.set_nodelay(true)?;
        Ok(Self { stream, reader: AnswerReader::new() })
    }

    /// Sends the request and reads the answer to its end.
    ///
    /// It reads while it still writes: an echo that streams would stall a client that first
    /// wants to be rid of a long body.
    pub(crate) async fn exchange(
        &mut self,
        exchange: &Exchange,
        patience: &mut Patience,
    ) -> Result<Reply, Stop> {
        let mut unsent = exchange.request.as_slice();
        patience.wait(|context| self.poll_exchange(context, exchange, &mut unsent)).await?
    }

    /// Whether the server has ended it, in good order and without a word: then whatever is asked on it
    /// will not be answered. Asks the kernel.
    pub(crate) fn has_ended(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(recv(&self.stream, &mut [0; 1], flags), Ok((_, 0)))
    }

    /// Waits until the server ends the connection, in good order if there is no error; or until the
    /// test is over. What the server says before that nobody asked for.
    pub(crate) async fn hold(&mut self, patience: &mut Patience) -> Result<(), Stop> {
        let mut byte = [0];
        let end = patience.wait_long(|context| {
            Pin::new(&mut self.stream).poll_peek(context, &mut ReadBuf::new(&mut byte))
        });
        match end.await?? {
            0 => Ok(()),
            _ => Err(Stop::Fault(Fault::Malformed)),
        }
    }

    /// Waits for the end of a connection that the server has announced.
    pub(crate) async fn end(mut self, patience: &mut Patience) -> Result<(), Stop> {
        let mut byte = [0];
        let count = patience.wait(|context| {
            let mut read = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            Poll::Ready(Ok::<_, Stop>(read.filled().len()))
        });
        match count.await?? {
            0 => Ok(()),
            _ => Err(Stop::Fault(Fault::WrongBody)),
        }
    }

    /// Whether no byte has been read since [`take_bytes`](Self::take_bytes) was last asked.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.reader.bytes_so_far() == 0
    }

    /// How many bytes have been read since this was last asked.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        self.reader.take_bytes()
    }

    /// How many bytes have been read since [`take_bytes`](Self::take_bytes) was last asked.
    pub(super) fn bytes_so_far(&self) -> u64 {
        self.reader.bytes_so_far()
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Result<Poll<usize>, Stop> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(count) => Ok(Poll::Ready(count?)),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        exchange: &Exchange,
        unsent: &mut &[u8],
    ) -> Poll<Result<Reply, Stop>> {
        while !unsent.is_empty() {
            match self.poll_write(context, unsent)? {
                Poll::Ready(count) => *unsent = &unsent[count..],
                Poll::Pending => break,
            }
        }
        loop {
            if let Some(reply) = ready!(self.poll_read_once(context, exchange, READ_BYTES))? {
                return Poll::Ready(Ok(reply.with_unsent(unsent)));
            }
        }
    }

    /// One read, of so many bytes at most; `Some` if that completes the answer.
    pub(super) fn poll_read_once(
        &mut self,
        context: &mut Context<'_>,
        exchange: &Exchange,
        most: usize,
    ) -> Poll<Result<Option<Reply>, Stop>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(&mut buffer[..most.min(READ_BYTES)]);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            let outcome = match read.filled() {
                [] => self.reader.end_of_stream(exchange).map(Some),
                bytes => self.reader.feed(bytes, exchange),
            };
            Poll::Ready(outcome.map_err(Stop::Fault))
        })
    }
}
