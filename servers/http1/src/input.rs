//! The bytes that have arrived and are not yet understood.

use bytes::{Bytes, BytesMut};

/// A buffer that a transport fills and a connection empties.
///
/// In: [`space`](Self::space), then [`filled`](Self::filled). The connection takes what it has
/// understood off the front, without a copy: a content slice shares this buffer's memory, and
/// that memory is used again once every such slice is gone.
#[derive(Debug)]
pub struct Input {
    /// Initialised memory; the first `filled` bytes of it have arrived.
    bytes: BytesMut,
    filled: usize,
    capacity: usize,
}

impl Input {
    /// A buffer that holds up to `capacity` bytes. Allocates nothing until it is filled.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: BytesMut::new(), filled: 0, capacity }
    }

    /// Where the next bytes go; empty only if the buffer is full.
    pub fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() < self.capacity {
            // Memory whose slices are all gone is taken back here; only what had been given
            // away is initialised anew.
            self.bytes.resize(self.capacity, 0);
        }
        &mut self.bytes[self.filled..]
    }

    /// Says that the first `count` bytes of [`space`](Self::space) have arrived.
    ///
    /// # Panics
    /// If `count` is more than that space.
    pub fn filled(&mut self, count: usize) {
        assert!(self.filled + count <= self.bytes.len(), "more bytes than there was space for");
        self.filled += count;
    }

    /// The bytes not yet taken.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether nothing has arrived that is not yet taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Appends bytes from memory, as far as they fit; the number of those that did.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        self.filled(count);
        count
    }

    /// Drops what has arrived.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes the first `count` bytes, sharing their memory.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        self.filled -= count;
        self.bytes.split_to(count).freeze()
    }

    /// Takes the first `count` bytes and drops them.
    pub(crate) fn skip(&mut self, count: usize) {
        self.filled -= count;
        bytes::Buf::advance(&mut self.bytes, count);
    }
}
