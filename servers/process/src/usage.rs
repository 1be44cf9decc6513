//! What the process itself uses, for `/metrics`: by the names that Prometheus's client libraries
//! share, so that whoever reads those of other servers can read these.
//!
//! Read when somebody asks, and at no other time. It takes two looks at /proc, whatever is open.

use std::{fs, time::Duration};

use prometheus::{
    Counter, Gauge, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::{
    param::page_size,
    time::{ClockId, clock_gettime},
};

const CPU: (&str, &str) = ("process_cpu_seconds_total", "User and system time used");

/// Looks at the process whenever figures are asked for.
struct Usage {
    /// Of which each answer has one of its own: a counter can't be set.
    cpu: Counter,
    memory: Gauge,
    open_files: Gauge,
    threads: Gauge,
}

/// Adds the process's usage to what the registry tells.
pub(crate) fn register(registry: &Registry) {
    let gauge = |name, help| Gauge::new(name, help).expect("a well-formed name");
    let usage = Usage {
        cpu: counter(),
        memory: gauge("process_resident_memory_bytes", "Memory that is resident, shared pages too"),
        open_files: gauge("process_open_fds", "Descriptors that are open"),
        threads: gauge("process_threads", "Threads"),
    };
    registry.register(Box::new(usage)).expect("names of their own");
}

fn counter() -> Counter {
    Counter::new(CPU.0, CPU.1).expect("a well-formed name")
}

impl Collector for Usage {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.memory, &self.open_files, &self.threads];
        self.cpu.desc().into_iter().chain(gauges.into_iter().flat_map(Collector::desc)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let cpu = counter();
        cpu.inc_by(cpu_time().as_secs_f64());
        let mut families = cpu.collect();
        // What /proc does not say is left out, and is not nothing.
        let stat = fs::read_to_string("/proc/self/stat").ok();
        let (threads, pages) = stat.as_deref().and_then(threads_and_pages).unzip();
        let bytes = pages.map(|pages| pages * page_size() as f64);
        let values =
            [(&self.memory, bytes), (&self.open_files, open_files()), (&self.threads, threads)];
        for (gauge, value) in values {
            if let Some(value) = value {
                gauge.set(value);
                families.extend(gauge.collect());
            }
        }
        families
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Fields 20 and 24 of `proc_pid_stat(5)`. The second, the program's name, may hold anything.
fn threads_and_pages(stat: &str) -> Option<(f64, f64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(20 - 3);
    let threads = fields.next()?.parse().ok()?;
    let pages = fields.nth(24 - 21)?.parse().ok()?;
    Some((threads, pages))
}

/// The kernel says it as the folder's size since Linux 6.2; before that it is counted.
fn open_files() -> Option<f64> {
    let folder = "/proc/self/fd";
    let size = fs::metadata(folder).ok()?.len();
    let count = if size > 0 { size } else { fs::read_dir(folder).ok()?.count() as u64 };
    Some(count as f64)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, hint::black_box};

    use super::*;

    fn value(name: &str) -> f64 {
        let registry = Registry::new();
        register(&registry);
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect(name);
        let metric = &family.get_metric()[0];
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = value("process_cpu_seconds_total");
        black_box((0..5_000_000_u64).fold(0, |sum, n| black_box(sum ^ n)));
        assert!(value("process_cpu_seconds_total") > before);
    }

    #[test]
    fn memory_and_descriptors_that_are_taken_show() {
        let (memory, files) = (value("process_resident_memory_bytes"), value("process_open_fds"));
        let held = black_box(vec![1_u8; 32 << 20]);
        // More than other tests may close meanwhile.
        let open: Vec<File> = (0..64).map(|_| File::open("/dev/null").expect("a file")).collect();
        assert!(value("process_resident_memory_bytes") > memory + f64::from(24 << 20));
        assert!(value("process_open_fds") > files + 32.0);
        assert!(value("process_threads") >= 1.0);
        drop((held, open));
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4194560 9 0 0 0 5 6 0 0 20 0 12 0 33 44 55 66";
        assert_eq!(threads_and_pages(stat), Some((12.0, 55.0)));
        assert_eq!(threads_and_pages("7 (a) S 1"), None);
    }
}
