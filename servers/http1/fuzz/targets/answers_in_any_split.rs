//! Answers mean the same however they arrive, and when they are written and read again.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: http1_fuzz::Input<'_>| {
    http1_fuzz::answers_in_any_split(&input);
});
