//! The socket as hyper sees it: one that fails when a deadline has passed.
//!
//! hyper asks to read whenever it could go on, and only the socket knows since when nothing comes.
//! What is waited for is derived from what the socket and the [`Exchange`] have seen:
//!
//! | waits for           | since                     | at the deadline |
//! |---------------------|---------------------------|-----------------|
//! | a request           | the last answer           | hyper closes    |
//! | the rest of a head  | its first byte            | hyper closes    |
//! | content             | the last of it            | the handler learns of it, and answers |
//! | room for an answer  | the client took the last  | hyper closes    |

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use session::{GRACE, LINGER};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use crate::{alarm::Alarm, exchange::Exchange};

/// A socket with deadlines.
pub(crate) struct Deadlines {
    stream: TcpStream,
    exchange: Arc<Exchange>,
    alarm: Alarm,
    reading: Reading,
    /// When the wait for bytes is over.
    read_until: Instant,
    /// When the wait for room is over, if there is one.
    write_until: Option<Instant>,
    /// The requests that had begun when something was last waited for.
    requests: u64,
    /// Whether anything has arrived since.
    progress: bool,
    draining: bool,
    /// Bytes since they were last reported.
    moved: (u64, u64),
    /// Whether the client has gone, or is given up.
    lost: bool,
}

/// What the next bytes belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Idle,
    Head,
    Content,
}

impl Deadlines {
    pub(crate) fn new(stream: TcpStream, exchange: Arc<Exchange>) -> Self {
        let read_until = Instant::now() + exchange.shared.site.options.idle_timeout;
        Self {
            stream,
            exchange,
            alarm: Alarm::new(read_until),
            reading: Reading::Idle,
            read_until,
            write_until: None,
            requests: 0,
            progress: false,
            draining: false,
            moved: (0, 0),
            lost: false,
        }
    }

    /// Parts with the client so that it can read the last answer: a socket that is closed with
    /// unread bytes is reset, and that can overtake the answer (RFC 9112, section 9.6).
    pub(crate) async fn linger(mut self) -> io::Result<()> {
        if self.lost {
            return Ok(());
        }
        self.stream.shutdown().await?;
        let mut scrap = Vec::with_capacity(4096);
        let discard = async {
            while self.stream.read_buf(&mut scrap).await? > 0 {
                scrap.clear();
            }
            Ok(())
        };
        timeout(LINGER, discard).await.unwrap_or(Ok(()))
    }

    /// Nothing has arrived: is that for too long?
    fn poll_starved(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.set_read_deadline();
        ready!(self.alarm.poll(cx, self.read_until));
        // Content that is late can be answered; anything else can't.
        self.lost = self.reading != Reading::Content;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Begins a new deadline where a new wait begins.
    fn set_read_deadline(&mut self) {
        let progress = std::mem::take(&mut self.progress);
        let requests = self.exchange.requests();
        let is_new_request = std::mem::replace(&mut self.requests, requests) != requests;
        let reading = match self.reading {
            _ if self.exchange.reads_content() => Reading::Content,
            Reading::Idle if progress && !is_new_request => Reading::Head,
            Reading::Head if !is_new_request => Reading::Head,
            _ => Reading::Idle,
        };
        let draining = self.exchange.shared.site.is_draining();
        let drain_begins = draining && !std::mem::replace(&mut self.draining, draining);
        let options = &self.exchange.shared.site.options;
        let begins = |time: Duration| Instant::now() + time;
        if is_new_request || reading != self.reading || progress && reading == Reading::Content {
            self.read_until = begins(match reading {
                Reading::Idle if draining => GRACE.min(options.idle_timeout),
                Reading::Idle => options.idle_timeout,
                Reading::Head => options.header_timeout,
                Reading::Content => options.body_timeout,
            });
        } else if drain_begins && reading == Reading::Idle {
            self.read_until = self.read_until.min(begins(GRACE));
        }
        self.reading = reading;
    }

    /// Notes what a write has come to; none of it is for how long?
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            self.write_until = None;
            match result {
                Ok(count) => self.moved.1 += count as u64,
                Err(_) => self.lost = true,
            }
            return Poll::Ready(result);
        }
        let timeout = self.exchange.shared.site.options.write_timeout;
        let until = *self.write_until.get_or_insert_with(|| Instant::now() + timeout);
        ready!(self.alarm.poll(cx, until));
        self.lost = true;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    fn report(&mut self) {
        let (received, sent) = std::mem::take(&mut self.moved);
        self.exchange.environment().moved(received, sent);
    }
}

impl Read for Deadlines {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // SAFETY: tokio's `ReadBuf` writes no uninitialised bytes.
        let mut space = ReadBuf::uninit(unsafe { buffer.as_mut() });
        match Pin::new(&mut this.stream).poll_read(cx, &mut space) {
            Poll::Ready(Ok(())) => {
                let count = space.filled().len();
                // SAFETY: so many bytes are filled, and with that initialised.
                unsafe { buffer.advance(count) };
                this.moved.0 += count as u64;
                this.progress = count > 0;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                this.lost = true;
                Poll::Ready(Err(error))
            }
            Poll::Pending => this.poll_starved(cx),
        }
    }
}

impl Write for Deadlines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this when it has nothing more to write.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.exchange.flushed() {
            self.report();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        self.report();
    }
}
