//! Drives the engine on tokio: sends, waits, and keeps each conversation's run time.
//!
//! Under [`Pace::Virtual`] a conversation's time jumps to whatever comes next, once nothing of it is
//! under way; under [`Pace::Real`] it passes. The driver is one task, so that what it does is in
//! one order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::engine::{Command, Engine, Input};
use super::transport::{Request, Transport};
use super::{Delivery, Lane};
use crate::record::{Met, Outcome, Recorder, Scope, What};

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// It jumps.
    Virtual,
    /// It passes as wall time does, so many times faster.
    Real(f64),
}

/// What players ask of the driver.
enum Ask {
    Submit(Delivery),
    Sleep(Lane, Timestamp, oneshot::Sender<()>),
    Drain(Lane, oneshot::Sender<()>),
    Finished(Lane, Met),
    Passed(Lane),
}

/// A player's way to the driver.
#[derive(Clone, Debug)]
pub struct Handle(mpsc::UnboundedSender<Ask>);

impl Handle {
    /// Hands over a delivery.
    pub fn submit(&self, delivery: Delivery) {
        let _ = self.0.send(Ask::Submit(delivery));
    }

    /// Waits until the lane's run time is at least this.
    pub async fn sleep_until(&self, lane: Lane, at: Timestamp) {
        let (wake, woken) = oneshot::channel();
        let _ = self.0.send(Ask::Sleep(lane, at, wake));
        let _ = woken.await;
    }

    /// Waits until everything of the lane has settled.
    pub async fn drain(&self, lane: Lane) {
        let (done, drained) = oneshot::channel();
        let _ = self.0.send(Ask::Drain(lane, done));
        let _ = drained.await;
    }
}

/// Starts a driver for one run, which begins at this run time. It ends when every handle is gone.
pub fn drive<T: Transport>(
    transport: Arc<T>,
    recorder: Recorder,
    pace: Pace,
    start: Timestamp,
) -> Handle {
    let (asks, asked) = mpsc::unbounded_channel();
    let driver = Driver {
        engine: Engine::default(),
        lanes: HashMap::new(),
        transport,
        recorder,
        pace,
        start,
        began: Instant::now(),
        asks: asks.downgrade(),
    };
    tokio::spawn(driver.run(asked));
    Handle(asks)
}

struct Driver<T> {
    engine: Engine,
    lanes: HashMap<Lane, LaneTime>,
    transport: Arc<T>,
    recorder: Recorder,
    pace: Pace,
    start: Timestamp,
    began: Instant,
    asks: mpsc::WeakUnboundedSender<Ask>,
}

/// A conversation's run time, and who waits for it.
struct LaneTime {
    now: Timestamp,
    wake: Option<Timestamp>,
    sleeper: Option<(Timestamp, oneshot::Sender<()>)>,
    drainer: Option<oneshot::Sender<()>>,
}

impl<T: Transport> Driver<T> {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        while let Some(ask) = asked.recv().await {
            match ask {
                Ask::Submit(delivery) => {
                    let lane = delivery.lane;
                    let at = delivery.at;
                    let time = self.lane(lane);
                    time.now = time.now.max(at);
                    self.step(lane, Input::Submit(delivery)).await;
                }
                Ask::Sleep(lane, at, wake) => {
                    self.lane(lane).sleeper = Some((at, wake));
                    self.pass(lane, at);
                    self.advance(lane).await;
                }
                Ask::Drain(lane, done) => {
                    self.lane(lane).drainer = Some(done);
                    self.advance(lane).await;
                }
                Ask::Finished(lane, met) => {
                    self.step(lane, Input::Finished(lane, met)).await;
                    self.advance(lane).await;
                }
                Ask::Passed(lane) => self.passed(lane).await,
            }
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneTime {
        let start = self.start;
        self.lanes.entry(lane).or_insert_with(|| LaneTime {
            now: start,
            wake: None,
            sleeper: None,
            drainer: None,
        })
    }

    async fn step(&mut self, lane: Lane, input: Input) {
        let now = self.lane(lane).now;
        for command in self.engine.step(now, input) {
            match command {
                Command::Send(delivery, attempt) => self.send(delivery, attempt).await,
                Command::Told(delivery, attempt, met, retry) => {
                    let what = What::AttemptFinished {
                        delivery: delivery.id.clone(),
                        attempt,
                        met,
                        retry_in_ms: retry
                            .map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
                    };
                    self.tell(&delivery, what).await;
                }
                Command::Wake(lane, at) => {
                    self.lane(lane).wake = Some(at);
                    self.pass(lane, at);
                }
                Command::Settled(delivery, settled) => {
                    self.tell(&delivery, What::DeliverySettled(settled)).await;
                }
            }
        }
    }

    async fn send(&mut self, delivery: Arc<Delivery>, attempt: u32) {
        let headers = (delivery.endpoint.dress)(&delivery.body, attempt);
        let what = What::AttemptStarted {
            delivery: delivery.id.clone(),
            attempt,
            url: delivery.endpoint.url.to_string(),
            headers: headers.clone(),
        };
        self.tell(&delivery, what).await;
        let policy = &delivery.endpoint.policy;
        let request = Request {
            url: delivery.endpoint.url.clone(),
            headers,
            body: Arc::clone(&delivery.body),
            connect: policy.connect.unsigned_abs(),
            total: policy.total.unsigned_abs(),
            fault: None,
        };
        let (transport, lane) = (Arc::clone(&self.transport), delivery.lane);
        let Some(asks) = self.asks.upgrade() else { return };
        let sent = tokio::spawn(async move { transport.send(request).await });
        tokio::spawn(async move {
            let met = sent.await.unwrap_or_else(|error| {
                Met::failure(Outcome::Unsendable, format!("the transport broke: {error}"), 0)
            });
            let _ = asks.send(Ask::Finished(lane, met));
        });
    }

    async fn tell(&mut self, delivery: &Delivery, what: What) {
        let at = self.lane(delivery.lane).now;
        let scope = Scope { at, conversation: Some(delivery.lane), step: Some(delivery.step) };
        self.recorder.tell(scope, what).await;
    }

    /// Under a real clock, lets somebody say when this time has come.
    fn pass(&self, lane: Lane, at: Timestamp) {
        let (Pace::Real(speed), Some(asks)) = (self.pace, self.asks.upgrade()) else { return };
        let due = self.began + self.after_start(at).div_f64(speed);
        tokio::spawn(async move {
            sleep_until(due).await;
            let _ = asks.send(Ask::Passed(lane));
        });
    }

    fn after_start(&self, at: Timestamp) -> Duration {
        at.duration_since(self.start).try_into().unwrap_or(Duration::ZERO)
    }

    /// Under a real clock, lets everything go on whose time has come.
    async fn passed(&mut self, lane: Lane) {
        let Pace::Real(speed) = self.pace else { return };
        let passed = self.began.elapsed().mul_f64(speed);
        let now = self.start.checked_add(passed).unwrap_or(Timestamp::MAX);
        let time = self.lane(lane);
        time.now = time.now.max(now);
        if time.wake.is_some_and(|at| at <= now) {
            time.wake = None;
            self.step(lane, Input::Woken(lane)).await;
        }
        let time = self.lane(lane);
        if time.sleeper.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, wake)) = time.sleeper.take()
        {
            let _ = wake.send(());
        }
    }

    /// Lets a lane's time jump to whatever comes next, once nothing of it is under way; tells who
    /// waits for its end.
    async fn advance(&mut self, lane: Lane) {
        loop {
            let resting = self.engine.is_idle(lane) || self.engine.is_delayed(lane);
            let is_idle = self.engine.is_idle(lane);
            let jumps = self.pace == Pace::Virtual;
            let time = self.lane(lane);
            if is_idle && let Some(done) = time.drainer.take() {
                let _ = done.send(());
                self.lanes.remove(&lane);
                return;
            }
            if !(jumps && resting) {
                return;
            }
            let waiting = time.sleeper.is_some() || time.drainer.is_some();
            let sleeps_until = time.sleeper.as_ref().map(|(at, _)| *at);
            match (time.wake, sleeps_until) {
                (Some(at), sleeper) if waiting && sleeper.is_none_or(|sleeper| at <= sleeper) => {
                    time.now = time.now.max(at);
                    time.wake = None;
                    self.step(lane, Input::Woken(lane)).await;
                }
                (_, Some(at)) => {
                    time.now = time.now.max(at);
                    if let Some((_, wake)) = time.sleeper.take() {
                        let _ = wake.send(());
                    }
                    return;
                }
                _ => return,
            }
        }
    }
}
