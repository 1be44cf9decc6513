//! Buffers, lent from what is nearest.

use std::cell::Cell;

use session::{Buffers, Pool};

thread_local! {
    /// The buffers that a worker used last. It nearly always wants them next, and need not ask the
    /// other workers for that.
    static AT_HAND: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// Buffers with nothing in them.
pub(crate) fn borrow(pool: &Pool) -> Box<Buffers> {
    AT_HAND.take().unwrap_or_else(|| pool.borrow())
}

/// Gives back buffers that are empty.
pub(crate) fn give_back(pool: &Pool, buffers: Box<Buffers>) {
    if let Some(others) = AT_HAND.replace(Some(buffers)) {
        pool.give_back(others);
    }
}
