// The page: state, events and the keyboard. Everything it does goes through the control API.

import { ApiError, download, follow, get, post, readToken, records, remove, setToken } from "./client.js";
import { countDown, renderChat, verdict } from "./chat.js";
import { content, hasContent, renderComposer, reset, setUpComposer } from "./compose.js";
import { $, choice, el, fill, icon, options, prose, toast } from "./dom.js";
import { renderFaultMenu } from "./faults.js";
import { phaseOf, renderList, setUpList } from "./list.js";
import { renderLanes } from "./lanes.js";
import { add, seconds, tell } from "./story.js";
import { setUpRuns, showRuns } from "./runs.js";
import { followsEnd, measureWire, redeliver, renderWire, resetDetail, resetWire, rowsOf, setUpWire, showTab, toggleBytes } from "./wire.js";
import { setUpVendors, showVendors } from "./vendors.js";

/** A conversation without a script: somebody opens it, and people continue. */
const FREE = `name = "without a script"

[cast.agent]
role = "agent"

[[step]]
open = { by = "visitor" }
`;

/** Runs with more conversations do not show the tests of their endpoints. */
const MAX_SHARED = 20;

const state = {
  vendors: [], scenarios: [], conversations: [], endpoints: [],
  /** Id of the conversation that is shown. */
  selected: null,
  detail: null, story: null,
  records: new Map(),
  /** Id of the last record of the conversation. */
  last: 0,
  /** Id of the request that is shown. */
  delivery: null,
  /** Whether a person chose the request, so that it stays. */
  isReading: false,
};

const report = (error) => toast(error instanceof ApiError ? error.text : String(error));
const attempt = (work) => async (...args) => {
  try {
    await work(...args);
  } catch (error) {
    report(error);
  }
};

// Rendering, at most once per frame.

let isScheduled = false;

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    render();
  });
}

/** Whether the conversation shows its end, and stays there when something is added. */
let sticks = true;

function scroll() {
  if (sticks) $("log-scroll").scrollTop = $("log-scroll").scrollHeight;
  if (followsEnd(state)) $("wire-scroll").scrollTop = $("wire-scroll").scrollHeight;
}

const current = () => state.conversations.find((entry) => entry.id === state.selected);

function render() {
  measureWire();
  if (!state.selected) state.story = null;
  else if (!state.story) state.story = tell([...state.records.values()].sort((a, b) => a.id - b.id), state.selected);
  renderList(state, select);
  renderChat(state, open);
  renderWire(state, open);
  renderHead();
  renderLanes(state, open);
  scroll();
}

function renderHead() {
  const entry = current();
  const run = entry?.run ?? state.detail?.run;
  $("h-chat").textContent = entry?.visitor ?? (state.selected ? "Conversation" : "No conversation");
  $("chat-id").textContent = state.selected ? `#${state.selected}` : "";
  fill($("chat-assignee"), entry?.assignee ? [el("span", { class: "xwide" }, "Assigned to "), el("b", { class: "sec", title: "Assignee" }, entry.assignee)] : []);
  $("chat-phase").hidden = !entry;
  if (entry) {
    const [, name, word] = phaseOf(entry);
    $("chat-phase").className = run.phase === "paused" || run.phase === "running" ? "tag acc" : "tag";
    fill($("chat-phase"), icon(name), word);
  }
  const isActive = run && ["starting", "running", "paused"].includes(run.phase);
  $("transport").hidden = !isActive;
  const isPaused = run?.phase === "paused";
  if ($("pause").dataset.paused !== String(isPaused)) {
    $("pause").dataset.paused = String(isPaused);
    fill($("pause"), icon(isPaused ? "play" : "pause"), isPaused ? "Resume" : "Pause");
  }
  fill($("verdict"), verdict(run, state.conversations));
  renderClock(run);
  renderStrip(run);
  renderFaultMenu(run, schedule, report);
  const canAct = Boolean(state.detail) && run?.phase !== "cancelled" && state.detail.id === state.selected;
  $("speak").hidden = !canAct;
  $("send").title = isActive ? "Happens at once, between the steps of the script" : "";
  $("close").textContent = isClosed() ? "Reopen" : "Close";
  $("take-over").hidden = !isActive || run.phase === "starting";
  $("take-over").textContent = isPaused ? "Give back" : "Take over";
  $("take-over").title = isPaused ? "Let the script continue" : "Pause the script, and speak yourself";
  $("speak-hint").textContent = isInSurvey() ? "The survey is open" : "";
  $("text").placeholder = speakKind === "note" ? "Write a note that the visitor does not see" : isClosed() ? "Closed: reopen it, or write a note" : "Write a message";
  if (canAct) renderComposer(run.vendor, speakKind === "note", schedule);
}

/** The run time, and the step that was played last. */
function renderClock(run) {
  const { story } = state;
  $("clock-line").hidden = !story?.last || !run;
  if ($("clock-line").hidden) return;
  $("clock").textContent = `${seconds(story, story.last)} s`;
  const step = story.items.findLast((item) => item.step)?.step;
  $("clock-step").textContent = step ? `step ${step} of ${run.steps}` : "";
}

/** What to do about a failed run. */
function renderStrip(run) {
  const isFailed = run?.result?.verdict === "failed";
  $("strip").hidden = !isFailed;
  if (isFailed) fill($("strip-text"), `Run ${run.run}: `, prose(run.result.reason ?? `${run.result.deliveries - run.result.passed} of ${run.result.deliveries} deliveries failed`));
}

// Data.

async function refresh() {
  const [{ items: conversations }, { items: endpoints }] = await Promise.all([get("/conversations?limit=200"), get("/endpoints")]);
  state.conversations = conversations;
  state.endpoints = endpoints;
  renderEndpoints();
  if (!state.selected && conversations.length > 0) await select(firstShown().id);
  else if (state.selected) await loadDetail();
  schedule();
}

/** The conversation of the script in the newest run: others that it causes come later. */
function firstShown() {
  const [newest] = state.conversations;
  return state.conversations.findLast((one) => one.run.run === newest.run.run) ?? newest;
}

let refreshTimer = null;
/** Milliseconds that the last refresh took: longer for a long conversation. */
let refreshTook = 0;

/** Refreshes lists soon, but not for every record. */
function refreshSoon() {
  refreshTimer ??= setTimeout(async () => {
    refreshTimer = null;
    const began = performance.now();
    await refresh().catch(() => {});
    refreshTook = performance.now() - began;
  }, Math.max(150, 4 * refreshTook));
}

async function loadDetail() {
  const id = state.selected;
  // It does not exist before the handshakes of its run have ended.
  if (!current()) return;
  // Messages do not change. A long conversation has thousands.
  const known = state.detail?.id === id ? state.detail.messages : [];
  const detail = await get(`/conversations/${id}?messages_from=${known.length}`);
  if (state.selected !== id) return;
  detail.messages = [...known, ...detail.messages];
  state.detail = detail;
  detail.readAt = performance.now();
  const cast = detail.cast.filter((one) => one.role !== "system");
  options($("as"), cast.map((one) => [one.name, `${one.full_name} (${one.role})`]));
  const staff = detail.cast.filter((one) => ["agent", "manager", "bot"].includes(one.role));
  options($("assign"), [["", "Assign…"], ...staff.map((one) => [one.name, one.full_name])], false);
}

async function select(id) {
  if (state.selected !== id) {
    Object.assign(state, { selected: id, detail: null, delivery: null, isReading: false, records: new Map(), last: 0, story: null });
    resetWire();
    sticks = true;
  }
  const run = id.split("-")[0];
  const [own, shared] = await Promise.all([records(`conversation=${id}`), sharedRecords(run)]);
  if (state.selected !== id) return;
  for (const kept of [...own, ...shared]) {
    state.records.set(kept.id, kept);
    state.last = Math.max(state.last, kept.id);
  }
  state.story = null;
  await loadDetail();
  schedule();
}

/** The records of a run that belong to no conversation. */
async function sharedRecords(run) {
  const entry = state.conversations.find((one) => String(one.run.run) === run);
  if (entry && entry.run.conversations > MAX_SHARED) return [];
  return (await records(`run=${run}`)).filter((kept) => kept.conversation === null);
}

/** Shows a conversation in the live view. */
async function openConversation(id) {
  location.hash = "#/";
  view("chat");
  await select(id);
  await refresh();
}

const belongs = (kept) => kept.conversation === state.selected || (kept.conversation === null && String(kept.record.run) === state.selected?.split("-")[0]);

function open(id) {
  if (state.delivery !== id) resetDetail();
  Object.assign(state, { delivery: id, isReading: true });
  if (matchMedia("(max-width: 760px)").matches) view("wirev");
  render();
  $("wire").querySelector("tr.sel")?.scrollIntoView({ block: "nearest" });
}

// Runs.

function chooseScenarios() {
  const vendor = $("vendor").value;
  const playable = state.scenarios.filter((one) => one.vendors.includes(vendor));
  options($("scenario"), playable.map((one) => [one.name, one.name]));
}

async function start(request) {
  const speed = Number($("speed").value);
  const time = speed === 0 ? { clock: "virtual" } : { speed };
  const seed = $("seed").value.trim();
  const body = { vendor: $("vendor").value, ...request, ...time };
  if (seed) body.seed = Number(seed);
  const run = await post("/runs", body);
  Object.assign(state, { selected: `${run.run}-1`, detail: null, delivery: null, isReading: false, records: new Map(), last: 0, story: null });
  resetWire();
  view("chat");
  await select(state.selected);
  await refresh();
}

/** Plays the run again up to a step, and pauses there. */
async function restart(step) {
  const run = state.selected.split("-")[0];
  const started = await post(`/runs/${run}/restart`, { step });
  toast(`Run ${started.run} is paused before step ${step}`);
  await openConversation(`${started.run}-1`);
}

const steer = (command, body) => post(`/runs/${state.selected.split("-")[0]}/${command}`, body).then(refresh);
const runOf = () => state.selected.split("-")[0];
const exportRun = () => download(`/runs/${runOf()}/report?format=html`);

/** Plays the run of the conversation again from its beginning. */
async function playAgain() {
  const started = await post(`/runs/${runOf()}/restart`, {});
  await openConversation(`${started.run}-1`);
}

const toggle = () => steer(current()?.run.phase === "paused" ? "resume" : "pause");

// Acting in the conversation.

/** Whether people write in the survey that follows the conversation. */
const isInSurvey = () => state.detail?.id === state.selected && Boolean(state.detail?.survey);
const isClosed = () => current()?.state === "closed" && !isInSurvey();
/** The dialog of a message, if it is not the main one. */
const dialog = () => (isInSurvey() ? { in: "survey" } : {});

let speakKind = "say";

async function act(action) {
  $("speak-error").hidden = true;
  try {
    await post(`/conversations/${state.selected}/actions`, action);
    refreshSoon();
    return true;
  } catch (error) {
    $("speak-error").textContent = error.text ?? String(error);
    $("speak-error").hidden = false;
    return false;
  }
}

async function speak() {
  const [text, by] = [$("text").value, $("as").value];
  const isNote = speakKind === "note";
  if (!text.trim() && (isNote || !hasContent())) return;
  // What people type is no template.
  const action = isNote ? { note: { by, text: text.replaceAll("$", "$$$$") } } : { say: { by, ...content(text), ...dialog() } };
  if (!(await act(action))) return;
  $("text").value = "";
  if (!isNote) reset();
}

/** Who speaks. */
const speaker = {
  asStaff() {
    const { cast = [], assignee } = state.detail ?? {};
    const isStaff = (name) => cast.some((one) => one.name === name && ["bot", "agent", "manager"].includes(one.role));
    if (isStaff($("as").value)) return;
    const name = isStaff(assignee) ? assignee : cast.find((one) => isStaff(one.name))?.name;
    if (name) $("as").value = name;
  },
  asVisitor() {
    const visitor = state.detail?.cast.find((one) => one.role === "visitor");
    if (visitor) $("as").value = visitor.name;
  },
};

/** Chooses a button of a message as the visitor. */
async function press(label) {
  const visitor = state.detail?.cast.find((one) => one.role === "visitor")?.name ?? "visitor";
  const text = label.replaceAll("$", "$$$$");
  const path = `/conversations/${state.selected}/actions`;
  try {
    await post(path, { say: { by: visitor, kind: "button_response", text, ...dialog() } });
  } catch (error) {
    // Not every vendor has this kind of message.
    if (![409, 422].includes(error.status)) throw error;
    await post(path, { say: { by: visitor, text, ...dialog() } });
  }
  refreshSoon();
}

// Endpoints.

function renderEndpoints() {
  const { endpoints } = state;
  const one = endpoints.length === 1 ? endpoints[0].url : `${endpoints.length} receivers`;
  $("endpoints-label").textContent = endpoints.length === 0 ? "No receiver" : one;
  fill($("endpoint-list"), endpoints.map((endpoint) => el("li", { class: "row" },
    el("span", { class: "grow cut" }, el("b", {}, endpoint.vendor), " ", el("code", {}, endpoint.url)),
    endpoint.subscribed_by_call ? el("span", { class: "dim" }, "by a call") : el("button", { class: "btn quiet", type: "button", "aria-label": `Remove ${endpoint.url} of ${endpoint.vendor}`, on: { click: attempt(async () => { await remove(`/endpoints/${endpoint.vendor}/${endpoint.number}`); await refresh(); }) } }, "Remove"))));
}

async function addEndpoint() {
  $("endpoint-error").hidden = true;
  try {
    await post("/endpoints", { vendor: $("endpoint-vendor").value, url: $("endpoint-url").value });
    $("endpoint-url").value = "";
    await refresh();
  } catch (error) {
    $("endpoint-error").textContent = error.text ?? String(error);
    $("endpoint-error").hidden = false;
  }
}

// Page.

const PAGES = { "": { show: () => schedule() }, runs: { show: showRuns }, vendors: { show: showVendors } };

/** Shows the view that the address names. */
function showPage() {
  const name = location.hash.replace(/^#\//, "");
  const page = PAGES[name] ? name : "";
  for (const link of $("nav").children) {
    if (link.getAttribute("href") === `#/${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("main").hidden = page !== "";
  $("run-bar").hidden = page !== "";
  document.querySelector(".views").hidden = page !== "";
  for (const other of ["runs", "vendors"]) $(other).hidden = page !== other;
  attempt(PAGES[page].show)();
}

function view(name) {
  $("main").dataset.view = name;
  for (const button of document.querySelectorAll(".views button")) button.setAttribute("aria-pressed", String(button.value === name));
}

function connected(isConnected) {
  $("connection").className = isConnected ? "st ok" : "st bad";
  $("connection").lastChild.textContent = isConnected ? "Connected" : "Not connected";
}

function submit(id, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(work)();
  });
}

function move(step) {
  const rows = rowsOf(state.story);
  const at = rows.findIndex((row) => row.id === state.delivery);
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  if (next) open(next.id);
}

function nextFailure() {
  const rows = rowsOf(state.story);
  const at = rows.findIndex((row) => row.id === state.delivery);
  const failed = [...rows.slice(at + 1), ...rows.slice(0, at + 1)].find((row) => row.state === "failed");
  if (!failed) {
    toast("No request has failed");
    return;
  }
  showTab("why");
  open(failed.id);
}

const KEYS = {
  j: () => move(1), k: () => move(-1), n: nextFailure,
  s: () => !$("transport").hidden && attempt(() => steer("step"))(),
  m: () => $("text").focus(), "/": () => $("find").focus(),
  v: () => { showTab("proof"); render(); },
  c: () => $("curl")?.click(),
  r: () => state.delivery && redeliver(state.delivery),
  e: () => { showTab("edit"); render(); focusEditor(); },
  d: () => { showTab("compare"); render(); },
  b: () => { toggleBytes(); render(); },
  f: () => { if ($("faults").hidden) return; $("faults").open = true; $("faults").querySelector("select")?.focus(); },
  h: () => { const step = state.story?.deliveries.get(state.delivery)?.step; if (step) attempt(() => restart(step))(); },
  "?": () => $("help").showModal(),
};

function focusEditor() {
  const text = $("detail").querySelector("textarea");
  text?.focus();
  text?.setSelectionRange(0, 0);
  text?.scrollTo(0, 0);
}

/** Keys after `g`. */
const GO = { l: "#/", r: "#/runs", v: "#/vendors" };
let isGoing = false;

/** Closes the menu that is open, and returns to its button. */
function closeMenu() {
  const open = document.querySelector("details.menu[open]");
  if (!open) return false;
  open.open = false;
  open.querySelector("summary").focus();
  return true;
}

function onKey(event) {
  if (event.key === "Escape" && closeMenu()) return;
  const isTyping = event.target.closest("input, textarea, select, dialog[open]");
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping || !$("keys-on").checked) return;
  const isControl = event.target.closest("button, summary, a");
  if (event.key === " " && !isControl && !$("transport").hidden && !$("main").hidden) {
    event.preventDefault();
    attempt(toggle)();
    return;
  }
  const goes = isGoing && GO[event.key];
  isGoing = event.key === "g";
  if (goes) location.hash = goes;
  const action = !goes && ($("main").hidden ? { "?": KEYS["?"] } : KEYS)[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function wireUp() {
  setUpList(schedule);
  setUpWire(schedule);
  setUpRuns({ state, openConversation });
  setUpVendors({ state });
  state.open = open;
  state.press = attempt(press);
  state.restart = (step) => attempt(() => restart(step))();
  state.exportRun = attempt(exportRun);
  state.playAgain = attempt(playAgain);
  state.playStep = attempt(() => steer("step"));
  $("strip-next").addEventListener("click", nextFailure);
  $("strip-export").addEventListener("click", state.exportRun);
  window.addEventListener("hashchange", showPage);
  submit("start", () => start({ scenario: $("scenario").value }));
  $("free").addEventListener("click", attempt(() => start({ source: FREE })));
  $("vendor").addEventListener("change", chooseScenarios);
  $("speed").addEventListener("change", attempt(async () => {
    const run = current()?.run;
    const speed = Number($("speed").value);
    if (run && speed > 0 && run.clock === "real" && ["running", "paused"].includes(run.phase)) await steer("speed", { speed });
  }));
  $("pause").addEventListener("click", attempt(toggle));
  $("step").addEventListener("click", attempt(() => steer("step")));
  $("take-over").addEventListener("click", attempt(async () => {
    $("text").focus();
    await toggle();
  }));
  $("cancel").addEventListener("click", attempt(() => steer("cancel")));
  submit("speak", speak);
  const failed = (error) => { $("speak-error").textContent = error.text ?? String(error); $("speak-error").hidden = false; };
  setUpComposer({ changed: () => { $("speak-error").hidden = true; schedule(); }, failed, speaker });
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      attempt(speak)();
    }
  });
  choice($("speak-kind"), (value) => {
    speakKind = value;
    if (value === "note") speaker.asStaff();
    schedule();
  });
  $("assign").addEventListener("change", attempt(async () => {
    const to = $("assign").value;
    $("assign").value = "";
    if (to) await act({ assign: { to } });
  }));
  $("close").addEventListener("click", attempt(() => act({ [isClosed() ? "reopen" : "close"]: { by: $("as").value } })));
  submit("endpoint-form", addEndpoint);
  submit("login-form", async () => {
    setToken($("login-token").value.trim());
    await boot();
  });
  for (const button of document.querySelectorAll(".views button")) button.addEventListener("click", () => view(button.value));
  $("theme").addEventListener("click", () => {
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  });
  // What speech input says must not act as keys (WCAG 2.1.4).
  $("keys-on").addEventListener("change", () => localStorage.setItem("keys", $("keys-on").checked ? "on" : "off"));
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("log-scroll").addEventListener("scroll", ({ target }) => {
    sticks = target.scrollHeight - target.scrollTop - target.clientHeight < 48;
  }, { passive: true });
  $("wire-scroll").addEventListener("scroll", ({ target }) => {
    // The page itself scrolls to the end only.
    if (target.scrollHeight - target.scrollTop - target.clientHeight > 60) $("follow").checked = false;
  }, { passive: true });
  $("follow").addEventListener("change", () => { state.isReading = false; schedule(); });
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    for (const menu of ["endpoints", "faults"]) if (!event.target.closest(`#${menu}`)) $(menu).open = false;
  });
}

async function boot() {
  try {
    const [{ items: vendors }, { items: scenarios }] = await Promise.all([get("/vendors"), get("/scenarios")]);
    Object.assign(state, { vendors, scenarios });
  } catch (error) {
    if (error.status !== 401) throw error;
    $("login-error").hidden = !$("login").open;
    if (!$("login").open) $("login").showModal();
    return;
  }
  $("login").close();
  options($("vendor"), state.vendors.map((vendor) => [vendor.id, vendor.name]));
  options($("endpoint-vendor"), state.vendors.map((vendor) => [vendor.id, vendor.name]));
  await refresh();
  const preferred = current()?.run.vendor ?? state.endpoints[0]?.vendor;
  if (preferred) $("vendor").value = preferred;
  chooseScenarios();
  const shown = [current()?.run.file, "handover"].find((name) => [...$("scenario").options].some((option) => option.value === name));
  if (shown) $("scenario").value = shown;
  const speed = String(current()?.run.speed ?? "");
  if (speed && ![...$("speed").options].some((option) => option.value === speed)) $("speed").append(el("option", { value: speed }, `${speed}×`));
  if (speed) $("speed").value = speed;
  showPage();
  follow({
    record: (kept) => {
      if (belongs(kept) && !state.records.has(kept.id)) {
        state.records.set(kept.id, kept);
        // Records come in order, except those that were read meanwhile.
        if (state.story && kept.id > state.last) add(state.story, kept);
        else state.story = null;
        state.last = Math.max(state.last, kept.id);
        schedule();
      }
      refreshSoon();
    },
    change: refreshSoon,
    gap: attempt(async () => { await select(state.selected); toast("Some records were lost, so the conversation was loaded again"); }),
    connected,
  });
}

/** What people have chosen in this browser. */
function readPreferences() {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  $("keys-on").checked = localStorage.getItem("keys") !== "off";
}

readPreferences();
readToken();
wireUp();
setInterval(() => countDown(state), 250);
attempt(boot)();
