// Faults of deliveries: to choose for one delivery, or to turn on for a run.

import { post } from "./client.js";
import { $, el, fill } from "./dom.js";
import { factsOf } from "./facts.js";

/** The faults of a vendor; `undefined` until they are there, when `then` is called. */
export const faultsOf = (vendor, then) => factsOf(vendor, then)?.faults;

const TITLES = { token: "Signature", body: "Content", wire: "Connection", order: "Order" };

/** A choice for each group. `chosen` has the names by group. */
export function faultChoices(groups, faults, chosen, changed) {
  return groups.map((group) => {
    const own = faults.filter((fault) => fault.group === group);
    if (own.length === 0) return null;
    const change = ({ target }) => { chosen[group] = target.value; changed(); };
    return el("label", { class: "lab" }, TITLES[group], " ", el("select", { class: "field", "data-group": group, on: { change } },
      el("option", { value: "" }, "as usual"),
      own.map((fault) => el("option", { value: fault.name, selected: chosen[group] === fault.name, title: fault.about }, fault.name.replaceAll("_", " ")))));
  });
}

export const namesOf = (chosen) => Object.values(chosen).filter(Boolean);

/** What faults do, and what a correct receiver does. */
export function aboutFaults(faults, names) {
  const all = names.map((name) => faults.find((fault) => fault.name === name)).filter(Boolean);
  return all.map((fault) => `${fault.about} A correct receiver ${fault.expects}.`).join(" ");
}

let shown = null;

/** The menu that turns faults of a run on and off. */
export function renderFaultMenu(run, again, failed) {
  const canHave = run && run.redelivery_of === null && !["cancelled", "interrupted"].includes(run.phase);
  $("faults").hidden = !canHave;
  if (!canHave) return;
  const faults = faultsOf(run.vendor, again);
  const version = JSON.stringify([run.run, run.faults, Boolean(faults)]);
  if (!faults || version === shown) return;
  shown = version;
  const groupOf = (name) => faults.find((fault) => fault.name === name)?.group ?? "order";
  const chosen = Object.fromEntries(run.faults.map((name) => [groupOf(name), name]));
  const change = () => post(`/runs/${run.run}/faults`, { faults: namesOf(chosen) }).catch(failed);
  $("faults-label").textContent = run.faults.length === 0 ? "Faults" : run.faults.join(", ").replaceAll("_", " ");
  $("faults").querySelector("summary").classList.toggle("on", run.faults.length > 0);
  const off = el("button", { class: "btn", type: "button", id: "faults-off", disabled: run.faults.length === 0, on: { click: () => post(`/runs/${run.run}/faults`, { faults: [] }).catch(failed) } }, "Turn off");
  fill($("fault-choices"), faultChoices(["token", "body", "wire", "order"], faults, chosen, change));
  fill($("faults-about"), aboutFaults(faults, run.faults) || "The deliveries of this run from now on have these faults.");
  fill($("faults-end"), el("span", { class: "grow" }), off);
}
