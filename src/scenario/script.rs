//! A checked scenario, and how it is played: acts with their times, one conversation at a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use super::cast::CastMember;
use super::text::Told;
use crate::base::draw::Draw;
use crate::base::duration::Span;
use crate::conversation::{Act, DialogKind, Person, Who};
use crate::diag::Place;
use crate::policy::StatusSet;
use crate::template::{Body, Line, TooLarge};
use crate::vendor::{Account, Subscription};

/// A scenario that has been checked.
#[derive(Clone, Debug)]
pub struct Script {
    /// What happens, in a few words.
    pub name: String,
    /// The file.
    pub file: String,
    /// Who takes part.
    pub cast: Vec<CastMember>,
    /// What happens.
    pub steps: Vec<Step>,
    /// What an endpoint is sent, by vendor.
    pub subscribe: BTreeMap<String, Subscription>,
    /// Which answers are right, where the file says it.
    pub verify: Option<StatusSet>,
    /// The vendors among those it was checked for that cannot play it, and why.
    pub cannot: BTreeMap<String, String>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// Where it stands.
    pub place: Place,
    /// The name of its values among those of the conversation.
    pub label: String,
    pub(super) after: Option<Span>,
    pub(super) only: Vec<String>,
    pub(super) act: ActPlan,
    pub(super) overrides: BTreeMap<String, Override>,
}

/// What is different at a vendor.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) skip: Option<String>,
    pub(super) after: Option<Span>,
    pub(super) act: Option<ActPlan>,
}

/// An act whose texts are still to be rendered.
#[derive(Clone, Debug)]
pub(super) enum ActPlan {
    Say { by: Who, kind: String, text: Option<Line>, data: Body },
    Note { by: Who, text: Line },
    Ready(Act),
}

/// A step in time, for one conversation at one vendor.
#[derive(Clone, Debug)]
pub struct PlayedStep<'a> {
    /// The step.
    pub step: &'a Step,
    /// How long after the step before.
    pub after: SignedDuration,
    /// What happens, or why the step is left out.
    pub act: Result<Act, String>,
}

/// The shortest and the longest time between two acts that nothing else keeps apart: people and
/// servers are never instantaneous.
const GAP: Span =
    Span { low: SignedDuration::from_millis(5), high: SignedDuration::from_millis(40) };

/// One conversation of a script at one vendor, ready to be played.
pub struct Play<'a> {
    script: &'a Script,
    vendor: String,
    draws: Draws,
    told: Told,
    /// Everybody who takes part.
    pub cast: Vec<Person>,
}

impl Script {
    /// The conversation of this number at an account.
    pub fn play(&self, account: &Account, run: &Draw, number: u32, start: Timestamp) -> Play<'_> {
        let draws = Draws::new(run, &account.vendor.id, &self.name, number);
        let cast: Vec<Person> =
            self.cast.iter().map(|member| member.invent(account, &draws, start)).collect();
        let visitor =
            self.cast.iter().find(|member| member.role == crate::conversation::Role::Visitor);
        let locale = visitor.map_or(&crate::base::fake::LOCALES[0], |visitor| visitor.locale);
        let told = Told::new(&cast, locale, &draws.story);
        Play { script: self, vendor: account.vendor.id.clone(), draws, told, cast }
    }
}

/// What the values of a conversation are drawn from. People and what they say are the same at
/// every vendor; ids are a vendor's own, and no two scenarios share one. Staff are the same in
/// every conversation.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    /// What the conversation's people, texts and times are drawn from.
    pub(super) story: Draw,
    /// What the conversation's ids are drawn from.
    pub(super) ids: Draw,
    /// What staff are drawn from.
    pub(super) staff: Draw,
    /// What the ids of staff are drawn from.
    pub(super) staff_ids: Draw,
}

impl Draws {
    pub(super) fn new(run: &Draw, vendor: &str, scenario: &str, number: u32) -> Self {
        let conversation = format!("conversation {number}");
        let story = run.within(scenario).within(&conversation);
        let staff_ids = run.within("vendor").within(vendor);
        let ids = staff_ids.within(scenario).within(&conversation);
        Self { story, ids, staff: run.within("staff"), staff_ids }
    }
}

impl<'a> Play<'a> {
    /// What the conversation's ids are drawn from.
    pub fn ids(&self) -> &Draw {
        &self.draws.ids
    }

    /// The steps in order.
    pub fn steps(&self) -> impl Iterator<Item = Result<PlayedStep<'a>, TooLarge>> + '_ {
        self.script.steps.iter().map(|step| self.step(step))
    }

    /// The time between an act and the one before it, beyond what the file asks for.
    pub fn gap(&self, label: &str) -> SignedDuration {
        GAP.draw(&mut self.draws.story.within(label).rng("gap"))
    }

    fn step(&self, step: &'a Step) -> Result<PlayedStep<'a>, TooLarge> {
        let own = step.overrides.get(&self.vendor);
        let after = own.and_then(|own| own.after).or(step.after);
        let after = after.map_or(SignedDuration::ZERO, |after| {
            after.draw(&mut self.draws.story.within(&step.label).rng("after"))
        });
        let act = match step.skipped_at(&self.vendor) {
            Some(reason) => Err(reason),
            None => {
                let plan = own.and_then(|own| own.act.as_ref()).unwrap_or(&step.act);
                Ok(self.act(plan)?)
            }
        };
        Ok(PlayedStep { step, after, act })
    }

    fn act(&self, plan: &ActPlan) -> Result<Act, TooLarge> {
        Ok(match plan {
            ActPlan::Ready(act) => act.clone(),
            ActPlan::Note { by, text } => {
                Act::Note { by: by.clone(), text: text.render(&self.told) }
            }
            ActPlan::Say { by, kind, text, data } => Act::Say {
                by: by.clone(),
                kind: kind.clone(),
                text: text.as_ref().map(|text| text.render(&self.told)).unwrap_or_default(),
                data: object(&data.render(&self.told)?),
                dialog: DialogKind::Main,
            },
        })
    }
}

fn object(json: &str) -> Map<String, Json> {
    serde_json::from_str(json).unwrap_or_default()
}

impl Step {
    /// The key of its act.
    pub fn word(&self) -> &'static str {
        match &self.act {
            ActPlan::Say { .. } => "say",
            ActPlan::Note { .. } => "note",
            ActPlan::Ready(act) => act.word(),
        }
    }

    /// Why the step is left out at a vendor, where the file says so.
    pub fn skipped_at(&self, vendor: &str) -> Option<String> {
        if !self.only.is_empty() && !self.only.iter().any(|only| only == vendor) {
            return Some("the step is for other vendors".into());
        }
        self.overrides.get(vendor).and_then(|own| own.skip.clone())
    }

    /// What happens at a vendor.
    pub(super) fn plan_at(&self, vendor: &str) -> &ActPlan {
        let own = self.overrides.get(vendor).and_then(|own| own.act.as_ref());
        own.unwrap_or(&self.act)
    }
}
