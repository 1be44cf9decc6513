//! Where a comparison was made: enough to judge it, and to repeat it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use procfs::Current;
use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use super::Cores;

/// The kernel's settings that bound or colour a comparison.
const SETTINGS: [&str; 7] = [
    "kernel/pid_max",
    "kernel/sched_autogroup_enabled",
    "kernel/threads-max",
    "net/core/somaxconn",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_tw_reuse",
    "vm/max_map_count",
];

/// The machine, its limits, the versions and the command.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// When the comparison began, in UTC.
    pub(crate) time: String,
    /// The processor's own name.
    pub(crate) processor: String,
    /// How many cores there are.
    pub(crate) cores: usize,
    /// The cores of the generator.
    pub(crate) generator_cores: Vec<usize>,
    /// The cores of the servers; the same ones where there are no others.
    pub(crate) server_cores: Vec<usize>,
    /// Memory in MiB.
    pub(crate) memory_mib: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Limits and settings by name.
    pub(crate) limits: BTreeMap<String, String>,
    /// The version of `loadtest`.
    pub(crate) version: String,
    /// The commit of the working directory, with `-dirty` if it is changed.
    pub(crate) commit: Option<String>,
    /// The command that was given.
    pub(crate) command: String,
    /// The command that repeats the comparison, order and all.
    pub(crate) repeat: String,
    /// What each server said when it was ready, by backend.
    pub(crate) servers: BTreeMap<String, String>,
}

impl Environment {
    /// Looks around.
    pub(crate) fn look(cores: &Cores, seed: u64) -> Self {
        let processors = procfs::CpuInfo::current().ok();
        let memory = procfs::Meminfo::current();
        let command = line(&std::env::args().collect::<Vec<_>>());
        let seeded = std::env::args().any(|argument| argument.starts_with("--seed"));
        let repeat = if seeded { command.clone() } else { format!("{command} --seed {seed}") };
        Self {
            time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            processor: processors
                .as_ref()
                .and_then(|info| info.model_name(0))
                .unwrap_or("unknown")
                .to_owned(),
            cores: processors.map_or(0, |info| info.num_cores()),
            generator_cores: cores.generator.clone(),
            server_cores: cores.server.clone(),
            memory_mib: memory.map_or(0, |memory| memory.mem_total >> 20),
            kernel: setting("kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            limits: limits(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            command,
            repeat,
            servers: BTreeMap::new(),
        }
    }
}

impl Environment {
    /// What is different here, if that makes figures from both impossible to compare.
    pub(crate) fn difference(&self, here: &Self) -> Option<String> {
        let cores = |of: &Self| format!("{:?} and {:?}", of.generator_cores, of.server_cores);
        // Where there is none, or git is busy, nothing is known of it.
        let commits = self.commit.clone().zip(here.commit.clone());
        let (commit_then, commit_now) = commits.unwrap_or_default();
        let facts = [
            ("processor", self.processor.clone(), here.processor.clone()),
            ("kernel", self.kernel.clone(), here.kernel.clone()),
            ("cores", cores(self), cores(here)),
            ("version", self.version.clone(), here.version.clone()),
            ("commit", commit_then, commit_now),
        ];
        let (what, was, is) = facts.into_iter().find(|(_, was, is)| was != is)?;
        Some(format!("{what} {was} then, {is} now"))
    }
}

/// The words as a shell takes them in again, and lets nothing happen to them.
fn line(words: &[String]) -> String {
    // The kernel lets no word through that could not be quoted.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn limits() -> BTreeMap<String, String> {
    let files = getrlimit(Resource::Nofile).current;
    let files = files.map_or_else(|| "unlimited".to_owned(), |files| files.to_string());
    let settings =
        SETTINGS.iter().filter_map(|&name| Some((name.replace('/', "."), setting(name)?)));
    settings.chain([("RLIMIT_NOFILE".to_owned(), files)]).collect()
}

fn setting(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// No commit if there is no `git` or no repository; a comparison needs neither.
fn commit() -> Option<String> {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&described.stdout).trim().to_owned();
    (described.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_that_a_shell_takes_in_again() {
        let words = ["loadtest", "--peer", "x=serve 'a b' {port}", "--shapes", "closed,open 50%"];
        let words = words.map(str::to_owned);
        assert_eq!(shlex::split(&line(&words)), Some(words.to_vec()));
        assert_eq!(line(&words[..2]), "loadtest --peer", "nothing is quoted without need");
    }

    #[test]
    fn what_makes_two_places_different_is_named() {
        let here = Environment { kernel: "6.1".to_owned(), ..Environment::default() };
        assert_eq!(here.difference(&here.clone()), None);
        let later = Environment { time: "later".to_owned(), ..here.clone() };
        assert_eq!(here.difference(&later), None, "time passes");
        let unknown = Environment { commit: None, ..here.clone() };
        let known = |commit: &str| Environment { commit: Some(commit.to_owned()), ..here.clone() };
        assert_eq!(known("a").difference(&unknown), None);
        assert_eq!(known("a").difference(&known("b")).as_deref(), Some("commit a then, b now"));
        let there = Environment { kernel: "6.2".to_owned(), ..here.clone() };
        assert_eq!(here.difference(&there).as_deref(), Some("kernel 6.1 then, 6.2 now"));
    }
}
