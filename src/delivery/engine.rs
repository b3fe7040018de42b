//! The engine: which delivery goes out when. Sans-IO and deterministic.
//!
//! A lane sends one delivery at a time; the next waits until it has settled. Slots limit how many
//! attempts are under way over all lanes and to one host.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Delivery, Lane};
use crate::base::limits::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_HOST};
use crate::policy::Next;
use crate::record::{Met, Settled};

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    /// There is something to deliver.
    Submit(Delivery),
    /// An attempt of a lane has met something.
    Finished(Lane, Met),
    /// A lane's delay is over.
    Woken(Lane),
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Command {
    /// Send this delivery's attempt of this number.
    Send(Arc<Delivery>, u32),
    /// The attempt of this number has met this; it is tried again after the delay, where there is
    /// one.
    Told(Arc<Delivery>, u32, Met, Option<SignedDuration>),
    /// Wake the lane at this time.
    Wake(Lane, Timestamp),
    /// A delivery has settled.
    Settled(Arc<Delivery>, Settled),
}

/// The state of all lanes.
#[derive(Debug, Default)]
pub struct Engine {
    lanes: BTreeMap<Lane, Queue>,
    in_flight: usize,
    hosts: BTreeMap<String, Host>,
}

/// The attempts under way to one host, and the lanes that wait for one.
#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    waiting: VecDeque<Lane>,
}

/// What waits in a lane, and what its first delivery is doing.
#[derive(Debug, Default)]
struct Queue {
    deliveries: VecDeque<Arc<Delivery>>,
    attempt: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is under way.
    #[default]
    Idle,
    /// The first delivery waits for a slot.
    Waiting,
    /// Its attempt is under way.
    InFlight,
    /// It waits to be tried again.
    Delayed,
}

impl Engine {
    /// Takes an input at this run time; gives what follows from it.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Submit(delivery) => {
                let lane = delivery.lane;
                let queue = self.lanes.entry(lane).or_default();
                queue.deliveries.push_back(Arc::new(delivery));
                if queue.stage == Stage::Idle {
                    self.begin(lane);
                }
            }
            Input::Woken(lane) => {
                let delayed = |queue: &&mut Queue| queue.stage == Stage::Delayed;
                if self.lanes.get_mut(&lane).as_ref().is_some_and(delayed) {
                    self.wait(lane);
                }
            }
            Input::Finished(lane, met) => self.finished(now, lane, met, &mut commands),
        }
        self.fill_slots(&mut commands);
        commands
    }

    /// Whether a lane has nothing left to do.
    pub fn is_idle(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_none_or(|queue| queue.stage == Stage::Idle)
    }

    /// Whether a lane only waits for a time to come.
    pub fn is_delayed(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|queue| queue.stage == Stage::Delayed)
    }

    /// Lets the first delivery of a lane wait for its first slot; a lane without one is forgotten.
    fn begin(&mut self, lane: Lane) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        if queue.deliveries.is_empty() {
            self.lanes.remove(&lane);
        } else {
            queue.attempt = 1;
            self.wait(lane);
        }
    }

    /// Lets a lane wait for a slot.
    fn wait(&mut self, lane: Lane) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        queue.stage = Stage::Waiting;
        if let Some(delivery) = queue.deliveries.front() {
            self.hosts.entry(host_of(delivery)).or_default().waiting.push_back(lane);
        }
    }

    fn finished(&mut self, now: Timestamp, lane: Lane, met: Met, commands: &mut Vec<Command>) {
        let in_flight = |queue: &&mut Queue| queue.stage == Stage::InFlight;
        let Some(queue) = self.lanes.get_mut(&lane).filter(in_flight) else { return };
        let Some(delivery) = queue.deliveries.front().cloned() else { return };
        let attempt = queue.attempt;
        self.in_flight -= 1;
        if let Some(host) = self.hosts.get_mut(&host_of(&delivery)) {
            host.in_flight -= 1;
        }
        let next = delivery.endpoint.policy.next(attempt, met.final_status());
        if let Next::Retry(delay) = next {
            queue.attempt += 1;
            queue.stage = Stage::Delayed;
            commands.push(Command::Told(delivery, attempt, met, Some(delay)));
            commands.push(Command::Wake(lane, now.checked_add(delay).unwrap_or(Timestamp::MAX)));
            return;
        }
        queue.deliveries.pop_front();
        queue.stage = Stage::Idle;
        let settled = Settled {
            delivery: delivery.id.clone(),
            event_type: delivery.event_type.clone(),
            attempts: attempt,
            accepted: next == Next::Done,
            met: met.clone(),
        };
        commands.push(Command::Told(Arc::clone(&delivery), attempt, met, None));
        commands.push(Command::Settled(delivery, settled));
        self.begin(lane);
    }

    /// Sends what waits, as long as there are slots; hosts take turns.
    fn fill_slots(&mut self, commands: &mut Vec<Command>) {
        let mut sent = true;
        while sent {
            sent = false;
            for host in self.hosts.values_mut() {
                if self.in_flight == MAX_IN_FLIGHT || host.in_flight == MAX_IN_FLIGHT_PER_HOST {
                    continue;
                }
                let Some(lane) = host.waiting.pop_front() else { continue };
                let Some(queue) = self.lanes.get_mut(&lane) else { continue };
                let Some(delivery) = queue.deliveries.front() else { continue };
                host.in_flight += 1;
                self.in_flight += 1;
                queue.stage = Stage::InFlight;
                commands.push(Command::Send(Arc::clone(delivery), queue.attempt));
                sent = true;
            }
        }
    }
}

fn host_of(delivery: &Delivery) -> String {
    let url = &delivery.endpoint.url;
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}
