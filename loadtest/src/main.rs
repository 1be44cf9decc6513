//! `loadtest`: loads a server, or compares what five of them cost.
//!
//! | to read | where |
//! |---|---|
//! | one connection that checks what it reads | [`wire`] |
//! | users, and the parts of a test | [`load`] |
//! | cells, servers, samples, rounds | [`lab`] |
//! | percentiles, medians, intervals | [`stats`] |
//! | the table, the JSON and the HTML | [`report`] |
//! | the answer that costs nothing | [`floor`] |
//! | becoming a server | [`serve`] |
//! | one backend after the other at one address | [`stage`] |

#![forbid(unsafe_code)]

mod fetch;
mod floor;
mod lab;
mod limits;
mod load;
mod options;
mod report;
mod run;
mod serve;
mod stage;
mod stats;
mod wire;

use std::process::ExitCode;

use options::Command;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = match options::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    log();
    let open_files = limits::raise_open_files();
    let outcome = match command {
        Command::Run(options) => run::run(&options, open_files),
        Command::Compare(options) => lab::compare(&options, open_files),
        Command::C10k(options) => lab::c10k(&options, open_files),
        Command::Report(options) => report::remake(&options.file),
        Command::Diff(options) => report::diff(&options.before, &options.after),
        Command::Floor(options) => floor::run(&options, open_files).map(|()| ExitCode::SUCCESS),
        Command::Serve(options) => serve::serve(&options).map(|never| match never {}),
        Command::Stage(options) => stage::run(&options),
        Command::Swap(options) => stage::swap(&options),
        Command::HandOver(options) => stage::hand_over(&options),
        Command::Completions(options) => {
            options::completions(&options).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::Cell(options) => lab::run_cell(&options),
        Command::Generator => load::run_generator(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("loadtest: {error:#}");
        let refused = error.is::<limits::TooMany>()
            || error.is::<options::Unusable>()
            || error.is::<load::Refused>()
            || error.is::<lab::Meaningless>()
            || error.is::<serve::NoSuchBackend>()
            || error.is::<report::Unreadable>();
        ExitCode::from(if refused { 2 } else { 1 })
    })
}

/// One line an event on standard error; warnings and what `floor` has to say by default.
fn log() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,loadtest=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        // Where nobody reads the log any more, saying so would be a panic.
        .log_internal_errors(false)
        .init();
}
