//! What is compared, and in which order.

use std::str::FromStr;

use crate::load::Scenario;

/// A server program with the arguments that make it one row of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// OS threads.
    Threads,
    /// Readiness callbacks.
    Mio,
    /// Stackful coroutines.
    May,
    /// Actors.
    Actix,
    /// async/await, HTTP by `hyper`.
    Tokio,
    /// The same model with the codec that the other four use.
    TokioHttp1,
    /// No server at all: the canned answer of `loadtest floor`.
    Floor,
}

impl Backend {
    /// Every backend, in the order of the reports.
    pub(crate) const ALL: [Self; 7] = [
        Self::Threads,
        Self::Mio,
        Self::May,
        Self::Actix,
        Self::Tokio,
        Self::TokioHttp1,
        Self::Floor,
    ];

    /// The name on the command line and in every report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Mio => "mio",
            Self::May => "may",
            Self::Actix => "actix",
            Self::Tokio => "tokio",
            Self::TokioHttp1 => "tokio/http1",
            Self::Floor => "floor",
        }
    }

    /// Whether it has a right answer to that. The floor's canned one suits `echo` only.
    pub(crate) fn answers(self, scenario: Scenario) -> bool {
        self != Self::Floor || scenario == Scenario::Echo
    }

    /// The program, which stands beside this one, and its arguments but for `--listen`.
    pub(crate) fn program(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Threads => ("server-threads", &[]),
            Self::Mio => ("server-mio", &[]),
            Self::May => ("server-may", &[]),
            Self::Actix => ("server-actix", &[]),
            Self::Tokio => ("server-tokio", &[]),
            Self::TokioHttp1 => ("server-tokio", &["--codec", "http1"]),
            Self::Floor => ("loadtest", &["floor"]),
        }
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no backend {name:?}; the backends are {names}")
        })
    }
}

/// One backend, one scenario, one number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) backend: Backend,
    pub(crate) scenario: Scenario,
    pub(crate) connections: usize,
}

/// The cells of all rounds in the order in which they are measured, each with its round, from 1.
///
/// Every round measures every cell once, in an order of its own: what changes in the machine
/// over time then falls on all backends alike.
pub(crate) fn order(
    backends: &[Backend],
    scenarios: &[Scenario],
    connections: &[usize],
    rounds: usize,
    seed: u64,
) -> Vec<(usize, Cell)> {
    let mut cells = Vec::new();
    for &scenario in scenarios {
        for &connections in connections {
            let answering = backends.iter().filter(|backend| backend.answers(scenario));
            cells.extend(answering.map(|&backend| Cell { backend, scenario, connections }));
        }
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plan = Vec::with_capacity(rounds * cells.len());
    for round in 1..=rounds {
        random.shuffle(&mut cells);
        plan.extend(cells.iter().map(|&cell| (round, cell)));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Vec<(usize, Cell)> {
        order(&Backend::ALL, &Scenario::ALL, &[1, 64], 3, seed)
    }

    #[test]
    fn names_are_read_back_and_others_refused() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse(), Ok(backend));
        }
        assert_eq!(
            "nginx".parse::<Backend>(),
            Err("there is no backend \"nginx\"; the backends are \
                 threads, mio, may, actix, tokio, tokio/http1, floor"
                .to_owned())
        );
    }

    #[test]
    fn every_round_measures_every_cell_once() {
        let plan = plan(7);
        // Six backends in six scenarios, the floor in one, at two numbers of connections.
        assert_eq!(plan.len(), 3 * (6 * 6 + 1) * 2);
        for (index, (round, cell)) in plan.iter().enumerate() {
            assert_eq!(*round, 1 + index / 74, "rounds follow one another");
            let same = plan.iter().filter(|other| **other == (*round, *cell)).count();
            assert_eq!(same, 1, "{cell:?} in round {round}");
        }
    }

    #[test]
    fn the_seed_is_the_order() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        let rounds = plan(7);
        let cells = |round: usize| -> Vec<Cell> {
            rounds.iter().filter(|(of, _)| *of == round).map(|(_, cell)| *cell).collect()
        };
        assert_ne!(cells(1), cells(2), "each round has an order of its own");
    }
}
