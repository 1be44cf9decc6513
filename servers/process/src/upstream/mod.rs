//! What every server needs around its upstream connections, but for the waiting.

pub mod url;

pub use url::Url;
