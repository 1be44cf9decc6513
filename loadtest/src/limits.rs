//! The operating system's limits, for generator and servers alike.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connection: standard streams, the runtime's, /proc files.
const RESERVE: u64 = 64;
/// More processes than this are not started for want of descriptors.
const MOST_GENERATORS: u64 = 16;

/// A demand that the limits do not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{connections} connections need more open files than RLIMIT_NOFILE allows here: {limit} a \
     process, so at most {most} connections of {MOST_GENERATORS} processes (see `ulimit -Hn`)"
)]
pub(crate) struct TooMany {
    connections: usize,
    limit: u64,
    most: u64,
}

/// Raises the soft limit on open files to the hard one and returns it.
pub(crate) fn raise_open_files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // A refusal leaves the soft limit, which is then the one that is reported.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Whether that many connections can be had from here.
pub(crate) fn check(connections: usize, limit: u64) -> Result<(), TooMany> {
    generators(connections, limit).map(|_| ())
}

/// How many processes it takes to have that many connections from here.
pub(crate) fn generators(connections: usize, limit: u64) -> Result<usize, TooMany> {
    let each = limit.saturating_sub(RESERVE).max(1);
    let most = each.saturating_mul(MOST_GENERATORS);
    if connections as u64 > most {
        return Err(TooMany { connections, limit, most });
    }
    Ok(usize::try_from((connections as u64).div_ceil(each)).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_over_the_limit_names_the_limit() {
        assert_eq!(check(10_000, 20_000), Ok(()));
        assert_eq!(check(16 * 960, 1_024), Ok(()));
        let refused = check(16 * 960 + 1, 1_024).expect_err("that is the most").to_string();
        assert!(refused.contains("RLIMIT_NOFILE"), "{refused}");
        assert!(refused.contains("1024") && refused.contains("15360"), "{refused}");
    }

    #[test]
    fn what_is_too_much_for_one_process_takes_several() {
        let needed = [1, 960, 961, 1_920, 15_360].map(|count| generators(count, 1_024));
        assert_eq!(needed, [1, 1, 2, 2, 16].map(Ok));
    }
}
