//! What is measured, and in which order.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use super::Experiment;
use super::contender::{Backend, Contender, Kind};
use super::target::Target;
use crate::load::{BESIDE_NOBODY, Scenario, Shape};
use crate::report::json::Role;

/// Whole percents.
const WHOLE: f64 = 100.0;

/// An experiment whose names are known: ready to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) experiment: Experiment,
    contenders: Vec<Arc<Contender>>,
    scenarios: Vec<Scenario>,
    manners: Vec<Manner>,
}

/// A value of the experiment that means nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub(crate) struct Meaningless {
    key: &'static str,
    reason: String,
}

/// One contender, one scenario, one number of connections, one manner of asking.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) contender: Arc<Contender>,
    pub(crate) scenario: Scenario,
    pub(crate) connections: usize,
    pub(crate) manner: Manner,
}

/// A cell in a round, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    pub(crate) round: usize,
    pub(crate) cell: Cell,
}

/// A shape, or an open loop whose rate is only known when the closed loop has been measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// This shape.
    Fixed(Shape),
    /// An open loop at this many percent of what the slowest makes in a closed one: a rate that
    /// all can serve.
    Share(u8),
}

impl Plan {
    /// Makes sense of the experiment's names.
    pub(crate) fn new(experiment: Experiment) -> Result<Self, Meaningless> {
        let scenarios = parse("scenarios", &experiment.scenarios)?;
        let manners: Vec<Manner> = parse("shapes", &experiment.shapes)?;
        let closed = Manner::Fixed(Shape::Closed);
        let share = manners.iter().find(|manner| matches!(manner, Manner::Share(_)));
        if let Some(share) = share.filter(|_| !manners.contains(&closed)) {
            let reason = format!(
                "{:?} needs \"closed\" beside it: its rate comes from what the slowest makes there",
                share.to_string()
            );
            return Err(Meaningless { key: "shapes", reason });
        }
        once("connections", &experiment.connections)?;
        connections_of(&experiment)?;
        let contenders = contenders(&experiment)?;
        let plan = Self { experiment, contenders, scenarios, manners };
        plan.check_bystanders()?;
        plan.check_active()?;
        Ok(plan)
    }

    /// No more connections are to be active than there are.
    fn check_active(&self) -> Result<(), Meaningless> {
        let numbers = || self.scenarios.iter().flat_map(|scenario| self.connections(*scenario));
        for manner in &self.manners {
            let Manner::Fixed(Shape::Held { active }) = *manner else { continue };
            if let Some(few) = numbers().find(|number| **number < active) {
                let reason = format!(
                    "{:?} beside {few} connections: no more can be active than there are",
                    manner.to_string()
                );
                return Err(Meaningless { key: "shapes", reason });
            }
        }
        Ok(())
    }

    /// No scenario is asked by fewer than it takes.
    fn check_bystanders(&self) -> Result<(), Meaningless> {
        for scenario in &self.scenarios {
            let least = scenario.least_connections();
            if let Some(few) = self.connections(*scenario).iter().find(|number| **number < least) {
                let reason =
                    format!("{} beside {few} connection: {BESIDE_NOBODY}", scenario.name());
                return Err(Meaningless { key: "scenarios", reason });
            }
        }
        Ok(())
    }

    /// The cells of all rounds in the order in which they are measured.
    ///
    /// Every round measures every cell once. Those that are compared with one another, all backends at
    /// one question, follow one another: then what changes in the machine within minutes falls on all
    /// alike. Chance says which question comes next, and who is first to be asked it. Two things come
    /// before chance: in the first round the closed loops that a rate comes from, and on a ladder the
    /// lower rungs.
    pub(crate) fn order(&self) -> Vec<Planned> {
        let mut questions = self.questions();
        let mut random = fastrand::Rng::with_seed(self.experiment.seed);
        let mut order = Vec::new();
        for round in 1..=self.experiment.rounds {
            random.shuffle(&mut questions);
            for cells in &mut questions {
                random.shuffle(cells);
            }
            let mut of_round = questions.concat();
            if round == 1 {
                of_round.sort_by_key(|cell| matches!(cell.manner, Manner::Share(_)));
            }
            if self.experiment.ladder {
                of_round.sort_by_key(|cell| cell.connections);
            }
            order.extend(of_round.into_iter().map(|cell| Planned { round, cell }));
        }
        order
    }

    /// The servers that run elsewhere.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.contenders.iter().filter_map(|contender| match &contender.kind {
            // Its twin is the same server.
            Kind::Target(target) if contender.role == Role::Compared => Some(target),
            _ => None,
        })
    }

    /// Whether nothing is started for it, neither server nor upstream.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.contenders.iter().all(|contender| matches!(contender.kind, Kind::Target(_)))
    }

    /// A scenario, a number of connections and a manner make a question: the cells of all who are
    /// asked it.
    fn questions(&self) -> Vec<Vec<Cell>> {
        let mut questions = Vec::new();
        for &scenario in &self.scenarios {
            for &connections in self.connections(scenario) {
                for &manner in &self.manners {
                    let answering =
                        self.contenders.iter().filter(|contender| contender.answers(scenario));
                    let cell = |contender| Cell {
                        contender: Arc::clone(contender),
                        scenario,
                        connections,
                        manner,
                    };
                    questions.push(answering.map(cell).collect());
                }
            }
        }
        questions.extend(self.calibration());
        questions
    }

    fn connections(&self, scenario: Scenario) -> &[usize] {
        let Experiment { connections, connections_of, .. } = &self.experiment;
        connections_of.get(scenario.name()).unwrap_or(connections)
    }

    /// The floor answers `echo`: where nobody is asked that, its closed loop still says what the
    /// generator can do.
    fn calibration(&self) -> Vec<Vec<Cell>> {
        if !self.experiment.calibrate || self.scenarios.contains(&Scenario::Echo) {
            return Vec::new();
        }
        let floor = Arc::new(Contender::of(Backend::Floor));
        let question = |&connections: &usize| {
            vec![Cell {
                contender: Arc::clone(&floor),
                scenario: Scenario::Echo,
                connections,
                manner: Manner::Fixed(Shape::Closed),
            }]
        };
        self.experiment.connections.iter().map(question).collect()
    }
}

/// They are of scenarios that are asked, and among the numbers of connections that are measured.
fn connections_of(experiment: &Experiment) -> Result<(), Meaningless> {
    let key = "connections_of";
    for (scenario, of_it) in &experiment.connections_of {
        let all = &experiment.connections;
        if !experiment.scenarios.contains(scenario) {
            let names = experiment.scenarios.join(", ");
            let reason = format!("{scenario} is no scenario of this experiment: it has {names}");
            return Err(Meaningless { key, reason });
        }
        if of_it.is_empty() || !of_it.iter().all(|number| all.contains(number)) {
            let reason = format!("{scenario} = {of_it:?}: expected some of {all:?}");
            return Err(Meaningless { key, reason });
        }
        once(key, of_it)?;
    }
    Ok(())
}

fn contenders(experiment: &Experiment) -> Result<Vec<Arc<Contender>>, Meaningless> {
    let backends: Vec<Backend> = parse("backends", &experiment.backends)?;
    let mut contenders: Vec<Contender> = backends.into_iter().map(Contender::of).collect();
    contenders.extend(experiment.peers.iter().cloned().map(Contender::from));
    contenders.extend(experiment.targets.iter().cloned().map(Contender::from));
    once("backends, peers and targets", contenders.iter().map(|contender| &contender.name))?;
    if let Some(name) = &experiment.null {
        let rivals = || contenders.iter().filter(|contender| contender.role == Role::Compared);
        let Some(original) = rivals().find(|contender| contender.name == *name) else {
            let names: Vec<&str> = rivals().map(|contender| contender.name.as_str()).collect();
            let reason = format!("{name:?} is no row; expected one of {}", names.join(", "));
            return Err(Meaningless { key: "null", reason });
        };
        contenders.push(original.twin());
    }
    let floor = Contender::of(Backend::Floor);
    if experiment.calibrate && !contenders.contains(&floor) {
        contenders.push(floor);
    }
    if contenders.is_empty() {
        let reason = "there is nobody to measure; name one at least".to_owned();
        return Err(Meaningless { key: "backends", reason });
    }
    Ok(contenders.into_iter().map(Arc::new).collect())
}

/// All values of a key, each of which may be there once.
fn parse<T: FromStr<Err = String>>(
    key: &'static str,
    values: &[String],
) -> Result<Vec<T>, Meaningless> {
    once(key, values)?;
    let parsed: Result<Vec<T>, String> = values.iter().map(|value| value.parse()).collect();
    parsed.map_err(|reason| Meaningless { key, reason })
}

fn once<T: Ord + Display>(
    key: &'static str,
    values: impl IntoIterator<Item = T>,
) -> Result<(), Meaningless> {
    let mut seen = BTreeSet::new();
    for value in values {
        if seen.contains(&value) {
            let reason = format!("{value} is there twice; give each once");
            return Err(Meaningless { key, reason });
        }
        seen.insert(value);
    }
    Ok(())
}

impl Manner {
    /// The shape, if the slowest makes so many requests a second in a closed loop.
    pub(crate) fn shape(self, slowest: Option<f64>) -> Option<Shape> {
        match self {
            Self::Fixed(shape) => Some(shape),
            Self::Share(percent) => {
                let rate = two_digits(slowest? * f64::from(percent) / WHOLE);
                format!("open {rate}/s").parse().ok()
            }
        }
    }
}

/// Rounded down to two digits, and never nothing: a rate is read by people.
fn two_digits(value: f64) -> u64 {
    // A rate is far below what a u64 holds, and its fraction is not wanted.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = value.clamp(1.0, 1e15) as u64;
    let step = 10_u64.pow(whole.ilog10().saturating_sub(1));
    whole / step * step
}

impl Display for Manner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(shape) => write!(formatter, "{shape}"),
            Self::Share(percent) => write!(formatter, "open {percent}%"),
        }
    }
}

impl FromStr for Manner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent =
            text.trim().strip_prefix("open").and_then(|rest| rest.trim().strip_suffix('%'));
        match percent {
            None => text.parse().map(Self::Fixed).map_err(|reason: String| {
                format!("{reason}; or open 50%, which is half of what the slowest makes in closed")
            }),
            Some(percent) => match percent.trim().parse() {
                Ok(percent @ 1..=100) => Ok(Self::Share(percent)),
                _ => Err(format!("{text:?}: expected a whole number of percent from 1 to 100")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> Experiment {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Experiment {
            backends: names(&["threads", "mio", "tokio"]),
            scenarios: names(&["echo", "delay"]),
            connections: vec![1, 64],
            shapes: names(&["open 50%", "closed"]),
            rounds: 3,
            seed: 7,
            null: Some("mio".to_owned()),
            calibrate: true,
            ..Experiment::default()
        }
    }

    fn order(experiment: Experiment) -> Vec<Planned> {
        Plan::new(experiment).expect("a plan").order()
    }

    #[test]
    fn every_round_measures_every_cell_once() {
        let order = order(experiment());
        // Three backends and a twin in two scenarios, the floor in one, at two numbers of
        // connections, in two manners.
        let in_a_round = (4 * 2 + 1) * 2 * 2;
        assert_eq!(order.len(), 3 * in_a_round);
        for (index, planned) in order.iter().enumerate() {
            assert_eq!(planned.round, 1 + index / in_a_round, "rounds follow one another");
            let same = order.iter().filter(|other| *other == planned).count();
            assert_eq!(same, 1, "{planned:?}");
        }
    }

    #[test]
    fn those_who_are_compared_follow_one_another() {
        let order = order(experiment());
        let question = |planned: &Planned| {
            let Cell { scenario, connections, manner, .. } = planned.cell;
            (planned.round, scenario.name(), connections, manner.to_string())
        };
        let questions = order.chunk_by(|one, next| question(one) == question(next));
        assert_eq!(questions.count(), 3 * 2 * 2 * 2);
        // And who is first is a matter of chance: three of them, asked eight questions three times.
        let first = |planned: &&[Planned]| planned[0].cell.contender.name.clone();
        let questions = order.chunk_by(|one, next| question(one) == question(next));
        let firsts: BTreeSet<String> = questions.map(|cells| first(&cells)).collect();
        assert!(firsts.len() > 2, "{firsts:?}");
    }

    #[test]
    fn a_scenario_may_be_asked_by_some_of_the_numbers_alone() {
        let connections_of = [("delay".to_owned(), vec![64])].into();
        let order = order(Experiment { connections_of, ..experiment() });
        let of = |scenario| {
            let cells = order.iter().filter(move |planned| planned.cell.scenario == scenario);
            cells.map(|planned| planned.cell.connections).collect::<BTreeSet<_>>()
        };
        assert_eq!(of(Scenario::Echo), [1, 64].into());
        assert_eq!(of(Scenario::Delay), [64].into());
    }

    #[test]
    fn the_seed_is_the_order() {
        let with = |seed| order(Experiment { seed, ..experiment() });
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
        let rounds = with(7);
        let cells = |round: usize| -> Vec<Cell> {
            let of = rounds.iter().filter(|planned| planned.round == round);
            of.map(|planned| planned.cell.clone()).collect()
        };
        assert_ne!(cells(2), cells(3), "each round has an order of its own");
    }

    #[test]
    fn a_rate_comes_after_the_closed_loops_that_it_comes_from() {
        let is_share = |planned: &Planned| matches!(planned.cell.manner, Manner::Share(_));
        let order = order(experiment());
        let first: Vec<bool> =
            order.iter().filter(|planned| planned.round == 1).map(is_share).collect();
        assert!(first.is_sorted() && first.contains(&true), "{first:?}");
        let later: Vec<bool> =
            order.iter().filter(|planned| planned.round == 2).map(is_share).collect();
        assert!(!later.is_sorted(), "later rounds are shuffled: {later:?}");
    }

    #[test]
    fn a_ladder_is_climbed() {
        let order = order(Experiment { ladder: true, ..experiment() });
        for round in 1..=3 {
            let of_round = order.iter().filter(|planned| planned.round == round);
            assert!(of_round.map(|planned| planned.cell.connections).is_sorted());
        }
    }

    #[test]
    fn the_floor_calibrates_even_where_nobody_is_asked_for_an_echo() {
        let scenarios = vec!["delay".to_owned()];
        let order = order(Experiment { scenarios, rounds: 1, ..experiment() });
        let floor = |planned: &&Planned| planned.cell.contender.role == Role::Calibration;
        let asked: BTreeSet<(usize, String)> = order
            .iter()
            .filter(floor)
            .map(|planned| (planned.cell.connections, planned.cell.manner.to_string()))
            .collect();
        let closed = |connections| (connections, "closed".to_owned());
        assert_eq!(asked, BTreeSet::from([closed(1), closed(64)]));
    }

    #[test]
    fn one_rate_is_a_part_of_what_the_slowest_makes() {
        let share: Manner = "open 50%".parse().expect("a manner");
        assert_eq!(share.to_string(), "open 50%");
        let at = |slowest| share.shape(Some(slowest)).expect("a shape").to_string();
        assert_eq!(at(47_999.0), "open 23000/s");
        assert_eq!(at(150.0), "open 75/s");
        assert_eq!(at(0.5), "open 1/s");
        assert_eq!(share.shape(None), None);
        assert_eq!("churn".parse(), Ok(Manner::Fixed(Shape::Churn)));
        assert!("open 0%".parse::<Manner>().expect_err("none").contains("1 to 100"));
    }
}
