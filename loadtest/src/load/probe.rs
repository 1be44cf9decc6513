//! One request of each kind before the load: is this the right server, and does it answer as it
//! should? And one after it, where it is in doubt whether there still is a server.

use std::sync::Arc;

use super::Load;
use crate::wire::{Connection, Exchange, Fault, Patience, Reply, Stop};

/// An answer that a load of more would not make better.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got}")]
pub(crate) struct Unexpected {
    expected: String,
    got: String,
}

/// Makes one request of each kind, each on a connection of its own.
///
/// # Errors
/// [`Unexpected`], if one is not answered rightly in the time that a request may take.
pub(crate) fn probe(load: &Load) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for exchange in load.script.different() {
        let got = match runtime.block_on(ask(load, exchange)) {
            // It can't be over before it has begun.
            Ok(Reply { fault: None, .. }) | Err(Stop::Over) => continue,
            Ok(reply) => in_words(reply),
            Err(Stop::Fault(fault)) => fault.in_words().to_owned(),
        };
        return Err(Unexpected { expected: exchange.expected(), got }.into());
    }
    Ok(())
}

/// Whether the server says anything at all, right or wrong, in the time that a request may take.
pub(crate) fn is_there(load: &Load) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = runtime.block_on(ask(load, load.script.exchange(0, 0)));
    Ok(!matches!(said, Err(Stop::Fault(fault)) if fault.is_absence()))
}

async fn ask(load: &Load, exchange: &Exchange) -> Result<Reply, Stop> {
    let mut patience = Patience::new(load.time_out, Arc::default());
    let mut connection = Connection::open(exchange.address, &load.origin, 0, &mut patience).await?;
    connection.exchange(exchange, &mut patience).await
}

/// A complete answer that is a wrong one.
fn in_words(reply: Reply) -> String {
    match reply {
        Reply { fault: Some(Fault::WrongBody), status, length: 0, .. } => {
            format!("{status} and no body")
        }
        Reply { fault: Some(Fault::WrongBody), status, length, .. } => {
            format!("{status} and {length} other bytes")
        }
        Reply { status, .. } => status.to_string(),
    }
}
