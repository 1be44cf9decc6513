//! Which cores the generator and the servers run on.

use rustix::io;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A partition of the cores that this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    /// For the generator: the first.
    pub(crate) generator: Vec<usize>,
    /// For the server: the others, or the same one where there is no other.
    pub(crate) server: Vec<usize>,
}

impl Cores {
    /// Shares out the cores of this process, and keeps to the generator's from now on; what it
    /// starts inherits that.
    pub(crate) fn share_out() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let cores = Self::partition((0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)));
        pin(&cores.generator)?;
        Ok(cores)
    }

    /// Calls `start` on the server's cores, so that a process it starts inherits them.
    pub(crate) fn on_servers<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        pin(&self.server)?;
        let started = start();
        pin(&self.generator)?;
        Ok(started)
    }

    fn partition(allowed: impl Iterator<Item = usize>) -> Self {
        let mut generator: Vec<usize> = allowed.collect();
        let server = if generator.len() > 1 { generator.split_off(1) } else { generator.clone() };
        Self { generator, server }
    }
}

/// Keeps the calling thread to these cores.
fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gets_the_first_core_and_the_server_the_others() {
        let cores = |allowed: &[usize]| {
            let cores = Cores::partition(allowed.iter().copied());
            (cores.generator, cores.server)
        };
        assert_eq!(cores(&[0, 1, 2, 3]), (vec![0], vec![1, 2, 3]));
        assert_eq!(cores(&[2, 5]), (vec![2], vec![5]));
        assert_eq!(cores(&[3]), (vec![3], vec![3]));
    }
}
