//! Who asks what.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::Exchange;

/// What the users of a test ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Script {
    /// Each user asks one after the other, and then from the start again. User 0 begins with the
    /// first, user 1 with the second …, so that at any time all of them are asked.
    turns: Vec<Exchange>,
    /// Somebody who asks something else.
    blocker: Option<Blocker>,
}

/// Why a scenario with a blocker is not asked by one connection.
pub(crate) const BESIDE_NOBODY: &str =
    "it takes two connections at least, one that blocks and one that stands by";

/// One user, the first, who asks what may keep the server from answering the others: those are
/// the bystanders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Blocker {
    /// What it asks.
    pub(crate) exchange: Exchange,
    /// How long it rests between an answer and the next request.
    pub(crate) rest: Duration,
}

impl Script {
    /// All users ask this, again and again.
    pub(crate) fn of(exchange: Exchange) -> Self {
        Self { turns: vec![exchange], blocker: None }
    }

    /// All users ask these in turn.
    pub(crate) fn in_turn(first: Exchange, more: impl IntoIterator<Item = Exchange>) -> Self {
        Self { turns: std::iter::once(first).chain(more).collect(), blocker: None }
    }

    /// All users but the first ask this, and that one asks what `blocker` says.
    pub(crate) fn beside(blocker: Blocker, exchange: Exchange) -> Self {
        Self { blocker: Some(blocker), ..Self::of(exchange) }
    }

    /// The same requests, but each says that it is the last on its connection.
    pub(super) fn closing(self) -> Self {
        let closing =
            |blocker: Blocker| Blocker { exchange: blocker.exchange.closing(), rest: blocker.rest };
        Self {
            turns: self.turns.into_iter().map(Exchange::closing).collect(),
            blocker: self.blocker.map(closing),
        }
    }

    /// Where all of it goes.
    pub(crate) fn address(&self) -> SocketAddr {
        self.turns[0].address
    }

    /// What the user with this number asks at its turn with that number.
    pub(crate) fn exchange(&self, user: usize, turn: usize) -> &Exchange {
        match self.blocker(user) {
            Some(blocker) => &blocker.exchange,
            None => &self.turns[user.wrapping_add(turn) % self.turns.len()],
        }
    }

    /// The blocker, if that is what the user with this number is.
    pub(crate) fn blocker(&self, user: usize) -> Option<&Blocker> {
        self.blocker.as_ref().filter(|_| user == 0)
    }

    /// Whether the user with this number is one whom a blocker may keep waiting.
    pub(crate) fn is_bystander(&self, user: usize) -> bool {
        self.blocker.is_some() && user > 0
    }

    /// Whether there are bystanders among so many users.
    pub(crate) fn has_bystanders(&self, users: usize) -> bool {
        users > 1 && self.is_bystander(1)
    }

    /// Everything that somebody asks, once.
    pub(crate) fn different(&self) -> Vec<&Exchange> {
        let mut different: Vec<&Exchange> = Vec::new();
        let all = self.blocker.iter().map(|blocker| &blocker.exchange).chain(&self.turns);
        for exchange in all {
            if different.iter().all(|other| other.request != exchange.request) {
                different.push(exchange);
            }
        }
        different
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Body;

    fn get(target: &str) -> Exchange {
        Exchange::new(SocketAddr::from(([127, 0, 0, 1], 80)), "h", "GET", target, b"", Body::Any)
    }

    #[test]
    fn users_begin_at_different_turns_and_come_to_all() {
        let script = Script::in_turn(get("/a"), [get("/b"), get("/a")]);
        let asked = |user, turn| script.exchange(user, turn).request.clone();
        assert_eq!([asked(0, 0), asked(0, 1)], [get("/a").request, get("/b").request]);
        assert_eq!([asked(1, 0), asked(1, 3)], [get("/b").request, get("/b").request]);
        assert_eq!(script.different().len(), 2);
        assert!(!script.has_bystanders(64));
    }

    #[test]
    fn one_blocks_and_the_others_stand_by() {
        let rest = Duration::from_millis(80);
        let script = Script::beside(Blocker { exchange: get("/block"), rest }, get("/echo"));
        assert!(script.blocker(0).is_some() && !script.is_bystander(0));
        assert!(script.blocker(1).is_none() && script.is_bystander(1));
        assert_eq!(script.exchange(0, 1).request, get("/block").request);
        assert_eq!(script.exchange(7, 1).request, get("/echo").request);
        assert!(script.has_bystanders(2) && !script.has_bystanders(1));
        assert_eq!(script.different().len(), 2);
    }
}
