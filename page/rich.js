// Messages that are more than a text: lists, cards, forms, files and other values. Vendors differ in what
// they call such messages; the keys of their data are the same.

import { el, icon } from "./dom.js";

const words = (name) => name.replaceAll("_", " ");

const isText = (value) => typeof value === "string" && value !== "";

const listOf = (value) => (Array.isArray(value) ? value.filter((one) => one !== null && typeof one === "object") : []);

const sizeOf = (bytes) => (bytes < 1024 ? `${bytes} bytes` : `${Math.round(bytes / 1024)} KB`);

/** The labels that the visitor can choose. */
export function labelsOf(data) {
  const options = Array.isArray(data?.options) ? data.options : [];
  const rows = listOf(data?.sections).flatMap((section) => listOf(section.items));
  const cards = listOf(data?.items);
  return [...options, ...rows, ...cards].map(label).filter(isText);
}

const label = (option) => (typeof option === "string" ? option : option?.label ?? option?.title);

/** Keys that are shown in another way, or that only a vendor's server uses. */
const HIDDEN = new Set(["text", "title", "link", "preview", "mime_type", "file_name", "name", "size", "file_type", "options", "items", "sections", "fields", "files", "header", "footer", "button", "dialog", "flow", "layout", "order", "search", "several", "event_id"]);

/**
 * What a message shows below its text, as elements; empty for a plain text. `choose` makes a button with which the
 * visitor chooses a label.
 */
export function rich(data, choose) {
  if (!data) return [];
  const parts = [files(data), menu(data, choose), cards(data, choose), form(data), options(data, choose)].filter(Boolean);
  // The values of other messages, such as a rating or a date.
  const others = parts.length === 0 ? values(data) : null;
  return others ? [others] : parts;
}

function options({ options: offered }, choose) {
  const labels = (Array.isArray(offered) ? offered : []).map(label).filter(isText);
  if (labels.length === 0) return null;
  return el("div", { class: "opts", role: "group", "aria-label": "Buttons of the message" }, labels.map((text) => choose(text)));
}

function files(data) {
  const all = listOf(data.files).filter((file) => isText(file.file_name));
  if (all.length === 0) return null;
  return el("ul", { class: "m-files" }, all.map((file) => el("li", {}, card(file))));
}

/** Name, type and size of a file. */
export function card({ file_name: name, mime_type: type, size }) {
  const about = [type, typeof size === "number" ? sizeOf(size) : null].filter(Boolean).join(" · ");
  return [el("span", { class: "thumb" }, icon(type?.startsWith("image/") ? "image" : "clip", false)),
    el("div", { class: "about" }, el("b", {}, name), about ? el("div", { class: "dim" }, about) : null)];
}

/** A list with sections, whose rows can be chosen. */
function menu({ sections, header, footer, button }, choose) {
  const all = listOf(sections);
  if (all.length === 0) return null;
  return el("div", { class: "m-list" },
    isText(header) ? el("b", { class: "m-list-h" }, header) : null,
    all.map((section) => el("div", { role: "group", "aria-label": isText(section.title) ? section.title : "Rows" },
      isText(section.title) ? el("div", { class: "m-list-s" }, section.title) : null,
      listOf(section.items).filter((row) => isText(label(row))).map((row) => choose(label(row), isText(row.description) ? row.description : null)))),
    isText(footer) ? el("div", { class: "m-list-f dim" }, footer) : null,
    isText(button) ? el("div", { class: "m-list-f dim" }, `Opens with “${button}”`) : null);
}

/** Cards side by side. The page loads no pictures. */
function cards({ items }, choose) {
  const all = listOf(items);
  if (all.length === 0) return null;
  return el("ul", { class: "m-cards", tabindex: all.length > 1 ? "0" : null, "aria-label": all.length > 1 ? "Cards" : null }, all.map((item) => {
    const picture = isText(item.image) ? item.image.split(/[?#]/)[0].split("/").at(-1) : "";
    return el("li", { class: "m-card" },
      el("div", { class: "m-picture" }, icon("image", false), el("span", { class: "cut dim" }, picture || "no picture")),
      el("div", { class: "m-card-t" },
        isText(item.title) ? el("b", {}, item.title) : null,
        isText(item.description) ? el("p", { class: "sec" }, item.description) : null,
        isText(item.url) ? el("p", { class: "dim cut", title: item.url }, item.url) : null),
      isText(label(item)) ? el("div", { class: "m-card-b" }, choose(label(item), null, "Choose")) : null);
  }));
}

/** The fields of a form, or what was written into them. */
function form({ fields }) {
  const all = listOf(fields);
  if (all.length === 0) return null;
  return el("dl", { class: "m-form" }, all.flatMap((field) => {
    const name = isText(field.label) ? field.label : words(field.variable ?? field.type ?? "field");
    const value = "value" in field
      ? el("span", {}, String(field.value ?? ""))
      : el("span", { class: "blank" }, `${field.type ?? "text"}${field.is_optional ? ", optional" : ""}`);
    return [el("dt", {}, name), el("dd", {}, value)];
  }));
}

function values(data) {
  const all = Object.entries(data).filter(([key, value]) => !HIDDEN.has(key) && !(value === "" || value === null) && (typeof value !== "object" || Array.isArray(value)));
  if (all.length === 0) return null;
  return el("dl", { class: "m-form" }, all.flatMap(([key, value]) => [el("dt", {}, words(key)), el("dd", {}, shown(value))]));
}

function shown(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((one) => (one && typeof one === "object" ? [one.name ?? one.label, one.value].filter(Boolean).join(" = ") : String(one))).join(", ");
  return String(value);
}
