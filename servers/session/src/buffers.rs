//! The memory that a connection needs while something is in flight, and only then.

use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use http1::{Input, Limits, Output};

use crate::stamp::Stamp;

/// Room beyond the largest head for the content that follows it.
const BEYOND_HEAD: usize = 1024;

/// How many buffers a pool keeps for later.
const KEEP_AT_MOST: usize = 128;

/// What a connection borrows while it has work: bytes in, bytes out, and memory used again.
#[derive(Debug)]
pub struct Buffers {
    /// What has arrived.
    pub input: Input,
    /// What is to leave.
    pub output: Output,
    /// What has arrived from upstream.
    pub upstream_input: Input,
    /// What is to go upstream.
    pub upstream_output: Output,
    pub(crate) fields: HeaderMap,
    pub(crate) upstream_fields: HeaderMap,
    pub(crate) stamp: Stamp,
}

impl Buffers {
    /// Buffers for heads of the limited size.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let capacity = limits.max_head_bytes as usize + BEYOND_HEAD;
        Self {
            input: Input::with_capacity(capacity),
            output: Output::default(),
            upstream_input: Input::with_capacity(capacity),
            upstream_output: Output::default(),
            fields: HeaderMap::new(),
            upstream_fields: HeaderMap::new(),
            stamp: Stamp::default(),
        }
    }

    /// Whether nothing is in them, so that another connection can have them.
    #[must_use]
    pub fn are_empty(&self) -> bool {
        self.input.is_empty()
            && self.output.is_empty()
            && self.upstream_input.is_empty()
            && self.upstream_output.is_empty()
    }

    /// Drops what came from upstream or was to go there.
    pub(crate) fn clear_upstream(&mut self) {
        self.upstream_input.clear();
        self.upstream_output.clear();
    }
}

/// Buffers that nobody uses at the moment.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    #[expect(clippy::vec_box, reason = "a connection holds a pointer, not two hundred bytes")]
    free: Mutex<Vec<Box<Buffers>>>,
}

impl Pool {
    /// A pool for connections with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, free: Mutex::default() }
    }

    /// Buffers with nothing in them.
    #[must_use]
    pub fn borrow(&self) -> Box<Buffers> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Box::new(Buffers::new(self.limits)))
    }

    /// Gives buffers back, whatever is in them.
    pub fn give_back(&self, mut buffers: Box<Buffers>) {
        if !buffers.are_empty() {
            buffers.input.clear();
            buffers.output.clear();
            buffers.clear_upstream();
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEEP_AT_MOST {
            free.push(buffers);
        }
    }
}
