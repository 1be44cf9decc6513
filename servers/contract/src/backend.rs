//! Which servers there are, and where their programs lie.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// A server under test. `tokio` comes twice, once for each of its codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// OS threads in a pool, blocking sockets.
    Threads,
    /// Readiness callbacks, one event loop per core.
    Mio,
    /// Stackful coroutines.
    May,
    /// One actor per connection.
    Actix,
    /// `async`/`await`, HTTP by `hyper`.
    Tokio,
    /// `async`/`await` over this workspace's own codec.
    TokioHttp1,
}

impl Backend {
    /// All of them, in the order in which the documents name them.
    pub const ALL: [Self; 6] =
        [Self::Threads, Self::Mio, Self::May, Self::Actix, Self::Tokio, Self::TokioHttp1];

    /// The name that the server goes by in `Server: five-ways/<name>`, its log and its metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Mio => "mio",
            Self::May => "may",
            Self::Actix => "actix",
            Self::Tokio | Self::TokioHttp1 => "tokio",
        }
    }

    /// The options that choose this backend, before those of a test.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::TokioHttp1 => &["--codec", "http1"],
            _ => &[],
        }
    }

    /// The server's program: in `$FIVE_BIN_DIR`, or where cargo puts it beside the test's own.
    pub fn program(self) -> PathBuf {
        let folder = env::var_os("FIVE_BIN_DIR").map_or_else(build_folder, PathBuf::from);
        self.program_in(&folder)
    }

    fn program_in(self, folder: &Path) -> PathBuf {
        let program = folder.join(format!("server-{}", self.name()));
        assert!(
            program.is_file(),
            "{self}: there is no {}: run `cargo build --workspace --bins` first",
            program.display()
        );
        program
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokioHttp1 => f.write_str("tokio/http1"),
            _ => f.write_str(self.name()),
        }
    }
}

/// `target/<profile>`: a test's program is in `deps` below it, a doctest's elsewhere below it.
fn build_folder() -> PathBuf {
    let this = env::current_exe().expect("a running program has a path");
    this.ancestors()
        .find(|folder| folder.join("deps").is_dir())
        .map_or_else(|| this.with_file_name(""), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "run `cargo build --workspace --bins` first")]
    fn a_missing_program_says_how_to_make_it() {
        let _ = Backend::Mio.program_in(Path::new("/nonexistent"));
    }

    #[test]
    fn the_build_folder_is_two_above_the_test() {
        let this = env::current_exe().unwrap();
        assert_eq!(Some(build_folder().as_path()), this.parent().and_then(Path::parent));
    }
}
