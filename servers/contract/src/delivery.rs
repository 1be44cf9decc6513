//! How a vector's bytes arrive: at once, or in pieces that the server has to read one by one.
//!
//! A piece is written, without delay (`TCP_NODELAY`), when the kernel says that the server has read
//! all before it. So every cut is one that the server has seen, and nothing sleeps. Many
//! connections are served in turn: a round sends one piece on each.

use std::net::Shutdown;
use std::ops::DerefMut;
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::answers::Answers;
use crate::connection::Connection;
use crate::observation::PROBE;
use crate::sockdiag::{FarEnd, SocketDiagnosis};
use crate::vector::Vector;
use crate::{Client, Upstream};

/// A way for bytes to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All at once.
    Whole,
    /// Each byte by itself.
    ByteByByte,
    /// Each line by itself, with its end.
    LineByLine,
    /// Cut before and after every CR and LF.
    AtLineEnds,
}

/// The most pieces a vector is cut into: those in the middle of a longer one go as one.
const PIECES_AT_MOST: usize = 640;

/// How long a server is waited for that does not read. It may have its reasons.
const UNREAD_AT_MOST: Duration = Duration::from_millis(500);

impl Way {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Whole, Self::ByteByByte, Self::LineByLine, Self::AtLineEnds];

    /// The pieces of `bytes`.
    pub fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let pieces: Vec<&[u8]> = match self {
            Self::Whole => vec![bytes],
            Self::ByteByByte => bytes.chunks(1).collect(),
            Self::LineByLine => bytes.split_inclusive(|byte| *byte == b'\n').collect(),
            Self::AtLineEnds => bytes.chunk_by(|a, b| !is_end(a) && !is_end(b)).collect(),
        };
        if pieces.len() <= PIECES_AT_MOST {
            return pieces;
        }
        let half = PIECES_AT_MOST / 2;
        let length = |pieces: &[&[u8]]| pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let (first, last) = (&pieces[..half], &pieces[pieces.len() - half..]);
        let middle = &bytes[length(first)..bytes.len() - length(last)];
        [first, &[middle], last].concat()
    }
}

/// What is sent over one connection.
#[derive(Debug)]
pub struct Delivery<'a, Over = Client> {
    connection: Over,
    /// Yet to be sent, the next one last.
    pieces: Vec<&'a [u8]>,
    ending: Ending,
    sent: u64,
}

/// What follows the last piece.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// A request that shows whether the connection is open.
    Probe,
    /// Word that nothing more will come.
    HalfClose,
    Nothing,
}

impl<'a> Delivery<'a> {
    /// Of a client's vector, in this way.
    pub fn new(client: Client, vector: &'a Vector, way: Way) -> Self {
        let ending = if vector.half_closes { Ending::HalfClose } else { Ending::Probe };
        Self::over(client, way.pieces(&vector.bytes), ending)
    }
}

impl<'a> Delivery<'a, Upstream> {
    /// Of an upstream's vector, in this way. What follows the answer is a piece of its own, or part of
    /// the only one; and so is the end.
    pub fn answer(upstream: Upstream, vector: &'a Vector<Answers>, way: Way) -> Self {
        let (answer, more) = vector.bytes.split_at(vector.bytes.len() - vector.surplus);
        let mut pieces = match way {
            Way::Whole => vec![&vector.bytes[..]],
            _ => way.pieces(answer),
        };
        if way != Way::Whole && (vector.half_closes || !more.is_empty()) {
            pieces.push(more);
        }
        let ending = if vector.half_closes { Ending::HalfClose } else { Ending::Nothing };
        Self::over(upstream, pieces, ending)
    }
}

impl<'a, Over: DerefMut<Target = Connection>> Delivery<'a, Over> {
    fn over(connection: Over, mut pieces: Vec<&'a [u8]>, ending: Ending) -> Self {
        static MANY: Once = Once::new();
        MANY.call_once(have_many_files);
        pieces.reverse();
        Self { connection, pieces, ending, sent: 0 }
    }

    /// Sends all of `deliveries`, and after each whatever ends it. Gives the connections back, in
    /// order, to read what comes.
    pub fn all(mut deliveries: Vec<Self>) -> Vec<Over> {
        let kernel = SocketDiagnosis::open().expect("a line to the kernel");
        loop {
            let sent = deliveries.iter_mut().filter_map(Self::send_piece).count();
            if sent == 0 {
                break;
            }
            for delivery in &mut deliveries {
                delivery.wait_until_read(&kernel);
            }
        }
        deliveries.into_iter().map(Self::end).collect()
    }

    /// `None` if there is nothing more to send.
    fn send_piece(&mut self) -> Option<()> {
        let piece = self.pieces.pop()?;
        self.sent += piece.len() as u64;
        if self.connection.try_send(piece).is_err() {
            self.pieces.clear();
        }
        Some(())
    }

    fn wait_until_read(&mut self, kernel: &SocketDiagnosis) {
        let deadline = Instant::now() + UNREAD_AT_MOST;
        while !self.pieces.is_empty() && Instant::now() < deadline {
            match kernel.far_end(self.connection.stream()).expect("the kernel knows of the socket")
            {
                FarEnd::Open { taken } if taken < self.sent => thread::yield_now(),
                FarEnd::Open { .. } => return,
                // Whoever has said its last word does not want the rest.
                FarEnd::Ended => self.pieces.clear(),
            }
        }
    }

    /// Whatever there was to send, the server may have closed by now.
    fn end(mut self) -> Over {
        let _ = match self.ending {
            Ending::Probe => self.connection.try_send(PROBE),
            Ending::HalfClose => self.connection.stream().shutdown(Shutdown::Write),
            Ending::Nothing => Ok(()),
        };
        self.connection
    }
}

/// Many tests run at once, and each has many connections: as many files may be open as can be.
fn have_many_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // If not, it may be enough all the same.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::Backend;
    use crate::vector::{accepts, rule};

    #[test]
    fn what_is_sent_in_pieces_is_read_in_pieces() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let reader = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 100];
            let read = || stream.read(&mut buffer).ok().filter(|count| *count > 0);
            std::iter::from_fn(read).collect::<Vec<_>>()
        });
        let vectors = rule("", "").vectors([accepts("", "GET / HTTP/1.1\r\n")]);
        let client = Client::connect(Backend::Mio, address, None);
        drop(Delivery::all(vec![Delivery::new(client, &vectors[0], Way::ByteByByte)]));
        let reads = reader.join().unwrap();
        // The last byte may come together with what ends the delivery.
        assert_eq!(reads[..15], [1; 15]);
    }

    #[test]
    fn a_request_is_cut_at_both_sides_of_a_line_end() {
        let pieces = Way::AtLineEnds.pieces(b"ab\r\nc\n\r\n");
        assert_eq!(pieces, [&b"ab"[..], b"\r", b"\n", b"c", b"\n", b"\r", b"\n"]);
    }

    #[test]
    fn the_pieces_are_the_request() {
        for length in [0, 1, PIECES_AT_MOST, 100_000] {
            let request = b"X: y\r\n".repeat(length);
            for way in Way::ALL {
                let pieces = way.pieces(&request);
                assert!(pieces.len() <= PIECES_AT_MOST + 1);
                assert_eq!(pieces.concat(), request);
            }
        }
    }
}
