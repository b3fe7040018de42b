//! The identity of a run: its first record, by which a journal recognises it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{LazyLock, Mutex, PoisonError};

use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::dry_run::dry_run;
use super::plan::RunPlan;
use super::probe::signature_test;
use crate::delivery::ClockMode;
use crate::record::{RecordKind, RunStarted, UnexpectedCalls};

/// Returns the first record of a run as it is stored. It identifies the run: one with another record
/// is another run.
pub fn identify(plan: &RunPlan) -> RunStarted {
    let started = first_record(plan);
    match RecordKind::RunStarted(started.clone()).redacted(&plan.redactor()) {
        RecordKind::RunStarted(redacted) => redacted,
        _ => started,
    }
}

/// Returns the first record of a run, before redaction.
pub(super) fn first_record(plan: &RunPlan) -> RunStarted {
    let (platform, script) = (&plan.account.platform, &plan.script);
    let single = RunPlan { plays: 1, ..plan.clone() };
    let mut digest = Sha256::new();
    dry_run(&single).for_each(|item| digest.update(item.digest_text()));
    digest.update(settings(plan).to_string());
    if script.awaits_deliveries || script.has_reactions() {
        digest.update(script.declared_inputs().to_string());
    }
    digest.update(secret_hash(plan));
    let wants = script.steps.iter();
    let wants = wants.filter_map(|step| Some((step.number, step.want.as_ref()?.declared.clone())));
    RunStarted {
        scenario: plan.script.name.clone(),
        file: plan.script.file.clone(),
        vendor: platform.full_id(),
        differs: platform.differs.clone(),
        verify: script.verify.status.as_ref().map(ToString::to_string),
        within: script.verify.within,
        signature: (!script.only_last).then(|| signature_test(plan)),
        unexpected: unexpected_calls(plan),
        wants: wants.collect(),
        seed: plan.seed,
        start: plan.start,
        clock: if plan.pace == ClockMode::Virtual { "virtual" } else { "real" }.to_owned(),
        conversations: plan.conversations(),
        plays: plan.plays,
        urls: plan.endpoints.iter().map(|endpoint| endpoint.url.to_string()).collect(),
        // Sixteen digits are enough to distinguish the runs of one journal.
        digest: hex::encode(&digest.finalize()[..8]),
        occurrence: plan.occurrence,
        resumes: None,
        chaos: plan.script.chaos.clone(),
    }
}

/// Returns how calls that meet no expectation affect the verdict. By default, the report names them if
/// the script waits for calls.
fn unexpected_calls(plan: &RunPlan) -> Option<UnexpectedCalls> {
    let expects_calls = plan.script.needs_calls(&plan.account.platform).is_some();
    plan.script.verify.unexpected.or(expects_calls.then_some(UnexpectedCalls::Warn))
}

/// What decides how a run is sent and judged, and is not in the requests of its first conversation.
fn settings(plan: &RunPlan) -> serde_json::Value {
    let platform = &plan.account.platform;
    let policies: Vec<_> =
        platform.event_types().into_iter().map(|name| (name, plan.account.policy(name))).collect();
    let handshake = &platform.handshake;
    let speed = match plan.pace {
        ClockMode::Virtual => None,
        ClockMode::Real(speed) => Some(speed),
    };
    json!({
        "policy": platform.policy,
        "policies": policies,
        "wire": platform.wire,
        "handshake": [handshake.proof.as_ref().map(|proof| &proof.success), handshake.refuses()],
        "faults": plan.script.faults.faults,
        "one_in": plan.script.faults.one_in,
        "speed": speed,
        "max_failures": plan.limits.max_failures,
        "max_timeouts": plan.limits.max_timeouts,
        "deadline_ms": plan.limits.deadline.map(|deadline| deadline.as_millis()),
    })
}

/// Iterations of the hash of secrets: tens of milliseconds. The digest is public, and a fast hash would
/// allow to guess short secrets with it.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(49_999);

/// Hash of secrets.
type SecretHash = [u8; 16];

/// Returns a hash of the user's secrets; empty if there are none. A run with other secrets is another
/// run, although its records are the same.
fn secret_hash(plan: &RunPlan) -> Vec<u8> {
    // Many runs of a command have the same secrets.
    static HASHES: LazyLock<Mutex<HashMap<Vec<u8>, SecretHash>>> = LazyLock::new(Mutex::default);
    let secrets = plan.own_secrets();
    if secrets.is_empty() {
        return Vec::new();
    }
    let text = json!(secrets).to_string();
    let key = Sha256::digest(&text).to_vec();
    let mut hashes = HASHES.lock().unwrap_or_else(PoisonError::into_inner);
    let hash = hashes.entry(key).or_insert_with(|| {
        let mut hash = SecretHash::default();
        let salt = plan.account.platform.id.as_bytes();
        derive(PBKDF2_HMAC_SHA256, ITERATIONS, salt, text.as_bytes(), &mut hash);
        hash
    });
    hash.to_vec()
}
