//! SIGTERM and SIGINT: the first ends the server in order, the second at once.

use std::{io, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

/// Calls `action` on a thread of its own at the first SIGTERM or SIGINT; at the second, the process
/// exits with code 1 there and then. From the return of this call on, no signal is missed.
pub fn on_shutdown(action: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        let mut signals = signals.forever();
        let Some(signal) = signals.next() else { return };
        tracing::info!(signal = name(signal), "shutting down");
        action();
        let Some(signal) = signals.next() else { return };
        tracing::warn!(signal = name(signal), "exiting at once");
        low_level::exit(1);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

fn name(signal: i32) -> &'static str {
    low_level::signal_name(signal).unwrap_or("unknown")
}
