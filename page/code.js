// Shows bodies: formatted with colours, or byte for byte.

import { el } from "./dom.js";

/** Longest text that is formatted. Larger bodies are shown as they are. */
const MAX_FORMATTED = 256 * 1024;

export function parse(text) {
  if (text === null || text.length > MAX_FORMATTED) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The body with one JSON value per line, or as it is if it is not JSON. */
export function formatted(text, label) {
  const json = parse(text);
  if (json === undefined) return bytes(text, label);
  const lines = [];
  write(json, "", "", "", lines);
  return el("pre", { class: "code", tabindex: "0", "aria-label": label }, el("code", {}, lines.map((line) => el("span", { class: "l" }, line))));
}

export const bytes = (text, label) => el("pre", { class: "code bytes", tabindex: "0", "aria-label": label }, text ?? "");

function write(value, indent, before, after, lines) {
  const isList = Array.isArray(value);
  if (value === null || typeof value !== "object") {
    lines.push([indent, before, scalar(value), after]);
    return;
  }
  const entries = Object.entries(value);
  const [begin, end] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) {
    lines.push([indent, before, begin + end, after]);
    return;
  }
  lines.push([indent, before, begin]);
  entries.forEach(([key, inner], index) => {
    const name = isList ? "" : [el("span", { class: "tk" }, JSON.stringify(key)), ": "];
    write(inner, `${indent}  `, name, index < entries.length - 1 ? "," : "", lines);
  });
  lines.push([indent, end, after]);
}

function scalar(value) {
  const kind = typeof value === "string" ? "ts" : typeof value === "number" ? "tn" : "tb";
  return el("span", { class: kind }, JSON.stringify(value));
}

export function headers(list) {
  return el("dl", { class: "hdrs" }, list.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A command that sends the same request. */
export function curl(row, attempt) {
  const parts = [`curl -X ${attempt.method} ${quote(attempt.url)}`];
  for (const [name, value] of attempt.headers) parts.push(`-H ${quote(`${name}: ${value}`)}`);
  parts.push(`--data-binary ${quote(row.body ?? "")}`);
  return parts.join(" \\\n  ");
}
