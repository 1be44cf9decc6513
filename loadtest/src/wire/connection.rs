//! A connection on which one request after the other is made.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{AnswerReader, Exchange, Fault, Patience, Reply};

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
    /// Connects, within the patience given.
    pub(crate) async fn open(address: SocketAddr, patience: &mut Patience) -> Result<Self, Stop> {
        let mut connecting = pin!(TcpStream::connect(address));
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

    /// How many bytes have been read since this was last asked.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        self.reader.take_bytes()
    }

    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        exchange: &Exchange,
        unsent: &mut &[u8],
    ) -> Poll<Result<Reply, Stop>> {
        while !unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, unsent)? {
                Poll::Ready(count) => *unsent = &unsent[count..],
                Poll::Pending => break,
            }
        }
        self.poll_answer(context, exchange).map_ok(|reply| Reply {
            // An answer that overtook its request leaves the connection in the middle of it.
            persistent: reply.persistent && unsent.is_empty(),
            ..reply
        })
    }

    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        exchange: &Exchange,
    ) -> Poll<Result<Reply, Stop>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            loop {
                let mut read = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
                let outcome = match read.filled() {
                    [] => self.reader.end_of_stream(exchange).map(Some),
                    bytes => self.reader.feed(bytes, exchange),
                };
                if let Some(reply) = outcome.map_err(Stop::Fault)? {
                    return Poll::Ready(Ok(reply));
                }
            }
        })
    }
}
