//! Who uses which connection upstream: whom an event on it concerns.

use std::{cell::RefCell, rc::Rc};

use mio::Token;

use crate::slots::{Side, Slots};

/// The users of a loop's connections upstream.
pub(crate) struct Users(Rc<RefCell<Slots<User>>>);

/// Whom an event on a connection upstream concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// The loop: the connection is idle.
    Nobody,
    /// The client's connection of this token, which has a request upstream.
    Client(Token),
}

/// What a connection upstream is known by, until this is dropped.
pub(crate) struct Entry {
    users: Rc<RefCell<Slots<User>>>,
    token: Token,
}

impl Users {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Slots::new(Side::Upstream))))
    }

    /// Enters a connection with its first user.
    pub(crate) fn enter(&self, user: User) -> Entry {
        let mut slots = self.0.borrow_mut();
        let token = slots.next_token();
        slots.insert(user);
        Entry { users: Rc::clone(&self.0), token }
    }

    /// Who uses the connection of this token, if that is still there.
    pub(crate) fn of(&self, token: Token) -> Option<User> {
        self.0.borrow_mut().get_mut(token).copied()
    }
}

impl Entry {
    /// By which the kernel knows the connection.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// The connection changes hands.
    pub(crate) fn set(&self, user: User) {
        if let Some(entry) = self.users.borrow_mut().get_mut(self.token) {
            *entry = user;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.users.borrow_mut().remove(self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_finds_who_uses_the_connection_now() {
        let users = Users::new();
        let [first, second] = [User::Client(Token(1)), User::Client(Token(2))];
        let entry = users.enter(first);
        let other = users.enter(second);
        assert_eq!(users.of(entry.token()), Some(first));
        entry.set(User::Nobody);
        assert_eq!(users.of(entry.token()), Some(User::Nobody));
        entry.set(second);
        assert_eq!(users.of(entry.token()), Some(second));
        assert_eq!(users.of(other.token()), Some(second));
    }

    #[test]
    fn a_late_event_finds_nobody() {
        let users = Users::new();
        let entry = users.enter(User::Nobody);
        let late = entry.token();
        drop(entry);
        let next = users.enter(User::Client(Token(1)));
        assert_eq!(users.of(late), None);
        assert_eq!(users.of(next.token()), Some(User::Client(Token(1))));
    }
}
