//! The bytes that are to leave, in order, with content that is not copied.

use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes};

/// Content up to this length is copied behind its head, since one slice costs the kernel less
/// than two and a pipelined answer can follow it in the same write.
const COPY_AT_MOST: usize = 1024;

/// Once this many bytes wait, they should leave before more are added.
const ENOUGH: usize = 16 * 1024;

/// An empty buffer gives memory back if it grew past this.
const KEEP_AT_MOST: usize = 64 * 1024;

/// A queue of bytes: framing, one piece of content, framing.
#[derive(Debug, Default)]
pub struct Output {
    before: Vec<u8>,
    /// How much of `before` is written.
    written: usize,
    content: Bytes,
    after: Vec<u8>,
}

impl Output {
    /// Whether all is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.content.is_empty() && self.after.is_empty()
    }

    /// Whether it should be written before more is added: the bound of what waits here.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.content.is_empty() || self.before.len() >= ENOUGH
    }

    /// The number of bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.before.len() - self.written + self.content.len() + self.after.len()
    }

    /// Writes as much as `writer` takes in one call; the number of bytes written.
    ///
    /// # Errors
    /// Those of `writer`; nothing is lost then.
    pub fn write_to(&mut self, writer: &mut impl Write) -> io::Result<usize> {
        let before = &self.before[self.written..];
        let count = if self.content.is_empty() {
            writer.write(before)
        } else {
            writer.write_vectored(&[
                IoSlice::new(before),
                IoSlice::new(&self.content),
                IoSlice::new(&self.after),
            ])
        }?;
        self.advance(count);
        Ok(count)
    }

    /// All that waits, in one piece. For tests and tools; it copies.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        [&self.before[self.written..], &self.content, &self.after].concat()
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.advance(self.len());
    }

    /// Adds bytes, copying them.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.tail().extend_from_slice(bytes);
    }

    /// Adds content, without a copy where that pays.
    pub(crate) fn push_content(&mut self, content: Bytes) {
        if content.len() > COPY_AT_MOST && self.content.is_empty() {
            self.content = content;
        } else {
            self.push(&content);
        }
    }

    /// The part that can grow without changing the order.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        if self.content.is_empty() { &mut self.before } else { &mut self.after }
    }

    /// Forgets the first `count` bytes: they are written.
    fn advance(&mut self, count: usize) {
        let from_before = count.min(self.before.len() - self.written);
        self.written += from_before;
        let from_content = (count - from_before).min(self.content.len());
        self.content.advance(from_content);
        if self.content.is_empty() && self.written == self.before.len() {
            // What is left, if anything, is `after`: it becomes the front.
            self.content = Bytes::new();
            self.before.clear();
            self.before.shrink_to(KEEP_AT_MOST);
            std::mem::swap(&mut self.before, &mut self.after);
            self.written = count - from_before - from_content;
            if self.written == self.before.len() {
                self.before.clear();
                self.written = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `limit` bytes at a time.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.write(&slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_order_survives_any_width() {
        for width in [1, 2, 3, 7, 1499, 1500, 1501, 5000] {
            let mut output = Output::default();
            output.push(b"head");
            output.push_content(Bytes::from(vec![b'x'; 1500]));
            output.push(b"tail");
            output.push_content(Bytes::from_static(b"short"));
            let whole = output.to_vec();
            assert_eq!(whole.len(), output.len());
            let mut narrow = Narrow(Vec::new(), width);
            while !output.is_empty() {
                assert!(output.write_to(&mut narrow).unwrap() > 0);
            }
            assert_eq!(narrow.0, whole, "width {width}");
        }
    }

    #[test]
    fn long_content_is_not_copied() {
        let content = Bytes::from(vec![b'x'; COPY_AT_MOST + 1]);
        let mut output = Output::default();
        output.push_content(content.clone());
        assert_eq!(output.content.as_ptr(), content.as_ptr());
        assert!(output.is_full());
    }
}
