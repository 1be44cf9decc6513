//! Reads one answer after the other and compares each with the expected one.
//!
//! ```text
//!          ┌── 1xx ──┐
//!          ▼         │   Content-Length
//!        Head ───────┴──────────────────► Length ───────────────► done
//!          │  chunked
//!          ├──────────► ChunkSize ─────► ChunkData ──► ChunkEnd ─┐
//!          │                ▲   └─ 0 ──► Trailers ───────────────┼► done
//!          │                └────────────────────────────────────┘
//!          └─ neither ──► UntilClose ──── end of stream ────────► done
//! ```
//!
//! Only a head, a chunk size or a trailer that is cut by a read is kept; a body never is.

use httparse::{ParserConfig, Status};

use super::{Body, Exchange, Fault};

/// The longest head, chunk size or trailer section that is still read.
const MAX_PENDING: usize = 64 * 1024;
const MAX_FIELDS: usize = 64;

/// A complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// What was wrong with it, if anything.
    pub(crate) fault: Option<Fault>,
    /// Whether the connection can carry another request.
    pub(crate) persistent: bool,
    /// The status it has.
    pub(crate) status: u16,
    /// How many bytes its body has.
    pub(crate) length: usize,
}

impl Reply {
    /// An answer that overtook its request leaves the connection in the middle of it.
    pub(super) fn with_unsent(self, unsent: &[u8]) -> Self {
        Self { persistent: self.persistent && unsent.is_empty(), ..self }
    }
}

/// Where in an answer the next byte belongs.
#[derive(Debug)]
pub(crate) struct AnswerReader {
    stage: Stage,
    /// Bytes of a head or line whose end has not arrived.
    pending: Vec<u8>,
    /// Body bytes that [`Body::Containing`] has to search when they are all there.
    kept: Vec<u8>,
    status: u16,
    persistent: bool,
    body_length: usize,
    body_differs: bool,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Length(usize),
    ChunkSize,
    ChunkData(usize),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

impl AnswerReader {
    /// A reader before the first byte of an answer.
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Head,
            pending: Vec::new(),
            kept: Vec::new(),
            status: 0,
            persistent: true,
            body_length: 0,
            body_differs: false,
            bytes: 0,
        }
    }

    /// Takes in what a read brought. `Some` when that completes the answer; the reader is then
    /// ready for the next.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        expected: &Exchange,
    ) -> Result<Option<Reply>, Fault> {
        self.bytes += bytes.len() as u64;
        if self.pending.is_empty() {
            let used = self.advance(bytes, expected)?;
            self.pending.extend_from_slice(&bytes[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.pending);
            joined.extend_from_slice(bytes);
            let used = self.advance(&joined, expected)?;
            self.pending = joined.split_off(used);
        }
        if self.stage != Stage::Done {
            return if self.pending.len() > MAX_PENDING { Err(Fault::Malformed) } else { Ok(None) };
        }
        // One request is under way at a time, so nothing may follow its answer.
        self.body_differs |= !self.pending.is_empty();
        Ok(Some(self.finish(expected)))
    }

    /// The peer has sent its last byte.
    pub(crate) fn end_of_stream(&mut self, expected: &Exchange) -> Result<Reply, Fault> {
        match self.stage {
            Stage::UntilClose => Ok(self.finish(expected)),
            Stage::Head if self.pending.is_empty() => Err(Fault::Reset),
            _ => Err(Fault::ShortBody),
        }
    }

    /// How many bytes have been read since [`take_bytes`](Self::take_bytes) was last asked.
    pub(super) fn bytes_so_far(&self) -> u64 {
        self.bytes
    }

    /// How many bytes have been read since this was last asked.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Walks the stages until the answer or the bytes end; how many bytes were used.
    fn advance(&mut self, bytes: &[u8], expected: &Exchange) -> Result<usize, Fault> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let step = match self.stage {
                Stage::Head => self.head(rest)?,
                Stage::Length(left) => {
                    self.content(rest, left, Stage::Length, Stage::Done, expected)
                }
                Stage::ChunkSize => self.chunk_size(rest)?,
                Stage::ChunkData(left) => {
                    self.content(rest, left, Stage::ChunkData, Stage::ChunkEnd, expected)
                }
                Stage::ChunkEnd => self.chunk_end(rest)?,
                Stage::Trailers => self.trailer(rest),
                Stage::UntilClose => {
                    self.compare(rest, expected);
                    (!rest.is_empty()).then_some(rest.len())
                }
                Stage::Done => None,
            };
            match step {
                Some(count) => used += count,
                None => return Ok(used),
            }
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut fields = [std::mem::MaybeUninit::uninit(); MAX_FIELDS];
        let mut head = httparse::Response::new(&mut []);
        let length = match ParserConfig::default()
            .parse_response_with_uninit_headers(&mut head, bytes, &mut fields)
            .map_err(|_| Fault::Malformed)?
        {
            Status::Complete(length) => length,
            Status::Partial => return Ok(None),
        };
        self.status = head.code.ok_or(Fault::Malformed)?;
        if (100..200).contains(&self.status) {
            return Ok(Some(length));
        }
        self.persistent = head.version == Some(1);
        let mut content_length = None;
        let mut chunked = false;
        for field in head.headers.iter() {
            if field.name.eq_ignore_ascii_case("content-length") {
                let digits = std::str::from_utf8(field.value).map_err(|_| Fault::Malformed)?;
                content_length = Some(digits.parse().map_err(|_| Fault::Malformed)?);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = field.value.eq_ignore_ascii_case(b"chunked");
            } else if field.name.eq_ignore_ascii_case("connection") {
                self.persistent &= !field.value.eq_ignore_ascii_case(b"close");
            }
        }
        self.stage = match content_length {
            _ if self.status == 204 || self.status == 304 => Stage::Done,
            _ if chunked => Stage::ChunkSize,
            Some(0) => Stage::Done,
            Some(length) => Stage::Length(length),
            None => Stage::UntilClose,
        };
        Ok(Some(length))
    }

    fn content(
        &mut self,
        bytes: &[u8],
        left: usize,
        more: fn(usize) -> Stage,
        end: Stage,
        expected: &Exchange,
    ) -> Option<usize> {
        let count = left.min(bytes.len());
        if count == 0 {
            return None;
        }
        self.compare(&bytes[..count], expected);
        self.stage = if count == left { end } else { more(left - count) };
        Some(count)
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        match httparse::parse_chunk_size(bytes).map_err(|_| Fault::Malformed)? {
            Status::Partial => Ok(None),
            Status::Complete((used, 0)) => {
                self.stage = Stage::Trailers;
                Ok(Some(used))
            }
            Status::Complete((used, size)) => {
                let size = usize::try_from(size).map_err(|_| Fault::Malformed)?;
                self.stage = Stage::ChunkData(size);
                Ok(Some(used))
            }
        }
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        if bytes.len() < 2 {
            return Ok(None);
        }
        if !bytes.starts_with(b"\r\n") {
            return Err(Fault::Malformed);
        }
        self.stage = Stage::ChunkSize;
        Ok(Some(2))
    }

    /// Skips one line of the trailer section; the empty one ends the answer.
    fn trailer(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        if end == 0 {
            self.stage = Stage::Done;
        }
        Some(end + 2)
    }

    fn compare(&mut self, bytes: &[u8], expected: &Exchange) {
        match &expected.body {
            _ if self.status != expected.status => {}
            Body::Any => {}
            Body::Exactly(body) => {
                let end = self.body_length + bytes.len();
                self.body_differs |= body.get(self.body_length..end) != Some(bytes);
            }
            Body::Containing(_) => self.kept.extend_from_slice(bytes),
        }
        self.body_length += bytes.len();
    }

    /// Judges the complete answer and makes the reader ready for the next.
    fn finish(&mut self, expected: &Exchange) -> Reply {
        let complete = match &expected.body {
            Body::Any => true,
            Body::Exactly(body) => self.body_length == body.len(),
            Body::Containing(part) => {
                part.is_empty() || self.kept.windows(part.len()).any(|bytes| bytes == part)
            }
        };
        let fault = match self.status {
            status if status == expected.status => {
                (self.body_differs || !complete).then_some(Fault::WrongBody)
            }
            503 => Some(Fault::Unavailable),
            _ => Some(Fault::OtherStatus),
        };
        let persistent =
            self.persistent && self.pending.is_empty() && self.stage != Stage::UntilClose;
        let reply = Reply { fault, persistent, status: self.status, length: self.body_length };
        self.stage = Stage::Head;
        self.pending.clear();
        self.kept.clear();
        self.body_length = 0;
        self.body_differs = false;
        reply
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// A right answer with a body of 5 bytes.
    const RIGHT: Reply = Reply { fault: None, persistent: true, status: 200, length: 5 };

    fn expecting(body: Body) -> Exchange {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        Exchange::new(address, "h", "GET", "/", b"", body)
    }

    /// What a reader says of `bytes` when they come at once, and when they come one by one.
    fn read(bytes: &[u8], body: Body) -> Result<Reply, Fault> {
        let expected = expecting(body);
        let mut at_once = AnswerReader::new();
        let whole = match at_once.feed(bytes, &expected) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => at_once.end_of_stream(&expected),
            Err(fault) => Err(fault),
        };
        assert_eq!(read_bytewise(bytes, &expected), whole, "split at every byte");
        whole
    }

    fn read_bytewise(bytes: &[u8], expected: &Exchange) -> Result<Reply, Fault> {
        let mut reader = AnswerReader::new();
        for byte in bytes.chunks(1) {
            if let Some(reply) = reader.feed(byte, expected)? {
                return Ok(reply);
            }
        }
        reader.end_of_stream(expected)
    }

    fn exactly(body: &str) -> Body {
        Body::Exactly(body.as_bytes().to_vec())
    }

    #[test]
    fn a_length_delimited_body_is_compared() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(read(answer, exactly("hello")), Ok(RIGHT));
        let wrong = Ok(Reply { fault: Some(Fault::WrongBody), ..RIGHT });
        assert_eq!(read(answer, exactly("hullo")), wrong);
        assert_eq!(read(answer, exactly("hello!")), wrong);
        assert_eq!(read(answer, exactly("")), wrong);
        assert_eq!(read(answer, Body::Any), Ok(RIGHT));
    }

    #[test]
    fn a_chunked_body_is_compared_across_its_chunks() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: yes\r\n\r\n";
        assert_eq!(read(answer, exactly("hello")), Ok(RIGHT));
        assert_eq!(
            read(answer, exactly("help!")),
            Ok(Reply { fault: Some(Fault::WrongBody), ..RIGHT })
        );
    }

    #[test]
    fn a_body_may_be_delimited_by_the_close() {
        let answer = b"HTTP/1.0 200 OK\r\n\r\nhello";
        assert_eq!(read(answer, exactly("hello")), Ok(Reply { persistent: false, ..RIGHT }));
    }

    #[test]
    fn a_part_of_a_body_can_be_asked_for() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"path\": \"/delay\"}";
        let part = |text: &str| Body::Containing(text.as_bytes().to_vec());
        assert_eq!(read(answer, part("\"/delay\"")), Ok(Reply { length: 18, ..RIGHT }));
        let reply = read(answer, part("\"/other\"")).expect("the answer is complete");
        assert_eq!(reply.fault, Some(Fault::WrongBody));
    }

    #[test]
    fn a_status_is_a_fault_of_its_own_and_its_body_is_not_compared() {
        let busy = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy";
        assert_eq!(
            read(busy, exactly("")),
            Ok(Reply {
                fault: Some(Fault::Unavailable),
                persistent: false,
                status: 503,
                length: 4
            })
        );
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            read(missing, exactly("")),
            Ok(Reply { fault: Some(Fault::OtherStatus), persistent: true, status: 404, length: 0 })
        );
    }

    #[test]
    fn an_interim_answer_is_passed_over() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        let reply = read(answer, Body::Any).expect("the answer is complete");
        assert_eq!(reply.fault, Some(Fault::OtherStatus));
    }

    #[test]
    fn an_answer_that_ends_early_is_short() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
        assert_eq!(read(cut, exactly("hello")), Err(Fault::ShortBody));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nCont", Body::Any), Err(Fault::ShortBody));
        assert_eq!(read(b"", Body::Any), Err(Fault::Reset));
    }

    #[test]
    fn what_is_not_http_is_malformed() {
        assert_eq!(read(b"SSH-2.0-OpenSSH_9.6\r\n", Body::Any), Err(Fault::Malformed));
        let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc";
        assert_eq!(read(chunk, Body::Any), Err(Fault::Malformed));
    }

    #[test]
    fn bytes_after_the_answer_are_wrong() {
        let mut reader = AnswerReader::new();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEXTRA";
        assert_eq!(
            reader.feed(answer, &expecting(exactly("ok"))),
            Ok(Some(Reply {
                fault: Some(Fault::WrongBody),
                persistent: false,
                length: 2,
                ..RIGHT
            }))
        );
    }
}
