//! `loadtest swap`: asks a stage for another backend, and says what came of it.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::SwapOptions;
use super::options::{self, Backend};
use super::supervisor::{Status, Swapped};
use crate::fetch::{Answer, fetch};

/// The exit code if there is nobody to ask.
const NO_STAGE: u8 = 3;

/// Swaps, and waits until that is done; or says who serves.
///
/// # Errors
/// If nobody takes over.
pub(crate) fn swap(options: &SwapOptions) -> anyhow::Result<ExitCode> {
    options::check(&options.server_options)?;
    let Some(answer) = ask(options)? else { return Ok(ExitCode::from(NO_STAGE)) };
    if options.backend.is_none() {
        println!("{}", in_words(&read(&answer)?));
        return Ok(ExitCode::SUCCESS);
    }
    let Swapped { from, to, address, ready_seconds, drain_seconds, complaint } = read(&answer)?;
    println!(
        "{to} serves {address} in place of {from}: ready after {ready_seconds:.2} s, and {from} \
         ended after another {drain_seconds:.2} s"
    );
    match complaint {
        None => Ok(ExitCode::SUCCESS),
        Some(complaint) => bail!(complaint),
    }
}

/// The stage's answer; none, said aloud, if it can't be reached.
fn ask(options: &SwapOptions) -> anyhow::Result<Option<Answer>> {
    let control = &options.control;
    let asked = match options.backend {
        None => fetch("GET", control, "", None),
        Some(backend) => {
            let content = serde_json::to_string(&options.server_options)?;
            // Each part of a swap has a time-out of its own, which the stage keeps.
            fetch("POST", &swap_url(control, backend)?, &content, None)
        }
    };
    asked.map(Some).or_else(|error| {
        eprintln!(
            "loadtest: no stage answers at {} ({error:#}); `loadtest stage` starts one, and \
             --control says where it is",
            control.authority()
        );
        Ok(None)
    })
}

fn swap_url(control: &Url, backend: Backend) -> anyhow::Result<Url> {
    Ok(control.join(&format!("swap/{backend}"))?)
}

/// What the stage says, unless it refuses.
fn read<T: DeserializeOwned>(answer: &Answer) -> anyhow::Result<T> {
    let unexpected = || format!("this is no stage's answer: {}", answer.text);
    if answer.status == 200 {
        return serde_json::from_str(&answer.text).with_context(unexpected);
    }
    let value: Value = serde_json::from_str(&answer.text).with_context(unexpected)?;
    match value["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => bail!(unexpected()),
    }
}

fn in_words(status: &Status) -> String {
    let Status { backend, options, pid, address, admin, swaps, swapping_to } = status;
    let given = if options.is_empty() { String::new() } else { format!(" {}", options.join(" ")) };
    let admin = admin.map(|admin| format!(", metrics at http://{admin}/metrics"));
    let swapping = swapping_to.map(|to| format!("; a swap to {to} is under way"));
    format!(
        "{backend}{given} serves {address} (process {pid}{}); swaps so far: {swaps}{}",
        admin.unwrap_or_default(),
        swapping.unwrap_or_default()
    )
}
