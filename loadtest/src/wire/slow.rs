//! Senders and readers that take their time.
//!
//! Bytes go in pieces, one every quarter of a second, as over a line of that speed. The request's
//! pieces are cut here; the answer's too, and since the socket has little room beside, the server
//! has to wait as it would for a distant reader.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::{Connection, Exchange, Patience, Reply, Stop};

/// From one piece to the next, unless a piece has but one byte.
const BEAT: Duration = Duration::from_millis(250);
/// The room for received bytes that a slow reader has: as little as the kernel grants.
pub(crate) const SLOW_READER_BUFFER: u32 = 4096;

/// How slowly, and in which direction.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes in a piece of a request, and of an answer.
    send: usize,
    read: usize,
    beat: Duration,
    sleep: Pin<Box<Sleep>>,
}

/// What is left of the piece that it is the time for.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    send: usize,
    read: usize,
}

impl Pace {
    /// Sends so many bytes a second, and reads as fast as anybody. The first piece waits for `part`
    /// of a beat: users who start together do not keep time together.
    pub(crate) fn sending(bytes_per_second: u64, part: f64) -> Self {
        let (send, beat) = piece(bytes_per_second);
        Self::new(send, usize::MAX, beat, part)
    }

    /// Reads so many bytes a second, and sends as fast as anybody.
    pub(crate) fn reading(bytes_per_second: u64, part: f64) -> Self {
        let (read, beat) = piece(bytes_per_second);
        Self::new(usize::MAX, read, beat, part)
    }

    fn new(send: usize, read: usize, beat: Duration, part: f64) -> Self {
        Self { send, read, beat, sleep: Box::pin(tokio::time::sleep(beat.mul_f64(part))) }
    }

    /// `Some` with the next piece's allowance when it is the time for it.
    fn poll_beat(&mut self, context: &mut Context<'_>) -> Poll<Allowance> {
        ready!(self.sleep.as_mut().poll(context));
        // Counted from now: who was kept from sending sends no faster afterwards.
        self.sleep.as_mut().reset(Instant::now() + self.beat);
        Poll::Ready(Allowance { send: self.send, read: self.read })
    }
}

/// The bytes of a piece, and the time for it.
fn piece(bytes_per_second: u64) -> (usize, Duration) {
    let in_a_beat = BEAT.mul_f64(bytes_per_second as f64).as_secs();
    match usize::try_from(in_a_beat) {
        Ok(0) => (1, Duration::from_secs(1).div_f64(bytes_per_second.max(1) as f64)),
        Ok(bytes) => (bytes, BEAT),
        Err(_) => (usize::MAX, BEAT),
    }
}

impl Connection {
    /// Sends the request and reads the answer to its end, at this pace. Also gives the moment at
    /// which the last byte of the request was out. What it is patient for is progress.
    pub(crate) async fn exchange_slowly(
        &mut self,
        exchange: &Exchange,
        pace: &mut Pace,
        patience: &mut Patience,
    ) -> Result<(Reply, Instant), Stop> {
        let mut unsent = exchange.request.as_slice();
        let mut sent = Instant::now();
        loop {
            let mut allowance = patience.wait_long(|context| pace.poll_beat(context)).await?;
            let before = (unsent.len(), self.bytes_so_far());
            // As much of the piece as can be had until the next is due.
            let step = patience.wait(|context| {
                let had_to_send = !unsent.is_empty();
                let reply = self.poll_piece(context, exchange, &mut unsent, &mut allowance)?;
                if had_to_send && unsent.is_empty() {
                    sent = Instant::now();
                }
                match reply {
                    Poll::Ready(reply) => Poll::Ready(Ok::<_, Stop>(Some(reply))),
                    Poll::Pending => pace.sleep.as_mut().poll(context).map(|()| Ok(None)),
                }
            });
            if let Some(reply) = step.await?? {
                return Ok((reply, sent));
            }
            if before != (unsent.len(), self.bytes_so_far()) {
                patience.restart(Instant::now());
            }
        }
    }

    /// As much as this allowance admits.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        exchange: &Exchange,
        unsent: &mut &[u8],
        allowance: &mut Allowance,
    ) -> Result<Poll<Reply>, Stop> {
        while allowance.send > 0 && !unsent.is_empty() {
            let piece = &unsent[..allowance.send.min(unsent.len())];
            match self.poll_write(context, piece)? {
                Poll::Ready(count) => {
                    *unsent = &unsent[count..];
                    allowance.send -= count;
                }
                Poll::Pending => break,
            }
        }
        while allowance.read > 0 {
            let before = self.bytes_so_far();
            let reply = self.poll_read_once(context, exchange, allowance.read);
            allowance.read -= usize::try_from(self.bytes_so_far() - before).unwrap_or(0);
            match reply {
                Poll::Ready(Ok(Some(reply))) => return Ok(Poll::Ready(reply.with_unsent(unsent))),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(stop)) => return Err(stop),
                Poll::Pending => break,
            }
        }
        Ok(Poll::Pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_at_least_a_byte_and_the_speed_is_kept() {
        assert_eq!(piece(100), (25, BEAT));
        assert_eq!(piece(1), (1, Duration::from_secs(1)));
        assert_eq!(piece(3), (1, Duration::from_secs(1).div_f64(3.0)));
        assert_eq!(piece(4), (1, BEAT));
    }
}
