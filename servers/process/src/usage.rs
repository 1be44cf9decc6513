//! What the process itself uses, for `/metrics`: by the names that Prometheus's client libraries
//! share, so that whoever reads those of other servers can read these.
//!
//! Read when somebody asks, and at no other time. It takes two looks at /proc, whatever is open.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::{
    Counter, Gauge, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::{
    param::page_size,
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

const CPU: (&str, &str) = ("process_cpu_seconds_total", "User and system time used");

/// Looks at the process whenever figures are asked for.
struct Usage {
    /// Of which each answer has one of its own: a counter can't be set.
    cpu: Counter,
    memory: Gauge,
    virtual_memory: Gauge,
    open_files: Gauge,
    most_files: Gauge,
    threads: Gauge,
    /// Set once.
    started: Gauge,
}

/// Adds the process's usage to what the registry tells.
pub(crate) fn register(registry: &Registry) {
    let gauge = |name, help| Gauge::new(name, help).expect("a well-formed name");
    let usage = Usage {
        cpu: counter(),
        memory: gauge("process_resident_memory_bytes", "Memory that is resident, shared pages too"),
        virtual_memory: gauge("process_virtual_memory_bytes", "Memory that is mapped"),
        open_files: gauge("process_open_fds", "Descriptors that are open"),
        most_files: gauge("process_max_fds", "Descriptors that may be open at once"),
        threads: gauge("process_threads", "Threads"),
        started: gauge("process_start_time_seconds", "When the process started, as Unix time"),
    };
    // What comes before this in a process is over in milliseconds.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    usage.started.set(now.as_secs_f64());
    registry.register(Box::new(usage)).expect("names of their own");
}

fn counter() -> Counter {
    Counter::new(CPU.0, CPU.1).expect("a well-formed name")
}

impl Collector for Usage {
    fn desc(&self) -> Vec<&Desc> {
        let memory = [&self.memory, &self.virtual_memory];
        let others = [&self.open_files, &self.most_files, &self.threads, &self.started];
        let gauges = memory.into_iter().chain(others);
        self.cpu.desc().into_iter().chain(gauges.flat_map(Collector::desc)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let cpu = counter();
        cpu.inc_by(cpu_time().as_secs_f64());
        let mut families = cpu.collect();
        // What /proc does not say is left out, and is not nothing.
        let stat = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::read(&text));
        let values = [
            (&self.memory, stat.as_ref().map(|stat| stat.pages * page_size() as f64)),
            (&self.virtual_memory, stat.as_ref().map(|stat| stat.mapped_bytes)),
            (&self.open_files, open_files()),
            (&self.most_files, getrlimit(Resource::Nofile).current.map(|most| most as f64)),
            (&self.threads, stat.as_ref().map(|stat| stat.threads)),
        ];
        for (gauge, value) in values {
            if let Some(value) = value {
                gauge.set(value);
                families.extend(gauge.collect());
            }
        }
        families.extend(self.started.collect());
        families
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Some of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    threads: f64,
    mapped_bytes: f64,
    /// Resident.
    pages: f64,
}

impl Stat {
    /// Fields 20, 23 and 24 of `proc_pid_stat(5)`. The second, the program's name, may hold anything.
    fn read(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(20 - 3);
        let threads = fields.next()?.parse().ok()?;
        let mapped_bytes = fields.nth(23 - 21)?.parse().ok()?;
        let pages = fields.next()?.parse().ok()?;
        Some(Self { threads, mapped_bytes, pages })
    }
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
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_threads") >= 1.0);
        drop((held, open));
    }

    #[test]
    fn it_started_a_short_while_ago() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let started = value("process_start_time_seconds");
        assert!(started > now - 3600.0 && started <= now + 60.0, "{started}, and it is {now}");
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4194560 9 0 0 0 5 6 0 0 20 0 12 0 33 44 55 66";
        let read = Stat { threads: 12.0, mapped_bytes: 44.0, pages: 55.0 };
        assert_eq!(Stat::read(stat), Some(read));
        assert_eq!(Stat::read("7 (a) S 1"), None);
    }
}
