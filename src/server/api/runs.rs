//! Runs: start, list, read, steer and wait for the verdict.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Data, Json, Path, Payload, Query, ServiceConfig, block, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::body;
use super::error::{ApiError, ErrorResponse, interrupted};
use super::faults::read_faults;
use super::scenarios::UPLOADED;
use crate::base::limits::{MAX_PAGE, MAX_SCENARIO_NAME, MAX_WAIT, PAGE_SIZE};
use crate::delivery::ClockMode;
use crate::diag::Source;
use crate::fault::Faults;
use crate::journal::RunOutline;
use crate::platform::VendorRef;
use crate::record::{RunFinished, Verdict};
use crate::report::ReportFormat;
use crate::server::live::{
    HistoryPage, ListedRun, LiveServer, RestartRequest, RunFilter, RunPhase, RunRequest, ServedRun,
};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/runs").route(get().to(list)).route(post().to(start)))
        .service(resource("/api/v1/runs/{run}").route(get().to(read)))
        .service(resource("/api/v1/runs/{run}/report").route(get().to(report)))
        .service(resource("/api/v1/runs/{run}/restart").route(post().to(restart)))
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
    /// Name under which lists show a scenario of `source`.
    name: Option<String>,
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
    /// Only those at this vendor.
    vendor: Option<String>,
    /// Only those with this verdict: `passed`, `failed`, `inconclusive` or `interrupted`.
    #[param(value_type = Option<String>)]
    verdict: Option<Verdict>,
    /// Only those whose number, seed, vendor or scenario contains this text.
    text: Option<String>,
    /// Number of entries, at most 500. Default: 100.
    limit: Option<usize>,
}

/// Format of a report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    /// `html` (default), `md`, `json`, `junit` or `har`.
    #[param(value_type = Option<String>)]
    format: Option<ReportFormat>,
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
    /// The faults that somebody has turned on.
    faults: Vec<String>,
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
            faults: fault_names(&run.faults()),
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
        let RunOutline { run, at, started, served, speed, faults, finished, is_cancelled, .. } =
            outline;
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
            faults: fault_names(&faults),
            started_at: at,
            start: started.start,
            redelivery_of: served.redelivery_of.map(Into::into),
            result: finished,
            reason,
        }
    }
}

fn fault_names(faults: &Faults) -> Vec<String> {
    faults.0.iter().map(ToString::to_string).collect()
}

/// How long to wait for the result.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Seconds to wait for the end of the script. A longer time counts as 60.
    wait: Option<u64>,
}

/// The parameter of a command, in a document with only this value.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SteerParameters {
    /// For `speed`: run time for each second of wall time.
    speed: Option<f64>,
    /// For `jump`: number of the step before which the run is paused, from 1.
    step: Option<usize>,
    /// For `faults`: the faults of deliveries from now on; empty for none.
    faults: Option<Vec<String>>,
}

impl SteerParameters {
    fn required<T>(parameter: Option<T>, name: &str) -> Result<T, ApiError> {
        parameter.ok_or_else(|| {
            ApiError::invalid(format!("`{name}` is missing")).pointer(format!("/{name}"))
        })
    }
}

/// How a run is played again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    /// Number of the step to begin at, from 1. What comes before it happens without waiting, and the run
    /// is paused there. Default: it is played from its beginning.
    step: Option<usize>,
    /// Seed of the generated values. Default: the same one.
    seed: Option<u64>,
}

/// Plays a run again: the same scenario, in the version that it had, as a new run.
#[utoipa::path(post, path = "/api/v1/runs/{run}/restart", tag = "runs", request_body = Restart,
    params(("run" = u32, Path, description = "Number of the run")),
    responses((status = 201, body = RunSummary), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn restart(
    live: Data<LiveServer>,
    run: Path<u32>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let Restart { step, seed } = body::read(&request, payload).await?;
    let run = live.restart(*run, RestartRequest { step, seed }).await?;
    Ok(HttpResponse::Created().json(RunSummary::of(&run)))
}

/// Lists the runs, the newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, body = RunList), (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<RunQuery>,
) -> Result<Json<RunList>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE);
    let RunQuery { before, vendor, verdict, text, .. } = query.into_inner();
    let filter = RunFilter { before, vendor, verdict, text };
    // Reading many of a journal must not delay other requests.
    let found = block(move || live.run_list(&filter, limit)).await.map_err(|_| interrupted())?;
    let HistoryPage { items, next } = found?;
    Ok(Json(RunList { items: items.into_iter().map(RunSummary::listed).collect(), next }))
}

/// Returns a report about a run: a file to hand over.
#[utoipa::path(get, path = "/api/v1/runs/{run}/report", tag = "runs",
    params(("run" = u32, Path, description = "Number of the run"), ReportQuery),
    responses((status = 200, body = String, content_type = "text/html"),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn report(
    live: Data<LiveServer>,
    run: Path<u32>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let (number, format) = (*run, query.format.unwrap_or(ReportFormat::Html));
    let report = block(move || live.report(number, format)).await.map_err(|_| interrupted())?;
    let (media_type, ending) = match format {
        ReportFormat::Junit => ("application/xml", "xml"),
        ReportFormat::Html => ("text/html; charset=utf-8", "html"),
        ReportFormat::Json => ("application/json", "json"),
        ReportFormat::Har => ("application/json", "har"),
        ReportFormat::Md => ("text/markdown; charset=utf-8", "md"),
    };
    let disposition = format!("attachment; filename=\"run-{number}.{ending}\"");
    let mut response = HttpResponse::Ok();
    response.content_type(media_type).insert_header((CONTENT_DISPOSITION, disposition));
    Ok(response.body(report?))
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
        (None, Some(text)) => {
            let name = start.name.as_deref().unwrap_or(UPLOADED);
            if name.len() > MAX_SCENARIO_NAME || name.contains(char::is_control) {
                let message = format!(
                    "`name` must have at most {MAX_SCENARIO_NAME} bytes and no control characters"
                );
                return Err(ApiError::invalid(message).pointer("/name"));
            }
            Source::new(name, text)
        }
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

/// Steers a run: `pause`, `resume`, `step`, `speed`, `jump`, `faults` or `cancel`.
#[utoipa::path(post, path = "/api/v1/runs/{run}/{command}", tag = "runs",
    params(("run" = u32, Path, description = "Number of the run"),
           ("command" = String, Path,
            description = "`pause`, `resume`, `step`, `cancel`; with a body, `speed`, `jump` or `faults`")),
    request_body(content = SteerParameters, description = "Only for `speed`, `jump` and `faults`"),
    responses((status = 200, body = RunSummary), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
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
            let SteerParameters { speed, .. } = body::read(&request, payload).await?;
            live.set_speed(&run, SteerParameters::required(speed, "speed")?).await?;
        }
        "jump" => {
            let SteerParameters { step, .. } = body::read(&request, payload).await?;
            live.jump(&run, SteerParameters::required(step, "step")?).await?;
        }
        "faults" => {
            let SteerParameters { faults, .. } = body::read(&request, payload).await?;
            let faults = SteerParameters::required(faults, "faults")?;
            live.set_faults(&run, read_faults(&faults)?).await?;
        }
        other => {
            let error = ApiError::not_found(format!("there is no command `{other}`"));
            let known = "`pause`, `resume`, `step`, `speed`, `jump`, `faults` or `cancel`";
            return Err(error.hint(format!("expected {known}")));
        }
    }
    Ok(Json(RunSummary::of(&run)))
}
