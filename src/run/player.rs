//! Plays one conversation: acts in time, payloads to the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Plan;
use super::post::{Letter, Post};
use super::told::told;
use crate::conversation::Conversation;
use crate::delivery::{Delivery, Endpoint, Handle};
use crate::fault::{Faults, Kind};
use crate::policy::Policy;
use crate::record::{Recorder, Scope, What};
use crate::scenario::{Company, Scene, Stage, Turn};
use crate::vendor::{Happened, Payload};

/// What a conversation is played with.
pub(super) struct Player {
    pub(super) plan: Arc<Plan>,
    pub(super) endpoint: Arc<Endpoint>,
    /// How deliveries are treated, by event type.
    pub(super) policies: Arc<BTreeMap<String, Arc<Policy>>>,
    pub(super) handle: Handle,
    pub(super) recorder: Recorder,
    pub(super) company: Arc<Company>,
}

/// What a turn is told as, and what it sends.
fn outcome(turn: Turn, conversation: &Conversation) -> (Vec<What>, Vec<Payload>) {
    match turn {
        Turn::Done { act, implied, happened } => {
            let Happened { event, payloads, silent } = *happened;
            let told = told(&act, &event, conversation);
            let what = if implied { What::ActImplied(told) } else { What::ActDone(told) };
            let event = event.kind.to_string();
            let silent = silent.map(|reason| What::ActSilent { event, reason });
            (std::iter::once(what).chain(silent).collect(), payloads)
        }
        Turn::Skipped { act, reason } => {
            (vec![What::ActSkipped { act: act.to_owned(), reason }], Vec::new())
        }
        Turn::Dropped { act, reason } => {
            (vec![What::ActDropped { act: act.to_owned(), reason }], Vec::new())
        }
    }
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
        let cast = (&*self.company, number);
        let mut stage = Stage::new(&plan.script, &plan.account, &plan.subscription, cast);
        let mut post = Post::new(&plan, number);
        let mut now = plan.start;
        while let Some(Scene { step, at, faults, turn }) = stage.next() {
            let spot = Spot { number, step, at };
            // Thousands wait here at once: only what is told and sent is kept meanwhile, and the
            // rest of this future is made when it is needed.
            let (told, payloads) = outcome(turn, stage.conversation());
            self.send_due(&mut post, number, at).await;
            // What came before has settled by then, so that the report tells it first.
            self.handle.sleep_until(number, at).await;
            now = at;
            Box::pin(self.happen(told, payloads, spot, (&faults, &mut post))).await;
        }
        self.send(post.end(now), number);
        self.send_due(&mut post, number, Timestamp::MAX).await;
        self.handle.drain(number).await;
    }

    /// Tells what happens and sends what it causes.
    async fn happen(
        &self,
        told: Vec<What>,
        payloads: Vec<Payload>,
        spot: Spot,
        (faults, post): (&Faults, &mut Post<'_>),
    ) {
        for what in told {
            self.tell(spot, what).await;
        }
        for payload in payloads {
            let letter = match Letter::of(payload, (spot.step, spot.at), faults) {
                Ok(letter) => letter,
                Err(event_type) => {
                    self.tell(spot, What::DeliveryUnsubscribed { event_type }).await;
                    continue;
                }
            };
            for letter in post.letters(letter) {
                self.tell(spot, letter.planned()).await;
                if letter.faults.has(Kind::Drop) {
                    self.tell(spot, What::DeliverySettled(letter.dropped())).await;
                }
                self.send(post.put(letter), spot.number);
            }
        }
    }

    /// Sends what was delayed until its time comes, as far as that is before this.
    async fn send_due(&self, post: &mut Post<'_>, conversation: u32, before: Timestamp) {
        while let Some((at, letter)) = post.due(before) {
            self.handle.sleep_until(conversation, at).await;
            self.send(vec![letter], conversation);
        }
    }

    /// Hands deliveries to the engine.
    fn send(&self, letters: Vec<Letter>, conversation: u32) {
        for letter in letters {
            self.handle.submit(Delivery {
                conversation,
                policy: letter.policy(&self.policy(&letter.event_type)),
                endpoint: letter.endpoint(&self.plan, &self.endpoint),
                id: letter.id,
                step: letter.step,
                event_type: letter.event_type,
                body: letter.body,
                at: letter.at,
                faults: letter.faults,
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
