//! Which backends do not forward yet.
//!
//! Whoever learns it loses its `ignore` line here and is added to [`FORWARDING`]. With the last of
//! them this file makes way for `pub(crate) use contract::on_every_backend;` in `main.rs`, and
//! `FORWARDING` for `Backend::ALL`.

use contract::Backend;

/// Who may stand behind another in a chain.
pub(crate) const FORWARDING: &[Backend] = &[
    Backend::Threads,
    Backend::Mio,
    Backend::May,
    Backend::Actix,
    Backend::Tokio,
    Backend::TokioHttp1,
];

macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use contract::Backend;

            #[test]
            fn threads() {
                super::$test(Backend::Threads);
            }

            #[test]
            fn mio() {
                super::$test(Backend::Mio);
            }

            #[test]
            fn may() {
                super::$test(Backend::May);
            }

            #[test]
            fn actix() {
                super::$test(Backend::Actix);
            }

            #[test]
            #[ignore = "tokio does not forward yet"]
            fn tokio() {
                super::$test(Backend::Tokio);
            }

            #[test]
            fn tokio_http1() {
                super::$test(Backend::TokioHttp1);
            }
        }
    )+};
}

pub(crate) use on_every_backend;
