//! Load, made by `goose` users.
//!
//! `goose` starts the users, runs their transactions and joins them at the end. What it does not
//! do is the wire: every user owns one [`Connection`](crate::wire::Connection), and the figures
//! are kept in one [`Recorder`], because `goose`'s own client and metrics cost several times what
//! the servers under test do.
//!
//! A test has four parts that never overlap, and the [`conductor`] leads through them:
//!
//! | part | what happens | counted |
//! |---|---|---|
//! | ramp | every user connects, is answered once and then holds its connection | errors |
//! | warm-up | all users start together and ask as fast as they are answered | errors |
//! | window | the same | errors, answers, service times |
//! | end | every wait is cut short, every user leaves | – |
//!
//! Before all that one request alone is made ([`probe()`]): a load of wrong answers measures
//! nothing. Users who get wrong ones later [back off](back_off).
//!
//! The load is a *closed loop*: a user sends its next request when it has its answer, so the
//! times are service times. A slow server slows its users down; that is not the response time
//! that independent clients would see.

mod back_off;
mod conductor;
mod probe;
mod recorder;
mod scenario;
mod user;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use goose::GooseAttack;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::Scenario as GooseScenario;
use tokio::sync::{Notify, Semaphore};

pub(crate) use conductor::{CLIENT_BOUND, Observer, Part, Summary};
pub(crate) use probe::probe;
pub(crate) use recorder::{Errors, Recorder};
pub(crate) use scenario::{Scenario, Upstream};

use crate::wire::{Exchange, Signal};

/// How many users may be between their first SYN and their first answer. More would only stand
/// in the server's backlog, and what overflows that is sent again a second later.
const RAMP_WIDTH: usize = 256;

/// One test.
#[derive(Debug)]
pub(crate) struct Load {
    /// What every user asks, again and again.
    pub(crate) exchange: Exchange,
    /// How many users, each with a connection of its own.
    pub(crate) connections: usize,
    /// How long all of them may take to connect; then those start that did.
    pub(crate) connect_time_out: Duration,
    /// How long a single request may take.
    pub(crate) time_out: Duration,
    /// From the start to the opening of the window.
    pub(crate) warm_up: Duration,
    /// The length of the window.
    pub(crate) window: Duration,
}

/// What the users and the conductor of a test share.
#[derive(Debug)]
struct Shared {
    load: Load,
    recorder: Recorder,
    /// Permits to connect, see [`RAMP_WIDTH`].
    ramp: Semaphore,
    /// Told when the last user has connected.
    all_connected: Notify,
    start: Signal,
    over: Arc<Signal>,
}

/// Runs the test on the calling thread and returns when all users have left.
pub(crate) fn drive(load: Load, observer: &mut dyn Observer) -> anyhow::Result<Summary> {
    let shared = Arc::new(Shared {
        load,
        recorder: Recorder::default(),
        ramp: Semaphore::new(RAMP_WIDTH),
        all_connected: Notify::new(),
        start: Signal::default(),
        over: Arc::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let attack = attack(&shared)?;
        let (summary, metrics) =
            tokio::join!(conductor::conduct(&shared, observer), attack.execute());
        metrics.context("goose could not run the users")?;
        Ok(summary)
    })
}

fn attack(shared: &Arc<Shared>) -> anyhow::Result<GooseAttack> {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(format!("http://{}", shared.load.exchange.address));
    configuration.users = Some(shared.load.connections);
    // All at once: how fast they connect is the ramp's affair.
    configuration.increase_rate = Some("100000000".to_owned());
    // Warnings only, no listening controller, no figures and no report of its own.
    configuration.quiet = 2;
    configuration.no_telnet = true;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    let mut scenario = GooseScenario::new("closed loop");
    for transaction in user::transactions(shared) {
        scenario = scenario.register_transaction(transaction);
    }
    Ok(GooseAttack::initialize_with_config(configuration)?
        // No user makes a request with it, but without a shared one each gets its own.
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}
