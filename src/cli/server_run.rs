//! `standin run --server`: plays scenarios at a running server, whose receivers get the webhooks.

use serde_json::{Value as Json, json};

use super::client::{Client, ClientArgs};
use super::exit::{CommandError, ExitStatus};
use super::inputs::{scenarios, vendor_names};
use super::terminal::{note, print};
use crate::base::limits::MAX_SCENARIO_NAME;
use crate::base::text::{count, escape};
use crate::diag::{Problem, Problems, Source, code};
use crate::platform::VendorRef;

/// Scenarios to play at a server.
pub(super) struct ServerRuns<'a> {
    /// URL of the server.
    pub(super) server: &'a str,
    /// Names of scenarios, as on the command line.
    pub(super) scenarios: &'a [String],
    /// Vendors; empty for those with a receiver.
    pub(super) vendors: &'a [String],
    /// Seed, clock and number of conversations, as in a request.
    pub(super) options: Json,
}

/// Seconds for which one request waits for the verdict.
const WAIT: u32 = 20;

impl ServerRuns<'_> {
    /// Plays all of them, one after the other, and prints the verdicts.
    pub(super) fn play(&self) -> Result<ExitStatus, CommandError> {
        let client = ClientArgs::of(self.server).client()?;
        let mut planned = Vec::new();
        let mut problems = Problems::new();
        let sources = scenarios(self.scenarios)?;
        let choice = VendorChoice::of(self.vendors, &client.get("/vendors")?)?;
        for source in sources {
            let vendors = problems.note(choice.vendors_of(&source, &client)?);
            let vendors = vendors.into_iter().flatten();
            planned.extend(vendors.map(|vendor| (source.clone(), vendor)));
        }
        let planned = problems.into_result(Some(planned))?;
        let mut exit = ExitStatus::Passed;
        for (source, vendor) in &planned {
            let run = self.play_one(source, vendor, &client)?;
            let ended = ExitStatus::from_result(&run["result"]);
            if exit == ExitStatus::Passed {
                exit = ended;
            }
            print(report(&run))?;
        }
        Ok(exit)
    }

    /// Starts a run, and waits for its end.
    fn play_one(
        &self,
        source: &Source,
        vendor: &str,
        client: &Client,
    ) -> Result<Json, CommandError> {
        let mut request = self.options.clone();
        request["vendor"] = vendor.into();
        request["source"] = (*source.text).into();
        // Only the end: the path of a file may be long.
        let name = source.name.rsplit(['/', '\\']).next().unwrap_or_default();
        request["name"] = name.chars().take(MAX_SCENARIO_NAME / 4).collect::<String>().into();
        let mut run = client.post("/runs", &request.to_string())?;
        let path = format!("/runs/{}?wait={WAIT}", run["run"]);
        while run["result"].is_null() {
            run = client.get(&path)?;
            if run["phase"] == "interrupted" {
                let reason = run["reason"].as_str().unwrap_or("the server ended").to_owned();
                return Err(
                    anyhow::anyhow!("run {} cannot be continued: {reason}", run["run"]).into()
                );
            }
        }
        Ok(run)
    }
}

/// The vendors of a server at which scenarios are played.
struct VendorChoice {
    /// Ids, in the order of the server.
    ids: Vec<String>,
    /// Whether the command names them one by one.
    is_explicit: bool,
}

impl VendorChoice {
    /// Returns the vendors that the command names, or those with a receiver. `listed` are those of the
    /// server.
    fn of(names: &[String], listed: &Json) -> Result<Self, Problems> {
        let served: Vec<&Json> = listed["items"].as_array().into_iter().flatten().collect();
        let id = |vendor: &&Json| vendor["id"].as_str().unwrap_or_default().to_owned();
        if names.is_empty() {
            let has_receiver = |vendor: &&&Json| vendor["endpoints"].as_u64() > Some(0);
            let ids = served.iter().filter(has_receiver).map(id).collect();
            return Ok(Self { ids, is_explicit: false });
        }
        let Some(names) = vendor_names(names)? else {
            return Ok(Self { ids: served.iter().map(id).collect(), is_explicit: false });
        };
        let mut problems = Problems::new();
        let mut ids = Vec::new();
        for name in names {
            let chosen = VendorRef::parse(name);
            let found = served.iter().find(|vendor| id(vendor) == chosen.id);
            let revision = found.and_then(|vendor| vendor["revision"].as_str());
            let is_served = chosen.revision.is_none() || chosen.revision.as_deref() == revision;
            match revision {
                Some(_) if is_served && !ids.contains(&chosen.id) => ids.push(chosen.id),
                Some(_) if is_served => {}
                Some(revision) => {
                    let message =
                        format!("the server plays {}@{revision}, not `{chosen}`", chosen.id);
                    let problem = Problem::anywhere(code::UNKNOWN_VALUE, message);
                    let help = format!("start it with `standin serve --vendor {chosen}`");
                    problems.push(problem.help(help));
                }
                None => {
                    let message = format!("the server has no vendor `{}`", escape(&chosen.id));
                    let all: Vec<String> = served.iter().map(id).collect();
                    let problem = Problem::anywhere(code::UNKNOWN_VALUE, message);
                    problems.push(problem.help(format!("it has {}", all.join(", "))));
                }
            }
        }
        problems.into_result(Some(Self { ids, is_explicit: true }))
    }

    /// Returns the vendors at which a scenario is played. All problems of the file are reported.
    fn vendors_of(
        &self,
        source: &Source,
        client: &Client,
    ) -> Result<Result<Vec<String>, Problems>, CommandError> {
        let body = json!({"source": source.text}).to_string();
        let checked = client.post("/scenarios/check", &body)?;
        let texts = |list: &Json| -> Vec<Json> { list.as_array().cloned().unwrap_or_default() };
        let mut problems = Problems::new();
        for problem in texts(&checked["problems"]) {
            let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            let place = format!("{}:{}:{}", source.name, problem["line"], problem["column"]);
            let found =
                Problem::anywhere(code::INVALID_TYPE, format!("{place}: {}", text("message")));
            problems.push(if text("hint").is_empty() { found } else { found.help(text("hint")) });
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        let playable = texts(&checked["vendors"]);
        let (vendors, others): (Vec<String>, Vec<String>) =
            self.ids.iter().cloned().partition(|id| playable.iter().any(|known| known == id));
        if vendors.is_empty() {
            let message = format!("the server can play `{}` at none of these vendors", source.name);
            let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
            let help = "add a receiver at the server, or choose vendors with `--vendor`";
            return Ok(Err(problem.help(help).into()));
        }
        for id in others.iter().filter(|_| self.is_explicit) {
            note(escape(&format!("scenario `{}` cannot run at {id}", source.name)));
        }
        Ok(Ok(vendors))
    }
}

impl ExitStatus {
    /// The exit code for the result of a run.
    fn from_result(result: &Json) -> Self {
        match result["verdict"].as_str() {
            Some("passed") => Self::Passed,
            Some("interrupted") => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

/// Describes a run that has ended, with its failures.
fn report(run: &Json) -> String {
    let text = |value: &Json| escape(value.as_str().unwrap_or_default());
    let result = &run["result"];
    let number = |key: &str| usize::try_from(result[key].as_u64().unwrap_or(0)).unwrap_or(0);
    let deliveries = count(number("deliveries"), "delivery", "deliveries");
    let mut lines = format!(
        "run {} at {}, {}: {}, {} of {deliveries} passed\n",
        run["run"],
        text(&run["vendor"]),
        text(&run["scenario"]),
        text(&result["verdict"]),
        number("passed")
    );
    if let Some(reason) = result["reason"].as_str() {
        lines += &format!("  {}\n", escape(reason));
    }
    for failure in result["failures"].as_array().into_iter().flatten() {
        let (failed, of) = (&failure["failed"], &failure["of"]);
        let (event_type, why) = (text(&failure["event_type"]), text(&failure["why"]));
        lines += &format!("  {event_type}: {failed} of {of} failed: {why}\n");
    }
    lines
}
