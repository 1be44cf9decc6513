//! Looks at the server at the moments that matter.

use std::mem::take;
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};
use url::Url;

use super::exporter::Scrape;
use super::sample::{CpuTimes, KernelMemory, Tasks, Tree};
use crate::load::Observer;
use crate::report::json::MemoryKind;

/// What a server used. What could not be seen of it is missing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// CPU seconds in each second of the window.
    pub(crate) utilisation: Option<f64>,
    /// The same of its upstream, which is the generator's burden and never the server's.
    pub(crate) upstream_utilisation: Option<f64>,
    /// Which measure of memory the next two are.
    pub(crate) memory_is: MemoryKind,
    /// With no connection yet.
    pub(crate) fresh_memory_kib: Option<u64>,
    /// With all connections answered once and held.
    pub(crate) held_memory_kib: Option<u64>,
    /// The kernel's own memory at the same two moments.
    pub(crate) fresh_kernel_kib: Option<KernelMemory>,
    pub(crate) held_kernel_kib: Option<KernelMemory>,
    /// The part of this machine's memory that could still be had at the second.
    pub(crate) memory_left: Option<f64>,
    /// At the end of the drain.
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    /// Context switches from the start to the end of the drain.
    pub(crate) voluntary_switches: Option<u64>,
    pub(crate) forced_switches: Option<u64>,
}

/// Where a server is looked at.
pub(crate) enum Subject {
    /// Its processes are here.
    Here(Tree),
    /// It says itself what it uses.
    Elsewhere(Url),
}

/// Looks on at a test.
pub(crate) struct Watch {
    subject: Subject,
    upstream: Option<Tree>,
    cost: Cost,
    at_start: Option<Tasks>,
    at_opening: Glance,
    at_closing: Glance,
    /// Elsewhere: the answers to the two questions that the window begins and ends with. Nobody
    /// waits for them while there is load.
    asked: Vec<JoinHandle<anyhow::Result<Scrape>>>,
    failure: Option<anyhow::Error>,
}

/// CPU time so far, and when that was.
#[derive(Default)]
struct Glance {
    at: Option<std::time::Instant>,
    server: CpuTimes,
    upstream: CpuTimes,
}

impl Watch {
    /// Looks at the fresh server.
    pub(crate) fn new(subject: Subject, upstream: Option<Tree>) -> anyhow::Result<Self> {
        let mut cost = Cost::default();
        match &subject {
            Subject::Here(tree) => {
                cost.fresh_memory_kib = Some(tree.pss_kib()?);
                cost.fresh_kernel_kib = Some(tree.kernel_memory()?.0);
            }
            Subject::Elsewhere(metrics) => {
                cost.memory_is = MemoryKind::Rss;
                // Without figures there is still a load to be measured.
                cost.fresh_memory_kib = Scrape::take(metrics).ok().and_then(|it| it.memory_kib);
            }
        }
        Ok(Self {
            subject,
            upstream,
            cost,
            at_start: None,
            at_opening: Glance::default(),
            at_closing: Glance::default(),
            asked: Vec::new(),
            failure: None,
        })
    }

    /// What was seen, or why the server could not be seen.
    pub(crate) fn cost(mut self) -> anyhow::Result<Cost> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let answers = self.asked.into_iter().map(JoinHandle::join);
        let answers: Vec<Scrape> = answers.filter_map(|joined| joined.ok()?.ok()).collect();
        if let [opened, closed] = answers[..] {
            self.cost.utilisation = closed.utilisation_since(&opened);
            self.cost.threads = closed.threads;
            self.cost.open_files = closed.open_files;
        }
        Ok(self.cost)
    }

    fn glance_at_clocks(&mut self) -> Glance {
        let mut times = |tree: Option<&Tree>| {
            let seen = tree.map_or_else(|| Ok(CpuTimes::default()), Tree::cpu_times);
            seen.map_err(|error| self.failure = Some(error)).unwrap_or_default()
        };
        let server = match &self.subject {
            Subject::Here(tree) => times(Some(tree)),
            Subject::Elsewhere(_) => CpuTimes::default(),
        };
        let upstream = times(self.upstream.as_ref());
        Glance { at: Some(std::time::Instant::now()), server, upstream }
    }

    fn ask(&mut self) {
        if let Subject::Elsewhere(metrics) = &self.subject {
            let metrics = metrics.clone();
            self.asked.push(thread::spawn(move || Scrape::take(&metrics)));
        }
    }

    fn look_at_held(&mut self) -> anyhow::Result<()> {
        match &mut self.subject {
            Subject::Here(tree) => {
                tree.refresh();
                self.cost.held_memory_kib = Some(tree.pss_kib()?);
                let (kernel, left) = tree.kernel_memory()?;
                self.cost.held_kernel_kib = Some(kernel);
                self.cost.memory_left = Some(left);
                self.at_start = Some(tree.tasks()?);
            }
            Subject::Elsewhere(metrics) => {
                let answer = Scrape::take(metrics).ok();
                self.cost.held_memory_kib = answer.and_then(|it| it.memory_kib);
            }
        }
        Ok(())
    }

    fn look_at_end(&mut self) -> anyhow::Result<()> {
        let (opened, mut closed) = (take(&mut self.at_opening), take(&mut self.at_closing));
        if let Subject::Here(tree) = &mut self.subject {
            // Who is new since all were held was not known at the window's ends.
            tree.refresh();
            closed.server.add_newcomers(tree.cpu_times()?);
        }
        let passed = closed.at.zip(opened.at).map(|(to, from)| (to - from).as_secs_f64());
        let passed = passed.filter(|passed| *passed > 0.0);
        let part = |now: &CpuTimes, then| Some(now.since(then).as_secs_f64() / passed?);
        if self.upstream.is_some() {
            self.cost.upstream_utilisation = part(&closed.upstream, &opened.upstream);
        }
        if let Subject::Here(tree) = &mut self.subject {
            self.cost.utilisation = part(&closed.server, &opened.server);
            let end = tree.tasks()?;
            self.cost.threads = Some(end.threads);
            self.cost.open_files = Some(end.open_files);
            let start = self.at_start.unwrap_or_default();
            let more = |from: u64, to: u64| Some(to.saturating_sub(from));
            self.cost.voluntary_switches = more(start.voluntary_switches, end.voluntary_switches);
            self.cost.forced_switches = more(start.forced_switches, end.forced_switches);
        }
        Ok(())
    }

    fn keep(&mut self, seen: anyhow::Result<()>) {
        if let Err(error) = seen {
            self.failure = Some(error);
        }
    }
}

impl Observer for Watch {
    fn held(&mut self) {
        let seen = self.look_at_held();
        self.keep(seen);
    }

    fn window_opens(&mut self) {
        self.ask();
        self.at_opening = self.glance_at_clocks();
    }

    fn window_closed(&mut self) {
        self.ask();
        // No more than the clocks: a file for each of ten thousand threads would take half a second,
        // and whoever has an answer due meanwhile would be kept waiting by us.
        self.at_closing = self.glance_at_clocks();
    }

    fn drained(&mut self) {
        let seen = self.look_at_end();
        self.keep(seen);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_process_that_comes_in_the_window_is_sampled_with_the_others() {
        // On a line of input it starts another, who works, says so and stays. An end of it ends both.
        let work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read line";
        let script = format!("read line; ({work}); true");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell");
        let tree = || Tree::new(i32::try_from(shell.id()).expect("a number")).expect("the shell");
        let mut watch = Watch::new(Subject::Here(tree()), None).expect("it is seen");
        watch.held();
        let (began, before) = (Instant::now(), tree().cpu_times().expect("clocks"));
        watch.window_opens();
        let (input, output) = (shell.stdin.as_mut(), shell.stdout.as_mut());
        input.expect("a pipe").write_all(b"go\n").expect("it reads");
        let mut said = String::new();
        BufReader::new(output.expect("a pipe")).read_line(&mut said).expect("it has worked");
        let tree = || Tree::new(i32::try_from(shell.id()).expect("a number")).expect("the shell");
        let used = tree().cpu_times().expect("clocks").since(&before);
        watch.window_closed();
        let passed = began.elapsed().as_secs_f64();
        watch.drained();
        let cost = watch.cost().expect("it was seen");
        assert_eq!(cost.threads, Some(2));
        let seen = cost.utilisation.expect("it was seen") * passed;
        assert!(seen >= 0.5 * used.as_secs_f64(), "{seen} s of {used:?}");
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
    }
}
