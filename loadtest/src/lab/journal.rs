//! What has been measured, on disk as soon as it is: a comparison that ends early can go on.
//!
//! One JSON object a line: first what was asked for and where, then a cell at a time. It is there
//! for as long as the comparison is not complete.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{Environment, Experiment};
use crate::options::Unusable;
use crate::report;
use crate::report::json::{Record, SCHEMA};

/// Its name in the folder of a comparison.
pub(crate) const FILE: &str = "cells.jsonl";

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    schema: u32,
    pub(crate) environment: Environment,
    pub(crate) experiment: Experiment,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What the server said when it was ready.
    pub(crate) said: Option<String>,
    pub(crate) cell: Record,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins one in this folder.
    pub(crate) fn begin(
        folder: &Path,
        environment: &Environment,
        experiment: &Experiment,
    ) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let file =
            File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
        let mut journal = Self { path, file };
        let (environment, experiment) = (environment.clone(), experiment.clone());
        journal.write(&Header { schema: SCHEMA, environment, experiment })?;
        Ok(journal)
    }

    /// Opens the one in this folder again, and reads it. A last line that was cut short is cut off.
    pub(crate) fn reopen(folder: &Path) -> Result<(Self, Header, Vec<Entry>), Unusable> {
        let unusable = |reason: String| Unusable::path("--resume", folder, reason);
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| {
            unusable(if folder.join(report::JSON_FILE).exists() {
                "the comparison in it is complete; there is nothing to go on with".to_owned()
            } else if error.kind() == ErrorKind::NotFound {
                "it holds no interrupted comparison; give the folder that one named at its end"
                    .to_owned()
            } else {
                format!("can't read {FILE} in it: {error}")
            })
        })?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines().enumerate();
        let wrong = |number: usize, error: &dyn std::fmt::Display| {
            unusable(format!("{FILE}, line {}: {error}", number + 1))
        };
        let header: Header = match lines.next() {
            Some((number, line)) => {
                serde_json::from_str(line).map_err(|error| wrong(number, &error))?
            }
            None => return Err(unusable(format!("{FILE} is empty"))),
        };
        if header.schema != SCHEMA {
            let reason = format!("{FILE} is of schema {}, expected {SCHEMA}", header.schema);
            return Err(unusable(reason));
        }
        let entry =
            |(number, line)| serde_json::from_str(line).map_err(|error| wrong(number, &error));
        let entries = lines.map(entry).collect::<Result<_, _>>()?;
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().append(true).open(&path)?;
            file.set_len(whole as u64)?;
            Ok(file)
        };
        let file = open().map_err(|error| unusable(format!("{FILE}: {error}")))?;
        Ok((Self { path, file }, header, entries))
    }

    /// One more cell.
    pub(crate) fn append(&mut self, entry: &Entry) -> anyhow::Result<()> {
        self.write(entry)
    }

    /// The comparison is complete, and everything is in its results.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("can't remove {}", self.path.display()))
    }

    /// In one piece, so that an interruption leaves whole lines but for the last.
    fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("can't write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    fn begun(folder: &Path) -> Journal {
        let experiment = Experiment { seed: 7, ..Experiment::default() };
        Journal::begin(folder, &Environment::default(), &experiment).expect("a journal")
    }

    fn entry(round: usize) -> Entry {
        let cell = example(round, &[("mio", 6.0)]).cells.remove(round - 1);
        Entry { said: None, cell }
    }

    #[test]
    fn what_was_appended_is_read_again_and_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = begun(folder.path());
        journal.append(&entry(1)).expect("written");
        drop(journal);
        // The power fails in the middle of a line.
        let path = folder.path().join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).expect("the journal");
        file.write_all(b"{\"said\":nu").expect("written");

        let (mut journal, header, entries) = Journal::reopen(folder.path()).expect("a journal");
        assert_eq!(header.experiment.seed, 7);
        assert_eq!(entries.len(), 1);
        journal.append(&entry(2)).expect("written");
        let (journal, _, entries) = Journal::reopen(folder.path()).expect("a journal");
        let rounds: Vec<usize> = entries.iter().map(|entry| entry.cell.round).collect();
        assert_eq!(rounds, [1, 2]);
        journal.end().expect("removed");
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_without_an_interrupted_comparison_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = || Journal::reopen(folder.path()).map(drop).expect_err("none").to_string();
        assert!(refused().contains("no interrupted comparison"), "{}", refused());
        fs::write(folder.path().join(report::JSON_FILE), "{}").expect("a file");
        assert!(refused().contains("is complete"), "{}", refused());
        let mut journal = begun(folder.path());
        journal.file.write_all(b"nonsense\n").expect("written");
        assert!(refused().contains("line 2"), "{}", refused());
    }
}
