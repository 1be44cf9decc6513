//! How a server ends: its exit code, and the line that explains it.

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use crate::{backend::Backend, log};

/// How a server that was asked to end did so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests that outlived `--drain-timeout`, and were cut.
    pub cut: usize,
}

/// Sets up logs, runs a server, and turns what came of it into an exit code: 0 after an orderly end, 1
/// if requests were cut, 2 with one line on stderr if it could not start or go on.
pub fn run(backend: &Backend, serve: impl FnOnce() -> anyhow::Result<Outcome>) -> ExitCode {
    let served = panic::catch_unwind(AssertUnwindSafe(|| {
        log::init()?;
        serve()
    }));
    // Some crates panic where a thread can't be had. That line is logged already.
    let Ok(outcome) = served else { return ExitCode::from(2) };
    match outcome {
        Ok(Outcome { cut: 0 }) => {
            tracing::info!("every request has ended");
            ExitCode::SUCCESS
        }
        Ok(Outcome { cut }) => {
            tracing::error!(cut, "requests outlived --drain-timeout and were cut");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{}: {}", backend.program(), one_line(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes, from the outermost in.
fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let error = anyhow!("no such\n  name").context("cannot resolve origin");
        assert_eq!(one_line(&error), "cannot resolve origin: no such name");
    }
}
