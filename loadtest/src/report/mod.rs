//! What a comparison found, a file for each form: the terminal, JSON, HTML.

mod charts;
mod findings;
mod html;
pub(crate) mod json;
mod live;
mod rows;
pub(crate) mod terminal;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

pub(crate) use self::live::Live;

use self::json::Results;

/// The name of the figures' file in the folder of a comparison.
pub(crate) const JSON_FILE: &str = "results.json";
/// The name of the page beside it.
pub(crate) const HTML_FILE: &str = "report.html";

/// A results file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{file} is not a results.json of schema {}: {reason}", json::SCHEMA)]
pub(crate) struct Unreadable {
    file: String,
    reason: String,
}

/// Leaves both files in the folder.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<()> {
    save(&folder.join(JSON_FILE), &serde_json::to_string_pretty(results)?)?;
    save(&folder.join(HTML_FILE), &html::page(results)?)
}

/// `loadtest report`: makes the page again, beside the figures that it is made from.
pub(crate) fn remake(file: &Path) -> anyhow::Result<ExitCode> {
    let results = read(file)?;
    let page = file.with_file_name(HTML_FILE);
    save(&page, &html::page(&results)?)?;
    print!("{}", terminal::table(&results));
    println!("\n{}", page.display());
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Results, Unreadable> {
    let unreadable = |reason: String| Unreadable { file: file.display().to_string(), reason };
    let text = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let results: Results =
        serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if results.schema != json::SCHEMA {
        return Err(unreadable(format!("its schema is {}", results.schema)));
    }
    Ok(results)
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
