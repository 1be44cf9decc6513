//! Several generators, each a process of its own, for one test.
//!
//! `goose` runs one attack a process, a process has a bounded number of descriptors, and a generator
//! runs on one core. So where one is not enough, this process starts others (`loadtest generator`)
//! and leads them through the test:
//!
//! ```text
//! this process                          each of the others
//!   its share, as JSON           ──►    its users connect
//!                                ◄──    held
//!   start, at one moment for all ──►    warm-up, window
//!                                ◄──    progress, now and then
//!                                ◄──    drained
//!   leave                        ──►    its users go
//!                                ◄──    done: its harvest
//! ```
//!
//! Users, and the requests of an open loop, are dealt out in turn, so that all together are what one
//! generator would be; and harvests are added up without loss. An end of its input ends a generator:
//! none outlives this process.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::thread::sched_getaffinity;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::established;
use super::generator::Share;
use super::harvest::Harvest;
use super::{Load, Observer, Part, Progress};

/// How long after the last has said that it is ready all start.
const HEADWAY: Duration = Duration::from_millis(50);
/// How long the others may take to end beyond what the test takes.
const GRACE: Duration = Duration::from_secs(30);
/// How often an interrupt is looked for, and an observer may glance.
const GLANCE: Duration = Duration::from_millis(50);

/// What a generator is told, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Its share of the test.
    Ready(Box<Share>),
    /// All start at this moment of the clock that never jumps, which is one for all processes.
    Start(Duration),
    /// Nobody looks at the connections any more.
    Leave,
    /// Enough: end with what there is.
    Stop,
}

/// What a generator says, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// Its users have been answered once, so many of them, and hold their connections.
    Held(usize),
    /// How far it is.
    Progress(Progress),
    /// Nobody waits for an answer any more.
    Drained,
    /// What it found.
    Done(Box<Harvest>),
}

/// Runs the test with so many generators; what they found, and how many connections the kernel
/// counted when all were held.
pub(super) fn run(
    load: &Load,
    generators: usize,
    observer: &mut dyn Observer,
) -> anyhow::Result<(Harvest, usize)> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut crew = Crew::start(load, generators, interrupted)?;
    let connecting = Instant::now() + load.ramp + load.connect_time_out + GRACE;
    crew.attend(connecting, Crew::is_held, |all| observer.glance(Part::Ramp, all))?;
    let connected = crew.members.iter().filter_map(|member| member.held).sum();
    let established = established::count(load.script.address(), connected);
    observer.held();

    let begin = Instant::now() + HEADWAY;
    crew.tell(&Order::Start(now() + HEADWAY));
    let opens = begin + if connected > 0 { load.warm_up } else { Duration::ZERO };
    let never = |_: &Crew| false;
    crew.attend(opens, never, |all| observer.glance(Part::WarmUp, all))?;
    observer.window_opens();
    let closes = opens + if connected > 0 { load.window } else { Duration::ZERO };
    crew.attend(closes, never, |all| observer.glance(Part::Window, all))?;
    observer.window_closed();
    crew.attend(Instant::now() + load.time_out + GRACE, Crew::is_drained, |_| {})?;
    observer.drained();
    crew.tell(&Order::Leave);
    crew.attend(Instant::now() + GRACE, Crew::is_done, |_| {})?;
    Ok((crew.harvest()?, established))
}

/// The moment by the clock that never jumps.
pub(super) fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap_or_default()
}

/// The other processes.
#[derive(Debug)]
struct Crew {
    members: Vec<Member>,
    messages: Receiver<(usize, Message)>,
    interrupted: Arc<AtomicBool>,
    stopping: bool,
}

/// One of them. Ended when dropped.
#[derive(Debug)]
struct Member {
    child: Child,
    orders: ChildStdin,
    complaints: Option<JoinHandle<String>>,
    held: Option<usize>,
    progress: Progress,
    drained: bool,
    harvest: Option<Harvest>,
}

impl Crew {
    fn start(load: &Load, generators: usize, interrupted: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let (said, messages) = mpsc::channel();
        let mut members = Vec::with_capacity(generators);
        for generator in 0..generators {
            let mut member = Member::start(generator, said.clone())?;
            let share = Share { load: load.clone(), generator, generators };
            member.tell(&Order::Ready(Box::new(share))).context("a generator is gone")?;
            members.push(member);
        }
        Ok(Self { members, messages, interrupted, stopping: false })
    }

    fn tell(&mut self, order: &Order) {
        for member in &mut self.members {
            // One that is gone is found out when its message does not come.
            let _ = member.tell(order);
        }
    }

    /// Takes in what they say until it is `enough`, or until then. Passes an interrupt on.
    fn attend(
        &mut self,
        until: Instant,
        enough: impl Fn(&Self) -> bool,
        mut glance: impl FnMut(&Progress),
    ) -> anyhow::Result<()> {
        while !enough(self) && Instant::now() < until && !self.is_done() {
            if self.interrupted.load(Ordering::Relaxed) && !self.stopping {
                self.stopping = true;
                self.tell(&Order::Stop);
            }
            let wait = GLANCE.min(until.saturating_duration_since(Instant::now()));
            match self.messages.recv_timeout(wait) {
                Ok((generator, message)) => self.members[generator].said(message),
                Err(RecvTimeoutError::Timeout) => {}
                // All have ended, and said all they had to.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_for_the_dead()?;
            glance(&self.progress());
        }
        Ok(())
    }

    fn look_for_the_dead(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            let Some(status) = member.child.try_wait()? else { continue };
            if !status.success() {
                bail!("a generator ended ({status}), saying: {}", member.last_words());
            }
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        self.members.iter().all(|member| member.held.is_some())
    }

    fn is_drained(&self) -> bool {
        self.members.iter().all(|member| member.drained)
    }

    fn is_done(&self) -> bool {
        self.members.iter().all(|member| member.harvest.is_some())
    }

    fn progress(&self) -> Progress {
        let mut all = Progress::default();
        for member in &self.members {
            all.add(&member.progress);
        }
        all
    }

    /// All of what they found. They share the cores that this process may use.
    fn harvest(&mut self) -> anyhow::Result<Harvest> {
        let cores = sched_getaffinity(None).map_or(1, |cores| cores.count() as usize).max(1);
        let (mut sum, mut used) = (None::<Harvest>, 0.0);
        let shared_by = self.members.len().min(cores) as f64;
        for member in &mut self.members {
            let harvest = member.harvest.take().context("a generator did not end in time")?;
            used += harvest.utilisation;
            match &mut sum {
                Some(sum) => sum.add(harvest),
                None => sum = Some(harvest),
            }
        }
        let mut sum = sum.context("there was no generator")?;
        sum.utilisation = sum.utilisation.max(used / shared_by);
        Ok(sum)
    }
}

impl Member {
    fn start(generator: usize, said: Sender<(usize, Message)>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("generator");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The terminal's interrupt is for this process, which passes it on.
        command.process_group(0);
        let mut child = command.spawn().context("can't start a generator")?;
        let (Some(orders), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            bail!("a generator has no pipes");
        };
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str(&line) else { continue };
                if said.send((generator, message)).is_err() {
                    return;
                }
            }
        });
        let complaints = thread::spawn(move || {
            let (mut stderr, mut text) = (stderr, String::new());
            // What could be read is better than nothing.
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let (complaints, progress) = (Some(complaints), Progress::default());
        let (held, drained, harvest) = (None, false, None);
        Ok(Self { child, orders, complaints, held, progress, drained, harvest })
    }

    fn tell(&mut self, order: &Order) -> io::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        self.orders.write_all(line.as_bytes())
    }

    fn said(&mut self, message: Message) {
        match message {
            Message::Held(connected) => self.held = Some(connected),
            Message::Progress(progress) => self.progress = progress,
            Message::Drained => self.drained = true,
            Message::Done(harvest) => self.harvest = Some(*harvest),
        }
    }

    /// Of one that has ended.
    fn last_words(&mut self) -> String {
        let text = self.complaints.take().and_then(|complaints| complaints.join().ok());
        let text = text.unwrap_or_default();
        let words = text.trim().trim_start_matches("loadtest: ").lines().collect::<Vec<_>>();
        if words.is_empty() { "nothing".to_owned() } else { words.join(" / ") }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.harvest.is_none() && matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
