//! What the kernel says it has: reading, without judging.

use std::{fs, path::Path};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, getuid, setrlimit};

/// What is left of everything that a connection may use up. `None` where the kernel does not say, or
/// sets no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kernel {
    /// Open files of this process.
    pub(crate) descriptors: Option<u64>,
    /// Memory maps of this process (`vm.max_map_count`).
    pub(crate) maps: Option<u64>,
    /// Process numbers of the system that are still free (`kernel.pid_max`).
    pub(crate) free_pids: Option<u64>,
    /// Threads that the system may still start (`kernel.threads-max`).
    pub(crate) free_threads: Option<u64>,
    /// Threads that the control groups around this process may still start (`pids.max`).
    pub(crate) free_in_cgroup: Option<u64>,
    /// Threads that this user may still start (`RLIMIT_NPROC`); root has no limit.
    pub(crate) free_for_user: Option<u64>,
}

impl Kernel {
    /// Raises the soft limit on open files to the hard one, then reads every limit.
    pub(crate) fn read() -> Self {
        let tasks = read("/proc/loadavg").and_then(|text| tasks(&text)).unwrap_or(0);
        let left = |path| number(path).map(|limit| limit.saturating_sub(tasks));
        Self {
            descriptors: raise_descriptors(),
            maps: number("/proc/sys/vm/max_map_count"),
            free_pids: left("/proc/sys/kernel/pid_max"),
            free_threads: left("/proc/sys/kernel/threads-max"),
            free_in_cgroup: free_in_cgroup(Path::new("/sys/fs/cgroup")),
            free_for_user: if geteuid().is_root() { None } else { free_for_user() },
        }
    }
}

/// The limit is on the threads of all processes whose real user this is, wherever they come from.
fn free_for_user() -> Option<u64> {
    let most = getrlimit(Resource::Nproc).current?;
    let user = getuid().as_raw();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let of_user = processes.filter_map(|process| {
        let (owner, threads) = owner_and_threads(&read(process.path().join("status"))?)?;
        (owner == user).then_some(threads)
    });
    Some(most.saturating_sub(of_user.sum()))
}

/// The real user and the number of threads of a process, out of its `/proc/…/status`.
fn owner_and_threads(text: &str) -> Option<(u32, u64)> {
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let owner = field("Uid:")?.split_whitespace().next()?.parse().ok()?;
    Some((owner, field("Threads:")?.trim().parse().ok()?))
}

fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the soft limit on open files stays as it is");
            limit.current
        }
    }
}

/// The tightest of the control groups that this process is in: each one on the way up counts.
fn free_in_cgroup(root: &Path) -> Option<u64> {
    let groups = read("/proc/self/cgroup")?;
    let (hierarchy, path) = pids_group(&groups)?;
    let top = root.join(hierarchy);
    let inner = top.join(path.trim_start_matches('/'));
    inner
        .ancestors()
        .take_while(|group| group.starts_with(&top))
        .filter_map(|group| {
            let most = number(group.join("pids.max"))?;
            let now = number(group.join("pids.current"))?;
            Some(most.saturating_sub(now))
        })
        .min()
}

/// Where the `pids` controller is mounted below `/sys/fs/cgroup`, and this process's path in it:
/// version 1 names it (`8:pids:/docker/…`), version 2 has one hierarchy (`0::/…`).
fn pids_group(text: &str) -> Option<(&'static str, &str)> {
    let group = |line: &'_ str, wanted: &str| -> Option<usize> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == wanted).then_some(line.len() - path.len())
    };
    let find = |wanted| text.lines().find_map(|line| group(line, wanted).map(|at| &line[at..]));
    find("pids").map(|path| ("pids", path)).or_else(|| find("").map(|path| ("", path)))
}

/// The number of tasks in the system: the fourth field of `/proc/loadavg` is `running/all`.
fn tasks(text: &str) -> Option<u64> {
    text.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// The number in a file; `max` is none.
fn number(path: impl AsRef<Path>) -> Option<u64> {
    read(path)?.trim().parse().ok()
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_in_both_versions() {
        let v1 = "9:memory:/a\n8:pids:/docker/b\n1:name=systemd:/c\n0::/d\n";
        assert_eq!(pids_group(v1), Some(("pids", "/docker/b")));
        assert_eq!(pids_group("3:cpu,pids:/x:y\n"), Some(("pids", "/x:y")));
        assert_eq!(pids_group("0::/user.slice\n"), Some(("", "/user.slice")));
        assert_eq!(pids_group("9:memory:/a\n"), None);
        assert_eq!(pids_group(""), None);
    }

    #[test]
    fn tasks_are_those_of_the_whole_system() {
        assert_eq!(tasks("0.20 0.18 0.12 1/80 11206\n"), Some(80));
        assert_eq!(tasks("0.20"), None);
    }

    #[test]
    fn a_process_says_whose_it_is_and_how_many_threads_it_has() {
        let own = read("/proc/self/status").expect("its own status");
        let (owner, threads) = owner_and_threads(&own).expect("an owner");
        assert_eq!(owner, getuid().as_raw());
        assert!(threads >= 1);
        let other = "Name:\tx\nUid:\t1000\t0\t0\t0\nThreads:\t12\n";
        assert_eq!(owner_and_threads(other), Some((1000, 12)));
        assert_eq!(owner_and_threads("Name:\tkernel\n"), None);
    }

    #[test]
    fn what_a_user_has_started_is_not_left_to_it() {
        let Some(most) = getrlimit(Resource::Nproc).current else { return };
        assert!(free_for_user().is_some_and(|left| left < most), "this test runs, for one");
    }

    #[test]
    fn this_machine_says_what_it_has() {
        let kernel = Kernel::read();
        assert_eq!(kernel.descriptors, getrlimit(Resource::Nofile).current);
        assert!(kernel.maps.is_some_and(|maps| maps > 0));
        assert!(kernel.free_pids.is_some() && kernel.free_threads.is_some());
    }
}
