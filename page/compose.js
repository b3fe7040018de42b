// The box in which people write: the type of a message, what that type contains, and a file.

import { upload } from "./client.js";
import { $, el, fill, icon, options } from "./dom.js";
import { factsOf } from "./facts.js";

const TEXT = "text";
const BUTTONS = "buttons";

/** Fields that describe a file. A chosen file sets them. */
const FILE_FIELDS = ["link", "file_name", "mime_type", "size", "file_type", "preview"];

/** Buttons that can be written. */
const MAX_BUTTONS = 6;

/** The kinds of messages of the vendor, by name. */
let kinds = new Map();
let shownVendor = null;

/** What is written now. */
const draft = { kind: TEXT, values: new Map(), file: null };

/** What people typed is no template. */
const literal = (text) => text.replaceAll("$", "$$$$");

const fieldsOf = (name) => kinds.get(name)?.fields ?? [];
const links = (kind) => kind.fields.some(({ name }) => name === "link");
const words = (name) => name.replaceAll("_", " ");

/** `speaker` returns the chosen person, and chooses one. */
export function setUpComposer({ changed, failed, speaker }) {
  $("kind").addEventListener("change", () => { choose($("kind").value, speaker); changed(); });
  $("add-buttons").addEventListener("click", () => {
    choose(draft.kind === BUTTONS ? TEXT : BUTTONS, speaker);
    changed();
    $("extra").querySelector("input")?.focus();
  });
  $("attach").addEventListener("click", () => $("file").click());
  const attach = (files) => attachFile(files[0]).then(changed, failed);
  $("file").addEventListener("change", () => {
    if ($("file").files.length > 0) attach([...$("file").files]);
    // The same file can be chosen again.
    $("file").value = "";
  });
  $("speak").addEventListener("dragover", (event) => event.preventDefault());
  $("speak").addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 0) attach([...event.dataTransfer.files]);
  });
  $("text").addEventListener("paste", (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    attach([...event.clipboardData.files]);
  });
}

/** Offers the types of the vendor's messages. */
export function renderComposer(vendor, isNote, again) {
  const facts = factsOf(vendor, again);
  if (facts && shownVendor !== vendor) {
    shownVendor = vendor;
    kinds = new Map(facts.message_kinds.map((kind) => [kind.name, kind]));
    const others = [...kinds.values()].filter(({ name }) => name !== TEXT);
    const label = ({ name, sent_as: sentAs }) => (sentAs ? `${words(name)} (sent as ${words(sentAs)})` : words(name));
    options($("kind"), [[TEXT, TEXT], ...others.map((kind) => [kind.name, label(kind)])]);
    if (!kinds.has(draft.kind)) reset();
  }
  const has = (test) => !isNote && [...kinds.values()].some(test);
  $("kind-label").hidden = isNote || kinds.size < 2;
  $("attach").hidden = !has(links);
  $("add-buttons").hidden = !has(({ name }) => name === BUTTONS);
  $("extra").hidden = isNote || draft.kind === TEXT || $("extra").childElementCount === 0;
}

function choose(kind, speaker) {
  draft.kind = kind;
  draft.values = new Map();
  draft.file = null;
  if (kind === BUTTONS) speaker.asStaff();
  else if (kinds.get(kind)?.answers) speaker.asVisitor();
  render();
}

/** Back to a text. */
export function reset() {
  choose(TEXT, { asStaff() {}, asVisitor() {} });
}

async function attachFile(file) {
  const stored = await upload(file.name, file);
  const named = [stored.mime_type.split("/")[0], "document", "file"];
  const kind = named.map((name) => kinds.get(name)).find((one) => one && links(one)) ?? [...kinds.values()].find(links);
  if (!links(kinds.get(draft.kind))) draft.kind = kind.name;
  draft.values = new Map();
  draft.file = stored;
  render();
}

function render() {
  $("kind").value = draft.kind;
  $("add-buttons").setAttribute("aria-pressed", String(draft.kind === BUTTONS));
  const kind = kinds.get(draft.kind);
  if (!kind || draft.kind === TEXT) {
    fill($("extra"));
    $("extra").hidden = true;
    return;
  }
  const own = kind.fields.filter(({ name }) => name !== "text" && !FILE_FIELDS.includes(name));
  const [needed, more] = [own.filter(({ default: value }) => value !== null), own.filter(({ default: value }) => value === null)];
  fill($("extra"),
    links(kind) ? fileLine() : null,
    needed.map(field),
    more.length > 0 ? el("details", {}, el("summary", {}, "More"), el("div", { class: "extra" }, more.map(field))) : null);
  $("extra").hidden = $("extra").childElementCount === 0;
}

function fileLine() {
  const { file } = draft;
  const name = file ? [el("b", {}, file.file_name), " ", el("span", { class: "dim" }, `${file.mime_type} · ${sizeOf(file.size)}`)] : el("span", { class: "sec" }, "A sample file is sent. Choose, paste or drop one of yours.");
  const drop = () => { draft.file = null; render(); $("attach").focus(); };
  return el("div", { class: "row" }, icon("clip"), el("span", { class: "grow" }, name),
    file ? el("button", { class: "btn quiet", type: "button", "aria-label": `Remove ${file.file_name}`, on: { click: drop } }, "Remove") : null);
}

const sizeOf = (bytes) => (bytes < 1024 ? `${bytes} bytes` : bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);

/** The input of a field. An empty one leaves the value to the vendor's default. */
function field({ name, about, default: standard }) {
  const put = (value) => { if (value === undefined) draft.values.delete(name); else draft.values.set(name, value); };
  if (name === "options") return buttons(put);
  const label = (input) => el("label", { class: "field-of", title: about || null }, el("span", {}, words(name)), input);
  if (typeof standard === "boolean") {
    const change = ({ target }) => put(target.value === "" ? undefined : target.value === "yes");
    return label(el("select", { class: "field", on: { change } }, ["", "yes", "no"].map((value) => el("option", { value }, value || `as usual (${standard ? "yes" : "no"})`))));
  }
  const hint = typeof standard === "string" ? (standard.includes("${") ? "generated" : standard) : JSON.stringify(standard ?? "");
  const isText = typeof standard === "string";
  const input = ({ target }) => {
    const text = target.value.trim();
    target.setCustomValidity("");
    if (text === "") return put(undefined);
    if (isText) return put(literal(target.value));
    try {
      put(escaped(JSON.parse(text)));
    } catch {
      // A word without quotes is a text, where any value is possible.
      if (standard === null && !/^[[{]/.test(text)) put(literal(text));
      else target.setCustomValidity("Write a value in JSON");
    }
    return undefined;
  };
  const isLong = standard !== null && typeof standard === "object";
  return label(isLong
    ? el("textarea", { class: "field code", rows: "2", spellcheck: "false", placeholder: hint.replaceAll(/\$\{[^}]*\}/g, "…"), on: { input } })
    : el("input", { class: "field", placeholder: hint === '""' ? "" : hint, autocomplete: "off", on: { input } }));
}

const escaped = (value) => {
  if (typeof value === "string") return literal(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner)]));
  return value;
};

/** The texts of buttons. There is always an empty one, for the next. */
function buttons(put) {
  const line = el("div", { class: "row wrap", role: "group", "aria-label": "Texts of the buttons" });
  const texts = () => [...line.querySelectorAll("input")].map(({ value }) => value.trim());
  const add = (placeholder) => line.append(el("input", { class: "field opt-text", size: "12", placeholder, "aria-label": `Button ${line.childElementCount + 1}`, autocomplete: "off", on: {
    input: () => {
      const written = texts().filter(Boolean);
      put(written.length > 0 ? written.map(literal) : undefined);
      if (texts().at(-1) && line.childElementCount < MAX_BUTTONS) add("One more");
    },
  } }));
  add("Yes");
  add("No");
  return line;
}

/** Whether there is something to send without a text. */
export const hasContent = () => draft.kind !== TEXT;

/** The fields of the action `say`. */
export function content(text) {
  const said = {};
  if (draft.kind !== TEXT) said.kind = draft.kind;
  if (text.trim()) said.text = literal(text);
  for (const [name, value] of draft.values) said[name] = value;
  const { file } = draft;
  if (!file) return said;
  for (const { name, default: standard } of fieldsOf(draft.kind)) {
    if (name === "file_type" && typeof standard === "string") said[name] = fileType(file, standard);
    else if (name in file) said[name] = typeof file[name] === "string" ? literal(file[name]) : file[name];
  }
  return said;
}

/** The vendor's word for the type: an extension such as PNG, or the first part of the media type. */
function fileType(file, standard) {
  const extension = file.file_name.split(".").at(-1);
  return standard === standard.toUpperCase() ? extension.toUpperCase() : file.mime_type.split("/")[0];
}
