//! The accounts behind the [`Allowance`](super::Allowance): who holds how many places, who waits, and
//! who gets the next. Decisions only; the lock around it, and the waking, are the caller's.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Who holds how many places, and who waits. A ticket is queued only while every place is taken.
#[derive(Debug)]
pub(super) struct Ledger {
    max: usize,
    queue_max: usize,
    /// Places taken, by connections and by grants.
    open: usize,
    /// Requests that wait, granted or not: all that have not been dropped.
    waiting: usize,
    accounts: Vec<Account>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Account {
    /// This member's share of [`Ledger::open`].
    held: usize,
    /// Who has no place yet, in the order of arrival.
    queue: VecDeque<Arc<Ticket>>,
    asked: Arc<AtomicBool>,
    wake: Wake,
}

#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    granted: AtomicBool,
    pub(super) wake: Wake,
}

impl Ticket {
    /// Takes the grant, if there is one.
    pub(super) fn fetch(&self) -> bool {
        self.granted.load(Ordering::Acquire) && self.granted.swap(false, Ordering::AcqRel)
    }
}

impl Ledger {
    pub(super) fn new(max: usize, queue_max: usize) -> Self {
        Self { max, queue_max, open: 0, waiting: 0, accounts: Vec::new(), next_ticket: 0 }
    }

    /// A new member: its index, and its flag, raised so that its first look settles whether anybody
    /// waits.
    pub(super) fn join(&mut self, wake: Wake) -> (usize, Arc<AtomicBool>) {
        let asked = Arc::new(AtomicBool::new(true));
        let queue = VecDeque::new();
        self.accounts.push(Account { held: 0, queue, asked: Arc::clone(&asked), wake });
        (self.accounts.len() - 1, asked)
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Takes a free place, if there is one.
    pub(super) fn take(&mut self, member: usize) -> bool {
        let free = self.open < self.max;
        self.open += usize::from(free);
        self.accounts[member].held += usize::from(free);
        free
    }

    /// A ticket, granted at once if a place is free, and whom to wake: those who are asked now, or
    /// whoever is to look at the grant. A grant calls `wake`, or the member's own.
    pub(super) fn wait(
        &mut self,
        member: usize,
        wake: Option<Wake>,
    ) -> Option<(Arc<Ticket>, Vec<Wake>)> {
        if self.waiting == self.queue_max {
            return None;
        }
        self.waiting += 1;
        let wake = wake.unwrap_or_else(|| self.accounts[member].wake.clone());
        let granted = AtomicBool::new(self.take(member));
        let ticket = Arc::new(Ticket { number: self.next_ticket, granted, wake });
        self.next_ticket += 1;
        if ticket.granted.load(Ordering::Relaxed) {
            let granted = vec![ticket.wake.clone()];
            return Some((ticket, granted));
        }
        self.accounts[member].queue.push_back(Arc::clone(&ticket));
        let others = self.accounts.iter().enumerate().filter(|(index, _)| *index != member);
        let raised = others.filter(|(_, other)| !other.asked.swap(true, Ordering::Relaxed));
        let asked = raised.map(|(_, other)| other.wake.clone()).collect();
        Some((ticket, asked))
    }

    /// A ticket is gone; whether a place was granted to it that nobody fetched.
    pub(super) fn leave(&mut self, member: usize, ticket: &Ticket) -> bool {
        self.waiting -= 1;
        let queue = &mut self.accounts[member].queue;
        if let Ok(at) = queue.binary_search_by_key(&ticket.number, |queued| queued.number) {
            queue.remove(at);
        }
        ticket.fetch()
    }

    /// A place falls free; the ticket that has it now.
    pub(super) fn release(&mut self, member: usize) -> Option<Arc<Ticket>> {
        self.accounts[member].held -= 1;
        let Some(next) = self.next() else {
            self.open -= 1;
            return None;
        };
        let account = &mut self.accounts[next];
        account.held += 1;
        let ticket = account.queue.pop_front()?;
        ticket.granted.store(true, Ordering::Release);
        Some(ticket)
    }

    /// Whether `member` should close a connection it does not need; lowers its flag if nobody else
    /// waits.
    pub(super) fn asks(&self, member: usize) -> bool {
        let mine = &self.accounts[member];
        let others = || self.accounts.iter().enumerate().filter(|(index, _)| *index != member);
        let mut hungry = others().filter(|(_, other)| !other.queue.is_empty()).peekable();
        if hungry.peek().is_none() {
            mine.asked.store(false, Ordering::Relaxed);
            return false;
        }
        let Some(oldest) = mine.queue.front() else { return true };
        hungry.any(|(_, other)| {
            let is_older = other.queue.front().is_some_and(|first| first.number < oldest.number);
            // An even share is left alone; but somebody with nothing gets a turn.
            other.held + 1 < mine.held || (other.held == 0 && is_older)
        })
    }

    /// The member that the next place goes to.
    fn next(&self) -> Option<usize> {
        let hungry = self.accounts.iter().enumerate();
        hungry
            .filter_map(|(index, account)| {
                Some((account.held, account.queue.front()?.number, index))
            })
            .min()
            .map(|(_, _, index)| index)
    }
}

/// Tells somebody to look again.
#[derive(Clone)]
pub(super) struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    pub(super) fn call(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wake")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A ledger whose members count how often they are woken.
    fn ledger(max: usize, members: usize) -> (Ledger, Vec<Arc<AtomicUsize>>) {
        let mut ledger = Ledger::new(max, 100);
        let counts: Vec<Arc<AtomicUsize>> = (0..members).map(|_| Arc::default()).collect();
        for count in &counts {
            let count = Arc::clone(count);
            ledger.join(Wake::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }));
        }
        for member in 0..members {
            assert!(!ledger.asks(member), "nobody waits");
        }
        (ledger, counts)
    }

    fn take(ledger: &mut Ledger, member: usize, times: usize) {
        for _ in 0..times {
            assert!(ledger.take(member));
        }
    }

    fn wait(ledger: &mut Ledger, member: usize) -> Arc<Ticket> {
        let (ticket, wakes) = ledger.wait(member, None).expect("room in the queue");
        wakes.iter().for_each(Wake::call);
        ticket
    }

    fn asked(ledger: &Ledger) -> Vec<usize> {
        (0..ledger.accounts.len()).filter(|&member| ledger.asks(member)).collect()
    }

    #[test]
    fn places_are_counted_and_bounded() {
        let (mut ledger, _) = ledger(2, 2);
        take(&mut ledger, 0, 1);
        take(&mut ledger, 1, 1);
        assert!(!ledger.take(0));
        assert!(ledger.release(1).is_none());
        take(&mut ledger, 0, 1);
        assert_eq!((ledger.open(), ledger.accounts[0].held, ledger.accounts[1].held), (2, 2, 0));
    }

    #[test]
    fn a_free_place_is_granted_at_once_and_no_wait_for_it_is_in_vain() {
        let (mut ledger, counts) = ledger(1, 2);
        let woken = || counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let granted = wait(&mut ledger, 0);
        assert_eq!(woken(), [1, 0], "who waits for a grant that was already there waits for ever");
        assert!(granted.fetch());
        assert!(!wait(&mut ledger, 0).fetch());
        assert_eq!(woken(), [1, 1], "now the other is asked");
    }

    #[test]
    fn the_longest_waiting_is_served_first_and_nobody_overtakes() {
        let (mut ledger, _) = ledger(2, 3);
        take(&mut ledger, 0, 2);
        let tickets = [1, 2, 1].map(|member| wait(&mut ledger, member));
        for served in [0, 1] {
            let granted = ledger.release(0).expect("somebody waits");
            assert!(Arc::ptr_eq(&granted, &tickets[served]), "{served}");
            assert!(!ledger.take(0), "the place is granted, not free");
        }
        assert!(tickets[0].fetch() && !tickets[0].fetch(), "a place is had once");
        assert!(tickets[1].fetch() && !tickets[2].fetch());
    }

    #[test]
    fn a_place_goes_to_who_holds_fewest() {
        let (mut ledger, _) = ledger(4, 3);
        take(&mut ledger, 0, 2);
        take(&mut ledger, 1, 2);
        let older = wait(&mut ledger, 1);
        let poorer = wait(&mut ledger, 2);
        ledger.release(0);
        assert!(poorer.fetch() && !older.fetch());
    }

    #[test]
    fn all_others_are_asked_once_until_they_have_looked() {
        let (mut ledger, counts) = ledger(1, 3);
        let woken = || counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        take(&mut ledger, 0, 1);
        let first = wait(&mut ledger, 1);
        let second = wait(&mut ledger, 1);
        assert_eq!((woken(), asked(&ledger)), (vec![1, 0, 1], vec![0, 2]));
        for ticket in [first, second] {
            assert!(!ledger.leave(1, &ticket));
        }
        assert!(asked(&ledger).is_empty());
        let _third = wait(&mut ledger, 1);
        assert_eq!(woken(), [2, 0, 2], "a lowered flag is raised anew");
    }

    #[test]
    fn members_that_both_wait_keep_an_even_share() {
        for (mine, other, expected) in [(2, 2, false), (3, 2, false), (4, 2, true), (2, 0, true)] {
            let (mut ledger, _) = ledger(mine + other, 2);
            take(&mut ledger, 0, mine);
            take(&mut ledger, 1, other);
            let _waiting = [0, 1].map(|member| wait(&mut ledger, member));
            assert_eq!(ledger.asks(0), expected, "{mine} and {other}");
            assert!(!ledger.asks(1), "{mine} and {other}");
        }
    }

    #[test]
    fn fewer_places_than_members_go_round() {
        let (mut ledger, _) = ledger(1, 2);
        take(&mut ledger, 0, 1);
        let theirs = wait(&mut ledger, 1);
        let mine = wait(&mut ledger, 0);
        assert!(ledger.asks(0), "the other has waited longer");
        ledger.release(0);
        assert!(theirs.fetch() && !mine.fetch());
        assert!(ledger.asks(1), "and has no more to wait for");
        let newcomer = wait(&mut ledger, 1);
        ledger.release(1);
        assert!(mine.fetch() && !newcomer.fetch());
    }

    #[test]
    fn who_leaves_passes_on_what_was_granted() {
        let (mut ledger, _) = ledger(1, 1);
        take(&mut ledger, 0, 1);
        let tickets = [0; 4].map(|member| wait(&mut ledger, member));
        assert!(!ledger.leave(0, &tickets[1]), "nothing was granted to it");
        ledger.release(0);
        assert!(ledger.leave(0, &tickets[0]), "the caller releases it");
        ledger.release(0);
        assert!(tickets[2].fetch() && !tickets[1].fetch());
        assert!(!ledger.leave(0, &tickets[2]), "it has fetched it");
        assert_eq!((ledger.waiting, ledger.open()), (1, 1));
    }
}
