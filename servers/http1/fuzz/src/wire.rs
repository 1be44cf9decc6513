//! A transport for hyper that is neither a socket nor a clock, and a runtime without either.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Far more than any input asks for.
const POLLS_AT_MOST: usize = 100_000;

/// The bytes that a peer sends, then the end of input. What is written to it is dropped.
pub(crate) struct Wire {
    bytes: Vec<u8>,
    read: usize,
    /// Nothing arrives before something was written: an answer does not come before its request.
    waits: bool,
}

impl Wire {
    /// A client that sends these bytes and reads everything.
    pub(crate) fn of_client(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), read: 0, waits: false }
    }

    /// A server that sends these bytes as soon as it is asked anything.
    pub(crate) fn of_server(bytes: &[u8]) -> Self {
        Self { waits: true, ..Self::of_client(bytes) }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut space: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits {
            return Poll::Pending;
        }
        let rest = &self.bytes[self.read..];
        let count = rest.len().min(space.remaining());
        space.put_slice(&rest[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.waits = false;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls `future` until it is done. All its input is there, so it need not be woken to go on.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_AT_MOST {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("hyper waits for something, though all its input is there");
}
