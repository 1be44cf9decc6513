//! What a server costs, by its processes' clocks and by /proc.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use procfs::Current;
use procfs::process::Process;
use serde::{Deserialize, Serialize};

/// What the kernel takes for the stack of a thread, on x86-64 and arm64 alike.
const STACK_KIB: u64 = 16;

/// A server's processes, looked at from outside as one: the first and all that it started.
#[derive(Debug)]
pub(crate) struct Tree {
    root: i32,
    /// As they were when they were last looked for, by number.
    members: BTreeMap<i32, Probe>,
}

/// One process.
#[derive(Debug)]
struct Probe {
    process: Process,
    clock: ClockId,
}

/// What is dear to read, one file a thread; never read in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// How many threads there are.
    pub(crate) threads: u64,
    /// Descriptors that are open.
    pub(crate) open_files: u64,
    /// Context switches so far, of the threads there are, in which a thread began to wait.
    pub(crate) voluntary_switches: u64,
    /// Those in which it could have gone on.
    pub(crate) forced_switches: u64,
}

/// Memory that the kernel takes for itself, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelMemory {
    /// Sockets, inodes, timers, descriptors: what can't be reclaimed of it. Of the whole machine,
    /// for the kernel does not keep it by process.
    pub(crate) slab: u64,
    /// The stacks of the server's threads.
    pub(crate) stacks: u64,
    /// The page tables of its processes.
    pub(crate) page_tables: u64,
}

impl KernelMemory {
    /// All of it.
    pub(crate) fn sum_kib(self) -> u64 {
        self.slab + self.stacks + self.page_tables
    }
}

impl Tree {
    /// Looks at a process of the same user and at all that it started.
    pub(crate) fn new(root: i32) -> anyhow::Result<Self> {
        let probe = Probe::new(root).with_context(|| format!("there is no process {root}"))?;
        let mut tree = Self { root, members: BTreeMap::from([(root, probe)]) };
        tree.refresh();
        Ok(tree)
    }

    /// Looks again who is there. Takes milliseconds: not for a window.
    pub(crate) fn refresh(&mut self) {
        let parents: Vec<(i32, i32)> = procfs::process::all_processes()
            .into_iter()
            .flatten()
            .filter_map(|process| process.ok()?.stat().ok())
            .map(|stat| (stat.pid, stat.ppid))
            .collect();
        let found = descendants(self.root, &parents);
        self.members.retain(|pid, _| found.contains(pid));
        for pid in found {
            if !self.members.contains_key(&pid) {
                // One that has gone meanwhile is nobody's loss.
                self.members.extend(Probe::new(pid).map(|probe| (pid, probe)));
            }
        }
    }

    /// User and system time so far, of the processes that are known.
    pub(crate) fn cpu_times(&self) -> anyhow::Result<CpuTimes> {
        let mut times = BTreeMap::new();
        for (&pid, probe) in &self.members {
            // From the process's CPU clock, which is the sum that /proc/PID/stat gives in ticks of
            // 10 ms, in nanoseconds.
            match probe.clock.now() {
                Ok(time) => drop(times.insert(pid, Duration::from(time))),
                Err(error) if pid == self.root => {
                    return Err(error).context("the server's CPU clock is gone");
                }
                Err(_) => {}
            }
        }
        Ok(CpuTimes(times))
    }

    /// The proportional set size in KiB: what would be free if all of them ended.
    pub(crate) fn pss_kib(&self) -> anyhow::Result<u64> {
        self.sum(|probe| {
            let rollup = probe.process.smaps_rollup().context("can't read smaps_rollup")?;
            let map = rollup.memory_map_rollup.0.first().context("smaps_rollup is empty")?;
            let bytes = map.extension.map.get("Pss").context("smaps_rollup has no Pss")?;
            Ok(bytes / 1024)
        })
    }

    /// What the kernel takes for them, and which part of the machine's memory could still be had.
    pub(crate) fn kernel_memory(&self) -> anyhow::Result<(KernelMemory, f64)> {
        let memory = procfs::Meminfo::current().context("can't read /proc/meminfo")?;
        let status = |probe: &Probe| probe.process.status().context("can't read status");
        let threads = self.sum(|probe| Ok(status(probe)?.threads))?;
        let page_tables = self.sum(|probe| Ok(status(probe)?.vmpte.unwrap_or(0)))?;
        let slab = memory.s_unreclaim.unwrap_or(0) / 1024;
        let available = memory.mem_available.unwrap_or(memory.mem_free);
        let kernel = KernelMemory { slab, stacks: threads * STACK_KIB, page_tables };
        Ok((kernel, available as f64 / memory.mem_total.max(1) as f64))
    }

    /// Threads, their context switches, descriptors. A thread that ends while it is looked at is
    /// left out.
    pub(crate) fn tasks(&self) -> anyhow::Result<Tasks> {
        let mut sum = Tasks { open_files: self.sum(Probe::open_files)?, ..Tasks::default() };
        for probe in self.members.values() {
            let Ok(tasks) = probe.process.tasks() else { continue };
            for status in tasks.flatten().filter_map(|task| task.status().ok()) {
                sum.threads += 1;
                sum.voluntary_switches += status.voluntary_ctxt_switches.unwrap_or(0);
                sum.forced_switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
            }
        }
        Ok(sum)
    }

    /// Over all processes; that the first one can't be read is an error, another may have gone.
    fn sum(&self, of: impl Fn(&Probe) -> anyhow::Result<u64>) -> anyhow::Result<u64> {
        let mut sum = 0;
        for (&pid, probe) in &self.members {
            match of(probe) {
                Ok(value) => sum += value,
                Err(error) if pid == self.root => return Err(error),
                Err(_) => {}
            }
        }
        Ok(sum)
    }
}

/// CPU time so far by process.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuTimes(BTreeMap<i32, Duration>);

impl CpuTimes {
    /// Adds the processes that were found only `later`, with all that they used until then.
    pub(crate) fn add_newcomers(&mut self, later: Self) {
        for (pid, time) in later.0 {
            self.0.entry(pid).or_insert(time);
        }
    }

    /// What was used since `earlier`; all of it by a process that was not there then.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let used = |(pid, now): (&i32, &Duration)| {
            now.saturating_sub(earlier.0.get(pid).copied().unwrap_or_default())
        };
        self.0.iter().map(used).sum()
    }
}

impl Probe {
    fn new(pid: i32) -> anyhow::Result<Self> {
        let (process, clock) = (Process::new(pid)?, clock_getcpuclockid(Pid::from_raw(pid))?);
        Ok(Self { process, clock })
    }

    /// The kernel says it as the folder's size since Linux 6.2; before that it is counted.
    fn open_files(&self) -> anyhow::Result<u64> {
        let size = fs::metadata(format!("/proc/{}/fd", self.process.pid))?.len();
        Ok(if size > 0 { size } else { self.process.fd_count()? as u64 })
    }
}

/// The process `root` and whatever came from it, given each process's parent.
fn descendants(root: i32, parents: &[(i32, i32)]) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::process::{Command, Stdio};
    use std::thread;

    use super::*;

    fn myself() -> Tree {
        let pid = i32::try_from(std::process::id()).expect("a process id");
        Tree::new(pid).expect("this process")
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let tree = myself();
        let before = tree.cpu_times().expect("a clock");
        let worked = (0..5_000_000_u64).fold(0, |sum, n| black_box(sum ^ n));
        black_box(worked);
        assert!(tree.cpu_times().expect("a clock").since(&before) > Duration::ZERO);
    }

    #[test]
    fn memory_that_is_touched_shows() {
        let tree = myself();
        let before = tree.pss_kib().expect("smaps_rollup");
        let held = black_box(vec![1_u8; 32 << 20]);
        let after = tree.pss_kib().expect("smaps_rollup");
        assert!(after >= before + 30 * 1024, "{before} KiB, then {after} KiB");
        drop(held);
    }

    #[test]
    fn threads_are_counted() {
        let tree = myself();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let before = tree.tasks().expect("tasks").threads;
        let thread = thread::spawn(move || held.recv());
        // Tests of other modules come and go, so this one is looked for and not counted.
        while tree.tasks().expect("tasks").threads <= before && !thread.is_finished() {
            thread::yield_now();
        }
        assert!(!thread.is_finished());
        drop(release);
        thread.join().expect("it ends").expect_err("nothing was sent");
    }

    #[test]
    fn what_a_process_started_is_sampled_with_it() {
        // Not the last command, so that it runs in a process of its own. Both end with the input.
        let mut shell = Command::new("sh")
            .args(["-c", "cat; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let pid = i32::try_from(shell.id()).expect("a process id");
        let mut tree = Tree::new(pid).expect("the shell");
        while tree.members.len() < 2 {
            tree.refresh();
        }
        assert!(tree.tasks().expect("tasks").threads >= 2);
        assert!(tree.tasks().expect("tasks").open_files >= 2);
        assert!(tree.pss_kib().expect("memory") > 0);
        let (kernel, left) = tree.kernel_memory().expect("memory");
        assert!(kernel.stacks >= 2 * STACK_KIB && kernel.page_tables > 0, "{kernel:?}");
        assert!((0.0..1.0).contains(&left), "{left}");
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
    }

    #[test]
    fn a_tree_is_a_process_and_all_that_came_from_it() {
        let parents = [(1, 0), (5, 1), (7, 5), (8, 5), (9, 8), (6, 1)];
        assert_eq!(descendants(5, &parents), [5, 7, 8, 9]);
        assert_eq!(descendants(6, &parents), [6]);
    }

    #[test]
    fn time_of_a_process_that_came_later_counts_from_its_start() {
        let times = |of: &[(i32, u64)]| {
            CpuTimes(of.iter().map(|&(pid, ms)| (pid, Duration::from_millis(ms))).collect())
        };
        let before = times(&[(1, 10), (2, 7)]);
        let mut after = times(&[(1, 30), (3, 5)]);
        assert_eq!(after.since(&before), Duration::from_millis(25));
        after.add_newcomers(times(&[(1, 31), (3, 6), (4, 2)]));
        assert_eq!(after.since(&before), Duration::from_millis(27));
    }

    #[test]
    fn a_process_that_is_not_there_is_said_to_be_missing() {
        let error = Tree::new(i32::MAX).expect_err("no such process").to_string();
        assert_eq!(error, format!("there is no process {}", i32::MAX));
    }
}
