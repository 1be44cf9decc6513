//! The socket as hyper sees it: one that fails when a deadline has passed.
//!
//! hyper asks to read whenever it could go on, and only the socket knows since when nothing comes.
//! What is waited for is derived from what the socket and the [`Exchange`] have seen:
//!
//! | waits for          | since                    | at the deadline                       |
//! |--------------------|--------------------------|---------------------------------------|
//! | a request          | the last answer          | hyper closes                          |
//! | the rest of a head | its first byte           | hyper closes, and this answers        |
//! | content            | the last of it           | the handler learns of it, and answers |
//! | room for an answer | the client took the last | hyper closes                          |
//!
//! It also does what hyper can't: it notices that a client is gone of which hyper reads nothing, and
//! writes informational answers.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use session::{GRACE, LINGER};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{alarm::Alarm, exchange::Exchange, gone::Gone, socket};

/// A socket with deadlines.
#[expect(clippy::struct_excessive_bools, reason = "four facts, any of which may hold")]
pub(crate) struct Deadlines {
    stream: TcpStream,
    exchange: Arc<Exchange>,
    alarm: Alarm,
    reading: Reading,
    /// When the wait for bytes is over, if there is one.
    read_until: Option<Instant>,
    /// When the wait for room is over, if there is one.
    write_until: Option<Instant>,
    /// The requests that had begun when this was last asked to read.
    requests: u64,
    /// Whether hyper waits for bytes.
    reads: bool,
    /// Watches a client of which it does not.
    gone: Gone,
    /// Whether hyper has begun to write and may have more.
    writes: bool,
    draining: bool,
    /// Bytes since they were last reported.
    moved: (u64, u64),
    /// Whether a head did not end in time.
    starved: bool,
    /// Whether nothing more will come: the client said so, has gone, or is given up.
    finished: bool,
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
            alarm: Alarm::new(),
            reading: Reading::Idle,
            read_until: Some(read_until),
            write_until: None,
            requests: 0,
            reads: false,
            gone: Gone::default(),
            writes: false,
            draining: false,
            moved: (0, 0),
            starved: false,
            finished: false,
        }
    }

    /// Parts with the client so that it can read the last answer: a socket that is closed with
    /// unread bytes is reset, and that can overtake the answer (RFC 9112, section 9.6).
    pub(crate) async fn part(mut self) -> io::Result<()> {
        if self.exchange.is_broken() {
            return process::listener::abort(&self.stream);
        }
        if self.finished {
            return Ok(());
        }
        if self.starved {
            let answer = session::too_slow(&self.exchange.shared.site.context, Instant::now());
            // An empty buffer takes the whole of it.
            self.moved.1 += self.stream.try_write(&answer)? as u64;
        }
        self.stream.shutdown().await?;
        let mut scrap = Vec::with_capacity(4096);
        let discard = async {
            while self.stream.read_buf(&mut scrap).await? > 0 {
                scrap.clear();
            }
            Ok(())
        };
        let at_most = if self.draining { GRACE } else { LINGER };
        timeout(at_most, discard).await.unwrap_or(Ok(()))
    }

    /// Notices that the process is on its way out.
    fn look_around(&mut self) {
        if self.draining || !self.exchange.shared.site.is_draining() {
            return;
        }
        self.draining = true;
        self.exchange.ahead.drain(process::listener::unread(&self.stream));
        // An idle connection has so long for another request, and not longer than before.
        if let (Reading::Idle, Some(until)) = (self.reading, &mut self.read_until) {
            *until = (*until).min(Instant::now() + GRACE);
        }
    }

    /// Derives what the next bytes belong to, before they are read.
    fn turn(&mut self) {
        let requests = self.exchange.requests();
        let is_next = std::mem::replace(&mut self.requests, requests) != requests;
        let reading = match self.reading {
            _ if self.exchange.reads_content() => Reading::Content,
            Reading::Idle | Reading::Head if !is_next => return,
            _ => Reading::Idle,
        };
        if is_next || reading != self.reading {
            self.reading = reading;
            self.read_until = None;
        }
    }

    /// So many bytes have arrived.
    fn received(&mut self, count: usize) {
        self.moved.0 += count as u64;
        self.exchange.ahead.gave(count);
        match self.reading {
            _ if count == 0 => {
                self.finished = true;
                return;
            }
            Reading::Idle => self.reading = Reading::Head,
            // A head is timed as a whole, content by its progress.
            Reading::Head => return,
            Reading::Content => {}
        }
        self.read_until = None;
    }

    /// Nothing has arrived: is that for too long?
    fn poll_starved(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = Instant::now();
        let (site, draining) = (&self.exchange.shared.site, self.draining);
        let until = *self.read_until.get_or_insert_with(|| match self.reading {
            Reading::Idle if draining => now + GRACE.min(site.options.idle_timeout),
            Reading::Idle => now + site.options.idle_timeout,
            Reading::Head => now + site.options.header_timeout,
            Reading::Content => now + site.options.body_timeout,
        });
        ready!(self.alarm.poll(cx, until, now));
        ready!(socket::poll_unread(&self.stream, cx));
        match self.reading {
            Reading::Idle => self.finished = true,
            Reading::Head => self.starved = true,
            Reading::Content => {}
        }
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
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
                Err(_) => self.finished = true,
            }
            return Poll::Ready(result);
        }
        let now = Instant::now();
        let timeout = self.exchange.shared.site.options.write_timeout;
        let until = *self.write_until.get_or_insert_with(|| now + timeout);
        ready!(self.alarm.poll(cx, until, now));
        ready!(socket::poll_room(&self.stream, cx));
        self.exchange.broke_off();
        self.finished = true;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Writes what hyper can't: informational heads, before the head of the answer.
    fn poll_inform(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.exchange.informs() {
            return Poll::Ready(Ok(()));
        }
        if self.writes {
            // The answer before is still on its way, and perhaps this one behind it.
            self.exchange.forget_interim();
            return Poll::Ready(Ok(()));
        }
        let exchange = Arc::clone(&self.exchange);
        exchange.poll_inform(|bytes| {
            let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
            self.wrote(cx, written)
        })
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
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look_around();
        this.turn();
        this.exchange.ahead.asked(this.reading == Reading::Content);
        let read = socket::poll_fill(Pin::new(&mut this.stream), cx, buffer);
        this.reads = read.is_pending();
        match read {
            Poll::Ready(Ok(count)) => {
                this.received(count);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                this.finished = true;
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
        ready!(self.poll_inform(cx))?;
        self.writes = true;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_inform(cx))?;
        self.writes = true;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this when it has nothing more to write, and whenever it has looked around.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look_around();
        this.writes = false;
        ready!(this.poll_inform(cx))?;
        if this.exchange.flushed() {
            this.gone.rest();
            this.report();
        } else if !this.reads && this.exchange.is_busy() {
            // Nothing would be heard of a client that is gone.
            if this.gone.poll(&this.stream, cx).is_ready() {
                this.finished = true;
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        process::listener::abort_if_panicking(&self.stream);
        self.report();
    }
}
