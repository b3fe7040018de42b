// The list of conversations.

import { $, choice, el, icon, status, sync } from "./dom.js";

let shown = "all";

/** What a conversation is doing, as class, icon and word. */
export function phaseOf({ run, state, deliveries }) {
  if (deliveries.failed > 0) return ["bad", "x", "Failed"];
  if (run.phase === "cancelled") return ["off", "minus", "Cancelled"];
  if (deliveries.retrying > 0) return ["warn", "retry", "Retrying"];
  if (run.phase === "paused") return ["live", "pause", "Paused"];
  if (run.phase === "finished") {
    if (run.result?.verdict === "failed") return ["bad", "x", "Failed"];
    if (run.result?.verdict === "passed") return ["ok", "check", state === "closed" ? "Passed" : "Open"];
    return ["off", "minus", "Not tested"];
  }
  return ["live", "dot", run.phase === "starting" ? "Starting" : "Live"];
}

export function setUpList(render) {
  $("find").addEventListener("input", render);
  choice($("show-list"), (value) => { shown = value; render(); });
}

/** What is derived from entries. A refresh replaces the entries. */
const derived = new WeakMap();

function of(entry) {
  let known = derived.get(entry);
  if (!known) {
    const [, , word] = phaseOf(entry);
    const text = [entry.id, entry.visitor, entry.last_text, entry.run.scenario, entry.run.vendor].join(" ").toLowerCase();
    known = { text, version: JSON.stringify(entry), isLive: ["Live", "Paused", "Starting", "Retrying"].includes(word), isFailed: word === "Failed" };
    derived.set(entry, known);
  }
  return known;
}

const FILTERS = { all: () => true, live: (entry) => of(entry).isLive, failed: (entry) => of(entry).isFailed };

export function renderList(state, select) {
  const text = $("find").value.trim().toLowerCase();
  for (const button of $("show-list").querySelectorAll("button:not([value=all])")) {
    const count = state.conversations.filter(FILTERS[button.value]).length;
    button.lastElementChild.textContent = count > 0 ? String(count) : "";
  }
  const entries = state.conversations.filter((entry) => FILTERS[shown](entry) && of(entry).text.includes(text));
  const focused = document.activeElement?.dataset?.conversation;
  sync($("list"), entries.map((entry) => ({
    version: `${entry.id === state.selected} ${of(entry).version}`,
    make: () => row(entry, entry.id === state.selected, state, select),
  })));
  if (focused) $("list").querySelector(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  $("list-count").textContent = state.conversations.length === 0
    ? "No conversations yet"
    : `${entries.length} of ${state.conversations.length} conversations`;
}

function row(entry, isCurrent, state, select) {
  const [kind, name, word] = phaseOf(entry);
  const { deliveries, passed, failed } = entry.deliveries;
  const counts = deliveries === 0 ? "nothing sent" : `${passed} of ${deliveries} passed${failed ? `, ${failed} failed` : ""}`;
  const vendor = state.vendors.find((one) => one.id === entry.run.vendor)?.name ?? entry.run.vendor;
  const visitor = entry.visitor ?? "Not opened yet";
  return el("li", {}, el("button", {
    class: "conv inset", "aria-current": isCurrent ? "true" : null, "data-conversation": entry.id,
    on: { click: () => select(entry.id) },
  },
  el("span", { class: "who cut" }, visitor), status(kind, name, word),
  el("small", { class: "cut" }, entry.last_text ?? entry.run.scenario), el("small", { class: "num" }, `#${entry.id}`),
  el("small", { class: "cut meta2" }, `${vendor} · ${counts}`),
  el("span", { class: "rail" }, `#${entry.id}`, el("span", { class: "vh" }, `${visitor}, ${word}`), el("span", { class: `st ${kind}` }, icon(name, false)))));
}
