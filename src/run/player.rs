//! Plays one conversation: acts in time, payloads to the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Plan;
use super::told::told;
use crate::base::draw::Draw;
use crate::delivery::{Delivery, Endpoint, Handle};
use crate::policy::Policy;
use crate::record::{Recorder, Scope, What};
use crate::scenario::{Scene, Stage, Turn};
use crate::vendor::{Happened, Payload};

/// What a conversation is played with.
pub(super) struct Player {
    pub(super) plan: Arc<Plan>,
    pub(super) endpoint: Arc<Endpoint>,
    /// How deliveries are treated, by event type.
    pub(super) policies: Arc<BTreeMap<String, Arc<Policy>>>,
    pub(super) handle: Handle,
    pub(super) recorder: Recorder,
    pub(super) draw: Draw,
}

/// Where a scene happens: conversation, step and time.
#[derive(Clone, Copy)]
struct Spot {
    number: u32,
    step: usize,
    at: Timestamp,
}

impl Player {
    /// Plays the conversation of this number to its end.
    pub(super) async fn play(self, number: u32) {
        let plan = Arc::clone(&self.plan);
        let mut stage = Stage::new(
            &plan.script,
            &plan.account,
            &plan.subscription,
            (&self.draw, number),
            plan.start,
        );
        let mut deliveries = 0;
        while let Some(Scene { step, at, turn }) = stage.next() {
            let spot = Spot { number, step, at };
            // What came before has settled by then, so that the report tells it first.
            self.handle.sleep_until(number, at).await;
            match turn {
                Turn::Done { act, implied, happened } => {
                    let told = told(&act, &happened.event, stage.conversation());
                    let what = if implied { What::ActImplied(told) } else { What::ActDone(told) };
                    self.tell(spot, what).await;
                    self.deliver(*happened, spot, &mut deliveries).await;
                }
                Turn::Skipped { act, reason } => {
                    self.tell(spot, What::ActSkipped { act: act.to_owned(), reason }).await;
                }
                Turn::Dropped { act, reason } => {
                    self.tell(spot, What::ActDropped { act: act.to_owned(), reason }).await;
                }
            }
        }
        self.handle.drain(number).await;
    }

    async fn deliver(&self, happened: Happened, spot: Spot, deliveries: &mut u32) {
        if let Some(reason) = happened.silent {
            let event = happened.event.kind.to_string();
            self.tell(spot, What::ActSilent { event, reason }).await;
        }
        for Payload { event_type, body, certainty } in happened.payloads {
            let Some(body) = body else {
                self.tell(spot, What::DeliveryUnsubscribed { event_type }).await;
                continue;
            };
            let body: Arc<str> = body.into();
            *deliveries += 1;
            let id = format!("{}-{deliveries}", spot.number);
            let what = What::DeliveryPlanned {
                delivery: id.clone(),
                event_type: event_type.clone(),
                certainty: certainty.to_string(),
                body: Arc::clone(&body),
            };
            self.tell(spot, what).await;
            self.handle.submit(Delivery {
                id,
                conversation: spot.number,
                step: spot.step,
                policy: self.policy(&event_type),
                event_type,
                body,
                at: spot.at,
                endpoint: Arc::clone(&self.endpoint),
            });
        }
    }

    /// How deliveries of an event type are treated.
    fn policy(&self, event_type: &str) -> Arc<Policy> {
        let known = self.policies.get(event_type).cloned();
        known.unwrap_or_else(|| Arc::new(self.plan.account.policy(event_type)))
    }

    fn tell(&self, spot: Spot, what: What) -> impl Future<Output = ()> + Send {
        let scope = Scope { at: spot.at, conversation: Some(spot.number), step: Some(spot.step) };
        self.recorder.tell(scope, what)
    }
}
