//! What a run sends if every answer is right: its requests, made and not sent.

use jiff::Timestamp;

use super::Plan;
use crate::base::draw::Draw;
use crate::scenario::{Stage, Turn};

/// A request that is not sent. Secrets of the user's own are references, as in records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// When, in run time.
    pub at: Timestamp,
    /// The number of the conversation; nothing for the handshake.
    pub conversation: Option<u32>,
    /// The vendor's name for the event; nothing for the handshake.
    pub event_type: Option<String>,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The requests of a run: the handshake, then one conversation after the other.
pub fn rehearsal(plan: &Plan) -> Vec<Rehearsed> {
    let account = &plan.account;
    let draw = Draw::of_run(plan.seed);
    let handshake = account.vendor.handshake.proof.as_ref().map(|proof| {
        let body = account.handshake_body(proof);
        let headers = account.handshake_headers(&body);
        Rehearsed { at: plan.start, conversation: None, event_type: None, headers, body }
    });
    let mut requests: Vec<Rehearsed> = handshake.into_iter().collect();
    for number in 1..=plan.conversations {
        let (script, subscription) = (&plan.script, &plan.subscription);
        for scene in Stage::new(script, account, subscription, (&draw, number), plan.start) {
            let Turn::Done { happened, .. } = scene.turn else { continue };
            requests.extend(happened.payloads.into_iter().filter_map(|payload| {
                let body = payload.body?;
                Some(Rehearsed {
                    at: scene.at,
                    conversation: Some(number),
                    event_type: Some(payload.event_type),
                    headers: account.headers(&body, 1),
                    body,
                })
            }));
        }
    }
    let redactor = plan.redactor();
    for request in &mut requests {
        request.headers.extend(plan.extra_headers());
        request.headers.iter_mut().for_each(|(_, value)| redactor.text(value));
        redactor.text(&mut request.body);
    }
    requests
}
