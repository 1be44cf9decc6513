//! A socket as buffers want it: the session's, and hyper's.

use std::{
    io::{self, ErrorKind, IoSlice, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http1::{Input, Output};
use hyper::rt::ReadBufCursor;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

/// Reads what has arrived; how much.
pub(crate) fn poll_read(
    stream: &mut TcpStream,
    input: &mut Input,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut space = ReadBuf::new(input.space());
    // Where this fills less than the space, tokio knows that there is no more, and asks epoll.
    ready!(Pin::new(stream).poll_read(cx, &mut space))?;
    let count = space.filled().len();
    input.filled(count);
    Poll::Ready(Ok(count))
}

/// As [`poll_read`], into hyper's memory.
pub(crate) fn poll_fill(
    stream: Pin<&mut impl AsyncRead>,
    cx: &mut Context<'_>,
    mut buffer: ReadBufCursor<'_>,
) -> Poll<io::Result<usize>> {
    // SAFETY: tokio's `ReadBuf` writes no uninitialised bytes.
    let mut space = ReadBuf::uninit(unsafe { buffer.as_mut() });
    ready!(stream.poll_read(cx, &mut space))?;
    let count = space.filled().len();
    // SAFETY: so many bytes are filled, and with that initialised.
    unsafe { buffer.advance(count) };
    Poll::Ready(Ok(count))
}

/// Waits for nothing where nothing has arrived; else until the runtime has heard of it, which may be
/// later than a deadline that was kept.
pub(crate) fn poll_unread(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    later(process::listener::unread(stream) > 0, cx)
}

/// The same for a socket that takes nothing.
pub(crate) fn poll_room(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    later(process::listener::has_room(stream), cx)
}

/// The runtime looks at the kernel before it polls this task again.
fn later(is_so: bool, cx: &mut Context<'_>) -> Poll<()> {
    if is_so {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Writes what the kernel takes now; how much. `WouldBlock` if it takes nothing.
pub(crate) fn write(stream: &TcpStream, output: &mut Output) -> io::Result<usize> {
    output.write_to(&mut Writer(stream))
}

/// Whether the socket is as good as before.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A socket as `Output` wants it: what would have to wait fails instead.
struct Writer<'a>(&'a TcpStream);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
