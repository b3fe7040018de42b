// Turns the records of a conversation into what people did and what was sent.

/** The actions and requests of a conversation, in order. Later records can be added. */
export function tell(records, conversation) {
  const [run, number] = conversation.split("-").map(Number);
  // `version` changes with each record, and `last` is the run time of the last one.
  const story = { items: [], deliveries: new Map(), rows: [], call: null, isRefused: false, hints: [], start: null, last: null, version: 0, run, number };
  for (const kept of records) add(story, kept);
  return story;
}

/** Adds a record that comes after those that the story has. */
export function add(story, { vendor, record }) {
  const { kind, data } = record;
  if (kind === "run.started" && record.run === story.run) story.start = record.run_time;
  story.version += 1;
  if (record.run === story.run) story.last = timeOf(story, record);
  HANDLERS[kind]?.(story, record, data, vendor, record.run === story.run);
}

const last = (story) => story.items[story.items.length - 1];

function act(implied) {
  return (story, record, data) => {
    const item = { ...data, implied, at: record.run_time, step: record.step ?? null, deliveries: [], unsent: unsubscribed(story, data) };
    // The records of what a call does follow it, at the same time.
    if (item.step === null && story.call?.calledAt === item.at) story.call.effects.push(item.summary);
    if (item.action === "read") markRead(story, item);
    story.items.push(item);
  };
}

/** Why webhooks of an action are not sent, if nobody gets them. */
function unsubscribed(story, { unsubscribed: eventTypes }) {
  if (eventTypes.length === 0) return null;
  const reason = story.isRefused ? "gets events, because the handshake failed" : `subscribes to ${eventTypes.join(", ")}`;
  return `no receiver ${reason}`;
}

/** Marks the messages of the other side that nobody has read before. */
function markRead(story, { role, at }) {
  const isVisitor = role === "visitor";
  for (let index = story.items.length - 1; index >= 0; index -= 1) {
    const item = story.items[index];
    if (item.action !== "say" || (item.role === "visitor") === isVisitor) continue;
    if (item.readAt) return;
    item.readAt = at;
  }
}

function omitted(word) {
  return (story, record, data) => {
    // The record names the action that did not happen.
    story.items.push({ ...data, action: "omitted", omitted: data.action, word, at: record.run_time, step: record.step, deliveries: [], unsent: null });
  };
}

function requestRow(story, record, fields) {
  const at = timeOf(story, record);
  const row = { vendor: "", run: record.run, at, time: Date.parse(at), step: record.step ?? null, state: "pending", attempts: [], faults: [], why: null, body: null, ...fields };
  story.deliveries.set(row.id, row);
  story.rows.push(row);
  return row;
}

/** The run time of a record. With a virtual clock, one of no conversation, such as a call, has that of the start of its run: it came later. */
function timeOf(story, { conversation, run, run_time: at }) {
  const isShared = conversation === null || conversation === undefined;
  return isShared && run === story.run && story.last && Date.parse(at) < Date.parse(story.last) ? story.last : at;
}

const expectationId = (record, request) => `expectation ${record.run} ${record.conversation} ${record.step} ${request.round}`;

const find = (story, record, data) => story.deliveries.get(`${record.run}-${data.delivery}`);

function finish(attempt, record, result) {
  if (!attempt) return;
  attempt.result = result;
  attempt.endedAt = record.run_time;
}

/** A text of a call without the marks of its secrets. */
const mask = (text) => text.replaceAll("${call.secret}", "••••");

const masked = (headers) => headers.map(([name, value]) => [name, mask(value)]);

/** The response to a call. Without a record of it, the body is unknown: `null`. */
function responseOf(status, response) {
  const body = typeof response?.body === "string" ? mask(response.body) : response?.body ?? null;
  return { status, outcome: "response", body, truncated: response?.truncated ?? false, headers: masked(response?.headers ?? []) };
}

const HANDLERS = {
  "action.done": act(false),
  "action.implied": act(true),
  "action.skipped": omitted("skipped"),
  "action.dropped": omitted("dropped"),
  "action.silent": (story, record, data) => {
    if (last(story)) last(story).unsent = data.reason;
  },
  "delivery.planned": (story, record, data, vendor, isOwn) => {
    const id = `${record.run}-${data.delivery}`;
    requestRow(story, record, { id, vendor, isDelivery: true, isAgain: !isOwn, original: isOwn ? null : `${story.run}-${data.delivery}`, type: data.event_type, certainty: data.certainty, faults: data.faults, body: data.body, endpoint: data.endpoint });
    if (!isOwn || !last(story)) return;
    last(story).deliveries.push(id);
    const { text, summary, message_kind: messageKind } = last(story);
    // A text can be a quotation.
    story.deliveries.get(id).about = text ? (text.startsWith("“") ? text : `“${text}”`) : messageKind ?? summary;
  },
  "attempt.started": (story, record, data) => {
    const row = find(story, record, data);
    if (!row) return;
    row.state = "sending";
    row.attempts.push({ number: data.attempt, hop: data.hop, at: record.run_time, method: data.method, url: data.url, headers: data.headers, result: null, retryIn: null });
  },
  "attempt.finished": (story, record, data) => {
    const row = find(story, record, data);
    const attempt = row?.attempts.findLast((one) => one.number === data.attempt && one.hop === data.hop);
    finish(attempt, record, data.result);
    if (attempt) attempt.retryIn = data.retry_in_ms;
    if (row) row.state = "retrying";
  },
  "delivery.settled": (story, record, data) => {
    const row = find(story, record, data);
    if (!row) return;
    row.state = data.passed ? "passed" : "failed";
    row.why = data.why;
    row.source = data.source;
    row.result = data.result;
  },
  "call.received": (story, record, data) => {
    const path = mask(data.path);
    const url = data.query ? `${path}?${mask(data.query)}` : path;
    const body = data.body === null ? null : mask(JSON.stringify(data.body));
    const row = requestRow(story, record, { id: `call ${record.run} ${data.number}`, type: `${data.method} ${path}`, isCall: true, body, call: data, state: data.status < 400 ? "passed" : "failed", why: data.why });
    Object.assign(row, { name: data.call ?? data.operation ?? data.route ?? "no such route", about: row.type, effects: [], calledAt: record.run_time });
    story.call = row;
    row.attempts.push({ number: 1, hop: 0, at: record.run_time, method: data.method, url, headers: masked(data.headers ?? []), result: { ...responseOf(data.status, data.response), reason: data.why } });
  },
  "call.responded": (story, record, data) => {
    const attempt = story.deliveries.get(`call ${record.run} ${data.call}`)?.attempts[0];
    if (attempt) attempt.result = { ...responseOf(data.status, data.response), reason: attempt.result.reason };
  },
  "expectation.started": (story, record, { request }) => {
    const id = expectationId(record, request);
    const wants = request.call ?? (request.url ? `${request.method} ${request.url}` : "any call");
    const row = requestRow(story, record, { id, type: request.expectation.replaceAll("_", " "), isExpectation: true, about: wants, request, state: "waiting" });
    story.items.push({ action: "expectation", at: record.run_time, step: row.step, row, deliveries: [], unsent: null });
  },
  "expectation.finished": (story, record, data) => {
    const row = story.deliveries.get(expectationId(record, data.request));
    if (!row) return;
    row.state = data.passed ? "passed" : "failed";
    Object.assign(row, { why: data.why, source: data.source, found: data.result, waited: data.result.waited_ms });
  },
  "auth.hint": (story, record, data) => { story.hints.push(data); },
  "handshake.sent": (story, record, data) => {
    const row = requestRow(story, record, { id: `handshake ${record.run} ${data.endpoint}`, type: "handshake", body: data.body, state: "sending" });
    row.attempts.push({ number: 1, hop: 0, at: record.run_time, method: "POST", url: data.url, headers: [], result: null });
  },
  "handshake.finished": (story, record, data) => {
    const row = story.deliveries.get(`handshake ${record.run} ${data.endpoint}`);
    if (!row) return;
    finish(row.attempts[0], record, data.result);
    row.state = data.error === null ? "passed" : "failed";
    row.why = data.error;
    if (data.error !== null && !data.continues) story.isRefused = true;
  },
  "probe.sent": (story, record, data) => {
    const row = requestRow(story, record, { id: `probe ${record.run} ${data.endpoint} ${data.fault}`, type: `probe: ${data.fault}`, body: data.body, state: "sending", faults: [data.fault] });
    row.attempts.push({ number: 1, hop: 0, at: record.run_time, method: "POST", url: data.url, headers: data.headers, result: null });
  },
  "probe.finished": (story, record, data) => {
    const row = story.deliveries.get(`probe ${record.run} ${data.endpoint} ${data.fault}`);
    if (!row) return;
    finish(row.attempts[0], record, data.result);
    row.state = data.passed ? "passed" : "failed";
    row.why = data.why;
  },
};

/** What a script waits for. */
export const EXPECTED = { expect: "expects a call", "expect none": "expects no call", eventually: "waits for", request: "requests" };

/** The end of a long event type. The full one is in the title, and in the opened request. */
export const shortType = (type) => (type.length > 28 ? type.split(type.includes(":") ? ":" : ".").at(-1) : type);

/** Seconds of run time since the start of the story. */
export function seconds(story, at) {
  const start = Date.parse(story.start ?? at);
  return ((Date.parse(at) - start) / 1000).toFixed(3);
}

/** What the last attempt met, in a word: a status or the kind of failure. */
export function outcome(row) {
  if (row.isExpectation) return { passed: "met", failed: "not met" }[row.state] ?? "waiting";
  const result = row.attempts.at(-1)?.result ?? row.result;
  if (!result) return "…";
  return result.status ? String(result.status) : result.outcome.replaceAll("_", " ");
}

export const latency = (result) => {
  const micros = result?.timings?.total_us;
  if (micros === undefined) return "";
  return micros < 10_000 ? `${(micros / 1000).toFixed(1)} ms` : `${Math.round(micros / 1000)} ms`;
};

/** Class, icon and word of a state. */
export function stateOf(row) {
  switch (row.state) {
    case "passed": return ["ok", "check", outcome(row)];
    case "failed": return ["bad", "x", outcome(row)];
    case "retrying": return ["warn", "retry", `${outcome(row)}, retry`];
    case "sending": return ["live", "dot", "sending"];
    default: return ["off", "dot", "waiting"];
  }
}
