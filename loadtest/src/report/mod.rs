//! What a comparison found, a file for each form: the terminal, JSON, CSV, histogram logs, HTML.

mod charts;
mod csv;
mod diff;
mod figures;
mod findings;
mod grid;
mod histogram;
mod html;
pub(crate) mod json;
mod live;
mod looks;
mod numbers;
mod percentile;
mod places;
mod rows;
mod standing;
mod svg;
mod table;
pub(crate) mod terminal;
pub(crate) mod verdict;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::Context;
use serde::Deserialize;

pub(crate) use self::live::Live;

use self::grid::Colours;
use self::json::Results;
use self::verdict::Verdict;

/// The name of the figures' file in the folder of a comparison.
pub(crate) const JSON_FILE: &str = "results.json";
/// The name of the page beside it.
pub(crate) const HTML_FILE: &str = "report.html";
/// The same as lines for spreadsheets.
const CSV_FILE: &str = "results.csv";
/// The folder of the charts over connections, each for itself.
const CHARTS_FOLDER: &str = "charts";
/// The folder of the histogram logs, one a cell.
const LOGS_FOLDER: &str = "histograms";

/// A results file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{file} is no results.json of schema {}: {reason}", json::SCHEMA)]
pub(crate) struct Unreadable {
    file: String,
    reason: String,
}

/// What every layout has.
#[derive(Deserialize)]
struct Layout {
    schema: u32,
}

/// Leaves all files in the folder.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<()> {
    save(&folder.join(JSON_FILE), &serde_json::to_string_pretty(results)?)?;
    write_forms(results, folder)
}

/// `loadtest report`: makes the other files again, beside the figures that they are made from.
pub(crate) fn remake(file: &Path) -> anyhow::Result<ExitCode> {
    let file = &figures(file);
    let results = read(file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    write_forms(&results, folder)?;
    let page = folder.join(HTML_FILE);
    say(&format!("{}\n{}\n", terminal::whole(&results), page.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// `loadtest diff`: what of the later run is other than in the earlier.
pub(crate) fn diff(before: &Path, after: &Path) -> anyhow::Result<ExitCode> {
    let results = (read(before)?, read(after)?);
    let names = (before.display().to_string(), after.display().to_string());
    let names = (names.0.as_str(), names.1.as_str());
    say(&diff::text((&results.0, &results.1), names, Colours::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

/// To standard output; nobody who stops reading there is told that it failed.
fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What is made from the results alone.
fn write_forms(results: &Results, folder: &Path) -> anyhow::Result<()> {
    save(&folder.join(HTML_FILE), &html::page(results)?)?;
    save(&folder.join(CSV_FILE), &csv::lines(results))?;
    write_all(&folder.join(CHARTS_FOLDER), "svg", charts::charts(results))?;
    write_all(&folder.join(LOGS_FOLDER), "hlog", histogram::logs(results))
}

/// Files of one kind in a folder of their own, which has no others of that kind afterwards.
fn write_all(folder: &Path, kind: &str, files: Vec<(String, String)>) -> anyhow::Result<()> {
    clear(folder, kind).with_context(|| format!("can't clear {}", folder.display()))?;
    for (name, text) in files {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        save(&folder.join(name), &text)?;
    }
    Ok(())
}

/// Takes away the files of this kind that an older report left, and nothing else.
fn clear(folder: &Path, kind: &str) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The file itself, or that of the comparison in this folder.
fn figures(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(JSON_FILE) } else { path.to_owned() }
}

fn read(file: &Path) -> Result<Results, Unreadable> {
    let file = &figures(file);
    let unreadable = |reason: String| Unreadable { file: file.display().to_string(), reason };
    let text = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    // The version first: of another layout, what is missing from it says nothing to anybody.
    let Layout { schema } =
        serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if schema != json::SCHEMA {
        return Err(unreadable(format!("it is of schema {schema}; measure again with `compare`")));
    }
    let mut results: Results =
        serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    histogram::check(&results).map_err(|error| unreadable(error.to_string()))?;
    results.verdict = Verdict::of(&results.cells);
    Ok(results)
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
