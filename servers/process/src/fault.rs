//! A panic on demand, which a test can't have otherwise. In debug builds only: a release has
//! neither this file nor the variable.

use std::{env, sync::LazyLock, thread};

use http::StatusCode;

/// The status whose answers end in a panic.
static STATUS: LazyLock<Option<u16>> =
    LazyLock::new(|| env::var("FIVE_PANIC_ON").ok()?.parse().ok());

/// Says aloud that there will be panics, if there will.
pub(crate) fn warn() {
    if let Some(status) = *STATUS {
        tracing::warn!(status, "FIVE_PANIC_ON is set: each such answer will end in a panic");
    }
}

/// Panics if an answer with this status is to end so.
pub(crate) fn strike(status: StatusCode) {
    // A second panic would end the process.
    let is_due = *STATUS == Some(status.as_u16()) && !thread::panicking();
    assert!(!is_due, "an answer of {status}");
}
