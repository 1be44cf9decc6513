//! What must hold of a vector, of what its client heard, and of what the origin was sent.
//!
//! The client's bytes are read by [`strict`](contract::strict), and what came out behind the proxy must
//! be just that:
//!
//! - Each whole request reached the origin once, in its order, with the method, the target, the host,
//!   the fields and the content that it has for a strict reader. Its answer is the one that the origin
//!   gave to it. But for TRACE, and OPTIONS that must go no further: those the proxy answers itself.
//! - Whatever is wrong after that is refused, with the status that is due, and reaches nobody. Only if
//!   its head is good may the origin have seen a beginning of it, and only as what it is: the connection
//!   ended before the request did, so it was not answered.
//! - The same is true of a request that the client itself broke off.
//!
//! So the origin answers as many requests as the client gets answers that the proxy has not made
//! itself: no more (a 100 is none, and what was cut was not answered), and no fewer. A client that
//! half-closes after whole requests hears all the same.
//!
//! An origin that answers before it has the content may have answered one more: the one that the client
//! broke off or got wrong, to which the client has heard that answer, or the proxy's.

use std::collections::BTreeSet;

use contract::Backend;
use contract::exceptions::{CHUNK_EXTENSION, SHORT_CONTENT};
use contract::strict::{Ending, Request};
use contract::vector::{End, Outcome};

use crate::heard::Told;
use crate::passage::{brief, goes_upstream, is_passed_on};
use crate::recorder::{Manner, Records, Seen, Tag};
use crate::stage::{Act, Canary};

/// By what is judged.
pub(crate) struct Court<'a> {
    pub(crate) backend: Backend,
    pub(crate) manner: Manner,
    pub(crate) records: &'a Records,
    /// Whom `Host` names where a client's request names nobody.
    pub(crate) host: &'a str,
}

/// What a client asks for that has deceived a lenient reader.
const POISON: &str = "/poison";

impl Court<'_> {
    /// What is wrong, of all that has happened.
    pub(crate) fn objections(&self, acts: &[Act], bystanders: &[Canary]) -> Vec<String> {
        let of_acts = acts.iter().filter_map(|act| {
            let verdict = self.judge(act).and_then(|()| self.judge_canary(&act.canary));
            let Act { vector, heard, .. } = act;
            let objection = verdict.err()?;
            let seen = self.records.of(act.client).map(|seen| brief(&seen.request));
            let seen = seen.collect::<Vec<_>>().join(", ");
            let vector = vector.describe();
            Some(format!("{vector}\n=> {objection}\n=> heard: {heard}\n=> at the origin: {seen}"))
        });
        let of_others = bystanders.iter().filter_map(|other| self.judge_canary(other).err());
        let of_all = self.records.wrong.iter().cloned().chain(self.strangers(acts, bystanders));
        of_all.chain(of_others).chain(of_acts).collect()
    }

    /// What was asked for nobody who is there.
    fn strangers(&self, acts: &[Act], bystanders: &[Canary]) -> Vec<String> {
        let canaries = acts.iter().map(|act| act.canary.client);
        let others = bystanders.iter().map(|other| other.client);
        let known: BTreeSet<_> =
            acts.iter().map(|act| act.client).chain(canaries).chain(others).collect();
        let Records { seen, cut, .. } = self.records;
        let asked = seen.iter().map(|seen| (seen.client, &seen.request));
        let asked = asked.chain(cut.iter().map(|cut| (cut.client, &cut.request)));
        let unknown = asked.filter(|(client, _)| !known.contains(client));
        unknown
            .map(|(client, request)| format!("for {client}, who is not here: {request}"))
            .collect()
    }

    /// Whether each request of `acts`, which were one after the other, came on the connection of the
    /// one before; but after one that was cut, or of which nobody knows whether it was.
    pub(crate) fn have_one_connection(&self, acts: &[Act]) -> Result<(), String> {
        let mut last = None;
        for act in acts {
            if act.read.begun().is_some() || act.vector.is_excused(self.backend) {
                last = act.canary.tag().ok();
                continue;
            }
            let tags = self.records.of(act.client).chain(self.records.of(act.canary.client));
            for tag in tags.map(|seen| seen.tag) {
                if last.is_some_and(|Tag(connection, number)| tag != Tag(connection, number + 1)) {
                    return Err(format!(
                        "{:?} did not follow {last:?} but {tag:?}",
                        act.vector.name
                    ));
                }
                last = Some(tag);
            }
        }
        Ok(())
    }

    fn judge(&self, act: &Act) -> Result<(), String> {
        if let Some(fault) = &act.heard.fault {
            return Err(fault.clone());
        }
        if act.heard.invited && !act.read.may_be_invited() {
            return Err("nobody waited for a 100".to_owned());
        }
        if act.vector.is_excused(self.backend) {
            self.judge_leniently(act)
        } else {
            self.judge_strictly(act)
        }
    }

    /// As the vector is read strictly.
    fn judge_strictly(&self, act: &Act) -> Result<(), String> {
        let mut told = act.heard.answers.iter().peekable();
        let mut seen = self.records.of(act.client);
        for request in &act.read.requests {
            let answer = told.next().ok_or_else(|| format!("no answer to {}", brief(request)))?;
            if !goes_upstream(request) {
                by_the_proxy(answer, |status| matches!(status, 204 | 405))?;
                continue;
            }
            let seen = seen.next().ok_or_else(|| format!("{} is lost", brief(request)))?;
            is_the_answer(answer, seen)?;
            self.is_the_same(request, seen)?;
            if self.manner == Manner::Hasty && request.waits() {
                // Whether what comes next is its content, nobody knows (RFC 9110, 10.1.1).
                break;
            }
        }
        let begun = act.read.begun();
        let overtaken = self.judge_overtaken(begun, seen.next(), told.peek().copied())?;
        match &act.read.ending {
            _ if overtaken => drop(told.next()),
            Ending::Wrong(fault, _) => {
                let refusal = told.next().ok_or("it is not refused")?;
                by_the_proxy(refusal, |status| status == fault.status)?;
            }
            Ending::Begun(Some(_)) if SHORT_CONTENT.excuses(self.backend) => {
                told.next()
                    .map_or(Ok(()), |answer| by_the_proxy(answer, |status| status == 400))?;
            }
            _ => {}
        }
        match (told.next(), seen.next()) {
            (Some(answer), _) => Err(format!("one answer too many: {answer:?}")),
            (_, Some(seen)) => Err(format!("one request too many: {}", brief(&seen.request))),
            (None, None) => self.judge_cut(act, begun),
        }
    }

    /// A request that has only `begun` may be answered, if the origin does not wait for its end.
    /// Whether that is what the client was told next.
    fn judge_overtaken(
        &self,
        begun: Option<&Request>,
        seen: Option<&Seen>,
        told: Option<&Told>,
    ) -> Result<bool, String> {
        let Some(seen) = seen else { return Ok(false) };
        let Some(begun) = begun.filter(|_| self.manner == Manner::Hasty && !seen.whole) else {
            return Err(format!("one request too many: {}", brief(&seen.request)));
        };
        self.has_begun(begun, &seen.request)?;
        match told {
            Some(answer) if answer.tag.is_some() => is_the_answer(answer, seen).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Of what ended too soon, the origin may have had a beginning.
    fn judge_cut(&self, act: &Act, begun: Option<&Request>) -> Result<(), String> {
        let mut cuts = self.records.cut.iter().filter(|cut| cut.client == act.client);
        match (cuts.next(), begun) {
            (None, _) => return Ok(()),
            (Some(cut), None) => return Err(format!("{} was cut", brief(&cut.request))),
            (Some(cut), Some(begun)) => self.has_begun(begun, &cut.request)?,
        }
        cuts.next().map_or(Ok(()), |cut| Err(format!("{} was cut, too", brief(&cut.request))))
    }

    /// As the table of exceptions has it, which says how many requests there are, but not which.
    fn judge_leniently(&self, act: &Act) -> Result<(), String> {
        let seen: Vec<_> = self.records.of(act.client).collect();
        if seen.iter().any(|seen| seen.request.target.starts_with(POISON)) {
            return Err("the poison was asked for".to_owned());
        }
        let relayed = act.heard.answers.iter().take_while(|told| told.tag.is_some()).count();
        let (relayed, refusals) = act.heard.answers.split_at(relayed);
        for (answer, seen) in relayed.iter().zip(&seen) {
            is_the_answer(answer, seen)?;
        }
        refusals.iter().try_for_each(|answer| by_the_proxy(answer, |status| status >= 400))?;
        let unheard = seen.len().checked_sub(relayed.len()).ok_or("one answer too many")?;
        if self.manner == Manner::Hasty {
            return if unheard > 1 { Err("one request too many".to_owned()) } else { Ok(()) };
        }
        let is_probe = |seen: &&&Seen| seen.request.host.as_deref() == Some("probe");
        let probed = seen.iter().filter(is_probe).count();
        let is_due = |outcome: &Outcome| {
            let good = outcome.answers.iter().filter(|status| **status < 400).count();
            unheard == 0
                && seen.len() - probed == good - usize::from(outcome.end == End::Cut)
                && probed == usize::from(outcome.end == End::Open)
        };
        let outcomes = act.vector.outcomes(self.backend);
        if outcomes.iter().any(is_due) {
            return Ok(());
        }
        Err(format!("{} requests where {outcomes:?} was due", seen.len()))
    }

    fn judge_canary(&self, canary: &Canary) -> Result<(), String> {
        let tag = canary.tag()?;
        let seen: Vec<_> = self.records.of(canary.client).map(|seen| seen.tag).collect();
        if seen == [tag] { Ok(()) } else { Err(format!("{tag:?} came as {seen:?}")) }
    }

    /// What the client has asked for whole is what the origin was asked for, unless the origin has
    /// answered before it had it all.
    fn is_the_same(&self, request: &Request, seen: &Seen) -> Result<(), String> {
        is_passed_on(request, &seen.request, self.host)?;
        let has_all = seen.whole && request.content == seen.request.content;
        if has_all || !seen.whole && self.manner == Manner::Hasty {
            Ok(())
        } else {
            Err(format!("{} has lost some of its content", brief(request)))
        }
    }

    /// The same of what has no end, or a wrong one. Who does not look into chunk extensions may find
    /// that later than others.
    fn has_begun(&self, begun: &Request, seen: &Request) -> Result<(), String> {
        if !CHUNK_EXTENSION.excuses(self.backend) {
            return is_passed_on(begun, seen, self.host);
        }
        let content = Vec::new();
        is_passed_on(begun, &Request { content, ..seen.clone() }, self.host)
    }
}

fn is_the_answer(answer: &Told, seen: &Seen) -> Result<(), String> {
    let asked = if seen.request.method == "HEAD" { None } else { Some(brief(&seen.request)) };
    let is_own = answer.tag == Some(seen.tag) && answer.asked == asked && answer.status == 200;
    if is_own {
        Ok(())
    } else {
        Err(format!("{} was answered by {answer:?}", brief(&seen.request)))
    }
}

fn by_the_proxy(answer: &Told, is_due: impl Fn(u16) -> bool) -> Result<(), String> {
    let is_good = answer.tag.is_none() && is_due(answer.status);
    if is_good { Ok(()) } else { Err(format!("another refusal was due than {answer:?}")) }
}
