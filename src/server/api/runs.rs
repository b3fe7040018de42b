//! Runs: start, list, read, steer and wait for the verdict.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Json, Path, Payload, Query, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::body;
use super::error::{ApiError, ErrorResponse};
use super::scenarios::UPLOADED;
use crate::base::limits::{MAX_PAGE, MAX_WAIT, PAGE_SIZE};
use crate::delivery::ClockMode;
use crate::diag::Source;
use crate::journal::RunOutline;
use crate::platform::VendorRef;
use crate::record::RunFinished;
use crate::server::live::{ListedRun, LiveServer, RunPhase, RunRequest, ServedRun};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/runs").route(get().to(list)).route(post().to(start)))
        .service(resource("/api/v1/runs/{run}").route(get().to(read)))
        .service(resource("/api/v1/runs/{run}/{command}").route(post().to(steer)));
}

/// A run to start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartRun {
    /// Id of the vendor.
    vendor: String,
    /// Name of the scenario; or `source`.
    scenario: Option<String>,
    /// Text of a scenario in TOML; or `scenario`.
    source: Option<String>,
    /// Seed of the generated values. Default: a random one.
    seed: Option<u64>,
    /// `real` (default), or `virtual`, which waits for nothing.
    #[serde(default)]
    clock: ClockName,
    /// Speed of a real clock. Default: 1.
    speed: Option<f64>,
    /// Number of conversations. Default: 1.
    conversations: Option<u32>,
    /// Whether the run waits for a step or for being resumed.
    #[serde(default)]
    paused: bool,
}

/// How run time passes.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClockName {
    /// Like wall time, multiplied by the speed.
    #[default]
    Real,
    /// Jumps to the next event without waiting.
    Virtual,
}

/// Which runs to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RunQuery {
    /// Only those with a smaller number: the next page.
    before: Option<u32>,
    /// Number of entries, at most 500. Default: 100.
    limit: Option<usize>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
pub(super) struct RunList {
    items: Vec<RunSummary>,
    /// Value of `before` for the next page, if there may be one.
    next: Option<u32>,
}

/// A run.
#[derive(Serialize, ToSchema)]
pub(super) struct RunSummary {
    /// Its number.
    run: u32,
    /// Id of the vendor.
    #[schema(value_type = String)]
    vendor: Arc<str>,
    /// Title of the scenario.
    scenario: String,
    /// Name of the scenario.
    file: String,
    /// Seed of the generated values.
    seed: u64,
    /// Number of conversations.
    conversations: u32,
    /// Number of steps of the scenario.
    steps: usize,
    /// `starting`, `running`, `paused`, `finished`, `cancelled` or `interrupted`.
    #[schema(value_type = String)]
    phase: RunPhase,
    /// How run time passes.
    clock: ClockName,
    /// Speed of a real clock.
    speed: Option<f64>,
    /// Wall time of its start.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Run time of its start.
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    /// The delivery that it sends again, if it is a redelivery.
    #[schema(value_type = Option<String>)]
    redelivery_of: Option<Arc<str>>,
    /// The result, once the script has ended.
    #[schema(value_type = Option<Object>)]
    result: Option<RunFinished>,
    /// Why it could not be continued after a restart.
    reason: Option<String>,
}

impl RunSummary {
    pub(super) fn of(run: &ServedRun) -> Self {
        let script = &run.script.script;
        let (clock, speed) = match run.clock() {
            ClockMode::Virtual => (ClockName::Virtual, None),
            ClockMode::Real(speed) => (ClockName::Real, Some(speed)),
        };
        Self {
            run: run.number,
            vendor: Arc::clone(&run.vendor),
            scenario: script.name.clone(),
            file: script.file.clone(),
            seed: run.script.seed,
            conversations: run.conversations,
            steps: script.steps.len(),
            phase: run.phase(),
            clock,
            speed,
            started_at: run.started_at,
            start: run.script.start,
            redelivery_of: run.redelivery_of.clone(),
            result: run.finished(),
            reason: None,
        }
    }

    fn listed(run: ListedRun) -> Self {
        match run {
            ListedRun::Live(run) => Self::of(&run),
            ListedRun::Past(outline, reason) => Self::past(*outline, reason),
        }
    }

    /// A run that only the journal has.
    fn past(outline: RunOutline, reason: Option<String>) -> Self {
        let RunOutline { run, at, started, served, speed, finished, is_cancelled, .. } = outline;
        Self {
            run: u32::try_from(run).unwrap_or_default(),
            vendor: VendorRef::parse(&started.vendor).id.into(),
            scenario: started.scenario,
            file: started.file,
            seed: started.seed,
            conversations: started.conversations,
            steps: served.steps,
            phase: match &finished {
                _ if is_cancelled => RunPhase::Cancelled,
                Some(_) => RunPhase::Finished,
                None => RunPhase::Interrupted,
            },
            clock: if speed.is_some() { ClockName::Real } else { ClockName::Virtual },
            speed,
            started_at: at,
            start: started.start,
            redelivery_of: served.redelivery_of.map(Into::into),
            result: finished,
            reason,
        }
    }
}

/// How long to wait for the result.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Seconds to wait for the end of the script, at most 60.
    wait: Option<u64>,
}

/// A speed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Speed {
    /// Run time for each second of wall time.
    speed: f64,
}

/// Lists the runs, the newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, body = RunList), (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<RunQuery>,
) -> Result<Json<RunList>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE);
    let found = live.run_list(query.before, limit)?;
    let items: Vec<RunSummary> = found.into_iter().map(RunSummary::listed).collect();
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.run);
    Ok(Json(RunList { items, next }))
}

/// Starts a run.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", request_body = StartRun,
    responses((status = 201, body = RunSummary), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn start(
    live: Data<LiveServer>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let start: StartRun = body::read(&request, payload).await?;
    let source = match (start.scenario, start.source) {
        (Some(name), None) => live.scenario(&name)?,
        (None, Some(text)) => Source::new(UPLOADED, text),
        _ => {
            let error = ApiError::invalid("expected exactly one of `scenario` and `source`");
            return Err(error.hint("`GET /api/v1/scenarios` lists the names"));
        }
    };
    let clock = match (start.clock, start.speed) {
        (ClockName::Real, speed) => ClockMode::Real(speed.unwrap_or(1.0)),
        (ClockName::Virtual, None) => ClockMode::Virtual,
        (ClockName::Virtual, Some(_)) => {
            let error = ApiError::invalid("a virtual clock has no speed").pointer("/speed");
            return Err(error.hint("remove `speed`, or use the real clock"));
        }
    };
    let request = RunRequest {
        vendor: start.vendor,
        source,
        seed: start.seed,
        clock,
        conversations: start.conversations.unwrap_or(1),
        is_paused: start.paused,
    };
    let run = live.start_run(&request).await?;
    Ok(HttpResponse::Created().json(RunSummary::of(&run)))
}

/// Returns a run. With `wait`, waits for the end of its script.
#[utoipa::path(get, path = "/api/v1/runs/{run}", tag = "runs",
    params(("run" = u32, Path, description = "Number of the run"), Wait),
    responses((status = 200, body = RunSummary), (status = 404, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    run: Path<u32>,
    query: Query<Wait>,
) -> Result<Json<RunSummary>, ApiError> {
    let found = live.look_up(*run)?;
    if let (ListedRun::Live(run), Some(seconds)) = (&found, query.wait) {
        let wait = Duration::from_secs(seconds).min(MAX_WAIT);
        // The phase in the response shows whether it has ended.
        let _ = timeout(wait, run.ended()).await;
    }
    Ok(Json(RunSummary::listed(found)))
}

/// Steers a run: `pause`, `resume`, `step`, `speed` or `cancel`.
#[utoipa::path(post, path = "/api/v1/runs/{run}/{command}", tag = "runs",
    params(("run" = u32, Path, description = "Number of the run"),
           ("command" = String, Path,
            description = "`pause`, `resume`, `step`, `cancel`, or `speed` with a body")),
    request_body(content = Speed, description = "Only for `speed`"),
    responses((status = 200, body = RunSummary), (status = 404, body = ErrorResponse),
              (status = 409, body = ErrorResponse), (status = 422, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn steer(
    live: Data<LiveServer>,
    path: Path<(u32, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<RunSummary>, ApiError> {
    let (number, command) = path.into_inner();
    let run = live.run(number).await?;
    match command.as_str() {
        "pause" => live.pause(&run).await?,
        "resume" => live.resume(&run).await?,
        "step" => live.step(&run).await?,
        "cancel" => live.cancel(&run).await?,
        "speed" => {
            let Speed { speed } = body::read(&request, payload).await?;
            live.set_speed(&run, speed).await?;
        }
        other => {
            let error = ApiError::not_found(format!("there is no command `{other}`"));
            return Err(error.hint("expected `pause`, `resume`, `step`, `speed` or `cancel`"));
        }
    }
    Ok(Json(RunSummary::of(&run)))
}
