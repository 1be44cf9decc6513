//! One generator: the users of one process, run by `goose`, and who leads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use goose::{GooseError, is_killswitch_triggered, trigger_killswitch};
use serde::{Deserialize, Serialize};
use signal_hook::consts::SIGTERM;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tracing::debug;

use super::conductor::{self, Lead};
use super::goose_options::Refused;
use super::harvest::Harvest;
use super::pacer::Pacer;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::{Load, Shape, attack};
use crate::wire::Signal;

/// How many users may be between their first SYN and their first answer. More would only stand
/// in the server's backlog, and what overflows that is sent again a second later.
const RAMP_WIDTH: usize = 256;

/// The share of a test that falls to one generator.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Share {
    /// The whole test.
    pub(super) load: Load,
    /// Which generator, from 0, of how many.
    pub(super) generator: usize,
    pub(super) generators: usize,
}

/// What the users of a generator and their conductor share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) load: Load,
    generator: usize,
    generators: usize,
    /// How many users this generator has.
    pub(super) users: usize,
    pub(super) recorder: Recorder,
    /// Only in an open loop.
    pub(super) pacer: Option<Arc<Pacer>>,
    pub(super) began: Instant,
    /// Permits to connect, see [`RAMP_WIDTH`].
    pub(super) ramp: Semaphore,
    /// Told when the last user has connected.
    pub(super) all_connected: Notify,
    /// The ramp is over: who has no answer by now takes no part.
    pub(super) gathered: AtomicBool,
    pub(super) start: Signal,
    /// The window has closed: nobody asks of its own accord any more.
    pub(super) closed: AtomicBool,
    /// Requests under way that no pacer has given.
    under_way: AtomicU64,
    pub(super) over: Arc<Signal>,
    /// `goose` has run the users to their end.
    pub(super) ended: Signal,
    terminated: Arc<AtomicBool>,
    led_by_goose: bool,
}

impl Shared {
    fn new(share: Share) -> Self {
        let Share { load, generator, generators } = share;
        let users = (load.connections + generators - 1 - generator) / generators;
        let led_by_goose = load.goose.leads();
        let bystanders = load.script.has_bystanders(load.connections);
        let pacer = match load.shape {
            Shape::Open { rate, arrivals } => {
                let schedule = Schedule::new(rate, arrivals, generator, generators);
                Some(Arc::new(Pacer::new(schedule, users)))
            }
            _ => None,
        };
        Self {
            recorder: Recorder::new(load.window, bystanders, pacer.is_some()),
            load,
            generator,
            generators,
            users,
            pacer,
            began: Instant::now(),
            ramp: Semaphore::new(RAMP_WIDTH),
            all_connected: Notify::new(),
            gathered: AtomicBool::new(false),
            start: Signal::default(),
            closed: AtomicBool::new(false),
            under_way: AtomicU64::new(0),
            over: Arc::default(),
            ended: Signal::default(),
            terminated: Arc::default(),
            led_by_goose,
        }
    }

    /// The number among all users of the one in this place here.
    pub(super) fn number(&self, place: usize) -> usize {
        place * self.generators + self.generator
    }

    /// How long the user with this number has to wait before it connects.
    pub(super) fn ramp_wait(&self, number: usize) -> Duration {
        let part = number as f64 / self.load.connections as f64;
        (self.began + self.load.ramp.mul_f64(part)).saturating_duration_since(Instant::now())
    }

    /// How long all users may take to connect.
    pub(super) fn ramp_limit(&self) -> Duration {
        self.load.ramp + self.load.connect_time_out
    }

    /// Whether goose says when users start, and they don't wait for one another.
    pub(super) fn led_by_goose(&self) -> bool {
        self.led_by_goose
    }

    /// A user sets about a request of its own accord.
    pub(super) fn begun(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// That request is done, rightly or not.
    pub(super) fn done(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nobody waits for an answer, and no request is due.
    pub(super) fn is_drained(&self) -> bool {
        let paced = self.pacer.as_ref().is_none_or(|pacer| pacer.is_done());
        paced && self.under_way.load(Ordering::Relaxed) == 0
    }

    /// Gives up, and says how many requests are not answered.
    pub(super) fn give_up(&self) -> u64 {
        let paced = self.pacer.as_ref().map_or(0, |pacer| pacer.give_up());
        paced + self.under_way.load(Ordering::Relaxed)
    }

    /// Whether somebody wants the test to end.
    pub(super) fn is_interrupted(&self) -> bool {
        if self.terminated.load(Ordering::Relaxed) && !is_killswitch_triggered() {
            trigger_killswitch("SIGTERM received");
        }
        is_killswitch_triggered()
    }
}

/// Runs this share of a test on the calling thread and returns when all users have left.
pub(super) fn run(share: Share, lead: &mut dyn Lead) -> anyhow::Result<Harvest> {
    let shared = Arc::new(Shared::new(share));
    signal_hook::flag::register(SIGTERM, Arc::clone(&shared.terminated))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let time_keeper = shared.pacer.clone().map(|pacer| {
            let kept = async move { pacer.keep_time().await };
            tokio::spawn(kept)
        });
        let attack = attack::prepare(&shared)?;
        let users = async {
            let outcome = Box::pin(attack.execute()).await;
            shared.ended.raise();
            debug!("all users have left");
            outcome
        };
        let (harvest, outcome) = tokio::join!(conductor::conduct(&shared, lead), users);
        if let Some(time_keeper) = time_keeper {
            time_keeper.abort();
            if let Ok(kept) = time_keeper.await {
                kept.context("the kernel has no timer for the open loop")?;
            }
        }
        match outcome {
            Ok(_) => Ok(harvest),
            Err(GooseError::ThresholdsFailed { failed, .. }) => {
                let broken = failed.iter().map(|of| format!("{}: {}", of.rule, of.observed));
                Ok(Harvest { broken_thresholds: broken.collect(), ..harvest })
            }
            Err(GooseError::InvalidOption { option, value, detail }) => {
                Err(Refused::new(&option, &value, &detail).into())
            }
            Err(error) => bail!("goose could not run the users: {error}"),
        }
    })
}
