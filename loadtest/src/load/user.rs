//! A closed-loop user: connect, be answered once, wait for the start, ask until it is over.

use std::sync::Arc;
use std::time::Duration;

use goose::goose::{GooseUser, Transaction};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Shared;
use crate::wire::{Connection, Patience, Stop};

/// How many requests make a transaction. `goose` looks for a stop between transactions only, but
/// what it does there costs as much as a request.
const REQUESTS_PER_TRANSACTION: usize = 100;
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(1);
const LONGEST_BACK_OFF: Duration = Duration::from_millis(128);

/// The two transactions of every user, in order: get ready, then ask.
pub(super) fn transactions(shared: &Arc<Shared>) -> [Transaction; 2] {
    let for_ready = Arc::clone(shared);
    let ready = Transaction::new(Arc::new(move |goose_user| {
        Box::pin(get_ready(goose_user, Arc::clone(&for_ready)))
    }));
    let ask = Transaction::new(Arc::new(|goose_user| Box::pin(ask(goose_user))));
    [ready.set_name("get ready").set_on_start(), ask.set_name("ask")]
}

async fn get_ready(
    goose_user: &mut GooseUser,
    shared: Arc<Shared>,
) -> goose::goose::TransactionResult {
    let mut user = User::new(Arc::clone(&shared));
    user.connect_and_hold().await;
    shared.start.raised().await;
    // What a user keeps must be `Clone`, which a connection is not.
    goose_user.set_session_data(Arc::new(Mutex::new(user)));
    Ok(())
}

async fn ask(goose_user: &mut GooseUser) -> goose::goose::TransactionResult {
    let user = goose_user.get_session_data_unchecked::<Arc<Mutex<User>>>().clone();
    if user.lock().await.ask_many().await == Err(Stop::Over) {
        // Tells goose that this was the user's last transaction. It would otherwise call a user
        // that has nothing left to wait for again and again.
        goose_user.config.iterations = Some(1);
    }
    Ok(())
}

/// What a user has between two transactions.
#[derive(Debug)]
struct User {
    shared: Arc<Shared>,
    patience: Patience,
    connection: Option<Connection>,
    back_off: Duration,
}

impl User {
    fn new(shared: Arc<Shared>) -> Self {
        let patience = Patience::new(shared.load.time_out, Arc::clone(&shared.over));
        Self { shared, patience, connection: None, back_off: SHORTEST_BACK_OFF }
    }

    /// The ramp: tries until it has a connection that has carried one request, or the start
    /// comes without it.
    async fn connect_and_hold(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Ok(_permit) = shared.ramp.acquire().await else { return };
        while !shared.start.is_raised() {
            let outcome = self.ask_once().await;
            if outcome.is_ok() && self.connection.is_some() {
                if shared.recorder.connected() == shared.load.connections {
                    shared.all_connected.notify_one();
                }
                return;
            }
            if outcome == Err(Stop::Over) || self.recover().await.is_err() {
                return;
            }
        }
    }

    /// As many requests as make a transaction. An error only if the test is over.
    async fn ask_many(&mut self) -> Result<(), Stop> {
        for _ in 0..REQUESTS_PER_TRANSACTION {
            match self.ask_once().await {
                Ok((service_time, bytes)) => {
                    self.shared.recorder.answered(service_time, bytes);
                    self.back_off = SHORTEST_BACK_OFF;
                }
                Err(Stop::Over) => return Err(Stop::Over),
                Err(Stop::Fault(_)) => self.recover().await?,
            }
            if self.shared.over.is_raised() {
                return Err(Stop::Over);
            }
        }
        Ok(())
    }

    /// One request, on a new connection if there is none. Counts what goes wrong; gives the
    /// service time and the bytes of a right answer.
    async fn ask_once(&mut self) -> Result<(Duration, u64), Stop> {
        let outcome = self.try_once().await;
        if let Err(Stop::Fault(fault)) = outcome {
            self.shared.recorder.failed(fault);
        }
        outcome
    }

    async fn try_once(&mut self) -> Result<(Duration, u64), Stop> {
        let exchange = &self.shared.load.exchange;
        // Taken out for the time of the exchange: if that fails it is not put back.
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.patience.restart(Instant::now());
            Connection::open(exchange.address, &mut self.patience).await?
        };
        let sent = Instant::now();
        self.patience.restart(sent);
        let reply = connection.exchange(exchange, &mut self.patience).await?;
        let service_time = sent.elapsed();
        let bytes = connection.take_bytes();
        if reply.persistent {
            self.connection = Some(connection);
        }
        match reply.fault {
            None => Ok((service_time, bytes)),
            Some(fault) => Err(Stop::Fault(fault)),
        }
    }

    /// After a fault: a user whose connection is gone waits before it opens another, twice as
    /// long every time in a row.
    async fn recover(&mut self) -> Result<(), Stop> {
        if self.connection.is_some() {
            return Ok(());
        }
        let pause = self.back_off;
        self.back_off = LONGEST_BACK_OFF.min(2 * pause);
        self.patience.pause(pause).await
    }
}
