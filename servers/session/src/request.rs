//! What a session does with a request, up to its answer.

use std::time::Instant;

use http::{Response, request};
use http1::server::Event;
use service::{Action, Body, Decision, Pause, Served};

use crate::{Buffers, Session, Step, session::State};

impl Session {
    pub(crate) fn receive_head(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        match self.codec.receive(&mut buffers.input, &mut buffers.fields) {
            Ok(Some(Event::Head(head))) => {
                self.begin(head, buffers, now);
                None
            }
            Ok(_) => self.read(now),
            Err(error) => {
                self.current.began = now;
                self.refuse(answer_to(error), buffers, now);
                None
            }
        }
    }

    /// Has the service decide about a request, and begins what it says.
    #[inline(never)]
    fn begin(&mut self, head: request::Parts, buffers: &mut Buffers, now: Instant) {
        self.requests += 1;
        self.current.began = now;
        if !std::mem::replace(&mut self.in_flight, true) {
            self.context.environment.began();
        }
        let Decision { route, action, close, content_limit } = self.context.service.decide(&head);
        self.current.route = route;
        self.current.content_limit = content_limit.unwrap_or(u64::MAX);
        if close {
            self.codec.close_after();
        }
        if let Action::Forward(plan) = action {
            return self.begin_forwarding(plan, head, now);
        }
        buffers.fields = head.headers;
        buffers.fields.clear();
        let reads_content = matches!(action, Action::Echo(_) | Action::Report(_));
        if reads_content && self.codec.expects_continue() {
            self.codec.send_continue(&mut buffers.output);
        }
        self.state = match action {
            Action::Respond(response) => return self.respond(response, buffers, now),
            Action::Echo(echo) if self.codec.content_left() == Some(0) => {
                self.send_head(echo.head, Some(0), buffers, now);
                State::Sending(Body::Empty)
            }
            Action::Echo(echo) => State::Echoing { head: Some(Box::new(echo)), counted: 0 },
            Action::Report(report) => State::Consuming { report: Box::new(report), counted: 0 },
            Action::Forward(_) => return,
            Action::Stream(mut stream) => {
                let head = std::mem::take(&mut stream.head);
                self.send_head(head, None, buffers, now);
                State::Streaming { stream: Box::new(stream), next: now }
            }
        };
    }

    #[inline(never)]
    pub(crate) fn echo(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        let event = self.codec.receive(&mut buffers.input, &mut buffers.fields);
        let State::Echoing { head, counted } = &mut self.state else { return None };
        let mut head = if matches!(event, Ok(None)) { None } else { head.take() };
        match event {
            Ok(Some(Event::Content(content))) => {
                *counted += content.len() as u64;
                if *counted > self.current.content_limit {
                    self.give_up(head.is_some(), service::too_large(), buffers, now);
                    return None;
                }
                if let Some(echo) = head.take() {
                    self.send_head(echo.head, echo.length, buffers, now);
                }
                self.codec.send_content(content, &mut buffers.output);
            }
            Ok(Some(_)) => {
                if let Some(echo) = head.take() {
                    self.send_head(echo.head, echo.length, buffers, now);
                }
                self.finish(buffers, now);
            }
            Ok(None) => return self.read(now),
            Err(error) => {
                self.give_up(head.is_some(), answer_to(error), buffers, now);
            }
        }
        None
    }

    #[inline(never)]
    pub(crate) fn consume(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        let event = self.codec.receive(&mut buffers.input, &mut buffers.fields);
        let State::Consuming { counted, .. } = &mut self.state else { return None };
        match event {
            Ok(Some(Event::Content(content))) => {
                *counted += content.len() as u64;
                if *counted > self.current.content_limit {
                    self.refuse(service::too_large(), buffers, now);
                }
                None
            }
            Ok(Some(_)) => {
                let State::Consuming { report, counted } = self.take_state() else { return None };
                let pause = report.pause;
                self.state = State::Pausing { report, counted, pause, until: now };
                None
            }
            Ok(None) => self.read(now),
            Err(error) => {
                self.refuse(answer_to(error), buffers, now);
                None
            }
        }
    }

    /// The request is read: hold the answer back for as long as the service asked, then answer.
    #[inline(never)]
    pub(crate) fn pause(&mut self, buffers: &mut Buffers, now: Instant) -> Option<Step> {
        let State::Pausing { pause, until, .. } = &mut self.state else { return None };
        if !buffers.output.is_empty() {
            return Some(Step::Write);
        }
        match std::mem::replace(pause, Pause::None) {
            Pause::Wait(time) => *until = now + time,
            Pause::Block(time) => return Some(Step::Block(time)),
            Pause::Burn(time) => return Some(Step::Burn(time)),
            Pause::None if now < *until => return Some(Step::Wait(*until)),
            Pause::None => self.report(buffers, now),
        }
        None
    }

    #[inline(never)]
    pub(crate) fn report(&mut self, buffers: &mut Buffers, now: Instant) {
        let State::Pausing { report, counted, .. } = self.take_state() else { return };
        let (kind, number) = self.identity.worker;
        let served = Served {
            origin: self.identity.origin,
            connection: self.identity.number,
            requests: self.requests,
            worker: &format!("{kind} {number}"),
        };
        let response = report.answer(counted, &served);
        self.respond(response, buffers, now);
    }

    /// Reads what is left of a request that is already answered.
    #[inline(never)]
    pub(crate) fn drain_request(&mut self, buffers: &mut Buffers) -> Option<Step> {
        let event = self.codec.receive(&mut buffers.input, &mut buffers.fields);
        let State::Draining { left, until } = &mut self.state else { return None };
        match event {
            Ok(Some(Event::Content(content))) if content.len() as u64 <= *left => {
                *left -= content.len() as u64;
            }
            Ok(Some(Event::End)) => self.next_request(),
            Ok(None) if !self.input_ended => {
                self.deadline.fix(*until);
                return Some(Step::Read);
            }
            _ => self.linger(),
        }
        None
    }
}

/// The answer to a request that the codec refuses.
pub(crate) fn answer_to(error: http1::Error) -> Response<Body> {
    service::refuse(error.status(), &error.to_string())
}
