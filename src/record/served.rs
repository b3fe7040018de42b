//! Records of a server: what it needs to continue a run after a restart.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::references::KnownSecrets;
use crate::fault::Faults;

crate::string_enum! {
    /// What somebody did to the clock of a run.
    pub enum SteerCommand {
        /// Run time stands still.
        Pause = "pause",
        /// Run time continues.
        Resume = "resume",
        /// The run is paused, and does its next step.
        Step = "step",
        /// Run time passes at another speed.
        Speed = "speed",
        /// The run ends where it is.
        Cancel = "cancel",
        /// Nothing changes. The run time of the record is that of the clock.
        Mark = "mark",
        /// Deliveries have other faults from now on.
        Faults = "faults",
    }
}

/// How a server plays a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunServed {
    /// Name by which the scenario was started.
    pub name: String,
    /// Text of the scenario. The run keeps it, although the file may change.
    pub source: String,
    /// Number of steps of the scenario.
    pub steps: usize,
    /// Speed of the real clock; `None` for a virtual clock.
    pub speed: Option<f64>,
    /// Whether it waits for a step or for being resumed.
    pub paused: bool,
    /// Numbers of the endpoints at its start.
    pub endpoints: Vec<u32>,
    /// The delivery that it sends again, if it is a redelivery.
    pub redelivery_of: Option<String>,
}

/// A change of the clock of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSteered {
    /// The command.
    pub command: SteerCommand,
    /// The new speed, for `speed`.
    pub speed: Option<f64>,
    /// The new faults, for `faults`.
    #[serde(default)]
    pub faults: Option<Faults>,
}

/// The subscription of an endpoint, from this record of the run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSubscription {
    /// Number of the endpoint, from 1.
    pub endpoint: u32,
    /// Event types, as patterns; empty if it gets no events.
    pub events: Vec<String>,
}

/// Actions of a person or a program in a conversation. What they cause follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionsRequested {
    /// The actions, with their texts rendered.
    pub actions: Json,
    /// The people whom a call to the vendor's API has created or changed.
    pub people: Json,
    /// The visitors of the conversation that a call has opened.
    pub opens: Option<Json>,
    /// The visitor of the conversation of a script that a call has opened.
    pub adopts: Option<Json>,
    /// The visitor who gets the conversation after the actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hands_over: Option<Json>,
}

impl ActionsRequested {
    /// Returns the approximate size of the values in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        // The values were parsed; their text is about as long.
        let others = self
            .opens
            .iter()
            .chain(&self.adopts)
            .chain(&self.hands_over)
            .map(|value| value.to_string().len());
        [&self.actions, &self.people].map(|value| value.to_string().len()).iter().sum::<usize>()
            + others.sum::<usize>()
    }

    /// Returns the actions with secrets in place of their references.
    #[must_use]
    pub fn filled(&self, secrets: &KnownSecrets) -> Self {
        let fill = |json: &Json| {
            let mut json = json.clone();
            secrets.fill_json(&mut json);
            json
        };
        let Self { actions, people, opens, adopts, hands_over } = self;
        let [opens, adopts, hands_over] =
            [opens, adopts, hands_over].map(|one| one.as_ref().map(fill));
        Self { actions: fill(actions), people: fill(people), opens, adopts, hands_over }
    }
}
