// The conversation: bubbles, notes and events, each with what was sent for it.

import { $, copy, el, icon, prose, status, sync } from "./dom.js";
import { ListWindow } from "./pages.js";
import { card, labelsOf, rich } from "./rich.js";
import { latency, outcome, seconds, stateOf } from "./story.js";

const ICONS = { visitor: "user", bot: "bot", agent: "agent", manager: "agent", system: "doc" };
const EVENT_ICONS = { open: "chat", assign: "swap", accept: "swap", join: "user", leave: "user", close: "doc", reopen: "restart", read: "read", set: "list", label: "flag", rate: "flag", flow: "bot", typing: "chat" };

/** The items that are in the document, and their conversation. */
const shownItems = new ListWindow();
let shownConversation = null;

export function renderChat(state, open) {
  const { story, detail } = state;
  if (!story) {
    sync($("log"), [{ version: `empty ${state.endpoints.length}`, make: () => empty(state) }]);
    return;
  }
  const typing = new Set();
  for (const item of story.items) {
    if (item.action === "typing") {
      if (item.event && item.summary === "types") typing.add(item.by);
      else typing.delete(item.by);
    }
    if (item.action === "say") typing.delete(item.by);
    if (item.action === "close") typing.clear();
  }
  const contents = contentsOf(story, detail);
  const nameOf = (by) => detail?.cast.find((one) => one.name === by)?.full_name ?? by;
  if (state.selected !== shownConversation) {
    shownConversation = state.selected;
    shownItems.end = null;
  }
  const wrap = (button) => el("li", { class: "ev" }, button);
  const end = lastOf(story);
  const items = shownItems.entries(story.items, (item, index) => ({
    version: JSON.stringify([state.selected, index, item.unsent, nameOf(item.by), readable(item, { nameOf }), story.start, contents.get(item), item.readAt, item.row ? [item.row.state, item.row.id === state.delivery] : null, item.action === "close" ? [detail?.messages.length, item === end] : null, item.deliveries.map((id) => [id === state.delivery, ...stateOf(story.deliveries.get(id))])]),
    make: () => entry(item, { story, nameOf, content: contents.get(item), press: state.press, selected: state.delivery, open, state }),
  }), wrap, () => renderChat(state, open));
  const dots = [...typing].map((by) => ({
    version: `typing ${by}`,
    make: () => el("li", { class: "msg typing" }, el("span", { class: "by" }, el("b", {}, nameOf(by)), " is typing"), el("div", { class: "bub" }, el("i"), el("i"), el("i"))),
  }));
  const nothing = { version: "nothing", make: () => el("li", { class: "ev" }, "Nothing has happened yet") };
  const next = ghost(state, nameOf);
  sync($("log"), [...(items.length ? items : [nothing]), ...dots, ...(next ? [next] : [])]);
}

/** The last thing that somebody has done: what a script waits for may come after it. */
const lastOf = (story) => story.items.findLast(({ action }) => action !== "expectation");

/** The data of messages by item, with the labels that the visitor has chosen. */
function contentsOf({ items }, detail) {
  const all = new Map();
  const messages = detail?.messages ?? [];
  const said = items.filter((item) => item.action === "say");
  const chosen = new Set();
  // From the end: a button is chosen by a later message of the visitor.
  for (let index = said.length - 1; index >= 0; index -= 1) {
    const item = said[index];
    const data = messages[index]?.kind === (item.message_kind ?? "text") ? messages[index].data : null;
    if (data && Object.keys(data).length > 0) all.set(item, { data, chosen: labelsOf(data).filter((label) => chosen.has(label)) });
    if (item.role === "visitor") chosen.add(item.text);
  }
  return all;
}

/** A button with which the visitor chooses a label, in a row of a list or below a message. */
const chooser = ({ content, press }) => (label, description = null, word = null) => {
  const isChosen = content.chosen.includes(label);
  const title = isChosen ? "The visitor has chosen it" : "Choose it as the visitor";
  const text = description === null ? (word && isChosen ? "Chosen" : word ?? label) : [el("b", {}, label), el("span", { class: "sec" }, description)];
  return el("button", { class: `opt${isChosen ? " done" : ""}`, type: "button", title, "aria-label": word ? `${word} ${label}` : null, on: { click: () => press(label) } },
    isChosen ? icon("check") : null, description === null ? text : el("span", { class: "opt-d" }, text));
};

/** Time until the next step, as people wait for it; empty if that is not known. */
function remaining({ detail, selected }) {
  const next = detail?.id === selected ? detail.next : null;
  if (typeof next?.due_in_ms !== "number" || detail.run.clock !== "real") return "";
  const isRunning = detail.run.phase === "running";
  const wait = next.due_in_ms / (detail.run.speed ?? 1) - (isRunning ? performance.now() - detail.readAt : 0);
  const left = Math.max(0, Math.ceil(wait / 1000));
  const text = left < 120 ? `${left} s` : left < 7200 ? `${Math.round(left / 60)} min` : `${Math.round(left / 3600)} h`;
  return isRunning ? ` in ${text}` : ` (in ${text} after resuming)`;
}

/** Shows the time until the next step again. */
export function countDown(state) {
  const due = $("log").querySelector(".due");
  if (!due) return;
  const text = remaining(state);
  if (due.textContent !== text) due.textContent = text;
}

/** What people do next, in words. */
const DOES = { open: "opens a conversation", close: "closes the conversation", reopen: "reopens the conversation", assign: "assigns the conversation", accept: "accepts the conversation", join: "joins", leave: "leaves", read: "reads", typing: "types", note: "writes a note", say: "says something", rate: "rates the conversation" };

/** What the script does next. */
function ghost({ detail, selected, playStep }, nameOf) {
  const next = detail?.id === selected ? detail.next : null;
  if (!next) return null;
  const role = detail.cast.find((one) => one.name === next.by)?.role;
  const side = role && role !== "visitor" ? " out" : "";
  const who = next.by ? [el("b", {}, nameOf(next.by)), " "] : "";
  const isPaused = detail.run.phase === "paused";
  // A timer is not announced each second.
  const due = () => el("span", { class: "due", role: "timer" }, remaining({ detail, selected }));
  const play = isPaused ? el("button", { class: "mark play", type: "button", on: { click: () => playStep() } }, icon("step"), "Play this step") : null;
  return {
    version: `ghost ${isPaused} ${JSON.stringify(next)}`,
    make: () => (next.text
      ? el("li", { class: `msg ghost${side}` }, el("span", { class: "by" }, icon(ICONS[role] ?? "user"), who, el("span", {}, `next, step ${next.step}`, due())), el("div", { class: "bub" }, next.text), play)
      : el("li", { class: "ev ghost" }, icon(EVENT_ICONS[next.action] ?? "dot"), el("span", {}, "Next: ", who, DOES[next.action] ?? next.action.replaceAll("_", " "), `, step ${next.step}`, due()), play)),
  };
}

function empty(state) {
  const hasReceiver = state.endpoints.length > 0;
  return el("li", { class: "hello" },
    el("h3", {}, "Play a conversation"),
    el("p", {}, "Choose a vendor and a scenario above, then press Start. The conversation appears here, and each webhook that the vendor would send appears on the right."),
    hasReceiver ? null : el("p", { class: "sec" }, "No receiver is set, so nothing will be sent. Add the URL of yours under “No receiver”, or start one with ", el("code", {}, "standin listen"), "."));
}

function entry(item, context) {
  if (item.action === "expectation") return expectation(item, context);
  if (item.action === "omitted") {
    // A part of an action, such as `say.data`, is left out of what is sent.
    const what = item.omitted.includes(".") ? "left out" : `${item.omitted} ${item.word}`;
    return event(item, context, `${item.step ? `Step ${item.step}: ` : ""}${what}, ${item.reason}`, "minus");
  }
  if (item.action === "say") return message(item, context);
  if (item.action === "note") return note(item, context);
  if (item.action === "close") return closed(item, context);
  return event(item, context, null, EVENT_ICONS[item.action] ?? "dot");
}

const WAITED = { expect: "call", "expect none": "no call", eventually: "", request: "" };

/** What the script waited for. */
function expectation(item, context) {
  const { row } = item;
  const [kind, name] = row.state === "waiting" ? ["live", "dot"] : stateOf(row);
  const text = { passed: "Expectation met", failed: row.type === "expect none" ? "Unexpected call" : "Expectation not met" }[row.state] ?? "Waits for the receiver";
  return el("li", { class: `ev${row.id === context.selected ? " sel" : ""}` }, icon("flag"),
    el("span", {}, `${text}: ${WAITED[row.type] ?? row.type} `, el("code", {}, row.about)),
    el("span", { class: "meta" }, time(item, context), el("button", { class: `mark st ${kind}`, type: "button", "aria-current": row.id === context.selected ? "true" : null, on: { click: () => context.open(row.id) } }, icon(name), outcome(row))));
}

const time = (item, { story }) => el("time", {}, `${seconds(story, item.at)} s`);

function marks(item, { story, selected, open }) {
  const all = item.deliveries.map((id) => {
    const row = story.deliveries.get(id);
    const [kind, name, word] = stateOf(row);
    const took = latency(row.attempts.at(-1)?.result);
    const text = took ? `${word} · ${took}` : word;
    return el("button", {
      class: `mark st ${kind}`, type: "button", title: row.type, "aria-label": `Delivery ${id}, ${row.type}: ${text}`,
      "aria-current": id === selected ? "true" : null, on: { click: () => open(id) },
    }, icon(name), text);
  });
  if (all.length > 0) return all;
  return item.unsent ? el("span", { class: "st off unsent" }, icon("minus"), el("span", {}, "Not sent: ", prose(item.unsent))) : null;
}

/** When the message was read, and a button that plays the run again up to here. */
function after(item, { story, state }, isSelected) {
  return [
    item.readAt ? el("span", { class: "st off" }, icon("read"), el("span", {}, `Read ${seconds(story, item.readAt)} s`)) : null,
    isSelected && item.step ? el("button", { class: "mark", type: "button", on: { click: () => state.restart(item.step) } }, icon("restart"), "Restart from here") : null,
  ];
}

function message(item, context) {
  const { content } = context;
  const side = item.role === "visitor" ? "" : " out";
  const tone = item.role === "bot" ? " bot" : item.role === "visitor" ? "" : " agent";
  const isSelected = item.deliveries.includes(context.selected);
  const isPlain = !item.message_kind || item.message_kind === "text";
  const kind = isPlain ? null : el("span", { class: "tag" }, item.message_kind.replaceAll("_", " "));
  const who = item.step === null ? `${item.role} · live` : item.role;
  const { data } = content ?? {};
  const name = data?.file_name ?? data?.name;
  const isFile = !isPlain && typeof name === "string";
  const parts = content && !isPlain ? rich(data, chooser(context)) : [];
  // A summary such as "sends a carousel" says nothing beside the cards.
  const text = item.text || (parts.length > 0 ? data.title ?? "" : item.summary);
  return el("li", { class: `msg${side}${tone}${isSelected ? " sel" : ""}${parts.length > 0 && !isFile ? " rich" : ""}` },
    el("span", { class: "by" }, icon(ICONS[item.role] ?? "user"), el("b", {}, context.nameOf(item.by)), ` ${who}`, kind),
    isFile
      ? el("div", { class: "file" }, card({ ...data, file_name: name }), item.text ? el("div", {}, item.text) : null)
      : el("div", { class: "bub" }, text ? el("div", {}, text) : null, parts),
    el("span", { class: "meta" }, time(item, context), marks(item, context), after(item, context, isSelected)));
}

function note(item, context) {
  return el("li", { class: "note" },
    el("span", { class: "by" }, icon("note"), el("b", {}, `Note by ${context.nameOf(item.by)}`)),
    el("span", {}, item.text ?? item.summary),
    el("span", { class: "meta" }, time(item, context), marks(item, context)));
}

function event(item, context, text, name) {
  const said = text ?? readable(item, context);
  const implied = item.implied ? el("span", { class: "dim" }, " (implied)") : null;
  return el("li", { class: "ev" }, icon(name), el("span", {}, el("b", {}, item.by ? context.nameOf(item.by) : ""), " ", text ? prose(said) : said, implied), el("span", { class: "meta" }, time(item, context), marks(item, context)));
}

/** The summary, with the full names of the people that it mentions last. */
function readable(item, context) {
  const match = /^(assigns the conversation to )(\S+)$/.exec(item.summary ?? "");
  return match ? `${match[1]}${context.nameOf(match[2])}` : item.summary;
}

function closed(item, context) {
  const { story, state } = context;
  const isLast = lastOf(story) === item;
  const messages = story.items.filter((one) => one.action === "say");
  const people = new Set(messages.filter((one) => one.role !== "visitor").map((one) => context.nameOf(one.by)).filter(Boolean));
  const lines = [["Lasted", `${seconds(story, item.at)} s, ${messages.length} ${messages.length === 1 ? "message" : "messages"}`], ["Handled by", [...people].join(", ")]];
  return el("li", { class: "closed" },
    el("div", { class: "row wrap" }, icon("doc", false), el("b", {}, `Closed by ${context.nameOf(item.by)}`), el("span", { class: "meta" }, time(item, context), marks(item, context))),
    isLast ? el("dl", { class: "dl" }, lines.filter(([, text]) => text).flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])) : null,
    isLast ? el("div", { class: "row wrap end" },
      el("button", { class: "btn", type: "button", on: { click: () => copy(transcript(story, context.nameOf), "the transcript") } }, icon("copy"), "Transcript"),
      el("button", { class: "btn", type: "button", on: { click: () => state.exportRun() } }, icon("dl"), "Export HTML"),
      el("button", { class: "btn quiet", type: "button", on: { click: () => state.playAgain() } }, icon("restart"), "Play again")) : null);
}

/** The messages and notes as text. */
const transcript = (story, nameOf) => story.items.filter((one) => one.action === "say" || one.action === "note")
  .map((one) => `${seconds(story, one.at)} s  ${nameOf(one.by)}${one.action === "note" ? " (note)" : ""}: ${one.text || one.summary}`).join("\n");

/** What was sent in a run: more than its result says, if people and clients go on after its script. */
function counted(run, conversations) {
  const own = conversations.filter((one) => one.run.run === run.run).map((one) => one.deliveries);
  const sum = (key) => own.reduce((total, one) => total + one[key], 0);
  const now = { deliveries: sum("deliveries"), passed: sum("passed"), failed: sum("failed") };
  const { deliveries, passed } = run.result;
  return now.deliveries > deliveries ? now : { deliveries, passed, failed: 0 };
}

/** The verdict of the run, for the run bar. */
export function verdict(run, conversations) {
  const result = run?.result;
  if (!result) return null;
  const { deliveries, passed, failed } = counted(run, conversations);
  const counts = `${passed} of ${deliveries} passed`;
  const isFailed = result.verdict === "failed" || failed > 0;
  // A run can fail without a delivery, for example because the handshake failed.
  if (isFailed) return el("span", { class: "st bad", title: result.reason ?? "" }, icon("x"), deliveries > 0 ? `Failed: ${counts}` : "Failed");
  switch (result.verdict) {
    case "passed": return status("ok", "check", counts);
    case "interrupted": return status("off", "minus", "Cancelled");
    default:
      if (passed > 0) return status("ok", "check", counts);
      return el("span", { class: "st off", title: result.reason ?? "" }, icon("minus"), "Nothing was tested");
  }
}
