//! Who is compared: a backend of ours, somebody else's program, a server that runs elsewhere.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::peer;
use super::target::Target;
use crate::load::Scenario;
use crate::report::json::Role;
use crate::report::verdict::TWIN;

/// A row of the comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contender {
    /// Its name in every report.
    pub(crate) name: String,
    /// What it is measured for.
    pub(crate) role: Role,
    /// How it is had.
    pub(crate) kind: Kind,
}

/// How a contender is had.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// One of this workspace's programs, started for every cell.
    Backend(Backend),
    /// Any other program, started for every cell.
    Peer(Peer),
    /// A server that is there already, and stays.
    Target(Target),
}

impl Contender {
    /// One of ours. The floor is no rival: it calibrates.
    pub(crate) fn of(backend: Backend) -> Self {
        let role = if backend == Backend::Floor { Role::Calibration } else { Role::Compared };
        Self { name: backend.name().to_owned(), role, kind: Kind::Backend(backend) }
    }

    /// The same under a second name, for the null test.
    pub(crate) fn twin(&self) -> Self {
        Self { name: format!("{}{TWIN}", self.name), role: Role::Twin, kind: self.kind.clone() }
    }

    /// Whether the row with this name is of the same server: its own, or its twin's.
    pub(crate) fn is_same(&self, name: &str) -> bool {
        let original = |name: &str| name.strip_suffix(TWIN).unwrap_or(name).to_owned();
        original(name) == original(&self.name)
    }

    /// Whether it has a right answer to that: the floor's canned one suits `echo` only, and what a
    /// target forwards to is not ours to choose.
    pub(crate) fn answers(&self, scenario: Scenario) -> bool {
        match &self.kind {
            Kind::Backend(Backend::Floor) => scenario == Scenario::Echo,
            Kind::Backend(_) => true,
            Kind::Peer(peer) => {
                let named = |name: &String| name == scenario.name();
                peer.scenarios.is_empty() || peer.scenarios.iter().any(named)
            }
            Kind::Target(_) => scenario.upstream().is_none(),
        }
    }
}

impl From<Peer> for Contender {
    fn from(peer: Peer) -> Self {
        Self { name: peer.name.clone(), role: Role::Compared, kind: Kind::Peer(peer) }
    }
}

impl From<Target> for Contender {
    fn from(target: Target) -> Self {
        Self { name: target.name.clone(), role: Role::Compared, kind: Kind::Target(target) }
    }
}

/// A server program of this workspace with the arguments that make it one row.
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

    /// The five servers, each of which is a program of its own.
    pub(crate) const SERVERS: [Self; 5] =
        [Self::Threads, Self::Mio, Self::May, Self::Actix, Self::Tokio];

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
            format!(
                "there is no backend {name:?}; the backends are {names}; other servers are given \
                 by --peer or --target"
            )
        })
    }
}

/// Any program that serves HTTP/1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// The row's name.
    pub(crate) name: String,
    /// The command with its arguments, in a shell's quotes but without a shell, and with places to
    /// be filled in: see [`peer::PLACES`]. Not given if the name is that of a ready-made one.
    #[serde(default)]
    pub(crate) command: String,
    /// Files to be filled in likewise and left in `{dir}` under their own names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) templates: Vec<PathBuf>,
    /// What it has a right answer to; everything if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scenarios: Vec<String>,
}

impl FromStr for Peer {
    type Err = String;

    /// `name=command`, or the name of a ready-made peer.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').unwrap_or((text, ""));
        let peer = Self { name: name.to_owned(), command: command.to_owned(), ..Self::default() };
        peer.complete()
    }
}

impl Peer {
    /// With what a ready-made one has, or found to be whole.
    pub(crate) fn complete(self) -> Result<Self, String> {
        check_name(&self.name)?;
        if self.command.trim().is_empty() {
            return peer::ready_made(&self.name);
        }
        peer::check(&self)?;
        for scenario in &self.scenarios {
            scenario.parse::<Scenario>()?;
        }
        Ok(self)
    }
}

fn check_name(name: &str) -> Result<(), String> {
    check_letters(name)?;
    match Backend::from_str(name) {
        Ok(_) => Err(format!("{name:?} is the name of a backend; give this row another")),
        Err(_) => Ok(()),
    }
}

pub(super) fn check_letters(name: &str) -> Result<(), String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_./:".contains(letter);
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!(
            "{name:?} is no name for a row; expected letters, digits and any of - _ . / :"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = String> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().expect_err("no use")
    }

    #[test]
    fn names_are_read_back_and_others_refused() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse(), Ok(backend));
        }
        assert_eq!(
            refused::<Backend>("nginx"),
            "there is no backend \"nginx\"; the backends are threads, mio, may, actix, tokio, \
             tokio/http1, floor; other servers are given by --peer or --target"
        );
    }

    #[test]
    fn a_peer_is_a_name_and_a_command() {
        let peer: Peer = "other=serve -p {port} --name 'a b'".parse().expect("a peer");
        assert_eq!(
            (peer.name.as_str(), peer.command.as_str()),
            ("other", "serve -p {port} --name 'a b'")
        );
        assert!(refused::<Peer>("other=serve 8080").contains("{port}"));
        assert!(refused::<Peer>("mio=serve {port}").contains("the name of a backend"));
        assert!(refused::<Peer>("=serve {port}").contains("no name"));
        let unknown = refused::<Peer>("caddy");
        assert!(unknown.contains("caddy") && unknown.contains("nginx"), "{unknown}");
    }

    #[test]
    fn what_a_contender_has_no_answer_to_is_not_asked() {
        let floor = Contender::of(Backend::Floor);
        assert!(floor.answers(Scenario::Echo) && !floor.answers(Scenario::Delay));
        let target: Target = "far=http://localhost".parse().expect("a target");
        let target = Contender::from(target);
        assert!(target.answers(Scenario::Delay) && !target.answers(Scenario::Proxy));
        let nginx = Contender::from("nginx".parse::<Peer>().expect("ready-made"));
        assert!(nginx.answers(Scenario::Proxy) && !nginx.answers(Scenario::Echo16K));
        assert!(Contender::of(Backend::Mio).twin().answers(Scenario::Proxy));
        assert!(Contender::of(Backend::Mio).is_same("mio (twin)"));
        assert!(Contender::of(Backend::Mio).twin().is_same("mio"));
        assert!(!Contender::of(Backend::Mio).is_same("may"));
    }
}
