//! When to look at a connection though nothing has happened on it.
//!
//! One entry a connection, and it lags behind on purpose: a deadline that moves away, as it does
//! with every request, costs nothing. An entry that comes up too early is entered anew.

use std::{collections::BTreeSet, time::Instant};

use mio::Token;

/// The timers of a loop, the earliest first.
#[derive(Default)]
pub(crate) struct Timers(BTreeSet<(Instant, Token)>);

/// When a connection's entry comes up, if it has one.
#[derive(Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Has `token` come up at `deadline` or before.
    pub(crate) fn arm(&mut self, token: Token, armed: &mut Armed, deadline: Instant) {
        if armed.0.is_none_or(|at| at > deadline) {
            self.disarm(token, armed);
            self.0.insert((deadline, token));
            armed.0 = Some(deadline);
        }
    }

    /// Removes the entry of `token`.
    pub(crate) fn disarm(&mut self, token: Token, armed: &mut Armed) {
        if let Some(at) = armed.0.take() {
            self.0.remove(&(at, token));
        }
    }

    /// When the first entry comes up.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out an entry that has come up by `now`; its connection has none from then on.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Token> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, token)| token)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_earliest_comes_up_first_and_not_before_its_time() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let (mut first, mut second) = (Armed::default(), Armed::default());
        timers.arm(Token(2), &mut second, start + 2 * SECOND);
        timers.arm(Token(1), &mut first, start + SECOND);
        assert_eq!(timers.next(), Some(start + SECOND));
        assert_eq!(timers.pop(start), None);
        assert_eq!(timers.pop(start + 2 * SECOND), Some(Token(1)));
        assert_eq!(timers.pop(start + 2 * SECOND), Some(Token(2)));
        assert_eq!(timers.pop(start + 2 * SECOND), None);
    }

    #[test]
    fn a_later_deadline_leaves_the_entry_and_an_earlier_one_moves_it() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let mut armed = Armed::default();
        timers.arm(Token(7), &mut armed, start + 2 * SECOND);
        timers.arm(Token(7), &mut armed, start + 3 * SECOND);
        assert_eq!(timers.next(), Some(start + 2 * SECOND));
        timers.arm(Token(7), &mut armed, start + SECOND);
        assert_eq!(timers.next(), Some(start + SECOND));
        timers.disarm(Token(7), &mut armed);
        assert_eq!(timers.next(), None);
    }
}
