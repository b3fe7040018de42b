// The reference of the control API, from its OpenAPI document.

import { readToken, request } from "./client.js";
import { formatted } from "./code.js";
import { $, copy, el, fill, icon, status } from "./dom.js";

const METHODS = { get: "ok", post: "acc", put: "acc", delete: "bad" };

let document_ = null;

const named = (reference) => document_.components.schemas[reference.split("/").at(-1)];

/** An example of a value: the first choice everywhere, with the types as values. */
function example(schema, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(named(schema.$ref), depth + 1);
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return example(choice.find((one) => one.type !== "null") ?? choice[0], depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(one, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  if (type === "array") return [example(schema.items, depth + 1)].filter((one) => one !== null);
  if (type === "object" || schema.properties) return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, example(inner, depth + 1)]));
  return { string: "…", integer: 1, number: 1, boolean: true }[type] ?? null;
}

/** The fields of a type, one row for each, with the types inside indented. */
function fields(schema, depth = 0) {
  if (!schema || depth > 3) return [];
  if (schema.$ref) return fields(named(schema.$ref), depth);
  if (schema.items) return fields(schema.items, depth);
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const own = inner.$ref ?? (inner.oneOf ?? []).find((one) => one.$ref)?.$ref;
    const about = inner.description ?? (own && named(own)?.description) ?? "";
    const isRequired = (schema.required ?? []).includes(name);
    const row = el("tr", {}, el("td", {}, "\u00a0".repeat(depth * 3), el("code", {}, name), isRequired ? el("span", { class: "dim" }, " required") : null), el("td", {}, typeOf(inner)), el("td", {}, about));
    return [row, ...fields(own ? named(own) : inner.items, depth + 1)];
  });
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return choice.map(typeOf).join(" or ");
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  return Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type ?? "any";
}

const table = (label, heads, rows) => el("div", { class: "tblwrap", tabindex: "0", role: "region", "aria-label": label }, el("table", { class: "grid" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows)));

const mediaOf = (content) => Object.entries(content ?? {})[0] ?? [null, {}];

function curl(method, path, body) {
  const parts = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}'${location.origin}${path}'`, `-H 'Authorization: Bearer ${sessionStorage.getItem("token")}'`];
  if (body !== null) parts.push(`--json '${JSON.stringify(body).replaceAll("'", "'\\''")}'`);
  return parts.join(" \\\n  ");
}

/** Reads a document, and shows the response. */
async function tryIt(path, target) {
  try {
    const response = await request("GET", path, undefined, "");
    const text = await response.text();
    fill(target, status("ok", "check", String(response.status)), formatted(text.slice(0, 100_000), "Response"));
  } catch (error) {
    fill(target, status("bad", "x", error.text ?? String(error)));
  }
}

function operation(path, method, one) {
  const parameters = one.parameters ?? [];
  const [, { schema } = {}] = mediaOf(one.requestBody?.content);
  const body = one.requestBody ? example(schema) : null;
  const title = `${method.toUpperCase()} ${path}`;
  const result = el("div", { class: "panel flat" });
  const isSimple = method === "get" && !path.includes("{") && !path.endsWith("stream");
  const about = one.description && one.description !== one.summary ? el("p", { class: "pre" }, one.description) : null;
  return el("details", { class: "op", "data-text": `${title} ${one.summary ?? ""}`.toLowerCase() },
    el("summary", {}, el("span", { class: `tag ${METHODS[method] ?? ""}` }, method.toUpperCase()), el("code", {}, path), el("span", { class: "sec" }, one.summary ?? "")),
    el("div", { class: "pad" }, about,
      parameters.length > 0 ? table(`Parameters of ${title}`, ["Parameter", "In", "Type", "About"], parameters.map((parameter) => el("tr", {}, el("td", {}, el("code", {}, parameter.name), parameter.required ? el("span", { class: "dim" }, " required") : null), el("td", {}, parameter.in), el("td", {}, typeOf(parameter.schema ?? {})), el("td", {}, parameter.description ?? "")))) : null,
      body !== null ? [el("h3", {}, "Request"), table(`Request of ${title}`, ["Field", "Type", "About"], fields(schema)), formatted(JSON.stringify(body), `Example request of ${title}`)] : null,
      el("h3", {}, "Responses"),
      el("dl", { class: "dl" }, Object.entries(one.responses).flatMap(([code, response]) => {
        const [media, { schema: type } = {}] = mediaOf(response.content);
        return [el("dt", {}, code), el("dd", {}, response.description || (type ? typeOf(type) : "no content"), media ? el("span", { class: "dim" }, ` ${media}`) : null)];
      })),
      el("div", { class: "row wrap" },
        el("button", { class: "btn", type: "button", on: { click: () => copy(curl(method, path, body), "as curl") } }, icon("copy"), "Copy as curl"),
        isSimple ? el("button", { class: "btn", type: "button", "data-try": path, on: { click: () => tryIt(path, result) } }, icon("play"), "Try it") : null),
      result));
}

function render() {
  const byTag = new Map();
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const tag = one.tags?.[0] ?? "other";
      byTag.set(tag, [...(byTag.get(tag) ?? []), operation(path, method, one)]);
    }
  }
  fill($("docs-body"), [...byTag].map(([tag, all]) => el("section", { class: "card", "aria-labelledby": `tag-${tag}` }, el("header", {}, el("h2", { id: `tag-${tag}` }, tag[0].toUpperCase() + tag.slice(1))), all)));
}

function search() {
  const text = $("docs-find").value.trim().toLowerCase();
  for (const one of document.querySelectorAll(".op")) one.hidden = !one.dataset.text.includes(text);
  for (const card of document.querySelectorAll("#docs-body .card")) card.hidden = !card.querySelector(".op:not([hidden])");
}

async function boot() {
  readToken();
  $("docs-find").addEventListener("input", search);
  try {
    document_ = await (await request("GET", "/api/openapi.json", undefined, "")).json();
    render();
  } catch (error) {
    const text = error.status === 401 ? "This page needs the token of the server: open the page that `standin serve` prints first." : error.text ?? String(error);
    $("docs-error").textContent = text;
    $("docs-error").hidden = false;
  }
}

boot();
