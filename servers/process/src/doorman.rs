//! Turns connections away with a 503 that arrives.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use session::Context;

/// How long a refused socket may linger.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses connections without a session, and without making the acceptor wait.
///
/// A socket that is closed with unread bytes is reset, and the reset can overtake the answer
/// (RFC 9112, section 9.6). So refused sockets are half-closed and read for a while, by a thread
/// of their own, as many as the reserve of descriptors allows.
#[derive(Debug)]
pub struct Doorman {
    lingering: SyncSender<(TcpStream, Instant)>,
    context: Arc<Context>,
}

impl Doorman {
    /// Lets `at_most` refused sockets linger, and the one that is being read.
    pub(crate) fn start(context: Arc<Context>, at_most: usize) -> std::io::Result<Self> {
        let (lingering, refused) = sync_channel(at_most);
        let thread = thread::Builder::new().name("doorman".to_owned());
        thread.spawn(move || linger(&refused))?;
        Ok(Self { lingering, context })
    }

    /// Says 503 to a client and parts with it in good order. Never blocks.
    pub fn refuse(&self, stream: impl Into<TcpStream>) {
        let mut stream = stream.into();
        let now = Instant::now();
        let answer = session::saturated(&self.context, now);
        // A new socket's buffer takes the whole of it; a client that is gone needs no answer.
        let said = stream.set_nonblocking(true).and_then(|()| stream.write_all(&answer));
        if said.and_then(|()| stream.shutdown(Shutdown::Write)).is_ok() {
            discard(&mut stream);
            // If too many linger already, this one is closed here and now.
            let _ = self.lingering.try_send((stream, now + PATIENCE));
        }
    }
}

/// Reads each socket until its client has gone or its time is over. All deadlines run at once,
/// so taking the sockets one by one makes none of them linger longer.
fn linger(refused: &Receiver<(TcpStream, Instant)>) {
    while let Ok((mut stream, deadline)) = refused.recv() {
        while !discard(&mut stream) {
            let left = deadline.saturating_duration_since(Instant::now());
            let waits = stream.set_nonblocking(false).is_ok()
                && !left.is_zero()
                && stream.set_read_timeout(Some(left)).is_ok();
            if !waits || !matches!(stream.read(&mut [0; 1]), Ok(1..)) {
                break;
            }
        }
    }
}

/// Reads what has arrived; whether the client has gone.
fn discard(stream: &mut TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let mut scrap = [0; 4096];
    // A client may send faster than this reads: a bound on the effort.
    for _ in 0..64 {
        match stream.read(&mut scrap) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
    true
}
