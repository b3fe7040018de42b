// The view of a vendor: what it sends and how certain that is, how to verify it, and the receivers with
// their subscriptions and handshakes.

import { get } from "./client.js";
import { formatted } from "./code.js";
import { $, el, fill, icon, options, prose, status } from "./dom.js";

let context = null;
let shown = null;
let sample = null;

export function setUpVendors(shared) {
  context = shared;
  $("vendor-choice").addEventListener("change", () => { shown = null; showVendors(); });
}

/** Shows a vendor: the chosen one, or else that of the run bar. */
export async function showVendors() {
  const { vendors } = context.state;
  options($("vendor-choice"), vendors.map(({ id, name }) => [id, name]));
  if (shown === null && !$("vendor-choice").dataset.used) $("vendor-choice").value = $("vendor").value;
  $("vendor-choice").dataset.used = "true";
  const id = $("vendor-choice").value;
  if (!id) return;
  const [vendor, { items }] = await Promise.all([get(`/vendors/${id}`), get("/endpoints")]);
  if ($("vendor-choice").value !== id) return;
  if (shown !== id) sample = null;
  shown = id;
  render(vendor, items.filter((endpoint) => endpoint.vendor === id));
}

const CERTAINTY = {
  documented: ["ok", "doc", "The vendor's documentation states it."],
  observed: ["ok", "check", "It was observed at a real server, or in its source code."],
  inferred: ["warn", "approx", "It follows from documented or observed facts."],
  assumed: ["warn", "help", "Nothing is known; this is a plausible choice."],
};

const certainty = (word) => {
  const [kind, name, title] = CERTAINTY[word];
  return el("span", { class: `tag ${kind}`, title }, icon(name), word);
};

function render(detail, endpoints) {
  const { vendor } = detail;
  const differs = vendor.differs ? ` ${vendor.differs[0].toUpperCase()}${vendor.differs.slice(1)}.` : "";
  $("vendor-about").textContent = `${vendor.name}, revision ${vendor.revision}.${differs.replaceAll("`", "")}`;
  fill($("vendor-body"),
    receivers(detail, endpoints),
    events(detail),
    el("section", { class: "card", "aria-labelledby": "v-verify" }, el("header", {}, el("h2", { id: "v-verify" }, "How a receiver verifies a request")),
      el("div", { class: "pad" }, el("h3", {}, "Headers of each request"),
        el("dl", { class: "hdrs" }, detail.headers.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
        // It refers to the headers above.
        el("p", { class: "pre" }, prose(detail.verification)))),
    silent(detail),
    sources(detail));
}

function card(id, title, ...content) {
  return el("section", { class: "card", "aria-labelledby": id }, el("header", {}, el("h2", { id }, title)), content);
}

function table(label, heads, rows) {
  return el("div", { class: "tblwrap", tabindex: "0", role: "region", "aria-label": label },
    el("table", { class: "grid" }, el("thead", {}, el("tr", {}, heads.map((head) => (typeof head === "string" ? el("th", { scope: "col" }, head) : head)))), el("tbody", {}, rows)));
}

/** The head of a column that small screens have no place for. */
const narrowOff = (text) => el("th", { scope: "col", class: "narrow-off" }, text);

function receivers({ vendor, handshake }, endpoints) {
  const rows = endpoints.map((endpoint) => el("tr", {},
    el("td", { class: "num" }, String(endpoint.number)),
    el("td", { class: "url" }, el("code", {}, endpoint.url)),
    el("td", {}, subscription(endpoint), endpoint.subscribed_by_call ? el("div", { class: "dim" }, "by a call") : null),
    el("td", {}, shake(endpoint.handshake, handshake))));
  const none = el("p", { class: "empty" }, `${vendor.name} has no receiver. Add one at the top of the page.`);
  return card("v-receivers", "Receivers, subscriptions and handshakes",
    endpoints.length > 0 ? table("Receivers", ["No.", "URL", "Gets", "Last handshake"], rows) : none,
    el("div", { class: "pad ruled" }, el("p", { class: "sec pre" }, prose(handshake))));
}

function subscription({ subscribed, events }) {
  if (subscribed === null) return el("span", { class: "dim" }, events ? `asks for ${events.join(", ")}` : "known after its first run");
  if (subscribed.length === 0) return status("off", "minus", "no events");
  return el("span", { class: "row wrap" }, subscribed.map((pattern) => (pattern === "*" ? el("span", { class: "tag" }, "every event") : el("code", { class: "tag" }, pattern))));
}

function shake(handshake) {
  if (!handshake) return el("span", { class: "dim" }, "none");
  const { error, status: code, run, continues } = handshake;
  const met = code === null ? "no response" : `status ${code}`;
  const state = error === null && continues ? status("ok", "check", `passed, ${met}`) : status("bad", "x", prose(error ?? met));
  return el("span", {}, state, el("span", { class: "dim" }, ` in run ${run}`, continues && error !== null ? ", and events are sent nevertheless" : ""));
}

function events({ vendor, event_types: types }) {
  const rows = types.map((type) => el("tr", { class: sample?.name === type.name ? "runsel" : "" },
    el("td", {}, el("button", { class: "link mono", type: "button", "aria-expanded": String(sample?.name === type.name), on: { click: () => choose(vendor.id, type.name) } }, type.name),
      el("div", { class: "dim narrow-on" }, type.sent_for.join(", "))),
    el("td", { class: "narrow-off" }, type.sent_for.join(", ")),
    el("td", {}, el("div", { class: "tags" }, type.certainty.map(certainty))),
    el("td", { class: "narrow-off" }, type.by_default ? "yes" : "on request")));
  const body = sample ? el("div", { class: "pad ruled", id: "v-sample" }, el("h3", {}, "Sample of ", el("code", {}, sample.name)), sample.body === null ? el("p", { class: "sec" }, "There is no sample.") : formatted(JSON.stringify(sample.body), `Sample of ${sample.name}`)) : null;
  return card("v-events", "What it sends, and how certain that is",
    table("Event types", ["Event type", narrowOff("Sent for"), "Certainty", narrowOff("By default")], rows), body);
}

async function choose(vendor, name) {
  const body = sample?.name === name ? undefined : await get(`/vendors/${vendor}/samples/${encodeURIComponent(name)}`).catch(() => null);
  sample = body === undefined ? null : { name, body };
  await showVendors();
}

function silent({ not_sent: all }) {
  if (all.length === 0) return null;
  const rows = all.map(({ event, possible, reason }) => el("tr", {}, el("td", {}, el("code", {}, event)), el("td", {}, possible ? "sends nothing" : "cannot happen"), el("td", {}, reason)));
  return card("v-silent", "What it does not send", table("Events without a webhook", ["Event", "", "Reason"].map((head) => head || "At this vendor"), rows));
}

function sources({ sources: all }) {
  const link = (url) => (/^https?:/.test(url ?? "") ? el("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, url) : url);
  const rows = all.map((source) => el("tr", {},
    el("td", {}, el("code", {}, source.section)), el("td", {}, certainty(source.certainty)), el("td", { class: "num" }, source.seen ?? ""),
    el("td", {}, source.note, source.note && source.url ? el("br") : null, link(source.url))));
  return card("v-sources", "Sources of these facts", table("Sources", ["Section", "Certainty", "Checked", "Source"], rows));
}
