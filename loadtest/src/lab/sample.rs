//! What a process costs, by its clock and by /proc.

use std::time::Duration;

use anyhow::Context;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use procfs::process::Process;

/// A process that is looked at from outside.
#[derive(Debug)]
pub(crate) struct Probe {
    process: Process,
    clock: ClockId,
}

/// What is dear to read, one file a thread; never read in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// How many threads there are.
    pub(crate) threads: u64,
    /// Context switches so far of the threads there are, voluntary and forced.
    pub(crate) switches: u64,
}

impl Probe {
    /// Looks at a process of the same user.
    pub(crate) fn new(pid: i32) -> anyhow::Result<Self> {
        let gone = || format!("there is no process {pid}");
        Ok(Self {
            process: Process::new(pid).with_context(gone)?,
            clock: clock_getcpuclockid(Pid::from_raw(pid)).with_context(gone)?,
        })
    }

    /// User and system time so far. From the process's CPU clock, which is the sum that
    /// /proc/PID/stat gives in ticks of 10 ms, in nanoseconds.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        Ok(self.clock.now().context("the server's CPU clock is gone")?.into())
    }

    /// The proportional set size in KiB: what would be free if the process ended.
    pub(crate) fn pss_kib(&self) -> anyhow::Result<u64> {
        let rollup = self.process.smaps_rollup().context("can't read smaps_rollup")?;
        let map = rollup.memory_map_rollup.0.first().context("smaps_rollup is empty")?;
        let bytes = map.extension.map.get("Pss").context("smaps_rollup has no Pss")?;
        Ok(bytes / 1024)
    }

    /// Threads and their context switches. A thread that ends while it is looked at is left out.
    pub(crate) fn tasks(&self) -> anyhow::Result<Tasks> {
        let mut tasks = Tasks { threads: 0, switches: 0 };
        for task in self.process.tasks().context("can't list the server's threads")? {
            let Ok(status) = task.and_then(|task| task.status()) else { continue };
            tasks.threads += 1;
            tasks.switches += status.voluntary_ctxt_switches.unwrap_or(0)
                + status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::thread;

    use super::*;

    fn myself() -> Probe {
        let pid = i32::try_from(std::process::id()).expect("a process id");
        Probe::new(pid).expect("this process")
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let probe = myself();
        let before = probe.cpu_time().expect("a clock");
        let worked = (0..5_000_000_u64).fold(0, |sum, n| black_box(sum ^ n));
        black_box(worked);
        assert!(probe.cpu_time().expect("a clock") > before);
    }

    #[test]
    fn memory_that_is_touched_shows() {
        let probe = myself();
        let before = probe.pss_kib().expect("smaps_rollup");
        let held = black_box(vec![1_u8; 32 << 20]);
        let after = probe.pss_kib().expect("smaps_rollup");
        assert!(after >= before + 30 * 1024, "{before} KiB, then {after} KiB");
        drop(held);
    }

    #[test]
    fn threads_are_counted() {
        let probe = myself();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let before = probe.tasks().expect("tasks").threads;
        let thread = thread::spawn(move || held.recv());
        // Tests of other modules come and go, so this one is looked for and not counted.
        while probe.tasks().expect("tasks").threads <= before && !thread.is_finished() {
            thread::yield_now();
        }
        assert!(!thread.is_finished());
        drop(release);
        thread.join().expect("it ends").expect_err("nothing was sent");
    }

    #[test]
    fn a_process_that_is_not_there_is_said_to_be_missing() {
        let error = Probe::new(i32::MAX).expect_err("no such process").to_string();
        assert_eq!(error, format!("there is no process {}", i32::MAX));
    }
}
