//! Scenarios: list, read and check.

use actix_web::web::{Data, Json, Path, Payload, ServiceConfig, delete, get, post, put, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ApiProblem, ErrorResponse};
use crate::diag::Source;
use crate::server::live::{LiveServer, OfferedScenario};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/scenarios").route(get().to(list)))
        // Before the names of scenarios, which may be paths.
        .service(resource("/api/v1/scenarios/check").route(post().to(check)))
        .service(
            resource("/api/v1/scenarios/{name:.+}")
                .route(get().to(read))
                .route(put().to(upload))
                .route(delete().to(remove)),
        );
}

/// A list of scenarios.
#[derive(Serialize, ToSchema)]
pub(super) struct ScenarioList {
    items: Vec<ScenarioSummary>,
    /// Files that have changed and have problems. The previous versions stay active.
    invalid: Vec<InvalidScenario>,
}

/// A scenario whose file has problems.
#[derive(Serialize, ToSchema)]
pub(super) struct InvalidScenario {
    /// Name of the scenario.
    name: String,
    /// The problems of the file.
    problems: Vec<ApiProblem>,
}

/// A scenario that can be run.
#[derive(Serialize, ToSchema)]
pub(super) struct ScenarioSummary {
    /// Name by which a run starts it.
    name: String,
    /// Title.
    title: String,
    /// What it is for.
    about: Option<String>,
    /// Ids of the vendors that it can be run at.
    vendors: Vec<String>,
}

/// A scenario to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckRequest {
    /// The text of the scenario, in TOML.
    source: String,
}

/// The result of a check.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckResult {
    /// The problems; empty if the scenario can be run.
    problems: Vec<ApiProblem>,
    /// Ids of the vendors that it can be run at.
    vendors: Vec<String>,
}

impl From<OfferedScenario> for ScenarioSummary {
    fn from(scenario: OfferedScenario) -> Self {
        let OfferedScenario { name, title, about, vendors } = scenario;
        Self { name, title, about, vendors }
    }
}

/// Lists the scenarios.
#[utoipa::path(get, path = "/api/v1/scenarios", tag = "scenarios",
    responses((status = 200, body = ScenarioList)))]
pub(super) async fn list(live: Data<LiveServer>) -> Json<ScenarioList> {
    let items = live.scenarios().iter().cloned().map(ScenarioSummary::from).collect();
    let invalid = live.invalid_scenarios().into_iter();
    let invalid = invalid.map(|(name, problems)| {
        let problems = problems.sorted();
        let problems = problems.iter().map(|problem| ApiProblem::of(problem, None)).collect();
        InvalidScenario { name, problems }
    });
    Json(ScenarioList { items, invalid: invalid.collect() })
}

/// Returns the text of a scenario.
#[utoipa::path(get, path = "/api/v1/scenarios/{name}", tag = "scenarios",
    params(("name" = String, Path, description = "Name of the scenario")),
    responses((status = 200, body = String, content_type = "application/toml"),
              (status = 404, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let source = live.scenario(&name)?;
    Ok(HttpResponse::Ok().content_type("application/toml").body(source.text.clone()))
}

/// Offers a scenario under a name, or replaces the one that was uploaded under it.
#[utoipa::path(put, path = "/api/v1/scenarios/{name}", tag = "scenarios",
    params(("name" = String, Path, description = "Name: letters, digits, `-`, `_` and `.`")),
    request_body = CheckRequest,
    responses((status = 201, body = CheckResult), (status = 200, body = CheckResult),
              (status = 400, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn upload(
    live: Data<LiveServer>,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let CheckRequest { source } = body::read(&request, payload).await?;
    let is_new = live.upload_scenario(&name, source).await?;
    let checked = live.check(&live.scenario(&name)?);
    let result = CheckResult { problems: Vec::new(), vendors: checked.vendors };
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(result))
}

/// Removes a scenario that was uploaded. Runs keep it.
#[utoipa::path(delete, path = "/api/v1/scenarios/{name}", tag = "scenarios",
    params(("name" = String, Path, description = "Name of the scenario")),
    responses((status = 204), (status = 404, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn remove(
    live: Data<LiveServer>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    live.remove_scenario(&name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Checks a scenario at all vendors that it is for.
#[utoipa::path(post, path = "/api/v1/scenarios/check", tag = "scenarios",
    request_body = CheckRequest,
    responses((status = 200, body = CheckResult), (status = 400, body = ErrorResponse)))]
pub(super) async fn check(
    live: Data<LiveServer>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<CheckResult>, ApiError> {
    let CheckRequest { source } = body::read(&request, payload).await?;
    let checked = live.check(&Source::new(UPLOADED, source));
    let problems = checked.problems.sorted();
    let problems = problems.iter().map(|problem| ApiProblem::of(problem, None)).collect();
    Ok(Json(CheckResult { problems, vendors: checked.vendors }))
}

/// Name of a scenario whose text is part of a request.
pub(super) const UPLOADED: &str = "scenario";
