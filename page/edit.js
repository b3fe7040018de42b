// What people do with a delivery: compare its body with another one, and send it again edited.

import { post } from "./client.js";
import { parse } from "./code.js";
import { compare, linesOf } from "./diff.js";
import { el, status } from "./dom.js";
import { aboutFaults, faultChoices, faultsOf, namesOf } from "./faults.js";
import { seconds, shortType } from "./story.js";

/** What people have typed, by delivery, so that it survives a look at another tab. */
const drafts = new Map();

/** With what a body is compared, by delivery. */
const chosen = new Map();

export function comparison(row, story, again) {
  const others = [...story.deliveries.values()].filter((other) => other.isDelivery && other.id !== row.id);
  if (others.length === 0) return el("p", { class: "sec" }, "There is no other delivery to compare with.");
  const before = others.filter((other) => other.at <= row.at && other.type === row.type).at(-1);
  const other = others.find(({ id }) => id === chosen.get(row.id)) ?? others.find(({ id }) => id === row.original) ?? before ?? others[0];
  const label = ({ id, type, at }) => `${seconds(story, at)} s · ${shortType(type)} · ${id}`;
  const select = el("select", { class: "field grow", "aria-label": "Compare with", on: { change: ({ target }) => { chosen.set(row.id, target.value); again(); } } },
    others.map((one) => el("option", { value: one.id, selected: one === other }, label(one))));
  const lines = compare(linesOf(other.body), linesOf(row.body));
  const changed = lines.filter(({ kind }) => kind !== "same").length;
  const words = { add: "added: ", del: "removed: " };
  return [
    el("div", { class: "row" }, el("span", { class: "lab" }, "Compared with"), select),
    changed === 0 ? status("ok", "check", "The bodies are equal") : el("p", { class: "sec" }, `${changed} lines differ. Lines of the other delivery have a minus sign, lines of this one a plus sign.`),
    el("pre", { class: "code", tabindex: "0", "aria-label": "Differences" }, el("code", {}, lines.map(({ kind, text }) => el("span", { class: `l ${kind === "same" ? "" : kind}` }, kind === "same" ? null : el("span", { class: "vh" }, words[kind]), text)))),
  ];
}

export function editor(row, again, sent) {
  const faults = faultsOf(row.vendor, again);
  if (!faults) return el("p", { class: "sec" }, "Loading…");
  const draft = drafts.get(row.id) ?? { body: row.body ?? "", faults: {} };
  drafts.set(row.id, draft);
  const text = el("textarea", { class: "field code edit", "aria-label": "Body to send", spellcheck: "false", rows: "14", on: { input: ({ target }) => { draft.body = target.value; } } });
  text.value = draft.body;
  const put = (value) => { draft.body = value; text.value = value; text.focus(); };
  const format = () => {
    const json = parse(draft.body);
    if (json !== undefined) put(JSON.stringify(json, null, 2));
  };
  const error = el("p", { class: "st bad error", role: "alert", hidden: true });
  const about = el("p", { class: "sec", id: "fault-about" }, aboutFaults(faults, namesOf(draft.faults)));
  const send = async (event) => {
    event.preventDefault();
    error.hidden = true;
    try {
      const run = await post(`/deliveries/${row.id}/redeliver`, { body: draft.body, faults: namesOf(draft.faults) });
      drafts.delete(row.id);
      // The redelivery has the number that the delivery has in its conversation.
      sent(`${run.run}-${row.id.slice(row.id.indexOf("-") + 1)}`);
    } catch (problem) {
      error.textContent = problem.text ?? String(problem);
      error.hidden = false;
    }
  };
  return el("form", { class: "panel flat", on: { submit: send } },
    el("div", { class: "row wrap" }, el("span", { class: "sec grow" }, "The body gets a new signature, byte for byte as it stands here."),
      el("button", { class: "btn quiet", type: "button", on: { click: format } }, "Format"),
      el("button", { class: "btn quiet", type: "button", on: { click: () => put(row.body ?? "") } }, "Original")),
    text,
    el("div", { class: "row wrap" }, faultChoices(["token", "body", "wire"], faults, draft.faults, () => { about.textContent = aboutFaults(faults, namesOf(draft.faults)); })),
    about,
    error,
    el("div", { class: "row" }, el("span", { class: "grow" }), el("button", { class: "btn fill", id: "resend" }, "Send")));
}
