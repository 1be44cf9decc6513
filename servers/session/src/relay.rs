//! A session while it forwards: the way from the request to the end of its answer.

use std::time::Instant;

use http::{Response, header, request, response};
use service::{Body, DRAIN_AT_MOST, Failure, Forward};

use crate::{
    Buffers, Context, Release, Session, Step,
    forwarding::{Forwarding, Late, Next},
    request::answer_to,
    session::State,
};

impl Session {
    /// Says that there is a place for a new connection upstream, which is being made.
    pub fn connecting(&mut self, now: Instant) {
        let until = now + self.context.timeouts.upstream_connect;
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.connecting(until);
        }
    }

    /// Says that there is a connection upstream. `reused`: it has carried other requests.
    pub fn connected(&mut self, reused: bool) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.connected(reused);
        }
    }

    /// Says that there is no connection upstream, or no more. What it has brought can still be
    /// read by the next step, so this is for errors, and not for an end of the input.
    pub fn upstream_failed(&mut self, failure: Failure) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.failed(failure);
        }
    }

    /// Says that so many bytes were read into the input from upstream.
    pub fn upstream_received(&mut self, _count: usize) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.upstream_received();
        }
    }

    /// Says that so many bytes of the output to upstream were written.
    pub fn upstream_sent(&mut self, _count: usize) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.upstream_sent();
        }
    }

    /// Says that the upstream has sent its last byte.
    pub fn upstream_end_of_input(&mut self) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.upstream_ended();
        }
    }

    /// Says that the upstream takes no more: a write to it has failed. It may have answered
    /// before, so it is still read from.
    pub fn upstream_stopped_reading(&mut self) {
        if let State::Forwarding(forwarding) = &mut self.state {
            forwarding.upstream_stopped_reading();
        }
    }

    #[inline(never)]
    pub(crate) fn begin_forwarding(&mut self, plan: Forward, head: request::Parts, now: Instant) {
        let head = plan.request(head, self.identity.origin);
        let until = now + self.context.timeouts.upstream_wait;
        let forwarding = Forwarding::new(plan, head, self.context.limits, until);
        self.state = State::Forwarding(Box::new(forwarding));
    }

    /// Makes one transition of a forwarded request: a step if something must be waited for.
    #[inline(never)]
    pub(crate) fn forward(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        let State::Forwarding(forwarding) = &mut self.state else { return None };
        match forwarding.advance(&mut self.codec, buffers, self.current.content_limit) {
            // The answers to requests before this one need not wait for it.
            Next::Connect { .. } if !buffers.output.is_empty() => return Some(self.write(now)),
            Next::Connect { reuse, until } => {
                self.deadline.fix(until);
                return Some(Step::Connect { reuse });
            }
            // The rest of the request will never come.
            Next::Relay(relay) if relay.downstream.read && self.input_ended => self.close(buffers),
            Next::Relay(relay) => {
                let until = forwarding.watch(relay, now, &self.context.timeouts);
                self.deadline.fix(until);
                return Some(Step::Relay(relay));
            }
            Next::Inform(head) => {
                let head = forwarding.rewrite(head);
                self.codec.send_informational(&head, &mut buffers.output);
                buffers.upstream_fields = head.headers;
                buffers.upstream_fields.clear();
            }
            Next::Answer(head, length) => {
                let head = forwarding.rewrite(head);
                self.pass_head_on(head, length, buffers, now);
            }
            Next::Finish(release) => {
                buffers.fields = forwarding.take_fields();
                buffers.fields.clear();
                buffers.clear_upstream();
                self.release = Some(release);
                self.finish(buffers, now);
            }
            Next::Malformed(error) => self.give_up_on_client(answer_to(error), buffers, now),
            Next::TooLarge => self.give_up_on_client(service::too_large(), buffers, now),
            Next::Fail(failure) => self.fail_upstream(failure, buffers, now),
        }
        None
    }

    /// The deadline of a forwarded request has passed.
    #[inline(never)]
    pub(crate) fn forwarding_is_late(&mut self, buffers: &mut Buffers, now: Instant) {
        let State::Forwarding(forwarding) = &mut self.state else { return };
        match forwarding.late(now) {
            // It is as good as gone.
            Late::Client => {
                self.context.environment.client_gone();
                self.close(buffers);
            }
            Late::Content => self.give_up_on_client(service::too_slow(), buffers, now),
            Late::Upstream(failure) => self.fail_upstream(failure, buffers, now),
        }
    }

    /// Passes on the head of the final answer, which keeps the `Date` and `Server` it has.
    fn pass_head_on(
        &mut self,
        head: response::Parts,
        length: Option<u64>,
        buffers: &mut Buffers,
        now: Instant,
    ) {
        self.close_if_drained(buffers);
        self.current.status = head.status;
        let Context { service, environment, .. } = &*self.context;
        let stamp = &mut buffers.stamp;
        stamp.at(now, service.backend(), || environment.wall_clock());
        // RFC 9110, section 6.6.1: a recipient with a clock adds what is missing.
        let date = if head.headers.contains_key(header::DATE) { b"" } else { stamp.date() };
        self.codec.send_head(&head, length, date, &mut buffers.output);
        self.note_end();
        buffers.upstream_fields = head.headers;
        buffers.upstream_fields.clear();
    }

    /// The upstream has failed: try once more where that is safe, or say so.
    fn fail_upstream(&mut self, failure: Failure, buffers: &mut Buffers, now: Instant) {
        let State::Forwarding(forwarding) = &mut self.state else { return };
        if forwarding.may_retry(failure) {
            self.context.environment.retried();
            let until = now + self.context.timeouts.upstream_wait;
            forwarding.retry(self.context.limits, until);
            buffers.clear_upstream();
            self.release = Some(Release::Drop);
        } else {
            self.context.environment.upstream_failed(failure);
            // The client may ask again, if what it still sends of this request is little.
            if self.codec.content_left().is_some_and(|left| left > DRAIN_AT_MOST) {
                self.codec.close_after();
            }
            self.abandon(failure.answer(), buffers, now);
        }
    }

    /// The request cannot be read to its end.
    fn give_up_on_client(&mut self, answer: Response<Body>, buffers: &mut Buffers, now: Instant) {
        self.codec.close_after();
        self.abandon(answer, buffers, now);
    }

    /// Drops the connection upstream. The client gets `answer`, unless a head is out: then only an
    /// end that is none tells the truth.
    fn abandon(&mut self, answer: Response<Body>, buffers: &mut Buffers, now: Instant) {
        let State::Forwarding(forwarding) = &self.state else { return };
        let answered = forwarding.answered();
        buffers.clear_upstream();
        self.release = Some(Release::Drop);
        if answered {
            self.break_off(buffers);
        } else {
            self.respond(answer, buffers, now);
        }
    }
}
