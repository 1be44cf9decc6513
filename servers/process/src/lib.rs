//! What every server process needs around its model, so that a server's own files hold nothing but
//! the model: options, limits, the listener, signals, logs, metrics, admission, and what upstream
//! connections need but for the waiting.
//!
//! Nothing here waits on a connection, and nothing decides about HTTP. A server's `main` reads:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use process::{Backend, Footprint, NoExtra, Outcome, Site};
//!
//! static BACKEND: Backend = Backend {
//!     name: "mio",
//!     about: "Readiness callbacks on mio, one event loop per core",
//!     per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
//! };
//!
//! fn main() -> ExitCode {
//!     let (options, NoExtra {}) = process::parse(&BACKEND);
//!     process::run(&BACKEND, || {
//!         let site = Site::open(&BACKEND, options)?;
//!         site.on_shutdown(|| { /* wake the loops */ })?;
//!         site.announce()?;
//!         // … serve until drained …
//!         Ok(Outcome { cut: site.requests_in_flight() })
//!     })
//! }
//! ```

#![forbid(unsafe_code)]

pub mod accept;
mod admin;
pub mod admission;
pub mod backend;
pub mod cpu;
mod doorman;
pub mod exit;
#[cfg(debug_assertions)]
mod fault;
pub mod health;
mod kernel;
pub mod limits;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod options;
pub mod refusal;
pub mod signals;
mod site;
pub mod upstream;
mod usage;
pub mod value;
mod variables;

pub use accept::{AcceptError, Backoff, Pressure};
pub use admission::{Admission, Permit};
pub use backend::{Backend, Footprint, VERSION};
pub use cpu::burn;
pub use doorman::Doorman;
pub use exit::{Outcome, run};
pub use limits::{Bounds, bounds, workers};
pub use listener::Listener;
pub use log::{OncePerSecond, announce};
pub use metrics::Metrics;
pub use options::{Mode, NoExtra, Options, parse};
pub use refusal::Refusal;
pub use signals::on_shutdown;
pub use site::Site;
pub use upstream::Upstream;
