//! A test as `goose` sees it: a configuration, a scenario, and two transactions for every user.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use goose::GooseAttack;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::generator::Shared;
use super::user::{Asked, User};
use crate::wire::Exchange;

/// How many requests make a transaction, and after how long there is no other in it. `goose` looks
/// for a stop between transactions only, but what it does there costs as much as a request.
const REQUESTS_PER_TRANSACTION: usize = 100;
const TRANSACTION: Duration = Duration::from_millis(100);
/// Users a second, where goose is not told how fast to start them: all at once. How fast they
/// connect is the ramp's affair.
const AT_ONCE: &str = "100000000";

/// Everything that `goose` needs to run the users.
pub(super) fn prepare(shared: &Arc<Shared>) -> anyhow::Result<GooseAttack> {
    let mut scenario = Scenario::new("requests");
    for transaction in transactions(shared) {
        scenario = scenario.register_transaction(transaction);
    }
    Ok(GooseAttack::initialize_with_config(configuration(shared)?)?
        // No user makes a request with it, but without a shared one each gets its own.
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}

fn configuration(shared: &Shared) -> anyhow::Result<GooseConfiguration> {
    let goose = &shared.load.goose;
    let mut configuration =
        goose.configuration().map_err(|refused| anyhow!("--goose: {refused}"))?;
    configuration.host = Some(format!("http://{}", shared.load.script.address()));
    if !goose.plans() {
        configuration.users = Some(shared.users);
    }
    if !goose.leads() {
        configuration.increase_rate = Some(AT_ONCE.to_owned());
    }
    if configuration.verbose == 0 {
        // Warnings only.
        configuration.quiet = 2;
    }
    configuration.no_telnet = true;
    if !goose.wants_metrics() {
        configuration.no_metrics = true;
        configuration.no_print_metrics = true;
    }
    Ok(configuration)
}

/// The two transactions of every user, in order: get ready, then ask.
fn transactions(shared: &Arc<Shared>) -> [Transaction; 2] {
    let for_ready = Arc::clone(shared);
    let ready = Transaction::new(Arc::new(move |goose_user| {
        Box::pin(get_ready(goose_user, Arc::clone(&for_ready)))
    }));
    let reports = shared.load.goose.wants_metrics();
    let ask = Transaction::new(Arc::new(move |goose_user| Box::pin(ask(goose_user, reports))));
    [ready.set_name("get ready").set_on_start(), ask.set_name("ask")]
}

async fn get_ready(goose_user: &mut GooseUser, shared: Arc<Shared>) -> TransactionResult {
    let mut user = User::new(Arc::clone(&shared), goose_user.weighted_users_index);
    if user.connect_and_hold().await {
        shared.start.raised().await;
        user.start();
    }
    // What a user keeps must be `Clone`, which a connection is not.
    goose_user.set_session_data(Arc::new(Mutex::new(user)));
    Ok(())
}

async fn ask(goose_user: &mut GooseUser, reports: bool) -> TransactionResult {
    let user = goose_user.get_session_data_unchecked::<Arc<Mutex<User>>>().clone();
    let mut user = user.lock().await;
    let began = Instant::now();
    for _ in 0..REQUESTS_PER_TRANSACTION {
        let Ok(asked) = user.ask().await else {
            // Tells goose that this was the user's last transaction. It would otherwise call a user
            // that has nothing left to wait for again and again.
            goose_user.config.iterations = Some(1);
            return Ok(());
        };
        if reports {
            report(goose_user, user.last_exchange(), asked).await?;
        }
        if asked.ended.saturating_duration_since(began) > TRANSACTION {
            break;
        }
    }
    Ok(())
}

/// Tells goose, for its own metrics.
async fn report(
    goose_user: &mut GooseUser,
    exchange: &Exchange,
    asked: Asked,
) -> TransactionResult {
    let (method, target) = exchange.method_and_target();
    let (time, status, error) = match asked.outcome {
        Ok(time) => (time, Some(exchange.status), None),
        Err(fault) => (Duration::ZERO, None, Some(fault.name())),
    };
    let success = error.is_none();
    goose_user.record_custom_request_duration(method, target, time, success, status, error).await
}
