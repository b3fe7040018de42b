// The view of past runs: find one, see its verdict, open it, play it again, hand it over.

import { download, get, post } from "./client.js";
import { $, copy, el, fill, icon, options, status, toast } from "./dom.js";

const state = { items: [], next: null, selected: null, isLoading: false };

let context = null;
let timer = null;

export function setUpRuns(shared) {
  context = shared;
  const tryToLoad = (more) => load(more).catch((error) => toast(error.text ?? String(error)));
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(tryToLoad, 150);
  };
  $("runs-find").addEventListener("input", soon);
  $("runs-verdict").addEventListener("change", () => tryToLoad());
  $("runs-vendor").addEventListener("change", () => tryToLoad());
  $("runs-more").addEventListener("click", () => tryToLoad(true));
}

/** Shows the newest runs. */
export async function showRuns() {
  options($("runs-vendor"), [["", "All vendors"], ...context.state.vendors.map(({ id, name }) => [id, name])]);
  await load();
}

async function load(more = false) {
  const query = new URLSearchParams({ limit: "50" });
  const filters = { text: $("runs-find").value.trim(), verdict: $("runs-verdict").value, vendor: $("runs-vendor").value };
  for (const [name, value] of Object.entries(filters)) if (value) query.set(name, value);
  if (more === true && state.next) query.set("before", state.next);
  const version = query.toString();
  state.query = version;
  const page = await get(`/runs?${query}`);
  // A later search may have ended before.
  if (state.query !== version) return;
  state.items = more === true ? [...state.items, ...page.items] : page.items;
  state.next = page.next;
  if (!state.items.some(({ run }) => run === state.selected)) state.selected = state.items[0]?.run ?? null;
  render();
}

/** What a run is doing or has shown, as class, icon and word. */
function verdictOf({ phase, result }) {
  if (phase === "finished") {
    return { passed: ["ok", "check", "Passed"], failed: ["bad", "x", "Failed"], interrupted: ["off", "minus", "Cancelled"] }[result?.verdict] ?? ["off", "minus", "Not tested"];
  }
  return { cancelled: ["off", "minus", "Cancelled"], interrupted: ["warn", "minus", "Interrupted"], paused: ["live", "pause", "Paused"] }[phase] ?? ["live", "dot", "Running"];
}

const when = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
const vendorName = (id) => context.state.vendors.find((one) => one.id === id)?.name ?? id;

function render() {
  const focused = document.activeElement?.dataset?.run;
  fill($("runs-rows"), state.items.map(row));
  if (focused) $("runs-rows").querySelector(`[data-run="${focused}"]`)?.focus();
  $("runs-empty").hidden = state.items.length > 0 || Boolean(state.next);
  $("runs-count").textContent = `${state.items.length} ${state.items.length === 1 ? "run" : "runs"}${state.next ? " so far" : ""}`;
  $("runs-more").hidden = !state.next;
  const selected = state.items.find(({ run }) => run === state.selected);
  fill($("run-card"), selected ? card(selected) : el("p", { class: "empty" }, "Choose a run to see its verdict."));
}

function row(run) {
  const isSelected = run.run === state.selected;
  const choose = () => { state.selected = run.run; render(); };
  const counts = run.result?.deliveries ? `${run.result.passed} of ${run.result.deliveries}` : "";
  return el("tr", { class: isSelected ? "runsel" : "", on: { click: choose } },
    el("td", { class: "num" }, el("button", { class: "link", type: "button", "data-run": run.run, "aria-current": isSelected ? "true" : null, "aria-label": `Run ${run.run}` }, String(run.run))),
    el("td", {}, status(...verdictOf(run))),
    el("td", {}, run.scenario, run.redelivery_of ? el("span", { class: "dim" }, ` · ${run.redelivery_of} sent again`) : null),
    el("td", { class: "narrow-off" }, vendorName(run.vendor)),
    el("td", { class: "num narrow-off" }, counts),
    el("td", { class: "num narrow-off" }, when(run.started_at)));
}

function card(run) {
  const [kind, name, word] = verdictOf(run);
  const result = run.result;
  const failures = result?.failures ?? [];
  const isRedelivery = run.redelivery_of !== null;
  const conversation = isRedelivery ? run.redelivery_of.split("-").slice(0, 2).join("-") : `${run.run}-1`;
  const act = (work) => () => work().catch((error) => toast(error.text ?? String(error)));
  const again = act(async () => {
    const started = await post(`/runs/${run.run}/restart`, {});
    context.openConversation(`${started.run}-1`);
  });
  const save = (format) => act(() => download(`/runs/${run.run}/report?format=${format}`));
  const facts = [
    ["Scenario", `${run.scenario}, ${run.steps} ${run.steps === 1 ? "step" : "steps"}`], ["Vendor", vendorName(run.vendor)], ["Seed", String(run.seed)],
    ["Conversations", String(run.conversations)], ["Clock", run.clock === "real" ? `${run.speed}×` : "no waiting"], ["Started", when(run.started_at)],
    ...(result ? [["Deliveries", `${result.passed} of ${result.deliveries} passed, ${result.attempts} requests`], ["Handshakes", String(result.handshakes)], ["Took", `${(result.duration_ms / 1000).toFixed(1)} s`]] : []),
  ];
  return [
    el("header", {}, el("h2", { class: "grow" }, `Run ${run.run}`), status(kind, name, word)),
    el("div", { class: "pad" },
      run.reason ? el("p", { class: "cause" }, run.reason) : null,
      result?.reason ? el("p", {}, result.reason) : null,
      failures.length > 0 ? el("ul", { class: "fails" }, failures.slice(0, 10).map(failure)) : null,
      el("div", { class: "row wrap" },
        el("button", { class: "btn fill", type: "button", id: "run-open", on: { click: () => context.openConversation(conversation) } }, icon("chat"), "Open the conversation"),
        isRedelivery ? null : el("button", { class: "btn", type: "button", id: "run-again", on: { click: again } }, icon("restart"), "Play again"))),
    el("dl", { class: "dl ruled" }, facts.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
    el("div", { class: "pad ruled" }, el("h3", {}, "Hand over"),
      el("div", { class: "row wrap" }, [["html", "HTML page"], ["md", "Markdown"], ["junit", "JUnit"], ["har", "HAR"]].map(([format, label]) => el("button", { class: "btn", type: "button", "data-report": format, on: { click: save(format) } }, icon("dl"), label)),
        el("button", { class: "btn quiet", type: "button", on: { click: () => copy(`standin run ${run.file} --vendor ${run.vendor} --seed ${run.seed}`, "the command") } }, icon("copy"), "Copy as a command"))),
  ];
}

function failure(failed) {
  const place = failed.source ? `${failed.source.file}:${failed.source.line} ` : "";
  return el("li", {}, status("bad", "x", `${failed.failed} of ${failed.of}`), el("span", {}, place, el("code", {}, failed.event_type), failed.faults ? ` with ${failed.faults}` : "", ": ", el("span", { class: "pre" }, failed.why)));
}
