//! The operating system's limits, for generator and servers alike.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connection: standard streams, the runtime's, /proc files.
const RESERVE: u64 = 64;

/// A demand that the limits do not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{connections} connections need more open files than RLIMIT_NOFILE allows here: \
     {limit}, so at most {most} connections (see `ulimit -Hn`)"
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
    let most = limit.saturating_sub(RESERVE);
    if connections as u64 <= most { Ok(()) } else { Err(TooMany { connections, limit, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_over_the_limit_names_the_limit() {
        assert_eq!(check(10_000, 20_000), Ok(()));
        assert_eq!(check(960, 1_024), Ok(()));
        let refused = check(1_000, 1_024).expect_err("960 is the most").to_string();
        assert!(refused.contains("RLIMIT_NOFILE"), "{refused}");
        assert!(refused.contains("1024") && refused.contains("960"), "{refused}");
    }
}
