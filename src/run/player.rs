//! Plays one conversation: acts in time, payloads to the engine.

use std::sync::Arc;

use jiff::Timestamp;

use super::Plan;
use crate::base::draw::Draw;
use crate::base::text::{count, excerpt};
use crate::conversation::{Act, Event, EventKind, Person};
use crate::delivery::{Delivery, Endpoint, Handle};
use crate::record::{ActTold, Recorder, Scope, What};
use crate::scenario::{Play, PlayedStep, unplayable};
use crate::vendor::{Happened, Payload, Session};

/// What a conversation is played with.
pub(super) struct Player {
    pub(super) plan: Arc<Plan>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) handle: Handle,
    pub(super) recorder: Recorder,
    pub(super) draw: Draw,
}

/// A conversation as it goes on.
struct Stage {
    number: u32,
    session: Session,
    now: Timestamp,
    step: usize,
    deliveries: u32,
}

/// An act, the name of its values, and whether it follows by itself.
struct Cue<'a> {
    act: &'a Act,
    label: &'a str,
    implied: bool,
}

/// How much of what is said is told.
const TOLD: usize = 80;

impl Player {
    /// Plays the conversation of this number to its end.
    pub(super) async fn play(self, number: u32) {
        let plan = Arc::clone(&self.plan);
        let play = plan.script.play(&plan.account, &self.draw, number, plan.start);
        let account = Arc::clone(&plan.account);
        let session = Session::new(account, number, play.cast.clone(), play.ids().clone());
        let mut stage = Stage { number, session, now: plan.start, step: 0, deliveries: 0 };
        let steps: Vec<_> = play.steps().collect();
        for step in steps {
            match step {
                Ok(step) => self.step(&play, step, &mut stage).await,
                Err(error) => self.drop(&stage, "say", &error.to_string()).await,
            }
        }
        self.handle.drain(number).await;
    }

    async fn step(&self, play: &Play<'_>, step: PlayedStep<'_>, stage: &mut Stage) {
        stage.step = step.step.number;
        stage.now = later(stage.now, step.after);
        let label = &step.step.label;
        let act = match step.act {
            Ok(act) => act,
            Err(reason) => return self.skip(stage, step.step.word(), &reason).await,
        };
        if let Some(reason) = unplayable(&self.plan.account, &act, stage.session.conversation()) {
            return self.skip(stage, act.word(), &reason).await;
        }
        if let Act::Assign { accept: Some(after), .. } = &act
            && !stage.session.conversation().habits.offers
        {
            stage.now = later(stage.now, *after);
        }
        if let Some(before) = stage.session.conversation().implied_before(&act) {
            let label = format!("{label} before");
            self.happen(play, Cue { act: &before, label: &label, implied: true }, stage).await;
        }
        self.happen(play, Cue { act: &act, label, implied: false }, stage).await;
        let mut last = act;
        while let Some((delay, next)) = stage.session.conversation().implied_after(&last) {
            if let Some(delay) = delay {
                stage.now = later(stage.now, delay);
            }
            let label = format!("{label} then {}", next.word());
            self.happen(play, Cue { act: &next, label: &label, implied: true }, stage).await;
            last = next;
        }
    }

    /// Lets an act happen at its time.
    async fn happen(&self, play: &Play<'_>, cue: Cue<'_>, stage: &mut Stage) {
        let Cue { act, label, implied } = cue;
        stage.now = later(stage.now, play.gap(label));
        self.handle.sleep_until(stage.number, stage.now).await;
        let happened = stage.session.act(act, stage.now, label, &self.plan.subscription);
        let happened = match happened {
            Ok(happened) => happened,
            Err(error) => return self.drop(stage, act.word(), &error.to_string()).await,
        };
        let told = told(act, &happened.event, stage);
        let what = if implied { What::ActImplied(told) } else { What::ActDone(told) };
        self.tell(stage, what).await;
        self.deliver(happened, stage).await;
    }

    async fn deliver(&self, happened: Happened, stage: &mut Stage) {
        if let Some(reason) = happened.silent {
            let event = happened.event.kind.to_string();
            self.tell(stage, What::ActSilent { event, reason }).await;
        }
        for Payload { event_type, body, certainty } in happened.payloads {
            let Some(body) = body else {
                self.tell(stage, What::DeliveryUnsubscribed { event_type }).await;
                continue;
            };
            stage.deliveries += 1;
            let id = format!("{}-{}", stage.number, stage.deliveries);
            let what = What::DeliveryPlanned {
                delivery: id.clone(),
                event_type: event_type.clone(),
                certainty: certainty.to_string(),
                body: body.clone(),
            };
            self.tell(stage, what).await;
            self.handle.submit(Delivery {
                id,
                lane: stage.number,
                step: stage.step,
                event_type,
                body: body.into(),
                at: stage.now,
                endpoint: Arc::clone(&self.endpoint),
            });
        }
    }

    async fn skip(&self, stage: &Stage, act: &str, reason: &str) {
        let what = What::ActSkipped { act: act.to_owned(), reason: reason.to_owned() };
        self.tell(stage, what).await;
    }

    /// Tells that an act did not become payloads, which no run passes with.
    async fn drop(&self, stage: &Stage, act: &str, reason: &str) {
        let what = What::ActDropped { act: act.to_owned(), reason: reason.to_owned() };
        self.tell(stage, what).await;
    }

    async fn tell(&self, stage: &Stage, what: What) {
        let scope =
            Scope { at: stage.now, conversation: Some(stage.number), step: Some(stage.step) };
        self.recorder.tell(scope, what).await;
    }
}

fn later(now: Timestamp, by: jiff::SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// An act in a few words, without the name of who does it.
fn told(act: &Act, event: &Event, stage: &Stage) -> ActTold {
    let name = |person: &Option<Person>| {
        person.as_ref().map_or("the queue".to_owned(), |person| person.member.name.clone())
    };
    let told = match (event.kind, act) {
        (EventKind::ConversationOpened, Act::Open { channel, .. }) => {
            format!("opens a conversation on {channel}")
        }
        (EventKind::MessageSent, _) => {
            let message = &stage.session.conversation().messages[event.messages[0]];
            let text = excerpt(&message.text, TOLD);
            if message.kind == "text" {
                format!("“{text}”")
            } else {
                format!("“{text}” ({})", message.kind)
            }
        }
        (EventKind::MessageRead, _) => {
            format!("reads {}", count(event.messages.len(), "message", "messages"))
        }
        (EventKind::TypingChanged, Act::Typing { on, .. }) => {
            if *on {
                "types".to_owned()
            } else {
                "stops typing".to_owned()
            }
        }
        (EventKind::AssigneeChanged, Act::Accept { .. }) => "accepts the conversation".to_owned(),
        (EventKind::AssigneeChanged, _) => {
            format!("hands the conversation to {}", name(&event.to))
        }
        (EventKind::NoteAdded, Act::Note { text, .. }) => {
            format!("notes “{}”", excerpt(text, TOLD))
        }
        (EventKind::ParticipantJoined, _) => "joins".to_owned(),
        (EventKind::ParticipantLeft, _) => "leaves".to_owned(),
        (EventKind::ConversationClosed, _) => "closes the conversation".to_owned(),
        (EventKind::ConversationReopened, _) => "reopens the conversation".to_owned(),
        (kind, _) => kind.to_string(),
    };
    ActTold {
        act: act.word().to_owned(),
        by: event.by.member.name.clone(),
        event: event.kind.to_string(),
        told,
    }
}
