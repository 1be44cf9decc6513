//! What a server says of itself: its name, and what one connection costs it.

/// One of the five ways.
#[derive(Debug)]
pub struct Backend {
    /// The model in one word: `threads`, `mio`, `may`, `actix`, `tokio`.
    pub name: &'static str,
    /// The model in one line, for `--help`.
    pub about: &'static str,
    /// What one connection takes of the things the kernel counts.
    pub per_connection: Footprint,
}

/// How much one connection takes of each resource that the kernel limits by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Open files (`RLIMIT_NOFILE`).
    pub descriptors: u64,
    /// Memory maps (`vm.max_map_count`): a stack is one or two, with its guard page.
    pub maps: u64,
    /// Threads (`pid_max`, `threads-max`, the cgroup's `pids.max`).
    pub threads: u64,
}

impl Backend {
    /// The program's name, as it stands in front of its errors: `server-threads`.
    #[must_use]
    pub fn program(&self) -> String {
        format!("server-{}", self.name)
    }
}

/// The version of the whole workspace: the five are built, and compared, together.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
