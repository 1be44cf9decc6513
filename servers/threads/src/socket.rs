//! A worker's sockets, where it has more than one to wait for, or something else to wait for as well.

use std::{
    io::{self, IoSlice, Write},
    os::fd::AsFd,
    time::Instant,
};

use http1::{Input, Output};
use rustix::{
    event::{PollFd, poll},
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg},
    time::Timespec,
};

/// How a wait ended.
#[derive(PartialEq, Eq)]
pub(crate) enum Waited {
    /// With one of the sockets.
    Ready,
    /// With the time for it.
    Late,
    /// With a signal that says: look around.
    Interrupted,
}

/// Blocks until one of the sockets is ready, or until then.
pub(crate) fn wait(sockets: &mut [PollFd<'_>], until: Instant) -> io::Result<Waited> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    match poll(sockets, Some(&left)) {
        Ok(0) => Ok(Waited::Late),
        Ok(_) => Ok(Waited::Ready),
        Err(rustix::io::Errno::INTR) => Ok(Waited::Interrupted),
        Err(error) => Err(error.into()),
    }
}

/// Reads what has arrived, without waiting for more; how much. `WouldBlock` if nothing has.
pub(crate) fn read(socket: impl AsFd, input: &mut Input) -> io::Result<usize> {
    let (count, _) = recv(socket, input.space(), RecvFlags::DONTWAIT)?;
    input.filled(count);
    Ok(count)
}

/// Writes what the kernel takes, without waiting until it takes more; how much. `WouldBlock` if it
/// takes nothing.
pub(crate) fn write(socket: impl AsFd, output: &mut Output) -> io::Result<usize> {
    output.write_to(&mut NoWait(socket))
}

/// A socket as `Output` wants it, which need not be set to be non-blocking.
struct NoWait<T>(T);

impl<T: AsFd> Write for NoWait<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmsg(&self.0, slices, &mut SendAncillaryBuffer::default(), flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
