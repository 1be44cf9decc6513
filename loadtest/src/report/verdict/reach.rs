//! How far a backend came on the ladder, and what stopped it.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::report::json::{Record, Role};
use crate::report::numbers::thousands;
use crate::report::rows::Row;

/// How far a backend came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reach {
    pub(crate) backend: String,
    /// The most connections that were answered and held, in whichever shape.
    pub(crate) connections: usize,
    /// How many were asked of it when it was stopped; if it was not, at most.
    pub(crate) asked: usize,
    /// The limit's name, or what went wrong; null if nothing stopped it.
    pub(crate) stopped_by: Option<String>,
}

impl Display for Reach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, connections, asked, stopped_by } = self;
        let elsewhere = connections >= asked;
        let (connections, asked) = (thousands(*connections as f64), thousands(*asked as f64));
        match stopped_by {
            None => {
                write!(formatter, "{backend}: {connections} connections, and nothing stopped it")
            }
            Some(limit) if elsewhere => write!(
                formatter,
                "{backend}: {connections} connections in one shape; of {asked} in another it was \
                 stopped by: {limit}"
            ),
            Some(limit) => write!(
                formatter,
                "{backend}: {connections} connections; of {asked} it was stopped by: {limit}"
            ),
        }
    }
}

/// One for each backend, where there are several numbers of connections.
pub(super) fn reach(rows: &[Row<'_>]) -> Vec<Reach> {
    let counts = || rows.iter().map(|row| row.connections);
    let mut all: Vec<Reach> = Vec::new();
    for row in rows.iter().filter(|row| row.role == Role::Compared) {
        let is_new = all.iter().all(|reach| reach.backend != row.backend);
        if is_new && counts().min() < counts().max() {
            let of_one = rows.iter().filter(|other| other.backend == row.backend);
            all.push(reach_of(row.backend, of_one.flat_map(Row::records).collect()));
        }
    }
    all
}

fn reach_of(backend: &str, mut records: Vec<&Record>) -> Reach {
    records.sort_by_key(|record| record.connections);
    let held = records.iter().filter_map(|record| Some(record.measured.as_ref()?.connected));
    let stopped = records.iter().find(|record| record.was_stopped());
    let last = stopped.or(records.last());
    Reach {
        backend: backend.to_owned(),
        connections: held.max().unwrap_or(0),
        asked: last.map_or(0, |record| record.connections),
        stopped_by: stopped.map(|it| {
            let said = it.limit.clone().or_else(|| it.failure.clone());
            said.unwrap_or_else(|| "a limit that was not seen".to_owned())
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::report::json::example;
    use crate::report::verdict::Verdict;

    #[test]
    fn how_far_a_backend_came_is_told_with_the_limit_that_stopped_it() {
        let mut results = example(3, &[("mio", 6.0), ("may", 6.0)]);
        for record in &mut results.cells {
            // The round stands for the rung.
            record.connections = 10_usize.pow(u32::try_from(record.round).expect("few"));
            let connected = if record.backend == "may" { record.connections } else { 60 };
            let measured = record.measured.as_mut().expect("measured");
            measured.connected = connected.min(record.connections);
            if measured.connected < record.connections {
                record.limit = Some("server: 60 connections by RLIMIT_NOFILE 64".to_owned());
            }
        }
        let lines: Vec<String> =
            Verdict::of(&results.cells).reach.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "mio: 60 connections; of 100 it was stopped by: server: 60 connections by \
                 RLIMIT_NOFILE 64",
                "may: 1,000 connections, and nothing stopped it",
            ]
        );
    }

    #[test]
    fn one_that_lacks_connections_was_stopped_even_if_nobody_says_by_what() {
        let mut results = example(2, &[("mio", 6.0)]);
        results.cells[0].connections = 100;
        let lines = Verdict::of(&results.cells).reach;
        assert_eq!(
            lines[0].to_string(),
            "mio: 64 connections; of 100 it was stopped by: a limit that was not seen"
        );
    }
}
