// The wire: every request of the conversation, and one of them in full.

import { ApiError, get, post } from "./client.js";
import { bytes, curl, formatted, headers } from "./code.js";
import { $, choice, copy, el, fill, icon, prose, status, sync, toast } from "./dom.js";
import { comparison, editor } from "./edit.js";
import { proof } from "./proof.js";
import { RowWindow } from "./pages.js";
import { EXPECTED, latency, outcome, seconds, shortType, stateOf } from "./story.js";

/** The rows that are in the document. */
let shownRows = null;
/** Number of rows when the list last followed its end. */
let followed = 0;
/** The delivery that was revealed last. */
let revealed = null;

let shown = "all";
let tab = "request";
let asBytes = false;
/** The attempt that is shown; the last one if null. */
let attemptAt = null;
const proofs = new Map();
let lastDetail = "";

export function setUpWire(render) {
  shownRows = new RowWindow($("wire-scroll"), render);
  choice($("show-wire"), (value) => { shown = value; render(); });
}

const FILTERS = {
  all: () => true,
  webhooks: (row) => !row.isCall && !row.isExpectation,
  calls: (row) => Boolean(row.isCall),
  failed: (row) => row.state === "failed",
};

export const rowsOf = (story) => (!story ? [] : shown === "all" ? story.rows : story.rows.filter(FILTERS[shown]));

/** Shows at each filter how many rows it has. */
function renderCounts(rows) {
  for (const button of $("show-wire").children) {
    const filter = FILTERS[button.value];
    let count = 0;
    for (const row of rows) if (filter(row)) count += 1;
    const text = rows.length > 0 ? count.toLocaleString("en") : "";
    if (button.lastElementChild.textContent !== text) button.lastElementChild.textContent = text;
  }
}

/** Reads heights, before anything else of a frame. */
export const measureWire = () => shownRows.measure();

/** Whether the list shows its end, and stays there when rows are added. */
export const followsEnd = (state) => $("follow").checked && !state.isReading;

export function showTab(name) {
  tab = name;
  lastDetail = "";
}

export function renderWire(state, open) {
  const rows = rowsOf(state.story);
  renderCounts(state.story?.rows ?? []);
  $("wire-table").setAttribute("aria-rowcount", String(rows.length + 1));
  $("wire-empty").hidden = rows.length > 0;
  $("wire-empty").textContent = state.story?.rows.length ? "No request matches." : "Requests of the conversation appear here.";
  const follows = followsEnd(state);
  if (follows) followed = rows.length;
  $("follow-new").textContent = rows.length > followed ? `${rows.length - followed} new` : "";
  const focused = document.activeElement?.dataset?.delivery;
  if (state.delivery !== revealed) {
    revealed = state.delivery;
    shownRows.reveal(rows.findIndex((row) => row.id === revealed));
  }
  sync($("wire"), shownRows.entries(rows, (row, index) => ({
    version: `${index} ${row.id} ${row.state} ${row.effects?.length} ${row.attempts.length} ${latency(row.attempts.at(-1)?.result)} ${row.id === state.delivery} ${state.story.start}`,
    make: () => wireRow(row, index, state, open),
  }), follows));
  if (focused) $("wire").querySelector(`[data-delivery="${CSS.escape(focused)}"]`)?.focus();
  renderDetail(state);
}

function wireRow(row, index, state, open) {
  const [kind, name, word] = stateOf(row);
  const isSelected = row.id === state.delivery;
  const title = row.isCall ? row.name : EXPECTED[row.type] ?? shortType(row.type);
  const about = row.effects?.length ? row.effects.join(", ") : row.about ?? "";
  const extra = row.isAgain ? "sent again" : row.faults.join(", ");
  // The heading is the first row.
  return el("tr", { "aria-rowindex": index + 2, class: `${isSelected ? "sel" : ""}${row.isCall ? " in" : ""}${row.state === "failed" ? " bad" : ""}`, on: { click: () => open(row.id) } },
    el("td", { class: "c-t" }, seconds(state.story, row.at)),
    el("td", {}, el("button", { class: "open inset", type: "button", "data-delivery": row.id, "aria-current": isSelected ? "true" : null, title: row.isCall ? `${row.type}: ${about}` : row.type },
      el("span", { class: "dir" }, icon(row.isDelivery ? "up" : row.isCall ? "down" : "flag"), el("span", { class: "vh" }, row.isDelivery ? "Webhook" : row.isCall ? "Call of the receiver" : row.isExpectation ? "Expectation" : "Test")),
      el("span", { class: "nm n" }, title), el("span", { class: "nm e" }, about),
      extra ? el("span", { class: "tag odd" }, extra) : null)),
    el("td", { class: "c-s" }, status(kind, name, word)),
    el("td", { class: "c-l" }, row.isExpectation ? waited(row) : latency(row.attempts.at(-1)?.result)),
    el("td", { class: "c-a" }, row.isExpectation ? null : dots(row)));
}

const waited = (row) => (row.waited === undefined ? "" : row.waited < 10_000 ? `${row.waited} ms` : `${(row.waited / 1000).toFixed(1)} s`);

function dots(row) {
  const sent = row.attempts.filter((attempt) => attempt.hop === 0);
  const kind = (attempt) => (!attempt.result ? "live" : attempt.result.status >= 200 && attempt.result.status < 300 ? "ok" : "bad");
  return el("span", { class: "dots" }, sent.slice(-8).map((attempt) => el("i", { class: `dot ${kind(attempt)}` })), el("span", { class: "vh" }, `${sent.length} attempts`));
}

/** Another conversation is shown. */
export function resetWire() {
  followed = 0;
  resetDetail();
}

export function resetDetail() {
  attemptAt = null;
  lastDetail = "";
}

function renderDetail(state) {
  const row = state.story?.deliveries.get(state.delivery);
  const target = $("detail");
  // Rendered again only when something of it changed, so that a selection of text survives.
  const version = row ? JSON.stringify([row.id, row.state, row.attempts.length, row.attempts.at(-1)?.result !== null, row.attempts.at(-1)?.result?.body === null, row.effects?.length, tab, asBytes, attemptAt, proofs.has(row.id)]) : "none";
  if (version === lastDetail) return;
  lastDetail = version;
  if (!row) {
    fill(target, el("p", { class: "empty" }, state.story?.deliveries.size ? "Choose a request to see it in full." : ""));
    return;
  }
  const again = () => { lastDetail = ""; renderDetail(state); };
  const attempt = row.attempts[attemptAt ?? row.attempts.length - 1] ?? null;
  const names = row.isExpectation ? [] : [["request", "Request"], ["response", "Response"], ...(row.isDelivery ? [["proof", "Verification"], ["compare", "Compare"], ["edit", "Edit & resend"]] : [])];
  if (row.isExpectation) names.push(["why", row.state === "failed" ? "Why" : "Result"]);
  else if (row.why && !row.isCall) names.unshift(["why", "Why"]);
  const current = names.some(([name]) => name === tab) ? tab : names[0][0];
  const tabs = names.map(([name, label]) => el("button", {
    role: "tab", class: "inset", type: "button", id: `t-${name}`, "aria-controls": "p-detail", "aria-selected": String(name === current), tabindex: name === current ? "0" : "-1",
    on: { click: () => { tab = name; again(); $(`t-${name}`)?.focus(); }, keydown: (event) => moveTab(event) },
  }, label, name === "proof" ? verified(row) : null));
  fill(target,
    el("div", { class: "dhead" },
      el("div", { class: "row wrap" }, el("h2", {}, row.type), el("span", { class: "dim" }, about(row)), el("span", {}, settled(row))),
      row.attempts.length > 1 ? attempts(row, state, again) : null),
    el("div", { class: "tabrow" }, el("div", { class: "tabs", role: "tablist", "aria-label": `Request ${row.id}` }, tabs),
      el("div", { class: "row acts" },
        row.step && !row.isAgain ? el("button", { class: "btn quiet icon", type: "button", id: "restart-here", title: "Restart from here: play the run again up to this step", "aria-label": `Restart from step ${row.step}`, on: { click: () => state.restart(row.step) } }, icon("restart")) : null,
        attempt && !row.isCall ? el("button", { class: "btn quiet", type: "button", id: "curl", title: "Copy as curl", "aria-label": "Copy as curl", on: { click: () => copy(curl(row, attempt), "as curl") } }, icon("copy"), "curl") : null,
        row.isDelivery ? el("button", { class: "btn", type: "button", id: "redeliver", disabled: row.attempts.length === 0, on: { click: () => redeliver(row.id) } }, icon("retry"), "Redeliver") : null)),
    el("div", { class: "scroll inset", tabindex: "0", role: "tabpanel", id: "p-detail", "aria-labelledby": `t-${current}` },
      el("div", { class: "panel" }, panel(current, row, attempt, state, again))));
}

/** The result of the check of the signature, if it is known. */
function verified(row) {
  const known = proofs.get(row.id);
  if (known?.passed === undefined) return null;
  return known.passed ? status("ok", "check", el("span", { class: "vh" }, "valid")) : status("bad", "x", el("span", { class: "vh" }, "not valid"));
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...event.target.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  all[(all.indexOf(event.target) + step + all.length) % all.length].click();
  event.preventDefault();
}

const about = (row) => [row.isDelivery ? `delivery ${row.id}` : row.isCall ? `call ${row.call.number} of the receiver · ${row.name} · credentials ${row.call.auth.replaceAll("_", " ")}` : "", row.isExpectation ? row.about : "", row.step ? `step ${row.step}` : "", row.isAgain ? "sent again" : ""].filter(Boolean).join(" · ");

function settled(row) {
  const [kind, name, word] = stateOf(row);
  if (row.isExpectation) return status(kind, name, { passed: "Met", failed: "Not met" }[row.state] ?? word);
  const text = { passed: `Passed: ${outcome(row)}`, failed: `Failed: ${outcome(row)}` }[row.state] ?? word;
  return status(kind, name, text);
}

function attempts(row, state, again) {
  return el("div", { class: "row wrap", role: "group", "aria-label": "Attempts" }, row.attempts.map((attempt, index) => {
    const result = attempt.result;
    const isGood = result?.status >= 200 && result?.status < 300;
    const word = result ? (result.status ? String(result.status) : result.outcome.replaceAll("_", " ")) : "sending";
    const isShown = index === (attemptAt ?? row.attempts.length - 1);
    const wait = index > 0 ? row.attempts[index - 1].retryIn : null;
    return [
      wait ? el("span", { class: "dim" }, `waited ${wait < 1000 ? `${wait} ms` : `${(wait / 1000).toFixed(1)} s`}`) : null,
      el("button", { class: "att", type: "button", "aria-pressed": String(isShown), on: { click: () => { attemptAt = index; again(); } } },
        result ? status(isGood ? "ok" : "bad", isGood ? "check" : "x", word) : status("live", "dot", word), el("span", { class: "num" }, `${seconds(state.story, attempt.at)} s`)),
    ];
  }));
}

export async function redeliver(id) {
  try {
    await post(`/deliveries/${id}/redeliver`);
    toast("Sent once more. It is at the end of the list.");
  } catch (error) {
    toast(error instanceof ApiError ? error.text : String(error));
  }
}

function panel(name, row, attempt, state, again) {
  switch (name) {
    case "why": return row.isExpectation ? expectation(row, state) : why(row, state, again);
    case "response": return response(row, attempt, again);
    case "proof": return proofPanel(row, state, again);
    case "compare": return comparison(row, state.story, again);
    case "edit": return editor(row, again, state.open);
    default: return requestPanel(row, attempt, again);
  }
}

const place = ({ source }) => (source ? el("p", { class: "sec" }, "Step in ", el("code", {}, `${source.file}:${source.line}`)) : null);

/** Terms and what belongs to them. Empty ones are left out. */
const facts = (list) => el("dl", { class: "eg" }, list.filter(([, value]) => value).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));

function why(row, state, again) {
  const result = row.attempts.at(-1)?.result ?? row.result;
  const body = typeof result?.body === "string" ? result.body.slice(0, 500) : "";
  // With a fault, a rejection is what the receiver should do.
  const isRejected = [401, 403].includes(result?.status) && row.faults.length === 0;
  const known = isRejected && row.isDelivery ? verificationOf(row, state, again) : null;
  const mistakes = known?.mistakes ?? [];
  return [
    el("div", { class: "why" }, el("header", {}, icon("x"), el("span", {}, isRejected ? "The receiver rejected a valid request" : "This delivery failed")), el("div", {},
      el("p", { class: "pre" }, prose(row.why)),
      facts([
        ["Response", result?.status ? [el("mark", {}, String(result.status)), " ", el("code", {}, body)] : result?.outcome.replaceAll("_", " ")],
        ...(known?.signatures ?? []).map((signature) => ["Header sent", [el("code", {}, `${signature.header}: ${signature.received ?? "missing"}`), " ", signature.matches ? status("ok", "check", "correct") : status("bad", "x", "not correct")]]),
      ]),
      place(row))),
    row.result?.help ? el("p", { class: "cause" }, prose(row.result.help)) : null,
    mistakes.length > 0 ? el("div", { class: "cause" },
      el("h3", {}, icon("warn"), "Compare with what your receiver computes"),
      el("p", { class: "sec" }, "If it is one of these values, the line says what the receiver does wrong."),
      facts(mistakes.map((mistake) => [`computed ${mistake.computed}`, el("code", {}, mistake.value)]))) : null,
  ];
}

/** What a script waited for, and what came. */
function expectation(row, state) {
  const { found } = row;
  if (!found) return el("p", { class: "sec" }, "The script waits for it. The clock of the conversation stands still meanwhile.");
  const call = found.call === null || found.call === undefined ? null : state.story.rows.find((one) => one.isCall && one.call.number === found.call);
  const captured = Object.entries(found.captured ?? {}).map(([name, value]) => [`captured.${name}`, el("code", {}, typeof value === "string" ? value : JSON.stringify(value))]);
  const about = facts([
    ["Expected", `${row.type} ${row.about}`],
    ["Waited", waited(row)],
    ["Met by", row.state === "passed" && call ? el("button", { class: "link", type: "button", on: { click: () => state.open(call.id) } }, `call ${found.call}: ${call.type}`) : null],
    ["Most similar call", found.nearest],
    ...captured,
  ]);
  if (row.state === "passed") return [status("ok", "check", "The expectation was met"), about];
  return el("div", { class: "why" }, el("header", {}, icon("x"), el("span", {}, "The expectation was not met")), el("div", {},
    el("p", { class: "pre" }, prose(row.why)), about,
    found.mismatches?.length ? el("div", { class: "tblwrap" }, el("table", { class: "grid" }, el("thead", {}, el("tr", {}, ["Field", "Expected", "Found"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, found.mismatches.map((one) => el("tr", {}, el("td", {}, el("code", {}, one.field)), el("td", {}, one.expected), el("td", {}, one.found)))))) : null,
    place(row)));
}

function bodyChoice(again) {
  const button = (value, label) => el("button", { type: "button", "aria-pressed": String(asBytes === value), on: { click: () => { asBytes = value; again(); } } }, label);
  return el("div", { class: "seg", role: "group", "aria-label": "Body as" }, button(false, "Formatted"), button(true, "Bytes"));
}

/** Shows bodies as bytes, or formatted again. */
export function toggleBytes() {
  asBytes = !asBytes;
  if (tab !== "response") tab = "request";
  lastDetail = "";
}

const size = (text) => `${new TextEncoder().encode(text).length} bytes`;

function requestPanel(row, attempt, again) {
  const label = "Request body";
  return [
    row.isCall ? effects(row) : null,
    el("div", { class: "row wrap" }, bodyChoice(again), el("span", { class: "dim" }, row.isCall ? "as standin has read it" : `${size(row.body ?? "")}, exactly as sent`), el("span", { class: "grow" }), row.certainty ? el("span", { class: "tag", title: "Evidence for this format" }, icon("doc"), row.certainty) : null),
    row.isCall && row.body === null ? el("p", { class: "sec" }, "The call has no body.") : asBytes ? bytes(row.body, label) : formatted(row.body, label),
    !attempt ? el("p", { class: "sec" }, "Not sent yet.") : [el("h3", {}, "Headers"), headers([[attempt.method, attempt.url], ...attempt.headers])],
  ];
}

/** What a call of the receiver did, and what the vendor would object to. */
function effects({ call, effects: done }) {
  const values = Object.entries(call.fields ?? {}).map(([name, value]) => [name, el("code", {}, typeof value === "string" ? value : JSON.stringify(value))]);
  return [
    facts([["Effect", done.length > 0 ? done.join(", ") : call.acts ? "nothing that is shown here" : "reads or logs in, changes no conversation"], ...values]),
    (call.warnings ?? []).map((warning) => el("p", { class: "cause" }, warning)),
    call.ignored?.length ? el("p", { class: "sec" }, "Without effect here: ", call.ignored.map((name, at) => [at ? ", " : "", el("code", {}, name)])) : null,
  ];
}

function response(row, attempt, again) {
  const result = attempt?.result;
  if (!result) return el("p", { class: "sec" }, "There is no response yet.");
  const text = typeof result.body === "string" ? result.body : result.body ? `base64: ${result.body.base64}` : "";
  const none = row.isCall && result.body === null ? "The response waits for the conversation." : "The response has no body.";
  return [
    row.isCall ? effects(row) : null,
    el("div", { class: "row wrap" }, text ? bodyChoice(again) : null, result.status ? el("b", {}, String(result.status)) : status("bad", "x", result.outcome.replaceAll("_", " ")), el("span", { class: "dim" }, latency(result))),
    result.reason ? el("p", {}, result.reason) : null,
    result.help ? el("p", { class: "cause" }, prose(result.help)) : null,
    result.truncated ? el("p", { class: "sec" }, "Only the beginning of the body is recorded.") : null,
    !text ? el("p", { class: "sec" }, none) : asBytes ? bytes(text, "Response body") : formatted(text, "Response body"),
    result.headers?.length ? [el("h3", {}, "Headers"), headers(result.headers)] : null,
  ];
}

/** How a receiver verifies a delivery; `null` until it is known, when `again` is called. */
function verificationOf(row, state, again) {
  const known = proofs.get(row.id);
  // Another attempt can have another signature and another result.
  if (known?.attempts === row.attempts.length && known.state === row.state) return known;
  const asked = { attempts: row.attempts.length, state: row.state };
  get(`/deliveries/${row.id}/verification`).then(
    (verification) => proofs.set(row.id, { ...verification, ...asked }),
    (error) => proofs.set(row.id, { error: error.text ?? String(error), ...asked }),
  ).then(() => { if (state.delivery === row.id) again(); });
  return null;
}

function proofPanel(row, state, again) {
  if (row.attempts.length === 0) return el("p", { class: "sec" }, "Not sent yet.");
  const known = verificationOf(row, state, again);
  if (!known) return el("p", { class: "sec" }, "Verifying…");
  return known.error ? el("p", { class: "sec" }, known.error) : proof(known, row);
}
