//! How many connections the system allows, and which of its limits says so.
//!
//! A server that learns of a limit by running into it has already dropped somebody. So the bound is
//! worked out at start from what one connection takes ([`Footprint`]) and what there is.

use std::thread::available_parallelism;

use thiserror::Error;

use crate::{
    backend::{Backend, Footprint},
    kernel::Kernel,
    options::Options,
};

/// No server takes more than this unless it is told to: beyond, ports and memory decide.
const MOST: u64 = 100_000;
/// Descriptors and threads kept back for what isn't a connection: logs, the admin port, refusals.
const RESERVE: u64 = 64;
/// Descriptors of an event loop: what it waits in, a second handle to that, and what wakes it.
const PER_LOOP: u64 = 3;
/// What it has more with an upstream, at most: another to wait in, and what wakes that; and what is
/// on its way in or out at the moment, which must not cost a request its connection upstream.
const PER_LOOP_UPSTREAM: u64 = 5;

/// Memory maps of the program itself: its libraries, its heaps, its own threads.
const OWN_MAPS: u64 = 128;

/// How much a server may have open at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections from clients.
    pub max_connections: usize,
    /// The limit that set this number, as it is named by the system or on the command line.
    pub bounded_by: String,
    /// Connections to the upstream, of the whole process; 0 without `--upstream`.
    pub upstream_connections: usize,
    /// Descriptors kept back for what is no connection.
    pub reserve: usize,
}

/// `--max-connections` asks for more than there is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// More was asked for than a limit allows.
    #[error(
        "--max-connections {asked} cannot be met: {limit} allows {allowed}; raise that, or ask for less"
    )]
    Unmet {
        /// What `--max-connections` says.
        asked: u64,
        /// What could be had.
        allowed: u64,
        /// The limit in the way.
        limit: String,
    },
    /// Nothing can be served at all.
    #[error("{0} leaves no room for a single connection; raise it")]
    NoRoom(String),
}

/// Raises the soft limit on open files to the hard one, and works out what can be open at once.
pub fn bounds(options: &Options, backend: &Backend) -> Result<Bounds, LimitError> {
    let of_upstream = |number| options.upstream.as_ref().map_or(0, |_| number as u64);
    let asked = Asked {
        connections: options.max_connections.map(|number| number as u64),
        workers: options.workers.map(|number| number as u64),
        loops: if backend.per_connection.threads == 0 { workers(options) as u64 } else { 0 },
        upstream: of_upstream(options.upstream_connections),
        queue: of_upstream(options.upstream_queue),
    };
    work_out(&asked, backend.per_connection, &Kernel::read())
}

/// How many event loops, schedulers, arbiters or runtime threads to start: one per core, unless
/// `--workers` says otherwise.
#[must_use]
pub fn workers(options: &Options) -> usize {
    options.workers.unwrap_or_else(|| available_parallelism().map_or(1, Into::into))
}

/// What the command line asks for.
struct Asked {
    connections: Option<u64>,
    workers: Option<u64>,
    loops: u64,
    upstream: u64,
    /// How many may wait for the upstream.
    queue: u64,
}

/// A limit, by name, and how many connections it has room for.
struct Limit {
    name: String,
    connections: u64,
}

fn work_out(asked: &Asked, each: Footprint, kernel: &Kernel) -> Result<Bounds, LimitError> {
    let most = kernel.descriptors.map_or(u64::MAX, |all| all / 4);
    let asked = &Asked { upstream: asked.upstream.min(most), ..*asked };
    let mut limits: Vec<Limit> = descriptors(asked, each, kernel).into_iter().collect();
    let of_workers = of_workers(each, kernel);
    // A pool of fixed size takes its threads and their stacks once, however many connections queue.
    let pooled = each.threads > 0
        && asked.workers.is_some_and(|workers| of_workers.iter().all(|l| l.connections >= workers));
    if !pooled {
        limits.extend(of_workers);
    }
    let tightest = limits.into_iter().min_by_key(|limit| limit.connections);
    let allowed = tightest.as_ref().map_or(u64::MAX, |limit| limit.connections);
    let limit = tightest.map_or_else(String::new, |limit| limit.name);
    let (max, bounded_by) = match asked.connections {
        _ if allowed == 0 => return Err(LimitError::NoRoom(limit)),
        Some(asked) if asked > allowed => return Err(LimitError::Unmet { asked, allowed, limit }),
        Some(asked) => (asked, "--max-connections".to_owned()),
        None if allowed > MOST => (MOST, format!("the default of at most {MOST}")),
        None => (allowed, limit),
    };
    Ok(Bounds {
        max_connections: usize::try_from(max).unwrap_or(usize::MAX),
        bounded_by,
        upstream_connections: usize::try_from(asked.upstream).unwrap_or(usize::MAX),
        reserve: usize::try_from(reserve(kernel.descriptors.unwrap_or(u64::MAX))).unwrap_or(0),
    })
}

fn descriptors(asked: &Asked, each: Footprint, kernel: &Kernel) -> Option<Limit> {
    let all = kernel.descriptors?;
    let &Asked { workers, loops, upstream, queue, .. } = asked;
    let (name, per_loop) = match upstream {
        0 => (format!("RLIMIT_NOFILE {all}"), PER_LOOP),
        _ => (
            format!("RLIMIT_NOFILE {all} ({upstream} of it for the upstream)"),
            PER_LOOP + PER_LOOP_UPSTREAM,
        ),
    };
    let room = all.saturating_sub(reserve(all) + loops * per_loop + upstream);
    // A thread that waits for the upstream has a bell: a descriptor for as long as that takes.
    let bells = if each.threads > 0 { queue.min(workers.unwrap_or(u64::MAX)) } else { 0 };
    let left = room.saturating_sub(bells).max(room / 2);
    Some(Limit { name, connections: left.checked_div(each.descriptors)? })
}

/// The limits on what a thread or a coroutine takes: its maps, and its number.
fn of_workers(each: Footprint, kernel: &Kernel) -> Vec<Limit> {
    let maps = kernel.maps.and_then(|all| {
        let room = (all - all / 10).saturating_sub(OWN_MAPS);
        let connections = room.checked_div(each.maps)?;
        Some(Limit { name: format!("vm.max_map_count {all}"), connections })
    });
    let threads = [
        ("kernel.pid_max", kernel.free_pids),
        ("kernel.threads-max", kernel.free_threads),
        ("the control group's pids.max", kernel.free_in_cgroup),
        ("RLIMIT_NPROC", kernel.free_for_user),
    ];
    let threads = threads.into_iter().filter_map(|(name, free)| {
        let free = free?;
        let connections = (free - reserve(free)).checked_div(each.threads)?;
        Some(Limit { name: format!("{name}, {free} left,"), connections })
    });
    maps.into_iter().chain(threads).collect()
}

/// [`RESERVE`]; or, where there are few, an eighth.
fn reserve(all: u64) -> u64 {
    RESERVE.min(all / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPS: Footprint = Footprint { descriptors: 1, maps: 0, threads: 0 };
    const COROUTINES: Footprint = Footprint { descriptors: 1, maps: 2, threads: 0 };
    const THREADS: Footprint = Footprint { descriptors: 1, maps: 4, threads: 1 };
    const NOTHING: Asked =
        Asked { connections: None, workers: None, loops: 0, upstream: 0, queue: 0 };

    fn kernel() -> Kernel {
        Kernel {
            descriptors: Some(20_000),
            maps: Some(65_530),
            free_pids: Some(32_000),
            free_threads: Some(190_000),
            free_in_cgroup: None,
            free_for_user: None,
        }
    }

    fn expect(asked: &Asked, each: Footprint, kernel: &Kernel, max: usize, by: &str) {
        let bounds = work_out(asked, each, kernel).expect("room for one at least");
        assert_eq!((bounds.max_connections, bounds.bounded_by.as_str()), (max, by));
    }

    #[test]
    fn the_tightest_limit_sets_the_number_and_is_named() {
        expect(&NOTHING, LOOPS, &kernel(), 19_936, "RLIMIT_NOFILE 20000");
        expect(&NOTHING, COROUTINES, &kernel(), 19_936, "RLIMIT_NOFILE 20000");
        expect(&NOTHING, THREADS, &kernel(), 14_712, "vm.max_map_count 65530");
        let confined = Kernel { free_in_cgroup: Some(512), ..kernel() };
        expect(&NOTHING, THREADS, &confined, 448, "the control group's pids.max, 512 left,");
        expect(&NOTHING, LOOPS, &confined, 19_936, "RLIMIT_NOFILE 20000");
        let plenty = Kernel { descriptors: Some(1 << 30), ..kernel() };
        expect(&NOTHING, LOOPS, &plenty, 100_000, "the default of at most 100000");
        expect(&NOTHING, LOOPS, &Kernel::default(), 100_000, "the default of at most 100000");
    }

    #[test]
    fn where_there_are_few_an_eighth_is_kept_back() {
        let few = Kernel { descriptors: Some(64), ..kernel() };
        expect(&NOTHING, LOOPS, &few, 56, "RLIMIT_NOFILE 64");
        assert_eq!((reserve(511), reserve(512), reserve(7)), (63, 64, 0));
    }

    #[test]
    fn event_loops_have_their_descriptors() {
        let loops = |loops| Asked { loops, ..NOTHING };
        let few = Kernel { descriptors: Some(128), ..kernel() };
        expect(&loops(2), LOOPS, &few, 106, "RLIMIT_NOFILE 128");
        expect(&loops(16), LOOPS, &kernel(), 19_888, "RLIMIT_NOFILE 20000");
        let too_few = Kernel { descriptors: Some(16), ..kernel() };
        let error = work_out(&loops(16), LOOPS, &too_few).unwrap_err();
        assert_eq!(error, LimitError::NoRoom("RLIMIT_NOFILE 16".to_owned()));
    }

    #[test]
    fn event_loops_have_more_with_an_upstream() {
        let asked = Asked { loops: 16, upstream: 256, queue: 1024, ..NOTHING };
        let by = "RLIMIT_NOFILE 20000 (256 of it for the upstream)";
        expect(&asked, COROUTINES, &kernel(), 19_552, by);
    }

    #[test]
    fn threads_that_wait_for_the_upstream_have_their_bells() {
        let asked = Asked { upstream: 256, queue: 1024, ..NOTHING };
        let plenty = Kernel { maps: None, ..kernel() };
        let by = "RLIMIT_NOFILE 20000 (256 of it for the upstream)";
        expect(&asked, THREADS, &plenty, 18_656, by);
        expect(&Asked { workers: Some(8), ..asked }, THREADS, &plenty, 19_672, by);
        let few = Kernel { descriptors: Some(1024), ..plenty };
        let by = "RLIMIT_NOFILE 1024 (256 of it for the upstream)";
        // No more wait than there are.
        expect(&asked, THREADS, &few, 352, by);
    }

    #[test]
    fn the_upstream_has_its_share_but_a_quarter_at_most() {
        let asked = Asked { upstream: 256, ..NOTHING };
        let bounds = work_out(&asked, LOOPS, &kernel()).expect("room");
        assert_eq!((bounds.max_connections, bounds.upstream_connections), (19_680, 256));
        let few = Kernel { descriptors: Some(128), ..kernel() };
        let bounds = work_out(&asked, LOOPS, &few).expect("room");
        assert_eq!((bounds.max_connections, bounds.upstream_connections), (80, 32));
    }

    #[test]
    fn what_is_asked_for_is_had_or_refused() {
        let ask = |connections| Asked { connections: Some(connections), ..NOTHING };
        expect(&ask(14_712), THREADS, &kernel(), 14_712, "--max-connections");
        let error = work_out(&ask(14_713), THREADS, &kernel()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("--max-connections 14713") && text.contains("65530 allows 14712"));
        let none = Kernel { descriptors: Some(0), ..kernel() };
        let error = work_out(&ask(1), LOOPS, &none).unwrap_err();
        assert_eq!(error, LimitError::NoRoom("RLIMIT_NOFILE 0".to_owned()));
    }

    #[test]
    fn a_fixed_pool_is_not_bound_by_its_threads() {
        let pool = |workers| Asked { workers: Some(workers), ..NOTHING };
        expect(&pool(64), THREADS, &kernel(), 19_936, "RLIMIT_NOFILE 20000");
        expect(&pool(20_000), THREADS, &kernel(), 14_712, "vm.max_map_count 65530");
        expect(
            &pool(2),
            COROUTINES,
            &Kernel { maps: Some(1000), ..kernel() },
            386,
            "vm.max_map_count 1000",
        );
    }
}
