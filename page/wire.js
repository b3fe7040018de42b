// The wire: every request of the conversation, and one of them in full.

import { ApiError, get, post } from "./client.js";
import { bytes, curl, formatted, headers } from "./code.js";
import { $, choice, copy, el, fill, icon, status, sync, toast } from "./dom.js";
import { comparison, editor } from "./edit.js";
import { proof } from "./proof.js";
import { ListWindow } from "./pages.js";
import { latency, outcome, seconds, stateOf } from "./story.js";

/** The rows that are in the document. */
const shownRows = new ListWindow();
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
  choice($("show-wire"), (value) => { shown = value; render(); });
}

export const rowsOf = (story) => (story ? [...story.deliveries.values()].filter((row) => shown === "all" || row.state === "failed") : []);

export function showTab(name) {
  tab = name;
  lastDetail = "";
}

export function renderWire(state, open) {
  const rows = rowsOf(state.story);
  $("wire-empty").hidden = rows.length > 0;
  const focused = document.activeElement?.dataset?.delivery;
  if (state.delivery !== revealed) {
    revealed = state.delivery;
    shownRows.reveal(rows.findIndex((row) => row.id === revealed), rows.length);
  }
  const wrap = (button) => el("tr", {}, el("td", { colspan: "5" }, button));
  sync($("wire"), shownRows.entries(rows, (row) => ({
    version: JSON.stringify([row.id, row.state, row.attempts.length, latency(row.attempts.at(-1)?.result), row.id === state.delivery, state.story.start]),
    make: () => wireRow(row, state, open),
  }), wrap, () => renderWire(state, open)));
  if (focused) $("wire").querySelector(`[data-delivery="${CSS.escape(focused)}"]`)?.focus();
  renderDetail(state);
}

function wireRow(row, state, open) {
  const [kind, name, word] = stateOf(row);
  const isSelected = row.id === state.delivery;
  // The full name is in the title, and in the opened request.
  const short = row.isCall ? row.type : row.type.split(".").at(-1);
  const extra = row.isAgain ? "sent again" : row.faults.join(", ");
  return el("tr", { class: `${isSelected ? "sel" : ""}${row.isCall ? " in" : ""}${row.state === "failed" ? " bad" : ""}`, on: { click: () => open(row.id) } },
    el("td", { class: "c-t" }, seconds(state.story, row.at)),
    el("td", {}, el("button", { class: "open inset", type: "button", "data-delivery": row.id, "aria-current": isSelected ? "true" : null, title: row.type },
      el("span", { class: "dir" }, icon(row.isDelivery ? "up" : row.isCall ? "down" : "flag"), el("span", { class: "vh" }, row.isDelivery ? "Webhook" : row.isCall ? "Call of the receiver" : "Test")),
      el("span", { class: "nm n" }, row.type.length > 28 ? short : row.type), el("span", { class: "nm e" }, row.about ?? ""),
      extra ? el("span", { class: "tag odd" }, extra) : null)),
    el("td", { class: "c-s" }, status(kind, name, word)),
    el("td", { class: "c-l" }, latency(row.attempts.at(-1)?.result)),
    el("td", { class: "c-a" }, dots(row)));
}

function dots(row) {
  const sent = row.attempts.filter((attempt) => attempt.hop === 0);
  const kind = (attempt) => (!attempt.result ? "live" : attempt.result.status >= 200 && attempt.result.status < 300 ? "ok" : "bad");
  return el("span", { class: "dots" }, sent.slice(-8).map((attempt) => el("i", { class: `dot ${kind(attempt)}` })), el("span", { class: "vh" }, `${sent.length} attempts`));
}

/** Another conversation is shown. */
export function resetWire() {
  shownRows.end = null;
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
  const version = row ? JSON.stringify([row.id, row.state, row.attempts.length, row.attempts.at(-1)?.result !== null, tab, asBytes, attemptAt, proofs.has(row.id)]) : "none";
  if (version === lastDetail) return;
  lastDetail = version;
  if (!row) {
    fill(target, el("p", { class: "empty" }, state.story?.deliveries.size ? "Choose a request to see it in full." : ""));
    return;
  }
  const again = () => { lastDetail = ""; renderDetail(state); };
  const attempt = row.attempts[attemptAt ?? row.attempts.length - 1] ?? null;
  const names = [["request", "Request"], ["response", "Response"], ...(row.isDelivery ? [["proof", "Signature"], ["compare", "Compare"], ["edit", "Edit & resend"]] : [])];
  if (row.why && !row.isCall) names.unshift(["why", "Why"]);
  const current = names.some(([name]) => name === tab) ? tab : names[0][0];
  const tabs = names.map(([name, label]) => el("button", {
    role: "tab", class: "inset", type: "button", id: `t-${name}`, "aria-controls": "p-detail", "aria-selected": String(name === current), tabindex: name === current ? "0" : "-1",
    on: { click: () => { tab = name; again(); $(`t-${name}`)?.focus(); }, keydown: (event) => moveTab(event) },
  }, label));
  fill(target,
    el("div", { class: "dhead" },
      el("div", { class: "row wrap" }, el("h2", {}, row.type), el("span", { class: "dim" }, about(row)), el("span", {}, settled(row))),
      row.attempts.length > 1 ? attempts(row, state, again) : null),
    el("div", { class: "tabrow" }, el("div", { class: "tabs", role: "tablist", "aria-label": `Request ${row.id}` }, tabs),
      el("div", { class: "row acts" },
        row.step && !row.isAgain ? el("button", { class: "btn quiet icon", type: "button", id: "restart-here", title: "Restart from here: play the run again up to this step", "aria-label": `Restart from step ${row.step}`, on: { click: () => state.restart(row.step) } }, icon("restart")) : null,
        attempt && !row.isCall ? el("button", { class: "btn quiet", type: "button", id: "curl", on: { click: () => copy(curl(row, attempt), "as curl") } }, icon("copy"), "Copy as curl") : null,
        row.isDelivery ? el("button", { class: "btn", type: "button", id: "redeliver", disabled: row.attempts.length === 0, on: { click: () => redeliver(row.id) } }, icon("retry"), "Redeliver") : null)),
    el("div", { class: "scroll inset", tabindex: "0", role: "tabpanel", id: "p-detail", "aria-labelledby": `t-${current}` },
      el("div", { class: "panel" }, panel(current, row, attempt, state, again))));
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...event.target.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  all[(all.indexOf(event.target) + step + all.length) % all.length].click();
  event.preventDefault();
}

const about = (row) => [row.isDelivery ? `delivery ${row.id}` : row.isCall ? `call ${row.call.number} of the receiver · ${row.about} · credentials ${row.call.auth.replaceAll("_", " ")}` : "", row.step ? `step ${row.step}` : "", row.isAgain ? "sent again" : ""].filter(Boolean).join(" · ");

function settled(row) {
  const [kind, name, word] = stateOf(row);
  const text = { passed: `Passed: ${outcome(row)}`, failed: `Failed: ${outcome(row)}` }[row.state] ?? word;
  return status(kind, name, text);
}

function attempts(row, state, again) {
  return el("div", { class: "row wrap", role: "group", "aria-label": "Attempts" }, row.attempts.map((attempt, index) => {
    const result = attempt.result;
    const isGood = result?.status >= 200 && result?.status < 300;
    const word = result ? (result.status ? String(result.status) : result.outcome.replaceAll("_", " ")) : "sending";
    const isShown = index === (attemptAt ?? row.attempts.length - 1);
    return el("button", { class: "att", type: "button", "aria-pressed": String(isShown), on: { click: () => { attemptAt = index; again(); } } },
      result ? status(isGood ? "ok" : "bad", isGood ? "check" : "x", word) : status("live", "dot", word), el("span", { class: "num" }, `${seconds(state.story, attempt.at)} s`));
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
    case "why": return why(row);
    case "response": return response(attempt);
    case "proof": return proofPanel(row, state, again);
    case "compare": return comparison(row, state.story, again);
    case "edit": return editor(row, again, state.open);
    default: return requestPanel(row, attempt, again);
  }
}

function why(row) {
  const source = row.source ? `${row.source.file}:${row.source.line}` : null;
  return [el("div", { class: "why" }, el("header", {}, icon("x"), el("span", {}, "This delivery failed")), el("div", {},
    el("p", { class: "pre" }, row.why), source ? el("p", { class: "sec" }, "Step in ", el("code", {}, source)) : null)),
  row.result?.help ? el("p", { class: "cause" }, row.result.help) : null];
}

function bodyChoice(again) {
  const button = (value, label) => el("button", { type: "button", "aria-pressed": String(asBytes === value), on: { click: () => { asBytes = value; again(); } } }, label);
  return el("div", { class: "seg", role: "group", "aria-label": "Body as" }, button(false, "Formatted"), button(true, "Bytes"));
}

const size = (text) => `${new TextEncoder().encode(text).length} bytes`;

function requestPanel(row, attempt, again) {
  const label = "Request body";
  return [
    el("div", { class: "row wrap" }, bodyChoice(again), el("span", { class: "dim" }, row.isCall ? "as standin has read it" : `${size(row.body ?? "")}, exactly as sent and signed`), el("span", { class: "grow" }), row.certainty ? el("span", { class: "tag", title: "Evidence for this format" }, icon("doc"), row.certainty) : null),
    asBytes ? bytes(row.body, label) : formatted(row.body, label),
    attempt ? [el("h3", {}, "Headers"), headers([[attempt.method, attempt.url], ...attempt.headers])] : el("p", { class: "sec" }, "Not sent yet."),
  ];
}

function response(attempt) {
  const result = attempt?.result;
  if (!result) return el("p", { class: "sec" }, "There is no response yet.");
  const text = typeof result.body === "string" ? result.body : result.body ? `base64: ${result.body.base64}` : "";
  return [
    el("div", { class: "row wrap" }, result.status ? el("b", {}, String(result.status)) : status("bad", "x", result.outcome.replaceAll("_", " ")), el("span", { class: "dim" }, latency(result))),
    result.reason ? el("p", {}, result.reason) : null,
    result.help ? el("p", { class: "cause" }, result.help) : null,
    text ? formatted(text, "Response body") : el("p", { class: "sec" }, "The response has no body."),
    result.headers?.length ? [el("h3", {}, "Headers"), headers(result.headers)] : null,
  ];
}

function proofPanel(row, state, again) {
  const known = proofs.get(row.id);
  if (known) return known.error ? el("p", { class: "sec" }, known.error) : proof(known, row.vendor);
  if (row.attempts.length === 0) return el("p", { class: "sec" }, "Not sent yet.");
  get(`/deliveries/${row.id}/verification`).then(
    (verification) => proofs.set(row.id, verification),
    (error) => proofs.set(row.id, { error: error.text ?? String(error) }),
  ).then(() => { if (state.delivery === row.id) again(); });
  return el("p", { class: "sec" }, "Verifying…");
}
