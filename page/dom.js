// Builds elements. All text is inserted as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** Creates an element: attributes, then children. Strings become text nodes; null is skipped. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (key === "class") element.className = value;
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Replaces the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

export function icon(name, small = true) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", small ? "i s" : "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A text in which backticks mark code. */
export function prose(text) {
  const parts = (text ?? "").split("`");
  // With an odd number of backticks, it is not known which ones mark code.
  return parts.length % 2 === 0 ? [text] : parts.map((part, index) => (index % 2 === 1 ? el("code", {}, part) : part));
}

/** A status: always an icon and a word. */
export const status = (kind, name, text) => el("span", { class: `st ${kind}` }, icon(name), el("span", {}, text));

/** Marks one button of a group, and returns its value when another one is chosen. */
export function choice(group, chosen) {
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
    chosen(button.value);
  });
}

/**
 * Shows entries as the children of an element. One whose version has not changed stays as it is, with
 * its focus, and is not announced again.
 */
export function sync(element, entries) {
  const wanted = new Set(entries.map(({ version }) => version));
  let child = element.firstElementChild;
  const drop = () => {
    const dropped = child;
    child = child.nextElementSibling;
    dropped.remove();
  };
  for (const { version, make } of entries) {
    // A list that follows its end loses entries at its start. The others stay in the document.
    while (child && !wanted.has(child.dataset.version)) drop();
    if (child?.dataset.version === version) {
      child = child.nextElementSibling;
      continue;
    }
    const made = make();
    made.dataset.version = version;
    element.insertBefore(made, child);
  }
  while (child) drop();
}

export function options(select, entries, keep = true) {
  const version = JSON.stringify(entries);
  if (select.dataset.version === version) return;
  select.dataset.version = version;
  const before = select.value;
  fill(select, entries.map(([value, label]) => el("option", { value }, label)));
  if (keep && entries.some(([value]) => value === before)) select.value = before;
}

let toastTimer;

export function toast(text) {
  const element = $("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 2500);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}`);
  } catch {
    toast("The browser does not allow copying here");
  }
}
