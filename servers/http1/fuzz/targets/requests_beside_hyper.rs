//! What http1 and hyper both read as requests, they read alike.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: http1_fuzz::Input<'_>| {
    http1_fuzz::requests_beside_hyper(&input);
});
