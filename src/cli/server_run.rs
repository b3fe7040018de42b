//! `standin run --server`: plays scenarios at a running server, whose receivers get the webhooks.

use serde_json::{Value as Json, json};

use super::client::{Client, ClientArgs};
use super::exit::{CommandError, ExitStatus};
use super::inputs::scenarios;
use super::terminal::print;
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
        for source in scenarios(self.scenarios)? {
            let vendors = problems.note(self.vendors_of(&source, &client)?);
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
        let listed = client.get("/vendors")?;
        let has_receiver = |id: &str| {
            let mut all = listed["items"].as_array().into_iter().flatten();
            all.any(|vendor| vendor["id"] == id && vendor["endpoints"].as_u64() > Some(0))
        };
        let chosen: Vec<String> =
            self.vendors.iter().map(|name| VendorRef::parse(name.trim()).id).collect();
        let is_chosen = |id: &String| match chosen.as_slice() {
            [] => has_receiver(id),
            [all] if all == "all" => true,
            chosen => chosen.contains(id),
        };
        let playable = texts(&checked["vendors"]).into_iter();
        let playable = playable.filter_map(|id| id.as_str().map(str::to_owned));
        let vendors: Vec<String> = playable.filter(is_chosen).collect();
        if vendors.is_empty() {
            let message = format!("the server can play `{}` at none of these vendors", source.name);
            let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
            let help = "add a receiver at the server, or choose vendors with `--vendor`";
            return Ok(Err(problem.help(help).into()));
        }
        Ok(Ok(vendors))
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
        request["source"] = source.text.as_str().into();
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
