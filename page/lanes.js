// The time line: what was sent, what the receiver called, and what the script waited for.
//
// The table above it has the same facts, with the keyboard and for screen readers.

import { $ } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** Dots of a lane. A lane with more rows has one mark for each part of the time. */
const MAX_DOTS = 200;

/** Heights of the lanes and of the axis, in pixels. */
const LANE = 20;

const LANES = ["webhooks", "calls", "expectations"];

/** Steps of the axis in seconds: the smallest one with at most ten labels. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 86_400];

const laneOf = (row) => (row.isCall ? 1 : row.isExpectation ? 2 : 0);

/** The worst state of rows comes last. */
const ORDER = ["pending", "passed", "sending", "retrying", "failed"];

function svg(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text) element.textContent = text;
  return element;
}

/** Above this number of rows, the line is drawn less often than the rest of the page. */
const MANY_ROWS = 500;

/** Time between two drawings of many rows, in milliseconds. */
const INTERVAL = 500;

let shown = null;
let drawnAt = 0;
let timer = null;

/** Draws the time line of the story. `open` shows a row. */
export function renderLanes(state, open) {
  const { story, delivery, detail } = state;
  const rows = story?.rows ?? [];
  $("lanes").hidden = rows.length === 0;
  if (rows.length === 0) {
    shown = null;
    return;
  }
  const future = Boolean(detail?.next) && detail.id === `${story.run}-${story.number}`;
  const version = `${story.version} ${delivery} ${story.run} ${future}`;
  if (shown?.version === version && shown.story === story) return;
  const wait = rows.length > MANY_ROWS && shown?.story === story && shown.delivery === delivery ? drawnAt + INTERVAL - performance.now() : 0;
  if (wait > 0) {
    timer ??= setTimeout(() => { timer = null; renderLanes(state, open); }, wait);
    return;
  }
  drawnAt = performance.now();
  shown = { version, story, delivery };
  const start = Date.parse(story.start ?? rows[0].at);
  const at = (row) => (row.time - start) / 1000;
  const now = story.last ? (Date.parse(story.last) - start) / 1000 : 0;
  const end = Math.max(1, now, at(rows[rows.length - 1]));
  const x = (seconds) => `${(2 + 95 * Math.max(0, Math.min(1, seconds / end))).toFixed(2)}%`;
  const marks = [...axis(end, x)];
  const lanes = [[], [], []];
  for (const row of rows) lanes[laneOf(row)].push(row);
  marks.push(svg("line", { class: "now", x1: x(now), x2: x(now), y1: 0, y2: LANES.length * LANE }));
  lanes.forEach((lane, index) => {
    const y = index * LANE + LANE / 2;
    for (const group of grouped(lane, at, end)) marks.push(mark(group, { x, y, at, delivery, open }));
  });
  if (future) marks.push(svg("circle", { class: "future", cx: "98.5%", cy: LANE / 2, r: 4 }));
  $("lanes-plot").replaceChildren(...marks);
  const failed = rows.filter((row) => row.state === "failed").length;
  const count = (lane, one, many) => (lane.length === 1 ? `1 ${one}` : `${lane.length} ${many}`);
  $("lanes-plot").setAttribute("aria-label", `Time line of ${end.toFixed(1)} seconds: ${count(lanes[0], "webhook", "webhooks")}, ${count(lanes[1], "call", "calls")}, ${count(lanes[2], "expectation", "expectations")}, ${failed} failed`);
}

function* axis(end, x) {
  const step = STEPS.find((one) => end / one <= 10) ?? 86_400 * Math.ceil(end / 864_000);
  const [unit, name] = step >= 3600 ? [3600, "h"] : step >= 60 ? [60, "min"] : [1, "s"];
  for (let seconds = 0; seconds <= end; seconds += step) {
    yield svg("line", { class: "base", x1: x(seconds), x2: x(seconds), y1: 0, y2: LANES.length * LANE });
    yield svg("text", { x: x(seconds), y: LANES.length * LANE + 12 }, `${seconds / unit} ${name}`);
  }
}

/** Rows that are drawn as one mark. */
function grouped(lane, at, end) {
  if (lane.length <= MAX_DOTS) return lane.map((row) => [row]);
  const groups = new Map();
  for (const row of lane) {
    const place = Math.floor((at(row) / end) * MAX_DOTS);
    const group = groups.get(place);
    if (group) group.push(row);
    else groups.set(place, [row]);
  }
  return groups.values();
}

function mark(group, { x, y, at, delivery, open }) {
  const worst = group.reduce((one, other) => (ORDER.indexOf(other.state) > ORDER.indexOf(one.state) ? other : one));
  const isSelected = group.some((row) => row.id === delivery);
  const kind = { failed: "bad", retrying: "warn", sending: "acc", pending: "acc" }[worst.state] ?? (worst.isCall || worst.faults.length > 0 ? "odd" : worst.attempts.length > 1 ? "warn" : "ok");
  const shape = worst.isExpectation
    ? bar(worst, { x, y, at, kind })
    : svg("circle", { class: `f-${kind}`, cx: x(at(worst)), cy: y, r: group.length > 1 ? 5 : 4 });
  if (isSelected) shape.classList.add("at");
  shape.append(svg("title", {}, group.length > 1 ? `${group.length} requests, the worst: ${worst.type} (${worst.state})` : `${worst.type} ${worst.about ?? ""} (${worst.state})`));
  shape.addEventListener("click", () => open(worst.id));
  return shape;
}

function bar(row, { x, y, at, kind }) {
  const until = at(row) + (row.waited ?? 0) / 1000;
  // An expectation waits in real time, while the clock of the conversation may stand still.
  return svg("line", { class: `wait-${kind}`, x1: x(at(row)), x2: x(Math.max(until, at(row) + 0.001)), y1: y, y2: y });
}
