//! What is compared, as data: files in `experiments/`, overridden by the command line.
//!
//! Three layers, each stronger than the one before: what every comparison has by default, the
//! experiment's file, the options. [`Wishes`] is one layer, [`Experiment`] what comes out of all,
//! and stands in `results.json` word for word.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contender::Peer;
use super::peer;
use super::target::Target;
use crate::options::{Unusable, at_least_one, duration, duration_or_none};

/// The experiments that need no file beside the program.
const BUILT_IN: [(&str, &str); 4] = [
    ("glance", include_str!("../../experiments/glance.toml")),
    ("quick", include_str!("../../experiments/quick.toml")),
    ("thorough", include_str!("../../experiments/thorough.toml")),
    ("c10k", include_str!("../../experiments/c10k.toml")),
];

/// A comparison as it was asked for, with every option resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Experiment {
    /// The name of its file, without `.toml`.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: String,
    /// The rows, in the order of the reports …
    pub(crate) backends: Vec<String>,
    /// … then these …
    pub(crate) peers: Vec<Peer>,
    /// … then these.
    pub(crate) targets: Vec<Target>,
    /// What is asked.
    pub(crate) scenarios: Vec<String>,
    /// By how many.
    pub(crate) connections: Vec<usize>,
    /// By which of these alone, for scenarios that are not worth asking by all.
    #[serde(default)]
    pub(crate) connections_of: BTreeMap<String, Vec<usize>>,
    /// In which manner; `open 50%` stands for half of what the slowest makes in a closed loop.
    pub(crate) shapes: Vec<String>,
    /// How often each cell is measured; six rounds or more are ranked.
    pub(crate) rounds: usize,
    /// Where the order comes from.
    pub(crate) seed: u64,
    /// How long each cell runs before the window.
    pub(crate) warm_up_seconds: f64,
    /// The window.
    pub(crate) window_seconds: f64,
    /// How long all connections of a cell may take to be made; then those start that were.
    pub(crate) connect_timeout_seconds: f64,
    /// The backend that is measured under a second name too.
    pub(crate) null: Option<String>,
    /// Whether the floor is measured too.
    pub(crate) calibrate: bool,
    /// Whether a backend that can't hold so many connections is asked for no more of them.
    pub(crate) ladder: bool,
}

/// How long the parts of a cell are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// At most.
    pub(crate) connect: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// One layer of an experiment: a file, or the command line. What it does not say, another does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the keys of an experiment's file; see Experiment")]
pub(crate) struct Wishes {
    pub(crate) about: Option<String>,
    pub(crate) backends: Option<Vec<String>>,
    pub(crate) peers: Option<Vec<Peer>>,
    pub(crate) targets: Option<Vec<Target>>,
    pub(crate) scenarios: Option<Vec<String>>,
    pub(crate) connections: Option<Vec<usize>>,
    pub(crate) connections_of: Option<BTreeMap<String, Vec<usize>>>,
    pub(crate) shapes: Option<Vec<String>>,
    pub(crate) rounds: Option<usize>,
    pub(crate) seed: Option<u64>,
    pub(crate) warm_up: Option<String>,
    pub(crate) duration: Option<String>,
    pub(crate) connect_timeout: Option<String>,
    pub(crate) null: Option<String>,
    pub(crate) calibrate: Option<bool>,
    pub(crate) ladder: Option<bool>,
}

impl Experiment {
    /// The experiment of that name, or in that file, with what the command line has to say.
    pub(crate) fn resolve(name: &str, said: Wishes) -> anyhow::Result<Self> {
        let (name, text, folder) = find(name)?;
        let mut file = Wishes::read(&text).map_err(|reason| unusable(&name, reason))?;
        if let (Some(peers), Some(folder)) = (&mut file.peers, folder) {
            for peer in peers {
                peer::relative_to(folder, &mut peer.templates);
            }
        }
        let all = file.under(said);
        let checked = all.into_experiment(stem(&name));
        Ok(checked.map_err(|reason| unusable(&name, reason))?)
    }

    /// How long the parts of each cell are.
    pub(crate) fn times(&self) -> Times {
        let time = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Times {
            connect: time(self.connect_timeout_seconds),
            warm_up: time(self.warm_up_seconds),
            window: time(self.window_seconds),
        }
    }
}

fn unusable(name: &str, reason: String) -> Unusable {
    Unusable::path("--experiment", Path::new(name), reason)
}

/// A name of one that is built in, or a file: its name, its text, its folder.
fn find(name: &str) -> Result<(String, String, Option<&Path>), Unusable> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok(((*name).to_owned(), (*text).to_owned(), None));
    }
    let path = Path::new(name);
    let text = fs::read_to_string(path).map_err(|error| {
        let names = BUILT_IN.map(|(name, _)| name).join(", ");
        unusable(name, format!("{error}; give a file, or one of {names}"))
    })?;
    Ok((name.to_owned(), text, path.parent()))
}

fn stem(name: &str) -> String {
    let stem = Path::new(name).file_stem();
    stem.map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

impl Wishes {
    /// What a file says, or in which line it is wrong and how.
    fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let said = error.message().replace('\n', ", ");
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            line.map_or_else(|| said.clone(), |line| format!("line {line}: {said}"))
        })
    }

    /// This, but for what a stronger layer says. Rows are added, and never taken away. Connections and
    /// scenarios that a stronger layer names are asked for in full.
    fn under(self, above: Self) -> Self {
        fn added<T>(below: Option<Vec<T>>, above: Option<Vec<T>>) -> Option<Vec<T>> {
            let (Some(mut all), Some(more)) = (below, above) else { return None };
            all.extend(more);
            Some(all)
        }
        let in_full = above.connections.is_some() || above.scenarios.is_some();
        Self {
            about: above.about.or(self.about),
            backends: above.backends.or(self.backends),
            peers: added(self.peers.or(Some(Vec::new())), above.peers.or(Some(Vec::new()))),
            targets: added(self.targets.or(Some(Vec::new())), above.targets.or(Some(Vec::new()))),
            scenarios: above.scenarios.or(self.scenarios),
            connections: above.connections.or(self.connections),
            connections_of: above.connections_of.or(self.connections_of.filter(|_| !in_full)),
            shapes: above.shapes.or(self.shapes),
            rounds: above.rounds.or(self.rounds),
            seed: above.seed.or(self.seed),
            warm_up: above.warm_up.or(self.warm_up),
            duration: above.duration.or(self.duration),
            connect_timeout: above.connect_timeout.or(self.connect_timeout),
            null: above.null.or(self.null),
            calibrate: above.calibrate.or(self.calibrate),
            ladder: above.ladder.or(self.ladder),
        }
    }

    /// With the defaults below, and every value looked at. That the names mean something is for
    /// [`Plan`](super::Plan) to find out.
    fn into_experiment(self, name: String) -> Result<Experiment, String> {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let all = ["threads", "mio", "may", "actix", "tokio", "tokio/http1"];
        let connections = self.connections.unwrap_or_else(|| vec![64]);
        let rounds = self.rounds.unwrap_or(1);
        for (key, number) in
            connections.iter().map(|n| ("connections", *n)).chain([("rounds", rounds)])
        {
            at_least_one(&number.to_string())
                .map_err(|reason| format!("{key} = {number}: {reason}"))?;
        }
        let warm_up = self.warm_up.unwrap_or_else(|| "500ms".to_owned());
        let window = self.duration.unwrap_or_else(|| "3s".to_owned());
        let connect = self.connect_timeout.unwrap_or_else(|| "20s".to_owned());
        let wrong = |key, value: &str, reason| format!("{key} = {value:?}: {reason}");
        let peers = self.peers.unwrap_or_default().into_iter().map(Peer::complete);
        let peers: Vec<Peer> = peers.collect::<Result<_, _>>()?;
        let targets = self.targets.unwrap_or_default().into_iter().map(Target::complete);
        let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
        let backends = self.backends.unwrap_or_else(|| list(&all));
        // Said without a name, it is the first row.
        let first = backends.first().or(peers.first().map(|peer| &peer.name));
        let first = first.or(targets.first().map(|target| &target.name)).cloned();
        let null = self.null.map(|name| if name.is_empty() { first.unwrap_or(name) } else { name });
        Ok(Experiment {
            name,
            about: self.about.unwrap_or_default(),
            backends,
            peers,
            targets,
            scenarios: self.scenarios.unwrap_or_else(|| list(&["echo"])),
            connections,
            connections_of: self.connections_of.unwrap_or_default(),
            shapes: self.shapes.unwrap_or_else(|| list(&["closed"])),
            rounds,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32)),
            warm_up_seconds: duration_or_none(&warm_up)
                .map_err(|reason| wrong("warm_up", &warm_up, reason))?
                .as_secs_f64(),
            window_seconds: duration(&window)
                .map_err(|reason| wrong("duration", &window, reason))?
                .as_secs_f64(),
            connect_timeout_seconds: duration(&connect)
                .map_err(|reason| wrong("connect_timeout", &connect, reason))?
                .as_secs_f64(),
            null,
            calibrate: self.calibrate.unwrap_or(false),
            ladder: self.ladder.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Plan;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        fs::write(&path, text).expect("a file");
        let resolved = Experiment::resolve(path.to_str().expect("UTF-8"), Wishes::default());
        let planned = resolved.and_then(|experiment| Ok(Plan::new(experiment)?));
        planned.map(|_| ()).expect_err("no use").to_string()
    }

    #[test]
    fn every_built_in_experiment_is_a_plan() {
        for (name, _) in BUILT_IN {
            let experiment = Experiment::resolve(name, Wishes::default()).expect(name);
            assert_eq!(experiment.name, name);
            assert!(!experiment.about.is_empty(), "{name} says what it is for");
            assert!(!Plan::new(experiment).expect(name).order().is_empty(), "{name}");
        }
    }

    #[test]
    fn every_file_in_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments");
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| stem(&entry.expect("an entry").file_name().to_string_lossy()))
            .collect();
        names.sort_unstable();
        let mut built_in = BUILT_IN.map(|(name, _)| name);
        built_in.sort_unstable();
        assert_eq!(names, built_in);
    }

    #[test]
    fn the_command_line_is_stronger_than_the_file_and_adds_rows() {
        let said = Wishes {
            rounds: Some(2),
            seed: Some(7),
            connections: Some(vec![3]),
            peers: Some(vec!["mine=serve {port}".parse().expect("a peer")]),
            ..Wishes::default()
        };
        let experiment = Experiment::resolve("thorough", said).expect("an experiment");
        assert_eq!(
            (experiment.rounds, experiment.seed, &experiment.connections[..]),
            (2, 7, &[3][..])
        );
        let names: Vec<&str> = experiment.peers.iter().map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["nginx", "mine"]);
        assert!(experiment.calibrate && experiment.null.is_some(), "as the file says");
    }

    #[test]
    fn a_file_that_is_wrong_is_told_where_and_what_would_be_right() {
        let unknown = refused("rounds = 2\nconections = [1]\n");
        assert!(unknown.contains("mine.toml: line 2: unknown field `conections`"), "{unknown}");
        assert!(unknown.contains("`connections`"), "{unknown}");
        let kind = refused("rounds = \"two\"\n");
        assert!(kind.contains("line 1: invalid type: string \"two\", expected usize"), "{kind}");
        let none = refused("connections = [1, 0]");
        assert!(none.contains("connections = 0: write a whole number, 1 or more"), "{none}");
        let time = refused("duration = \"3\"");
        assert!(time.contains("duration = \"3\"") && time.contains("such as 500ms"), "{time}");
        let backend = refused("backends = [\"mios\"]");
        assert!(backend.contains("\"mios\"") && backend.contains("threads, mio"), "{backend}");
        let scenario = refused("scenarios = [\"ecco\"]");
        assert!(scenario.contains("\"ecco\"") && scenario.contains("echo"), "{scenario}");
        let of_none = refused("[connections_of]\nburn = [64]\n");
        assert!(of_none.contains("burn is no scenario of this experiment"), "{of_none}");
        let of_what = refused("connections = [8]\n[connections_of]\necho = [64]\n");
        assert!(of_what.contains("echo = [64]") && of_what.contains("[8]"), "{of_what}");
        let block = refused("scenarios = [\"block\"]\nconnections = [64, 1]\n");
        assert!(block.contains("block beside 1 connection: it takes two"), "{block}");
        let active = refused("shapes = [\"held 100 active\"]\nconnections = [1000, 64]\n");
        assert!(active.contains("\"held 100 active\" beside 64 connections"), "{active}");
        let shape = refused("shapes = [\"round\"]");
        assert!(shape.contains("\"round\"") && shape.contains("open 50%"), "{shape}");
        let alone = refused("shapes = [\"open 50%\"]");
        assert!(alone.contains("open 50%") && alone.contains("\"closed\""), "{alone}");
        let peer = refused("[[peers]]\nname = \"x\"\ncommand = \"serve\"\n");
        assert!(peer.contains("{port}"), "{peer}");
        let twice = refused("backends = [\"mio\", \"mio\"]");
        assert!(twice.contains("mio") && twice.contains("twice"), "{twice}");
        let null = refused("null = \"nginx\"");
        assert!(null.contains("null") && null.contains("threads, mio"), "{null}");
    }

    #[test]
    fn a_name_that_is_neither_is_told_what_there_is() {
        let error = Experiment::resolve("quik", Wishes::default()).expect_err("none").to_string();
        assert!(error.contains("--experiment quik") && error.contains("quick"), "{error}");
    }
}
